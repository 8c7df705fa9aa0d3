# %% [markdown]
# # ch10 · What makes it work
#
# You have built a decoder, trained it and made it write. But what did it *learn*? In this chapter you open it up. You
# build five small instruments: one reads what the model would say at every floor of the building, two take its heads
# apart, two measure what a head looks at. With them you watch, step by step, how a tiny model suddenly learns to
# **copy from its own context**, which takes two layers that work together. At the end stands one picture of everything
# you built in this course.
#
# {{exercises}}
#
# **Time** about 80 minutes. **Before this** [ch03 Multi-head attention](../ch03_multi_head/ch03_multi_head.ipynb),
# [ch04 Positional encoding](../ch04_positional_encoding/ch04_positional_encoding.ipynb), [ch06 The decoder
# block](../ch06_decoder/ch06_decoder.ipynb) and [ch07 Training](../ch07_training/ch07_training.ipynb). **You need**
# indexing and matrix products in torch, as in ch07.
#
# **Where this is used** This way of working is called *mechanistic interpretability*. The residual stream and induction
# heads come from Elhage et al. 2021 and Olsson et al. 2022, who found such heads in language models of many sizes. The
# same instruments are used on models with billions of parameters, to find out why they say what they say.

# %%
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor

from course import begin, check, plots, progress, trained
from course.carry import adamw_step, cross_entropy, decoder_logits, lr_schedule, working
from course.supplied.ch07 import flatten, unflatten
from course.supplied.ch10 import (
    RECIPE,
    attention_only_logits,
    init_attention_only,
    load_induction,
    look_inside,
    repeated_tokens,
)
from course.widgets import induction_stripe, residual_bus, whole_course

begin("ch10_composition")
model = trained.load("ch07_characters")  # the character model that you trained in ch07, or the course's

# %% [markdown]
# ## 1. The residual stream is a bus
#
# Look at the decoder of ch07 once more. Every block *adds* to what comes in and never replaces it:
#
# $$x_{\text{out}} = x + \mathrm{Attention}(\mathrm{norm}_1(x)) + \ldots$$
#
# So there is one vector for each token that runs from the bottom to the top, and everything on the way reads from it
# and adds to it. It is called the **residual stream**. Think of a bus in a computer: one set of wires, and all parts
# communicate by putting something on it. Written out, the last $x$ is a plain sum:
#
# $$x_{\text{final}} = \text{embedding} + \text{what attention 1 wrote} + \text{what feed-forward 1 wrote} + \ldots$$
#
# Below, a real model reads a line of Shakespeare. Step upwards, and look at the table: it says what the model would
# predict **if it stopped there**.

# %% demonstration=true
residual_bus(model=model)

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only this sentence stands here:
# the picture shows the stream as a row of stations from left to right, with an arrow down to each attention and
# feed-forward block, which reads, and one up again, where it adds; a table under it gives the likeliest next characters
# at every station.*
#
# **Try** At the station "embedding" the likeliest *next* character is nearly always the one just *read*. Can you say
# why? (Nothing has been added yet. The vector is the character's own row of the embedding, plus its position; and
# logits compare with the same rows.) Find a position where the guess changes at each of the last stations.
#
# ### The maths, with shapes
#
# How can one ask a model for its prediction halfway? At the end, the model turns the stream into logits with its final
# norm and the embedding. Nothing keeps you from doing that earlier. This is the **logit lens**:
#
# $$\mathrm{lens}(x) = \mathrm{norm}_{\text{final}}(x)\; E^T$$
#
# | symbol | in code | shape | |
# |:---|:---|:---|:---|
# | | `residuals` | $(S, T, d_{model})$ | the stream at $S$ stations, for $T$ tokens |
# | $E$ | `p["embed"]` | $(V, d_{model})$ | the embedding: a row for each of $V$ tokens |
# | $\mathrm{norm}_{\text{final}}$ | `p["norm"]["gain"]`, `p["norm"]["bias"]` | $(d_{model},)$ each | |
# | lens | | $(S, T, V)$ | logits at every station |
#
# At the last station the lens gives exactly the model's own logits. At earlier ones it is a guess about what the vector
# means: the model was never asked to be readable there. Often it is, sometimes not.
#
# > **Key insight.** Layers do not pass a finished result from one to the next. They all write into one sum, so a late
# > block can use what an early one left there. The whole of this chapter rests on that.
#
# {{ch10.logit_lens}}
#
# `F.layer_norm(x, (d_model,), gain, bias)` is torch's layer norm; you built it yourself in ch05.


