# %% [markdown]
# # ch00 · What is a sequence?
#
# A Transformer knows nothing of words, sounds or pictures. It is given one thing only: a **sequence of vectors**. In
# this chapter you turn text into one with your own hands, see that sound, video and prices become one in the same way,
# and build the machine that read sequences before the Transformer did. Then you measure why it was replaced.
#
# {{exercises}}
#
# **Time** about 75 minutes. **Before this** nothing: this is the first page. **You need** a little Python (functions,
# lists, `for`), and you should have met vectors and matrix products. No machine learning.
#
# **Where this is used** Everywhere. GPT reads text as ids, [Whisper](https://arxiv.org/abs/2212.04356) reads sound in
# frames, [ViT](https://arxiv.org/abs/2010.11929) reads a picture as a sequence of small squares. The machine of section
# 4, the recurrent network, was the usual way to translate by machine until the
# [Transformer](https://arxiv.org/abs/1706.03762) came in 2017.
#
# ### How this course works
#
# - **Run.** Click a grey cell and press Shift+Enter. Go from top to bottom, and begin with the one below.
# - **Fill in.** Where it says *Your code here*, delete the line that raises `NotImplementedError` and write your own.
#   Run the cell again: that defines your function.
# - **Check.** Run the `check(...)` cell below it. It says what is right, and if something is not, what was expected,
#   what came, and often which mistake it is. Try as often as you like. Hints fold out under the exercise.
# - **Go on.** Pictures and experiments then run on *your* function. `progress()` shows how far you are, and later
#   chapters use what you built here. If you get stuck, leave an exercise out: nothing later depends on it.

# %%
import matplotlib.pyplot as plt
import numpy as np

from course import begin, check, plots, progress
from course.widgets import conveyor_spotlight, round_trip, sequence_gallery

begin("ch00_sequences")

# %% [markdown]
# ## 1. Many things, one form
#
# A **sequence** is a row of things in which the order matters: *dog bites man* is not *man bites dog*. One thing in the
# row is called a **token**. You decide what a token is: a character, a word, a short piece of sound, one picture of a
# video, the prices of five days.
#
# A computer calculates with numbers, so every token becomes a **vector**: a list of numbers, for all tokens of the same
# length. Write the vectors under one another, one in each row, and you have a matrix. That is all a Transformer ever
# sees.
#
# Choose *text*, *sound*, *video* or *prices* below and move the slider from token to token. You can also click the name
# of a row.

# %% demonstration=true
sequence_gallery()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook a still picture stands here, or
# this sentence: a text, a sound, a video and a row of prices, each beside a table with one row of numbers for each
# token.*
#
# **Try** In *sound*, find the token in which the third note begins. (Where do the numbers suddenly get large again? A
# note has 64 numbers, and a token 32.)
#
# ### The maths, with shapes
#
# | symbol | shape | |
# |:---|:---|:---|
# | $n$ | | number of tokens |
# | $d_{model}$ | | numbers in the vector of one token; `d_model` in code |
# | $X$ | $(n, d_{model})$ | the sequence: row $i$ is the vector of token $i$ |
#
# The **shape** of an array is the list of its sizes, rows first: $(3, 2)$ means 3 rows and 2 columns. In NumPy it is
# `x.shape`. Rows are counted from 0, so the last token is row $n - 1$.
#
# > **Key insight.** Once something is a matrix of shape $(n, d_{model})$, it does not matter any more what it was. The
# > same model reads text, sound and video. What differs is only how the tokens are cut.

# %% question="ch00.shape_of_a_video"

# %% [markdown]
# ## 2. From text to numbers and back
#
# Text takes three steps: cut it into tokens, list the different tokens, replace each token by its place in that list.
# Every language model begins like this.
#
# ### Cut
#
# Here a token is one character. (Real models use pieces of words, which you build in m07. Characters are simpler, and
# nothing else changes.)
#
# {{ch00.tokenize_chars}}
#
# Your first exercise is a single line. Use it to see how the checks work: write something wrong first and read what
# they say.


# %% exercise="ch00.tokenize_chars"
def tokenize_chars(text: str) -> list[str]:
    """Cut a text into tokens, one for each character.

    Args:
        text: any text; spaces, line breaks and commas are characters too.

    Returns:
        List of strings of length 1, in the order of the text. Nothing is left out or changed.

    >>> tokenize_chars("So so")
    ['S', 'o', ' ', 's', 'o']
    """
    ### BEGIN SOLUTION
    return list(text)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: what does a loop see?</summary>
