# %% [markdown]
# # m18 · Teaching a Transformer to multiply
#
# The network of m02 knew its multiplication table by heart, and nothing else. In this lesson a decoder of about 100,000
# parameters learns to multiply **any** two numbers of two digits. It sees half of the 10,000 pairs, and at the end it
# is right on all of them. What makes the difference is hardly the model. It is the text that you give it: you have it
# write down the steps. You build that text, the tokenizer, the mask for the loss, and an evaluation that leaves no pair
# out. Then the model is trained here, live, on your functions.
#
# {{exercises}}
#
# **Time** about 100 minutes, of which two are training. **Before this** [ch07
# Training](../ch07_training/ch07_training.ipynb) (targets, cross-entropy), [ch08 KV cache and
# inference](../ch08_inference/ch08_inference.ipynb) (generation) and, for the question that it ends with, [m02 MLP from
# scratch](../m02_mlp_from_scratch/m02_mlp_from_scratch.ipynb). **You need** strings and loops in Python, and slices of
# tensors.
#
# **Where this is used** Writing steps before the answer is called a *chain of thought* (Wei et al. 2022), for trained
# models also a *scratchpad* (Nye et al. 2021). The models that reason at length today are trained on such text. Small
# arithmetic is the place where one can take the idea apart: every step can be checked, and every problem there is can
# be asked (Lee et al. 2023).

# %%
from functools import partial

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from course import begin, check, plots, progress
from course.carry import working
from course.lab import models
from course.lab.trial import Trial, logbook, run_trial, table, writer
from course.supplied.m18 import plan
from course.widgets import product_writer, training_curves

VOCABULARY = "0123456789*=+;\n"  # all 15 characters; the last one is the line end


def question(x: int, y: int, digits: int) -> str:
    """How every line begins: question(7, 34, 2) is '07*34='."""
    return f"{x:0{digits}d}*{y:0{digits}d}="


begin("m18_multiply_cot")

# %% [markdown]
# ## 1. Two ways to answer
#
# How much is 68 times 73? Few people know it. Nearly everybody can find it out with pencil and paper, because there
# they never need to know more than the table from 1 x 1 to 9 x 9 and how to carry.
#
# A Transformer reads and writes tokens, one after the other. For each new token it makes **one** pass through its
# layers: a fixed amount of work. If the answer has to follow the question at once, all the work must fit into the
# passes for the four digits of the answer, and for the first of them into a single one. If it may write the steps
# first, each token that it has written is there to be read: the text is its paper.
#
# Below is such a model. Press "Next token", and look at two things. The bars say how sure it is of the next token. The
# table says where each of its 8 heads looks. Then type a product of your own.

# %% demonstration=true
product_writer()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: a model writes `12*34=840+0630=8040;0408` token by token; bars show the probabilities of the
# next token, nearly always close to 1, and a table shows where its heads look: those of layer 1 at the digits that the
# next one follows from.*
#
# **Try** Stop before the first digit of the steps: which heads of layer 1 look at the last digit of each number? Go on
# to the tens of the sum. Heads 1.1 to 1.3 look at the two tens above. Go to the answer: head 1.2 runs through the sum
# from its end towards its beginning. Where is the model least sure? (Layer 2 mixes what layer 1 fetched, and its table
# says less.)
#
# ## 2. The text
#
# What you give a model to read decides what it has to learn. Here is the format of this lesson, for 12 times 34:
#
# ```
# 12*34=840+0630=8040;0408
# ```
#
# | part | | |
# |:---|:---|:---|
# | `12*34=` | the question | both numbers with two digits: 7 is `07` |
# | `840` | 12 x 4 = 48, **backwards** | three characters, as 99 x 9 = 891 is the longest |
# | `+0630` | 12 x 30 = 360, backwards | one character more |
# | `=8040` | the sum so far, 48 + 360 = 408, backwards | as wide as the row before it |
# | `;0408` | the answer, in the usual order | four characters |
# | `\n` | the line end | "I am done" |
#
# Two decisions stand behind it.
#
# **Backwards.** On paper you add from the right, and carry to the left. A model writes from left to right. So the
# numbers are turned round: then each digit comes after all that it depends on.
#
# **Padded.** Zeros fill every number up to a fixed width. So all lines have the same length, 25 characters, and the
# digit of the tens always stands in the same place. That costs some tokens, and spares the model the search.
#
# > **Key insight.** A good format makes every token *easy*: it follows from few earlier tokens, by a rule that is the
# > same in every line.
#
# {{m18.write_backwards}}


