"""The seed of a submission's hidden cases: drawn once for each version of a submission and kept beside its grades."""

from __future__ import annotations

import hashlib
import secrets

import sqlalchemy as sa

from autograder.database import lock, transaction

metadata = sa.MetaData()
table = sa.Table(
    "course_seed",
    metadata,
    sa.Column("assignment", sa.String(128), primary_key=True),
    sa.Column("student", sa.String(128), primary_key=True),
    sa.Column("content", sa.String(64), primary_key=True),
    sa.Column("seed", sa.BigInteger, nullable=False),
)


def seed_for(db_url: str, assignment: str, student: str, code: str) -> int:
    """The seed for this student's submission with this code: the recorded one, else a fresh one, which is recorded.

    A regrade of the same code repeats its cases; new code gets new cases.
    """
    with transaction(db_url) as session:
        return seeds_for(session.connection(), assignment, {student: digest(code)})[student]


def digest(code: str) -> str:
    """What a version of the code is known by."""
    return hashlib.sha256(code.encode()).hexdigest()


def seeds_for(connection: sa.Connection, assignment: str, contents: dict[str, str]) -> dict[str, int]:
    """As `seed_for`, for many students in a transaction of the caller's: student -> seed, for student -> digest."""
    lock(connection, "course_seed")
    metadata.create_all(connection, checkfirst=True)
    rows = connection.execute(
        sa.select(table.c.student, table.c.content, table.c.seed).filter_by(assignment=assignment)
    )
    known = {(row.student, row.content): int(row.seed) for row in rows}
    seeds = {student: known.get((student, content)) for student, content in contents.items()}
    fresh = {student: secrets.randbits(62) for student, seed in seeds.items() if seed is None}
    if fresh:
        new = [{"assignment": assignment, "student": s, "content": contents[s], "seed": n} for s, n in fresh.items()]
        connection.execute(table.insert(), new)
    return seeds | fresh
