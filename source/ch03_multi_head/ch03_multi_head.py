# %% [markdown]
# # ch03 · Multi-head attention
#
# In ch02 a token asked one question of all the others. But a word has more than one thing to find out: what stands
# before it, whom it refers to, which words are of its kind. In this chapter you let several small attentions, called
# **heads**, look at the same sentence side by side. You cut vectors into slices, run your attention in each slice, lay
# the results side by side again, and then find out what all this costs: almost nothing on paper, and something on a
# real machine.
#
# {{exercises}}
#
# **Time** about 60 minutes. **Before this** [ch01 Attention from scratch](../ch01_attention/ch01_attention.ipynb)
# (softmax) and [ch02 Scaled dot-product attention](../ch02_scaled_dot_product/ch02_scaled_dot_product.ipynb) (queries,
# keys, values). **You need** NumPy arrays with three axes.
#
# **Where this is used** In every Transformer. The first one,
# [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), had 8 heads in each layer; BERT-base and GPT-2 small have 12,
# the largest GPT-3 has 96.

# %%
import matplotlib.pyplot as plt
import numpy as np

from course import begin, check, progress
from course.carry import scaled_dot_product_attention, softmax  # from ch02 and ch01: yours, once they pass there
from course.widgets import head_flow, head_patterns, split_map

begin("ch03_multi_head")

# %% [markdown]
# ## 1. One head, one look
#
# Read this sentence: *The cat sat on the mat because it was tired.* To understand "it", you look back at "cat". You
# also notice that "because" stands right before it, and that it is a pronoun. These are three looks at three places.
#
# A row of attention weights sums to 1. So one head that wants to look at two words has to share: at most half for each,
# and what it fetches is the average of the two. The way out is simple. Use **several heads**. Each has queries, keys
# and values of its own, and its own softmax, so each has a whole 1 to give away.
#
# Pick a head below. Click a row of the first table to choose another word.

# %% demonstration=true
head_patterns()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only this sentence stands here:
# the picture shows four tables of attention weights for one sentence. Head 0 looks at the word before, head 1 leads
# from "it" to "cat", head 2 joins words of the same kind, head 3 always looks at the first word.*
#
# **Try** The second table shows what "it" looks at: one word, four different looks. Choose other words. Then pull the
# strength down to 0. What do all heads do now? (A query of length 0 gives every key the score 0, so all weights are
# 0.10.) Last, switch the mask on: words that come later are hidden, and the others share their weight.
#
# > **Made by hand.** Nobody trained these four heads. Each word has a made-up vector (its place, its kind of word,
# > whether it is alive), and the projections were chosen so that the patterns come out clean. In trained models, heads
# > much like these have been found: for the previous word, for coreference and for certain grammatical roles in BERT
# > ([Clark et al. 2019](https://arxiv.org/abs/1906.04341)), for positions and grammar in translation
# > ([Voita et al. 2019](https://arxiv.org/abs/1905.09418)), for the first token in GPT-2
# > ([Vig and Belinkov 2019](https://arxiv.org/abs/1906.04284)). Most trained heads are less clean. They blend several
# > jobs, or have none that we can name, and many can be removed with little loss
# > ([Michel et al. 2019](https://arxiv.org/abs/1905.10650)). A weight also tells where a head looks, not by itself why
# > the model decides ([Jain and Wallace 2019](https://arxiv.org/abs/1902.10186)).

# %% question="ch03.why_several_heads"

# %% [markdown]
# ## 2. Split: a slice for each head
#
# Where do the heads get their queries from? You could give each its own three matrices. The usual way comes to the same
# and is shorter: project once, with one large matrix, and **cut** the result into slices.
#
# | symbol | in code | shape | |
# |:---|:---|:---|:---|
# | $n$ | `n` | | number of tokens |
# | $d_{model}$ | `d_model` | | width of a token's vector |
# | $h$ | `heads` | | number of heads |
# | $d_{head}$ | `d_head` | | width of a head, $d_{model} / h$ |
# | $Q = X W_Q$ | `x @ w_q` | $(n, d_{model})$ | all queries of all heads |
# | $Q_i$ | `q[i]` | $(n, d_{head})$ | the queries of head $i$ |
#
# Head $i$ gets the columns from $i \cdot d_{head}$ up to (but without) $(i+1) \cdot d_{head}$, **of every token**. The
# number of heads has to divide $d_{model}$. With $d_{model} = 6$ and two heads, head 0 gets columns 0, 1, 2 and head 1
# gets columns 3, 4, 5.
#
# The heads then stand in front, as the first axis: `(heads, n, d_head)`. Seen in this way, `q[i]` is a matrix with a
# row for each token, just like $Q$ in ch02.
#
# {{ch03.split_heads}}


