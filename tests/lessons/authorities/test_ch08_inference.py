"""ch08 against transformers (DynamicCache, GPT-2 with use_cache, Llama) and torch (attention, its FLOP counter)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from autograder.exercise import find
from autograder.exercises import ch08_inference
from course.supplied import ch08
from course.supplied.ch07 import decoder_logits
from course.widgets.cache_budget import MODELS

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning")

ATTEND, DECODE = find("ch08.attend_to_cache").reference, find("ch08.decode_step").reference
CACHES = [find("ch08.KVCache").reference, ch08.KVCache]


@pytest.mark.parametrize("make", CACHES)
def test_ch08_cache_agrees_with_transformers(make):
    generator = torch.Generator().manual_seed(1)
    ours, theirs = make(2, 3, 4), transformers.DynamicCache()
    for n in (5, 1, 1):
        for layer in range(2):
            k, v = torch.randn(2, 3, n, 4, generator=generator)
            for mine, wanted in zip(ours.append(layer, k, v), theirs.update(k[None], v[None], layer), strict=True):
                assert torch.equal(mine, wanted[0])
    assert ours.length() == ours.length(1) == theirs.get_seq_length() == 7
    assert ours.nbytes() == sum(one.keys.nbytes + one.values.nbytes for one in theirs.layers)
    ours.truncate(4)
    theirs.crop(-3)  # so many are taken away
    for layer, one in enumerate(theirs.layers):
        assert torch.equal(ours.keys[layer], one.keys[0])
        assert torch.equal(ours.values[layer], one.values[0])


@pytest.mark.parametrize("attend", [ATTEND, ch08.attend_to_cache])
def test_ch08_attention_agrees_with_torch(attend):
    generator = torch.Generator().manual_seed(2)
    for heads, t, d_head in [(1, 1, 2), (2, 5, 3), (4, 30, 8)]:
        shapes = [(heads, d_head), (heads, t, d_head), (heads, t, d_head)]
        q, keys, values = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
        expected = F.scaled_dot_product_attention(q[:, None], keys, values)[:, 0]
        torch.testing.assert_close(attend(q, keys, values), expected, rtol=1e-9, atol=1e-11)


def gpt2(p: dict[str, Any], heads: int) -> Any:
    """transformers' GPT-2 with our parameters, in float64; its attention has biases, ours none."""
    vocab_size, d = p["embed"].shape
    settings = {"vocab_size": vocab_size, "n_positions": len(p["position"]), "n_embd": d, "n_head": heads,
                "n_layer": len(p["blocks"]), "n_inner": p["blocks"][0]["ffn"]["w_1"].shape[1],
                "bos_token_id": 0, "eos_token_id": 0}  # fmt: skip
    config = transformers.GPT2Config(**settings, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
    model = transformers.GPT2LMHeadModel(config).double().eval()
    body = model.transformer
    pairs = [(body.wte.weight, p["embed"]), (body.wpe.weight, p["position"])]
    pairs += [(body.ln_f.weight, p["norm"]["gain"]), (body.ln_f.bias, p["norm"]["bias"])]
    for theirs, ours in zip(body.h, p["blocks"], strict=True):
        a, f = ours["attention"], ours["ffn"]
        pairs += [(theirs.attn.c_attn.weight, torch.cat([a[w] for w in ("w_q", "w_k", "w_v")], 1))]
        pairs += [(theirs.attn.c_proj.weight, a["w_o"]), (theirs.mlp.c_fc.weight, f["w_1"])]
        pairs += [(theirs.mlp.c_fc.bias, f["b_1"]), (theirs.mlp.c_proj.weight, f["w_2"])]
        pairs += [(theirs.mlp.c_proj.bias, f["b_2"])]
        for norm, key in ((theirs.ln_1, "norm_1"), (theirs.ln_2, "norm_2")):
            pairs += [(norm.weight, ours[key]["gain"]), (norm.bias, ours[key]["bias"])]
    with torch.no_grad():
        for theirs, ours in pairs:
            theirs.copy_(ours)
        for block in body.h:
            block.attn.c_attn.bias.zero_()
            block.attn.c_proj.bias.zero_()
    return model


@pytest.mark.parametrize(("heads", "d_head", "layers"), [(2, 3, 1), (3, 4, 3)])
@pytest.mark.parametrize("decode", [DECODE, ch08.decode_step])
@torch.no_grad()
def test_ch08_decoding_agrees_with_gpt2_and_its_cache(decode, heads, d_head, layers):
    rng = np.random.default_rng(layers)
    p = ch08_inference._random_decoder(rng, 11, heads, d_head, layers, 7, 9)
    model, theirs, ours = gpt2(p, heads), transformers.DynamicCache(), ch08.KVCache(layers, heads, d_head)
    for t, token in enumerate(rng.integers(0, 11, 9)):
        at = torch.tensor([[t]])
        expected = model(torch.tensor([[token]]), past_key_values=theirs, use_cache=True, position_ids=at).logits[0, -1]
        torch.testing.assert_close(decode(int(token), p, heads, ours).double(), expected, rtol=2e-4, atol=2e-5)
        for layer, one in enumerate(theirs.layers):
            torch.testing.assert_close(ours.keys[layer].double(), one.keys[0], rtol=2e-4, atol=2e-5)
            torch.testing.assert_close(ours.values[layer].double(), one.values[0], rtol=2e-4, atol=2e-5)


@torch.no_grad()
def test_ch08_decoding_step_by_step_is_the_model_of_ch07():
    rng = np.random.default_rng(5)
    p = ch08_inference._random_decoder(rng, 9, 2, 4, 2, 6, 12)
    tokens, cache = torch.from_numpy(rng.integers(0, 9, (1, 12))), ch08.KVCache(2, 2, 4)
    steps = torch.stack([ch08.decode_step(int(t), p, 2, cache) for t in tokens[0]])
    torch.testing.assert_close(steps, decoder_logits(tokens, p, 2)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (4, 1)])
