"""Train the multiplication laboratory's models. Each works every product out by itself, step by step.

    python tools/train_lab.py                      all of them, seed 0
    python tools/train_lab.py two_digits --seed 1  one of them
    python tools/train_lab.py two_digits --seeds 10    how ten trainings end, seeds 0 to 9: a record, and no model
    python tools/train_lab.py two_digits_large --device cuda    on a GPU, compiled and in bfloat16

two_digits        102,144 parameters, half of the 10,000 products of two digits, until all 10,000 are right: a minute
two_digits_large  4.7 million parameters, the same data and the same end: 20 minutes on 2 cores
four_digits       603,904 parameters, products of four digits drawn anew for every step, half of them of hard kinds,
                  until none of 6,000 held out is misread: 10 minutes

Writes course/checkpoints/lab_<model>.safetensors and, beside it, the record of its training; nothing if a model falls
short of its aim. A run that was interrupted goes on where it was. With one thread the same machine, torch and seed give
the same numbers. The record of several seeds is course/checkpoints/lab_<model>_seeds.json; a seed that it holds is not
trained again.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from course.lab import models
from course.lab.decoder import Config, Decoder
from course.lab.hard import KINDS, even
from course.lab.multiplication import VOCABULARY, Pairs, all_pairs, evaluate, lines, misread, split, targets
from course.lab.training import Batch, Recipe, Run, drawn, train

UNFINISHED = Path(__file__).parents[1] / "build"  # interrupted runs are kept there
SHARE = 0.5  # of the pairs of two digits are trained on; and of the pairs of four digits, so many are of hard kinds
TESTED = 10_000  # pairs of four digits of each kind
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Plan:
    """A model and how it is trained. All functions take the plan and a seed; `seen` the number of steps too."""

    digits: int
    config: Config
    recipe: Recipe
    batch_size: int
    batch: Callable[[Plan, int], Batch]
    seen: Callable[[Plan, int, int], Pairs]  # what training has drawn after so many steps
    errors: Callable[[Plan, int], Callable[[Decoder], int]]  # what is still wrong: at 0 the training ends
    tested: Callable[[Plan, int], dict[str, Pairs]]
    aim: float  # the least share of right answers in each of `tested`, and in what training never drew of it
    half: bool = False  # weights are written in half precision: a file of 9 MB, not 19


def half_of_all(plan: Plan, seed: int) -> Batch:
    """A random half of all pairs."""
    known, _ = split(all_pairs(plan.digits), SHARE, seed)
    return drawn(*targets(lines(known, plan.digits), plan.digits), plan.batch_size, seed)


def known_half(plan: Plan, seed: int, steps: int) -> Pairs:
    """The pairs that `half_of_all` draws from."""
    return split(all_pairs(plan.digits), SHARE, seed)[0]


def all_worked_out(plan: Plan, seed: int) -> Callable[[Decoder], int]:
    """A glance at a thousand pairs held out; only if nothing is wrong there, all pairs worked out."""
    glance = lines(split(all_pairs(plan.digits), SHARE, seed)[1][:1000], plan.digits)
    return lambda model: (
        misread(model, glance, plan.digits) or evaluate(model, all_pairs(plan.digits), plan.digits).errors
    )


def both_halves(plan: Plan, seed: int) -> dict[str, Pairs]:
    """All pairs: those trained on, and those never seen."""
    return dict(zip(("trained on", "held out"), split(all_pairs(plan.digits), SHARE, seed), strict=True))


def even_and_hard(plan: Plan, seed: int) -> Batch:
    """New pairs for every step: half drawn evenly, the other half from the hard kinds alike."""
    return lambda step: targets(lines(mixed(plan, seed, step), plan.digits), plan.digits)


def mixed(plan: Plan, seed: int, step: int) -> Pairs:
    """The pairs of one step of `even_and_hard`."""
    generator, each = Generator().manual_seed(1_000_003 * seed + step), int(SHARE * plan.batch_size) // len(KINDS)
    rest = even(plan.batch_size - each * len(KINDS), plan.digits, generator)
    return torch.cat([rest, *(kind(each, plan.digits, generator) for kind in KINDS.values())])


def all_mixed(plan: Plan, seed: int, steps: int) -> Pairs:
    """The pairs of all steps so far."""
    return torch.cat([mixed(plan, seed, step) for step in range(steps)])


def glances(plan: Plan, seed: int) -> Callable[[Decoder], int]:
    """Two thousand pairs drawn evenly and a thousand of each hard kind, read but not worked out."""
    generator = Generator().manual_seed(77)
    held = [even(2000, plan.digits, generator), *(kind(1000, plan.digits, generator) for kind in KINDS.values())]
    rows = [lines(pairs, plan.digits) for pairs in held]
    return lambda model: sum(misread(model, some, plan.digits) for some in rows)


def fresh(plan: Plan, seed: int) -> dict[str, Pairs]:
    """Pairs drawn anew, evenly and of each hard kind. Of the small kinds training has drawn many: see `seen`."""
    generator = Generator().manual_seed(4242)
    return {name: kind(TESTED, plan.digits, generator) for name, kind in {"even": even, **KINDS}.items()}


PLANS = {
    "two_digits": Plan(
        2, Config(len(VOCABULARY), d_model=64, layers=2, heads=4, d_ff=256, length=25), Recipe(steps=600, extra=400),
        128, half_of_all, known_half, all_worked_out, both_halves, aim=1.0,
    ),
    "two_digits_large": Plan(
        2, Config(len(VOCABULARY), d_model=256, layers=6, heads=8, d_ff=1024, length=25),
        Recipe(steps=300, extra=200, rate=3e-3, warmup=30), 128, half_of_all, known_half, all_worked_out, both_halves,
        aim=1.0, half=True,
    ),
    "four_digits": Plan(
        4, Config(len(VOCABULARY), d_model=128, layers=3, heads=4, d_ff=512, length=73),
        Recipe(steps=900, extra=300, check_every=100), 128, even_and_hard, all_mixed, glances, fresh, aim=0.999,
    ),
}  # fmt: skip


def main() -> None:
    """Train what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(PLANS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, help="how many seeds to train, from 0 on; no model is written")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", type=torch.device, default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    if unknown := set(options.models) - set(PLANS):
        parser.error(f"there is no model {', '.join(sorted(unknown))}; there are {', '.join(PLANS)}")
    if options.device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no GPU here; leave --device out to train on the CPU")
    torch.set_num_threads(options.threads)
    UNFINISHED.mkdir(exist_ok=True)
    for name in options.models or PLANS:
        if options.seeds:
            print(summary(several(name, options.seeds, device=options.device)))
        else:
            one(name, options.seed, options.device)


