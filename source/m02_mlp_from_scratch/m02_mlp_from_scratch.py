# %% [markdown]
# # m02 · MLP from scratch, backprop by hand
#
# In ch07 one line did the work: `loss.backward()`. In this lesson you write what stands behind it. You derive the way
# back through a linear layer, a ReLU, a GELU, an embedding and the softmax with its loss; you prove each one right by
# measuring; you join them into a network, write three optimizers, and train the network until it knows the
# multiplication table from 1 x 1 to 9 x 9, every one of its 81 products. All of it is NumPy, and all of it is yours.
# Then you ask the question that matters: does it multiply?
#
# {{exercises}}
#
# **Time** about 180 minutes. **Before this** [ch01 Attention from scratch](../ch01_attention/ch01_attention.ipynb) (the
# softmax), [ch05 The encoder block](../ch05_encoder/ch05_encoder.ipynb) (GELU) and [ch07
# Training](../ch07_training/ch07_training.ipynb) (loss and optimizer, with torch's gradients). **You need** NumPy,
# derivatives and the chain rule for functions of one number.
#
# **Where this is used** Backpropagation (Rumelhart, Hinton and Williams 1986) trains every network in this course.
# Whoever writes a fused kernel, FlashAttention for instance, has to write its way back by hand, as you do here. An
# embedding and two linear layers with a bend between them are also the feed-forward part of each block in a
# Transformer.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
from tqdm.auto import tqdm

from course import begin, check, plots, progress
from course.carry import gelu, softmax, working
from course.supplied.m02 import held_out, init_network, init_states, multiplication_table
from course.widgets import backprop_flow, table_trainer


def mean_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """The mean cross-entropy of ch07, in NumPy: logits (B, V), targets (B,) whole numbers -> one number."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float((log_sums - shifted[np.arange(len(targets)), targets]).mean())


ROOT, CUBIC = np.sqrt(2 / np.pi), 0.044715  # the two numbers in GELU


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    """The tanh in GELU, entry by entry: gelu(x) = x / 2 * (1 + gelu_tanh(x))."""
    return np.tanh(ROOT * (x + CUBIC * x**3))


begin("m02_mlp_from_scratch")

# %% [markdown]
# ## 1. What you will build
#
# A network with one hidden layer is called a **multilayer perceptron**, MLP. This one reads two digits and answers with
# their product. Press Start.

# %% demonstration=true
table_trainer()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: two curves, the loss that falls and the share of right answers that rises; a table of 9 by 9
# pairs that says how sure the net is of its answer, with a minus where it is wrong; and a second one with the
# activation of one hidden unit for each pair.*
#
# **Try** Press Start and watch the left table. Which pairs are learned first? Look at one hidden unit after another:
# what does it respond to, a row, a column, a corner? Pause, set the learning rate to 1, press Reset and Start.
#
# ### The network, with shapes
#
# | symbol | in code | shape | |
# |:---|:---|:---|:---|
# | $B$ | `len(pairs)` | | examples in a batch; here mostly all 81 pairs |
# | | `pairs` | $(B, 2)$ | the two digits, whole numbers from 1 to 9 |
# | $E$ | `p["embed"]` | $(10, d)$ | a learned row for each digit (row 0 is never read) |
# | $X$ | `x` | $(B, 2d)$ | the two rows of each pair, side by side |
# | $W_1, b_1$ | `p["w_1"]`, `p["b_1"]` | $(2d, h)$, $(h,)$ | first linear layer |
# | $Z = X W_1 + b_1$ | `z` | $(B, h)$ | before the bend |
# | $A = \max(Z, 0)$ | `a` | $(B, h)$ | the hidden layer, $h$ units (elsewhere in this course $h$ counts heads) |
# | $W_2, b_2$ | `p["w_2"]`, `p["b_2"]` | $(h, V)$, $(V,)$ | second linear layer |
# | $A W_2 + b_2$ | `logits` | $(B, V)$ | a score for each class |
# | $y$ | `targets` | $(B,)$ | the products |
#
# Two choices deserve a reason. *Why does it not get the digits as numbers?* Because that would tell it something about
# digits, that 3 lies between 2 and 4. A language model is not told: `3` is a token like any other, and its vector has
# to be learned. *Why is the answer a class and not a number?* For the same reason: `56` is one token among $V$. We take
# $V = 82$ classes, 0 to 81, so that the class *is* the product. 46 of them never occur as a product, and the net has to
# learn that, too.
#
# The loss is the cross-entropy of ch07, averaged over the batch: `mean_loss` in the first cell.
#
# ## 2. Going back through a graph
#
# The loss depends on $W_1$ by a long way: through $Z$, $A$, the logits. The **chain rule** takes it one step at a time.
# Suppose that you know by how much the loss $L$ grows when an entry of a step's *output* grows. Then you find by how
# much it grows when an entry of its *input* grows, and pass that on to the step before. For every array $Y$ on the way,
# we write
#
# $$\frac{\partial L}{\partial Y} \quad \text{in code } \texttt{grad\_y}, \text{ of the same shape as } Y.$$
#
# The picture shows a tiny network with numbers, two examples at once. Step through it: first forward, to the loss; then
# back. Click on a box to see all of its numbers.

# %% demonstration=true
backprop_flow()

# %% [markdown]
# *No picture above? Run the cell. On a page without a running notebook, only a still picture or this sentence stands
# here: boxes for x, z, a, the logits and the loss from left to right, and below each of them a box with its gradient,
# filled from right to left; the gradients of weights and biases branch off on the way.*
#
# > **Key insight.** A gradient has the shape of what it belongs to. If yours has not, it is wrong; and often there is
# > only one way to multiply what you have that gives the right shape.
#
# ### How do you know that a gradient is right?
#
# Measure it. Move one entry of $x$ a little to both sides and see how much $f$ changes:
#
# $$\frac{\partial f}{\partial x_i} \approx \frac{f(x + \varepsilon e_i) - f(x - \varepsilon e_i)}{2 \varepsilon}$$
#
# where $e_i$ is 1 at place $i$ and 0 elsewhere. This is a **central difference**. Why to both sides? Write $f$ as its
# Taylor series: one-sided, the error is about $\tfrac12 \varepsilon f''$; with both sides the $f''$ cancel, and
# $\tfrac16 \varepsilon^2 f'''$ is left. It is far too slow to train with, as it needs two evaluations for each
# parameter. As a judge it is incorruptible. Use it on everything you write below.
#
# {{m02.numeric_gradient}}


# %% exercise="m02.numeric_gradient"
def numeric_gradient(f, x: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Measure the gradient of f at x by central differences, one entry at a time.

    Args:
        f: a function that takes an array of x's shape and returns a number.
        x: any number of axes, float64. It must be unchanged when you return, to the last bit.
        eps: how far an entry is moved to either side.

    Returns:
        An array of x's shape: (f(x + eps at this place) - f(x - eps at this place)) / (2 eps).

    >>> numeric_gradient(lambda x: float((x**3).sum()), np.array([[1.0, 2.0]]), eps=0.1)  # 3 x^2 + eps^2
    array([[ 3.01, 12.01]])
    """
    ### BEGIN SOLUTION
    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += eps
        down[place] -= eps
        gradient[place] = (f(up) - f(down)) / (2 * eps)
    return gradient
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: all places, whatever the shape</summary>
#
# `np.ndindex(x.shape)` gives every place of an array as a tuple, `(0, 0)`, `(0, 1)`, ...; `x[place]` is one entry.
# </details>
# <details><summary>Hint 2: why is x changed?</summary>
#
# `y = x` gives the same array a second name. `x.copy()` makes a new one. And adding eps and then subtracting it again
# does not always lead back to the same last bit.
# </details>

