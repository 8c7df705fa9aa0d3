# %% [markdown]
# # m21 · KV cache: prefill and decode
#
# In ch08 you kept the keys and values of **one** text and fed it **one** token at a time. A server does neither. It
# holds many requests of different lengths, reads each prompt in one go, and writes one token of *all* of them in each
# step. In this module you build that: a left-padded batch, its prefill and its decoding, a way to take tokens back, and
# a memo that spares you to read the same beginning twice. At the end you measure what the cache is worth when a text
# gets long.
#
# {{exercises}}
#
# **Time** about 110 minutes. **Before this** [ch08 KV cache and inference](../ch08_inference/ch08_inference.ipynb) (the
# cache of one text, what it costs), [ch04 Positional
# encoding](../ch04_positional_encoding/ch04_positional_encoding.ipynb) (positions and RoPE). **You need** indexing,
# broadcasting and boolean tensors in PyTorch.
#
# **Where this is used** Wherever a language model answers more than one person. transformers pads the prompts of
# `generate` at the left. vLLM and SGLang keep common beginnings of prompts once for all requests. APIs sell the same
# thing as *prompt caching*. Speculative decoding takes tokens back in nearly every step.

# %%
import math
import time

import matplotlib.pyplot as plt
import torch
from torch import Tensor
from tqdm.auto import tqdm

from course import begin, check, plots, progress
from course.carry import generation_flops, kv_cache_bytes, working  # of ch08
from course.lab import multiplication
from course.lab.batches import Memo, PaddedCache, Reader
from course.lab.decoder import Config, Decoder
from course.lab.generation import left_padded
from course.lab.models import load
from course.widgets import batch_cache_lab

torch.set_num_threads(1)  # small models run faster on one core than on several that wait for each other
begin("m21_kv_cache")
model, _ = load("lab_two_digits")  # the laboratory's model: it knows all products of two numbers of two digits
reader = Reader(model)


def tokens_of(text: str) -> Tensor:
    """The ids of a text such as "12*34=": shape (n,), int64."""
    return multiplication.encode([text])[0]


# %% [markdown]
# ## 1. Many requests, one batch
#
# The model of this laboratory multiplies in writing, step by step:
#
# `12*34=840+0630=8040;0408`
#
# After the question stand $12 \cdot 4 = 48$ and $12 \cdot 30 = 360$ with their digits in reverse (`840`, `0630`), then
# their sum in reverse, then the answer 0408 in the usual order. A token is one character. Such a line is a *chain of
# thought*, and what it costs is many tokens.
#
# Four people ask at once. Their requests are of different lengths, for some are half worked out already. A tensor is a
# rectangle, so the shorter ones must be filled up. They are filled up **at the left**:
#
# ```
# slot        0 1 2 3 4 5 6 7 8 9 10
# request 0   . . . . . 1 2 * 3 4 =          padding 5
# request 1   . . 5 6 * 7 8 = 8 4 4          padding 2
# request 2   9 0 * 1 7 = 0 3 6 + 0          padding 0
# request 3   . . . 7 7 * 6 6 = 2 6          padding 3
# ```
#
# `left_padded` from the laboratory does that: it gives the ids $(B, T)$, with some token in the place of each dot, and
# `padding` $(B,)$, the number of dots in each row. Now all texts *end* in the same column, and the next
# token of each belongs into column 11. But two things have gone wrong, and you will repair them:
#
# 1. **The places.** The model knows a token's place in its text from a position vector or a rotation. Request 0 begins
#    in slot 5, but its first token still has place 0.
# 2. **The mask.** The dots are tokens to the model. They have keys and values, and everybody would attend to them.
#
# | symbol | in code | shape | |
# |:---|:---|:---|:---|
# | $B$ | | | requests: rows of the batch |
# | $T$ | `count` | | columns that one call of the model reads |
# | $S$ | `start + count` | | slots that are filled after the call |
# | | `padding` | $(B,)$ | slots at the left of each row that hold no text |
# | | `places` | $(B, T)$ | where each token of the call stands in its own text, from 0 |
# | $M$ | `mask` | $(B, T, S)$ | boolean; True = this token may look at this slot |
#
# A **slot** is a column of the cache. It is the same for all rows; a **place** is counted in each text by itself.
#
# Below, the model reads the four requests (**prefill**), then writes six tokens for each (**decode**). Step forward
# and watch what is *computed* and what is only *read*. Choose a request to see its mask.

# %% demonstration=true
batch_cache_lab()

