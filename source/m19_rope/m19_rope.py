# %% [markdown]
# # m19 · RoPE and extrapolation
#
# In ch04 you turned queries and keys by their positions. That is **RoPE**, and nearly every language model of today
# does it. Here you build it as such a model has it: as one product of complex numbers, and in the layout of today's
# checkpoints. You write the test that tells a right rotation from a wrong one. Then you go where RoPE gets difficult:
# texts longer than any in training. You scale the speeds with **NTK** and **YaRN**, you teach a small model to add, and
# you find out what lets it add numbers longer than it has ever seen, and what does not.
#
# {{exercises}}
#
# **Time** about 100 minutes, of which one or two are training. **Before this** [ch04 Positional
# encoding](../ch04_positional_encoding/ch04_positional_encoding.ipynb) (RoPE in NumPy) and [m18 Teaching a Transformer
# to multiply](../m18_multiply_cot/m18_multiply_cot.ipynb) (the laboratory's decoder). **You need** radians, powers, and
# broadcasting in torch. Complex numbers are explained.
#
# **Where this is used** RoPE ([Su et al. 2021](https://arxiv.org/abs/2104.09864)) is in Llama, Qwen, Mistral, Gemma and
# DeepSeek. NTK-aware scaling and YaRN ([Peng et al. 2023](https://arxiv.org/abs/2309.00071)) are how models trained on
# a few thousand tokens came to read a hundred thousand.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from course import begin, check, plots, progress
from course.carry import working
from course.lab import models
from course.lab.addition import run_addition
from course.lab.echo import GOALS, LENGTHS, RACE, TRAINED, reached, recalled, train_echo
from course.supplied.m19 import TESTED, Suspect, plan, row, scalings, table, turning
from course.widgets import far_dial, rotation_dial, training_curves

begin("m19_rope")

# %% [markdown]
# ## 1. The speeds
#
# A head has $d$ numbers for each token, $d$ even. RoPE takes them two by two. **Pair** $i = 0, 1, \dots, d/2 - 1$ is
# turned, at position $t$, by the angle $t\,\omega_i$. The **speed** $\omega_i$ (omega), in radians a position, is
#
# $$\omega_i = base^{-2i/d}$$
#
# Pair 0 has speed 1: it comes round after $2\pi \approx 6.3$ positions. The last pairs hardly move. Think of the hands
# of a clock: the fast one tells neighbours apart, the slow ones know roughly how far away something is.
#
# {{m19.rope_speeds}}


# %% exercise="m19.rope_speeds"
def rope_speeds(d: int, base: float = 10000.0) -> Tensor:
    """The angle by which each pair turns from one position to the next.

    Args:
        d: width of a head, even.
        base: how widely the speeds spread.

    Returns:
        Shape (d / 2,), floats, in radians: pair i has base ** (-2i / d).

    >>> rope_speeds(4)
    tensor([1.0000, 0.0100])
    """
    ### BEGIN SOLUTION
    return base ** (-torch.arange(0, d, 2) / d)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint</summary>
#
# `torch.arange(0, d, 2)` counts 0, 2, 4, ...: that is $2i$ for each pair. A number may be raised to the power of a
# whole tensor: `base ** exponents`.
# </details>
#
# ## 2. A rotation is a product
#
# In ch04 it took two formulas with sines and cosines to turn a pair. There is a shorter way to say it.
#
# A **complex number** $z = a + b\,\mathrm{i}$ is a point of the plane: $a$ to the right, $b$ upwards. ($\mathrm{i}$ is
# a number with $\mathrm{i}^2 = -1$.) Now multiply $z$ by $\cos\alpha + \mathrm{i}\sin\alpha$, as you would multiply any
# two sums, and use $\mathrm{i}^2 = -1$:
#
# $$(a + b\,\mathrm{i})(\cos\alpha + \mathrm{i}\sin\alpha)
# = (a\cos\alpha - b\sin\alpha) + \mathrm{i}\,(a\sin\alpha + b\cos\alpha)$$
#
# These are the two formulas of ch04. **To multiply by $\cos\alpha + \mathrm{i}\sin\alpha$ is to turn by $\alpha$.** The
# factor is also written $e^{\mathrm{i}\alpha}$, because it behaves like a power: to turn by $\alpha$ and then by
# $\beta$ is to multiply by $e^{\mathrm{i}\alpha} e^{\mathrm{i}\beta} = e^{\mathrm{i}(\alpha + \beta)}$.
#
# | symbol | in code | shape | |
# |:---|:---|:---|:---|
# | $x$ | `x` | $(\dots, n, d)$ | queries or keys; dots stand for any axes before, heads and batch say |
# | $t$ | `positions` | $(\dots, n)$ | where each row stands: fits `x` without its last axis, by broadcasting |
# | $\omega$ | `speeds` | $(d/2)$ | |
# | $t\,\omega_i$ | `angles` | $(\dots, n, d/2)$ | one for each row and pair |
#
# Neighbours are a pair, as in ch04: entries 0 and 1 are real and imaginary part of the first number, 2 and 3 of the
# second, and so on (**interleaved**). Try the dial: it turns a query and a key by their positions.

