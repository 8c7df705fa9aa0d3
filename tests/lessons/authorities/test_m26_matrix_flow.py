"""m26 against torch's own functions and modules, and what the lesson says of the shipped model."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.exercise import find
from autograder.grading import grade
from course import trained
from course.supplied import ch07, m26
from tests.grading.test_stand_ins import InProcess
from tests.lessons.tools import namespace_of

SIZES = [(1, 2, 3, 4), (2, 3, 2, 5), (1, 1, 4, 1)]  # layers, heads, d_head, n
MIX = "blocks.0.attention.mix"


def reference(name: str) -> Any:
    return find(f"m26.{name}").reference


def decoder(layers: int, heads: int, d_head: int, n: int) -> tuple[m26.StagedDecoder, dict[str, Any], Tensor]:
    """A random model in float64 with gains and biases of every kind, its parameters, and tokens."""
    generator = torch.Generator().manual_seed(n)
    p = ch07.init_decoder(11, heads * d_head, heads, layers, 10, n + 2, seed=n)
    flat = {name: t + 0.4 * torch.randn(t.shape, generator=generator) for name, t in ch07.flatten(p).items()}
    p = ch07.unflatten({name: t.double() for name, t in flat.items()})
    return m26.StagedDecoder(p, heads), p, torch.randint(11, (n,), generator=generator)


def by_torch(p: dict[str, Any], heads: int, tokens: Tensor) -> dict[str, Tensor]:
    """Stages as torch's functions give them."""
    x = p["embed"][tokens] + p["position"][: len(tokens)]
    seen = {"stream_0": x}
    for number, block in enumerate(p["blocks"]):
        a, f, at = block["attention"], block["ffn"], f"blocks.{number}."
        z = seen[at + "norm_1"] = F.layer_norm(x, x.shape[1:], block["norm_1"]["gain"], block["norm_1"]["bias"])
        q, k, v = (seen.setdefault(f"{at}attention.{name}", F.linear(z, a[w].T)) for name, w in
                   (("query", "w_q"), ("key", "w_k"), ("value", "w_v")))  # fmt: skip
        cut = [one.unflatten(1, (heads, -1)).transpose(0, 1) for one in (q, k, v)]
        mix = F.scaled_dot_product_attention(*cut, is_causal=True).transpose(0, 1).flatten(1)
        seen[at + "attention.mix"] = mix
        x = seen[at + "stream_1"] = x + F.linear(mix, a["w_o"].T)
        z = seen[at + "norm_2"] = F.layer_norm(x, x.shape[1:], block["norm_2"]["gain"], block["norm_2"]["bias"])
        hidden = seen[at + "ffn.hidden"] = F.linear(z, f["w_1"].T, f["b_1"])
        active = seen[at + "ffn.active"] = F.gelu(hidden, approximate="tanh")
        x = seen[at + "stream_2"] = x + F.linear(active, f["w_2"].T, f["b_2"])
    seen["norm"] = F.layer_norm(x, x.shape[1:], p["norm"]["gain"], p["norm"]["bias"])
    return seen | {"logits": F.linear(seen["norm"], p["embed"])}


@pytest.mark.parametrize("size", SIZES)
def test_m26_the_reference_trace_is_what_torch_computes(size):
    model, p, tokens = decoder(*size)
    trace = reference("collect_trace")(model, tokens)
    for name, expected in by_torch(p, size[1], tokens).items():
        torch.testing.assert_close(trace[name], expected, msg=name)
    assert set(trace) == set(model.stages)


@pytest.mark.parametrize("size", SIZES)
def test_m26_weights_are_those_of_multihead_attention(size):
    _, heads, d_head, n = size
    model, p, tokens = decoder(*size)
    trace = reference("collect_trace")(model, tokens)
    layer = torch.nn.MultiheadAttention(heads * d_head, heads, bias=False, dtype=torch.float64)
    a = p["blocks"][0]["attention"]
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.cat([a[name].T for name in ("w_q", "w_k", "w_v")]))
        layer.out_proj.weight.copy_(a["w_o"].T)
        z, later = trace["blocks.0.norm_1"], torch.ones(n, n, dtype=torch.bool).triu(1)
        output, weights = layer(z, z, z, attn_mask=later, average_attn_weights=False)
    torch.testing.assert_close(trace["blocks.0.attention.weights"], weights)
    torch.testing.assert_close(trace["blocks.0.attention.output"], output)


