# %% [markdown]
# # ch04 · Positional encoding
#
# "Dog bites man" and "man bites dog" hold the same three words. To the attention that you built so far they are the
# same thing: it compares contents, and no content says where it stands. In this chapter you measure that blindness,
# cure it with waves, find out that moving along a wave is one matrix product, and end with **RoPE**, the rotation
# that tells today's language models how far two tokens are apart.
#
# {{exercises}}
#
# **Time** about 65 minutes. **Before this** [ch03 Multi-head attention](../ch03_multi_head/ch03_multi_head.ipynb).
# **You need** sine and cosine, in radians, and slices with a step such as `x[:, ::2]`.
#
# **Where this is used** Sinusoids stand in the original Transformer
# ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)). BERT and GPT-2 learn a table with one vector for each
# position instead. RoPE ([Su et al. 2021](https://arxiv.org/abs/2104.09864)) is in GPT-NeoX, Llama, Mistral and Qwen.

# %%
import matplotlib.pyplot as plt
import numpy as np

from course import begin, check, plots, progress
from course.carry import scaled_dot_product_attention  # from ch02: yours, once it passes there
from course.carry import merge_heads, multi_head_attention, split_heads  # from ch03, likewise
from course.widgets import offset_clock, rope_dial, sinusoid_map

begin("ch04_positional_encoding")

# %% [markdown]
# ## 1. Attention does not see the order
#
# Each word below has a fixed vector, whatever its place. The cell feeds both sentences to the `multi_head_attention`
# of ch03, with the same made-up projections, and prints the first four numbers of each output row. Find the two rows
# of "bites".

# %% demonstration=true
rng = np.random.default_rng(0)
vector_of = {word: rng.standard_normal(8) for word in ("dog", "bites", "man")}
projections = {name: rng.standard_normal((8, 8)) / np.sqrt(8) for name in ("w_q", "w_k", "w_v", "w_o")}
for sentence in (["dog", "bites", "man"], ["man", "bites", "dog"]):
    output, _ = multi_head_attention(np.array([vector_of[word] for word in sentence]), projections, 2)
    for word, row in zip(sentence, output, strict=True):
        print(f"{word:>6}", " ".join(f"{number:7.3f}" for number in row[:4]))
    print()

# %% [markdown]
# The rows have changed places together with their words. Nothing else has happened: "bites" cannot know who came
# first.
#
# ### The maths, with shapes
#
# Let $X$ hold $n$ tokens as rows, shape $(n, d_{model})$. An **order** is an array of the numbers $0 \dots n - 1$ in
# some sequence; `x[order]` is $X$ with its rows shuffled: row $i$ is then the token that stood at `order[i]`.
#
# Shuffling the tokens shuffles the rows *and* the columns of the table of scores. A softmax of a shuffled row is the
# shuffled softmax, and a weighted sum does not mind in which order its terms are added. So
#
# $$\mathrm{attention}(X[order]) = \mathrm{attention}(X)[order]$$
#
# A function with this property is called **permutation-equivariant**.
#
# Now let every *slot* have a vector of its own that is added to whoever stands there: `positions`, shape
# $(n, d_{model})$, row $t$ for slot $t$. The tokens are shuffled, the slots are not. Does the equation still hold?
# Measure the **gap** between its two sides: the largest absolute difference of two entries.
#
# | run | slot $i$ holds | compare |
# |:---|:---|:---|
# | first | token $i$ plus `positions[i]` | row `order[i]` of its output ... |
# | second | token `order[i]` plus `positions[i]` | ... with row $i$ of its output |
#
# {{ch04.permutation_gap}}


