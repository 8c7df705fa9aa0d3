"""The card that walks through a forward pass: its numbers are torch's, and the sums that it writes out come to them."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
import traitlets as tr

from course.supplied import m26
from course.supplied.ch07 import flatten, init_decoder
from course.trained import Trained
from course.widgets import matrix_flow
from course.widgets.forward_pass import Pass, stages
from course.widgets.matrix_walk import MatrixFlow
from course.widgets.views import Matrices

VOCABULARY = list("abcde.")  # six: a softmax over them is written out


@pytest.fixture(scope="module")
def flow() -> MatrixFlow:
    """The card with the model that knows the products."""
    return matrix_flow()


def random_model(layers: int = 2, heads: int = 3) -> Trained:
    """A decoder of several blocks and heads with numbers that matter."""
    p = init_decoder(len(VOCABULARY), 6, heads, layers, 10, 5, 3)
    generator = torch.Generator().manual_seed(1)
    for tensor in flatten(p).values():
        tensor += 0.5 * torch.randn(tensor.shape, generator=generator)
    return Trained(p, heads, VOCABULARY)


def a_pass(saved: Trained, prompt: str) -> Pass:
    """The matrices of one pass of a model."""
    tokens = saved.encode(prompt)[0]
    trace = m26.collect_trace(m26.StagedDecoder(saved.p, saved.heads), tokens)
    p = {name: t.numpy() for name, t in flatten(saved.p).items()}
    arrays = {name: t.numpy() for name, t in trace.items()}
    return Pass(p, saved.heads, saved.vocabulary, tokens.tolist(), arrays)


def go_to(card: MatrixFlow, stage: str, number: int = 0) -> None:
    """Show a stage of a pass."""
    names = [one.name for one in card.stages]
    card.stepper.step = number * len(names) + names.index(stage)


def written(lines: list) -> str:
    """The text of a formula's lines, as one could type it."""
    return "".join(piece(segment) for line in lines for segment in line)


def piece(segment: dict) -> str:
    if "fraction" in segment:
        top, below = (written([half]) for half in segment["fraction"])
        return f"(({top})/({below}))"
    return segment["text"]


def value_of(sum_text: str) -> tuple[float, float]:
    """What a sum that is written out comes to, and what stands behind its last equals sign."""
    left, _, right = sum_text.rpartition(" = ")
    for a, b in (("\u2212", "-"), ("\u00b7", "*"), ("\u221e", "inf"), ("\u221a", "math.sqrt"), ("e^", "math.e**")):
        left, right = left.replace(a, b), right.replace(a, b)
    left = re.sub(r"math\.sqrt(\d+)", r"math.sqrt(\1)", left)
    return eval(left, {"math": math, "inf": math.inf, "GELU": gelu}), float(right)


def gelu(x: float) -> float:
    """In the tanh form."""
    return float(torch.nn.functional.gelu(torch.tensor(x), approximate="tanh"))


@pytest.mark.parametrize("prompt", ["a", "eabca"])
def test_the_sum_of_every_cell_comes_to_its_number(prompt: str) -> None:
    """In every stage of a model with two blocks and three heads; the numbers written have two decimals."""
    run = a_pass(random_model(), prompt)
    written_out = [
        stage for stage in stages(2) if stage.name not in ("embed", "position") and "masked" not in stage.name
    ]
    for stage in written_out:
        for name in stage.results(run):
            for row, column in np.ndindex(run[name].values.shape):
                lines = stage.explain(run, name, row, column).lines
                left, right = value_of(written(lines[1:] if "norm" in stage.name else lines))
                assert right == pytest.approx(float(run[name].values[row, column]), abs=6e-5)
                assert left == pytest.approx(right, rel=0.05, abs=0.25), (name, row, column, written(lines))


def test_what_is_lit_is_what_went_in() -> None:
    """A row and a column of a product; in a head, only its own columns; nothing of later tokens' scores."""
    run, found = a_pass(random_model(), "eabca"), {stage.name: stage for stage in stages(2)}

    def lit(stage: str, result: str, row: int, column: int) -> dict:
        made = found[stage].explain(run, result, row, column).lit
        return {one["name"]: (*one["rows"], *one["columns"]) for one in made}

    at = "blocks.1.attention."
    assert lit(f"{at}query", f"{at}query", 3, 4) == {
        "blocks.1.norm_1": (3, 4, 0, 6), f"p.{at}w_q": (0, 6, 4, 5), f"{at}query": (3, 4, 4, 5)}  # fmt: skip
    assert lit(f"{at}scores", f"{at}scores.2", 4, 1) == {
        f"{at}query.2": (4, 5, 0, 2), f"{at}key.2": (0, 2, 1, 2), f"{at}scores.2": (4, 5, 1, 2)}  # fmt: skip
    assert lit(f"{at}mix", f"{at}mix.1", 2, 0) == {
        f"{at}weights.1": (2, 3, 0, 5), f"{at}value.1": (0, 5, 0, 1), f"{at}mix.1": (2, 3, 0, 1)}  # fmt: skip
    assert lit("embed", "embed", 1, 3)["p.embed"] == (0, 1, 3, 4)  # the second token is "a", whose id is 0
    assert lit("position", "position", 1, 3)["p.position"] == (1, 2, 3, 4)
    assert lit("logits", "logits", 0, 5)["p.embed.T"] == (0, 6, 5, 6)


