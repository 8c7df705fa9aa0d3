# %% [markdown]
# # m26 · 3D matrix flow
#
# A language model reads `7*8=` and says 56. In between stand a few thousand numbers, and nothing else: no rule, no
# table that anybody wrote. In this module you walk through all of them. You catch every number of a real forward pass,
# make single ones again by hand from those before, and then change some in flight to find out what they are for. At the
# end you can say in which matrix, and in which row of it, the 7 was on its way to the answer, and who carried it there.
#
# {{exercises}}
#
# **Time** about 100 minutes. **Before this** [ch05 The encoder block](../ch05_encoder/ch05_encoder.ipynb), [ch06 The
# decoder block](../ch06_decoder/ch06_decoder.ipynb), [ch07 Training](../ch07_training/ch07_training.ipynb) and [ch10
# What makes it work](../ch10_composition/ch10_composition.ipynb). **You need** torch as in ch07, and Python functions
# that return functions.
#
# **Where this is used** Hooks are how you look into a model that somebody else wrote. Traces and patches are tools of
# mechanistic interpretability: Meng et al. 2022 searched with them for the places where GPT keeps facts, Wang et al.
# 2023 took a whole circuit of GPT-2 apart.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from course import begin, check, plots, progress, trained
from course.carry import decoder_logits, working
from course.supplied.m26 import StagedDecoder
from course.widgets import matrix_flow, patch_lab

STAGES = (  # of a model with one block, in the order of the pass
    "embed", "position", "stream_0",
    "blocks.0.norm_1",
    "blocks.0.attention.query", "blocks.0.attention.key", "blocks.0.attention.value",
    "blocks.0.attention.scores", "blocks.0.attention.masked", "blocks.0.attention.weights",
    "blocks.0.attention.mix", "blocks.0.attention.output", "blocks.0.stream_1",
    "blocks.0.norm_2", "blocks.0.ffn.hidden", "blocks.0.ffn.active", "blocks.0.ffn.output", "blocks.0.stream_2",
    "norm", "logits",
)  # fmt: skip

torch.set_num_threads(1)  # so small a model runs faster on one core than on several that wait for each other
begin("m26_matrix_flow")
saved = trained.load("m26_products")  # knows the products of two digits
model = StagedDecoder(saved.p, saved.heads)


def ids(text: str) -> Tensor:
    """The token ids of a text such as "7*8=": shape (n,)."""
    return saved.encode(text)[0]


# %% [markdown]
# ## 1. A place you can walk through
#
# The model is a decoder as in ch07, only tiny, so that all of it fits on a screen: one block, $d_{model} = 12$, two
# heads of 6 columns, $d_{ff} = 24$. Its vocabulary has 13 tokens: the digits, `*`, `=` and `.` for the end. It writes
# every product with two digits: `7*8=56.`, `2*3=06.`. With its 1,488 parameters it has all 100 pairs right.
#
# Below, it reads a prompt. **Each matrix stands in space with its numbers as cells.** A product is laid out as you
# would write it on paper: the left operand to the left, the right operand above, the result where rows of the one meet
# columns of the other.
#
# * **Step forward**, **Play** or the slider take you through the stages. After the last one the chosen token is fed
#   back, and the model reads the longer text for its second digit.
# * **Point at a cell** with the mouse, or focus the picture and use the arrow keys. Its name, its place and its number
#   appear, the row and the column that made it light up, and below stands the sum written out.
# * **Whole model** shows all stages at once; click one to go there. Drag to turn the picture.
# * **Type any prompt** of up to six of its tokens: `9*9=`, or nonsense such as `*=4`.

# %% demonstration=true
matrix_flow()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: the picture shows the matrices of each stage of the model as tiles in space, left operand,
# right operand above and result, with the cells that made a chosen cell lit up and their sum written below. If your
# browser cannot draw in three dimensions, choose "numbers as a table".*
#
# **Try** Go to the weights of the two heads and look at the last row, that of `=`. One head looks at the two digits,
# the other one elsewhere. Where? Then go on to the mix, and point at a cell of its last row: which rows of the values
# light up?
#
# ### A name for every stage
#
# To speak about numbers, you need names for them. `StagedDecoder` from the first cell computes what your
# `decoder_logits` does, but each step is an `nn.Module` of its own with a name. Those without parts are the **stages**;
# `model.stages` lists them, and so does `STAGES`. Dots lead inside: `blocks.0.attention.scores` are the scores in the
# attention of block 0. Three things are worth knowing:
#
# * `stream_0` is embedding plus position: the residual stream as it begins. `stream_1` is that plus what attention
#   wrote, `stream_2` plus what the feed-forward network wrote.
# * In `query`, `key`, `value` and `mix` the heads lie **side by side** in the columns: head 0 first, then head 1. `mix`
#   is what each head fetched: weights times values.
# * In `scores`, `masked` and `weights` they lie **one behind the other**, on an axis in front: a square for each head.
#
# `hidden` and `active` are the inside of the feed-forward network, before and after GELU.
#
# {{m26.stage_shapes}}


