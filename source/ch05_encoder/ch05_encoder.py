# %% [markdown]
# # ch05 · The encoder block
#
# Attention lets tokens look at each other. It is not yet a network that can be made deep: stack it by itself, and after
# a few layers all tokens are the same and nothing can be learned. Three plain parts change that: a **layer norm** in
# front, a **feed-forward network** behind, and a **residual connection** around each. You build all of them, put them
# together to the block that most Transformers repeat dozens of times, and measure what the residual connections are
# for.
#
# {{exercises}}
#
# **Time** about 75 minutes. **Before this** [ch03 Multi-head attention](../ch03_multi_head/ch03_multi_head.ipynb),
# whose function you use here, and [ch04 Positional
# encoding](../ch04_positional_encoding/ch04_positional_encoding.ipynb). **You need** means along an axis in NumPy, and
# what a derivative is.
#
# **Where this is used** BERT, the encoders of T5 and Whisper, and vision Transformers are stacks of encoder blocks.
# With a causal mask the same block is GPT's. They differ in details: where the norm stands, which gate they use.

# %%
import matplotlib.pyplot as plt
import numpy as np
from tqdm.auto import tqdm

from course import begin, check, plots, progress
from course.carry import multi_head_attention  # from ch03: yours, once it passes there
from course.widgets import encoder_steps, gelu_curve, norm_lab

begin("ch05_encoder")

# %% [markdown]
# ## 1. Layer norm: numbers of a known size
#
# A deep network adds, multiplies, and adds again. Nothing keeps its numbers from growing or shrinking on the way, and
# the parts that come later cannot know which size to expect. **Layer norm** is the remedy: before a part reads a
# token's vector, the vector is shifted and scaled so that its features have mean 0 and variance 1.
#
# Move the features of the first token below. However large they are, what comes out has the same size.

# %% demonstration=true
norm_lab()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only this sentence stands here:
# the picture shows four features of a token as bars, before and after layer norm; whatever the sliders say, the mean
# after it is 0 and the variance is 1.*
#
# **Try** Press "Add 1 to all": what changes in the result? Press "Halve all" a few times. Then press "Make all equal":
# the variance is 0, and only `eps` saves you from dividing 0 by 0. Last, move the gain and the bias.
#
# ### The maths, with shapes
#
# There are $n$ tokens, and $x$ of shape $(n, d_{model})$ holds one in each row. Take one token: a row of $d_{model}$
# features $x_1, \dots, x_{d_{model}}$. Its mean $\mu$ and its variance $\sigma^2$ are
#
# $$\mu = \frac{1}{d_{model}} \sum_{c} x_c \qquad\qquad \sigma^2 = \frac{1}{d_{model}} \sum_{c} (x_c - \mu)^2$$
#
# and layer norm gives, for each feature $c$,
#
# $$y_c = g_c\,\frac{x_c - \mu}{\sqrt{\sigma^2 + \varepsilon}} + b_c$$
#
# | symbol | in code | shape | |
# |:---|:---|:---|:---|
# | $x$, $y$ | `x` | $(n, d_{model})$ | tokens; each row is normalised by itself |
# | $\mu$, $\sigma^2$ | | $(n, 1)$ | one mean and one variance for each token |
# | $g$, $b$ | `gain`, `bias` | $(d_{model},)$ | learned; the same for all tokens |
# | $\varepsilon$ | `eps` | one number | small, so that nothing is divided by 0 |
#
# Gain and bias are learned: if a feature *should* be large, the network can make it so again. They start at 1 and 0.
#
# > **Key insight.** The mean runs over the features of one token, never over tokens. So a token's result does not
# > depend on its neighbours, nor on how long the text is.
#
# {{ch05.layer_norm}}
#
# Your function should take more than matrices: a batch of sequences has shape $(B, n, d_{model})$, a single token
# $(d_{model},)$. The features are always the last axis.