# %% exercise="ch03.split_heads"
def split_heads(x: np.ndarray, heads: int) -> np.ndarray:
    """Cut every token's vector into one slice for each head.

    Args:
        x: one row for each token, shape (n, d_model).
        heads: number of heads; it divides d_model.

    Returns:
        Array of shape (heads, n, d_head) with d_head = d_model / heads. Entry [i, t] is slice i of token t: columns
        i * d_head up to (i + 1) * d_head of row t.

    >>> split_heads(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), 2).tolist()
    [[[1, 2], [5, 6]], [[3, 4], [7, 8]]]
    """
    ### BEGIN SOLUTION
    slices = x.reshape(len(x), heads, -1)  # a row holds one token, so its columns may be cut in place
    return slices.swapaxes(0, 1)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: two steps</summary>
#
# `reshape` never moves a number: it reads row after row and only changes where rows end. Into which three axes can you
# reshape (n, d_model) so that tokens stay apart from each other? Then bring the axes into the order that is asked for.
# </details>
# <details><summary>Hint 2: a plain way</summary>
#
# You may also take slices `x[:, start:stop]` in a loop and put them together with `np.stack`.
# </details>

# %% question="ch03.reshape_alone"

# %% [markdown]
# ## 3. Merge: side by side again
#
# After attention every head has one result for each token, `(heads, n, d_head)`. The next layer wants one vector for
# each token. So the slices go back to where they came from: for each token, the result of head 0, then that of head 1,
# and so on. The paper calls this **concatenation**:
#
# $$\mathrm{Concat}(O_0, \ldots, O_{h-1}) \qquad \text{each } O_i: (n, d_{head}) \qquad
# \text{together: } (n, h \cdot d_{head}) = (n, d_{model})$$
#
# Merging undoes splitting: `merge_heads(split_heads(x, heads))` is `x` again.
#
# {{ch03.merge_heads}}


# %% exercise="ch03.merge_heads"
def merge_heads(x: np.ndarray) -> np.ndarray:
    """Lay the heads side by side, so that each token has one row again.

    Args:
        x: one matrix for each head, shape (heads, n, d_head).

    Returns:
        Array of shape (n, heads * d_head). Row t is x[0, t], then x[1, t], and so on.

    >>> merge_heads(np.array([[[1, 2], [5, 6]], [[3, 4], [7, 8]]])).tolist()
    [[1, 2, 3, 4], [5, 6, 7, 8]]
    """
    ### BEGIN SOLUTION
    return x.swapaxes(0, 1).reshape(x.shape[1], -1)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: backwards</summary>
#
# You undo the two steps of `split_heads`. In which order do you undo "put on socks, put on shoes"?
# </details>
#
# ### Follow the numbers
#
# Below, **your** two functions move numbers that say where they come from: 2.3 is token 2, column 3. Each token has its
# own shade. In a right split every head shows all shades.

# %% demonstration=true
split_map(split_heads, merge_heads)

# %% [markdown]
# *Without a running notebook: three tables, x of shape (4, 6), the two heads of shape (2, 4, 3) under one another, and
# the merged result, which equals x.*
#
# **Try** Let your `split_heads` only reshape, straight to `(heads, n, d_head)`, without swapping axes. Run its cell and
# the picture again, and look at head 0: it has the right shape, but "sat" and "down" are not in it. Then put your own
# version back.
#
# ## 4. Attend in every head
#
# Now put it together. Each head does what you built in ch02, with its own slices:
#
# $$\begin{aligned}
# Q &= X W_Q \quad K = X W_K \quad V = X W_V && (n, d_{model}) \\
# A_i &= \mathrm{softmax}\!\left(\frac{Q_i K_i^T}{\sqrt{d_{head}}}\right) && (n, n) \text{, the weights of head } i \\
# O_i &= A_i V_i && (n, d_{head}) \\
# \mathrm{output} &= \mathrm{Concat}(O_0, \ldots, O_{h-1})\, W_O && (n, d_{model})
# \end{aligned}$$
#
# Three things are new.
#
# - **The scale** is $\sqrt{d_{head}}$, not $\sqrt{d_{model}}$: a head's dot product has only $d_{head}$ terms.
# - **$W_O$**, of shape $(d_{model}, d_{model})$, comes last. So far the heads have not seen each other's results; each
#   filled its own columns. $W_O$ mixes them. You can also read it as a sum: head $i$ writes $O_i$ times its own
#   $d_{head}$ rows of $W_O$, and the output adds up what all heads write.
# - **The mask** is an optional table of permissions, boolean, of shape $(n, n)$: `mask[i, j]` is True where token $i$
#   may look at token $j$. Where it is False, the score becomes $-\infty$ before the softmax, because $e^{-\infty} = 0$.
#   All heads use the same mask. You will need it in
#   [ch06 The decoder block](../ch06_decoder/ch06_decoder.ipynb), where no token may look into the future.
#
# Step through it. The strips show the numbers of one token.

