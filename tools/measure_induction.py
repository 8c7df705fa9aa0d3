"""Train ch10's attention-only models over many seeds, and say how often induction appears: with two layers, with one.

    python tools/measure_induction.py               prints the table (ten seeds; about five minutes on one core)
    python tools/measure_induction.py --write       trains seed 0 and writes course/checkpoints/ch10_induction

One thread; the same machine and torch give the same numbers, others nearly the same.
"""

from __future__ import annotations

import argparse
import json
import platform

import torch
from safetensors.torch import save_file
from torch import Tensor

from course.supplied.ch07 import adamw_step, cross_entropy, flatten, lr_schedule, unflatten
from course.supplied.ch10 import (
    CHECKPOINT,
    RECIPE,
    attention_only_logits,
    induction_score,
    init_attention_only,
    look_inside,
    previous_token_score,
    repeated_tokens,
)

FALLEN = 1.0  # nats: the loss on tokens that can be foretold, under which a model counts as having got it
PERIOD, LENGTH = 20, 40  # of the texts that the scores are measured on: fresh tokens, once repeated
Flat = dict[str, Tensor]


def main() -> None:
    """Print the table, or train and write the checkpoint."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seeds", type=int, default=10)
    arguments.add_argument(
        "--steps", type=int, default=RECIPE["steps"], help="other than the lesson's, to see longer runs"
    )
    arguments.add_argument("--write", action="store_true")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    if options.write:
        write()
    else:
        table(options.seeds, options.steps)


def table(seeds: int, steps: int) -> None:
    """One line for each seed and depth: when it fell, how low, and the best head's scores."""
    print(f"{steps} steps; fell = first step with a loss under {FALLEN:g} nat on tokens that can be foretold")
    print(f"{'seed':>4} {'layers':>6} {'fell':>6} {'loss':>6} {'previous-token':>15} {'induction':>10}")
    got = {1: 0, 2: 0}
    for seed in range(seeds):
        for layers in (2, 1):
            p, losses = trained(layers, seed, steps)
            fell = next((step for step, loss in losses if loss < FALLEN), None)
            got[layers] += fell is not None
            previous, induction = best_scores(p)
            print(
                f"{seed:>4} {layers:>6} {fell or 'never':>6} {last(losses):>6.2f} {previous:>15.2f} {induction:>10.2f}",
                flush=True,
            )
    print(f"two layers: {got[2]} of {seeds} seeds; one layer: {got[1]} of {seeds}")


def trained(layers: int, seed: int, steps: int) -> tuple[dict, list[tuple[int, float]]]:
    """The trained parameters, and (step, loss on what can be foretold) at every tenth step."""
    generator = torch.Generator().manual_seed(seed)
    flat = flatten(init_attention_only(RECIPE["vocab_size"], RECIPE["d_model"], RECIPE["heads"], layers, seed))
    states = {n: {"step": 0, "m": torch.zeros_like(t), "v": torch.zeros_like(t)} for n, t in flat.items()}
    losses = []
    for step in range(steps):
        tokens, again = repeated_tokens(RECIPE["batch"], generator)
        loss = backward(flat, tokens, again[:, 1:])
        rate = lr_schedule(step + 1, RECIPE["warmup"], steps, RECIPE["peak"], RECIPE["floor"])
        for name, t in flat.items():
            flat[name], states[name] = adamw_step(t.detach(), t.grad, states[name], rate, beta2=RECIPE["beta2"])
        if step % 10 == 0:
            losses.append((step, loss))
    return unflatten(flat), losses


def backward(flat: Flat, tokens: Tensor, again: Tensor) -> float:
    """Leave the gradients of the mean loss in the tensors; return the loss on the targets that can be foretold."""
    for tensor in flat.values():
        tensor.requires_grad_()
    logits, targets = attention_only_logits(tokens[:, :-1], unflatten(flat), RECIPE["heads"]), tokens[:, 1:]
    cross_entropy(logits, targets).backward()
    return cross_entropy(logits[again].detach(), targets[again]).item()


def last(losses: list[tuple[int, float]]) -> float:
    """Mean of the last ten losses noted."""
    return sum(loss for _, loss in losses[-10:]) / 10


def best_scores(p: dict) -> tuple[float, float]:
    """The highest previous-token score and the highest induction score of any head, means over 16 texts."""
    tokens, _ = repeated_tokens(16, torch.Generator().manual_seed(1000), LENGTH, (PERIOD, PERIOD))
    weights = torch.stack([look_inside(row, p, RECIPE["heads"]).weights.flatten(0, 1) for row in tokens]).mean(0)
    return previous_token_score(weights).max().item(), induction_score(weights, PERIOD).max().item()


def write() -> None:
    """Train seed 0 with two layers; write the model and the record of its training."""
    p, losses = trained(2, 0, RECIPE["steps"])
    previous, induction = best_scores(p)
    CHECKPOINT.parent.mkdir(exist_ok=True)
    save_file({name: t.detach().contiguous() for name, t in flatten(p).items()}, CHECKPOINT)
    record = {
        "script": "tools/measure_induction.py --write", "recipe": RECIPE, "seed": 0, "layers": 2, "losses": losses,
        "best_previous_token_score": round(previous, 3), "best_induction_score": round(induction, 3),
        "torch": torch.__version__, "python": platform.python_version(),
    }  # fmt: skip
    CHECKPOINT.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"{CHECKPOINT.name}: {CHECKPOINT.stat().st_size:,} bytes, scores {previous:.2f} and {induction:.2f}")


if __name__ == "__main__":
    main()
