# %% [markdown]
# # m20 · SFT curriculum and self-evolution
#
# In m18 a small decoder learned to multiply any two numbers of two digits. This lesson goes to four digits: 100 million
# pairs instead of 10,000, which nobody can put into a training set or ask one by one. So it matters *which* lines the
# model reads, and in what order. You build the five ways that everybody names: an order from easy to hard, zeros that
# keep every digit in its place, more of what is hard, a book of the model's own mistakes, and its own right answers as
# new lessons. Then you do what is done less often: you let each of them race against plain training **on the same
# number of tokens**, and believe what the runs show.
#
# {{exercises}}
#
# **Time** about 110 minutes, of which two are training. **Before this** [m18 Teaching a Transformer to
# multiply](../m18_multiply_cot/m18_multiply_cot.ipynb): the text, the loss on the steps, the strict evaluation. **You
# need** lists, dictionaries and classes in Python.
#
# **Where this is used** Training a model on written examples of what it should do is called *supervised fine-tuning*
# (SFT). Which examples, in which order, is half of the work on a language model today: curricula (Bengio et al. 2009),
# mining what a model gets wrong, and training on its own verified answers (STaR, Zelikman et al. 2022; rejection
# sampling, Yuan et al. 2023).

# %%
import copy
from functools import partial

import matplotlib.pyplot as plt
import torch

from course import begin, check, plots, progress
from course.carry import (
    count_carries,
    decode_line,
    encode_lines,
    evaluate_pairs,
    masked_targets,
    product_line,
    read_answer,
    working,
)
from course.lab import models
from course.lab.regimes import Drawer, Setting, exams, follow, ledger, sampler, table
from course.lab.training import Recipe
from course.lab.trial import writer
from course.supplied import m20 as given
from course.widgets import error_book, training_curves

VOCABULARY = "0123456789*=+;\n"  # as in m18
encode, decode = (partial(function, vocabulary=VOCABULARY) for function in (encode_lines, decode_line))
tools = partial(given.Tools, line=product_line, encode=encode, mask=masked_targets)  # what regimes are made of

begin("m20_curriculum")

# %% [markdown]
# ## 1. From two digits to four
#
# This is the line of m18 for numbers of two digits, and below it the one for four:
#
# ```
# 12*34=840+0630=8040;0408
# 1234*5678=27890+083680=252690+0040470=2566380+00007160=25660070;07006652
# ```
#
# Four rows instead of two, three sums instead of one, 73 tokens instead of 25. But each step is of the same kind: a
# digit times a digit and a carry, or a digit plus a digit and a carry.
#
# That suggests an order. Let the model learn the steps on short numbers, where lines are cheap, and then show it long
# ones. There is one catch. When the model has read `12*34=` and writes the first digit of the steps, it looks at
# the `2`, four tokens before the `=`, and at the `4` next to it. In `1234*5678=` the last digit of the first number
# stands six tokens before the `=`. Everything that the model has learnt about *where to look* is wrong at once.
#
# The way out costs a few tokens: write the short numbers in the long format from the beginning, `0012*0034=`. Zeros in
# front change no product. Now every digit has its place for good.
#
# > **Key insight.** Padding costs tokens, and buys that a digit of the same rank always stands at the same place. What
# > is learnt on short numbers can then hold for long ones.
#
# {{m20.zero_padded}}


# %% exercise="m20.zero_padded"
def zero_padded(line: str, digits: int) -> str:
    r"""Write a line again, in the format for numbers of more digits.

    Args:
        line: a whole line with its steps, as `product_line` of m18 writes it, for numbers of any digits.
        digits: how many digits both numbers shall have.

    Returns:
        The line of the same product as `product_line` writes it for `digits` digits: with its zeros in the question,
        its rows, its sums and its answer.

    Raises:
        ValueError: if one of the two numbers has more than `digits` digits. Zeros in front do not count.

    >>> zero_padded("3*4=21;12\n", digits=2)
    '03*04=210+0000=2100;0012\n'
    """
    ### BEGIN SOLUTION
    x, y = (int(number) for number in line.partition("=")[0].split("*"))
    if max(x, y) >= 10**digits:
        raise ValueError(f"{x} * {y} does not fit into {digits} digits")
    return product_line(x, y, digits)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: do I have to pad every number?</summary>
