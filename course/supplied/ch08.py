"""What chapter 8 builds: a KV cache, decoding with it, and what both cost."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["KVCache", "attend_to_cache", "decode_step", "generation_flops", "kv_cache_bytes"]

Parameters = dict[str, Any]


class KVCache:
    """Keys and values of every token read so far: `keys[layer]` and `values[layer]` have shape (heads, t, d_head).

    >>> cache = KVCache(layers=1, heads=2, d_head=3)
    >>> keys, values = cache.append(0, torch.ones(2, 1, 3), torch.zeros(2, 1, 3))
    >>> keys.shape, cache.length(), cache.nbytes()
    (torch.Size([2, 1, 3]), 1, 48)
    """

    def __init__(self, layers: int, heads: int, d_head: int):
        self.keys = [torch.zeros(heads, 0, d_head) for _ in range(layers)]
        self.values = [torch.zeros(heads, 0, d_head) for _ in range(layers)]

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append keys and values of n tokens, (heads, n, d_head), to a layer; returns all that it holds now."""
        self.keys[layer] = torch.cat([self.keys[layer], k], dim=1)
        self.values[layer] = torch.cat([self.values[layer], v], dim=1)
        return self.keys[layer], self.values[layer]

    def length(self, layer: int = 0) -> int:
        """Tokens that a layer holds."""
        return self.keys[layer].shape[1]

    def nbytes(self) -> int:
        """Bytes of all keys and values in all layers."""
        return sum(t.nbytes for t in [*self.keys, *self.values])

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens of every layer."""
        self.keys = [k[:, :length] for k in self.keys]
        self.values = [v[:, :length] for v in self.values]


def attend_to_cache(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of the newest token's query, (heads, d_head), to all keys and values, (heads, t, d_head).

    >>> attend_to_cache(torch.zeros(1, 1), torch.zeros(1, 2, 1), torch.tensor([[[2.0], [4.0]]]))
    tensor([[3.]])
    """
    scores = q[:, None] @ keys.mT / math.sqrt(q.shape[-1])
    return (scores.softmax(dim=-1) @ values)[:, 0]


def decode_step(token: int, p: Parameters, heads: int, cache: Any) -> Tensor:
    """Read one more token of a text: the logits of the token after it, shape (V,); the cache grows by one token.

    `p` and `heads` are those of `decoder_logits`; the text read before is in the cache only.
    """
    x = p["embed"][token] + p["position"][cache.length()]
    for layer, block in enumerate(p["blocks"]):
        a, f = block["attention"], block["ffn"]
        z = _norm(x, block["norm_1"])
        q, k, v = ((z @ a[name]).reshape(heads, -1) for name in ("w_q", "w_k", "w_v"))
        keys, values = cache.append(layer, k[:, None], v[:, None])
        x = x + attend_to_cache(q, keys, values).reshape(-1) @ a["w_o"]
        z = _norm(x, block["norm_2"])
        x = x + F.gelu(z @ f["w_1"] + f["b_1"], approximate="tanh") @ f["w_2"] + f["b_2"]
    return _norm(x, p["norm"]) @ p["embed"].T


def _norm(x: Tensor, p: Parameters) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], p["gain"], p["bias"])


def kv_cache_bytes(
    layers: int, kv_heads: int, d_head: int, length: int, batch: int = 1, bytes_per_number: int = 2
) -> int:
    """Bytes of a full cache: keys and values of `batch` texts of `length` tokens.

    >>> kv_cache_bytes(layers=32, kv_heads=32, d_head=128, length=4096)  # 2 GiB, Llama 2 7B in 16 bits
    2147483648
    """
    return 2 * layers * kv_heads * d_head * length * batch * bytes_per_number


def generation_flops(n: int, d_model: int, d_ff: int, layers: int, cached: bool) -> dict[str, int]:
    """Floating-point operations of all matrix products in the blocks, to read n tokens in n steps, by their purpose.

    Step t (from 1) puts one token through the blocks if there is a cache, else all t tokens of the text so far.

    >>> generation_flops(n=2, d_model=2, d_ff=8, layers=1, cached=False)
    {'projections': 96, 'feed_forward': 192, 'attention': 40}
    """
    rows = [1 if cached else t for t in range(1, n + 1)]
    return {
        "projections": layers * 8 * d_model**2 * sum(rows),
        "feed_forward": layers * 4 * d_model * d_ff * sum(rows),
        "attention": layers * 4 * d_model * sum(r * t for t, r in enumerate(rows, 1)),
    }
