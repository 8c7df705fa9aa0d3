"""A few kills of each kind; `python -m tests.faults` does a hundred, and makes docs/faults.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bulk import postgres
from tests.faults import page
from tests.faults.kills import KINDS, Campaign, Count
from tests.fuzz import damage
from tests.fuzz.fuzzing import Tally

KILLS = len(KINDS)


@pytest.mark.slow
def test_nothing_is_lost_doubled_or_wrong(tmp_path: Path) -> None:
    """Once of each kind; more rounds if one was too quick."""
    with postgres.server() as server:
        campaign = Campaign(tmp_path, server, seed=2, most=1, students=6)
        assert list(campaign.run(KILLS))[: len(KINDS)] == list(KINDS)
    assert [fault for count in campaign.counts.values() for fault in count.faults] == []
    assert sum(count.kills for count in campaign.counts.values()) >= KILLS - 1  # nbgrader may have been too quick
    assert sum(count.hits for count in campaign.counts.values()) >= 2
    assert campaign.counts["client"].starts >= 1


def test_the_page_tells_faults() -> None:
    """Nothing that was found is left out of the sums."""
    counts = {kind: Count(kills=2, rounds=1) for kind in KINDS}
    counts["worker"].lost.append("s01")
    tallies = {kind: Tally(notebooks=3, slowest=0.5) for kind in damage.kinds()}
    tallies["truncated"].crashed += ["a", "b"]
    said = page.text("python -m tests.faults", 90, counts, tallies)
    assert "| worker | 1 | 2 | 0 | 0 | 1 | 0 | 0 |" in said
    assert f"| **together** | {len(KINDS)} | {2 * len(KINDS)} | 0 | 0 | 1 | 0 | 0 |" in said
    assert f"| **together** | {3 * len(tallies)} | 0 | 0 | 0 | 0 | 2 | 0 | 0.5 s |" in said