# %% exercise="ch04.permutation_gap"
def permutation_gap(
    x: np.ndarray, positions: np.ndarray, p: dict[str, np.ndarray], heads: int, order: np.ndarray
) -> float:
    """How much the outputs of attention change, beyond changing places, when the tokens are shuffled.

    Args:
        x: tokens, shape (n, d_model).
        positions: the vector that slot t adds to the token in it, shape (n, d_model).
        p: the projections w_q, w_k, w_v, w_o, each (d_model, d_model), for multi_head_attention(x, p, heads).
        heads: number of heads.
        order: the shuffle, shape (n,): slot i gets token order[i].

    Returns:
        The largest absolute difference between the outputs for the shuffled tokens and the shuffled outputs, a float.

    >>> x, order = np.array([[0.0], [1.0]]), np.array([1, 0])
    >>> p = {name: np.eye(1) for name in ("w_q", "w_k", "w_v", "w_o")}
    >>> permutation_gap(x, np.zeros((2, 1)), p, 1, order)
    0.0
    >>> round(permutation_gap(x, np.array([[0.0], [1.0]]), p, 1, order), 3)
    0.964
    """
    ### BEGIN SOLUTION
    before, _ = multi_head_attention(x + positions, p, heads)
    after, _ = multi_head_attention(x[order] + positions, p, heads)
    return float(np.abs(after - before[order]).max())
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what multi_head_attention gives back</summary>
#
# `multi_head_attention(x, p, heads)` returns two things, the output and the weights. Here you need the output.
# </details>
# <details><summary>Hint 2: which rows belong together?</summary>
#
# Write the three tokens a, b, c on slips of paper and shuffle them with order = (2, 0, 1). Which slip lies in slot 0?
# Which row of the first output belongs to that slip?
# </details>
#
# > **Key insight.** Attention treats its input as a set. In all that you have built so far, order can only come in
# > through positions. (In [ch06](../ch06_decoder/ch06_decoder.ipynb) a mask will bring in some order, too.)

# %% question="ch04.without_positions"

# %% [markdown]
# ## 2. A clock with many hands
#
# Which vector should slot $t$ add? The number $t$ itself would grow without bound and drown the content. Think of a
# clock instead: the second hand tells neighbouring moments apart but soon comes round again; the hour hand hardly moves
# but knows the time of day. Together they name every second of half a day, and no hand ever gets longer.
#
# The **sinusoidal encoding** gives each position such a set of hands. A hand needs two numbers, its sine and its
# cosine, so the columns come in pairs. The map below shows 32 positions side by side; click a row's number to see it
# as a curve.

# %% demonstration=true
sinusoid_map()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only this sentence stands here:
# the picture is a table of colours, one row for each dimension, one column for each position. The upper rows change
# colour every few positions, the lower ones hardly at all; beside it the chosen row is drawn as a wave.*
#
# **Try** Dimensions 0 and 1 are partners: one wave starts at 0, the other at 1. How far do you have to move the slider
# until a whole wave no longer fits into 32 positions?
#
# ### The maths, with shapes
#
# Pair $i = 0, 1, \dots, d_{model}/2 - 1$ has the speed $\omega_i$ (the Greek letter omega), in radians a position:
#
# $$\omega_i = \frac{1}{10000^{\,2i/d_{model}}}
# \qquad PE_{t,\,2i} = \sin(t\,\omega_i) \qquad PE_{t,\,2i+1} = \cos(t\,\omega_i)$$
#
# | symbol | shape or range | |
# |:---|:---|:---|
# | $t$ | $0 \dots n-1$ | position |
# | $2i$, $2i + 1$ | | the two columns of pair $i$: even ones hold sines, odd ones cosines |
# | $\omega_i$ | from 1 down to nearly $1/10000$ | speed of pair $i$; one whole wave takes $2\pi/\omega_i$ positions |
# | $PE$ | $(n, d_{model})$ | the encoding; $d_{model}$ is even |
#
# The model then works on $X + PE$, added once, before the first block.
#
# {{ch04.sinusoidal_encoding}}


