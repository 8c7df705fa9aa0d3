"""Trained models: what ch07 trains is kept beside the student's progress, for ch08 and ch10 to go on with.

    trained.save("ch07_characters", p, heads=4, vocabulary=characters, loss=1.8)
    model = trained.load("ch07_characters")   # the student's own, or the course's until there is one; says which
    decoder_logits(tokens, model.p, model.heads)

The course's own models lie in `course/checkpoints/`, each with the record of its training beside it. In grading nothing
is kept and everybody gets the course's own, as with `course.carry`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from course import tracking
from course.supplied.ch07 import decoder_logits, flatten, unflatten

FOLDER = Path(__file__).parent / "checkpoints"


@dataclass(frozen=True)
class Trained:
    """A decoder as it was saved: `p` and `heads` for `decoder_logits`, a character for each id, notes on training."""

    p: dict[str, Any]
    heads: int
    vocabulary: list[str]
    notes: dict[str, Any] = field(default_factory=dict)
    whose: str = "the course's own"

    @property
    def length(self) -> int:
        """The longest sequence that it can read."""
        return len(self.p["position"])

    def encode(self, text: str) -> torch.Tensor:
        """Ids of a text, shape (1, T), int64. Raises ValueError for a character that the model does not know."""
        if unknown := sorted(set(text) - set(self.vocabulary)):
            raise ValueError(f"the model does not know {', '.join(map(repr, unknown))}")
        return torch.tensor([[self.vocabulary.index(c) for c in text]], dtype=torch.int64)

    def decode(self, ids: Any) -> str:
        """The text of ids of shape (T,)."""
        return "".join(self.vocabulary[int(i)] for i in ids)


def path(name: str) -> Path:
    """Where a student's own model is kept."""
    return tracking.path().parent / "trained" / f"{name}.safetensors"


def save(name: str, p: dict[str, Any], heads: int, vocabulary: list[str], **notes: Any) -> Path | None:
    """Keep a trained decoder (float32) with notes that JSON can hold; returns where, or None if nothing was written.

    Does nothing while grading; a full disk or a read-only home is reported, not raised.
    """
    if os.environ.get("NBGRADER_EXECUTION"):
        return None
    try:
        path(name).parent.mkdir(parents=True, exist_ok=True)
        write(path(name), p, heads, vocabulary, **notes)
    except OSError as error:
        print(f"The model could not be kept ({error}). Later chapters will use the course's own.")
        return None
    return path(name)


def load(name: str) -> Trained:
    """The student's own model of this name if one is kept and sound, else the course's own. Says which."""
    model = None if os.environ.get("NBGRADER_EXECUTION") else _yours(name)
    model = model or read(FOLDER / f"{name}.safetensors")
    print(f"Model {name}: {model.whose}.")
    return model


def _yours(name: str) -> Trained | None:
    try:
        return read(path(name), whose="yours")
    except (OSError, ValueError, KeyError, IndexError, TypeError, RuntimeError, SafetensorError):
        return None  # not there, damaged, or of another version of the course


def write(file: Path, p: dict[str, Any], heads: int, vocabulary: list[str], **notes: Any) -> None:
    """Write one file: the tensors by their paths, all the rest as JSON in its metadata."""
    flat = {name: t.detach().cpu().float().contiguous() for name, t in flatten(p).items()}
    about = json.dumps({"heads": heads, "vocabulary": vocabulary, "notes": notes}, sort_keys=True)
    part = file.with_suffix(".part")
    save_file(flat, part, metadata={"course": about})
    os.replace(part, file)  # all or nothing


def read(file: Path, whose: str = "the course's own") -> Trained:
    """Read a file that `write` wrote, and see that it works. Raises one of many errors if it is damaged."""
    with safe_open(file, framework="pt") as stored:
        about = json.loads(stored.metadata()["course"])
        flat = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  (it is no dict)
    model = Trained(unflatten(flat), int(about["heads"]), list(about["vocabulary"]), dict(about["notes"]), whose)
    logits = decoder_logits(torch.zeros(1, 1, dtype=torch.int64), model.p, model.heads)
    if logits.shape != (1, 1, len(model.vocabulary)) or not logits.isfinite().all():
        raise ValueError(f"{file.name} does not hold a decoder that works")
    return model
