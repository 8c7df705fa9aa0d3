# %% [markdown]
# # ch02 · Scaled dot-product attention
#
# In ch01 every token looked at every other token and took a weighted average of what it saw. Now you build the version
# that is inside every Transformer: each token asks a **query**, offers a **key**, and hands over a **value**. It is one
# line of mathematics. By the end of this hour you will have written it, dragged its vectors around, and measured why
# the odd little $\sqrt{d_k}$ in it decides whether a model can learn at all.
#
# {{exercises}}
#
# **Time** about 45 minutes. **Before this** [ch01 Attention from
# scratch](../ch01_attention/ch01_attention.ipynb) (dot products, softmax, weighted averages). **You need** matrix
# products and NumPy indexing.
#
# **Where this is used** Everywhere: the encoder and decoder of [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762),
# BERT, every GPT, Llama, vision Transformers. FlashAttention (m22) computes exactly this function, faster.

# %%
import matplotlib.pyplot as plt
import numpy as np

from course import begin, check, progress
from course.carry import softmax  # the stable softmax of ch01: yours, once it passes there
from course.widgets import attention_plane, softmax_saturation

begin("ch02_scaled_dot_product")

# %% [markdown]
# ## 1. Three roles for one token
#
# Think of a library. You come with a question (the **query**). Every book has a label on its spine (the **key**). You
# compare your question with the labels, and then you read the books themselves (the **values**), most of all those
# whose labels fit. In attention every token plays all three parts at once: it asks, it has a label, it has content.
#
# Drag the vectors below. Each of four tokens has a query (circle) and a key (square) in the plane. The further a key
# reaches along the selected query's direction, the higher its score, and the more weight it gets.

# %% demonstration=true
attention_plane()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only this sentence stands here:
# the picture shows four queries and four keys as arrows, and a table of the weights with which each query looks at each
# key; a key that points the same way as a query gets the most.*
#
# **Try** Select "sat" and turn its query until it looks at "the" with more than half of its weight. Then make the query
# ten times shorter. What happens to the weights? (They become nearly equal: short queries have weak opinions.)
#
# ### The maths, with shapes
#
# There are $n$ tokens. Row $i$ of $X$ is the vector of token $i$, of width $d_{model}$. Three matrices, learned in
# training, make the three roles:
#
# $$Q = X W_Q \qquad K = X W_K \qquad V = X W_V$$
#
# | symbol | shape | what a row is |
# |:---|:---|:---|
# | $X$ | $(n, d_{model})$ | a token's vector |
# | $W_Q, W_K$ | $(d_{model}, d_k)$ | |
# | $W_V$ | $(d_{model}, d_v)$ | |
# | $Q, K$ | $(n, d_k)$ | what a token asks, what it offers |
# | $V$ | $(n, d_v)$ | what it hands over |
#
# Queries and keys are compared with each other, so they have the same width $d_k$. Values are never compared with
# anything; their width $d_v$ is free.
#
# {{ch02.project_qkv}}
#
# Write the three projections. Mind the order: tokens are *rows* of `x`.


