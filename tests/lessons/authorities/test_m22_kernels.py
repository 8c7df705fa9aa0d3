"""m22 against torch, and the thirteen mistakes that a grader of attention kernels must see, through the sandbox."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention.bias import causal_lower_right

from autograder.engine import Engine
from autograder.exercise import find
from autograder.grading import grade
from autograder.limits import Limits
from course.supplied import m22
from kernels.simulator import record
from tests.grading.classroom import solved, solved_imports

LESSON = "m22_flash_attention"


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_references_agree_with_torch() -> None:
    q, k, v = normal(4, 9, 16), normal(2, 14, 16), normal(2, 14, 16)
    kv = [x.repeat_interleave(2, 0) for x in (k, v)]
    out, lse = find("m22.causal_kernel").reference(q, k, v, (16, 16))
    torch.testing.assert_close(out, F.scaled_dot_product_attention(q, *kv, attn_mask=causal_lower_right(9, 14)))
    scores = (q @ kv[0].mT / 4).masked_fill(~torch.ones(9, 14).tril(5).bool(), -torch.inf)
    torch.testing.assert_close(lse, scores.logsumexp(-1))
    plain = find("m22.attention_kernel").reference(q[0], k[0], v[0], (16, 16))
    torch.testing.assert_close(plain, F.scaled_dot_product_attention(q[0], k[0], v[0]))
    torch.testing.assert_close(find("m22.softmax_kernel").reference(scores[0]), scores[0].softmax(-1))
    top, total, mixed = find("m22.online_update").reference(scores[0], v[0], 16)
    torch.testing.assert_close(mixed / total[:, None], plain_causal(q[0], k[0], v[0]))
    torch.testing.assert_close(top + total.log(), lse[0])


def plain_causal(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(q, k, v, attn_mask=causal_lower_right(len(q), len(k)))


def test_queries_that_see_nothing_give_zero() -> None:
    out, lse = find("m22.causal_kernel").reference(normal(1, 5, 16), normal(1, 2, 16), normal(1, 2, 16), (16, 16))
    assert out[0, :3].abs().sum() == 0
    assert lse[0, :3].tolist() == [-torch.inf] * 3


def test_three_kernels_are_attention_and_move_the_matrices() -> None:
    q, k, v = normal(64, 32), normal(96, 32), normal(96, 32)
    with record() as traces:
        out = m22.naive_three_kernels(m22.softmax_kernel, q, k, v)
    torch.testing.assert_close(out, F.scaled_dot_product_attention(q, k, v))
    matrix = 64 * 96 * 4
    moved = [trace.bytes_written for trace in traces] + [traces[1].bytes_read, traces[2].tensors["a"].read]
    assert moved == [matrix, matrix, q.nbytes, matrix, matrix]


def test_the_ladder_is_read_from_a_record_and_says_so_if_there_is_none(tmp_path) -> None:
    assert "make bench-kernels" in m22.ladder(tmp_path / "none.csv")
    head = "kernel,pass,way,n,d,causal,ms,tflops,ratio,measured on\n"
    record = tmp_path / "kernels.csv"
    record.write_text(head + "flash_attention,forward,teaching,4096,64,True,,,,a card\n")
    assert "make bench-kernels" in m22.ladder(record)
    record.write_text(head + "flash_attention,forward,teaching,4096,64,True,2.0,123.4,0.5,a card\n")
    lines = m22.ladder(record).splitlines()
    assert lines[0] == "a card"
    assert lines[2].split() == ["teaching", "4096", "64", "yes", "123", "0.50"]


SHIFT = 'shift = tl.where(higher == -float("inf"), 0.0, higher)  # nothing seen yet: -inf - -inf would be NaN'
MUTANTS = {  # name -> exercise, what is replaced in the right answer, the misconception that must be named
    "no acc rescale": ("online_update", "mixed * fade[:, None]", "mixed", "sums_not_faded"),
    "no l rescale": ("online_update", "total * fade", "total", "total_not_faded"),
    "no log2e": ("online_update", "tl.exp(", "tl.exp2(", "exp2_without_log2_e"),
    "tail not masked": ("attention_kernel", "tl.where((key < m)[None, :], scores, -float(\"inf\"))", "scores",
                        "tail_counted"),
    "load without mask": ("attention_kernel", "k + there, mask=exists, other=0.0", "k + there", "load_without_mask"),
    "causal top left": ("causal_kernel", " + m - n", "", "top_left"),
    "causal off by one": ("causal_kernel", "key[None, :] <= row", "key[None, :] < row", "off_by_one"),
    "gqa modulo": ("causal_kernel", "head // share", "head % (tl.num_programs(1) // share)", "heads_by_modulo"),
    "empty row nan": ("online_update", SHIFT, "shift = higher", "nan_before_the_first"),
    "bf16 accumulator": ("online_update", "total * fade + tl.sum(powers, 1), mixed",
                         "total * fade + tl.sum(powers, 1), mixed.to(tl.bfloat16).to(tl.float32)", "sums_in_bfloat16"),
    "no causal skip": ("causal_kernel", "tl.minimum(m, first + BM + m - n)", "m", "nothing_skipped"),
    "reload k": ("causal_kernel", "scores = tl.dot(q_tile, tl.trans(k_tile)) * scale",
                 "scores = tl.dot(q_tile, tl.trans(tl.load(k + there, mask=exists, other=0.0))) * scale",
                 "keys_loaded_twice"),
    "race on lse": ("causal_kernel", "lse + head * n + row", "lse + row", "race_on_lse"),
}  # fmt: skip


@pytest.mark.slow
def test_thirteen_mistakes_are_named_in_hidden_grading() -> None:
    answers, limits, missed = solved(LESSON), Limits(), {}
    with Engine() as engine, engine.student(limits) as student:
        for name, (exercise, old, new, misconception) in MUTANTS.items():
            right = answers[f"m22.{exercise}"]
            assert old in right, name
            changed = {**answers, f"m22.{exercise}": right.replace(old, new)}
            cells = [solved_imports(LESSON), *changed.values()]
            definition = find(f"m22.{exercise}")
            found = grade(definition, student, 5, cells, set())
            if found.passed or found.hint != definition.hints[misconception]:
                missed[name] = found
        cells = [solved_imports(LESSON), *answers.values()]
        for exercise in {exercise for exercise, *_ in MUTANTS.values()}:
            assert grade(find(f"m22.{exercise}"), student, 5, cells, set()).passed, exercise
        broken = {**answers, "m22.online_update": "@triton.jit\ndef online_update(a, b, c, d, e):\n    return a, b, c"}
        cells = [solved_imports(LESSON), *broken.values()]
        helped = grade(find("m22.causal_kernel"), student, 5, cells, {"m22.online_update"})
    assert not missed
    assert helped.passed
    assert helped.notes == ["Judged with a working online_update: the mistake there is counted there."]
