# %% [markdown]
# # m22 · FlashAttention
#
# The attention that you built in ch02 spends most of its time on a GPU waiting. It writes a table with a number for
# each pair of tokens into memory, reads it, writes it again, reads it again, and throws it away. In this lesson you
# build the algorithm that never makes this table, and gives the same numbers: a softmax in one pass, attention tile by
# tile, tiles that a causal mask lets you skip, and the way back from a single number kept for each query. You count
# the bytes that it moves, measure them, and hold a famous claim against your own measurements. Then you write it again
# as what it is on a GPU: a kernel in Triton.
#
# {{exercises}}
#
# **Time** about 150 minutes for sections 1 to 7, in NumPy, and 120 for the rest, in Triton. **Before this** [ch02
# Scaled dot-product attention](../ch02_scaled_dot_product/ch02_scaled_dot_product.ipynb), [ch06 The decoder
# block](../ch06_decoder/ch06_decoder.ipynb) (the causal mask) and [m02 MLP from
# scratch](../m02_mlp_from_scratch/m02_mlp_from_scratch.ipynb) (backward passes by hand). **You need** NumPy slices and
# broadcasting; nothing of Triton.
#
# **Where this is used** FlashAttention (Dao et al. 2022) and its successors compute the attention of nearly every large
# model, in training and in use. PyTorch's `scaled_dot_product_attention` chooses such a kernel by itself. Ring
# attention and paged attention rest on the same step, which you write in section 3.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from course import begin, check, measure, plots, progress
from course.carry import numeric_gradient, working
from course.supplied.m22 import (
    Hbm,
    ladder,
    launch_attention,
    launch_causal,
    launch_rows,
    launch_updates,
    naive_three_kernels,
)
from course.widgets import online_row, tile_map, tile_traffic
from kernels.notebook import tl, triton, without_gpu

torch.set_num_threads(1)  # so that times can be compared
begin("m22_flash_attention")
kernels_run = without_gpu()  # from here on kernel[grid](...) runs in a simulator wherever there is no GPU

# %% [markdown]
# ## 1. The memory wall
#
# A GPU has two kinds of memory that matter here. The large one, **HBM** (high-bandwidth memory), holds tens of
# gigabytes: your tensors live there. The small one, **SRAM**, sits on the chip beside the arithmetic units, a few
# hundred kilobytes for each group of them (an H100 has 132 such groups). To be computed with, a number has to come from
# HBM into SRAM, and what should last has to go back.
#
# Two numbers from the data sheet of an H100 (SXM) tell what this means. It does 989 $\cdot 10^{12}$ operations in a
# second with 16-bit numbers on its tensor cores, and it moves 3.35 $\cdot 10^{12}$ bytes in a second between HBM and
# the chip. Divide:
#
# $$\frac{989 \cdot 10^{12}}{3.35 \cdot 10^{12}} \approx 295 \text{ operations for each byte.}$$
#
# A program that does fewer than these 295 operations with each byte that it moves is **memory-bound**: the arithmetic
# units wait. How about attention? With $n$ queries and $m$ keys of width $d$ it runs as three kernels, one after
# another:
#
# | kernel | reads | writes | operations |
# |:---|:---|:---|:---|
# | $S = Q K^T / \sqrt{d}$ | $Q$ $(n, d)$, $K$ $(m, d)$ | $S$ $(n, m)$ | $2nmd$ |
# | $P = \mathrm{softmax}(S)$ | $S$ $(n, m)$ | $P$ $(n, m)$ | a few $nm$ |
# | $O = P V$ | $P$ $(n, m)$, $V$ $(m, d)$ | $O$ $(n, d)$ | $2nmd$ |
#
# (In this lesson the values are as wide as the keys when we count, $d_v = d_k = d$; your functions will not need that.)
#
# Take one head with $n = m = 4096$ and $d = 64$, in 2 bytes each. The inputs and the output are 0.5 MB each. The table
# is 34 MB, and it moves four times: 134 MB, which takes 40 microseconds. The $4 n^2 d$ operations take 4 microseconds.
# For nine tenths of the time, the most expensive arithmetic units in the world have nothing to do.

# %% question="m22.what_it_waits_for"

# %% [markdown]
# So the table has to go. Cut $Q$ into tiles of `block_q` rows, $K$ and $V$ into tiles of `block_k` rows. A tile of
# queries and one of keys fit on the chip, and so do their `block_q` $\times$ `block_k` scores. Compute them there, use
# them there, forget them there.
#
# The product with the values would be no problem: a sum over keys can be taken in pieces. The softmax is one. Each
# weight is divided by a sum over **all** keys of the row, and for safety (ch01) the largest score of **all** is
# subtracted before. How can you use a piece of a row before you have seen the rest?
#
# ## 2. A softmax in one pass
#
# Keep two numbers: the largest score so far, **top**, and the sum of the powers so far, relative to it, **total**.
#
# $$\text{top} = \max_{j \text{ so far}} s_j \qquad \text{total} = \sum_{j \text{ so far}} e^{s_j - \text{top}}$$
#
# When a block comes with a larger score, the old total is relative to the wrong number. But it is wrong by one known
# factor, the same for all its terms: $e^{s - \text{new}} = e^{s - \text{old}} \cdot e^{\text{old} - \text{new}}$. So
#
# $$\text{total} \leftarrow \text{total} \cdot e^{\text{old} - \text{new}} + \sum_{j \text{ in the block}}
# e^{s_j - \text{new}}$$
#
# The picture shows a real row: the scores of one character with those before it, in a head of the character model of
# ch07. Step through its blocks.

