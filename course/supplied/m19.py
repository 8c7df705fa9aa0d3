"""What lesson m19 builds: speeds of RoPE, two rotations, a test of them, two ways to scale, and places of digits."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course.lab.addition import Addition, Outcome

__all__ = [
    "digit_places", "ntk_speeds", "rope_speeds", "rotate_complex", "rotate_halves", "shift_gap", "yarn_speeds",
]  # fmt: skip

Rotation = Callable[[Tensor, Tensor, Tensor], Tensor]


# ---- what the exercises ask for ----------------------------------------------------------------------------------


def rope_speeds(d: int, base: float = 10000.0) -> Tensor:
    """By how many radians each of the d / 2 pairs turns at one step: base ** (-2i / d) (Su et al. 2021)."""
    return base ** (-torch.arange(0, d, 2) / d)


def rotate_complex(x: Tensor, positions: Tensor, speeds: Tensor) -> Tensor:
    """RoPE as a complex product: x (..., n, d), positions (..., n) and speeds (d / 2,) -> the shape of x.

    Neighbours form a pair, (0, 1), (2, 3), ...: the real and the imaginary part of one number.
    """
    angles = positions[..., None] * speeds
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


def rotate_halves(x: Tensor, positions: Tensor, speeds: Tensor) -> Tensor:
    """RoPE on real numbers, with entries i and i + d/2 as a pair; shapes as in `rotate_complex`."""
    angles = positions[..., None] * torch.cat([speeds, speeds])
    left, right = x.chunk(2, dim=-1)
    return x * angles.cos() + torch.cat([-right, left], dim=-1) * angles.sin()


def shift_gap(rotate: Rotation, q: Tensor, k: Tensor, positions: Tensor, speeds: Tensor, shift: int) -> float:
    """The largest change of any score of queries and keys (n, d) when all positions (n,) grow by `shift`."""

    def scores(places: Tensor) -> Tensor:
        return rotate(q, places, speeds) @ rotate(k, places, speeds).mT

    return float((scores(positions + shift) - scores(positions)).abs().max())


def ntk_speeds(d: int, factor: float, base: float = 10000.0) -> Tensor:
    """The speeds with a larger base, so that the slowest pair is exactly `factor` times slower (d of at least 4)."""
    return rope_speeds(d, base * factor ** (d / (d - 2)))


def yarn_speeds(speeds: Tensor, factor: float, trained: int, slow: float, fast: float) -> tuple[Tensor, float]:
    """Speeds (d / 2,) of YaRN (Peng et al. 2023) and the factor for queries and keys.

    A pair that makes more than `fast` turns within `trained` steps keeps its speed, one with fewer than `slow` is
    divided by `factor`, and those between are mixed.
    """
    turns = trained * speeds / (2 * math.pi)
    keep = ((turns - slow) / (fast - slow)).clamp(0, 1)
    return torch.lerp(speeds / factor, speeds, keep), 0.1 * math.log(factor) + 1


def digit_places(columns: int) -> Tensor:
    """Places of the tokens of "a+b=c", each number of so many digits, the last one first: a digit's is its column.

    Columns count from 1, the signs stand at 0: shape (3 * columns + 2,), int64.
    """
    column, sign = torch.arange(1, columns + 1), torch.zeros(1, dtype=torch.int64)
    return torch.cat([column, sign, column, sign, column])


# ---- what is given -----------------------------------------------------------------------------------------------


class Suspect:
    """A way to put positions into queries and keys, to be tested; `kind` names it. Some depend on distances only.

    Called as `rotate_complex` is: (x (..., n, d), positions (..., n), speeds (d / 2,)) -> the shape of x.
    """

    kinds = ("neighbours", "halves", "added", "mixed", "faster and faster", "one alone", "mirrored")

    def __init__(self, kind: str):
        if kind not in self.kinds:
            raise ValueError(f"the kinds are {', '.join(self.kinds)}, not {kind!r}")
        self.kind = kind

    def __call__(self, x: Tensor, positions: Tensor, speeds: Tensor) -> Tensor:
        """Put the positions into x."""
        if self.kind == "neighbours":
            return rotate_complex(x, positions, speeds)
        if self.kind == "halves":
            return rotate_halves(x, positions, speeds)
        if self.kind == "faster and faster":  # the angle grows with the square of the position
            return rotate_complex(x, positions * positions / 8, speeds)
        return self._crooked(x, positions[..., None] * speeds)

    def _crooked(self, x: Tensor, angles: Tensor) -> Tensor:
        """Those that are no rotation: waves added, two layouts mixed up, half of each pair turned, pairs mirrored."""
        waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)
        if self.kind == "added":
            return x + waves
        twice = angles.repeat_interleave(2, dim=-1)
        if self.kind == "mixed":  # partners of the halves, angles of the neighbours
            left, right = x.chunk(2, dim=-1)
            return x * twice.cos() + torch.cat([-right, left], dim=-1) * twice.sin()
        even, odd, cos, sin = x[..., 0::2], x[..., 1::2], angles.cos(), angles.sin()
        second = odd if self.kind == "one alone" else even * sin - odd * cos
        return torch.stack([even * cos + odd * sin, second], -1).flatten(-2)


def turning(rotate: Rotation, speeds: Tensor, scale: float = 1.0) -> Callable[[Tensor, Tensor], Tensor]:
    """What `Decoder.turn` wants: queries or keys, turned by `rotate` at these speeds, times the scale."""
    return lambda x, places: scale * rotate(x, places, speeds)


def scalings(
    d: int, trained: int, speeds: Tensor | None = None, ntk: Callable[..., Tensor] = ntk_speeds,
    yarn: Callable[..., tuple[Tensor, float]] = yarn_speeds,
) -> dict[str, Callable[[float], tuple[Tensor, float]]]:  # fmt: skip
    """Ways to scale: name -> (factor -> speeds and scale). Bounds for YaRN are those of a short text."""
    plain = rope_speeds(d) if speeds is None else speeds
    return {
        "no scaling": lambda factor: (plain, 1.0),
        "linear": lambda factor: (plain / factor, 1.0),
        "NTK": lambda factor: (ntk(d, factor), 1.0),
        "NTK, twice the factor": lambda factor: (ntk(d, 2 * factor if factor > 1 else 1.0), 1.0),
        "YaRN": lambda factor: yarn(plain, factor, trained, slow=1.0, fast=4.0),
    }


ROOM = 60  # places among which an addition begins, where it begins at random
WORDY = {"digits": 3, "layers": 2, "d_model": 64, "heads": 4, "base": 10000.0, "steps": 900}  # to learn it at all
TESTED = (3, 4, 6, 8, 10, 15, 20)  # digits


def plan(places: Callable[[int], Tensor]) -> dict[str, Addition]:
    """The runs of the lesson's table, by name; `places` is the student's `digit_places`."""
    columns, packed = {"places": places}, {"room": ROOM, "packed": 2, "batch": 32}
    runs = [
        Addition("counted through, learned", "learned", **WORDY),
        Addition("counted through, RoPE", "rope", **WORDY),
        Addition("counted through, no positions", "none", **WORDY),
        Addition("counted through, RoPE, packed", "rope", **WORDY | packed | {"room": 2 * ROOM}),
        Addition("columns, learned", "learned", **columns),
        Addition("columns from a random start, learned", "learned", **columns, room=ROOM),
        Addition("columns, RoPE", "rope", **columns),
        Addition("columns, packed, learned", "learned", **columns, **packed),
        Addition("columns, packed, RoPE", "rope", **columns, **packed),
    ]
    return {run.name: run for run in runs}


def row(outcome: Outcome) -> dict[str, object]:
    """An outcome as a row of the table, and of the record."""
    a, run = outcome.addition, outcome.run
    return {
        "name": a.name, "seed": a.seed, "trained digits": a.digits, "parameters": outcome.model.size,
        "steps": run.step, "99 % at": outcome.learnt_at, "seconds": round(run.seconds, 1),
        "accuracy": {str(digits): round(share, 4) for digits, share in outcome.accuracy.items()},
    }  # fmt: skip


def table(rows: list[dict]) -> str:
    """Rows under one another, as text: shares of faultless sums by digits, and the step at which 99 % was reached."""
    digits = list(rows[0]["accuracy"])
    head = f"{'':<38}seed  trained  99 % at step" + "".join(f"{d:>7}" for d in digits)
    lines = [
        f"{r['name']:<38}{r['seed']:>4}  1 to {r['trained digits']:<2}  {r['99 % at'] or 'never':>12}"
        + "".join(f"{share:>7.0%}" for share in r["accuracy"].values())
        for r in rows
    ]
    return "\n".join([head, *lines])