# %% question="m02.tiny_eps"

# %% [markdown]
# ## 3. A linear layer
#
# For a batch, $Y = X W + b$, with $X$ of shape $(B, n_{in})$, $W$ of shape $(n_{in}, n_{out})$, and $b$ of shape
# $(n_{out},)$ added to each row.
#
# {{m02.linear_forward}}


# %% exercise="m02.linear_forward"
def linear_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A linear layer for a whole batch.

    Args:
        x: shape (B, n_in), a row for each example.
        w: shape (n_in, n_out).
        b: shape (n_out,), added to every row.

    Returns:
        Shape (B, n_out).

    >>> linear_forward(np.array([[1.0, 2.0]]), np.array([[3.0, 0.0], [1.0, -1.0]]), np.array([0.5, 0.0]))
    array([[ 5.5, -2. ]])
    """
    ### BEGIN SOLUTION
    return x @ w + b
    ### END SOLUTION


# %% [markdown]
# ### The way back
#
# Write one entry of the output: $Y_{nj} = \sum_i X_{ni} W_{ij} + b_j$, for example $n$ and output $j$. Now ask what
# each input moves.
#
# - **$X_{ni}$** moves all outputs of its own example $n$, each by $W_{ij}$. What comes back to it is the sum over $j$:
#
# $$\frac{\partial L}{\partial X_{ni}} = \sum_j \frac{\partial L}{\partial Y_{nj}} W_{ij}
# \qquad (B, n_{in}) \text{ from } (B, n_{out}) \text{ and } (n_{in}, n_{out})$$
#
# - **$W_{ij}$** moves output $j$ of *every* example, each by $X_{ni}$. What comes back is the sum over $n$:
#
# $$\frac{\partial L}{\partial W_{ij}} = \sum_n X_{ni} \frac{\partial L}{\partial Y_{nj}}
# \qquad (n_{in}, n_{out}) \text{ from } (B, n_{in}) \text{ and } (B, n_{out})$$
#
# - **$b_j$** moves output $j$ of every example, each by 1:
#
# $$\frac{\partial L}{\partial b_j} = \sum_n \frac{\partial L}{\partial Y_{nj}} \qquad (n_{out},)$$
#
# Each sum over a shared index is a matrix product, once you have turned the right factor round so that this index is
# the inner one. Find out which, by the shapes. Nothing is divided by $B$ here: if the loss is a mean over the batch,
# $\partial L / \partial Y$ holds that $1/B$ already.
#
# {{m02.linear_backward}}


# %% exercise="m02.linear_backward"
def linear_backward(grad_y: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Go back through y = x @ w + b.

    Args:
        grad_y: gradient of the loss by y, shape (B, n_out).
        x: what went in, shape (B, n_in).
        w: the weights, shape (n_in, n_out).

    Returns:
        (grad_x, grad_w, grad_b), of shapes (B, n_in), (n_in, n_out) and (n_out,). No argument is changed.

    >>> grad_y, x, w = np.array([[1.0], [10.0]]), np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0], [7.0]])
    >>> grad_x, grad_w, grad_b = linear_backward(grad_y, x, w)
    >>> grad_x.tolist(), grad_w.tolist(), grad_b.tolist()
    ([[5.0, 7.0], [50.0, 70.0]], [[31.0], [42.0]], [11.0])
    """
    ### BEGIN SOLUTION
    return grad_y @ w.T, x.T @ grad_y, grad_y.sum(axis=0)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which shapes fit?</summary>
