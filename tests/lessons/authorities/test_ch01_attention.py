"""ch01 against torch: inner products, softmax, batched products, scaled_dot_product_attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from autograder.exercise import find
from course.supplied import ch01
from tests.lessons.authorities.tools import require_full_points_in_float32, tensor

IN_FLOAT32 = {
    "ch01.similarity": ch01.similarity,
    "ch01.softmax": ch01.softmax,
    "ch01.weighted_average": ch01.weighted_average,
    "ch01.simple_attention": ch01.simple_attention,
}


@pytest.mark.parametrize("exercise_id", IN_FLOAT32)
def test_a_solution_in_float32_gets_every_point(exercise_id):
    require_full_points_in_float32(exercise_id, IN_FLOAT32[exercise_id])


def test_ch01_similarity_agrees_with_torch():
    rng = np.random.default_rng(0)
    for n, d in [(1, 1), (4, 2), (3, 9)]:
        x = rng.standard_normal((n, d))
        got = find("ch01.similarity").reference(x)
        np.testing.assert_allclose(got, torch.inner(tensor(x), tensor(x)), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("scale", [1.0, 100.0, 3000.0, 1e300])
@pytest.mark.parametrize(("shape", "axis"), [((5,), -1), ((3, 4), -1), ((3, 4), 0), ((2, 3, 4), 1), ((2, 3, 4), -3)])
def test_ch01_softmax_agrees_with_torch(scale, shape, axis):
    x = scale * np.random.default_rng(1).standard_normal(shape)
    got = find("ch01.softmax").reference(x, axis=axis)
    np.testing.assert_allclose(got, torch.softmax(tensor(x), axis), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(got, ch01.softmax(x, axis), rtol=1e-9, atol=1e-14)


def test_ch01_softmax_gives_minus_infinity_no_weight_as_torch_does():
    x = np.array([[2.0, -np.inf, 1.0], [-np.inf, -np.inf, -5.0]])
    got = find("ch01.softmax").reference(x)
    np.testing.assert_allclose(got, torch.softmax(tensor(x), -1), rtol=1e-12)
    assert got[0, 1] == 0


def test_ch01_weighted_average_agrees_with_torch_and_numpy():
    rng = np.random.default_rng(2)
    for n, m, d in [(1, 1, 1), (2, 5, 3), (6, 2, 4)]:
        weights, values = rng.dirichlet(np.ones(m), n), rng.standard_normal((m, d))
        got = find("ch01.weighted_average").reference(weights, values)
        np.testing.assert_allclose(got, torch.mm(tensor(weights), tensor(values)), rtol=1e-12)
        np.testing.assert_allclose(got, [np.average(values, axis=0, weights=row) for row in weights], rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_ch01_attention_agrees_with_torch(scale):
    rng = np.random.default_rng(3)
    for n, d in [(1, 1), (5, 3), (4, 8)]:
        x = scale * rng.standard_normal((n, d))
        output, weights = find("ch01.simple_attention").reference(x)
        t = tensor(x)
        np.testing.assert_allclose(output, F.scaled_dot_product_attention(t, t, t, scale=1.0), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(weights, torch.softmax(t @ t.T, -1), rtol=1e-9, atol=1e-14)


def test_ch01_it_looks_at_the_cat_when_tired_and_at_the_mat_when_soft():
    x = ch01.embed(ch01.SENTENCE)
    it, cat, mat = (ch01.SENTENCE.index(word) for word in ("it", "cat", "mat"))
    alive = ch01.DIMENSIONS.index("alive")
    for value, wanted in ((1.0, cat), (-1.0, mat)):
        x[it, alive] = value
        t = tensor(x)
        weights = torch.softmax(t @ t.T, -1)[it]
        assert int(weights.argmax()) == wanted
        assert 0.45 < weights[wanted] < 0.55
