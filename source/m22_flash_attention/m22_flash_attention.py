# %% [markdown]
# # m22 · FlashAttention
#
# The attention that you built in ch02 spends most of its time on a GPU waiting. It writes a table with a number for
# each pair of tokens into memory, reads it, writes it again, reads it again, and throws it away. In this lesson you
# build the algorithm that never makes this table, and gives the same numbers: a softmax in one pass, attention tile by
# tile, tiles that a causal mask lets you skip, and the way back from a single number kept for each query. You count
# the bytes that it moves, measure them, and hold a famous claim against your own measurements.
#
# {{exercises}}
#
# **Time** about 150 minutes. **Before this** [ch02 Scaled dot-product
# attention](../ch02_scaled_dot_product/ch02_scaled_dot_product.ipynb), [ch06 The decoder
# block](../ch06_decoder/ch06_decoder.ipynb) (the causal mask) and [m02 MLP from
# scratch](../m02_mlp_from_scratch/m02_mlp_from_scratch.ipynb) (backward passes by hand). **You need** NumPy slices and
# broadcasting.
#
# **Where this is used** FlashAttention (Dao et al. 2022) and its successors compute the attention of nearly every large
# model, in training and in use. PyTorch's `scaled_dot_product_attention` chooses such a kernel by itself. Ring
# attention and paged attention rest on the same step, which you write in section 3.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from course import begin, check, measure, plots, progress
from course.carry import numeric_gradient, working
from course.supplied.m22 import Hbm
from course.widgets import online_row, tile_map

torch.set_num_threads(1)  # so that times can be compared
begin("m22_flash_attention")

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
# ## 8. The same as a Triton kernel
#
# (The Triton half goes here.)

# %%
progress("m22")

# %% [markdown]
# ## Recap
#
# Attention on a GPU waits for its table of scores, which moves four times between the large memory and the chip. A
# softmax can be had in one pass, from a running maximum and a running sum that are rescaled when the maximum grows, so
# attention can go tile by tile and the table need not exist, neither on the way forward nor, with one log-sum-exp kept
# for each query, on the way back. The numbers are the same; the memory grows with $n$, and the bytes shrink by the
# height of the tiles.
#
# **Now you can read** [Milakov and Gimelshein 2018](https://arxiv.org/abs/1805.02867) (the online softmax); [Rabe and
# Staats 2021](https://arxiv.org/abs/2112.05682) (attention does not need $O(n^2)$ memory); [Dao et al.
# 2022](https://arxiv.org/abs/2205.14135) (FlashAttention), [Dao 2023](https://arxiv.org/abs/2307.08691)
# (FlashAttention-2) and [Shah et al. 2024](https://arxiv.org/abs/2407.08608) (FlashAttention-3).
#
# **Next** m23, attention residuals. Back to [ch09 Mixtures of experts and
# scaling](../ch09_moe_scaling/ch09_moe_scaling.ipynb), where the fused kernel stands beside other ways to make
# attention cheaper.