# %% exercise="m18.write_backwards"
def write_backwards(number: int, width: int) -> str:
    """Write a number with its last digit first.

    Args:
        number: not negative, with at most `width` digits.
        width: how many characters to write; zeros fill up what the number leaves.

    Returns:
        A text of `width` digits. The zeros are the number's leading ones, so they come last.

    >>> write_backwards(48, 3), write_backwards(360, 4)
    ('840', '0630')
    """
    ### BEGIN SOLUTION
    return str(number).zfill(width)[::-1]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint</summary>
#
# First pad, then turn round. `f"{number:05d}"` pads to 5 digits; for the 5 a name may stand: `f"{number:0{width}d}"`. A
# slice with a step of -1 runs backwards.
# </details>
#
# ### The steps
#
# For numbers of more digits the recipe goes on in the same way. Let $y_0$ be the last digit of $y$, $y_1$ the one
# before it, and so on. **Row** $i$ is $r_i = x \cdot y_i \cdot 10^i$, and $s_i = r_0 + \dots + r_i$ is the sum so far.
# With $n$ digits the chain of thought is
#
# $$r_0 \;\; \texttt{+} \, r_1 \, \texttt{=} \, s_1 \;\; \texttt{+} \, r_2 \, \texttt{=} \, s_2 \;\; \cdots \;\;
# \texttt{+} \, r_{n-1} \, \texttt{=} \, s_{n-1}$$
#
# all numbers backwards. $r_0$ takes $n + 1$ characters, $r_i$ and $s_i$ take $n + 1 + i$. Why a sum after *each* row?
# Because to add three or more numbers in one go means to carry more than 1, and more columns to look at. The running
# sum keeps every step an addition of two numbers.
#
# {{m18.chain_of_thought}}


# %% exercise="m18.chain_of_thought"
def chain_of_thought(x: int, y: int, digits: int) -> str:
    """Write the steps of x times y as text: partial products, and after each but the first the sum so far.

    Args:
        x, y: whole numbers from 0 to 10 ** digits - 1.
        digits: how many digits both are taken to have (1 or more); of y, each gets a row.

    Returns:
        The rows and sums, each written by `write_backwards`, with "+" before a row and "=" before a sum. The first row
        has digits + 1 characters; each later row, and the sum behind it, has one more than the row before.

    >>> chain_of_thought(12, 34, digits=2)
    '840+0630=8040'
    >>> chain_of_thought(123, 456, digits=3)  # 738 + 6150 = 6888; + 49200 = 56088
    '8370+05160=88860+002940=880650'
    """
    ### BEGIN SOLUTION
    rows = [x * int(digit) * 10**i for i, digit in enumerate(reversed(f"{y:0{digits}d}"))]
    text = write_backwards(rows[0], digits + 1)
    for i in range(1, digits):
        row, total = rows[i], sum(rows[: i + 1])
        text += f"+{write_backwards(row, digits + 1 + i)}={write_backwards(total, digits + 1 + i)}"
    return text
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one digit of y</summary>
#
# As text: `f"{y:0{digits}d}"` has all digits, with zeros in front, and `reversed(...)` goes through it from its end. Or
# as a number: `y // 10**i` cuts off the last i digits, `% 10` takes the last one that is left.
# </details>
# <details><summary>Hint 2: the shape of the loop</summary>
#
# Work out all rows first. The first one stands alone: write it before the loop. In the loop, i goes from 1 to
# digits - 1; append row i and the sum of rows 0 to i.
# </details>
#
# Now the whole line. With `thought=False` it has no steps: the answer follows the question at once. That is the other
# way of the two, and you will train both. `question(x, y, digits)` of the first cell writes `12*34=`.
#
# {{m18.product_line}}


