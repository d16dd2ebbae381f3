"""Grade one submission: find its notebooks, run each hidden suite against it, add up the points."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.errors import NotebookUnreadable
from autograder.notebook import Notebook, read_notebook
from autograder.outcomes import NotebookResult, Outcome, QuestionResult, Status, SubmissionResult, TestResult
from autograder.plugin import SuiteRun
from autograder.student import Student

if TYPE_CHECKING:
    from autograder.course import AssignedNotebook, Assignment, Question


@dataclass(frozen=True)
class Submission:
    """What one student handed in: the bytes of each notebook, under its file name."""

    student: str
    files: dict[str, bytes]


def grade(
    assignment: Assignment, submission: Submission, *, seed: int | None = None, isolated: bool = True
) -> SubmissionResult:
    """Grade a submission.

    Args:
        assignment: what was asked.
        submission: what came back.
        seed: what a report says, to repeat its grade; by default a new one.
        isolated: False runs the student's code as a plain process, for code one trusts.

    Raises:
        SandboxUnavailable: the student's code cannot be isolated here.
        BrokenBox: a sandbox did not start.
        SuiteError: the reference solution does not run.
    """
    started = time.monotonic()
    seed = secrets.randbits(48) if seed is None else seed
    failures: list[str] = []
    results = []
    for assigned, notebook in _assign(assignment, submission):
        if isinstance(notebook, Notebook):
            results.append(_grade_notebook(assigned, notebook, seed, failures, isolated=isolated))
        else:
            results.append(_unreadable(assigned, seed, notebook))
    return SubmissionResult.of(submission.student, tuple(results), time.monotonic() - started, "; ".join(failures))


def _assign(assignment: Assignment, submission: Submission) -> list[tuple[AssignedNotebook, Notebook | str]]:
    """For each notebook of the assignment what was handed in for it, or why there is nothing."""
    read: dict[str, Notebook] = {}
    problems: dict[str, str] = {}
    for file, data in submission.files.items():
        try:
            read[file] = read_notebook(data, Path(file).stem)
        except NotebookUnreadable as error:
            problems[file] = str(error)
    found: dict[str, Notebook | str] = {}
    for assigned in assignment.notebooks:  # first what bears its name
        file = f"{assigned.name}.ipynb"
        if file in read:
            found[assigned.name] = read.pop(file)
        elif file in problems:
            found[assigned.name] = problems.pop(file)
    for assigned in assignment.notebooks:  # then what was renamed, known by the questions it answers
        if assigned.name not in found and read:
            best = max(read, key=lambda file: _answered(assigned, read[file]))
            if _answered(assigned, read[best]):
                found[assigned.name] = read.pop(best)
    for assigned in assignment.notebooks:
        if assigned.name not in found:
            _, told = problems.popitem() if problems else ("", f"There is no notebook {assigned.name}.ipynb.")
            found[assigned.name] = told
    return [(assigned, found[assigned.name]) for assigned in assignment.notebooks]


def _answered(assigned: AssignedNotebook, notebook: Notebook) -> int:
    """How many of the questions a notebook has something for."""
    cells = {str(cell.nbgrader.get("grade_id")) for cell in notebook.cells}
    return sum(
        question.grade_id in cells or notebook.cell_with(question.name.split(".")[0]) is not None
        for question in assigned.questions
    )


def _grade_notebook(
    assigned: AssignedNotebook, notebook: Notebook, seed: int, failures: list[str], *, isolated: bool
) -> NotebookResult:
    student = Student(notebook, assigned.names, isolated=isolated)
    try:
        run = SuiteRun(assigned, student, seed)
        run.run()
    finally:
        student.close()
    failures += run.errors
    problems = tuple(str(problem) for problem in (*notebook.problems, *student.problems))
    questions = tuple(
        _question(question, run.results.get(question.name, []), run.judged_with.get(question.name, "own"))
        for question in assigned.questions
    )
    status = Status.PARTLY if problems or run.errors else Status.GRADED
    return NotebookResult(assigned.name, status, seed, problems, questions)


def _question(question: Question, tests: list[TestResult], judged_with: str) -> QuestionResult:
    """A question's points: the share of its tests that passed, by weight."""
    total = sum(test.weight for test in tests)
    passed = sum(test.weight for test in tests if test.outcome is Outcome.PASSED)
    points = round(question.points * passed / total, 2) if total else 0.0
    return QuestionResult(question.name, points, question.points, judged_with, tuple(tests))


def _unreadable(assigned: AssignedNotebook, seed: int, problem: str) -> NotebookResult:
    test = TestResult("read", "The notebook can be read.", 1.0, Outcome.NOT_JUDGED, cause=problem)
    questions = tuple(QuestionResult(q.name, 0.0, q.points, "own", (test,)) for q in assigned.questions)
    return NotebookResult(assigned.name, Status.UNREADABLE, seed, (problem,), questions)
