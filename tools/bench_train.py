#!/usr/bin/env python
"""How fast the multiplication laboratory trains: tokens a second, share of the machine's peak, work to 100 %.

First the machine's own peak is measured, a float32 matrix product of 1024 x 1024 on as many threads; then how fast the
training loop's step is for the small and the large model; then the small model is trained on half of all products of
two digits until a complete evaluation finds no error, by the laboratory's recipe and, on the same data from the same
first weights, by a plain loop: AdamW at one rate, a loss on all tokens, learned positions. All in this run, so that
the ratios compare like with like.

    make bench-train            or            python tools/bench_train.py --threads 2 --seed 0

With --record the figures are kept for docs/results.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from course.lab import models
from course.lab.decoder import Config, Decoder
from course.lab.multiplication import VOCABULARY, all_pairs, evaluate, lines, misread, split, targets
from course.lab.training import Recipe, Run, drawn, train

DIGITS, SHARE, BATCH = 2, 0.5, 128
SMALL = Config(len(VOCABULARY), d_model=64, layers=2, heads=4, d_ff=256, length=25)
LARGE = Config(len(VOCABULARY), d_model=256, layers=6, heads=8, d_ff=1024, length=25)
LAB = Recipe(steps=600, extra=400)
PLAIN = Recipe(steps=2000, optimiser="adamw", rate=1e-3, warmup=0, decay=0.0, beta2=0.999)
RECORD = models.FOLDER / "lab_bench.json"
SIDE = 1024  # of the matrices whose product is the peak


@dataclass(frozen=True)
class Speed:
    """What a step of training does in a second, by the wall's clock and by the processor's."""

    tokens: float
    tokens_cpu: float
    flops: float  # by the wall's clock, counted by torch

    def row(self, name: str, peak: float) -> str:
        """A line of the table."""
        share = self.flops / peak
        return f"| {name} | {self.tokens:,.0f} | {self.tokens_cpu:,.0f} | {self.flops / 1e9:.1f} | {share:.0%} |"


def peak_flops(repeats: int = 20) -> float:
    """Floating-point operations a second in a large float32 matrix product: the best of several."""
    a, b = torch.rand(2, SIDE, SIDE)
    return 2 * SIDE**3 / min(_seconds(lambda: a @ b) for _ in range(repeats))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def speed(config: Config, recipe: Recipe, steps: int) -> Speed:
    """Of `steps` steps on one batch, after one to warm up. Optimiser and clipping are in the time, not in the FLOPs."""
    model = Decoder(config, seed=0)
    inputs, following = targets(lines(all_pairs(DIGITS)[:BATCH], DIGITS), DIGITS)
    with FlopCounterMode(display=False) as counter:
        _loss(model, inputs, following).backward()
    model.zero_grad()
    batch = (inputs, following)
    recipe = replace(recipe, steps=1, extra=0, check_every=sys.maxsize)
    train(model, recipe, lambda step: batch, lambda model: 1, bar=False)
    started, cpu = time.perf_counter(), time.process_time()
    train(model, replace(recipe, steps=steps), lambda step: batch, lambda model: 1, bar=False)
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    tokens = steps * inputs.numel()
    return Speed(tokens / wall, tokens / cpu, steps * counter.get_total_flops() / wall)


def _loss(model: Decoder, inputs: Tensor, following: Tensor) -> Tensor:
    return F.cross_entropy(model(inputs).flatten(0, 1), following.flatten())


def to_no_error(recipe: Recipe, masked: bool, seed: int) -> tuple[Run, int]:
    """Train the small model until all 10,000 products are right, or the recipe ends; and what is wrong then."""
    known, held = split(all_pairs(DIGITS), SHARE, seed)
    model = Decoder(SMALL, seed)
    glance = lines(held[:1000], DIGITS)

    def errors(model: Decoder) -> int:
        return misread(model, glance, DIGITS) or evaluate(model, all_pairs(DIGITS), DIGITS).errors

    run = train(model, recipe, drawn(*targets(lines(known, DIGITS), DIGITS, masked), BATCH, seed), errors)
    return run, evaluate(model, all_pairs(DIGITS), DIGITS).errors


def report(threads: int, seed: int, steps: int, most: int | None) -> Iterator[str]:
    """What is measured, line by line as it is known."""
    peak = peak_flops()
    yield f"{threads} thread(s); a float32 product of {SIDE} x {SIDE}: {peak / 1e9:.1f} GFLOP/s (the peak)\n"
    yield "| step | tokens/s | tokens/CPU-s | GFLOP/s | of the peak |\n|:---|---:|---:|---:|---:|"
    for name, config in (("small", SMALL), ("large", LARGE)):
        size = f"{name}, {Decoder(config).size / 1e6:.1f} M parameters"
        yield speed(config, LAB, steps).row(f"{size}, Muon and AdamW", peak)
        yield speed(config, Recipe(steps=1, optimiser="adamw"), steps).row(f"{size}, AdamW", peak)
    yield "\n| training, small model | steps | tokens | CPU-seconds | wrong of 10,000 |\n|:---|---:|---:|---:|---:|"
    spent = []
    for name, recipe, masked in (("the laboratory's", LAB, True), ("plain AdamW", PLAIN, False)):
        fewer = replace(recipe, steps=min(recipe.steps, most), extra=0) if most else recipe
        run, wrong = to_no_error(fewer, masked, seed)
        spent.append(run)
        yield f"| {name} | {run.step:,} | {run.tokens:,} | {run.seconds:.0f} | {wrong:,} |"
    tokens, seconds = (getattr(spent[1], key) / getattr(spent[0], key) for key in ("tokens", "seconds"))
    yield f"\nratio plain/laboratory tokens={tokens:.2f} cpu={seconds:.2f}"


def main() -> None:
    """Measure and print, and write the record if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=20, help="steps over which the speed is measured")
    parser.add_argument("--most", type=int, help="end trainings after so many steps, whatever is wrong then")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name} too, for docs/results.md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    said = []
    for line in report(options.threads, options.seed, options.steps, options.most):
        print(line, flush=True)
        said.append(line)
    if options.record:
        command = f"python tools/bench_train.py --threads {options.threads} --seed {options.seed}"
        about = {"command": command, "processor": "CPU, float32", "torch": torch.__version__, "printed": said}
        RECORD.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
