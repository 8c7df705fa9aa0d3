"""How the laboratory trains: one loop that reads from top to bottom, and goes on where it was killed.

    run = train(model, Recipe(steps=600), batch, errors, checkpoint=Path("run.pt"))

`batch(step)` gives what step 0, 1, ... reads, as inputs and targets, and as third the inputs' places if they do not
simply count on; `errors(model)` counts what is still wrong, and at 0 the training ends; it may give more that was
measured, beside "errors". Both are functions of their arguments alone: so a run that goes on from a checkpoint does,
bit for bit on one thread, what it would have done anyway. `watch(run)` is called after every step: a live picture
(`course.widgets.training_curves`), say.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from course.lab.decoder import Decoder
from course.lab.muon import Muon

__all__ = ["Recipe", "Run", "drawn", "one_thread", "train"]

Batch = Callable[[int], tuple[Tensor, ...]]
Errors = Callable[[Decoder], int | dict[str, float]]
FEWER = "COURSE_LAB_STEPS"  # in tests, which have no time to train, the most steps of any training


@dataclass(frozen=True)
class Recipe:
    """All that decides how a model is trained, but for its data."""

    steps: int  # of the schedule
    extra: int = 0  # more steps at its last rate, if something is still wrong
    optimiser: Literal["muon", "adamw"] = "muon"  # muon moves the blocks' matrices, AdamW the rest; or AdamW all
    rate: float = 5e-3  # of AdamW
    muon_rate: float = 0.02
    warmup: int = 50  # steps
    decay: float = 0.5  # the share of the steps, at the end, over which the rate falls
    floor: float = 0.05  # the share of the rate that it falls to
    beta2: float = 0.98
    weight_decay: float = 0.0  # of the blocks' matrices
    clip: float = 1.0  # the gradient's greatest length
    check_every: int = 50  # steps from one evaluation to the next


@dataclass
class Run:
    """How far a training has come. `seconds` are CPU-seconds of training and evaluation together."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)  # of every step
    checks: list[dict[str, float]] = field(default_factory=list)  # step, tokens, seconds, errors, ... when evaluated

    @property
    def errors(self) -> int | None:
        """What the last evaluation found wrong; None before the first."""
        return int(self.checks[-1]["errors"]) if self.checks else None


def train(
    model: Decoder, recipe: Recipe, batch: Batch, errors: Errors, checkpoint: Path | None = None, bar: bool = True,
    watch: Callable[[Run], None] = lambda run: None,
) -> Run:  # fmt: skip
    """Train until an evaluation finds no error, or all steps are done; the model is changed in place.

    With `checkpoint` all is kept in that file at every evaluation, and a run that finds it goes on from there. On a GPU
    the model is compiled and its products are in bfloat16; elsewhere it runs as it is, in float32. Raises ValueError if
    the file is of another recipe or model.
    """
    device = model.head.weight.device
    optimisers, forward = optimisers_of(model, recipe), compiled(model, device)
    run = resumed(checkpoint, model, recipe, optimisers) or Run()
    last = min(recipe.steps + recipe.extra, int(os.environ.get(FEWER, sys.maxsize)))
    with tqdm(total=last, initial=run.step, disable=not bar, unit="step") as shown:
        while run.step < last and run.errors != 0:
            started = time.process_time()
            set_rates(optimisers, rate(run.step, recipe))
            inputs, targets, *places = (t.to(device) for t in batch(run.step))
            with precision(device):
                loss = F.cross_entropy(forward(inputs, None, None, *places).flatten(0, 1), targets.flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            for optimiser in optimisers:
                optimiser.step()
                optimiser.zero_grad()
            run.step, run.tokens = run.step + 1, run.tokens + inputs.numel()
            run.losses.append(loss.item())
            checked = run.step % recipe.check_every == 0 or run.step == last
            found = errors(model) if checked else {}
            run.seconds += time.process_time() - started
            if checked:
                found = found if isinstance(found, dict) else {"errors": found}
                run.checks.append({"step": run.step, "tokens": run.tokens, "seconds": run.seconds, **found})
                keep(checkpoint, model, recipe, optimisers, run)
            watch(run)
            shown.update()
            shown.set_postfix(loss=f"{run.losses[-1]:.4f}", errors=run.errors, refresh=False)
    return run


def drawn(inputs: Tensor, targets: Tensor, size: int, seed: int) -> Batch:
    """Batches of `size` rows of inputs and targets (N, T), drawn with replacement as seed and step decide."""

    def batch(step: int) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(inputs), (size,), generator=torch.Generator().manual_seed(1_000_003 * seed + step))
        return inputs[rows], targets[rows]

    return batch


