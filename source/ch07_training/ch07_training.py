# %% [markdown]
# # ch07 · Training
#
# Until now all weights were random or made up. In this chapter they learn. You carry your decoder over from NumPy to
# torch, which works out gradients for you; you build the loss, the targets, the optimizer and the learning rate's
# schedule by hand; and then you put your five functions into one loop and watch a model of 110,000 numbers learn to
# write in the manner of Shakespeare's sonnets, in about half a minute, on your own machine.
#
# {{exercises}}
#
# **Time** about 90 minutes. **Before this** [ch05 The encoder block](../ch05_encoder/ch05_encoder.ipynb) and
# [ch06 The decoder block](../ch06_decoder/ch06_decoder.ipynb). **You need** NumPy, and the idea of a derivative: how
# much a result changes when one number changes a little. You need no torch.
#
# **Where this is used** GPT-2, GPT-3 and Llama were trained with what you build here: cross-entropy on the next
# token, Adam or AdamW, a warm-up and a cosine. Only the sizes differ.

# %%
import matplotlib.pyplot as plt
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course import begin, check, plots, progress, trained
from course.carry import causal_mask, encoder_block, layer_norm, working
from course.supplied.ch07 import flatten, init_decoder, sample_ids, unflatten
from course.texts import sonnets
from course.widgets import loss_lab, schedule_lab, valley_lab