# %% exercise="ch02.project_qkv"
def project_qkv(
    x: np.ndarray, w_q: np.ndarray, w_k: np.ndarray, w_v: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Project tokens to queries, keys and values.

    Args:
        x: tokens, shape (n, d_model).
        w_q, w_k: shape (d_model, d_k).
        w_v: shape (d_model, d_v).

    Returns:
        (q, k, v) of shapes (n, d_k), (n, d_k), (n, d_v).

    >>> q, k, v = project_qkv(np.eye(2), np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]]), np.eye(2))
    >>> q.tolist(), k.tolist()
    ([[1.0], [2.0]], [[3.0], [4.0]])
    """
    ### BEGIN SOLUTION
    return x @ w_q, x @ w_k, x @ w_v
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: which shapes fit?</summary>
#
# `x` is (n, d_model) and `w_q` is (d_model, d_k). In which order can you multiply them so that the inner sizes agree
# and n comes first?
# </details>
#
# ## 2. Compare, scale, share out, mix
#
# Attention is four steps, each a line of NumPy:
#
# 1. **Compare.** The score of query $i$ for key $j$ is their dot product $q_i \cdot k_j$. All of them at once: $Q K^T$,
#    of shape $(n, n)$. Row $i$ holds everything that token $i$ thinks of the others.
# 2. **Scale.** Divide by $\sqrt{d_k}$. (Section 3 is about why.)
# 3. **Share out.** A softmax along each row turns scores into weights that are positive and sum to 1.
# 4. **Mix.** Each output row is the weighted average of the value rows.
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{Q K^T}{\sqrt{d_k}}\right) V$$
#
# The number of keys may differ from the number of queries: with $n$ queries and $m$ keys the weights have shape
# $(n, m)$ and the output $(n, d_v)$. You will need that in ch06 and ch08.
#
# > **Key insight.** Nothing in this formula knows where a token stands. It compares *contents*. That is its power (any
# > token can reach any other in one step) and its gap (ch04 has to add positions).
#
# {{ch02.scaled_dot_product_attention}}
#
# Return the output *and* the weights: the weights are what you look at when you want to know what a model looks at.


# %% exercise="ch02.scaled_dot_product_attention"
def scaled_dot_product_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scaled dot-product attention (Vaswani et al. 2017, equation 1).

    Args:
        q: queries, shape (n, d_k).
        k: keys, shape (m, d_k).
        v: values, shape (m, d_v).

    Returns:
        (output, weights) of shapes (n, d_v) and (n, m); each row of weights sums to 1.

    >>> output, weights = scaled_dot_product_attention(np.zeros((1, 4)), np.ones((2, 4)), np.array([[0.0], [10.0]]))
    >>> output.tolist(), weights.tolist()
    ([[5.0]], [[0.5, 0.5]])
    """
    ### BEGIN SOLUTION
    weights = softmax(q @ k.T / np.sqrt(k.shape[-1]), axis=-1)
    return weights @ v, weights
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: the shape of the scores</summary>
#
# `q` is (n, d_k), `k` is (m, d_k), and the scores should be (n, m). Which of the two needs to be transposed?
# </details>
# <details><summary>Hint 2: which axis?</summary>
#
# A row belongs to one query, and its weights must sum to 1. Along which axis do you move when you walk through a row?
# </details>
# <details><summary>Hint 3: the check says that large scores fail</summary>
#
# Did you write your own softmax? `np.exp(1000)` is infinite. The `softmax` imported above subtracts each row's maximum
# first.
# </details>
#
# ### Your function at work
#
# The same picture as before, but now **your function computes it**. If it is not right yet, you see your numbers with
# the wrong cells marked; if it does not run yet, you see the course's version, greyed.

# %% demonstration=true
attention_plane(scaled_dot_product_attention)

# %% [markdown]
# Look at the formula under the picture: it spells out one score and one weight with the numbers on the screen. Hover
# over a cell of the table to see its own.

# %% question="ch02.row_facts"

# %% [markdown]
# ## 3. Why divide by the square root of $d_k$?
#
# Suppose the entries of $q$ and $k$ are independent, with mean 0 and variance 1. Then each product $q_c k_c$ has mean
# 0 and variance 1, and the score is a sum of $d_k$ of them:
#
# $$\mathrm{Var}(q \cdot k) = \sum_{c=1}^{d_k} \mathrm{Var}(q_c k_c) = d_k$$
#
# So scores grow like $\sqrt{d_k}$: with $d_k = 64$ a typical score is $\pm 8$, and $e^{8} \approx 2981$. The softmax of
# such scores is nearly one-hot: one key takes it all. That is not only a strong opinion, it is a deaf one, because of
# the softmax's derivative. With $p = \mathrm{softmax}(s)$,
#
# $$J_{ij} = \frac{\partial p_i}{\partial s_j} = p_i\,(\delta_{ij} - p_j)
# \qquad\text{or}\qquad J = \mathrm{diag}(p) - p\,p^T$$
#
# where $\delta_{ij}$ is 1 if $i = j$ and 0 otherwise. If $p$ is one-hot, every entry of $J$ is 0: no gradient flows,
# and the model cannot learn to look elsewhere.
#
# {{ch02.softmax_grad_norm}}
#
# Measure it: the Frobenius norm $\lVert J \rVert_F = \sqrt{\sum_{ij} J_{ij}^2}$.


