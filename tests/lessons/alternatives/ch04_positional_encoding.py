"""Other right answers to ch04."""

import math

import numpy as np


def plain_attention(x, p, heads):
    """All heads at once, with einsum."""
    q, k, v = (np.reshape(x @ p[name], (len(x), heads, -1)) for name in ("w_q", "w_k", "w_v"))
    scores = np.einsum("nhd,mhd->hnm", q, k) / math.sqrt(q.shape[-1])
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = powers / powers.sum(axis=-1, keepdims=True)
    return np.einsum("hnm,mhd->nhd", weights, v).reshape(x.shape) @ p["w_o"]


class permutation_gap:
    def moved_back(x, positions, p, heads, order):
        before = multi_head_attention(x + positions, p, heads)[0]  # noqa: F821
        after = multi_head_attention(x[order] + positions, p, heads)[0]  # noqa: F821
        back = np.empty_like(after)
        back[order] = after
        return np.max(np.abs(back - before))

    def with_argsort(x, positions, p, heads, order):
        first, _ = multi_head_attention(positions + x, p, heads)  # noqa: F821
        second, _ = multi_head_attention(positions + np.take(x, order, axis=0), p, heads)  # noqa: F821
        return float(np.linalg.norm((first - second[np.argsort(order)]).ravel(), np.inf))

    def attention_of_its_own(x, positions, p, heads, order):
        before, after = (plain_attention(z + positions, p, heads) for z in (x, x[order]))
        return abs(before[order] - after).max()

    def by_a_matrix(x, positions, p, heads, order):
        shuffle = np.eye(len(x))[order]
        gap = plain_attention(shuffle @ x + positions, p, heads) - shuffle @ plain_attention(x + positions, p, heads)
        return max(gap.max(), -gap.min())

    def loops(x, positions, p, heads, order):
        shuffled = np.array([x[j] for j in order])
        a, _ = multi_head_attention(x + positions, p, heads)  # noqa: F821
        b, _ = multi_head_attention(shuffled + positions, p, heads)  # noqa: F821
        largest = 0.0
        for i in range(len(order)):
            for c in range(x.shape[1]):
                largest = max(largest, abs(b[i, c] - a[order[i], c]))
        return largest

    def float32(x, positions, p, heads, order):
        x, positions = x.astype(np.float32), positions.astype(np.float32)
        p = {name: w.astype(np.float32) for name, w in p.items()}
        return np.abs(
            plain_attention(x[order] + positions, p, heads) - plain_attention(x + positions, p, heads)[order]
        ).max()