# %% [markdown]
# *No picture above? Run the cell (Shift+Enter). On a page without a running notebook, only a still picture or this
# sentence stands here: a table with a row for each request and a column for each slot of the cache. The first call
# fills eleven columns, every later one a single column; the slots of the padding are hatched. Below stands the mask of
# one request: the tokens of this call against all slots that they may read.*
#
# **Try** Show *its place* in each slot. In which slot does the token with place 6 stand in each request? Then compare
# the mask of request 0 with that of request 2 in the first call.
#
# ### Places and mask of any call
#
# A call reads the columns in slots `start` to `start + count - 1`; the slots before `start` are in the cache already.
# Three uses of one function: `start = 0` is a prompt read at once, `count = 1` is one more token, and anything between
# is a chunk. For the token in slot $i$ of row $b$ and the slot $j$:
#
# $$\mathrm{place} = \max(0,\; i - \mathrm{padding}_b) \qquad M = (j \le i \;\textrm{and}\; j \ge \mathrm{padding}_b)
# \;\textrm{or}\; j = i$$
#
# Why the last part? For a token of the text it changes nothing. But a padding token would see nothing at all, and the
# softmax over nothing is $0 / 0$. Some kernels return NaN there. So it sees itself. What comes out means nothing, and
# nobody looks at it.
#
# {{m21.places_and_mask}}


# %% exercise="m21.places_and_mask"
def places_and_mask(padding: Tensor, start: int, count: int) -> tuple[Tensor, Tensor]:
    """Where the tokens of one call stand in their texts, and which slots each of them may look at.

    Args:
        padding: how many slots at the left of each row hold no text, shape (B,), int64.
        start: the first slot that the call fills; those before it are in the cache.
        count: the number of columns that the call reads.

    Returns:
        (places, mask): int64 of shape (B, count), and bool of shape (B, count, start + count).
        A padding token has place 0 and sees itself alone.

    >>> places, mask = places_and_mask(torch.tensor([0, 2]), start=0, count=3)
    >>> places
    tensor([[0, 1, 2],
            [0, 0, 0]])
    >>> mask[1].int()
    tensor([[1, 0, 0],
            [0, 1, 0],
            [0, 0, 1]], dtype=torch.int32)
    """
    ### BEGIN SOLUTION
    keys = torch.arange(start + count)
    queries = keys[start:]
    places = (queries - padding[:, None]).clamp(min=0)
    text = keys >= padding[:, None, None]  # (B, 1, S)
    mask = (keys <= queries[:, None]) & text | (keys == queries[:, None])
    return places, mask
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: numbers of slots</summary>
#
# `torch.arange(start + count)` numbers all slots that may be looked at; the last `count` of them are the ones that
# look. Compare the two with each other by broadcasting: one as a row, the other as a column.
# </details>
# <details><summary>Hint 2: the axis of the rows</summary>
#
# `padding[:, None]` has shape (B, 1), `padding[:, None, None]` has (B, 1, 1). Against a row of S numbers, the second
# one gives (B, 1, S).
# </details>
# <details><summary>Hint 3: and, or</summary>
#
# Boolean tensors are combined with `&` and `|`. Both bind more tightly than `<=`, so put comparisons into parentheses.
# </details>
#
# The same batch, with **your** places and mask. (The course's own loops call the model.)

# %% demonstration=true
batch_cache_lab(places_and_mask)

# %% question="m21.why_left"

# %% [markdown]
# ## 2. Prefill: read the prompts in one go
#
# `Reader` from the first cell is the laboratory's decoder, but it leaves places and mask to you:
#
# `scores = reader(ids, places, mask, cache)`
#
# It reads $T$ columns of ids $(B, T)$, appends their keys and values to the cache, and returns the scores of what comes
# next after each of them: $(B, T, V)$, with $V$ tokens in the vocabulary. (Scores before the softmax are called
# *logits*.) The cache is new, too. In ch08 it grew by `torch.cat`, which copies everything each time. A `PaddedCache`
# reserves its room at once:
#
# | | shape | |
# |:---|:---|:---|
# | `cache.k`, `cache.v` | (layers, B, kv_heads, slots, d_head) | keys and values; only the first `used` slots count |
# | `cache.used` | | an int: slots that are filled, the same for all rows |
# | `cache.padding` | $(B,)$ | slots at the left of each row that hold no text |
#
# The reader counts: `reader.calls` and `reader.tokens`. A token is counted each time that it goes through the model, in
# each row. The checks look at these numbers. An answer that is right but reads anything twice is not right here.
#
# **Prefill** reads whole prompts. In one call, all tokens go through the matrices together: each weight is fetched from
# memory once and used for all of them. But a long prompt in one call has two drawbacks. The table of scores has $T
# \times S$ numbers in each head. And while a prompt of 100,000 tokens is read, all other users wait. So servers read
# long prompts in **chunks** and let the others go on between them.
#
# > **Key insight.** A chunk is nothing new: it is a call whose `start` is not 0 and whose `count` is not 1. Because the
# > causal mask hides the future anyway, a prompt can be cut anywhere.
#
# {{m21.prefill}}


