"""m21 against the laboratory's decoder without a cache, and against transformers: left-padded generate, crop, sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from autograder.exercise import find
from course.lab.batches import Memo, PaddedCache, Reader, random_reader
from course.lab.decoder import Config, visible
from course.lab.generation import left_padded
from course.supplied import m21

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning")

SHAPE = Config(vocab=13, d_model=24, layers=2, heads=6, d_ff=20, length=32, positions="rope", kv_heads=2)
NAMES = ("places_and_mask", "prefill", "decode", "roll_back", "read_with_memo", "batch_bytes")
BOTH = {name: [find(f"m21.{name}").reference, getattr(m21, name)] for name in NAMES}
CLOSE = {"rtol": 1e-3, "atol": 1e-3}


def each(name: str) -> Any:
    """The reference and the course's own version."""
    return pytest.mark.parametrize(name, BOTH[name], ids=["reference", "course"])


def prompts(*lengths: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(sum(lengths))
    return [torch.randint(1, SHAPE.vocab, (n,), generator=generator) for n in lengths]


@pytest.fixture
def reader() -> Reader:
    return random_reader(4, SHAPE)


@each("places_and_mask")
@pytest.mark.parametrize(("start", "count"), [(0, 5), (3, 2), (4, 1)])
def test_m21_mask_agrees_with_the_laboratorys_decoder(places_and_mask, start, count):
    padding = torch.tensor([0, 3, 4, 1])
    places, mask = places_and_mask(padding, start, count)
    assert torch.equal(mask, visible(start, start + count, padding, torch.device("cpu"))[:, 0])
    attention_mask = (torch.arange(start + count) >= padding[:, None]).long()  # as transformers' generate makes places
    wanted = attention_mask.cumsum(-1) - 1
    assert torch.equal(places, wanted.clamp(min=0)[:, start:])


@each("prefill")
@pytest.mark.parametrize("positions", ["learned", "rope"])
@pytest.mark.parametrize("chunk", [None, 1, 4])
def test_m21_prefill_agrees_with_each_text_alone(prefill, positions, chunk):
    reader, texts = random_reader(5, replace(SHAPE, positions=positions)), prompts(9, 3, 6)
    ids, padding = left_padded(texts)
    scores = prefill(reader, ids, PaddedCache(reader, padding), chunk)
    alone = torch.stack([reader.model(text[None])[0, -1] for text in texts])
    torch.testing.assert_close(scores.float(), alone, **CLOSE)


def llama(reader: Reader) -> Any:
    """transformers' Llama with the cache's shapes, untrained: another model than ours, for what is not in numbers."""
    c = reader.config
    config = transformers.LlamaConfig(
        vocab_size=c.vocab, hidden_size=c.d_model, intermediate_size=c.d_ff, num_hidden_layers=c.layers,
        num_attention_heads=c.heads, num_key_value_heads=c.keys, pad_token_id=0, bos_token_id=None, eos_token_id=None,
        max_position_embeddings=c.length, rms_norm_eps=1e-5, tie_word_embeddings=False,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


class LlamaReader(Reader):
    """A reader whose model is transformers' Llama, with places and mask from the caller, as ours."""

    def __init__(self, reader: Reader):
        torch.manual_seed(3)
        self.config, self.model = reader.config, reader.model
        self.theirs = llama(reader)
        for p in self.theirs.parameters():
            p.data += 0.2 * torch.randn(p.shape)
        self.past = transformers.DynamicCache()
        self.reset()

    @torch.no_grad()
    def __call__(self, ids, places, mask, cache):
        self.count(*ids.shape)
        cache.used += ids.shape[1]
        bias = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)[:, None]
        out = self.theirs(ids, attention_mask=bias, position_ids=places, past_key_values=self.past, use_cache=True)
        return out.logits


@pytest.mark.parametrize("chunk", [None, 3])
def test_m21_generation_agrees_with_transformers_left_padded_generate(reader, chunk):
    """The same Llama, once with our places, masks and loop, once with all of transformers' own."""
    theirs, texts = LlamaReader(reader), prompts(8, 3, 5)
    ids, padding = left_padded(texts)
    free = theirs.theirs.generate(
        ids, attention_mask=(torch.arange(8) >= padding[:, None]).long(), max_new_tokens=10, do_sample=False,
    )[:, 8:]  # fmt: skip
    stop = int(free[0, 3])  # a token that the first row says
    expected = theirs.theirs.generate(
        ids, attention_mask=(torch.arange(8) >= padding[:, None]).long(), max_new_tokens=10, do_sample=False,
        eos_token_id=stop, pad_token_id=stop,
    )[:, 8:]  # fmt: skip
    cache = PaddedCache(theirs, padding)
    written = m21.decode(theirs, m21.prefill(theirs, ids, cache, chunk), cache, 10, stop)
    assert torch.equal(written[:, : expected.shape[1]], expected)
    assert (written[:, expected.shape[1] :] == stop).all()


@each("decode")
@pytest.mark.parametrize("positions", ["learned", "rope"])
def test_m21_decode_agrees_with_the_decoder_without_a_cache(decode, positions):
    reader, texts, stop = random_reader(6, replace(SHAPE, positions=positions)), prompts(7, 2, 5), 5
    ids, padding = left_padded(texts)
    cache = PaddedCache(reader, padding)
    written = decode(reader, m21.prefill(reader, ids, cache), cache, 8, stop)
    for text, said in zip(texts, written.tolist(), strict=True):
        alone = text.tolist()
        while len(alone) < len(text) + 8 and stop not in alone[len(text) :]:
            alone.append(int(reader.model(torch.tensor([alone]))[0, -1].argmax()))
        assert said == (alone[len(text) :] + 8 * [stop])[:8]


@each("roll_back")
def test_m21_rolling_back_agrees_with_transformers_crop(roll_back, reader):
    cache = PaddedCache(reader, torch.tensor([2, 0]))
    k, v = torch.randn(2, 2, 2, 2, 9, 4, generator=torch.Generator().manual_seed(1))
    cache.fill(k, v)
    roll_back(cache, torch.tensor([1, 4]))
    for row, (start, lost) in enumerate([(2, 1), (0, 4)]):
        theirs = transformers.DynamicCache()
        for layer in range(2):
            theirs.update(k[layer, row : row + 1, :, start:], v[layer, row : row + 1, :, start:], layer)
        theirs.crop(-lost)  # so many are taken away
        for layer, one in enumerate(theirs.layers):
            assert torch.equal(cache.texts()[row][0, layer], one.keys[0])
            assert torch.equal(cache.texts()[row][1, layer], one.values[0])


@each("roll_back")
def test_m21_after_rolling_back_the_texts_go_on_as_if_nothing_had_been_there(roll_back, reader):
    texts = prompts(8, 5)
    ids, padding = left_padded(texts)
    cache = PaddedCache(reader, padding)
    m21.prefill(reader, ids, cache)
    roll_back(cache, torch.tensor([1, 3]))
    scores = m21.prefill(reader, torch.tensor([[3], [4]]), cache)
    kept = [torch.cat([texts[0][:7], torch.tensor([3])]), torch.cat([texts[1][:2], torch.tensor([4])])]
    alone = torch.stack([reader.model(text[None])[0, -1] for text in kept])
    torch.testing.assert_close(scores, alone, **CLOSE)


@each("read_with_memo")
def test_m21_a_memo_changes_no_scores(read_with_memo, reader):
    memo, (text,) = Memo(), prompts(9)
    for ids in (text[:6], text, torch.cat([text[:4], text[:4]]), text):
        scores = read_with_memo(reader, ids, memo)
        torch.testing.assert_close(scores.float(), reader.model(ids[None])[0, -1], **CLOSE)
    assert reader.tokens == 6 + 3 + 4 + 1
    for ids, cache in memo.items():
        alone = PaddedCache(reader, torch.tensor([0]))
        m21.prefill(reader, torch.tensor([ids]), alone)
        torch.testing.assert_close(cache.texts()[0], alone.texts()[0], **CLOSE)


@each("batch_bytes")
@pytest.mark.parametrize("kv_heads", [6, 2, 1])
def test_m21_bytes_agree_with_real_caches(batch_bytes, kv_heads):
    reader, lengths = random_reader(7, replace(SHAPE, kv_heads=kv_heads)), [9, 4, 6]
    sizes = batch_bytes(lengths, 5, 3, 2, 24, 6, kv_heads, bytes_per_number=4)
    assert PaddedCache(reader, torch.tensor([0, 5, 3]), length=14).nbytes == sizes["padded"]
    theirs = []
    for n in [*lengths, 3]:
        past = transformers.DynamicCache()
        llama(reader)(torch.ones(1, n + 5 * (n != 3), dtype=torch.int64), past_key_values=past, use_cache=True)
        theirs.append(sum(one.keys.nbytes + one.values.nbytes for one in past.layers))
    *own, common = theirs
    assert sizes["exact"] == sum(own)
    assert sizes["shared"] == sum(own) - 2 * common


def test_m21_reader_is_the_laboratorys_decoder(reader):
    ids = torch.stack(prompts(7, 7))
    cache = PaddedCache(reader, torch.zeros(2, dtype=torch.int64))
    places, mask = m21.places_and_mask(cache.padding, 0, 7)
    torch.testing.assert_close(reader(ids, places, mask, cache), reader.model(ids), **CLOSE)
    assert (reader.calls, reader.tokens, reader.within(7), reader.within(6)) == (1, 14, True, False)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"places": torch.zeros(2, 3, dtype=torch.int64)}, "places need"),
        ({"mask": torch.ones(2, 2, 3, dtype=torch.bool)}, "mask need"),
        ({"ids": torch.ones(3, 2, dtype=torch.int64)}, "need the shape"),
        ({"ids": torch.ones(2, dtype=torch.int64)}, "ids need"),
        ({"places": torch.tensor([[0, 1], [-1, 0]])}, "-1 is none"),
    ],
)
def test_m21_reader_refuses_what_does_not_fit(reader, change, says):
    ids = torch.ones(2, 2, dtype=torch.int64)
    call = {"ids": ids, "places": ids * 0, "mask": torch.ones(2, 2, 2, dtype=torch.bool)} | change
    with pytest.raises(ValueError, match=says):
        reader(**call, cache=PaddedCache(reader, torch.tensor([0, 0])))


