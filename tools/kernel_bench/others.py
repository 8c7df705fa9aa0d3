"""The kernels that are not attention among many queries, each against torch's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.cross_entropy import cross_entropy
from kernels.int8_matmul import int8_matmul, quantize_int8
from kernels.layer_norm import layer_norm
from kernels.matmul import matmul
from kernels.nf4_matmul import dequantize_nf4, nf4_matmul, quantize_nf4
from kernels.online_softmax import online_softmax
from kernels.paged_decode import paged_decode
from kernels.rms_norm import rms_norm
from kernels.softmax import softmax
from kernels.vector_add import add
from tools.kernel_bench import cost
from tools.kernel_bench.case import Case, Gradients, Plan, Way

OURS, TORCH = "ours", "torch"
SAMPLE = 64  # rows that are held against float64


def _two(ours: Callable[..., Any], torchs: Callable[..., Any], *args: Any, **named: Any) -> list[Way]:
    return [Way(OURS, partial(ours, *args, **named)), Way(TORCH, partial(torchs, *args, **named))]


def _add(plan: Plan) -> Iterator[Case]:
    n = plan.pick(2**28, 3000)
    x, y = plan.numbers(n), plan.numbers(n, seed=1)
    exact = lambda: [x[:SAMPLE].double() + y[:SAMPLE].double()]  # noqa: E731
    size = cost.add(n, x.element_size())
    yield Case("vector_add", "forward", {"numbers": n}, size, _two(add, torch.add, x, y), exact, _sampled)


def _softmax(plan: Plan) -> Iterator[Case]:
    yield _softmax_by(plan, "softmax", softmax, plan.pick((16_384, 4096), (3, 70)), ways=2)


def _online_softmax(plan: Plan) -> Iterator[Case]:
    yield _softmax_by(plan, "online_softmax", online_softmax, plan.pick((2048, 131_072), (2, 5000)), ways=3)


def _softmax_by(plan: Plan, name: str, ours: Callable[..., Tensor], shape: tuple[int, int], ways: int) -> Case:
    x = plan.numbers(*shape)
    functions = [Way(OURS, partial(ours, x)), Way(TORCH, partial(torch.softmax, x, 1))]
    exact = lambda: [torch.softmax(x[:SAMPLE].double(), 1)]  # noqa: E731
    size = cost.rows_through(*shape, x.element_size(), ways)
    return Case(name, "forward", dict(zip(("rows", "columns"), shape, strict=True)), size, functions, exact, _sampled)


def _sampled(results: list[Tensor]) -> list[Tensor]:
    return [tensor[:SAMPLE] for tensor in results]


def _layer_norm(plan: Plan) -> Iterator[Case]:
    return _norm(plan, "layer_norm", layer_norm, F.layer_norm)


def _rms_norm(plan: Plan) -> Iterator[Case]:
    return _norm(plan, "rms_norm", rms_norm, F.rms_norm)


def _norm(plan: Plan, name: str, ours: Callable[..., Tensor], torchs: Callable[..., Tensor]) -> Iterator[Case]:
    rows, n = plan.pick((16_384, 4096), (5, 40))
    x, dy = plan.numbers(rows, n), plan.numbers(rows, n, seed=3)
    rest = [plan.numbers(n, seed=seed) for seed in range(1, 3 if name == "layer_norm" else 2)]
    own, exactly = ours, partial(_as_torchs, torchs)
    size, b = {"rows": rows, "columns": n}, x.element_size()
    exact = lambda: [exactly(x[:SAMPLE].double(), *map(Tensor.double, rest))]  # noqa: E731
    kept = 4 * rows * len(rest)  # a number or two of each row
    forward = cost.rows_through(rows, n, b, 2, kept + n * b * len(rest))
    yield Case(name, "forward", size, forward, _two_of(own, exactly, x, *rest), exact, _sampled)

    def gradients() -> list[Tensor]:
        leaves = [tensor.double().requires_grad_() for tensor in (x, *rest)]
        return list(torch.autograd.grad(exactly(*leaves), leaves, dy.double()))

    ways = [Way(way, Gradients(f, [x, *rest], dy)) for way, f in ((OURS, own), (TORCH, exactly))]
    yield Case(name, "backward", size, cost.rows_through(rows, n, b, 3, kept + n * b), ways, gradients)


def _two_of(ours: Callable[..., Any], torchs: Callable[..., Any], *args: Any) -> list[Way]:
    return [Way(OURS, partial(_without_graph, ours, *args)), Way(TORCH, partial(_without_graph, torchs, *args))]


def _without_graph(function: Callable[..., Any], *args: Any) -> Any:
    with torch.no_grad():
        return function(*args)


def _as_torchs(function: Callable[..., Tensor], x: Tensor, weight: Tensor, *bias: Tensor) -> Tensor:
    """torch's norms take a shape, and each its own eps."""
    return function(x, weight.shape, weight, *bias, eps=1e-5 if bias else 1e-6)


def _matmul(plan: Plan) -> Iterator[Case]:
    for m, n, k in plan.pick([(4096,) * 3, (8192,) * 3], [(70, 50, 77)]):
        a, b = plan.numbers(m, k), plan.numbers(k, n, seed=1)
        exact = partial(_product, a, b)
        needs = cost.matmul(m, n, k, a.element_size())
        yield Case("matmul", "forward", _mnk(m, n, k), needs, _two(matmul, torch.matmul, a, b), exact, _sampled)


