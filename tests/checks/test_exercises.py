"""Every exercise holds together, and its reference agrees with an outside authority."""

from __future__ import annotations

import functools
import string
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from autograder import exercise
from autograder.exercise import Definition, Question, find
from autograder.exercises import ch06_decoder
from autograder.grading import generator
from course import supplied
from course.checks import wire
from course.checks.judge import Verdict, judge
from course.checks.runner import run_script
from course.checks.sheet import Sheet, answer_digest, dump

LESSONS = exercise.lessons()
ALL = {i: d for lesson in LESSONS for i, d in exercise.definitions(lesson).items()}
EXERCISES = {i: d for i, d in ALL.items() if isinstance(d, Definition)}
QUESTIONS = {i: d for i, d in ALL.items() if isinstance(d, Question)}
MISCONCEPTIONS = [(i, name) for i, d in EXERCISES.items() for name in d.misconceptions]
SEEDS = range(1, 21)
NAMES = {"exp", "log", "softmax"}  # a sentence may begin with one of these


@functools.cache
def hidden(exercise_id: str, seed: int) -> Sheet:
    """The hidden sheet of a submission with this seed."""
    return ALL[exercise_id].sheet(generator(seed, exercise_id))


def verdict(sheet: Sheet, target: Any) -> Verdict:
    """The verdict on an object."""
    with np.errstate(all="ignore"):
        return judge(sheet, lambda script: run_script(script, {sheet.name: target}))


def inputs(sheet: Sheet) -> bytes:
    """What a sheet asks, as bytes."""
    return wire.encode([c.script for c in sheet.cases])


def is_sentence(text: str) -> bool:
    """Whether a text reads as one or more full sentences."""
    begins = text[:1].isupper() or text[:1] in "`0123456789" or text.split()[0] in NAMES
    return begins and text.rstrip("`)").endswith((".", "?", "!", "...")) and len(text.split()) >= 4


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_has_exercises_and_questions(lesson):
    definitions = exercise.definitions(lesson).values()
    assert sum(isinstance(d, Definition) for d in definitions) >= 2
    assert sum(isinstance(d, Question) for d in definitions) >= 1
    assert len({d.name for d in definitions}) == len(definitions)
    assert {d.id for d in definitions} == {f"{lesson.partition('_')[0]}.{d.name}" for d in definitions}


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_an_exercise_says_what_it_is(exercise_id):
    definition = EXERCISES[exercise_id]
    assert definition.summary.endswith(".")
    assert definition.source
    assert 1 <= definition.minutes <= 60
    assert definition.points == sum(definition.parts.values()) > 0
    assert min(definition.parts.values()) > 0
    assert definition.tolerance.why
    assert len(definition.misconceptions) >= 4
    assert all(used in EXERCISES for used in definition.uses)
    assert all(len(why.split()) >= 3 for why in definition.forbids.values())


@pytest.mark.parametrize(("exercise_id", "name"), MISCONCEPTIONS)
def test_hints_are_full_sentences_and_differ(exercise_id, name):
    hints = EXERCISES[exercise_id].hints
    assert is_sentence(hints[name])
    assert len(hints[name]) <= 200
    assert list(hints.values()).count(hints[name]) == 1


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_the_reference_passes_visible_and_hidden_sheets(exercise_id):
    definition = EXERCISES[exercise_id]
    for sheet in (definition.visible_sheet(), *(hidden(exercise_id, seed) for seed in SEEDS)):
        found = verdict(sheet, definition.reference)
        assert found.passed, found
        assert found.earned == definition.points
        assert not found.hint


@pytest.mark.parametrize(("exercise_id", "name"), MISCONCEPTIONS)
def test_every_misconception_is_rejected_with_its_own_hint(exercise_id, name):
    definition = EXERCISES[exercise_id]
    for sheet in (definition.visible_sheet(), *(hidden(exercise_id, seed) for seed in SEEDS[:5])):
        found = verdict(sheet, definition.misconceptions[name])
        assert not found.passed
        assert found.hint == definition.hints[name]


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_every_seed_draws_its_own_inputs_and_the_same_ones_again(exercise_id):
    definition = EXERCISES[exercise_id]
    drawn = [inputs(hidden(exercise_id, seed)) for seed in SEEDS]
    assert len(set(drawn)) > len(SEEDS) // 3
    assert inputs(definition.visible_sheet()) not in drawn[:3]
    again = definition.sheet(generator(1, exercise_id))
    assert dump("x", "x", [again]) == dump("x", "x", [hidden(exercise_id, 1)])
    assert dump("x", "x", [definition.visible_sheet()]) == dump("x", "x", [definition.visible_sheet()])


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_cases_are_labelled(exercise_id):
    labels = [c.label for c in EXERCISES[exercise_id].visible_sheet().cases]
    assert all(labels)
    assert len(labels) >= 2