# %% exercise="ch10.logit_lens"
def logit_lens(residuals: Tensor, p: dict) -> Tensor:
    """The logits that a model would give if it stopped at each station.

    Args:
        residuals: the residual stream, shape (S, T, d_model), float.
        p: the model's parameters as in ch07; the lens needs p["embed"], (V, d_model), and p["norm"].

    Returns:
        Logits of shape (S, T, V).

    >>> p = {"embed": torch.eye(2), "norm": {"gain": torch.ones(2), "bias": torch.zeros(2)}}
    >>> logit_lens(torch.tensor([[[3.0, 1.0]]]), p).round(decimals=2).tolist()
    [[[1.0, -1.0]]]
    """
    ### BEGIN SOLUTION
    norm = p["norm"]
    return F.layer_norm(residuals, residuals.shape[-1:], norm["gain"], norm["bias"]) @ p["embed"].T
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: two steps</summary>
#
# First the norm, over the last axis. Then one matrix product. torch's `@` treats the leading axes (here S and T) as a
# batch, so you need no loop.
# </details>
# <details><summary>Hint 2: which way round?</summary>
#
# A vector of width d_model must meet each row of the (V, d_model) embedding. The last axis of the result is V.
# </details>
#
# Now **your** lens reads the stream. Cells where it is wrong are marked.

# %% demonstration=true
residual_bus(logit_lens, model)

# %% question="ch10.what_a_block_reads"

# %% [markdown]
# ## 2. Heads write side by side
#
# In ch03 you split into heads, let each attend, put their outputs side by side, and multiplied by $W_O$. That last
# product looks as if it mixed the heads. It does not. Let $o_i$ be the output of head $i$, and cut $W_O$ into $h$
# blocks of $d_{head}$ rows:
#
# $$[\,o_0\; o_1\; \ldots\; o_{h-1}\,]\; W_O \;=\; o_0 W_O^{(0)} + o_1 W_O^{(1)} + \ldots + o_{h-1} W_O^{(h-1)}$$
#
# That is how a matrix product works: columns $0$ to $d_{head}-1$ on the left only ever meet rows $0$ to $d_{head}-1$ on
# the right. So each head **writes its own vector** to the stream, as if it were a small layer by itself.
#
# | symbol | in code | shape | |
# |:---|:---|:---|:---|
# | $o_i$ | `outputs[i]` | $(T, d_{head})$ | what head $i$ fetched: weights times values |
# | $W_O$ | `w_o` | $(h \cdot d_{head}, d_{model})$ | the output projection, here with $h \cdot d_{head} = d_{model}$ |
# | $o_i W_O^{(i)}$ | | $(T, d_{model})$ | what head $i$ writes |
#
# {{ch10.head_writes}}


# %% exercise="ch10.head_writes"
def head_writes(outputs: Tensor, w_o: Tensor) -> Tensor:
    """What each head adds to the residual stream.

    Args:
        outputs: of each head, before the output projection, shape (h, T, d_head), float.
        w_o: the output projection, shape (h * d_head, d_model).

    Returns:
        Shape (h, T, d_model). The sum over the heads is the output of the attention layer.

    >>> head_writes(torch.tensor([[[2.0]], [[3.0]]]), torch.tensor([[1.0, 0.0], [0.0, 10.0]])).tolist()
    [[[2.0, 0.0]], [[0.0, 30.0]]]
    """
    ### BEGIN SOLUTION
    heads, _, d_head = outputs.shape
    return outputs @ w_o.reshape(heads, d_head, -1)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: cut by rows</summary>
#
# Rows `i * d_head` to `(i + 1) * d_head` of `w_o` belong to head i. Collect the products in a list and use
# `torch.stack`, or `reshape` w_o so that the heads have an axis of their own.
# </details>
#
# ### What if a head were not there?
#
# Because heads only add, you can switch one off and see what the model can no longer do. This is called **ablation**.
# There are two common ways:
#
# * **Zero**: the head's output is replaced by 0. Simple, but the rest of the model has never seen such a stream: the
#   head always added *something*.
# * **Mean**: the head's output is replaced by its average. It still adds what it usually adds, but no longer anything
#   about the token at hand. Here the average runs over the $T$ positions of one text; in research it is often taken
#   over many texts.
#
# {{ch10.ablate_head}}


