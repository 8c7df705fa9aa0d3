"""The widgets of ch00 without a browser: whose function draws, and what they set for the views."""

import base64

import numpy as np
import pytest

from course.supplied import ch00
from course.widgets import conveyor_spotlight, round_trip, sequence_gallery
from course.widgets.conveyor_spotlight import VECTORS, WORDS, spotlight
from course.widgets.sequence_gallery import KINDS, SENTENCE, VOCABULARY, melody, moving_dot

MADE = [sequence_gallery, conveyor_spotlight, lambda *one: round_trip(*one * 4)]


def unfinished(*args):
    raise NotImplementedError


def no_memory(h, x, w_h, w_x, b):
    return np.tanh(x @ w_x + b)


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize(
    "function", [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "x", lambda *a: [1, 2]]
)
def test_without_a_working_function_the_course_draws_and_says_so(make, function):
    card = make(function) if function else make()
    assert "cw-course" in card._status._dom_classes
    assert card._status.value


@pytest.mark.parametrize("make", MADE)
def test_a_still_picture_stands_in_without_a_kernel(make):
    bundle = make()._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(("kind", "shape"), list(zip(KINDS, [(11, 7), (8, 32), (8, 64), (12, 5)], strict=True)))
def test_each_kind_becomes_a_table_with_a_row_for_each_token(kind, shape):
    card = sequence_gallery(ch00.encode, ch00.sliding_windows)
    card.what.value = kind
    assert np.shape(card.matrix.values) == shape
    assert str(shape) in card.matrix.title
    assert "cw-yours" in card._status._dom_classes
    assert not np.any(card.matrix.wrong)
    card.token.value = card.token.max
    assert card.matrix.selected_row == shape[0] - 1
    assert card.stage.children == (card.raw[kind],)


def test_a_row_that_is_chosen_moves_the_slider():
    card = sequence_gallery()
    card.matrix.selected_row = 4
    assert card.token.value == 5
    assert card.raw["text"].lines[0][4]["style"] == "bold"


def test_text_is_one_hot_at_the_students_ids():
    card = sequence_gallery(lambda text, vocabulary: tuple(ch00.encode(text, vocabulary)))
    assert np.array(card.matrix.values).argmax(axis=1).tolist() == ch00.encode(SENTENCE, VOCABULARY)


def test_wrong_ids_are_drawn_and_marked():
    card = sequence_gallery(lambda text, vocabulary: [i + 1 for i in ch00.encode(text, vocabulary)])
    assert "cw-wrong" in card._status._dom_classes
    assert np.any(card.matrix.wrong)
    assert np.array(card.matrix.values)[0].sum() == 0  # "t" has the last id: one more is beyond the table
    for token in range(1, 12):
        card.token.value = token


def test_wrong_windows_are_marked_in_their_own_kinds_only():
    card = sequence_gallery(ch00.encode, lambda ids, length: ch00.sliding_windows(ids, length)[:, ::-1])
    seen = {}
    for kind in KINDS:
        card.what.value = kind
        seen[kind] = bool(np.any(card.matrix.wrong))
    assert seen == {"text": False, "sound": True, "video": False, "prices": True}


def test_the_frames_of_the_sound_put_together_are_the_sound():
    card = sequence_gallery()
    assert np.array_equal(card.sequences["sound"].vectors.ravel(), melody())
    assert moving_dot().shape == (8, 8, 8)


OURS = [ch00.tokenize_chars, ch00.build_vocabulary, ch00.encode, ch00.decode]


def test_a_text_goes_to_ids_and_back():
    card = round_trip(*OURS)
    assert "cw-yours" in card._status._dom_classes
    card.text.value = "Anna"
    assert card.ids.values == [[0.0, 2.0, 2.0, 1.0]]
    assert "the same text" in card.ids.note
    card.text.value = "a much longer text than fits in the table"
    assert len(card.text.value) == len(card.ids.values[0]) == 24
    card.text.value = ""
    assert card.ids.column_labels == ["\u2423"]


@pytest.mark.parametrize(
    ("place", "wrong"),
    [(0, lambda text: list(text.lower())), (1, sorted), (2, lambda t, v: [0] * len(t)), (3, lambda i, v: "no")],
)
def test_the_first_wrong_function_of_the_round_trip_is_named(place, wrong):
    functions = [*OURS]
    functions[place] = wrong
    card = round_trip(*functions)
    card.text.value = "Abba"
    assert OURS[place].__name__ in card._status.value
    assert "cw-yours" not in card._status._dom_classes


def test_the_belt_is_drawn_by_the_students_step():
    card = conveyor_spotlight(ch00.rnn_step)
    assert "cw-yours" in card._status._dom_classes
    states = {box["name"]: box["values"] for box in card.belt.boxes}
    assert [name for name, values in states.items() if not values] == [f"h{t}" for t in range(2, 8)]
    card.stepper.step = 6
    states = {box["name"]: box["values"] for box in card.belt.boxes}
    assert np.abs(states["h7"]).max() > 0
    assert not any(box["wrong"] for box in card.belt.boxes)
    assert card.trace.series[0]["y"][0] == pytest.approx(100)


def test_a_wrong_step_is_marked_at_every_state_after_the_first():
    card = conveyor_spotlight(no_memory)
    assert "the state after token 2 is the first that differs" in card._status.value
    card.stepper.step = 4
    assert [box["name"] for box in card.belt.boxes if box["wrong"]] == [f"h{t}" for t in range(2, 6)]
    assert card.trace.series[0]["y"][1:] == [0.0] * 6  # without a memory nothing is left of the first token


def test_the_stepper_lights_one_token_a_step_and_the_spotlight_is_done_after_one():
    card = conveyor_spotlight()
    assert len(card.stepper.names) == len(WORDS)
    card.stepper.step = 3
    assert card.belt.step == card.light.step == 3
    assert card.trace.marker == 4.0
    assert {box["step"] for box in card.light.boxes} == {0}
    assert "done" in card.light.title


def test_more_memory_leaves_more_of_the_first_token():
    card = conveyor_spotlight(ch00.rnn_step)
    left = []
    for memory in (0.0, 0.3, 0.7, 1.0):
        card.memory.value = memory
        left.append(card.trace.series[0]["y"][5])
    assert left == sorted(left)
    assert left[0] == 0 < left[1]


def test_the_spotlight_of_are_falls_on_keys():
    assert WORDS[int(spotlight().argmax())] == "keys"
    assert spotlight().sum() == pytest.approx(1)
    assert len(VECTORS) == len(WORDS)


def test_the_students_function_cannot_change_the_widgets_arrays():
    def vandal(h, x, w_h, w_x, b):
        x[:] = 0
        return ch00.rnn_step(h, x, w_h, w_x, b)

    before = VECTORS.copy()
    conveyor_spotlight(vandal)
    assert np.array_equal(VECTORS, before)