# %% exercise="m18.product_line"
def product_line(x: int, y: int, digits: int, thought: bool = True) -> str:
    r"""Write the whole line that a model is trained on.

    Args:
        x, y, digits: as in `chain_of_thought`.
        thought: whether the steps stand between question and answer.

    Returns:
        The question, then the chain of thought and ";" (only with `thought`), then the answer with 2 * digits
        characters in the usual order, then a line end.

    >>> product_line(12, 34, digits=2)
    '12*34=840+0630=8040;0408\n'
    >>> product_line(12, 34, digits=2, thought=False)
    '12*34=0408\n'
    """
    ### BEGIN SOLUTION
    steps = chain_of_thought(x, y, digits) + ";" if thought else ""
    return question(x, y, digits) + steps + f"{x * y:0{2 * digits}d}\n"
    ### END SOLUTION


# %% [markdown]
# Here is the model of the beginning once more. What it should write is now your text; where it writes something else,
# the token is orange. Is 99 times 99 as easy for it as 12 times 34?

# %% demonstration=true
product_writer(product_line)

# %% question="m18.why_backwards"

# %% [markdown]
# ## 3. Tokens and targets
#
# Each character is a token; the vocabulary has 15 of them, `VOCABULARY` in the first cell, and a token's **id** is its
# place in it. One token for each digit: if `34` were a token of its own, the model would have to learn separately, for
# each of a hundred such tokens, which digits it is made of.
#
# A batch for training is a table of ids with a row for each line: $N$ lines of $T$ tokens, shape $(N, T)$. Padding was
# worth it: there is nothing to fill up.
#
# {{m18.encode_lines}}


# %% exercise="m18.encode_lines"
def encode_lines(lines: list[str], vocabulary: str) -> Tensor:
    """Turn lines into ids.

    Args:
        lines: N texts of the same length T; each of their characters occurs in `vocabulary`.
        vocabulary: all characters, each once; the id of a character is its place, counted from 0.

    Returns:
        Shape (N, T), int64: a row for each line.

    >>> encode_lines(["7*8=", "2*3="], "0123456789*=+;")
    tensor([[ 7, 10,  8, 11],
            [ 2, 10,  3, 11]])
    """
    ### BEGIN SOLUTION
    ids = {character: i for i, character in enumerate(vocabulary)}
    return torch.tensor([[ids[character] for character in line] for line in lines])
    ### END SOLUTION


# %% [markdown]
# The way back takes one row. A model that writes does not stop by itself; it is stopped. What it has said after the end
# of its line, if anything, does not count.
#
# {{m18.decode_line}}


# %% exercise="m18.decode_line"
def decode_line(ids: Tensor, vocabulary: str) -> str:
    r"""Turn the ids of one line into text.

    Args:
        ids: shape (T,), int64.
        vocabulary: all characters, each once; the id of a character is its place.

    Returns:
        The text up to its first line end, "\n", which belongs to it; all of the text if it has none.

    >>> decode_line(torch.tensor([4, 2, 5, 1, 5]), "0123;\n")  # the vocabulary ends with ";" and the line end
    ';2\n'
    """
    ### BEGIN SOLUTION
    line, end, _ = "".join(vocabulary[i] for i in ids).partition("\n")
    return line + end
    ### END SOLUTION


# %% [markdown]
# ### What should have a loss?
#
# As in ch07, the model reads tokens 0 to $T - 2$, and at each of them it should say the next one: the **targets** are
# tokens 1 to $T - 1$. But look at the question. Its digits are drawn at random, and nobody can foretell the `4` in
# `12*34=` from the `12*3`. The best possible loss there is $\ln 10 \approx 2.3$ nats: all that the model can learn
# is to say one tenth for each digit. So these targets are left out of the mean. `torch.nn.functional.cross_entropy`
# skips targets that are -100.
#
# Which are they? Say the question has $p$ tokens, 0 to $p - 1$. Token $p$, the first one of the steps, must be learnt:
# it is the target at the place where the model has just read token $p - 1$, the `=`. Draw it on paper; here everybody
# is off by one at first.
#
# | | | | | | | | | |
# |:---|:--|:--|:--|:--|:--|:--|:--|:--|
# | reads | `1` | `2` | `*` | `3` | `4` | `=` | `8` | `4` |
# | should say | ignored | ignored | ignored | ignored | ignored | `8` | `4` | `0` |
#
# {{m18.masked_targets}}


