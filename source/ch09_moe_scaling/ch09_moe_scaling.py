# %% [markdown]
# # ch09 · Mixtures of experts and scaling
#
# At the end of ch08 generation waited for memory: to write one token, every parameter is fetched and used. A larger
# model knows more, and each of its tokens costs more. Does it have to? In this chapter you build a layer that has many
# parameters and uses few of them for each token: a **mixture of experts**. A small router decides which. You will see
# how it goes wrong by itself, and the loss that keeps it right. Then you ask the other question about size: how much
# better does a larger model get? You fit a **scaling law** to models that you train in seconds. At the end stands a
# table of what makes attention over long texts cheaper, with costs that you measure.
#
# {{exercises}}
#
# **Time** about 90 minutes. **Before this** [ch05 The encoder block](../ch05_encoder/ch05_encoder.ipynb) (the
# feed-forward network), [ch07 Training](../ch07_training/ch07_training.ipynb) and [ch08 KV cache and
# inference](../ch08_inference/ch08_inference.ipynb). **You need** indexing and matrix products in PyTorch, and
# logarithms.
#
# **Where this is used** Mixtral 8x7B (2024) keeps 47 billion parameters and uses 13 billion for each token; DeepSeek-V3
# (2024) keeps 671 and uses 37. Since Kaplan et al. (2020) and Hoffmann et al. (2022, "Chinchilla") the sizes of large
# models are chosen by fitted scaling laws.

# %%
import functools

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from course import begin, check, measure, plots, progress, trained
from course.carry import cross_entropy, kv_cache_bytes, working
from course.supplied.ch09 import RECIPE, feed_forward_pairs, imitate, init_moe
from course.texts import sonnets
from course.widgets import router_lab, scaling_lab