# %% demonstration=true
rotation_dial()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: a query and a key are arrows, pale before and strong after their turn; the score of the turned
# ones is a wave over the distance, the same wave for positions that lie 100 further on.*
#
# **Try** Tick "move both together" and move a slider. Both arrows turn; what happens to the score?
#
# {{m19.rotate_complex}}


# %% exercise="m19.rotate_complex"
def rotate_complex(x: Tensor, positions: Tensor, speeds: Tensor) -> Tensor:
    """RoPE as a product of complex numbers.

    Args:
        x: queries or keys, shape (..., n, d), float32 (or float64), d even.
        positions: shape (..., n), int64; broadcasts against x without its last axis: (n,) for the same positions
            in all heads, (B, 1, n) for (B, h, n, d) if each text has its own.
        speeds: of each pair in radians a position, shape (d / 2,), of the dtype of x.

    Returns:
        Shape (..., n, d): each pair of neighbours (x[..., 2i], x[..., 2i + 1]) turned counter-clockwise by its
        position times speeds[i].

    >>> rotate_complex(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]), torch.tensor([1.0]))
    tensor([[1.0000, 0.0000],
            [0.5403, 0.8415]])
    """
    ### BEGIN SOLUTION
    angles = positions[..., None] * speeds
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: real to complex and back</summary>
#
# `torch.view_as_complex` takes a tensor whose last axis has length 2 and reads it as real and imaginary part;
# `torch.view_as_real` goes back. `x.unflatten(-1, (-1, 2))` splits the last axis into pairs, `.flatten(-2)` joins the
# last two axes. (If torch complains about strides, a `.contiguous()` helps.)
# </details>
# <details><summary>Hint 2: the factor</summary>
#
# `torch.polar(length, angle)` makes complex numbers of these lengths and angles. Which length has a number that turns
# and does not stretch?
# </details>
# <details><summary>Hint 3: all angles</summary>
#
# `positions[..., None]` has a new axis at the end, and `speeds` has one axis: their product has an angle for each row
# and pair, whatever axes stand before.
# </details>

# %% demonstration=true
rotation_dial(rotate_complex)

# %% [markdown]
# ### The same on real numbers, in another layout
#
# Complex numbers are short to write, but many chips and compilers have no fast way for them. The code that runs today's
# checkpoints uses real numbers, and it pairs other entries: $i$ with $i + d/2$ (**half-split**). Then the two parts of
# all pairs are two halves of the vector, each in one piece:
#
# $$\text{left}' = \text{left} \cos{} - \text{right} \sin \qquad
# \text{right}' = \text{left} \sin{} + \text{right} \cos$$
#
# with `left = x[..., :d // 2]` and `right = x[..., d // 2:]`, and the angles of pair $i$ for entry $i$ of both. In one
# line, with the angles once for each half: $x' = x \cos{} + (-\text{right}, \text{left}) \sin$. That is the
# `rotate_half` which you find in the code of many models.
#
# {{m19.rotate_halves}}


