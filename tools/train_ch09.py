"""Train the routers that ch09's first widget shows: with the balance loss and without it.

    python tools/train_ch09.py

A layer of 8 experts learns to do what the feed-forward network in the first block of ch07's model does, on the sonnets.
Writes course/checkpoints/ch09_routers.safetensors and, beside it, the record: over ten seeds, how evenly the experts
are used and how well the layer does. One thread and fixed seeds; about a minute on one core.
"""

from __future__ import annotations

import json
import platform
import time

import torch
from safetensors.torch import save_file

from course import trained
from course.supplied.ch09 import (
    RECIPE,
    feed_forward_pairs,
    imitate,
    init_moe,
    load_balance_loss,
    moe_forward,
    top_k_gating,
)
from course.texts import sonnets

WEIGHTS = {"with the balance loss": 0.1, "without it": 0.0}
HELD_OUT, SEEDS = 9600, 10


def main() -> None:
    """Train, write the routers of seed 0 and the record of all seeds."""
    torch.set_num_threads(1)
    start = time.process_time()
    model = trained.read(trained.FOLDER / "ch07_characters.safetensors")
    inputs, outputs = feed_forward_pairs(model, sonnets())
    pairs, held = (inputs[:-HELD_OUT], outputs[:-HELD_OUT]), (inputs[-HELD_OUT:], outputs[-HELD_OUT:])
    routers, rows = {}, []
    for seed in range(SEEDS):
        for name, weight in WEIGHTS.items():
            p = imitate(pairs, weight, moe_forward, load_balance_loss, recipe=RECIPE | {"seed": seed})
            rows.append({"seed": seed, "router": name, **measured(p, *held)})
            print(rows[-1], flush=True)
            if seed == RECIPE["seed"]:
                routers[name] = p["router"]
    routers["untrained"] = init_moe(inputs.shape[1], RECIPE["d_ff"], RECIPE["experts"], RECIPE["seed"])["router"]
    target = trained.FOLDER / "ch09_routers.safetensors"
    save_file(routers, target)
    record = {
        "script": "tools/train_ch09.py", "recipe": RECIPE, "weights": WEIGHTS, "held_out": HELD_OUT, "runs": rows,
        "cpu_seconds": round(time.process_time() - start),
        "torch": torch.__version__, "python": platform.python_version(),
    }  # fmt: skip
    target.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


@torch.no_grad()
def measured(p: dict, inputs: torch.Tensor, outputs: torch.Tensor) -> dict:
    """On held-out characters: the share of the variance that is missed, the balance loss, each expert's share."""
    logits, k = inputs @ p["router"], RECIPE["k"]
    counts = torch.bincount(top_k_gating(logits, k)[0].flatten(), minlength=RECIPE["experts"])
    error = ((moe_forward(inputs, p, k) - outputs) ** 2).mean() / outputs.var()
    return {
        "error": round(error.item(), 4), "balance_loss": round(load_balance_loss(logits, k).item(), 3),
        "shares": [round(c / counts.sum().item(), 3) for c in counts.tolist()],
    }  # fmt: skip


if __name__ == "__main__":
    main()