# %% exercise="m18.masked_targets"
def masked_targets(rows: Tensor, prompt: int, ignored: int = -100) -> tuple[Tensor, Tensor]:
    """Split lines into what the model reads and what it should say next.

    Args:
        rows: ids of whole lines, shape (N, T), int64. They are not changed.
        prompt: how many tokens the question has, at least 1.
        ignored: what stands in the targets where there is no loss.

    Returns:
        (inputs, targets), both (N, T - 1), int64. Where a target would be a token of the question, it is `ignored`.

    >>> inputs, targets = masked_targets(torch.tensor([[1, 2, 3, 4, 5]]), prompt=3)
    >>> inputs.tolist(), targets.tolist()
    ([[1, 2, 3, 4]], [[-100, -100, 4, 5]])
    """
    ### BEGIN SOLUTION
    inputs, targets = rows[:, :-1], rows[:, 1:].clone()
    targets[:, : prompt - 1] = ignored
    return inputs, targets
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: my rows change</summary>
#
# `rows[:, 1:]` is a window into the same memory. Write into a copy of it: `.clone()`.
# </details>
# <details><summary>Hint 2: how many are ignored?</summary>
#
# Of the question's p tokens, the very first is nobody's target, since nothing comes before it. How many are left?
# </details>

# %% question="m18.what_the_mask_does"

# %% [markdown]
# ## 4. Is it right? An evaluation that leaves nothing out
#
# The loss is an average, and an average hides. What you want to know is: for how many products is the answer right?
# There are only 10,000 pairs of numbers of two digits, so you can ask *all* of them.
#
# The model is given the question and nothing else, and writes until its line ends, each time the most probable token
# (greedily). Every token that it then reads is its own: if it goes wrong in the third step, nobody helps it back.
#
# Then the answer has to be read out of what it wrote. Be strict here. A model that was cut off, or that wrote something
# else than a number, has given **no** answer, and `None` says so; it is not 0, for 0 is sometimes right.
#
# {{m18.read_answer}}


# %% exercise="m18.read_answer"
def read_answer(line: str, mark: str = ";") -> int | None:
    r"""Read the answer out of a line that a model wrote.

    Args:
        line: anything.
        mark: the character behind which the answer stands: ";", or "=" for a line without steps.

    Returns:
        The number between the last `mark` and the line end. None if there is no mark, if the line does not end with
        "\n", or if anything but digits, or nothing, stands between them.

    >>> read_answer("12*34=840+0630=8040;0408\n"), read_answer("12*34=0408\n", mark="=")
    (408, 408)
    >>> read_answer("12*34=840+0630=8040;04") is None
    True
    """
    ### BEGIN SOLUTION
    _, found, answer = line.rpartition(mark)
    return int(answer) if found and answer.endswith("\n") and answer[:-1].isdigit() else None
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint</summary>
#
# `line.rpartition(mark)` cuts at the last mark and gives three parts; the second is empty if there was none.
# `"".isdigit()` is False, which is just what you need.
# </details>
#
# A model on a graphics card or a processor is quickest with many questions at once, but its memory has an end. So
# questions go in **batches**. `write` takes a list of questions and gives a list of whole lines, in the same order.
#
# There are two ways to be right. The *answer* may be right; or the line may be right from its first to its last
# character, which is called **exact**. A model may get a step wrong and the answer right, by luck. You count both.
#
# {{m18.evaluate_pairs}}