# %% exercise="m19.rotate_halves"
def rotate_halves(x: Tensor, positions: Tensor, speeds: Tensor) -> Tensor:
    """RoPE on real numbers, where entry i and entry i + d/2 are a pair.

    Args:
        x, positions, speeds: as in `rotate_complex`.

    Returns:
        Shape (..., n, d): each pair (x[..., i], x[..., i + d/2]) turned counter-clockwise by its position times
        speeds[i]; every entry stays where its pair has it.

    >>> rotate_halves(torch.tensor([[1.0, 1.0, 0.0, 0.0]]), torch.tensor([1]), torch.tensor([1.0, 0.1]))
    tensor([[0.5403, 0.9950, 0.8415, 0.0998]])
    """
    ### BEGIN SOLUTION
    angles = positions[..., None] * torch.cat([speeds, speeds])
    left, right = x.chunk(2, dim=-1)
    return x * angles.cos() + torch.cat([-right, left], dim=-1) * angles.sin()
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint</summary>
#
# `x.chunk(2, dim=-1)` gives both halves; `torch.cat([...], dim=-1)` puts two halves behind one another. Both new halves
# need both old ones. For the one line, the angles of both halves are `torch.cat([speeds, speeds])` times the positions.
# </details>
#
# > **Key insight.** RoPE is a turn of pairs. *Which* entries are a pair is a convention, and the weights are trained
# > for one of them.

# %% question="m19.two_layouts"

# %% [markdown]
# ## 3. A test for every rotation
#
# How do you know that a position encoding is right? Its numbers differ from layout to layout, so you cannot compare
# numbers. But RoPE makes a promise that any right version must keep. Turned by $e^{\mathrm{i}\alpha}$, a number's
# product with the conjugate of another one, turned by $e^{\mathrm{i}\beta}$, depends on $\alpha - \beta$ only. The dot
# product of two pairs is the real part of such a product. With $R_t$ for "turn as position $t$ does":
#
# $$(R_{t + s}\, q) \cdot (R_{u + s}\, k) = (R_t\, q) \cdot (R_u\, k) \quad \text{for every shift } s$$
#
# **Scores depend on distances only.** A test that checks this is worth more than one that compares with stored numbers:
# it holds for every layout, width and base. You write it. It takes the rotation as an argument, so that you can put
# anything to it.
#
# {{m19.shift_gap}}


# %% exercise="m19.shift_gap"
def shift_gap(rotate, q: Tensor, k: Tensor, positions: Tensor, speeds: Tensor, shift: int) -> float:
    """How far the scores move when all positions grow by the same number: about 0 for a right rotation.

    Args:
        rotate: a function (x, positions, speeds) -> x with positions put in, such as `rotate_complex`.
        q, k: queries and keys, shape (n, d); row j of either stands at positions[j].
        positions: shape (n,), int64.
        speeds: shape (d / 2,).
        shift: by how much all positions grow.

    Returns:
        The largest absolute difference, over all pairs of a query and a key, between their score (dot product) at
        the positions and their score at the positions + shift. A float.

    >>> q, k = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> shift_gap(lambda x, positions, speeds: x + positions[:, None], q, k, torch.tensor([0]), torch.ones(1), 3)
    24.0
    """
    ### BEGIN SOLUTION
    before, after = (
        rotate(q, places, speeds) @ rotate(k, places, speeds).mT for places in (positions, positions + shift)
    )
    return float((after - before).abs().max())
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint</summary>
#
# All scores at once are a table: turned queries times the turned keys, transposed (`.mT`), shape (n, n). Make the table
# twice, at two sets of positions.
# </details>
#
# Now put some suspects to your test. Two of them are your own rotations. The others are bugs that trained without
# any error message, or ideas that sound good.

# %% demonstration=true
gap, speeds_of, neighbours, halves = working(
    "m19.shift_gap", "m19.rope_speeds", "m19.rotate_complex", "m19.rotate_halves"
)
generator = torch.Generator().manual_seed(0)
q, k = torch.randn(2, 6, 16, generator=generator)
suspects = {
    "rotate_complex": neighbours,
    "rotate_halves": halves,
    "waves added to x": Suspect("added"),
    "angles grow with position squared": Suspect("faster and faster"),
    "one layout's angles, the other's partners": Suspect("mixed"),
    "only one entry of each pair": Suspect("one alone"),
    "mirrored instead of turned": Suspect("mirrored"),
}
print(f"scores without positions: up to {(q @ k.mT).abs().max():.1f}\n")
for name, rotate in suspects.items():
    print(f"{name:<42} shift gap {gap(rotate, q, k, torch.arange(6), speeds_of(16), shift=50):8.5f}")

