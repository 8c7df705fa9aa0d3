"""Exercises of m21, the KV cache of a batch. The references compute each text by itself, in float64 and without padding;
they agree with the laboratory's decoder without a cache, with `transformers.LlamaForCausalLM` (left-padded `generate`,
`DynamicCache.crop`) and with the sizes of its caches."""

import math

import torch

from autograder.exercise import case, exercise, question
from course.checks.compare import close, exact
from course.checks.script import attribute, call, failing, given, held, method
from course.lab.batches import KINDS, PaddedCache, random_reader

TITLE = "KV cache: prefill and decode"

PASS = close(1e-3, 1e-3, why="a float32 pass sums up to 40 terms in each of its products, several times over")


def _normal(rng, *shape):
    return torch.tensor(rng.standard_normal(shape), dtype=torch.float32)


def _ids(rng, vocab, *shape):
    return torch.tensor(rng.integers(vocab, size=shape), dtype=torch.int64)


def _padding(*numbers):
    return torch.tensor(numbers, dtype=torch.int64)


# ---- the model in float64, one text at a time, from its parameters alone ------------------------------------------


def _rms(x, gain):
    return x / ((x * x).mean(-1, keepdim=True) + 1e-5).sqrt() * gain


def _turned(x, places, c):
    """RoPE by complex numbers: (n, heads, d_head)."""
    speeds = c.base ** (-torch.arange(0, c.d_head, 2, dtype=torch.float64) / c.d_head)
    turns = torch.exp(1j * places[:, None] * speeds)[:, None]
    return torch.view_as_real(torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2)) * turns).flatten(-2)


