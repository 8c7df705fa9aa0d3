"""The widgets of ch03 without a browser: whose function draws, and what they set for the views."""

import base64

import numpy as np
import pytest

from course.supplied import ch03
from course.supplied.ch01 import softmax
from course.widgets import head_flow, head_patterns, split_map
from course.widgets.head_patterns import TOKENS

MADE = [head_patterns, split_map, head_flow]


def unfinished(*args):
    raise NotImplementedError


def reshaped_only(x, heads):
    return x.reshape(heads, len(x), -1)


def without_the_last_projection(x, p, heads, mask=None):
    return ch03.multi_head_attention(x, p | {"w_o": np.eye(len(p["w_o"]))}, heads, mask)


def scaled_by_d_model(x, p, heads, mask=None):
    q, k, v = (ch03.split_heads(x @ p[name], heads) for name in ("w_q", "w_k", "w_v"))
    weights = softmax(q @ k.swapaxes(1, 2) / np.sqrt(x.shape[-1]))
    return ch03.merge_heads(weights @ v) @ p["w_o"], weights


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize("function", [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "x"])
def test_without_a_working_function_the_course_draws_and_says_so(make, function):
    card = make(function)
    assert "cw-course" in card._status._dom_classes
    assert card._status.value


@pytest.mark.parametrize(
    ("make", "functions"),
    [(head_patterns, [ch03.multi_head_attention]), (split_map, [ch03.split_heads, ch03.merge_heads]),
     (head_flow, [ch03.split_heads, ch03.merge_heads, ch03.multi_head_attention])],
)  # fmt: skip
def test_right_functions_draw_as_yours(make, functions):
    assert "cw-yours" in make(*functions)._status._dom_classes


@pytest.mark.parametrize("make", MADE)
def test_a_still_picture_stands_in_without_a_kernel(make):
    bundle = make()._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


# ---- head_patterns -----------------------------------------------------------------------------------------------


def looked_at(card, head):
    """For each word, the word that gets the most weight in a head."""
    card.head.value = card.head.options[head]
    return [TOKENS[j] for j in np.argmax(card.weights.values, axis=1)]


def test_the_four_heads_look_where_their_names_say():
    card = head_patterns(ch03.multi_head_attention)
    assert looked_at(card, 0) == ["The", *TOKENS[:-1]]
    assert looked_at(card, 1)[TOKENS.index("it")] == "cat"
    assert [t for t in looked_at(card, 1) if t != "it"] == [t if t != "it" else "cat" for t in TOKENS]
    assert looked_at(card, 3) == ["The"] * len(TOKENS)
    card.head.value = card.head.options[2]
    nouns = np.array(card.weights.values)[TOKENS.index("cat")]
    assert nouns[[1, 5]] == pytest.approx([0.49, 0.49], abs=0.01)
    assert np.max(np.array(looked_at_weights(card, 0))) > 0.9


def looked_at_weights(card, head):
    card.head.value = card.head.options[head]
    return np.max(card.weights.values, axis=1)


def test_without_strength_every_head_spreads_evenly():
    card = head_patterns(ch03.multi_head_attention)
    card.strength.value = 0.0
    assert np.allclose(card.weights.values, 1 / len(TOKENS))


def test_the_mask_hides_what_comes_later():
    card = head_patterns(ch03.multi_head_attention)
    card.look_back.value = True
    assert not np.any(np.triu(card.weights.values, 1))
    assert np.array_equal(card.weights.masked, ~np.tri(len(TOKENS), dtype=bool))
    assert np.allclose(np.sum(card.weights.values, axis=1), 1)


def test_the_chosen_word_is_shown_in_all_heads():
    card = head_patterns()
    assert "it" in card.looks.title
    card.weights.selected_row = TOKENS.index("tired")
    assert "tired" in card.looks.title
    assert [TOKENS[j] for j in np.argmax(card.looks.values, axis=0)] == ["was", "tired", "tired", "The"]
    card.looks.selected_row = 3
    assert card.looks.selected_row == -1


def test_wrong_weights_are_marked_and_a_wrong_output_is_told():
    card = head_patterns(scaled_by_d_model)
    assert np.any(card.weights.wrong)
    assert np.any(card.looks.wrong)
    card = head_patterns(without_the_last_projection)
    assert not np.any(card.weights.wrong)
    assert "item 0 of the result differs first" in card._status.value


# ---- split_map ---------------------------------------------------------------------------------------------------


def test_every_head_holds_every_token():
    card = split_map()
    for heads in (1, 2, 3):
        card.heads.value = heads
        cut = np.array(card.cut.values).reshape(heads, 4, -1)
        assert np.array_equal(np.floor(cut[..., 0]), np.tile(np.arange(4), (heads, 1)))
        assert np.array_equal(card.after.values, card.before.values)


def test_a_split_that_only_reshapes_is_marked_and_the_merge_is_not():
    card = split_map(reshaped_only, ch03.merge_heads)
    assert "Your <code>split_heads</code> draws this, and it is not right yet" in card._status.value
    assert np.any(card.cut.wrong)
    assert not np.any(card.after.wrong)
    card.heads.value = 1  # nothing to cut: the mistake does not show
    assert "cw-yours" in card._status._dom_classes


# ---- head_flow ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_the_boxes_show_the_real_shapes(heads):
    card = head_flow(ch03.split_heads, ch03.merge_heads, ch03.multi_head_attention)
    card.heads.value = heads
    shapes = {box["name"]: box["shape"] for box in card.flow.boxes}
    assert shapes["x"] == shapes["q"] == shapes["merged"] == shapes["output"] == "(4, 8)"
    assert [shapes[f"split{h}"] for h in range(heads)] == [f"(4, {8 // heads})"] * heads
    assert f"weights{heads}" not in shapes
    assert [b["name"] for b in card.flow.boxes if b["wrong"]] == []


def test_stepping_lights_the_step_and_says_what_happens():
    card = head_flow()
    notes = []
    for step in range(7):
        card.stepper.step = step
        assert card.flow.step == step
        notes.append(card.flow.note)
    assert len(set(notes)) == 7
    assert "(4, 8) becomes (2, 4, 4)" in notes[2]


def test_only_the_boxes_of_a_wrong_function_are_marked():
    card = head_flow(reshaped_only, ch03.merge_heads, ch03.multi_head_attention)
    assert [b["name"] for b in card.flow.boxes if b["wrong"]] == ["split0", "split1"]
    card = head_flow(ch03.split_heads, ch03.merge_heads, without_the_last_projection)
    assert [b["name"] for b in card.flow.boxes if b["wrong"]] == ["output"]


def test_the_strips_follow_the_chosen_token():
    card = head_flow()
    card.token.value = "down"
    x = next(box for box in card.flow.boxes if box["name"] == "x")
    assert np.allclose(x["values"], card.x[3])
