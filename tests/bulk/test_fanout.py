"""The cluster of this machine's own comes to an end, whatever becomes of its workers."""

from __future__ import annotations

import os

import pytest
from distributed import LocalCluster

from autograder import fanout
from tests.sandbox.processes import alive, eventually


@pytest.mark.slow
def test_a_cluster_that_cannot_be_closed_leaves_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """distributed fails to close a nanny that is just starting its worker anew; the run must not fail for that."""
    close = LocalCluster.close

    def fails(_: LocalCluster) -> None:
        raise AssertionError("can only join a started process")

    monkeypatch.setattr(LocalCluster, "close", fails)
    with fanout.cluster(1) as client:
        client.wait_for_workers(1)
        (worker,) = client.run(os.getpid).values()
        local = client.cluster
    assert eventually(lambda: not alive(worker))
    close(local)