# %% demonstration=true
head_flow(split_heads, merge_heads)

# %% [markdown]
# *Without a running notebook: boxes from left to right. x (4, 8) becomes q, k, v (4, 8); q is split into two heads
# (4, 4); each head has weights (4, 4) and a result (4, 4); these are merged into (4, 8) and multiplied by w_o.*
#
# > **Key insight.** More heads do not make the vectors wider. They cut the same width into more pieces, and each piece
# > gets its own softmax: its own opinion on where to look.
#
# The four matrices come in a dictionary `p` with the keys `"w_q"`, `"w_k"`, `"w_v"` and `"w_o"`.
#
# {{ch03.multi_head_attention}}
#
# Use your `split_heads` and `merge_heads`, and `softmax` from ch01. If one of your two functions is not right yet, this
# exercise is still graded by itself.


# %% exercise="ch03.multi_head_attention"
def multi_head_attention(
    x: np.ndarray, p: dict[str, np.ndarray], heads: int, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2.2), without biases.

    Args:
        x: tokens, shape (n, d_model).
        p: "w_q", "w_k", "w_v" and "w_o", each of shape (d_model, d_model).
        heads: number of heads; it divides d_model.
        mask: shape (n, n), dtype bool; True = may look. Every row has at least one True. None: all may look at all.

    Returns:
        (output, weights) of shapes (n, d_model) and (heads, n, n). weights[i, t] sums to 1: what token t looks at in
        head i.

    >>> same = {name: np.eye(2) for name in ("w_q", "w_k", "w_v", "w_o")}
    >>> output, weights = multi_head_attention(np.array([[1.0, 0.0], [1.0, 8.0]]), same, heads=2)
    >>> output.round(2).tolist(), weights.round(2).tolist()
    ([[1.0, 4.0], [1.0, 8.0]], [[[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.0, 1.0]]])
    """
    ### BEGIN SOLUTION
    q, k, v = (split_heads(x @ p[name], heads) for name in ("w_q", "w_k", "w_v"))
    scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])  # (heads, n, n): @ multiplies the matrices of each head
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    weights = softmax(scores)
    return merge_heads(weights @ v) @ p["w_o"], weights
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: matrix products with a third axis</summary>
#
# With arrays of three axes, `a @ b` multiplies the last two axes as matrices and does so for each entry of the first:
# (heads, n, d_head) @ (heads, d_head, n) gives (heads, n, n). A loop over the heads is just as right.
# </details>
# <details><summary>Hint 2: transposing the keys</summary>
#
# `.T` would reverse all three axes. You only want to swap the last two: look at `swapaxes` or `transpose`.
# </details>
# <details><summary>Hint 3: the mask</summary>
#
# `np.where(mask, scores, other)` works although `mask` is (n, n) and `scores` is (heads, n, n): NumPy uses the same
# mask for every head. What must `other` be, so that its exponential is exactly 0? And what if `mask` is None?
# </details>
#
# ### Your heads at work
#
# The same two pictures as before, now computed by **your** functions. Wrong numbers are marked.

# %% demonstration=true
head_flow(split_heads, merge_heads, multi_head_attention)

# %% demonstration=true
head_patterns(multi_head_attention)

# %% [markdown]
# One head is a special case: nothing is cut, so what is left is ch02 followed by $W_O$. Compare your new function with
# the old one:

# %% demonstration=true
rng = np.random.default_rng(30)
tokens = rng.standard_normal((5, 6))
p = {name: rng.standard_normal((6, 6)) for name in ("w_q", "w_k", "w_v", "w_o")}

one_head, _ = multi_head_attention(tokens, p, heads=1)
ch02_output, _ = scaled_dot_product_attention(tokens @ p["w_q"], tokens @ p["w_k"], tokens @ p["w_v"])
print("one head against ch02, largest difference:", np.abs(one_head - ch02_output @ p["w_o"]).max())

two_heads, _ = multi_head_attention(tokens, p, heads=2)
print("two heads against one, largest difference:", np.abs(two_heads - one_head).max())

# %% [markdown]
# The first difference is 0, or as small as rounding (below $10^{-12}$). The second is not: the same matrices, cut into
# two heads, compute something else.
#
# ## 5. What does it cost?
#
# Two numbers describe the price of a layer. **Parameters** are the learned numbers that have to be stored. **FLOPs**
# (floating-point operations) are the additions and multiplications that have to be done. A matrix product of shapes
# $(a, b)$ and $(b, c)$ has $a \cdot c$ entries; each is a sum of $b$ products. We count $b$ multiplications and $b$
# additions, so it costs $2abc$ FLOPs.
#
# A third number matters on real machines: how many **attention weights** there are, over all heads. Each is written to
# memory, goes through the softmax, and is read again.
#
# Count only matrix products: the projections (with $W_O$), and in each head the scores and the mixing of values. The
# softmax, the scale and the mask are left out, as is usual.
#
# {{ch03.attention_cost}}
#
# Before you write it, guess: which of these numbers change if you use 8 heads in place of 1, at the same $d_{model}$?


# %% exercise="ch03.attention_cost"
def attention_cost(n: int, d_model: int, heads: int) -> dict[str, int]:
    """What multi-head attention costs for n tokens.

    Args:
        n: number of tokens.
        d_model: width of a token's vector.
        heads: number of heads; it divides d_model.

    Returns:
        A dictionary of four whole numbers:
        "parameters": entries of w_q, w_k, w_v and w_o together; there are no biases.
        "projection_flops": FLOPs of the four products with these matrices.
        "attention_flops": FLOPs of the scores and of the mixing of values, all heads together.
        "weights": attention weights of all heads together.

    >>> attention_cost(n=2, d_model=4, heads=2)
    {'parameters': 64, 'projection_flops': 256, 'attention_flops': 64, 'weights': 8}
    """
    ### BEGIN SOLUTION
    d_head = d_model // heads
    one_head = 2 * (2 * n * n * d_head)  # (n, d_head) times (d_head, n), then (n, n) times (n, d_head)
    return {
        "parameters": 4 * d_model**2,
        "projection_flops": 4 * (2 * n * d_model**2),
        "attention_flops": heads * one_head,
        "weights": heads * n**2,
    }
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: list the products</summary>
#
# Write down the shapes of every matrix product in your `multi_head_attention`: four before and after the heads, and two
# inside of each head. In the example n = 2, d_model = 4, so one projection costs 2 * 2 * 4 * 4 = 64.
# </details>
#
# Look at your formulas: the projections grow with $n$, the attention with $n^2$. Twice as long a text costs twice as
# much here and four times as much there. That is why long texts are expensive.

# %% question="ch03.equal_width"

# %% [markdown]
# ## Experiment: one head or eight, at equal width?
#
# You compute the three costs with **your** `attention_cost`, and measure the time of **your** `multi_head_attention`,
# for 1 to 16 heads at the same $d_{model}$. To see where the time goes, two parts are timed by themselves on arrays of
# the same shapes: all matrix products, and the softmax with the scale. Of many runs the shortest counts, because
# whatever else a machine does can only make a run slower.

# %% demonstration=true
from time import perf_counter

from tqdm.auto import tqdm

n, d_model, rounds, budget = 128, 128, 40, 2.5  # at most so many rounds, and so many seconds
head_counts = [1, 2, 4, 8, 16]
rng = np.random.default_rng(3)
x = rng.standard_normal((n, d_model))
p = {name: rng.standard_normal((d_model, d_model)) / np.sqrt(d_model) for name in ("w_q", "w_k", "w_v", "w_o")}


def products_alone(q, k, v, scores) -> None:
    """All matrix products of the layer, on arrays of its shapes."""
    for w in p.values():
        x @ w
    q @ k
    scores @ v


def softmax_alone(q, k, v, scores) -> None:
    """The scale and the softmax of all heads."""
    softmax(scores / 4.0)


def milliseconds(action, *arguments) -> float:
    """How long one call takes."""
    start = perf_counter()
    action(*arguments)
    return 1000 * (perf_counter() - start)


shapes = {h: [(h, n, d_model // h), (h, d_model // h, n), (h, n, d_model // h), (h, n, n)] for h in head_counts}
arrays = {h: [rng.standard_normal(shape) for shape in shapes[h]] for h in head_counts}
parts = ["all (your function)", "matrix products alone", "scale and softmax alone"]
best = {name: dict.fromkeys(head_counts, np.inf) for name in parts}
start = perf_counter()
runs = 0
for _ in tqdm(range(rounds), desc="measuring", leave=False):
    for h in head_counts:
        calls = [(multi_head_attention, x, p, h), (products_alone, *arrays[h]), (softmax_alone, *arrays[h])]
        for name, call in zip(parts, calls, strict=True):
            best[name][h] = min(best[name][h], milliseconds(*call))
    runs += 1
    if perf_counter() - start > budget:
        break

print(f"n = {n}, d_model = {d_model}; shortest time of {runs} runs, in milliseconds")
print("heads  parameters  FLOPs (millions)  attention weights     all  products  softmax")
costs = {h: attention_cost(n, d_model, h) for h in head_counts}
flops = {h: cost["projection_flops"] + cost["attention_flops"] for h, cost in costs.items()}
for h, cost in costs.items():
    print(f"{h:>5} {cost['parameters']:>11,} {flops[h] / 1e6:>17.1f} {cost['weights']:>18,}", end="")
    print("".join(f"{best[name][h]:>{width}.2f}" for name, width in zip(parts, (8, 10, 9), strict=True)))

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
counted = {
    "parameters": [cost["parameters"] for cost in costs.values()],
    "FLOPs": list(flops.values()),
    "attention weights": [cost["weights"] for cost in costs.values()],
}
for (label, numbers), marker in zip(counted.items(), "soD", strict=True):
    left.plot(head_counts, np.array(numbers) / numbers[0], marker=marker, label=label)
left.set(title="Counted", ylabel="times as much as with 1 head", yscale="log")
left.set_yticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
for name, marker in zip(parts, "oDs", strict=True):
    right.plot(head_counts, list(best[name].values()), marker=marker, label=name)
right.set(title="Measured on this machine", ylabel="milliseconds", ylim=(0, None))
for panel in (left, right):
    panel.set_xscale("log", base=2)
    panel.set_xticks(head_counts, [str(h) for h in head_counts])
    panel.set_xlabel(f"heads (d_model = {d_model} throughout)")
    panel.minorticks_off()
    panel.legend()
plt.show()

# %% [markdown]
# **What you should see** Left: parameters and FLOPs are the same for every number of heads, only the attention weights
# grow. Right: the time is *not* the same, although the FLOPs are. One head and two may hardly differ; towards 16 the
# time grows clearly. Compare the two lower lines to see why on your machine. The softmax has to visit every attention
# weight, and with 16 heads there are 16 times as many. The matrix products do equal work, but in smaller pieces, which
# takes somewhat longer. (The two parts are timed by themselves, so they need not add up to the whole.)
#
# **When this holds** These are times of NumPy on a CPU, for $n = d_{model}$, and they jump about when the machine is
# busy with other things; so trust the trend and not the last digit. For $n$ much smaller than $d_{model}$ the
# projections dominate and the number of heads hardly matters. On GPUs, FlashAttention (m22) avoids writing the weights
# to memory at all, which removes most of this price. The lesson stays: equal FLOPs do not mean equal time.

# %%
progress("ch03")

# %% [markdown]
# ## Recap
#
# A head is attention on a slice of the width; several heads give a token several looks at once, each with a whole 1 to
# share out. Split, attend, merge, and mix with $W_O$: four steps, in which only the order of axes is tricky. At equal
# width, more heads cost no parameters and no FLOPs, but more attention weights, and so some time.
#
# **Now you can read** section 3.2.2 of [Attention Is All You Need](https://arxiv.org/abs/1706.03762) and row (A) of its
# table 3, which varies the number of heads; and the section on attention heads in
# [A Mathematical Framework for Transformer Circuits](https://transformer-circuits.pub/2021/framework/index.html), which
# reads $W_O$ as a sum over heads.
#
# **Next** Your heads cannot tell *cat sat* from *sat cat*: nothing in the formula knows where a token stands. (The
# hand-made heads above cheated: their vectors had the place written into them.) That is mended in
# [ch04 Positional encoding](../ch04_positional_encoding/ch04_positional_encoding.ipynb); in
# [ch05 The encoder block](../ch05_encoder/ch05_encoder.ipynb) your multi-head attention becomes the centre of a block.
#
# [ch02 Scaled dot-product attention](../ch02_scaled_dot_product/ch02_scaled_dot_product.ipynb) ·
# [ch04 Positional encoding](../ch04_positional_encoding/ch04_positional_encoding.ipynb)