# %% exercise="m18.evaluate_pairs"
def evaluate_pairs(write, pairs: list, digits: int, thought: bool = True, batch: int = 500) -> dict:
    """Let a model work out every pair, and count what is right.

    Args:
        write: a function: a list of questions -> a list of as many whole lines, in the same order.
        pairs: the pairs (x, y) to ask, one or more.
        digits, thought: as in `product_line`; without steps, the answer stands behind "=".
        batch: how many questions `write` gets at once; the last time it may be fewer.

    Returns:
        {"total": number of pairs, "right": number of right answers, "exact": number of lines that are exactly
        `product_line`'s, "wrong": list of (x, y, line) for every wrong answer, in order}

    >>> def sloppy(questions):  # it knows one line, and says it whatever the question
    ...     return ["3*4=21;12" + chr(10)] * len(questions)
    >>> found = evaluate_pairs(sloppy, [(3, 4), (2, 6), (5, 5)], digits=1)
    >>> found["total"], found["right"], found["exact"], [pair[:2] for pair in found["wrong"]]
    (3, 2, 1, [(5, 5)])
    """
    ### BEGIN SOLUTION
    right, exact, wrong = 0, 0, []
    for start in range(0, len(pairs), batch):
        part = pairs[start : start + batch]
        written = write([question(x, y, digits) for x, y in part])
        for (x, y), line in zip(part, written, strict=True):
            good = read_answer(line, ";" if thought else "=") == x * y
            right += good
            exact += line == product_line(x, y, digits, thought)
            if not good:
                wrong.append((x, y, line))
    return {"total": len(pairs), "right": right, "exact": exact, "wrong": wrong}
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: all pairs, batch by batch</summary>
#
# `range(0, len(pairs), batch)` gives where each batch begins; `pairs[start : start + batch]` is the batch. The last one
# is shorter by itself.
# </details>
#
# Your evaluation now examines the model that you watched at the top, on every fifth pair. (It was trained by
# `tools/train_lab.py`.)

# %% demonstration=true
encode, decode, judge = working("m18.encode_lines", "m18.decode_line", "m18.evaluate_pairs")
model, record = models.load("lab_two_digits")
write = writer(
    model, partial(encode, vocabulary=VOCABULARY), partial(decode, vocabulary=VOCABULARY), VOCABULARY.index("\n")
)
score = judge(write, [(x, y) for x in range(100) for y in range(x % 5, 100, 5)], digits=2)
print(
    f"{model.size:,} parameters, {score['total']} pairs: {score['right']} answers right, {score['exact']} lines exact"
)

# %% question="m18.which_evidence"

# %% [markdown]
# ## 5. Experiment: answer at once, or think first
#
# Now the comparison that this lesson is about. Two models of the same size, from the same start, train on the **same
# 2,000 pairs**, one fifth of all. One sees lines without steps, the other lines with steps. As those are longer, it
# makes fewer of them: both read about 900,000 tokens. Every 100 or 50 steps each is asked 500 pairs that it was trained
# on, and 500 that it never saw; what counts is a line without a fault.
#
# The pictures move while the models train. Which two curves stay together, and which two part?

# %% demonstration=true
line, encode, mask = working("m18.product_line", "m18.encode_lines", "m18.masked_targets")
encode = partial(encode, vocabulary=VOCABULARY)
plans, results = plan(line), {}
for name in ("answer alone", "steps, numbers backwards"):
    curves = training_curves(f"Trained on: {name}", plans[name].steps).start()
    results[name] = run_trial(plans[name], encode, mask, watch=curves)
    curves.finish()

print(table(result.row for result in results.values()))
figure, axes = plt.subplots()
for (name, result), colour in zip(results.items(), (plots.KEY, plots.VALUE), strict=True):
    tokens = [check["tokens"] for check in result.run.checks]
    for which, style in (("trained on", "-"), ("held out", "--")):
        shares = [check[which] for check in result.run.checks]
        axes.plot(tokens, shares, color=colour, linestyle=style, label=f"{name}: {which}")