def test_the_numbers_are_torchs_and_the_answer_is_fed_back(flow: MatrixFlow) -> None:
    """Pass by pass, each stage against a trace of the model."""
    assert flow.answer == "56."
    assert [run.words for run in flow.passes] == [list("7*8="), list("7*8=5"), list("7*8=56")]
    for number, run in enumerate(flow.passes):
        trace = m26.collect_trace(flow.model, torch.tensor(run.tokens))
        for stage in flow.stages[:-1]:
            go_to(flow, stage.name, number)
            shown = {record["name"]: np.array(record["values"], dtype=float) for record in flow.picture.matrices}
            right = trace[stage.name].numpy()
            right = right if right.ndim == 3 or len(stage.results(run)) == 1 else np.split(right, 2, axis=1)
            parts = [right] if len(stage.results(run)) == 1 else list(right)
            for name, part in zip(stage.results(run), parts, strict=True):
                assert shown[name] == pytest.approx(part, rel=1e-5, abs=1e-7)
        odds = torch.softmax(trace["logits"], -1).numpy()
        go_to(flow, "probabilities", number)
        assert np.array(flow.table.values) == pytest.approx(odds, abs=1e-6)


def test_every_scene_shows_each_matrix_once_and_none_over_another(flow: MatrixFlow) -> None:
    """Close by, and in the whole model."""
    for whole in (False, True):
        flow.whole.value = whole
        for stage in flow.stages:
            go_to(flow, stage.name)
            places = [place for place in flow.picture.scene if not place["floor"]]
            boxes = [(p["name"], p["x"], p["y"], flow.run[p["name"]]) for p in places]
            assert len({name for name, *_ in boxes}) == len(boxes)
            assert set(stage.results(flow.run)) <= {name for name, *_ in boxes}
            for i, (_, x, y, m) in enumerate(boxes):
                for _, x2, y2, m2 in boxes[:i]:
                    apart = x + m.width <= x2 or x2 + m2.width <= x or y - m.height >= y2 or y2 - m2.height >= y
                    assert apart
    flow.whole.value = False


def test_pointing_writes_the_sum_and_lights_what_went_in(flow: MatrixFlow) -> None:
    """By the pointer in the picture, by the keyboard in the table; away from cells it says what the stage does."""
    at = "blocks.0.attention."
    go_to(flow, f"{at}scores")
    flow.picture.hover = [f"{at}scores.1", 3, 0]
    q, k = (np.split(flow.run.trace[f"{at}{name}"], 2, axis=1)[1] for name in ("query", "key"))
    assert f"{q[3] @ k[0] / math.sqrt(6):.4f}".replace("-", "\u2212") in written(flow.sum.lines)
    assert {one["name"] for one in flow.picture.lit} == {f"{at}query.1", f"{at}key.1", f"{at}scores.1"}
    assert flow.table.title.startswith("scores, head 1")
    flow.table.hover = [2, 1]
    assert flow.picture.hover == [f"{at}scores.1", 2, 1]
    flow.picture.hover = [f"{at}query.0", 0, 0]  # what goes in may be pointed at too
    assert "Q, head 0" in written(flow.sum.lines)
    flow.picture.hover = []
    assert flow.picture.lit == []
    assert written(flow.sum.lines).startswith("In each head")


def test_step_scrub_click_and_reset(flow: MatrixFlow) -> None:
    """All ways lead to the same step; a click in the whole model opens the stage."""
    flow.stepper.step = 30
    assert flow.scrub.value == 30
    flow.scrub.value = 4
    assert flow.stepper.step == 4
    flow.whole.value = True
    flow.picture.clicked = {"name": "blocks.0.attention.weights.1", "row": 0, "column": 0, "count": 1}
    assert not flow.whole.value
    assert flow.picture.current == "blocks.0.attention.weights.0"
    flow.picture.hover = ["blocks.0.attention.weights.0", 1, 0]
    flow.picture.clicked = {"name": "blocks.0.attention.weights.0", "row": 1, "column": 0, "count": 2}
    assert flow.picture.hover == ["blocks.0.attention.weights.0", 1, 0]  # what is close by stays
    before = flow.picture.resets
    flow._look_again()
    assert flow.picture.resets == before + 1


