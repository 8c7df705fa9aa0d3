"""Other right answers to m22's kernels."""

import triton
import triton.language as tl


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