axes.set(
    xlabel="tokens read", ylabel="lines without a fault", ylim=(-0.03, 1.03), title="The same model, the same pairs"
)
axes.legend()
plt.show()

# %% [markdown]
# **What you should see** Both learn what they are shown. The model that answers at once ends with nearly all of its
# 2,000 pairs right, and of the others about one in six. The gap between its two curves grows with every step: this is
# what **memorising** looks like. The other model's two curves rise together. What it learns from the pairs that it sees
# holds for those that it does not see: it **generalises**.
#
# **When this holds** For this size, this number of pairs and this many tokens, from one seed. With more pairs and far
# more training the direct answer gets better, too: among 2,000 pairs it is easier to store than to find a rule. What
# the steps change is that the rule is now the easiest thing to learn. A digit of a row follows from two digits and a
# carry; there are few such cases, and each occurs in hundreds of lines.

# %% question="m18.what_was_bought"

# %% [markdown]
# ## 6. Experiment: all 10,000 of them
#
# Now in earnest: the same small model, trained on a random **half** of the pairs, until your evaluation finds no error
# among all 10,000. The loop asks 500 held-out pairs every 50 steps. As soon as it finds nothing wrong there, your
# `evaluate_pairs` asks them all.
#
# "Until nothing is wrong" is the honest way to stop here. With a fixed number of steps some seeds end with one or two
# wrong pairs, and 99.98 % is not what was promised.

# %% demonstration=true
line, encode, decode, mask, judge = working(
    "m18.product_line", "m18.encode_lines", "m18.decode_line", "m18.masked_targets", "m18.evaluate_pairs"
)
encode, decode = (partial(f, vocabulary=VOCABULARY) for f in (encode, decode))
everything = [(x, y) for x in range(100) for y in range(100)]


def examined(model, pairs: list) -> dict:
    """What your evaluation finds on some pairs."""
    return judge(writer(model, encode, decode, VOCABULARY.index("\n")), pairs, digits=2)


trial = Trial("steps, half of all pairs", partial(line, digits=2), share=0.5, steps=600, extra=400)
curves = training_curves("Trained on 5,000 pairs", trial.steps + trial.extra).start()
mine = run_trial(trial, encode, mask, curves, recheck=lambda model: len(examined(model, everything)["wrong"]))
curves.finish()

halves = {"trained on": mine.known, "held out": mine.held}
print(f"{mine.model.size:,} parameters, {mine.run.step} steps, {mine.run.seconds:.0f} CPU-seconds")
for name, pairs in halves.items():
    score = examined(mine.model, [tuple(pair) for pair in pairs.tolist()])
    print(f"{name}: {score['right']} of {score['total']} answers right, {score['exact']} lines exact")
    for x, y, written in score["wrong"][:5]:
        print(f"   {x} * {y} = {x * y}, it wrote {written.strip()}")
product_writer(line, mine.model)

# %% [markdown]
# **What you should see** The loss falls quickly at first, and after 200 steps or so the model is right on nine pairs of
# ten. The rest takes far longer: the last errors sit in cases that occur in a few lines only. At the end both halves
# should be right to the last pair, or, with bad luck, all but one or two.
#
# **When this holds** With seed 0 and the recipe above, on a processor in one thread. Sums in another order, as another
# processor or version of torch makes them, lead to another model, which may need some steps more or fewer. The course's
# own run is recorded in `course/checkpoints/lab_two_digits.json`; `make train-lab` repeats it, and `make train-lab
# ARGS="--seeds 10"` tries ten seeds.
#
# Under the numbers **your own model** writes. Look for a token of which it is not sure.
#
# ## 7. Where it goes wrong
#
# Errors teach more than a percentage. A model that is half trained makes many; of what kind are they? Your guess might
# be: the more there is to carry, the harder. Test it. For each pair, count the carries in its last step, where both
# rows are added; then see which share of the pairs with 0, 1, 2 carries is wrong.
#
# {{m18.count_carries}}