# %% exercise="m21.prefill"
def prefill(reader: Reader, ids: Tensor, cache: PaddedCache, chunk: int | None = None) -> Tensor:
    """Read the columns of a batch into the cache.

    Args:
        reader: the model; it counts its calls and tokens.
        ids: shape (B, T), int64.
        cache: perhaps with something in it already, to which the columns are appended; it knows the padding.
        chunk: the most columns that one call may read; None: all at once. As few calls as that allows.

    Returns:
        The scores of what follows each row's last token, shape (B, V).

    >>> ids, padding = left_padded([tokens_of("12*34="), tokens_of("7*")])
    >>> cache = PaddedCache(reader, padding)
    >>> prefill(reader, ids, cache, chunk=4).shape, cache.used
    (torch.Size([2, 15]), 6)
    """
    ### BEGIN SOLUTION
    for part in ids.split(chunk or ids.shape[1], dim=1):
        places, mask = places_and_mask(cache.padding, cache.used, part.shape[1])
        scores = reader(part, places, mask, cache)
    return scores[:, -1]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: cut the columns</summary>
#
# `ids.split(width, dim=1)` gives pieces of `width` columns, the last one perhaps shorter.
# </details>
# <details><summary>Hint 2: where does a chunk start?</summary>
#
# Not where it stands in `ids`: the cache may have held something before. Who knows how many slots are filled?
# </details>
#
# ## 3. Decode: one column in each step
#
# After prefill, each row has scores for its next token. **Decoding** repeats: choose a token for each row, read that
# column, get new scores. We choose *greedily*: always the token with the highest score.
#
# Rows end at different times. A request has ended when it has said `stop` (here the end of the line). The others go on.
# A row that has ended stays in the batch: it writes `stop` again and again, and nobody reads what comes out. (Servers
# give its row to the next request instead; that is *continuous batching*.)
#
# Count the calls. To write `count` tokens, you need $count - 1$ of them: the first token comes from the scores that
# prefill left, and nobody asks what follows the last one. When all rows have ended, no more call is needed at all.
#
# {{m21.decode}}


# %% exercise="m21.decode"
def decode(reader: Reader, logits: Tensor, cache: PaddedCache, count: int, stop: int) -> Tensor:
    """Write up to `count` tokens for each row, always the most probable one.

    Args:
        reader: the model; it counts its calls and tokens.
        logits: the scores of the first token to be written, shape (B, V), as prefill returned them.
        cache: what was read so far; what is written is appended, but for the last column.
        count: columns of the result, at least 1.
        stop: the token that ends a row.

    Returns:
        Ids of shape (B, count), int64. After a row's first `stop` stands nothing but `stop`.

    Each call reads one column, the newest one. No call is made whose result nobody needs.

    >>> ids, padding = left_padded([tokens_of("12*34="), tokens_of("12*34=840+0630=8040;04")])
    >>> cache = PaddedCache(reader, padding)
    >>> said = decode(reader, prefill(reader, ids, cache), cache, count=4, stop=multiplication.END)
    >>> [multiplication.decode(row) for row in said]
    ['840+', '08\\n\\n']
    """
    ### BEGIN SOLUTION
    written = torch.full((len(logits), count), stop)
    going = torch.ones(len(logits), dtype=torch.bool)
    for step in range(count):
        written[:, step] = torch.where(going, logits.argmax(dim=-1), stop)
        going = written[:, step] != stop
        if step == count - 1 or not going.any():
            break
        places, mask = places_and_mask(cache.padding, cache.used, 1)
        logits = reader(written[:, step, None], places, mask, cache)[:, -1]
    return written
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: what a step needs</summary>
#
# Scores, from which it chooses a column; then places and mask for *one* column in slot `cache.used`; then the reader.
# </details>
# <details><summary>Hint 2: who has ended?</summary>
#
# Keep a boolean for each row that says whether it is still going; once False, it must stay so. `torch.where(going,
# chosen, stop)` chooses row by row. If the result is full of `stop` from the beginning, what is left out is done
# already.
# </details>
# <details><summary>Hint 3: when to leave</summary>
#
# After a column is written and before the model is called: was it the last column, or has every row ended?
# </details>
#
# ### Your engine at work
#
# The widget again, now with **your** `prefill` and `decode`. Let the prompts be read in chunks of 4 columns and of 1:
# what changes in the counters, and what does not?

# %% demonstration=true
batch_cache_lab(places_and_mask, prefill, decode)

# %% [markdown]
# Is it the same model? Now 100 requests, each cut off somewhere in its chain of thought. They are worked out twice: in
# batches of 50 by your functions, and one by one without cache, padding or mask, as the model was trained.

# %% demonstration=true
read, write = working("m21.prefill", "m21.decode")
generator = torch.Generator().manual_seed(21)
pairs = torch.randint(100, (100, 2), generator=generator).tolist()
lines = [multiplication.written(x, y, 2) for x, y in pairs]
cuts = torch.randint(6, 20, (100,), generator=generator).tolist()  # the question has 6 tokens
prompts = [tokens_of(line[:cut]) for line, cut in zip(lines, cuts, strict=True)]
batched, alone = [], []
for first in tqdm(range(0, 100, 50), desc="in batches", leave=False):
    ids, padding = left_padded(prompts[first : first + 50])
    cache = PaddedCache(reader, padding, length=ids.shape[1] + 20)
    batched += write(reader, read(reader, ids, cache), cache, 20, multiplication.END)
