"""Every rung of the ladder, and the tuned gradients, against float64."""

from __future__ import annotations

import pytest
import torch

from kernels.flash_attention import attend, attention_reference
from kernels.simulator import record
from kernels.tuned import LADDER, Tiling, tuned_attention_with_gradients
from kernels.tuned._host import TILINGS, described
from kernels.tuned.persistent import attend_persistent
from tests.kernels.support import DEVICE, DTYPES, assert_near, numbers
from tests.kernels.test_flash_attention import qkv
from tests.kernels.test_flash_attention_backward import gradients

SMALL = Tiling(16, 16, 4, 2)
SIMULATED = [rung for rung in LADDER if rung.simulated or DEVICE == "cuda"]
RUNGS = pytest.mark.parametrize("rung", SIMULATED, ids=lambda rung: rung.name)


def assert_right(rung, q, k, v, tiling=SMALL, **options):
    """Hold a rung's results against float64, and its logarithms against the teaching kernel's."""
    out, lse = rung.attend(q, k, v, tiling=tiling, **options)
    assert_near(out, attention_reference(q.double(), k.double(), v.double(), **options), q.dtype)
    _, wanted = attend(q, k, v, causal=options.get("causal", False), window=None, scale=options.get("scale"))
    torch.testing.assert_close(lse, wanted, rtol=1e-3, atol=1e-3)


@RUNGS
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(16, 16), (17, 33), (40, 20)])
def test_lengths(queries, keys, causal, dtype, rung):
    assert_right(rung, *qkv(queries, keys, dtype=dtype), causal=causal)


@RUNGS
def test_heads_that_share_keys(rung):
    assert_right(rung, *qkv(17, 20, heads=4, kv_heads=2, batch=2), causal=True)


@RUNGS
@pytest.mark.parametrize("d", [24, 64, 128, 256])
def test_head_dimensions_with_the_usual_tilings(d, rung):
    assert_right(rung, *qkv(70, 70, d=d, dtype=torch.bfloat16), tiling=None, causal=True)


@RUNGS
@pytest.mark.parametrize("d", [32, 128])
def test_usual_tilings_of_float32(d, rung):
    assert_right(rung, *qkv(40, 40, d=d), tiling=None)


@RUNGS
def test_views(rung):
    q, k, v = numbers(2, 20, 3, 4, 16).permute(2, 0, 3, 1, 4)
    assert_right(rung, q, k, v)
    assert_right(rung, q[:, :, 1::2], k[:, :1].expand(k.shape), v.mT.contiguous().mT, causal=True)


@RUNGS
def test_scales_and_large_scores(rung):
    q, k, v = qkv(20, 20)
    assert_right(rung, q, k, v, scale=0.7)
    assert_right(rung, 100 * q, 100 * k, v, causal=True)


@RUNGS
def test_queries_that_see_nothing_and_no_keys(rung):
    q, k, v = qkv(40, 8)
    out, lse = rung.attend(q, k, v, causal=True, tiling=SMALL)
    assert (out[:, :, :32] == 0).all()
    assert (lse[:, :, :32] == -torch.inf).all()
    out, lse = rung.attend(q, k[:, :, :0], v[:, :, :0])
    assert not out.any()
    assert rung.attend(q[:, :, :0], k, v)[0].shape == (1, 1, 0, 16)


@pytest.mark.parametrize("programs", [1, 3, 100])
@pytest.mark.parametrize("causal", [False, True])
def test_any_number_of_programs_does_all_tiles(causal, programs):
    q, k, v = qkv(50, 50, heads=2, kv_heads=2)
    with record() as traces:
        out, _ = attend_persistent(q, k, v, causal=causal, tiling=SMALL, sms=(programs + 1) // 2)
    assert traces[0].grid[0] == min(8, programs + programs % 2)
    assert_near(out, attention_reference(q.double(), k.double(), v.double(), causal=causal), q.dtype)


def test_each_rung_asks_for_as_many_bytes_and_operations_as_the_first():
    q, k, v = qkv(64, 64, dtype=torch.bfloat16)
    with record() as traces:
        for rung in SIMULATED:
            rung.attend(q, k, v, causal=True, tiling=SMALL)
    assert len({(trace.bytes, trace.dot_flops) for trace in traces}) == 1


def gradients_near(q, k, v, tiling=SMALL, **options):
    """Hold the tuned gradients against float64."""
    dout = numbers(*q.shape, dtype=q.dtype, seed=4)
    wanted = gradients(attention_reference, [tensor.double() for tensor in (q, k, v)], dout.double(), **options)
    got = gradients(tuned_attention_with_gradients, (q, k, v), dout, tiling=tiling, **options)
    for mine, right in zip(got, wanted, strict=True):
        assert_near(mine, right, q.dtype, slack=2)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(16, 16), (17, 33), (20, 47), (47, 20)])
def test_gradients(queries, keys, causal, dtype):
    gradients_near(*qkv(queries, keys, dtype=dtype), causal=causal)


@pytest.mark.parametrize("tiling", [Tiling(16, 32, 4, 2), Tiling(32, 16, 4, 2)])
def test_gradients_with_tiles_that_are_not_square(tiling):
    gradients_near(*qkv(45, 70), tiling=tiling, causal=True)
    gradients_near(*qkv(70, 45), tiling=tiling, causal=True)


@pytest.mark.parametrize("d", [24, 64, 128, 256])
def test_gradients_with_the_usual_tilings(d):
    gradients_near(*qkv(70, 70, d=d, dtype=torch.bfloat16), tiling=None, causal=True)


def test_gradients_of_heads_that_share_keys_and_of_views():
    gradients_near(*qkv(17, 20, heads=4, kv_heads=2, batch=2), causal=True, scale=0.5)
    gradients_near(*numbers(2, 20, 3, 2, 16).permute(2, 0, 3, 1, 4))


def test_gradients_of_nothing():
    q, k, v = qkv(5, 0)
    assert not gradients(tuned_attention_with_gradients, (q, k, v), q)[0].any()


def test_a_view_that_can_be_described_is_not_copied():
    x = numbers(2, 20, 3, 4, 16).permute(2, 0, 3, 1, 4)[1]
    assert described(x, 16, 16).base is x
    odd = numbers(1, 1, 20, 18)[..., :16]
    assert described(odd, 16, 16).base is not odd


def test_tilings_are_for_tiles_that_tensor_cores_take():
    for (item, d), tilings in TILINGS.items():
        assert all(min(bm, bn) >= 16 and warps in (4, 8) for bm, bn, warps, _ in tilings), (item, d)


@RUNGS
def test_what_no_rung_takes(rung):
    q, k, v = qkv(4, 4, d=20, dtype=torch.float16)
    if rung.name == "teaching":
        assert rung.attend(q, k, v)[0].shape == q.shape
        return
    with pytest.raises(ValueError, match="multiple of 16 bytes, not 20 x 2"):
        rung.attend(q, k, v)
    with pytest.raises(ValueError, match="above 0, not -1"):
        rung.attend(*qkv(4, 4), scale=-1.0)


@pytest.mark.skipif(DEVICE == "cuda", reason="it runs there")
def test_the_last_rung_says_that_it_needs_a_gpu():
    with pytest.raises(NotImplementedError, match="_flash_ping_pong is written in Gluon"):
        LADDER[-1].attend(*qkv(4, 4, d=64, dtype=torch.float16))
    with pytest.raises(ValueError, match="float16 and bfloat16"):
        LADDER[-1].attend(*qkv(4, 4, d=64))