def norm(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    """The layer norm of ch05 in torch, over the last axis: shape (..., d) in and out."""
    return F.layer_norm(x, x.shape[-1:], p["gain"], p["bias"])


begin("ch07_training")

# %% [markdown]
# ## 1. From NumPy to torch
#
# A torch **tensor** is an array that can also say where it came from. Most of what you know carries over:
#
# | NumPy | torch | |
# |:---|:---|:---|
# | `np.array([1.0, 2.0])` | `torch.tensor([1.0, 2.0])` | floats are `float32` here |
# | `a @ b`, `a * b`, `a[:, 1:]`, `a.shape` | the same | |
# | `a.sum(axis=-1, keepdims=True)` | `a.sum(dim=-1, keepdim=True)` | |
# | `a.max(axis=-1)` | `a.max(dim=-1).values` | `max` along a `dim` also returns `.indices` |
# | `a.swapaxes(1, 2)`, `a.reshape(2, -1)` | `a.transpose(1, 2)`, `a.reshape(2, -1)` | |
# | `np.where(mask, a, -np.inf)` | `a.masked_fill(~mask, -math.inf)` | fills where the mask is True |
# | `np.tri(n, dtype=bool)` | `torch.ones(n, n, dtype=torch.bool).tril()` | |
# | `a[np.arange(n), i]` | `a.gather(-1, i[:, None])` | for any number of axes |
#
# What is new is the **gradient**. Mark a tensor with `requires_grad`, compute a single number from it, the **loss**,
# and call `backward()`. Then `.grad` holds one number for each entry: by how much the loss grows when that entry grows
# by one, if it went on growing at that pace.

# %% demonstration=true
w = torch.tensor([2.0, -1.0], requires_grad=True)
x = torch.tensor([3.0, 4.0])
loss = (w @ x - 1.0) ** 2
loss.backward()
print("loss:", loss.item())
print("gradient from backward():", w.grad.tolist())

tiny = 1e-3
with torch.no_grad():  # only numbers are wanted here, no gradients
    measured = [((w + tiny * unit) @ x - 1.0) ** 2 - loss for unit in torch.eye(2)]
print("measured by moving each entry a little:", [round(change.item() / tiny, 2) for change in measured])

# %% [markdown]
# **What you should see** Both say about 6 and 8. By hand: the derivative of $(w \cdot x - 1)^2$ is
# $2\,(w \cdot x - 1)\,x = 2 \cdot 1 \cdot (3, 4)$. You would not want to do that by hand for a whole decoder. torch
# notes every operation on the way to the loss and goes back through them, which is why it is called *backward*.
#
# So one rule holds from here on: what should learn must stay in torch. `.item()`, `.numpy()`, `.detach()` and
# `torch.tensor(...)` cut the thread, and no gradient gets past the cut.
#
# ## 2. Your decoder, in torch
#
# GPT's decoder is a stack of the blocks of ch05 with the causal mask of ch06. Tokens go in as whole numbers, one for
# each character, and each position gives $V$ scores, the **logits**: one for every character of the vocabulary, high
# where the model expects that character next.
#
# $$\begin{aligned}
# x_{t} &= \mathrm{embed}[\mathrm{token}_t] + \mathrm{position}[t] && \text{what it is, and where} \\
# x &\leftarrow x + \mathrm{MultiHead}(\mathrm{norm}_1(x)) && \text{causal, } h \text{ heads} \\
# x &\leftarrow x + \mathrm{gelu}(\mathrm{norm}_2(x)\, W_1 + b_1)\, W_2 + b_2 && \text{both for every block} \\
# \mathrm{logits} &= \mathrm{norm}(x)\; \mathrm{embed}^T && \text{compare with every character}
# \end{aligned}$$
#
# The last line uses the embedding a second time (**tied** weights): a vector that looks like the embedding of `e`
# gives `e` a high score. And there is a new axis. Training reads $B$ texts at once, a **batch**, so $x$ has shape
# $(B, T, d_{model})$ and your attention works on $(B, h, T, d_{model}/h)$. In torch, `@` multiplies the last two axes
# and leaves those before alone.
#
# | in `p` | shape | |
# |:---|:---|:---|
# | `p["embed"]` | $(V, d_{model})$ | a row for each character |
# | `p["position"]` | $(T_{max}, d_{model})$ | a learned row for each place, as in GPT-2 |
# | `p["blocks"]` | a list | in each block: |
# | ... `["norm_1"]`, `["norm_2"]` | | `"gain"` and `"bias"`, $(d_{model},)$ |
# | ... `["attention"]` | $(d_{model}, d_{model})$ | `"w_q"`, `"w_k"`, `"w_v"`, `"w_o"` |
# | ... `["ffn"]` | as in ch05 | `"w_1"`, `"b_1"`, `"w_2"`, `"b_2"` |
# | `p["norm"]` | $(d_{model},)$ | the last norm |
#
# `norm(x, p["norm"])` is defined in the first cell. torch's GELU is `F.gelu`; the form that ch05 uses is
# `F.gelu(z, approximate="tanh")`.
#
# {{ch07.decoder_logits}}


# %% exercise="ch07.decoder_logits"
def decoder_logits(tokens: Tensor, p: dict, heads: int) -> Tensor:
    """Scores for the next token at every position.

    Args:
        tokens: ids of the tokens, shape (B, T), int64; T is at most the number of rows of p["position"].
        p: the weights, float32, see the table above.
        heads: number of heads; it divides d_model.

    Returns:
        Logits of shape (B, T, V), float32. Row t of a text depends on its tokens 0..t only. Gradients flow back to
        every tensor of p.

    With w_o, w_2 and b_2 all zero, the blocks add nothing, and the logits are norm(embedding + position) @ embed.T.
    """
    ### BEGIN SOLUTION
    b, t = tokens.shape
    x = p["embed"][tokens] + p["position"][:t]
    visible = torch.ones(t, t, dtype=torch.bool).tril()
    for block in p["blocks"]:
        a, f = block["attention"], block["ffn"]
        z = norm(x, block["norm_1"])
        q, k, v = ((z @ a[name]).reshape(b, t, heads, -1).transpose(1, 2) for name in ("w_q", "w_k", "w_v"))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        weights = scores.masked_fill(~visible, -math.inf).softmax(-1)
        x = x + (weights @ v).transpose(1, 2).reshape(b, t, -1) @ a["w_o"]
        z = norm(x, block["norm_2"])
        x = x + F.gelu(z @ f["w_1"] + f["b_1"], approximate="tanh") @ f["w_2"] + f["b_2"]
    return norm(x, p["norm"]) @ p["embed"].T
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: begin without any block</summary>
#
# `p["embed"][tokens]` looks up all B times T rows at once: shape (B, T, d_model). Write the first and the last line of
# the formula, run the check, and read how the message changes when you add a block.
# </details>
# <details><summary>Hint 2: cutting into heads</summary>
#
# In ch03 you went from (n, d_model) to (heads, n, d_head). Now go from (B, T, d_model) to (B, T, heads, d_head) by
# `reshape`, which only cuts the last axis, and then swap the two middle axes. The way back is the same in reverse:
# swap first, then `reshape`.
# </details>
# <details><summary>Hint 3: the mask</summary>
#
# One mask of shape (T, T) serves every text and every head. `masked_fill` fills where its mask is True: should that be
# the pairs that may see each other, or the others?
# </details>
#
# ### Your NumPy block and your torch block agree
#
# The same weights, once through `encoder_block` of ch05 with `causal_mask` of ch06, text by text in NumPy, once through
# `decoder_logits`, all texts together in torch.

# %% demonstration=true
(in_torch,) = working("ch07.decoder_logits")
small = init_decoder(vocab_size=11, d_model=8, heads=2, layers=3, d_ff=16, length=12, seed=1)
texts = torch.randint(11, (4, 9), generator=torch.Generator().manual_seed(2))
arrays = unflatten({name: tensor.double().numpy() for name, tensor in flatten(small).items()})


def in_numpy(text: np.ndarray) -> np.ndarray:
    """The logits of one text, shape (T, V), by the blocks of earlier chapters."""
    x = arrays["embed"][text] + arrays["position"][: len(text)]
    for block in arrays["blocks"]:
        x = encoder_block(x, block, 2, causal_mask(len(text)))
    return layer_norm(x, **arrays["norm"]) @ arrays["embed"].T


by_numpy = np.stack([in_numpy(text) for text in texts.numpy()])
by_torch = in_torch(texts, small, 2).numpy()
print(f"NumPy {by_numpy.shape}, torch {by_torch.shape}")
print(f"largest logit {np.abs(by_numpy).max():.2f}, largest difference {np.abs(by_numpy - by_torch).max():.1e}")

# %% [markdown]
# **What you should see** The same shape, and a difference of about a ten-millionth: NumPy computed in `float64` here,
# torch in `float32`, which keeps about seven digits.
#
# ## 3. The loss: what a wrong guess costs
#
# The model gives every character a probability (the softmax of its logits), and then the text shows which one was
# right. Call the probability of that one $P$. The **cross-entropy loss** is $-\ln P$: nothing if the model was sure and
# right, and more and more, without limit, if it was sure and wrong. Move the slider.

# %% demonstration=true
loss_lab()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, the picture shows a curve that
# falls from 4.6 at P = 0.01 to 0 at P = 1, and a level line at 4.11, the loss of a model that only guesses.*
#
# **Try** What does it cost to give the right character 50 %? And 1 %? A model that knows nothing gives all $V = 61$
# characters the same $P = 1/61$ and pays $\ln 61 \approx 4.11$. The **perplexity**, $e^{loss}$, says the same in other
# words: among how many equally likely characters the model seems to choose.
#
# ### The maths, with shapes
#
# For $N$ tokens with logits $z_i$ (a row of $V$ numbers) and targets $y_i$ (the id of the right token):
#
# $$L = -\frac{1}{N} \sum_{i=1}^{N} \ln \frac{e^{z_{i, y_i}}}{\sum_{j} e^{z_{ij}}}
#     = -\frac{1}{N} \sum_{i=1}^{N} \Big( z_{i, y_i} - m_i - \ln \sum_{j} e^{z_{ij} - m_i} \Big)
#     \qquad m_i = \max_j z_{ij}$$
#
# | symbol | shape | |
# |:---|:---|:---|
# | $z$ | $(..., V)$ | logits; in training $(B, T, V)$ |
# | $y$ | $(...)$ | targets, whole numbers from 0 to $V - 1$ |
# | $L$ | $()$ | one number: a tensor without axes |
#
# Both forms are equal on paper. On a computer only the right one works for all logits: $e^{1000}$ is infinite, and a
# probability that is rounded to 0 has no logarithm. Taking the maximum off first keeps every exponential at 1 or below,
# and the logarithm of a tiny probability is never formed from the probability.
#
# > **Key insight.** The loss looks at one probability only: that of the token which really came next. But that
# > probability can only grow if those of all others shrink.
#
# {{ch07.cross_entropy}}


# %% exercise="ch07.cross_entropy"
def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean of -ln softmax(logits) at the targets, over all tokens.

    Args:
        logits: shape (..., V), float, of any size (1000 and more must not overflow).
        targets: shape (...), int64, each from 0 to V - 1. There may be one axis before V, or several.

    Returns:
        The mean loss in nats, a tensor of shape (), from which gradients flow back to the logits.

    >>> logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]])
    >>> cross_entropy(logits, torch.tensor([1, 0]))  # (ln 2 + ln(4/3)) / 2
    tensor(0.4904)
    """
    ### BEGIN SOLUTION
    shifted = logits - logits.max(dim=-1, keepdim=True).values
    log_p = shifted - shifted.exp().sum(dim=-1, keepdim=True).log()
    return -log_p.gather(-1, targets.unsqueeze(-1)).mean()
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: picking one entry of each row</summary>
#
# `gather(-1, index)` picks along the last axis. The index must have as many axes as the logits: the targets need one
# more, of length 1, at the end (`unsqueeze(-1)`). Another way: `reshape` everything to two axes first.
# </details>
# <details><summary>Hint 2: which mean?</summary>
#
# After picking there is one number for each token, and the loss is their mean. If your result is V times too small, you
# averaged over too much.
# </details>
#
# Now **your** loss draws the curve. The widget builds the logits of all 61 characters and asks your function.

# %% demonstration=true
loss_lab(cross_entropy)

# %% question="ch07.untrained_loss"

# %% [markdown]
# ## 4. Targets: the same text, one step on
#
# Where do the right answers come from? From the text itself. Whatever the model has read so far, the next character is
# the target. And thanks to the causal mask (ch06), all positions can be asked at once:
#
# | | | | | | | |
# |:---|:-:|:-:|:-:|:-:|:-:|:-:|
# | text | `S` | `h` | `a` | `l` | `l` | `␣` |
# | inputs | `S` | `h` | `a` | `l` | `l` | |
# | targets | `h` | `a` | `l` | `l` | `␣` | |
#
# Read column by column: after `S` comes `h`, after `Sh` comes `a`, after `Sha` comes `l`. A text of $T$ tokens gives
# $T - 1$ questions. This is called **teacher forcing**: at every position the model is given the true text so far, even
# if its own guess was another one.
#
# {{ch07.shift_for_teacher_forcing}}


# %% exercise="ch07.shift_for_teacher_forcing"
def shift_for_teacher_forcing(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """What the model reads, and what it should say at each position.

    Args:
        tokens: a batch of texts, shape (B, T), int64.

    Returns:
        (inputs, targets), both of shape (B, T - 1): target i of a text is the token that follows input i.

    Raises:
        ValueError: if T is less than 2, since nothing follows a single token.

    >>> inputs, targets = shift_for_teacher_forcing(torch.tensor([[5, 6, 7], [1, 2, 3]]))
    >>> inputs.tolist(), targets.tolist()
    ([[5, 6], [1, 2]], [[6, 7], [2, 3]])
    """
    ### BEGIN SOLUTION
    if tokens.shape[1] < 2:
        raise ValueError(f"a text needs two tokens, got {tokens.shape[1]}")
    return tokens[:, :-1], tokens[:, 1:]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: two slices</summary>
#
# One of the two leaves out the last column, the other one the first. Which is which? Try it on the row 5, 6, 7.
# </details>

# %% question="ch07.unshifted_targets"

# %% [markdown]
# ## 5. AdamW: a step downhill
#
# The gradient $g$ of a weight says which way the loss rises, so **gradient descent** goes the other way:
# $\theta \leftarrow \theta - \eta\, g$, where $\theta$ (theta) is the weight and $\eta$ (eta) the **learning rate**.
# One rate has to serve all weights, and there lies the trouble. In a valley that is steep one way and nearly level the
# other, a rate small enough for the steep direction hardly moves along the level one.
#
# The widget has two weights. Make one direction steeper and compare.

# %% demonstration=true
valley_lab()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). Without a running notebook: at a steepness of 100, gradient descent
# crawls along the level floor of the valley, while AdamW, with a rate of 0.1, is far below it after 80 steps.*
#
# **Try** Steepness 1, where both directions are alike: what is the better choice there? Then 1000.
#
# ### The maths
#
# **Adam** keeps two running means for every weight: $m$ of its gradient, and $v$ of the gradient's square. It steps by
# their quotient, so each weight moves by about the learning rate, whether its gradients are large or small, and less
# where they keep changing sign. With $t = 1, 2, 3, \ldots$ counting the steps:
#
# $$\begin{aligned}
# m &\leftarrow \beta_1 m + (1 - \beta_1)\, g & \hat m &= m / (1 - \beta_1^t) \\
# v &\leftarrow \beta_2 v + (1 - \beta_2)\, g^2 & \hat v &= v / (1 - \beta_2^t) \\
# \theta &\leftarrow \theta - \eta \lambda\, \theta - \eta\, \frac{\hat m}{\sqrt{\hat v} + \varepsilon}
# \end{aligned}$$
#
# | symbol | in code | |
# |:---|:---|:---|
# | $\theta, g$ | `param`, `grad` | a tensor of weights and its gradient, of one shape; everything is entry by entry |
# | $m, v, t$ | `state["m"]`, `["v"]`, `["step"]` | begin at 0 |
# | $\eta, \lambda$ | `lr`, `weight_decay` | |
# | $\beta_1, \beta_2, \varepsilon$ | `beta1`, `beta2`, `eps` | 0.9, 0.999 and $10^{-8}$ if nobody says otherwise |
#
# Two details matter. Both means start at 0, so early on they are too small: after the first step $m$ is only
# $(1 - \beta_1)\, g$. Dividing by $1 - \beta_1^t$ mends exactly that (**bias correction**). And the **weight decay**
# $\eta \lambda\, \theta$ pulls every weight a little towards 0. It acts on the weight directly, not through $g$: that
# is the W in AdamW, and what sets it apart from Adam with an $L_2$ penalty.
#
# > **Key insight.** Divided by the size of its own gradients, every weight gets a step of its own length.
#
# {{ch07.adamw_step}}
#
# Your function returns a new param and a new state and **changes nothing in place**: the caller's tensors, and its
# `state` dictionary, stay as they are.


# %% exercise="ch07.adamw_step"
def adamw_step(
    param: Tensor,
    grad: Tensor,
    state: dict,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Tensor, dict]:
    """One step of AdamW. Returns new values; changes neither param, grad nor state in place.

    Args:
        param, grad: a tensor of weights and its gradient, of the same shape, whatever that is.
        state: {"step": int, "m": Tensor, "v": Tensor}: the steps made so far and the two running means, uncorrected.
            Before the first step {"step": 0, "m": zeros, "v": zeros}.
        lr, beta1, beta2, eps, weight_decay: see the table above.

    Returns:
        (new_param, new_state), the state with the same three keys.

    >>> param, grad, zero = torch.tensor([2.0]), torch.tensor([30.0]), torch.tensor([0.0])
    >>> adamw_step(param, grad, {"step": 0, "m": zero, "v": zero}, lr=0.1, weight_decay=0.5)
    (tensor([1.8000]), {'step': 1, 'm': tensor([3.]), 'v': tensor([0.9000])})

    There 0.1 * 0.5 * 2 = 0.1 was decay, and 0.1 the step itself.
    """
    ### BEGIN SOLUTION
    step = state["step"] + 1
    m = beta1 * state["m"] + (1 - beta1) * grad
    v = beta2 * state["v"] + (1 - beta2) * grad**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    new = param - lr * weight_decay * param - lr * m_hat / (v_hat.sqrt() + eps)
    return new, {"step": step, "m": m, "v": v}
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: in which order?</summary>
#
# Count the step, bring both means up to date, correct copies of them, and only then compute the new param. The decay
# uses the param as it came in.
# </details>
# <details><summary>Hint 2: in place or not?</summary>
#
# `m = state["m"]` gives the same tensor a second name, and `m *= beta1` then changes it for everybody. `m = beta1 * m`
# makes a new one. For the state, build a new dictionary.
# </details>

# %% demonstration=true
valley_lab(adamw_step)

# %% question="ch07.first_adam_step"

# %% question="ch07.what_decay_does"

# %% [markdown]
# ## 6. The learning rate's schedule
#
# At the start the running means rest on a handful of gradients, and large steps in a bad direction do damage that
# lasts. So the rate climbs slowly: the **warm-up**. Towards the end, large steps only jump to and fro across the
# valley's floor, so the rate sinks. A widely used curve for it is half a **cosine**: level at first, steep in the
# middle, level again at the end.

# %% demonstration=true
schedule_lab()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). Without a running notebook: a line climbs from 0 to the peak during the
# warm-up, then half a cosine leads down to the floor.*
#
# **Try** Warm-up 0: where does the training begin? Floor = peak: what is left of the schedule?
#
# ### The maths
#
# For step $s$, with $w$ = `warmup` and $N$ = `total` steps:
#
# $$\eta(s) = \begin{cases}
# \mathrm{peak} \cdot s / w & s < w \\
# \mathrm{floor} + (\mathrm{peak} - \mathrm{floor}) \cdot \tfrac12 \Big(1 + \cos \pi \frac{s - w}{N - w}\Big)
# & w \le s \le N \\
# \mathrm{floor} & s > N \end{cases}$$
#
# Check the corners: at $s = w$ the fraction is 0 and the rate is the peak; at $s = N$ it is 1, the cosine is $-1$, and
# the rate is exactly the floor.
#
# {{ch07.lr_schedule}}


# %% exercise="ch07.lr_schedule"
def lr_schedule(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    """Learning rate of a step.

    Args:
        step: 0 or more.
        warmup: the step at which the peak is reached; 0 means that the rate begins at the peak.
        total: the step at which the floor is reached; afterwards the rate stays there.
        peak, floor: the highest rate and the last one.

    Returns:
        The rate, a float.

    Raises:
        ValueError: unless 0 <= warmup < total.

    >>> [round(lr_schedule(step, warmup=2, total=6, peak=1.0, floor=0.2), 3) for step in range(8)]
    [0.0, 0.5, 1.0, 0.883, 0.6, 0.317, 0.2, 0.2]
    """
    ### BEGIN SOLUTION
    if not 0 <= warmup < total:
        raise ValueError(f"the warm-up must end before the training does, got {warmup} of {total}")
    if step < warmup:
        return peak * step / warmup
    done = min((step - warmup) / (total - warmup), 1.0)
    return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: one number for the way down</summary>
#
# First compute how much of the way down is done: 0 when the warm-up ends, 1 at the last step, and never more than 1.
# The rest is the formula's middle line.
# </details>

# %% demonstration=true
schedule_lab(lr_schedule)

# %% [markdown]
# ## Experiment: it learns to write
#
# Everything comes together in one loop. In each step it takes 12 random pieces of the text, asks **your** decoder for
# logits, **your** loss for the cost, torch for the gradients, and **your** optimizer for new weights, at the rate that
# **your** schedule gives. What does not pass its check yet is replaced by the course's own, and the first lines say so.
#
# The text is all of Shakespeare's sonnets but the last 10,000 characters. These are **held out**: the model never
# trains on them, so the loss there tells what it has learned about the language, not what it remembers.

# %% demonstration=true
from tqdm.auto import tqdm

FIVE = ("decoder_logits", "cross_entropy", "shift_for_teacher_forcing", "adamw_step", "lr_schedule")
logits_of, loss_of, shift, step_of, rate_of = working(*(f"ch07.{name}" for name in FIVE))
torch.set_num_threads(1)  # so small a model runs faster on one core than on several that wait for each other
heads, length, batch, steps = 4, 96, 12, 1000

text = sonnets()
characters = sorted(set(text))  # the vocabulary, as in ch00: a token is a character, its id its place here
ids = torch.tensor([characters.index(c) for c in text])
train_ids, held_out_ids = ids[:-10_000], ids[-10_000:]
weights = flatten(init_decoder(len(characters), 64, heads, layers=2, d_ff=256, length=length, seed=0))
states = {name: {"step": 0, "m": torch.zeros_like(t), "v": torch.zeros_like(t)} for name, t in weights.items()}


def pieces(source: Tensor, starts: Tensor) -> Tensor:
    """Pieces of length + 1 tokens, shape (B, length + 1)."""
    return source[starts[:, None] + torch.arange(length + 1)]


def loss_on(tokens: Tensor) -> Tensor:
    """Mean loss of predicting each next token of some pieces."""
    inputs, targets = shift(tokens)
    return loss_of(logits_of(inputs, unflatten(weights), heads), targets)


def held_out_loss() -> float:
    """Mean loss on text that is never trained on."""
    with torch.no_grad():
        return loss_on(pieces(held_out_ids, torch.arange(0, 9_900, length))).item()


def written(seed: int = 1) -> str:
    """What the model writes when it is given a beginning."""
    beginning = torch.tensor([[characters.index(c) for c in "Shall I "]])
    p = {name: tensor.detach() for name, tensor in weights.items()}
    found = sample_ids(lambda seen: logits_of(seen, unflatten(p), heads), beginning, 240, length, 0.7, seed)
    return "".join(characters[i] for i in found[0])


before, losses, held_out = written(), [], {0: held_out_loss()}
torch.manual_seed(0)
began = time.perf_counter()
for step in tqdm(range(1, steps + 1), desc="training"):
    for tensor in weights.values():
        tensor.requires_grad_()
    loss = loss_on(pieces(train_ids, torch.randint(len(train_ids) - length, (batch,))))
    loss.backward()
    rate = rate_of(step, warmup=100, total=steps, peak=5e-3, floor=5e-4)
    with torch.no_grad():
        for name, tensor in weights.items():
            decay = 0.1 if tensor.ndim > 1 else 0.0  # norms and biases are left alone, as is usual
            weights[name], states[name] = step_of(
                tensor, tensor.grad, states[name], rate, beta2=0.99, weight_decay=decay
            )
    losses.append(loss.item())
    if step % 50 == 0:
        held_out[step] = held_out_loss()
seconds = time.perf_counter() - began

print(f"{sum(t.numel() for t in weights.values()):,} weights, {steps} steps, {seconds:.0f} s")
print(f"guessing: ln {len(characters)} = {math.log(len(characters)):.2f}; held-out loss before: {held_out[0]:.2f}")
print(f"held-out loss after: {held_out[steps]:.2f}, perplexity {math.exp(held_out[steps]):.1f}")
print(f"goal, below 2.0: {'reached' if held_out[steps] < 2.0 else 'missed'}")
print(f"\n---- written before training ----\n{before}\n\n---- written after training ----\n{written()}")
kept = trained.save(
    "ch07_characters", unflatten(weights), heads, characters, steps=steps, held_out_loss=held_out[steps]
)
print("\nYour model is kept for ch08 and ch10." if kept else "")

figure, axes = plt.subplots()
axes.plot(range(1, steps + 1), losses, color=plots.GREY, linestyle="-", linewidth=0.7, label="training, each step")
axes.plot(list(held_out), list(held_out.values()), color=plots.ATTENTION, linestyle="-", marker=".", label="held out")
axes.axhline(math.log(len(characters)), color=plots.KEY, linestyle="--", label=f"guessing: ln {len(characters)}")
axes.axhline(2.0, color=plots.VALUE, linestyle=":", label="goal: 2.0")
axes.set(xlabel="step", ylabel="loss in nats", title="A character model learns", ylim=(0, None))
axes.legend()
plt.show()

# %% [markdown]
# **What you should see** The first loss lies close to $\ln 61$: the model only guesses. Within a few hundred steps it
# learns which characters are frequent and which follow which, then words. At the end the held-out loss is **below
# 2.0**: a perplexity below 7.4, as if it chose among seven characters in place of 61. What it writes has the length of
# verses, real words and many that only sound like some. Run the cell again with `steps = 2000`, or another temperature
# (the 0.7 in `written`).
#
# **When this holds** With these settings, on one core: four seeds gave held-out losses from 1.79 to 1.84. The training
# takes about half a minute on an ordinary core and longer on a busy one. With many more steps the training loss keeps
# falling, but the held-out loss turns and rises: 85,000 characters are few, and the model begins to learn them by
# heart.
#
# Your weights are now in your own data folder, beside your progress. ch08 makes this model write faster. If you have
# not trained one, ch08 uses the course's: a model of the same size, trained longer by `tools/train_ch07.py`, with the
# record of its training beside it.

# %%
progress("ch07")

# %% [markdown]
# ## Recap
#
# A model's logits become probabilities, and the loss is minus the logarithm of the probability that the true next token
# got, averaged over all tokens. torch's `backward` gives every weight a gradient, AdamW turns it into a step of
# sensible length, and the schedule says how long steps may be. That loop, on more text with more weights, is how
# language models are made.
#
# **Now you can read** [Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101) on AdamW,
# [Radford et al. 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf)
# on GPT-2, and section 2.2 of [Goyal et al. 2017](https://arxiv.org/abs/1706.02677) on the warm-up.
#
# **Next** [ch08 KV cache and inference](../ch08_inference/ch08_inference.ipynb): your model writes one character at a
# time and computes everything anew for each. You make it remember. Back:
# [ch06 The decoder block](../ch06_decoder/ch06_decoder.ipynb).
