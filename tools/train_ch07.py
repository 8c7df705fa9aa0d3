"""Train the character model that ch08 and ch10 use until the student has trained one (ch07's experiment, longer).

    python tools/train_ch07.py

Writes course/checkpoints/ch07_characters.safetensors and, beside it, the record of its training. One thread and a fixed
seed: the same machine and torch give the same numbers, others nearly the same. About a minute and a half on one core.
"""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path

import torch
from torch import Tensor

from course import trained
from course.supplied.ch07 import (
    adamw_step,
    cross_entropy,
    decoder_logits,
    flatten,
    init_decoder,
    lr_schedule,
    shift_for_teacher_forcing,
    unflatten,
)
from course.texts import sonnets

SETTINGS = {
    "d_model": 64, "heads": 4, "layers": 2, "d_ff": 256, "length": 96, "batch": 24, "steps": 1400, "warmup": 140,
    "peak": 6e-3, "floor": 6e-4, "weight_decay": 0.3, "beta2": 0.99, "held_out": 10_000, "seed": 0,
}  # fmt: skip


def main() -> None:
    """Train, write the model and its record."""
    torch.set_num_threads(1)
    text, start = sonnets(), time.process_time()
    characters = sorted(set(text))
    ids = torch.tensor([characters.index(c) for c in text])
    train, held_out = ids[: -SETTINGS["held_out"]], ids[-SETTINGS["held_out"] :]
    flat, losses = fitted(train, held_out, len(characters))
    record = {
        "script": "tools/train_ch07.py", "settings": SETTINGS, "losses": losses,
        "cpu_seconds": round(time.process_time() - start),
        "torch": torch.__version__, "python": platform.python_version(),
    }  # fmt: skip
    target = trained.FOLDER / "ch07_characters.safetensors"
    notes = {"steps": SETTINGS["steps"], "held_out_loss": losses[-1]["held_out"], "script": record["script"]}
    trained.write(target, unflatten(flat), SETTINGS["heads"], characters, **notes)
    target.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"{Path(target).name}: {target.stat().st_size:,} bytes, {notes}")


def fitted(train: Tensor, held_out: Tensor, vocab_size: int) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    """The trained parameters, and the losses noted on the way."""
    s = SETTINGS
    torch.manual_seed(s["seed"])
    flat = flatten(init_decoder(vocab_size, *(s[k] for k in ("d_model", "heads", "layers", "d_ff", "length", "seed"))))
    states = {n: {"step": 0, "m": torch.zeros_like(t), "v": torch.zeros_like(t)} for n, t in flat.items()}
    losses = []
    for step in range(1, s["steps"] + 1):
        starts = torch.randint(len(train) - s["length"], (s["batch"],))
        loss = loss_of(flat, windows(train, starts), grad=True)
        rate = lr_schedule(step, s["warmup"], s["steps"], s["peak"], s["floor"])
        for name, t in flat.items():
            decay = s["weight_decay"] if t.ndim > 1 else 0.0
            flat[name], states[name] = adamw_step(
                t.detach(), t.grad, states[name], rate, beta2=s["beta2"], weight_decay=decay
            )
        if step % 200 == 0:
            losses.append({"step": step, "train": round(loss, 4), "held_out": round(mean_loss(flat, held_out), 4)})
            print(losses[-1], flush=True)
    return flat, losses


def windows(ids: Tensor, starts: Tensor) -> Tensor:
    """Pieces of `length` + 1 tokens, shape (B, length + 1)."""
    return ids[starts[:, None] + torch.arange(SETTINGS["length"] + 1)]


def loss_of(flat: dict[str, Tensor], tokens: Tensor, grad: bool = False) -> float:
    """Mean loss of predicting each next token; with `grad`, the gradients are left in the tensors."""
    for tensor in flat.values():
        tensor.requires_grad_(grad)
    inputs, targets = shift_for_teacher_forcing(tokens)
    loss = cross_entropy(decoder_logits(inputs, unflatten(flat), SETTINGS["heads"]), targets)
    if grad:
        loss.backward()
    return loss.item()


def mean_loss(flat: dict[str, Tensor], ids: Tensor) -> float:
    """Mean loss over a text cut into windows."""
    return loss_of(flat, windows(ids, torch.arange(0, len(ids) - SETTINGS["length"] - 1, SETTINGS["length"])))


if __name__ == "__main__":
    main()
