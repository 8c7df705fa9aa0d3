"""Other right answers to m21."""

import torch


class places_and_mask:
    def loops(padding, start, count):
        places = torch.zeros(len(padding), count, dtype=torch.long)
        mask = torch.zeros(len(padding), count, start + count, dtype=torch.bool)
        for row in range(len(padding)):
            for i in range(count):
                slot = start + i
                mask[row, i, slot] = True
                if slot >= padding[row]:
                    places[row, i] = slot - padding[row]
                    mask[row, i, padding[row] : slot] = True
        return places, mask

    def triangle_and_text(padding, start, count):
        slots = torch.arange(start + count)
        causal = torch.ones(start + count, start + count, dtype=torch.bool).tril()[start:]
        text = slots.unsqueeze(0) >= padding.unsqueeze(1)
        mask = causal.unsqueeze(0) & text.unsqueeze(1) | torch.eye(start + count, dtype=torch.bool)[start:]
        return torch.relu(slots[start:] - padding.unsqueeze(1)), mask

    def counting_the_text(padding, start, count):
        text = torch.stack([torch.arange(start + count) >= n for n in padding.tolist()])
        places = (text.long().cumsum(1) - 1).clamp(min=0)
        seen = [
            torch.stack([(torch.arange(start + count) == i) | (row & (torch.arange(start + count) <= i))
                         for i in range(start, start + count)])
            for row in text
        ]  # fmt: skip
        return [places[:, start:], torch.stack(seen)]


