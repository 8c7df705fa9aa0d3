"""Exercises of ch08, KV cache and inference. The cache agrees with `transformers.DynamicCache`, attention with
`torch.nn.functional.scaled_dot_product_attention`, decoding with a random `transformers.GPT2LMHeadModel(use_cache=True)`
of the same weights, the bytes with the caches of random `LlamaForCausalLM`s, the operations with
`torch.utils.flop_counter.FlopCounterMode`."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from autograder.exercise import case, exercise, question
from course.checks.compare import close, exact
from course.checks.script import attribute, call, given, held, method, new

TITLE = "KV cache and inference"


def _normal(rng, *shape, mean=0.0, deviation=1.0):
    return torch.tensor(mean + deviation * rng.standard_normal(shape), dtype=torch.float32)


# ---- the cache ---------------------------------------------------------------------------------------------------


def _cache(sizes, **methods):
    """A cache that is right but for these methods."""

    class Cache:
        def __init__(self, layers, heads, d_head):
            self.keys = [torch.zeros(heads, 0, d_head) for _ in range(layers)]
            self.values = [torch.zeros(heads, 0, d_head) for _ in range(layers)]

        def append(self, layer, k, v):
            self.keys[layer] = torch.cat([self.keys[layer], k], 1)
            self.values[layer] = torch.cat([self.values[layer], v], 1)
            return self.keys[layer], self.values[layer]

        def length(self, layer=0):
            return self.keys[layer].shape[1]

        def nbytes(self):
            return sum(t.nbytes for t in self.keys + self.values)

        def truncate(self, length):
            self.keys = [k[:, :length] for k in self.keys]
            self.values = [v[:, :length] for v in self.values]

    for name, one in methods.items():
        setattr(Cache, name, one)
    return Cache(*sizes)


def _appends(rng, heads, d_head, *layers_and_counts):
    """Steps that append so many tokens to these layers, with random keys and values."""
    return [
        method("append", layer, _normal(rng, heads, n, d_head), _normal(rng, heads, n, d_head))
        for layer, n in layers_and_counts
    ]


@exercise(
    parts={"append": 3, "length and bytes": 1, "truncate": 1},
    minutes=12,
    source="Shazeer 2019, section 2.4 (incremental attention); the interface is that of transformers.DynamicCache",
)
class KVCache:
    """A store that keeps the keys and values of every layer and grows by a row for each token."""

    tolerance = exact

    def cases(rng):
        heads, d_head, n = int(rng.choice([2, 4, 5])), int(rng.integers(6, 9)), int(rng.integers(4, 7))
        one, three = new("KVCache", 1, heads, d_head), new("KVCache", 3, heads, d_head)
        contents = [attribute("keys"), attribute("values")]
        yield case(script=[one, *_appends(rng, heads, d_head, (0, 1)), *contents], label="the first token")
        yield case(script=[one, *_appends(rng, heads, d_head, (0, 1), (0, 1), (0, 1)), *contents], label="three tokens")
        several = _appends(rng, heads, d_head, (0, n), (1, n), (2, n), (0, 1), (1, 1), (2, 1))
        yield case(script=[three, *several, *contents], label="three layers, several tokens and then one more")
        counted = [method("length"), method("length", 1), method("length", 2), method("nbytes")]
        uneven = _appends(rng, heads, d_head, (0, n), (1, n), (0, 1))
        yield case(script=[three, *uneven, *counted], label="layers of unequal length", part="length and bytes")
        filled = _appends(rng, heads, d_head, (2, n), (1, 1), (0, 2))
        yield case(script=[three, *filled, *counted], label="every layer holds something", part="length and bytes")
        yield case(script=[three, *counted], label="an empty cache", part="length and bytes")
        full = _appends(rng, heads, d_head, (0, n), (1, n), (2, n))
        keep = int(rng.integers(1, n - 1))
        yield case(script=[three, *full, method("truncate", keep), *contents], label="rewind", part="truncate")
        again = _appends(rng, heads, d_head, (1, 1))
        shorter = [three, *full, method("truncate", keep), *again, method("truncate", n + 5), *contents]
        yield case(script=shorter, label="rewind, go on, keep all", part="truncate")
        none = [three, *full, method("truncate", 0), *contents]
        yield case(script=none, label="forget everything", part="truncate")

    class reference:
        """Keeps a list of tokens for each layer and stacks them when somebody looks."""

        def __init__(self, layers, heads, d_head):
            self.shape, self.tokens = (heads, 0, d_head), [[] for _ in range(layers)]

        def append(self, layer, k, v):
            self.tokens[layer] += list(zip(k.unbind(1), v.unbind(1), strict=True))
            return self.keys[layer], self.values[layer]

        def length(self, layer=0):
            return len(self.tokens[layer])

        def nbytes(self):
            heads, _, d_head = self.shape
            return 2 * 4 * heads * d_head * sum(map(len, self.tokens))

        def truncate(self, length):
            for tokens in self.tokens:
                del tokens[length:]

        def _stacked(self, which):
            rows = [[pair[which] for pair in tokens] for tokens in self.tokens]
            return [torch.stack(row, 1) if row else torch.zeros(self.shape) for row in rows]

        keys = property(lambda self: self._stacked(0))
        values = property(lambda self: self._stacked(1))

    class misconceptions:
        def overwritten(layers, heads, d_head):
            """You replace what was stored: after each token only the newest is left. Append it to the older ones."""

            def append(self, layer, k, v):
                self.keys[layer], self.values[layer] = k, v
                return k, v

            return _cache((layers, heads, d_head), append=append)

        def joined_along_the_heads(layers, heads, d_head):
            """You join along axis 0, the heads. Tokens lie along axis 1 of (heads, t, d_head)."""

            def append(self, layer, k, v):
                self.keys[layer] = torch.cat([self.keys[layer], k], 0)
                self.values[layer] = torch.cat([self.values[layer], v], 0)
                return self.keys[layer], self.values[layer]

            return _cache((layers, heads, d_head), append=append)

        def joined_along_the_width(layers, heads, d_head):
            """You join along the last axis, which is the width d_head. Tokens lie along axis 1 of (heads, t, d_head)."""

            def append(self, layer, k, v):
                self.keys[layer] = torch.cat([self.keys[layer], k], -1)
                self.values[layer] = torch.cat([self.values[layer], v], -1)
                return self.keys[layer], self.values[layer]

            return _cache((layers, heads, d_head), append=append)

        def not_stored(layers, heads, d_head):
            """The result of torch.cat is returned but not kept: torch.cat makes a new tensor and leaves the old as it is."""

            def append(self, layer, k, v):
                return torch.cat([self.keys[layer], k], 1), torch.cat([self.values[layer], v], 1)

            return _cache((layers, heads, d_head), append=append)

        def only_the_new_ones_returned(layers, heads, d_head):
            """The cache is right, but `append` returns only the new keys and values. Return all that the layer holds."""

            def append(self, layer, k, v):
                self.keys[layer] = torch.cat([self.keys[layer], k], 1)
                self.values[layer] = torch.cat([self.values[layer], v], 1)
                return k, v

            return _cache((layers, heads, d_head), append=append)

        def nothing_returned(layers, heads, d_head):
            """The cache is right, but `append` returns nothing. Return the layer's keys and values."""

            def append(self, layer, k, v):
                self.keys[layer] = torch.cat([self.keys[layer], k], 1)
                self.values[layer] = torch.cat([self.values[layer], v], 1)

            return _cache((layers, heads, d_head), append=append)

        def all_layers_returned(layers, heads, d_head):
            """`append` returns the lists of all layers. Return the two tensors of the layer that was asked for."""

            def append(self, layer, k, v):
                self.keys[layer] = torch.cat([self.keys[layer], k], 1)
                self.values[layer] = torch.cat([self.values[layer], v], 1)
                return self.keys, self.values

            return _cache((layers, heads, d_head), append=append)

        def put_in_front(layers, heads, d_head):
            """The new token stands before the old ones. Old first, new last: the cache keeps the order of the text."""

            def append(self, layer, k, v):
                self.keys[layer] = torch.cat([k, self.keys[layer]], 1)
                self.values[layer] = torch.cat([v, self.values[layer]], 1)
                return self.keys[layer], self.values[layer]

            return _cache((layers, heads, d_head), append=append)

        def one_store_for_all_layers(layers, heads, d_head):
            """Everything goes into layer 0. Each layer has keys and values of its own: use the index `layer`."""

            def append(self, layer, k, v):
                self.keys[0] = torch.cat([self.keys[0], k], 1)
                self.values[0] = torch.cat([self.values[0], v], 1)
                return self.keys[0], self.values[0]

            return _cache((layers, heads, d_head), append=append)

        def keys_for_values(layers, heads, d_head):
            """The values hold keys: you append k to both."""

            def append(self, layer, k, v):
                self.keys[layer] = torch.cat([self.keys[layer], k], 1)
                self.values[layer] = torch.cat([self.values[layer], k], 1)
                return self.keys[layer], self.values[layer]

            return _cache((layers, heads, d_head), append=append)

        def values_first(layers, heads, d_head):
            """`append` returns (values, keys); the order is (keys, values)."""

            def append(self, layer, k, v):
                self.keys[layer] = torch.cat([self.keys[layer], k], 1)
                self.values[layer] = torch.cat([self.values[layer], v], 1)
                return self.values[layer], self.keys[layer]

            return _cache((layers, heads, d_head), append=append)

        def tensors_have_no_append(layers, heads, d_head):
            """The store of a layer is a tensor, and tensors have no `append`. Join old and new with `torch.cat`."""

            def append(self, layer, k, v):
                self.keys[layer].append(k)

            return _cache((layers, heads, d_head), append=append)

        def stacked(layers, heads, d_head):
            """`torch.stack` makes a new axis and wants tensors of one size. Use `torch.cat` along the axis of tokens."""

            def append(self, layer, k, v):
                self.keys[layer] = torch.stack([self.keys[layer], k], 1)

            return _cache((layers, heads, d_head), append=append)

        def length_counts_layers(layers, heads, d_head):
            """`length` gives the number of layers. Look at the tensor of one layer: tokens lie along its axis 1."""
            return _cache((layers, heads, d_head), length=lambda self, layer=0: len(self.keys))

        def bytes_of_a_list(layers, heads, d_head):
            """`self.keys` is a list, and only its tensors have `nbytes`. Sum over the tensors of all layers."""
            return _cache((layers, heads, d_head), nbytes=lambda self: self.keys.nbytes + self.values.nbytes)

        def layers_thrown_away(layers, heads, d_head):
            """`truncate` shortens the lists: whole layers are lost. Shorten each layer's tensor along axis 1."""

            def truncate(self, length):
                self.keys, self.values = self.keys[:length], self.values[:length]

            return _cache((layers, heads, d_head), truncate=truncate)

        def length_counts_heads(layers, heads, d_head):
            """`length` gives the number of heads, which is axis 0. Tokens lie along axis 1."""
            return _cache((layers, heads, d_head), length=lambda self, layer=0: self.keys[layer].shape[0])

        def length_is_the_width(layers, heads, d_head):
            """`length` gives the width d_head, the last axis. Tokens lie along axis 1."""
            return _cache((layers, heads, d_head), length=lambda self, layer=0: self.keys[layer].shape[-1])

        def length_of_the_first_layer(layers, heads, d_head):
            """`length` looks at layer 0 whichever layer it is asked about."""
            return _cache((layers, heads, d_head), length=lambda self, layer=0: self.keys[0].shape[1])

        def numbers_for_bytes(layers, heads, d_head):
            """`nbytes` counts numbers. Each float32 takes 4 bytes: ask the tensor for its own `nbytes`."""
            return _cache((layers, heads, d_head), nbytes=lambda self: sum(t.numel() for t in self.keys + self.values))

        def bits_for_bytes(layers, heads, d_head):
            """`nbytes` counts bits: it is 8 times too large."""
            return _cache(
                (layers, heads, d_head), nbytes=lambda self: 8 * sum(t.nbytes for t in self.keys + self.values)
            )

        def values_not_counted(layers, heads, d_head):
            """`nbytes` counts the keys only. The values take as much again."""
            return _cache((layers, heads, d_head), nbytes=lambda self: sum(t.nbytes for t in self.keys))

        def bytes_of_one_layer(layers, heads, d_head):
            """`nbytes` counts one layer only. Sum over all of them."""
            return _cache((layers, heads, d_head), nbytes=lambda self: self.keys[0].nbytes + self.values[0].nbytes)

        def keeps_the_newest(layers, heads, d_head):
            """`truncate` keeps the last tokens and drops the first. Keep the beginning of the text."""

            def truncate(self, length):
                self.keys = [k[:, -length:] for k in self.keys]
                self.values = [v[:, -length:] for v in self.values]

            return _cache((layers, heads, d_head), truncate=truncate)

        def drops_so_many(layers, heads, d_head):
            """`truncate` takes away `length` tokens. It should keep so many: `length` is what is left."""

            def truncate(self, length):
                self.keys = [k[:, : max(0, k.shape[1] - length)] for k in self.keys]
                self.values = [v[:, : max(0, v.shape[1] - length)] for v in self.values]

            return _cache((layers, heads, d_head), truncate=truncate)

        def heads_cut_off(layers, heads, d_head):
            """`truncate` cuts along axis 0: heads are lost. Cut along axis 1, the tokens."""

            def truncate(self, length):
                self.keys = [k[:length] for k in self.keys]
                self.values = [v[:length] for v in self.values]

            return _cache((layers, heads, d_head), truncate=truncate)

        def only_the_first_layer_cut(layers, heads, d_head):
            """`truncate` shortens layer 0 only. All layers must forget the same tokens."""

            def truncate(self, length):
                self.keys[0] = self.keys[0][:, :length]
                self.values[0] = self.values[0][:, :length]

            return _cache((layers, heads, d_head), truncate=truncate)

        def values_left_long(layers, heads, d_head):
            """`truncate` shortens the keys only: keys and values must stay of one length."""

            def truncate(self, length):
                self.keys = [k[:, :length] for k in self.keys]

            return _cache((layers, heads, d_head), truncate=truncate)

        def one_token_too_many(layers, heads, d_head):
            """`truncate` keeps one token too many. A slice ends before its second index: [:length] are `length` tokens."""

            def truncate(self, length):
                self.keys = [k[:, : length + 1] for k in self.keys]
                self.values = [v[:, : length + 1] for v in self.values]

            return _cache((layers, heads, d_head), truncate=truncate)