# %% exercise="m26.stage_shapes"
def stage_shapes(n: int, d_model: int, heads: int, d_ff: int, vocab_size: int) -> dict[str, tuple[int, ...]]:
    """The shape of what each stage gives, in a model with one block that reads one sequence of n tokens.

    Args:
        n: number of tokens.
        d_model: width of the residual stream.
        heads: number of heads, each of d_model / heads columns.
        d_ff: inner width of the feed-forward network.
        vocab_size: number of tokens in the vocabulary.

    Returns:
        Stage's whole name -> shape as a tuple of ints, for every name in `STAGES`. There is no axis for a batch.

    >>> shapes = stage_shapes(n=4, d_model=12, heads=2, d_ff=24, vocab_size=13)
    >>> shapes["stream_0"], shapes["logits"], len(shapes)
    ((4, 12), (4, 13), 20)
    """
    ### BEGIN SOLUTION
    square, wide = (heads, n, n), (n, d_ff)
    others = {"scores": square, "masked": square, "weights": square, "hidden": wide, "active": wide}
    others["logits"] = (n, vocab_size)
    return {name: others.get(name.split(".")[-1], (n, d_model)) for name in STAGES}
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: most are alike</summary>
#
# Most stages give a row of d_model numbers for each token. Which ones do not? There are six.
# </details>
# <details><summary>Hint 2: the last part of a name</summary>
#
# `"blocks.0.ffn.hidden".split(".")` gives the parts between the dots. The last one tells you the kind of stage. But the
# keys of your result are the whole names.
# </details>
#
# ## 2. Catch every number: forward hooks
#
# A model's `forward` throws its intermediate results away. You could write it anew to keep them. But often it is not
# yours to write: it sits in a library. So torch lets you hang a function into any module, a **forward hook**. Each time
# the module has run, torch calls it with three arguments:
#
# `hook(module, inputs, output)`
#
# `inputs` is a tuple of what went in, `output` is what came out. What the hook *returns* matters, too: `None` means
# that nothing is to change. (Remember that: it is half of section 4.) See one at work:


# %% demonstration=true
def report(module: nn.Module, inputs: tuple, output: Tensor) -> None:
    """A hook that only looks."""
    print(f"{type(module).__name__}: {tuple(inputs[0].shape)} -> {tuple(output.shape)}")


handle = model.get_submodule("blocks.0.ffn.hidden").register_forward_hook(report)
model(ids("7*8="))  # prints
print("hooks on the model:", model.hooks)
handle.remove()
model(ids("7*8="))  # prints nothing any more
print("hooks on the model:", model.hooks)

# %% [markdown]
# `register_forward_hook` gives you a **handle**, and the hook stays until you call `handle.remove()`. A hook that is
# forgotten runs in every later pass, for ever, and is hard to find. So remove them in a `finally:`, which runs also
# when the pass fails, say because the prompt is too long.
#
# Your task is the **trace**: a dictionary from each stage's name to its output. Two traps wait.
#
# * **A loop makes the hooks, and each must know its own name.** A function that is defined in a loop does not remember
#   the loop's variable as it was; it looks it up when it runs. By then the loop is over.
# * **An output is memory, and memory is reused.** The stage `masked` writes over the scores in place, to save room.
#   What you caught a moment ago changes under your hands, unless you took a copy: `output.clone()`.
#
# A record needs no gradient, so let the model run under `torch.no_grad()` (or `detach()` each output).
#
# > **Key insight.** A trace is a record of what *was*. If it shares its memory with the model, it shows what became of
# > it.
#
# {{m26.collect_trace}}


