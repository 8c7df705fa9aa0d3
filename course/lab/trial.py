"""One trial of the laboratory: a text, a model's size and a budget go in, a trained model and its accuracy come out.

    trial = Trial("chain of thought", line=lambda x, y: product_line(x, y, 2), prompt=6, steps=300)
    result = run_trial(trial, encode, mask)

`line`, `encode` and `mask` are functions of a lesson's: how a pair is written, how lines become ids, and what of them
has a loss. So one loop trains with whatever text a student makes up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course.lab.decoder import Config, Decoder
from course.lab.generation import greedy
from course.lab.multiplication import VOCABULARY, Pairs, all_pairs, split
from course.lab.training import Recipe, Run, drawn, train

__all__ = ["Result", "Trial", "logbook", "run_trial", "table", "writer"]

Encode = Callable[[list[str]], Tensor]
Mask = Callable[[Tensor, int], tuple[Tensor, Tensor]]
Recheck = Callable[[Decoder], int]
GLANCE = 500  # pairs of each half that an evaluation during the training looks at
COLUMNS = {
    "text": "<36", "parameters": ">10,", "pairs": ">6,", "tokens": ">10,", "seconds": ">8.0f", "trained on": ">10.1%",
    "held out": ">8.1%",
}  # fmt: skip
logbook: dict[str, dict[str, Any]] = {}  # name -> row of the table, of every trial run since this module was loaded


@dataclass(frozen=True)
class Trial:
    """What is trained. `line` writes a pair, its first `prompt` characters are the question; all else are sizes.

    Training ends early when nothing is wrong any more, after `steps` and `extra` steps in any case.
    """

    name: str
    line: Callable[[int, int], str]
    prompt: int = 6
    digits: int = 2
    d_model: int = 64
    layers: int = 2
    heads: int = 4
    share: float = 0.2  # of all pairs; the others are held out
    steps: int = 300
    extra: int = 0
    batch: int = 128
    check_every: int = 50
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """What came of a trial: the model, the two halves of the pairs, and the run with all that was measured."""

    trial: Trial
    model: Decoder
    known: Pairs
    held: Pairs
    run: Run

    @property
    def row(self) -> dict[str, Any]:
        """Its line of the table: sizes, what it took, and the shares of faultless lines at the last evaluation."""
        last = self.run.checks[-1]
        return {
            "text": self.trial.name, "parameters": self.model.size, "pairs": len(self.known), "steps": self.run.step,
            "tokens": self.run.tokens, "seconds": self.run.seconds, "trained on": last["trained on"],
            "held out": last["held out"],
        }  # fmt: skip


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Rows of results under one another, as text."""
    head = "  ".join(f"{name:{form[0]}{form[1:].split('.')[0].rstrip(',')}}" for name, form in COLUMNS.items())
    return "\n".join([head, *("  ".join(f"{row[n]:{form}}" for n, form in COLUMNS.items()) for row in rows)])


def run_trial(
    trial: Trial, encode: Encode, mask: Mask, watch: Callable[[Run], None] = lambda run: None,
    recheck: Recheck = lambda model: 0,
) -> Result:  # fmt: skip
    """Train it. `watch(run)` sees every step; once a glance at held-out pairs finds no error, `recheck(model)` counts.

    In one thread: so small a model is slower with two.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _run(trial, encode, mask, watch, recheck)
    finally:
        torch.set_num_threads(threads)


def _run(trial: Trial, encode: Encode, mask: Mask, watch: Callable[[Run], None], recheck: Recheck) -> Result:
    known, held = split(all_pairs(trial.digits), trial.share, trial.seed)
    inputs, targets = mask(_rows(trial, known, encode), trial.prompt)
    glances = {
        "trained on": (inputs[:GLANCE], targets[:GLANCE]),
        "held out": mask(_rows(trial, held[:GLANCE], encode), trial.prompt),
    }
    model = Decoder(
        Config(len(VOCABULARY), trial.d_model, trial.layers, trial.heads, 4 * trial.d_model, inputs.shape[1] + 1),
        trial.seed,
    )

    def errors(model: Decoder) -> dict[str, float]:
        shares = {name: _right(model, *glance) for name, glance in glances.items()}
        wrong = round((1 - shares["held out"]) * len(glances["held out"][0]))
        return {"errors": wrong or recheck(model)} | shares

    recipe = Recipe(steps=trial.steps, extra=trial.extra, check_every=trial.check_every)
    run = train(model, recipe, drawn(inputs, targets, trial.batch, trial.seed), errors, watch=watch)
    result = Result(trial, model, known, held, run)
    logbook[trial.name] = result.row
    return result


def _rows(trial: Trial, pairs: Pairs, encode: Encode) -> Tensor:
    return encode([trial.line(x, y) for x, y in pairs.tolist()])


@torch.no_grad()
def _right(model: Decoder, inputs: Tensor, targets: Tensor) -> float:
    """The share of lines in which the most probable token is the right one wherever there is a target.

    If so, the model writes the line without a fault too: every token that it then reads is its own.
    """
    said = model(inputs).argmax(-1)
    return ((said == targets) | (targets < 0)).all(1).float().mean().item()


def writer(
    model: Decoder, encode: Encode, decode: Callable[[Tensor], str], end: int
) -> Callable[[list[str]], list[str]]:
    """A function that lets the model finish lines, greedily: questions of one length in, whole lines out."""

    def write(questions: list[str]) -> list[str]:
        prompts = encode(questions)
        said = greedy(model, prompts, model.config.length - prompts.shape[1], end)
        return [decode(row) for row in torch.cat([prompts, said], dim=1)]

    return write
