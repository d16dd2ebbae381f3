"""Open the gradebook of a course; what goes wrong with its database is one sentence and what to try."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from autograder.course import giving_out
from autograder.errors import AutograderError

if TYPE_CHECKING:
    from collections.abc import Iterator

BROKEN = f"Restore a backup of it; or move it away, make a new one ({giving_out('NAME')}), and grade again."
ADVICE = {
    "locked": "Another program is writing to it; close it, or wait, and try again.",
    "not a database": BROKEN,
    "malformed": BROKEN,
}
"""What to try, by words of the error."""


@contextmanager
def opened(config: Any) -> Iterator[Gradebook]:
    """The gradebook that a course's configuration names. Raises what :func:`failures_told` does."""
    folder = CourseDirectory(config=config)
    with failures_told(folder.db_url), Gradebook(folder.db_url, folder.course_id) as gradebook:
        yield gradebook


@contextmanager
def failures_told(url: str) -> Iterator[None]:
    """Raise AutograderError for what goes wrong with the database at ``url`` meanwhile."""
    try:
        yield
    except (SQLAlchemyError, ImportError) as error:  # the latter of a database whose driver is not installed
        told = first_line(error)
        fix = next((fix for words, fix in ADVICE.items() if words in told), "See that the database can be reached.")
        raise AutograderError(f"The gradebook {_without_password(url)} cannot be used: {told}", fix) from error


def first_line(error: Exception) -> str:
    """What an error says, without the statement and the links that SQLAlchemy adds."""
    return str(error).strip().splitlines()[0]


def _without_password(url: str) -> str:
    try:
        return str(make_url(url))
    except ArgumentError:
        return "that c.CourseDirectory.db_url names"