# %% exercise="ch10.ablate_head"
def ablate_head(outputs: Tensor, w_o: Tensor, head: int, mean: bool = False) -> Tensor:
    """The output of an attention layer with one head switched off.

    Args:
        outputs: of each head, before the output projection, shape (h, T, d_head), float. Not changed.
        w_o: the output projection, shape (h * d_head, d_model).
        head: which head, counted from 0.
        mean: False: the head's output is set to 0. True: at every position, it is set to its mean over the positions.

    Returns:
        What the layer now adds to the stream, shape (T, d_model).

    >>> outputs = torch.tensor([[[2.0], [4.0]], [[5.0], [6.0]]])
    >>> w_o = torch.tensor([[1.0, 0.0], [0.0, 10.0]])
    >>> ablate_head(outputs, w_o, 0).tolist(), ablate_head(outputs, w_o, 0, mean=True).tolist()
    ([[0.0, 50.0], [0.0, 60.0]], [[3.0, 50.0], [3.0, 60.0]])
    """
    ### BEGIN SOLUTION
    outputs = outputs.clone()
    outputs[head] = outputs[head].mean(dim=0) if mean else 0.0
    return head_writes(outputs, w_o).sum(dim=0)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: where to cut</summary>
#
# Before `w_o`, a head is a slice of its own. After it, all heads have been added up in all columns. Where can you still
# switch off just one?
# </details>
# <details><summary>Hint 2: the caller's tensor</summary>
#
# `outputs[head] = ...` changes the tensor that was handed in. Make a `clone()` first.
# </details>
#
# ## 3. Two heads that work together
#
# Now a puzzle. The tokens below are drawn at random, so nothing about them can be known beforehand. But after some
# tokens the text starts over:
#
# <center><code>k Q 3 x B k Q 3 x</code> ... what comes next?</center>
#
# You say "B" at once. How? You looked for the *earlier* "x" and read what came **after** it. A model can do the same
# with two heads, one above the other:
#
# 1. In layer 1, a **previous-token head** looks from each token at the one just before, and writes into the stream:
#    "before me stood x".
# 2. In layer 2, an **induction head** stands at the second "x". Its query says: "who has an x before it?" The keys of
#    layer 2 are made from the stream, where that is now written. The "B" answers, and the head copies "B" as its
#    prediction.
#
# The second head only works because of what the first one wrote. That is **composition**. You can see both by eye.
# Choose heads, and move the slider: the text repeats after as many tokens as it says.

# %% demonstration=true
induction_stripe()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only this sentence stands here:
# the picture shows the attention of one head of a trained model as a large table; heads of layer 2 draw a stripe
# parallel to the diagonal, whose distance from it is the period of the text less 1, and bars beside it give each head's
# scores.*
#
# **Try** Select a row in the lower half (click its letter). Which token does the head look at, and what stood before
# that? Set the slider below 16: a third copy begins, and a second stripe shows. Why? Then look at the heads of layer 1:
# two of them lean to the token before, the other two look only at themselves. Keep these two in mind.
#
# This model has two layers of attention and **nothing else**: no feed-forward networks. Its positions are rotations
# (RoPE, ch04). It was trained on such texts by `tools/measure_induction.py`, and you will train your own in section 4.
#
# ### The maths, with shapes
#
# $A$ is the attention of all heads, shape $(h, T, T)$: $A_{h,i,j}$ is the weight that head $h$ gives, at query position
# $i$, to key position $j$. The **previous-token score** of a head is its mean weight on the token before,
#
# $$\mathrm{prev}_h = \frac{1}{T-1} \sum_{i=1}^{T-1} A_{h,\,i,\,i-1}$$
#
# Position 0 has no token before it, so it does not count.
#
# {{ch10.previous_token_score}}


# %% exercise="ch10.previous_token_score"
def previous_token_score(attention: Tensor) -> Tensor:
    """Mean weight of each head on the token just before.

    Args:
        attention: weights, shape (h, T, T) with T of at least 2, float; axis 1 is the query, axis 2 the key.

    Returns:
        One score for each head, shape (h,), between 0 and 1.

    >>> previous_token_score(torch.tensor([[[1.0, 0.0, 0.0], [0.8, 0.2, 0.0], [0.1, 0.6, 0.3]]])).round(decimals=2)
    tensor([0.7000])
    """
    ### BEGIN SOLUTION
    return attention.diagonal(-1, 1, 2).mean(dim=-1)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: a diagonal, or two lists of indices</summary>