#
# You have (B, n_out) and (n_in, n_out) and want (B, n_in). The index that disappears is n_out. In a product
# (a, b) @ (b, c), the inner index b disappears.
# </details>
# <details><summary>Hint 2: the check passes for one shape and fails for another</summary>
#
# If n_in = n_out, a w that was not turned round fits as well, and gives wrong numbers. Trust the sums, not the error
# messages.
# </details>
#
# Now measure. `working` takes your functions if they pass, and the course's own if they do not.

# %% demonstration=true
measure, forward, back = working("m02.numeric_gradient", "m02.linear_forward", "m02.linear_backward")
rng = np.random.default_rng(2)
x, w, b = rng.standard_normal((3, 4)), rng.standard_normal((4, 2)), rng.standard_normal(2)
weight = rng.standard_normal((3, 2))  # the loss is sum(weight * y), so grad_y is this weight

by_hand = back(weight, x, w)
measured = [
    measure(lambda x: (weight * forward(x, w, b)).sum(), x),
    measure(lambda w: (weight * forward(x, w, b)).sum(), w),
    measure(lambda b: (weight * forward(x, w, b)).sum(), b),
]
for name, one, other in zip(("grad_x", "grad_w", "grad_b"), by_hand, measured, strict=True):
    print(f"{name} {one.shape!s:7} largest difference from the measured one: {np.abs(one - other).max():.0e}")

# %% [markdown]
# **What you should see** Differences of about $10^{-10}$: agreement to ten digits. A wrong gradient differs in the
# first one or two.
#
# ## 4. Bends
#
# Without something bent between them, two linear layers are one. The **ReLU** is $\max(x, 0)$, entry by entry. Where
# $x > 0$ its slope is 1 and the gradient passes as it is. Where $x < 0$ its slope is 0: the output did not move, so
# nothing comes back. At exactly 0 there is a corner and no derivative; like torch, we take 0.
#
# $$\frac{\partial L}{\partial X} = \frac{\partial L}{\partial Y} \odot [X > 0]$$
#
# Both factors have the shape of $X$; $\odot$ multiplies entry by entry, and $[\,\cdot\,]$ is 1 where the condition
# holds, else 0. Note whose sign counts: that of what went *in*.
#
# {{m02.relu_backward}}