#
# If you write `for x in "So so": print(x)`, what is `x` in each round? Which of Python's types, when you call it with a
# string, collects just that?
# </details>
#
# ### List
#
# The **vocabulary** is the list of all *different* tokens. A token's place in this list is its **id**. Everybody who
# reads the text must get the same ids, so the order must be fixed: we sort.
#
# {{ch00.build_vocabulary}}


# %% exercise="ch00.build_vocabulary"
def build_vocabulary(tokens: list[str]) -> list[str]:
    """List the different tokens, sorted. A token's place in the list is its id.

    Args:
        tokens: list of strings; they may have any length and come several times.

    Returns:
        List of strings, each once, in the order in which `sorted` puts strings (space, then A to Z, then a to z).

    >>> build_vocabulary(["b", "a", "n", "a", "n", "a"])
    ['a', 'b', 'n']
    """
    ### BEGIN SOLUTION
    return sorted(set(tokens))
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: each one once</summary>
#
# Python has a type that never holds anything twice: a set. It has no order, though. Which built-in function turns
# whatever you give it into a sorted list?
# </details>
#
# ### Replace, and come back
#
# To **encode** is to go from text to ids, to **decode** is to go from ids back to text. Whatever the text is,
#
# $$\mathrm{decode}(\mathrm{encode}(text)) = text$$
#
# so nothing may get lost on the way. A character that is not in the vocabulary has no id. To leave it out, or to give
# it some id that belongs to another character, would change the text without anybody noticing. It is an error, and your
# function should say so: `raise ValueError(...)`.
#
# {{ch00.encode}}


# %% exercise="ch00.encode"
def encode(text: str, vocabulary: list[str]) -> list[int]:
    """Turn a text into ids: each character's place in the vocabulary.

    Args:
        text: a text of any length, also "".
        vocabulary: list of characters, each once. It need not be sorted, and it may hold more than the text needs.

    Returns:
        List of whole numbers, one for each character of the text.

    Raises:
        ValueError: if a character of the text is not in the vocabulary.

    >>> encode("banana", ["a", "b", "n"])
    [1, 0, 2, 0, 2, 0]
    """
    ### BEGIN SOLUTION
    places = {token: place for place, token in enumerate(vocabulary)}
    if not places.keys() >= set(text):
        raise ValueError(f"not in the vocabulary: {sorted(set(text) - places.keys())}")
    return [places[character] for character in text]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: from a token to its place</summary>
#
# `vocabulary[2]` goes from a place to the token that stands there. You need the other direction. A dictionary can hold
# it, made once, before you walk through the text: `enumerate(vocabulary)` gives you the pairs of place and token. (A
# list can also search for an item by itself; that works too, and takes longer for large vocabularies.)
# </details>
# <details><summary>Hint 2: only the unknown characters fail</summary>
#
# A dictionary that is asked for something it does not hold raises a `KeyError`. The task asks for a `ValueError`. Look
# for unknown characters before you look anything up.
# </details>
#
# {{ch00.decode}}
#
# Beware of one thing: for Python `vocabulary[-1]` is the *last* entry of the list, not an error.


# %% exercise="ch00.decode"
def decode(ids: list[int], vocabulary: list[str]) -> str:
    """Turn ids back into a text: the inverse of `encode`.

    Args:
        ids: list of whole numbers.
        vocabulary: list of characters; an id is a place in it.

    Returns:
        The text, one string.

    Raises:
        ValueError: if an id is below 0, or too large for the vocabulary.

    >>> decode([1, 0, 2, 0, 2, 0], ["a", "b", "n"])
    'banana'
    """
    ### BEGIN SOLUTION
    for i in ids:
        if i not in range(len(vocabulary)):
            raise ValueError(f"no token has the id {i}")
    return "".join(vocabulary[i] for i in ids)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one string out of many</summary>
#
# A string can join others, with itself between them: `"-".join(["a", "b"])` is `"a-b"`. What should stand between your
# characters?
# </details>
# <details><summary>Hint 2: which ids are valid?</summary>
#
# For a vocabulary of 3 tokens these are 0, 1 and 2. Write a condition that is true for just those, and check every id
# before you use it.
# </details>
#
# ### The round trip, on a text of your choice
#
# All four of **your** functions at work. Type another text; the vocabulary is made from it while you type.

# %% demonstration=true
round_trip(tokenize_chars, build_vocabulary, encode, decode)

