# %% [markdown]
# # ch01 · Attention from scratch
#
# "The cat sat on the mat because **it** was tired." Who was tired? You know at once. A computer that sees one word
# after the other does not: to understand "it", it has to look at the other words and decide which of them matter. That
# looking is called **attention**, and it takes three steps: compare, share out, average. You write each of them, put
# them together, and then watch "it" choose between the cat and the mat.
#
# {{exercises}}
#
# **Time** about 45 minutes. **Before this** [ch00 What is a sequence?](../ch00_sequences/ch00_sequences.ipynb) (a text
# becomes a list of tokens). **You need** NumPy arrays and the matrix product; no machine learning.
#
# **Where this is used** Attention came into translation with [Bahdanau et al. 2015](https://arxiv.org/abs/1409.0473)
# and is the core of every Transformer, from [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762) to today's language
# models. What you build here is its simplest form. The next two chapters turn it into theirs.

# %%
import matplotlib.pyplot as plt
import numpy as np

from course import begin, check, plots, progress
from course.supplied.ch01 import DIMENSIONS, SENTENCE, embed  # the sentence and its vectors
from course.widgets import dot_product_plane, softmax_lab, token_attention

begin("ch01_attention")

# %% [markdown]
# ## 1. Compare: how alike are two tokens?
#
# In ch00 a token became a number in a list, and that number says nothing about the word. So each token gets a row of
# numbers instead, its **vector** (also called its *embedding*). Real models learn these vectors, with hundreds of
# numbers that have no names. Ours are made by hand and have eight, so that you can read them: how much of an *animal*
# is it, how much *furniture*, an *action*, a *place*, a *state*; is it a *function* word (one that only connects); is
# it something that a *noun* or pronoun stands for; and is it *alive* (above 0) or lifeless (below 0)?
#
# Choose a token below. The left side shows how alike every token is to it, and the weight that each gets. Look at "it":
# most of its weight is on "cat" and on itself. The line under the table says why.

# %% demonstration=true
token_attention()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: for a chosen token, bars show its similarity to all ten tokens of the sentence and the weights
# made of it. "it" gives about half of its weight to "cat", because both are like nouns and alive.*
#
# **Try** Let the sentence end with "soft": one number of "it" changes, and "it" looks at the mat. Then choose "The" and
# find out why it prefers "because" to itself. (Compare the two rows of the table: they point the same way, but
# "because" is longer.)
#
# ### The maths, with shapes
#
# There are $n$ tokens, and each has a vector of $d$ numbers. Stack the vectors as rows: this is the matrix $X$ of shape
# $(n, d)$, and $x_i$ is its row $i$. The **dot product** of two rows multiplies them dimension by dimension and adds
# up:
#
# $$S_{ij} = x_i \cdot x_j = \sum_{c=1}^{d} X_{ic}\, X_{jc}$$
#
# | symbol | shape | |
# |:---|:---|:---|
# | $X$ | $(n, d)$ | one row for each token |
# | $S$ | $(n, n)$ | the similarity of token $i$ (row) and token $j$ (column) |
#
# **Why does this measure similarity?** Look at one term of the sum. If both tokens have much of a dimension, or both
# are below 0 in it, the product is positive. If one is above and one below, it is negative. If one of them has nothing
# there, it is 0. So every dimension votes, and the dot product counts the votes. "it" and "cat" agree on *noun*,
# $1.5 \cdot 2$, and on *alive*, $1 \cdot 1$, which makes 4. "it" and "mat" agree on *noun* and disagree on *alive*:
# $3 - 1 = 2$.
#
# {{ch01.similarity}}
#
# Compute all pairs. A loop is fine; one matrix product does it too.


# %% exercise="ch01.similarity"
def similarity(x: np.ndarray) -> np.ndarray:
    """Dot products of all pairs of tokens.

    Args:
        x: tokens, shape (n, d), one row for each.

    Returns:
        Shape (n, n); entry (i, j) is the dot product of row i and row j.

    >>> similarity(np.array([[1.0, 2.0], [0.0, 3.0]])).tolist()
    [[5.0, 6.0], [6.0, 9.0]]
    """
    ### BEGIN SOLUTION
    return x @ x.T
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one entry by hand</summary>
#
# Take the example in the docstring. Which two rows give the 6, and how? Which two give the 9?
# </details>
# <details><summary>Hint 2: as a matrix product</summary>
#
# The matrix product `a @ b` takes the dot products of the rows of `a` with the *columns* of `b`. You want rows with
# rows. What turns rows into columns?
# </details>
#
# ### Your function at work: what length does
#
# Here are three vectors with only two numbers each, so that they can be drawn. **Your** `similarity` fills the table.
# Turn a vector, then make it longer. (The picture calls the chosen vector a *query* and the others *keys*. These names
# belong to ch02.)