# %% exercise="m18.count_carries"
def count_carries(a: int, b: int) -> int:
    """Count the columns in which something is carried when two numbers are added by hand.

    Args:
        a, b: whole numbers, 0 or more.

    Returns:
        How many columns make 10 or more, with what was carried into them. The last carry counts, too.

    >>> count_carries(48, 360), count_carries(99, 1)
    (1, 2)
    """
    ### BEGIN SOLUTION
    carry = count = 0
    while a or b:
        carry = (a % 10 + b % 10 + carry) // 10
        count += carry
        a, b = a // 10, b // 10
    return count
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint</summary>
#
# `a % 10` is the last digit, `a // 10` the number without it. Go on while a *or* b has digits left: a carry can run
# through the longer of the two.
# </details>
#
# {{m18.errors_by_group}}


# %% exercise="m18.errors_by_group"
def errors_by_group(groups: list[int], wrong: list[bool]) -> list[tuple[int, int, int]]:
    """Count errors for each group.

    Args:
        groups: the group of each problem.
        wrong: for each problem, in the same order, whether the model was wrong.

    Returns:
        For each group that occurs, in rising order: (group, how many of its problems are wrong, how many it has).

    >>> errors_by_group([2, 0, 0], [True, False, True])
    [(0, 1, 2), (2, 1, 1)]
    """
    ### BEGIN SOLUTION
    counts = {}
    for group, bad in zip(groups, wrong, strict=True):
        errors, total = counts.get(group, (0, 0))
        counts[group] = (errors + bad, total + 1)
    return [(group, *counts[group]) for group in sorted(counts)]
    ### END SOLUTION


# %% [markdown]
# A model trained for 150 steps only, on half of the pairs, is asked all that it has not seen. The cell groups them by
# the carries in the sum, then by the carries within the two rows (12 x 4 has none, 99 x 8 has two). At last it looks
# for the *first* wrong character of each faulty line: there the error was made, and all after it may just follow.

# %% demonstration=true
line, encode, decode, mask, judge = working(
    "m18.product_line", "m18.encode_lines", "m18.decode_line", "m18.masked_targets", "m18.evaluate_pairs"
)
carries, group = working("m18.count_carries", "m18.errors_by_group")
encode, decode = (partial(f, vocabulary=VOCABULARY) for f in (encode, decode))
young = run_trial(
    Trial("steps, half of all pairs, 150 steps", partial(line, digits=2), share=0.5, steps=150), encode, mask
)
pairs = [tuple(pair) for pair in young.held.tolist()]
score = judge(writer(young.model, encode, decode, VOCABULARY.index("\n")), pairs, digits=2)
faulty = {(x, y) for x, y, _ in score["wrong"]}
wrong = [pair in faulty for pair in pairs]
print(f"{score['total']} held-out pairs, {len(faulty)} wrong answers")