@pytest.mark.parametrize("size", SIZES)
def test_m26_the_staged_model_is_the_decoder_of_ch07(size):
    model, p, tokens = decoder(*size)
    torch.testing.assert_close(model(tokens).detach(), ch07.decoder_logits(tokens[None], p, size[1])[0])
    trace, expected = m26.collect_trace(model, tokens), reference("collect_trace")(model, tokens)
    assert set(trace) == set(model.stages)
    assert model.hooks == 0
    for name in model.stages:
        torch.testing.assert_close(trace[name], expected[name], msg=name)
        assert not trace[name].requires_grad


@pytest.mark.parametrize("size", SIZES)
def test_m26_shapes_are_those_of_a_pass(size):
    _, heads, d_head, n = size
    model, _, tokens = decoder(1, heads, d_head, n)
    found = {name: tuple(value.shape) for name, value in m26.collect_trace(model, tokens).items()}
    for shapes in (m26.stage_shapes, reference("stage_shapes")):
        assert shapes(n, heads * d_head, heads, 10, 11) == found


@pytest.mark.parametrize("size", [SIZES[0], (1, 3, 2, 5)])
def test_m26_recomputed_cells_are_those_of_torch(size):
    model, p, tokens = decoder(*size)
    seen = by_torch(p, size[1], tokens) | m26.collect_trace(model, tokens)
    for stage, cell in itertools.product(
        ("stream_0", "blocks.0.norm_1", "blocks.0.attention.query", "blocks.0.ffn.hidden"),
        (reference("recompute_cell"), m26.recompute_cell),
    ):
        for row, column in np.ndindex(*seen[stage].shape):
            assert cell(stage, row, column, seen, p) == pytest.approx(float(seen[stage][row, column]))
    for cell in (reference("recompute_attention_cell"), m26.recompute_attention_cell):
        for stage in ("scores", "weights"):
            table = seen["blocks.0.attention." + stage]
            for place in np.ndindex(*table.shape):
                assert cell(stage, *place, seen) == pytest.approx(float(table[place]), abs=1e-12)
        for head, row, column in np.ndindex(size[1], size[3], size[2]):
            right = float(seen[MIX][row, head * size[2] + column])
            assert cell("mix", head, row, column, seen) == pytest.approx(right)


def test_m26_a_patch_is_what_changed_parameters_do():
    """A patched embedding is another table of embeddings; a patched ffn.output is another stream before the norm."""
    model, p, tokens = decoder(1, 2, 3, 4)
    value = torch.randn(4, 6, dtype=torch.float64)
    table = p["embed"].clone()
    rows = torch.arange(4)
    with torch.no_grad():
        expected = torch.func.functional_call(
            m26.StagedDecoder(p | {"embed": torch.cat([table, value])}, 2), {}, (11 + rows,)
        )[:, :11]
    for run in (reference("run_patched"), m26.run_patched):
        torch.testing.assert_close(run(model, tokens, "embed", value), expected)
        stream = reference("collect_trace")(model, tokens)["blocks.0.stream_1"]
        norm = F.layer_norm(stream + value, (6,), p["norm"]["gain"], p["norm"]["bias"])
        torch.testing.assert_close(run(model, tokens, "blocks.0.ffn.output", value), F.linear(norm, p["embed"]))
        with pytest.raises(KeyError):
            run(model, tokens, "blocks.0.ffn", value)
    assert model.hooks == 0


def test_m26_a_head_that_is_set_to_zero_is_one_without_values():
    """In the last row; so for a prompt of one token it is the model with those columns of w_v at 0."""
    model, p, _ = decoder(1, 3, 2, 3)
    tokens = torch.tensor([4])
    logits = model(tokens)[-1].detach()
    for effects in (reference("head_effects"), m26.head_effects):
        found = effects(model, tokens, 3)
        for head in range(3):
            silent = ch07.unflatten({name: t.clone() for name, t in ch07.flatten(p).items()})
            silent["blocks"][0]["attention"]["w_v"][:, 2 * head : 2 * head + 2] = 0
            after = ch07.decoder_logits(tokens[None], silent, 3)[0, -1]
            torch.testing.assert_close(found[head].double(), (logits - after)[logits.argmax()])
        assert effects(model, tokens, 3, source=tokens).abs().max() < 1e-9


def test_m26_a_patched_scores_stage_leaves_the_callers_tensor_alone():
    model, _, tokens = decoder(1, 2, 3, 4)
    value = torch.randn(2, 4, 4, dtype=torch.float64)
    before = value.clone()
    m26.run_patched(model, tokens, "blocks.0.attention.scores", value)
    assert value.equal(before)