def one(name: str, seed: int, device: torch.device = CPU) -> None:
    """Train a model that is shipped, and write it if it reaches its aim."""
    plan, checkpoint = PLANS[name], UNFINISHED / f"lab_{name}_{seed}.pt"
    started = time.perf_counter()
    model, run = trained(plan, seed, checkpoint, device)
    print(f"{time.perf_counter() - started:.1f} s by the clock on {processor(device)}")
    record = recorded(name, model, run, seed)
    checkpoint.unlink(missing_ok=True)
    print({key: record[key] for key in ("seed", "steps", "tokens", "cpu_seconds", "right", "right_of_unseen")})
    if any(right < plan.aim * total for of in ("right", "right_of_unseen") for right, total in record[of].values()):
        raise SystemExit(f"{name} falls short of {plan.aim:.1%}: nothing was written. Try another seed.")
    path = models.write(f"lab_{name}", model, record, half=plan.half)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def several(name: str, count: int, folder: Path = models.FOLDER, device: torch.device = CPU) -> dict[str, Any]:
    """The record of the trainings with seeds 0 to count - 1; it is written after each of them."""
    plan, file = PLANS[name], folder / f"lab_{name}_seeds.json"
    about = {"command": f"python tools/train_lab.py {name} --seeds {count}", **made_with(plan, device)}
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    runs = before["runs"] if before.get("recipe") == about["recipe"] else []
    for seed in sorted(set(range(count)) - {run["seed"] for run in runs}):
        checkpoint = UNFINISHED / f"lab_{name}_{seed}.pt"
        found = recorded(name, *trained(plan, seed, checkpoint, device), seed)
        runs.append({key: found[key] for key in ("seed", "steps", "tokens", "cpu_seconds", "right")})
        runs.sort(key=lambda run: run["seed"])
        file.write_text(json.dumps(about | {"runs": runs}, indent=1) + "\n", encoding="utf-8")
        checkpoint.unlink(missing_ok=True)
    return about | {"runs": runs}