# %% [markdown]
# **What you should see** Your two have a gap of rounding. Four others are caught. The last is no rotation, and passes:
# two mirrors one after the other are a turn by the difference of their angles. The test asks for what you need, that
# only distances count; not for how you get it.
#
# ## 4. Does it learn faster?
#
# GPT-2 has a table of **learned positions**: one vector for each place, which is added to the token's. It is often
# said that models with RoPE learn several times faster; three times has been published for a model that multiplies. Put
# it to the test.
#
# What could make the difference? A look at "the token before" is one turn for RoPE, the same at every place. With a
# table it has to be learnt for each place anew. That should matter where a model must look back by all kinds of
# distances from all kinds of places. Such a text is easily made: it repeats itself, a random block of letters, again
# and again.
#
# ```
# q x b t q x b t q x ...
# ```
#
# After the first block every letter can be known. The model has to find where the last letters stood before and say
# what came next, as the induction heads of ch10 do. Two decoders of two layers train on such texts of 32 tokens: one
# with a table, one with **your** rotation in its attention. All else is the same. Each stops as soon as it recalls 90 %
# of the letters. (`turning` wraps your rotation as the decoder's attention calls it: with queries or keys, and their
# places.)

# %% demonstration=true
rotate, speeds_of = working("m19.rotate_complex", "m19.rope_speeds")
figure, axes = plt.subplots()
for positions, colour, marker in (("learned", plots.KEY, "s"), ("rope", plots.ATTENTION, "o")):
    curves = training_curves(f"Positions: {positions}", RACE, "letters recalled").start()
    racer, run = train_echo(turning(rotate, speeds_of(24)), RACE, watch=curves, positions=positions, until=GOALS[-1])
    curves.finish()
    print(f"{positions:<8} {racer.size:,} parameters, {run.step} steps, {run.seconds:.0f} CPU-seconds")
    for goal, step in zip(GOALS, reached(run), strict=True):
        print(f"   {goal:.0%} recalled at step {step or 'never'}")
    steps, found = ([check[key] for check in run.checks] for key in ("step", "recalled"))
    axes.plot(steps, found, color=colour, marker=marker, markersize=4, label=positions)
axes.axhline(GOALS[-1], color=plots.GREY, linewidth=1)
axes.set(xlabel="step", ylabel="letters recalled", ylim=(-0.03, 1.03), title="Two kinds of positions, one text")
axes.legend()
plt.show()

# %% [markdown]
# **What you should see** Both curves rise at about the same step: finding out *that* there is something to look up
# takes either of them as long. Then they part. RoPE goes on to 90 % at once; the table needs more than twice as many
# steps in all, or does not get there (the record in section 6 has a seed of either kind). A likely reason: the rarer a
# place and a distance come together in the texts, the later a table has them right. So "how many times faster?" has no
# single answer. Published: 3. Measured here: about 1 for 50 % of the letters, and about 2.5 for 90 % with the first
# seed, where the table needs 825 steps and RoPE 325. Divide the steps that your own run has printed.
#
# **When this holds** For this text, in which many places and distances matter, and these sizes. In a text of fixed
# width, where each thing always stands in its place, a table has nothing to learn anew: there, RoPE was *not* faster.
# You will see such runs in section 6.
#
# ## 5. Beyond the trained length
#
# A model has read texts of 64 tokens, and now gets one of 256. Its code does not mind: RoPE can turn by any position.
# Its weights do. Move the distance in the picture beyond 63, and look at the slow pairs: they come to angles that no
# text in training had. What the model makes of those is chance.