# %% demonstration=true
dot_product_plane(similarity)

# %% [markdown]
# The second line under the picture is the same dot product in another form. Write $\lVert a \rVert$ for the **length**
# of a vector, the square root of $a \cdot a$, and $\theta$ for the angle between two vectors. Then
#
# $$a \cdot b = \lVert a \rVert\, \lVert b \rVert \cos\theta$$
#
# The cosine is 1 for the same direction, 0 at a right angle, and $-1$ for opposite directions. So direction decides the
# *sign*, and length multiplies. Two things follow. A token with a long vector gets large similarities with everybody
# who points its way. And the similarity of a token with *itself* is its squared length, so it is hard to beat.
#
# > **Key insight.** A dot product asks two questions at once: do we point the same way, and how long are we? The angle
# > alone would be the *cosine similarity*. Attention uses the dot product, so that a token can be loud or quiet.

# %% question="ch01.what_length_does"

# %% [markdown]
# ## 2. Share out: from scores to weights
#
# A row of similarities says who matters, but you cannot average with it: the numbers may be negative, and they add up
# to anything. In this role they are called **scores**. You want **weights**: none negative, a larger score gets a
# larger weight, and together they make exactly 1, like shares of a cake. The **softmax** does that. Drag the scores
# below.

# %% demonstration=true
softmax_lab()

# %% [markdown]
# *No picture above? Run the cell. On a page without a running notebook, a still picture or this sentence stands here:
# bars show four scores and the weights that the softmax makes of them, and curves show how the weights become equal
# at a high temperature and go to the largest score alone at a low one.*
#
# **Try** Raise the lowest score until it has half of the weight. Turn the **temperature** down, by which all scores are
# divided: differences grow, and the winner takes all. Then add 1000 to every score and read the two formulas.
#
# ### The maths, with shapes
#
# For one row of scores $s = (s_1, \dots, s_n)$, the weight of entry $j$ is
#
# $$w_j = \mathrm{softmax}(s)_j = \frac{e^{s_j}}{\sum_{k=1}^{n} e^{s_k}}$$
#
# **Why exp?** $e^s$ is above 0 for every $s$, and it grows with $s$. Each step of 1 in the score multiplies the power
# by $e \approx 2.72$, so differences of scores become *ratios* of weights.
#
# **Why do the weights sum to 1?** Because every power is divided by the sum of all of them:
# $\sum_j w_j = \sum_j e^{s_j} / \sum_k e^{s_k} = 1$. For a matrix of scores this is done to each row by itself, so each
# row sums to 1: a token has exactly one unit of attention to give. Columns need not: many may look at the same token.
#
# **Why a stable form?** A computer's float64 ends near $10^{308}$, and $e^{710}$ is beyond that: it becomes infinite,
# and $\infty / \infty$ is not a number (NaN). But only differences count. Subtract any number $c$ from all scores:
#
# $$\frac{e^{s_j - c}}{\sum_k e^{s_k - c}} = \frac{e^{-c}\, e^{s_j}}{e^{-c} \sum_k e^{s_k}} = w_j$$
#
# Take for $c$ the largest score of the row. Then no exponent is above 0, no power is above 1, and the sum is at least
# 1.
#
# {{ch01.softmax}}
#
# Your function works along any axis of an array of any shape. In NumPy, `axis=-1` means the last one: along the rows of
# a matrix. A score of $-\infty$ is allowed and gets the weight 0, as long as the row has another one; ch06 will need
# it.


