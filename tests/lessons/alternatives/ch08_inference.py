"""Other right answers to ch08."""

import math

import torch
import torch.nn.functional as F


class KVCache:
    class with_narrow_and_stack_of_sizes:
        def __init__(self, layers, heads, d_head):
            self.keys = [torch.zeros(heads, 0, d_head) for _ in range(layers)]
            self.values = [torch.zeros(heads, 0, d_head) for _ in range(layers)]

        def append(self, layer, k, v):
            for store, new in ((self.keys, k), (self.values, v)):
                store[layer] = torch.concatenate((store[layer], new), axis=-2)
            return [self.keys[layer], self.values[layer]]

        def length(self, layer=0):
            return len(self.keys[layer][0])

        def nbytes(self):
            return 2 * sum(k.numel() * k.element_size() for k in self.keys)

        def truncate(self, length):
            for layer in range(len(self.keys)):
                kept = min(length, self.length(layer))
                self.keys[layer] = self.keys[layer].narrow(1, 0, kept)
                self.values[layer] = self.values[layer].narrow(1, 0, kept)

    class room_reserved_beforehand:
        def __init__(self, layers, heads, d_head):
            self.used = [0] * layers
            self.room = torch.empty(2, layers, heads, 64, d_head)

        def append(self, layer, k, v):
            start = self.used[layer]
            self.used[layer] = start + k.shape[1]
            self.room[0, layer, :, start : self.used[layer]] = k
            self.room[1, layer, :, start : self.used[layer]] = v
            return self.keys[layer], self.values[layer]

        @property
        def keys(self):
            return [store[:, :t] for store, t in zip(self.room[0], self.used, strict=True)]

        @property
        def values(self):
            return [store[:, :t] for store, t in zip(self.room[1], self.used, strict=True)]

        def length(self, layer=0):
            return self.used[layer]

        def nbytes(self):
            return sum(t.numel() * 4 for t in self.keys + self.values)

        def truncate(self, length):
            self.used = [min(length, t) for t in self.used]

    class one_tensor_for_both:
        def __init__(self, layers, heads, d_head):
            self.both = {layer: torch.zeros(2, heads, 0, d_head) for layer in range(layers)}

        def append(self, layer, k, v):
            self.both[layer] = torch.cat((self.both[layer], torch.stack((k, v))), 2)
            return self.both[layer].unbind(0)

        keys = property(lambda self: [b[0] for b in self.both.values()])
        values = property(lambda self: [b[1] for b in self.both.values()])

        def length(self, layer=0):
            return self.both[layer].size(2)

        def nbytes(self):
            return sum(b.nbytes for b in self.both.values())

        def truncate(self, length):
            self.both = {layer: b[:, :, :length] for layer, b in self.both.items()}


class attend_to_cache:
    def einsum(q, keys, values):
        weights = torch.softmax(torch.einsum("hd,htd->ht", q, keys) * q.shape[1] ** -0.5, dim=1)
        return torch.einsum("ht,htd->hd", weights, values)

    def head_by_head(q, keys, values):
        rows = []
        for one, k, v in zip(q, keys, values, strict=True):
            scores = k @ one / math.sqrt(len(one))
            powers = torch.exp(scores - scores.max())
            rows.append(powers / powers.sum() @ v)
        return torch.stack(rows)

    def columns(q, keys, values):
        scores = torch.bmm(keys, q.unsqueeze(2)) / q.size(1) ** 0.5
        return (F.softmax(scores, dim=1) * values).sum(dim=1)

    def running_maximum(q, keys, values):
        top, total, mixed = torch.full(q.shape[:1], -math.inf), torch.zeros(q.shape[0]), torch.zeros_like(q)
        for t in range(keys.shape[1]):
            score = (q * keys[:, t]).sum(-1) / math.sqrt(q.shape[-1])
            higher = torch.maximum(top, score)
            old, new = torch.exp(top - higher), torch.exp(score - higher)
            total, mixed, top = total * old + new, mixed * old[:, None] + new[:, None] * values[:, t], higher
        return mixed / total[:, None]


def normed(x, p):
    return (x - x.mean()) / torch.sqrt(x.var(unbiased=False) + 1e-5) * p["gain"] + p["bias"]


def bent(x):
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