@pytest.mark.parametrize("exercise_id", QUESTIONS)
def test_every_option_has_an_explanation(exercise_id):
    question = QUESTIONS[exercise_id]
    assert is_sentence(question.summary)
    assert [o.key for o in question.options] == list(string.ascii_lowercase[: len(question.options)])
    assert len(question.options) >= 3
    for option in question.options:
        assert option.text
        assert is_sentence(option.explanation)
        assert option.explanation.startswith("Right") == (option.key in question.answer)
    assert len({o.explanation for o in question.options}) == len(question.options)


@pytest.mark.parametrize("exercise_id", QUESTIONS)
def test_the_answer_passes_and_every_other_option_does_not(exercise_id):
    question = QUESTIONS[exercise_id]
    sheet = question.visible_sheet()
    right = question.answer if len(question.answer) > 1 else question.answer[0]
    assert verdict(sheet, right).earned == question.points
    assert sheet.answer_digest == answer_digest(exercise_id, right)
    for option in sheet.options:
        assert verdict(sheet, option.key).passed == ([option.key] == question.answer)


def single(value: Any) -> Any:
    """The same data in float32."""
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    if isinstance(value, dict):
        return {k: single(v) for k, v in value.items()}
    return tuple(map(single, value)) if isinstance(value, list | tuple) else value


def attention_in_float32(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: Any = True) -> tuple[np.ndarray, ...]:
    """A student's attention that computes in the inputs' dtype, and gives empty rows 0."""
    if q.shape[1] != k.shape[1] or len(k) != len(v):
        raise ValueError
    scores = np.where(mask, q @ k.T / np.sqrt(np.float32(k.shape[1])), np.float32(-np.inf))
    top = scores.max(axis=1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, np.float32(0)))
    weights = powers / np.maximum(powers.sum(axis=1, keepdims=True), np.float32(1e-30))
    return weights @ v, weights


IN_FLOAT32 = {
    "ch02.project_qkv": lambda x, *weights: [x @ w for w in weights],
    "ch02.scaled_dot_product_attention": attention_in_float32,
    "ch02.softmax_grad_norm": lambda s: np.linalg.norm(np.diag(p := supplied.softmax(s)) - np.outer(p, p)),
    "ch06.masked_attention": attention_in_float32,
    "ch06.cross_attention": lambda x, y, w_q, w_k, w_v: attention_in_float32(x @ w_q, y @ w_k, y @ w_v)[0],
    "ch06.decoder_block": find("ch06.decoder_block").reference,
}


@pytest.mark.parametrize("exercise_id", IN_FLOAT32)
def test_a_solution_in_float32_gets_every_point(exercise_id):
    def solution(*args: Any) -> Any:
        return single(IN_FLOAT32[exercise_id](*map(single, args)))

    for seed in SEEDS:
        assert verdict(hidden(exercise_id, seed), solution).passed


# What follows holds the references against outside authorities.


def tensor(array: Any) -> torch.Tensor:
    """A float64 tensor of an array."""
    return torch.from_numpy(np.asarray(array, np.float64))


def test_ch02_projections_are_linear_layers():
    rng = np.random.default_rng(0)
    for n, d, d_k, d_v in [(1, 1, 1, 1), (5, 7, 3, 4)]:
        x, *weights = (rng.standard_normal(s) for s in [(n, d), (d, d_k), (d, d_k), (d, d_v)])
        for got, w in zip(find("ch02.project_qkv").reference(x, *weights), weights, strict=True):
            np.testing.assert_allclose(got, F.linear(tensor(x), tensor(w).T), rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 100.0, 3000.0])
