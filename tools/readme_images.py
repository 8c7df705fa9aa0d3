#!/usr/bin/env python
"""Make the README's pictures from those that the browser tests left: `make screenshots` runs the tests, then this.

docs/images/lesson-light.png   the attention widget with the student's function
docs/images/check-dark.png     a wrong answer and what the check says of it
docs/images/forward-pass-dark.png   m26's whole model in three dimensions
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
ARTIFACTS = Path(os.environ.get("CI_ARTIFACTS", ROOT / "ci-artifacts"))
PICTURES = {"readme-lesson-light": "lesson-light", "readme-check-dark": "check-dark",
            "readme-forward-pass-dark": "forward-pass-dark"}  # fmt: skip
MOST_BYTES = 250_000


def compact(source: Path, target: Path) -> int:
    """Write a picture, with 256 colours only if it is too large otherwise; returns its size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.open(source).convert("RGB")
    picture.save(target, optimize=True)
    if target.stat().st_size > MOST_BYTES:
        picture.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)
    return target.stat().st_size


def main() -> int:
    """Make all pictures; returns the exit status."""
    for name, short in PICTURES.items():
        source, target = ARTIFACTS / f"{name}.png", ROOT / "docs" / "images" / f"{short}.png"
        if not source.exists():
            print(f"error: {source} is missing. Run the browser tests first: make screenshots", file=sys.stderr)
            return 1
        size = compact(source, target)
        print(f"{target.relative_to(ROOT)}: {size / 1000:.0f} kB")
        if size > MOST_BYTES:
            print(f"error: more than {MOST_BYTES / 1000:.0f} kB", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
