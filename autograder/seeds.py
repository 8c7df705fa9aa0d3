"""The seed of a submission's hidden cases: drawn once for each version of a submission and kept beside its grades."""

from __future__ import annotations

import hashlib
import secrets

import sqlalchemy as sa
from nbgrader.api import Gradebook

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
    key = {"assignment": assignment, "student": student, "content": hashlib.sha256(code.encode()).hexdigest()}
    with Gradebook(db_url) as gradebook:
        session = gradebook.db
        metadata.create_all(session.get_bind(), checkfirst=True)
        known = session.execute(sa.select(table.c.seed).filter_by(**key)).scalar()
        if known is None:
            known = secrets.randbits(62)
            session.execute(table.insert().values(seed=known, **key))
            session.commit()
        return int(known)
