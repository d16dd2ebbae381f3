"""What was found about each submission of a course, kept as ``results/ASSIGNMENT/STUDENT.json``.

Beside a result stands what it was made from, as a :class:`Fingerprint`: what was handed in, and what judged it. So a
result is graded again when one of them has changed, and not before.
"""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import coursekit
from autograder.errors import AutograderError, UsageError
from autograder.files import remove_leftovers, write_whole
from autograder.outcomes import SCHEMA, SubmissionResult
from autograder.parcel import digest, kit_digest
from autograder.submissions import read_file
from coursekit.notebook import slice_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from autograder.course import AssignedNotebook, Assignment
    from autograder.grading import Submission


@dataclass(frozen=True)
class Fingerprint:
    """What a result depends on, each part as a digest."""

    files: str
    """The notebooks that were handed in, and the file beside them that says when."""
    suites: Mapping[str, str]
    """For each notebook its hidden suite, its known mistakes, and what these import."""
    solutions: Mapping[str, str]
    """For each notebook the code of its reference solution."""
    kit: str
    """The grader and the helper package."""
    points: str = ""
    """What each question is worth; nothing in results that were kept before this was."""

    @classmethod
    def of_nothing(cls) -> Fingerprint:
        """What equals no other: of a result that is about to be replaced."""
        return cls("", {}, {}, "")


class Fingerprints:
    """Takes the fingerprints of the submissions of one assignment, as it stands now."""

    def __init__(self, assignment: Assignment) -> None:
        self._judges: dict[str, Any] = {
            "suites": {notebook.name: _suite(notebook) for notebook in assignment.notebooks},
            "solutions": {notebook.name: _solution(notebook) for notebook in assignment.notebooks},
            "kit": kit_digest(),
            "points": digest(repr(astuple(asked)) for notebook in assignment.notebooks for asked in notebook.questions),
        }

    def of(self, submission: Submission) -> Fingerprint:
        """What grading ``submission`` now would depend on; equal to no other if it cannot be read."""
        parts = (part for name in sorted(submission.files) for part in (name, submission.files[name]))
        try:
            files = digest(chain(parts, _time_of(submission)))
        except UsageError:
            files = ""
        return Fingerprint(files, **self._judges)


@dataclass(frozen=True)
class Kept:
    """A result and what it was made from."""

    result: SubmissionResult
    fingerprint: Fingerprint


class Results:
    """The results of one assignment of a course."""

    def __init__(self, course: Path, assignment: str) -> None:
        self.assignment = assignment
        self._folder = course / "results" / assignment

    def all(self) -> tuple[SubmissionResult, ...]:
        """The latest result of every student, by name. Raises what :meth:`kept` raises."""
        return tuple(kept.result for kept in self.kept())

    def kept(self) -> list[Kept]:
        """Every result with its fingerprint, by student.

        Raises:
            UsageError: there is none.
            AutograderError: one cannot be read.
        """
        paths = sorted(self._folder.glob("*.json"))
        if not paths:
            raise UsageError(
                f"Nothing of {self.assignment} has been graded yet.", f"Grade first: autograder grade {self.assignment}"
            )
        return [_read(path) for path in paths]

    def remove_leftovers(self) -> None:
        """Remove what runs that were killed have left half written."""
        remove_leftovers(self._folder, ".*.partial")

    def fingerprint_of(self, student: str) -> Fingerprint | None:
        """What the latest result of a student was made from; cheaper than :meth:`of`, and raises the same."""
        path = self._path(student)
        return Fingerprint(**_content(path)["fingerprint"]) if path.is_file() else None

    def of(self, student: str) -> Kept | None:
        """The latest result of a student, if there is one. Raises AutograderError if it cannot be read."""
        path = self._path(student)
        return _read(path) if path.is_file() else None

    def keep(self, kept: Kept) -> None:
        """Write a result in the place of the student's former one."""
        content: dict[str, Any] = {"schema": SCHEMA, "assignment": self.assignment, "kit": coursekit.__version__}
        content |= {"fingerprint": asdict(kept.fingerprint), "submission": asdict(kept.result)}
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._path(kept.result.student), json.dumps(content, ensure_ascii=False) + "\n")

    def _path(self, student: str) -> Path:
        return self._folder / f"{student}.json"


def _read(path: Path) -> Kept:
    content = _content(path)
    try:
        return Kept(SubmissionResult.from_dict(content["submission"]), Fingerprint(**content["fingerprint"]))
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error


def _content(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise AutograderError(
                f"{path} was written by another version of the grader.", "Remove it and grade that submission again."
            )
        Fingerprint(**content["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error
    else:
        return content


def _unreadable(path: Path, error: Exception) -> AutograderError:
    return AutograderError(f"{path} cannot be read: {error!r}.", "Remove it and grade that submission again.")


def _time_of(submission: Submission) -> Iterator[str | bytes]:
    """What says when it was handed in, which a penalty for being late depends on."""
    path = submission.folder / "timestamp.txt" if submission.folder else None
    if path and path.is_file():
        yield from (path.name, read_file(path))


def _suite(notebook: AssignedNotebook) -> str:
    others = ("test_", "misconceptions_")
    files = [
        path
        for path in sorted(notebook.suite.parent.iterdir())
        if path.is_file()
        and not path.name.startswith(("variants_", "equivalent_"))  # the suite is measured by these; no grade is
        and (not path.name.startswith(others) or path.stem.partition("_")[2] == notebook.name)
    ]
    return digest(part for path in files for part in (path.name, path.read_bytes()))


def _solution(notebook: AssignedNotebook) -> str:
    return digest(statement.source for statement in slice_for(notebook.source.statements, notebook.names))
