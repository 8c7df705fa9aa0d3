"""`make bench-kernels`: its formulas against the simulator's counts, its tables, and the whole of it without a GPU."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kernels.cross_entropy import cross_entropy
from kernels.flash_attention import attend
from kernels.flash_attention_backward import attend_backward
from kernels.int8_matmul import int8_matmul, quantize_int8
from kernels.layer_norm import layer_norm
from kernels.matmul import matmul
from kernels.nf4_matmul import nf4_matmul, quantize_nf4
from kernels.online_softmax import online_softmax
from kernels.paged_decode import paged_decode
from kernels.rms_norm import rms_norm
from kernels.simulator import Trace, record
from kernels.softmax import softmax
from kernels.tuned import LADDER
from kernels.vector_add import add
from tests.kernels.support import numbers
from tools.kernel_bench import cost, report
from tools.kernel_bench.case import BACKENDS, Case, Way
from tools.kernel_bench.measure import Ceilings, Row, ceilings, measure

ROOT = Path(__file__).resolve().parents[2]
HALF, B = torch.bfloat16, 2


def traces_of(function, *args, **named) -> list[Trace]:
    """What the launches of a call, and of its backward pass if there is one, moved and computed."""
    with record() as traces:
        result = function(*args, **named)
        if isinstance(result, torch.Tensor) and result.requires_grad:
            result.backward(torch.ones_like(result))
    return traces


def half(*shape: int, seed: int = 0) -> torch.Tensor:
    """Numbers in bfloat16."""
    return numbers(*shape, dtype=HALF, seed=seed)


def test_bytes_of_kernels_that_go_through_memory_once():
    (trace,) = traces_of(add, half(3000), half(3000))
    assert trace.compulsory_bytes == cost.add(3000, B).moved
    (trace,) = traces_of(softmax, half(5, 70))
    assert trace.compulsory_bytes == cost.rows_through(5, 70, B).moved
    (trace,) = traces_of(online_softmax, half(5, 70), block=16)
    assert trace.bytes == cost.rows_through(5, 70, B, ways=3).moved


@pytest.mark.parametrize(("norm", "parameters"), [(rms_norm, 1), (layer_norm, 2)])
def test_bytes_of_norms(norm, parameters):
    rows, n = 6, 40
    weights = [half(n, seed=seed) for seed in range(parameters)]
    forward, backward = traces_of(norm, half(rows, n).requires_grad_(), *weights)
    kept, own = 4 * rows * parameters, n * B
    assert forward.compulsory_bytes == cost.rows_through(rows, n, B, 2, kept + parameters * own).moved
    partial = sum(tensor.distinct_written for name, tensor in backward.tensors.items() if name.endswith("parts"))
    assert partial
    assert backward.compulsory_bytes - partial == cost.rows_through(rows, n, B, 3, kept + own).moved


def test_operations_and_bytes_of_products():
    m, n, k = 32, 64, 128
    (trace,) = traces_of(matmul, half(m, k), half(k, n), tiles=(16, 32, 32))
    assert (trace.dot_flops, trace.compulsory_bytes) == cost.matmul(m, n, k, B)
    (trace,) = traces_of(int8_matmul, half(m, k), *quantize_int8(numbers(n, k)), tiles=(16, 32, 32))
    assert (trace.dot_flops, trace.compulsory_bytes) == cost.matmul(m, n, k, B, n * k + 4 * n)
    (trace,) = traces_of(nf4_matmul, half(m, k), *quantize_nf4(numbers(n, k)), tiles=(16, 32))
    assert (trace.dot_flops, trace.compulsory_bytes) == cost.matmul(m, n, k, B, n * k // 2 + 4 * n * k // 64 + 64)


def test_operations_and_bytes_of_attention():
    n, d, tiles = 64, 16, (16, 16)
    qkv = [half(1, 2, n, d, seed=seed) for seed in range(3)]
    options = {"window": None, "scale": None, "tiles": tiles}
    (full,) = traces_of(attend, *qkv, causal=False, **options)
    assert (full.dot_flops, full.compulsory_bytes) == cost.attention(2, n, d, B, causal=False)
    (causal,) = traces_of(attend, *qkv, causal=True, **options)
    assert causal.dot_flops == cost.attention(2, n, d, B, causal=True).dots * (1 + 16 / n)  # half of each diagonal tile
    out, lse = attend(*qkv, causal=False, **options)
    keys, queries = traces_of(attend_backward, *qkv, out, lse, out, causal=False, **options)
    needs = cost.attention_backward(2, n, d, B, causal=False)
    assert keys.dot_flops + queries.dot_flops == needs.dots * 14 // 10  # two dots are done twice
    once = [keys.tensors[name].distinct_read for name in ("q", "k", "v", "dout", "lse")]
    once += [keys.tensors[name].distinct_written for name in ("dk", "dv")] + [queries.tensors["dq"].distinct_written]
    assert sum(once) + out.numel() * B == needs.moved


def test_bytes_of_cross_entropy():
    rows, classes = 3, 70
    target = torch.arange(rows)
    forward, backward = traces_of(cross_entropy, half(rows, classes).requires_grad_(), target, block=32)
    assert forward.compulsory_bytes == cost.cross_entropy(rows, classes, B).moved
    assert backward.compulsory_bytes == cost.cross_entropy_backward(rows, classes, B).moved


def test_operations_and_bytes_of_decoding():
    sequences, keys, heads, d, slots = 2, 32, 16, 16, 16
    pages = [half(sequences * 2, slots, 1, d, seed=seed) for seed in (1, 2)]
    table, lengths = torch.arange(4, dtype=torch.int32).view(2, 2), torch.full((2,), keys, dtype=torch.int32)
    part, merge = traces_of(paged_decode, half(sequences, heads, d), *pages, table, lengths, splits=2, tile=16)
    needs = cost.decode(sequences, keys, heads, 1, d, B)
    assert part.dot_flops == needs.dots
    assert sum(part.tensors[name].distinct_read for name in "qkv") + merge.tensors["out"].written == needs.moved


def test_ways_are_held_against_float64_before_they_are_timed():
    x = numbers(8)
    ways = [
        Way("ours", lambda: 2 * x), Way("wrong", lambda: 2.1 * x), Way("broken", lambda: x + numbers(3)),
        Way("torch one", lambda: x + x), Way("torch two", lambda: x * 2), Way("not finite", lambda: x / 0),
    ]  # fmt: skip
    case = Case("double", "forward", {"numbers": 8}, cost.Cost(10**9, 10**6), ways, lambda: [2 * x.double()])
    times = iter([2.0, 4.0, 3.0])
    rows = measure(case, lambda run: next(times), Ceilings(tflops=1.0, gbs=1.0))
    assert [row.right for row in rows] == [True, False, None, True, True, False]
    assert [row.ratio for row in rows] == [1.5, None, None, 0.75, 1.0, None]
    assert [row.failed for row in rows] == [False, True, True, False, False, True]
    assert rows[2].note.startswith("RuntimeError: The size of tensor")
    ours = rows[0]
    assert (ours.ms, ours.tflops, ours.gbs, ours.of_matmul, ours.of_copy) == pytest.approx((2, 0.5, 0.5, 0.5, 0.5))
    untimed = measure(case, None, None)
    assert untimed[0].right is True
    assert all(row.ms is row.ratio is row.tflops is None for row in untimed)


def test_ways_that_are_left_out_and_ceilings():
    case = Case("k", "forward", {}, cost.Cost(0, 1), [Way("a", int), Way("b", int)], list)
    assert [way.name for way in case.without(["a"]).ways] == ["b"]
    top = ceilings(lambda run: (run(), 0.5)[1], "cpu", size=64, copied=1000)
    assert top == pytest.approx((2 * 64**3 / 0.5 / 1e9, 2000 / 0.5 / 1e6))


def made_up(what: str, n: int, d: int, way: str, ms: float, ratio: float) -> Row:
    """A row that nobody measured."""
    size = {"batch": 1, "heads": 2, "n": n, "d": d, "causal": False}
    return Row("flash_attention", what, size, way, 1e-3, True, ms, 1 / ms, 1.0, None, None, ratio)


def test_reports_of_rows(tmp_path):
    rows = [
        made_up("forward", n, 64, rung.name, 8 - i, 1 + i / 10) for n in (512, 4096) for i, rung in enumerate(LADDER)
    ]
    rows.append(made_up("forward", 4096, 64, "torch cuDNN", 1, 1))
    ladder = report.ladder(rows)
    assert len(ladder) == 2 + 2 * len(LADDER)
    assert ladder[3].endswith("| 0 | 0 | 1.14 |")
    targets = report.targets(rows)
    assert "| forward | 64 | 0 | 1.10 | 1.60 | yes |" in targets
    assert "| backward | 128 | 1 | 0.80 | - | - |" in targets
    assert report.table(rows)[2].startswith(
        "| flash_attention | forward | batch=1 heads=2 n=512 d=64 causal=0 | teaching"
    )
    report.plot(tmp_path / "plot.png", rows, "made up")
    assert (tmp_path / "plot.png").stat().st_size > 10_000
    report.write_csv(tmp_path / "rows.csv", rows, "made up")
    first = next(csv.DictReader((tmp_path / "rows.csv").open()))
    assert (first["way"], first["n"], first["ms"], first["measured on"]) == ("teaching", "512", "8", "made up")


@pytest.mark.slow
def test_all_of_it_without_a_gpu(tmp_path):
    command = [sys.executable, "tools/bench_kernels.py", "--dry-run", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    rows = list(csv.DictReader((tmp_path / "kernels.csv").open(encoding="utf-8")))
    attention = [row for row in rows if row["kernel"] == "flash_attention"]
    assert {row["way"] for row in attention} == {rung.name for rung in LADDER} | {"tuned"} | BACKENDS.keys()
    assert len(attention) == 4 * (len(LADDER) + 2 + 2 * len(BACKENDS))
    assert len({row["kernel"] for row in rows}) == 11
    ours = [row for row in rows if not row["way"].startswith("torch")]
    assert all(row["right"] == "True" for row in ours if row["way"] != "ping-pong")
    assert {row["note"] for row in ours if row["way"] == "ping-pong"} == {"cannot be simulated"}
    assert not any(row[name] for row in rows for name in ("ms", "tflops", "gbs", "of_matmul", "of_copy", "ratio"))
    assert "nothing was timed" in done.stdout
    assert "yes" not in done.stdout.partition("### Targets")[2]
