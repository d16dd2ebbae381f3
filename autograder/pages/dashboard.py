"""The class at a glance: one page for instructors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograder.outcomes import Status
from autograder.pages.figures import Histogram
from autograder.pages.rendering import render
from autograder.pages.statistics import FEWEST, ClassStatistics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autograder.outcomes import Report, SubmissionResult

MOST = 50
"""The most submissions with problems that are listed."""
ALL = 1000
"""The largest class that is listed in full: more, and the page would be slow to open."""
SLOWEST = 5


def dashboard(report: Report, pages: Mapping[str, str] | None = None) -> str:
    """The HTML of a class: scores, questions, known mistakes, and who needs a look.

    Args:
        report: what grading found.
        pages: where a student's own page is, relative to this one, by the student's name.
    """
    known = ClassStatistics.of(report.submissions)
    # Only questions in which somebody made a known mistake have a column; they keep their numbers.
    columns = [number for number, question in enumerate(known.questions) if question.mistakes]
    troubled = [each for each in known.submissions if each.status is not Status.GRADED]
    return render(
        "dashboard",
        assignment=report.assignment,
        pages=pages or {},
        known=known,
        counts={status.value: known.count(status) for status in Status},
        failures=[each for each in report.submissions if each.failure],
        bars=Histogram.of(known.scores, known.max_score),
        columns=columns,
        troubled=sorted(troubled, key=lambda each: each.status is Status.PARTLY),
        problems=_problems,
        slowest=sorted(known.submissions, key=lambda each: -each.seconds)[:SLOWEST],
        everybody=sorted(report.submissions, key=lambda each: each.student.casefold()),
        most=MOST,
        all=ALL,
        fewest=FEWEST,
    )


def _problems(submission: SubmissionResult) -> list[str]:
    return [problem for notebook in submission.notebooks for problem in notebook.problems]