def test_m21_a_full_cache_refuses_more(reader):
    cache = PaddedCache(reader, torch.tensor([0]), length=3)
    m21.prefill(reader, torch.ones(1, 3, dtype=torch.int64), cache)
    with pytest.raises(ValueError, match="3 slots"):
        m21.prefill(reader, torch.ones(1, 1, dtype=torch.int64), cache)
    with pytest.raises(ValueError, match="2 rows"):
        reader(*(torch.zeros(2, 1, dtype=torch.int64),) * 2, torch.ones(2, 1, 4, dtype=torch.bool), cache)


def test_m21_a_copy_goes_its_own_way(reader):
    cache = PaddedCache(reader, torch.tensor([0]))
    m21.prefill(reader, torch.ones(1, 3, dtype=torch.int64), cache)
    before, twin = cache.texts()[0], cache.copy()
    m21.roll_back(twin, torch.tensor([2]))
    twin.k += 1
    twin.padding += 1
    assert torch.equal(cache.texts()[0], before)
    assert np.array_equal(cache.padding, [0])


def test_m21_a_memo_takes_tuples_of_ints_only(reader):
    memo, cache = Memo(), PaddedCache(reader, torch.tensor([0]))
    memo[3, 4] = cache
    for key in (torch.tensor([3, 4]), "34", (torch.tensor(3),)):
        with pytest.raises(TypeError, match="tuple of ints"):
            memo[key] = cache
    assert list(memo) == [(3, 4)]