# %% exercise="ch05.layer_norm"
def layer_norm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Layer normalisation over the last axis (Ba et al. 2016).

    Args:
        x: tokens, shape (..., d_model): any number of axes, the features last.
        gain, bias: shape (d_model,).
        eps: added to the variance, under the root.

    Returns:
        Array of the shape of x.

    >>> layer_norm(np.array([[1.0, 3.0]]), gain=np.array([1.0, 10.0]), bias=np.array([0.0, 5.0]), eps=0.0).tolist()
    [[-1.0, 15.0]]
    """
    ### BEGIN SOLUTION
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return gain * centred / np.sqrt(variance + eps) + bias
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: shapes that fit</summary>
#
# For x of shape (3, 4), `x.mean(axis=-1)` has shape (3,), and NumPy cannot subtract that from each row. What does
# `keepdims=True` make of it?
# </details>
# <details><summary>Hint 2: in which order?</summary>
#
# First the distances from the mean. The variance is the mean of their squares. Then divide, then multiply by the gain,
# and only then add the bias.
# </details>
#
# ### Your layer norm at work
#
# The same picture, computed by **your** function. Wrong cells are marked.

# %% demonstration=true
norm_lab(layer_norm)

# %% question="ch05.what_norm_forgets"

# %% [markdown]
# ## 2. The feed-forward network: each token thinks for itself
#
# Attention fetches information; something has to work with it. That is the **feed-forward network**. It takes one
# token's vector, asks a few hundred or thousand questions about it ("is this a verb whose subject I know?"), and writes
# something for each question whose answer is yes. It needs a gate between asking and writing, and the usual gate is
# **GELU**.
#
# A simpler gate is ReLU, $\max(z, 0)$: closed left of 0, open right of it. GELU opens smoothly. Move $z$ across 0.

# %% demonstration=true
gelu_curve()

# %% [markdown]
# *No picture above? Run the cell. On a page without a running notebook, only this sentence stands here: the picture
# shows two curves; ReLU is 0 up to the origin and then rises straight, GELU follows it far out on both sides, but
# passes the origin without a corner and dips to about -0.17 on its left.*
#
# **Try** Find the input where GELU is lowest. (It lies near $-0.75$.) Why may a gate without a corner be easier to
# learn with? Look at the slope. Where it is 0, no gradient gets through: for ReLU at every negative $z$, for GELU only
# at its lowest point.
#
# GELU stands for Gaussian error linear unit: $z$ times the probability that a standard normal variable is below $z$.
# The form below, with tanh, is so close to it that GPT-2 was trained with it. You build this one:
#
# $$\mathrm{gelu}(z) = 0.5\, z\, \left(1 + \tanh\!\left(\sqrt{2 / \pi}\,\left(z + 0.044715\, z^3\right)\right)\right)$$
#
# {{ch05.gelu}}


# %% exercise="ch05.gelu"
def gelu(x: np.ndarray) -> np.ndarray:
    """GELU in its tanh form (Hendrycks and Gimpel 2016, section 2), for each entry alone.

    Args:
        x: array of any shape.

    Returns:
        Array of the shape of x.

    >>> gelu(np.array([-1.0, 0.0, 2.0])).round(4).tolist()
    [-0.1588, 0.0, 1.9546]
    """
    ### BEGIN SOLUTION
    gate = 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * gate
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: build it from the inside</summary>
#
# Give the argument of tanh a name of its own. Then the gate, a number from 0 to 1 for each entry. Then the product.
# `np.tanh` takes a whole array.
# </details>

# %% demonstration=true
gelu_curve(gelu)

# %% [markdown]
# ### Two layers and a gate
#
# The network widens each token to $d_{ff}$ numbers (usually $d_{ff} = 4\, d_{model}$), passes them through the gate,
# and narrows them again:
#
# $$\mathrm{FFN}(x) = \mathrm{gelu}(x W_1 + b_1)\, W_2 + b_2$$
#
# | symbol | in code | shape | |
# |:---|:---|:---|:---|
# | $x$ | `x` | $(n, d_{model})$ | tokens |
# | $W_1$, $b_1$ | `p["w_1"]`, `p["b_1"]` | $(d_{model}, d_{ff})$, $(d_{ff},)$ | a column of $W_1$ is a question |
# | $W_2$, $b_2$ | `p["w_2"]`, `p["b_2"]` | $(d_{ff}, d_{model})$, $(d_{model},)$ | a row of $W_2$ is what is written |
#
# Without the gate, $(x W_1 + b_1) W_2 + b_2$ would be a single linear map: two layers, but no more than one could do.
#
# {{ch05.feed_forward}}
#
# Use your own `gelu`. If it is not done yet, this exercise is still graded by itself.


# %% exercise="ch05.feed_forward"
def feed_forward(x: np.ndarray, p: dict[str, np.ndarray]) -> np.ndarray:
    """Two linear layers with GELU between them, for each token alone (Vaswani et al. 2017, section 3.3).

    Args:
        x: tokens, shape (n, d_model).
        p: "w_1" of shape (d_model, d_ff), "b_1" (d_ff,), "w_2" (d_ff, d_model), "b_2" (d_model,).

    Returns:
        Array of shape (n, d_model).

    >>> p = {"w_1": np.array([[1.0, -1.0]]), "b_1": np.zeros(2), "w_2": np.ones((2, 1)), "b_2": np.array([7.0])}
    >>> feed_forward(np.array([[0.0], [20.0], [-30.0]]), p).tolist()
    [[7.0], [27.0], [37.0]]
    """
    ### BEGIN SOLUTION
    return gelu(x @ p["w_1"] + p["b_1"]) @ p["w_2"] + p["b_2"]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: a check by shapes</summary>
#
# x is (n, d_model). What is the shape of `x @ p["w_1"]`? To which of the two biases can it be added?
# </details>
#
# ## 3. The block: look, think, and keep what you had
#
# Now the last part, and the simplest: an addition. A sublayer (attention, or the feed-forward network) does not
# *replace* a token's vector, it **adds** to it:
#
# $$x \leftarrow x + \mathrm{sublayer}(x)$$
#
# This is a **residual connection**. Think of a token's vector as a notebook that is handed from block to block. Each
# sublayer reads it and adds a few lines. No page is torn out: what stands there stays, unless somebody writes the
# opposite beside it. So the first block's lines can still be read in the last one. What travels along is called the
# **residual stream**.
#
# Step through the block below. The sentence is "the cat sat on mats", each token is a vector of eight features, and the
# weights were set by hand: verbs look for an animal with head 1 and for a thing with head 2, and the feed-forward
# network knows that a verb with a *who* and a *where* is an *event*.

# %% demonstration=true
encoder_steps()

# %% [markdown]
# *No picture above? Run the cell. On a page without a running notebook, only this sentence stands here: the picture
# shows seven stations from the input of a block to its output, with the token's eight numbers at each; attention and
# the feed-forward network stand aside, and two arrows lead straight down past them to the additions.*
#
# **Try** Press "Step forward" six times and watch "who", "where" and "event" fill in for "sat". Then choose "the": what
# does attention bring it? What does the network do to it? Last, choose "sat" again and hide the later tokens. Which
# feature does not fill in any more, and what becomes of the event?
#
# ### The maths, with shapes
#
# $$\begin{aligned}
# x &\leftarrow x + \mathrm{MultiHead}(\mathrm{norm}_1(x)) && \text{look at each other} \\
# x &\leftarrow x + \mathrm{FFN}(\mathrm{norm}_2(x)) && \text{think}
# \end{aligned}$$
#
# $x$ keeps its shape $(n, d_{model})$ throughout; that is why blocks can be stacked. The norm stands *inside* the
# branch, before the sublayer: this order is called **pre-norm**. The original Transformer and BERT normalise after the
# addition (**post-norm**). Pre-norm leaves the stream itself alone, and deep stacks of it are easier to train; after
# their last block stands one more layer norm, which ch07 will add.
#
# All weights come in one nested dictionary:
#
# ```python
# p["norm_1"]["gain"], p["norm_1"]["bias"]       # (d_model,), and the same for norm_2
# p["attention"]                                 # what multi_head_attention takes: w_q, w_k, w_v, w_o
# p["ffn"]                                       # what feed_forward takes: w_1, b_1, w_2, b_2
# ```
#
# `multi_head_attention(x, p, heads, mask)` is ch03's. It returns a pair, the output of shape $(n, d_{model})$ and the
# weights of shape $(h, n, n)$, where $h$ is the number of heads. The mask is a boolean matrix of shape $(n, n)$, `True`
# where a token may look; `None` lets every token see every other. An encoder usually has none. Pass it on all the same:
# with the causal mask of ch06, your block becomes a decoder's.
#
# {{ch05.encoder_block}}


# %% exercise="ch05.encoder_block"
def encoder_block(
    x: np.ndarray, p: dict[str, dict[str, np.ndarray]], heads: int, mask: np.ndarray | None = None
) -> np.ndarray:
    """One pre-norm encoder block: multi-head self-attention, then the feed-forward network.

    Args:
        x: tokens, shape (n, d_model).
        p: the weights, see above.
        heads: number of heads; divides d_model.
        mask: shape (n, n), dtype bool; True = may look. None: every token may see every token.

    Returns:
        The refined tokens, shape (n, d_model). x itself is not changed.

    With w_o, w_2 and b_2 all zero, both sublayers add nothing, and the block returns x.
    """
    ### BEGIN SOLUTION
    attended, _ = multi_head_attention(layer_norm(x, **p["norm_1"]), p["attention"], heads, mask)
    x = x + attended
    return x + feed_forward(layer_norm(x, **p["norm_2"]), p["ffn"])
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: a dictionary as arguments</summary>
#
# `p["norm_1"]` has the keys "gain" and "bias", which are names of `layer_norm`'s arguments. `layer_norm(x,
# **p["norm_1"])` passes both.
# </details>
# <details><summary>Hint 2: one line of the formula at a time</summary>
#
# Write the first line, let the function return x, and run the check. It fails, but its message says that the second
# half is missing, and nothing else. Then write the second line.
# </details>
# <details><summary>Hint 3: in place or not?</summary>
#
# `x += something` changes the caller's array. `x = x + something` makes a new one.
# </details>
#
# ### Your block at work
#
# The norms now come from **your** `layer_norm`, the network from **your** `feed_forward`, and what stands after each
# addition from **your** `encoder_block`.

# %% demonstration=true
encoder_steps(encoder_block, layer_norm, feed_forward)

# %% question="ch05.who_talks"

# %% [markdown]
# ## 4. Where the numbers live
#
# How large is a block? Count what it learns. A matrix of shape $(a, b)$ has $a \cdot b$ numbers, a bias of shape $(a,)$
# has $a$. All the shapes stand in the tables above; attention has four matrices of shape $(d_{model}, d_{model})$ and,
# in this course, no biases.
#
# {{ch05.count_parameters}}


# %% exercise="ch05.count_parameters"
def count_parameters(d_model: int, d_ff: int) -> dict[str, int]:
    """How many parameters an encoder block has, by part.

    Args:
        d_model: width of a token's vector.
        d_ff: inner width of the feed-forward network.

    Returns:
        A dictionary with the keys "norms" (both together), "attention" and "ffn".

    >>> count_parameters(2, 3)
    {'norms': 8, 'attention': 16, 'ffn': 17}
    """
    ### BEGIN SOLUTION
    return {
        "norms": 4 * d_model,
        "attention": 4 * d_model**2,
        "ffn": 2 * d_model * d_ff + d_ff + d_model,
    }
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: list the arrays</summary>
#
# Write down all arrays of p with their shapes: four in the two norms, four in attention, four in the feed-forward
# network. Then add up the sizes of each part.
# </details>
#
# Now count four well-known stacks with **your** function. Blocks of this size, repeated:

# %% demonstration=true
KNOWN = {"Transformer base": (512, 2048, 6), "BERT base": (768, 3072, 12), "GPT-2 XL": (1600, 6400, 48),
         "GPT-3": (12288, 49152, 96)}  # fmt: skip
print(f"{'':>16}  {'blocks':>6} {'norms':>9} {'attention':>11} {'ffn':>13}  {'all blocks':>16}")
for name, (d_model, d_ff, blocks) in KNOWN.items():
    count = count_parameters(d_model, d_ff)
    total = sum(count.values())
    row = f"{name:>16}  {blocks:>6} {count['norms']:>9,} {count['attention']:>11,} {count['ffn']:>13,}"
    print(f"{row}  {blocks * total:>16,}   feed-forward: {count['ffn'] / total:.0%}")

# %% [markdown]
# With $d_{ff} = 4\, d_{model}$ the feed-forward network holds about two thirds of a block, and a block has about $12\,
# d_{model}^2$ parameters. That rule of thumb is all you need to get from the 12,288 and 96 in the paper on GPT-3 to its
# 175 billion parameters. (The small rest are the vectors of tokens and positions, and biases that we left out.)
#
# ## Experiment: what the residual connections are for
#
# A network learns from its **gradient**: the derivative of the loss with respect to every number on the way. It is
# computed from the last block backwards. If $g$ is the gradient at a block's output, then the gradient at its input is
# $g J$, where $J$ is the block's **Jacobian**: entry $J_{ij}$ says how fast output $i$ changes with input $j$ (you met
# one in [ch02](../ch02_scaled_dot_product/ch02_scaled_dot_product.ipynb)). Through 32 blocks $g$ is multiplied by 32
# Jacobians, and such products easily vanish. Now look at one sublayer $f$ with a residual connection. Its Jacobian is
#
# $$\frac{\partial\,(x + f(x))}{\partial x} = I + J_f \qquad\text{so}\qquad g\,(I + J_f) = g + g J_f$$
#
# where $I$ is the identity and $J_f$ the Jacobian of $f$ alone. Whatever $f$ does, $g$ itself gets through.
#
# Measure it. You build three stacks of 32 random blocks from **your** functions: your `encoder_block`; the same without
# its two additions; and that without its norms as well. At the top you start with a gradient of length 1, and the cell
# takes it down block by block. Each Jacobian is measured: nudge one input up and down, and see how the outputs move.

# %% demonstration=true
from course.supplied.ch05 import random_block, without_residuals

n, d_model, d_ff, heads, depth, seeds = 4, 16, 64, 2, 32, 3


def jacobian(block, x, p, step=1e-5):
    """Entry (i, j): how fast output i changes with input j. Shape (x.size, x.size), by central differences.

    The step is relative to the size of x, which shrinks a great deal in one of the stacks.
    """
    step, columns = step * np.sqrt(np.mean(x**2)), []
    for nudge in np.eye(x.size).reshape(-1, *x.shape):
        difference = block(x + step * nudge, p, heads) - block(x - step * nudge, p, heads)
        columns.append(difference.ravel() / (2 * step))
    return np.stack(columns, axis=1)


def token_spread(x):
    """How much tokens differ from their mean, as a share of their size."""
    return np.linalg.norm(x - x.mean(axis=0)) / np.linalg.norm(x)


def forward_and_back(block, seed):
    """Gradient length after 0, 1, ... blocks on the way down; spread of the tokens after 0, 1, ... on the way up."""
    rng = np.random.default_rng(seed)
    stack, states = [random_block(rng, d_model, d_ff) for _ in range(depth)], [rng.standard_normal((n, d_model))]
    for p in stack:
        states.append(block(states[-1], p, heads))
    gradient = rng.standard_normal(n * d_model)
    gradients = [gradient / np.linalg.norm(gradient)]
    for p, x in zip(stack[::-1], states[-2::-1], strict=True):
        gradients.append(gradients[-1] @ jacobian(block, x, p))
    return [np.linalg.norm(g) for g in gradients], [token_spread(x) for x in states]


stacks = {
    "your encoder block": encoder_block,
    "no residuals": without_residuals(multi_head_attention, feed_forward, layer_norm),
    "no residuals, no norms": without_residuals(multi_head_attention, feed_forward),
}
runs = [(name, seed) for name in stacks for seed in range(seeds)]
measured = {run: forward_and_back(stacks[run[0]], run[1]) for run in tqdm(runs, desc="stacks", leave=False)}

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8))
looks = zip(stacks, (plots.VALUE, plots.KEY, plots.QUERY), ("-", "--", ":"), strict=True)
print(f"{'blocks passed:':>22} {'8':>9} {'16':>9} {'32':>9}   tokens differ after 32 blocks")
for name, colour, line in looks:
    gradients = np.exp(np.mean([np.log(measured[name, seed][0]) for seed in range(seeds)], axis=0))
    spreads = np.median([measured[name, seed][1] for seed in range(seeds)], axis=0)
    print(f"{name:>22} {gradients[8]:>9.1e} {gradients[16]:>9.1e} {gradients[32]:>9.1e}   {spreads[-1]:.1e}")
    left.semilogy(gradients, color=colour, linestyle=line, label=name)
    right.semilogy(np.maximum(spreads, 1e-17), color=colour, linestyle=line, label=name)
left.set(xlabel="blocks passed on the way down", ylabel="length of the gradient", title="The gradient on its way down")
right.set(xlabel="blocks passed on the way up", title="The tokens on their way up")
right.set_ylabel("difference between tokens (0 at the floor)")
left.legend()
plt.show()

# %% [markdown]
# **What you should see** On the left: through your encoder block the gradient keeps its length within a factor of ten,
# all 32 blocks down. Without the additions it shrinks to about a hundredth. Without norms too, hardly anything is left:
# about $10^{-11}$, too little to learn from. On the right: without residual connections all tokens have become the same
# after about five blocks, to the last digit. Attention averages, and averages of averages have nothing left to tell
# apart. The gradient that the norms save cannot help with that: the upper
# blocks see no two tokens that differ.
#
# **When this holds** These are random weights, scaled so that each product keeps the size of what it gets; training
# changes them. Smaller weights make the two lower curves fall faster. The gradient also grows a little on its way down:
# the first blocks work on a small $x$, and what they add is large beside it. [Dong et al.
# 2021](https://arxiv.org/abs/2103.03404) prove that attention alone makes tokens equal at this enormous speed.

# %% question="ch05.why_residuals"

# %%
progress("ch05")

# %% [markdown]
# ## Recap
#
# Layer norm gives every token features of mean 0 and variance 1 before a part reads them; the feed-forward network
# works on each token alone and holds two thirds of a block's parameters. Residual connections add each result to the
# stream, so that what was known is kept, tokens stay apart and gradients reach the first block. Attention is the only
# place in the block where tokens meet.
#
# **Now you can read** sections 3.1 and 3.3 of [Attention Is All You Need](https://arxiv.org/abs/1706.03762), [Layer
# Normalization](https://arxiv.org/abs/1607.06450), [GELUs](https://arxiv.org/abs/1606.08415), and [Xiong et al.
# 2020](https://arxiv.org/abs/2002.04745) on where the norm should stand.
#
# **Next** [ch06 The decoder block](../ch06_decoder/ch06_decoder.ipynb): the same block, forbidden to look ahead, learns
# to read a second sequence.