for prompt in tqdm(prompts, desc="one by one", leave=False):
    text = prompt[None]
    while text[0, -1] != multiplication.END and text.shape[1] < 25:
        text = torch.cat([text, model(text)[:, -1].argmax(-1, keepdim=True)], 1)
    alone.append(text[0, len(prompt) :])
same = sum(torch.equal(a, b[: len(a)]) for a, b in zip(alone, batched, strict=True))
right = sum(
    multiplication.answer(line[:cut] + multiplication.decode(said).rstrip("\n") + "\n") == x * y
    for line, cut, said, (x, y) in zip(lines, cuts, batched, pairs, strict=True)
)
print(f"prompts of {min(cuts)} to {max(cuts)} tokens; the same tokens as without cache and padding: {same} of 100")
print(f"right products: {right} of 100")

# %% [markdown]
# **What you should see** All 100 the same, and all right. A padded row, a chunk and a cache are ways to arrange the
# work; they are not allowed to change the answer.
#
# **Try** Break it: in your `places_and_mask`, take the slots themselves as places. How many are right now? (Run the
# exercise's cell and this one again. `working` will say that it took the course's own functions if yours do not pass
# their checks: call `prefill` and `decode` directly.)

# %% question="m21.what_costs_what"

# %% [markdown]
# ## 4. Take tokens back
#
# Tokens in the cache are not always wanted. A user edits the last message. Or somebody guessed: in **speculative
# decoding**, a small model proposes a few tokens, the large one reads them all in *one* call, like a chunk, and keeps
# those that it would have said itself. Four guesses that are right cost one call. Wrong ones must go. Because a key
# depends only on tokens before it, what is left stays valid: nothing is computed again.
#
# With one text you lower `used`, and the rest is forgotten (your `truncate` of ch08). In a batch, each row loses
# *another* number of tokens. But all rows must end in the same slot. So a row that loses more **moves to the right**
# and gets more padding:
#
# ```
# slot         0 1 2 3 4 5 6 7                   0 1 2 3 4 5 6
# row 0        . a b c d e f g   loses 1         . a b c d e f      padding 1
# row 1        A B C D E F G H   loses 3         . . A B C D E      padding 2, moved by 2
# ```
#
# * `used` falls by the smallest number that any row loses: 8 becomes 7.
# * A row that loses more moves by what it loses beyond that, keys and values, in all layers. Its padding grows by as
#   much.
#
# Does a key survive the move? Its token's *place* is slot less padding. Both grow by the same, so the place stays, and
# with it the position vector or rotation that went into the key.
#
# {{m21.roll_back}}


# %% exercise="m21.roll_back"
def roll_back(cache: PaddedCache, rejected: Tensor) -> None:
    """Forget the last tokens of each row. The cache is changed; nothing is returned.

    Args:
        cache: its `k`, `v`, `used` and `padding` are changed. All rows still end in the same slot, and no slot is
            wasted: the row that loses least does not move.
        rejected: how many tokens each row loses, shape (B,), int64.

    Raises:
        ValueError: if a number is negative, or larger than the number of tokens in that row's text. Then the cache
            stays as it was.

    >>> cache = PaddedCache(reader, torch.tensor([1, 0]))
    >>> cache.used = 8
    >>> roll_back(cache, torch.tensor([1, 3]))
    >>> cache.used, cache.padding
    (7, tensor([1, 2]))
    """
    ### BEGIN SOLUTION
    if (rejected < 0).any() or (rejected > cache.used - cache.padding).any():
        raise ValueError("a row can lose no more tokens than it has")
    moves = rejected - rejected.min()
    for row, move in enumerate(moves.tolist()):
        cache.k[:, row] = cache.k[:, row].roll(move, dims=2)
        cache.v[:, row] = cache.v[:, row].roll(move, dims=2)
    cache.padding = cache.padding + moves
    cache.used -= int(rejected.min())
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: in which order?</summary>
#
# First look whether all numbers are possible. Then think about what each row has to move by; for one row at least it is
# 0.
# </details>
# <details><summary>Hint 2: moving within a tensor</summary>
#
# `x[2:] = x[:-2]` reads and writes the same memory at the same time, which can go wrong. `tensor.roll(n, dims=...)`
# makes a moved copy; so does slicing after `clone()`. Which axis of `cache.k[:, row]` is that of the slots?
# </details>
#
# See it in use. For each request somebody guesses the next four tokens, some of them wrongly. The model reads all
# guesses in one call and compares them with what it would have said.

