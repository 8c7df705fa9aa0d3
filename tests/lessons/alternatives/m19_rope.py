"""Other right answers to m19."""

import cmath
import math

import numpy as np
import torch


class rope_speeds:
    def a_list(d, base=10000.0):
        return torch.tensor([1 / base ** (2 * i / d) for i in range(d // 2)])

    def by_logarithms(d, base=10000.0):
        return torch.exp(-math.log(base) * 2 * torch.arange(d // 2) / d)

    def a_geometric_row(d, base=10000.0):
        return (torch.ones(d // 2, dtype=torch.float64) * base ** (-2 / d)).cumprod(0) * base ** (2 / d)

    def logspace(d, base=10000.0):
        return torch.logspace(0, -(d - 2) / d, d // 2, base=base, dtype=torch.float64)


class rotate_complex:
    def even_and_odd(x, positions, speeds):
        angles = positions.unsqueeze(-1) * speeds
        turned = torch.complex(x[..., ::2].contiguous(), x[..., 1::2].contiguous()) * torch.exp(1j * angles)
        return torch.stack([turned.real, turned.imag], dim=-1).reshape(x.shape)

    def real_numbers(x, positions, speeds):
        angles = torch.einsum("...n,i->...ni", positions.double(), speeds.double())
        a, b = x[..., ::2].double(), x[..., 1::2].double()
        out = torch.empty(x.shape, dtype=torch.float64)
        out[..., ::2] = a * angles.cos() - b * angles.sin()
        out[..., 1::2] = a * angles.sin() + b * angles.cos()
        return out

    def matrices(x, positions, speeds):
        angles = positions[..., None] * speeds
        cos, sin = angles.cos(), angles.sin()
        turn = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
        pairs = x.reshape(*x.shape[:-1], -1, 2, 1)
        return (turn @ pairs).reshape(x.shape)

    def partners(x, positions, speeds):
        angles = (positions[..., None] * speeds).repeat_interleave(2, -1)
        partner = torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2)
        return x * angles.cos() + partner * angles.sin()


class rotate_halves:
    def four_products(x, positions, speeds):
        angles = positions[..., None] * speeds
        half = x.shape[-1] // 2
        left, right, cos, sin = x[..., :half], x[..., half:], angles.cos(), angles.sin()
        return torch.cat([left * cos - right * sin, left * sin + right * cos], -1)

    def complex_numbers(x, positions, speeds):
        left, right = x.chunk(2, -1)
        turned = torch.complex(left.contiguous(), right.contiguous()) * torch.exp(1j * positions[..., None] * speeds)
        return torch.cat([turned.real, turned.imag], -1)

    def loops(x, positions, speeds):
        half, flat = x.shape[-1] // 2, x.reshape(-1, x.shape[-1])
        places = torch.broadcast_to(positions, x.shape[:-1]).reshape(-1)
        out = torch.empty_like(flat)
        for row, place in enumerate(places.tolist()):
            for i, speed in enumerate(speeds.tolist()):
                z = complex(flat[row, i], flat[row, i + half]) * cmath.rect(1, place * speed)
                out[row, i], out[row, i + half] = z.real, z.imag
        return out.reshape(x.shape)


class shift_gap:
    def einsum(rotate, q, k, positions, speeds, shift):
        tables = [
            torch.einsum("id,jd->ij", rotate(q, positions + by, speeds), rotate(k, positions + by, speeds))
            for by in (0, shift)
        ]
        return torch.abs(tables[0] - tables[1]).max().item()

    def pair_by_pair(rotate, q, k, positions, speeds, shift):
        here = [rotate(x, positions, speeds) for x in (q, k)]
        there = [rotate(x, positions + shift, speeds) for x in (q, k)]
        gaps = [
            abs(float(here[0][i] @ here[1][j]) - float(there[0][i] @ there[1][j]))
            for i in range(len(q))
            for j in range(len(k))
        ]
        return max(gaps)

    def numpy(rotate, q, k, positions, speeds, shift):
        def scores(by):
            moved = positions + by
            return np.asarray(rotate(q, moved, speeds)) @ np.asarray(rotate(k, moved, speeds)).T

        return float(np.abs(scores(shift) - scores(0)).max())


class ntk_speeds:
    def by_pairs(d, factor, base=10000.0):
        i = torch.arange(d // 2)
        return base ** (-2 * i / d) * factor ** (-2 * i / (d - 2))

    def a_new_base(d, factor, base=10000.0):
        new = base * factor ** (d / (d - 2))
        return torch.tensor([new ** (-2 * i / d) for i in range(d // 2)])

    def logarithms(d, factor, base=10000.0):
        new = math.log(base) + math.log(factor) * d / (d - 2)
        return torch.exp(-new * torch.arange(0, d, 2) / d)


class yarn_speeds:
    def wavelengths(speeds, factor, trained, slow, fast):
        share = torch.clip((trained / (2 * math.pi / speeds) - slow) / (fast - slow), 0, 1)
        return speeds / factor + share * (speeds - speeds / factor), 1 + math.log(factor) / 10

    def where(speeds, factor, trained, slow, fast):
        turns = trained * speeds / math.tau
        share = (turns - slow) / (fast - slow)
        mixed = share * speeds + (1 - share) * speeds / factor
        mixed = torch.where(turns > fast, speeds, torch.where(turns < slow, speeds / factor, mixed))
        return mixed, float(0.1 * np.log(factor) + 1.0)

    def a_loop(speeds, factor, trained, slow, fast):
        out = []
        for speed in speeds.tolist():
            share = min(max((trained * speed / (2 * math.pi) - slow) / (fast - slow), 0.0), 1.0)
            out.append(speed * (share + (1 - share) / factor))
        return [torch.tensor(out), 0.1 * math.log(factor) + 1]

    def as_written(speeds, factor, trained, slow, fast):
        share = ((trained * speeds / (2 * math.pi) - slow) / (fast - slow)).clamp(0, 1)
        return share * speeds + (1 - share) * speeds / factor, 0.1 * math.log(factor) + 1


class digit_places:
    def remainders(columns):
        return torch.arange(1, 3 * columns + 3) % (columns + 1)

    def a_list(columns):
        number = list(range(1, columns + 1))
        return torch.tensor([*number, 0, *number, 0, *number])

    def repeated(columns):
        return torch.arange(columns + 1).repeat(3)[1:]