# %% exercise="m26.collect_trace"
def collect_trace(model: nn.Module, tokens: Tensor) -> dict[str, Tensor]:
    """Run the model once and keep what every stage gives.

    Args:
        model: a `StagedDecoder` with any number of blocks; `model.stages` lists its stages' names, and
            `model.get_submodule(name)` gives the module of a name.
        tokens: ids, shape (n,), int64.

    Returns:
        Stage's whole name -> copy of its output, for every name in `model.stages`.

    Raises:
        ValueError: comes from the model if there are too many tokens. Let it pass.

    When the function is left, in whatever way, the model has no hook of yours any more.

    >>> trace = collect_trace(model, ids("7*8="))
    >>> len(trace), trace["blocks.0.attention.weights"].shape
    (20, torch.Size([2, 4, 4]))
    """
    ### BEGIN SOLUTION
    trace, handles = {}, []

    def keeper(name):
        def keep(module, inputs, output):
            trace[name] = output.clone()

        return keep

    try:
        for name in model.stages:
            handles.append(model.get_submodule(name).register_forward_hook(keeper(name)))
        with torch.no_grad():
            model(tokens)
    finally:
        for handle in handles:
            handle.remove()
    return trace
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: a hook that knows its name</summary>
#
# Write a function that takes a name and *returns* a hook. Each call of it has a variable of its own. Another way is a
# default argument, which is fixed when the function is defined.
# </details>
# <details><summary>Hint 2: where the model runs</summary>
#
# Three phases: hang in all hooks and keep all handles in a list; call the model; remove all. The second belongs into a
# `try:`, the third into its `finally:`.
# </details>
#
# Is it the model you know? Your `decoder_logits` from ch07 takes the same parameters. Its logits and the last stage of
# your trace must agree up to rounding, and your shapes must be the real ones:

# %% demonstration=true
traced, shapes_of = working("m26.collect_trace", "m26.stage_shapes")
trace, largest = traced(model, ids("7*8=")), 0.0
for prompt in [f"{a}*{b}=" for a in range(10) for b in range(10)]:
    logits = decoder_logits(ids(prompt)[None], saved.p, saved.heads)[0]
    largest = max(largest, float((logits - traced(model, ids(prompt))["logits"]).abs().max()))
print(f"largest difference between decoder_logits and the staged model, over 100 prompts: {largest:.1e}")
print("shapes as foretold:", shapes_of(4, 12, 2, 24, 13) == {name: tuple(value.shape) for name, value in trace.items()})
print("numbers in this trace:", sum(value.numel() for value in trace.values()))

# %% question="m26.why_minus_infinity"

# %% [markdown]
# ## 3. Which cell made which?
#
# You have all numbers. Now trace one back. In most stages a row is made from **the same row** of the stage before: the
# tokens do not look at one another. For row $i$ and column $j$:
#
# | stage | the cell | made from |
# |:---|:---|:---|
# | `stream_0` | $e_{ij} + p_{ij}$ | one cell of `embed`, one of `position` |
# | `blocks.0.norm_1` | $(x_{ij} - \mu_i) / \sqrt{\sigma_i^2 + 10^{-5}} \cdot g_j + b_j$ | row $i$ of `stream_0` |
# | `blocks.0.attention.query` | $\sum_k z_{ik} W_{kj}$ | row $i$ of `blocks.0.norm_1`, column $j$ of $W_Q$ |
# | `blocks.0.ffn.hidden` | $\sum_k z_{ik} W_{kj} + b_j$ | row $i$ of `blocks.0.norm_2`, column $j$ of $W_1$ |
#
# $\mu_i$ and $\sigma_i^2$ are mean and variance of row $i$ over its $d_{model}$ numbers (divided by $d_{model}$), $g$
# and $b$ are gain and bias. The parameters come as in ch07: `p["blocks"][0]` is a dictionary for the block, with
# `["norm_1"]["gain"]` and `["norm_1"]["bias"]`, `["attention"]["w_q"]`, `["ffn"]["w_1"]` and `["ffn"]["b_1"]`.
#
# The checks hold you to it: in some of them **every number that is not needed is NaN**, and whatever NaN touches
# becomes NaN. The cell that you are asked for is always NaN, so it cannot be looked up.
#
# {{m26.recompute_cell}}