def _attended(q, keys, values, places):
    """(n, h, d), (S, kv, d) -> (n, h d): token by token, head by head."""
    group, rows = q.shape[1] // keys.shape[1], []
    for one, place in zip(q, places.tolist(), strict=True):
        for head, query in enumerate(one):
            powers = torch.exp(keys[: place + 1, head // group] @ query / math.sqrt(len(query)))
            rows.append(powers @ values[: place + 1, head // group] / powers.sum())
    return torch.stack(rows).reshape(len(q), -1)


def _read(model, ids, past):
    """Tokens (n,) after a past (2, layers, kv_heads, m, d_head) -> logits (n, V), and the past with them in it."""
    c, w = model.config, {name: p.double() for name, p in model.state_dict().items()}
    places = past.shape[3] + torch.arange(len(ids))
    x, new = w["embed.weight"][ids], []
    if c.positions == "learned":
        x = x + w["position.weight"][places]
    for layer in range(c.layers):
        b = {name.split(".", 2)[2]: p for name, p in w.items() if name.startswith(f"blocks.{layer}.")}
        z = _rms(x, b["norm_1.weight"])
        q, k, v = (
            (z @ b[f"attention.{name}.weight"].T).reshape(len(ids), -1, c.d_head) for name in ("query", "key", "value")
        )
        if c.positions == "rope":
            q, k = _turned(q, places, c), _turned(k, places, c)
        keys, values = (torch.cat([old.transpose(0, 1), t]) for old, t in zip(past[:, layer], (k, v), strict=True))
        x = x + _attended(q, keys, values, places) @ b["attention.out.weight"].T
        h = _rms(x, b["norm_2.weight"]) @ b["up.weight"].T
        x = x + h / (1 + torch.exp(-2 * math.sqrt(2 / math.pi) * (h + 0.044715 * h**3))) @ b["down.weight"].T
        new.append(torch.stack([keys, values]).transpose(1, 2))
    return _rms(x, w["norm.weight"]) @ w["head.weight"].T, torch.stack(new, 1)


def _advance(reader, ids, cache):
    """Read a column block (B, T) of ids in float64, each row's text by itself; the last logits of each row, (B, V)."""
    end, last = cache.used + ids.shape[1], []
    pasts = [text.double() for text in cache.texts()]
    for row, past in enumerate(pasts):
        own = ids[row, max(0, int(cache.padding[row]) - cache.used) :]
        logits, both = _read(reader.model, own, past)
        cache.k[:, row, :, int(cache.padding[row]) : end], cache.v[:, row, :, int(cache.padding[row]) : end] = both
        last.append(logits[-1])
    cache.used = end
    return torch.stack(last)


# ---- places and mask ----------------------------------------------------------------------------------------------


def _places(padding, start, count):
    return (torch.arange(start, start + count) - padding[:, None]).clamp(min=0)


def _grid(padding, start, count):
    """Slots of the keys (S,), slots of the queries (count, 1), and which keys are text (B, 1, S)."""
    keys = torch.arange(start + count)
    return keys, torch.arange(start, start + count)[:, None], keys >= padding[:, None, None]


def _mask(padding, start, count):
    keys, queries, text = _grid(padding, start, count)
    return (keys <= queries) & text | (keys == queries)


def _both(padding, start, count):
    return _places(padding, start, count), _mask(padding, start, count)


@exercise(
    points=4,
    minutes=15,
    source="torch's scaled_dot_product_attention (its boolean mask); left padding as in transformers' generate",
)
class places_and_mask:
    """Where the next tokens of a left-padded batch stand in their texts, and which slots of the cache they may see."""

    tolerance = exact

    def cases(rng):
        yield case(_padding(0, 2, 1), 0, 4, label="three prompts, read at once")
        yield case(_padding(3, 0), 5, 1, label="one more token in each row")
        yield case(_padding(4, 0, 3), 2, 3, label="a chunk in the middle, in which texts begin")
        yield case(_padding(1), 0, 2, label="a single row")
        rows, start, count = int(rng.integers(2, 5)), int(rng.integers(1, 5)), int(rng.integers(2, 5))
        padding = torch.tensor(rng.integers(start + count, size=rows), dtype=torch.int64)
        padding[int(rng.integers(rows))] = start + 1
        yield case(padding, start, count, label="sizes drawn at random")

    def reference(padding, start, count):
        places, mask = [], []
        for empty in padding.tolist():
            slots = range(start, start + count)
            places.append([max(0, slot - empty) for slot in slots])
            seen = [range(empty, slot + 1) if slot >= empty else [slot] for slot in slots]
            mask.append([[key in row for key in range(start + count)] for row in seen])
        return torch.tensor(places), torch.tensor(mask)

    class misconceptions:
        def places_are_slots(padding, start, count):
            """Your places are the slots. A text's first token has place 0, whatever the padding before it: subtract that."""
            places = torch.arange(start, start + count).expand(len(padding), count)
            return places.clone(), _mask(padding, start, count)

        def places_below_0(padding, start, count):
            """Padding gets negative places, which no table of positions has. Make them 0."""
            return torch.arange(start, start + count) - padding[:, None], _mask(padding, start, count)

        def places_from_the_start_of_the_call(padding, start, count):
            """Your places begin anew in this call. The first new token stands in slot `start`: count on from there."""
            return _places(padding, 0, count), _mask(padding, start, count)

        def padding_added(padding, start, count):
            """You add the padding to the slot. It stands before the text, so a token's place is smaller than its slot."""
            return torch.arange(start, start + count) + padding[:, None], _mask(padding, start, count)

        def causal_only(padding, start, count):
            """Your mask is causal, but shows the padding. Slots before `padding` hold no text: hide them."""
            keys, queries, _ = _grid(padding, start, count)
            return _places(padding, start, count), (keys <= queries).repeat(len(padding), 1, 1)

        def not_causal(padding, start, count):
            """Your mask hides the padding, but not the future: within a call, no token may see a later slot."""
            keys, queries, text = _grid(padding, start, count)
            return _places(padding, start, count), text & (queries >= 0) | (keys == queries)

        def padding_sees_nothing(padding, start, count):
            """A padding token sees nothing at all, and a softmax over nothing can be NaN. Let it see itself."""
            keys, queries, text = _grid(padding, start, count)
            return _places(padding, start, count), (keys <= queries) & text

        def padding_sees_all_before(padding, start, count):
            """A padding token should see itself alone; yours sees the padding before it as well."""
            keys, queries, text = _grid(padding, start, count)
            return _places(padding, start, count), (keys <= queries) & (text | (queries < padding[:, None, None]))

        def itself_hidden(padding, start, count):
            """A token does not see itself in your mask. Its own slot belongs to what it may see."""
            keys, queries, text = _grid(padding, start, count)
            return _places(padding, start, count), (keys < queries) & text

        def past_left_out(padding, start, count):
            """Your mask has a column for each new slot only. The slots before `start` are in the cache: S is start + count."""
            return _places(padding, start, count), _mask(padding, start, count)[:, :, start:]

        def triangle_at_the_left(padding, start, count):
            """Your triangle begins in slot 0, but the first query stands in slot `start`: it may see all text before it."""
            keys, queries, text = _grid(padding, start, count)
            rows = queries - start
            return _places(padding, start, count), (keys <= rows) & text | (keys == queries)

        def padded_at_the_right(padding, start, count):
            """You hide the last slots of each row. The padding stands at the left: slots 0 to padding - 1."""
            keys, queries, _ = _grid(padding, start, count)
            text = keys < start + count - padding[:, None, None]
            return _places(padding, start, count), (keys <= queries) & text | (keys == queries)

        def first_token_hidden(padding, start, count):
            """The first token of each text is hidden: slot number `padding`, counted from 0, is text already."""
            keys, queries, _ = _grid(padding, start, count)
            text = keys > padding[:, None, None]
            return _places(padding, start, count), (keys <= queries) & text | (keys == queries)

        def last_padding_shown(padding, start, count):
            """The last padding slot is shown: counted from 0, the padding is slots 0 to padding - 1."""
            keys, queries, _ = _grid(padding, start, count)
            text = keys >= padding[:, None, None] - 1
            return _places(padding, start, count), (keys <= queries) & text | (keys == queries)

        def the_other_way_round(padding, start, count):
            """Your mask is True where a slot is hidden. True means: may be seen."""
            return _places(padding, start, count), ~_mask(padding, start, count)

        def numbers_for_a_mask(padding, start, count):
            """Your mask holds numbers, 0 and minus infinity. Truth values are asked for, True where a slot may be seen."""
            hidden = torch.zeros(len(padding), count, start + count).masked_fill(
                ~_mask(padding, start, count), -math.inf
            )
            return _places(padding, start, count), hidden

        def one_mask_for_all(padding, start, count):
            """Your mask has no axis for the rows. Each row has a padding of its own, so each has a mask: (B, count, S)."""
            return _places(padding, start, count), _mask(padding, start, count)[0]

        def one_row_of_places(padding, start, count):
            """Your places have no axis for the rows. The padding differs from row to row, so do the places: (B, count)."""
            return _places(padding, start, count)[0], _mask(padding, start, count)

        def mask_first(padding, start, count):
            """You return mask and places; the order is places, then mask."""
            return _mask(padding, start, count), _places(padding, start, count)

        def mask_only(padding, start, count):
            """You return one thing. Two are asked for: the places, then the mask."""
            return _mask(padding, start, count)


# ---- prefill --------------------------------------------------------------------------------------------------------


def _prefilled(reader, ids, cache, chunk=None, both=_both, last=lambda parts: parts[-1][:, -1]):
    """A right prefill, but for what is passed."""
    parts = []
    for part in ids.split(chunk or ids.shape[1], 1):
        parts.append(reader(part, *both(cache.padding, cache.used, part.shape[1]), cache))
    return last(parts)


def _reader(rng, number):
    """A given model, by its seed, live too, and its shape."""
    kind, seed = list(KINDS)[number % 2], int(rng.integers(1, 10_000))
    live = random_reader(seed, kind)
    return given("m21.random_reader", seed, kind, handle="reader"), live, live.config


@exercise(
    points=4,
    minutes=15,
    source="Pope et al. 2022, section 2 (prefill and decode); Agrawal et al. 2024, Sarathi-Serve (chunked prefills)",
    uses=("m21.places_and_mask",),
)
class prefill:
    """Prompts of different lengths are read into the cache, at once or in chunks: the scores of what comes next."""

    tolerance = PASS

    def cases(rng):
        longer = int(rng.integers(9, 12))
        for number, (columns, padding, chunks, label) in enumerate(
            [
                (5, (0, 3, 1), (None,), "three prompts at once"),
                (7, (2, 0), (3,), "chunks of 3, and a rest of 1"),
                (longer, (0, 5, 1, longer - 1), (4,), "chunks of 4; in one row all but the last token is padding"),
                (6, (4, 0), (2, 4), "two turns of a conversation: first chunks of 2, then chunks of 4"),
                (3, (1, 0), (8,), "a chunk that is larger than the prompts"),
            ]
        ):
            reader, _, shape = _reader(rng, number)
            script = [reader, given("m21.PaddedCache", held("reader"), _padding(*padding), handle="cache")]
            for chunk in chunks:
                ids = _ids(rng, shape.vocab, len(padding), columns)
                options = {} if chunk is None else {"chunk": chunk}
                script.append(call("prefill", held("reader"), ids, held("cache"), **options))
            script += [method("texts", handle="cache"), attribute("used", "cache")]
            script += [attribute("calls", "reader"), attribute("tokens", "reader")]
            yield case(
                script=[*script, method("within", max(c or columns for c in chunks), handle="reader")], label=label
            )

    def reference(reader, ids, cache, chunk=None):
        columns, width = ids.shape[1], chunk or ids.shape[1]
        for start in range(0, columns, width):
            reader.count(len(ids), min(width, columns - start))
        return _advance(reader, ids, cache)

    class misconceptions:
        def chunk_ignored(reader, ids, cache, chunk=None):
            """You read all columns in one call. With `chunk`, no call may read more than so many."""
            return _prefilled(reader, ids, cache)

        def token_by_token(reader, ids, cache, chunk=None):
            """Right numbers, but you read the prompts one column at a time. Prefill reads `chunk` columns in each call."""
            return _prefilled(reader, ids, cache, 1)

        def rest_lost(reader, ids, cache, chunk=None):
            """The last chunk is missing if it is not a full one. It is shorter, but it belongs to the prompt."""
            chunk = min(chunk or ids.shape[1], ids.shape[1])
            return _prefilled(reader, ids[:, : ids.shape[1] // chunk * chunk], cache, chunk)

        def first_chunk_only(reader, ids, cache, chunk=None):
            """You stop after the first chunk. All columns must be read, one chunk after the other."""
            return _prefilled(reader, ids[:, : chunk or None], cache)

        def start_is_0(reader, ids, cache, chunk=None):
            """Every chunk asks for places and mask from slot 0. It starts where the cache ends: `cache.used`."""
            return _prefilled(reader, ids, cache, chunk, lambda padding, _, count: _both(padding, 0, count))

        def start_counted_within_the_prompt(reader, ids, cache, chunk=None):
            """You count slots from the start of these prompts. The cache may hold something already: start at `cache.used`."""
            begin = cache.used
            return _prefilled(
                reader, ids, cache, chunk, lambda padding, start, count: _both(padding, start - begin, count)
            )

        def chunks_read_again(reader, ids, cache, chunk=None):
            """Right numbers, but each call reads the earlier chunks again. They are in the cache: read the new columns only."""
            begin, width = cache.used, chunk or ids.shape[1]
            for end in range(width, ids.shape[1] + width, width):
                cache.used = begin
                logits = _prefilled(reader, ids[:, :end], cache)
            return logits

        def chunks_by_themselves(reader, ids, cache, chunk=None):
            """Each chunk sees only itself. It must see the text in the cache as well: take the mask as it is."""

            def both(padding, start, count):
                places, mask = _both(padding, start, count)
                mask[:, :, :start] = False
                return places, mask

            return _prefilled(reader, ids, cache, chunk, both)

        def padding_seen(reader, ids, cache, chunk=None):
            """The tokens see the padding: the mask is that of rows without any. Use the cache's `padding` for it."""

            def both(padding, start, count):
                return _places(padding, start, count), _mask(0 * padding, start, count)

            return _prefilled(reader, ids, cache, chunk, both)

        def places_without_padding(reader, ids, cache, chunk=None):
            """The texts' places are counted from the first slot, padding included. A text's first token has place 0."""

            def both(padding, start, count):
                return _places(0 * padding, start, count), _mask(padding, start, count)

            return _prefilled(reader, ids, cache, chunk, both)

        def padding_forgotten(reader, ids, cache, chunk=None):
            """You read the rows as if there were no padding: places and mask both need `cache.padding`."""
            return _prefilled(reader, ids, cache, chunk, lambda padding, start, count: _both(0 * padding, start, count))

        def future_seen(reader, ids, cache, chunk=None):
            """Tokens of a call see later ones of the same call. The mask of `places_and_mask` is causal: use it as it is."""

            def both(padding, start, count):
                keys, queries, text = _grid(padding, start, count)
                return _places(padding, start, count), text & (queries >= 0) | (keys == queries)

            return _prefilled(reader, ids, cache, chunk, both)

        def first_column(reader, ids, cache, chunk=None):
            """You return the scores after the last call's first column. What comes next follows the last one: [:, -1]."""
            return _prefilled(reader, ids, cache, chunk, last=lambda parts: parts[-1][:, 0])

        def all_columns(reader, ids, cache, chunk=None):
            """You return the scores of all columns of the last call. Only those after the last column are asked for: (B, V)."""
            return _prefilled(reader, ids, cache, chunk, last=lambda parts: parts[-1])

        def every_column_of_every_chunk(reader, ids, cache, chunk=None):
            """You return the scores of the whole prompts. Only those after the last column are asked for: (B, V)."""
            return _prefilled(reader, ids, cache, chunk, last=lambda parts: torch.cat(parts, 1))

        def last_of_the_first_chunk(reader, ids, cache, chunk=None):
            """You return the scores after the first chunk. Return those of the last call."""
            return _prefilled(reader, ids, cache, chunk, last=lambda parts: parts[0][:, -1])

        def last_row(reader, ids, cache, chunk=None):
            """You return the last row of the batch. The scores of all rows are asked for, after the last column: [:, -1]."""
            return _prefilled(reader, ids, cache, chunk, last=lambda parts: parts[-1][-1])

        def tokens_for_scores(reader, ids, cache, chunk=None):
            """You choose the next tokens already. Return the scores, (B, V); choosing is the caller's."""
            return _prefilled(reader, ids, cache, chunk).argmax(-1)


# ---- decode ---------------------------------------------------------------------------------------------------------


def _decoded(
    reader, logits, cache, count, stop, both=_both, masked=True, fill=None, ends=torch.all, reads_last=False,
    columns=lambda written, step: written[:, step : step + 1], renew=True,
):  # fmt: skip
    """A right generation, but for what is passed."""
    written = torch.full((len(logits), count), stop if fill is None else fill)
    going = torch.ones(len(logits), dtype=torch.bool)
    for step in range(count):
        chosen = logits.argmax(-1)
        written[:, step] = torch.where(going, chosen, written[:, step]) if masked else chosen
        going = going & (written[:, step] != stop)
        if (step == count - 1 and not reads_last) or ends(~going):
            break
        new = columns(written, step)
        after = reader(new, *both(cache.padding, cache.used, new.shape[1]), cache)[:, -1]
        logits = after if renew else logits
    return written


def _never(ended):
    return False


def _drawn_batch(rng, number, padding, filled):
    """A given model, a cache whose content belongs to no text, scores to begin with; as steps, and live."""
    step, reader, shape = _reader(rng, number)
    size = (shape.layers, len(padding), shape.keys, filled, shape.d_head)
    k, v = _normal(rng, *size), _normal(rng, *size)
    logits = 3 * _normal(rng, len(padding), shape.vocab)
    steps = [
        step,
        given("m21.PaddedCache", held("reader"), _padding(*padding), handle="cache"),
        method("fill", k, v, handle="cache"),
    ]
    return steps, logits, shape, lambda: _live(reader, padding, k, v)


def _live(reader, padding, k, v):
    cache = PaddedCache(reader, _padding(*padding))
    cache.fill(k, v)
    return reader, cache


def _stopping(rng, number, padding, filled, count, wanted):
    """A batch and a stop such that the steps (from 0) at which the rows say stop are as wanted; 99: never."""
    while True:
        steps, logits, shape, live = _drawn_batch(rng, number, padding, filled)
        reader, cache = live()
        free = _decoded(reader, logits, cache, count, -1)
        for stop in range(shape.vocab):
            first = [((row == stop).nonzero().flatten().tolist() or [99])[0] for row in free]
            if wanted(first) and _comes_back(free == stop, first):
                return steps, logits, stop


def _comes_back(stops, first):
    """Whether a row that has ended would say something else if it went on, and does so where the last one ends."""
    ends = sorted(at for at in first if at != 99)
    if not ends:
        return True
    row = first.index(ends[0])
    return not bool(stops[row, ends[0] :].all()) and not bool(stops[row, ends[-1]] and len(ends) > 1)


@exercise(
    points=4,
    minutes=15,
    source="Pope et al. 2022, section 2; the loop is that of transformers' greedy generate",
    uses=("m21.places_and_mask",),
)
class decode:
    """Token after token is written for a whole batch, and only the newest column goes through the model."""

    tolerance = PASS

    def cases(rng):
        filled = int(rng.integers(6, 9))
        for number, (padding, count, wanted, label) in enumerate(
            [
                ((0, 3, 1), 5, lambda at: min(at) == 99, "no row ends; the cache holds what belongs to no text"),
                (
                    (2, 0),
                    6,
                    lambda at: sorted(at)[0] in (1, 2) and max(at) == 99,
                    "one row ends early, one does not end",
                ),
                ((0, 4), 7, lambda at: min(at) == 1 and max(at) in (3, 4), "both rows end, one after the other"),
                ((1, 0, 2), 1, lambda at: min(at) == 99, "one token each"),
            ]
        ):
            steps, logits, stop = _stopping(rng, number, padding, filled, count, wanted)
            script = [*steps, call("decode", held("reader"), logits, held("cache"), count, stop)]
            script += [attribute("calls", "reader"), attribute("tokens", "reader"), attribute("used", "cache")]
            yield case(script=[*script, method("texts", handle="cache")], label=label)

    def reference(reader, logits, cache, count, stop):
        rows = [[] for _ in logits]
        while True:
            for row, scores in zip(rows, logits, strict=True):
                row.append(stop if stop in row else int(scores.argmax()))
            if len(rows[0]) == count or all(stop in row for row in rows):
                return torch.tensor([row + [stop] * (count - len(row)) for row in rows])
            reader.count(len(rows), 1)
            logits = _advance(reader, torch.tensor([row[-1:] for row in rows]), cache)

    class misconceptions:
        def prefix_read_again(reader, logits, cache, count, stop):
            """Right tokens, but each step reads all that was written again. It is in the cache: read the newest column only."""
            begin = cache.used

            def columns(written, step):
                cache.used = begin
                return written[:, : step + 1]

            return _decoded(reader, logits, cache, count, stop, columns=columns)

        def all_written_appended(reader, logits, cache, count, stop):
            """Each step reads all tokens written so far, and the cache gets the old ones twice. Read the newest column only."""
            return _decoded(reader, logits, cache, count, stop, columns=lambda written, step: written[:, : step + 1])

        def last_one_read_too(reader, logits, cache, count, stop):
            """You read the last column as well. Nobody asks what follows it: one call less than columns."""
            return _decoded(reader, logits, cache, count, stop, reads_last=True)

        def goes_on_for_nobody(reader, logits, cache, count, stop):
            """You go on calling the model when all rows have ended. What is left is `stop`: leave the loop."""
            return _decoded(reader, logits, cache, count, stop, ends=_never)

        def first_end_ends_all(reader, logits, cache, count, stop):
            """You stop as soon as one row has ended. The others go on until they have ended, too."""
            return _decoded(reader, logits, cache, count, stop, ends=torch.any)

        def ended_rows_write_on(reader, logits, cache, count, stop):
            """A row that has said `stop` writes on. After its first `stop`, only `stop` may follow."""
            return _decoded(reader, logits, cache, count, stop, masked=False)

        def ended_if_it_just_said_stop(reader, logits, cache, count, stop):
            """Only what a row said last decides whether it has ended, so it comes back to life. Remember which rows ended."""
            written = torch.full((len(logits), count), stop)
            for step in range(count):
                written[:, step] = logits.argmax(-1)
                if step == count - 1 or (written[:, step] == stop).all():
                    break
                places, mask = _both(cache.padding, cache.used, 1)
                logits = reader(written[:, step : step + 1], places, mask, cache)[:, -1]
            return written

        def filled_with_0(reader, logits, cache, count, stop):
            """Rows that have ended are filled with 0, which is a token of its own. Fill them with `stop`."""
            return _decoded(reader, logits, cache, count, stop, fill=0 if stop else 1)

        def places_are_slots(reader, logits, cache, count, stop):
            """The new tokens' places are their slots, padding included. A text's place is counted without its padding."""

            def both(padding, start, size):
                return _places(0 * padding, start, size), _mask(padding, start, size)

            return _decoded(reader, logits, cache, count, stop, both)

        def padding_seen(reader, logits, cache, count, stop):
            """The new tokens see the padding. Its slots hold keys, too, but of no text: hide them by the mask."""

            def both(padding, start, size):
                return _places(padding, start, size), _mask(0 * padding, start, size)

            return _decoded(reader, logits, cache, count, stop, both)

        def padding_forgotten(reader, logits, cache, count, stop):
            """You go on as if there were no padding: places and mask both need `cache.padding`."""
            return _decoded(reader, logits, cache, count, stop, lambda padding, *sizes: _both(0 * padding, *sizes))

        def only_itself_seen(reader, logits, cache, count, stop):
            """The new tokens see only themselves: the cache is not read. Take the mask of `places_and_mask` as it is."""

            def both(padding, start, size):
                places, mask = _both(padding, start, size)
                mask[:, :, :start] = False
                return places, mask

            return _decoded(reader, logits, cache, count, stop, both)

        def place_0(reader, logits, cache, count, stop):
            """Every new token gets place 0. It stands where its text ends: slot `cache.used`, less the padding."""

            def both(padding, start, size):
                return _places(padding, 0, size) * 0, _mask(padding, start, size)

            return _decoded(reader, logits, cache, count, stop, both)

        def start_is_0(reader, logits, cache, count, stop):
            """You ask for places and mask from slot 0. The new column's slot is the number of used ones: `cache.used`."""
            return _decoded(reader, logits, cache, count, stop, lambda padding, _, size: _both(padding, 0, size))

        def made_once(reader, logits, cache, count, stop):
            """You make places and mask once, before the loop. The cache grows with each step: ask for them anew."""
            begin = cache.used
            return _decoded(reader, logits, cache, count, stop, lambda padding, _, size: _both(padding, begin, size))

        def scores_not_renewed(reader, logits, cache, count, stop):
            """You choose from the first scores again and again. Choose from those that the model gave last."""
            return _decoded(reader, logits, cache, count, stop, renew=False)

        def first_scores_unused(reader, logits, cache, count, stop):
            """You read a token before you have chosen one. The first one comes from the `logits` that you are given."""
            start = torch.full((len(logits), 1), stop)
            logits = reader(start, *_both(cache.padding, cache.used, 1), cache)[:, -1]
            return _decoded(reader, logits, cache, count, stop)

        def least_probable(reader, logits, cache, count, stop):
            """You choose the lowest score. The most probable token has the highest one."""
            return _lowest(reader, logits, cache, count, stop)

        def best_over_the_rows(reader, logits, cache, count, stop):
            """Your argmax runs over the rows. Each row chooses among the tokens, which are the last axis."""
            written = torch.full((len(logits), count), stop)
            written[:, 0] = logits.argmax(0)
            return written

        def steps_as_rows(reader, logits, cache, count, stop):
            """Your result lies on its side: a row for each request, a column for each step, (B, count)."""
            return _decoded(reader, logits, cache, count, stop).T

        def cut_where_all_ended(reader, logits, cache, count, stop):
            """Your result ends where the last row does. It always has `count` columns, with `stop` to the end."""
            written = _decoded(reader, logits, cache, count, stop)
            ends = [(row == stop).nonzero().flatten().tolist() or [count - 1] for row in written]
            return written[:, : max(row[0] for row in ends) + 1]

        def the_first_row_for_all(reader, logits, cache, count, stop):
            """All rows get what the first one says: you choose one token for the batch. Each row has its own scores."""
            columns = lambda written, step: written[:1, step : step + 1].expand(len(written), 1)  # noqa: E731
            written = _decoded(reader, logits[:1].expand(len(logits), -1), cache, count, stop, columns=columns)
            return written[:1].repeat(len(written), 1)


def _lowest(reader, logits, cache, count, stop):
    def call(*args):
        return -reader(*args)

    return _decoded(call, -logits, cache, count, stop)


# ---- roll back ------------------------------------------------------------------------------------------------------


def _rolled(cache, used, padding, moves, stores=None):
    """A cache rolled back like this; `stores`: which of keys and values move."""
    for store in stores or (cache.k, cache.v):
        for row, move in enumerate(moves.tolist()):
            store[:, row] = store[:, row].roll(move, dims=2)
    cache.used, cache.padding = int(used), padding


def _require(cache, rejected, most=None):
    most = cache.used - cache.padding if most is None else most
    if (rejected < 0).any() or (rejected > most).any():
        raise ValueError("impossible")


@exercise(
    parts={"texts": 3, "bad input": 1},
    minutes=15,
    source="Leviathan et al. 2023 (what is rejected); transformers' DynamicCache.crop, for a single row",
)
class roll_back:
    """Every row of a batch forgets its last tokens, each row another number of them; nothing is computed again."""

    tolerance = exact

    def cases(rng):
        few, many = sorted(rng.choice([1, 2, 3, 4], 2, replace=False).tolist())
        for number, (padding, filled, rejected, label) in enumerate(
            [
                ((0, 2), 7, (2, 2), "all rows lose the same"),
                ((1, 0, 2), 8, (0, 3, 1), "rows lose 0, 3 and 1"),
                ((0, 3), 9, (few, many), "no row keeps all"),
                ((2, 0), 7, (many, few), "the row with padding loses more"),
                ((1, 3), 6, (1, 3), "a row loses its whole text"),
            ]
        ):
            steps, *_ = _drawn_batch(rng, number, padding, filled)
            state = [method("texts", handle="cache"), attribute("used", "cache"), attribute("padding", "cache")]
            yield case(script=[*steps, call("roll_back", held("cache"), _padding(*rejected)), *state], label=label)
        for number, (rejected, label) in enumerate(
            [
                ((1, -1), "a negative number"),
                ((2, 5), "more than the row has, its padding not counted"),
                ((0, 9), "far more"),
            ]
        ):
            steps, *_ = _drawn_batch(rng, number, (0, 2), 6)
            yield case(
                script=[*steps, failing("roll_back", held("cache"), _padding(*rejected)), *state],
                label=label, part="bad input",
            )  # fmt: skip

    def reference(cache, rejected):
        texts, lost = cache.texts(), rejected.tolist()
        if any(not 0 <= n <= text.shape[3] for n, text in zip(lost, texts, strict=True)):
            raise ValueError("impossible")
        cache.used -= min(lost)
        for row, (n, text) in enumerate(zip(lost, texts, strict=True)):
            kept = text[:, :, :, : text.shape[3] - n]
            begin = cache.used - kept.shape[3]
            cache.padding[row] = begin
            cache.k[:, row, :, begin : cache.used], cache.v[:, row, :, begin : cache.used] = kept

    class misconceptions:
        def all_lose_the_most(cache, rejected):
            """All rows lose as many as the one that loses most: good tokens are forgotten. Rows may lose different numbers."""
            _require(cache, rejected)
            _rolled(cache, cache.used - rejected.max(), cache.padding, 0 * rejected)

        def all_lose_the_least(cache, rejected):
            """All rows lose as many as the one that loses least: the others keep tokens that were rejected."""
            _require(cache, rejected)
            _rolled(cache, cache.used - rejected.min(), cache.padding, 0 * rejected)

        def first_row_decides(cache, rejected):
            """All rows lose what the first one loses. `rejected` has a number for each row."""
            _require(cache, rejected)
            _rolled(cache, cache.used - rejected[0], cache.padding, 0 * rejected)

        def padding_without_moving(cache, rejected):
            """You raise the padding but move nothing: the rows lose their first tokens. Move their texts to the right."""
            _require(cache, rejected)
            moves = rejected - rejected.min()
            _rolled(cache, cache.used - rejected.min(), cache.padding + moves, 0 * moves)

        def moved_without_padding(cache, rejected):
            """You move the texts, but the padding stays as it was, so slots before a text count as text. Raise it."""
            _require(cache, rejected)
            _rolled(cache, cache.used - rejected.min(), cache.padding, rejected - rejected.min())

        def moved_to_the_left(cache, rejected):
            """You move the texts to the left. All rows must end in the same slot, so shorter ones move to the right."""
            _require(cache, rejected)
            moves = rejected - rejected.min()
            _rolled(cache, cache.used - rejected.min(), cache.padding + moves, -moves)

        def moved_by_all_that_is_lost(cache, rejected):
            """You move each row by all that it loses, though `used` has fallen as well: by `rejected` less its smallest."""
            _require(cache, rejected)
            _rolled(cache, cache.used - rejected.min(), cache.padding + rejected, rejected)

        def slots_wasted(cache, rejected):
            """The texts are right, but slots are wasted: lower `used` by the smallest number, and move rows by the rest."""
            _require(cache, rejected)
            _rolled(cache, cache.used, cache.padding + rejected, rejected)

        def used_by_the_most(cache, rejected):
            """`used` falls by the largest number, and the ends of longer rows are cut off. Lower it by the smallest."""
            _require(cache, rejected)
            moves = rejected - rejected.min()
            _rolled(cache, cache.used - rejected.max(), cache.padding + moves, moves)

        def values_left_behind(cache, rejected):
            """You move the keys only: a token's value must stay in the slot of its key."""
            _require(cache, rejected)
            moves = rejected - rejected.min()
            _rolled(cache, cache.used - rejected.min(), cache.padding + moves, moves, [cache.k])

        def first_layer_only(cache, rejected):
            """You move the first layer only. Every layer has keys and values of its own: axis 0."""
            _require(cache, rejected)
            moves = rejected - rejected.min()
            _rolled(cache, cache.used - rejected.min(), cache.padding + moves, moves, [cache.k[:1], cache.v[:1]])

        def so_many_kept(cache, rejected):
            """You keep `rejected` tokens of each row. So many are to be forgotten."""
            _require(cache, rejected)
            lost = cache.used - cache.padding - rejected
            moves = lost - lost.min()
            _rolled(cache, cache.used - lost.min(), cache.padding + moves, moves)

        def from_the_front(cache, rejected):
            """You forget the first tokens of each text. The last ones were rejected."""
            _require(cache, rejected)
            _rolled(cache, cache.used, cache.padding + rejected, 0 * rejected)

        def nothing_done(cache, rejected):
            """The cache is as it was: change its `k`, `v`, `padding` and `used`, not copies of them."""
            _require(cache, rejected)

        def anything_goes(cache, rejected):
            """You take any number. Raise ValueError if one is negative, or larger than the row's text is long."""
            moves = rejected - rejected.min()
            _rolled(cache, cache.used - rejected.min(), cache.padding + moves, moves)

        def negative_only(cache, rejected):
            """You refuse negative numbers, but a row can lose no more tokens than it has either: raise ValueError."""
            _require(cache, rejected, math.inf)
            moves = rejected - rejected.min()
            _rolled(cache, cache.used - rejected.min(), cache.padding + moves, moves)

        def too_many_only(cache, rejected):
            """You refuse too many, but not a negative number: raise ValueError for that, too."""
            _require(cache, rejected.clamp(min=0))
            moves = rejected - rejected.min()
            _rolled(cache, cache.used - rejected.min(), cache.padding + moves, moves)

        def padding_counted_as_text(cache, rejected):
            """You compare with the used slots. Padding is no text: a row has `used` less its `padding` tokens to lose."""
            _require(cache, rejected, cache.used)
            moves = rejected - rejected.min()
            _rolled(cache, cache.used - rejected.min(), cache.padding + moves, moves)

        def refused_too_late(cache, rejected):
            """You raise the error when the cache is changed already. Look first, then change."""
            least = rejected.min()
            cache.used -= int(least)
            cache.padding = cache.padding + rejected - least
            if (rejected < 0).any() or (cache.padding > cache.used).any():
                raise ValueError("impossible")
            _rolled(cache, cache.used, cache.padding, rejected - least)

        def a_whole_text_refused(cache, rejected):
            """You refuse to forget a whole text. A row may lose as many tokens as it has: only more is an error."""
            _require(cache, rejected, cache.used - cache.padding - 1)
            moves = rejected - rejected.min()
            _rolled(cache, cache.used - rejected.min(), cache.padding + moves, moves)


# ---- a memo of prefixes ---------------------------------------------------------------------------------------------


def _common(a, b):
    same = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        same += 1
    return same


def _remembered(
    reader, prompt, memo, measure=_common, key=None, cut=lambda n, ids: min(n, len(ids) - 1), copied=True, start=None,
    stored=lambda ids, n: tuple(ids), last=lambda logits: logits[-1], used=lambda n, cache: n,
):  # fmt: skip
    """A right reading, but for what is passed."""
    ids = prompt.tolist()
    known = (key or max)(list(memo), key=lambda other: measure(other, ids)) if memo else ()
    shared = max(0, cut(measure(known, ids), ids))
    cache = memo[known] if shared else PaddedCache(reader, _padding(0))
    cache = cache.copy() if copied else cache
    cache.used = used(shared, cache)
    places, mask = _both(cache.padding, cache.used, len(ids) - shared)
    if start is not None:
        places = places - places[:, :1] + start
    logits = reader(prompt[None, shared:], places, mask, cache)[0]
    if stored:
        memo[stored(ids, shared)] = cache
    return last(logits)


@exercise(
    points=4,
    minutes=20,
    source="Zheng et al. 2024, SGLang (RadixAttention); Kwon et al. 2023, section 4.4 (shared prefix)",
    uses=("m21.places_and_mask",),
)
class read_with_memo:
    """A memo of what was read before: only what follows the longest known beginning goes through the model."""

    tolerance = PASS

    def cases(rng):
        for number, label in enumerate(["four prompts that begin alike", "the same, in another model"]):
            reader, _, shape = _reader(rng, number)
            a = rng.permutation(shape.vocab)[:7].tolist()
            other = [token for token in range(shape.vocab) if token not in a]
            b = [*a[:3], other[0], a[4], a[5]]  # as a but for one token: they share 3
            c = [*b[:5], other[1], a[6], a[0]]  # 5 with b, 3 with a
            script = [reader, given("m21.Memo", handle="memo")]
            for prompt in (a, b, c) if number else (b, a, c):
                script += [call("read_with_memo", held("reader"), torch.tensor(prompt), held("memo"))]
                script += [attribute("tokens", "reader")]
            yield case(script=[*script, method("contents", handle="memo")], label=label)
        reader, _, shape = _reader(rng, 0)
        a = _ids(rng, shape.vocab, int(rng.integers(5, 8))).tolist()
        a[3] = (a[0] + 1) % shape.vocab
        script = [reader, given("m21.Memo", handle="memo")]
        for prompt in (a[:3], a, a[:4], a, [(a[0] + 1) % shape.vocab, *a[1:]]):
            script += [call("read_with_memo", held("reader"), torch.tensor(prompt), held("memo"))]
            script += [attribute("tokens", "reader")]
        label = "a beginning, the prompt, another beginning, the prompt again, and one with another first token"
        yield case(script=[*script, method("contents", handle="memo")], label=label)

    def reference(reader, prompt, memo):
        ids = prompt.tolist()
        beginnings = {tuple(known[:n]) for known in memo for n in range(1, len(known) + 1)}
        shared = max((n for n in range(len(ids)) if tuple(ids[:n]) in beginnings), default=0)
        reader.count(1, len(ids) - shared)
        cache = PaddedCache(reader, _padding(0))
        logits = _advance(reader, prompt[None], cache)
        memo[tuple(ids)] = cache
        return logits[0]

    class misconceptions:
        def read_from_the_start(reader, prompt, memo):
            """Right scores, but you read the whole prompt each time. What the memo knows of its beginning need not be read."""
            return _remembered(reader, prompt, memo, lambda *_: 0)

        def only_the_same_prompt(reader, prompt, memo):
            """You look for the very same prompt. A prompt that only begins alike helps as well: keys depend on the past alone."""
            return _remembered(reader, prompt, memo, lambda known, ids: len(ids) * (tuple(known) == tuple(ids)))

        def only_whole_prompts(reader, prompt, memo):
            """You use a known text only if all of it is a beginning of the prompt. Use as much as they have in common."""
            return _remembered(reader, prompt, memo, lambda known, ids: len(known) * (list(known) == ids[: len(known)]))

        def the_first_known(reader, prompt, memo):
            """You take the first known text. Take the one that has the longest beginning in common."""
            return _remembered(reader, prompt, memo, key=lambda known, key: known[0])

        def the_latest_known(reader, prompt, memo):
            """You take the text that was read last. Take the one that has the longest beginning in common."""
            return _remembered(reader, prompt, memo, key=lambda known, key: known[-1])

        def the_shortest_match(reader, prompt, memo):
            """You take the text with the least in common. Take the one with the most."""
            return _remembered(reader, prompt, memo, key=min)

        def equal_tokens_counted(reader, prompt, memo):
            """You count equal tokens anywhere. After the first difference nothing fits: keys depend on all tokens before."""

            def equal(known, ids):
                return sum(x == y for x, y in zip(known, ids, strict=False))

            return _remembered(reader, prompt, memo, equal)

        def nothing_left_to_read(reader, prompt, memo):
            """If the whole prompt is known, you read nothing, but the scores are not kept: read the last token in any case."""
            return _remembered(reader, prompt, memo, cut=lambda n, ids: n)

        def one_known_token_read_again(reader, prompt, memo):
            """Right scores, but you read one token too many: all common tokens are in the cache, unless none would be left."""
            return _remembered(reader, prompt, memo, cut=lambda n, ids: n - 1)

        def one_token_too_far(reader, prompt, memo):
            """You take over one token more than the texts have in common."""
            return _remembered(reader, prompt, memo, cut=lambda n, ids: min(n + 1, len(ids) - 1) if n else 0)

        def the_stored_one_goes_on(reader, prompt, memo):
            """You go on writing into the cache that the memo keeps, and spoil it for others. Work on a copy of it."""
            return _remembered(reader, prompt, memo, copied=False)

        def rest_of_the_other_kept(reader, prompt, memo):
            """You append to the whole of the other text. Only the common beginning may stay: set `used` to its length."""
            return _remembered(reader, prompt, memo, used=lambda n, cache: cache.used)

        def places_from_0(reader, prompt, memo):
            """The new tokens' places begin with 0. They follow the common beginning: their first slot is its length."""
            return _remembered(reader, prompt, memo, start=0)

        def not_remembered(reader, prompt, memo):
            """The memo does not get this prompt. Store its cache under the prompt's ids, so that later ones can use it."""
            return _remembered(reader, prompt, memo, stored=None)

        def stored_under_the_rest(reader, prompt, memo):
            """You store the cache under the tokens that were read. It holds the whole prompt: use all of its ids."""
            return _remembered(reader, prompt, memo, stored=lambda ids, n: tuple(ids[n:]))

        def stored_under_the_beginning(reader, prompt, memo):
            """You store the cache under the common beginning. It holds the whole prompt: use all of its ids."""
            return _remembered(reader, prompt, memo, stored=lambda ids, n: tuple(ids[: n or None]))

        def scores_of_all_tokens(reader, prompt, memo):
            """You return the scores after every token that was read. Those after the last one are asked for: (V,)."""
            return _remembered(reader, prompt, memo, last=lambda logits: logits)

        def scores_after_the_first(reader, prompt, memo):
            """You return the scores after the first token that was read. Those after the last one are asked for."""
            return _remembered(reader, prompt, memo, last=lambda logits: logits[0])

        def axis_of_the_batch_left(reader, prompt, memo):
            """Your scores still have the batch's axis, (1, V). One prompt, one row of scores: (V,)."""
            return _remembered(reader, prompt, memo, last=lambda logits: logits[-1:])


# ---- bytes ----------------------------------------------------------------------------------------------------------


def _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2, slots=()):
    """A right count, but for the numbers of tokens in `slots`."""
    rows = len(lengths)
    exact_slots = sum(lengths) + count * rows
    tokens = {"padded": rows * (max(lengths) + count), "exact": exact_slots}
    tokens |= {"shared": exact_slots - shared * (rows - 1)} | dict(slots)
    return {name: 2 * layers * kv_heads * (d_model // heads) * bytes_per_number * n for name, n in tokens.items()}


@exercise(points=2, minutes=10, source="Kwon et al. 2023, sections 3.1 and 4.4; Ainslie et al. 2023 (kv_heads)")
class batch_bytes:
    """The bytes of a batch's cache: padded to one block, without padding, and with a common beginning kept once."""

    tolerance = exact

    def cases(rng):
        yield case([5, 3], 2, 1, 2, 12, 3, 3, 4, label="two rows, every head with keys of its own")
        yield case([7], 3, 0, 3, 8, 4, 2, label="one row, nothing shared")
        yield case([4, 9, 6], 5, 4, 2, 24, 6, 2, label="three rows, groups of heads share")
        lengths = rng.integers(20, 60, size=int(rng.integers(4, 7))).tolist()
        count, shared = int(rng.integers(5, 15)), int(rng.integers(7, 16))
        yield case(lengths, count, shared, 5, 96, 12, 4, bytes_per_number=1, label="sizes drawn at random")

    def reference(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
        def block(slots):
            numbers = torch.empty(2, layers, kv_heads, slots, d_model // heads, dtype=torch.int8, device="meta").numel()
            return numbers * bytes_per_number

        own = [n + count for n in lengths]
        return {
            "padded": block(max(own)) * len(own),
            "exact": sum(map(block, own)),
            "shared": block(shared) + sum(block(n - shared) for n in own),
        }

    class misconceptions:
        def all_query_heads(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """You count a key and a value for every query head. Groups of them share: count `kv_heads`."""
            return _bytes(lengths, count, shared, layers, d_model, heads, heads, bytes_per_number)

        def width_of_all_heads(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """You count d_model numbers for each key head. A head's keys have the width d_model / heads."""
            return _bytes(lengths, count, shared, layers, d_model, 1, kv_heads, bytes_per_number)

        def keys_only(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """You count the keys only, half of it. Each key comes with a value."""
            right = _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number)
            return {name: n // 2 for name, n in right.items()}

        def numbers_for_bytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """You count numbers. Each takes `bytes_per_number` bytes."""
            return _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, 1)

        def always_16_bits(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """You always count 2 bytes for a number; use `bytes_per_number`."""
            return _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, 2)

        def one_layer(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """You count one layer; there are `layers` of them."""
            return _bytes(lengths, count, shared, 1, d_model, heads, kv_heads, bytes_per_number)

        def prompts_only(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """You count the prompts only. The `count` tokens that each row writes are kept as well."""
            return _bytes(lengths, 0, shared, layers, d_model, heads, kv_heads, bytes_per_number)

        def written_by_one_row(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """You add `count` once. Every row writes so many tokens."""
            all_slots = sum(lengths) + count
            slots = {"exact": all_slots, "shared": all_slots - shared * (len(lengths) - 1)}
            return _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number, slots)

        def padded_to_the_sum(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """For `padded` you add up the rows' own lengths. In one block every row is as long as the longest."""
            slots = sum(lengths) + count * len(lengths)
            return _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number, {"padded": slots})

        def padded_to_the_first(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """For `padded` you take the first row's length. The block is as long as the longest row."""
            slots = len(lengths) * (lengths[0] + count)
            return _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number, {"padded": slots})

        def one_padded_row(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """For `padded` you count one row. The block has as many rows as there are requests."""
            slots = max(lengths) + count
            return _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number, {"padded": slots})

        def shared_by_nobody(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """For `shared` you take the common beginning away from every row. It is kept once: one row still has it."""
            slots = sum(lengths) + (count - shared) * len(lengths)
            return _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number, {"shared": slots})

        def shared_taken_away_once(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """For `shared` you save the common beginning once. All rows but one do without it."""
            slots = sum(lengths) + count * len(lengths) - shared
            return _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number, {"shared": slots})

        def shared_in_the_block(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """For `shared` you start from the padded block. Start from the rows' own lengths."""
            slots = len(lengths) * (max(lengths) + count) - shared * (len(lengths) - 1)
            return _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number, {"shared": slots})

        def gigabytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
            """You divide at the end, so the results are floats. Bytes are asked for, and they are whole numbers."""
            right = _bytes(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number)
            return {name: n / 1e9 for name, n in right.items()}


# ---- questions ------------------------------------------------------------------------------------------------------


@question(answer="b")
class why_left:
    """Prompts of different lengths are padded at the left when a batch is to be continued. Why not at the right?"""

    a = (
        "Padding at the right could not be hidden by a mask.",
        "It could: a mask can hide any slot. In training, padding at the right is usual.",
    )
    b = (
        "At the left, all texts end in the same slot: the scores are in the last column, and new tokens go into one slot.",
        "Right: one column is read, one column is written, for all rows. Otherwise each row would go on in another slot.",
    )
    c = (
        "The causal mask hides the left end from all tokens, so padding does no harm there.",
        "It hides what is later, not what is at the left. Without a mask of its own, every token sees the padding.",
    )
    d = (
        "So that the places of the tokens need not be corrected.",
        "On the contrary: with padding at the left, place = slot - padding. With padding at the right, place = slot.",
    )


@question(answer="d")
class what_is_reusable:
    """The memo holds the cache of `12*34=`. The prompt `92*34=` differs in its first token. What of the cache can be used?"""

    a = (
        "The keys and values of `2*34=`: the tokens and their places are the same.",
        "In the first layer that would nearly do. In later layers, what was made for `2` has looked at the token before it.",
    )
    b = (
        "All of it, if the first token's key and value are computed anew.",
        "All later tokens have looked at the first one, so from the second layer on their keys and values differ.",
    )
    c = (
        "The values, but not the keys.",
        "Both are made from the same vector of the token, and that vector depends on all tokens before.",
    )
    d = (
        "Nothing.",
        "Right: a token's key and value depend on all tokens up to it. Only a common beginning can be shared.",
    )


@question(answer=["a", "c"])
class what_costs_what:
    """A prompt of 1,000 tokens is read, then 100 tokens are written, one batch of one text, with the cache. What is true? Choose all that apply."""

    a = (
        "Reading the prompt takes about ten times as many operations as writing the answer.",
        "Right: every token goes through the model once, whoever wrote it. (Attention to the past adds a little.)",
    )
    b = (
        "So reading the prompt takes about ten times as long.",
        "Hardly: the prompt is read in one pass, which uses each weight for 1,000 tokens; decoding fetches all weights 100 times.",
    )
    c = (
        "While the answer is written, a second text in the batch costs little time.",
        "Right: the weights are fetched once for both. That is why servers decode many texts together.",
    )
    d = (
        "Halving the chunk of the prefill halves the operations.",
        "The chunks only cut the same work into pieces. Each token still goes through the model once.",
    )
    e = (
        "The cache makes the first token appear sooner.",
        "The first token needs the whole prompt to be read, with or without a cache. It is the later ones that gain.",
    )
