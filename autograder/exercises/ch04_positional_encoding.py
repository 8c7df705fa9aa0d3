"""Exercises of ch04, positional encoding.

Attention agrees with `torch.nn.MultiheadAttention`; the encoding with DistilBERT's sinusoids in transformers; the offset
with `torch.linalg.matrix_exp`; RoPE with torch's complex numbers, transformers' GPT-J (neighbouring pairs), Llama and
GPT-NeoX (half-split pairs, columns permuted)."""

import cmath
import math

import numpy as np

from autograder.exercise import case, exercise, question
from course.checks.compare import close

TITLE = "Positional encoding"


def _softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _attend(x, p, heads):
    """Multi-head self-attention, head by head: output (n, d_model), weights (heads, n, n)."""
    width = x.shape[1] // heads
    outputs, weights = [], []
    for h in range(heads):
        columns = slice(h * width, (h + 1) * width)
        q, k, v = (x @ p[name][:, columns] for name in ("w_q", "w_k", "w_v"))
        weights.append(_softmax(q @ k.T / width**0.5))
        outputs.append(weights[-1] @ v)
    return np.hstack(outputs) @ p["w_o"], np.stack(weights)


def _sequence(rng, n, d):
    """Tokens (n, d), the projections and an order."""
    p = {name: rng.standard_normal((d, d)) / d**0.5 for name in ("w_q", "w_k", "w_v", "w_o")}
    return rng.standard_normal((n, d)), p, _cycle(rng, n)


def _cycle(rng, n):
    """An order of n >= 3 tokens in which none stays, and which is not its own inverse: one random cycle."""
    round_trip = rng.permutation(n)
    order = np.empty(n, dtype=np.int64)
    order[round_trip] = np.roll(round_trip, 1)
    return order