# %% exercise="ch04.sinusoidal_encoding"
def sinusoidal_encoding(n: int, d_model: int) -> np.ndarray:
    """Sinusoidal position encoding (Vaswani et al. 2017, section 3.5).

    Args:
        n: number of positions, counted from 0.
        d_model: width of the vectors, even.

    Returns:
        Array of floats of shape (n, d_model). Row t holds sin(t w_i) in column 2i and cos(t w_i) in column 2i + 1, with
        w_i = 1 / 10000 ** (2i / d_model).

    >>> sinusoidal_encoding(2, 4).round(2).tolist()
    [[0.0, 1.0, 0.0, 1.0], [0.84, 0.54, 0.01, 1.0]]
    """
    ### BEGIN SOLUTION
    angles = np.outer(np.arange(n), 10000.0 ** (-np.arange(0, d_model, 2) / d_model))
    encoding = np.zeros((n, d_model))
    encoding[:, ::2], encoding[:, 1::2] = np.sin(angles), np.cos(angles)
    return encoding
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: all angles at once</summary>
#
# Make the speeds first: one number for each pair, shape (d_model / 2,). `np.outer(a, b)` gives the table of all
# products of two arrays. Which table do you need here, and what is its shape?
# </details>
# <details><summary>Hint 2: every other column</summary>
#
# `table[:, ::2]` are the columns 0, 2, 4, ... of a table, `table[:, 1::2]` the columns 1, 3, 5, ... You can assign to
# them.
# </details>
# <details><summary>Hint 3: what is 2i?</summary>
#
# `np.arange(0, d_model, 2)` is 0, 2, 4, ...: these numbers are already 2i, not i.
# </details>
#
# ### Your waves
#
# The same map, drawn by **your** function. Entries that are not right are crossed out.

# %% demonstration=true
sinusoid_map(sinusoidal_encoding)

# %% [markdown]
# ## 3. Moving along is a matrix product
#
# Why sine *and* cosine? Because of what they let a model do. To look "three words back", a layer that knows the
# encoding of $t$ has to find the encoding of $t - 3$. A projection is a matrix, so the question is: is there **one**
# matrix that moves the encoding of *every* position by $k$ steps?
#
# Each pair is the hand of a clock, and $k$ steps turn it by the same angle $k\,\omega_i$ wherever it stands. Move $t$
# and $k$ below: the matrix changes with $k$ only.

# %% demonstration=true
offset_clock()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only this sentence stands here:
# the picture shows the hand of one pair before and after the move, and the matrix: small blocks of four numbers on the
# diagonal, zeros everywhere else.*
#
# ### The maths, with shapes
#
# Write $a = t\,\omega_i$ for the angle now and $b = k\,\omega_i$ for the turn. School mathematics says
#
# $$\begin{aligned}
# \sin(a + b) &= \sin a \,\cos b + \cos a \,\sin b \\
# \cos(a + b) &= \cos a \,\cos b - \sin a \,\sin b
# \end{aligned}$$
#
# Both right sides are sums of $\sin a$ and $\cos a$ with fixed factors. So the pair, which is a **row** in this course,
# is multiplied by a $2 \times 2$ block from the right:
#
# $$(\sin(a+b),\ \cos(a+b)) = (\sin a,\ \cos a)\, \begin{pmatrix} \cos b & ? \\ ? & \cos b \end{pmatrix}$$
#
# Fill in the two question marks on paper. The matrix $M$ has shape $(d_{model}, d_{model})$, one such block for each
# pair on its diagonal, zeros elsewhere, and then $PE_t\, M = PE_{t+k}$ for every $t$. A negative $k$ goes back.
#
# {{ch04.offset_matrix}}