# %% exercise="m26.recompute_cell"
def recompute_cell(stage: str, row: int, column: int, trace: dict[str, Tensor], p: dict) -> float:
    """Make one number of a stage again from the stages before it, where no token looks at another.

    Args:
        stage: "stream_0", "blocks.0.norm_1", "blocks.0.attention.query" or "blocks.0.ffn.hidden".
        row: which token, counted from 0.
        column: counted from 0.
        trace: as `collect_trace` gives it, but perhaps NaN in all that the table above does not name.
        p: the model's parameters as in ch07.

    Returns:
        The number, a float.

    Raises:
        ValueError: for any other stage.

    >>> trace = {"embed": torch.tensor([[1.0, 2.0]]), "position": torch.tensor([[0.5, 0.25]])}
    >>> recompute_cell("stream_0", 0, 1, trace, {"blocks": [{}]})
    2.25
    """
    ### BEGIN SOLUTION
    block = p["blocks"][0]
    if stage == "stream_0":
        cell = trace["embed"][row, column] + trace["position"][row, column]
    elif stage == "blocks.0.norm_1":
        x, norm = trace["stream_0"][row], block["norm_1"]
        z = (x[column] - x.mean()) / torch.sqrt(x.var(unbiased=False) + 1e-5)
        cell = z * norm["gain"][column] + norm["bias"][column]
    elif stage == "blocks.0.attention.query":
        cell = trace["blocks.0.norm_1"][row] @ block["attention"]["w_q"][:, column]
    elif stage == "blocks.0.ffn.hidden":
        cell = trace["blocks.0.norm_2"][row] @ block["ffn"]["w_1"][:, column] + block["ffn"]["b_1"][column]
    else:
        raise ValueError(f"not made here: {stage!r}")
    return float(cell)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: one row first</summary>
#
# Take the row that you need out of the trace. All the rest happens within it.
# </details>
# <details><summary>Hint 2: torch's variance</summary>
#
# `x.var()` divides by one less than the number of entries. Layer norm does not. There is an argument for that.
# </details>
# <details><summary>Hint 3: rows and columns of W</summary>
#
# In $zW$ the cell in column $j$ is the dot product of $z$ with *column* $j$ of $W$. How do you write "all rows, column
# j" as an index?
# </details>
#
# ### Where tokens read one another
#
# Attention is the one place where a row is made from *other* rows. Let head $h$ begin at column $c = h \cdot d_{head}$
# of `query`, `key` and `value`. All stages are those of block 0:
#
# | stage | the cell of head $h$ | made from |
# |:---|:---|:---|
# | `scores` | $\sum_l q_{i,\,c+l}\; k_{j,\,c+l} \,/ \sqrt{d_{head}}$ | row $i$ of `query`, row $j$ of `key` |
# | `weights` | $e^{s_{ij}} / \sum_l e^{s_{il}}$ | row $i$ of the head's square in `masked` |
# | `mix` | $\sum_l w_{il}\; v_{l,\,c+j}$ | row $i$ of the head's square in `weights`, one column of `value` |
#
# Mind the columns. In `scores` and `weights`, $j$ is a token: the key. In `mix`, $j$ counts *within the head*, from 0
# to $d_{head} - 1$.
#
# {{m26.recompute_attention_cell}}


# %% exercise="m26.recompute_attention_cell"
def recompute_attention_cell(stage: str, head: int, row: int, column: int, trace: dict[str, Tensor]) -> float:
    """Make one number of the attention of block 0 again from the stages before it.

    Args:
        stage: "scores", "weights" or "mix".
        head: counted from 0.
        row: which token looks, counted from 0.
        column: for "scores" and "weights" the token that is looked at; for "mix" the column within the head.
        trace: as `collect_trace` gives it, but perhaps NaN in all that the table above does not name. Its names begin
            with "blocks.0.attention."; the first axis of "blocks.0.attention.masked" is the number of heads.

    Returns:
        The number, a float.

    Raises:
        ValueError: for any other stage.

    >>> two_heads = {"query": [[9, 9, 2, 1]], "key": [[9, 9, 3, 4]], "masked": [[[0]], [[0]]]}
    >>> trace = {f"blocks.0.attention.{name}": torch.tensor(x).float() for name, x in two_heads.items()}
    >>> round(recompute_attention_cell("scores", 1, 0, 0, trace), 2)  # (2 * 3 + 1 * 4) / sqrt(2)
    7.07
    """
    ### BEGIN SOLUTION
    masked = trace["blocks.0.attention.masked"]

    def of_head(name):
        return trace[f"blocks.0.attention.{name}"].chunk(len(masked), dim=1)[head]

    if stage == "scores":
        query, key = of_head("query")[row], of_head("key")[column]
        cell = query @ key / math.sqrt(len(query))
    elif stage == "weights":
        cell = masked[head, row].softmax(dim=0)[column]
    elif stage == "mix":
        cell = trace["blocks.0.attention.weights"][head, row] @ of_head("value")[:, column]
    else:
        raise ValueError(f"not made here: {stage!r}")
    return float(cell)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: a head's columns</summary>