# %% exercise="m02.relu_backward"
def relu_backward(grad_y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Go back through y = max(x, 0).

    Args:
        grad_y: gradient of the loss by y, any shape.
        x: what went in, the same shape.

    Returns:
        The gradient by x, the same shape; 0 where x is 0 or below. No argument is changed.

    >>> relu_backward(np.array([5.0, -6.0, 7.0]), np.array([2.0, 3.0, -4.0]))
    array([ 5., -6.,  0.])
    """
    ### BEGIN SOLUTION
    return grad_y * (x > 0)
    ### END SOLUTION


# %% [markdown]
# The Transformers of this course use GELU (ch05), which bends smoothly:
#
# $$\mathrm{gelu}(x) = \tfrac12\, x\, (1 + \tanh u) \qquad u = \sqrt{2/\pi}\; (x + 0.044715\, x^3)$$
#
# It is a product of $\tfrac12 x$ and $(1 + \tanh u)$, so its derivative has two terms, and in the second of them stands
# a chain rule. With $\tanh' u = 1 - \tanh^2 u$:
#
# $$\mathrm{gelu}'(x) = \tfrac12 (1 + \tanh u) + \tfrac12\, x\, (1 - \tanh^2 u)\, \frac{du}{dx}$$
#
# $du/dx$ is yours to find. Everything is entry by entry, so all shapes are that of $x$. The first cell
# holds what the way forward has computed anyway: `gelu_tanh(x)` is $\tanh u$, `ROOT` is $\sqrt{2/\pi}$ and `CUBIC` is
# 0.044715.
#
# {{m02.gelu_backward}}


# %% exercise="m02.gelu_backward"
def gelu_backward(grad_y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Go back through y = gelu(x), in the tanh form above.

    Args:
        grad_y: gradient of the loss by y, any shape.
        x: what went in, the same shape.

    Returns:
        The gradient by x, the same shape. No argument is changed.

    >>> gelu_backward(np.array([1.0, 2.0]), np.array([0.0, 1.0])).round(4)  # the slope at 0 is one half
    array([0.5   , 2.1659])
    """
    ### BEGIN SOLUTION
    t = gelu_tanh(x)
    du = ROOT * (1 + 3 * CUBIC * x**2)
    return grad_y * (1 + t + x * (1 - t**2) * du) / 2
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: test the pieces</summary>
#
# If the check only says that numbers differ, measure: `numeric_gradient(lambda x: float(gelu(x).sum()), x)` is what
# `gelu_backward(np.ones_like(x), x)` should be. Is yours right at x = 0? There only the first term is left. For large x
# it should be 1, and far below 0 it should be 0.
# </details>

# %% demonstration=true
measure, slope_of = working("m02.numeric_gradient", "m02.gelu_backward")
x = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
print("x            " + "".join(f"{value:9.1f}" for value in x))
print("slope by hand" + "".join(f"{value:9.4f}" for value in slope_of(np.ones_like(x), x)))
print("measured     " + "".join(f"{value:9.4f}" for value in measure(lambda x: float(gelu(x).sum()), x)))

# %% [markdown]
# **What you should see** Two equal rows. Below about -0.75 the slope is negative: there GELU falls as $x$ grows, which
# ReLU never does.
#
# ## 5. Softmax and cross-entropy
#
# The two belong together, as their joint gradient is far simpler than its parts. For one example with logits $z$,
# probabilities $p = \mathrm{softmax}(z)$ and the right class $y$, the loss is $-\log p_y$.
#
# The parts: the loss depends on one probability only,
#
# $$\frac{\partial L}{\partial p_k} = -\frac{1}{p_y}\,\delta_{ky}$$
#
# and each logit moves *all* probabilities, as they share out 1. That is the softmax's **Jacobian**, a matrix
# $(V, V)$:
#
# $$\frac{\partial p_k}{\partial z_j} = p_k\,(\delta_{kj} - p_j)$$
#
# where $\delta_{kj}$ is 1 if $k = j$ and else 0. Multiply:
#
# $$\frac{\partial L}{\partial z_j} = \sum_k \frac{\partial L}{\partial p_k} \frac{\partial p_k}{\partial z_j}
# = -\frac{1}{p_y}\, p_y\,(\delta_{yj} - p_j) = p_j - \delta_{yj}$$
#
# **Probability minus truth.** The matrix is gone, and so is the division by $p_y$, which may be tiny. For a batch, the
# loss is the mean over the $B$ examples, so each row is also divided by $B$. Shapes: logits $(B, V)$, gradient
# $(B, V)$; every row sums to 0.
#
# {{m02.softmax_cross_entropy_backward}}
#
# `softmax` is your own of ch01 (or the course's), which takes each row's maximum off first. One part of the check has
# logits of up to 1000.


# %% exercise="m02.softmax_cross_entropy_backward"
def softmax_cross_entropy_backward(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Gradient of the mean cross-entropy loss by the logits.

    Args:
        logits: shape (B, V), of any size (1000 and more must not overflow).
        targets: the right class of each example, shape (B,), whole numbers from 0 to V - 1.

    Returns:
        Shape (B, V): (probabilities - one-hot targets) / B. No argument is changed.

    >>> softmax_cross_entropy_backward(np.array([[0.0, 0.0], [0.0, np.log(3.0)]]), np.array([0, 0])).round(4)
    array([[-0.25 ,  0.25 ],
           [-0.375,  0.375]])
    """
    ### BEGIN SOLUTION
    gradient = softmax(logits)
    gradient[np.arange(len(targets)), targets] -= 1.0
    return gradient / len(targets)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one-hot rows</summary>
#
# `np.eye(V)[targets]` picks rows of the identity matrix: a 1 at each example's target. Or change the probabilities at
# these places only: `array[rows, columns]` with two vectors of length B picks B single entries.
# </details>
# <details><summary>Hint 2: `array[:, columns]`</summary>
#
# It picks whole columns, in every row. For one entry of each row, name the rows as well: `np.arange(B)`.
# </details>
#
# ### Your gradients in the graph
#
# The same picture, and now **your** functions fill the boxes. A wrong one is marked.

# %% demonstration=true
backprop_flow(linear_forward, linear_backward, relu_backward, softmax_cross_entropy_backward)

# %% [markdown]
# **Try** Step to the gradient of the logits: which entries are negative, and why do the rows sum to 0? Step on to
# `grad z`: it is 0 exactly where `z` was negative. Then move the slider, which changes example 1 only. Which rows of
# `grad z` change, and why does all of `grad w1`?

# %% question="m02.batch_not_averaged"

# %% [markdown]
# ## 6. The embedding
#
# `table[ids]` reads rows. It is a matrix product in disguise: a one-hot row times the table is one row of it. So the
# way back is $\text{one-hot}^T$ times the gradient, the sum over all places where the row was read:
#
# $$\frac{\partial L}{\partial E_{r}} = \sum_{n \,:\, id_n = r} \frac{\partial L}{\partial X_n}$$
#
# A row that nobody read gets 0. A row that was read ten times gets a sum of ten. In our table every digit is read 18
# times, in the pair 3 x 3 twice in one example. Here lies NumPy's most famous trap: `gradient[ids] += values` does
# *not* add up repeated ids.
#
# {{m02.embedding_backward}}


# %% exercise="m02.embedding_backward"
def embedding_backward(grad_x: np.ndarray, ids: np.ndarray, rows: int) -> np.ndarray:
    """Go back through x = table[ids].

    Args:
        grad_x: gradient of the loss by x, shape (..., d).
        ids: the rows that were read, whole numbers, shape (...), with any number of axes. Ids may repeat.
        rows: how many rows the table has.

    Returns:
        The gradient by the table, shape (rows, d), float. No argument is changed.

    >>> embedding_backward(np.array([[1.0, 2.0], [10.0, 20.0]]), np.array([1, 1]), rows=3)
    array([[ 0.,  0.],
           [11., 22.],
           [ 0.,  0.]])
    """
    ### BEGIN SOLUTION
    gradient = np.zeros((rows, grad_x.shape[-1]))
    np.add.at(gradient, ids, grad_x)
    return gradient
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: adding without buffering</summary>
#
# `np.add.at(array, places, values)` adds one value after the other, so repeats count. A plain loop does, too.
# </details>
# <details><summary>Hint 2: more than one axis</summary>
#
# `np.add.at` takes ids of any shape. If you loop, flatten both first: `ids.ravel()` and `grad_x.reshape(-1, d)`.
# </details>
#
# ## 7. The whole network
#
# Join the pieces forward. What the way back will need is kept on the way: each layer's input.
#
# {{m02.network_forward}}


# %% exercise="m02.network_forward"
def network_forward(pairs: np.ndarray, p: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Embedding, linear, ReLU, linear.

    Args:
        pairs: shape (B, 2), whole numbers: rows of p["embed"].
        p: {"embed": (rows, d), "w_1": (2 d, h), "b_1": (h,), "w_2": (h, V), "b_2": (V,)}.

    Returns:
        (logits, saved): logits of shape (B, V), and {"x": (B, 2 d), "z": (B, h), "a": (B, h)}, z before the ReLU and a
        after it. The first d columns of x belong to the first factor.

    >>> logits, saved = network_forward(np.array([[2, 3]]), init_network(d=4, hidden=6, seed=0))
    >>> logits.shape, {name: array.shape for name, array in saved.items()}
    ((1, 82), {'x': (1, 8), 'z': (1, 6), 'a': (1, 6)})
    """
    ### BEGIN SOLUTION
    x = p["embed"][pairs].reshape(len(pairs), -1)
    z = linear_forward(x, p["w_1"], p["b_1"])
    a = np.maximum(z, 0.0)
    return linear_forward(a, p["w_2"], p["b_2"]), {"x": x, "z": z, "a": a}
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: from (B, 2) to (B, 2 d)</summary>
#
# Indexing with a table of ids gives one row of the embedding for each: (B, 2, d). `reshape(B, -1)` lays the two rows of
# each pair side by side.
# </details>

# %% question="m02.what_to_keep"

# %% [markdown]
# And back, in the opposite order. Each line takes what the line before returned:
#
# | from | through | to |
# |:---|:---|:---|
# | the loss | softmax and cross-entropy | `grad_logits` $(B, V)$ |
# | `grad_logits` | the second linear layer, whose input was $A$ | `grad_a` $(B, h)$, `grad_w_2`, `grad_b_2` |
# | `grad_a` | the ReLU, whose input was $Z$ | `grad_z` $(B, h)$ |
# | `grad_z` | the first linear layer, whose input was $X$ | `grad_x` $(B, 2d)$, `grad_w_1`, `grad_b_1` |
# | `grad_x`, as $(B, 2, d)$ | the embedding | `grad_embed` $(10, d)$ |
#
# {{m02.network_backward}}


# %% exercise="m02.network_backward"
def network_backward(
    pairs: np.ndarray, targets: np.ndarray, p: dict[str, np.ndarray]
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss of a batch, and its gradient by every parameter.

    Args:
        pairs: shape (B, 2), whole numbers.
        targets: the right classes, shape (B,).
        p: the parameters, as in `network_forward`. They are not changed.

    Returns:
        (loss, gradients): the mean loss, a float, and a dictionary with the keys of p, each gradient of the shape of
        what it belongs to.

    >>> p = init_network(d=4, hidden=6, seed=0)
    >>> loss, gradients = network_backward(np.array([[2, 3], [3, 3]]), np.array([6, 9]), p)
    >>> {name: gradient.shape == p[name].shape for name, gradient in gradients.items()}
    {'embed': True, 'w_1': True, 'b_1': True, 'w_2': True, 'b_2': True}
    """
    ### BEGIN SOLUTION
    logits, saved = network_forward(pairs, p)
    grad_logits = softmax_cross_entropy_backward(logits, targets)
    grad_a, grad_w_2, grad_b_2 = linear_backward(grad_logits, saved["a"], p["w_2"])
    grad_z = relu_backward(grad_a, saved["z"])
    grad_x, grad_w_1, grad_b_1 = linear_backward(grad_z, saved["x"], p["w_1"])
    grad_embed = embedding_backward(grad_x.reshape(*pairs.shape, -1), pairs, len(p["embed"]))
    gradients = {"embed": grad_embed, "w_1": grad_w_1, "b_1": grad_b_1, "w_2": grad_w_2, "b_2": grad_b_2}
    return mean_loss(logits, targets), gradients
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: five calls</summary>
#
# One call for each row of the table above, with your five functions. The check tells you which gradient is the first
# that is wrong; what comes later in the table then is wrong as well.
# </details>
# <details><summary>Hint 2: back to (B, 2, d)</summary>
#
# `reshape(*pairs.shape, -1)` undoes the flattening of the forward pass, because both use the same order.
# </details>
#
# ### All of it, measured
#
# A small network with 5 classes, a batch of four pairs, every single parameter measured.

# %% demonstration=true
measure, forward, back = working("m02.numeric_gradient", "m02.network_forward", "m02.network_backward")
rng = np.random.default_rng(3)
pairs, targets = np.array([[1, 2], [3, 3], [2, 1], [0, 3]]), np.array([2, 4, 2, 0])
shapes = {"embed": (4, 3), "w_1": (6, 5), "b_1": (5,), "w_2": (5, 5), "b_2": (5,)}
p = {name: rng.standard_normal(shape) for name, shape in shapes.items()}

_, by_hand = back(pairs, targets, p)
for name in p:
    measured = measure(lambda value, name=name: mean_loss(forward(pairs, p | {name: value})[0], targets), p[name])
    print(f"{name:5} {p[name].size:2} numbers, largest difference {np.abs(measured - by_hand[name]).max():.0e}")

# %% [markdown]
# **What you should see** About $10^{-10}$ everywhere. If you ever write a layer of your own, this cell is the test that
# it needs.
#
# **When this holds** In float64, away from corners: if a unit's $z$ lies within $\varepsilon$ of 0, the two sides see
# different slopes, and the measurement lies between them.

# %% question="m02.all_zero"

# %% [markdown]
# ## 8. Going downhill, in three ways
#
# The gradient points to where the loss grows. **Gradient descent** goes the other way: $W \leftarrow W - \eta\, G$,
# with $W$ any parameter, $G$ its gradient of the same shape, and $\eta$ (eta), `lr`, the learning rate. With all 81
# pairs in each step it is plain gradient descent; with a random batch it is *stochastic*: SGD. The step is the same.
#
# {{m02.sgd_step}}
#
# All three functions return new arrays and **change nothing in place**. That is a matter of safety: while gradients are
# still being taken, everybody has to see the same old weights.


# %% exercise="m02.sgd_step"
def sgd_step(w: np.ndarray, grad: np.ndarray, lr: float) -> np.ndarray:
    """One step of gradient descent.

    Args:
        w, grad: a parameter and its gradient, of one shape. They are not changed.
        lr: the learning rate.

    Returns:
        The new parameter, a new array.

    >>> sgd_step(np.array([1.0, 2.0]), np.array([10.0, -10.0]), lr=0.1)
    array([0., 3.])
    """
    ### BEGIN SOLUTION
    return w - lr * grad
    ### END SOLUTION


# %% [markdown]
# In a narrow valley, plain descent jumps from wall to wall while it creeps along the floor. **Momentum** keeps a
# velocity $U$: steps that agree add up, steps that alternate cancel.
#
# $$U \leftarrow \beta\, U + G \qquad W \leftarrow W - \eta\, U$$
#
# All shapes are that of $W$; $U$ begins at 0. If $G$ stays the same for long, $U$ grows to $G / (1 - \beta)$: with
# $\beta = 0.9$ a step ten times as long. (Some books put $\eta$ into the velocity. Then a change of $\eta$ acts late.)
#
# {{m02.momentum_step}}


# %% exercise="m02.momentum_step"
def momentum_step(
    w: np.ndarray, grad: np.ndarray, velocity: np.ndarray, lr: float, beta: float = 0.9
) -> tuple[np.ndarray, np.ndarray]:
    """One step of descent with momentum.

    Args:
        w, grad, velocity: a parameter, its gradient and its velocity so far, of one shape. They are not changed.
        lr: the learning rate.
        beta: the share of the old velocity that is kept.

    Returns:
        (new w, new velocity), two new arrays; w moves by the new velocity.

    >>> w, velocity = momentum_step(np.array([1.0]), np.array([2.0]), np.array([10.0]), lr=0.1)
    >>> w.round(6).tolist(), velocity.tolist()
    ([-0.1], [11.0])
    """
    ### BEGIN SOLUTION
    velocity = beta * velocity + grad
    return w - lr * velocity, velocity
    ### END SOLUTION


# %% [markdown]
# **Adam** also keeps a running mean of the *squared* gradient and divides by its root, so each parameter gets a step of
# its own length (ch07, where you built it for torch, with weight decay). With $t = 1, 2, \ldots$ counting the steps:
#
# $$\begin{aligned}
# m &\leftarrow \beta_1 m + (1 - \beta_1)\, G & \hat m &= m / (1 - \beta_1^t) \\
# v &\leftarrow \beta_2 v + (1 - \beta_2)\, G^2 & \hat v &= v / (1 - \beta_2^t) \\
# W &\leftarrow W - \eta\, \hat m / (\sqrt{\hat v} + \varepsilon)
# \end{aligned}$$
#
# Both means begin at 0 and so are too small at first. Unroll $m$ for a constant gradient: $m = (1 - \beta_1^t)\, G$.
# The division mends exactly that. Without it the first step would be $(1 - \beta_1) / \sqrt{1 - \beta_2} \approx 3$
# times too long, and then more.
#
# {{m02.adam_step}}


# %% exercise="m02.adam_step"
def adam_step(
    w: np.ndarray,
    grad: np.ndarray,
    state: dict,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[np.ndarray, dict]:
    """One step of Adam.

    Args:
        w, grad: a parameter and its gradient, of one shape.
        state: {"step": int, "m": array, "v": array}: the steps made so far and both means, uncorrected. At the start
            the step is 0 and both are zeros. Neither it nor the arrays are changed.
        lr, beta1, beta2, eps: see above.

    Returns:
        (new w, new state), the state with the same three keys.

    >>> w, state = adam_step(np.array([2.0]), np.array([30.0]), {"step": 0, "m": np.zeros(1), "v": np.zeros(1)}, lr=0.1)
    >>> w.round(6).tolist(), state["step"], state["m"].round(6).tolist(), state["v"].round(6).tolist()
    ([1.9], 1, [3.0], [0.9])
    """
    ### BEGIN SOLUTION
    step = state["step"] + 1
    m = beta1 * state["m"] + (1 - beta1) * grad
    v = beta2 * state["v"] + (1 - beta2) * grad**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return w - lr * m_hat / (np.sqrt(v_hat) + eps), {"step": step, "m": m, "v": v}
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: the order</summary>
#
# Count the step first, then bring both means up to date, then correct copies of them, then move w. The state keeps the
# means as they were before the correction.
# </details>
#
# ### One step of training
#
# First **all** gradients, then all updates. If you update $W_2$ as soon as its gradient is known and then go back
# through it, the rest of the gradients belong to a network that never was: half old, half new. No
# error is raised, and with a small learning rate the loss falls all the same: nobody would notice. The check does.
#
# {{m02.train_step}}


# %% exercise="m02.train_step"
def train_step(
    pairs: np.ndarray, targets: np.ndarray, p: dict[str, np.ndarray], states: dict[str, dict], lr: float
) -> tuple[dict[str, np.ndarray], dict[str, dict], float]:
    """One step of Adam for every parameter of the network.

    Args:
        pairs, targets: the batch, as in `network_backward`.
        p: the parameters, a dictionary of arrays. Neither it nor the arrays are changed.
        states: the state of `adam_step` for every key of p; not changed either.
        lr: the learning rate; all else as in `adam_step` if nobody says otherwise.

    Returns:
        (new parameters, new states, the loss before the step).

    >>> pairs, products = multiplication_table()
    >>> p = init_network(d=4, hidden=6, seed=0)
    >>> p, states, before = train_step(pairs, products, p, init_states(p), lr=0.01)
    >>> p, states, after = train_step(pairs, products, p, states, lr=0.01)
    >>> after < before
    True
    """
    ### BEGIN SOLUTION
    loss, gradients = network_backward(pairs, targets, p)
    new_p, new_states = {}, {}
    for name in p:
        new_p[name], new_states[name] = adam_step(p[name], gradients[name], states[name], lr)
    return new_p, new_states, loss
    ### END SOLUTION


# %% [markdown]
# Now it is **your** net that trains, through your forward pass, your backward passes and your Adam.

# %% demonstration=true
table_trainer(network_forward, train_step)

# %% [markdown]
# **Try** Start it with learning rates of 0.001, 0.01, 0.1 and 1. Which is too small, which too large? What do you see
# in the loss when it is too large? Pause at about half of the pairs right and point at a wrong one: the line under the
# table says what the net takes it for. Then keep some pairs from it (`kept from the net`), and train once more.
#
# ## Experiment 1: the whole table, three optimizers
#
# Your functions train the same network from the same start, with all 81 pairs in each step. For each optimizer seven
# learning rates are tried. How many steps until all 81 answers are right? A run that has not got there after 400 steps
# is given up.

# %% demonstration=true
forward, back, plain, heavy, adam = working(
    "m02.network_forward", "m02.network_backward", "m02.sgd_step", "m02.momentum_step", "m02.adam_step"
)
pairs, products = multiplication_table()


def right(pairs: np.ndarray, targets: np.ndarray, p: dict) -> float:
    """The share of pairs whose largest logit is that of the product."""
    return float((forward(pairs, p)[0].argmax(axis=1) == targets).mean())


OPTIMIZERS = {  # name -> (the start of a state, one step)
    "descent": (lambda w: None, lambda w, g, state, lr: (plain(w, g, lr), None)),
    "momentum": (np.zeros_like, lambda w, g, state, lr: heavy(w, g, state, lr)),
    "Adam": (lambda w: {"step": 0, "m": np.zeros_like(w), "v": np.zeros_like(w)}, adam),
}


def steps_until_all_right(optimizer: str, lr: float, most: int = 400) -> tuple[int | None, list[float]]:
    """Train a fresh net; the number of steps (None: not reached), and the loss before each of them."""
    begin_with, step = OPTIMIZERS[optimizer]
    p, losses = init_network(d=6, hidden=32, seed=0), []
    states = {name: begin_with(w) for name, w in p.items()}
    for count in range(most):
        if right(pairs, products, p) == 1.0:
            return count, losses
        loss, gradients = back(pairs, products, p)
        losses.append(loss)
        if not np.isfinite(loss):
            break
        for name in p:
            p[name], states[name] = step(p[name], gradients[name], states[name], lr)
    return None, losses


rates, found = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0], {}
start = time.perf_counter()
with np.errstate(all="ignore"), tqdm(total=len(rates) * len(OPTIMIZERS), desc="training", leave=False) as bar:
    for name in OPTIMIZERS:
        for lr in rates:
            found[name, lr] = steps_until_all_right(name, lr)
            bar.update()

print("steps until 81 of 81 are right")
print("learning rate " + "".join(f"{lr:>8}" for lr in rates))
for name in OPTIMIZERS:
    counts = [found[name, lr][0] for lr in rates]
    print(f"{name:14}" + "".join(f"{'-' if count is None else count:>8}" for count in counts))
print(f"{len(found)} trainings in {time.perf_counter() - start:.0f} s")

figure, (left, right_panel) = plt.subplots(1, 2, figsize=(9, 3.5))
styles = dict(zip(OPTIMIZERS, [(plots.QUERY, "o"), (plots.KEY, "s"), (plots.VALUE, "D")], strict=True))
for name, (colour, marker) in styles.items():
    reached = [(lr, found[name, lr][0]) for lr in rates if found[name, lr][0] is not None]
    left.plot(*zip(*reached, strict=True), color=colour, marker=marker, label=name)
    lr, _ = min(reached, key=lambda pair: pair[1])
    right_panel.plot(found[name, lr][1], color=colour, marker=marker, markevery=5, label=f"{name}, lr = {lr}")
left.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="steps until all are right")
left.set_title("Where each of them works")
right_panel.set(xlabel="step", ylabel="loss", yscale="log", title="Each at its best rate")
for panel in (left, right_panel):
    panel.legend()
plt.show()

# %% [markdown]
# **What you should see** All three get to 100 %, each in a fraction of a second. Adam and momentum need the fewest
# steps, each at a rate of its own: Adam works at rates a hundred times smaller than plain descent needs, since it
# divides by the gradients' size. Momentum at 0.1 does about what plain descent does at 1, as $1 / (1 - 0.9) = 10$
# promised. At the largest rates neither Adam nor momentum gets there: their steps jump about.
#
# **When this holds** For this small net and full batches, from one start; other seeds shift the numbers a little. The
# more units, the easier it is to store 81 answers. That this is easy should make you suspicious.
#
# ## Experiment 2: does it multiply?
#
# Keep 16 pairs from the net: 1 x 4, 1 x 6, 1 x 8, 2 x 6, 2 x 8, 2 x 9, 3 x 8, 4 x 9, and the same turned round. Each of
# their products also comes about in another way (12 is 3 x 4), so all answers occur in the training. Then, as a second
# try, keep only one order of each: the net sees 6 x 2 and is asked 2 x 6.

# %% demonstration=true
forward, step = working("m02.network_forward", "m02.train_step")
pairs, products = multiplication_table()
curves = {}
for name, hidden in (("both orders unseen", held_out()), ("one order unseen", held_out(both_orders=False))):
    p = init_network(d=6, hidden=32, seed=0)
    states, rows = init_states(p), []
    for _ in range(300):
        p, states, _ = step(pairs[~hidden], products[~hidden], p, states, 0.02)
        logits = forward(pairs, p)[0]
        good = logits.argmax(axis=1) == products
        rows.append((good[~hidden].mean(), good[hidden].mean(), mean_loss(logits[hidden], products[hidden])))
    curves[name] = np.array(rows)
    chance = softmax(logits)[hidden]
    print(f"{name}: {good[~hidden].sum()} of {(~hidden).sum()} seen pairs right, {good[hidden].sum()} of"
          f" {hidden.sum()} unseen; loss on the unseen {rows[-1][2]:.1f}, pure guessing {np.log(82):.1f}")  # fmt: skip
    answers = [f"{a} x {b} = {answer} ({share:.0%})" for (a, b), answer, share in
               zip(pairs[hidden], logits.argmax(axis=1)[hidden], chance.max(axis=1), strict=True)]  # fmt: skip
    print("   it says " + ", ".join(answers[:4]))

figure, (left, right_panel) = plt.subplots(1, 2, figsize=(9, 3.4))
for panel, (name, values) in zip((left, right_panel), curves.items(), strict=True):
    panel.plot(values[:, 0], color=plots.VALUE, label="pairs it was trained with")
    panel.plot(values[:, 1], color=plots.KEY, linestyle="--", label="pairs it never saw")
    panel.set(xlabel="step", ylabel="share of right answers", title=name, ylim=(-0.05, 1.05))
    panel.legend(loc="center right")
plt.show()

# %% [markdown]
# **What you should see** 100 % of what it was trained with, and of the others none, or hardly any. It is not even
# unsure: it gives wrong answers, most of them with more than half of the probability, and its loss on unseen pairs is
# higher than if it guessed among all 82 classes. Nor does 6 x 2 teach it 2 x 6.
#
# It has learned the table as you would learn a list of telephone numbers. Nothing in its parameters is *multiplying*;
# nothing in the loss asks for it. A larger net or a longer training does not help: the loss of what it was trained with
# is nearly 0, so nothing is left to pull.
#
# **When this holds** For this net, this split and this start; the small net of the widget does the same with others.
# With far more examples, and with weight decay, small networks do find rules in such tables (Power et al. 2022,
# "Grokking"). The other way out is not to ask for the answer in one go, but for the steps. That is m18.

# %% question="m02.never_seen"

# %%
progress("m02")

# %% [markdown]
# ## Recap
#
# Every layer needs one more function, which turns the gradient of its output into the gradients of its inputs, each of
# the shape of what it belongs to; backpropagation calls them in the opposite order. Softmax and cross-entropy together
# give probability minus truth, a shared parameter gets the sum over all its uses, and a measured gradient tells you
# whether any of it is right. With these and Adam your network stores the whole table, and shows that storing is not
# multiplying.
#
# **Now you can read** [Rumelhart, Hinton and Williams 1986](https://www.nature.com/articles/323533a0) on
# backpropagation; [Kingma and Ba 2015](https://arxiv.org/abs/1412.6980) (Adam); [Sutskever et al.
# 2013](https://proceedings.mlr.press/v28/sutskever13.html) on momentum; [Goodfellow, Bengio and Courville
# 2016](https://www.deeplearningbook.org), chapter 6; and on nets that do find the rule, [Power et al.
# 2022](https://arxiv.org/abs/2201.02177).
#
# **Next** m18, Teaching a Transformer to multiply: the answer step by step, and pairs that it never saw. Back to [ch07
# Training](../ch07_training/ch07_training.ipynb) or [ch10 What makes it
# work](../ch10_composition/ch10_composition.ipynb).