def compiled(model: Decoder, device: torch.device) -> Callable[..., Tensor]:
    """The model as one program on a GPU, where launching its many small kernels would take most of the time.

    On a CPU it is as it is: compiling would take longer than most of the laboratory's trainings.
    """
    return torch.compile(model) if device.type == "cuda" else model


def precision(device: torch.device) -> AbstractContextManager:
    """bfloat16 for the products on a GPU, float32 elsewhere: most CPUs are many times slower in bfloat16."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread, and then as before: the smallest models are slower with two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# ---- optimisers and their rates -------------------------------------------------------------------------------------


def optimisers_of(model: Decoder, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices and AdamW for all else; or AdamW for everything."""
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if all(p is not m for m in matrices)]
    adamw = {"lr": recipe.rate, "betas": (0.9, recipe.beta2), "fused": True}
    if recipe.optimiser == "muon":
        first = Muon(matrices, recipe.muon_rate, weight_decay=recipe.weight_decay)
    else:
        first = torch.optim.AdamW(matrices, weight_decay=recipe.weight_decay, **adamw)
    return [first, torch.optim.AdamW(rest, weight_decay=0.0, **adamw)]


def rate(step: int, recipe: Recipe) -> float:
    """The share of the full learning rate at a step: up in a line, full, down in a line, and on at the floor.

    >>> [round(rate(step, Recipe(steps=8, warmup=2, floor=0.2)), 2) for step in (0, 1, 3, 4, 5, 6, 7, 8, 99)]
    [0.5, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.2]
    """
    rising = (step + 1) / recipe.warmup if recipe.warmup else 1.0
    left = (recipe.steps - step) / (recipe.decay * recipe.steps) if recipe.decay else 1.0
    return min(1.0, rising, recipe.floor + (1 - recipe.floor) * max(0.0, left))


def set_rates(optimisers: list[torch.optim.Optimizer], share: float) -> None:
    """Give every optimiser this share of the rate that it was made with."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = share * group.setdefault("full", group["lr"])


# ---- checkpoints ----------------------------------------------------------------------------------------------------


def keep(file: Path | None, model: Decoder, recipe: Recipe, optimisers: list[torch.optim.Optimizer], run: Run) -> None:
    """Write all that a later run needs. Killed at any moment, it leaves the old file or the new one, never a part."""
    if file is None:
        return
    state = {
        "of": identity(model, recipe), "model": model.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in optimisers], "run": asdict(run),
    }  # fmt: skip
    part = file.with_suffix(".part")
    with part.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(part, file)


def resumed(file: Path | None, model: Decoder, recipe: Recipe, optimisers: list[torch.optim.Optimizer]) -> Run | None:
    """Put model and optimisers where the kept run was; None if there is none. Raises ValueError if it is another's."""
    if file is None or not file.exists():
        return None
    state = torch.load(file, map_location=model.head.weight.device, weights_only=True)
    if state["of"] != identity(model, recipe):
        raise ValueError(f"{file} is of another recipe or model: delete it, or name another file")
    model.load_state_dict(state["model"])
    for optimiser, kept in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(kept)
    return Run(**state["run"])


def identity(model: Decoder, recipe: Recipe) -> dict[str, Any]:
    """What a checkpoint must agree in with the run that goes on from it."""
    return {"recipe": asdict(recipe), "config": asdict(model.config)}