#
# `attention.diagonal(offset, 1, 2)` walks along axes 1 and 2; a negative offset lies below the main diagonal. Or:
# `attention[:, queries, keys]` with two index tensors of the same length picks one weight for each pair.
# </details>
#
# ### The induction score
#
# Let the text repeat after `period` $= k$ tokens. At query position $i \ge k$, the last copy of this token stands at
# $i - k$, and what came after that at $i - k + 1$. A perfect induction head puts all of its weight there:
#
# $$\mathrm{induction}_h = \frac{1}{T-k} \sum_{i=k}^{T-1} A_{h,\,i,\,i-k+1}$$
#
# Mind both ends: before position $k$ nothing has been repeated, so these positions do not count. Should a text repeat
# more than once, only the last copy counts.
#
# {{ch10.induction_score}}


# %% exercise="ch10.induction_score"
def induction_score(attention: Tensor, period: int) -> Tensor:
    """Mean weight of each head on the token that came after the last copy of the current one.

    Args:
        attention: weights, shape (h, T, T), float; axis 1 is the query, axis 2 the key.
        period: the text repeats after this many tokens.

    Returns:
        One score for each head, shape (h,), between 0 and 1.

    Raises:
        ValueError: unless 1 <= period < T; otherwise no token is repeated.

    >>> attention = torch.tensor([[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.1, 0.7, 0.2]]])
    >>> induction_score(attention, 2)
    tensor([0.7000])
    """
    ### BEGIN SOLUTION
    if not 1 <= period < attention.shape[-1]:
        raise ValueError(f"no token is repeated if the period is {period}")
    return attention.diagonal(1 - period, 1, 2)[:, 1:].mean(dim=-1)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which queries, which keys?</summary>
#
# Write both down for T = 6 and a period of 4: queries 4 and 5, keys 1 and 2. How many steps to the left is that?
# </details>
# <details><summary>Hint 2: one entry too many</summary>
#
# The diagonal at that distance begins at query `period - 1`, with key 0. Does that query belong to the mean?
# </details>
#
# The same picture, and now the bars come from **your** two scores.

# %% demonstration=true
induction_stripe(induction_score, previous_token_score)

# %% question="ch10.where_it_looks"

# %% question="ch10.why_two_layers"

# %% [markdown]
# ### Do your own model's heads do this?
#
# The model that you trained in ch07 has never seen random tokens that repeat, only sonnets. Measure it, with a sonnet's
# line for the one score and repeating random characters for the other.

# %% demonstration=true
previous_of, score_of = working("ch10.previous_token_score", "ch10.induction_score")
line = model.encode("Shall I compare thee to a summer's day? Thou art more lovely")[0]
generator = torch.Generator().manual_seed(0)
repeats = torch.randint(len(model.vocabulary), (20,), generator=generator).repeat(2)
on_line, on_repeats = (look_inside(ids, model.p, model.heads).weights.flatten(0, 1) for ids in (line, repeats))
print(f"{'head':>5} {'previous token':>15} {'induction':>10}")
for number, scores in enumerate(zip(previous_of(on_line), score_of(on_repeats, 20), strict=True)):
    print(f"{number // model.heads + 1}.{number % model.heads:<3} {scores[0]:>15.2f} {scores[1]:>10.2f}")

# %% [markdown]
# **What you should see** In the course's model one head of layer 1 gives most of its weight to the character before:
# spelling is mostly a matter of the last letters, so such a head is worth having. No head has a high induction score:
# the model is small, has seen little text, and its positions are learned and not rotated. Yours may differ.
#
# ### Which heads matter?
#
# A score says what a head *looks at*. Whether the model *needs* it is another question, and your `ablate_head` answers
# it: switch off each head of the two-layer model in turn, and measure the loss on the tokens that can be foretold.

# %% demonstration=true
(ablated,) = working("ch10.ablate_head")
induction_model, heads = load_induction()
texts, foretold = repeated_tokens(12, torch.Generator().manual_seed(5))


def loss_without(layer: int | None = None, head: int = 0, mean: bool = False) -> float:
    """Loss on the tokens that can be foretold, with one head switched off (or none)."""

    def replace(at: int, outputs: Tensor, w_o: Tensor) -> Tensor:
        if at == layer:
            return ablated(outputs, w_o, head, mean)
        return outputs.transpose(0, 1).flatten(1) @ w_o

    logits = torch.stack([look_inside(text[:-1], induction_model, heads, replace).logits for text in texts])
    return cross_entropy(logits[foretold[:, 1:]], texts[:, 1:][foretold[:, 1:]]).item()


