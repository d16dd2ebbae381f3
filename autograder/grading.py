"""Grade one submission: find its notebooks, run each hidden suite against it, add up the points."""

from __future__ import annotations

import secrets
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.errors import NotebookUnreadable, SandboxUnavailable, SuiteError
from autograder.lending import Loan, needed_loan
from autograder.notebook import Notebook, read_notebook
from autograder.outcomes import NotebookResult, Outcome, QuestionResult, Status, SubmissionResult, TestResult
from autograder.sandbox import POLICY
from autograder.student import Student

if TYPE_CHECKING:
    from autograder.course import AssignedNotebook, Assignment, Question
    from autograder.plugin import SuiteRun


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


def _assign(
    assignment: Assignment, submission: Submission
) -> list[tuple[AssignedNotebook, Notebook | NotebookUnreadable]]:
    """For each notebook of the assignment what was handed in for it, or why there is nothing."""
    left = {file: _read(file, data) for file, data in submission.files.items()}
    found = {}
    for assigned in assignment.notebooks:  # first what bears its name
        if f"{assigned.name}.ipynb" in left:
            found[assigned.name] = left.pop(f"{assigned.name}.ipynb")
    for assigned in assignment.notebooks:  # then what was renamed: the file that answers most of its questions
        if assigned.name not in found and left:
            best = max(left, key=lambda file: _answered(assigned, left[file]))
            if _answered(assigned, left[best]) or len(assignment.notebooks) == 1:
                found[assigned.name] = left.pop(best)
    missing = {
        assigned.name: NotebookUnreadable(f"there is no notebook {assigned.name}.ipynb", "hand it in under that name")
        for assigned in assignment.notebooks
    }
    return [(assigned, found.get(assigned.name, missing[assigned.name])) for assigned in assignment.notebooks]


def _read(file: str, data: bytes) -> Notebook | NotebookUnreadable:
    try:
        return read_notebook(data, Path(file).stem)
    except NotebookUnreadable as error:
        return error


def _answered(assigned: AssignedNotebook, notebook: Notebook | NotebookUnreadable) -> int:
    """How many of the questions a notebook has something for."""
    if isinstance(notebook, NotebookUnreadable):
        return 0
    cells = {str(cell.nbgrader.get("grade_id")) for cell in notebook.cells}
    return sum(
        question.grade_id in cells or notebook.cell_with(question.name.split(".")[0]) is not None
        for question in assigned.questions
    )


def _grade_notebook(
    assigned: AssignedNotebook, notebook: Notebook, seed: int, failures: list[str], *, isolated: bool
) -> NotebookResult:
    run = student = None
    try:
        student = Student(notebook, assigned.names, loan=Loan(assigned.reference), isolated=isolated)
        from autograder.plugin import SuiteRun  # only now, since pytest takes as long to import as the box to come up

        run = SuiteRun(assigned, student, seed)
        run.run()
        _judge_again(run, notebook, isolated=isolated)
        failures += run.errors
    except (SandboxUnavailable, SuiteError):
        raise  # no other submission could be graded either
    except Exception as error:  # noqa: BLE001 - the batch goes on, and the report says that this is no grade
        failures.append(_told(error))
    finally:
        if student is not None:
            student.close()
    problems = tuple(str(problem) for problem in (*notebook.problems, *(student.problems if student else ())))
    questions = tuple(_question(question, run) for question in assigned.questions)
    status = Status.PARTLY if problems or failures else Status.GRADED
    return NotebookResult(assigned.name, status, seed, problems, questions)


def _judge_again(run: SuiteRun, notebook: Notebook, *, isolated: bool) -> None:
    """Judge each question that failed once more, with the functions lent to it that it uses and that failed too."""
    failed = [name for name in run.assigned.names if run.earned(name) < 1]
    deadline = time.monotonic() + POLICY.notebook_seconds
    for question in failed:
        if time.monotonic() > deadline:
            break
        names = needed_loan(question, notebook, failed, run.pairs)
        if not names:
            continue
        loan = Loan(run.assigned.reference, names)
        student = Student(notebook, run.assigned.names, loan=loan, isolated=isolated)
        again = replace(run, student=student, only=question, results={}, weights={}, judged_with={}, errors=[])
        try:
            again.run()
        finally:
            student.close()
        run.errors += again.errors
        if again.earned(question) >= run.earned(question):  # if no better, its words are still about this question
            run.results[question] = again.results[question]
            lent = ", ".join(name for name in run.assigned.names if name in loan.used)
            run.judged_with[question] = f"reference: {lent}" if lent else again.judged_with.get(question, "own")


def _told(error: Exception) -> str:
    """An error of ours, with the line of ours that raised it."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"


def _question(question: Question, run: SuiteRun | None) -> QuestionResult:
    """A question's result, as far as it was judged."""
    tests = tuple(run.results.get(question.name, ())) if run else ()
    if not tests:
        cause = "The grader itself failed before it came to this question."
        tests = (TestResult("grade", "The question can be judged.", 1.0, Outcome.NOT_JUDGED, cause=cause),)
    points = round(question.points * run.earned(question.name), 2) if run else 0.0
    judged_with = run.judged_with.get(question.name, "own") if run else "own"
    return QuestionResult(question.name, points, question.points, judged_with, tests)


def _unreadable(assigned: AssignedNotebook, seed: int, problem: NotebookUnreadable) -> NotebookResult:
    told = {"cause": problem.message, "hint": problem.fix}
    test = TestResult("read", "The notebook can be read.", 1.0, Outcome.NOT_JUDGED, **told)
    questions = tuple(QuestionResult(q.name, 0.0, q.points, "own", (test,)) for q in assigned.questions)
    return NotebookResult(assigned.name, Status.UNREADABLE, seed, (problem.message,), questions)