# %% exercise="ch01.softmax"
def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Stable softmax along an axis.

    Args:
        x: scores of any shape. They may be as large as 1e300, or -inf (but not all along the axis).
        axis: along which the weights sum to 1.

    Returns:
        Weights of the same shape as x.

    >>> softmax(np.array([[0.0, 0.0], [0.0, np.log(3.0)]])).round(2).tolist()
    [[0.5, 0.5], [0.25, 0.75]]
    >>> softmax(np.array([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    ### BEGIN SOLUTION
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: begin simply</summary>
#
# First write the formula for one row: powers, their sum, a division. Run the check and read what it says. Then add the
# axis, then the stable form.
# </details>
# <details><summary>Hint 2: NumPy says that shapes could not be broadcast together</summary>
#
# A sum over an axis removes that axis: of (3, 5) only (3,) is left, and that does not fit beside (3, 5). `sum` and
# `max` take the argument `keepdims=True`, which leaves (3, 1).
# </details>
# <details><summary>Hint 3: extreme scores fail</summary>
#
# Which number do you have to subtract so that the largest exponent of *each row* is 0? Do it before `np.exp`.
# </details>
#
# ### Your function at work
#
# The same picture, drawn by **your** `softmax`. If it is not stable, adding 1000 shows it.

# %% demonstration=true
softmax_lab(softmax)

# %% question="ch01.what_softmax_ignores"

# %% [markdown]
# ## 3. Average: take from each what it has
#
# The weights say how much of each token to take. Now take it. For one token with weights $w_1, \dots, w_m$ over $m$
# value vectors $v_1, \dots, v_m$:
#
# $$\mathrm{output} = \sum_{j=1}^{m} w_j\, v_j$$
#
# You know this from grades: an exam that counts twice has a larger weight. Here whole vectors are averaged, each
# dimension by itself. All outputs at once are a matrix product:
#
# | symbol | shape | |
# |:---|:---|:---|
# | $W$ | $(n, m)$ | weights, one row for each output; each row sums to 1 |
# | $V$ | $(m, d)$ | values, the vectors that are averaged |
# | output | $(n, d)$ | $W V$, one average for each row of weights |
#
# In this chapter the values are the tokens themselves, so $V = X$ and $m = n$. Later they will differ, so write the
# function for any $n$ and $m$.
#
# > **Key insight.** Weights that are positive and sum to 1 make the result a *mixture*: in every dimension it lies
# > between the smallest and the largest value. Attention moves information around. It cannot blow it up.
#
# {{ch01.weighted_average}}


# %% exercise="ch01.weighted_average"
def weighted_average(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """One weighted average of the rows of values for each row of weights.

    Args:
        weights: shape (n, m); no entry is negative and each row sums to 1.
        values: shape (m, d).

    Returns:
        Shape (n, d).

    >>> weighted_average(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([[2.0, 0.0], [4.0, 8.0]])).tolist()
    [[3.0, 4.0], [4.0, 8.0]]
    """
    ### BEGIN SOLUTION
    return weights @ values
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: follow the shapes</summary>
#
# You have (n, m) and (m, d), and want (n, d). Which size has to disappear, and which operation sums over it?
# </details>
#
# ### All three at work
#
# The picture from the beginning, now computed by **your** three functions. On the right: the vector of the chosen token
# before, and the average that it gets. "it" knew nothing of animals. Afterwards it does.

# %% demonstration=true
token_attention(similarity, softmax, weighted_average)

# %% [markdown]
# ## 4. Attention
#
# Compare, share out, average: for all tokens at once this is
#
# $$S = X X^T \qquad W = \mathrm{softmax}(S) \qquad \mathrm{output} = W X$$
#
# with $S$ and $W$ of shape $(n, n)$ and an output of shape $(n, d)$, like $X$. Every token goes in as a word by itself
# and comes out as a word that has looked around. Because the tokens look at each other, this is called
# **self-attention**.
#
# {{ch01.simple_attention}}
#
# Use your three functions. If one of them is not done yet, this exercise is still graded by itself.


# %% exercise="ch01.simple_attention"
def simple_attention(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Self-attention in its simplest form: every token looks at all tokens, itself too.

    Args:
        x: tokens, shape (n, d).

    Returns:
        (output, weights) of shapes (n, d) and (n, n); each row of weights sums to 1.

    >>> output, weights = simple_attention(np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 6.0]]))
    >>> output[0].round(2).tolist(), weights[0].round(2).tolist()
    ([1.0, 2.0], [0.33, 0.33, 0.33])
    """
    ### BEGIN SOLUTION
    weights = softmax(similarity(x))
    return weighted_average(weights, x), weights
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: what goes into what?</summary>
#
# Each function takes what the one before returned. Only the last one needs something more: what is it that you average?
# </details>

# %% question="ch01.why_itself"

# %% [markdown]
# ## Experiment: the cat or the mat?
#
# "…because it was **tired**" means the cat. "…because it was **soft**" means the mat. In our vectors only one number of
# "it" has to change: how *alive* it is. You move that number from $-1.5$ to $1.5$ and let **your** `simple_attention`
# say where "it" looks.

# %% demonstration=true
it, alive = SENTENCE.index("it"), DIMENSIONS.index("alive")
endings = {"tired": 1.0, "soft": -1.0}  # the last word, and how alive it makes what "it" stands for


def weights_of_it(last_word: str, how_alive: float) -> np.ndarray:
    """The weights that "it" gives to the ten tokens."""
    x = embed([*SENTENCE[:-1], last_word])
    x[it, alive] = how_alive
    _, weights = simple_attention(x)
    return weights[it]


rows = {last_word: weights_of_it(last_word, value) for last_word, value in endings.items()}
print(f"{'weight of':>10}" + "".join(f"{'... ' + word:>12}" for word in rows))
for j, word in enumerate([*SENTENCE[:-1], "last word"]):
    print(f"{word:>10}" + "".join(f"{row[j]:>12.2f}" for row in rows.values()))
print(f"{'sum':>10}" + "".join(f"{row.sum():>12.2f}" for row in rows.values()))

steps = np.linspace(-1.5, 1.5, 61)
path = np.array([weights_of_it("tired", value) for value in steps])
cat, mat = SENTENCE.index("cat"), SENTENCE.index("mat")
crossing = steps[np.argmin(np.abs(path[:, cat] - path[:, mat]))]
print(f"\nThe cat and the mat get the same weight where 'it' is {crossing:.2f} alive.")

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4))
for shift, (last_word, row) in zip((-0.2, 0.2), rows.items(), strict=True):
    colour = plots.QUERY if last_word == "tired" else plots.KEY
    left.barh(np.arange(len(row)) + shift, row, height=0.38, color=colour, label=f"it was {last_word}")
left.set_yticks(range(len(SENTENCE)), [*SENTENCE[:-1], "tired / soft"])
left.invert_yaxis()
left.set(xlabel="weight", title="Where “it” looks")
left.legend(loc="lower right")
for j, colour, style in ((cat, plots.QUERY, "-"), (mat, plots.KEY, "--"), (it, plots.GREY, ":")):
    right.plot(steps, path[:, j], color=colour, linestyle=style, label=SENTENCE[j])
for last_word, value in endings.items():
    right.axvline(value, color=plots.GREY, linewidth=1)
    right.annotate(last_word, (value, 0.66), xytext=(3, 0), textcoords="offset points", color=plots.GREY)
right.set(xlabel="how alive “it” is", ylabel="weight", ylim=(0, 0.7), title="One number decides")
right.legend(loc="upper center")
plt.show()

# %% [markdown]
# **What you should see** With "tired", "it" gives about half of its weight to "cat" and less than a tenth to "mat";
# with "soft" it is the other way round. Both rows sum to 1. In the right panel the two curves cross at 0: there "it"
# has no opinion on life, and cat and mat get the same. Most of what remains goes to "it" itself.
#
# **When this holds** The vectors are made by hand, so this shows *how* attention decides, not that a model has learned
# to. And who turned the number? Here you did. In a Transformer an earlier layer of attention does it: "it" looks at
# "tired" first and takes over that it is alive. Pairs of sentences like these are called Winograd schemas
# (Levesque et al. 2012, *The Winograd Schema Challenge*) and were long a test that programs failed.

# %%
progress("ch01")

# %% [markdown]
# ## Recap
#
# A dot product adds up where two vectors agree, and length makes it louder. The softmax turns each row of scores into
# weights that are positive and sum to 1, and it stays finite if you subtract the largest score first. Attention is the
# average of all tokens by these weights: each token comes out mixed with those that it resembles.
#
# **Now you can read** [Bahdanau et al. 2015](https://arxiv.org/abs/1409.0473), section 3.1 (equation 6 is your softmax,
# equation 5 your weighted average), and [Luong et al. 2015](https://arxiv.org/abs/1508.04025), section 3.1, which
# compares by dot products.
#
# **What is still missing** "cat" looks mostly at itself, because the same vector asks and answers. In the next chapter
# a token gets three vectors: one to ask with, one to be found by, and one to hand over.
#
# **Before** [ch00 What is a sequence?](../ch00_sequences/ch00_sequences.ipynb) · **Next**
# [ch02 Scaled dot-product attention](../ch02_scaled_dot_product/ch02_scaled_dot_product.ipynb)