names = [(layer, head) for layer in range(2) for head in range(heads)]
losses = [[loss_without(*name, mean) for name in names] for mean in (False, True)]
print(f"all heads: {loss_without():.2f}")
print("head     " + " ".join(f"{layer + 1}.{head:<4}" for layer, head in names))
for kind, row in zip(("zero", "mean"), losses, strict=True):
    print(f"{kind:<8} " + " ".join(f"{loss:<6.2f}" for loss in row))

figure, axes = plt.subplots()
for shift, kind, row in ((-0.2, "set to zero", losses[0]), (0.2, "set to its mean", losses[1])):
    axes.bar([i + shift for i in range(len(names))], row, width=0.4, label=kind)
axes.axhline(loss_without(), color=plots.GREY, linestyle="--", label="all heads")
axes.set_axisbelow(True)
axes.set_xticks(range(len(names)), [f"{layer + 1}.{head}" for layer, head in names])
axes.set(xlabel="head that is switched off (layer.head)", ylabel="loss in nats", title="What each head is needed for")
axes.legend()
plt.show()

# %% [markdown]
# **What you should see** Each of the four heads of layer 2 is an induction head. Without any one of them the loss rises
# from about 0.2 to well under 1 nat: the other three still do the work. In layer 1 the previous-token head 1.1 is
# missed far more. But so are heads 1.2 and 1.3, the two that look only at *themselves* and whose scores are near 0!
#
# Take this as a warning. A score finds what you look for and is blind to the rest; an ablation finds what is needed but
# does not say what for. (A guess, which you could test: these heads write each token's own name where layer 2's queries
# look for it.) Good work in this field uses several instruments and says what it could not explain.
#
# ## 4. Experiment: watch it form
#
# Now train such a model yourself, and beside it one with a **single** layer, on the same texts. Each text draws its own
# period, from 6 to 24: if it were always the same, a head could learn "look 11 back" and would need no second layer.
#
# You will use your `cross_entropy`, `adamw_step` and `lr_schedule` from ch07. What does not pass its check yet is
# replaced by the course's. Both trainings together take about half a minute on a free core, longer on a busy one.

# %% demonstration=true
from tqdm.auto import tqdm

previous_of, score_of = working("ch10.previous_token_score", "ch10.induction_score")
torch.set_num_threads(1)  # so small a model runs faster on one core than on several that wait for each other
heads, period, run_length = RECIPE["heads"], 20, 10
probe, _ = repeated_tokens(8, torch.Generator().manual_seed(1000), 2 * period, (period, period))


def attention_on_probe(p: dict) -> Tensor:
    """Mean attention on eight texts that repeat after `period` tokens: (all heads of all layers, T, T)."""
    return torch.stack([look_inside(text, p, heads).weights.flatten(0, 1) for text in probe]).mean(0)


def noted(p: dict, logits: Tensor, targets: Tensor, again: Tensor) -> dict[str, float]:
    """What is plotted below; `again` marks the targets that can be foretold, (B, T) as the targets."""
    attention, right = attention_on_probe(p), logits.argmax(-1) == targets
    runs = again.unfold(1, run_length, 1).all(-1)  # where that many in a row can be foretold
    return {
        "foretold": cross_entropy(logits[again], targets[again]).item(),
        "fresh": cross_entropy(logits[~again], targets[~again]).item(),
        "previous": previous_of(attention).max().item(),
        "induction": score_of(attention, period).max().item(),
        "one right": right[again].float().mean().item(),
        "run right": right.unfold(1, run_length, 1).all(-1)[runs].float().mean().item(),
    }