@torch.no_grad()
def test_ch08_bytes_agree_with_the_cache_of_a_llama(heads, kv_heads):
    config = transformers.LlamaConfig(
        vocab_size=7, hidden_size=8 * heads, intermediate_size=16, num_hidden_layers=3, num_attention_heads=heads,
        num_key_value_heads=kv_heads, head_dim=8, pad_token_id=0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).to(torch.bfloat16)
    cache = transformers.DynamicCache()
    model(torch.ones(2, 5, dtype=torch.int64), past_key_values=cache, use_cache=True)
    expected = sum(one.keys.nbytes + one.values.nbytes for one in cache.layers)
    for count in (find("ch08.kv_cache_bytes").reference, ch08.kv_cache_bytes):
        assert count(3, kv_heads, 8, 5, batch=2, bytes_per_number=2) == expected


@torch.no_grad()
@pytest.mark.parametrize(("n", "d_head", "d_ff", "layers"), [(1, 3, 5, 1), (6, 4, 9, 2)])
def test_ch08_operations_agree_with_torchs_counter(n, d_head, d_ff, layers):
    heads, vocab_size = 2, 5
    d = heads * d_head
    p = ch08_inference._random_decoder(np.random.default_rng(n), vocab_size, heads, d_head, layers, d_ff, n)
    tokens, cache = torch.zeros(1, n, dtype=torch.int64), ch08.KVCache(layers, heads, d_head)
    count = find("ch08.generation_flops").reference
    with FlopCounterMode(display=False) as whole:
        for t in range(1, n + 1):
            decoder_logits(tokens[:, :t], p, heads)
    leaving = 2 * d * vocab_size * n * (n + 1) // 2  # the logits, which the exercise leaves out
    assert count(n, d, d_ff, layers, False) == ch08.generation_flops(n, d, d_ff, layers, False)
    assert whole.get_total_flops() == sum(count(n, d, d_ff, layers, False).values()) + leaving
    with FlopCounterMode(display=False) as step_by_step:
        for _ in range(n):
            one_row_at_a_time(p, heads, cache)
    assert count(n, d, d_ff, layers, True) == ch08.generation_flops(n, d, d_ff, layers, True)
    assert step_by_step.get_total_flops() == sum(count(n, d, d_ff, layers, True).values())


def one_row_at_a_time(p: dict[str, Any], heads: int, cache: ch08.KVCache) -> None:
    """The products of one cached step on matrices of one row: the counter does not know products with a vector."""
    x = p["embed"][:1]
    for layer, block in enumerate(p["blocks"]):
        a, f = block["attention"], block["ffn"]
        q, k, v = ((x @ a[w]).reshape(heads, 1, -1) for w in ("w_q", "w_k", "w_v"))
        keys, values = cache.append(layer, k, v)
        x = (q @ keys.mT @ values).reshape(1, -1) @ a["w_o"]
        x = x @ f["w_1"] @ f["w_2"]


INNER = {"Llama 2 7B": 11008, "Llama 2 13B": 13824, "Llama 2 70B": 28672, "Llama 3.1 8B": 14336, "Llama 3.1 70B": 28672}


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_ch08_parameters_of_well_known_models_are_those_of_their_configuration(model):
    """Counted on models without storage; vocabulary and inner widths are those of the published configurations."""
    with torch.device("meta"):
        if model.name == "GPT-2 small":
            built = transformers.GPT2LMHeadModel(transformers.GPT2Config())
        else:
            config = transformers.LlamaConfig(
                vocab_size=32000 if "Llama 2" in model.name else 128256, hidden_size=model.heads * model.d_head,
                intermediate_size=INNER[model.name], num_hidden_layers=model.layers,
                num_attention_heads=model.heads, num_key_value_heads=model.kv_heads, tie_word_embeddings=False,
            )  # fmt: skip
            built = transformers.LlamaForCausalLM(config)
    assert sum(w.numel() for w in built.parameters()) == model.parameters
