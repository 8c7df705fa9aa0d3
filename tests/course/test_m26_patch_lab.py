"""The patch lab of m26 without a browser: whose function draws, what it answers, prompts that it cannot read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course.supplied import m26
from course.widgets import patch_lab

MIX = "blocks.0.attention.mix"


def unfinished(*args):
    raise NotImplementedError


def answers(card) -> tuple[str, str]:
    """The tokens that are chosen before and after."""
    before, after = (int(np.argmax(column["values"])) for column in card.bars.columns)
    return card.bars.labels[before], card.bars.labels[after]


@pytest.mark.parametrize("function", [None, unfinished, lambda *a: 1 / 0, lambda *a: None, lambda *a: "x"])
def test_without_a_working_function_the_course_draws_and_says_so(function):
    card = patch_lab(function)
    assert "cw-course" in card._status._dom_classes
    assert card.bars.greyed
    assert answers(card) == ("5", "2")


def test_a_right_function_draws_as_yours():
    card = patch_lab(m26.run_patched)
    assert "cw-yours" in card._status._dom_classes
    assert not card.bars.greyed
    assert "it chooses 2" in card.bars.heading_before
    assert card.figure().axes


@pytest.mark.parametrize(("head", "after"), [("all", "2"), ("0", "5"), ("1", "2")])
def test_one_head_carries_the_digit(head, after):
    card = patch_lab(m26.run_patched)
    card.head.value = head
    assert answers(card) == ("5", after)
    assert (f"head {head} only" in card.bars.note) == (head != "all")


@pytest.mark.parametrize(
    ("stage", "every_row", "after"),
    [("stream_0", False, "5"), ("stream_0", True, "2"), ("blocks.0.stream_1", False, "2"), ("position", True, "5")],
)
def test_rows_that_carry_the_digit(stage, every_row, after):
    card = patch_lab(m26.run_patched)
    card.stage.value, card.rows.value = stage, every_row
    assert card.head.disabled
    assert answers(card) == ("5", after)


def test_every_stage_takes_the_whole_other_pass_or_one_head_of_it():
    card = patch_lab(m26.run_patched)
    ours, theirs = card.saved.encode("7*8=")[0], card.saved.encode("3*8=")[0]
    traces = [m26.collect_trace(card._model(), ids) for ids in (ours, theirs)]
    for _, stage in card.stage.options:
        card.stage.value, card.rows.value, card.head.value = stage, True, "all"
        assert card.patched(ours, theirs).equal(traces[1][stage])
        card.rows.value, card.head.value = False, "1"
        value = card.patched(ours, theirs)
        assert value[..., :-1, :].equal(traces[0][stage][..., :-1, :])
        if card.has_heads and value.ndim == 3:
            expected = [traces[0][stage][0, -1], traces[1][stage][1, -1]]
        elif card.has_heads:
            expected = [traces[0][stage][-1, :6], traces[1][stage][-1, 6:]]
        else:
            expected = [traces[1][stage][-1]]
        assert value[..., -1, :].flatten().equal(torch.cat(expected))


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("7x8=", "does not know x"),
        ("", "is empty"),
        ("7*8=562", "at most 6"),
        ("7*8=5", "the same number of tokens"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_explained_and_breaks_nothing(prompt, said):
    card = patch_lab(m26.run_patched)
    for control in (card.clean, card.source):
        before = control.value
        control.value = prompt
        assert said in card.bars.heading_before
        assert card.bars.greyed
        control.value = before
        assert answers(card) == ("5", "2")
        assert not card.bars.greyed


def test_a_patch_without_effect_is_marked():
    card = patch_lab(lambda model, tokens, stage, value: model(tokens))
    assert "cw-wrong" in card._status._dom_classes
    assert any(card.bars.wrong)
    assert answers(card) == ("5", "5")


def test_hooks_that_are_left_are_told_and_do_no_harm():
    def leaves_it(model, tokens, stage, value):
        model.get_submodule(stage).register_forward_hook(lambda *_: value.clone())
        return model(tokens).detach()

    card = patch_lab(leaves_it)
    assert "cw-wrong" in card._status._dom_classes
    assert "left 1 hook on the model" in card._status.value
    card.source.value = "7*8="
    assert answers(card) == ("5", "5")


def test_a_patch_that_writes_into_the_model_spoils_only_its_own():
    def overwrites(model, tokens, stage, value):
        handle = model.get_submodule(stage).register_forward_hook(lambda m, i, output: output.copy_(value))
        with torch.no_grad():
            logits = model(tokens)
        handle.remove()
        return logits

    card = patch_lab(overwrites)
    card.stage.value = "position"
    card.clean.value, card.source.value = "6*6=", "6*7="
    assert answers(card)[0] == "3"
    card.clean.value = "7*8="
    assert answers(card)[0] == "5"
