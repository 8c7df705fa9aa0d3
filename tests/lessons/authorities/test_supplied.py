"""What the course supplies against torch."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from course import supplied
from tests.lessons.authorities.tools import tensor


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
    np.testing.assert_allclose(supplied.scaled_dot_product_attention(q, k, v, mask)[0], expected, rtol=1e-12)
    np.testing.assert_allclose(supplied.scaled_dot_product_attention(q, k, v)[1].sum(1), 1)