# %% exercise="ch04.offset_matrix"
def offset_matrix(k: int, d_model: int) -> np.ndarray:
    """The matrix that moves the sinusoidal encoding of any position by k positions.

    Args:
        k: number of positions to move; may be 0 or negative.
        d_model: width of the encoding, even.

    Returns:
        M of shape (d_model, d_model) with encoding[t] @ M equal to encoding[t + k] for every t.

    >>> offset_matrix(1, 2).round(2).tolist()
    [[0.54, -0.84], [0.84, 0.54]]
    """
    ### BEGIN SOLUTION
    matrix = np.zeros((d_model, d_model))
    for even in range(0, d_model, 2):
        b = k / 10000.0 ** (even / d_model)
        matrix[even : even + 2, even : even + 2] = [[np.cos(b), -np.sin(b)], [np.sin(b), np.cos(b)]]
    return matrix
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which entry goes where?</summary>
#
# For a row times a matrix, the first *column* of the block makes the new sine: its entries are the factors of
# $\sin a$ and of $\cos a$ in the first formula. The second column makes the new cosine.
# </details>
# <details><summary>Hint 2: writing a block</summary>
#
# A slice of a matrix can take a list of lists: `m[0:2, 0:2] = [[1, 2], [3, 4]]`.
# </details>
# <details><summary>Hint 3: test yourself</summary>
#
# `sinusoidal_encoding(10, 8)[:-3] @ offset_matrix(3, 8)` should give the rows from 3 on. Which rows do you get if the
# matrix is transposed?
# </details>

# %% demonstration=true
offset_clock(offset_matrix)

# %% question="ch04.waves_facts"

# %% [markdown]
# ## 4. RoPE: turn the query and the key
#
# Adding has two drawbacks. Content and position share the same numbers, and the scores depend on *where* two tokens
# stand, not only on how far they are apart. But you have just seen the better tool: a rotation.
#
# **Rotary position embedding** (RoPE) adds nothing. It takes a query at position $t$ and turns each of its pairs by
# $t\,\omega_i$; it takes a key at position $s$ and turns each of its pairs by $s\,\omega_i$. Then they are compared as
# always. Turn on "move both together" below and move a slider: both hands turn, and the score stays where it is.

# %% demonstration=true
rope_dial()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only this sentence stands here:
# the picture shows a query and a key, pale before and strong after their turn, and the score as a curve over the
# distance. The curve for the same vectors 100 positions further on lies exactly on top of it.*
#
# **Try** Choose pair 0 and then pair 3. Which of them can tell a neighbour from the next but one? Which still knows at
# distance 30 that it is far away?
#
# ### The maths, with shapes
#
# Let $R_t$ be the rotation by the angles of position $t$. It acts on each pair $(a, b)$, the entries $2i$ and $2i + 1$,
# and turns it counter-clockwise by $t\,\omega_i$:
#
# $$a' = a \cos(t\,\omega_i) - b \sin(t\,\omega_i) \qquad b' = a \sin(t\,\omega_i) + b \cos(t\,\omega_i)
# \qquad \omega_i = \frac{1}{base^{\,2i/d}}$$
#
# Turning both vectors by the same angle does not change their dot product. So turn both back by $t$: what remains is
#
# $$(R_t\, q) \cdot (R_s\, k) = q \cdot (R_{s-t}\, k)$$
#
# The score depends on the two contents and on the **difference** $s - t$, on nothing else.
#
# | symbol | shape | |
# |:---|:---|:---|
# | $q$, $k$ | $(d)$ | a query and a key of one head, $d$ even |
# | `x` | $(n, d)$ | queries, or keys: RoPE treats both alike |
# | `positions` | $(n)$ | where each row stands; any numbers, in any order |
# | $base$ | | 10000, unless a model says otherwise (Llama 3 uses 500000) |
#
# Values are not turned: RoPE decides where a token looks, not what it fetches.
#
# > **Key insight.** A rotation by the position of the query, another by the position of the key: in the dot product
# > only the difference of the two survives.
#
# **A note on layouts.** Here a pair is made of neighbours: entries (0, 1), (2, 3), and so on (**interleaved**), as in
# the paper and in GPT-J. The code of Llama and GPT-NeoX in the library transformers pairs entry $i$ with entry $i +
# d/2$ (**half-split**). Both are the same rotation with the columns in another order, and since the projections are
# learned, either order works. But weights trained for one layout need their columns permuted before they run with the
# other.
#
# {{ch04.apply_rope}}