# %% [markdown]
# ### From ids to vectors
#
# An id is a name, not a quantity: token 6 is not twice token 3. So a model never calculates with ids. The simplest
# vector for a token is **one-hot**: as many numbers as there are tokens in the vocabulary, a 1 at the place of its id
# and 0 everywhere else. (A Transformer learns better ones, shorter and with a meaning. It looks them up by the same
# ids.)
#
# Here is the picture again. The ids of *text* now come from **your** `encode`.

# %% demonstration=true
sequence_gallery(encode)

# %% question="ch00.ids_are_names"

# %% [markdown]
# ## 3. A window that slides
#
# Nobody feeds a whole library to a model at once. A long sequence is cut into **windows**: runs of a fixed number of
# neighbours. A window is also how one number becomes a vector: a single price says little, the prices of five days in a
# row show where things are going.
#
# Windows may overlap. Sliding by one place, a sequence of $n$ ids has $n - L + 1$ windows of length $L$: the first
# begins at place 0, the last at place $n - L$. For the ids 5, 3, 8, 1 and $L = 2$:
#
# $$[5, 3, 8, 1] \longrightarrow \begin{bmatrix} 5 & 3 \\ 3 & 8 \\ 8 & 1 \end{bmatrix}
# \qquad \text{shape } (n - L + 1, L) = (3, 2)$$
#
# {{ch00.sliding_windows}}


# %% exercise="ch00.sliding_windows"
def sliding_windows(ids: np.ndarray, length: int) -> np.ndarray:
    """All runs of `length` neighbours, one in each row.

    Args:
        ids: a sequence of n numbers (ids, prices, a sound), shape (n,).
        length: length of a window, from 1 to n.

    Returns:
        Array of shape (n - length + 1, length), with the dtype of ids (whole numbers stay whole numbers).

    Raises:
        ValueError: if length is below 1 or above n.

    >>> sliding_windows(np.array([5, 3, 8, 1]), 2).tolist()
    [[5, 3], [3, 8], [8, 1]]
    """
    ### BEGIN SOLUTION
    last = len(ids) - length  # where the last window begins
    if length < 1 or last < 0:
        raise ValueError(f"there is no window of length {length} in {len(ids)} ids")
    return np.array([ids[i : i + length] for i in range(last + 1)])
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one window</summary>
#
# `ids[2:5]` holds the places 2, 3 and 4: a slice ends *before* its second number. Which slice is the window that begins
# at place $i$?
# </details>
# <details><summary>Hint 2: how many?</summary>
#
# `range(k)` counts from 0 to $k - 1$. The last window begins at place $n - L$. What is $k$? Collect the windows in a
# list and make one array of it at the end with `np.array`.
# </details>
#
# ### Your windows at work
#
# Look at *prices* and *sound*: **your** `sliding_windows` cuts them now. The prices overlap. The tokens of the sound
# are every 32nd of your windows, so that they do not overlap.

# %% demonstration=true
sequence_gallery(encode, sliding_windows)

# %% [markdown]
# ## 4. Conveyor belt or spotlight
#
# You have a sequence of vectors. How does a machine read it? Take the sentence *keys to the old cabinet are lost*. To
# know that it must go on with *are* and not *is*, you need the first word, *keys*; the *cabinet* just before is a trap.
#
# **The conveyor belt.** A **recurrent network** (RNN) reads one token after the other. It keeps a vector, its **state**
# $h$, which is all it remembers. Each step mixes the old state with the next token into a new state. Like a worker at a
# conveyor belt it handles one thing at a time, and what it does not take along in $h$ is gone.
#
# **The spotlight.** **Attention**, the heart of the Transformer, keeps all tokens on the table. Every token looks at
# every other directly and takes a weighted average of what it sees. You build it in ch01.
#
# Press *Step forward* and watch the belt. The spotlight is done after the first step. Then move the slider: it makes
# the matrix $W_h$ smaller or larger, and with it what is carried from state to state.

# %% demonstration=true
conveyor_spotlight()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook this sentence stands here: seven
# words, under each the state that the network has made when it has read that word; the same seven words with arrows
# that all lead to the word "are" at once; and a curve which shows that less of the first word is left after each step.*
#
# **Try** With the slider at 0.7, how much of *keys* is left when the belt reaches *are*? What does the belt do with the
# slider at 0? Can you find a setting with which more than half is left at *are*? Go on to 2: above 100 percent small
# differences grow from step to step. Both ends make such a network hard to train
# ([Pascanu et al. 2013](https://arxiv.org/abs/1211.5063)).
#
# ### The maths, with shapes
#
# The step is one line. $x_t$ is the vector of token $t$, $h_{t-1}$ the state before it and $h_t$ the state after it:
#
# $$h_t = \tanh(h_{t-1} W_h + x_t W_x + b)$$
#
# | symbol | shape | |
# |:---|:---|:---|
# | $x_t$ | $(d_{model},)$ | one token |
# | $h_t$ | $(d_{hidden},)$ | the state; $d_{hidden}$ is how many numbers it has |
# | $W_h$ | $(d_{hidden}, d_{hidden})$ | how the old state acts on the new one |
# | $W_x$ | $(d_{model}, d_{hidden})$ | how the token acts on it |
# | $b$ | $(d_{hidden},)$ | the bias, added whatever comes |
#
# The matrices are **weights**: numbers that a network learns in training (ch07). Here they are given. A vector stands
# to the left of its matrix, as a row: `h @ w_h`. The function tanh squashes every number into the range from -1 to 1,
# so that states cannot grow without end.
#
# {{ch00.rnn_step}}