# %% demonstration=true
far_dial()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: the hand of one pair now and at the end of training, a table of the turns of all pairs, and the
# score of a vector with itself, which falls and wavers as the distance grows.*
#
# **Try** Which pairs had come round at least once in training? For which does distance 100 bring something new? Choose
# "linear": what becomes of pair 0 at distance 1?
#
# There are three ways to slow the hands down, so that a text that is $s$ times as long stays among known angles. $s$ is
# the **factor**.
#
# **Linear** All speeds are divided by $s$ (*position interpolation*, [Chen et al.
# 2023](https://arxiv.org/abs/2306.15595)). Nothing leaves the known range. But the fast hands now move $s$ times less
# between neighbours, and the model has learnt to tell neighbours apart by them.
#
# **NTK-aware** Slow down the slow pairs by $s$, leave the fastest alone, and go smoothly in between. This is simple:
# take a larger base. Pair $i$ has speed $base^{-2i/d}$; if the base is multiplied by $c$, it slows down by
# $c^{\,2i/d}$. The last pair, $2i = d - 2$, should slow down by $s$:
#
# $$c^{\,(d-2)/d} = s \quad\Rightarrow\quad c = s^{\,d/(d-2)}$$
#
# (The name comes from the *neural tangent kernel*, a theory of what networks find hard to learn: fast waves.)
#
# {{m19.ntk_speeds}}


# %% exercise="m19.ntk_speeds"
def ntk_speeds(d: int, factor: float, base: float = 10000.0) -> Tensor:
    """Speeds for texts that are `factor` times as long: those of a larger base.

    Args:
        d: width of a head, even, at least 4.
        factor: how many times longer the texts are; at 1 nothing changes.
        base: of the speeds in training.

    Returns:
        Shape (d / 2,), floats: the speeds of the base that slows pair d/2 - 1 down by exactly the factor.

    >>> ntk_speeds(4, 2.0)
    tensor([1.0000, 0.0050])
    """
    ### BEGIN SOLUTION
    return rope_speeds(d, base * factor ** (d / (d - 2)))
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint</summary>
#
# You have `rope_speeds(d, base)`. All that is new is which base you give it.
# </details>
#
# **YaRN** looks at each pair and asks what training has shown it. In $L$ positions (`trained`), pair $i$ makes
#
# $$r_i = \frac{L\,\omega_i}{2\pi}$$
#
# turns. A pair with many turns has met every angle, often: keep its speed. A pair that did not come round once knows
# only a part of the circle: divide its speed by $s$. Between two bounds, `slow` and `fast`, mix. (For Llama, trained on
# thousands of tokens, the authors take 1 and 32 turns; short texts need smaller ones.) With the **share**
# $\gamma_i = (r_i - slow) / (fast - slow)$, cut off at 0 and at 1:
#
# $$\omega_i' = \gamma_i\,\omega_i + (1 - \gamma_i)\,\frac{\omega_i}{s}$$
#
# One thing more. In a longer text, softmax spreads its weight over more tokens. YaRN sharpens it: queries and keys are
# both multiplied by $0.1 \ln s + 1$, a number that the authors found by trying.
#
# {{m19.yarn_speeds}}


# %% exercise="m19.yarn_speeds"
def yarn_speeds(speeds: Tensor, factor: float, trained: int, slow: float, fast: float) -> tuple[Tensor, float]:
    """Speeds of YaRN, and the factor for queries and keys.

    Args:
        speeds: those of training, shape (d / 2,).
        factor: how many times longer the texts are.
        trained: length of the texts in training, in positions.
        slow, fast: turns within that length. A pair with `slow` or fewer is slowed down by the whole factor, one with
            `fast` or more keeps its speed; between them both speeds are mixed, in proportion.

    Returns:
        (speeds, scale): floats of shape (d / 2,), and 0.1 ln(factor) + 1, a float.

    >>> speeds, scale = yarn_speeds(torch.tensor([1.0, 0.5, 0.1]), 2.0, trained=63, slow=2.0, fast=9.0)
    >>> speeds, round(scale, 3)
    (tensor([1.0000, 0.3576, 0.0500]), 1.069)
    """
    ### BEGIN SOLUTION
    turns = trained * speeds / (2 * math.pi)
    share = ((turns - slow) / (fast - slow)).clamp(0, 1)
    return torch.lerp(speeds / factor, speeds, share), 0.1 * math.log(factor) + 1
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: step by step</summary>
#
# Three lines: the turns of each pair, the share of each pair, the mix. All are tensors of shape (d / 2,), no loop is
# needed.
# </details>
# <details><summary>Hint 2: cutting off</summary>
#
# `tensor.clamp(0, 1)` makes everything below 0 a 0 and everything above 1 a 1.
# </details>
# <details><summary>Hint 3: mixing</summary>
#
# The mix is written above. `torch.lerp(a, b, share)` says the same in one word: (1 - share) a + share b.
# </details>