#
# Heads lie side by side: with 2 heads and 12 columns, head 1 has columns 6 to 11. A slice does it, or `chunk`.
# </details>
# <details><summary>Hint 2: what is masked?</summary>
#
# In `masked`, later tokens hold minus infinity, and $e^{-\infty} = 0$. A softmax along the row needs no further care.
# </details>
#
# Now the picture runs on **your** trace, and your functions recompute the cell that you point at. (It takes the place
# of the first one, which stops.)

# %% demonstration=true
matrix_flow(collect_trace, recompute_cell, recompute_attention_cell)

# %% [markdown]
# **Try** Find a large number in `blocks.0.ffn.active`, and follow it back by hand: which column of $W_1$, which row of
# `norm_2`? Every number in front of you has such a pedigree, and at its end always stand token ids and parameters.

# %% question="m26.where_tokens_meet"

# %% [markdown]
# ## 4. Change one number and predict
#
# A trace shows what happened. It does not show what it was *for*. In ch10 you switched heads off. Here you do something
# finer: you run the model on one prompt, and at one stage you put in what stood there in the pass over **another**
# prompt. That is **activation patching**. Everything after that stage is computed anew from it.
#
# Take `7*8=` and patch from `3*8=`. The two differ in one digit. If a patch turns the answer 56 into 24, the place that
# you patched carried the difference between 7 and 3. If the answer stays 56, it did not, or it was not used from there.
#
# The tool is again a forward hook. If a hook **returns** something other than `None`, that takes the place of the
# output. Three things can go wrong:
#
# * The hook is still on the model afterwards. All that you measure from then on is wrong. (Same cure as before.)
# * The model writes into what you gave it, for example when you patch the scores. Return a copy.
# * You write *into* the output, instead of returning another tensor. At `position` the output is a slice of the model's
#   own table, and you have just changed the model.
#
# {{m26.run_patched}}


# %% exercise="m26.run_patched"
def run_patched(model: nn.Module, tokens: Tensor, stage: str, value: Tensor) -> Tensor:
    """Run the model with one stage's output replaced.

    Args:
        model: a `StagedDecoder` with any number of blocks.
        tokens: ids, shape (n,), int64.
        stage: the stage's whole name.
        value: what stands in place of its output, of the same shape, float. Not changed.

    Returns:
        The logits, shape (n, V), without a gradient.

    Raises:
        KeyError: if `stage` is not one of `model.stages`.

    When the function is left, in whatever way, the model is as it was before: no hook, the same parameters.

    >>> tokens = ids("7*8=")
    >>> value = collect_trace(model, ids("3*8="))["stream_0"]
    >>> logits = run_patched(model, tokens, "stream_0", value)
    >>> torch.allclose(logits, collect_trace(model, ids("3*8="))["logits"])  # all that follows is as for 3*8=
    True
    """
    ### BEGIN SOLUTION
    if stage not in model.stages:
        raise KeyError(f"no stage {stage!r}")
    handle = model.get_submodule(stage).register_forward_hook(lambda *_: value.clone())
    try:
        with torch.no_grad():
            return model(tokens)
    finally:
        handle.remove()
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: the smallest hook</summary>
#
# It ignores all three of its arguments and returns a copy of `value`.
# </details>
# <details><summary>Hint 2: an error that is yours</summary>
#
# torch's `get_submodule` raises AttributeError for a wrong name, and takes `blocks.0.attention`, which is no stage. So
# look into `model.stages` first.
# </details>
#
# Now patch by hand. Choose a stage, and **predict before you look**. The bars show the next token's probabilities
# before and after. A patch of the last row only, or of all rows; of one head, or of all of them.

# %% demonstration=true
patch_lab(run_patched)

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: two fields for prompts, a list of stages, a choice of heads, and bars with the probability of
# each of the 13 tokens before and after a patch. For `7*8=` with the mix of `3*8=` in the last row, the first digit
# goes from 5 to 2.*
#
# **Try** Patch the last row of `stream_0`: nothing happens. Why? (The last token is `=` in both prompts.) Now patch
# *all* rows of it. Then find the first stage where the last row alone is enough. What stands between the two?

