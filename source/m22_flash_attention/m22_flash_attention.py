# %% [markdown]
# # m22 · FlashAttention
#
# {{exercises}}
#
# **Time** about 120 minutes. **Before this** [ch02 Scaled dot-product
# attention](../ch02_scaled_dot_product/ch02_scaled_dot_product.ipynb) and [ch06 The decoder
# block](../ch06_decoder/ch06_decoder.ipynb).

# %%
import time

import matplotlib.pyplot as plt
import torch

from course import begin, check, plots, progress
from course.carry import working
from course.supplied.m22 import (
    ladder,
    launch_attention,
    launch_causal,
    launch_rows,
    launch_updates,
    naive_three_kernels,
)
from course.widgets import tile_traffic
from kernels.notebook import tl, triton, without_gpu

begin("m22_flash_attention")
kernels_run = without_gpu()  # from here on kernel[grid](...) runs in a simulator wherever there is no GPU

# %% [markdown]
# ## 8. The same on a GPU: a kernel in Triton
#
# In NumPy each line of your loop is a call that reads whole arrays from memory and writes whole arrays back. The tiles
# are there, but they do not *stay* anywhere. On a GPU they can. You write one function, a **kernel**, whose tiles live
# on the chip from the moment they are loaded until they are stored, and nothing in between touches the slow memory.
#
# **Triton** is a language for such kernels. It looks like Python and is compiled for the GPU. Four ideas are enough:
#
# * **Programs.** A kernel is launched on a *grid*: `kernel[(8,)](...)` starts 8 programs, all with the same code and
#   the same arguments. `tl.program_id(0)` tells a program which one it is: 0, 1, ... 7. They run at the same time, in
#   no order, and know nothing of each other.
# * **Pointers.** A tensor arrives as the address of its first number. `x + 5` is the address of number 5,
#   `x + tl.arange(0, 4)` are four addresses. Where a row begins is for you to work out.
# * **Tiles.** `tl.load(addresses)` fetches a tile of numbers, `tl.store(addresses, tile)` writes one. In between you
#   compute with whole tiles: `+`, `tl.exp`, `tl.max(tile, 0)`, `tl.dot(a, b)`. The side of a tile is a power of two and
#   known when the kernel is compiled: a parameter marked `tl.constexpr`.
# * **Masks.** Rows seldom have a power of two of numbers. `tl.load(addresses, mask=at < columns, other=0.0)` fetches
#   only where the mask is true, and puts 0 elsewhere. `tl.store(..., mask=...)` writes only there.
#
# ### Without a GPU
#
# You need none. Here a **simulator** runs your kernels: the same numbers as on a GPU, in every dtype, one program after
# the other. It is slow, about 2 milliseconds for each trip of a loop, so the tensors are small. In exchange it sees
# what a GPU does not tell you:
#
# * **`OutOfBounds`**: a program reads or writes beside its tensor. A GPU would return garbage, or crash.
# * **`Race`**: two programs touch the same number, and one of them writes. On a GPU luck decides.
# * **a trace**: how many bytes each tensor gave and took, and how many bytes of tiles a program kept at once.
#
# *Triton itself exists for Linux. On macOS and Windows the first cell says that kernels cannot run: you can read on,
# and the rest of this module works, but these checks need a Linux machine or a container.*
#
# Here is the whole of a first kernel. It doubles a vector of 10 numbers with tiles of 4, so three programs are needed,
# and the last one finds only two numbers.


# %% demonstration=true
@triton.jit
def double_kernel(x, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)  # which numbers are mine
    mask = at < n  # which of them exist
    tile = tl.load(x + at, mask=mask)
    tl.store(out + at, 2 * tile, mask=mask)


if kernels_run:
    from kernels.simulator import record

    numbers, doubled = torch.arange(10.0), torch.zeros(10)
    with record() as traces:  # without `record` it runs just the same, and counts nothing
        double_kernel[(3,)](numbers, doubled, 10, BLOCK=4)
    print(doubled)
    print(traces[0])

# %% [markdown]
# The trace says 40 bytes read and 40 written: ten numbers of four bytes each way, and nothing twice. **Try** Take away
# `mask=mask` in the load and run the cell again. What does the simulator say, and about which program?
#
# ## 9. A row and its mask
#
# Your first kernel is a softmax of each row: one program for one row. The row's numbers stay on the chip for all three
# steps (maximum, exponentials, sum), so each is loaded once and stored once. Written with three calls, as in ch01, the
# row would travel between memory and chip several times.
#
# Two things need care. Rows begin `x_row` numbers apart, which may be more than `columns`: between them may lie numbers
# that are not yours. And BLOCK is the next power of two, so the tile is longer than the row: what do you put in the
# places beyond it, so that they change neither the maximum nor the sum?
#
# {{m22.softmax_kernel}}