# %% exercise="ch02.softmax_grad_norm"
def softmax_grad_norm(scores: np.ndarray) -> float:
    """Frobenius norm of the Jacobian of the softmax at these scores.

    Args:
        scores: one row of scores, shape (n,).

    Returns:
        The norm of diag(p) - p p^T with p = softmax(scores), a float.

    >>> round(softmax_grad_norm(np.zeros(2)), 3)
    0.5
    """
    ### BEGIN SOLUTION
    p = softmax(scores)
    return float(np.linalg.norm(np.diag(p) - np.outer(p, p)))
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: the two pieces</summary>
#
# `np.diag(p)` puts a vector on the diagonal of a matrix, `np.outer(p, p)` makes all products. For two equal scores
# p = (0.5, 0.5): write the 2 x 2 matrix down by hand before you code it.
# </details>
#
# Now see it. Move $d_k$ up and watch the bars collapse onto one key while the gradient falls; switch the scaling on and
# they stay apart. The curve is drawn by **your** `softmax_grad_norm`.

# %% demonstration=true
softmax_saturation(softmax_grad_norm)

# %% question="ch02.why_scale"

# %% [markdown]
# ## Experiment: how long does the opinion stay open?
#
# The **entropy** of a row of weights, $H = -\sum_j w_j \ln w_j$, says how many keys share the attention: it is
# $\ln m$ if all $m$ keys get the same, and 0 if one takes all. You feed random queries and keys of growing width
# through *your* `scaled_dot_product_attention`. To switch the scaling off without touching your function, multiply the
# queries by $\sqrt{d_k}$ beforehand: your division then cancels it.

# %% demonstration=true
rng = np.random.default_rng(0)
widths = [4, 8, 16, 32, 64, 128, 256, 512]
n_keys, n_queries = 32, 200


def mean_entropy(weights: np.ndarray) -> float:
    """Mean entropy of the rows, in nats; a weight of 0 adds nothing."""
    logs = np.log(weights, where=weights > 0, out=np.zeros_like(weights))
    return float(-(weights * logs).sum(axis=-1).mean())


entropy = {"with $1/\\sqrt{d_k}$": [], "without": []}
for d_k in widths:
    q, k = rng.standard_normal((n_queries, d_k)), rng.standard_normal((n_keys, d_k))
    v = np.zeros((n_keys, 1))
    for name, factor in zip(entropy, (1.0, np.sqrt(d_k)), strict=True):
        _, weights = scaled_dot_product_attention(factor * q, k, v)
        entropy[name].append(mean_entropy(weights))

print(f"{'d_k':>5} {'scaled':>8} {'unscaled':>9}   (equal weights would give {np.log(n_keys):.2f})")
for row in zip(widths, *entropy.values(), strict=True):
    print(f"{row[0]:>5} {row[1]:>8.2f} {row[2]:>9.2f}")

figure, axes = plt.subplots()
for name, values in entropy.items():
    axes.plot(widths, values, marker="o", label=name)
axes.axhline(np.log(n_keys), color="grey", linewidth=1)
axes.annotate("all keys equal", (widths[0], np.log(n_keys)), xytext=(0, 4), textcoords="offset points", color="grey")
axes.set_xscale("log", base=2)
axes.set_xticks(widths, [str(w) for w in widths])
axes.set_ylim(0, np.log(n_keys) * 1.12)
axes.set_xlabel("width of queries and keys, $d_k$")
axes.set_ylabel("entropy of the weights (nats)")
axes.set_title("Without the scale, attention closes its mind as $d_k$ grows")
axes.legend()
plt.show()

# %% [markdown]
# **What you should see** With the scale the entropy hardly depends on $d_k$: it stays near 3 nats, as if about 20 of
# the 32 keys shared the weight. Without it the entropy falls towards 0: at $d_k = 512$ hardly more than one key is
# heard. Your own numbers stand in the table above the plot.
#
# **When this holds** Queries and keys were random here. In a trained model they are not independent, and a head may
# *learn* to be sharp; the scale only makes sure that it does not start out that way.

# %%
progress("ch02")

# %% [markdown]
# ## Recap
#
# Every token asks with a query, is found by its key and hands over its value; all pairs are compared in one matrix
# product. Dividing by $\sqrt{d_k}$ keeps the scores' variance at 1, so that the softmax stays soft and its gradient
# alive. The output is an average of values, and the weights tell you of which.
#
# **Now you can read** section 3.2.1 of [Attention Is All You Need](https://arxiv.org/abs/1706.03762) (and its footnote
# 4, which is your derivation), and the first page of [FlashAttention](https://arxiv.org/abs/2205.14135).
#
# **Next** [ch03 Multi-head attention](../ch03_multi_head/ch03_multi_head.ipynb): one pattern of attention is not
# enough, so several heads look at once.