class decode_step:
    def on_its_own(token, p, heads, cache):
        at = cache.length(len(p["blocks"]) - 1)
        x = p["embed"][token] + p["position"][at]
        for i in range(len(p["blocks"])):
            block = p["blocks"][i]
            a, f, z = block["attention"], block["ffn"], normed(x, block["norm_1"])
            q, k, v = (torch.stack((z @ a[w]).chunk(heads)) for w in ("w_q", "w_k", "w_v"))
            keys, values = cache.append(i, k.unsqueeze(1), v.unsqueeze(1))
            scores = (keys * q.unsqueeze(1)).sum(-1) / math.sqrt(q.shape[1])
            mixed = torch.cat([w @ v for w, v in zip(scores.softmax(-1), values, strict=True)])
            x = x + mixed @ a["w_o"]
            x = x + bent(normed(x, block["norm_2"]) @ f["w_1"] + f["b_1"]) @ f["w_2"] + f["b_2"]
        return p["embed"] @ normed(x, p["norm"])

    def as_a_batch_of_one(token, p, heads, cache):
        x = (p["embed"][token] + p["position"][cache.length()]).reshape(1, 1, -1)
        d_head = x.shape[-1] // heads
        for layer, block in enumerate(p["blocks"]):
            z = norm(x, block["norm_1"])  # noqa: F821
            q, k, v = (
                (z @ block["attention"][w]).reshape(1, 1, heads, d_head).transpose(1, 2) for w in ("w_q", "w_k", "w_v")
            )
            cache.append(layer, k[0], v[0])
            mixed = F.scaled_dot_product_attention(q, cache.keys[layer][None], cache.values[layer][None])
            x = x + mixed.transpose(1, 2).reshape(1, 1, -1) @ block["attention"]["w_o"]
            x = x + feed_forward(norm(x, block["norm_2"]), block["ffn"])  # noqa: F821
        return (norm(x, p["norm"]) @ p["embed"].T)[0, -1]  # noqa: F821

    def in_double_precision(token, p, heads, cache):
        def wide(tree):
            if isinstance(tree, dict):
                return {k: wide(v) for k, v in tree.items()}
            return [wide(v) for v in tree] if isinstance(tree, list) else tree.double()

        p = wide(p)
        x = p["embed"][token] + p["position"][cache.length()]
        for layer, block in enumerate(p["blocks"]):
            a, f, z = block["attention"], block["ffn"], normed(x, block["norm_1"])
            q, k, v = [(z @ a["w_" + w]).view(heads, -1) for w in "qkv"]
            keys, values = cache.append(layer, k[:, None].float(), v[:, None].float())
            x = x + attend_to_cache(q.float(), keys, values).double().flatten() @ a["w_o"]
            x = x + bent(normed(x, block["norm_2"]) @ f["w_1"] + f["b_1"]) @ f["w_2"] + f["b_2"]
        return normed(x, p["norm"]) @ p["embed"].T


class kv_cache_bytes:
    def step_by_step(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
        vector = d_head * bytes_per_number
        token = (vector + vector) * kv_heads * layers
        return token * length * batch

    def product(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
        return math.prod([layers, kv_heads, d_head, length, batch, bytes_per_number, 2])

    def keys_and_values(layers, kv_heads, d_head, length, batch=1, bytes_per_number=2):
        keys = values = batch * layers * kv_heads * length * d_head
        return (keys + values) * bytes_per_number


class generation_flops:
    def in_closed_form(n, d_model, d_ff, layers, cached):
        steps, pairs = n * (n + 1) // 2, n * (n + 1) * (2 * n + 1) // 6
        if cached:
            steps, pairs = n, steps
        one = 4 * layers * d_model
        return {"projections": 2 * one * d_model * steps, "feed_forward": one * d_ff * steps, "attention": one * pairs}

    def comprehensions(n, d_model, d_ff, layers, cached):
        times = [(t, 1 if cached else t) for t in range(1, n + 1)]
        return dict(
            attention=sum(layers * rows * 2 * 2 * t * d_model for t, rows in times),
            feed_forward=sum(layers * rows * 2 * (d_model * d_ff + d_ff * d_model) for _, rows in times),
            projections=sum(layers * rows * 2 * 4 * d_model * d_model for _, rows in times),
        )

    def token_by_token(n, d_model, d_ff, layers, cached):
        projections = feed_forward = attention = 0
        for t in range(n):
            for _ in range(layers if cached else layers * (t + 1)):
                projections += 8 * d_model**2
                feed_forward += 4 * d_model * d_ff
                attention += 4 * (t + 1) * d_model
        return {"projections": projections, "feed_forward": feed_forward, "attention": attention}