# %% demonstration=true
online_row()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: bars for 16 scores, the largest so far as a line that rises in steps, and the sum so far, which
# shrinks where the line rises.*
#
# **Try** Watch the column of powers while you step: when a larger score comes, all bars above it shrink. Take the keys
# largest first, then largest last. In which order does the rescaling have most to do? Add 1000 to every score: nothing
# changes, since only differences are ever put into an exponential.
#
# > **Key insight.** What a softmax has to know of any set of keys is (top, total). Two sets, each with its pair, can be
# > joined by rescaling both to the larger top and adding. It does not matter how the keys were cut, or in which order
# > the pieces come.
#
# One trap: keys that are hidden have a score of $-\infty$. If all keys so far are hidden, top is $-\infty$ and total is
# 0. Then $-\infty - (-\infty)$ is not a number, and from there on neither is anything else. While top is $-\infty$,
# subtract 0 instead: $e^{-\infty - 0} = 0$ is right.
#
# {{m22.online_softmax}}


# %% exercise="m22.online_softmax"
def online_softmax(scores: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Read a row of scores block by block; what is known of it after each block.

    Args:
        scores: shape (m,), float, m >= 1. -inf marks hidden keys; there may be nothing else in the first blocks.
        block: how many scores a block holds. The last block may be shorter.

    Returns:
        (tops, totals), both of shape (number of blocks,): after each block the largest score so far, and the sum of
        exp(score - largest so far) over all scores so far. While all scores are -inf: -inf and 0.

    >>> tops, totals = online_softmax(np.log([1.0, 3.0, 12.0]), block=2)  # 1/3 + 3/3, then 1/12 + 3/12 + 12/12
    >>> np.exp(tops).round(4).tolist(), totals.round(4).tolist()
    ([3.0, 12.0], [1.3333, 1.3333])
    """
    ### BEGIN SOLUTION
    top, total, tops, totals = -np.inf, 0.0, [], []
    for start in range(0, len(scores), block):
        tile = scores[start : start + block]
        new = max(top, tile.max())
        shift = new if new > -np.inf else 0.0
        total = total * np.exp(top - shift) + np.exp(tile - shift).sum()
        top = new
        tops.append(top)
        totals.append(total)
    return np.array(tops), np.array(totals)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what comes in which order?</summary>
#
# For each block: the new maximum; the old total, rescaled by the old maximum minus the new one; the block's own powers,
# relative to the new maximum. Only then the new maximum becomes the old one.
# </details>
# <details><summary>Hint 2: where do I start?</summary>
#
# With what is known of no keys at all: the largest of no numbers is -inf, their sum is 0. exp(-inf - new) is 0, so the
# first block needs no special case.
# </details>
#
# Now **your** function draws. A block after which your numbers differ from the right ones is marked.

# %% demonstration=true
online_row(online_softmax)

# %% [markdown]
# ## 3. Attention by tiles
#
# Now the values. The output of a query is $\sum_j e^{s_j - \text{top}} v_j$ divided by total. Its numerator is a sum
# over keys like total is, relative to the same top. Call it **mixed**, a row of $d_v$ numbers for each query. It is
# rescaled by the same factor and grows in the same way.
#
# For a tile of $r$ queries and a tile of $c$ keys:
#
# | | in code | shape | |
# |:---|:---|:---|:---|
# | scores | `scores` | $(r, c)$ | of these queries with these keys, already divided by $\sqrt{d}$ |
# | values | `values` | $(c, d_v)$ | of these keys |
# | largest so far | `top` | $(r,)$ | one for each query |
# | sum so far | `total` | $(r,)$ | |
# | mixed so far | `mixed` | $(r, d_v)$ | not divided by anything yet |
#
# This step is the heart of FlashAttention. In the Triton kernel it will be the body of the loop, line for line.
#
# {{m22.add_tile}}


# %% exercise="m22.add_tile"
def add_tile(
    top: np.ndarray, total: np.ndarray, mixed: np.ndarray, scores: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is known of r queries after c more keys.

    Args:
        top: the largest score so far, shape (r,); -inf for a query that has seen no key.
        total: the sum of exp(score - top) so far, shape (r,).
        mixed: the sum of exp(score - top) times the values so far, shape (r, d_v).
        scores: of the c new keys, shape (r, c); -inf for hidden ones.
        values: of the new keys, shape (c, d_v).

    Returns:
        The new (top, total, mixed), of the same shapes, without NaN whatever is hidden. No argument is changed.

    >>> top, total, mixed = np.array([0.0]), np.array([1.0]), np.array([[10.0, 0.0]])  # one key seen, of score 0
    >>> top, total, mixed = add_tile(top, total, mixed, np.log([[4.0]]), np.array([[0.0, 8.0]]))  # one more, of log 4
    >>> np.exp(top).round(4).tolist(), total.tolist(), mixed.tolist()
    ([4.0], [1.25], [[2.5, 8.0]])
    """
    ### BEGIN SOLUTION
    new = np.maximum(top, scores.max(axis=1))
    shift = np.where(new > -np.inf, new, 0.0)
    fade, powers = np.exp(top - shift), np.exp(scores - shift[:, None])
    return new, total * fade + powers.sum(axis=1), mixed * fade[:, None] + powers @ values
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: a factor for each row</summary>
#
# `fade` has shape (r,), `mixed` has shape (r, d_v). `fade[:, None]` is a column, (r, 1), and multiplies each row by its
# own factor. Without it NumPy lines up the last axes: an error, or if r = d_v wrong numbers.
# </details>
# <details><summary>Hint 2: powers times values</summary>
#
# The sum over the c keys of powers (r, c) times values (c, d_v) is a matrix product.
# </details>

# %% question="m22.forgotten_factor"

# %% [markdown]
# Two loops are left. The outer one takes a tile of queries, starts with what is known of no keys, and lets the inner
# one walk over all tiles of keys. After it, divide. (The paper of 2022 had the loops the other way round. With queries
# outside, as in FlashAttention-2, what is known of a query stays on the chip until it is finished, and different
# queries need not wait for one another.)
#
# Besides the output, return the **log-sum-exp** of each query's scores,
#
# $$\mathrm{lse}_i = \log \sum_j e^{s_{ij}} = \text{top}_i + \log \text{total}_i \qquad (n,)$$
#
# One number from which any weight of the row can be had again: $p_{ij} = e^{s_{ij} - \mathrm{lse}_i}$. It is all that
# the way back will need besides what went in and came out.
#
# The check measures the memory that your function takes. An array of shape (n, m) is refused, and so is a whole row or
# column of tiles: the largest array has block_q times block_k numbers.
#
# {{m22.tiled_attention}}


# %% exercise="m22.tiled_attention"
def tiled_attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, block_q: int, block_k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scaled dot-product attention, one tile of scores at a time.

    Args:
        q, k, v: queries (n, d), keys (m, d), values (m, d_v).
        block_q, block_k: rows in a tile of queries and in one of keys; the last tile of each may be shorter.

    Returns:
        (output, lse): the output, shape (n, d_v), and the log-sum-exp of each query's scores, shape (n,). Beside these
        two and the arguments, no more memory is used than a few tiles take.

    >>> q, k, v = np.zeros((3, 2)), np.ones((5, 2)), np.arange(5.0)[:, None]  # all scores 0: the mean of the values
    >>> output, lse = tiled_attention(q, k, v, block_q=2, block_k=2)
    >>> output.round(6).tolist(), np.exp(lse).round(6).tolist()
    ([[2.0], [2.0], [2.0]], [5.0, 5.0, 5.0])
    """
    ### BEGIN SOLUTION
    output, lse = np.zeros((len(q), v.shape[1])), np.zeros(len(q))
    for i in range(0, len(q), block_q):
        q_tile = q[i : i + block_q]
        top, total = np.full(len(q_tile), -np.inf), np.zeros(len(q_tile))
        mixed = np.zeros((len(q_tile), v.shape[1]))
        for j in range(0, len(k), block_k):
            scores = q_tile @ k[j : j + block_k].T / np.sqrt(q.shape[1])
            top, total, mixed = add_tile(top, total, mixed, scores, v[j : j + block_k])
        output[i : i + block_q] = mixed / total[:, None]
        lse[i : i + block_q] = top + np.log(total)
    return output, lse
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: the last tile</summary>
#
# A slice may reach beyond the end: `q[6:9]` of 7 rows has one row. So ask the tile itself how many rows it has, and do
# not take it for granted that there are block_q of them.
# </details>
# <details><summary>Hint 2: where do top, total and mixed start?</summary>
#
# Anew for each tile of queries, before the loop over keys: -inf, 0 and 0. Inside of that loop they are carried on.
# </details>
#
# The result does not depend on how you cut. Try it: the same attention, in tiles of every size, and in two halves that
# know nothing of each other and are joined at the end by their log-sum-exp alone. That is how ring attention (ch09)
# joins what comes from several devices.

# %% demonstration=true
(attend,) = working("m22.tiled_attention")
rng = np.random.default_rng(22)
q, k, v = (rng.standard_normal((200, 32)) for _ in range(3))
whole, lse = attend(q, k, v, 200, 200)
for block_q, block_k in [(1, 1), (7, 13), (64, 32), (32, 64)]:
    difference = np.abs(attend(q, k, v, block_q, block_k)[0] - whole).max()
    print(f"tiles of {block_q:3} by {block_k:3}: largest difference from one tile {difference:.0e}")

(left, left_lse), (right, right_lse) = (attend(q, k[half], v[half], 64, 32) for half in (slice(80), slice(80, None)))
joined_lse = np.logaddexp(left_lse, right_lse)
joined = np.exp(left_lse - joined_lse)[:, None] * left + np.exp(right_lse - joined_lse)[:, None] * right
print(f"keys 0 to 79 and 80 to 199 apart, then joined: {np.abs(joined - whole).max():.0e}")

# %% [markdown]
# **What you should see** Differences of about $10^{-16}$: rounding, and nothing else. FlashAttention is exact. It is no
# approximation of attention, but another order of the same sums.
#
# ## 4. Tiles that nobody sees
#
# In a decoder, a token sees itself and what came before (ch06). Half of the table is hidden, and with tiles you can do
# what the three kernels cannot: leave whole tiles out, unread. Let the $n$ queries be the **last** of $m$ positions, as
# in a chat where the text so far is in the cache and $n$ new tokens come. Query $i$ stands at place $i + m - n$:
#
# $$\text{query } i \text{ sees key } j \iff j \le i + m - n$$
#
# The diagonal ends in the lower right corner of the table. (If $n > m$, the first $n - m$ queries see nothing at all.)
# Then a tile is one of three things:
#
# - **0, hidden**: no query of it sees any of its keys. It is not read.
# - **1, cut** by the diagonal: some see some. It is computed, and masked.
# - **2, whole**: every query of it sees each of its keys. It is computed, and needs no mask.
#
# To know which, you need not look at every score. Which one query and which one key of a tile decide whether *anything*
# is seen? Which two decide whether *all* is?
#
# {{m22.causal_tiles}}


# %% exercise="m22.causal_tiles"
def causal_tiles(n: int, m: int, block_q: int, block_k: int) -> np.ndarray:
    """Sort the tiles of a causal score table: hidden, cut by the diagonal, or seen as a whole.

    Args:
        n, m: number of queries and of keys; query i sees key j if j <= i + m - n.
        block_q, block_k: rows in a tile of queries and in one of keys; the last tile of each may be shorter.

    Returns:
        Whole numbers, shape (tiles of queries, tiles of keys): 0 if nothing in the tile is seen, 2 if everything is,
        else 1.

    >>> causal_tiles(4, 6, block_q=2, block_k=2)  # two new queries after each other, two keys were there before
    array([[2, 1, 0],
           [2, 2, 1]])
    """
    ### BEGIN SOLUTION
    tiles = np.zeros((-(-n // block_q), -(-m // block_k)), dtype=int)
    for a, b in np.ndindex(tiles.shape):
        first, last = a * block_q, min((a + 1) * block_q, n) - 1  # queries
        begin, end = b * block_k, min((b + 1) * block_k, m) - 1  # keys
        tiles[a, b] = int(begin <= last + m - n) + int(end <= first + m - n)
    return tiles
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: who sees most, who sees least?</summary>
#
# The last query of a tile sees furthest: if it does not see the tile's first key, nobody sees anything. The first query
# sees least: if it sees the tile's last key, everybody sees everything.
# </details>
# <details><summary>Hint 2: how many tiles?</summary>
#
# n / block_q, rounded up: `-(-n // block_q)`. The last row of the last tile is n - 1, wherever block_q would end.
# </details>

# %% demonstration=true
tile_map(causal_tiles)

# %% [markdown]
# *No picture above? Run the cell. On a page without a running notebook, only a still picture or this sentence stands
# here: a table of tiles, those above the diagonal hatched, those on it half dark, those below it dark.*
#
# **Try** Make the tiles smaller: what is computed comes closer to what is seen. Make block_q 8 and block_k 2, then the
# other way round. Move m to 32 with few queries: nearly nothing can be skipped. Then move n above m.
#
# Now put it to use. The check gives you `q`, `k` and `v` in "slow memory": objects of the class `Hbm`, which have a
# shape and a length like arrays, are read by slices of rows such as `k[j : j + block_k]`, and count what is read. You
# may read each tile that is needed once for each tile of queries, and no more. A query that sees nothing gets an output
# of 0 and a log-sum-exp of $-\infty$.
#
# {{m22.causal_attention}}


# %% exercise="m22.causal_attention"
def causal_attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, block_q: int, block_k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Causal attention by tiles; a tile that is hidden as a whole is not read.

    Args:
        q, k, v: queries (n, d), keys (m, d), values (m, d_v), arrays or `Hbm`; query i sees key j if j <= i + m - n.
            They are read by slices of rows only, a tile of queries once, a tile of keys and values once for each tile
            of queries that sees any of it.
        block_q, block_k: rows in a tile of queries and in one of keys; the last tile of each may be shorter.

    Returns:
        (output, lse), of shapes (n, d_v) and (n,). A query that sees no key has an output of 0 and an lse of -inf.

    >>> q, k, v = np.zeros((3, 2)), np.ones((4, 2)), np.arange(4.0)[:, None]  # the mean of the values seen
    >>> causal_attention(q, k, v, block_q=2, block_k=2)[0].round(6).tolist()
    [[0.5], [1.0], [1.5]]
    """
    ### BEGIN SOLUTION
    tiles = causal_tiles(len(q), len(k), block_q, block_k)
    output, lse = np.zeros((len(q), v.shape[1])), np.full(len(q), -np.inf)
    for a, i in enumerate(range(0, len(q), block_q)):
        q_tile = q[i : i + block_q]
        top, total = np.full(len(q_tile), -np.inf), np.zeros(len(q_tile))
        mixed = np.zeros((len(q_tile), v.shape[1]))
        places = np.arange(i, i + len(q_tile))[:, None] + len(k) - len(q)
        for b in np.flatnonzero(tiles[a]):
            j = b * block_k
            scores = q_tile @ k[j : j + block_k].T / np.sqrt(q.shape[1])
            if tiles[a, b] == 1:
                scores = np.where(np.arange(j, j + scores.shape[1]) <= places, scores, -np.inf)
            top, total, mixed = add_tile(top, total, mixed, scores, v[j : j + block_k])
        sees = total > 0
        output[i : i + block_q][sees] = mixed[sees] / total[sees, None]
        lse[i : i + block_q][sees] = top[sees] + np.log(total[sees])
    return output, lse
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what is new?</summary>
#
# Start from your `tiled_attention`. Three things change: a tile of kind 0 is passed over before it is read; in a tile
# of kind 1 hidden scores become -inf before `add_tile`; and the division has to leave out queries whose total is 0.
# </details>
# <details><summary>Hint 2: the mask of a tile</summary>
#
# Its rows are queries i, i + 1, ..., its columns are keys j, j + 1, ... Compare a row of keys with a column of places,
# `queries + m - n`. `np.where(condition, scores, -np.inf)` does the rest.
# </details>
# <details><summary>Hint 3: "lies in slow memory"</summary>
#
# You work on all of `q`, `k` or `v` somewhere, for instance to divide all queries by sqrt(d) at once. Load a tile
# first.
# </details>
#
# ## 5. The way back
#
# For training you need gradients, and here the table seems to come back: m02 kept what the way forward computed, and
# the gradient of the scores needs the weights $P$, $(n, m)$. FlashAttention does not keep them. It **computes them
# again**, tile by tile: with the log-sum-exp saved, $p_{ij} = e^{s_{ij} - \mathrm{lse}_i}$ needs no second pass for
# maximum and sum. That is more arithmetic and less to move, and you know by now what the chip has too much of.
#
# Let $L$ be the loss, and `grad_output` $= \partial L / \partial O$, $(n, d_v)$, be known. Go back step by step, as in
# m02. From $O = P V$:
#
# $$\frac{\partial L}{\partial V} = P^T \frac{\partial L}{\partial O} \quad (m, d_v) \qquad
# \frac{\partial L}{\partial P} = \frac{\partial L}{\partial O} V^T \quad (n, m)$$
#
# Through the softmax of row $i$ (its Jacobian is that of ch02), with $G = \partial L / \partial P$:
#
# $$\frac{\partial L}{\partial s_{ij}} = p_{ij} \Big( G_{ij} - \delta_i \Big) \qquad
# \delta_i = \sum_{j} p_{ij} G_{ij}$$
#
# And there is the trouble: $\delta_i$ is a sum over **all** keys, and you want to work on a tile. Write it out:
#
# $$\delta_i = \sum_j p_{ij} \sum_c \frac{\partial L}{\partial o_{ic}} v_{jc}
# = \sum_c \frac{\partial L}{\partial o_{ic}} \sum_j p_{ij} v_{jc} = \sum_c \frac{\partial L}{\partial o_{ic}} o_{ic}$$
#
# It is a product of two rows that you have, the output and its gradient, and no key is in it any more.
#
# > **Key insight.** Everything that a tile has to know of the rest of its row are two numbers for each query: lse, to
# > get its weights, and delta, to get its gradients. Whatever is saved for the way back has the size of $n$.
#
# Last, from $S = Q K^T / \sqrt{d}$:
#
# $$\frac{\partial L}{\partial Q} = \frac{1}{\sqrt d} \frac{\partial L}{\partial S} K \quad (n, d) \qquad
# \frac{\partial L}{\partial K} = \frac{1}{\sqrt d} \Big(\frac{\partial L}{\partial S}\Big)^T Q \quad (m, d)$$
#
# The gradient of a query gets a term from each tile of keys, that of a key (and of a value) one from each tile of
# queries. There is no mask in this exercise; with one, the tiles are left out that were left out on the way forward.
#
# {{m22.tiled_backward}}


# %% exercise="m22.tiled_backward"
def tiled_backward(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    output: np.ndarray,
    lse: np.ndarray,
    grad_output: np.ndarray,
    block_q: int,
    block_k: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Go back through `tiled_attention`, one tile of weights at a time.

    Args:
        q, k, v: what went in: (n, d), (m, d), (m, d_v).
        output, lse: what came out: (n, d_v), (n,).
        grad_output: gradient of the loss by the output, (n, d_v).
        block_q, block_k: rows in a tile of queries and in one of keys; the last tile of each may be shorter.

    Returns:
        (grad_q, grad_k, grad_v), of the shapes of q, k and v. Beside these and the arguments, no more memory is used
        than a few tiles take. No argument is changed.

    >>> q, k, v = np.zeros((1, 1)), np.array([[2.0], [0.0]]), np.array([[1.0], [5.0]])  # two weights of one half
    >>> grads = tiled_backward(q, k, v, np.array([[3.0]]), np.log([2.0]), np.array([[1.0]]), block_q=1, block_k=1)
    >>> [grad.round(6).tolist() for grad in grads]  # a larger q turns to the first key, whose value is smaller
    [[[-2.0]], [[0.0], [0.0]], [[0.5], [0.5]]]
    """
    ### BEGIN SOLUTION
    grad_q, grad_k, grad_v = np.zeros(q.shape), np.zeros(k.shape), np.zeros(v.shape)
    scale = 1 / np.sqrt(q.shape[1])
    delta = (output * grad_output).sum(axis=1)
    for i in range(0, len(q), block_q):
        rows = slice(i, i + block_q)
        for j in range(0, len(k), block_k):
            columns = slice(j, j + block_k)
            weights = np.exp(scale * q[rows] @ k[columns].T - lse[rows, None])
            grad_weights = grad_output[rows] @ v[columns].T
            grad_scores = scale * weights * (grad_weights - delta[rows, None])
            grad_q[rows] += grad_scores @ k[columns]
            grad_k[columns] += grad_scores.T @ q[rows]
            grad_v[columns] += weights.T @ grad_output[rows]
    return grad_q, grad_k, grad_v
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what is in a tile?</summary>
#
# scores, weights, grad_weights and grad_scores, each (rows of queries, rows of keys). From these come three products,
# each of which is *added* to the rows of a gradient.
# </details>
# <details><summary>Hint 2: which way round?</summary>
#
# (r, c) weights and (r, d_v) grad_output should give (c, d_v): the r has to be the inner index, so the weights are
# turned round.
# </details>
#
# As in m02, do not believe: measure. `numeric_gradient` moves one entry at a time through **your** way forward.

# %% demonstration=true
forward, back = working("m22.tiled_attention", "m22.tiled_backward")
rng = np.random.default_rng(22)
q, k, v, weight = (rng.standard_normal(shape) for shape in ((5, 3), (7, 3), (7, 2), (5, 2)))
output, lse = forward(q, k, v, 2, 3)
by_hand = back(q, k, v, output, lse, weight, 2, 3)  # the loss is sum(weight * output)
measured = [
    numeric_gradient(lambda q: float((weight * forward(q, k, v, 2, 3)[0]).sum()), q),
    numeric_gradient(lambda k: float((weight * forward(q, k, v, 2, 3)[0]).sum()), k),
    numeric_gradient(lambda v: float((weight * forward(q, k, v, 2, 3)[0]).sum()), v),
]
for name, one, other in zip(("grad_q", "grad_k", "grad_v"), by_hand, measured, strict=True):
    print(f"{name} {one.shape!s}: largest difference from the measured one {np.abs(one - other).max():.0e}")

# %% [markdown]
# **What you should see** Agreement to about ten digits.
#
# ## 6. Count the bytes
#
# What did it bring? Count what moves between slow memory and the chip. Plain attention: the three kernels of section 1,
# each of which reads its inputs and writes its output as a whole. (They do not know of tiles, so a causal mask changes
# nothing for them.) By tiles:
#
# - a tile of queries is read once, stays for its whole loop, and its output is written once;
# - a tile of keys, and the values that belong to it, is read once **for each tile of queries** that needs it. We assume
#   that nothing stays on the chip from one tile of queries to the next;
# - a log-sum-exp in float32, 4 bytes, is written for each query.
#
# Rows are counted as they are: a last tile that is shorter has fewer.
#
# {{m22.attention_bytes}}


# %% exercise="m22.attention_bytes"
def attention_bytes(
    n: int, m: int, d: int, block_q: int, block_k: int, itemsize: int = 2, causal: bool = False
) -> dict[str, int]:
    """Bytes that one head of attention moves to and from slow memory on the way forward.

    Args:
        n, m: number of queries and of keys.
        d: width of queries, keys and values.
        block_q, block_k: rows in a tile of queries and in one of keys; the last tile of each may be shorter.
        itemsize: bytes of a number in q, k, v, output and the table.
        causal: whether tiles are skipped of which no query sees a key (`causal_tiles`).

    Returns:
        {"naive": bytes of the three kernels, "tiled": bytes by tiles}, two ints.

    >>> attention_bytes(4, 6, 2, block_q=2, block_k=2)  # 136 numbers; 16 for q and output, 48 for k and v, 4 * 4 bytes
    {'naive': 272, 'tiled': 144}
    """
    ### BEGIN SOLUTION
    naive = 2 * n * d + 2 * m * d + 4 * n * m
    heights = np.minimum(block_k, m - np.arange(0, m, block_k))
    tiles = causal_tiles(n, m, block_q, block_k) if causal else np.ones((-(-n // block_q), len(heights)))
    rows = int(((tiles > 0) * heights).sum())
    return {"naive": itemsize * naive, "tiled": itemsize * (2 * n * d + 2 * rows * d) + 4 * n}
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how often are the keys read?</summary>
#
# Without a mask, as often as there are tiles of queries: n / block_q, rounded up. Each time all m rows of keys and all
# m rows of values are read.
# </details>
# <details><summary>Hint 2: with a mask</summary>
#
# `causal_tiles(...) > 0` says which tiles are read. A tile of keys has block_k rows, the last one m minus what came
# before. Multiply and sum.
# </details>
#
# A formula should be held against the thing itself. Put arrays into slow memory, let **your** `causal_attention` read
# them, and compare what it read with what your formula says. Then ask what the H100 of section 1 would make of it.

# %% demonstration=true
attend, count = working("m22.causal_attention", "m22.attention_bytes")
n, d = 500, 64
rng = np.random.default_rng(22)
arrays = [rng.standard_normal((n, d)).astype(np.float32) for _ in range(3)]
print(f"n = m = {n}, d = {d}, float32, causal")
for block_q, block_k in [(16, 64), (32, 64), (64, 64), (128, 64), (64, 16)]:
    slow = [Hbm(array) for array in arrays]
    attend(*slow, block_q, block_k)
    moved = sum(array.bytes_read for array in slow) + 4 * n * d + 4 * n  # read, and output and lse written
    said = count(n, n, d, block_q, block_k, 4, True)["tiled"]
    print(f"tiles of {block_q:3} by {block_k}: measured {moved:9,} bytes, formula {said:9,}")

n, operations_a_second, bytes_a_second = 4096, 989e12, 3.35e12  # NVIDIA's data sheet, H100 SXM, 16 bits
print(f"\nn = m = {n}, d = {d}, 16 bits, all keys seen: {4 * n * n * d / operations_a_second * 1e6:.1f} microseconds"
      " of arithmetic")  # fmt: skip
sizes = {"naive": count(n, n, d, 64, 64)["naive"]}
sizes |= {f"block_q = {b}": count(n, n, d, b, 64)["tiled"] for b in (16, 64, 128, 256, 512)}
for name, size in sizes.items():
    print(f"{name:13} {size / 1e6:7.1f} MB   {size / bytes_a_second * 1e6:5.1f} microseconds to move"
          f"   {4 * n * n * d / size:5.0f} operations for each byte")  # fmt: skip

# %% [markdown]
# **What you should see** Formula and measurement agree to the byte. The taller the tiles of queries, the fewer bytes;
# the height of the tiles of keys hardly matters (only through what the diagonal cuts). The operations for each byte
# grow with the height, and between 256 and 512 they pass the 295 of section 1: from there on the arithmetic is what
# takes the time. But look at block_q = 16: such small tiles move *more* than the plain way, as all keys and values are
# read 256 times. That there is no table is not yet a gain.
#
# **When this holds** Counted are requests of tiles. A real GPU has a cache between HBM and the chip, which many tiles
# of queries share, so it gets there with smaller tiles. On the other side stands the size of SRAM: on an H100 228 KB
# for each group of arithmetic units, into which the tiles of q, k and v, the scores and the mixed values have to fit.
# Dao et al. put both into one formula: about $n^2 d^2 / M$ numbers move, with $M$ the numbers that fit into SRAM.

# %% question="m22.which_block_to_grow"

# %% [markdown]
# ## 7. Experiment: three times as fast, with half of the memory?
#
# So it is often told. The paper's own summary is more careful: three times as fast for training GPT-2 with 1024 tokens,
# on the GPUs of 2022; and memory that grows with $n$ instead of $n^2$, so that no single percentage can be right. What
# holds here? Three ways are measured, in float32, one thread: *plain*, the three kernels in torch; *fused*, torch's own
# kernel of this kind; and *yours*, in NumPy with Python's loops. Time is the processor's. Memory is the most that a
# call takes at one moment beyond its arguments, what it needs inside of a kernel included (`course/measure.py`).

# %% demonstration=true
attend, attend_causal = working("m22.tiled_attention", "m22.causal_attention")
d = 64


def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    """Scores, softmax, mixture: q, k, v of shape (h, n, d)."""
    scores = q @ k.mT / d**0.5
    if causal:
        hidden = torch.ones(scores.shape[1:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill_(hidden, -torch.inf)
    return scores.softmax(-1) @ v


def fused(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    """torch's own."""
    return F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=causal)[0]


def yours(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> np.ndarray:
    """Your function, head by head."""
    function = attend_causal if causal else attend
    return np.stack([function(*head, 64, 64)[0] for head in zip(q.numpy(), k.numpy(), v.numpy(), strict=True)])


grid = [(1, False, n) for n in (256, 512, 1024, 2048, 4096)]
grid += [(heads, causal, n) for heads, causal in ((1, True), (8, False), (8, True)) for n in (512, 1024, 2048)]
found = {}
for heads, causal, n in tqdm(grid, desc="measuring", leave=False):
    generator = torch.Generator().manual_seed(n)
    qkv = [torch.randn(heads, n, d, generator=generator) for _ in range(3)]
    for way in (plain, fused, yours) if heads == 1 else (plain, fused):
        call = lambda way=way, qkv=qkv, causal=causal: way(*qkv, causal)  # noqa: E731
        repeats = 5 if n * heads <= 1024 else 1
        found[way.__name__, heads, causal, n] = measure.seconds(call, repeats), measure.memory(call).peak

print("heads  causal     n      time, ms: plain   fused   yours   faster    memory, MB: plain   fused   yours    less")
for heads, causal, n in grid:
    (t0, m0), (t1, m1) = found["plain", heads, causal, n], found["fused", heads, causal, n]
    t2, m2 = found.get(("yours", heads, causal, n), (float("nan"), float("nan")))
    own = [f"{1e3 * t2:7.1f}", f"{m2 / 1e6:7.2f}"] if t2 == t2 else [" " * 7] * 2
    print(f"{heads:5}  {'yes' if causal else 'no':6} {n:5} {1e3 * t0:20.1f} {1e3 * t1:7.1f} {own[0]} {t0 / t1:7.1f}x"
          f" {m0 / 1e6:20.2f} {m1 / 1e6:7.2f} {own[1]} {1 - m1 / m0:7.1%}")  # fmt: skip

lengths = [n for heads, causal, n in grid if (heads, causal) == (1, False)]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
styles = {"plain": (plots.KEY, "s"), "fused": (plots.QUERY, "o"), "yours": (plots.VALUE, "D")}
for name, (colour, marker) in styles.items():
    times, peaks = zip(*[found[name, 1, False, n] for n in lengths], strict=True)
    left.plot(lengths, [1e3 * t for t in times], color=colour, marker=marker, label=name)
    right.plot(lengths, [p / 1e6 for p in peaks], color=colour, marker=marker, label=name)
left.set(ylabel="processor time, ms", title="Time: one head, all keys seen")
right.set(ylabel="memory at its peak, MB", title="Memory")
for panel in (left, right):
    panel.set(xscale="log", yscale="log", xlabel="tokens n")
    panel.set_xticks(lengths, [str(n) for n in lengths])
    panel.minorticks_off()
    panel.legend()
plt.show()

# %% [markdown]
# **What you should see** *Memory:* plain takes four times as much whenever n doubles, the other two about twice. At 512
# tokens fused takes about a tenth of plain, from 2048 on less than a twentieth, at 4096 about a hundredth. "Half of the
# memory" is far too modest, and no percentage holds for long. *Time:* with one head and all keys seen, fused is little
# faster up to 512 tokens, two or three times at 1024 and 2048 depending on what fits into the cache, and three times at
# 4096. With eight heads it is about three times at 2048, with a mask as well about five times: tiles are skipped that
# plain computes. At 512 tokens "three times" holds nowhere.
#
# *Yours* is nearly as thrifty as fused: that is the algorithm. But on short texts it is two or three times slower than
# plain, and about even with it at 4096. Each of its steps is a call of NumPy that fetches a small array, writes a small
# array, and goes through Python in between. A tile never stays anywhere. In a fused kernel it stays in registers and
# SRAM from the first product to the last. NumPy cannot say that; for this a language is needed that can, and it comes
# next.
#
# **When this holds** On this processor, in float32, for the forward pass, with these widths. Here the processor's cache
# plays the part of SRAM, and main memory is nearer to it than HBM to a GPU's arithmetic. Times on a busy machine vary,
# the bytes do not.
#
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

# %%
progress("m22")

# %% [markdown]
# ## Recap
#
# Attention on a GPU waits for its table of scores, which moves four times between the large memory and the chip. A
# softmax can be had in one pass, from a running maximum and a running sum that are rescaled when the maximum grows, so
# attention can go tile by tile and the table need not exist, neither on the way forward nor, with one log-sum-exp kept
# for each query, on the way back. The numbers are the same; the memory grows with $n$, and the bytes shrink by the
# height of the tiles. As a Triton kernel the same loop keeps its tiles on the chip, and every byte that it asks for can
# be counted.
#
# **Now you can read** [Milakov and Gimelshein 2018](https://arxiv.org/abs/1805.02867) (the online softmax); [Rabe and
# Staats 2021](https://arxiv.org/abs/2112.05682) (attention does not need $O(n^2)$ memory); [Dao et al.
# 2022](https://arxiv.org/abs/2205.14135) (FlashAttention), [Dao 2023](https://arxiv.org/abs/2307.08691)
# (FlashAttention-2) and [Shah et al. 2024](https://arxiv.org/abs/2407.08608) (FlashAttention-3).
#
# **Next** m23, attention residuals. Back to [ch09 Mixtures of experts and
# scaling](../ch09_moe_scaling/ch09_moe_scaling.ipynb), where the fused kernel stands beside other ways to make
# attention cheaper.