# %% demonstration=true
both, read, take_back = working("m21.places_and_mask", "m21.prefill", "m21.roll_back")
asked = ["12*34=", "56*78=844", "90*17=036+0"]
guesses = torch.stack([tokens_of(text) for text in ["8407", "+029", "1900"]])
ids, padding = left_padded([tokens_of(text) for text in asked])
cache = PaddedCache(reader, padding)
before = read(reader, ids, cache)
reader.reset()
after = reader(guesses, *both(cache.padding, cache.used, 4), cache)  # (B, 4, V): what follows each guess
would_say = torch.cat([before[:, None], after[:, :-1]], dim=1).argmax(-1)  # (B, 4): in the place of each guess
accepted = (would_say == guesses).int().cumprod(dim=1).sum(dim=1)  # the agreeing beginning
take_back(cache, 4 - accepted)
for text, guess, kept, own in zip(asked, guesses, accepted.tolist(), cache.texts(), strict=True):
    print(f"{text:12} guessed {multiplication.decode(guess)}, kept {kept}; in the cache: {own.shape[3]} tokens")
print(f"calls of the model: {reader.calls}; slots {cache.used}, padding {cache.padding.tolist()}")

# %% [markdown]
# **What you should see** One call has checked twelve guesses. Of the first request three are kept, of the second all
# four, of the third none. The batch goes on from there as if nothing had happened. How the guesses are chosen so that
# the answer's distribution stays exact is the subject of m28.
#
# ## 5. Read a beginning only once
#
# A chat service puts the same page of instructions before every question. A student tries 37 times 40, then 37 times
# 41. An agent sends its whole history again with each step. In all of these, **prompts begin alike**, and reading them
# is a pure function: the same tokens give the same keys and values. For pure functions there is an old trick,
# **memoisation**: keep the results, and look before you compute.
#
# What is the argument to remember? Not the prompt as a whole. The key of token $i$ depends on tokens $0$ to $i$, and on
# nothing after. So one cache that was kept holds the results for *every* beginning of its text. The prompt `37*41=` can
# use four tokens of `37*40=`, but not its `=`: that one has looked at the 0. From the first difference on, all is
# different, even where tokens are equal again.
#
# > **Key insight.** A KV cache is a memo of a function of prefixes. Decoding uses it from one token to the next;
# > nothing stops you from using it from one request to another.
#
# A `Memo` is a dictionary: the keys are tuples of ids, the values are caches with one row. You are to find the known
# text that has the longest beginning in common with the prompt, take over that part of its cache, and read the rest.
#
# * Take a **copy** (`cache.copy()`): the stored cache still belongs to its own text.
# * To cut it down, `used` is enough: slots from `used` on do not count.
# * Scores are not kept. So at least the **last token** must be read, even if the whole prompt is known.
#
# {{m21.read_with_memo}}


# %% exercise="m21.read_with_memo"
def read_with_memo(reader: Reader, prompt: Tensor, memo: Memo) -> Tensor:
    """Read one prompt, but not what a known text has in common with its beginning.

    Args:
        reader: the model; it counts the tokens that it reads. Call it with `places_and_mask`.
        prompt: ids of shape (n,), n >= 1.
        memo: tuple of ids -> `PaddedCache` with one row, for each text read so far. The prompt is added to it, its
            ids as a tuple of ints, with a cache of exactly its n tokens; the others stay as they are.

    Returns:
        The scores of what follows the prompt, shape (V,).

    A new cache for one text: `PaddedCache(reader, torch.tensor([0]))`.

    >>> memo = Memo()
    >>> reader.reset()
    >>> for text in ["37*40=", "37*41=", "37*41="]:
    ...     scores = read_with_memo(reader, tokens_of(text), memo)
    ...     print(text, reader.tokens)
    37*40= 6
    37*41= 8
    37*41= 9
    """
    ### BEGIN SOLUTION
    ids = prompt.tolist()
    shared, cache = 0, PaddedCache(reader, torch.tensor([0]))
    for known, kept in memo.items():
        same = 0
        while same < min(len(known), len(ids) - 1) and known[same] == ids[same]:
            same += 1
        if same > shared:
            shared, cache = same, kept
    cache = cache.copy()
    cache.used = shared
    places, mask = places_and_mask(cache.padding, shared, len(ids) - shared)
    scores = reader(prompt[None, shared:], places, mask, cache)
    memo[tuple(ids)] = cache
    return scores[0, -1]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how much do two texts share?</summary>
#
# Walk along both until they differ or one of them ends. `zip(a, b)` stops at the shorter one.
# </details>
# <details><summary>Hint 2: four steps</summary>
#
# Find the best known text and how much of it can be used. Make a cache with exactly that in it. Read the rest of the
# prompt, as a batch of one row. Store the cache.
# </details>
# <details><summary>Hint 3: the whole prompt is known</summary>
#
# Then you may use one token less than you know.
# </details>
#
# A hundred questions, 37 times 0 to 37 times 99, each continued to its answer:

# %% demonstration=true
remember, write = working("m21.read_with_memo", "m21.decode")
memo, right, total = Memo(), 0, 0
for y in tqdm(range(100), desc="37 * y", leave=False):
    prompt = multiplication.prompt(37, y, 2)
    reader.reset()
    scores = remember(reader, tokens_of(prompt), memo)
    total += reader.tokens
    cache = memo[tuple(tokens_of(prompt).tolist())].copy()
    said = write(reader, scores[None], cache, 19, multiplication.END)[0]
    right += multiplication.answer(prompt + multiplication.decode(said).rstrip("\n") + "\n") == 37 * y
