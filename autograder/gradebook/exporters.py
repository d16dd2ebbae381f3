"""The gradebook for others: as Canvas and Moodle import grades, and as plain CSV.

Each is an export plugin of nbgrader, so that ``nbgrader export`` works in a course with the option
``--exporter=autograder.gradebook.exporters.CanvasExporter`` and nbgrader's own, ``--to``, ``--student`` and
``--assignment``. A score is what nbgrader makes of it, with extra credit, less the penalty for being late, and never
below 0.

A spreadsheet takes a cell that begins with =, +, - or @ for a formula. Names and ids that begin so get an apostrophe
before them, which a spreadsheet shows as text; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nbgrader.plugins import ExportPlugin

from autograder.course import course_config, giving_out, has_gradebook
from autograder.errors import UsageError
from autograder.files import must_be_writable, write_whole
from autograder.gradebook.opening import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbgrader.api import Gradebook

FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""What a spreadsheet may take for a formula: the signs themselves, their full-width forms, white space before them."""
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


@dataclass(frozen=True)
class Standing:
    """What a student has in one assignment; None for each if nothing was handed in."""

    score: float | None
    raw: float | None
    penalty: float | None
    timestamp: Any = None


class Exporter(ExportPlugin):  # type: ignore[misc]
    """What the three formats share: whom and what to export, and a file that is written whole."""

    default: ClassVar[str]
    """The file that is written if nbgrader is told no other."""

    def export(self, gradebook: Gradebook) -> None:
        """Write the file ``to``. Raises UsageError if there is no such assignment or student."""
        path = Path(self.to or self.default)
        must_be_writable(path)
        assignments = _chosen("assignment", gradebook.assignments, "name", self.assignment)
        students = _chosen("student", gradebook.students, "id", self.student)
        text = io.StringIO(newline="")
        csv.writer(text).writerows([harmless(cell) for cell in row] for row in self.rows(students, assignments))
        write_whole(path, text.getvalue())
        self.log.info("Exported grades to %s", path)

    def rows(self, students: Sequence[Any], assignments: Sequence[Any]) -> Iterator[list[Any]]:
        """The rows of the file, from its heading on, of text and numbers."""
        raise NotImplementedError


class CanvasExporter(Exporter):
    """As Canvas imports it into its gradebook.

    Students are found by Canvas's own number, if nbgrader's gradebook has it as ``lms_user_id``, else by nbgrader's id,
    which then has to be their SIS user id or their login in Canvas. What was not handed in is left blank: what that
    counts is settled in Canvas. An assignment that Canvas does not know is offered as a new one.
    """

    default = "canvas.csv"
    POINTS = "    Points Possible"

    def rows(self, students: Sequence[Any], assignments: Sequence[Any]) -> Iterator[list[Any]]:
        """The heading, the points possible, and a row for each student."""
        yield ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *(each.name for each in assignments)]
        yield [self.POINTS, "", "", "", "", *(number(each.max_score) for each in assignments)]
        standings = [_standings(each) for each in assignments]
        for student in students:
            # A row whose first cell holds these words is taken for the points possible, whoever is called that.
            name = re.sub(self.POINTS.strip(), "-", _name(student))
            scores = [number(of.get(student.id, ABSENT).score) for of in standings]
            yield [name, student.lms_user_id or "", student.id, student.id, "", *scores]


class MoodleExporter(Exporter):
    """As Moodle's grader report exports and imports it.

    Students are found by nbgrader's id, which has to be their ID number in Moodle, or by their email address. What was
    not handed in is "-", as Moodle writes it: no grade.
    """

    default = "moodle.csv"

    def rows(self, students: Sequence[Any], assignments: Sequence[Any]) -> Iterator[list[Any]]:
        """The heading and a row for each student."""
        names = [f"Assignment: {each.name} (Real)" for each in assignments]
        yield ["First name", "Last name", "ID number", "Institution", "Department", "Email address", *names]
        standings = [_standings(each) for each in assignments]
        for student in students:
            scores = [number(of.get(student.id, ABSENT).score) or "-" for of in standings]
            yield [student.first_name or "", student.last_name or "", student.id, "", "", student.email or "", *scores]


class CsvExporter(Exporter):
    """The columns of nbgrader's own CSV, which quotes nothing, with every cell quoted as it needs.

    What was not handed in has no timestamp and the score 0, as there.
    """

    default = "grades.csv"
    HEADING = (
        *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
        *("raw_score", "late_submission_penalty", "score", "max_score"),
    )

    def rows(self, students: Sequence[Any], assignments: Sequence[Any]) -> Iterator[list[Any]]:
        """The heading, and for each assignment a row for each student."""
        yield list(self.HEADING)
        for assignment in assignments:
            standings = _standings(assignment)
            for student in students:
                has = standings.get(student.id, ABSENT)
                yield [
                    *(assignment.name, assignment.duedate or "", has.timestamp or ""),
                    *(student.id, student.last_name or "", student.first_name or "", student.email or ""),
                    *(number(points or 0.0) for points in (has.raw, has.penalty, has.score, assignment.max_score)),
                ]


ABSENT = Standing(None, None, None)
FORMATS = {"canvas": CanvasExporter, "moodle": MoodleExporter, "csv": CsvExporter}


def export(course: Path, assignment: str, kind: str, to: Path) -> None:
    """Write the grades of one assignment in one of FORMATS, from the gradebook that the course's configuration names.

    Raises:
        UsageError: there is no gradebook, or no such assignment in it.
        AutograderError: the gradebook cannot be read, or the file cannot be written.
    """
    if not has_gradebook(course):  # nbgrader would make an empty one
        raise UsageError(
            f"There is no gradebook in {course} yet.",
            f"Make it, then grade: {giving_out(assignment)}, autograder grade {assignment}",
        )
    config = course_config(course)
    config.ExportPlugin.to = str(to)
    config.ExportPlugin.assignment = [assignment]
    with opened(config) as gradebook:
        FORMATS[kind](config=config).export(gradebook)


def harmless(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(cell, str) and FORMULA.match(cell) and cell != "-" and not NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def number(points: float | None) -> str:
    """Points with up to two decimals, as much as Canvas and Moodle keep; nothing for None."""
    return "" if points is None else f"{points:.2f}".rstrip("0").rstrip(".")


def _chosen(kind: str, entries: Sequence[Any], key: str, names: Sequence[Any]) -> list[Any]:
    """The entries called ``names``, or all if none are given."""
    known = {getattr(entry, key): entry for entry in entries}
    wanted = [str(name) for name in names] or list(known)
    missing = [name for name in wanted if name not in known]
    if missing:
        raise UsageError(
            f"The gradebook knows no {kind} {missing[0]!r}.", f"It knows: {', '.join(list(known)[:20]) or 'none'}."
        )
    return [known[name] for name in wanted]


def _standings(assignment: Any) -> dict[str, Standing]:
    """What each student who handed something in has in an assignment."""
    return {
        submission.student_id: Standing(
            max(0.0, submission.score - submission.late_submission_penalty),
            submission.score,
            submission.late_submission_penalty,
            submission.timestamp,
        )
        for submission in assignment.submissions
    }


def _name(student: Any) -> str:
    """As Canvas sorts names, the family name first; the id of one who has none."""
    return ", ".join(part for part in (student.last_name, student.first_name) if part) or str(student.id)
