"""The decoder: the same with a cache as without, causal, and the course's other decoder where both can be the same."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from course.lab.decoder import Cache, Config, Decoder, rotate, rotations, visible
from course.supplied.ch04 import apply_rope
from course.supplied.ch07 import decoder_logits, init_decoder

SMALL = Config(vocab=11, d_model=24, layers=3, heads=6, d_ff=40, length=13)
KINDS = [replace(SMALL, positions=p, kv_heads=kv) for p in ("learned", "rope", "none") for kv in (None, 2, 1)]
named = pytest.mark.parametrize("config", KINDS, ids=lambda c: f"{c.positions}-{c.keys}")


def lively(config: Config) -> Decoder:
    """A model whose numbers are large enough for every part to matter."""
    model = Decoder(config, seed=3)
    generator = torch.Generator().manual_seed(4)
    for p in model.parameters():
        p.data += 0.3 * torch.randn(p.shape, generator=generator)
    return model.requires_grad_(False)


def some_ids(batch: int = 4, length: int = 13) -> torch.Tensor:
    return torch.randint(11, (batch, length), generator=torch.Generator().manual_seed(5))


@named
@pytest.mark.parametrize("pieces", [[13], [6] + [1] * 7, [1] * 13, [3, 4, 1, 5]], ids=str)
def test_a_cache_changes_nothing(config, pieces):
    model, ids = lively(config), some_ids()
    cache = Cache(model, 4)
    parts = [model(part, cache) for part in ids.split(pieces, 1)]
    torch.testing.assert_close(torch.cat(parts, 1), model(ids), rtol=1e-4, atol=1e-4)
    assert cache.used == 13


@named
def test_padding_at_the_left_changes_nothing(config):
    model, ids = lively(config), some_ids()
    padding = torch.tensor([0, 3, 8, 12])
    alone = [model(row[None, n:])[0, -1] for row, n in zip(ids, padding.tolist(), strict=True)]
    torch.testing.assert_close(model(ids, padding=padding)[:, -1], torch.stack(alone), rtol=1e-4, atol=1e-4)
    cache = Cache(model, 4)
    stepped = [model(part, cache, padding) for part in ids.split([10, 1, 2], 1)][-1][:, -1]
    torch.testing.assert_close(stepped, torch.stack(alone), rtol=1e-4, atol=1e-4)


@named
def test_no_token_sees_the_future(config):
    model, ids = lively(config), some_ids()
    other = ids.clone()
    other[:, 7] = (other[:, 7] + 1) % 11
    before, after = model(ids), model(other)
    assert torch.equal(before[:, :7], after[:, :7])
    assert ((before - after).abs().amax(-1)[:, 7:] > 1e-3).all()


@pytest.mark.parametrize("positions", ["learned", "rope"])
def test_order_matters(positions):
    model, ids = lively(replace(SMALL, positions=positions)), torch.tensor([[1, 2, 3, 4], [2, 1, 3, 4]])
    a, b = model(ids)[:, -1]
    assert (a - b).abs().max() > 1e-2


def test_rope_depends_on_distances_only():
    """Scores are the same when all places move; and each vector is turned as chapter 4 turns it."""
    config, places = replace(SMALL, positions="rope"), torch.arange(5).expand(2, 5)
    z = torch.randn(2, 6, 5, 4)
    here, there = (rotate(z, rotations(places + shift, config)) for shift in (0, 7))
    assert not torch.allclose(here, there)
    torch.testing.assert_close(here @ here.mT, there @ there.mT, rtol=1e-4, atol=1e-4)
    ours = rotate(z, rotations(places + 2, config))[1, 3]
    theirs = apply_rope(z[1, 3].double().numpy(), np.arange(2, 7))
    torch.testing.assert_close(ours.double(), torch.from_numpy(theirs), rtol=1e-5, atol=1e-5)


def test_attention_turns_queries_and_keys_alike():
    config, places = replace(SMALL, positions="rope"), torch.arange(5).expand(2, 5)
    attention, z = lively(config).blocks[0].attention, torch.randn(2, 5, 24)
    here, there = (
        attention(z, partial(rotate, turns=rotations(places + shift, config)), None, None) for shift in (0, 7)
    )
    torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(here, attention(z, None, None, None), atol=1e-2)


@pytest.mark.parametrize("positions", ["learned", "rope"])
def test_places_may_be_given(positions):
    config, ids = replace(SMALL, positions=positions), some_ids(2, 6)
    model, counted = lively(config), torch.arange(6).expand(2, 6)
    assert torch.equal(model(ids, places=counted), model(ids))
    moved = model(ids, places=counted + torch.tensor([[0], [5]]))
    same = positions == "rope"  # that knows distances only
    assert torch.allclose(moved[0], model(ids)[0], atol=1e-4)
    assert torch.allclose(moved[1], model(ids)[1], rtol=1e-4, atol=1e-3) == same
    assert not torch.allclose(model(ids, places=2 * counted), model(ids), atol=1e-2)


def test_given_places_are_kept_by_a_cache():
    model, ids = lively(replace(SMALL, positions="rope")), some_ids(2, 6)
    places = torch.tensor([[1, 2, 0, 1, 2, 0], [4, 5, 3, 4, 5, 3]])
    cache = Cache(model, 2)
    parts = [model(ids[:, i : i + 2], cache, places=places[:, i : i + 2]) for i in (0, 2, 4)]
    torch.testing.assert_close(torch.cat(parts, 1), model(ids, places=places), rtol=1e-4, atol=1e-4)


@named
def test_a_turn_of_ones_own_takes_the_place_of_rope(config):
    model, ids, asked = lively(config), some_ids(), []
    before = model(ids)

    def still(x, places):
        asked.append((x.shape, places.shape))
        return x

    model.turn = still
    after = model(ids)
    if config.positions != "rope":
        assert torch.equal(before, after)
        assert not asked
        return
    assert asked[:2] == [((4, 6, 13, 4), (4, 1, 13)), ((4, config.keys, 13, 4), (4, 1, 13))]
    without = lively(replace(config, positions="none"))
    torch.testing.assert_close(after, without(ids), rtol=1e-4, atol=1e-4)
    model.turn = lambda x, places: rotate(x, rotations(places[:, 0], config))
    torch.testing.assert_close(model(ids), before, rtol=1e-4, atol=1e-4)


def test_a_padding_token_sees_itself_alone():
    """So that no row is empty: whether attention over nothing is 0 or NaN is up to the kernel."""
    mask = visible(0, 4, torch.tensor([0, 2]), torch.device("cpu"))
    causal = torch.ones(4, 4, dtype=torch.bool).tril()
    assert torch.equal(mask[0, 0], causal)
    assert mask[1, 0].int().tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]


def test_shared_keys_are_the_same_as_keys_written_twice():
    shared, full = lively(replace(SMALL, kv_heads=2)), Decoder(SMALL)
    weights = shared.state_dict()
    for name in [n for n in weights if ".key." in n or ".value." in n]:
        weights[name] = weights[name].unflatten(0, (2, 4)).repeat_interleave(3, 0).flatten(0, 1)
    full.load_state_dict(weights)
    torch.testing.assert_close(shared(some_ids()), full(some_ids()), rtol=1e-4, atol=1e-4)


def test_it_is_chapter_7s_decoder_where_both_can_be_the_same():
    """RMSNorm is LayerNorm where every token's mean is 0: so what writes into the stream is centred here."""
    p = init_decoder(vocab_size=11, d_model=24, heads=6, layers=3, d_ff=40, length=13, seed=1)
    model = Decoder(SMALL)
    writes = [p["embed"], p["position"]]
    writes += [w for b in p["blocks"] for w in (b["attention"]["w_o"], b["ffn"]["w_2"])]
    for matrix in writes:
        matrix -= matrix.mean(1, keepdim=True)
    ours = {"embed.weight": p["embed"], "position.weight": p["position"], "head.weight": p["embed"]}
    for i, b in enumerate(p["blocks"]):
        names = {"attention.query": "w_q", "attention.key": "w_k", "attention.value": "w_v", "attention.out": "w_o"}
        ours |= {f"blocks.{i}.{mine}.weight": b["attention"][theirs].T for mine, theirs in names.items()}
        ours |= {f"blocks.{i}.up.weight": b["ffn"]["w_1"].T, f"blocks.{i}.down.weight": b["ffn"]["w_2"].T}
    missing = model.load_state_dict(ours, strict=False).missing_keys
    assert all("norm" in name for name in missing)
    torch.testing.assert_close(model(some_ids()), decoder_logits(some_ids(), p, heads=6), rtol=1e-4, atol=1e-5)