print(f"prompts: {100 * len(prompt)} tokens, of which {total} were read; right products: {right} of 100")
print(f"tokens in the memo: {sum(cache.used for cache in memo.values())}, though many are the same")

# %% [markdown]
# **What you should see** About a third of the tokens are read. All products are right. But the memo keeps 600 tokens,
# and the common beginning a hundred times. A tree in which each token is stored once (SGLang's radix tree) or a table
# of small blocks that many texts point to (vLLM; module m27) needs no such copies.

# %% question="m21.what_is_reusable"

# %% [markdown]
# ## 6. How much memory?
#
# A token leaves $2 \times \mathrm{layers} \times h_{kv} \times d_{head}$ numbers, in which $h_{kv}$ is the number of
# heads of keys and values (`kv_heads`) and $d_{head} = d_{model} / h$, with $h$ heads of *queries*. In grouped-query
# attention (GQA), $h_{kv} < h$; a head's width stays the same.
#
# Now count the tokens that a batch keeps after it has written `count` tokens a row, in three ways:
#
# * **padded**: one block, every row as long as the longest, as in your `PaddedCache`;
# * **exact**: each row as long as its own text;
# * **shared**: as *exact*, but a beginning of `shared` tokens, the same in all rows, is kept only once.
#
# {{m21.batch_bytes}}