def _product(a: Tensor, b: Tensor) -> list[Tensor]:
    return [a[:SAMPLE].double() @ b.double()]


def _mnk(m: int, n: int, k: int) -> dict[str, int]:
    return {"m": m, "columns": n, "k": k}


def _int8(plan: Plan) -> Iterator[Case]:
    for m, n, k in plan.pick([(16, 4096, 4096), (4096, 4096, 4096)], [(3, 40, 70), (70, 40, 70)]):
        yield _int8_of(plan, m, n, k)


def _int8_of(plan: Plan, m: int, n: int, k: int) -> Case:
    x, (codes, scales) = plan.numbers(m, k), quantize_int8(plan.numbers(n, k, seed=1))
    weight = (codes * scales[:, None]).to(x.dtype)
    ways = [Way(OURS, partial(int8_matmul, x, codes, scales)), Way(TORCH, partial(F.linear, x, weight))]
    exact = lambda: [x[:SAMPLE].double() @ (codes.double() * scales.double()[:, None]).T]  # noqa: E731
    needs = cost.matmul(m, n, k, x.element_size(), n * k + 4 * n)
    return Case("int8_matmul", "forward", _mnk(m, n, k), needs, ways, exact, _sampled)


def _nf4(plan: Plan) -> Iterator[Case]:
    for m, n, k in plan.pick([(16, 4096, 4096), (4096, 4096, 4096)], [(3, 40, 128), (70, 40, 128)]):
        yield _nf4_of(plan, m, n, k)


def _nf4_of(plan: Plan, m: int, n: int, k: int, block: int = 64) -> Case:
    x, (packed, absmax) = plan.numbers(m, k), quantize_nf4(plan.numbers(n, k, seed=1), block)
    weight = dequantize_nf4(packed, absmax, k).to(x.dtype)
    ways = [Way(OURS, partial(nf4_matmul, x, packed, absmax, block=block)), Way(TORCH, partial(F.linear, x, weight))]
    exact = lambda: [x[:SAMPLE].double() @ weight.double().T]  # noqa: E731
    needs = cost.matmul(m, n, k, x.element_size(), n * k // 2 + 4 * n * k // block + 64)
    return Case("nf4_matmul", "forward", _mnk(m, n, k), needs, ways, exact, _sampled)


def _cross_entropy(plan: Plan) -> Iterator[Case]:
    rows, classes = plan.pick((4096, 128_256), (4, 99))
    logits, upstream = plan.numbers(rows, classes), torch.ones((), device=plan.device)
    target = torch.arange(rows, device=plan.device) * 7919 % classes
    size, b = {"rows": rows, "columns": classes}, logits.element_size()
    exact = lambda: [F.cross_entropy(logits.double(), target)]  # noqa: E731
    ways = _two_of(cross_entropy, F.cross_entropy, logits, target)
    yield Case("cross_entropy", "forward", size, cost.cross_entropy(rows, classes, b), ways, exact)

    def gradients() -> list[Tensor]:
        leaf = logits.double().requires_grad_()
        return list(torch.autograd.grad(F.cross_entropy(leaf, target), leaf))

    ours = Gradients(lambda leaf: cross_entropy(leaf, target), [logits], upstream)
    torchs = Gradients(lambda leaf: F.cross_entropy(leaf, target), [logits], upstream.to(plan.dtype))
    ways = [Way(OURS, ours), Way(TORCH, torchs)]
    yield Case("cross_entropy", "backward", size, cost.cross_entropy_backward(rows, classes, b), ways, gradients)


def _decode(plan: Plan) -> Iterator[Case]:
    sequences, keys, heads, kv_heads, slots = plan.pick((32, 8192, 32, 8, 16), (2, 70, 4, 2, 16))
    d, most = 128, -(-keys // slots)
    pages = [plan.numbers(sequences * most, slots, kv_heads, d, seed=seed) for seed in (1, 2)]
    q = plan.numbers(sequences, heads, d)
    table = torch.randperm(sequences * most, generator=torch.Generator().manual_seed(0)).to(plan.device, torch.int32)
    table, lengths = table.view(sequences, most), torch.full((sequences,), keys, dtype=torch.int32, device=plan.device)
    k, v = (page[table.long()].flatten(1, 2)[:, :keys].transpose(1, 2).contiguous() for page in pages)
    attend = partial(F.scaled_dot_product_attention, enable_gqa=True)
    ways = [
        Way(OURS, partial(paged_decode, q, *pages, table, lengths)),
        Way("torch, cache in one piece", lambda: attend(q[:, :, None], k, v)[:, :, 0]),
    ]
    exact = lambda: [attend(q[:1, :, None].double(), k[:1].double(), v[:1].double())[:, :, 0]]  # noqa: E731
    needs = cost.decode(sequences, keys, heads, kv_heads, d, q.element_size())
    size = {"batch": sequences, "heads": heads, "n": keys, "d": d}
    yield Case("paged_decode", "forward", size, needs, ways, exact, lambda results: [results[0][:1]])


MAKERS = {
    "vector_add": _add,
    "softmax": _softmax,
    "online_softmax": _online_softmax,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "matmul": _matmul,
    "int8_matmul": _int8,
    "nf4_matmul": _nf4,
    "cross_entropy": _cross_entropy,
    "paged_decode": _decode,
}  # each makes its cases one by one, for the memory's sake