# %% exercise="m22.softmax_kernel"
@triton.jit
def softmax_kernel(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
    """Softmax of one row: each program takes the row of its own number.

    Args:
        x: pointer to the first number of the first row; row i begins at x + i * x_row.
        out: pointer to the results; row i begins at out + i * out_row.
        columns: numbers in a row, at most BLOCK.
        x_row, out_row: how many numbers after a row's first one the next row begins.
        BLOCK: side of the tile, a power of two.

    >>> launch_rows(softmax_kernel, torch.zeros(2, 4))
    tensor([[0.2500, 0.2500, 0.2500, 0.2500],
            [0.2500, 0.2500, 0.2500, 0.2500]])
    """
    ### BEGIN SOLUTION
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    inside = at < columns
    scores = tl.load(x + row * x_row + at, mask=inside, other=-float("inf"))
    powers = tl.exp(scores - tl.max(scores, 0))
    tl.store(out + row * out_row + at, powers / tl.sum(powers, 0), mask=inside)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: whose row</summary>
#
# The program's number is `tl.program_id(0)`. Its row begins at `x + row * x_row`; add `tl.arange(0, BLOCK)` for the
# addresses of all its numbers.
# </details>
# <details><summary>Hint 2: the places beyond</summary>
#
# A score of $-\infty$ never is the maximum, and its exponential is 0. `other=-float("inf")` puts it there.
# </details>
#
# ## 10. One step of the online softmax
#
# A kernel may call helpers, if they have `@triton.jit` too: they are compiled into it. This one carries the online
# softmax on by one tile. A program works on BM queries at once, so each has its own maximum, its own sum and its own
# row of mixed values.
#
# | name | shape | what it is |
# |:--|:--|:--|
# | `top` | (BM,) | the largest score so far; -inf before the first tile |
# | `total` | (BM,) | sum of exponentials so far, relative to `top` |
# | `mixed` | (BM, D) | sum of exponentials times values so far, relative to `top` |
# | `scores` | (BM, BN) | scores of the next tile of keys; -inf where a key must not be seen |
# | `values` | (BN, D) | the values of these keys, in float32 or bfloat16 |
#
# `powers[:, None]` turns a tile of shape (BM,) into a column, as in NumPy. `tl.dot(a, b)` wants both sides in one
# dtype and adds up in float32: bring the powers to the dtype of the values with `powers.to(values.dtype)`. What you
# carry on stays float32: a sum of many terms in bfloat16 loses its small ones.
#
# {{m22.online_update}}


# %% exercise="m22.online_update"
@triton.jit
def online_update(top, total, mixed, scores, values):
    """Carry the online softmax on by one tile.

    Args:
        top, total, mixed: what was carried so far, float32, as in the table above.
        scores: scores of the new tile, (BM, BN) float32, -inf for hidden keys. A whole row may be hidden.
        values: values of the new tile, (BN, D).

    Returns:
        The new (top, total, mixed). A row that has seen no key yet keeps -inf, 0 and zeros.

    >>> scores, values = torch.zeros(16, 32), torch.ones(32, 16)
    >>> top, total, mixed = launch_updates(online_update, scores, values, 16)
    >>> top[0], total[0], mixed[0, 0]
    (tensor(0.), tensor(32.), tensor(32.))
    """
    ### BEGIN SOLUTION
    higher = tl.maximum(top, tl.max(scores, 1))
    shift = tl.where(higher == -float("inf"), 0.0, higher)  # nothing seen yet: -inf - -inf would be NaN
    powers = tl.exp(scores - shift[:, None])
    fade = tl.exp(top - shift)
    mixed = mixed * fade[:, None] + tl.dot(powers.to(values.dtype), values)
    return higher, total * fade + tl.sum(powers, 1), mixed
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what fades</summary>
#
# The new maximum of a row is the larger one of `top` and the row's largest score. What was summed so far is relative to
# the old one: multiply it by $e^{\text{old} - \text{new}}$.
# </details>
# <details><summary>Hint 2: rows that have seen nothing</summary>
#
# There both are $-\infty$, and their difference is NaN. Subtract 0 instead of the new maximum in these rows:
# `tl.where(higher == -float("inf"), 0.0, higher)`. Then $e^{-\infty} = 0$ does the rest.
# </details>
#
# ## 11. The kernel
#
# Now put it together. One program takes BM queries and goes through all keys, BN at a time. Its queries are loaded
# once, before the loop; a tile of keys and one of values in each trip. At the end it divides, once, and stores.
#
# The tensors are stored row by row, so number $(i, j)$ of a matrix with D columns lies at `i * D + j`. A tile's
# addresses come from a column of rows and a row of columns: `row[:, None] * D + column[None, :]`.
#
# Neither n nor m is a multiple of a tile. Queries beyond n may be computed but not stored. Keys beyond m must not be
# loaded, and that is not enough: a key that was replaced by zeros has the score 0, and $e^0 = 1$.
#
# {{m22.attention_kernel}}


# %% exercise="m22.attention_kernel"
@triton.jit
def attention_kernel(q, k, v, out, n, m, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    """Attention of BM queries with all m keys; program i takes the queries from i * BM on.

    Args:
        q: pointer to n queries of D numbers each, row after row.
        k, v: pointers to m keys and m values of D numbers each.
        out: pointer to n results of D numbers each, float32.
        n, m: how many queries and keys there are; any numbers.
        scale: what scores are multiplied by before the softmax, 1 / sqrt(D).
        D: width of a row, a power of two.
        BM, BN: queries and keys in a tile.

    >>> q, k, v = torch.zeros(20, 16), torch.ones(37, 16), torch.full((37, 16), 3.0)
    >>> launch_attention(attention_kernel, q, k, v, (16, 16))[19, :3]
    tensor([3., 3., 3.])
    """
    ### BEGIN SOLUTION
    row, column = tl.program_id(0) * BM + tl.arange(0, BM), tl.arange(0, D)
    here = row[:, None] * D + column[None, :]
    inside = (row < n)[:, None]
    q_tile = tl.load(q + here, mask=inside, other=0.0)
    top, total = tl.full([BM], -float("inf"), tl.float32), tl.zeros([BM], tl.float32)
    mixed = tl.zeros([BM, D], tl.float32)
    for start in range(0, m, BN):
        key = start + tl.arange(0, BN)
        there, exists = key[:, None] * D + column[None, :], (key < m)[:, None]
        k_tile = tl.load(k + there, mask=exists, other=0.0)
        scores = tl.dot(q_tile, tl.trans(k_tile)) * scale
        scores = tl.where((key < m)[None, :], scores, -float("inf"))
        v_tile = tl.load(v + there, mask=exists, other=0.0)
        top, total, mixed = online_update(top, total, mixed, scores, v_tile)
    tl.store(out + here, mixed / total[:, None], mask=inside)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what stands before the loop</summary>
#
# The addresses of the queries, their tile, and the three things that you carry: `tl.full([BM], -float("inf"),
# tl.float32)`, `tl.zeros([BM], tl.float32)` and `tl.zeros([BM, D], tl.float32)`.
# </details>
# <details><summary>Hint 2: the scores</summary>
#
# `tl.dot(q_tile, tl.trans(k_tile)) * scale`, and then $-\infty$ for the keys that do not exist:
# `tl.where((key < m)[None, :], scores, -float("inf"))`.
# </details>
# <details><summary>Hint 3: too many bytes</summary>
#
# The check counts whole tiles: queries once, results once, all keys and values once for each program. If you move more,
# something is loaded in the loop that should stand before it, or twice.
# </details>
#
# ## 12. Causal, with many heads
#
# Four things are left before this is the kernel that language models run.
#
# **Heads.** The grid gets a second axis: program $(i, h)$ takes the i-th block of queries of head h. The heads lie one
# behind the other: the queries of head h begin at `q + h * n * D`. With **shared keys and values** (grouped-query
# attention) there are fewer heads of keys: `share` neighbouring heads use the same, so those of head h are number
# `h // share`.
#
# **The triangle.** The last query stands at the last key. So query i sees the keys up to $i + m - n$, itself included.
# With as many queries as keys that is the triangle you know. With one query and many keys, as in decoding, it sees all.
#
# **Skipping.** A tile of keys that no query of your block may see need not be loaded at all. Work out where the loop
# ends: at the last key that the block's last query sees. This saves nearly half of the bytes of a long sequence.
#
# **Queries that see nothing.** With more queries than keys the first ones see no key. Their sum is 0, and 0 / 0 is NaN.
# Their result is 0.
#
# For a backward pass the kernel also keeps one number of each query: `lse`, the logarithm of the sum of the
# exponentials of its scores. That is `top + log(total)`, and -inf for a query that sees nothing.
#
# {{m22.causal_kernel}}


# %% exercise="m22.causal_kernel"
@triton.jit
def causal_kernel(q, k, v, out, lse, n, m, share, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    """Causal attention; program (i, h) takes the queries from i * BM on of head h.

    Args:
        q, out: pointers to (heads, n, D) numbers; `out` is float32.
        k, v: pointers to (heads // share, m, D) numbers; head h uses those of number h // share.
        lse: pointer to (heads, n) numbers, float32: the log of the sum of exponentials of a query's scores.
        n, m: queries and keys of a head; query i sees the keys 0 to i + m - n.
        share: how many neighbouring heads share keys and values.
        scale: what scores are multiplied by before the softmax, 1 / sqrt(D).
        D: width of a row, a power of two.
        BM, BN: queries and keys in a tile.

    >>> q, k, v = torch.zeros(1, 4, 16), torch.zeros(1, 2, 16), torch.full((1, 2, 16), 3.0)
    >>> out, lse = launch_causal(causal_kernel, q, k, v, (16, 16))
    >>> out[0, :, 0], lse[0, 3].exp()
    (tensor([0., 0., 3., 3.]), tensor(2.))
    """
    ### BEGIN SOLUTION
    head = tl.program_id(1)
    q += head * n * D
    out += head * n * D
    k += head // share * m * D
    v += head // share * m * D
    first = tl.program_id(0) * BM
    row, column = first + tl.arange(0, BM), tl.arange(0, D)
    here, inside = row[:, None] * D + column[None, :], (row < n)[:, None]
    q_tile = tl.load(q + here, mask=inside, other=0.0)
    top, total = tl.full([BM], -float("inf"), tl.float32), tl.zeros([BM], tl.float32)
    mixed = tl.zeros([BM, D], tl.float32)
    for start in range(0, tl.minimum(m, first + BM + m - n), BN):
        key = start + tl.arange(0, BN)
        there, exists = key[:, None] * D + column[None, :], (key < m)[:, None]
        k_tile = tl.load(k + there, mask=exists, other=0.0)
        scores = tl.dot(q_tile, tl.trans(k_tile)) * scale
        seen = (key < m)[None, :] & (key[None, :] <= row[:, None] + m - n)
        scores = tl.where(seen, scores, -float("inf"))
        v_tile = tl.load(v + there, mask=exists, other=0.0)
        top, total, mixed = online_update(top, total, mixed, scores, v_tile)
    divisor = tl.where(total > 0, total, 1.0)
    tl.store(out + here, mixed / divisor[:, None], mask=inside)
    tl.store(lse + head * n + row, top + tl.log(divisor), mask=row < n)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: a head's part</summary>
#
# Move the pointers to the head's own first number, once at the top: `q += head * n * D`, and so on. The rest of your
# kernel stays as it was.
# </details>
# <details><summary>Hint 2: where the loop ends</summary>
#
# The last query of the block has the number `first + BM - 1` and sees keys up to `first + BM - 1 + m - n`. One more is
# the end; but never beyond m. It may be negative: then the loop does not run, and that is right.
# </details>
# <details><summary>Hint 3: a tile in which only some are seen</summary>
#
# `(key < m)[None, :] & (key[None, :] <= row[:, None] + m - n)` has the shape (BM, BN).
# </details>
#
# ### See the tiles move
#
# 64 queries, 64 keys, one head of width 16. Each step is one tile that your kernel loads or stores, taken from the
# trace of its own run. Left, global memory and the chip; right, which tiles of scores were computed, and the bytes so
# far. Make BM larger: fewer programs read the keys, but each keeps more on the chip.

# %% demonstration=true
tile_traffic(causal_kernel)

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: four rows of tiles of queries, four columns of tiles of keys, those above the diagonal skipped,
# and bars for the bytes of q, k, v, the result and lse.*
#
# **Try** Compare BM = 16 with BM = 64 at the same BN. Which bars shrink, and which stay? Then change BN alone.

# %% question="m22.what_twice_as_many_queries_save"

# %% question="m22.why_the_simulator_stops_a_race"

# %% [markdown]
# ### Experiment: count the bytes
#
# The plain way in three kernels (scores, your softmax, mixing) writes the scores to memory and reads them, and the
# weights once more. Your kernel never does. Both run in the simulator, which counts every tile that they ask for.
#
# **What should come out.** The plain way moves four matrices of $N^2$ numbers, whatever the tiles, and so grows with
# $N^2$. Your kernel reads all keys and values once for each block of queries: $2 N d \cdot N / B_M$ numbers. That grows
# with $N^2$ too, but divided by $B_M$. And $B_M$ is as large as the chip allows: if M numbers fit, $B_M$ is about
# M / d. Put in, that is Dao's law: $N^2 d^2 / M$ accesses. A chip with twice the memory halves the traffic.


# %% demonstration=true
def traffic_of(launch):
    """Bytes moved by all launches, and the largest bytes of tiles that a program kept."""
    with record() as traces:
        launch()
    return sum(trace.bytes for trace in traces), max(trace.peak_tile_bytes for trace in traces)


if kernels_run:
    from kernels.simulator import record

    softmax_used, kernel_used = working("m22.softmax_kernel", "m22.attention_kernel")
    width, lengths, blocks = 32, [32, 64, 128, 256], [16, 32, 64, 128]
    started, plain, tiled = time.process_time(), [], []
    for length in lengths:
        q, k, v = torch.randn(3, length, width, generator=torch.Generator().manual_seed(length))
        plain.append(traffic_of(lambda: naive_three_kernels(softmax_used, q, k, v))[0])  # noqa: B023
        tiled.append(traffic_of(lambda: launch_attention(kernel_used, q, k, v, (32, 32)))[0])  # noqa: B023
        print(f"N = {length:3d}: three kernels {plain[-1]:9,} bytes, yours {tiled[-1]:9,} bytes with BM = 32")
    by_block = [traffic_of(lambda: launch_attention(kernel_used, q, k, v, (b, 32))) for b in blocks]  # noqa: B023
    for block, (moved, kept) in zip(blocks, by_block, strict=True):
        print(f"N = {length}, BM = {block:3d}: {moved:9,} bytes moved, {kept:8,} bytes of tiles on the chip")
    law = [4 * (2 * length * width * (1 + length / block)) for block in blocks]
    print(f"Processor time: {time.process_time() - started:.1f} s.")

    plots.use_style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.2))
    left.loglog(lengths, plain, "s--", color=plots.KEY, base=2, label="three kernels")
    left.loglog(lengths, tiled, "o-", color=plots.QUERY, base=2, label="one kernel, BM = 32")
    left.set(xlabel="N, queries and keys", ylabel="bytes moved")
    left.legend()
    right.loglog(blocks, [moved for moved, _ in by_block], "o", color=plots.QUERY, base=2, label="counted")
    right.loglog(blocks, law, "-", color=plots.GREY, base=2, label="8 N d (1 + N / BM)")
    right.set(xlabel="BM, queries in a tile", ylabel=f"bytes moved, N = {length}")
    right.legend()
    plt.show()

# %% [markdown]
# **What you should see.** Left: both lines steepen towards a slope of 2: FlashAttention does not change the law of
# growth, it divides by the size of the chip's memory. Right: the counted points lie on the line, which is the formula
# for queries, results, keys and values together. Each doubling of BM halves what the keys and values cost, and needs
# more room on the chip. That is the whole trade.
#
# ## 13. The ladder to the vendor's speed
#
# Your kernel moves as few bytes as its tiles allow. On a real GPU that makes it quick, but not as quick as the kernel
# that the vendor ships. What is missing are not bytes but idle units. A streaming multiprocessor of an H100 has tensor
# cores for products, units for exponentials, and engines that copy tiles; a kernel is as fast as it keeps all of them
# busy at once. `kernels/tuned` climbs there, one idea a rung, each in a file that you can read:
#
# 1. **Powers of two.** The GPU has an instruction for $2^x$. Fold $\log_2 e$ into the scale, once, and use `tl.exp2`.
# 2. **Mask only the edge.** Most tiles lie wholly inside of the triangle. A loop without a mask for these, a second one
#    for the tiles on the diagonal.
# 3. **Tiles, warps, stages by trying.** How many queries and keys, how many threads, how many tiles on their way while
#    one is worked on: an autotuner tries them.
# 4. **The copy engine.** Tensor descriptors let one instruction fetch a whole tile while the threads compute.
# 5. **A program that stays.** As many programs as there are multiprocessors, each takes one block after the other, the
#    heavy ones first.
# 6. **Warps with roles.** Some warps only fetch, others only compute, and two groups of these take turns: while one
#    does its exponentials, the other has the tensor cores (Shah et al. 2024, FlashAttention-3).
#
# The table below is read from the record of a measurement on a GPU, not written here by hand.

# %% demonstration=true
print(ladder())

# %% [markdown]
# To measure on a machine with a GPU: `make bench-kernels` in the course's folder. It holds every kernel against float64
# first, then times it beside torch's best, and writes the record that this table is made of.
#
# **Read on** Dao et al. 2022, *FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness*; Dao 2023,
# *FlashAttention-2*; Shah et al. 2024, *FlashAttention-3*; Tillet, Kung and Cox 2019, *Triton*; Milakov and Gimelshein
# 2018, *Online normalizer calculation for softmax*.

# %%
progress()
