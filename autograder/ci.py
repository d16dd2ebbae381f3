"""Grade what lies in a checkout, and say it as continuous integration needs it.

A checkout is the student's: links in it are not followed, or a link to a solution beside it would be graded.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.course import assignment_names, source_notebooks
from autograder.errors import AutograderError, UsageError
from autograder.gradebook.feedback import LEAD
from autograder.grading import Submission, assign, grade
from autograder.outcomes import Status
from autograder.submissions import read_file
from coursekit.ci import Checked, Lines, Question, Run, Verdict
from coursekit.notebook import Notebook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autograder.course import Assignment
    from autograder.outcomes import NotebookResult, QuestionResult, SubmissionResult, TestResult
    from coursekit.errors import NotebookUnreadable

NOTE = "These points are those of the hidden tests."
_BEGINS_WITH_PLACE = re.compile(r"cell (\d+)(?:, line (\d+))?: ")
_TELLS_PLACE = re.compile(r"\(cell (\d+), line (\d+)\)")


@dataclass(frozen=True)
class HandedIn:
    """What was found in a checkout: the submission, where each of its files lies, and what was passed over."""

    submission: Submission
    paths: Mapping[str, Path]
    remarks: tuple[str, ...]


def assignment_in(path: Path, course: Path) -> str:
    """The assignment whose notebooks lie below ``path``.

    Raises:
        UsageError: none, or several.
    """
    there = {notebook.stem.casefold() for notebook in _notebooks(path)}
    found = [
        name
        for name in assignment_names(course)
        if there & {notebook.stem.casefold() for notebook in source_notebooks(name, course)}
    ]
    if len(found) == 1:
        return found[0]
    told = f"several: {', '.join(found)}" if found else "none"
    raise UsageError(f"Of the course's assignments, {path} holds {told}.", "Say which is meant: --assignment NAME")


def handed_in(assignment: Assignment, path: Path) -> HandedIn:
    """The notebooks of an assignment below ``path``, wherever they lie; all there are if none bears its name.

    Raises:
        UsageError: there is no such file or folder, or it cannot be read.
    """
    found = sorted(_notebooks(path), key=lambda notebook: (len(notebook.parts), notebook))
    asked = {f"{notebook.name}.ipynb".casefold(): f"{notebook.name}.ipynb" for notebook in assignment.notebooks}
    named = [notebook for notebook in found if notebook.name.casefold() in asked] or found
    paths: dict[str, Path] = {}
    remarks = []
    for notebook in named:
        name = asked.get(notebook.name.casefold(), notebook.name)
        if name in paths:
            remarks.append(f"{notebook} is passed over: {paths[name]} has the same name")
        else:
            paths[name] = notebook
    files = {name: read_file(notebook) for name, notebook in paths.items()}
    return HandedIn(Submission(path.resolve().name or assignment.name, files), paths, tuple(remarks))


def _notebooks(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(folder, name) for name in files if name.endswith(".ipynb") and not name.startswith("."))
    else:
        raise UsageError(f"There is no file or folder {path}.")


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
    tests = tuple(Verdict(test.title, test.outcome.value, _told(test)) for test in result.tests)
    told = result.explanation
    line = _line(_TELLS_PLACE.search(f"{told.rationale}\n{told.cause}"), lines) if told else None
    if line is None and isinstance(notebook, Notebook):
        line = lines.of(*(notebook.place_of(result.question) or (None,)))
    return Question(result.question, result.points, result.max_points, result.extra_credit, tests, line)


def _told(test: TestResult) -> str:
    """What the report tells of a test that was not passed."""
    example = f"{LEAD}\n{test.example}" if test.example else ""
    return "\n".join(filter(None, (test.rationale, test.cause, example, test.hint and f"→ {test.hint}")))


def _line(place: re.Match[str] | None, lines: Lines) -> int | None:
    return lines.of(*(int(number) for number in place.groups() if number)) if place else None


def _in_workspace(path: Path) -> str:
    """As GitHub calls a file: by its path in the repository that is checked out."""
    return Path(os.path.relpath(path, os.environ.get("GITHUB_WORKSPACE") or ".")).as_posix()