# ---- attention of one query --------------------------------------------------------------------------------------


@exercise(
    points=3,
    minutes=8,
    source="Vaswani et al. 2017, section 3.2.1, for a single query",
    forbids={
        "torch.nn.functional.scaled_dot_product_attention": "this exercise builds it",
        "torch.nn.MultiheadAttention": "this exercise builds it",
    },
)
class attend_to_cache:
    """Attention of the one newest token to everything in the cache."""

    tolerance = close(1e-5, 1e-6, why="a float32 solution rounds sums of up to 20 terms")

    def cases(rng):
        for heads, t, d_head in [(1, 1, 2), (2, 4, 3), (3, 2, 5), (4, int(rng.integers(7, 20)), 6)]:
            q, keys, values = (_normal(rng, *shape) for shape in [(heads, d_head), *2 * [(heads, t, d_head)]])
            yield case(1.5 * q, keys, values, label=f"heads = {heads}, t = {t}, d_head = {d_head}")

    def reference(q, keys, values):
        rows = []
        for query, head_keys, head_values in zip(*(t.double().numpy() for t in (q, keys, values)), strict=True):
            powers = [math.exp(query @ key / len(key) ** 0.5) for key in head_keys]
            rows.append(sum(power / sum(powers) * value for power, value in zip(powers, head_values, strict=True)))
        return torch.from_numpy(np.array(rows))

    class misconceptions:
        def causal_mask_on_one_query(q, keys, values):
            """You mask the one query as if it were token 0: it sees the first key only. It is the newest; all keys are past."""
            scores = q[:, None] @ keys.mT / math.sqrt(q.shape[-1])
            mask = torch.ones(1, keys.shape[1], dtype=torch.bool).tril()
            return (scores.masked_fill(~mask, -math.inf).softmax(-1) @ values)[:, 0]

        def only_itself(q, keys, values):
            """Only the newest token's own value comes back: the cache is not looked at."""
            return values[:, -1] + 0 * q

        def newest_left_out(q, keys, values):
            """The newest token's own key is left out. A token looks at itself, too: use all t keys."""
            if keys.shape[1] == 1:
                return values[:, 0]
            scores = q[:, None] @ keys[:, :-1].mT / math.sqrt(q.shape[-1])
            return (scores.softmax(-1) @ values[:, :-1])[:, 0]

        def no_scale(q, keys, values):
            """The scores are not divided by sqrt(d_head)."""
            return ((q[:, None] @ keys.mT).softmax(-1) @ values)[:, 0]

        def scaled_by_d_head(q, keys, values):
            """You divide by d_head; the scale is its square root."""
            return ((q[:, None] @ keys.mT / q.shape[-1]).softmax(-1) @ values)[:, 0]

        def scaled_by_d_model(q, keys, values):
            """You scale by the width of all heads together. Each head has vectors of width d_head: divide by its root."""
            return ((q[:, None] @ keys.mT / math.sqrt(q.numel())).softmax(-1) @ values)[:, 0]

        def scaled_by_the_tokens(q, keys, values):
            """You scale by the number of tokens. d_head is the last axis of q."""
            return ((q[:, None] @ keys.mT / math.sqrt(keys.shape[1])).softmax(-1) @ values)[:, 0]

        def scaled_by_the_heads(q, keys, values):
            """You scale by the number of heads, axis 0 of q. d_head is its last axis."""
            return ((q[:, None] @ keys.mT / math.sqrt(q.shape[0])).softmax(-1) @ values)[:, 0]

        def query_of_the_first_head(q, keys, values):
            """Every head uses the query of head 0: q has no axis for its one token, so q @ keys.mT mixes the heads. Add one."""
            return ((q @ keys.mT / math.sqrt(q.shape[-1])).softmax(-1) @ values)[:, 0]

        def all_axes_reversed(q, keys, values):
            """`keys.T` reverses all three axes. Swap the last two only: `keys.mT` or `keys.transpose(1, 2)`."""
            return ((q[:, None] @ keys.permute(2, 1, 0) / math.sqrt(q.shape[-1])).softmax(-1) @ values)[:, 0]

        def softmax_over_heads(q, keys, values):
            """The softmax runs over the heads (axis 0). Each head shares out 1 among its own t keys: the last axis."""
            return ((q[:, None] @ keys.mT / math.sqrt(q.shape[-1])).softmax(0) @ values)[:, 0]

        def softmax_over_one_query(q, keys, values):
            """Your softmax runs over the axis of the queries, which has length 1: every weight is 1. Use the axis of keys."""
            return ((q[:, None] @ keys.mT / math.sqrt(q.shape[-1])).softmax(1) @ values)[:, 0]

        def no_softmax(q, keys, values):
            """The scores themselves are used as weights: the softmax is missing."""
            return (q[:, None] @ keys.mT / math.sqrt(q.shape[-1]) @ values)[:, 0]

        def keys_mixed(q, keys, values):
            """You average the keys. The weights come from the keys, what is averaged are the values."""
            return ((q[:, None] @ keys.mT / math.sqrt(q.shape[-1])).softmax(-1) @ keys)[:, 0]

        def compared_with_values(q, keys, values):
            """The query is compared with the values. It is compared with the keys."""
            return ((q[:, None] @ values.mT / math.sqrt(q.shape[-1])).softmax(-1) @ values)[:, 0]

        def one_set_of_weights(q, keys, values):
            """All heads use the same weights: you sum the scores over the heads. Each head has weights of its own."""
            scores = (q[:, None] @ keys.mT).sum(0, keepdim=True) / math.sqrt(q.shape[-1])
            return (scores.softmax(-1) @ values)[:, 0]

        def axis_of_queries_left(q, keys, values):
            """The numbers are right, but the axis of the one query is still there: (heads, 1, d_head). Take it away."""
            return (q[:, None] @ keys.mT / math.sqrt(q.shape[-1])).softmax(-1) @ values


