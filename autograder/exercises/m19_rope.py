"""Exercises of m19, RoPE. Speeds and rotations agree with transformers' rotary embeddings (GPT-J's neighbours, Llama's
halves), scaled speeds with its `modeling_rope_utils` ("dynamic" for NTK, "llama3" and, at both ends, "yarn"), and what
drives the laboratory's decoder with that decoder's own rotation."""

import cmath
import math

import numpy as np
import torch

from autograder.exercise import case, exercise, question
from course.checks.compare import close, exact
from course.checks.script import call, given, held

TITLE = "RoPE and extrapolation"

ANGLES = close(1e-4, 2e-4, why="a float32 solution rounds angles of up to 60 radians before the sine")
SPEEDS = close(1e-4, 1e-9, why="powers in float32")


def _normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape)).float()


def _speeds(d, base=10000.0):
    return torch.tensor([base ** (-2 * i / d) for i in range(d // 2)], dtype=torch.float64)


# ---- speeds ------------------------------------------------------------------------------------------------------


@exercise(points=1, minutes=4, source="Su et al. 2021, RoFormer, section 3.2.2; the base is transformers' rope_theta")
class rope_speeds:
    """The angle by which each pair of a head turns from one position to the next."""

    tolerance = SPEEDS

    def cases(rng):
        yield case(8, label="four pairs")
        yield case(2, label="one pair")
        yield case(6, 100.0, label="three pairs, base 100")
        yield case(64, 500000.0, label="32 pairs, the base of Llama 3")
        yield case(2 * int(rng.integers(5, 9)), float(rng.integers(200, 900)), label="a random width and base")

    def reference(d, base=10000.0):
        return torch.tensor([math.exp(-2 * i / d * math.log(base)) for i in range(d // 2)], dtype=torch.float64)

    class misconceptions:
        def half_the_exponent(d, base=10000.0):
            """Your exponent is i / d. It is 2i / d: the speeds fall from 1 nearly down to 1 / base."""
            return base ** (-torch.arange(d // 2) / d)

        def twice_the_exponent(d, base=10000.0):
            """Your exponent is 4i / d: `arange(0, d, 2)` already counts 0, 2, 4, ..., which is 2i."""
            return base ** (-2 * torch.arange(0, d, 2) / d)

        def rising(d, base=10000.0):
            """Your speeds grow from pair to pair. The exponent is negative: pair 0 is the fastest."""
            return base ** (torch.arange(0, d, 2) / d)

        def one_for_each_entry(d, base=10000.0):
            """You give a speed for each of the d entries. A pair shares one: d / 2 of them."""
            return _speeds(d, base).repeat_interleave(2)

        def every_entry_counted(d, base=10000.0):
            """You count entries 0, 1, 2, ... to d - 1. A speed belongs to a pair: the exponents use 0, 2, 4, ..."""
            return base ** (-torch.arange(d) / d)

        def ends_at_the_base(d, base=10000.0):
            """Your last speed is exactly 1 / base. The exponent 2i / d stays below 1, as i ends at d / 2 - 1."""
            return base ** (-torch.linspace(0, 1, d // 2))

        def base_ignored(d, base=10000.0):
            """You use 10000 whatever `base` is."""
            return _speeds(d)

        def whole_exponents(d, base=10000.0):
            """All your speeds are 1: `//` rounds 2i / d down to 0. Divide with `/`."""
            return base ** (-(torch.arange(0, d, 2) // d)).double()

        def wavelengths(d, base=10000.0):
            """You return how many steps a whole turn takes, 2 pi / speed. The speed itself is asked for, in radians a step."""
            return 2 * math.pi / _speeds(d, base)

        def in_degrees(d, base=10000.0):
            """Your speeds are in degrees. Sines, cosines and complex exponents take radians."""
            return torch.rad2deg(_speeds(d, base))

        def begins_at_one(d, base=10000.0):
            """You count pairs from 1. The first pair is i = 0, its speed is 1."""
            return base ** (-(torch.arange(0, d, 2) + 2) / d)

        def odd_numbers(d, base=10000.0):
            """Your exponents use 1, 3, 5, ...: the odd entries. 2i is even: 0, 2, 4, ..."""
            return base ** (-torch.arange(1, d, 2) / d)

        def not_divided(d, base=10000.0):
            """Your exponent is 2i, without the division by d: then all pairs but the first stand still."""
            return base ** (-torch.arange(0, d, 2).double())


# ---- rotations ---------------------------------------------------------------------------------------------------


def _angles(positions, speeds):
    return positions[..., None].double() * speeds.double()


def _neighbours(x, angles):
    even, odd = x[..., 0::2].double(), x[..., 1::2].double()
    return torch.stack(
        [even * angles.cos() - odd * angles.sin(), even * angles.sin() + odd * angles.cos()], -1
    ).flatten(-2)


def _halves(x, angles):
    left, right = x.double().chunk(2, -1)
    return torch.cat([left * angles.cos() - right * angles.sin(), left * angles.sin() + right * angles.cos()], -1)


def _rotations(rng):
    """Cases of both layouts: one vector, several, positions in no order, heads, and batches with their own positions."""
    speeds = lambda d: _speeds(d).float()  # noqa: E731
    yield case(_normal(rng, 1, 4) + 1, torch.tensor([1]), speeds(4), label="one vector at position 1")
    yield case(_normal(rng, 3, 6), torch.tensor([0, 2, 3]), speeds(6), label="three vectors, one of them at 0")
    positions = torch.from_numpy(rng.permutation(40)[:5])
    yield case(_normal(rng, 5, 8), positions, speeds(8), label="five vectors, positions in no order")
    yield case(_normal(rng, 4, 10), torch.arange(4) + 9, _speeds(10, 50.0).float(), label="other speeds")
    part = "heads and batches"
    yield case(_normal(rng, 3, 4, 6), torch.arange(4) + 3, speeds(6), label="3 heads, the same positions", part=part)
    positions = torch.from_numpy(np.stack([rng.permutation(30)[:5] for _ in range(2)]))[:, None]
    yield case(_normal(rng, 2, 3, 5, 4), positions, speeds(4), label="2 texts, each with its positions", part=part)


def _by_hand(x, positions, speeds, pair):
    """Each pair as a complex number, one by one; `pair(i)` names its two entries."""
    flat = x.double().reshape(-1, x.shape[-1]).numpy()
    places = positions.expand(x.shape[:-1]).reshape(-1).tolist()
    turned = np.empty_like(flat)
    for row, place in enumerate(places):
        for i, speed in enumerate(speeds.tolist()):
            real, imaginary = pair(i)
            z = complex(flat[row, real], flat[row, imaginary]) * cmath.exp(1j * place * speed)
            turned[row, real], turned[row, imaginary] = z.real, z.imag
    return torch.from_numpy(turned.reshape(x.shape))


@exercise(
    parts={"rotation": 2, "heads and batches": 1}, minutes=12, uses=("m19.rope_speeds",),
    source="Su et al. 2021, RoFormer, equation 12; Llama's first code release (apply_rotary_emb)",
)  # fmt: skip
class rotate_complex:
    """RoPE as one product of complex numbers; neighbouring entries are a pair."""

    tolerance = ANGLES
    cases = _rotations

    def reference(x, positions, speeds):
        return _by_hand(x, positions, speeds, lambda i: (2 * i, 2 * i + 1))

    class misconceptions:
        def halves_are_pairs(x, positions, speeds):
            """You pair entry i with entry i + d/2. Here neighbours are a pair: entries 0 and 1, 2 and 3, ..."""
            return _halves(x, _angles(positions, speeds))

        def wrong_way(x, positions, speeds):
            """You turn clockwise. The factor is cos + i sin of position times speed, with a plus."""
            return _neighbours(x, -_angles(positions, speeds))

        def parts_one_behind_the_other(x, positions, speeds):
            """You put all real parts first, then all imaginary ones. They must alternate again, as they did in x."""
            turned = _neighbours(x, _angles(positions, speeds))
            return torch.cat([turned[..., 0::2], turned[..., 1::2]], -1)

        def pairs_left_apart(x, positions, speeds):
            """Your result has an axis too many: view_as_real leaves each pair apart. Flatten the last two axes."""
            return _neighbours(x, _angles(positions, speeds)).unflatten(-1, (-1, 2))

        def still_complex(x, positions, speeds):
            """You return complex numbers. `torch.view_as_real` gives the two parts of each back."""
            turned = _neighbours(x, _angles(positions, speeds)).float().unflatten(-1, (-1, 2))
            return torch.view_as_complex(turned.contiguous())

        def real_part_only(x, positions, speeds):
            """You keep the real parts only and lose half of the entries. Both parts are wanted, side by side."""
            return _neighbours(x, _angles(positions, speeds))[..., 0::2]

        def angle_as_factor(x, positions, speeds):
            """You multiply by i times the angle. The factor is e to that power: cos(angle) + i sin(angle), of length 1."""
            a = _angles(positions, speeds)
            even, odd = x[..., 0::2].double(), x[..., 1::2].double()
            return torch.stack([-odd * a, even * a], -1).flatten(-2)

        def longer_and_longer(x, positions, speeds):
            """Your vectors change their length: in torch.polar the first argument is the length, 1, the second the angle."""
            a = _angles(positions, speeds)
            return _neighbours(x, torch.ones_like(a)) * a.repeat_interleave(2, -1)

        def lengths_grow(x, positions, speeds):
            """Your pairs turn rightly, but are stretched by the angle. A factor that only turns has length 1."""
            a = _angles(positions, speeds)
            return _neighbours(x, a) * a.repeat_interleave(2, -1)

        def real_exponent(x, positions, speeds):
            """You multiply by e to the power of the angle, a real number. The exponent needs its i: `torch.exp(1j * angles)`."""
            return x * _angles(positions, speeds).exp().repeat_interleave(2, -1)

        def stretched(x, positions, speeds):
            """You multiply each pair by its angle, a real number: that stretches. To turn, multiply by cos(angle) + i sin(angle)."""
            return x * _angles(positions, speeds).repeat_interleave(2, -1)

        def no_sine(x, positions, speeds):
            """You multiply by the cosine only. That shrinks a pair; to turn it, the factor needs its imaginary part, the sine."""
            return x * _angles(positions, speeds).cos().repeat_interleave(2, -1)

        def added(x, positions, speeds):
            """You add the number cos + i sin to each pair. RoPE multiplies by it: it turns, and adds nothing."""
            a = _angles(positions, speeds)
            return x + torch.stack([a.cos(), a.sin()], -1).flatten(-2)

        def positions_not_used(x, positions, speeds):
            """You take row numbers 0, 1, 2, ... for the positions. Use `positions`: they may begin anywhere."""
            return _neighbours(x, _angles(torch.arange(x.shape[-2]), speeds))

        def speeds_not_used(x, positions, speeds):
            """You compute speeds with base 10000 yourself. Use those that are given: they may be scaled."""
            return _neighbours(x, _angles(positions, _speeds(x.shape[-1])))

        def all_at_one_speed(x, positions, speeds):
            """All your pairs turn at the speed of the first. Each pair has its own: angles have shape (..., n, d / 2)."""
            return _neighbours(x, _angles(positions, speeds[:1].expand(len(speeds))))

        def speeds_as_exponents(x, positions, speeds):
            """You raise the positions to the power of the speeds. The angle is position times speed."""
            return _neighbours(x, positions[..., None].double() ** speeds.double())

        def speeds_added(x, positions, speeds):
            """You add position and speed. The angle is their product: with each position, a pair turns by its speed once more."""
            return _neighbours(x, positions[..., None].double() + speeds.double())

        def speeds_divided(x, positions, speeds):
            """You divide positions by speeds; that is right for wavelengths. The angle is position times speed."""
            return _neighbours(x, positions[..., None].double() / speeds.double())

        def positions_forgotten(x, positions, speeds):
            """You turn every row by the same angles, the speeds. The angle is position times speed."""
            return _neighbours(x, _angles(torch.ones_like(positions), speeds))

        def turned_twice(x, positions, speeds):
            """You turn by twice the angle. It is position times speed, once."""
            return _neighbours(x, 2 * _angles(positions, speeds))

        def positions_on_a_new_first_axis(x, positions, speeds):
            """One set of positions works, several do not: add the new axis at the end, `positions[..., None]`, not after the first."""
            return _neighbours(x, positions[:, None].double() * speeds.double() if positions.ndim == 1 else
                               _angles(positions[:1], speeds))  # fmt: skip


@exercise(
    parts={"rotation": 2, "heads and batches": 1}, minutes=10, uses=("m19.rope_speeds",),
    source="rotate_half in transformers (GPT-NeoX, Llama); the same rotation with its columns in another order",
)  # fmt: skip
class rotate_halves:
    """RoPE on real numbers, in the layout of today's checkpoints: entry i and entry i + d/2 are a pair."""

    tolerance = ANGLES
    cases = _rotations

    def reference(x, positions, speeds):
        half = x.shape[-1] // 2
        return _by_hand(x, positions, speeds, lambda i: (i, i + half))

    class misconceptions:
        def neighbours_are_pairs(x, positions, speeds):
            """You pair neighbours, as in the exercise before. Here entry i goes with entry i + d/2."""
            return _neighbours(x, _angles(positions, speeds))

        def layouts_mixed(x, positions, speeds):
            """Partners are those of the halves, angles those of neighbours: repeat the angles as a whole, (a0, a1, ..., a0, a1, ...)."""
            a = _angles(positions, speeds).repeat_interleave(2, -1)
            left, right = x.double().chunk(2, -1)
            return x * a.cos() + torch.cat([-right, left], -1) * a.sin()

        def wrong_way(x, positions, speeds):
            """You turn clockwise: the minus belongs to the first half, left cos - right sin."""
            return _halves(x, -_angles(positions, speeds))

        def no_minus(x, positions, speeds):
            """There is no minus sign. The first half is left cos - right sin, the second left sin + right cos."""
            left, right = x.double().chunk(2, -1)
            cos, sin = _angles(positions, speeds).cos(), _angles(positions, speeds).sin()
            return torch.cat([left * cos + right * sin, left * sin + right * cos], -1)

        def halves_not_swapped(x, positions, speeds):
            """The sine multiplies the entry itself. It takes the partner: for entry i that is entry i + d/2."""
            left, right = x.double().chunk(2, -1)
            cos, sin = _angles(positions, speeds).cos(), _angles(positions, speeds).sin()
            return torch.cat([left * cos - left * sin, right * sin + right * cos], -1)

        def result_interleaved(x, positions, speeds):
            """You weave both halves into one another. Put them one behind the other again, as they were in x."""
            turned = _halves(x, _angles(positions, speeds))
            return torch.stack(turned.chunk(2, -1), -1).flatten(-2)

        def second_half_overwritten(x, positions, speeds):
            """Your second half uses the first one as already turned. Both need the old entries."""
            left, right = x.double().chunk(2, -1)
            cos, sin = _angles(positions, speeds).cos(), _angles(positions, speeds).sin()
            left = left * cos - right * sin
            return torch.cat([left, left * sin + right * cos], -1)

        def sine_and_cosine_swapped(x, positions, speeds):
            """Sine and cosine have changed places: at position 0 nothing may turn."""
            left, right = x.double().chunk(2, -1)
            cos, sin = _angles(positions, speeds).cos(), _angles(positions, speeds).sin()
            return torch.cat([left * sin - right * cos, left * cos + right * sin], -1)

        def halves_swapped_at_the_end(x, positions, speeds):
            """Your halves come back in the wrong order: the turned left half stands first."""
            left, right = _halves(x, _angles(positions, speeds)).chunk(2, -1)
            return torch.cat([right, left], -1)

        def one_half_only(x, positions, speeds):
            """You return d / 2 entries. Both halves are wanted, one behind the other."""
            return _halves(x, _angles(positions, speeds))[..., : x.shape[-1] // 2]

        def positions_not_used(x, positions, speeds):
            """You take row numbers 0, 1, 2, ... for the positions. Use `positions`: they may begin anywhere."""
            return _halves(x, _angles(torch.arange(x.shape[-2]), speeds))

        def speeds_not_used(x, positions, speeds):
            """You compute speeds with base 10000 yourself. Use those that are given: they may be scaled."""
            return _halves(x, _angles(positions, _speeds(x.shape[-1])))

        def speeds_added(x, positions, speeds):
            """You add position and speed. The angle is their product: with each position, a pair turns by its speed once more."""
            return _halves(x, positions[..., None].double() + speeds.double())

        def speeds_divided(x, positions, speeds):
            """You divide positions by speeds; that is right for wavelengths. The angle is position times speed."""
            return _halves(x, positions[..., None].double() / speeds.double())

        def positions_forgotten(x, positions, speeds):
            """You turn every row by the same angles, the speeds. The angle is position times speed."""
            return _halves(x, _angles(torch.ones_like(positions), speeds))

        def turned_twice(x, positions, speeds):
            """You turn by twice the angle. It is position times speed, once."""
            return _halves(x, 2 * _angles(positions, speeds))

        def halves_along_the_rows(x, positions, speeds):
            """You cut the rows into halves, not the columns: a half of the last axis is `x[..., : d // 2]`."""
            swapped = x.double().roll(x.shape[-2] // 2, -2)
            a = _angles(positions, speeds)
            return x * torch.cat([a.cos()] * 2, -1) + swapped * torch.cat([a.sin()] * 2, -1)

        def minus_in_both(x, positions, speeds):
            """Both of your halves have a minus. Only the first has one: left cos - right sin; the second adds."""
            left, right = x.double().chunk(2, -1)
            cos, sin = _angles(positions, speeds).cos(), _angles(positions, speeds).sin()
            return torch.cat([left * cos - right * sin, left * sin - right * cos], -1)

        def swapped_without_minus(x, positions, speeds):
            """You swap the halves before you multiply by the sine; one of them needs a minus, too: (-right, left)."""
            a = torch.cat([_angles(positions, speeds)] * 2, -1)
            return x * a.cos() - x.double().roll(x.shape[-1] // 2, -1) * a.sin()

        def cosine_only(x, positions, speeds):
            """Your result has no sine part. Each half needs its partner, times the sine."""
            return x * torch.cat([_angles(positions, speeds)] * 2, -1).cos()

        def sine_only(x, positions, speeds):
            """Your result has no cosine part: where nothing turns, at position 0, x must stay as it is."""
            return _halves(x, _angles(positions, speeds)) - x * torch.cat([_angles(positions, speeds)] * 2, -1).cos()

        def cosine_twice(x, positions, speeds):
            """The partner's part is multiplied by the cosine, too. It takes the sine."""
            a = torch.cat([_angles(positions, speeds)] * 2, -1)
            left, right = x.double().chunk(2, -1)
            return (x + torch.cat([-right, left], -1)) * a.cos()

        def sine_twice(x, positions, speeds):
            """The entry itself is multiplied by the sine, too. It takes the cosine; its partner takes the sine."""
            a = torch.cat([_angles(positions, speeds)] * 2, -1)
            left, right = x.double().chunk(2, -1)
            return (x + torch.cat([-right, left], -1)) * a.sin()

        def angles_not_sines(x, positions, speeds):
            """The partner is multiplied by the angle itself. It takes the angle's sine."""
            a = torch.cat([_angles(positions, speeds)] * 2, -1)
            left, right = x.double().chunk(2, -1)
            return x * a.cos() + torch.cat([-right, left], -1) * a

        def positions_of_the_first_text(x, positions, speeds):
            """One set of positions works, several do not: add the new axis at the end, `positions[..., None]`."""
            return _halves(x, _angles(positions if positions.ndim == 1 else positions[:1], speeds))


# ---- the test ----------------------------------------------------------------------------------------------------


def _scores(rotate, q, k, positions, speeds, key_positions=None):
    key_positions = positions if key_positions is None else key_positions
    return (rotate(q, positions, speeds) @ rotate(k, key_positions, speeds).mT).double()


@exercise(points=2, minutes=10, source="Su et al. 2021, RoFormer, section 3.1: the property from which RoPE is derived")
class shift_gap:
    """The relative-shift property as a test: how far scores move when all positions move together."""

    tolerance = close(1e-3, 1e-4, why="a rotation that is right leaves differences of rounding, in float32")

    def cases(rng):
        kinds = ["neighbours", "added", "faster and faster", "mixed", "halves", "mirrored", "one alone"]
        sizes = [(3, 4), (4, 6), (2, 8), (5, 4), (4, 10), (3, 6), (4, 4)]
        for kind, (n, d) in zip(kinds, sizes, strict=True):
            positions = torch.from_numpy(np.sort(rng.choice(20, n, replace=False)))
            asked = call("shift_gap", held("way"), _normal(rng, n, d), _normal(rng, n, d), positions,
                         _speeds(d).float(), int(rng.integers(2, 9)))  # fmt: skip
            yield case(script=[given("m19.Suspect", kind, handle="way"), asked], label=f"a way called {kind!r}")

    def reference(rotate, q, k, positions, speeds, shift):
        largest = 0.0
        for i, here in enumerate(positions.tolist()):
            for j, there in enumerate(positions.tolist()):
                scores = [
                    sum((rotate(q[i : i + 1], torch.tensor([here + by]), speeds).double()
                         * rotate(k[j : j + 1], torch.tensor([there + by]), speeds).double()).flatten().tolist())
                    for by in (0, shift)
                ]  # fmt: skip
                largest = max(largest, abs(scores[1] - scores[0]))
        return largest

    class misconceptions:
        def keys_stay(rotate, q, k, positions, speeds, shift):
            """You move the queries only. Query and key move together: only then does their distance stay as it was."""
            return float((_scores(rotate, q, k, positions + shift, speeds, positions)
                          - _scores(rotate, q, k, positions, speeds)).abs().max())  # fmt: skip

        def queries_stay(rotate, q, k, positions, speeds, shift):
            """You move the keys only. Query and key move together: only then does their distance stay as it was."""
            return float((_scores(rotate, q, k, positions, speeds, positions + shift)
                          - _scores(rotate, q, k, positions, speeds)).abs().max())  # fmt: skip

        def vectors_compared(rotate, q, k, positions, speeds, shift):
            """You compare the turned queries. They do change; what must not change is their products with the keys, the scores."""
            return float((rotate(q, positions + shift, speeds) - rotate(q, positions, speeds)).abs().max())

        def mean_of_all(rotate, q, k, positions, speeds, shift):
            """You take the mean. One score that changes is enough: take the largest difference."""
            return float((_scores(rotate, q, k, positions + shift, speeds)
                          - _scores(rotate, q, k, positions, speeds)).abs().mean())  # fmt: skip

        def sign_kept(rotate, q, k, positions, speeds, shift):
            """You take the largest difference without its absolute value: a score that falls is not seen."""
            return float((_scores(rotate, q, k, positions + shift, speeds)
                          - _scores(rotate, q, k, positions, speeds)).max())  # fmt: skip

        def own_keys_only(rotate, q, k, positions, speeds, shift):
            """You compare each query with the key of its own row only. Take all pairs: `q @ k.mT`, shape (n, n)."""
            return float((_scores(rotate, q, k, positions + shift, speeds)
                          - _scores(rotate, q, k, positions, speeds)).diagonal().abs().max())  # fmt: skip

        def only_queries_rotated(rotate, q, k, positions, speeds, shift):
            """Your keys are not turned. Both sides of a score get their positions: `rotate(q, ...) @ rotate(k, ...).mT`."""
            return float(((rotate(q, positions + shift, speeds) - rotate(q, positions, speeds)) @ k.mT).abs().max())

        def queries_twice(rotate, q, k, positions, speeds, shift):
            """You compare queries with queries. A score is a query times a key."""
            return float((_scores(rotate, q, q, positions + shift, speeds)
                          - _scores(rotate, q, q, positions, speeds)).abs().max())  # fmt: skip

        def not_turned_before(rotate, q, k, positions, speeds, shift):
            """You compare with the scores of vectors that have no position. Compare two turned ones: at the positions, and `shift` further on."""
            return float((_scores(rotate, q, k, positions + shift, speeds) - q @ k.mT).abs().max())

        def yes_or_no(rotate, q, k, positions, speeds, shift):
            """You return whether the scores agree. Return how far they are apart, a number."""
            return bool(torch.allclose(_scores(rotate, q, k, positions + shift, speeds),
                                       _scores(rotate, q, k, positions, speeds), atol=1e-3))  # fmt: skip

        def range_of_change(rotate, q, k, positions, speeds, shift):
            """You subtract the largest scores of both tables. First subtract the tables, then look for the largest difference."""
            return float((_scores(rotate, q, k, positions + shift, speeds).abs().max()
                          - _scores(rotate, q, k, positions, speeds).abs().max()).abs())  # fmt: skip

        def summed(rotate, q, k, positions, speeds, shift):
            """You add up all differences. Then a long text fails where a short one passes: take the largest one."""
            return float((_scores(rotate, q, k, positions + shift, speeds)
                          - _scores(rotate, q, k, positions, speeds)).abs().sum())  # fmt: skip

        def own_rotation(rotate, q, k, positions, speeds, shift):
            """You turn by your own rotation, whatever is to be tested. Call `rotate`, the argument."""
            turn = lambda x, places, speeds: _neighbours(x, _angles(places, speeds)).float()  # noqa: E731
            return float((_scores(turn, q, k, positions + shift, speeds)
                          - _scores(turn, q, k, positions, speeds)).abs().max())  # fmt: skip

        def smallest(rotate, q, k, positions, speeds, shift):
            """You take the smallest difference. One score that changes is enough: take the largest."""
            return float((_scores(rotate, q, k, positions + shift, speeds)
                          - _scores(rotate, q, k, positions, speeds)).abs().min())  # fmt: skip

        def largest_score(rotate, q, k, positions, speeds, shift):
            """You return the largest score after the shift. Subtract the scores before it first."""
            return float(_scores(rotate, q, k, positions + shift, speeds).abs().max())

        def scores_added(rotate, q, k, positions, speeds, shift):
            """You add both tables of scores. Subtract them: the difference should be about 0."""
            return float((_scores(rotate, q, k, positions + shift, speeds)
                          + _scores(rotate, q, k, positions, speeds)).abs().max())  # fmt: skip

        def shift_multiplied(rotate, q, k, positions, speeds, shift):
            """You multiply the positions by the shift: distances grow, too. Add it to them."""
            return float((_scores(rotate, q, k, positions * shift, speeds)
                          - _scores(rotate, q, k, positions, speeds)).abs().max())  # fmt: skip

        def quotient(rotate, q, k, positions, speeds, shift):
            """You divide the scores after the shift by those before it. Their difference is asked for."""
            return float((_scores(rotate, q, k, positions + shift, speeds)
                          / _scores(rotate, q, k, positions, speeds)).abs().max())  # fmt: skip


# ---- scaling -----------------------------------------------------------------------------------------------------


@exercise(
    points=2, minutes=8, uses=("m19.rope_speeds",),
    source="NTK-aware scaling, bloc97 2023; Peng et al. 2023, YaRN, section 3.1; transformers' type 'dynamic'",
)  # fmt: skip
class ntk_speeds:
    """Speeds for texts `factor` times longer than those of training: a larger base, so that fast pairs hardly change."""

    tolerance = SPEEDS

    def cases(rng):
        yield case(8, 2.0, label="four pairs, twice as long")
        yield case(4, 3.0, label="two pairs, three times as long")
        yield case(64, 8.0, 500000.0, label="32 pairs, base 500000, eight times as long")
        yield case(16, 1.0, 50.0, label="factor 1, base 50")
        base = float(rng.integers(100, 999))
        yield case(2 * int(rng.integers(5, 9)), float(rng.uniform(3, 6)), base, label="random sizes")

    def reference(d, factor, base=10000.0):
        # pair i slows down by factor ** (2i / (d - 2)): the first not at all, the last by the factor
        return torch.tensor([base ** (-2 * i / d) / factor ** (2 * i / (d - 2)) for i in range(d // 2)],
                            dtype=torch.float64)  # fmt: skip

    class misconceptions:
        def all_slower(d, factor, base=10000.0):
            """You slow down all pairs by the factor; that is linear scaling. Here the base grows, and pair 0 keeps its speed 1."""
            return _speeds(d, base) / factor

        def base_times_factor(d, factor, base=10000.0):
            """You multiply the base by the factor itself. Then the last pair slows down by less: the exponent d / (d - 2) makes up for it."""
            return _speeds(d, base * factor)

        def exponent_upside_down(d, factor, base=10000.0):
            """Your exponent is (d - 2) / d. It is d / (d - 2), above 1."""
            return _speeds(d, base * factor ** ((d - 2) / d))

        def base_divided(d, factor, base=10000.0):
            """Your pairs get faster. For longer texts they must turn more slowly: the base grows."""
            return _speeds(d, base / factor ** (d / (d - 2)))

        def power_of_the_product(d, factor, base=10000.0):
            """You raise base times factor to the power. Only the factor is raised, then multiplied by the base."""
            return _speeds(d, (base * factor) ** (d / (d - 2)))

        def base_ignored(d, factor, base=10000.0):
            """You use 10000 whatever `base` is."""
            return _speeds(d, 10000.0 * factor ** (d / (d - 2)))

        def pairs_less_two(d, factor, base=10000.0):
            """You count pairs in one place and entries in the other: the exponent is d / (d - 2), with d entries in both."""
            return _speeds(d, base * factor ** (d / 2 / (d - 2)))

        def one_less(d, factor, base=10000.0):
            """Your exponent is d / (d - 1). One pair, two entries, is the difference: d / (d - 2)."""
            return _speeds(d, base * factor ** (d / (d - 1)))

        def the_base(d, factor, base=10000.0):
            """You return the new base. Give it to `rope_speeds`, and return the speeds."""
            return base * factor ** (d / (d - 2))

        def factor_added(d, factor, base=10000.0):
            """You add the power of the factor to the base. Multiply."""
            return _speeds(d, base + factor ** (d / (d - 2)))

        def not_scaled(d, factor, base=10000.0):
            """Your speeds do not change with the factor."""
            return _speeds(d, base)

        def product_without_power(d, factor, base=10000.0):
            """You multiply by d / (d - 2). It is an exponent: `factor ** (d / (d - 2))`."""
            return _speeds(d, base * factor * d / (d - 2))

        def brackets_forgotten(d, factor, base=10000.0):
            """`factor ** d / (d - 2)` divides the power. The whole fraction is the exponent: put it into brackets."""
            return _speeds(d, base * factor**d / (d - 2))

        def speeds_divided(d, factor, base=10000.0):
            """You divide all speeds by the power. It multiplies the base: then pair 0 keeps its speed 1."""
            return _speeds(d, base) / factor ** (d / (d - 2))

        def quotient_to_the_factor(d, factor, base=10000.0):
            """You raise d / (d - 2) to the power of the factor. The other way round: the factor to the power of d / (d - 2)."""
            return _speeds(d, base * (d / (d - 2)) ** factor)

        def plus_two(d, factor, base=10000.0):
            """Your exponent is d / (d + 2), below 1. The last pair has 2i = d - 2, so it is d / (d - 2)."""
            return _speeds(d, base * factor ** (d / (d + 2)))

        def not_divided(d, factor, base=10000.0):
            """Your exponent is d. Divide it by d - 2: it is just above 1."""
            return _speeds(d, base * factor**d)

        def not_the_root(d, factor, base=10000.0):
            """Your exponent is d - 2. It is d / (d - 2), just above 1."""
            return _speeds(d, base * factor ** (d - 2))

        def factor_squared(d, factor, base=10000.0):
            """Your exponent is 2. It is d / (d - 2), which comes near to 1 where d is large."""
            return _speeds(d, base * factor**2)

        def number_of_pairs(d, factor, base=10000.0):
            """Your exponent is the number of pairs, d / 2. It is d / (d - 2)."""
            return _speeds(d, base * factor ** (d / 2))

        def twice_the_exponent(d, factor, base=10000.0):
            """Your exponent is 2d / (d - 2), and the last pair slows down by the factor squared. It is d / (d - 2)."""
            return _speeds(d, base * factor ** (2 * d / (d - 2)))

        def base_doubled(d, factor, base=10000.0):
            """Your base is twice too large: even for factor 1 your speeds change. It is base times factor ** (d / (d - 2))."""
            return _speeds(d, 2 * base * factor ** (d / (d - 2)))

        def square_root_of_factor(d, factor, base=10000.0):
            """Your exponent is 1 / 2. It is d / (d - 2), above 1."""
            return _speeds(d, base * factor**0.5)


def _yarn(speeds, factor, trained, slow, fast, *, turns=None, keep=None, mix=None, scale=None):
    """YaRN, right unless told otherwise."""
    speeds = speeds.double()
    turns = trained * speeds / (2 * math.pi) if turns is None else turns
    keep = ((turns - slow) / (fast - slow)).clamp(0, 1) if keep is None else keep
    mixed = keep * speeds + (1 - keep) * speeds / factor if mix is None else mix(keep, speeds)
    return mixed, 0.1 * math.log(factor) + 1 if scale is None else scale


def _turns(speeds, trained):
    return trained * speeds.double() / (2 * math.pi)


@exercise(
    points=3, minutes=15,
    source="Peng et al. 2023, YaRN ('NTK-by-parts' and the temperature); transformers' types 'llama3' and 'yarn'",
)  # fmt: skip
class yarn_speeds:
    """YaRN: pairs that came round often in training keep their speed, the slow ones are slowed down, those between mixed."""

    tolerance = SPEEDS

    def cases(rng):
        yield case(_speeds(16).float(), 4.0, 64, 0.5, 4.0, label="8 pairs trained on 64 positions, 4 times as long")
        yield case(
            _speeds(32).float(), 8.0, 512, 1.0, 32.0, label="16 pairs trained on 512 positions, the usual bounds"
        )
        yield case(_speeds(12, 500.0).float(), 2.5, 100, 1.0, 6.0, label="6 pairs of base 500")
        yield case(_speeds(2).float(), 3.0, 40, 1.0, 12.0, label="a single pair, between the bounds")
        speeds = _speeds(20, float(rng.uniform(2e3, 2e4))).float()
        yield case(speeds, float(rng.uniform(3, 9)), int(rng.integers(150, 300)), 2.0, 20.0,
                   label="a random base, factor and length")  # fmt: skip

    def reference(speeds, factor, trained, slow, fast):
        mixed = []
        for speed in speeds.double().tolist():
            wavelength = 2 * math.pi / speed
            turns = trained / wavelength
            share = 0.0 if turns < slow else 1.0 if turns > fast else (turns - slow) / (fast - slow)
            mixed.append(speed / factor + share * (speed - speed / factor))
        return torch.tensor(mixed, dtype=torch.float64), 1 + math.log(factor) / 10

    class misconceptions:
        def the_wrong_ones(speeds, factor, trained, slow, fast):
            """You slow down the fast pairs and keep the slow ones. The other way round: fast pairs have seen every angle in training."""
            keep = ((_turns(speeds, trained) - slow) / (fast - slow)).clamp(0, 1)
            return _yarn(speeds, factor, trained, slow, fast, keep=1 - keep)

        def not_clamped(speeds, factor, trained, slow, fast):
            """Your share leaves the range 0 to 1 beyond the bounds. Clamp it."""
            return _yarn(speeds, factor, trained, slow, fast, keep=(_turns(speeds, trained) - slow) / (fast - slow))

        def radians_not_turns(speeds, factor, trained, slow, fast):
            """You compare radians with the bounds. They are whole turns: divide by 2 pi."""
            return _yarn(speeds, factor, trained, slow, fast, turns=trained * speeds.double())

        def wavelengths_not_turns(speeds, factor, trained, slow, fast):
            """You compare wavelengths with the bounds. They are turns within the trained length: trained / wavelength."""
            return _yarn(speeds, factor, trained, slow, fast, turns=2 * math.pi / speeds.double())

        def half_turns(speeds, factor, trained, slow, fast):
            """You count half turns: a whole one is 2 pi, not pi."""
            return _yarn(speeds, factor, trained, slow, fast, turns=2 * _turns(speeds, trained))

        def brackets_forgotten(speeds, factor, trained, slow, fast):
            """You divide by 2 and multiply by pi: `/ 2 * math.pi` needs brackets, `/ (2 * math.pi)`."""
            return _yarn(speeds, factor, trained, slow, fast, turns=_turns(speeds, trained) * math.pi**2)

        def multiplied_by_two_pi(speeds, factor, trained, slow, fast):
            """You multiply by 2 pi. To get turns from radians, divide by it."""
            return _yarn(speeds, factor, trained, slow, fast, turns=_turns(speeds, trained) * 4 * math.pi**2)

        def turns_upside_down(speeds, factor, trained, slow, fast):
            """Your turns are upside down: a pair makes trained * speed / (2 pi) of them, more if it is faster."""
            return _yarn(speeds, factor, trained, slow, fast, turns=1 / _turns(speeds, trained))

        def four_pi(speeds, factor, trained, slow, fast):
            """You divide by 4 pi. A turn has 2 pi radians."""
            return _yarn(speeds, factor, trained, slow, fast, turns=_turns(speeds, trained) / 2)

        def halved_only(speeds, factor, trained, slow, fast):
            """You divide radians by 2. A turn has 2 pi of them."""
            return _yarn(speeds, factor, trained, slow, fast, turns=_turns(speeds, trained) * math.pi)

        def share_falls(speeds, factor, trained, slow, fast):
            """Your share has the wrong sign: it is 0 at `slow` turns and grows to 1 at `fast`: (turns - slow) / (fast - slow)."""
            keep = ((slow - _turns(speeds, trained)) / (fast - slow)).clamp(0, 1)
            return _yarn(speeds, factor, trained, slow, fast, keep=keep)

        def share_without_brackets(speeds, factor, trained, slow, fast):
            """Your share lacks brackets: `turns - slow / fast - slow` divides slow by fast first."""
            keep = (_turns(speeds, trained) - slow / fast - slow).clamp(0, 1)
            return _yarn(speeds, factor, trained, slow, fast, keep=keep)

        def share_upside_down(speeds, factor, trained, slow, fast):
            """Your share is upside down: (turns - slow) stands above, (fast - slow) below."""
            keep = ((fast - slow) / (_turns(speeds, trained) - slow)).clamp(0, 1)
            return _yarn(speeds, factor, trained, slow, fast, keep=keep)

        def slow_not_subtracted(speeds, factor, trained, slow, fast):
            """Your share is turns / (fast - slow). Subtract `slow` above, too: it is 0 at `slow` turns."""
            keep = (_turns(speeds, trained) / (fast - slow)).clamp(0, 1)
            return _yarn(speeds, factor, trained, slow, fast, keep=keep)

        def bounds_added(speeds, factor, trained, slow, fast):
            """You divide by fast + slow. From one bound to the other it is fast - slow."""
            keep = ((_turns(speeds, trained) - slow) / (fast + slow)).clamp(0, 1)
            return _yarn(speeds, factor, trained, slow, fast, keep=keep)

        def slow_added(speeds, factor, trained, slow, fast):
            """You add `slow` to the turns. Subtract it: the share is 0 at `slow` turns."""
            keep = ((_turns(speeds, trained) + slow) / (fast - slow)).clamp(0, 1)
            return _yarn(speeds, factor, trained, slow, fast, keep=keep)

        def twice_the_share(speeds, factor, trained, slow, fast):
            """Your share comes to 1 half way between the bounds. It is 1 at `fast` only."""
            keep = (2 * (_turns(speeds, trained) - slow) / (fast - slow)).clamp(0, 1)
            return _yarn(speeds, factor, trained, slow, fast, keep=keep)

        def half_the_share(speeds, factor, trained, slow, fast):
            """Your share at `fast` is one half. It is 1 there."""
            keep = ((_turns(speeds, trained) - slow) / (fast - slow) / 2).clamp(0, 1)
            return _yarn(speeds, factor, trained, slow, fast, keep=keep)

        def not_cut_off_below(speeds, factor, trained, slow, fast):
            """Your share is negative for the slowest pairs, which turn too slowly then. Cut it off at 0."""
            keep = ((_turns(speeds, trained) - slow) / (fast - slow)).clamp(max=1)
            return _yarn(speeds, factor, trained, slow, fast, keep=keep)

        def not_cut_off_above(speeds, factor, trained, slow, fast):
            """Your share is above 1 for the fastest pairs, which turn faster than in training then. Cut it off at 1."""
            keep = ((_turns(speeds, trained) - slow) / (fast - slow)).clamp(min=0)
            return _yarn(speeds, factor, trained, slow, fast, keep=keep)

        def nothing_slower(speeds, factor, trained, slow, fast):
            """No pair is slowed down. Those that made few turns have speed / factor."""
            return _yarn(speeds, factor, trained, slow, fast, mix=lambda keep, speeds: speeds)

        def turns_of_the_longer_text(speeds, factor, trained, slow, fast):
            """You count the turns in the longer text. What matters is what training has seen: `trained` positions."""
            return _yarn(speeds, factor, trained, slow, fast, turns=factor * _turns(speeds, trained))

        def a_hard_switch(speeds, factor, trained, slow, fast):
            """You keep or divide, with nothing between. Between the bounds both speeds are mixed, by the share."""
            return _yarn(speeds, factor, trained, slow, fast, keep=(_turns(speeds, trained) > fast).double())

        def all_slower(speeds, factor, trained, slow, fast):
            """You slow down all pairs; that is linear scaling. Those with more than `fast` turns keep their speed."""
            return _yarn(speeds, factor, trained, slow, fast, mix=lambda keep, speeds: speeds / factor)

        def both_added(speeds, factor, trained, slow, fast):
            """You add both speeds. Only their shares are added: the share of the one, and 1 minus the share of the other."""
            return _yarn(speeds, factor, trained, slow, fast, mix=lambda keep, s: keep * s + s / factor)

        def mix_without_slower(speeds, factor, trained, slow, fast):
            """You take the share of the old speed only, so slow pairs stand still. Add (1 - share) times speed / factor."""
            return _yarn(speeds, factor, trained, slow, fast, mix=lambda keep, s: keep * s)

        def multiplied(speeds, factor, trained, slow, fast):
            """You multiply slow pairs by the factor. For a longer text they turn more slowly: divide."""
            return _yarn(speeds, factor, trained, slow, fast, mix=lambda keep, s: keep * s + (1 - keep) * s * factor)

        def only_one_side(speeds, factor, trained, slow, fast):
            """The mix lacks its kept part: the share times the speed comes on top of (1 - share) times the slower speed."""
            return _yarn(speeds, factor, trained, slow, fast, mix=lambda keep, s: (1 - keep) * s / factor)

        def ramp_from_zero(speeds, factor, trained, slow, fast):
            """Your share is turns / fast. It is 0 at `slow` and 1 at `fast`: (turns - slow) / (fast - slow)."""
            return _yarn(speeds, factor, trained, slow, fast, keep=(_turns(speeds, trained) / fast).clamp(0, 1))

        def divided_by_fast_only(speeds, factor, trained, slow, fast):
            """Your share does not reach 1 at `fast`: divide by fast - slow."""
            keep = ((_turns(speeds, trained) - slow) / fast).clamp(0, 1)
            return _yarn(speeds, factor, trained, slow, fast, keep=keep)

        def usual_bounds_always(speeds, factor, trained, slow, fast):
            """You use the bounds 1 and 32 whatever is given. Use `slow` and `fast`."""
            return _yarn(speeds, factor, trained, 1.0, 32.0)

        def no_temperature(speeds, factor, trained, slow, fast):
            """The speeds are right, the second result is not: it is 0.1 ln(factor) + 1, not 1."""
            return _yarn(speeds, factor, trained, slow, fast, scale=1.0)

        def one_forgotten(speeds, factor, trained, slow, fast):
            """The speeds are right; to the second result 1 must be added: 0.1 ln(factor) + 1."""
            return _yarn(speeds, factor, trained, slow, fast, scale=0.1 * math.log(factor))

        def another_logarithm(speeds, factor, trained, slow, fast):
            """The speeds are right; in the second result the logarithm is the natural one, `math.log`."""
            return _yarn(speeds, factor, trained, slow, fast, scale=0.1 * math.log10(factor) + 1)

        def logarithm_to_base_two(speeds, factor, trained, slow, fast):
            """The speeds are right; in the second result the logarithm is the natural one, not that to base 2."""
            return _yarn(speeds, factor, trained, slow, fast, scale=0.1 * math.log2(factor) + 1)

        def tenth_forgotten(speeds, factor, trained, slow, fast):
            """The speeds are right; in the second result the logarithm is multiplied by 0.1."""
            return _yarn(speeds, factor, trained, slow, fast, scale=math.log(factor) + 1)

        def tenth_added(speeds, factor, trained, slow, fast):
            """The speeds are right; in the second result you add 0.1. It multiplies the logarithm."""
            return _yarn(speeds, factor, trained, slow, fast, scale=0.1 + math.log(factor) + 1)

        def logarithm_forgotten(speeds, factor, trained, slow, fast):
            """The speeds are right; the second result takes the logarithm of the factor, not the factor itself."""
            return _yarn(speeds, factor, trained, slow, fast, scale=0.1 * factor + 1)

        def softened(speeds, factor, trained, slow, fast):
            """The speeds are right; your second result falls below 1 and would soften the softmax: 1 plus 0.1 ln(factor)."""
            return _yarn(speeds, factor, trained, slow, fast, scale=1 - 0.1 * math.log(factor))

        def on_both_at_once(speeds, factor, trained, slow, fast):
            """The speeds are right; the second result is doubled in its logarithm. It goes to queries and to keys: 0.1 for each."""
            return _yarn(speeds, factor, trained, slow, fast, scale=0.2 * math.log(factor) + 1)

        def scale_of_scores(speeds, factor, trained, slow, fast):
            """The speeds are right; the second result is squared. That is what scores get; queries and keys each get the root of it."""
            return _yarn(speeds, factor, trained, slow, fast, scale=(0.1 * math.log(factor) + 1) ** 2)

        def logarithm_of_the_length(speeds, factor, trained, slow, fast):
            """The speeds are right; the second result takes the logarithm of `factor`, not of `trained`."""
            return _yarn(speeds, factor, trained, slow, fast, scale=0.1 * math.log(trained) + 1)

        def already_on_the_speeds(speeds, factor, trained, slow, fast):
            """You multiply the speeds by the temperature. It belongs to queries and keys: return it as the second result."""
            mixed, scale = _yarn(speeds, factor, trained, slow, fast)
            return mixed * scale, scale

        def speeds_alone(speeds, factor, trained, slow, fast):
            """You return the speeds alone. Two results are asked for: the speeds, and the factor for queries and keys."""
            return _yarn(speeds, factor, trained, slow, fast)[0]


# ---- places ------------------------------------------------------------------------------------------------------


@exercise(
    points=1, minutes=6,
    source="Cho et al. 2024, Position Coupling; McLeish et al. 2024, Transformers Can Do Arithmetic (abacus embeddings)",
)  # fmt: skip
class digit_places:
    """Places for the tokens of an addition: digits of the same column get the same place, in all three numbers."""

    tolerance = exact

    def cases(rng):
        yield case(2, label="two columns")
        yield case(1, label="one column")
        yield case(3, label="three columns")
        yield case(int(rng.integers(5, 12)), label="a random number of columns")

    def reference(columns):
        return torch.tensor([token % (columns + 1) for token in range(1, 3 * columns + 3)])

    class misconceptions:
        def one_after_the_other(columns):
            """You count all tokens through. Each number's digits begin at 1 again."""
            return torch.arange(3 * columns + 2)

        def columns_from_zero(columns):
            """Your columns begin at 0, where the signs stand. The ones have place 1."""
            down = list(range(columns))
            return torch.tensor([*down, 0, *down, 0, *down])

        def highest_first(columns):
            """Your columns fall. The numbers are written with their last digit first, so the first digit is column 1."""
            down = range(columns, 0, -1)
            return torch.tensor([*down, 0, *down, 0, *down])

        def sum_longer(columns):
            """Your sum has a column too many. All three numbers have `columns` digits: the highest column is there for the carry."""
            up = range(1, columns + 1)
            return torch.tensor([*up, 0, *up, 0, *up, columns + 1])

        def sum_left_out(columns):
            """The sum's digits have places, too: the model reads what it has written so far."""
            up = range(1, columns + 1)
            return torch.tensor([*up, 0, *up, 0])

        def signs_go_on(columns):
            """Your signs go on counting after the number before. "+" and "=" have place 0: the column before the ones."""
            up = range(1, columns + 2)
            return torch.tensor([*up, *up, *up][:-1])

        def numbers_of_their_own(columns):
            """Your second number goes on where the first ended. Digits of the same column need the same place."""
            up, on = range(1, columns + 1), range(columns + 1, 2 * columns + 1)
            return torch.tensor([*up, 0, *on, 0, *up])

        def sum_of_its_own(columns):
            """Your sum goes on where the numbers ended. Its columns are those of the numbers: 1, 2, ..."""
            up, on = range(1, columns + 1), range(columns + 1, 2 * columns + 1)
            return torch.tensor([*up, 0, *up, 0, *on])

        def no_signs(columns):
            """You left out the places of "+" and "=". Each token of the text has one."""
            return torch.tensor([*range(1, columns + 1)] * 3)

        def a_table(columns):
            """You give a row for each number. The text is one row of tokens: join the parts."""
            return torch.tensor([*range(1, columns + 1), 0] * 3).reshape(3, -1)

        def floats(columns):
            """Your places are floats. They may choose rows of a table, too: whole numbers (int64) are asked for."""
            return torch.tensor([token % (columns + 1) for token in range(1, 3 * columns + 3)]).double()


# ---- check questions ---------------------------------------------------------------------------------------------


@question(answer="c")
class two_layouts:
    """A model was trained with `rotate_complex`. You run it with `rotate_halves`, with the same weights and speeds. What happens?"""

    a = (
        "Nothing: both are the same rotation, so all scores are the same.",
        "They turn different entries together. Entries 0 and 1 were a pair; now 0 turns with d/2, and 1 with d/2 + 1.",
    )
    b = (
        "It fails with an error, as the shapes do not fit.",
        "Both give the shape of x, so nothing warns you. That is what makes this bug so common.",
    )
    c = (
        "It runs, and its scores are wrong, until the columns of its queries and keys are put in the other order.",
        "Right: with even entries first and odd ones behind, each pair is together again. Converters of checkpoints do this to the weights.",
    )
    d = (
        "It is right at short distances and gets worse at longer ones.",
        "At distance 0 nothing turns, but from distance 1 on entries are mixed that do not belong together.",
    )


@question(answer=["b", "d"])
class what_stays:
    """Which of these leave the fastest pair's speed, 1 radian a position, as it was in training? Choose all."""

    a = (
        "Linear scaling by the factor 4.",
        "It divides all speeds, the fastest too: two neighbours then look a quarter as far apart as in training.",
    )
    b = (
        "NTK-aware scaling by the factor 4.",
        "Right: a larger base changes base ** 0 not at all. The later a pair, the more it slows down.",
    )
    c = (
        "Counting positions 0, 1/4, 2/4, ... in place of 0, 1, 2, ...",
        "An angle is position times speed, so this is linear scaling once more, done to the positions.",
    )
    d = (
        "YaRN by the factor 4, if the pair made more than `fast` turns in training.",
        "Right: such a pair has met every angle, so there is nothing unknown to be spared.",
    )


@question(answer="a")
class why_it_extrapolates:
    """Trained on sums of 6 digits, the model with columns as places adds 20 digits. What did it need for that?"""

    a = (
        "That every distance that its attention must use, or must leave alone, had come up in training.",
        "Right: one step on for the digits that it needs; and, thanks to the packed texts, many steps for those that it must leave alone.",
    )
    b = (
        "RoPE: what depends on distances only holds for texts of any length.",
        "RoPE with tokens counted through fails at 4 digits; and with columns and packed texts, a table of learned positions gets as far.",
    )
    c = (
        "Slower speeds, so that 20 columns fit into the angles of 6.",
        'Its speeds were never changed. Slowed down, "one step on" would no longer be the step that it learnt.',
    )
    d = (
        "More parameters than a model that adds 6 digits needs.",
        "All runs with columns and RoPE have the same size; what differs is their text. The largest models, counted through, fail at 4 digits.",
    )