# %% demonstration=true
far_dial(ntk_speeds, yarn_speeds)

# %% question="m19.what_stays"

# %% [markdown]
# ### Experiment: how far back can it look?
#
# Once more a model with your rotation trains on texts of 32 tokens that repeat themselves, for 500 steps. Then it reads
# longer ones, without any further training: their blocks are longer, so it must look further back than ever before.
#
# For each length, the speeds are scaled by your functions, with the factor that the length asks for; for YaRN with the
# bounds 1 and 4 turns, because the texts are short. NTK is tried with twice the factor, too.

# %% demonstration=true
rotate, speeds_of, ntk, yarn = working("m19.rotate_complex", "m19.rope_speeds", "m19.ntk_speeds", "m19.yarn_speeds")
d = 24  # of a head
plain = speeds_of(d)
curves = training_curves(f"Texts of {TRAINED} tokens that repeat themselves", 500, "letters recalled").start()
reader, run = train_echo(turning(rotate, plain), watch=curves)
curves.finish()

ways = scalings(d, TRAINED, plain, ntk, yarn)
shares = {way: [] for way in ways}
for way, scaled in ways.items():
    for length in LENGTHS:
        reader.turn = turning(rotate, *scaled(length / TRAINED))
        shares[way].append(recalled(reader, length))

print(f"{reader.size:,} parameters, {run.step} steps, {run.seconds:.0f} CPU-seconds\n")
print(f"letters recalled in texts of {'':<6}" + "".join(f"{length:>8}" for length in LENGTHS))
for way, found in shares.items():
    print(f"{way:<34}" + "".join(f"{share:>8.1%}" for share in found))
figure, axes = plt.subplots()
styles = (("o", plots.GREY), ("s", plots.KEY), ("^", plots.QUERY), ("v", plots.QUERY), ("D", plots.ATTENTION))
for (way, found), (marker, colour) in zip(shares.items(), styles, strict=True):
    axes.plot(LENGTHS, found, marker=marker, color=colour, label=way)
axes.axvline(TRAINED, color=plots.GREY, linewidth=1)
axes.axhline(1 / 24, color=plots.GREY, linewidth=1, linestyle=":", label="guessing")
axes.set(xlabel="tokens in the text (trained on 32)", ylabel="letters recalled", ylim=(-0.03, 1.03))
axes.set_title("Scaling the speeds of a trained model")
axes.legend()
plt.show()

# %% [markdown]
# **What you should see** On texts of the trained length all ways are the same. At twice that length the model without
# scaling has lost about half of what it knew, or more; at four times it hardly does better than guessing. Scaling wins
# back a good part of it, without a single step of training. NTK by just the factor comes last among them: its *last*
# pair slows down enough, but those before it slow down by less, and leave the angles that they know. With twice the
# factor it does better. At four times the length linear scaling and YaRN are ahead, and neither is good.
#
# **When this holds** For this small reader: 12 pairs, and texts so short that only the fastest pair came round more
# than `fast` = 4 times in training. So YaRN has little to leave alone, and is close to linear scaling here. Which way
# leads at twice the length changes from seed to seed: the record at the end of the next section has three. Models that
# were trained on thousands of tokens have many fast pairs, and linear scaling blurs them all; there, YaRN was found to
# be ahead, and a short training at the new length helps all of them (Peng et al. 2023).
#
# ## 6. Numbers longer than any in training
#
# Scaling keeps the angles in the known range. Is that enough to do something *new*, such as to add numbers that are
# longer than any the model has seen? Here is the text of 47 + 85 = 132, with the last digit first, as in m18:
#
# ```
# 740+580=231
# ```
#
# All three numbers have the same number of **columns**, one more than the two numbers need: the highest one is there
# for the last carry. Every digit of the sum then follows from the two digits of its column and what was carried, by
# one rule for all columns. A model that has found the rule needs no longer numbers to train on.
#
# It does not find it. To fetch the digit of column 3, a model must look back by some number of tokens, and that number
# changes with the length of the numbers. For 3 columns it is not what it is for 9.
#
# Who says that positions must count tokens? A position is an input like any other: you choose it. Let each digit's
# place be its **column**, in all three numbers, and let the signs stand at place 0:
#
# | text | `7` | `4` | `0` | `+` | `5` | `8` | `0` | `=` | `2` | `3` | `1` |
# |:---|:--|:--|:--|:--|:--|:--|:--|:--|:--|:--|:--|
# | counted through | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 |
# | columns | 1 | 2 | 3 | 0 | 1 | 2 | 3 | 0 | 1 | 2 | 3 |
#
# A model that has just read the sum's digit of column $j$ has to write column $j + 1$. With RoPE, both digits that it
# needs stand exactly **one step on**, whatever $j$ and however long the numbers. (Which tokens it may see is still
# decided by the order of the text.)
#
# {{m19.digit_places}}