# ---- one step of decoding ----------------------------------------------------------------------------------------


def _norm(x, p):
    return F.layer_norm(x, x.shape[-1:], p["gain"], p["bias"])


def _ffn(x, p):
    return F.gelu(x @ p["w_1"] + p["b_1"], approximate="tanh") @ p["w_2"] + p["b_2"]


def _project(z, a, heads):
    return [(z @ a[name]).reshape(heads, 1, -1) for name in ("w_q", "w_k", "w_v")]


def _attend(q, keys, values):
    return ((q @ keys.mT / math.sqrt(q.shape[-1])).softmax(-1) @ values).reshape(-1)


def _look(z, a, heads, cache, layer):
    q, k, v = _project(z, a, heads)
    return _attend(q, *cache.append(layer, k, v)) @ a["w_o"]


def _decode(token, p, heads, cache, position=None, look=_look, residuals=(1, 1), norm_1=_norm, last=_norm):
    """A right step, but for what is passed."""
    x = p["embed"][token] + (p["position"][cache.length()] if position is None else position)
    for layer, block in enumerate(p["blocks"]):
        z = norm_1(x, block["norm_1"])
        x = residuals[0] * x + look(z, block["attention"], heads, cache, layer)
        x = residuals[1] * x + _ffn(_norm(x, block["norm_2"]), block["ffn"])
    return last(x, p["norm"]) @ p["embed"].T


