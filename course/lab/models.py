"""The laboratory's trained models: weights in `course/checkpoints/`, and beside them the record of their training.

    model, record = load("lab_two_digits")

The record names the weights' checksum: a file that is damaged, or belongs to another record, is not loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of

from course.lab.decoder import Config, Decoder
from course.trained import FOLDER

__all__ = ["FOLDER", "load", "record", "write"]

Record = dict[str, Any]


def write(name: str, model: Decoder, notes: Record, folder: Path = FOLDER, half: bool = False) -> Path:
    """Write a model's weights and, beside them, the record with its shape and the weights' checksum; returns where.

    In float32, or if `half` in float16: two bytes a weight. What is loaded has float32 again, of the values written.
    """
    dtype = torch.float16 if half else torch.float32
    weights = bytes_of({key: t.detach().cpu().to(dtype).contiguous() for key, t in model.state_dict().items()})
    about = notes | {"config": asdict(model.config), "parameters": model.size, "sha256": checksum(weights)}
    replaced(folder / f"{name}.safetensors", weights)
    replaced(folder / f"{name}.json", (json.dumps(about, indent=1) + "\n").encode())
    return folder / f"{name}.safetensors"


def load(name: str, folder: Path = FOLDER) -> tuple[Decoder, Record]:
    """A model as it was written, ready to be asked, and its record.

    Raises FileNotFoundError if there is none; ValueError if the weights are not those that the record describes;
    RuntimeError if they do not fit the shape that it names.
    """
    about = record(name, folder)
    weights = (folder / f"{name}.safetensors").read_bytes()
    if checksum(weights) != about["sha256"]:
        raise ValueError(f"{name}.safetensors is damaged, or not the one that {name}.json describes")
    model = Decoder(Config(**about["config"]))
    model.load_state_dict(tensors_of(weights))
    return model.requires_grad_(False), about


def record(name: str, folder: Path = FOLDER) -> Record:
    """The record of a training, or of several. Raises FileNotFoundError if there is none."""
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def checksum(weights: bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(weights).hexdigest()


def replaced(file: Path, content: bytes) -> None:
    """Write a file, all or nothing."""
    part = file.with_suffix(file.suffix + ".part")
    part.write_bytes(content)
    os.replace(part, file)