@exercise(
    parts={"values": 3, "positions that tell nothing": 1},
    minutes=10,
    source="the symmetry test of Lee et al. 2019 (Set Transformer), property 1, as a number",
)
class permutation_gap:
    """How far attention is from not seeing the order: shuffle the tokens, compare the outputs row by row."""

    tolerance = close(1e-4, 1e-5, why="a float32 solution subtracts outputs that nearly agree")

    def cases(rng):
        for n, d, heads, size in [(3, 4, 2, 1.0), (5, 6, 3, 0.7), (7, 4, 1, 1.5)]:
            x, p, order = _sequence(rng, n, d)
            positions = size * rng.standard_normal((n, d))
            for sign in (1, -1):  # with all outputs negated: in one of the two the largest difference is negative
                signed = p | {"w_o": sign * p["w_o"]}
                yield case(x, positions, signed, heads, order, label=f"{n} tokens, heads = {heads}")
        for n, d, heads, what in [(6, 8, 2, "all zero"), (4, 6, 2, "the same in every slot")]:
            x, p, order = _sequence(rng, n, d)
            positions = np.tile(rng.standard_normal(d), (n, 1)) if "same" in what else np.zeros((n, d))
            label = f"{n} tokens, positions {what}"
            yield case(x, positions, p, heads, order, label=label, part="positions that tell nothing")

    def reference(x, positions, p, heads, order):
        before, _ = _attend(x + positions, p, heads)
        shuffled = np.array([x[source] + slot for source, slot in zip(order, positions, strict=True)])
        after, _ = _attend(shuffled, p, heads)
        return max(abs(after[i, c] - before[source, c]) for i, source in enumerate(order) for c in range(x.shape[1]))

    class misconceptions:
        def positions_move_along(x, positions, p, heads, order):
            """Your gap is 0 whatever the positions: are they added at all? They belong to the slots: shuffle x alone, then add them, in both runs. Do not change x itself."""
            z = x + positions
            return float(np.abs(_attend(z[order], p, heads)[0] - _attend(z, p, heads)[0][order]).max())

        def pair_not_unpacked(x, positions, p, heads, order):
            """The function multi_head_attention returns two results, the output and the weights. Take the first of them before you go on."""
            pair = _attend(x + positions, p, heads)
            return float(np.abs(pair[order] - pair).max())

        def outputs_not_shuffled(x, positions, p, heads, order):
            """You compare row i with row i. Token order[i] now stands in slot i: compare row i with row order[i] of the first run."""
            after, before = (_attend(z + positions, p, heads)[0] for z in (x[order], x))
            return float(np.abs(after - before).max())

        def shuffled_twice(x, positions, p, heads, order):
            """You shuffle the second output once more. It is in the new order already: compare it with before[order]."""
            after, before = (_attend(z + positions, p, heads)[0] for z in (x[order], x))
            return float(np.abs(after[order] - before).max())

        def columns_shuffled(x, positions, p, heads, order):
            """`x[:, order]` shuffles columns, the entries of each vector. Tokens are rows: `x[order]`."""
            after, before = (_attend(z + positions, p, heads)[0] for z in (x[:, order], x))
            return float(np.abs(after - before[order]).max())

        def positions_only_before(x, positions, p, heads, order):
            """The second run gets no positions. Slot i adds positions[i] in both runs, whoever stands in it."""
            after, before = _attend(x[order], p, heads)[0], _attend(x + positions, p, heads)[0]
            return float(np.abs(after - before[order]).max())

        def positions_only_after(x, positions, p, heads, order):
            """The first run gets no positions. Slot i adds positions[i] in both runs, whoever stands in it."""
            after, before = _attend(x[order] + positions, p, heads)[0], _attend(x, p, heads)[0]
            return float(np.abs(after - before[order]).max())

        def positions_added_twice(x, positions, p, heads, order):
            """You add the positions twice: did an in-place += change x? Each run adds them once, to a fresh x or x[order]."""
            z = x + positions
            after, before = (_attend(y, p, heads)[0] for y in (z[order] + positions, z))
            return float(np.abs(after - before[order]).max())

        def largest_without_abs(x, positions, p, heads, order):
            """You take the largest signed difference: a large negative one gets lost. Take absolute values first."""
            after, before = (_attend(z + positions, p, heads)[0] for z in (x[order], x))
            return float((after - before[order]).max())

        def mean_difference(x, positions, p, heads, order):
            """You average the differences; asked is the largest one, so that a single changed entry is not missed."""
            after, before = (_attend(z + positions, p, heads)[0] for z in (x[order], x))
            return float(np.abs(after - before[order]).mean())

        def sum_of_differences(x, positions, p, heads, order):
            """You add the differences up; asked is the largest one alone."""
            after, before = (_attend(z + positions, p, heads)[0] for z in (x[order], x))
            return float(np.abs(after - before[order]).sum())

        def smallest_difference(x, positions, p, heads, order):
            """You take the smallest difference; asked is the largest: one entry that changes is enough for a gap."""
            after, before = (_attend(z + positions, p, heads)[0] for z in (x[order], x))
            return float(np.abs(after - before[order]).min())

        def nothing_compared(x, positions, p, heads, order):
            """You return the largest output of one run. The gap is the largest difference between the two runs."""
            return float(np.abs(_attend(x[order] + positions, p, heads)[0]).max())

        def compared_with_the_tokens(x, positions, p, heads, order):
            """You compare the second output with the tokens that went in. Compare it with the output of the first run."""
            return float(np.abs(_attend(x[order] + positions, p, heads)[0] - x[order]).max())

        def one_run_only(x, positions, p, heads, order):
            """You compare the first run with its own shuffled rows. The second run, on x[order], is missing."""
            before = _attend(x + positions, p, heads)[0]
            return float(np.abs(before - before[order]).max())

        def sum_for_difference(x, positions, p, heads, order):
            """You add the two outputs where you should subtract them."""
            after, before = (_attend(z + positions, p, heads)[0] for z in (x[order], x))
            return float(np.abs(after + before[order]).max())

        def euclidean_norm(x, positions, p, heads, order):
            """`np.linalg.norm` adds up all squared differences; asked is the largest absolute difference."""
            after, before = (_attend(z + positions, p, heads)[0] for z in (x[order], x))
            return float(np.linalg.norm(after - before[order]))

        def all_differences(x, positions, p, heads, order):
            """You return the whole table of differences; asked is one number, the largest of them."""
            after, before = (_attend(z + positions, p, heads)[0] for z in (x[order], x))
            return np.abs(after - before[order])

        def yes_or_no(x, positions, p, heads, order):
            """You return True or False. Asked is the size of the gap, a float; you judge it yourself afterwards."""
            after, before = (_attend(z + positions, p, heads)[0] for z in (x[order], x))
            return bool(np.allclose(after, before[order]))

        def of_the_weights(x, positions, p, heads, order):
            """You compare the attention weights. multi_head_attention returns (output, weights): compare the outputs."""
            after, before = (_attend(z + positions, p, heads)[1] for z in (x[order], x))
            return float(np.abs(after - before[:, order][:, :, order]).max())


def _angles(n, d, start=0):
    return np.outer(np.arange(start, n + start), 10000.0 ** (-np.arange(0, d, 2) / d))


def _waves(angles):
    """Sines and cosines side by side, pair by pair: (n, d / 2) to (n, d)."""
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(len(angles), -1)


