# %% [markdown]
# # ch06 · The decoder block
#
# A decoder writes. It has to produce the next token without knowing it, and yet it is trained on whole texts at once,
# where the next token stands right there. The trick is one triangle of minus infinities. In this chapter you build that
# **causal mask**, let a second sequence be read through **cross-attention**, stack both into a **decoder block**, and
# then prove, to the last bit, that your block cannot see the future.
#
# {{exercises}}
#
# **Time** about 60 minutes. **Before this** [ch02 Scaled dot-product
# attention](../ch02_scaled_dot_product/ch02_scaled_dot_product.ipynb) and [ch05 The encoder
# block](../ch05_encoder/ch05_encoder.ipynb) (layer norm, feed-forward, residuals). **You need** boolean arrays in
# NumPy.
#
# **Where this is used** GPT, Llama and most other language models are stacks of causal blocks (without the
# cross-attention). Whisper's decoder is a stack of blocks like the one you build, with several heads; T5's differs in
# its norm and activation.

# %%
import matplotlib.pyplot as plt
import numpy as np

from course import begin, check, plots, progress
from course.carry import gelu, layer_norm, softmax  # from ch01 and ch05: yours, once they pass there
from course.widgets import cross_attention_map, mask_lab

begin("ch06_decoder")

# %% [markdown]
# ## 1. A mask is a table of permissions
#
# Attention compares every query with every key. A **mask** says which of these pairs are allowed: it is a boolean
# matrix, one row for each query, one column for each key, `True` where the query may look at the key. (PyTorch's
# attention uses the same convention. Beware: some libraries say `True` where a key is *hidden*.)
#
# Click cells of the mask below. Each row of weights always shares out exactly 1 among the cells that remain.

# %% demonstration=true
mask_lab()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only this sentence stands here:
# the picture shows two tables side by side, a mask of ones and zeros that can be clicked, and the attention weights
# under it, where every row still sums to 1 and hidden cells are hatched.*
#
# **Try** Start from "all allowed" and take away one cell: which weights change? Only those of its own row. Then empty a
# whole row. What should a query do that may look at nothing?
#
# ### The maths, with shapes
#
# For a sequence of $n$ tokens the causal mask is $M \in \{\text{True}, \text{False}\}^{n \times n}$ with
#
# $$M_{ij} = \text{True} \iff j \le i$$
#
# Row $i$ is the query: token $i$ looks at itself and at what came before it. Never at what comes after.
#
# {{ch06.causal_mask}}