# %% exercise="m21.batch_bytes"
def batch_bytes(
    lengths: list[int], count: int, shared: int, layers: int, d_model: int, heads: int, kv_heads: int,
    bytes_per_number: int = 2,
) -> dict[str, int]:  # fmt: skip
    """Bytes of the keys and values of a batch.

    Args:
        lengths: tokens of each prompt, the shared beginning included.
        count: tokens that each row has written.
        shared: tokens at the beginning that are the same in all rows; no more than the shortest prompt has.
        layers, d_model: of the model.
        heads, kv_heads: heads of queries, and heads of keys and values, in each layer.
        bytes_per_number: 4 for float32, 2 for float16 and bfloat16.

    Returns:
        {"padded": ..., "exact": ..., "shared": ...}, each an int.

    >>> batch_bytes([5, 3], count=2, shared=1, layers=2, d_model=12, heads=3, kv_heads=1, bytes_per_number=4)
    {'padded': 896, 'exact': 768, 'shared': 704}
    """
    ### BEGIN SOLUTION
    token = 2 * layers * kv_heads * (d_model // heads) * bytes_per_number
    exact = sum(n + count for n in lengths)
    return {
        "padded": token * len(lengths) * (max(lengths) + count),
        "exact": token * exact,
        "shared": token * (exact - shared * (len(lengths) - 1)),
    }
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint: one token first</summary>
#
# Count the bytes that one token leaves. All three results are that number times a number of slots. Do the slots of the
# example by hand: two rows of 5 and 3 tokens, each writes 2.
# </details>
#
# First against a real cache, then for a model that you know. The configuration is that of Llama 3.1 8B (32 layers,
# $d_{model}$ 4096, 32 heads, 8 of keys and values, 16 bits). The lengths are made up: 16 requests with 1,000 common
# tokens of instructions, and 10 to 3,000 tokens of their own.

# %% demonstration=true
(count_bytes,) = working("m21.batch_bytes")
shape = {"layers": 2, "d_model": 64, "heads": 4}
cache = PaddedCache(reader, torch.tensor([0, 4, 1]), length=11 + 8)
print("the real cache:", cache.nbytes, "bytes; counted:", count_bytes([11, 7, 10], 8, 0, **shape, kv_heads=4,
                                                                     bytes_per_number=4)["padded"])  # fmt: skip
generator = torch.Generator().manual_seed(6)
own = torch.logspace(1, math.log10(3000), 16).round().int()[torch.randperm(16, generator=generator)]
lengths = (1000 + own).tolist()
llama = {"layers": 32, "d_model": 4096, "heads": 32}
for kv_heads in (32, 8):
    sizes = count_bytes(lengths, 500, 1000, **llama, kv_heads=kv_heads)
    print(f"{kv_heads:2} heads of keys and values: " + ", ".join(f"{n} {b / 1e9:.1f} GB" for n, b in sizes.items()))
assert kv_cache_bytes(32, 8, 128, max(lengths) + 500, batch=16) == sizes["padded"]  # your count of ch08

# %% [markdown]
# **What you should see** The two counts agree. In the big batch, more than half of the padded block holds no text, and
# sharing the beginning saves nearly half of the rest. Together with grouped heads the same requests take less than a
# tenth.
#
# ## Experiment: the cost of a long answer
#
# Now the clock. A model writes 2,048 tokens, with your `decode` and without a cache. The laboratory's model stops after
# one line, so here we take an **untrained** decoder of the same kind (seed 21), wider, with RoPE, which can read any
# length: what it says is nonsense, but the time does not depend on that.
#
# Without a cache, all 2,048 steps would take minutes. So every 32nd step is measured, the middle one of each block of
# 32, and counts 32 times. To see whether that is fair, the first 256 steps are also run in full. At each step that is
# measured, the token must be the one that your `decode` has written.

# %% demonstration=true
length, block = 2048, 32
long_model = Decoder(
    Config(vocab=15, d_model=192, layers=2, heads=6, d_ff=768, length=length + 1, positions="rope"), seed=21
).requires_grad_(False)
long_reader, first_token = Reader(long_model), torch.tensor([[1]])
read, write = working("m21.prefill", "m21.decode")

# A clock that runs only while this thread computes: a busy machine does not disturb. On Windows it is too coarse.
precise = time.get_clock_info("thread_time").resolution < 1e-6
clock = time.thread_time if precise else time.perf_counter


def uncached_step(text: Tensor) -> tuple[float, int]:
    """Seconds for one step that reads the whole text (1, t), and the token that it chooses."""
    start = clock()
    token = int(long_model(text)[0, -1].argmax())
    return clock() - start, token


def cached_seconds(count: int) -> tuple[float, Tensor]:
    """Seconds to write `count` tokens with the cache, and the tokens."""
    start = clock()
    cache = PaddedCache(long_reader, torch.tensor([0]), length=count + 1)
    written = write(long_reader, read(long_reader, first_token, cache), cache, count, -1)  # -1: it never stops
    return clock() - start, written


cached_seconds(4), uncached_step(first_token)  # the first calls of all do not count
lengths = [32 * 2**i for i in range(7)]  # 32 to 2048
runs = [cached_seconds(n) for n in tqdm(lengths, desc="with the cache", leave=False)]
with_cache = [seconds for seconds, _ in runs]
text = torch.cat([first_token, runs[-1][1]], dim=1)  # (1, 2049)
middles = range(block // 2, length, block)
steps = [uncached_step(text[:, :t]) for t in tqdm(middles, desc="without", leave=False)]
agree = sum(token == int(text[0, t]) for (_, token), t in zip(steps, middles, strict=True))
without = [sum(block * seconds for seconds, _ in steps[: n // block]) for n in lengths]
in_full = sum(uncached_step(text[:, :t])[0] for t in tqdm(range(1, 257), desc="in full", leave=False))


def exponent(values: list[float]) -> float:
    """The power of n with which values grow over the last four lengths: a line in logarithms (least squares)."""
    x, y = (torch.tensor(numbers[-4:], dtype=torch.float64).log() for numbers in (lengths, values))
    return float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())


operations = [[sum(generation_flops(n, 192, 768, 2, cached).values()) for n in lengths] for cached in (False, True)]
print("tokens   without cache   with cache   faster by   operations promise   bytes in the cache")
for i, n in enumerate(lengths):
    size = kv_cache_bytes(2, 6, 32, n, bytes_per_number=4)
    print(f"{n:6}   {without[i]:11.2f} s   {with_cache[i]:8.2f} s   {without[i] / with_cache[i]:8.1f}x"
          f"   {operations[0][i] / operations[1][i]:17.0f}x   {size:18,}")  # fmt: skip
print(f"the same token in {agree} of {len(steps)} measured steps")
print(f"256 tokens without the cache: {in_full:.2f} s in full, {without[lengths.index(256)]:.2f} s estimated")
print(f"time grows like n^{exponent(without):.2f} without the cache, n^{exponent(with_cache):.2f} with it "
      f"(operations: n^{exponent(operations[0]):.2f} and n^{exponent(operations[1]):.2f})")  # fmt: skip

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
for values, name, marker, colour in [
    (without, "without the cache", "o", plots.KEY), (with_cache, "with the cache", "s", plots.VALUE)
]:  # fmt: skip
    left.plot(lengths, values, marker=marker, label=f"{name}: $n^{{{exponent(values):.2f}}}$", color=colour)
for power, start in ((2, without[-4]), (1, with_cache[-4])):  # slopes to compare with, a little below the curves
    left.plot(lengths[-4:], [0.5 * start * 8**power * (n / length) ** power for n in lengths[-4:]], ls=":",
              label=f"slope of $n^{power}$", color=plots.GREY)  # fmt: skip
left.set(xscale="log", yscale="log", xlabel="tokens written", ylabel="seconds", title="Time for the whole text")
left.legend(fontsize=8)
for kv_heads, marker in ((6, "o"), (2, "s"), (1, "D")):
    config = Config(vocab=15, d_model=192, layers=2, heads=6, d_ff=768, length=length, kv_heads=kv_heads)
    grouped = Reader(Decoder(config))
    sizes = [PaddedCache(grouped, torch.tensor([0]), length=n).nbytes / 1e6 for n in lengths]
    right.plot(lengths, sizes, marker=marker, label=f"kv_heads = {kv_heads}, 6 heads of queries")
right.set(xlabel="tokens in the cache", ylabel="MB (float32)", title="Memory of one text")
right.legend(fontsize=8)
for panel, marks in ((left, lengths[::2]), (right, lengths[-3:])):
    panel.set_xticks(marks, [str(n) for n in marks])
    panel.minorticks_off()
plt.show()

# %% [markdown]
# **What you should see** At 2,048 tokens the cache makes generation more than ten times faster, and the gain is still
# growing. With the cache, the time grows about like $n$. Without it, about like $n^2$ or a little more. The price is
# memory, and it grows like $n$, too.
#
# **Why not exactly 1 and 2** A step without the cache puts $t$ tokens through matrices of fixed size: over all steps
# $1 + 2 + \dots + n$, hence $n^2$. But its table of scores has $t^2$ numbers, hence an $n^3$ with a small factor, which
# counts more and more. With the cache the matrices give $n$ and the scores $n^2$. The exponents of the *operations*
# show both. On the clock, the cached exponent is nearer to 1, for a single token costs mostly the fetching of weights
# and the calls of PyTorch, whatever the length.
#
# **When this holds** For this model, one text, float32, one thread. For short texts the gain is small. With wider
# models the $n^2$ part lasts longer; `generation_flops` tells where attention takes over.
#
# ### What prefill and a batch gain
#
# One more table. A token costs the same number of operations in prefill and in decode. What does it cost in time?

# %% demonstration=true
read, write, remember = working("m21.prefill", "m21.decode", "m21.read_with_memo")
prompt = text[:, :512]


def best(action, repeats: int = 3) -> float:
    """The shortest of a few times, in seconds."""
    times = []
    for _ in range(repeats):
        start = clock()
        action()
        times.append(clock() - start)
    return min(times)


def reading(chunk: int) -> None:
    """Prefill of the prompt in chunks."""
    read(long_reader, prompt, PaddedCache(long_reader, torch.tensor([0]), length=512), chunk)


def writing(rows: int, count: int = 32) -> None:
    """So many rows write 32 tokens after a short prompt."""
    cache = PaddedCache(long_reader, torch.zeros(rows, dtype=torch.int64), length=8 + count)
    write(long_reader, read(long_reader, text[:, :8].repeat(rows, 1), cache), cache, count, -1)


print("prefill of 512 tokens:   " + "   ".join(
    f"chunks of {c}: {1e6 * best(lambda c=c: reading(c)) / 512:.0f} us/token" for c in (1, 16, 128, 512)))  # fmt: skip
print("decode of 32 columns:    " + "   ".join(
    f"{b} rows: {1e6 * best(lambda b=b: writing(b)) / (32 * b):.0f} us/token" for b in (1, 4, 16, 64)))  # fmt: skip
shared = [torch.cat([text[0, :480], torch.tensor([i, (i + 7) % 15, i, 1])]) for i in range(8)]  # 484 tokens each
for name, memo in (("nothing shared", None), ("with your memo", Memo())):
    start = clock()
    long_reader.reset()
    for request in shared:
        remember(long_reader, request, Memo() if memo is None else memo)
    print(f"8 prompts of 484 tokens, 480 of them common, {name}: {long_reader.tokens} tokens read, "
          f"{clock() - start:.2f} s")  # fmt: skip

# %% [markdown]
# **What you should see** Prefill is many times cheaper per token than decoding for a single row: the same operations,
# but each weight is fetched once for hundreds of tokens. A batch gives decoding the same advantage. And the cheapest
# token is one that need not be read. (The shared prompts differ from their 481st token on.)
#
# **When this holds** On a CPU with small matrices the calls themselves cost much of the time, which exaggerates the
# first number of each line. On a GPU the reason is mostly the fetching, and the factor is larger still.

# %%
progress("m21")

# %% [markdown]
# ## Recap
#
# Prompts of different lengths make a rectangle by padding at the left, if places are counted from each text's own
# beginning and the mask hides the padding. Prefill reads many columns in a call and decode one, but they are the same
# call with another `start` and `count`; nothing is ever read twice. The cache is a memo of a function of prefixes: cut
# it to take tokens back, copy a beginning to share it, and count its bytes before you promise anybody a long context.
#
# **Now you can read** [Pope et al. 2022](https://arxiv.org/abs/2211.05102) on prefill, decode and what they cost,
# [Kwon et al. 2023](https://arxiv.org/abs/2309.06180) (vLLM), whose blocks do away with the padding, [Zheng et al.
# 2024](https://arxiv.org/abs/2312.07104) (SGLang), whose radix tree is your memo, [Agrawal et al.
# 2024](https://arxiv.org/abs/2403.02310) (Sarathi-Serve) on chunks, and [Leviathan et al.
# 2023](https://arxiv.org/abs/2211.17192) on guesses that are taken back.
#
# **Next** In the laboratory, m22 makes the table of scores itself small (FlashAttention); later, m27 does away with the
# padding, and m28 chooses the guesses. Back: [ch08 KV cache and
# inference](../ch08_inference/ch08_inference.ipynb), [ch04 Positional
# encoding](../ch04_positional_encoding/ch04_positional_encoding.ipynb).