class prefill:
    def chunks_by_index(reader, ids, cache, chunk=None):
        width = ids.shape[1] if chunk is None else chunk
        for first in range(0, ids.shape[1], width):
            part = ids[:, first : first + width]
            scores = reader(part, *places_and_mask(cache.padding, cache.used, part.size(1)), cache)
        return scores[:, -1, :]

    def short_chunk_first(reader, ids, cache, chunk=None):
        total = ids.shape[1]
        chunk = min(chunk or total, total)
        sizes = [total % chunk] * (total % chunk > 0) + [chunk] * (total // chunk)
        for part in torch.split(ids, sizes, 1):
            places, mask = places_and_mask(cache.padding, cache.used, part.shape[1])
            last = reader(part, places, mask, cache)[:, part.shape[1] - 1]
        return last

    def even_chunks_and_own_mask(reader, ids, cache, chunk=None):
        calls = 1 if chunk is None else -(-ids.shape[1] // chunk)
        for part in ids.tensor_split(calls, dim=1):
            end = cache.used + part.shape[1]
            keys, queries = torch.arange(end), torch.arange(cache.used, end)
            places = (queries[None] - cache.padding[:, None]).clamp(min=0)
            mask = (keys[None, None] <= queries[None, :, None]) & (keys[None, None] >= cache.padding[:, None, None])
            mask = mask | (keys[None, None] == queries[None, :, None])
            scores = reader(part, places, mask, cache)
        return scores[:, -1].double()


class decode:
    def columns_in_a_list(reader, logits, cache, count, stop):
        columns, ended = [], torch.zeros(len(logits), dtype=torch.bool)
        while True:
            token = logits.argmax(1).masked_fill(ended, stop)
            columns.append(token)
            ended |= token == stop
            if len(columns) == count or ended.all():
                break
            places, mask = places_and_mask(cache.padding, cache.used, 1)
            logits = reader(token.unsqueeze(1), places, mask, cache)[:, 0]
        columns += [torch.full_like(token, stop)] * (count - len(columns))
        return torch.stack(columns, 1)

    def cut_afterwards(reader, logits, cache, count, stop):
        written = logits.argmax(-1, keepdim=True)
        while written.shape[1] < count and not (written == stop).any(1).all():
            new = torch.where((written == stop).any(1, keepdim=True), stop, written[:, -1:])
            logits = reader(new, *places_and_mask(cache.padding, cache.used, 1), cache)
            written = torch.cat([written, logits[:, -1].argmax(-1, keepdim=True)], 1)
        rest = torch.full((len(written), count - written.shape[1]), stop)
        written = torch.cat([written, rest], 1)
        after = (written == stop).cumsum(1) > 0
        return written.masked_fill(after, stop)

    def rows_as_lists(reader, logits, cache, count, stop):
        rows = [[] for _ in range(len(logits))]
        for step in range(count):
            for row, scores in zip(rows, logits, strict=True):
                row.append(stop if stop in row else int(torch.argmax(scores)))
            if step + 1 == count or all(stop in row for row in rows):
                break
            newest = torch.tensor([[row[-1]] for row in rows])
            places, mask = places_and_mask(cache.padding, cache.used, 1)
            logits = reader(newest, places, mask, cache)[:, 0]
        return torch.tensor([(row + count * [stop])[:count] for row in rows])


class roll_back:
    def clone_and_slice(cache, rejected):
        lost = rejected.tolist()
        for row, n in enumerate(lost):
            if n < 0 or n > cache.used - int(cache.padding[row]):
                raise ValueError(f"row {row} cannot lose {n}")
        least, end = min(lost), cache.used
        for row, n in enumerate(lost):
            start, move = int(cache.padding[row]), n - least
            for store in (cache.k, cache.v):
                kept = store[:, row, :, start : end - n].clone()
                store[:, row, :, start + move : end - least] = kept
            cache.padding[row] += move
        cache.used = end - least

    def gather_all_rows(cache, rejected):
        if rejected.min() < 0 or (cache.used - cache.padding - rejected).min() < 0:
            raise ValueError
        least = rejected.min()
        moves = rejected - least
        slots = cache.k.shape[3]
        sources = (torch.arange(slots) - moves[:, None]) % slots  # (B, slots)
        index = sources[None, :, None, :, None].expand(cache.k.shape)
        cache.k, cache.v = cache.k.gather(3, index), cache.v.gather(3, index)
        cache.padding, cache.used = cache.padding + moves, int(cache.used - least)

    def slot_by_slot_from_the_right(cache, rejected):
        own = cache.used - cache.padding
        if any(n < 0 or n > m for n, m in zip(rejected.tolist(), own.tolist(), strict=True)):
            raise ValueError("impossible")
        for row, move in enumerate((rejected - min(rejected)).tolist()):
            for slot in range(cache.used - 1, int(cache.padding[row]) + move - 1, -1):
                cache.k[:, row, :, slot] = cache.k[:, row, :, slot - move]
                cache.v[:, row, :, slot] = cache.v[:, row, :, slot - move]
            cache.padding[row] += move
        cache.used -= min(rejected.tolist())


class read_with_memo:
    def longest_first(reader, prompt, memo):
        ids = tuple(prompt.tolist())
        beginnings = {known[:n]: kept for known, kept in memo.items() for n in range(len(known) + 1)}
        shared = max((n for n in range(len(ids)) if ids[:n] in beginnings), default=0)
        cache = beginnings[ids[:shared]].copy() if shared else PaddedCache(reader, torch.tensor([0]))  # noqa: F821
        cache.used = shared
        rest = prompt[shared:].unsqueeze(0)
        scores = reader(rest, *places_and_mask(cache.padding, shared, rest.shape[1]), cache)
        memo[ids] = cache
        return scores[0, -1]

    def fresh_cache_filled(reader, prompt, memo):
        def alike(known):
            n = 0
            for a, b in zip(known, prompt.tolist(), strict=False):
                if a != b:
                    return n
                n += 1
            return n

        cache = PaddedCache(reader, torch.zeros(1, dtype=torch.int64))  # noqa: F821
        if memo:
            best = max(memo, key=alike)
            n = min(alike(best), len(prompt) - 1)
            cache.k[:, :, :, :n], cache.v[:, :, :, :n] = memo[best].k[:, :, :, :n], memo[best].v[:, :, :, :n]
            cache.used = n
        start = cache.used
        places = torch.arange(start, len(prompt))[None]
        mask = torch.ones(len(prompt), len(prompt), dtype=torch.bool).tril()[None, start:]
        scores = reader(prompt[None, start:], places, mask, cache)
        memo.update({tuple(int(i) for i in prompt): cache})
        return scores[0][-1]

    def one_token_at_a_time(reader, prompt, memo):
        ids, best, shared = prompt.tolist(), None, 0
        for known in memo:
            n = 0
            while n < len(known) and n < len(ids) - 1 and known[n] == ids[n]:
                n += 1
            if n > shared:
                best, shared = known, n
        cache = PaddedCache(reader, torch.tensor([0])) if best is None else memo[best].copy()  # noqa: F821
        cache.used = shared
        for token in ids[shared:]:
            places, mask = places_and_mask(cache.padding, cache.used, 1)
            scores = reader(torch.tensor([[token]]), places, mask, cache)[0, 0]
        memo[tuple(ids)] = cache
        return scores


class batch_bytes:
    def by_vectors(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
        d_head = d_model // heads
        vector = d_head * bytes_per_number
        slot = vector * kv_heads * layers * 2
        rows = [n + count for n in lengths]
        apart = [n - shared for n in rows]
        return {
            "shared": (sum(apart) + shared) * slot,
            "exact": sum(rows) * slot,
            "padded": max(rows) * len(rows) * slot,
        }

    def with_chapter_8(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
        def cost(n):
            return kv_cache_bytes(layers, kv_heads, d_model // heads, n, 1, bytes_per_number)  # noqa: F821

        exact = sum(cost(n + count) for n in lengths)
        return dict(
            padded=sum(cost(max(lengths) + count) for _ in lengths),
            exact=exact,
            shared=exact - sum(cost(shared) for _ in lengths[1:]),
        )

    def token_by_token(lengths, count, shared, layers, d_model, heads, kv_heads, bytes_per_number=2):
        padded = exact = own = 0
        for n in lengths:
            padded += max(lengths) + count
            exact += n + count
            own += n - shared + count
        slots = {"padded": padded, "exact": exact, "shared": own + shared}
        return {k: 2 * layers * kv_heads * n * d_model // heads * bytes_per_number for k, n in slots.items()}