# %% exercise="ch06.causal_mask"
def causal_mask(n: int) -> np.ndarray:
    """Boolean mask that lets token i look at tokens 0..i.

    Args:
        n: number of tokens, 0 or more.

    Returns:
        Array of shape (n, n), dtype bool; True = may look.

    Raises:
        ValueError: if n is negative.

    >>> causal_mask(3).astype(int).tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    ### BEGIN SOLUTION
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    return np.tri(n, dtype=bool)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: no loop needed</summary>
#
# NumPy can fill triangles: look at `np.tri` and `np.tril`. Which of them keeps the diagonal by default? Mind the dtype.
# </details>
#
# ## 2. Masked attention
#
# How do you *hide* a key? Its weight must be exactly 0, and the other weights of the row must still sum to 1. So the
# mask has to act **before** the softmax: set the hidden scores to $-\infty$, because $e^{-\infty} = 0$.
#
# $$S = \frac{Q K^T}{\sqrt{d_k}} \qquad \tilde S_{ij} = \begin{cases} S_{ij} & M_{ij} \\ -\infty & \text{otherwise}
# \end{cases} \qquad \mathrm{output} = \mathrm{softmax}(\tilde S)\, V$$
#
# | symbol | shape | |
# |:---|:---|:---|
# | $Q$ | $(n, d_k)$ | queries |
# | $K, V$ | $(m, d_k), (m, d_v)$ | keys, values |
# | $M, S, \tilde S$ | $(n, m)$ | mask, scores, masked scores |
#
# One corner needs care. A query that may look at **nothing** (this happens with padded batches) has a row of
# $-\infty$ only, and its softmax is $0/0$. We want its weights, and so its output, to be 0.
#
# > **Key insight.** A mask is not an extra step that removes information afterwards. It changes what the softmax shares
# > out, so that hidden positions never take part.
#
# {{ch06.masked_attention}}


# %% exercise="ch06.masked_attention"
def masked_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scaled dot-product attention in which a query sees only the keys that the mask allows.

    Args:
        q: queries, shape (n, d_k).
        k: keys, shape (m, d_k).
        v: values, shape (m, d_v).
        mask: shape (n, m), dtype bool; True = may look. A row may be all False.

    Returns:
        (output, weights) of shapes (n, d_v) and (n, m). Rows of weights sum to 1; a row whose mask is all False is 0,
        and so is its output.

    >>> q, k, v = np.zeros((2, 1)), np.zeros((3, 1)), np.array([[1.0], [3.0], [50.0]])
    >>> output, weights = masked_attention(q, k, v, np.array([[True, True, False], [False, False, False]]))
    >>> output.tolist(), weights.tolist()
    ([[2.0], [0.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    """
    ### BEGIN SOLUTION
    scores = np.where(mask, q @ k.T / np.sqrt(k.shape[-1]), -np.inf)
    blind = ~mask.any(axis=-1, keepdims=True)
    weights = softmax(np.where(blind, 0.0, scores), axis=-1) * mask  # hidden keys have 0 already, blind rows not yet
    return weights @ v, weights
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: choose by a mask</summary>
#
# `np.where(condition, a, b)` takes from `a` where the condition is True and from `b` elsewhere. Both may be a single
# number.
# </details>
# <details><summary>Hint 2: rows with nothing to see</summary>
#
# `mask.any(axis=-1, keepdims=True)` is True for the rows that may see something. Give the blind rows harmless scores
# before the softmax, and decide what their weights are after it.
# </details>
#
# ### Your mask and your attention at work
#
# The mask's triangle now comes from **your** `causal_mask`, the weights from **your** `masked_attention`. Wrong cells
# are marked.

# %% demonstration=true
mask_lab(masked_attention, causal_mask)

# %% question="ch06.why_before_softmax"

# %% question="ch06.training_in_parallel"

# %% [markdown]
# ## 3. Cross-attention: reading another sequence
#
# A translator writes German while looking at English. The English sentence has been read by an encoder, which left one
# vector for each English token: the **memory**. In cross-attention the tokens being written ask the questions, and the
# memory answers:
#
# $$Q = X W_Q \qquad K = E W_K \qquad V = E W_V$$
#
# | symbol | shape | |
# |:---|:---|:---|
# | $X$ | $(n, d_{model})$ | tokens being written |
# | $E$ | $(m, d_{model})$ | the memory |
# | $W_Q, W_K$ | $(d_{model}, d_k)$ | |
# | $W_V$ | $(d_{model}, d_v)$ | |
# | output | $(n, d_v)$ | one row for each token being written |
#
# The weights have shape $(n, m)$, a rectangle. There is no causal mask here: the memory is complete before the first
# word is written, so there is no future to hide.
#
# {{ch06.cross_attention}}
#
# You may call your own `masked_attention`: with which mask? If that exercise is not done yet, this one is still graded
# by itself.


# %% exercise="ch06.cross_attention"
def cross_attention(x: np.ndarray, memory: np.ndarray, w_q: np.ndarray, w_k: np.ndarray, w_v: np.ndarray) -> np.ndarray:
    """Attention from the tokens x to a memory.

    Args:
        x: tokens being written, shape (n, d_model).
        memory: the encoder's output, shape (m, d_model).
        w_q, w_k: shape (d_model, d_k).
        w_v: shape (d_model, d_v).

    Returns:
        Output of shape (n, d_v).

    >>> cross_attention(np.zeros((1, 1)), np.array([[2.0], [4.0]]), np.eye(1), np.eye(1), np.eye(1)).tolist()
    [[3.0]]
    """
    ### BEGIN SOLUTION
    everything = np.ones((len(x), len(memory)), dtype=bool)
    output, _ = masked_attention(x @ w_q, memory @ w_k, memory @ w_v, everything)
    return output
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: who asks, who answers?</summary>
#
# The output has one row for each token of x. Which of Q, K and V decides the number of output rows?
# </details>
#
# Below, **your** function reads a tiny memory. Each English word and each German word has a made-up vector: the first
# numbers say what it means, the last one whether it is a noun or a verb. Move the slider to let the writer look for
# meaning or for the kind of word.