@named
def test_the_number_of_parameters(config):
    c, kv = config, config.keys * config.d_head
    block = 2 * c.d_model**2 + 2 * kv * c.d_model + 2 * c.d_model * c.d_ff + 2 * c.d_model
    places = c.length * c.d_model if c.positions == "learned" else 0
    assert Decoder(c).size == 2 * c.vocab * c.d_model + places + c.layers * block + c.d_model


def test_a_cache_of_fewer_keys_is_smaller():
    full, shared = (Cache(Decoder(replace(SMALL, kv_heads=kv)), batch=5, length=7) for kv in (6, 2))
    assert full.nbytes == 3 * shared.nbytes == 2 * 3 * 5 * 6 * 7 * 4 * 4


def test_rows_can_be_dropped_from_a_cache():
    model, ids, keep = lively(SMALL), some_ids(), torch.tensor([True, False, True, False])
    cache = Cache(model, 4)
    model(ids[:, :6], cache)
    cache.keep_rows(keep)
    torch.testing.assert_close(model(ids[keep, 6:], cache), model(ids)[keep, 6:], rtol=1e-4, atol=1e-4)


def test_a_seed_gives_the_same_model_and_another_another():
    same, again, other = (Decoder(SMALL, seed=s).embed.weight for s in (1, 1, 2))
    assert torch.equal(same, again)
    assert not torch.equal(same, other)


def test_what_adds_to_the_stream_begins_quietly():
    model = Decoder(Config(vocab=50, d_model=96, layers=8, heads=2, d_ff=200, length=50))
    deviations = {name: p.std().item() for name, p in model.named_parameters() if p.ndim == 2}
    for name, deviation in deviations.items():
        quiet = "attention.out" in name or "down" in name
        assert deviation == pytest.approx(0.005 if quiet else 0.02, rel=0.1), name


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"heads": 5}, "cannot share a width"),
        ({"kv_heads": 4}, "evenly"),
        ({"positions": "sine"}, "one of learned, rope, none"),
        ({"positions": "rope", "heads": 8}, "must be even"),
    ],
)
def test_an_impossible_shape_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        replace(SMALL, **change)


def test_a_text_that_is_too_long_is_refused():
    model = Decoder(SMALL)
    with pytest.raises(ValueError, match="14 tokens are more than the 13"):
        model(some_ids(1, 14))
    cache = Cache(model, 1)
    model(some_ids(1, 13), cache)
    with pytest.raises(ValueError, match="14 tokens"):
        model(some_ids(1, 1), cache)