class sinusoidal_encoding:
    def loops(n, d_model):
        table = np.zeros((n, d_model))
        for t in range(n):
            for i in range(d_model // 2):
                table[t, 2 * i] = math.sin(t / 10000 ** (2 * i / d_model))
                table[t, 2 * i + 1] = math.cos(t / 10000 ** (2 * i / d_model))
        return table

    def exponential_of_a_logarithm(n, d_model):
        speeds = np.exp(np.arange(0, d_model, 2) * -(math.log(10000.0) / d_model))
        angles = np.arange(n)[:, None] * speeds
        return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(n, d_model)

    def cosine_as_a_shifted_sine(n, d_model):
        columns = np.arange(d_model)
        angles = np.arange(n)[:, None] / np.power(10000, (columns - columns % 2) / d_model)
        return np.sin(angles + np.pi / 2 * (columns % 2))

    def complex_numbers(n, d_model):
        powers = np.exp(1j * np.arange(n)[:, None] * 10000 ** (-2 * np.arange(d_model // 2) / d_model))
        return np.stack([powers.imag, powers.real], -1).reshape(n, d_model)

    def step_by_step(n, d_model):
        turn = [np.exp(1j * 10000 ** (-i / d_model)) for i in range(0, d_model, 2)]
        rows, hands = [], [1 + 0j] * len(turn)
        for _ in range(n):
            rows.append([number for z in hands for number in (z.imag, z.real)])
            hands = [z * w for z, w in zip(hands, turn, strict=True)]
        return np.array(rows)

    def a_view_of_the_transpose(n, d_model):
        table = np.empty((d_model, n), order="F")
        for column in range(d_model):
            wave = np.cos if column % 2 else np.sin
            table[column] = wave(np.arange(n) * 10000 ** (-(column // 2 * 2) / d_model))
        return table.T

    def float32(n, d_model):
        exponents = np.arange(0, d_model, 2, dtype=np.float32) / np.float32(d_model)
        angles = np.arange(n, dtype=np.float32)[:, None] / np.float32(10000) ** exponents
        table = np.zeros((n, d_model), np.float32)
        table[:, ::2], table[:, 1::2] = np.sin(angles), np.cos(angles)
        return table


class offset_matrix:
    def on_the_diagonals(k, d_model):
        angles = k * 10000.0 ** (-np.arange(0, d_model, 2) / d_model)
        beside = np.zeros(d_model - 1)
        beside[::2] = np.sin(angles)
        return np.diag(np.repeat(np.cos(angles), 2)) - np.diag(beside, 1) + np.diag(beside, -1)

    def repeated_steps(k, d_model):
        step = np.zeros((d_model, d_model))
        for i in range(0, d_model, 2):
            angle = math.copysign(1, k) / 10000 ** (i / d_model)
            step[i, i] = step[i + 1, i + 1] = math.cos(angle)
            step[i + 1, i] = math.sin(angle)
            step[i, i + 1] = -math.sin(angle)
        matrix = np.eye(d_model)
        for _ in range(abs(k)):
            matrix = matrix @ step
        return matrix

    def from_two_encodings(k, d_model):
        # A row and the same row a quarter turn later are two equations for each block.
        angles = np.outer([0.4, 0.4 + np.pi / 2], np.ones(d_model // 2))
        moved = angles + k / 10000 ** (np.arange(0, d_model, 2) / d_model)
        matrix = np.zeros((d_model, d_model))
        for i in range(d_model // 2):
            old, new = (np.stack([np.sin(a[:, i]), np.cos(a[:, i])], axis=1) for a in (angles, moved))
            matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = np.linalg.solve(old, new)
        return matrix

    def kronecker(k, d_model):
        angles = k * 10000.0 ** (-np.arange(0, d_model, 2) / d_model)
        return np.kron(np.diag(np.cos(angles)), np.eye(2)) + np.kron(np.diag(np.sin(angles)), [[0, -1], [1, 0]])

    def transposed_of_the_column_form(k, d_model):
        blocks = np.zeros((d_model // 2, 2, d_model // 2, 2))
        for i in range(d_model // 2):
            z = np.exp(1j * k / 10000 ** (2 * i / d_model))
            blocks[i, :, i, :] = [[z.real, z.imag], [-z.imag, z.real]]
        return blocks.reshape(d_model, d_model).T

    def float32(k, d_model):
        angles = np.float32(k) / np.float32(10000) ** (np.arange(0, d_model, 2, dtype=np.float32) / np.float32(d_model))
        matrix = np.zeros((d_model, d_model), np.float32)
        for i, angle in enumerate(angles):
            matrix[2 * i, 2 * i] = matrix[2 * i + 1, 2 * i + 1] = np.cos(angle)
            matrix[2 * i + 1, 2 * i], matrix[2 * i, 2 * i + 1] = np.sin(angle), -np.sin(angle)
        return matrix


class apply_rope:
    def complex_numbers(x, positions, base=10000.0):
        speeds = base ** (-np.arange(0, x.shape[1], 2) / x.shape[1])
        turned = (x[:, ::2] + 1j * x[:, 1::2]) * np.exp(1j * positions[:, None] * speeds)
        return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)

    def viewed_as_complex(x, positions, base=10000.0):
        angles = np.outer(positions, 1 / base ** (np.arange(0, x.shape[1], 2) / x.shape[1]))
        return (np.ascontiguousarray(x, np.float64).view(np.complex128) * np.exp(1j * angles)).view(np.float64)

    def loops(x, positions, base=10000.0):
        out = np.zeros_like(x)
        for r, position in enumerate(positions):
            for i in range(x.shape[1] // 2):
                angle = position / base ** (2 * i / x.shape[1])
                a, b = x[r, 2 * i], x[r, 2 * i + 1]
                out[r, 2 * i] = a * math.cos(angle) - b * math.sin(angle)
                out[r, 2 * i + 1] = a * math.sin(angle) + b * math.cos(angle)
        return out

    def even_and_odd(x, positions, base=10000.0):
        angles = np.outer(positions, base ** (-np.arange(0, x.shape[1], 2) / x.shape[1]))
        even, odd, out = x[:, ::2], x[:, 1::2], np.empty(x.shape)
        out[:, ::2] = even * np.cos(angles) - odd * np.sin(angles)
        out[:, 1::2] = even * np.sin(angles) + odd * np.cos(angles)
        return out

    def by_angle_and_length(x, positions, base=10000.0):
        lengths = np.hypot(x[:, ::2], x[:, 1::2])
        angles = np.arctan2(x[:, 1::2], x[:, ::2])
        angles = angles + np.outer(positions, base ** (-np.arange(0, x.shape[1], 2) / x.shape[1]))
        return np.stack([lengths * np.cos(angles), lengths * np.sin(angles)], axis=2).reshape(x.shape)

    def a_matrix_for_each_row(x, positions, base=10000.0):
        rows = []
        for vector, position in zip(x, positions, strict=True):
            angles = position * base ** (-np.arange(0, len(vector), 2) / len(vector))
            turn = np.kron(np.diag(np.cos(angles)), np.eye(2)) + np.kron(np.diag(np.sin(angles)), [[0, 1], [-1, 0]])
            rows.append(vector @ turn)
        return np.array(rows)

    def half_split_and_back(x, positions, base=10000.0):
        half = x.shape[1] // 2
        order = np.concatenate([np.arange(0, 2 * half, 2), np.arange(1, 2 * half, 2)])
        z, a = x[:, order], np.outer(positions, base ** (-np.arange(half) / half))
        cos, sin = np.tile(np.cos(a), 2), np.tile(np.sin(a), 2)
        turned = z * cos + np.hstack([-z[:, half:], z[:, :half]]) * sin
        return turned[:, np.argsort(order)]

    def float32(x, positions, base=10000.0):
        x, places = x.astype(np.float32), positions.astype(np.float32)
        exponents = np.arange(0, x.shape[1], 2, dtype=np.float32) / np.float32(x.shape[1])
        angles = places[:, None] / np.float32(base) ** exponents
        out = np.empty_like(x)
        out[:, ::2] = x[:, ::2] * np.cos(angles) - x[:, 1::2] * np.sin(angles)
        out[:, 1::2] = x[:, ::2] * np.sin(angles) + x[:, 1::2] * np.cos(angles)
        return out
