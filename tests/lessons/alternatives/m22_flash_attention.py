"""Other right answers to m22. Those in NumPy may build on the lesson's own `add_tile` and `causal_tiles`."""

import math

import numpy as np
import triton
import triton.language as tl


class online_softmax:
    def by_log_sum_exp(scores, block):
        tops, totals, top, lse = [], [], -np.inf, -np.inf
        for tile in np.split(scores, range(block, len(scores), block)):
            top = np.max([top, *tile])
            lse = np.logaddexp.reduce([lse, *tile])
            tops.append(top)
            totals.append(np.exp(lse - top) if top > -np.inf else 0.0)
        return np.array(tops), np.array(totals)

    def one_score_at_a_time(scores, block):
        top, total, tops, totals = -math.inf, 0.0, [], []
        for i, score in enumerate(map(float, scores)):
            if score > top:
                total, top = total * math.exp(top - score) + 1.0, score
            elif score > -math.inf:
                total += math.exp(score - top)
            if (i + 1) % block == 0 or i + 1 == len(scores):
                tops.append(top)
                totals.append(total)
        return [np.array(tops), np.array(totals)]

    def accumulated(scores, block):
        ends = np.append(np.arange(block, len(scores), block), len(scores)) - 1
        tops = np.maximum.accumulate(scores)[ends]
        safe = np.where(np.isfinite(tops), tops, 0.0)
        seen = np.arange(len(scores)) <= ends[:, None]
        return tops, np.exp(np.where(seen, scores, -np.inf) - safe[:, None]).sum(1)

    def in_single_precision(scores, block):
        scores, tops, totals = scores.astype(np.float32), [], []
        top, total = np.float32(-np.inf), np.float32(0)
        for start in range(0, len(scores), block):
            new = max(top, scores[start : start + block].max())
            if np.isfinite(new):
                total = total * np.exp(top - new) + np.exp(scores[start : start + block] - new).sum()
            top = new
            tops.append(top)
            totals.append(total)
        return np.array(tops), np.array(totals, np.float32)


class add_tile:
    def row_by_row(top, total, mixed, scores, values):
        new_top, new_total, new_mixed = top.copy(), total.copy(), mixed.copy()
        for i in range(len(top)):
            new_top[i] = max(top[i], scores[i].max())
            if new_top[i] > -np.inf:
                factor = np.exp(top[i] - new_top[i])
                powers = np.exp(scores[i] - new_top[i])
                new_total[i] = factor * total[i] + powers.sum()
                new_mixed[i] = factor * mixed[i] + values.T @ powers
        return new_top, new_total, new_mixed

    def by_einsum(top, total, mixed, scores, values):
        new = np.max(np.column_stack([top, scores]), axis=1)
        finite = np.isfinite(new)
        shift = np.where(finite, new, 0.0)[:, None]
        powers, fade = np.exp(scores - shift), np.exp(top[:, None] - shift)
        return [
            new,
            np.einsum("rc->r", powers) + fade[:, 0] * total,
            fade * mixed + np.einsum("rc,cv->rv", powers, values),
        ]

    def key_by_key(top, total, mixed, scores, values):
        for column, value in zip(scores.T, values, strict=True):
            new = np.maximum(top, column)
            shift = np.where(new == -np.inf, 0, new)
            fade, power = np.exp(top - shift), np.exp(column - shift)
            top, total, mixed = new, total * fade + power, mixed * fade[:, None] + np.outer(power, value)
        return top, total, mixed

    def old_sum_as_one_more_key(top, total, mixed, scores, values):
        table = np.concatenate([top[:, None], scores], axis=1)
        new = table.max(1)
        powers = np.exp(table - np.where(np.isfinite(new), new, 0.0)[:, None])
        return new, powers[:, 0] * total + powers[:, 1:].sum(1), powers[:, :1] * mixed + powers[:, 1:] @ values