# %% demonstration=true
cross_attention_map(cross_attention)

# %% question="ch06.where_queries_come_from"

# %% [markdown]
# ## 4. The decoder block
#
# Now stack what you have. A decoder block refines each token's vector three times, and each time **adds** to it:
#
# $$\begin{aligned}
# x &\leftarrow x + \mathrm{SelfAttention}(\mathrm{norm}_1(x)) W_O^{self} && \text{causal: look back} \\
# x &\leftarrow x + \mathrm{CrossAttention}(\mathrm{norm}_2(x), E)\, W_O^{cross} && \text{look across} \\
# x &\leftarrow x + \mathrm{FFN}(\mathrm{norm}_3(x)) && \text{think}
# \end{aligned}$$
#
# The norm stands *inside* the residual branch (**pre-norm**). The original Transformer put it after the addition
# (post-norm); pre-norm trains more stably and is what GPT-2 and later models use. The feed-forward network is
# $\mathrm{FFN}(z) = \mathrm{gelu}(z W_1 + b_1)\, W_2 + b_2$. With one head, self-attention uses
# $Q = z W_Q$, $K = z W_K$, $V = z W_V$ of the normalised input $z$.
#
# All weights come in one nested dictionary:
#
# ```python
# p["norm_1"]["gain"], p["norm_1"]["bias"]                  # (d_model,), the same for norm_2, norm_3
# p["self"]["w_q"], p["self"]["w_k"], p["self"]["w_v"]      # (d_model, d_k)
# p["self"]["w_o"]                                          # (d_k, d_model)
# p["cross"]["w_q"], ["w_k"], ["w_v"], ["w_o"]              # likewise
# p["ffn"]["w_1"], ["b_1"], ["w_2"], ["b_2"]                # (d_model, d_ff), (d_ff,), (d_ff, d_model), (d_model,)
# ```
#
# `layer_norm(x, gain, bias)` and `gelu(x)` from ch05 are imported at the top.
#
# {{ch06.decoder_block}}
#
# Use your own `causal_mask`, `masked_attention` and `cross_attention`.


# %% exercise="ch06.decoder_block"
def decoder_block(x: np.ndarray, memory: np.ndarray, p: dict[str, dict[str, np.ndarray]]) -> np.ndarray:
    """One pre-norm decoder block with a single head.

    Args:
        x: tokens, shape (n, d_model).
        memory: the encoder's output, shape (m, d_model); used as it is, without a norm.
        p: the weights, see above.

    Returns:
        The refined tokens, shape (n, d_model). x itself is not changed.

    With w_o and w_2 and b_2 all zero, every sublayer adds nothing, and the block returns x.
    """
    ### BEGIN SOLUTION
    s, c, f = p["self"], p["cross"], p["ffn"]
    z = layer_norm(x, **p["norm_1"])
    attended, _ = masked_attention(z @ s["w_q"], z @ s["w_k"], z @ s["w_v"], causal_mask(len(x)))
    x = x + attended @ s["w_o"]
    z = layer_norm(x, **p["norm_2"])
    x = x + cross_attention(z, memory, c["w_q"], c["w_k"], c["w_v"]) @ c["w_o"]
    z = layer_norm(x, **p["norm_3"])
    return x + gelu(z @ f["w_1"] + f["b_1"]) @ f["w_2"] + f["b_2"]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one sublayer at a time</summary>
#
# Write the three lines of the formula as three blocks of code, each of the form `z = layer_norm(x, ...)`, then
# `x = x + ...`. Run the check after each; the message changes as you get further.
# </details>
# <details><summary>Hint 2: in place or not?</summary>
#
# `x += something` changes the caller's array. `x = x + something` makes a new one.
# </details>
#
# ## Experiment: prove that nothing leaks
#
# If token $j$ is changed, the outputs of all tokens before $j$ must stay the same: not nearly, but **bit for bit**. You
# change each token in turn and compare every output of **your** block. Then you take the mask away and do it again.