def _doubles(tree):
    """Nested parameters as float64 arrays."""
    if isinstance(tree, dict):
        return {name: _doubles(value) for name, value in tree.items()}
    return [_doubles(value) for value in tree] if isinstance(tree, list) else tree.double().numpy()


def _standard(x, p):
    """Layer norm of one vector, in NumPy."""
    return (x - np.mean(x)) / math.sqrt(np.var(x) + 1e-5) * p["gain"] + p["bias"]


def _random_decoder(rng, vocab_size, heads, d_head, layers, d_ff, length):
    d = heads * d_head

    def norm():
        return {"gain": _normal(rng, d, mean=1.0, deviation=0.3), "bias": _normal(rng, d, deviation=0.3)}

    def block():
        square = {name: _normal(rng, d, d, deviation=d**-0.5) for name in ("w_q", "w_k", "w_v", "w_o")}
        ffn = {
            "w_1": _normal(rng, d, d_ff, deviation=d**-0.5),
            "b_1": _normal(rng, d_ff, deviation=0.5),
            "w_2": _normal(rng, d_ff, d, deviation=d_ff**-0.5),
            "b_2": _normal(rng, d, deviation=0.5),
        }
        return {"norm_1": norm(), "attention": square, "norm_2": norm(), "ffn": ffn}

    blocks = [block() for _ in range(layers)]
    return {
        "embed": _normal(rng, vocab_size, d), "position": _normal(rng, length, d), "blocks": blocks, "norm": norm()
    }  # fmt: skip


