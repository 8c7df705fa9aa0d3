"""What a function costs: the meter against what is known."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course import measure


def test_numpys_peak_is_what_lives_at_once():
    def work():
        first = np.ones(100_000)
        second = first + 1
        del first
        return second[:10].copy() + np.ones(50_000).sum()

    assert measure.memory(work).peak == pytest.approx(1_600_000, rel=0.01)


def test_torchs_peak_is_exact_and_its_operations_are_named():
    q = torch.ones(200, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measure.memory(lambda: (q @ q.T).softmax(-1) @ q)
    assert found.peak == pytest.approx(2 * 200 * 200 * 4, rel=0.05)
    assert {"mm", "_softmax"} <= set(found.operations)


def test_what_a_fused_kernel_needs_inside_counts(capfd):
    q = torch.ones(1, 1, 512, 64)
    found = measure.memory(lambda: F.scaled_dot_product_attention(q, q, q))
    assert q.nbytes < found.peak < 512 * 512 * 4
    assert any("scaled_dot_product" in name for name in found.operations)
    assert capfd.readouterr() == ("", "")


def test_an_error_is_passed_on_and_leaves_nothing_running():
    with pytest.raises(ZeroDivisionError):
        measure.memory(lambda: torch.ones(3) + 1 / 0)
    assert measure.memory(lambda: None).peak < 10_000


def test_seconds_leave_the_first_call_out():
    calls = []

    def work():
        calls.append(1)
        if len(calls) == 1:
            sum(range(3_000_000))

    assert measure.seconds(work, repeats=3) < 0.01
    assert len(calls) == 4