# %% question="m26.predict_the_patch"

# %% [markdown]
# ### Which head carried it?
#
# The last row learns of the digits through `mix`, and `mix` has two heads side by side. So ask each one: replace this
# head's columns in the last row, leave the other head's, and see how far the logit of the chosen token falls:
#
# $$\text{effect}_h = z_{\text{chosen}} - z'_{\text{chosen}}$$
#
# $z$ are the logits of the last row as they are, $z'$ those after the patch, and "chosen" is the token with the largest
# $z$. What do you put in? There are two ways, and they answer two different questions:
#
# * **Zero**: as in ch10. *Does the rest need what this head brings?*
# * **Another prompt's part**: *Does it need just this, or would that of any other prompt do as well?*
#
# {{m26.head_effects}}


# %% exercise="m26.head_effects"
def head_effects(model: nn.Module, tokens: Tensor, heads: int, source: Tensor | None = None) -> Tensor:
    """By how much the chosen token's logit falls when one head's part of the mix is replaced in the last row.

    Args:
        model: a `StagedDecoder` with one block; the mix is its stage "blocks.0.attention.mix".
        tokens: ids, shape (n,), int64.
        heads: number of heads; each has d_model / heads columns of the mix, side by side.
        source: None: the head's part is set to 0. Ids of shape (n,): it is what stands there in the pass over these.

    Returns:
        One number for each head, shape (heads,): logit before less logit after, for the token whose logit is largest in
        the last row of the pass as it is.

    >>> effects = head_effects(model, ids("7*8="), 2, source=ids("7*8="))  # the same prompt: nothing changes
    >>> bool((effects.abs() < 1e-4).all())
    True
    """
    ### BEGIN SOLUTION
    stage = "blocks.0.attention.mix"
    trace = collect_trace(model, tokens)
    logits, mix = trace["logits"][-1], trace[stage]
    instead = torch.zeros_like(mix) if source is None else collect_trace(model, source)[stage]
    chosen, width, effects = logits.argmax(), mix.shape[1] // heads, []
    for head in range(heads):
        own, changed = slice(head * width, (head + 1) * width), mix.clone()
        changed[-1, own] = instead[-1, own]
        effects.append(logits[chosen] - run_patched(model, tokens, stage, changed)[-1, chosen])
    return torch.stack(effects)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what you have already</summary>
#
# `collect_trace` gives you the mix and the logits as they are, `run_patched` the logits with another mix. What remains
# is to make that other mix.
# </details>
# <details><summary>Hint 2: one head at a time</summary>
#
# Begin each head with a fresh copy of the mix, else the replaced parts pile up.
# </details>
#
# ## 5. Experiment: where is the 7?
#
# First, does it really know its tables? Then both kinds of effect, averaged over many prompts. What does not pass its
# check yet is replaced by the course's.

# %% demonstration=true
traced, patched, effects_of = working("m26.collect_trace", "m26.run_patched", "m26.head_effects")


def answer(text: str) -> str:
    """The two digits that the model writes, each chosen by itself and fed back."""
    for _ in range(2):
        text += saved.vocabulary[int(traced(model, ids(text))["logits"][-1].argmax())]
    return text[-2:]


right = sum(answer(f"{a}*{b}=") == f"{a * b:02d}" for a in range(10) for b in range(10))
print(f"products right: {right} of 100")

prompts = [f"{a}*{b}=" for a in range(10) for b in range(10)]
to_zero = torch.stack([effects_of(model, ids(prompt), saved.heads) for prompt in prompts])

