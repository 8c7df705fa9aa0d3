"""The lessons' widgets without a browser: whose function draws, and what they set for the views."""

import base64

import numpy as np
import pytest
from traitlets import TraitError

from course import supplied
from course.widgets import attention_plane, cross_attention_map, mask_lab, softmax_saturation
from course.widgets.base import Card, Driven, Stepper


def unfinished(*args):
    raise NotImplementedError


def no_scale(q, k, v):
    weights = supplied.softmax(q @ k.T)
    return weights @ v, weights


MADE = [attention_plane, softmax_saturation, mask_lab, cross_attention_map]


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize("function", [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "x"])
def test_without_a_working_function_the_course_draws_and_says_so(make, function):
    card = make(function)
    assert "cw-course" in card._status._dom_classes
    assert card._status.value


def test_a_right_function_draws_as_yours():
    card = attention_plane(supplied.scaled_dot_product_attention)
    assert "cw-yours" in card._status._dom_classes
    assert not np.any(card.weights.wrong)


def test_a_wrong_function_is_drawn_and_marked():
    card = attention_plane(no_scale)
    assert "cw-wrong" in card._status._dom_classes
    assert np.allclose(card.weights.values, no_scale(card.q, card.k, np.eye(4))[1])
    assert np.any(card.weights.wrong)
    assert "differs first at" in card._status.value


def test_a_difference_is_told_with_the_digits_that_show_it():
    near = Driven(lambda: np.array([1.0, 0.0049949]), lambda: np.array([1.0, 0.0049925]), "f")()
    assert "differs first at [1] (yours 0.0049949, right 0.0049925)" in near.message
    one = Driven(lambda: np.array(-1.39), lambda: np.array(1.39), "f")()
    assert "the result differs (yours -1.39, right 1.39)" in one.message


def test_moving_the_slider_moves_the_vector_and_the_weights():
    card = attention_plane(supplied.scaled_dot_product_attention)
    before = np.array(card.weights.values)
    card.x.value = -2.0
    assert card.q[2, 0] == -2.0
    assert card.plane.vectors[6]["x"] == -2.0
    assert np.allclose(card.weights.values, supplied.scaled_dot_product_attention(card.q, card.k, np.eye(4))[1])
    assert not np.allclose(card.weights.values, before)


def test_dragging_in_the_plane_moves_the_slider():
    card = attention_plane(supplied.scaled_dot_product_attention)
    vectors = [dict(v) for v in card.plane.vectors]
    vectors[6]["y"] = 2.5
    card.plane.vectors = vectors
    assert card.y.value == 2.5
    assert card.q[2, 1] == 2.5


def test_switching_the_scale_off_gives_unscaled_weights():
    card = attention_plane(supplied.scaled_dot_product_attention)
    card.scaled.value = False
    assert np.allclose(card.weights.values, supplied.softmax(card.q @ card.k.T))


def test_a_mask_cell_can_be_switched():
    card = mask_lab()
    assert np.array(card.mask_view.values).tolist() == np.tri(5).tolist()
    card.mask_view.toggled = {"cells": [[0, 4]], "count": 1}
    assert card.mask[0, 4]
    assert np.allclose(np.sum(card.weights.values, axis=1), 1)
    card.mask_view.toggled = {"cells": [[0, 4], [0, 4]], "count": 2}
    assert not card.mask[0, 4]


def test_no_click_is_lost_when_several_come_at_once():
    card = mask_lab()
    card.mask_view.toggled = {"cells": [[4, j] for j in range(5)], "count": 5}
    assert card.mask[4].tolist() == [False] * 5
    card.mask_view.toggled = {"cells": [*([4, j] for j in range(5)), [4, 2]], "count": 6}
    assert card.mask[4].tolist() == [False, False, True, False, False]


def test_a_row_that_sees_nothing_has_no_weight():
    card = mask_lab()
    card.mask_view.toggled = {"cells": [[0, 0]], "count": 1}
    assert np.array(card.weights.values)[0].tolist() == [0.0] * 5


def test_a_wrong_mask_function_is_named_first():
    card = mask_lab(None, lambda n: np.triu(np.ones((n, n), bool)))
    assert "causal_mask" in card._status.value
    assert np.any(card.mask_view.wrong)


@pytest.mark.parametrize("make", MADE)
def test_a_still_picture_stands_in_without_a_kernel(make):
    bundle = make()._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


def test_the_students_function_cannot_change_the_widgets_arrays():
    def vandal(q, k, v):
        q[:] = 0
        return supplied.scaled_dot_product_attention(q, k, v)

    card = attention_plane(vandal)
    assert np.any(card.q)


def test_driven_reports_wrong_shapes_in_words():
    drawn = Driven(lambda x: np.zeros(3), lambda x: np.zeros(2), "f")(np.ones(2))
    assert drawn.source == "course"
    assert "(3,)" in drawn.message
    assert "(2,)" in drawn.message


# ---- Stepper -----------------------------------------------------------------------------------------------------


def test_the_stepper_names_its_step_and_stays_at_its_ends():
    stepper = Stepper(["norm", "attend", "add"])
    back, forward, player, place = stepper.children
    assert place.value == "step 1 of 3: norm"
    back.click()
    assert stepper.step == 0
    for _ in range(4):
        forward.click()
    assert (stepper.step, place.value) == (2, "step 3 of 3: add")
    assert player.value == 2, "play goes on from here"


def test_playing_moves_the_step_and_a_button_stops_it():
    stepper = Stepper(["norm", "attend", "add"])
    player = stepper.children[2]
    player.playing, player.value = True, 1
    assert stepper.step == 1
    stepper.children[0].click()
    assert (stepper.step, player.playing) == (0, False)


def test_a_card_listens_to_the_stepper():
    class Steps(Card):
        def redraw(self):
            self.drawn = self.stepper.step

    card = Steps("Steps", [], [])
    card.stepper, heard = Stepper(["norm", "attend"]), []
    card.listen(card.stepper, "step", heard.append)
    card.stepper.move(1)
    assert (heard, card.drawn) == ([1], 1)


def test_new_names_start_the_stepper_over():
    stepper = Stepper(["norm", "attend", "add"])
    stepper.step = 2
    stepper.names = ["one", "two"]
    assert (stepper.step, stepper.children[3].value) == (0, "step 1 of 2: one")
    with pytest.raises(TraitError, match="step is 2, there are 2 steps"):
        stepper.step = 2