# ---- the shipped model ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved() -> trained.Trained:
    return trained.read(trained.FOLDER / "m26_products.safetensors")


@pytest.fixture(scope="module")
def model(saved: trained.Trained) -> m26.StagedDecoder:
    return m26.StagedDecoder(saved.p, saved.heads)


def test_m26_the_shipped_model_has_all_products_right(saved, model):
    for a, b in itertools.product(range(10), repeat=2):
        text = f"{a}*{b}="
        for _ in range(3):
            text += saved.vocabulary[int(model(saved.encode(text)[0])[-1].argmax())]
        assert text == f"{a}*{b}={a * b:02d}."


def test_m26_the_lesson_names_the_models_stages(model):
    names = namespace_of("m26_matrix_flow", "")
    assert list(names["STAGES"]) == model.stages


def test_m26_what_the_lesson_says_of_the_heads(saved, model):
    """About each of its sentences that compare heads: fall at zero, fall from another prompt, weights, the record."""

    def ids(text: str) -> Tensor:
        return saved.encode(text)[0]

    pairs = list(itertools.product(range(10), repeat=2))
    to_zero = torch.stack([m26.head_effects(model, ids(f"{a}*{b}="), 2) for a, b in pairs]).mean(0)
    assert to_zero[0] > to_zero[1] > 10
    triples = [(a, b, c) for (a, b), c in itertools.product(pairs, range(10)) if a * b // 10 != c * b // 10][::5]
    moved = [m26.head_effects(model, ids(f"{a}*{b}="), 2, ids(f"{c}*{b}=")) for a, b, c in triples]
    moved = torch.stack(moved).mean(0)
    assert moved[1] > 15 > 4 > moved[0]
    traces = {pair: m26.collect_trace(model, ids("{}*{}=".format(*pair))) for pair in pairs}
    weights = torch.stack([trace["blocks.0.attention.weights"][:, -1] for trace in traces.values()]).mean(0)
    assert weights[0, 1] > 0.8
    assert weights[1, 0] + weights[1, 2] > 0.75
    last = {pair: trace["blocks.0.stream_2"][-1] for pair, trace in traces.items()}
    swapped = max(float((last[a, b] - last[b, a]).norm()) for a, b in pairs)
    assert swapped < 0.05 * float((last[7, 8] - last[3, 8]).norm())
    record = json.loads((trained.FOLDER / "m26_products.json").read_text(encoding="utf-8"))
    kept = next(run for run in record["runs"] if run["seed"] == record["kept"])
    assert [round(share, 2) for share in kept["moved_by_head"]] == [0.02, 0.87]
    assert record["parameters"] == sum(t.numel() for t in ch07.flatten(saved.p).values()) == 1488


@pytest.mark.parametrize(("head", "digit"), [(0, "5"), (1, "2")])
def test_m26_the_question_about_a_patch_is_answered_rightly(saved, model, head, digit):
    clean, other = (m26.collect_trace(model, saved.encode(text)[0])[MIX] for text in ("7*8=", "3*8="))
    clean[-1, 6 * head : 6 * head + 6] = other[-1, 6 * head : 6 * head + 6]
    logits = m26.run_patched(model, saved.encode("7*8=")[0], MIX, clean)
    assert saved.vocabulary[int(logits[-1].argmax())] == digit


# ---- a mistake is paid for once, though these functions take a model -------------------------------------------------


def test_m26_head_effects_are_judged_with_working_instruments():
    names = {name: lambda *args: None for name in ("collect_trace", "run_patched")}

    def head_effects(model, tokens, heads, source=None):
        stage, collect = MIX, student.namespace["collect_trace"]
        trace = collect(model, tokens)
        other = torch.zeros_like(trace[stage]) if source is None else collect(model, source)[stage]
        width, chosen, found = trace[stage].shape[1] // heads, trace["logits"][-1].argmax(), []
        for head in range(heads):
            changed = trace[stage].clone()
            changed[-1, head * width : (head + 1) * width] = other[-1, head * width : (head + 1) * width]
            logits = student.namespace["run_patched"](model=model, tokens=tokens, stage=stage, value=changed)
            found.append(trace["logits"][-1, chosen] - logits[-1, chosen])
        return torch.stack(found)

    student = InProcess(head_effects=head_effects, **names)
    failed = {"m26.collect_trace", "m26.run_patched"}
    assert grade(find("m26.head_effects"), student, 1, [], set()).earned == 0
    verdict = grade(find("m26.head_effects"), student, 1, [], failed)
    assert verdict.passed
    assert "collect_trace, run_patched" in verdict.notes[-1]
