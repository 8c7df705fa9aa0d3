"""ch02 against torch: linear layers, scaled_dot_product_attention, autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from autograder.exercise import find
from course import supplied
from tests.lessons.authorities.tools import attention_in_float32, require_full_points_in_float32, tensor

IN_FLOAT32 = {
    "ch02.project_qkv": lambda x, *weights: [x @ w for w in weights],
    "ch02.scaled_dot_product_attention": attention_in_float32,
    "ch02.softmax_grad_norm": lambda s: np.linalg.norm(np.diag(p := supplied.softmax(s)) - np.outer(p, p)),
}


@pytest.mark.parametrize("exercise_id", IN_FLOAT32)
def test_a_solution_in_float32_gets_every_point(exercise_id):
    require_full_points_in_float32(exercise_id, IN_FLOAT32[exercise_id])


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
