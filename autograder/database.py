"""Transactions on nbgrader's gradebook that several processes may run at once, in SQLite and in PostgreSQL."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import sqlalchemy as sa
from nbgrader.api import Gradebook
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

T = TypeVar("T")
BUSY_SECONDS = 60  # how long SQLite waits for another writer
PATIENCE_SECONDS = 60.0  # how long a database that is away may take to come back
LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def connect(url: str) -> sa.Engine:
    """An engine whose transactions on SQLite take the write lock at once.

    SQLite's default takes it at the first write; two clients that have both read by then cannot both go on.
    """
    if sa.make_url(url).get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True, pool_size=1, max_overflow=1)
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _leave_transactions_to_us(connection, _record):
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _take_the_write_lock(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def lock(connection: sa.Connection | Session, name: str) -> None:
    """Until the transaction ends nobody else holds the lock of this name. SQLite has one lock for everything, held."""
    bind = connection.get_bind() if isinstance(connection, Session) else connection
    if bind.dialect.name == "postgresql":
        connection.execute(LOCK, {"name": name})


def patiently(work: Callable[[], T], patience: float = PATIENCE_SECONDS) -> T:
    """Return `work()`, a whole transaction that may be repeated, trying again while the database is away or busy.

    Raises the last OperationalError or DBAPIError when patience has run out, and any other error at once.
    """
    end, pause = time.monotonic() + patience, 0.1
    while True:
        try:
            return work()
        except DBAPIError as error:
            if not _passing(error) or time.monotonic() + pause > end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 2.0)


def _passing(error: DBAPIError) -> bool:
    """Whether the next attempt may succeed: the server went away or is starting, somebody else holds the lock."""
    if "sqlite3" in type(error.orig).__module__:
        return "locked" in str(error.orig)
    return error.connection_invalidated or isinstance(error, OperationalError)


class OwnSession(Session):
    """A session in a transaction of ours. nbgrader commits after every cell; nothing is final before the end here."""

    def commit(self) -> None:
        """Nothing: the transaction goes on, and the next query sends what changed."""


@contextlib.contextmanager
def transaction(url: str) -> Iterator[OwnSession]:
    """A session in one transaction, on a connection that ends with it."""
    engine = _kept(url, os.getcwd())  # where a relative path begins
    try:
        with OwnSession(engine) as session, session.begin():
            yield session
    finally:
        engine.dispose()


@functools.lru_cache(maxsize=8)
def _kept(url: str, _folder: str) -> sa.Engine:
    """An engine that is kept for its compiled statements: making them anew took longer than carrying them out."""
    return connect(url)


class OpenGradebook(Gradebook):
    """nbgrader's gradebook on a session of ours. (Its own constructor connects and looks at every table.)"""

    def __init__(self, session: Session):
        self.db = session
        self.authenticator = None
        self.course_id = "default_course"