# %% exercise="m19.digit_places"
def digit_places(columns: int) -> Tensor:
    """Places of the tokens of an addition "a+b=c" whose numbers have so many digits each, the last one first.

    Args:
        columns: digits of each of the three numbers, at least 1.

    Returns:
        Shape (3 * columns + 2,), int64: for a digit its column, counted from 1; for "+" and "=" 0.

    >>> digit_places(2).tolist()
    [1, 2, 0, 1, 2, 0, 1, 2]
    """
    ### BEGIN SOLUTION
    number, sign = torch.arange(1, columns + 1), torch.tensor([0])
    return torch.cat([number, sign, number, sign, number])
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint</summary>
#
# `torch.arange(1, columns + 1)` are the places of one number. `torch.cat` joins a list of 1-D tensors.
# </details>
#
# ### Experiment: from 6 digits to 20
#
# Three models learn to add numbers of few digits, with **your** rotation in their attention. Then they are asked to add
# longer ones, up to 20 digits.
#
# 1. *Counted through*: positions count tokens, as always. This one needs a larger model and numbers of up to 3 digits
#    to learn its task at all.
# 2. *Columns*: your `digit_places`; numbers of up to 6 digits, a model of one layer.
# 3. *Columns, packed*: the same, but two additions stand in each text, one behind the other, and their columns begin at
#    places drawn at random among 60. So whoever writes the second sum sees the digits of the first one, at distances of
#    up to 60 steps, and must learn to leave them alone.