@pytest.mark.parametrize(
    ("prompt", "told"), [("7*a=", "does not know 'a'"), ("7*8=567", "1 to 6 characters"), ("", "this prompt has 0")]
)
def test_a_prompt_that_cannot_be_read_changes_only_the_message(flow: MatrixFlow, prompt: str, told: str) -> None:
    """What was shown stays, and the next good prompt works."""
    flow.prompt.value = "7*8="
    before = flow.passes
    flow.prompt.value = prompt
    assert told in flow._status.value.replace("&#x27;", "'")
    assert flow.passes is before
    flow.prompt.value = "9*6="
    assert flow.answer == "54."
    assert "does not" not in flow._status.value
    flow.prompt.value = "7"  # any text of the vocabulary
    assert len(flow.passes) >= 1
    flow.prompt.value = "7*8="


def test_a_students_functions_draw_and_wrong_ones_are_marked() -> None:
    """Right ones by name; without copies the scores show the mask; a wrong sum is set beside the right one."""
    right = matrix_flow(m26.collect_trace, m26.recompute_cell, m26.recompute_attention_cell)
    assert "cw-yours" in right._status._dom_classes
    assert not right.picture.greyed
    go_to(right, "blocks.0.attention.query")
    right.picture.hover = ["blocks.0.attention.query", 1, 2]
    assert "the same" in written(right.sum.lines)

    def references(model, tokens):
        trace = {}
        handles = [
            model.get_submodule(n).register_forward_hook(lambda m, i, o, n=n: trace.__setitem__(n, o))
            for n in model.stages
        ]
        model(tokens)
        for handle in handles:
            handle.remove()
        return trace

    def weights_changed(model, tokens):
        with torch.no_grad():
            model.embed.weight.zero_()
        model.logits.register_forward_hook(lambda *_: torch.zeros(4, 13))
        return m26.collect_trace(model, tokens)

    assert "cw-wrong" in matrix_flow(weights_changed)._status._dom_classes
    assert "cw-yours" in matrix_flow(m26.collect_trace)._status._dom_classes  # nothing of it is left

    wrong = matrix_flow(references, lambda *a: 1.0, lambda *a: 2.0)
    assert "cw-wrong" in wrong._status._dom_classes
    go_to(wrong, "blocks.0.attention.scores")
    assert np.array(wrong.table.wrong)[0].tolist() == [False, True, True, True]
    marked = {record["name"] for record in wrong.picture.matrices if np.any(record["wrong"])}
    assert marked == {f"blocks.0.attention.scores.{head}" for head in (0, 1)}
    assert "differs is <code>blocks.0.attention.scores</code>, first at [0, 0, 1] (yours" in wrong._status.value
    wrong.picture.hover = ["blocks.0.attention.scores.0", 2, 1]
    assert "by your function: 2.0000 (not the same)" in written(wrong.sum.lines)


@pytest.mark.parametrize("broken", [lambda *a: 1 / 0, lambda *a: {}, lambda *a: None])
def test_without_a_working_function_the_course_draws_and_says_so(broken) -> None:
    """Greyed, because the student's own is expected here."""
    card = matrix_flow(broken, broken, broken)
    assert "cw-course" in card._status._dom_classes
    assert card.picture.greyed
    go_to(card, "blocks.0.attention.query")
    card.picture.hover = ["blocks.0.attention.query", 0, 0]
    assert "no number" in written(card.sum.lines)
    assert not matrix_flow().picture.greyed  # where nobody's is expected, nothing is missing


def test_a_still_picture_and_a_sentence_for_pages_without_a_kernel(flow: MatrixFlow) -> None:
    """All stages as heat-maps."""
    assert len([axes for axes in flow.figure().axes if axes.images]) == 25
    assert "image/png" in flow._repr_mimebundle_()


def test_the_view_refuses_what_it_cannot_show() -> None:
    """With the trait's name and what to do."""
    matrices = [{"name": "a", "label": "A", "values": [[1.0, float("-inf")]]}]
    assert Matrices(matrices=matrices).matrices[0]["values"] == [[1.0, "-inf"]]
    for bad, told in (
        ({"matrices": [{"name": "a", "label": "A", "values": [1.0]}]}, "expected a matrix"),
        ({"matrices": matrices, "scene": [{"name": "b", "x": 0, "y": 0}]}, "the matrices are"),
        ({"matrices": matrices, "lit": [{"name": "a", "rows": [1, 1], "columns": [0, 1]}]}, "first and last"),
        ({"hover": ["a"]}, "hover"),
        ({"links": [{"path": [[0, 0, 0]]}]}, "two or more points"),
    ):
        with pytest.raises(tr.TraitError, match=told):
            Matrices(**bad)