def test_ch02_attention_agrees_with_torch(scale):
    rng = np.random.default_rng(1)
    for n, m, d_k, d_v in [(1, 1, 1, 1), (2, 7, 5, 3), (6, 4, 16, 8)]:
        q, k, v = (rng.standard_normal(s) for s in [(n, d_k), (m, d_k), (m, d_v)])
        out, weights = find("ch02.scaled_dot_product_attention").reference(scale * q, k, v)
        expected = F.scaled_dot_product_attention(*map(tensor, (scale * q, k, v)))
        np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-12)
        scores = tensor(scale * q) @ tensor(k).T / d_k**0.5
        np.testing.assert_allclose(weights, torch.softmax(scores, -1), rtol=1e-9, atol=1e-14)


def test_ch02_softmax_gradient_agrees_with_autograd():
    rng = np.random.default_rng(2)
    for scores in (np.zeros(1), np.array([1000.0, 999.0, 0.0]), *(rng.standard_normal(n) for n in (2, 5, 20))):
        jacobian = torch.autograd.functional.jacobian(lambda s: torch.softmax(s, -1), tensor(scores))
        got = find("ch02.softmax_grad_norm").reference(scores)
        np.testing.assert_allclose(got, torch.linalg.matrix_norm(jacobian), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 17])
def test_ch06_causal_mask_agrees_with_torch(n):
    mask = find("ch06.causal_mask").reference(n)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, torch.tril(torch.ones(n, n, dtype=torch.bool)))
    np.testing.assert_array_equal(mask, torch.nn.Transformer.generate_square_subsequent_mask(n) == 0)


def test_ch06_masked_attention_agrees_with_torch():
    rng = np.random.default_rng(3)
    reference = find("ch06.masked_attention").reference
    for n, m, d_k, d_v in [(1, 1, 2, 2), (5, 5, 4, 3), (4, 9, 8, 2), (9, 4, 3, 5)]:
        q, k, v = (rng.standard_normal(s) for s in [(n, d_k), (m, d_k), (m, d_v)])
        mask = rng.random((n, m)) < 0.5
        mask[:, 0] = True
        out, weights = reference(q, k, v, mask)
        expected = F.scaled_dot_product_attention(*map(tensor, (q, k, v)), attn_mask=torch.from_numpy(mask))
        np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(weights.sum(1), 1)
        assert not weights[~mask].any()
        causal = F.scaled_dot_product_attention(*map(tensor, (q, k, v)), is_causal=True)
        np.testing.assert_allclose(reference(q, k, v, np.tri(n, m, dtype=bool))[0], causal, rtol=1e-10, atol=1e-12)


def test_ch06_a_row_with_nothing_to_see_is_zero_as_in_torch():
    rng = np.random.default_rng(4)
    q, k, v = (rng.standard_normal((3, 2)) for _ in range(3))
    mask = np.tri(3, dtype=bool)
    mask[1] = False
    out, weights = find("ch06.masked_attention").reference(q, k, v, mask)
    expected = F.scaled_dot_product_attention(*map(tensor, (q, k, v)), attn_mask=torch.from_numpy(mask))
    np.testing.assert_allclose(out, expected, rtol=1e-10)
    assert not weights[1].any()


def torch_attention(weights: dict[str, np.ndarray]) -> torch.nn.MultiheadAttention:
    """torch's attention with one head, no bias, and these weights; they must all be square."""
    d = len(weights["w_q"])
    layer = torch.nn.MultiheadAttention(d, 1, bias=False, batch_first=True, dtype=torch.float64)
    copy_attention(layer, weights)
    return layer


def copy_attention(layer: torch.nn.MultiheadAttention, weights: dict[str, np.ndarray]) -> None:
    """Copy our weights, which act from the right, into torch's, which act from the left."""
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.cat([tensor(weights[w]).T for w in ("w_q", "w_k", "w_v")]))
        layer.out_proj.weight.copy_(tensor(weights["w_o"]).T)
        for bias in (layer.in_proj_bias, layer.out_proj.bias):
            if bias is not None:
                bias.zero_()