# Another left digit, with another first digit of the product. There are 610 such; every fifth will do.
triples = [(a, b, c) for a in range(10) for b in range(10) for c in range(10) if a * b // 10 != c * b // 10][::5]
moved = torch.stack([effects_of(model, ids(f"{a}*{b}="), saved.heads, ids(f"{c}*{b}=")) for a, b, c in triples])
traces = {prompt: traced(model, ids(prompt)) for prompt in prompts}
mix_stage, d_head = "blocks.0.attention.mix", 6


def follows(a: int, b: int, c: int, head: int) -> bool:
    """Whether the first digit becomes that of c * b if this head's part of the last row comes from there."""
    mix, own = traces[f"{a}*{b}="][mix_stage].clone(), slice(d_head * head, d_head * (head + 1))
    mix[-1, own] = traces[f"{c}*{b}="][mix_stage][-1, own]
    return int(patched(model, ids(f"{a}*{b}="), mix_stage, mix)[-1].argmax()) == c * b // 10


shares = [sum(follows(*triple, head) for triple in triples) / len(triples) for head in range(saved.heads)]
weights = torch.stack([trace["blocks.0.attention.weights"][:, -1] for trace in traces.values()]).mean(0)
table = {
    "fall of the logit, set to zero": to_zero.mean(0),
    "fall of the logit, from another prompt": moved.mean(0),
    "share that then answers as for that prompt": shares,
    "weight that = gives to the left digit": weights[:, 0],
    "weight that = gives to the star": weights[:, 1],
    "weight that = gives to the right digit": weights[:, 2],
}
print(f"{'mean over the prompts':44}   head 0   head 1")
for label, numbers in table.items():
    print(f"{label:44} {float(numbers[0]):8.2f} {float(numbers[1]):8.2f}")

# %% [markdown]
# **What you should see** All 100 products are right. Set to zero, *both* heads cost much, and head 0 a little more than
# head 1. If you stopped here, you would say that head 0 does most of the work. But taken from another prompt, head 0
# changes next to nothing, while head 1 turns the answer into that of the other prompt in nearly nine cases of ten. The
# weights agree: head 0 looks mostly at the star, head 1 at the two digits.
#
# So head 1 moved the information. Head 0 brings something that is much the same in all prompts and on which the rest
# has come to rely. An effect "to zero" mixes up the two. `tools/train_m26.py` measures the shares over all 610 such
# triples when it trains the model (0.02 and 0.87), for ten seeds; it keeps the seed in which one head does this most
# clearly. In other seeds the work is shared, so do not expect such neat roles in every model.
#
# **When this holds** For the first digit. For the second one the two heads share the work, as you can find out with
# prompts of five tokens such as `7*8=5`.

# %% question="m26.needed_or_telling"

# %% [markdown]
# ### A map of the pass
#
# Now the whole map. For each stage and each row of `7*8=`, that row alone is patched from `3*8=`, and you plot how
# probable 2, the first digit of 24, has become.

# %% demonstration=true
traced, patched = working("m26.collect_trace", "m26.run_patched")
prompt, source = "7*8=", "3*8="
clean, other = (traced(model, ids(text)) for text in (prompt, source))
wanted = int(other["logits"][-1].argmax())  # the id of the first digit that the model gives to the source


def chance(stage: str, row: int) -> float:
    """How probable that digit is for the prompt if one row of a stage (in all heads) comes from the source."""
    value = clean[stage].clone()
    value[..., row, :] = other[stage][..., row, :]
    return float(patched(model, ids(prompt), stage, value)[-1].softmax(-1)[wanted])


chances = torch.tensor([[chance(stage, row) for stage in STAGES] for row in range(len(prompt))])
short = [name.removeprefix("blocks.0.") for name in STAGES]
figure, axes = plt.subplots(figsize=(7.4, 3.4))
axes.imshow(chances, cmap="Purples", vmin=0, vmax=1, aspect="auto")
axes.set_xticks(range(len(short)), short, rotation=60, ha="right", fontsize=8)
axes.set_yticks(range(len(prompt)), [f"row {row}: {token}" for row, token in enumerate(prompt)])
for row, stage in torch.argwhere(chances > 0.005).tolist():
    number = float(chances[row, stage])
    colour = "white" if number > 0.6 else "black"
    axes.text(stage, row, f"{number:.2f}", ha="center", va="center", fontsize=7, color=colour)
digit = saved.vocabulary[wanted]
axes.set(title=f"{prompt} with one row from {source}: how probable is {digit}?", xlabel="stage that was patched")
axes.grid(False)
plt.show()
for row, token in enumerate(prompt):
    enough = [name for name, number in zip(short, chances[row], strict=True) if number > 0.5]
    print(f"row {row} ({token}) is enough at: {', '.join(enough) or 'no stage'}")

# %% [markdown]
# **What you should see** At first only row 0 matters: there stands the digit, in `embed`, `stream_0`, `norm_1`, and
# then in `value`, but not in `query` or `key`. At `mix` the digit has left row 0 and stands in the last row, where it
# stays up to the logits. Between `value` and `mix` it jumped: that is attention, and it is the only place in the model
# where anything can jump.
#
# Query, key, scores and weights do not carry this digit: where the last row looks hardly depends on which digit
# stands there. What it fetches does. And `position` is the same for both prompts, so it cannot carry anything.
#
# **When this holds** For this prompt and this source. Patch from `2*8=` and the map gets gaps: after one row is
# replaced, the pass holds a mixture of two prompts, and a mixture can lead to a third answer. (Try it: change the texts
# in the cell.) A patch shows that a place was *enough* to change the answer, which is not the same as being the only
# place.
#
# ### It found a law
#
# You know that $7 \cdot 8 = 8 \cdot 7$. Nobody told the model. It could have learned 100 facts, one by one. Did it?

# %% demonstration=true
(traced,) = working("m26.collect_trace")
traces = [[traced(model, ids(f"{a}*{b}=")) for b in range(10)] for a in range(10)]


def last_rows(stage: str) -> Tensor:
    """The last row of a stage for all prompts a*b=: shape (10, 10, columns)."""
    return torch.stack([torch.stack([trace[stage][..., -1, :].flatten() for trace in row]) for row in traces])


different = ~torch.eye(10, dtype=torch.bool)
for stage in ("blocks.0.attention.mix", "blocks.0.stream_1", "blocks.0.stream_2"):
    last = last_rows(stage)
    swapped = (last - last.transpose(0, 1)).norm(dim=-1)[different].mean()
    others = torch.pdist(last.flatten(0, 1)).mean()
    print(f"last row of {stage:22} a*b and b*a: {swapped:.3f} apart on average; any two prompts: {others:.3f}")
weights = last_rows("blocks.0.attention.weights")[:, :, 4:]  # of head 1: on a, the star, b and =
difference = (weights[:, :, 0] - weights[:, :, 2].T).abs().max()
print(f"head 1: the weight on a digit at the left and at the right differs by at most {difference:.3f}")

# %% [markdown]
# **What you should see** The last row of `7*8=` and that of `8*7=` are nearly the same, more than a hundred times
# closer than those of two other prompts. Head 1 gives a digit the same weight on the left as on the right, so its mix
# is the same weighted sum, whichever comes first. Attention is a sum over tokens, and a sum does not care for order;
# only the position embeddings could have told left from right, and the model learned not to use them for that.
#
# **When this holds** For this model. It saw *all* products in training, $8 \cdot 7$ as well, so this is no proof that
# it would generalise. A guess: with so few parameters, half as many facts are easier to keep.
#
# ### Train it again
#
# The model was trained by a script of the course, from ten seeds; the record of all ten lies beside the model, in
# `course/checkpoints/m26_products.json`. It takes about half a minute on one core. In a clone of the course, type at a
# terminal in its folder:
#
#     python tools/train_m26.py

# %%
progress("m26")

# %% [markdown]
# ## Recap
#
# A forward pass is a few thousand numbers with names, and forward hooks hand you every one of them, if you copy what
# you catch and clean up after yourself. Each number can be made again from a row here and a column there; only in
# attention do rows of other tokens come in, and only `mix` brings over what they hold. A patch from another prompt
# tells what a place *carries*, zero tells what is *needed*: in this model they point at different heads.
#
# **Now you can read** [Attention Is All You Need](https://arxiv.org/abs/1706.03762) (Vaswani et al. 2017) with every
# matrix in view, [A Mathematical Framework for Transformer
# Circuits](https://transformer-circuits.pub/2021/framework/index.html) (Elhage et al. 2021), [Locating and Editing
# Factual Associations in GPT](https://arxiv.org/abs/2202.05262) (Meng et al. 2022), whose causal tracing is your map,
# and [Interpretability in the Wild](https://arxiv.org/abs/2211.00593) (Wang et al. 2023), where heads of GPT-2 are
# patched one by one. Their tool of choice, TransformerLens, calls your stages *hook points*. The idea to let people
# walk through a model comes from Brendan Bycroft's [LLM Visualization](https://bbycroft.net/llm).
#
# **Next** You can look into any decoder of this course: try `StagedDecoder` on the model of ch07. Back: [ch10 What
# makes it work](../ch10_composition/ch10_composition.ipynb), [ch09 Mixtures of experts and
# scaling](../ch09_moe_scaling/ch09_moe_scaling.ipynb).