class tiled_attention:
    def carrying_a_finished_output(q, k, v, block_q, block_k):
        n, m, scale = len(q), len(k), len(q[0]) ** -0.5
        output, lse = np.zeros((n, v.shape[1])), np.full(n, -np.inf)
        for i in range(0, n, block_q):
            for j in range(0, m, block_k):
                scores = scale * (q[i : i + block_q] @ k[j : j + block_k].T)
                top = scores.max(1, keepdims=True)
                powers = np.exp(scores - top)
                own = top[:, 0] + np.log(powers.sum(1))
                part = powers @ v[j : j + block_k] / powers.sum(1, keepdims=True)
                new = np.logaddexp(lse[i : i + block_q], own)
                old_share, share = np.exp(lse[i : i + block_q] - new), np.exp(own - new)
                output[i : i + block_q] = old_share[:, None] * output[i : i + block_q] + share[:, None] * part
                lse[i : i + block_q] = new
        return output, lse

    def keys_outside(q, k, v, block_q, block_k):
        n = len(q)
        top, total, mixed = np.full(n, -np.inf), np.zeros(n), np.zeros((n, v.shape[1]))
        for j in range(0, len(k), block_k):
            for i in range(0, n, block_q):
                rows = slice(i, i + block_q)
                scores = q[rows] @ k[j : j + block_k].T / math.sqrt(k.shape[1])
                new = np.maximum(top[rows], scores.max(1))
                powers, fade = np.exp(scores - new[:, None]), np.exp(top[rows] - new)
                total[rows] = total[rows] * fade + powers.sum(1)
                mixed[rows] = mixed[rows] * fade[:, None] + powers @ v[j : j + block_k]
                top[rows] = new
        return mixed / total[:, None], top + np.log(total)

    def in_single_precision(q, k, v, block_q, block_k):
        q, k, v = (x.astype(np.float32) for x in (q, k, v))
        outputs, sums = [], []
        for i in range(0, len(q), block_q):
            tile = q[i : i + block_q] / np.sqrt(np.float32(q.shape[1]))
            top, total = np.full(len(tile), -np.inf, np.float32), np.zeros(len(tile), np.float32)
            mixed = np.zeros((len(tile), v.shape[1]), np.float32)
            for j in range(0, len(k), block_k):
                top, total, mixed = add_tile(top, total, mixed, tile @ k[j : j + block_k].T, v[j : j + block_k])
            outputs.append(mixed / total[:, None])
            sums.append(top + np.log(total))
        return np.concatenate(outputs), np.concatenate(sums)

    def one_query_at_a_time(q, k, v, block_q, block_k):
        output, lse = np.empty((len(q), v.shape[1])), np.empty(len(q))
        for i, query in enumerate(q):
            top, total, mixed = -np.inf, 0.0, 0.0
            for j in range(0, len(k), block_k):
                scores = k[j : j + block_k] @ query / np.sqrt(q.shape[1])
                new = max(top, scores.max())
                powers = np.exp(scores - new)
                total, mixed = (
                    total * np.exp(top - new) + powers.sum(),
                    mixed * np.exp(top - new) + powers @ v[j : j + block_k],
                )
                top = new
            output[i], lse[i] = mixed / total, top + np.log(total)
        return output, lse


class causal_tiles:
    def from_the_mask(n, m, block_q, block_k):
        mask = np.tri(n, m, m - n, dtype=bool)
        rows = []
        for i in range(0, n, block_q):
            tiles = [mask[i : i + block_q, j : j + block_k] for j in range(0, m, block_k)]
            rows.append([2 if tile.all() else 1 if tile.any() else 0 for tile in tiles])
        return np.array(rows)

    def broadcast(n, m, block_q, block_k):
        first, begin = np.arange(0, n, block_q)[:, None], np.arange(0, m, block_k)[None]
        last, end = np.minimum(first + block_q, n) - 1, np.minimum(begin + block_k, m) - 1
        return np.where(end <= first + m - n, 2, np.where(begin > last + m - n, 0, 1))

    def counted(n, m, block_q, block_k):
        sums = np.add.reduceat(np.add.reduceat(np.tri(n, m, m - n), range(0, n, block_q), 0), range(0, m, block_k), 1)
        sizes = np.add.reduceat(np.add.reduceat(np.ones((n, m)), range(0, n, block_q), 0), range(0, m, block_k), 1)
        return (sums > 0).astype(np.int64) + (sums == sizes).astype(np.int64)


