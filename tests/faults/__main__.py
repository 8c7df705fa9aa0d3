"""`python -m tests.faults`: 100 kills and 1,000 damaged notebooks; the tables go to docs/faults.md.

Exit status 1 if anything was lost, doubled or wrong, or if a notebook crashed the grader or earned what it should not.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from autograder.engine import Engine
from tests.bulk import postgres
from tests.faults import page
from tests.faults.kills import Campaign, Count
from tests.fuzz import fuzzing
from tests.grading.classroom import ROOT

PAGE = ROOT / "docs" / "faults.md"


def main() -> int:
    """Run both, write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--notebooks", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, default=PAGE, help="where the tables go")
    given = parser.parse_args()
    started = time.perf_counter()
    command = shlex.join(["python", "-m", "tests.faults", *sys.argv[1:]])
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        tallies = fuzz(Path(folder), given.notebooks, given.seed)
        for counts in kill(Path(folder), given.kills, given.seed):  # written after each round, should it be cut short
            told = page.text(command, time.perf_counter() - started, counts, tallies)
            given.page.write_text(told, encoding="utf-8")
    faults = [fault for x in (*counts.values(), *tallies.values()) for fault in x.faults]
    print(*faults, f"{len(faults)} faults; wrote {given.page}", sep="\n")
    return 1 if faults else 0


def fuzz(folder: Path, notebooks: int, seed: int) -> dict[str, fuzzing.Tally]:
    """Grade damaged notebooks."""
    with Engine() as engine:
        bench = fuzzing.Bench(folder / "fuzz", engine)
        return dict(tqdm(fuzzing.run(bench, notebooks, seed), desc="damaged notebooks", total=notebooks))


def kill(folder: Path, kills: int, seed: int) -> Iterator[dict[str, Count]]:
    """Kill parts of the grader; the counts after each round."""
    with postgres.server() as server, tqdm(desc="kills", total=kills) as bar:
        campaign = Campaign(folder, server, seed)
        for _ in campaign.run(kills):
            bar.update(sum(count.kills for count in campaign.counts.values()) - bar.n)
            yield campaign.counts


if __name__ == "__main__":
    sys.exit(main())