@exercise(
    points=5,
    minutes=15,
    source="Pope et al. 2022, section 2; the blocks of ch07",
    uses=("ch08.attend_to_cache",),
)
class decode_step:
    """One step of generation: one token goes through all blocks, what the past left is read from the cache."""

    tolerance = close(1e-4, 1e-5, why="a float32 solution rounds through up to three blocks")

    def cases(rng):
        for heads, d_head, layers, filled, tokens, label in [
            (2, 3, 1, 0, 1, "the first token, an empty cache"),
            (2, 3, 2, 0, 3, "three tokens, one after another, from an empty cache"),
            (
                3,
                2,
                3,
                4,
                2,
                "two more tokens; the cache holds values that belong to no text, so nothing can rebuild them",
            ),
            (2, 4, 2, int(rng.integers(2, 7)), 1, "one more token; the cache holds values that belong to no text"),
        ]:
            p = _random_decoder(rng, 7, heads, d_head, layers, 5, filled + tokens + 3)
            script = [given("ch08.KVCache", layers, heads, d_head, handle="cache")]
            for layer in range(layers if filled else 0):
                content = (_normal(rng, heads, filled, d_head) for _ in range(2))
                script.append(method("append", layer, *content, handle="cache"))
            for token in rng.permutation(7)[:tokens]:
                script.append(call("decode_step", int(token), p, heads, held("cache")))
            script += [attribute("keys", handle="cache"), attribute("values", handle="cache")]
            yield case(script=script, label=label)

    def reference(token, p, heads, cache):
        w = _doubles(p)
        x = w["embed"][token] + w["position"][cache.length()]
        for layer, block in enumerate(w["blocks"]):
            a, f, z = block["attention"], block["ffn"], _standard(x, block["norm_1"])
            q, k, v = (np.array(np.split(z @ a[name], heads)) for name in ("w_q", "w_k", "w_v"))
            cache.append(layer, *(torch.from_numpy(new[:, None]) for new in (k, v)))
            mixed = attend_to_cache.reference(torch.from_numpy(q), cache.keys[layer], cache.values[layer])
            x = x + np.concatenate(list(mixed.numpy())) @ a["w_o"]
            h = _standard(x, block["norm_2"]) @ f["w_1"] + f["b_1"]
            x = x + (h / (1 + np.exp(-2 * math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))) @ f["w_2"] + f["b_2"]
        return torch.from_numpy(w["embed"] @ _standard(x, w["norm"]))

    class misconceptions:
        def always_position_0(token, p, heads, cache):
            """The token always gets position 0. Its position is the number of tokens read before: `cache.length()`."""
            return _decode(token, p, heads, cache, position=p["position"][0])

        def position_off_by_one(token, p, heads, cache):
            """The position is one too large. Counted from 0, it is `cache.length()` before this token is appended."""
            return _decode(token, p, heads, cache, position=p["position"][cache.length() + 1])

        def no_position(token, p, heads, cache):
            """The position's vector is not added to the token's."""
            return _decode(token, p, heads, cache, position=0)

        def position_of_the_token(token, p, heads, cache):
            """You look up the position by the token's id. The position is where it stands in the text: `cache.length()`."""
            return _decode(token, p, heads, cache, position=p["position"][token % len(p["position"])])

        def vectors_cached_before_projection(token, p, heads, cache):
            """You cache the token's vector. What is cached are its key and value: the vector times w_k and times w_v."""

            def look(z, a, heads, cache, layer):
                plain = z.reshape(heads, 1, -1)
                return _attend(_project(z, a, heads)[0], *cache.append(layer, plain, plain)) @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def layer_0_for_all(token, p, heads, cache):
            """All layers read and write the cache of layer 0. Pass the layer's own number to `append`."""

            def look(z, a, heads, cache, layer):
                return _look(z, a, heads, cache, 0)

            return _decode(token, p, heads, cache, look=look)

        def nothing_appended(token, p, heads, cache):
            """Right for this token, but its key and value are not stored: the next token will miss them. Use `append`."""

            def look(z, a, heads, cache, layer):
                q, k, v = _project(z, a, heads)
                keys, values = (torch.cat([old[layer], new], 1) for old, new in ((cache.keys, k), (cache.values, v)))
                return _attend(q, keys, values) @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def cache_overwritten(token, p, heads, cache):
            """You replace the cache by the new key and value. Append them with `cache.append`: the past is still needed."""

            def look(z, a, heads, cache, layer):
                q, k, v = _project(z, a, heads)
                cache.keys[layer], cache.values[layer] = k, v
                return _attend(q, k, v) @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def cache_never_read(token, p, heads, cache):
            """The token looks only at itself. Attend to what `cache.append` returns: all keys and values so far."""

            def look(z, a, heads, cache, layer):
                q, k, v = _project(z, a, heads)
                cache.append(layer, k, v)
                return _attend(q, k, v) @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def appended_too_late(token, p, heads, cache):
            """You attend first and append then, so the token does not see itself. Append its key and value before."""

            def look(z, a, heads, cache, layer):
                q, k, v = _project(z, a, heads)
                mixed = _attend(q, cache.keys[layer], cache.values[layer])
                cache.append(layer, k, v)
                return mixed @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def text_read_again(token, p, heads, cache):
            """You keep the tokens and read the whole text again. Read the past's keys and values from the cache instead."""
            cache.read = [*getattr(cache, "read", []), token]
            again = _cache((len(p["blocks"]), heads, p["embed"].shape[1] // heads))
            return [_decode(one, p, heads, again) for one in cache.read][-1]

        def causal_mask_on_one_query(token, p, heads, cache):
            """The one query sees only the first key, as if it were masked like token 0. It may look at all of the cache."""

            def look(z, a, heads, cache, layer):
                q, k, v = _project(z, a, heads)
                keys, values = cache.append(layer, k, v)
                return _attend(q, keys[:, :1], values[:, :1]) @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def heads_interleaved(token, p, heads, cache):
            """Your heads take every so many-th number. A head is a run of d_head neighbours: reshape to (heads, d_head)."""

            def look(z, a, heads, cache, layer):
                q, k, v = ((z @ a[w]).reshape(-1, heads).T[:, None] for w in ("w_q", "w_k", "w_v"))
                keys, values = cache.append(layer, k, v)
                mixed = (q @ keys.mT / math.sqrt(q.shape[-1])).softmax(-1) @ values
                return mixed[:, 0].T.reshape(-1) @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def width_before_heads(token, p, heads, cache):
            """You reshape to (d_head, heads). A head is a run of d_head neighbours: (heads, d_head)."""

            def look(z, a, heads, cache, layer):
                q, k, v = ((z @ a[w]).reshape(-1, 1, heads) for w in ("w_q", "w_k", "w_v"))
                return _attend(q, *cache.append(layer, k, v)) @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def no_axis_for_the_token(token, p, heads, cache):
            """`append` wants (heads, n, d_head). You have one token, n = 1: its axis is missing, as in `k[:, None]`."""

            def look(z, a, heads, cache, layer):
                q, k, v = _project(z, a, heads)
                return _attend(q, *cache.append(layer, k[:, 0], v[:, 0])) @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def axis_of_the_token_first(token, p, heads, cache):
            """`append` wants (heads, 1, d_head), and you give (1, heads, d_head): the token's axis goes in the middle."""

            def look(z, a, heads, cache, layer):
                q, k, v = _project(z, a, heads)
                return _attend(q, *cache.append(layer, k.permute(1, 0, 2), v.permute(1, 0, 2))) @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def every_position_added(token, p, heads, cache):
            """You add the whole table of positions. Take the one row at `cache.length()`."""
            return _decode(token, p, heads, cache, position=p["position"])

        def whole_cache_attended(token, p, heads, cache):
            """You attend to the lists of all layers. Take this layer's tensors: what `append` returns, or cache.keys[layer]."""

            def look(z, a, heads, cache, layer):
                q, k, v = _project(z, a, heads)
                cache.append(layer, k, v)
                return _attend(q, cache.keys, cache.values) @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def second_norm_of_the_first(token, p, heads, cache):
            """The second norm starts from z. It starts from x, to which the attention has been added by then."""
            x = p["embed"][token] + p["position"][cache.length()]
            for layer, block in enumerate(p["blocks"]):
                z = _norm(x, block["norm_1"])
                x = x + _look(z, block["attention"], heads, cache, layer)
                x = x + _ffn(_norm(z, block["norm_2"]), block["ffn"])
            return _norm(x, p["norm"]) @ p["embed"].T

        def keys_and_values_swapped(token, p, heads, cache):
            """Keys and values are swapped: w_k makes the key, w_v the value, and `append` takes the key first."""

            def look(z, a, heads, cache, layer):
                q, k, v = _project(z, a, heads)
                return _attend(q, *cache.append(layer, v, k)) @ a["w_o"]

            return _decode(token, p, heads, cache, look=look)

        def no_output_projection(token, p, heads, cache):
            """The heads' results are added without w_o: merge the heads, then multiply by w_o."""

            def look(z, a, heads, cache, layer):
                q, k, v = _project(z, a, heads)
                return _attend(q, *cache.append(layer, k, v))

            return _decode(token, p, heads, cache, look=look)

        def not_normalised(token, p, heads, cache):
            """The attention gets x as it is. Pre-norm blocks normalise it first, with norm_1."""
            return _decode(token, p, heads, cache, norm_1=lambda x, p: x)

        def attention_residual_missing(token, p, heads, cache):
            """The attention's output replaces x. It is added to it: x + ..."""
            return _decode(token, p, heads, cache, residuals=(0, 1))

        def feed_forward_residual_missing(token, p, heads, cache):
            """The feed-forward's output replaces x. It is added to it: x + ..."""
            return _decode(token, p, heads, cache, residuals=(1, 0))

        def last_norm_missing(token, p, heads, cache):
            """The last norm, p["norm"], is missing: it stands between the blocks and the embedding's transpose."""
            return _decode(token, p, heads, cache, last=lambda x, p: x)

        def probabilities(token, p, heads, cache):
            """You return probabilities. The logits are asked for, before any softmax."""
            return _decode(token, p, heads, cache).softmax(-1)


# ---- what it costs -----------------------------------------------------------------------------------------------


@exercise(parts={"values": 1.5, "defaults": 0.5}, minutes=5, source="Pope et al. 2022, section 3.3")
class kv_cache_bytes:
    """The memory that a full cache takes."""

    tolerance = exact

    def cases(rng):
        layers, heads, width, length, batch = (int(rng.integers(low, 2 * low)) for low in (3, 5, 11, 23, 50))
        yield case(1, 1, 1, 1, 1, 1, label="one number for the key, one for the value")
        yield case(layers, heads, width, length, batch, 2, label="a small model, a batch, 16 bits")
        yield case(layers + 2, heads, width, length + 9, 3, 4, label="32 bits")
        yield case(layers, heads, width, length, label="one text in 16 bits", part="defaults")
        yield case(80, 8, 128, 131072, 4, 2, label="80 layers, 131072 tokens, 4 texts: exactly, to the last byte")

    def reference(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
        vectors = sum(2 for _ in range(layers))  # a key and a value
        return vectors * d_head * kv_heads * bytes_per_number * batch * length

    class misconceptions:
        def keys_only(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """The factor 2 is missing: each token leaves a key and a value."""
            return layers * kv_heads * d_head * length * batch * bytes_per_number

        def bits(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """You count bits: `bytes_per_number` is in bytes already, there is nothing to multiply by 8."""
            return 16 * layers * kv_heads * d_head * length * batch * bytes_per_number

        def bytes_taken_for_bits(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """You divide by 8, as if the numbers were given in bits. `bytes_per_number` is in bytes."""
            return 2 * layers * kv_heads * d_head * length * batch * bytes_per_number // 8

        def numbers(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """You count numbers: multiply by the bytes that each of them takes."""
            return 2 * layers * kv_heads * d_head * length * batch

        def one_layer(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """You count one layer. Every layer has keys and values of its own."""
            return 2 * kv_heads * d_head * length * batch * bytes_per_number

        def one_head(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """You count one head. Every head has keys and values of its own."""
            return 2 * layers * d_head * length * batch * bytes_per_number

        def one_text(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """The batch does not count: every text in it has a cache of its own."""
            return 2 * layers * kv_heads * d_head * length * bytes_per_number

        def batch_for_heads(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """The batch stands where the heads should: count layers, heads, width, tokens and texts once each."""
            return 2 * layers * batch * d_head * length * batch * bytes_per_number

        def one_token(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """You count one token: the cache holds `length` of them."""
            return 2 * layers * kv_heads * d_head * batch * bytes_per_number

        def pairs_of_tokens(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """You square the length, as for a table of weights. The cache holds one row for each token."""
            return 2 * layers * kv_heads * d_head * length**2 * batch * bytes_per_number

        def three_tensors(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """You count three vectors for each token. Queries are not cached: 2, not 3."""
            return 3 * layers * kv_heads * d_head * length * batch * bytes_per_number

        def in_gigabytes(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """You divide, so the result is a float, in GB perhaps. Bytes are asked for, and they are a whole number."""
            return 2 * layers * kv_heads * d_head * length * batch * bytes_per_number / 1e9

        def layers_added_to_heads(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """You add layers and heads. Every layer has that many heads: multiply."""
            return 2 * (layers + kv_heads) * d_head * length * batch * bytes_per_number

        def always_16_bits(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
            """You always count 2 bytes for a number; use `bytes_per_number`."""
            return 4 * layers * kv_heads * d_head * length * batch


def _flops(n, d_model, d_ff, layers, cached, first=1, projections=8, feed_forward=4, attention=4):
    """A right count but for what is passed."""
    steps = range(first, first + n)
    rows = [1 if cached else t for t in steps]
    return {
        "projections": layers * projections * d_model**2 * sum(rows),
        "feed_forward": layers * feed_forward * d_model * d_ff * sum(rows),
        "attention": layers * attention * d_model * sum(t * r for t, r in zip(steps, rows, strict=True)),
    }


@exercise(points=3, minutes=10, source="Kaplan et al. 2020, table 1; the sums over steps are our own")
class generation_flops:
    """The operations that it takes to read n tokens in n steps, with the cache and without it."""

    tolerance = exact

    def cases(rng):
        sizes = [(1, 3, 5, 2), (2, 4, 16, 3), tuple(int(rng.integers(low, low + 5)) for low in (6, 12, 18, 24))]
        for n, d_model, d_ff, layers in sizes:
            for cached in (True, False):
                label = f"n = {n}, {'with' if cached else 'without'} the cache"
                yield case(n, d_model, d_ff, layers, cached, label=label)

    def reference(n, d_model, d_ff, layers, cached):
        steps, pairs = (n, n * (n + 1) // 2) if cached else (n * (n + 1) // 2, n * (n + 1) * (2 * n + 1) // 6)
        both = 2 * layers  # a multiplication and an addition
        return {
            "projections": both * 4 * d_model * d_model * steps,
            "feed_forward": both * 2 * d_model * d_ff * steps,
            "attention": both * 2 * d_model * pairs,
        }

    class misconceptions:
        def multiplications_only(n, d_model, d_ff, layers, cached):
            """You count multiplications only: half of it. Each of them comes with an addition: 2 operations."""
            return _flops(n, d_model, d_ff, layers, cached, projections=4, feed_forward=2, attention=2)

        def scores_only(n, d_model, d_ff, layers, cached):
            """Of attention you count the scores only. Mixing the values costs as much again: 4 t d_model a token."""
            return _flops(n, d_model, d_ff, layers, cached, attention=2)

        def three_projections(n, d_model, d_ff, layers, cached):
            """You count three projections. There are four: w_q, w_k, w_v and w_o."""
            return _flops(n, d_model, d_ff, layers, cached, projections=6)

        def projections_counted_once(n, d_model, d_ff, layers, cached):
            """For the projections you count multiplications only: four of them take 8 d_model^2 operations, not 4."""
            return _flops(n, d_model, d_ff, layers, cached, projections=4)

        def one_matrix_of_the_feed_forward(n, d_model, d_ff, layers, cached):
            """You count one matrix of the feed-forward. There are two, w_1 and w_2."""
            return _flops(n, d_model, d_ff, layers, cached, feed_forward=2)

        def feed_forward_counted_twice(n, d_model, d_ff, layers, cached):
            """For one token the feed-forward's two matrices take 4 d_model d_ff operations; you count twice as many."""
            return _flops(n, d_model, d_ff, layers, cached, feed_forward=8)

        def one_layer(n, d_model, d_ff, layers, cached):
            """You count one layer; there are `layers` of them."""
            return _flops(n, d_model, d_ff, 1, cached)

        def steps_from_0(n, d_model, d_ff, layers, cached):
            """Your steps run from 0 to n - 1. In the first one there is one token already: t runs from 1 to n."""
            return _flops(n, d_model, d_ff, layers, cached, first=0)

        def last_step_left_out(n, d_model, d_ff, layers, cached):
            """The last step is missing: t runs from 1 to n, and `range` ends before its last number."""
            return _flops(n - 1, d_model, d_ff, layers, cached)

        def last_step_only(n, d_model, d_ff, layers, cached):
            """You count the last step only. Sum over all steps t = 1, ..., n."""
            return _flops(1, d_model, d_ff, layers, cached, first=n)

        def never_cached(n, d_model, d_ff, layers, cached):
            """`cached` makes no difference: with a cache only one token goes through the blocks in each step."""
            return _flops(n, d_model, d_ff, layers, False)

        def always_cached(n, d_model, d_ff, layers, cached):
            """`cached` makes no difference: without a cache all t tokens go through the blocks in step t."""
            return _flops(n, d_model, d_ff, layers, True)

        def the_other_way_round(n, d_model, d_ff, layers, cached):
            """You have the two cases the wrong way round: it is with the cache that one token goes through."""
            return _flops(n, d_model, d_ff, layers, not cached)

        def attention_of_the_last_step(n, d_model, d_ff, layers, cached):
            """You use n for every step's attention. In step t there are only t keys."""
            right = _flops(n, d_model, d_ff, layers, cached)
            return right | {"attention": layers * 4 * d_model * n * (n if cached else n * (n + 1) // 2)}

        def attention_to_one_key(n, d_model, d_ff, layers, cached):
            """Your attention does not grow with the text. In step t a token is compared with t keys: 4 t d_model."""
            right = _flops(n, d_model, d_ff, layers, cached)
            return right | {"attention": layers * 4 * d_model * (n if cached else n * (n + 1) // 2)}

        def projections_for_the_whole_text(n, d_model, d_ff, layers, cached):
            """With the cache you still put all t tokens through the matrices. Only the new one goes through them."""
            right = _flops(n, d_model, d_ff, layers, False)
            return right | {"attention": _flops(n, d_model, d_ff, layers, cached)["attention"]}

        def whole_table_of_scores(n, d_model, d_ff, layers, cached):
            """With the cache you still count a t by t table of scores. There is one query: one row of t scores."""
            right = _flops(n, d_model, d_ff, layers, cached)
            return right | {"attention": _flops(n, d_model, d_ff, layers, False)["attention"]}

        def only_one_row_without_the_cache(n, d_model, d_ff, layers, cached):
            """Without the cache all t tokens attend, each to t keys: the table of scores is t by t, not one row."""
            right = _flops(n, d_model, d_ff, layers, cached)
            return right | {"attention": _flops(n, d_model, d_ff, layers, True)["attention"]}

        def their_sum(n, d_model, d_ff, layers, cached):
            """You return one number. A dictionary with the three parts is asked for."""
            return sum(_flops(n, d_model, d_ff, layers, cached).values())


@question(answer="c")
class why_no_queries:
    """Keys and values are cached. Why are queries not?"""

    a = (
        "Queries are too large: they would not fit into memory.",
        "A query is as wide as a key. Storing it would be affordable; it would just be of no use.",
    )
    b = (
        "Queries change whenever a token is appended, so a stored one would be wrong.",
        "They do not change: like keys and values they depend on the past only. But nobody asks for them again.",
    )
    c = (
        "A token's query is used in its own step only; its key and value are used in every later step.",
        "Right: the newest token asks once. Later tokens compare their own queries with its key and fetch its value.",
    )
    d = (
        "The output of attention already contains the queries.",
        "The output is an average of values; the query only decides the weights.",
    )


@question(answer="b")
class why_causal:
    """An encoder (ch05) has no causal mask. You append a token to its input. Why would a cache of the old keys be wrong?"""

    a = (
        "An encoder has no keys and values to store.",
        "It has: encoders attend, too.",
    )
    b = (
        "From the second layer on, the old tokens' keys change, because the old tokens now see the new one.",
        "Right: without a mask every old vector changes after the first layer, and with it the keys made from it.",
    )
    c = (
        "An encoder has no positions, so the cache would lose the order.",
        "An encoder has positions as a decoder has; they are not the reason.",
    )
    d = (
        "It would be right, only slower.",
        "It would be wrong: what is stored belongs to a text without the new token, which the old tokens now see.",
    )


@question(answer=["a", "c", "d"])
class what_shrinks_it:
    """A model of 70 billion parameters runs out of memory with long texts. What makes its KV cache smaller? Choose all that apply."""

    a = (
        "Several query heads share one key-value head.",
        "Right: fewer key-value heads, proportionally fewer bytes. This is grouped-query attention (m17).",
    )
    b = (
        "A smaller vocabulary.",
        "No: the vocabulary decides the size of the embedding, and no part of it is in the cache.",
    )
    c = (
        "Storing keys and values in 8 bits in place of 16.",
        "Right: half the bytes, at the price of some precision (m29).",
    )
    d = (
        "Letting each token look at the last 4,096 tokens only.",
        "Right: older keys and values can be dropped. This is sliding-window attention (m16).",
    )
    e = (
        "A feed-forward network of half the width.",
        "No: that makes the weights smaller. The feed-forward looks at one token at a time and leaves nothing to store.",
    )