# %% exercise="ch04.apply_rope"
def apply_rope(x: np.ndarray, positions: np.ndarray, base: float = 10000.0) -> np.ndarray:
    """Rotary position embedding with neighbouring pairs (Su et al. 2021, section 3.2.2).

    Args:
        x: queries or keys of one head, shape (n, d), d even. It is not changed.
        positions: position of each row, shape (n,).
        base: pair i turns by 1 / base ** (2i / d) radians a position.

    Returns:
        Array of shape (n, d): each pair (x[r, 2i], x[r, 2i + 1]) of row r, turned counter-clockwise by positions[r]
        times the speed of pair i.

    >>> apply_rope(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])).round(2).tolist()
    [[1.0, 0.0], [0.54, 0.84]]
    """
    ### BEGIN SOLUTION
    _, d = x.shape
    angles = np.outer(positions, base ** (-np.arange(0, d, 2) / d)).repeat(2, axis=1)
    partner = np.stack([-x[:, 1::2], x[:, ::2]], axis=-1).reshape(x.shape)
    return x * np.cos(angles) + partner * np.sin(angles)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: you have most of it</summary>
#
# The angles are those of `sinusoidal_encoding`, with `positions` where `np.arange(n)` stood and `base` for 10000.
# </details>
# <details><summary>Hint 2: old and new</summary>
#
# Both new entries need both old ones. If you write the new first entry into the array before the second is computed,
# the old one is gone.
# </details>
# <details><summary>Hint 3: a shorter way</summary>
#
# Read the two formulas as one: the pair $(a, b)$ times the cosine, plus its *partner* $(-b, a)$ times the sine. Can you
# make an array of the shape of `x` that holds every entry's partner?
# </details>
#
# The dial again, now turned by **your** function. If it is right, the two curves lie on top of each other whatever you
# drag.

# %% demonstration=true
rope_dial(apply_rope)

# %% question="ch04.rope_score"

# %% [markdown]
# ## Experiment: shuffle, swap, move
#
# Three models read the same sentence with the same random weights and four heads: one without positions, one that adds
# *your* `sinusoidal_encoding`, one that turns queries and keys with *your* `apply_rope`. You do three things to each:
#
# 1. **Shuffle** the words in 200 ways. How far do the outputs change, beyond changing places? (For two of the models
#    this is *your* `permutation_gap`.)
# 2. **Swap** "dog" and "man". How far does the output of "bites" change?
# 3. **Move** the whole sentence 100 positions on. How far do the outputs change?

# %% demonstration=true
rng = np.random.default_rng(4)
sentence = ["the", "dog", "bites", "the", "man", "in", "the", "park"]
n, d_model, heads, far = len(sentence), 32, 4, 100
vectors = {word: rng.standard_normal(d_model) for word in dict.fromkeys(sentence)}
x = np.array([vectors[word] for word in sentence])
p = {name: rng.standard_normal((d_model, d_model)) / np.sqrt(d_model) for name in ("w_q", "w_k", "w_v", "w_o")}
waves = sinusoidal_encoding(n + far, d_model)


def without(x: np.ndarray, start: int) -> np.ndarray:
    """Attention that gets no positions."""
    return multi_head_attention(x, p, heads)[0]


def added(x: np.ndarray, start: int) -> np.ndarray:
    """Attention on x plus the encoding of the positions from start on."""
    return multi_head_attention(x + waves[start : start + n], p, heads)[0]


def turned(x: np.ndarray, start: int) -> np.ndarray:
    """Attention whose queries and keys are turned, head by head; the values are not."""
    places = np.arange(start, start + n)
    q, k, v = (split_heads(x @ p[name], heads) for name in ("w_q", "w_k", "w_v"))
    outputs = [
        scaled_dot_product_attention(apply_rope(q[h], places), apply_rope(k[h], places), v[h])[0] for h in range(heads)
    ]
    return merge_heads(np.stack(outputs)) @ p["w_o"]


def largest_change(one: np.ndarray, other: np.ndarray) -> float:
    """Largest absolute difference of two arrays."""
    return float(np.abs(one - other).max())


