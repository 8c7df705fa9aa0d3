# %% [markdown]
# # ch08 · KV cache and inference
#
# Your model of ch07 can write. It writes one token at a time, and for each new token it reads the whole text again from
# the first letter on. Almost all of that is work done before. In this chapter you keep what the past has left, in a
# **KV cache**, and put only the newest token through the model. Then you measure what you gained, and count what it
# costs: on a large model with long texts the cache can outgrow the model itself.
#
# {{exercises}}
#
# **Time** about 75 minutes. **Before this** [ch06 The decoder block](../ch06_decoder/ch06_decoder.ipynb) (the causal
# mask) and [ch07 Training](../ch07_training/ch07_training.ipynb) (the model). **You need** indexing and matrix products
# in PyTorch.
#
# **Where this is used** Every service that streams text from a language model keeps such a cache. Hugging Face's
# transformers hand it over as `past_key_values`; vLLM became known for how it places it in memory. Llama 2 70B and
# Llama 3 share keys and values among heads to make it smaller.

# %%
import math
import statistics
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from course import begin, check, plots, progress, trained
from course.carry import decoder_logits  # the model of ch07, all positions at once
from course.supplied.ch07 import init_decoder
from course.widgets import cache_budget, kv_cache_lab


def norm(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    """Layer norm over the last axis, with p["gain"] and p["bias"] of shape (d_model,)."""
    return F.layer_norm(x, x.shape[-1:], p["gain"], p["bias"])


def feed_forward(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    """Linear, GELU, linear over the last axis, as in ch05."""
    return F.gelu(x @ p["w_1"] + p["b_1"], approximate="tanh") @ p["w_2"] + p["b_2"]


begin("ch08_inference")
model = trained.load("ch07_characters")  # parameters model.p, heads model.heads

# %% [markdown]
# ## 1. The past does not change
#
# To write the 100th letter, the model of ch07 reads 99. To write the 101st, it reads 100, and 99 of them are the same
# as before. What comes out for them is the same, too: the causal mask forbids token 7 to look at token 99, so nothing
# that was computed for token 7 can change when a token is appended. Why compute it twice?
#
# What does the newest token need of the past? It asks with its **query**, compares with the past tokens' **keys**, and
# averages their **values**. Nothing else of the past is ever used. So for each layer, keep keys and values. That is the
# whole idea of the KV cache.
#
# Press *Generate token*. Each press adds one column to the cache: a key and a value in every layer.

# %% demonstration=true
kv_cache_lab(model)

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only this sentence stands here:
# the picture shows a table with two rows for each layer, K and V, and a column for each token read; it fills from left
# to right as the text grows, and columns once filled stay as they are.*
#
# **Try** Press the button ten times and watch the bars at the bottom. With the cache, ten more tokens went through the
# model. Without it, how many would it have been? (After $t$ tokens it is $1 + 2 + \dots + t = t(t+1)/2$.)
#
# ### Where it lies in memory
#
# Think of one layer. It has $h$ heads, each with keys and values of width $d_{head} = d_{model} / h$.
#
# | symbol | in code | shape | |
# |:---|:---|:---|:---|
# | $t$ | `t` | | tokens read so far |
# | $h$, $d_{head}$ | `heads`, `d_head` | | heads, width of one head |
# | $K, V$ | `keys[layer]`, `values[layer]` | $(h, t, d_{head})$ | what the cache holds of one layer |
# | | `k`, `v` | $(h, n, d_{head})$ | what $n$ new tokens bring; in generation $n = 1$ |
#
# New tokens are appended along the axis of the tokens. The other two axes never change.
#
# {{ch08.KVCache}}
#
# The constructor is given: an empty tensor for each layer. Write the four methods.


# %% exercise="ch08.KVCache"
class KVCache:
    """The keys and values of all tokens read so far.

    Attributes:
        keys, values: lists with one tensor for each layer, of shape (heads, t, d_head).

    >>> cache = KVCache(layers=1, heads=2, d_head=3)
    >>> keys, values = cache.append(0, torch.ones(2, 1, 3), torch.zeros(2, 1, 3))
    >>> keys.shape, cache.length(), cache.nbytes()
    (torch.Size([2, 1, 3]), 1, 48)
    """

    def __init__(self, layers: int, heads: int, d_head: int):
        self.keys = [torch.zeros(heads, 0, d_head) for _ in range(layers)]
        self.values = [torch.zeros(heads, 0, d_head) for _ in range(layers)]

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append the keys and values of n new tokens to one layer.

        Args:
            layer: which layer, from 0.
            k, v: shape (heads, n, d_head).

        Returns:
            (keys, values): all that this layer holds now, each of shape (heads, t + n, d_head), oldest first.
        """
        ### BEGIN SOLUTION
        self.keys[layer] = torch.cat([self.keys[layer], k], dim=1)
        self.values[layer] = torch.cat([self.values[layer], v], dim=1)
        return self.keys[layer], self.values[layer]
        ### END SOLUTION

    def length(self, layer: int = 0) -> int:
        """Number of tokens that a layer holds."""
        ### BEGIN SOLUTION
        return self.keys[layer].shape[1]
        ### END SOLUTION

    def nbytes(self) -> int:
        """Bytes that all keys and values of all layers take together; a float32 takes 4."""
        ### BEGIN SOLUTION
        return sum(tensor.nbytes for tensor in self.keys + self.values)
        ### END SOLUTION

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens of every layer and forget the rest; shorter layers stay as they are."""
        ### BEGIN SOLUTION
        self.keys = [k[:, :length] for k in self.keys]
        self.values = [v[:, :length] for v in self.values]
        ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: two tensors become one</summary>
#
# `torch.cat([a, b], dim=...)` makes a new tensor and changes neither `a` nor `b`. Which axis of (heads, t, d_head) is
# that of the tokens?
# </details>
# <details><summary>Hint 2: how many bytes?</summary>
#
# Every tensor knows its own size: `tensor.nbytes`.
# </details>
#
# `truncate` is the undo button: a chat that is edited, or a guess that is rejected
# (speculative decoding makes many), only drops the last columns.
#
# ## 2. One query against the cache
#
# In ch06 attention had $n$ queries, $n$ keys and a triangular mask. Now there is **one** query for each head, that of
# the newest token, and $t$ keys:
#
# $$s = \frac{q\,K^T}{\sqrt{d_{head}}} \qquad w = \mathrm{softmax}(s) \qquad \mathrm{output} = w\,V$$
#
# | symbol | shape | |
# |:---|:---|:---|
# | $q$ | $(h, d_{head})$ | the newest token's query in each head |
# | $K, V$ | $(h, t, d_{head})$ | the cache, the newest token's own key and value included |
# | $s, w$ | $(h, t)$ | one score and one weight for each token read |
# | output | $(h, d_{head})$ | |
#
# Where is the mask? The newest token may look at everything in the cache, because all of it is past (or itself). Row
# $t$ of the causal mask is all ones, so there is nothing to hide. A mask made for one query would be wrong:
# it would take this query for token 0.
#
# > **Key insight.** With a cache, the triangle of ch06 is not a mask any more. It is the order in which the cache
# > fills: what is not there yet cannot be seen.
#
# {{ch08.attend_to_cache}}


# %% exercise="ch08.attend_to_cache"
def attend_to_cache(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of one new token to all tokens in the cache, in every head.

    Args:
        q: the new token's queries, shape (heads, d_head).
        keys, values: shape (heads, t, d_head) with t >= 1; the new token's own are the last ones.

    Returns:
        Output of shape (heads, d_head).

    >>> attend_to_cache(torch.zeros(1, 1), torch.zeros(1, 2, 1), torch.tensor([[[2.0], [4.0]]]))
    tensor([[3.]])
    """
    ### BEGIN SOLUTION
    scores = q[:, None] @ keys.mT / math.sqrt(q.shape[-1])  # (heads, 1, t)
    return (scores.softmax(dim=-1) @ values)[:, 0]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: a matrix with one row</summary>
#
# `q[:, None]` has shape (heads, 1, d_head): a matrix with one row for each head. `keys.mT` swaps the last two axes.
# What shape has their product?
# </details>
# <details><summary>Hint 2: the axis that is too much</summary>
#
# After mixing, the result is (heads, 1, d_head). The axis of length 1 has done its work: index it away.
# </details>

# %% question="ch08.why_no_queries"

# %% [markdown]
# ## 3. One step of the whole model
#
# Now put one token through all blocks. It is the model of ch07, with one vector `x` of shape $(d_{model},)$ in place of
# a table of them. The parameters are the same, in the same nested dictionary:
#
# ```python
# p["embed"], p["position"]                                  # (V, d_model), (T_max, d_model)
# p["blocks"][layer]["norm_1"], ["norm_2"]                   # for norm(x, ...)
# p["blocks"][layer]["attention"]["w_q"], ["w_k"], ["w_v"], ["w_o"]      # (d_model, d_model) each
# p["blocks"][layer]["ffn"]                                  # for feed_forward(x, ...)
# p["norm"]                                                  # the last norm
# ```
#
# 1. **Enter.** $x = $ embedding of the token $+$ vector of its position. Its position is not 0: counted from 0, it is
#    the number of tokens read before.
# 2. **In each block.** $z = \mathrm{norm}_1(x)$. Make the token's query, key and value from $z$. Cut each of them into
#    heads. Append key and value to this layer's cache. Attend to all that the layer holds. Put the heads side by side,
#    multiply by $W_O$, add to $x$. Then add $\mathrm{FFN}(\mathrm{norm}_2(x))$, as before.
# 3. **Leave.** $\mathrm{logits} = \mathrm{norm}(x)\,E^T$ with the embedding $E$, of shape $(V,)$.
#
# {{ch08.decode_step}}
#
# Use your own `attend_to_cache`, and `norm` and `feed_forward` from the first cell. The check hands in the course's own
# cache with the methods that you wrote above, filled with values that belong to no text. So only a step that really
# reads the cache gets the right numbers.


# %% exercise="ch08.decode_step"
def decode_step(token: int, p: dict, heads: int, cache: KVCache) -> Tensor:
    """Read one more token: score what comes after it, and leave its keys and values in the cache.

    Args:
        token: the token's id, from 0 to V - 1.
        p: the parameters, see above; they are not changed.
        heads: number of heads.
        cache: what the tokens before this one left. Every layer grows by one token.

    Returns:
        Logits for the next token, shape (V,).

    Reading a text from its first token on, one step for each, gives the rows of `decoder_logits`.
    """
    ### BEGIN SOLUTION
    x = p["embed"][token] + p["position"][cache.length()]
    for layer, block in enumerate(p["blocks"]):
        a = block["attention"]
        z = norm(x, block["norm_1"])
        q, k, v = ((z @ a[name]).reshape(heads, -1) for name in ("w_q", "w_k", "w_v"))
        keys, values = cache.append(layer, k[:, None], v[:, None])
        x = x + attend_to_cache(q, keys, values).reshape(-1) @ a["w_o"]
        x = x + feed_forward(norm(x, block["norm_2"]), block["ffn"])
    return norm(x, p["norm"]) @ p["embed"].T
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: into heads and back</summary>
#
# A vector of width d_model is h runs of d_head neighbours: `reshape(heads, -1)` cuts it, `reshape(-1)` puts it back
# together.
# </details>
# <details><summary>Hint 2: what does append want?</summary>
#
# Keys of n new tokens, of shape (heads, n, d_head). You have one token: where does the axis of length 1 go?
# </details>
# <details><summary>Hint 3: when do you ask for the position?</summary>
#
# `cache.length()` grows as soon as layer 0 has appended. Ask before.
# </details>
#
# ### Your cache at work
#
# The same picture as above, now written by **your** `decode_step` into **your** `KVCache`, with the model that was
# trained on Shakespeare's sonnets in ch07. Cells that differ from the right ones are marked. Under *keys of one head*
# you see the numbers themselves.

# %% demonstration=true
kv_cache_lab(model, decode_step, KVCache)

# %% question="ch08.why_causal"

# %% [markdown]
# ## 4. What the cache costs: memory
#
# Every token leaves a key and a value, in every layer, in every head that has its own. In early models that was every
# head. In **grouped-query attention** several query heads share one key-value head, so one counts $h_{kv}$ heads.
#
# $$\mathrm{bytes} = 2 \times \mathrm{layers} \times h_{kv} \times d_{head} \times \mathrm{length} \times
# \mathrm{batch} \times \mathrm{bytes\ per\ number}$$
#
# The 2 stands for key and value. A number of 16 bits takes 2 bytes. The **batch** is the number of texts that are
# written at the same time; each of them has a cache of its own.
#
# {{ch08.kv_cache_bytes}}


# %% exercise="ch08.kv_cache_bytes"
def kv_cache_bytes(
    layers: int, kv_heads: int, d_head: int, length: int, batch: int = 1, bytes_per_number: int = 2
) -> int:
    """Bytes of a KV cache that holds `length` tokens of each text in the batch.

    Args:
        layers: number of blocks.
        kv_heads: heads with keys and values of their own, in each layer.
        d_head: width of one head.
        length: tokens of each text.
        batch: number of texts.
        bytes_per_number: 4 for float32, 2 for float16 and bfloat16, 1 for 8 bits.

    Returns:
        The number of bytes, an int.

    >>> kv_cache_bytes(layers=32, kv_heads=32, d_head=128, length=4096)  # Llama 2 7B: 2 GiB
    2147483648
    """
    ### BEGIN SOLUTION
    return 2 * layers * kv_heads * d_head * length * batch * bytes_per_number
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: count one token first</summary>
#
# How many numbers does one token leave in one head of one layer? Then multiply.
# </details>
#
# Below, **your** function counts for models that you know by name. Their layers, heads and widths are those of their
# published configurations; a GB is $10^9$ bytes.

# %% demonstration=true
cache_budget(kv_cache_bytes)

# %% [markdown]
# *No picture above? Run the cell. On a page without a running notebook, only this sentence stands here: two bars, one
# for a model's weights and one for its cache, and a chart in which the cache grows in proportion to the length of the
# texts until it passes the weights.*
#
# **Try** With 8 texts of 4K tokens, compare Llama 2 7B with Llama 3.1 8B: the newer model is larger, and its cache is a
# quarter. Which number in the sentence under the bars explains it? Then take Llama 3.1 70B to 128K tokens: from how
# many texts on is the cache larger than the weights? Ask the same with *one per query head*.

# %% question="ch08.what_shrinks_it"

# %% [markdown]
# ## 5. What the cache saves: operations
#
# Count **floating-point operations**, additions and multiplications. To multiply a vector of width $a$ by an $a \times
# b$ matrix takes $ab$ multiplications and as many additions: $2ab$. For **one token** in **one block**, when there are
# $t$ keys:
#
# | part | products | operations |
# |:---|:---|---:|
# | $W_Q, W_K, W_V, W_O$ | four of $d_{model} \times d_{model}$ | $8\, d_{model}^2$ |
# | feed-forward | $d_{model} \times d_{ff}$ and back | $4\, d_{model}\, d_{ff}$ |
# | scores, all heads | $t$ dot products, $d_{model}$ numbers in all heads together | $2\, t\, d_{model}$ |
# | mixing the values | likewise | $2\, t\, d_{model}$ |
#
# Norms, the softmax and the embedding are left out: next to these they are small.
#
# A text of $n$ tokens is read in $n$ steps. In step $t = 1, \dots, n$ the text has $t$ tokens. **With** the cache one
# token goes through the blocks, and attends to $t$ keys. **Without** it all $t$ tokens go through, and each of them is
# compared with $t$ keys (the masked half of the table is computed and thrown away, as in ch07).
#
# {{ch08.generation_flops}}


# %% exercise="ch08.generation_flops"
def generation_flops(n: int, d_model: int, d_ff: int, layers: int, cached: bool) -> dict[str, int]:
    """Floating-point operations to read n tokens in n steps, in all blocks together, by what they are for.

    Args:
        n: number of tokens.
        d_model, d_ff: widths of the model and of its feed-forward network.
        layers: number of blocks.
        cached: with the KV cache (one token in each step), or without (all t tokens in step t).

    Returns:
        {"projections": ..., "feed_forward": ..., "attention": ...}, each an int; attention is scores and mixing.

    >>> generation_flops(n=2, d_model=2, d_ff=8, layers=1, cached=False)
    {'projections': 96, 'feed_forward': 192, 'attention': 40}
    """
    ### BEGIN SOLUTION
    work = {"projections": 0, "feed_forward": 0, "attention": 0}
    for t in range(1, n + 1):
        rows = layers * (1 if cached else t)  # tokens that go through a block
        work["projections"] += rows * 8 * d_model**2
        work["feed_forward"] += rows * 4 * d_model * d_ff
        work["attention"] += rows * 4 * t * d_model
    return work
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: what differs?</summary>
#
# In step t, one token costs the same with and without the cache: the table's rows. How many tokens go through?
# </details>
# <details><summary>Hint: check it by hand</summary>
#
# The example has d_model = 2, d_ff = 8: each token that goes through costs 32 for the projections, 64 for the
# feed-forward, and 8 t for attention. In step 1 one token goes through, in step 2 two of them.
# </details>
#
# ## Experiment 1: is it the same model?
#
# A cache that changes what the model says would be worthless. You read the same text in both ways and compare the
# logits at every position.

# %% demonstration=true
line = "Shall I compare thee to a summer's day? Thou art more lovely"[: model.length]
ids = model.encode(line)
head_width = model.p["embed"].shape[1] // model.heads

with torch.no_grad():
    at_once = decoder_logits(ids, model.p, model.heads)[0]  # (T, V)
    cache = KVCache(len(model.p["blocks"]), model.heads, head_width)
    step_by_step = torch.stack([decode_step(token, model.p, model.heads, cache) for token in ids[0].tolist()])

difference = (at_once - step_by_step).abs().max().item()
same = (at_once.argmax(-1) == step_by_step.argmax(-1)).sum().item()
print(f"{len(line)} tokens: largest difference of the logits {difference:.1e}; they go up to {at_once.abs().max():.1f}")
print(f"equal up to float32's rounding: {torch.allclose(at_once, step_by_step, rtol=1e-4, atol=1e-4)}")
print(f"the most likely next token is the same at {same} of {len(line)} positions")
print(f"the cache holds {cache.length()} tokens in {cache.nbytes():,} bytes")

# %% [markdown]
# **What you should see** A difference of about a hundred-thousandth or less: float32 keeps about seven digits, and the
# two ways add up the same numbers in another order. It is the same model. (Bit for bit it need not be: a product with
# one row and one with sixty may use different kernels.)
#
# ## Experiment 2: what do you gain?
#
# Now the clock. For a text of $t$ tokens you measure one step in both ways: all $t$ tokens through `decoder_logits`,
# or one token through **your** `decode_step` with $t - 1$ tokens in **your** cache. (It is filled with random numbers,
# as the time does not depend on them, and your `truncate` takes the new token out again.) The model has random weights
# and is a little larger than the trained one, so that there is something to save. Beside the clock stands what your
# `generation_flops` promises.

# %% demonstration=true
d_model, heads, layers, d_ff = 128, 4, 4, 512
lengths = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
p = init_decoder(64, d_model, heads, layers, d_ff, length=max(lengths), seed=8)
tokens = torch.randint(64, (1, max(lengths)), generator=torch.Generator().manual_seed(8))


def cache_of(t: int) -> KVCache:
    """Your cache with t made-up tokens in every layer."""
    cache = KVCache(layers, heads, d_model // heads)
    for layer in range(layers):
        cache.append(layer, torch.randn(heads, t, d_model // heads), torch.randn(heads, t, d_model // heads))
    return cache


# A clock that runs only while this thread computes: a busy machine does not disturb. On Windows it is too coarse.
precise = time.get_clock_info("thread_time").resolution < 1e-6
clock = time.thread_time if precise else time.perf_counter


def seconds(step) -> float:
    """Time that one call takes."""
    start = clock()
    step()
    return clock() - start


def measured(t: int, repeats: int = 7) -> tuple[float, float]:
    """Median seconds for the t-th token, without and with the cache, in turn; the first run of each does not count."""
    cache, times = cache_of(t - 1), []
    for _ in range(repeats + 1):
        whole = seconds(lambda: decoder_logits(tokens[:, :t], p, heads))
        times.append((whole, seconds(lambda: decode_step(int(tokens[0, t - 1]), p, heads, cache))))
        cache.truncate(t - 1)
    return tuple(statistics.median(column) for column in zip(*times[1:], strict=True))


def promised(t: int, cached: bool) -> int:
    """Operations of step t alone."""
    upto, before = (sum(generation_flops(n, d_model, d_ff, layers, cached).values()) for n in (t, t - 1))
    return upto - before


threads = torch.get_num_threads()
torch.set_num_threads(1)  # so that the whole of the work is done in this thread
with torch.no_grad():
    decode_step(0, p, heads, cache_of(0))  # before the progress bar appears, should it fail
    found = {t: measured(t) for t in tqdm(lengths, desc="measuring", leave=False)}
torch.set_num_threads(threads)

print("tokens   without cache   with cache   faster by   operations promise")
for t, (whole, one) in found.items():
    print(f"{t:6}   {1e3 * whole:10.2f} ms   {1e3 * one:7.2f} ms   {whole / one:8.1f}x"
          f"   {promised(t, False) / promised(t, True):10.0f}x")  # fmt: skip

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
left.plot(lengths, [1e3 * found[t][0] for t in lengths], marker="o", label="without the cache", color=plots.KEY)
left.plot(lengths, [1e3 * found[t][1] for t in lengths], marker="s", label="with the cache", color=plots.VALUE)
left.set(xscale="log", yscale="log", xlabel="tokens in the text", ylabel="ms for one step", title="Time of a step")
right.plot(lengths, [found[t][0] / found[t][1] for t in lengths], marker="o", label="measured", color=plots.ATTENTION)
ratio = [promised(t, False) / promised(t, True) for t in lengths]
right.plot(lengths, ratio, ls="--", label="by operations", color=plots.GREY)
right.axhline(1, color=plots.GREY, lw=0.8)
right.set(xscale="log", yscale="log", xlabel="tokens in the text", ylabel="times faster", title="What the cache gains")
for panel in (left, right):
    panel.set_xticks(lengths[::2], [str(t) for t in lengths[::2]])
    panel.minorticks_off()
    panel.legend()
plt.show()

# %% [markdown]
# **What you should see** Without the cache the time of a step climbs with the length; with it, it climbs only a
# little. The gain grows with the text. It stays far below what the operations promise, and for a text of one or two
# tokens there is hardly any gain, or even a loss.
#
# **Why less than promised** The operations are not the whole of the time. Each call of PyTorch costs some microseconds,
# however small its matrices are, and a step with the cache makes as many calls as one without. And a product of a
# matrix with **one** vector has to fetch the whole matrix from memory to use each number once; with 500 vectors it is
# fetched once and used 500 times. Generation waits for memory, not for arithmetic. That is why servers write many texts
# at the same time, and why the size of the cache matters so much. One more cost is our own: `torch.cat` copies all that
# a layer holds for each new token. Servers reserve the room beforehand.
#
# **When this holds** On your machine, with this small model, in float32, on one thread, for one text. Larger models
# spend a smaller share of their time on calls. Real servers read the whole prompt in one pass (prefill).

# %%
progress("ch08")

# %% [markdown]
# ## Recap
#
# Because of the causal mask, keys and values of the past never change, so each layer keeps them and only the newest
# token goes through the model. Its one query needs no mask, its position is the number of tokens before it, and the
# logits are those of the model of ch07. The price is memory, $2 \times$ layers $\times$ KV heads $\times$ width
# $\times$ tokens $\times$ texts, which is why newer models share key-value heads.
#
# **Now you can read** [Shazeer 2019](https://arxiv.org/abs/1911.02150), where one key-value head for all queries was
# proposed because of this cache; [Pope et al. 2022](https://arxiv.org/abs/2211.05102) on what inference costs in large
# models; [Ainslie et al. 2023](https://arxiv.org/abs/2305.13245) on grouped-query attention.
#
# **Next** [ch09 Mixtures of experts and scaling](../ch09_moe_scaling/ch09_moe_scaling.ipynb): more parameters without
# more work for each token. Back to [ch07 Training](../ch07_training/ch07_training.ipynb).