@exercise(
    parts={"values": 4},
    minutes=12,
    source="Vaswani et al. 2017, section 3.5",
    forbids={"torch": "this chapter works with NumPy"},
)
class sinusoidal_encoding:
    """Sinusoidal position encoding: each pair of columns is the sine and cosine of one wave, from fast to slow."""

    tolerance = close(1e-4, 2e-5, why="a float32 solution rounds angles of up to 45 radians before the sine")

    def cases(rng):
        for n, d in [(1, 4), (5, 2), (3, 8), (10, 6), (int(rng.integers(20, 45)), 2 * int(rng.integers(6, 12)))]:
            yield case(n, d, label=f"{n} positions, d_model = {d}" if n > 1 else f"one position, d_model = {d}")

    def reference(n, d_model):
        table = np.empty((n, d_model))
        for t in range(n):
            for column in range(d_model):
                angle = t / math.pow(10000.0, (column - column % 2) / d_model)
                table[t, column] = math.cos(angle) if column % 2 else math.sin(angle)
        return table

    class misconceptions:
        def halves_concatenated(n, d_model):
            """Your sines stand in the left half, your cosines in the right. Here they alternate: even columns sine, odd ones cosine."""
            a = _angles(n, d_model)
            return np.hstack([np.sin(a), np.cos(a)])

        def sine_everywhere(n, d_model):
            """You use the sine in every column; the odd columns take the cosine of the same angle."""
            return np.repeat(np.sin(_angles(n, d_model)), 2, axis=1)

        def sine_of_each_column(n, d_model):
            """You use the sine in every column, with the column's number as exponent. A pair shares one angle: sine, then cosine."""
            return np.sin(np.outer(np.arange(n), 10000.0 ** (-np.arange(d_model) / d_model)))

        def sine_of_twice_each_column(n, d_model):
            """You use the sine in every column, with twice its number as exponent. i counts pairs, and a pair is sine and cosine."""
            return np.sin(np.outer(np.arange(n), 10000.0 ** (-2 * np.arange(d_model) / d_model)))

        def brackets_missing(n, d_model):
            """Brackets are missing: a power is taken before products and quotients, so you square 10000. Bracket the whole exponent."""
            return _waves(np.outer(np.arange(n) / 10000.0**2, np.arange(d_model // 2) / d_model))

        def cosine_everywhere(n, d_model):
            """You use the cosine in every column; the even columns take the sine of the same angle."""
            return np.repeat(np.cos(_angles(n, d_model)), 2, axis=1)

        def sine_forgotten(n, d_model):
            """The even columns hold the angles themselves: take their sine."""
            a = _angles(n, d_model)
            return np.stack([a, np.cos(a)], axis=-1).reshape(n, d_model)

        def cosine_forgotten(n, d_model):
            """The odd columns hold the angles themselves: take their cosine."""
            a = _angles(n, d_model)
            return np.stack([np.sin(a), a], axis=-1).reshape(n, d_model)

        def odd_columns_empty(n, d_model):
            """Only the sines are there, the odd columns are 0: they take the cosine of the same angle."""
            a = _angles(n, d_model)
            return np.stack([np.sin(a), 0 * a], axis=-1).reshape(n, d_model)

        def cosine_over_sine(n, d_model):
            """Your cosines stand where the sines should, and the odd columns are empty: cosines go to columns 1, 3, 5, ..."""
            a = _angles(n, d_model)
            return np.stack([np.cos(a), 0 * a], axis=-1).reshape(n, d_model)

        def cosine_first(n, d_model):
            """Sine and cosine are swapped: even columns (0, 2, ...) take the sine, odd ones the cosine."""
            a = _angles(n, d_model)
            return np.stack([np.cos(a), np.sin(a)], axis=-1).reshape(n, d_model)

        def exponent_i(n, d_model):
            """The exponent is i / d_model in your code; the formula has 2i / d_model, so the waves get slow twice as fast."""
            return _waves(np.outer(np.arange(n), 10000.0 ** (-np.arange(d_model // 2) / d_model)))

        def exponent_of_each_column(n, d_model):
            """You use the column's number as exponent, so sine and cosine of a pair differ in wavelength. Columns 2i and 2i+1 share 2i."""
            a = np.outer(np.arange(n), 10000.0 ** (-np.arange(d_model) / d_model))
            return np.where(np.arange(d_model) % 2, np.cos(a), np.sin(a))

        def twice_the_column(n, d_model):
            """You double the column's number. i counts pairs: column 2i has the exponent 2i / d_model, which is column / d_model."""
            return _waves(np.outer(np.arange(n), 10000.0 ** (-2 * np.arange(0, d_model, 2) / d_model)))

        def odd_exponents(n, d_model):
            """Your exponents are 1, 3, 5, ... over d_model. Pair i has 2i, which begins with 0: the first wave has speed 1."""
            return _waves(np.outer(np.arange(n), 10000.0 ** (-np.arange(1, d_model, 2) / d_model)))

        def divided_by_n(n, d_model):
            """You divide the exponent by n, the number of positions. It is divided by d_model, the number of columns."""
            return _waves(np.outer(np.arange(n), 10000.0 ** (-np.arange(0, d_model, 2) / n)))

        def twice_the_speed(n, d_model):
            """Every angle is doubled: the 2 of the formula belongs to the exponent, 2i / d_model."""
            return _waves(2 * _angles(n, d_model))

        def exponent_not_divided(n, d_model):
            """The exponent is not divided by d_model: your waves become flat after a few columns."""
            return _waves(np.outer(np.arange(n), 10000.0 ** (-1.0 * np.arange(0, d_model, 2))))

        def last_wave_slowest(n, d_model):
            """You stretch the exponents so that the last one is 1 (tensor2tensor does that). Here pair i has 2i / d_model, below 1."""
            return _waves(np.outer(np.arange(n), 10000.0 ** (-np.linspace(0, 1, d_model // 2))))

        def positions_from_one(n, d_model):
            """Your first row is position 1. Positions count from 0: row 0 is 0, 1, 0, 1, ..."""
            return _waves(_angles(n, d_model, start=1))

        def no_power(n, d_model):
            """The power is missing: 10000 is raised to 2i / d_model, and you multiply by it."""
            scale = np.maximum(10000.0 * np.arange(0, d_model, 2) / d_model, 1.0)
            return _waves(np.outer(np.arange(n), 1 / scale))

        def base_e(n, d_model):
            """The base is e in your code (np.exp without log 10000): the formula raises 10000 to the power."""
            return _waves(np.outer(np.arange(n), np.exp(-np.arange(0, d_model, 2) / d_model)))

        def base_1000(n, d_model):
            """Your base is 1000; the formula's is 10000, with four zeros."""
            return _waves(np.outer(np.arange(n), 1000.0 ** (-np.arange(0, d_model, 2) / d_model)))

        def multiplied_by_the_power(n, d_model):
            """You multiply the position by the power, so later waves get faster. Divide by it: each pair is slower than the last."""
            return _waves(np.outer(np.arange(n), 10000.0 ** (np.arange(0, d_model, 2) / d_model)))

        def same_wave_everywhere(n, d_model):
            """All your pairs have the same wavelength. Pair i divides the position by 10000 ** (2i / d_model)."""
            return np.tile(_waves(_angles(n, 2)), d_model // 2)

        def degrees(n, d_model):
            """You treat the angle as degrees. np.sin takes radians, and the formula's angle is in radians already."""
            return _waves(np.deg2rad(_angles(n, d_model)))

        def full_turns(n, d_model):
            """You multiply the angle by 2 pi. In this formula the angle is position / 10000 ** (2i / d_model) itself."""
            return _waves(2 * np.pi * _angles(n, d_model))

        def transposed(n, d_model):
            """Rows and columns are swapped: row t belongs to position t, so the shape is (n, d_model)."""
            return _waves(_angles(n, d_model)).T


def _turns(angles):
    """Block-diagonal matrix with one block [[cos, -sin], [sin, cos]] for each angle."""
    d = 2 * len(angles)
    matrix = np.zeros((d, d))
    for i, a in enumerate(angles):
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
    return matrix


def _beside(above, below):
    """Matrix that holds, in each 2 x 2 block, one entry of `above` at the top right and one of `below` bottom left."""
    d = 2 * len(above)
    matrix = np.zeros((d, d))
    even = np.arange(0, d, 2)
    matrix[even, even + 1], matrix[even + 1, even] = above, below
    return matrix


def _speeds(d, base=10000.0):
    return base ** (-np.arange(0, d, 2) / d)


@exercise(
    parts={"values": 4},
    minutes=12,
    source="Vaswani et al. 2017, section 3.5: 'PE(pos + k) can be represented as a linear function of PE(pos)'",
    forbids={"torch": "this chapter works with NumPy"},
)
class offset_matrix:
    """The matrix that moves an encoding k positions on: one small rotation for each pair of columns."""

    tolerance = close(1e-4, 2e-5, why="a float32 solution rounds angles of up to 45 radians before the sine")

    def cases(rng):
        yield case(1, 2, label="one step, one pair")
        yield case(0, 4, label="no step")
        for k, d in [(3, 4), (-2, 6), (int(rng.integers(4, 45)), 8), (-int(rng.integers(4, 20)), 10)]:
            yield case(k, d, label=f"{k} steps, d_model = {d}")

    def reference(k, d_model):
        step = np.zeros((d_model, d_model))
        for i in range(0, d_model, 2):
            z = cmath.exp(1j / 10000.0 ** (i / d_model))
            step[i : i + 2, i : i + 2] = [[z.real, -z.imag], [z.imag, z.real]]
        return np.linalg.matrix_power(step, k)  # k single steps; a negative k takes the inverse

    class misconceptions:
        def transposed(k, d_model):
            """Your matrix moves back by k, or forward for column vectors: it is the transpose. Encodings are rows: encoding[t] @ M."""
            return _turns(k * _speeds(d_model)).T

        def no_minus(k, d_model):
            """Both sines in a block are positive: that is a mirror, no rotation. cos(a + b) = cos a cos b - sin a sin b has a minus."""
            s, c = np.sin(k * _speeds(d_model)), np.cos(k * _speeds(d_model))
            return np.diag(np.repeat(c, 2)) + _beside(s, s)

        def sines_on_the_diagonal(k, d_model):
            """Sine and cosine are swapped: the cosine stands on the diagonal, so that k = 0 gives the identity."""
            s, c = np.sin(k * _speeds(d_model)), np.cos(k * _speeds(d_model))
            return np.diag(np.repeat(s, 2)) + _beside(-c, c)

        def same_angle_in_every_block(k, d_model):
            """Every block turns by k. Pair i turns by k / 10000 ** (2i / d_model): later pairs turn more slowly."""
            return _turns(k * np.ones(d_model // 2))

        def exponent_i(k, d_model):
            """The exponent is i / d_model in your code; pair i turns by k / 10000 ** (2i / d_model)."""
            return _turns(k * 10000.0 ** (-np.arange(d_model // 2) / d_model))

        def twice_the_exponent(k, d_model):
            """You double the exponent: the columns 0, 2, 4, ... are 2i already. Pair i turns by k / 10000 ** (2i / d_model)."""
            return _turns(k * 10000.0 ** (-2 * np.arange(0, d_model, 2) / d_model))

        def twice_the_angle(k, d_model):
            """Every pair turns twice as far as it should: the 2 of the formula belongs to the exponent, 2i / d_model."""
            return _turns(2 * k * _speeds(d_model))

        def ones_around_the_blocks(k, d_model):
            """Outside of the blocks your matrix holds ones. It should hold zeros there: pairs do not mix."""
            return _turns(k * _speeds(d_model)) + 1 - np.kron(np.eye(d_model // 2), np.ones((2, 2)))

        def multiplied_by_the_power(k, d_model):
            """You multiply k by the power, so later pairs turn faster. Divide: pair i turns by k / 10000 ** (2i / d_model)."""
            return _turns(k / _speeds(d_model))

        def one_step_only(k, d_model):
            """Your matrix moves by one position whatever k is: the angle of pair i is k times that of one step."""
            return _turns(_speeds(d_model))

        def halves(k, d_model):
            """Your matrix is for sines in the left half and cosines in the right. Here they alternate: 2 x 2 blocks on the diagonal."""
            c, s = (np.diag(f(k * _speeds(d_model))) for f in (np.cos, np.sin))
            return np.block([[c, -s], [s, c]])

        def shifts_the_columns(k, d_model):
            """You shift entries within a vector (a shifted identity). The position changes, not the column: rotate each pair."""
            return np.eye(d_model, k=k)

        def degrees(k, d_model):
            """You treat the angle as degrees. np.sin and np.cos take radians, and the angle is in radians already."""
            return _turns(np.deg2rad(k * _speeds(d_model)))

        def only_the_first_pair(k, d_model):
            """Only the first pair turns visibly in your matrix. Every pair has its block, and the exponent 2i is divided by d_model."""
            return _turns(k * 10000.0 ** (-1.0 * np.arange(0, d_model, 2)))

        def only_the_diagonal(k, d_model):
            """The sines are missing: a block has four entries, cosines on the diagonal and the two sines beside it."""
            return np.diag(np.repeat(np.cos(k * _speeds(d_model)), 2))

        def difference_of_encodings(k, d_model):
            """You return one row. Asked is a matrix of shape (d_model, d_model) that moves every position by k."""
            return _waves(np.atleast_2d(k * _speeds(d_model)))[0]


def _rotated(x, angles):
    """Turn neighbouring pairs of x (n, d) by angles (n, d / 2)."""
    even, odd = x[:, ::2], x[:, 1::2]
    pairs = [even * np.cos(angles) - odd * np.sin(angles), even * np.sin(angles) + odd * np.cos(angles)]
    return np.stack(pairs, axis=-1).reshape(x.shape)


@exercise(
    parts={"values": 4, "another base": 1},
    minutes=15,
    source="Su et al. 2021 (RoFormer), section 3.2.2, equation 34",
    forbids={"torch": "this chapter works with NumPy"},
)
class apply_rope:
    """Rotary position embedding: turn each pair of neighbouring entries by an angle that grows with the position."""

    tolerance = close(1e-4, 1e-4, why="a float32 solution rounds angles of up to 200 radians before the sine")

    def cases(rng):
        yield case(rng.standard_normal((1, 2)) + 1, np.array([1]), label="one pair at position 1")
        for n, d in [(3, 4), (5, 8), (4, 6)]:
            positions = np.sort(rng.choice(np.arange(2, 60), n, replace=False))
            yield case(
                rng.standard_normal((n, d)), positions, label=f"{n} vectors with gaps between positions, d = {d}"
            )
        x = rng.standard_normal((4, 10))
        yield case(x, np.array([0, 7, 7, int(rng.integers(100, 200))]), label="position 0, twice the same, a far one")
        yield case(rng.standard_normal((6, 4)), rng.permutation(20)[:6], label="positions in no order")
        for base, d in [(100.0, 6), (500000.0, 4)]:
            x = rng.standard_normal((3, d))
            yield case(x, np.arange(3) + 5, base, label=f"base = {base:g}", part="another base")

    def reference(x, positions, base=10000.0):
        d = x.shape[1]
        turned = np.empty((len(x), d))
        for t, position in enumerate(positions):
            for i in range(0, d, 2):
                z = complex(x[t, i], x[t, i + 1]) * cmath.exp(1j * float(position) * base ** (-i / d))
                turned[t, i], turned[t, i + 1] = z.real, z.imag
        return turned

    class misconceptions:
        def half_split_pairs(x, positions, base=10000.0):
            """You pair entry i with entry i + d/2, as Llama's code does. Here neighbours form a pair: (0, 1), (2, 3), ..."""
            d = x.shape[1]
            a = np.outer(positions, _speeds(d, base))
            left, right = x[:, : d // 2], x[:, d // 2 :]
            return np.hstack([left * np.cos(a) - right * np.sin(a), left * np.sin(a) + right * np.cos(a)])

        def wrong_way(x, positions, base=10000.0):
            """You turn clockwise. Counter-clockwise is (a cos - b sin, a sin + b cos): the minus stands in the first entry."""
            return _rotated(x, -np.outer(positions, _speeds(x.shape[1], base)))

        def no_minus(x, positions, base=10000.0):
            """There is no minus sign: a cos + b sin and a sin + b cos mirror the pair. The first entry is a cos - b sin."""
            a = np.outer(positions, _speeds(x.shape[1], base))
            even, odd = x[:, ::2], x[:, 1::2]
            pairs = [even * np.cos(a) + odd * np.sin(a), even * np.sin(a) + odd * np.cos(a)]
            return np.stack(pairs, axis=-1).reshape(x.shape)

        def stacked_without_axis(x, positions, base=10000.0):
            """The pairs are torn apart by np.stack and reshape: stack along the last axis (axis=-1), so that a pair stays together."""
            turned = _rotated(x, np.outer(positions, _speeds(x.shape[1], base)))
            return np.stack([turned[:, ::2], turned[:, 1::2]]).reshape(x.shape)

        def pairs_left_apart(x, positions, base=10000.0):
            """Your result has an axis too many: the pairs are still apart. Put them side by side again, into the shape of x."""
            turned = _rotated(x, np.outer(positions, _speeds(x.shape[1], base)))
            return turned.reshape(len(x), -1, 2)

        def partners_from_other_rows(x, positions, base=10000.0):
            """The partners come from other rows: np.stack needs axis=-1 here, so that reshape puts each pair side by side."""
            a = np.repeat(np.outer(positions, _speeds(x.shape[1], base)), 2, axis=1)
            partner = np.stack([-x[:, 1::2], x[:, ::2]]).reshape(x.shape)
            return x * np.cos(a) + partner * np.sin(a)

        def partners_in_halves(x, positions, base=10000.0):
            """The partners stand in two halves, all second entries and then all first ones. They have to alternate, like the pairs."""
            a = np.repeat(np.outer(positions, _speeds(x.shape[1], base)), 2, axis=1)
            return x * np.cos(a) + np.hstack([-x[:, 1::2], x[:, ::2]]) * np.sin(a)

        def first_entry_alone(x, positions, base=10000.0):
            """You use the first entry of each pair twice, in place of its partner: both entries take part in both results."""
            a, even = np.outer(positions, _speeds(x.shape[1], base)), x[:, ::2]
            partner = np.stack([-even, even], axis=-1).reshape(x.shape)
            a = np.repeat(a, 2, axis=1)
            return x * np.cos(a) + partner * np.sin(a)

        def second_entry_alone(x, positions, base=10000.0):
            """You use the second entry of each pair twice, in place of its partner: both entries take part in both results."""
            a, odd = np.outer(positions, _speeds(x.shape[1], base)), x[:, 1::2]
            partner = np.stack([-odd, odd], axis=-1).reshape(x.shape)
            a = np.repeat(a, 2, axis=1)
            return x * np.cos(a) + partner * np.sin(a)

        def no_partner(x, positions, base=10000.0):
            """Each entry is multiplied by cos + sin of its angle. With the sine goes the other entry of the pair."""
            a = np.repeat(np.outer(positions, _speeds(x.shape[1], base)), 2, axis=1)
            return x * (np.cos(a) + np.sin(a))

        def cosines_only(x, positions, base=10000.0):
            """The terms with the sine are missing: a cos - b sin and a sin + b cos."""
            return x * np.cos(np.repeat(np.outer(positions, _speeds(x.shape[1], base)), 2, axis=1))

        def cosine_left_out(x, positions, base=10000.0):
            """The cosine is missing: a cos - b sin and a sin + b cos, so that a quarter turn replaces an entry altogether."""
            return (
                x
                + _rotated(x, a := np.outer(positions, _speeds(x.shape[1], base)))
                - x * np.cos(np.repeat(a, 2, axis=1))
            )

        def cosine_in_both_terms(x, positions, base=10000.0):
            """You multiply both terms by the cosine: a cos - b sin and a sin + b cos."""
            a = np.cos(np.repeat(np.outer(positions, _speeds(x.shape[1], base)), 2, axis=1))
            return (x + np.stack([-x[:, 1::2], x[:, ::2]], axis=-1).reshape(x.shape)) * a

        def sine_in_both_terms(x, positions, base=10000.0):
            """You multiply both terms by the sine: a cos - b sin and a sin + b cos."""
            a = np.sin(np.repeat(np.outer(positions, _speeds(x.shape[1], base)), 2, axis=1))
            return (x + np.stack([-x[:, 1::2], x[:, ::2]], axis=-1).reshape(x.shape)) * a

        def pairs_not_put_back(x, positions, base=10000.0):
            """The rotated first entries stand in the left half, the second ones in the right. Put each pair back where it was."""
            turned = _rotated(x, np.outer(positions, _speeds(x.shape[1], base)))
            return np.hstack([turned[:, ::2], turned[:, 1::2]])

        def overwritten_too_early(x, positions, base=10000.0):
            """The second entry of each pair is computed from the new first entry: keep the old one until both are done."""
            a = np.outer(positions, _speeds(x.shape[1], base))
            out = x.copy()
            out[:, ::2] = out[:, ::2] * np.cos(a) - out[:, 1::2] * np.sin(a)
            out[:, 1::2] = out[:, ::2] * np.sin(a) + out[:, 1::2] * np.cos(a)
            return out

        def row_numbers_as_positions(x, positions, base=10000.0):
            """You use the row's number as its position. Row t stands at positions[t], which may be anything."""
            return _rotated(x, np.outer(np.arange(len(x)), _speeds(x.shape[1], base)))

        def positions_from_one(x, positions, base=10000.0):
            """You add 1 to the positions. Position 0 is not turned at all."""
            return _rotated(x, np.outer(positions + 1, _speeds(x.shape[1], base)))

        def encoding_added(x, positions, base=10000.0):
            """You add the sinusoidal encoding. RoPE adds nothing: it turns each pair, and lengths stay the same."""
            return x + _waves(np.outer(positions, _speeds(x.shape[1], base)))

        def encoding_multiplied(x, positions, base=10000.0):
            """You multiply by sines and cosines entry by entry. A rotation mixes the two entries of a pair."""
            return x * _waves(np.outer(positions, _speeds(x.shape[1], base)))

        def exponent_i(x, positions, base=10000.0):
            """The exponent is i / d in your code; pair i turns by position / base ** (2i / d)."""
            d = x.shape[1]
            return _rotated(x, np.outer(positions, base ** (-np.arange(d // 2) / d)))

        def only_the_first_pair(x, positions, base=10000.0):
            """Only the first pair turns visibly: the exponent 2i is not divided by d, so the others hardly move."""
            return _rotated(x, np.outer(positions, base ** (-1.0 * np.arange(0, x.shape[1], 2))))

        def twice_the_exponent(x, positions, base=10000.0):
            """You double the exponent: the columns 0, 2, 4, ... are 2i already. Pair i turns by position / base ** (2i / d)."""
            return _rotated(x, np.outer(positions, base ** (-2 * np.arange(0, x.shape[1], 2) / x.shape[1])))

        def odd_exponents(x, positions, base=10000.0):
            """Your exponents are 1, 3, 5, ... over d. Pair i has 2i, which begins with 0: the first pair turns by 1 radian."""
            return _rotated(x, np.outer(positions, base ** (-np.arange(1, x.shape[1], 2) / x.shape[1])))

        def twice_the_angle(x, positions, base=10000.0):
            """Every pair turns twice as far as it should: the 2 of the formula belongs to the exponent, 2i / d."""
            return _rotated(x, 2 * np.outer(positions, _speeds(x.shape[1], base)))

        def same_speed_everywhere(x, positions, base=10000.0):
            """All pairs turn by the same angle. Pair i turns by position / base ** (2i / d): later pairs turn more slowly."""
            return _rotated(x, np.outer(positions, np.ones(x.shape[1] // 2)))

        def slow_pairs_first(x, positions, base=10000.0):
            """The speeds are in reverse order: the first pair turns fastest, by one radian a position."""
            return _rotated(x, np.outer(positions, _speeds(x.shape[1], base)[::-1]))

        def multiplied_by_the_power(x, positions, base=10000.0):
            """You multiply the position by the power, so later pairs turn faster. Divide by it."""
            return _rotated(x, np.outer(positions, 1 / _speeds(x.shape[1], base)))

        def degrees(x, positions, base=10000.0):
            """You treat the angle as degrees. np.sin and np.cos take radians, and the angle is in radians already."""
            return _rotated(x, np.deg2rad(np.outer(positions, _speeds(x.shape[1], base))))

        def base_ignored(x, positions, base=10000.0):
            """The argument base has no effect: you wrote 10000. Use the base that the caller gives."""
            return _rotated(x, np.outer(positions, _speeds(x.shape[1])))


@question(answer="c")
class without_positions:
    """A model has embeddings and attention, but no positions. You give it "dog bites man" and then "man bites dog". What does attention return for "bites"?"""

    a = (
        "Another vector, because the words before it are others.",
        "Nothing in attention knows what before means: it compares contents, and the contents are the same three words.",
    )
    b = (
        "A vector of zeros, because the positions are missing.",
        "Attention runs without positions, and its weights still sum to 1. It only cannot tell the two sentences apart.",
    )
    c = (
        "The same vector both times, up to rounding.",
        "Right: its query meets the same keys and fetches the same values; a weighted sum does not depend on the order of its terms.",
    )
    d = (
        "The vectors of the other two words, swapped.",
        "The outputs of dog and man do change places, as their inputs did. The token bites gets what it got before.",
    )


@question(answer=["a", "d"])
class waves_facts:
    """Which statements hold for the sinusoidal encoding of this chapter? Choose all that do."""

    a = (
        "Every row has the same length, the square root of d_model / 2.",
        "Right: each pair adds sin^2 + cos^2 = 1, and there are d_model / 2 pairs.",
    )
    b = (
        "The waves of the last columns are the fastest.",
        "It is the other way round: pair 0 turns by one radian a position, the last pair hardly moves.",
    )
    c = (
        "Its numbers are learned in training, like those of an embedding.",
        "No: it is a fixed formula, without parameters. GPT-2 and BERT learn a table of positions instead.",
    )
    d = (
        "One matrix turns the encoding of t into that of t + 5, and it is the same for every t.",
        "Right: the angles of all pairs grow by fixed amounts. This is what your offset_matrix builds.",
    )


@question(answer="b")
class rope_score:
    """With RoPE, a query at position 3 meets a key at position 10. Then both move on by 1000 places. What happens to their score?"""

    a = (
        "It shrinks, because positions far from the start are turned more.",
        "Turning changes no length. Both are turned by the same further angles, so what is between them stays.",
    )
    b = (
        "It stays the same: it depends on the two vectors and on the distance 7.",
        "Right: turning both by the same angles changes no angle between them, and a dot product depends on nothing else.",
    )
    c = (
        "It becomes 0, because the encoding repeats itself.",
        "The fast pairs do come round again, but that sets nothing to 0. Only the distance counts.",
    )
    d = (
        "It depends on the token: keys are turned, queries are not.",
        "Both are turned, each by its own position. That is why only the difference remains. Values are not turned.",
    )