#
# No. The question tells which product it is; `product_line(x, y, digits)` does the rest.
# </details>
# <details><summary>Hint 2: reading the question</summary>
#
# `line.partition("=")[0]` is what stands before the first `=`, and `.split("*")` cuts it in two. `int("0012")` is 12.
# </details>
#
# ## 2. A curriculum
#
# A **curriculum** is a list of **stages**, the easy ones first. A stage is `(digits, steps)`: for so many steps of
# training, batches are made of numbers with so many digits. `[(2, 100), (3, 150), (4, 250)]` stands for 100 steps with
# two digits, then 150 with three, then four.
#
# A network that trains on one thing forgets another; this is called *catastrophic forgetting*. The remedy is as old as
# the problem (Robins 1995): **rehearsal**. A small share of every batch goes on to come from the stages that are over.
#
# Your function decides what one batch is made of. It does not draw numbers itself: `draw(digits, count)` does, and
# gives a list of `count` pairs. Say the batch has 12 pairs and `rehearsal` is 0.45, in the third stage. Then
# `int(0.45 * 12)`, five of them, are rehearsed. Two stages are over and share the five: three pairs for the first
# stage, two for the second. The other seven are of the third.
#
# {{m20.curriculum_batch}}


# %% exercise="m20.curriculum_batch"
def curriculum_batch(draw, step: int, stages: list, size: int, rehearsal: float = 0.1) -> list:
    """Choose the pairs of one training step.

    Args:
        draw: a function: (digits, count) -> a list of `count` pairs of numbers with so many digits.
        step: which step of the whole training this is, from 0.
        stages: a list of (digits, steps), one stage after the other. The last one goes on beyond its steps.
        size: how many pairs the batch has in all.
        rehearsal: int(rehearsal * size) of them come from the stages that are over; none in the first stage.

    Returns:
        A list of `size` pairs: those of the first stage, of the second, and so on, at last those of the stage of this
        step. The stages that are over share the rehearsal evenly; what is left over goes, one each, to the first ones.

    >>> of = lambda digits, count: [digits] * count  # instead of pairs, it gives their digits
    >>> stages = [(2, 100), (3, 150), (4, 250)]
    >>> curriculum_batch(of, 99, stages, size=4), curriculum_batch(of, 300, stages, size=12, rehearsal=0.45)
    ([2, 2, 2, 2], [2, 2, 2, 3, 3, 4, 4, 4, 4, 4, 4, 4])
    """
    ### BEGIN SOLUTION
    now, end = 0, stages[0][1]
    while step >= end and now < len(stages) - 1:
        now += 1
        end += stages[now][1]
    old = int(rehearsal * size) if now else 0
    pairs = []
    for i in range(now):
        pairs += draw(stages[i][0], old // now + (i < old % now))
    return pairs + draw(stages[now][0], size - old)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which stage is on?</summary>
#
# Add up the lengths: the first stage ends before step 100, the second before step 250. The stage is the first one whose
# end lies beyond `step`; if there is none, the last one.
# </details>
# <details><summary>Hint 2: sharing five among two</summary>
#
# `5 // 2` is what each gets, `5 % 2` is how many of them get one more. `i < 5 % 2` is True for the first one only, and
# in a sum True counts as 1.
# </details>
#
# ### Experiment: with zeros and without
#
# Small enough to be tried at once: from **one** digit to **two**. A model of 26,000 parameters spends a third of its
# steps on products of one digit, then changes to two. Three runs, all with your functions:
#
# - **padded**: the easy lines are written as `03*04=210+0000=2100;0012`, and a tenth of each later batch rehearses
#   them;
# - **padded, no rehearsal**: the same, but the batches change altogether;
# - **neither**: they change altogether, and the easy lines are written as they are, `3*4=21;12`. As these are shorter,
#   this run reads more of them: all three read as many tokens. It is the curriculum that one would write first.
#
# All are examined on the same pairs, which are never trained on: 400 of two digits, 50 of each hard kind (section 3
# names them), and 25 of one digit, those in the format in which the run has learnt them. Watch what happens at the
# dashed line, where the stage changes.

# %% demonstration=true
pad, curriculum = working("m20.zero_padded", "m20.curriculum_batch")
setting = Setting(digits=2, steps=240, check_every=20)
asked = given.exam_pairs(setting, 400, 50, 25)
hidden = [pair for pairs in asked.values() for pair in pairs]
mine = tools(pad=pad, curriculum=curriculum)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
ways = (given.PADDED, plots.VALUE), (given.NOT_REHEARSED, plots.QUERY), (given.NOT_PADDED, plots.KEY)
for name, colour in ways:
    regime = given.plan(setting, Drawer(0, hidden), mine)[name]
    papers = given.papers(setting, asked, mine, padded=name != given.NOT_PADDED)
    curves = training_curves(name, setting.steps).start()
    run = follow(name, setting, regime, papers, encode, masked_targets, curves).run
    curves.finish()
    for one, paper in zip(axes, ("fewer digits", "even"), strict=True):
        points = [(c["tokens"] / 1e3, c[paper]) for c in run.checks]
        one.plot(*zip(*points, strict=True), color=colour, label=name.removeprefix("curriculum, "))
    after = next((i for i, c in enumerate(run.checks) if c["step"] > setting.steps // 3), 0)
    before, after = (run.checks[i]["fewer digits"] for i in (max(0, after - 1), after))
    print(f"{name}: of one digit {before:.0%} right at the change, {after:.0%} at the next exam")
for one, title in zip(axes, ("One digit", "Two digits"), strict=True):
    one.axvline(run.tokens / 3e3, color=plots.GREY, linestyle="--")
    one.set(title=title, xlabel="thousand tokens read", ylim=(-0.03, 1.03))
axes[0].set_ylabel("lines without a fault")
axes[0].legend(loc="center right")
plt.show()
print(table(ledger.values()))

# %% [markdown]
# **What you should see** The padded runs lose nothing at the change: both go on to get better at one digit, and end
# with about 86 % and 80 % of two digits. So rehearsal is worth little here: seeds differ by as much. Without
# padding the model falls from about 70 % to nothing on one digit by the next exam, and ends with about half of two
# digits: what it had learnt stood at other places.
#
# **When this holds** For this model, whose positions are learned, with seed 0. The table at the end of section 5
# has the same runs with other seeds and with RoPE.

# %% question="m20.why_the_switch_hurts"

# %% [markdown]
# ## 3. What is hard?
#
# "Easy" was a matter of length so far. Within one length, some products are harder than others. m18 found out what a
# half-trained model stumbles over: carries. You counted them in a sum. Now count them in the whole line, in all its
# **rows** ($x$ times one digit of $y$) and all its **sums**.
#
# In a row, go through the digits of $x$ from the last one on. A column's product is the digit of $x$ times the digit of
# $y$, plus what was carried in; its tens are carried on. For 68 x 3: 8 x 3 = 24, write 4, carry 2; 6 x 3 + 2 = 20,
# write 0, carry 2. Two columns carry. It does not matter whether 2 or 7 is carried: you count columns.
#
# {{m20.product_carries}}


# %% exercise="m20.product_carries"
def product_carries(x: int, y: int, digits: int) -> int:
    """Count the columns in which something is carried in all the steps of x times y.

    Args:
        x, y: whole numbers from 0 to 10 ** digits - 1.
        digits: how many digits both are taken to have.

    Returns:
        The carries within the rows, x times each digit of y, and those of the sums, in which each row is added to the
        sum of the rows before it (`count_carries` of m18 counts the carries of a sum).

    >>> product_carries(12, 34, digits=2)  # 12*4 = 48: none; 12*3 = 36: none; 48 + 360: one
    1
    >>> product_carries(68, 73, digits=2)  # 68*3: two; 68*7: two; 204 + 4760: none
    4
    """
    ### BEGIN SOLUTION
    carries = total = 0
    for place in range(digits):
        digit, carry = y // 10**place % 10, 0
        for column in range(digits):
            carry = (x // 10**column % 10 * digit + carry) // 10
            carries += carry > 0
        row = x * digit * 10**place
        carries += count_carries(total, row)
        total += row
    return carries
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: two loops</summary>
#
# The outer one goes through the digits of y, as in `chain_of_thought` of m18, and keeps the sum so far. The inner one
# goes through the digits of x, and keeps the carry, which begins at 0 in each row.
# </details>
#
# How much is there to carry, usually? The laboratory has five kinds of pairs: drawn evenly, and four **hard kinds**:
# all digits 6 to 9 ("many carries"), many zeros, both numbers near 9999, and a short number times a long one. Your
# function tells them apart, for four digits.

# %% demonstration=true
(carries,) = working("m20.product_carries")
figure, axes = plt.subplots()
for kind, pairs in exams(4, 2000).items():
    counts = [carries(x, y, 4) for x, y in pairs]
    print(f"{kind:<17} {sum(counts) / len(counts):5.1f} carries on the average, {max(counts)} at most")
    shares = [counts.count(k) / len(counts) for k in range(max(counts) + 1)]
    axes.plot(range(len(shares)), shares, marker=".", label=kind)
axes.set(xlabel="carries in the line", ylabel="share of pairs", title="2,000 pairs of each kind, four digits")
axes.legend()
plt.show()

# %% [markdown]
# **What you should see** Pairs with digits of 6 to 9, and those near the top, carry half as often again as pairs drawn
# evenly. Few of the even ones reach their average: a model that trains on even pairs meets such lines rarely. Zeros
# and short numbers have few carries. They are hard for another reason, if at all: they are rare, and look different.
#
# ## 4. The error book
#
# Pupils who prepare for an examination keep a book of the exercises that they got wrong, and go through it again and
# again. Exercises that they get right are crossed out. For a model this means: let it work out fresh pairs while it is
# being trained, write down those that it got wrong, and mix them into its batches.
#
# First, read such mistakes as a teacher would. In a long line an early fault spoils all that follows, so what matters
# is the **first** wrong character, and the step in which it stands. The parts of a line have names:
#
# | `123*456=` | `8370` | `+05160` | `=88860` | `+002940` | `=880650` | `;056088` and the line end |
# |:--|:--|:--|:--|:--|:--|:--|
# | question | row 1 | row 2 | sum 2 | row 3 | sum 3 | answer |
#
# A sign belongs to the part that it opens. A sum has the number of the row that it adds.
#
# {{m20.first_fault}}


# %% exercise="m20.first_fault"
def first_fault(line: str, wanted: str) -> tuple[int, str] | None:
    r"""Find where a line that a model wrote first goes wrong.

    Args:
        line: what the model wrote, the question included, which is always right. It may have been cut off.
        wanted: the right line, from the question to the line end "\n".

    Returns:
        (place, part): the place of the first wrong or missing character, counted from 0 at the line's beginning, and
        the part of `wanted` in which it stands: "row 1", "row 2", "sum 2", "row 3", "sum 3", ... or "answer".
        None if nothing is wrong.

    >>> wanted = "12*34=840+0630=8040;0408\n"
    >>> first_fault("12*34=840+0630=8140;0418\n", wanted), first_fault("12*34=840=0630=8040;0408\n", wanted)
    ((16, 'sum 2'), (9, 'row 2'))
    >>> first_fault(wanted, wanted) is None
    True
    """
    ### BEGIN SOLUTION
    place = next((i for i, right in enumerate(wanted) if line[i : i + 1] != right), None)
    if place is None:
        return None
    steps = wanted[: place + 1].partition("=")[2]
    if ";" in steps:
        return place, "answer"
    kind = "sum" if steps.rfind("=") > steps.rfind("+") else "row"
    return place, f"{kind} {1 + steps.count('+')}"
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: a line that ends too early</summary>
#
# `line[i : i + 1]` is the character at place i, or an empty text if the line has none there; `line[i]` would be an
# IndexError.
# </details>
# <details><summary>Hint 2: which part?</summary>
#
# Take `wanted` up to the fault, the fault's own character included, and cut off the question. Is there a ";"? Then it
# is the answer. Otherwise the last sign decides between row and sum, and each "+" opened one more row. `rfind` gives
# the last place of a sign, and -1 if there is none.
# </details>
#
# Here is a book: products of three digits that a model of 100,000 parameters got wrong when it was half trained (made
# by `tools/measure_m20.py`). Choose a mistake. Your function marks where it begins. Then filter: which part goes wrong
# most often, and does a kind of pair have faults of its own?

# %% demonstration=true
error_book(first_fault, product_carries)

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: a list of wrong products; for the chosen one, the line that the model wrote, with the first
# wrong character marked, above the line as it should be; bars that count the first faults by part of the line.*
#
# **Try** Where do most lines go wrong first, in rows or in sums? Choose a fault in a row, and do the row by hand: which
# carry did the model get wrong? Then go through the kinds. From each kind 60 pairs were asked: of which kind does the
# book hold most, of which hardly any?
#
# ### The book itself
#
# It is a queue. Mistakes come in at the end. Each batch takes some from the front, those that have waited longest, and
# these go to the end again: so all come in turn. Only an exam strikes a pair out: if the model is asked it again and is
# right, it is learnt. And the book has a **capacity**; a model at its beginning gets everything wrong, and a book of
# everything is no book.
#
# {{m20.ErrorBook}}


# %% exercise="m20.ErrorBook"
class ErrorBook:
    """The pairs that a model got wrong, in `pairs`: a list, the one that has waited longest first.

    >>> book = ErrorBook(capacity=3)
    >>> book.update([(1, 2), (3, 4), (5, 6)], [False, True, False])  # two are wrong
    >>> book.update([(1, 2), (7, 8)], [False, False])  # (1, 2) is wrong again, and goes to the end
    >>> book.pairs
    [(5, 6), (1, 2), (7, 8)]
    >>> book.batch([(10, 10), (20, 20), (30, 30), (40, 40)], share=0.5)
    [(5, 6), (1, 2), (10, 10), (20, 20)]
    >>> book.pairs
    [(7, 8), (5, 6), (1, 2)]
    """

    def __init__(self, capacity: int):
        """Begin with an empty book, which can hold `capacity` pairs."""
        ### BEGIN SOLUTION
        self.capacity = capacity
        self.pairs = []
        ### END SOLUTION

    def update(self, pairs: list, right: list) -> None:
        """Take in the result of an exam: the pairs that were asked, and for each whether it was right.

        In the order of the exam: a pair that was right leaves the book, if it is there. A pair that was wrong goes to
        the end; if it was in the book already, its old entry is struck out. At last, if the book holds more than
        `capacity` pairs, the oldest leave.
        """
        ### BEGIN SOLUTION
        for pair, good in zip(pairs, right, strict=True):
            if pair in self.pairs:
                self.pairs.remove(pair)
            if not good:
                self.pairs.append(pair)
        self.pairs = self.pairs[-self.capacity :]
        ### END SOLUTION

    def batch(self, fresh: list, share: float) -> list:
        """Make a batch of the book's pairs and fresh ones.

        int(share * len(fresh)) pairs come from the front of the book, or all of them if it holds fewer; they stay in
        it, but go to its end. The first of the fresh pairs fill the batch up: it is as long as `fresh`. The book's
        pairs come first.
        """
        ### BEGIN SOLUTION
        count = min(int(share * len(fresh)), len(self.pairs))
        chosen = self.pairs[:count]
        self.pairs = self.pairs[count:] + chosen
        return chosen + fresh[: len(fresh) - count]
        ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: update</summary>
#
# Whether a pair was right or wrong, its old entry has to go. A list's `remove` takes it out, and raises an error if it
# is not there: ask with `in` first. Then, if the pair was wrong, append it. At the end, a slice with a negative start
# keeps the newest.
# </details>
# <details><summary>Hint 2: batch</summary>
#
# How many can the book give at most? `min(...)` of what is wanted and what is there. Call it `count`; then the rest of
# the book is `self.pairs[count:]`, and `len(fresh) - count` fresh pairs are needed.
# </details>
#
# ## 5. Experiment: does it help?
#
# Now the question for which you built all this. Every **regime** below trains the same model, from the same start, for
# the same 240 steps of 128 lines of two digits; the exams are those of section 2. Only the pairs differ:
#
# - **even from the start**: every pair drawn evenly. This is what the others have to beat.
# - **half with many carries**: half of each batch are those 64 of 256 drawn pairs that carry most, by your
#   `product_carries`.
# - **a quarter from the error book**: every 10 steps the model is asked 256 fresh pairs and 64 of the book; 32 of the
#   128 pairs of a batch come from your book. Note that the asking is work, too, which the tokens do not count: up to
#   320 lines for the 1,280 that are read in ten steps.
# - the two curricula of section 2, if you have run them.
#
# Before you run it: which will be best on pairs drawn evenly? And on those with many carries?

# %% demonstration=true
carries, book = working("m20.product_carries", "m20.ErrorBook")
setting = Setting(digits=2, steps=240, check_every=20)
asked = given.exam_pairs(setting, 400, 50, 25)
hidden = [pair for pairs in asked.values() for pair in pairs]
mine = tools(carries=carries, book=book)
papers = given.papers(setting, asked, mine)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
for name, colour in zip((given.SCRATCH, given.HEAVY, given.BOOK), (plots.QUERY, plots.KEY, plots.VALUE), strict=True):
    curves = training_curves(name, setting.steps).start()
    regime = given.plan(setting, Drawer(0, hidden), mine)[name]
    run = follow(name, setting, regime, papers, encode, masked_targets, curves).run
    curves.finish()
    for one, paper in zip(axes, ("even", "many carries"), strict=True):
        one.plot([c["tokens"] / 1e3 for c in run.checks], [c[paper] for c in run.checks], color=colour, label=name)
for one, title in zip(axes, ("Drawn evenly", "Many carries"), strict=True):
    one.set(title=title, xlabel="thousand tokens read", ylim=(-0.03, 1.03))
axes[0].set_ylabel("lines without a fault")
axes[1].legend()
plt.show()
print(table(ledger.values()))

# %% [markdown]
# **What you should see** Trained on even pairs alone, the model ends with about 99 % of even pairs and 82 % of those
# with many carries. With half of the batches full of carries it is the other way round: about 92 % of those, but fewer
# of the even ones, all the way along. One gets what one trains for, and pays for it elsewhere. The error book has both,
# more than 99 % and 96 %: it does not decide beforehand what is hard, but puts in what the model gets wrong at that
# moment, and stops when it is learnt.
#
# And the curricula of section 2? All end **below** plain training on even pairs. A third of their tokens went into a
# hundred easy products, which teach less than ten thousand. For this task, at this size, there was nothing to be
# gained by an order from easy to hard: lines of two digits are not too hard to begin with.
#
# One run of each, examined on 400 and 50 pairs, is a thin basis: a percent more or less of even pairs means nothing
# here. The course keeps a record of such runs, made by `tools/measure_m20.py`. Below are the means over the seeds: the
# share of even pairs when two thirds of the steps were over ("even 2/3"), then all shares at the end; in the last
# column each seed's share of even pairs. Three runs have RoPE instead of learned positions. The second table goes
# from two digits to three, with a larger model; `python tools/measure_m20.py --digits 3 --seeds 3` would give it more
# seeds.

# %% demonstration=true
print(given.summary(models.record("m20_runs")))

# %% [markdown]
# **What you should see** For two digits, over three seeds, the order is the same. The padded curricula end with about
# 80 % of even pairs, the one without padding with 54 %, plain training with 98 %; rehearsal changes nothing. The error
# book has most of even pairs, and of those with many carries about 95 % to plain training's 80 %. Half with many
# carries has 89 % of those, and about as many even ones as plain training, as far as seeds can tell; what it pays with
# is near the top, where it falls behind.
#
# With RoPE, everything is far slower in this text of fixed width: plain training ends with about 12 % of even pairs
# where learned positions reach 99 %. The curricula have 7 % with padding and 5 % without, which is hardly a difference;
# but at the change the latter forgets one digit altogether, as before (the record has the curve). So RoPE, which knows
# distances only, does not spare a curriculum the padding: the distances change as well.
#
# With three digits, all but the curriculum without padding end with 99 % or more of even pairs: the end hardly tells
# them apart. The way there does. When two thirds of the steps are over, plain training, many carries and the error book
# have between 90 % and 93 %, the padded curricula 41 % and 50 %; they catch up later. Here the book has no lead among
# the hard kinds either: once plain training gets nearly everything right, there is little left to note down.
#
# **When this holds** For these sizes and these numbers of tokens; for three digits, for one seed. A task that is too
# hard to begin with may well need a curriculum. And where the seeds of a regime lie further apart than two regimes do,
# the table does not tell them apart.

# %% question="m20.a_fair_comparison"

# %% [markdown]
# ## 6. Learning from its own answers
#
# So far somebody wrote the right steps for every pair. For most tasks nobody can: there is a way to *check* an answer,
# but no worked solution. A model that is right now and then can make its own. Ask it each question several times, with
# chance (each token is drawn as it is probable, instead of taking the most probable one), and keep the lines whose
# **answer** is right. These become the next lessons. It is called **rejection sampling**; done in rounds, it is what is
# meant by *self-evolution*. The right answers must be known or checkable; the steps come from the model itself.
#
# {{m20.rejection_sample}}


# %% exercise="m20.rejection_sample"
def rejection_sample(pairs: list, attempts: list, most: int = 1) -> list[str]:
    r"""Choose among a model's own attempts.

    Args:
        pairs: the pairs (x, y) that were asked.
        attempts: for each pair the list of lines that the model wrote.
        most: how many lines of one pair are kept at most.

    Returns:
        A list of lines: for each pair, in order, its first `most` different lines whose answer is x * y. The answer is
        read by `read_answer` of m18; the steps before it are not looked at.

    >>> attempts = [["3*4=21;13\n", "3*4=21;12\n", "3*4=21;12\n"], ["2*5=01;1"]]
    >>> rejection_sample([(3, 4), (2, 5)], attempts, most=2)
    ['3*4=21;12\n']
    """
    ### BEGIN SOLUTION
    kept = []
    for (x, y), lines in zip(pairs, attempts, strict=True):
        right = [line for line in dict.fromkeys(lines) if read_answer(line) == x * y]
        kept += right[:most]
    return kept
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: different lines</summary>
#
# `dict.fromkeys(lines)` holds each line once, in the order in which they came first. A set would lose the order.
# </details>
#
# ### Experiment: three rounds
#
# A young model, 180 steps old, gets four pairs of five right. In each of three rounds it is asked 1,000 fresh pairs,
# twice each, and trains 60 steps at a tenth of the first rate on the lines that your function keeps. Two controls begin
# from the same model and train as long: one on all its attempts **unsifted**, one on the **true lines** of the pairs
# that it was asked. What is the sifting worth, and how near does the model come to the one that is shown true lines?

# %% demonstration=true
(sift,) = working("m20.rejection_sample")
setting = Setting(digits=2, steps=180, check_every=180)
asked = given.exam_pairs(setting, 400, 50, 25)
hidden = [pair for pairs in asked.values() for pair in pairs]
papers, draw = given.papers(setting, asked, tools()), Drawer(0, hidden)
even = given.plan(setting, draw, tools())[given.SCRATCH]
start = follow("the young model", setting, even, papers, encode, masked_targets)
rows, shares = [start.row], {}
for name in ("its own, sifted", "its own, unsifted", "true lines"):
    model, shares[name] = start.model, [start.row["even"]]
    draw = Drawer(1, hidden)
    for number in range(1, 4):
        lines = given.lessons(name, model, draw(2, 1000), sift, encode, decode, seed=number)
        if name == "its own, sifted":
            print(f"round {number}: {given.counted(lines)}")
        if not lines:
            break
        label, regime = f"{name}, round {number}", partial(given.at_random, lines=lines, count=128)
        recipe = Recipe(steps=60, warmup=10, check_every=60, rate=5e-4, muon_rate=2e-3)
        model = copy.deepcopy(model)
        done = follow(label, setting, regime, papers, encode, masked_targets, model=model, recipe=recipe)
        shares[name].append(done.row["even"])
        rows.append(done.row)
print(table(rows))
figure, axes = plt.subplots()
for (name, values), colour in zip(shares.items(), (plots.VALUE, plots.KEY, plots.GREY), strict=True):
    axes.plot(range(len(values)), values, color=colour, marker="o", label=name)
axes.set(xlabel="round", ylabel="lines without a fault", title="Pairs drawn evenly", ylim=(-0.03, 1.03))
axes.set_xticks(range(4))
axes.legend()
plt.show()

# %% [markdown]
# **What you should see** Sifted, the model about keeps its level, with a few more of the pairs with many carries.
# Unsifted, it gets worse from round to round: it learns its own mistakes. That is what the judge is worth. But it does
# not come near the model that is shown true lines. What it gets right it knew already; what it gets wrong is never
# among its lines. Of the lines that are kept, fewer than one in a hundred has a wrong step: the answer was right by
# luck, or by copying.
#
# **When this holds** For three short rounds, one seed, two attempts. Published gains from such rounds come from models
# whose *sampled* answers are far worse than what they could find in many attempts; here nearly all that is found is
# found at once. Ask more often, or keep only pairs of which an attempt was wrong: try it.

# %% question="m20.what_is_rejected"

# %% [markdown]
# ## 7. Four digits, 99.9 %
#
# Here is where it leads. The course's model of four digits has 604,000 parameters, 128 wide and three layers deep. It
# was trained, by `tools/train_lab.py`, on fresh lines at every step: half of them drawn evenly, half of the four hard
# kinds. It read about 115,000 lines, while there are 100 million pairs: hardly any of what it is asked has it seen. The
# exception are the hard kinds that have few pairs, near the top above all, where there are 10,000 in all. So the record
# also counts how many of the exam's pairs it had never seen, and how many of these it gets right.
#
# One cannot ask all of them; so an honest exam draws many, and asks the hard kinds apart, for 99.9 % of even pairs may
# hide that every pair near 9999 is wrong. The record holds 10,000 pairs of each kind, worked out greedily. That takes
# minutes; you ask 60 of each, with your own `evaluate_pairs` of m18.

# %% demonstration=true
model, record = models.load("lab_four_digits")
write = writer(model, encode, decode, VOCABULARY.index("\n"))
print(f"{model.size:,} parameters, {record['tokens']:,} tokens read")
for kind, pairs in exams(4, 60, seed=5).items():
    score = evaluate_pairs(write, pairs, digits=4)
    (right, total), (new_right, new) = record["right"][kind], record["right_of_unseen"][kind]
    print(f"{kind:<17} {score['right']} of {score['total']} right here; recorded: {right:,} of {total:,}", end=", ")
    print(f"of those never seen {new_right:,} of {new:,}")
    for x, y, line in score["wrong"][:3]:
        print(f"    {x} * {y}: the first fault is {given.first_fault(line, product_line(x, y, 4))}")

# %% [markdown]
# **What you should see** Hardly any fault, or none, in 300 products; in the record at least 99.9 % of each kind, of the
# pairs never seen as of the others. Sixty right answers of sixty do not prove that, though: a model with 97 % would
# manage them once in six times ($0.97^{60} \approx 0.16$). Four faults in 10,000 leave little room for chance.

# %%
progress("m20")

# %% [markdown]
# ## Recap
#
# Which lines a model reads decides what it learns; so each idea has to be held against plain training on the same
# number of tokens. Here zeros in front kept what was learnt, when numbers grew longer; an order from easy to hard
# gained nothing beyond; more of what is hard helped there and cost elsewhere; and a book of its own mistakes, refilled
# while it trained, helped where help was needed. Its own sifted answers kept the model from getting worse, and no more
# than that. The model of four digits needed no trick: fresh lines, half of them hard, and an exam large enough to
# believe.
#
# **Now you can read** [Bengio et al. 2009](https://dl.acm.org/doi/10.1145/1553374.1553380), Curriculum Learning; [Lee
# et al. 2023](https://arxiv.org/abs/2307.03381), Teaching Arithmetic to Small Transformers, on padding and data;
# [Zelikman et al. 2022](https://arxiv.org/abs/2203.14465), STaR, and [Yuan et al.
# 2023](https://arxiv.org/abs/2308.01825), on rejection sampling for mathematics; [Lightman et al.
# 2023](https://arxiv.org/abs/2305.20050), Let's Verify Step by Step, on judging steps instead of answers.
#
# **Next** m21, the KV cache: why the model above can write its 73 tokens without reading them all anew for each. Back
# to [m18 Teaching a Transformer to multiply](../m18_multiply_cot/m18_multiply_cot.ipynb).