# %% demonstration=true
rng = np.random.default_rng(6)
n, m, d_model, d_k, d_ff = 8, 5, 16, 8, 32


def random_attention() -> dict[str, np.ndarray]:
    """Random projections, scaled so that outputs have about the size of inputs."""
    shapes = {"w_q": (d_model, d_k), "w_k": (d_model, d_k), "w_v": (d_model, d_k), "w_o": (d_k, d_model)}
    return {name: rng.standard_normal(shape) / np.sqrt(shape[0]) for name, shape in shapes.items()}


weights = {f"norm_{i}": {"gain": np.ones(d_model), "bias": np.zeros(d_model)} for i in (1, 2, 3)}
weights |= {"self": random_attention(), "cross": random_attention()}
weights["ffn"] = {
    "w_1": rng.standard_normal((d_model, d_ff)) / np.sqrt(d_model),
    "b_1": np.zeros(d_ff),
    "w_2": rng.standard_normal((d_ff, d_model)) / np.sqrt(d_ff),
    "b_2": np.zeros(d_model),
}
x, memory = rng.standard_normal((n, d_model)), rng.standard_normal((m, d_model))


def influence(block) -> np.ndarray:
    """Entry (i, j): largest change of output i when token j is replaced. Shape (n, n)."""
    before = block(x, memory, weights)
    change = np.zeros((n, n))
    for j in range(n):
        other = x.copy()
        other[j] = rng.standard_normal(d_model)
        change[:, j] = np.abs(block(other, memory, weights) - before).max(axis=1)
    return change


def without_mask(x, memory, p):
    """Your block, run with a mask that allows everything."""
    global causal_mask
    yours, causal_mask = causal_mask, lambda n: np.ones((n, n), dtype=bool)
    try:
        return decoder_block(x, memory, p)
    finally:
        causal_mask = yours


figure, panels = plt.subplots(1, 2, figsize=(9, 4))
for panel, (name, block) in zip(panels, {"causal": decoder_block, "no mask": without_mask}.items(), strict=True):
    change = influence(block)
    leaks = int(np.count_nonzero(np.triu(change, 1)))
    print(f"{name:>8}: {leaks} of {n * (n - 1) // 2} (output, later token) pairs changed by even one bit")
    image = panel.imshow(change, cmap="Purples", vmin=0)
    panel.set(title=f"{name}: {leaks} leaks", xlabel="token that was replaced", ylabel="output that changed")
    panel.grid(False)
    for i, j in zip(*np.triu_indices(n, 1), strict=True):
        if change[i, j] == 0:
            panel.plot(j, i, marker=".", color=plots.VALUE)
figure.colorbar(image, ax=panels, label="largest change", shrink=0.8)
plt.show()

# %% [markdown]
# **What you should see** With the mask: 0 leaks. Every green dot is a pair whose difference is exactly 0. Without it:
# all 28 pairs change. The diagonal and the triangle below it stay purple in both: a token does change its own output
# and those of its successors, as it should.
#
# **When this holds** NumPy computes each row of these products in the same order whatever stands in the others, so "bit
# for bit" is meant literally here. On a GPU, kernels may choose another order of summation when *shapes* change; then
# equality holds only up to rounding, although the information flow is the same.

# %%
progress("ch06")

# %% [markdown]
# ## Recap
#
# A mask sets hidden scores to minus infinity before the softmax, so hidden keys take no part. Cross-attention takes its
# queries from the text being written and its keys and values from the memory. A decoder block looks back, looks across
# and thinks, adding each result to the residual stream, and no output ever depends on a later token.
#
# **Now you can read** sections 3.1 and 3.2.3 of [Attention Is All You Need](https://arxiv.org/abs/1706.03762), and
# [Xiong et al. 2020](https://arxiv.org/abs/2002.04745) on why the norm moved inside.
#
# **Next** [ch07 Training](../ch07_training/ch07_training.ipynb): a stack of such blocks (without cross-attention, with
# several heads) learns to write.
