"""Courses for tests of `autograder grade`: generated once, copied for each test, on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bulk import postgres
from tests.bulk.course import CourseCopy, copied, generated, version


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> CourseCopy:
    """A course to copy, on SQLite."""
    return generated(tmp_path_factory.mktemp("pattern"))


@pytest.fixture(scope="session")
def database_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server for all tests."""
    with postgres.server() as server:
        yield server


@pytest.fixture(scope="session")
def pattern_database(database_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a PostgreSQL gradebook to copy."""
    generated(tmp_path_factory.mktemp("pattern"), database_server.create("pattern"))
    return "pattern"


@pytest.fixture
def sqlite_course(pattern: CourseCopy, tmp_path: Path) -> CourseCopy:
    """A course of the test's own, on SQLite."""
    return copied(pattern, tmp_path / "sqlite")


@pytest.fixture
def postgres_course(
    pattern: CourseCopy, pattern_database: str, database_server: postgres.Server, tmp_path: Path
) -> CourseCopy:
    """A course of the test's own, on PostgreSQL; an empty SQLite gradebook lies there to be left alone."""
    return copied(pattern, tmp_path / "postgresql", database_server.create(f"g{uuid.uuid4().hex}", pattern_database))


@pytest.fixture(params=["sqlite", "postgresql"])
def course(request: pytest.FixtureRequest) -> CourseCopy:
    """A course of the test's own, on each kind of database in turn."""
    return request.getfixturevalue({"sqlite": "sqlite_course", "postgresql": "postgres_course"}[request.param])


@pytest.fixture(autouse=True)
def same_version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our code does not change in the middle of a test, even if somebody edits it."""
    monkeypatch.setattr("autograder.versions.code_version", version)
    monkeypatch.setattr("autograder.bulk.code_version", version)
    if "test_workers" in request.node.nodeid:
        monkeypatch.setattr("autograder.bulk.grader_version", version)