def test_ch06_cross_attention_agrees_with_torch():
    rng = np.random.default_rng(5)
    reference = find("ch06.cross_attention").reference
    for n, m, d, d_k, d_v in [(1, 1, 2, 3, 4), (5, 3, 4, 4, 4), (2, 7, 6, 2, 5)]:
        shapes = [(n, d), (m, d), (d, d_k), (d, d_k), (d, d_v)]
        x, memory, w_q, w_k, w_v = arguments = [rng.standard_normal(s) for s in shapes]
        projected = (tensor(x @ w_q), tensor(memory @ w_k), tensor(memory @ w_v))
        expected = F.scaled_dot_product_attention(*projected)
        np.testing.assert_allclose(reference(*arguments), expected, rtol=1e-10, atol=1e-12)
        if d == d_k == d_v:
            layer = torch_attention({"w_q": w_q, "w_k": w_k, "w_v": w_v, "w_o": np.eye(d)})
            theirs = layer(tensor(x)[None], tensor(memory)[None], tensor(memory)[None])[0][0]
            np.testing.assert_allclose(reference(*arguments), theirs.detach(), rtol=1e-10, atol=1e-12)


def torch_decoder_layer(p: dict[str, Any], d: int, d_ff: int) -> torch.nn.TransformerDecoderLayer:
    """torch's pre-norm decoder layer with one head and these weights."""
    gelu = functools.partial(F.gelu, approximate="tanh")
    layer = torch.nn.TransformerDecoderLayer(
        d, 1, d_ff, dropout=0.0, activation=gelu, batch_first=True, norm_first=True, dtype=torch.float64
    )
    copy_attention(layer.self_attn, p["self"])
    copy_attention(layer.multihead_attn, p["cross"])
    f = p["ffn"]
    pairs = [(layer.linear1.weight, f["w_1"].T), (layer.linear1.bias, f["b_1"])]
    pairs += [(layer.linear2.weight, f["w_2"].T), (layer.linear2.bias, f["b_2"])]
    for number in (1, 2, 3):
        norm, ours = getattr(layer, f"norm{number}"), p[f"norm_{number}"]
        pairs += [(norm.weight, ours["gain"]), (norm.bias, ours["bias"])]
    with torch.no_grad():
        for theirs, ours in pairs:
            theirs.copy_(tensor(ours))
    return layer


@pytest.mark.parametrize(("n", "m", "d", "d_ff"), [(1, 1, 4, 4), (5, 3, 6, 9), (3, 8, 8, 16)])
def test_ch06_decoder_block_agrees_with_torch(n, m, d, d_ff):
    rng = np.random.default_rng(n)
    x, memory = rng.standard_normal((n, d)), rng.standard_normal((m, d))
    p = ch06_decoder._parameters(rng, d, d, d_ff)
    layer = torch_decoder_layer(p, d, d_ff)
    future = ~torch.tril(torch.ones(n, n, dtype=torch.bool))
    theirs = layer(tensor(x)[None], tensor(memory)[None], tgt_mask=future)[0].detach()
    np.testing.assert_allclose(find("ch06.decoder_block").reference(x, memory, p), theirs, rtol=1e-9, atol=1e-11)


def test_what_the_course_supplies_agrees_with_torch():
    rng = np.random.default_rng(6)
    x, gain, bias = rng.standard_normal((3, 8)) * 5, rng.standard_normal(8), rng.standard_normal(8)
    np.testing.assert_allclose(supplied.softmax(x), torch.softmax(tensor(x), -1), rtol=1e-12)
    np.testing.assert_allclose(supplied.softmax(x, axis=0), torch.softmax(tensor(x), 0), rtol=1e-12)
    np.testing.assert_allclose(supplied.gelu(x), F.gelu(tensor(x), approximate="tanh"), rtol=1e-12, atol=1e-15)
    expected = F.layer_norm(tensor(x), (8,), tensor(gain), tensor(bias))
    np.testing.assert_allclose(supplied.layer_norm(x, gain, bias), expected, rtol=1e-10, atol=1e-12)
    mask = np.tri(3, 5, dtype=bool)
    q, k, v = (rng.standard_normal((n, 4)) for n in (3, 5, 5))
    expected = F.scaled_dot_product_attention(*map(tensor, (q, k, v)), attn_mask=torch.from_numpy(mask))
    np.testing.assert_allclose(supplied.attention(q, k, v, mask)[0], expected, rtol=1e-12)
    np.testing.assert_allclose(supplied.attention(q, k, v)[1].sum(1), 1)