def in_rows(x: int, y: int) -> int:
    """Carries within both rows: of x times a digit, where something is carried into the next place."""
    tens, ones = divmod(x, 10)
    return sum((ones * d >= 10) + (tens * d % 10 + ones * d // 10 >= 10) for d in divmod(y, 10))


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
for name, groups, colour, marker in (
    ("in the sum", [carries(x * (y % 10), x * (y // 10) * 10) for x, y in pairs], plots.KEY, "s"),
    ("in the rows", [in_rows(x, y) for x, y in pairs], plots.QUERY, "o"),
):
    counts = group(groups, wrong)
    print(f"carries {name}: " + ", ".join(f"{k}: {bad} of {total}" for k, bad, total in counts))
    shares = [bad / total for _, bad, total in counts]
    left.plot([k for k, _, _ in counts], shares, color=colour, marker=marker, label=name)
left.set(xlabel="carries", ylabel="share of wrong answers", title="Errors by carries", ylim=(0, None))
left.set_xticks(range(5))
left.legend()
firsts = [0] * 25
for x, y, written in score["wrong"]:
    wanted = line(x, y, 2)
    firsts[next(i for i in range(25) if written[i : i + 1] != wanted[i])] += 1
right.bar(range(6, 25), firsts[6:], color=plots.ATTENTION)
right.set_xticks(range(6, 25), [*"840+0630=8040;0408", "end"], fontsize=8)
right.set(xlabel="place in the line, as in 12*34", ylabel="lines", title="Where the first fault is")
plt.show()

# %% [markdown]
# **What you should see** The guess was right. Without a carry in its rows hardly a pair is wrong; with three or four,
# more than a third. The sum's carries count, too, but less. The bars on the right say more. The first faults stand in
# three places and nearly nowhere else: the tens of the first row, the hundreds of the second row and the hundreds of
# the sum. These are the places where a digit of its own meets what the column before has carried. Where nothing can be
# carried in, or where only the carry is left, the model is right already.
#
# **When this holds** For a model that was stopped early; one that is trained to its end makes no errors that one could
# count. The carries need not be the cause: pairs with many carries also have large digits. That the first faults stand
# just where a carry comes in says more.
#
# ## 8. Data or architecture?
#
# If a model fails, one can give it more layers, more width; or change what it reads. Which is worth more here? Fill in
# the table: it holds every run that you made since the notebook was started. Each run reads about 900,000 tokens of
# 2,000 pairs (5,000 in one of them). `chosen` says which runs to make now; add others, one or two at a time, or make a
# `Trial` of your own. On a slow machine the wide and the deep model take a minute each.

# %% demonstration=true
line, encode, mask = working("m18.product_line", "m18.encode_lines", "m18.masked_targets")
plans = plan(line)
print("There are:", *(f'"{name}"' for name in plans), sep="\n   ")
chosen = ["answer alone, backwards"]

for name in chosen:
    curves = training_curves(name, plans[name].steps).start()
    run_trial(plans[name], partial(encode, vocabulary=VOCABULARY), mask, watch=curves)
    curves.finish()
print("\nYour table")
print(table(logbook.values()))

# %% [markdown]
# When you have made those that you wanted, or have no time for it, look at all of them. The course made these runs with
# `tools/measure_m18.py`, on one core; the record is `course/checkpoints/m18_runs.json`.

# %% demonstration=true
print(table(models.record("m18_runs")["rows"]))

# %% [markdown]
# **What you should see** The text decides. With the steps, a model of a quarter of the parameters is right on nearly
# every held-out pair; without them, one of four times the parameters on about a quarter of them, although it knows its
# own pairs by heart. Twice the depth does little for it. More pairs help the direct answer more than a larger model
# does, and it still fails on two of three. That the numbers stand backwards is worth less than that the steps are
# there: forwards the model gets most of them too, with more errors.
#
# **When this holds** At this budget, about 900,000 tokens for each run, and from one seed: differences of a point or
# two between the models with steps mean nothing. A larger model also needs more time for as many tokens; look at the
# seconds. With other budgets the order of the close ones may change, the gap between the two kinds of text hardly.

# %%
progress("m18")

# %% [markdown]
# ## Recap
#
# A model that must answer at once stores what it sees; one that may write the steps learns the steps, and they hold for
# pairs that it never saw. The work lies in the text: last digit first, so that carries come in time; fixed widths, so
# that places mean something; a sum after each row, so that every step is small. And it lies in the measuring: no loss
# where nothing can be learnt, and an evaluation that asks everything and reads answers strictly.
#
# **Now you can read** [Wei et al. 2022](https://arxiv.org/abs/2201.11903), Chain-of-Thought Prompting; [Nye et al.
# 2021](https://arxiv.org/abs/2112.00114), Show Your Work: Scratchpads; [Lee et al.
# 2023](https://arxiv.org/abs/2307.03381), Teaching Arithmetic to Small Transformers, on formats and reversed digits;
# [Dziri et al. 2023](https://arxiv.org/abs/2305.18654), Faith and Fate, on where multiplication fails in large models.
#
# **Next** m19, RoPE and extrapolation: what this model does with numbers that are longer than any it has seen. Back to
# [m02 MLP from scratch](../m02_mlp_from_scratch/m02_mlp_from_scratch.ipynb) or [ch07
# Training](../ch07_training/ch07_training.ipynb).