# %% demonstration=true
rotate, speeds_of, places = working("m19.rotate_complex", "m19.rope_speeds", "m19.digit_places")
runs, rows = plan(places), []
for name in ("counted through, RoPE", "columns, RoPE", "columns, packed, RoPE"):
    one = runs[name]
    speeds = speeds_of(one.d_model // one.heads, one.base)
    curves = training_curves(name, one.steps).start()
    rows.append(row(run_addition(one, turning(rotate, speeds), TESTED, curves)))
    curves.finish()

print("Share of faultless sums, by the digits of the two numbers\n")
print(table(rows))
figure, axes = plt.subplots()
for one, (marker, colour) in zip(rows, (("o", plots.GREY), ("s", plots.KEY), ("D", plots.ATTENTION)), strict=True):
    axes.plot(TESTED, list(one["accuracy"].values()), marker=marker, color=colour, label=one["name"])
    axes.axvline(one["trained digits"], color=colour, linewidth=1, linestyle=":")
axes.set(xlabel="digits of the numbers (dotted: the longest in training)", ylabel="sums without a fault")
axes.set(ylim=(-0.03, 1.03), title="Adding longer numbers than those of training")
axes.legend()
plt.show()

# %% [markdown]
# **What you should see** The first model is right on nearly all sums of up to 3 digits, and on **none** of 4. It has
# RoPE, and RoPE did not help it: the step from one digit to its partner is longer than any before. The second has
# learnt a rule that holds a little beyond its 6 digits, and then breaks down. The third, trained on the same 6 digits,
# is right on nearly all sums of **20**.
#
# What was wrong with the second? All that it needs stands one step on, at every length. But a number of 20 columns also
# has digits 7, 8, ... 20 steps on, and at such distances it has never seen a digit. What its attention does there,
# nobody has taught it: a rotation by 7 steps may look rather like one by 1. The packed texts put digits at all those
# distances, so that it learns to look away. **Beyond the trained length a model does right what its training pinned
# down, and nothing else.**
#
# ### All runs
#
# Positions of three kinds, places of two kinds, texts of two kinds; several seeds. The course made these runs with
# `tools/measure_m19.py`; its record is `course/checkpoints/m19_runs.json`. The column "99 % at step" says when the
# longest sums of the training were learnt: by it you can judge how fast each of them learns.

# %% demonstration=true
record = models.record("m19_runs")
print(f"Measured with: {record['command']} ({record['processor']}, torch {record['torch']})\n")
print(table(record["additions"]))
print("\nSteps until 50 %, 80 % and 90 % of the letters were recalled")
for one in record["race"]:
    print(
        f"   seed {one['seed']}  {one['positions']:<24}"
        + "".join(f"{step or 'never':>8}" for step in one["reached at"])
    )
print("\nLetters recalled, by the tokens in the text (trained on 32)")
for one in record["echo"]:
    for way, found in one["shares"].items():
        print(f"   seed {one['seed']}  {way:<24}" + "".join(f"{share:>8.1%}" for share in found))
print(f"\nAll sums together: {sum(one['seconds'] for one in record['additions']):.0f} CPU-seconds.")

# %% [markdown]
# **What you should see** *Counted through*, a table learns the sums of up to 3 digits, RoPE does with one of two seeds
# and is on its way with the other; none of them adds 4. Without positions, and with RoPE in packed texts, the sums of
# the training are not learnt within these steps; so those two rows say nothing about longer ones. *Columns* alone carry
# a few digits further; how far differs a lot between seeds, and with rounding: another machine, or another way to write
# your rotation, moves these figures more than any others. *Columns in packed texts* reach 20 digits. Now look twice:
# **with learned positions as well as with RoPE.** It was not the rotation. It was places that make the task the same at
# every length, and texts in which all distances occur. A table needs one thing more, a random start: a row of the table
# that training never used stays as it was drawn. With columns that always begin at 1 it did not even learn the sums it
# was shown.
#
# And the speed? Counted through, where everything has its place, the table learns its sums sooner than RoPE does. With
# columns in packed texts RoPE is ahead by a little, and not with every seed. Only where columns always begin at 1 is it
# far ahead, and there the table hardly learns at all.
#
# **When this holds** For models of one or two layers and some ten thousand parameters, sums with the last digit first
# and equal numbers of columns, and three seeds at most. The recipes of the literature that you find below have the same
# two parts: places (or hints) that mark the column, and some randomness that shows more places than the texts need.

# %% question="m19.why_it_extrapolates"

# %%
progress("m19")

# %% [markdown]
# ## Recap
#
# RoPE turns pairs of numbers, which is to multiply complex ones; the proof that it is right is a test, that scores
# depend on distances only. Beyond the trained length slow pairs come to angles that the model does not know; scaling
# takes them back among known ones, at a price for the fast ones. To do something at a new length, though, the task's
# own distances have to be those of training: there the choice of *places* did what no speed could.
#
# **Now you can read** [Su et al. 2021](https://arxiv.org/abs/2104.09864), RoFormer; [Peng et al.
# 2023](https://arxiv.org/abs/2309.00071), YaRN; [Ruoss et al. 2023](https://arxiv.org/abs/2305.16843), Randomized
# Positional Encodings; [Zhou et al. 2024](https://arxiv.org/abs/2402.09371), Transformers Can Achieve Length
# Generalization But Not Robustly; [McLeish et al. 2024](https://arxiv.org/abs/2405.17399), Transformers Can Do
# Arithmetic with the Right Embeddings; [Cho et al. 2024](https://arxiv.org/abs/2405.20671), Position Coupling; and
# `modeling_rope_utils.py` of the library transformers, where your functions stand beside their relatives.
#
# **Next** [m20 SFT curriculum and self-evolution](../m20_curriculum/m20_curriculum.ipynb) asks what to feed a model and
# in which order. Back to [m18 Teaching a Transformer to multiply](../m18_multiply_cot/m18_multiply_cot.ipynb) or [ch04
# Positional encoding](../ch04_positional_encoding/ch04_positional_encoding.ipynb).