class causal_attention:
    def breaking_off(q, k, v, block_q, block_k):
        n, m = len(q), len(k)
        output, lse = np.zeros((n, v.shape[1])), np.zeros(n)
        for i in range(0, n, block_q):
            tile = q[i : i + block_q]
            rows = len(tile)
            top, total, mixed = np.full(rows, -np.inf), np.zeros(rows), np.zeros((rows, v.shape[1]))
            for j in range(0, m, block_k):
                if j > i + rows - 1 + m - n:
                    break
                keys = k[j : j + block_k]
                scores = tile @ keys.T / np.sqrt(q.shape[1])
                later = j + np.arange(len(keys)) > (i + np.arange(rows) + m - n)[:, None]
                scores[later] = -np.inf
                top, total, mixed = add_tile(top, total, mixed, scores, v[j : j + block_k])
            with np.errstate(all="ignore"):
                output[i : i + block_q] = np.nan_to_num(mixed / total[:, None])
                lse[i : i + block_q] = np.log(total) + top
        return output, lse

    def by_kind(q, k, v, block_q, block_k):
        shift, kinds = len(k) - len(q), causal_tiles(len(q), len(k), block_q, block_k)
        outputs, sums = [], []
        for a, i in enumerate(range(0, len(q), block_q)):
            tile = q[i : i + block_q] / math.sqrt(q.shape[1])
            state = np.full(len(tile), -np.inf), np.zeros(len(tile)), np.zeros((len(tile), v.shape[1]))
            for b, j in enumerate(range(0, len(k), block_k)):
                if kinds[a, b] > 0:
                    scores = tile @ k[j : j + block_k].T
                    if kinds[a, b] == 1:
                        scores += np.where(np.tri(*scores.shape, i + shift - j, dtype=bool), 0.0, -np.inf)
                    state = add_tile(*state, scores, v[j : j + block_k])
            top, total, mixed = state
            safe = np.where(total == 0, 1, total)
            outputs.append(mixed / safe[:, None])
            sums.append(np.where(total == 0, -np.inf, top + np.log(safe)))
        return np.vstack(outputs), np.hstack(sums)

    def one_query_at_a_time(q, k, v, block_q, block_k):
        n, m = len(q), len(k)
        output, lse = np.zeros_like(q, shape=(n, v.shape[1])), np.full(n, -np.inf)
        for i in range(0, n, block_q):
            rows = q[i : i + block_q]
            seen = max(0, min(i + len(rows) + m - n, m))
            tiles = [(k[j : j + block_k], v[j : j + block_k]) for j in range(0, seen, block_k)]
            for r, row in enumerate(rows):
                mine = max(0, i + r + m - n + 1)
                if mine:
                    keys, values = (np.concatenate(one)[:mine] for one in zip(*tiles, strict=True))
                    scores = keys @ row / np.sqrt(q.shape[1])
                    lse[i + r] = np.logaddexp.reduce(scores)
                    output[i + r] = np.exp(scores - lse[i + r]) @ values
        return output, lse


