"""What a function or a kernel needed is measured, and judged against what its case allows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import triton
import triton.language as tl

from autograder.exercise import case, exercise
from course.checks import needs
from course.checks.compare import close
from course.checks.runner import answer, plain, run_script
from course.checks.script import measured, outside_mb, simulated
from kernels import _backend
from kernels.simulator import record

FLOAT = close(1e-6, 1e-6, why="sums")


@exercise(parts={"values": 1, "memory": 1}, minutes=1, source="arithmetic")
class row_sums:
    """Sums of the products of all pairs."""

    tolerance = FLOAT

    def cases(rng):
        x = rng.standard_normal(400)
        yield case(x)
        advice = "Go on in blocks of rows."
        yield case(script=[measured("row_sums", x, most_mb=0.2, advice=advice)], part="memory")

    def reference(x):
        return x * x.sum()

    class misconceptions:
        def whole_matrix(x):
            """Your matrix holds all pairs at once."""
            return np.outer(x, x).sum(1)

        def squares(x):
            """These are squares."""
            return x * x


def test_the_peak_of_numpy_arrays_is_exact():
    def three_arrays():
        left, right = np.ones(100_000), np.ones(100_000)
        both = left + right
        return both.sum()

    found = needs.with_memory(three_arrays)
    assert found.value == 200_000
    assert 2_400_000 <= found.needs["peak_bytes"] < 2_410_000


def test_of_torch_the_largest_tensor_counts():
    found = needs.with_memory(lambda: (torch.ones(500)[:, None] * torch.ones(500)).sum())
    assert found.needs["peak_bytes"] == 1_000_000


def test_a_right_function_that_needs_too_much_fails_its_part_with_figures_and_advice():
    assert row_sums.verdict_on(lambda x: x * x.sum()).passed
    wasteful = row_sums.verdict_on(row_sums.misconceptions["whole_matrix"])
    assert (wasteful.earned, wasteful.hint) == (1, "Your matrix holds all pairs at once.")
    said = wasteful.first.difference.public
    assert said.startswith("`row_sums` needed 1,")
    assert said.endswith("200,000 bytes would do. Go on in blocks of rows.")


def test_wrong_values_are_told_before_what_they_needed():
    wrong = row_sums.verdict_on(row_sums.misconceptions["squares"])
    assert (wrong.first.difference.kind, wrong.hint) == ("values", "These are squares.")


def test_what_was_not_measured_passes_no_limit():
    for said in (None, {}, {"peak_bytes": "few"}, {"peak_bytes": 1.0}, {"peak_bytes": True}, []):
        assert "could not be measured" in needs.too_much("f", {"peak_bytes": 10}, "", said)
    assert needs.too_much("f", {"peak_bytes": 10}, "", {"peak_bytes": 10}) == ""


def test_hidden_grading_looks_from_outside_where_memory_is_measured():
    assert outside_mb([measured("f", most_mb=30.0)]) == 192 + 30
    assert outside_mb([simulated("f", "m22.launch_rows")]) is None


@triton.jit
def doubled(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    inside = at < columns
    tl.store(out + row * out_row + at, 2 * tl.load(x + row * x_row + at, mask=inside), mask=inside)


@triton.jit
def doubled_beside(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
    """Mask the load."""
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    tl.store(out + row * out_row + at, 2 * tl.load(x + row * x_row + at), mask=at < columns)


def outcome(kernel):
    step = simulated("k", "m22.launch_rows", torch.ones(2, 5))
    return answer({"script": plain([step]), "oracle": {}}, {"k": kernel})["outcomes"][0]


def test_a_kernel_is_launched_by_the_course_and_counted():
    found = outcome(doubled)
    assert found["value"].array.tolist() == [[2.0] * 5] * 2
    assert found["needs"]["tensors"] == {"x": [40, 0], "out": [0, 40]}
    assert (found["needs"]["bytes"], found["changed"]) == (80, [])


def test_what_the_simulator_finds_is_the_outcome():
    found = outcome(doubled_beside)
    assert found["raised"] == "OutOfBounds"
    assert "reads 3 of 8 elements outside of x (2, 5)" in found["message"]


def test_a_plain_function_is_no_kernel():
    assert "write @triton.jit above its def" in outcome(lambda *args: None)["message"]


def test_without_triton_the_check_says_so(monkeypatch):
    def missing():
        raise _backend.TritonMissing(_backend.INSTALL)

    monkeypatch.setattr(_backend, "require_triton", missing)
    found = rows.verdict_on(doubled).first.difference
    assert (found.kind, found.public) == ("missing", _backend.INSTALL)


@exercise(parts={"values": 1, "traffic": 1}, minutes=1, source="arithmetic")
class rows:
    """Twice each row."""

    tolerance = FLOAT

    def cases(rng):
        x = torch.ones(2, 5)
        limits = {"bytes": 80, "tile_bytes": 100}
        yield case(script=[simulated("rows", "m22.launch_rows", x)])
        step = simulated("rows", "m22.launch_rows", x, limits=limits, advice={"tile_bytes": "Smaller tiles."})
        yield case(script=[step], part="traffic")

    def reference(x):
        return 2 * x

    class misconceptions:
        unmasked = doubled_beside


@triton.jit
def with_a_large_tile(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    none = tl.max(tl.zeros([BLOCK, BLOCK], tl.float32), 1)
    inside = at < columns
    tl.store(out + row * out_row + at, 2 * tl.load(x + row * x_row + at, mask=inside) + none, mask=inside)


@triton.jit
def one_by_one(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
    for at in range(columns):
        here = tl.program_id(0) * x_row + at
        again = tl.load(x + here) + tl.load(x + here)
        tl.store(out + tl.program_id(0) * out_row + at, again)


def test_bytes_and_tiles_have_limits_of_their_own():
    assert rows.verdict_on(doubled).passed
    said = [rows.verdict_on(kernel).first.difference.public for kernel in (one_by_one, with_a_large_tile)]
    assert said[0] == "`rows` moved 120 bytes to and from global memory; 80 bytes would do. (x 80, out 40.)"
    assert said[1].endswith("bytes at once in one program; there is room for 100 bytes. Smaller tiles.")


def test_a_finding_is_known_whatever_its_line():
    @triton.jit
    def elsewhere(a, b, columns, a_row, b_row, BLOCK: tl.constexpr):
        number = tl.program_id(0)
        at = tl.arange(0, BLOCK)
        got = tl.load(a + number * a_row + at)
        tl.store(b + number * b_row + at, got + got, mask=at < columns)

    # the name of the tensor is the student's own, so what is known is told by what was done to which of ours
    assert rows.verdict_on(elsewhere).hint == ""
    assert rows.verdict_on(doubled_beside).hint == rows.hints["unmasked"]


def test_recorders_around_a_check_still_record():
    with record() as traces:
        run_script(plain([simulated("k", "m22.launch_rows", torch.ones(1, 3))]), {"k": doubled})
    assert [trace.kernel for trace in traces] == ["doubled"]


@pytest.mark.parametrize("passes", [[10, 20], [30, 5]])
def test_two_runs_are_alike_if_they_pass_the_same_limits_by_the_same_tensors(passes):
    read, written = passes
    one = {"bytes": read + written, "tensors": {"x": [read, 0], "out": [0, written]}}
    same = {"bytes": read + written, "tensors": {"a": [read, 0], "b": [0, written]}}
    other = {"bytes": read + written, "tensors": {"x": [written, 0], "out": [0, read]}}
    assert needs.alike({"bytes": 25}, one, same)
    assert not needs.alike({"bytes": 25}, one, other)
    assert not needs.alike({"bytes": 25}, one, None)
    assert needs.alike({}, one, None)