def feed_forward(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    """Linear, GELU, linear over the last axis, as in ch05: x (n, d_model) in and out."""
    return F.gelu(x @ p["w_1"] + p["b_1"], approximate="tanh") @ p["w_2"] + p["b_2"]


torch.set_num_threads(1)  # products are small here: one thread is enough, and costs can be compared
begin("ch09_moe_scaling")
model = trained.load("ch07_characters")  # the character model of ch07

# %% [markdown]
# ## 1. Who should work on this token?
#
# In a decoder most parameters sit in the feed-forward networks, and each of them works on every token, be it a verb, a
# comma or a number. Think of a hospital where every patient sees every doctor. It would be cheaper to have a desk at
# the entrance which sends each patient to the two doctors who fit best.
#
# The doctors are **experts**: $E$ feed-forward networks side by side, of the same shape, with parameters of their own.
# The desk is the **router**: one matrix. It multiplies the token's vector and gets one number for each expert, its
# **logit**. The $k$ experts with the largest logits get the token; the others do nothing for it.
#
# The picture shows a real router. A layer of 8 experts learned to do what the feed-forward network in the first block
# of the course's character model does, on Shakespeare's sonnets. Each row is a character of a line, each column an
# expert. Click on a row to see its way.

# %% demonstration=true
router_lab()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: a table with a row for each character of a line and eight columns, one for each expert; two
# cells of each row hold gates that sum to 1, and bars beside it show how many characters chose each expert.*
#
# **Try** Read down the columns. Nobody told the router what a letter is. Which characters share their experts? Then let
# the router be the one that was trained *without it*, the balance loss, and look at the bars. You will find out in
# section 3 what happened.
#
# ### From logits to gates
#
# | symbol | in code | shape | |
# |:---|:---|:---|:---|
# | $n$ | `n` | | tokens |
# | $E$ | `experts` | | experts (elsewhere in this course $E$ is the encoder's memory) |
# | $k$ | `k` | | experts that a token uses, $1 \le k \le E$ |
# | $X$ | `x` | $(n, d_{model})$ | tokens |
# | $W_r$ | `p["router"]` | $(d_{model}, E)$ | the router |
# | $Z = X W_r$ | `logits` | $(n, E)$ | how well each expert fits each token |
# | | `indices` | $(n, k)$ | numbers of the chosen experts, the best one first |
# | $g$ | `gates` | $(n, k)$ | how much each of them counts |
#
# The gates of a token are the softmax over its **chosen** logits only, so they sum to 1:
#
# $$g_j = \frac{e^{z_{i_j}}}{\sum_{l=1}^{k} e^{z_{i_l}}} \qquad i_1, \dots, i_k \text{: the } k \text{ largest logits}$$
#
# You may also take the softmax over all $E$ logits, keep the $k$ largest probabilities and divide them by their sum. It
# is the same: the denominator of the first softmax is in all of them, and the division takes it out again. What is
# *not* the same is to leave out that division.
#
# {{ch09.top_k_gating}}


# %% exercise="ch09.top_k_gating"
def top_k_gating(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Choose the k experts with the largest logits for each token, and how much each of them counts.

    Args:
        logits: shape (n, E), float; no two in a row are equal.
        k: how many experts a token uses, 1 <= k <= E.

    Returns:
        (indices, gates), each of shape (n, k). indices: int64, the experts' numbers, that of the largest logit first.
        gates: the softmax over the chosen logits; gates[i, j] belongs to expert indices[i, j], each row sums to 1.

    >>> top_k_gating(torch.tensor([[0.0, 2.0, 3.0986]]), k=2)  # e^3.0986 is 3 e^2
    (tensor([[2, 1]]), tensor([[0.7500, 0.2500]]))
    """
    ### BEGIN SOLUTION
    chosen, indices = logits.topk(k)
    return indices, chosen.softmax(dim=-1)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: finding the largest</summary>
#
# A tensor has a method that returns its k largest entries along an axis, largest first, **and** where they stood. Its
# name says what it does: the top k.
# </details>
# <details><summary>Hint 2: which comes first?</summary>
#
# That method gives the values first and the places second. You are asked for the places first.
# </details>
#
# Now **your** function draws. Cells that differ from the right ones are marked.

# %% demonstration=true
router_lab(top_k_gating)

# %% [markdown]
# **Try** Move `k` to 1: each gate is 1, however sure or unsure the router was. Move it to 8: everybody works for
# everybody, which is what you wanted to avoid. Then set `k` to 2 and give the experts a **capacity**. On real machines
# each expert has room for a fixed number of tokens, $\lceil \text{factor} \times n k / E \rceil$. What does not fit is
# dropped: for this token that expert adds nothing.
#
# ## 2. A layer of experts
#
# The layer takes the place of the feed-forward network in a block. For each token it adds up the outputs of the chosen
# experts, weighted by their gates:
#
# $$y = \sum_{j=1}^{k} g_j \; \mathrm{FFN}_{i_j}(x)$$
#
# with $x$ and $y$ of shape $(d_{model},)$, one row of the tokens. Each expert is the network of ch05 with parameters of
# its own: `p["experts"][number]` is a dictionary with $W_1$ of shape $(d_{model}, d_{ff})$, $b_1$, $W_2$ of shape
# $(d_{ff}, d_{model})$ and $b_2$, ready for `feed_forward(x, ...)` from the first cell.
#
# There are two loops that you could write. *For each token, for each of its experts*: right, and slow, as each product
# has a single row. *For each expert, all of its tokens at once*: find the rows that chose it, put them through
# together, and add the results to the rows where they belong. All libraries do the second.
#
# > **Key insight.** An expert may run on the tokens that chose it, and on no others. If you compute all experts for all
# > tokens and multiply most of it by 0, the numbers are right and everything that you wanted to save is spent.
#
# The check looks at that, too. In one case the experts that nobody chose hold NaN (not a number), and anything times
# NaN is NaN. In another, an expert overflows on the tokens that did not choose it. It sees no more than that: how fast
# your loop is, and how many copies it makes, is yours to decide. Do not write into `x`, and keep the gradient alive (no
# `.item()` on gates, no `.detach()`): in section 3 you train with this function.
#
# {{ch09.moe_forward}}


# %% exercise="ch09.moe_forward"
def moe_forward(x: Tensor, p: dict, k: int) -> Tensor:
    """Put each token through its k best experts and add their outputs, weighted by the gates.

    Args:
        x: tokens, shape (n, d_model).
        p: {"router": shape (d_model, E), "experts": a list of E dictionaries for `feed_forward`}.
        k: experts for each token.

    Returns:
        Shape (n, d_model). There is no residual in it: the block adds that. An expert is computed for the tokens that
        chose it only.

    With k = 1 every gate is 1, and each row is the output of one expert.
    """
    ### BEGIN SOLUTION
    indices, gates = top_k_gating(x @ p["router"], k)
    output = torch.zeros_like(x)
    for number, expert in enumerate(p["experts"]):
        token, place = torch.where(indices == number)  # a token chooses an expert once at most
        output[token] += gates[token, place, None] * feed_forward(x[token], expert)
    return output
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: who chose expert 3?</summary>
#
# `indices == 3` is a table (n, k) of True and False. `torch.where(table)` gives two vectors: the rows and the columns
# of its True cells. The rows are tokens. What are the columns?
# </details>
# <details><summary>Hint 2: one gate for each row</summary>
#
# `gates[rows, columns]` picks one number for each of these m tokens, shape (m,). The expert's output has shape
# (m, d_model). With `None` in the index you make a column (m, 1) of the gates.
# </details>
# <details><summary>Hint 3: adding to some rows</summary>
#
# Start with zeros of the shape of x. `output[rows] += ...` adds to the rows named, if each is named once.
# </details>
#
# ### All parameters, and those at work
#
# People speak of a model's **total** parameters, which must be kept in memory, and of its **active** parameters, which
# one token uses. Count both for one layer. Every token uses the whole router: it asks all experts for their logit.
#
# {{ch09.moe_parameters}}


# %% exercise="ch09.moe_parameters"
def moe_parameters(p: dict, k: int) -> dict[str, int]:
    """Count the parameters of a layer of experts, its router included.

    Args:
        p: the parameters of `moe_forward`: {"router": a tensor, "experts": a list of dictionaries of tensors}; all
            experts have the same shapes.
        k: how many experts a token uses.

    Returns:
        {"total": all parameters, "active": those that one token uses}, two ints.

    >>> p = init_moe(d_model=2, d_ff=3, experts=4, seed=0)  # each expert has 6 + 3 + 6 + 2 numbers, the router 8
    >>> moe_parameters(p, k=1)
    {'total': 76, 'active': 25}
    """
    ### BEGIN SOLUTION
    router = p["router"].numel()
    sizes = [sum(tensor.numel() for tensor in expert.values()) for expert in p["experts"]]
    return {"total": router + sum(sizes), "active": router + sum(sizes[:k])}  # all are of one size: any k will do
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: how many numbers?</summary>
#
# `tensor.numel()` is the number of entries of a tensor, whatever its shape; `len(tensor)` is the length of its first
# axis only. A dictionary's `.values()` are its tensors.
# </details>
#
# ## Experiment 1: total and active
#
# You add experts and keep $k = 2$. Your `moe_parameters` counts, your `moe_forward` is timed on 256 tokens, one thread,
# median of several runs. Beside it stands a **dense** feed-forward network with as many parameters as the layer has in
# total, all of which work on each token.

# %% demonstration=true
layer_of_experts, count_of = working("ch09.moe_forward", "ch09.moe_parameters")  # yours, if they pass
d_model, d_ff, n = 128, 256, 256
tokens = torch.randn(n, d_model, generator=torch.Generator().manual_seed(9))


def microseconds_for_a_token(layer, repeats: int = 21) -> float:
    """Median time of a call divided by the number of tokens; the first call does not count."""
    return 1e6 * measure.seconds(layer, repeats) / n


rows = []
with torch.no_grad():
    for experts in (1, 2, 4, 8, 16, 32):
        k, p = min(2, experts), init_moe(d_model, d_ff, experts, seed=9)
        dense = init_moe(d_model, experts * d_ff, 1, seed=9)["experts"][0]
        count = count_of(p, k)
        sparse_time = microseconds_for_a_token(lambda p=p, k=k: layer_of_experts(tokens, p, k))
        dense_time = microseconds_for_a_token(lambda dense=dense: feed_forward(tokens, dense))
        rows.append((experts, k, count["total"], count["active"], sparse_time, dense_time))

print(" E   k        total       active    experts, time   dense, time (microseconds for each token)")
for experts, k, total, active, sparse_time, dense_time in rows:
    print(f"{experts:2}  {k:2}   {total:10,}   {active:10,}   {sparse_time:14.1f}   {dense_time:11.1f}")

sizes = [row[0] for row in rows]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
left.plot(sizes, [row[2] for row in rows], marker="o", label="total", color=plots.KEY)
left.plot(sizes, [row[3] for row in rows], marker="s", label="active", color=plots.VALUE)
left.set(ylabel="parameters", title="What it keeps and what it uses", yscale="log")
right.plot(sizes, [row[5] for row in rows], marker="o", label="dense, same total", color=plots.KEY)
right.plot(sizes, [row[4] for row in rows], marker="s", label="experts", color=plots.VALUE)
right.set(ylabel="microseconds for each token", title="What it costs, measured", yscale="log")
for panel in (left, right):
    panel.set(xscale="log", xlabel="experts E")
    panel.set_xticks(sizes, [str(e) for e in sizes])
    panel.minorticks_off()
    panel.legend()
plt.show()

# %% [markdown]
# **What you should see** From $E = 2$ on the active parameters stay nearly the same while the total doubles with each
# row; only the router adds a little. The dense network takes twice the time in each row. The experts' time climbs much
# more slowly: with many experts they are several times faster than the dense network of the same size, with one or two
# they are slower.
#
# **When this holds** Active parameters are not the whole of the time. Each expert is a handful of small calls, each
# with fewer rows, and picking and adding rows costs time, too. With few tokens or tiny experts this overhead eats the
# gain. Large systems join the experts' products into one kernel and place experts on different machines; there, sending
# the tokens is what costs. And for a *single* token, as in ch08, the gain is in what has to be fetched from memory.

# %% question="ch09.what_grows"

# %% [markdown]
# ## 3. Keeping everybody busy
#
# Nothing in the layer says that all experts should work. An expert that gets more tokens learns more, so it is chosen
# more often, and gets more tokens still. Others are never chosen, get no gradient, and stay as they were at the start.
# You saw it in the bars of the router that was trained without a balance loss.
#
# So a second loss is added to the training. For each expert $e$, measure two things:
#
# | symbol | shape | |
# |:---|:---|:---|
# | $f_e$ | $(E,)$ | the **share of the choices** that went to $e$: how often it was chosen, divided by $n k$ |
# | $P_e$ | $(E,)$ | its **mean probability**: the softmax over *all* $E$ logits of a token, averaged over the tokens |
#
# $$L_{balance} = E \sum_{e=1}^{E} f_e \, P_e$$
#
# If all experts get the same, $f_e = P_e = 1/E$ and $L_{balance} = E \cdot E \cdot \frac{1}{E^2} = 1$. If for $k = 1$
# all tokens surely go to a single expert, it is $E$. (Switch Transformers define it for $k = 1$. For larger $k$ we
# divide by $n k$, so that balance is still 1; some libraries divide by $n$ and get $k$ there.)
#
# Why both? $f$ is what we care about, but it is a count: move a logit a little, and no count changes. There is no
# gradient. $P$ has one. In the product, $f_e$ is a constant factor that says how hard $P_e$ is pushed down: a crowded
# expert harder than an idle one. In the training it is multiplied by a small number $\alpha$; leave that out here.
#
# {{ch09.load_balance_loss}}


# %% exercise="ch09.load_balance_loss"
def load_balance_loss(logits: Tensor, k: int) -> Tensor:
    """How unevenly the experts are used: 1 if all get the same.

    Args:
        logits: the router's logits, shape (n, E).
        k: how many experts each token uses.

    Returns:
        E * sum of f * P, a tensor of no axes through which the gradient flows to the logits.

    >>> load_balance_loss(torch.tensor([[30.0, 0.0], [0.0, 30.0]]), k=1)  # one token each
    tensor(1.)
    >>> load_balance_loss(torch.tensor([[30.0, 0.0], [30.0, 0.0]]), k=1)  # expert 0 gets both
    tensor(2.)
    """
    ### BEGIN SOLUTION
    experts = logits.shape[-1]
    indices, _ = top_k_gating(logits, k)
    share = torch.bincount(indices.flatten(), minlength=experts) / indices.numel()
    return experts * (share * logits.softmax(dim=-1).mean(dim=0)).sum()
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: counting</summary>
#
# `torch.bincount(numbers, minlength=...)` counts how often 0, 1, 2, ... occur in a vector. Your indices are a table:
# flatten it first. Why is `minlength` needed? Think of an expert that nobody chose.
# </details>
# <details><summary>Hint 2: two different softmaxes</summary>
#
# The gates are a softmax over the chosen logits. P is made from the softmax over all of them. Over which axis do you
# take the softmax, and over which the mean?
# </details>
#
# ### Your loss at work
#
# The same picture with **your** two functions.

# %% demonstration=true
router_lab(top_k_gating, load_balance_loss)

# %% [markdown]
# **Try** Compare the loss of the three routers. Why is it a little above 1 for the balanced one? (It was balanced over
# all sonnets, and you see one line.) Give the experts a capacity factor of 1 and compare how many choices are dropped
# with each router.

# %% question="ch09.why_collapse"

# %% [markdown]
# ## Experiment 2: with and without
#
# Now train it yourself. The teacher is the feed-forward network in the first block of the character model: for each
# character of the sonnets you have what goes in and what comes out. A new layer of 8 experts learns to imitate it with
# **your** `moe_forward`, 400 steps, $k = 2$. Once the loss is the squared error alone, once with 0.1 times **your**
# balance loss. Seed and data are the same for both.

# %% demonstration=true
gate, layer_of_experts, balance_of = working("ch09.top_k_gating", "ch09.moe_forward", "ch09.load_balance_loss")
inputs, outputs = feed_forward_pairs(model, sonnets())
seen, unseen = slice(None, -9600), slice(-9600, None)
found, experts, k = {}, RECIPE["experts"], RECIPE["k"]
with tqdm(total=2 * RECIPE["steps"], desc="training", leave=False) as bar:
    for name, weight in (("without", 0.0), ("with", 0.1)):
        pairs = (inputs[seen], outputs[seen])
        found[name] = imitate(pairs, weight, layer_of_experts, balance_of, watch=lambda step: bar.update())

figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for panel, (name, p) in zip(panels, found.items(), strict=True):
    with torch.no_grad():
        logits = inputs[unseen] @ p["router"]
        error = ((layer_of_experts(inputs[unseen], p, k) - outputs[unseen]) ** 2).mean() / outputs[unseen].var()
        indices, _ = gate(logits, k)
        shares = torch.bincount(indices.flatten(), minlength=experts) / indices.numel()
        balance = balance_of(logits, k).item()
    print(f"{name + ' the balance loss':26} balance {balance:.2f}, busiest expert {shares.max():.0%}, idlest"
          f" {shares.min():.1%}, error {error:.1%} of the variance")  # fmt: skip
    panel.bar(range(experts), shares, color=plots.VALUE)
    panel.axhline(1 / experts, color=plots.GREY, linestyle="--")
    panel.set_axisbelow(True)
    panel.set(title=f"{name} the balance loss: {balance:.2f}", xlabel="expert", ylabel="share of the choices")
    panel.set_xticks(range(experts))
plt.show()

# %% [markdown]
# **What you should see** Without the balance loss some experts get two to four times their share and at least one
# next to nothing. With it, all bars stand close to the dashed line, an eighth, and the balance loss is close to 1. And
# the error did not grow: it fell, as no expert lies idle. `tools/train_ch09.py` repeats it over ten seeds with the
# course's model, and it was so with each of them (record: `course/checkpoints/ch09_routers.json`).
#
# **When this holds** For this small imitation. In a language model, too strong a balance loss disturbs the training, as
# it pushes tokens to experts that do not fit them. Newer models (DeepSeek-V3) add a bias to the logits instead, only
# for the choice.
#
# ## 4. How much better is larger?
#
# Kaplan et al. (2020) trained many language models and found a pattern that holds over many orders of magnitude. The
# loss falls as a **power law** in the number of parameters (if there is data enough), in the amount of data, and in the
# compute:
#
# $$L(x) = a \, x^{-\alpha}$$
#
# Here $x$ is one of these three, $a > 0$ and $\alpha > 0$ are two numbers to be fitted. Ten times as many parameters
# multiply the loss by $10^{-\alpha}$, wherever you start. Take logarithms of both sides, and it is a straight line:
#
# $$\log L = \log a - \alpha \log x$$
#
# Its slope is $-\alpha$ and its intercept is $\log a$. So to fit a power law, fit a line.
#
# Each of the $m$ models measured gives one equation with the two unknowns $\log a$ and $\alpha$. All of them together:
#
# $$\begin{pmatrix} 1 & -\log x_1 \\ \vdots & \vdots \\ 1 & -\log x_m \end{pmatrix}
# \begin{pmatrix} \log a \\ \alpha \end{pmatrix} = \begin{pmatrix} \log L_1 \\ \vdots \\ \log L_m \end{pmatrix}$$
#
# With more than two models no line goes through all points. **Least squares** takes the $\log a$ and $\alpha$ for which
# the sum of the squared differences of the two sides is smallest. `torch.linalg.lstsq(A, b).solution` finds them, for
# $A$ of shape $(m, 2)$ and $b$ of shape $(m,)$. You may also compute the slope by hand, as in hint 2.
#
# {{ch09.fit_power_law}}


# %% exercise="ch09.fit_power_law"
def fit_power_law(x: Tensor, loss: Tensor) -> tuple[float, float]:
    """Fit loss = a * x ** -alpha by least squares on the logarithms.

    Args:
        x: sizes of the models measured, all > 0, shape (m,), m >= 2.
        loss: their losses, all > 0, shape (m,).

    Returns:
        (a, alpha), two floats. alpha is positive where the loss falls as x grows.

    >>> a, alpha = fit_power_law(torch.tensor([1.0, 100.0]), torch.tensor([3.0, 0.3]))
    >>> round(a, 3), round(alpha, 3)
    (3.0, 0.5)
    """
    ### BEGIN SOLUTION
    columns = torch.stack([torch.ones_like(x), -x.log()], dim=1)
    log_a, alpha = torch.linalg.lstsq(columns, loss.log()).solution
    return log_a.exp().item(), alpha.item()
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: the matrix</summary>
#
# Its two columns are vectors of length m: one of ones, one of logarithms with a minus. `torch.stack([u, v], dim=...)`
# puts vectors side by side. Along which axis, to get (m, 2) and not (2, m)?
# </details>
# <details><summary>Hint 2: by hand</summary>
#
# With $u = \log x$, $v = \log L$ and their means $\bar u$, $\bar v$: the slope is $\sum_i (u_i - \bar u)\, v_i$ divided
# by $\sum_i (u_i - \bar u)^2$, and the intercept is $\bar v - \text{slope} \cdot \bar u$.
# </details>
# <details><summary>Hint 3: there and back</summary>
#
# One of the two numbers that you found is still a logarithm. Which one?
# </details>
#
# ## Experiment 3: a law of your own
#
# Eight small models learn to predict the next character of the sonnets from the six before it. They differ in one
# number only, the width of their single hidden layer. Each is trained for 800 steps of 512 examples, with your (or the
# course's) `cross_entropy` of ch07, and measured on text that it has not seen. You fit to the **six smaller** ones and
# see whether the fit predicts the two larger.

# %% demonstration=true
(fit,) = working("ch09.fit_power_law")
context, embedding, steps = 6, 12, 800
windows = model.encode(sonnets())[0].unfold(0, context + 1, 1)  # six characters and the next one
train, held_out = windows[:-10_000], windows[-10_000:]


def small_model(width: int, seed: int = 0) -> dict[str, Tensor]:
    """Random parameters: an embedding and one hidden layer."""
    generator = torch.Generator().manual_seed(seed)
    fan_in, symbols = context * embedding, len(model.vocabulary)
    shapes = {"embed": (symbols, embedding), "w_1": (fan_in, width), "w_2": (width, symbols)}
    scales = {"embed": 1.0, "w_1": fan_in**-0.5, "w_2": width**-0.5}
    p = {name: scales[name] * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    p |= {"b_1": torch.zeros(width), "b_2": torch.zeros(symbols)}
    return {name: tensor.requires_grad_() for name, tensor in p.items()}


def loss_of(p: dict[str, Tensor], examples: Tensor) -> Tensor:
    """Mean loss of predicting the last character of each row from those before it."""
    x = p["embed"][examples[:, :-1]].flatten(1)
    return cross_entropy(feed_forward(x, p), examples[:, -1])


def trained_loss(width: int, bar: tqdm) -> tuple[int, float]:
    """Parameters without the embedding, and the loss on unseen text after the training."""
    p, generator = small_model(width), torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(p.values(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(p, train[torch.randint(len(train), (512,), generator=generator)]).backward()
        optimizer.step()
        schedule.step()
        bar.update()
    with torch.no_grad():
        return sum(t.numel() for name, t in p.items() if name != "embed"), loss_of(p, held_out).item()


widths = [1, 2, 4, 8, 16, 32, 64, 128]
with tqdm(total=steps * len(widths), desc="training", leave=False) as bar:
    measured = [trained_loss(width, bar) for width in widths]
parameters, losses = (torch.tensor(column, dtype=torch.float64) for column in zip(*measured, strict=True))
small = slice(0, 6)

a, alpha = fit(parameters[small], losses[small])
plain = a * parameters**-alpha

# A floor below which no model gets: try many, fit what is above, keep the one that leaves the smallest squares.
fits = []
for floor in torch.arange(0.0, 0.99 * losses[small].min().item(), 0.01).tolist():
    b, beta = fit(parameters[small], losses[small] - floor)
    left_over = (floor + b * parameters[small] ** -beta).log() - losses[small].log()
    fits.append(((left_over**2).sum().item(), floor, b, beta))
_, floor, b, beta = min(fits)
above_floor = floor + b * parameters**-beta

print(f"fitted to the six smaller: loss = {a:.2f} * N ** -{alpha:.3f}, or {floor:.2f} + {b:.2f} * N ** -{beta:.3f}")
print("       N   measured   power law             with a floor")
for i, (count, loss) in enumerate(measured):
    one, two = plain[i].item(), above_floor[i].item()
    print(f"{count:8,}   {loss:8.3f}   {one:9.3f} ({one / loss - 1:+6.1%})   {two:9.3f} ({two / loss - 1:+6.1%})"
          f"{'   predicted' if i > 5 else ''}")  # fmt: skip

figure, axes = plt.subplots(figsize=(6.5, 3.8))
axes.plot(parameters[:6], losses[:6], "o", color=plots.QUERY, label="measured, used for the fits")
axes.plot(parameters[6:], losses[6:], "D", color=plots.KEY, label="measured, to be predicted")
axes.plot(parameters, plain, "--", color=plots.GREY, label=f"${a:.2f}\\,N^{{-{alpha:.3f}}}$")
axes.plot(parameters, above_floor, "-", color=plots.ATTENTION, label=f"${floor:.2f} + {b:.2f}\\,N^{{-{beta:.3f}}}$")
axes.set(xscale="log", yscale="log", xlabel="parameters N (without the embedding)", ylabel="loss on unseen text")
ticks = [1.75, 2.0, 2.25, 2.5, 2.75, 3.0]
axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
axes.minorticks_off()
axes.legend()
plt.show()

# %% [markdown]
# **What you should see** The power law alone fits the six models within a few per cent, with $\alpha$ about 0.1. But
# look at the signs of what is left over: minus, plus, plus, minus. The points bend, and for the larger models the law
# promises some 5 to 12 % less loss than they have. It was only a line through a piece of a curve.
#
# Add a **floor**, a loss below which no model gets, and fit what is above it with the same function. Now the two larger
# models come out within about 2 %, though they were not used for the fit. That is what such laws are for: to know what
# a larger model will do before it is trained.
#
# **How far it holds** Two more points are not far. The floor here is not the uncertainty of English: it contains all
# that does not get better with the width, such as six characters of context, 85,000 examples and 800 steps. Change one
# of them, and it moves. Each model was trained once; other seeds give somewhat other exponents, and a run
# that goes badly among the small ones changes them more. Kaplan et al. found 0.076 for language models of up to a
# billion parameters with data enough, over a range in which the floor was not yet in sight.
#
# ### Two things to grow, one budget
#
# Hoffmann et al. (2022) gave the law its floor, and put size and data into one formula. $N$ is the number of
# parameters, $D$ the number of tokens read in training:
#
# $$L(N, D) = E + \frac{A}{N^{\alpha}} + \frac{B}{D^{\beta}}$$
#
# $E$ (one more of that letter) is the floor that no model gets below, the second term is the price of a model that is
# too small, the third that of having read too little. Training takes about $C = 6 N D$ operations: 2 for each parameter
# and token on the way forward (as you counted in ch08), 4 on the way back. So for a given budget $C$, a larger model
# can read less. Somewhere lies a best $N$.
#
# The numbers in the picture are **published fits, not measured here**. Besiroglu et al. (2024) fitted the data of
# Hoffmann et al. again, as read off their figures, and got other values; both are there to choose from. What *is* yours
# is the fit on the right: **your** `fit_power_law` finds how the best $N$ and $D$ grow with the budget.

# %% demonstration=true
scaling_lab(fit_power_law)

# %% [markdown]
# *No picture above? Run the cell. On a page without a running notebook, only a still picture or this sentence stands
# here: curves of the loss over the number of parameters, one valley for each budget; the larger the budget, the further
# right and the lower lies the best point.*
#
# **Try** Take the sizes of GPT-3 (2020): it stands to the right of the best point, too large for what it read.
# Chinchilla stands at the bottom of the valley. Llama 3 8B stands far to the left: it read a hundred times more tokens
# than the law advises. That is no mistake: the law counts what *training* costs, and a small model is cheaper each time
# it is used. Then switch to the other fit and see how much the best $N$ for the same budget changes. So much for the
# certainty of such laws.

# %% question="ch09.four_times_the_compute"

# %% [markdown]
# ## 5. Attention over long texts
#
# Experts make the feed-forward networks cheaper. Attention has a cost of its own: $n$ queries times $n$ keys. Four
# ideas are in wide use, and they are of two kinds.
#
# | | idea | same numbers? |
# |:---|:---|:---|
# | **FlashAttention** | one fused kernel works block by block and never keeps the $n \times n$ table | yes |
# | **ring attention** | the text is spread over devices; blocks of keys and values go round in a ring | yes |
# | **grouped-query attention** (GQA) | several query heads share one key-value head, as in ch08 | no, another model |
# | **sliding window** | each token sees the last $w$ tokens only | no, another model |
#
# The first two rest on one observation: a softmax can be computed **block by block**. Keep a running maximum, a running
# sum of the exponentials and a running weighted sum of the values. When a block with a larger maximum comes, rescale
# what you have. At the end divide. (You build it in m22, in NumPy and as a kernel.)
#
# ## Experiment 4: what each of them costs
#
# All five are written below with a causal mask, so that you can read them. The ring has four devices, simulated on
# your machine. *Fused* is torch's `scaled_dot_product_attention`; the cell says which kernel it really was. Memory is
# measured: the most that a call takes at one moment beyond its arguments, what a kernel needs inside included
# (`course/measure.py`, with which m22 measures too). Keys and values are counted by your (or the course's)
# `kv_cache_bytes` of ch08, for one layer in float32, and for the ring on one device.

# %% demonstration=true
heads, kv_heads, d_head, window, devices = 8, 2, 32, 128, 4


def full(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The whole table of scores; q, k, v (h, n, d_head), in all of these functions."""
    hidden = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool).triu(1)
    return (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(hidden, -torch.inf).softmax(-1) @ v


def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """torch's own: it chooses a kernel."""
    return F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]


def ring(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Device i keeps its queries; blocks of keys and values visit all devices, and the softmax grows with them."""
    size, outputs = q.shape[1] // devices, []
    queries, keys, values = (t.split(size, 1) for t in (q, k, v))
    for i in range(devices):
        top = torch.full((heads, size, 1), -torch.inf)
        total, mixed = torch.zeros(heads, size, 1), torch.zeros(heads, size, d_head)
        for j in range(i, -1, -1):  # its own block first; blocks of the future are passed on unread
            scores = queries[i] @ keys[j].mT / d_head**0.5
            if i == j:
                scores = scores.masked_fill(torch.ones(size, size, dtype=torch.bool).triu(1), -torch.inf)
            higher = torch.maximum(top, scores.amax(-1, keepdim=True))
            rescale, powers = (top - higher).exp(), (scores - higher).exp()
            total = total * rescale + powers.sum(-1, keepdim=True)
            mixed, top = mixed * rescale + powers @ values[j], higher
        outputs.append(mixed / total)
    return torch.cat(outputs, 1)


def grouped(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Each group of query heads shares the mean of its keys and values."""
    k, v = (t.unflatten(0, (kv_heads, -1)).mean(1) for t in (k, v))
    return full(q, *(t.repeat_interleave(heads // kv_heads, 0) for t in (k, v)))


def sliding(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Blocks of `window` queries against their own block of keys and the one before."""
    outputs = []
    for start in range(0, q.shape[1], window):
        first, last = max(0, start - window), start + window
        age = torch.arange(start, last)[:, None] - torch.arange(first, last)  # how long ago each key was
        scores = q[:, start:last] @ k[:, first:last].mT / d_head**0.5
        outputs.append(scores.masked_fill((age < 0) | (age >= window), -torch.inf).softmax(-1) @ v[:, first:last])
    return torch.cat(outputs, 1)


print("   n                       time   memory at its peak   keys and values   largest difference from full")
for n in (256, 768, 1536):
    generator = torch.Generator().manual_seed(n)
    qkv = [torch.randn(heads, n, d_head, generator=generator) for _ in range(3)]
    right = full(*qkv)
    kept = {"full": (heads, n), "fused": (heads, n), "ring": (heads, n // devices),
            "grouped": (kv_heads, n), "sliding": (heads, min(n, window))}  # fmt: skip
    for attend in (full, fused, ring, grouped, sliding):
        call = functools.partial(attend, *qkv)
        difference = (call() - right).abs().max().item()
        used, time = measure.memory(call), measure.seconds(call)
        shared, length = kept[attend.__name__]
        size = kv_cache_bytes(1, shared, d_head, length, 1, 4)
        note = "" if attend.__name__ in ("full", "fused", "ring") else "   another model"
        print(f"{n:4}   {attend.__name__:10} {1e3 * time:8.1f} ms   {used.peak / 1e6:15.2f} MB"
              f"   {size / 1e6:12.2f} MB   {difference:.1e}{note}")  # fmt: skip
        if attend is fused:
            names = [name for name in used.operations if name.startswith("_scaled_dot_product")]
            kernel = names[0] if names else "plain operations"
    traffic = (devices - 1) * devices * kv_cache_bytes(1, heads, d_head, n // devices, 1, 4)
    print(f"       ring: {traffic / 1e6:.2f} MB sent in all, by {devices} devices in {devices - 1} rounds")
print(f"the fused kernel was {kernel}; one thread")

# %% [markdown]
# **What you should see** The memory of *full* grows with $n^2$: twice the text, four times the megabytes. That of
# *fused* and *sliding* grows no faster than $n$. The ring's pieces are the table divided by the square of the number of
# devices: they too grow with $n^2$, from far below. Fused and ring differ from full by rounding only, about a
# millionth. Grouped and sliding differ by whole numbers: they are other models, to be trained as such. The random keys
# here say nothing about how good those are.
#
# Now the time. On long texts *fused* is the fastest of the exact ones. *Grouped* saves keys and values, a quarter of
# the bytes, and hardly any time here, since each query is still compared with each key. What it saves is memory and the
# fetching of it, in generation. The *ring* does the work of all four devices one after another here; it is faster than
# *full* all the same, as it leaves out blocks of the future and its pieces fit into the processor's cache. With four
# real devices each would do its share while the next block is on its way. Its price is the traffic, which grows with
# $n$ only.
#
# **When this holds** On your processor, in float32, for the forward pass with these widths. On a GPU, where fetching
# from memory is what costs most, a fused kernel gains far more. At $n = 256$ the window is half the text, and there is
# little to gain by any of them.

# %% question="ch09.same_numbers"

# %%
progress("ch09")

# %% [markdown]
# ## Recap
#
# A router sends each token to $k$ of $E$ experts, so a layer can hold many parameters while a token uses few; memory
# holds them all, the arithmetic only sees the active ones. Left alone, the experts that are ahead take everything, and
# the loss $E \sum f P$ pushes the router back to an even load. Loss falls as a power law in size, a straight line
# between logarithms, from which one can read how to share a budget between parameters and tokens, as far as the fit can
# be trusted.
#
# **Now you can read** [Shazeer et al. 2017](https://arxiv.org/abs/1701.06538) on sparsely gated experts; [Fedus et al.
# 2021](https://arxiv.org/abs/2101.03961) (Switch Transformers); [Jiang et al. 2024](https://arxiv.org/abs/2401.04088)
# (Mixtral). On scaling, [Kaplan et al. 2020](https://arxiv.org/abs/2001.08361), [Hoffmann et al.
# 2022](https://arxiv.org/abs/2203.15556) and [Besiroglu et al. 2024](https://arxiv.org/abs/2404.10102). On attention,
# [Dao et al. 2022](https://arxiv.org/abs/2205.14135) (FlashAttention), [Liu et al.
# 2023](https://arxiv.org/abs/2310.01889) (ring attention), [Ainslie et al. 2023](https://arxiv.org/abs/2305.13245)
# (GQA) and [Beltagy et al. 2020](https://arxiv.org/abs/2004.05150) (sliding windows).
#
# **Next** [ch10 What makes it work](../ch10_composition/ch10_composition.ipynb): you look inside the model that you
# trained. Back to [ch08 KV cache and inference](../ch08_inference/ch08_inference.ipynb).