class tiled_backward:
    def keys_outside(q, k, v, output, lse, grad_output, block_q, block_k):
        delta, root = np.einsum("nv,nv->n", output, grad_output), math.sqrt(q.shape[-1])
        grad_q, grads_k, grads_v = np.zeros_like(q), [], []
        for j in range(0, len(k), block_k):
            key, value = k[j : j + block_k], v[j : j + block_k]
            grad_k, grad_v = np.zeros_like(key), np.zeros_like(value)
            for i in range(0, len(q), block_q):
                rows = slice(i, i + block_q)
                p = np.exp(q[rows] @ key.T / root - lse[rows][:, None])
                grad_v = grad_v + p.T @ grad_output[rows]
                ds = p * (grad_output[rows] @ value.T - delta[rows][:, None])
                grad_q[rows] += ds @ key / root
                grad_k = grad_k + ds.T @ q[rows] / root
            grads_k.append(grad_k)
            grads_v.append(grad_v)
        return grad_q, np.concatenate(grads_k), np.concatenate(grads_v)

    def transposed(q, k, v, output, lse, grad_output, block_q, block_k):
        grads = [np.zeros(x.shape) for x in (q, k, v)]
        scale = q.shape[1] ** -0.5
        for i in range(0, len(q), block_q):
            queries, grad = scale * q[i : i + block_q], grad_output[i : i + block_q]
            delta = np.diag(grad @ output[i : i + block_q].T)
            for j in range(0, len(k), block_k):
                weights = np.exp(k[j : j + block_k] @ queries.T - lse[i : i + block_q])  # keys are rows
                back = weights * (v[j : j + block_k] @ grad.T - delta)
                grads[0][i : i + block_q] += scale * (back.T @ k[j : j + block_k])
                grads[1][j : j + block_k] += back @ queries
                grads[2][j : j + block_k] += weights @ grad
        return grads

    def in_single_precision(q, k, v, output, lse, grad_output, block_q, block_k):
        q, k, v, output, lse, g = (x.astype(np.float32) for x in (q, k, v, output, lse, grad_output))
        grad_q, grad_k, grad_v = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
        scale = np.float32(1 / math.sqrt(q.shape[1]))
        for i in range(0, len(q), block_q):
            s = slice(i, i + block_q)
            delta = (g[s] * output[s]).sum(1, keepdims=True)
            for j in range(0, len(k), block_k):
                t = slice(j, j + block_k)
                p = np.exp(scale * (q[s] @ k[t].T) - lse[s, None])
                ds = scale * p * (g[s] @ v[t].T - delta)
                grad_q[s], grad_k[t], grad_v[t] = grad_q[s] + ds @ k[t], grad_k[t] + ds.T @ q[s], grad_v[t] + p.T @ g[s]
        return grad_q, grad_k, grad_v

    def one_query_at_a_time(q, k, v, output, lse, grad_output, block_q, block_k):
        grad_q, grad_k, grad_v = np.zeros(q.shape), np.zeros(k.shape), np.zeros(v.shape)
        for i in range(len(q)):
            for j in range(0, len(k), block_k):
                t = slice(j, j + block_k)
                w = np.exp(k[t] @ q[i] / np.sqrt(q.shape[1]) - lse[i])
                s = w * (v[t] @ grad_output[i] - output[i] @ grad_output[i]) / np.sqrt(q.shape[1])
                grad_q[i] += s @ k[t]
                grad_k[t] += np.outer(s, q[i])
                grad_v[t] += np.outer(w, grad_output[i])
        return grad_q, grad_k, grad_v