def fit(layers: int, seed: int = 0) -> tuple[dict, dict[int, dict[str, float]]]:
    """Train a model of so many layers; returns its parameters, and step -> what was noted."""
    generator = torch.Generator().manual_seed(seed)
    weights = flatten(init_attention_only(RECIPE["vocab_size"], RECIPE["d_model"], heads, layers, seed))
    states = {name: {"step": 0, "m": torch.zeros_like(t), "v": torch.zeros_like(t)} for name, t in weights.items()}
    notes, steps = {}, RECIPE["steps"]
    for step in tqdm(range(steps), desc=f"layers: {layers}"):
        tokens, again = repeated_tokens(RECIPE["batch"], generator)
        for tensor in weights.values():
            tensor.requires_grad_()
        logits, targets = attention_only_logits(tokens[:, :-1], unflatten(weights), heads), tokens[:, 1:]
        cross_entropy(logits, targets).backward()
        if step % 20 == 0 or step == steps - 1:
            with torch.no_grad():
                notes[step] = noted(unflatten(weights), logits, targets, again[:, 1:])
        rate = lr_schedule(step + 1, RECIPE["warmup"], steps, RECIPE["peak"], RECIPE["floor"])
        with torch.no_grad():
            for name, tensor in weights.items():
                weights[name], states[name] = adamw_step(tensor, tensor.grad, states[name], rate, beta2=RECIPE["beta2"])
    return unflatten(weights), notes


fitted = {layers: fit(layers) for layers in (2, 1)}
names = list(next(iter(fitted[2][1].values())))
print(f"{'layers':>6} {'step':>5} " + " ".join(f"{name:>10}" for name in names))
for layers, (_, notes) in fitted.items():
    for step in [s for s in notes if s % 200 == 0 or s == max(notes)]:
        print(f"{layers:>6} {step:>5} " + " ".join(f"{value:>10.2f}" for value in notes[step].values()))


def curve(panel: plt.Axes, layers: int, name: str, label: str, colour: str) -> None:
    """Draw what was noted under a name over the steps; dashed for the model of one layer."""
    notes = fitted[layers][1]
    values = [note[name] for note in notes.values()]
    panel.plot(list(notes), values, label=label, color=colour, linestyle="-" if layers == 2 else "--")


figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.8))
for layers, colour in ((2, plots.ATTENTION), (1, plots.KEY)):
    curve(left, layers, "foretold", f"layers: {layers}", colour)
curve(left, 2, "fresh", "layers: 2, fresh tokens", plots.GREY)
for name, colour in (("previous", plots.QUERY), ("induction", plots.ATTENTION)):
    for layers in (2, 1):
        curve(middle, layers, name, f"{name}, layers: {layers}", colour)
left.set(title="Loss on what can be foretold", xlabel="step", ylabel="loss in nats", ylim=(0, None))
middle.set(title="Highest score of any head", xlabel="step", ylabel="score", ylim=(0, 1.3))
attention = attention_on_probe(fitted[2][0])
best = int(score_of(attention, period).argmax())
right.imshow(attention[best], cmap="Purples", vmin=0, vmax=1)
right.set(title=f"Head {best // heads + 1}.{best % heads}: the stripe", xlabel="key", ylabel="query")
right.grid(False)
left.legend(fontsize=8, loc="lower left")
middle.legend(fontsize=8, loc="upper left", ncols=2)
plt.show()

# %% [markdown]
# **What you should see** With two layers, the loss on tokens that can be foretold first creeps down: the model learns
# that tokens come *again*, so it prefers those it has seen. Then it falls, within a few hundred steps, from about 3
# nats to a few tenths. At the same steps both scores rise, and the stripe has appeared. With one layer the loss comes
# to rest near 3 nats and the induction score stays near 0.1. On fresh tokens both stay above 4 nats ($\ln 64 = 4.16$ is
# guessing), as they must: those are random. During the fall that loss even rises for a while, probably because the new
# heads copy also where there is nothing to copy.
#
# **When this holds** `tools/measure_induction.py` repeats both trainings from ten random beginnings and prints the
# table. With two layers 10 of 10 models got it: their loss on what can be foretold first fell under 1 nat between steps
# 450 and 700 and ended between 0.13 and 0.23, and the best head's induction score between 0.78 and 0.90. With one layer
# 0 of 10 did in the same 1,200 steps: the loss ended near 2.9, the best score at 0.08. Five times as many steps
# (`--seeds 1 --steps 6000`) did not give it to one layer either: 2.7 nats. Another width, learning rate or kind of text
# moves the fall to another step. Rounding differs from machine to machine, in the last digits.
#
# ### What is known, and what this shows
#
# Elhage et al. found induction heads in attention-only models of two layers and none in models of one. Olsson et al.
# saw the same bump in the loss of language models of many sizes, at the time when induction heads form, and argue that
# such heads do much of the learning from context. For small models they show it by intervening; for large ones the
# evidence is, in their own words, correlational. That one layer must fail is also proven, in the sense that it would
# have to be enormously larger ([Sanford et al. 2024](https://arxiv.org/abs/2408.14332)).
#
# Your experiment shows that two layers learn this trick on *this* task, that the scores and the loss move together, and
# that one layer of the same width does not learn it here. It does not show that language models work this way, nor why
# the fall is so sudden.
#
# ## 5. Was it sudden? Choose your measuring stick
#
# People call an ability **emergent** if small models do not have it and large ones do, with nothing in between. Before
# you believe such a curve, ask what stands on its vertical axis. If a token is right with probability $a$, and tokens
# fail independently, then ten in a row are right with probability $a^{10}$, which stays near 0 for long and then shoots
# up, even where $a$ climbs steadily. Your training noted both, at the same steps.

