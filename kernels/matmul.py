"""Matrix multiplication by tiles, with programs in an order that finds its tiles in the cache."""

import torch
from jaxtyping import Float
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels._checks import require_floats, require_no_gradient, require_shape

TILES = {2: (128, 128, 64), 4: (64, 64, 32)}  # (rows, columns, depth) by bytes a number


@triton.jit
def _tile_of(program, rows, columns, GROUP: tl.constexpr):
    """Which tile of the result a program makes: GROUP rows of tiles at a time, down each column of them.

    The programs that run at once then need few different rows of a and columns of b.
    """
    in_band = GROUP * columns
    first = program // in_band * GROUP
    height = tl.minimum(rows - first, GROUP)  # the last band may be lower
    return first + program % in_band % height, program % in_band // height


@triton.jit
def _matmul(
    a, b, c, M, N, K, a_row, a_column, b_row, b_column, c_row,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    tile_row, tile_column = _tile_of(tl.program_id(0), tl.cdiv(M, BM), tl.cdiv(N, BN), GROUP)
    rows = (tile_row * BM + tl.arange(0, BM)).to(tl.int64)[:, None]
    columns = (tile_column * BN + tl.arange(0, BN)).to(tl.int64)[None, :]
    total = tl.zeros([BM, BN], tl.float32)
    for start in range(0, K, BK):
        depth = (start + tl.arange(0, BK)).to(tl.int64)
        left = (rows < M) & (depth[None, :] < K)
        right = (depth[:, None] < K) & (columns < N)
        a_tile = tl.load(a + rows * a_row + depth[None, :] * a_column, mask=left, other=0.0)
        b_tile = tl.load(b + depth[:, None] * b_row + columns * b_column, mask=right, other=0.0)
        total = tl.dot(a_tile, b_tile, total, input_precision=PRECISION)
    tl.store(c + rows * c_row + columns, total, mask=(rows < M) & (columns < N))


def matmul(
    a: Float[Tensor, "m k"],
    b: Float[Tensor, "k n"],
    *,
    tiles: tuple[int, int, int] | None = None,
    group: int = 8,
    tf32: bool = False,
) -> Float[Tensor, "m n"]:
    """a @ b; forward only.

    Shapes: (m, k) and (k, n), any sizes and strides (a transposed view costs nothing extra); the result is contiguous.
    `tiles` are (rows, columns, depth) of a tile, powers of two from 16 on; `group` is how many rows of tiles are worked
    on together.
    Dtypes: float32, float16, bfloat16, the same for both; sums are float32. `tf32` rounds float32 to 10 bits for the
    tensor cores, which are several times as fast.
    Cost: 2 * m * n * k operations. Tiles ask for m * n * k * (1 / rows + 1 / columns) numbers of a and b and write
    m * n; the least is m * k + k * n + m * n. What lies in between is for the cache, and `group` is for the cache.
    Errors: ValueError for shapes or devices, TypeError for dtypes, RuntimeError where a gradient is wanted.
    Source: the tutorial of Triton, "Matrix Multiplication", section "L2 Cache Optimizations"; tiles: Lam, Rothberg and
    Wolf 1991, "The cache performance and optimizations of blocked algorithms".
    """
    require_floats(a=a, b=b)
    require_shape("a", a, ("m", "k"))
    require_shape("b", b, (a.shape[1], "n"))
    require_no_gradient("matmul", a, b)
    (m, k), n = a.shape, b.shape[1]
    c = torch.empty((m, n), dtype=a.dtype, device=a.device)
    if c.numel():
        bm, bn, bk = tiles or TILES[a.element_size()]
        launch(_matmul, (triton.cdiv(m, bm) * triton.cdiv(n, bn),))(
            a, b, c, m, n, k, *a.stride(), *b.stride(), n, bm, bn, bk, group, "tf32" if tf32 else "ieee",
            num_warps=8 if bm * bn >= 128 * 128 else 4, num_stages=3,
        )  # fmt: skip
    return c


def matmul_reference(a: Float[Tensor, "m k"], b: Float[Tensor, "k n"], tile: int = 64) -> Float[Tensor, "m n"]:
    """The same by tiles in plain torch."""
    c = torch.zeros(a.shape[0], b.shape[1], device=a.device)
    for i in range(0, a.shape[0], tile):
        for j in range(0, b.shape[1], tile):
            for k in range(0, a.shape[1], tile):
                left, right = a[i : i + tile, k : k + tile], b[k : k + tile, j : j + tile]
                c[i : i + tile, j : j + tile] += left.float() @ right.float()
    return c.to(a.dtype)