class attention_bytes:
    def by_walking(n, m, d, block_q, block_k, itemsize=2, causal=False):
        moved = 0
        for i in range(0, n, block_q):
            rows = min(block_q, n - i)
            moved += 2 * rows * d * itemsize + 4 * rows
            for j in range(0, m, block_k):
                if not causal or j <= i + rows - 1 + m - n:
                    moved += 2 * min(block_k, m - j) * d * itemsize
        first = n * d + m * d + n * m
        second = n * m + n * m
        third = n * m + m * d + n * d
        return {"tiled": moved, "naive": (first + second + third) * itemsize}

    def by_the_last_key(n, m, d, block_q, block_k, itemsize=2, causal=False):
        last = [min(i + block_q, n) - 1 + m - n if causal else m - 1 for i in range(0, n, block_q)]
        rows = sum(min(m, (one // block_k + 1) * block_k) for one in last if one >= 0)
        return {"naive": itemsize * (2 * d * (n + m) + 4 * n * m), "tiled": itemsize * 2 * d * (n + rows) + 4 * n}

    def with_the_map(n, m, d, block_q, block_k, itemsize=2, causal=False):
        kinds = causal_tiles(n, m, block_q, block_k)
        rows = 0
        for line in kinds:
            for b, kind in enumerate(line):
                if kind or not causal:
                    rows += len(range(b * block_k, min(m, b * block_k + block_k)))
        return dict(
            naive=int(itemsize * (4 * n * m + 2 * n * d + 2 * m * d)), tiled=int(2 * d * itemsize * (rows + n) + 4 * n)
        )


class softmax_kernel:
    @triton.jit
    def another_order(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
        at = tl.arange(0, BLOCK)
        x += tl.program_id(0) * x_row
        out += tl.program_id(axis=0) * out_row
        scores = tl.load(x + at, mask=at < columns, other=float("-inf")).to(tl.float32)
        scores = scores - tl.max(scores, axis=0)
        powers = tl.exp2(scores * 1.4426950408889634)
        tl.store(out + at, powers * (1.0 / tl.sum(powers, axis=0)), mask=at < columns)

    @triton.jit
    def ready_made(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
        row = tl.program_id(0)
        column = tl.arange(0, BLOCK)
        tile = tl.load(x + row * x_row + column, mask=column < columns, other=-float("inf"))
        tl.store(out + row * out_row + column, tl.softmax(tile), mask=column < columns)

    @triton.jit
    def masked_by_where(x, out, columns: tl.int32, x_row, out_row, BLOCK: tl.constexpr = 16):
        """Zeros are loaded, and taken out of the sum."""
        row, at = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
        inside = (at >= 0) & (at < columns)
        tile = tl.load(x + row * x_row + at, inside, 0.0)
        tile = tl.where(inside, tile, float("-inf"))
        powers = tl.where(inside, tl.math.exp(tile - tile.max(0)), 0.0)
        tl.store(out + row * out_row + at, powers / powers.sum(0), inside)


class online_update:
    @triton.jit
    def powers_of_two(top, total, mixed, scores, values):
        higher = tl.maximum(top, tl.max(scores, axis=1))
        safe = tl.where(higher > -float("inf"), higher, 0.0) * 1.4426950408889634
        powers = tl.math.exp2(scores * 1.4426950408889634 - safe[:, None])
        fade = tl.math.exp2(top * 1.4426950408889634 - safe)
        mixed = tl.dot(powers.to(values.dtype), values, mixed * fade[:, None], input_precision="ieee")
        return higher, fade * total + tl.sum(powers, axis=1), mixed

    @triton.jit
    def in_float32_throughout(top, total, mixed, scores, values):
        largest = tl.max(scores, 1)
        new = tl.where(largest > top, largest, top)
        shift = new
        if True:
            shift = tl.where(new == float("-inf"), 0.0, new)
        powers = tl.exp(scores - tl.expand_dims(shift, 1))
        old = tl.exp(top - shift)
        total *= old
        total += powers.sum(1)
        mixed *= old[:, None]
        mixed += tl.dot(powers, values.to(tl.float32), input_precision="ieee")
        return new, total, mixed

    @triton.jit
    def without_a_dot(top, total, mixed, scores, values):
        new = tl.maximum(top, tl.max(scores, 1))
        seen = scores > -float("inf")
        powers = tl.where(seen, tl.exp(scores - new[:, None]), 0.0)
        old = tl.where(top > -float("inf"), tl.exp(top - new), 0.0)
        parts = powers[:, :, None] * values.to(tl.float32)[None, :, :]
        return new, total * old + tl.sum(powers, 1), mixed * old[:, None] + tl.sum(parts, 1)


class attention_kernel:
    @triton.jit
    def all_in_one(q, k, v, out, n, m, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
        rows = tl.program_id(0) * BM + tl.arange(0, BM)
        cols = tl.arange(0, D)
        Q = tl.load(q + rows[:, None] * D + cols, mask=rows[:, None] < n, other=0.0)
        m_i = tl.zeros([BM], dtype=tl.float32) - float("inf")
        l_i = tl.zeros([BM], dtype=tl.float32)
        acc = tl.zeros([BM, D], dtype=tl.float32)
        log2e: tl.constexpr = 1.4426950408889634
        for j in range(0, tl.cdiv(m, BN)):
            keys = j * BN + tl.arange(0, BN)
            KT = tl.load(k + keys[None, :] * D + cols[:, None], mask=keys[None, :] < m, other=0.0)
            s = tl.dot(Q, KT) * (scale * log2e)
            s += tl.where(keys[None, :] < m, 0.0, float("-inf"))
            m_new = tl.maximum(m_i, tl.max(s, 1))
            p = tl.exp2(s - m_new[:, None])
            alpha = tl.exp2(m_i - m_new)
            V = tl.load(v + keys[:, None] * D + cols[None, :], mask=keys[:, None] < m, other=0.0)
            acc = acc * alpha[:, None]
            acc = tl.dot(p.to(V.dtype), V, acc)
            l_i = l_i * alpha + tl.sum(p, 1)
            m_i = m_new
        acc /= l_i[:, None]
        tl.store(out + rows[:, None] * D + cols[None, :], acc, mask=rows[:, None] < n)

    @triton.jit
    def whole_tiles_first(q, k, v, out, n, m, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
        row, column = tl.program_id(0) * BM + tl.arange(0, BM), tl.arange(0, D)
        q_tile = tl.load(q + row[:, None] * D + column[None, :], mask=(row < n)[:, None], other=0.0)
        top, total = tl.full([BM], -float("inf"), tl.float32), tl.zeros([BM], tl.float32)
        mixed = tl.zeros([BM, D], tl.float32)
        whole = m // BN * BN
        for start in range(0, whole, BN):
            there = (start + tl.arange(0, BN))[:, None] * D + column[None, :]
            scores = tl.dot(q_tile, tl.trans(tl.load(k + there)), input_precision="ieee") * scale
            top, total, mixed = online_update(top, total, mixed, scores, tl.load(v + there))
        if whole < m:
            key = whole + tl.arange(0, BN)
            there, exists = key[:, None] * D + column[None, :], (key < m)[:, None]
            scores = tl.dot(q_tile, tl.trans(tl.load(k + there, mask=exists, other=0.0))) * scale
            scores = tl.where((key < m)[None, :], scores, -float("inf"))
            values = tl.load(v + there, mask=exists, other=0.0)
            top, total, mixed = online_update(top, total, mixed, scores, values)
        tl.store(out + row[:, None] * D + column[None, :], mixed / total[:, None], mask=(row < n)[:, None])

    @triton.jit
    def by_while_and_float32(q, k, v, out, n, m, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
        row, column = tl.program_id(0) * BM + tl.arange(0, BM), tl.arange(0, D)
        here, inside = row[:, None] * D + column[None, :], (row < n)[:, None]
        q_tile = tl.load(q + here, mask=inside, other=0.0).to(tl.float32) * scale
        top, total = tl.full([BM], -float("inf"), tl.float32), tl.zeros([BM], tl.float32)
        mixed = tl.zeros([BM, D], tl.float32)
        start = 0
        while start < m:
            key = start + tl.arange(0, BN)
            there, exists = key[:, None] * D + column[None, :], (key < m)[:, None]
            k_tile = tl.load(k + there, mask=exists, other=0.0).to(tl.float32)
            scores = tl.where((key < m)[None, :], tl.dot(q_tile, k_tile.T), -float("inf"))
            v_tile = tl.load(v + there, mask=exists, other=0.0).to(tl.float32)
            top, total, mixed = online_update(top, total, mixed, scores, v_tile)
            start += BN
        tl.store(out + here, mixed / total[:, None], mask=inside)


class causal_kernel:
    @triton.jit
    def heads_in_the_addresses(
        q, k, v, out, lse, n, m, share, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr
    ):  # fmt: skip
        block, head = tl.program_id(0), tl.program_id(1)
        row, column = block * BM + tl.arange(0, BM), tl.arange(0, D)
        here = (head * n + row)[:, None] * D + column[None, :]
        q_tile = tl.load(q + here, mask=row[:, None] < n, other=0.0)
        top, total = tl.full([BM], -float("inf"), tl.float32), tl.zeros([BM], tl.float32)
        mixed = tl.zeros([BM, D], tl.float32)
        end = tl.maximum(0, tl.minimum(m, block * BM + BM + m - n))
        for start in range(0, end, BN):
            key = start + tl.arange(0, BN)
            there = (head // share * m + key)[:, None] * D + column[None, :]
            k_tile = tl.load(k + there, mask=key[:, None] < m, other=0.0)
            v_tile = tl.load(v + there, mask=key[:, None] < m, other=0.0)
            scores = tl.dot(q_tile, tl.trans(k_tile)) * scale
            hidden = (key[None, :] >= m) | (key[None, :] > row[:, None] + m - n)
            scores = tl.where(hidden, -float("inf"), scores)
            top, total, mixed = online_update(top, total, mixed, scores, v_tile)
        some = total > 0
        tl.store(out + here, tl.where(some[:, None], mixed / total[:, None], 0.0), mask=row[:, None] < n)
        tl.store(lse + head * n + row, tl.where(some, top + tl.log(total), -float("inf")), mask=row < n)

    @triton.jit
    def without_the_helper(
        q, k, v, out, lse, n, m, share, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr
    ):  # fmt: skip
        i, h = tl.program_id(0), tl.program_id(1).to(tl.int64)
        row, column, offset = i * BM + tl.arange(0, BM), tl.arange(0, D), m - n
        inside = row[:, None] < n
        q_tile = tl.load(q + h * n * D + row[:, None] * D + column[None, :], mask=inside, other=0.0)
        m_i = tl.full([BM], float("-inf"), tl.float32)
        l_i = tl.zeros([BM], tl.float32)
        acc = tl.zeros([BM, D], tl.float32)
        scale = scale * 1.4426950408889634
        for start in range(0, tl.minimum(m, (i + 1) * BM + offset), BN):
            key = start + tl.arange(0, BN)
            at = (h // share) * m * D + key[:, None] * D + column[None, :]
            k_tile = tl.load(k + at, mask=key[:, None] < m, other=0.0)
            s = tl.dot(q_tile, tl.trans(k_tile)) * scale
            s = tl.where(key[None, :] <= tl.minimum(row + offset, m - 1)[:, None], s, float("-inf"))
            new = tl.maximum(m_i, tl.max(s, 1))
            safe = tl.where(new == float("-inf"), 0.0, new)
            p = tl.exp2(s - safe[:, None])
            alpha = tl.exp2(m_i - safe)
            v_tile = tl.load(v + at, mask=key[:, None] < m, other=0.0)
            acc = tl.dot(p.to(v_tile.dtype), v_tile, acc * alpha[:, None])
            l_i = l_i * alpha + tl.sum(p, 1)
            m_i = new
        divisor = tl.where(l_i == 0, 1.0, l_i)
        tl.store(out + h * n * D + row[:, None] * D + column[None, :], acc / divisor[:, None], mask=inside)
        tl.store(lse + h * n + row, (m_i + tl.log2(divisor)) / 1.4426950408889634, mask=row < n)

    @triton.jit
    def two_loops(
        q, k, v, out, lse, n, m, share, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr
    ):  # fmt: skip
        head, first = tl.program_id(1), tl.program_id(0) * BM
        row, column = first + tl.arange(0, BM), tl.arange(0, D)
        here, inside = head * n * D + row[:, None] * D + column[None, :], (row < n)[:, None]
        base = head // share * m * D
        q_tile = tl.load(q + here, mask=inside, other=0.0)
        top, total = tl.full([BM], -float("inf"), tl.float32), tl.zeros([BM], tl.float32)
        mixed = tl.zeros([BM, D], tl.float32)
        edge = tl.maximum(0, first + 1 + m - n) // BN * BN  # tiles before it are seen by all queries of the block
        for start in range(0, edge, BN):
            there = base + (start + tl.arange(0, BN))[:, None] * D + column[None, :]
            inside_k = (start + tl.arange(0, BN) < m)[:, None]
            k_tile = tl.load(k + there, mask=inside_k, other=0.0)
            v_tile = tl.load(v + there, mask=inside_k, other=0.0)
            scores = tl.dot(q_tile, tl.trans(k_tile)) * scale
            top, total, mixed = online_update(top, total, mixed, scores, v_tile)
        for start in range(edge, tl.minimum(m, first + BM + m - n), BN):
            key = start + tl.arange(0, BN)
            there = base + key[:, None] * D + column[None, :]
            k_tile = tl.load(k + there, mask=(key < m)[:, None], other=0.0)
            v_tile = tl.load(v + there, mask=(key < m)[:, None], other=0.0)
            scores = tl.dot(q_tile, tl.trans(k_tile)) * scale
            seen = (key[None, :] < m) & (key[None, :] <= row[:, None] + m - n)
            top, total, mixed = online_update(top, total, mixed, tl.where(seen, scores, -float("inf")), v_tile)
        tl.store(out + here, mixed / tl.maximum(total, 1e-30)[:, None], mask=inside)
        tl.store(lse + head * n + row, top + tl.log(tl.maximum(total, 1e-30)), mask=row < n)