# %% demonstration=true
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
notes = fitted[2][1]
for name, colour, label in (
    ("one right", plots.QUERY, "one token"),
    ("run right", plots.KEY, f"{run_length} in a row"),
):
    style = "-" if name == "one right" else "--"
    left.plot(list(notes), [note[name] for note in notes.values()], color=colour, linestyle=style, label=label)
steadily = torch.linspace(0.05, 1, 100)
right.plot(steadily, steadily, color=plots.QUERY, linestyle="-", label="one token: $a$")
right.plot(steadily, steadily**run_length, color=plots.KEY, linestyle="--", label=f"{run_length} in a row")
left.set(title="Your model, two measures", xlabel="step", ylabel="right", ylim=(0, 1))
right.set(title="The same ability, by calculation", xlabel="steady progress $a$", ylabel="right", ylim=(0, 1))
for panel in (left, right):
    panel.legend(fontsize=8)
plt.show()
for goal in (0.1, 0.5):
    one, run = (next((s for s, n in notes.items() if n[name] >= goal), None) for name in ("one right", "run right"))
    print(f"first step with {goal:.0%} right: single tokens {one}, runs of {run_length} {run}")

# %% [markdown]
# **What you should see** Runs stay at 0 while single tokens already improve, and rise later and more steeply: part of
# the suddenness is the measure's. That is the point of Schaeffer et al. 2023 about many reported emergent abilities of
# large models. But here it is only part: the *loss* fell suddenly too, and it is no all-or-nothing measure. In this toy
# something really did form. Which of the two it is has to be looked into each time.

# %% question="ch10.sudden_or_not"

# %% [markdown]
# ## Everything assembled
#
# This is what you built, from the first chapter to this one. Step through it: every box is a function of yours. The
# numbers are those of the model from ch07 reading the line above; the button lets it write.

# %% demonstration=true
whole_course(decoder_logits, model)

# %% [markdown]
# *No picture above? Run the cell. On a page without a running notebook, only this sentence stands here: the picture
# shows the way of a text through a decoder: token ids, embedding and position, norm, queries, keys and values, weights,
# heads, the additions to the residual stream, the feed-forward network or experts, logits, loss, cache and the next
# character, each with the chapter that built it.*

# %%
progress("ch10")

# %% [markdown]
# ## Recap
#
# All parts of a decoder read from one residual stream and add to it, so its state can be read anywhere and each head's
# share can be taken out. A previous-token head in one layer and an induction head in the next together copy from the
# context; neither can do it alone, and in training the pair appears suddenly. Scores, lenses and ablations each show a
# part, and a jump in a curve may come from the model or from the measure.
#
# **Now you can read** [A Mathematical Framework for Transformer
# Circuits](https://transformer-circuits.pub/2021/framework/index.html) (Elhage et al. 2021), [In-context Learning and
# Induction Heads](https://arxiv.org/abs/2209.11895) (Olsson et al. 2022), [the logit
# lens](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens) (nostalgebraist 2020) and its
# more careful sequel, [the tuned lens](https://arxiv.org/abs/2303.08112) (Belrose et al. 2023); on emergence [Wei et
# al. 2022](https://arxiv.org/abs/2206.07682) and, against it, [Schaeffer et al.
# 2023](https://arxiv.org/abs/2304.15004).
#
# **Next** The beginner's path ends here, and you have walked all of it. The advanced lessons take its parts one by one,
# deeper; begin with [m02 MLP from scratch, backprop by hand](../m02_mlp_from_scratch/m02_mlp_from_scratch.ipynb). Back:
# [ch09 Mixtures of experts and scaling](../ch09_moe_scaling/ch09_moe_scaling.ipynb).