orders = [rng.permutation(n) for _ in range(200)]
gaps = {
    "no positions": [permutation_gap(x, np.zeros((n, d_model)), p, heads, order) for order in orders],
    "sinusoids added": [permutation_gap(x, waves[:n], p, heads, order) for order in orders],
    "RoPE": [largest_change(turned(x[order], 0), turned(x, 0)[order]) for order in orders],
}
swapped = np.array([0, 4, 2, 3, 1, 5, 6, 7])  # dog and man change places
bites = sentence.index("bites")
rows = {}
for (name, gap), model in zip(gaps.items(), (without, added, turned), strict=True):
    swap = largest_change(model(x[swapped], 0)[bites], model(x, 0)[bites])
    rows[name] = {
        "shuffled": max(gap),
        "dog and man swapped": swap,
        "moved by 100": largest_change(model(x, far), model(x, 0)),
    }

print(f"{'largest change':<16}" + "".join(f"{what:>22}" for what in rows["RoPE"]))
for name, row in rows.items():
    print(f"{name:<16}" + "".join(f"{value:>22.1e}" for value in row.values()))
print(f"Size of the outputs themselves: about {np.abs(without(x, 0)).max():.1f}.")

figure, axes = plt.subplots(figsize=(8, 3.8))
styles = ((plots.ATTENTION, ""), (plots.VALUE, "//"), (plots.GREY, ".."))
for i, (what, (colour, hatch)) in enumerate(zip(rows["RoPE"], styles, strict=True)):
    values = [max(row[what], 1e-17) for row in rows.values()]  # a change of exactly 0 has no logarithm
    axes.bar(
        np.arange(3) + 0.27 * (i - 1), values, width=0.25, color=colour, hatch=hatch, edgecolor="white", label=what
    )
    for j in [j for j, row in enumerate(rows.values()) if row[what] == 0]:
        axes.text(j + 0.27 * (i - 1), 2e-17, "exactly 0", ha="center", va="bottom", rotation=90, color=colour)
axes.axhspan(1e-17, 1e-12, color="#e9ebef", zorder=0)
axes.text(2.45, 2e-13, "rounding", ha="right", va="top", color=plots.GREY)
axes.set_axisbelow(True)
axes.set_yscale("log")
axes.set(ylim=(1e-17, 1e3), ylabel="largest change of an output")
axes.set_xticks(range(3), rows)
axes.set_title("What each model notices: order, and absolute position")
axes.legend(ncols=3, loc="upper left")
plt.show()

# %% [markdown]
# **What you should see** Without positions every change is rounding: below $10^{-14}$, or exactly 0. With sinusoids
# added all three changes are plain to see: the swap moves "bites" by about a twentieth of the outputs' size, shuffle
# and move by about half of it or more. RoPE notices the order, too, and it does not notice the move: its third bar is
# back among the rounding errors.
#
# **When this holds** The first and the last statement hold for any weights: they follow from the two equations of this
# chapter. How *large* the other changes are depends on the weights, which are random here. Trained models that add
# positions can learn to care little about the absolute position; RoPE has that built in. It has no effect on a model
# that sees a single token, and in a real model every block turns its own queries and keys again.

# %%
progress("ch04")

# %% [markdown]
# ## Recap
#
# Attention alone treats a sentence as a set; positions have to be put in. The sinusoidal encoding gives every
# position a row of clock hands, from fast to slow, and one fixed rotation of all hands moves any position by $k$.
# RoPE turns queries and keys by their positions instead of adding anything, so that a score depends on contents and
# distance only.
#
# **Now you can read** section 3.5 of [Attention Is All You Need](https://arxiv.org/abs/1706.03762), section 3 of
# [RoFormer](https://arxiv.org/abs/2104.09864), and [Press et al. 2021](https://arxiv.org/abs/2108.12409) on a third
# way, ALiBi, which subtracts the distance from the score.
#
# **Next** Attention and positions go into a block with a norm, a feed-forward network and residuals. m11 looks at
# positions as signals, m19 lets RoPE go beyond the trained length.
#
# [ch03 Multi-head attention](../ch03_multi_head/ch03_multi_head.ipynb) ·
# [ch05 The encoder block](../ch05_encoder/ch05_encoder.ipynb)