# %% exercise="ch00.rnn_step"
def rnn_step(h: np.ndarray, x: np.ndarray, w_h: np.ndarray, w_x: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One step of a recurrent network: the new state from the old one and one token.

    Args:
        h: the old state, shape (d_hidden,).
        x: one token, shape (d_model,).
        w_h: shape (d_hidden, d_hidden).
        w_x: shape (d_model, d_hidden).
        b: shape (d_hidden,).

    Returns:
        The new state, shape (d_hidden,); h itself is not changed.

    >>> rnn_step(np.array([0.5]), np.array([1.0, 2.0]), np.array([[2.0]]), np.array([[1.0], [0.5]]), np.array([-3.0]))
    array([0.])
    """
    ### BEGIN SOLUTION
    return np.tanh(h @ w_h + x @ w_x + b)
    ### END SOLUTION


# %% [markdown]
# The example by hand: 0.5 · 2 from the state, 1 · 1 + 2 · 0.5 from the token, -3 from the bias: together 0, and tanh(0)
# is 0.
#
# <details><summary>Hint: term by term</summary>
#
# There are three terms, each of shape (d_hidden,). Compute them one by one, look at their shapes, add them, and take
# `np.tanh` of the sum.
# </details>
#
# One step reads one token. To read a sequence, hand the state on:
#
# {{ch00.run_rnn}}
#
# Call your own `rnn_step`. If that exercise is not done yet, this one is still graded by itself.


# %% exercise="ch00.run_rnn"
def run_rnn(h: np.ndarray, x: np.ndarray, w_h: np.ndarray, w_x: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Run the network along a sequence and keep every state.

    Args:
        h: the state before the first token, shape (d_hidden,).
        x: the sequence, n >= 1 tokens in rows, shape (n, d_model).
        w_h, w_x, b: as for `rnn_step`.

    Returns:
        The states, shape (n, d_hidden): row t is the state after token t.

    >>> run_rnn(np.zeros(1), np.zeros((3, 2)), np.eye(1), np.zeros((2, 1)), np.array([0.5])).round(2).tolist()
    [[0.46], [0.75], [0.85]]
    """
    ### BEGIN SOLUTION
    states = []
    for token in x:
        h = rnn_step(h, token, w_h, w_x, b)
        states.append(h)
    return np.stack(states)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: what goes round?</summary>
#
# `for token in x` walks through the rows. In every round the state that came out of the last round goes in, and the new
# one is kept in a list. What does `np.array(list_of_vectors)` make?
# </details>
#
# ### Your step on the belt
#
# The states below are computed by **your** `rnn_step`, one call for each token. A state that is not right is marked.

# %% demonstration=true
conveyor_spotlight(rnn_step)

# %% [markdown]
# > **Key insight.** On the belt the way from the first token to the last is $n - 1$ steps long, and something is lost
# > on the way. In the spotlight it is always one step. That is the idea of the Transformer.

# %% question="ch00.belt_and_spotlight"

# %% [markdown]
# ## Experiment: what waiting costs
#
# The belt has a second trouble: it cannot be hurried. Step $t$ needs the state of step $t - 1$, so the steps must wait
# for one another. A single matrix product has no such order; a computer may calculate its entries in any order, many at
# a time. You measure, for longer and longer sequences with $d_{model} = d_{hidden} = d = 64$:
#
# - **your `run_rnn`**: $n$ steps, one after the other, with $2 n d^2$ multiplications in all;
# - **one product of the same size**: all tokens at once, $(n, 2d)$ times $(2d, d)$, which are also $2 n d^2$
#   multiplications. It mixes no tokens with one another; it is here to compare fairly;
# - **all pairs**: $(n, n)$ weights times $(n, d)$ tokens, the product that mixes all tokens in attention. These are
#   $n^2 d$ multiplications: at $n = 2d = 128$ as many as the others, and more beyond.
#
# Each number is the median of five measurements. A measurement is the fastest of three runs, as your computer does
# other things in between.

# %% demonstration=true
import time

rng = np.random.default_rng(0)
d, lengths = 64, [16, 32, 64, 128, 256, 512, 1024, 2048]
w_h, w_x, b = (rng.standard_normal(shape) / np.sqrt(d) for shape in [(d, d), (d, d), (d,)])
both = np.vstack([w_h, w_x])


def median_time(function, *arguments) -> float:
    """Milliseconds that a call takes: the median of 5 measurements, each the fastest of 3 runs."""
    times = np.zeros((5, 3))
    for place in np.ndindex(times.shape):
        start = time.perf_counter()
        function(*arguments)
        times[place] = 1000 * (time.perf_counter() - start)
    return float(np.median(times.min(axis=1)))


belt, same_size, pairs = [], [], []
for n in lengths:
    x, twice = rng.standard_normal((n, d)), rng.standard_normal((n, 2 * d))
    mixing = np.full((n, n), 1 / n)
    belt.append(median_time(run_rnn, np.zeros(d), x, w_h, w_x, b))
    same_size.append(median_time(np.matmul, twice, both))
    pairs.append(median_time(np.matmul, mixing, x))

print(f"{'tokens':>6} {'run_rnn':>10} {'same size':>10} {'all pairs':>10}   run_rnn is slower than the same size by")
for n, slow, fast, square in zip(lengths, belt, same_size, pairs, strict=True):
    print(f"{n:>6} {slow:>7.3f} ms {fast:>7.3f} ms {square:>7.3f} ms   {slow / fast:.0f} times")
slower = [n for n, slow, square in zip(lengths, belt, pairs, strict=True) if square > slow]
print("all pairs are slower than run_rnn from n =", slower[0] if slower else f"somewhere beyond {lengths[-1]}")

figure, axes = plt.subplots()
for name, times, colour, mark in [
    ("your run_rnn: n steps", belt, plots.KEY, "s"),
    ("all pairs: one product, $n^2 d$", pairs, plots.ATTENTION, "^"),
    ("one product of the same size, $2 n d^2$", same_size, plots.VALUE, "D"),
]:
    axes.plot(lengths, times, marker=mark, color=colour, linestyle="-", label=name)
axes.set_xscale("log", base=2)
axes.set_yscale("log")
axes.set_xticks(lengths, [str(n) for n in lengths])
axes.set(xlabel="number of tokens, $n$", ylabel="time (ms)", title="The same arithmetic, with and without waiting")
axes.legend()
plt.show()

# %% [markdown]
# **What you should see** Your `run_rnn` is far above the product of the same size, although both do the same number of
# multiplications: the last column says by how much. Both lines have about the same slope: twice the tokens, twice the
# time. The line of *all pairs* begins far below the belt's, but it is steeper: from some length on, twice the tokens
# take about four times as long, and in the end it crosses the belt's. The last line printed says where that is on your
# computer. (While your computer is busy with something else, large products can take much longer. If a line jumps,
# run the cell again.)
#
# **What is compared, and what is not** A part of the belt's time is Python's own: every step calls a few NumPy
# functions, and each call costs about a microsecond whatever it does. A compiled loop would be faster. But no compiler
# can put the $n$ steps into one product, because each needs the result of the step before. That waiting is the point: a
# GPU with thousands of units has nothing to give them while it waits for a single small step. The price of the
# spotlight is $n^2$: FlashAttention and its kin are about paying less.

# %%
progress("ch00")

# %% [markdown]
# ## Recap
#
# Text, sound, video and prices all become a matrix of shape $(n, d_{model})$, one row for each token; text gets there
# by way of a vocabulary and ids. A recurrent network reads the rows one after the other, so it needs $n$ steps, and
# what the first token said fades on the way. The Transformer looks at all rows at once, which takes one step and $n^2$
# comparisons.
#
# **Now you can read** section 1 of [Attention Is All You Need](https://arxiv.org/abs/1706.03762), which gives just this
# reason for leaving recurrence behind; [Elman 1990](https://doi.org/10.1207/s15516709cog1402_1), where your `rnn_step`
# comes from; and [Linzen et al. 2016](https://arxiv.org/abs/1611.01368), who tested whether recurrent networks get "the
# keys to the cabinet are" right.
#
# **Next** [ch01 Attention from scratch](../ch01_attention/ch01_attention.ipynb): you build the spotlight, and see which
# words a word looks at.
