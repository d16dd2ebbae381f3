"""Grade what lies in a checkout, and say it as continuous integration needs it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.errors import AutograderError
from autograder.gradebook.feedback import said_of
from autograder.grading import assign, grade
from autograder.outcomes import Status
from coursekit.ci import Checked, Lines, Question, Run, Verdict
from coursekit.notebook import Notebook

if TYPE_CHECKING:
    from autograder.checkouts import HandedIn
    from autograder.course import Assignment
    from autograder.outcomes import NotebookResult, QuestionResult, SubmissionResult
    from coursekit.errors import NotebookUnreadable

NOTE = "These points are those of the hidden tests."
_BEGINS_WITH_PLACE = re.compile(r"cell (\d+)(?:, line (\d+))?: ")
_TELLS_PLACE = re.compile(r"\(cell (\d+), line (\d+)\)")


def run_ci(assignment: Assignment, found: HandedIn, *, seed: int | None = None) -> tuple[SubmissionResult, Run]:
    """Grade it, isolated; returns the result, and what continuous integration says of it.

    Raises:
        AutograderError: the grader itself failed. There is no grade then.
    """
    result = grade(assignment, found.submission, seed=seed)
    if result.failure:
        raise AutograderError(f"The grader itself failed; this is no grade: {result.failure}")
    read = dict(zip(result.notebooks, (notebook for _, notebook in assign(assignment, found.submission)), strict=True))
    notebooks = tuple(_checked(of, notebook, found) for of, notebook in read.items() if of.status != Status.ABSENT)
    return result, Run(assignment.name, " ".join((NOTE, *found.remarks)), notebooks)


def _checked(result: NotebookResult, notebook: Notebook | NotebookUnreadable, found: HandedIn) -> Checked:
    file = f"{notebook.name if isinstance(notebook, Notebook) else result.notebook}.ipynb"
    path = found.paths.get(file)
    lines = Lines(found.submission.files.get(file, b""))
    problems = tuple((problem, _line(_BEGINS_WITH_PLACE.match(problem), lines)) for problem in result.problems)
    questions = tuple(_question(question, notebook, lines) for question in result.questions)
    return Checked(result.notebook, _in_workspace(path) if path else file, questions, problems)


def _question(result: QuestionResult, notebook: Notebook | NotebookUnreadable, lines: Lines) -> Question:
    tests = tuple(Verdict(test.title, test.outcome.value, said_of(test)) for test in result.tests)
    told = result.explanation
    line = _line(_TELLS_PLACE.search(f"{told.rationale}\n{told.cause}"), lines) if told else None
    if line is None and isinstance(notebook, Notebook):
        line = lines.of(*(notebook.place_of(result.question) or (None,)))
    return Question(result.question, result.points, result.max_points, result.extra_credit, tests, line)


def _line(place: re.Match[str] | None, lines: Lines) -> int | None:
    return lines.of(*(int(number) for number in place.groups() if number)) if place else None


def _in_workspace(path: Path) -> str:
    """As GitHub calls a file: by its path in the repository that is checked out."""
    return Path(os.path.relpath(path, os.environ.get("GITHUB_WORKSPACE") or ".")).as_posix()