def summary(record: dict[str, Any]) -> str:
    """A table of several trainings in Markdown, and below it how many got everything right and what they took."""
    kinds = list(record["runs"][0]["right"])
    lines = [
        f"| seed | steps | CPU-seconds | {' | '.join(f'wrong, {kind}' for kind in kinds)} |",
        f"|--:|--:|--:|{'--:|' * len(kinds)}",
    ]
    for run in record["runs"]:
        wrong = " | ".join(f"{total - good:,} of {total:,}" for good, total in run["right"].values())
        lines.append(f"| {run['seed']} | {run['steps']} | {run['cpu_seconds']:.0f} | {wrong} |")
    perfect = [run for run in record["runs"] if all(good == total for good, total in run["right"].values())]
    median = statistics.median(run["cpu_seconds"] for run in record["runs"])
    return "\n".join([
        *lines, "",
        f"{len(perfect)} of {len(record['runs'])} seeds get every product right; the median training takes "
        f"{median:.0f} CPU-seconds.",
    ])  # fmt: skip


def trained(
    plan: Plan, seed: int, checkpoint: Path | None = None, device: torch.device = CPU
) -> tuple[Decoder, Run]:  # fmt: skip
    """A model trained by a plan; the seed decides its first weights, which pairs it sees, and their order."""
    model = Decoder(plan.config, seed).to(device)
    run = train(model, plan.recipe, plan.batch(plan, seed), plan.errors(plan, seed), checkpoint)
    return model.half().float() if plan.half else model, run


def recorded(name: str, model: Decoder, run: Run, seed: int) -> dict[str, Any]:
    """What to know about a training. `right` counts answers, worked out greedily, among how many.

    `right_of_unseen` counts only pairs that training never drew.
    """
    plan = PLANS[name]
    seen = set(map(tuple, plan.seen(plan, seed, run.step).tolist()))
    scores = {kind: evaluate(model, pairs, plan.digits) for kind, pairs in plan.tested(plan, seed).items()}
    unseen = {kind: sum(tuple(pair) not in seen for pair in pairs.tolist())
              for kind, pairs in plan.tested(plan, seed).items()}  # fmt: skip
    failed = {kind: sum((x, y) not in seen for x, y, _ in score.wrong) for kind, score in scores.items()}
    return {
        "command": f"python tools/train_lab.py {name} --seed {seed}",
        "seed": seed,
        "steps": run.step,
        "tokens": run.tokens,
        "cpu_seconds": round(run.seconds, 1),
        "right": {kind: [score.right, score.total] for kind, score in scores.items()},
        "right_of_unseen": {kind: [count - failed[kind], count] for kind, count in unseen.items()},
        "checks": [{key: round(value, 1) for key, value in check.items()} for check in run.checks],
        **made_with(plan, model.head.weight.device),
    }  # fmt: skip


def made_with(plan: Plan, device: torch.device) -> dict[str, Any]:
    """The recipe, the data and the machine."""
    return {
        "recipe": asdict(plan.recipe) | {"batch": plan.batch_size},
        "data": " ".join(plan.batch.__doc__.split()),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": processor(device),
    }


def processor(device: torch.device) -> str:
    """Where a model is trained, and in which arithmetic."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, bfloat16, compiled"
    return f"CPU, float32, threads: {torch.get_num_threads()}"


if __name__ == "__main__":
    main()
