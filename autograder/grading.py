"""Grade one submission: find its notebooks, run each hidden suite against it, add up the points."""

from __future__ import annotations

import secrets
import time
import traceback
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.errors import SandboxUnavailable, SuiteError
from autograder.judging.lending import Loan, needed_loan
from autograder.judging.student import Allowance, Student
from autograder.outcomes import NotebookResult, Outcome, QuestionResult, Status, SubmissionResult, TestResult
from autograder.sandbox import POLICY
from coursekit.errors import NotebookUnreadable
from coursekit.notebook import Notebook, Problem, listed, read_notebook

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from autograder.course import AssignedNotebook, Assignment
    from autograder.judging.run import SuiteRun
    from autograder.sources import Question

MAX_RENAMED = 10
"""Notebooks that are read to find one that was renamed. Reading one may take seconds, and all are in memory at once."""


@dataclass(frozen=True)
class Submission:
    """What one student handed in: the bytes of each notebook, under its file name, and where it was found."""

    student: str
    files: Mapping[str, bytes]
    """They may be read from disk only when they are asked for; :meth:`read` is for good."""
    folder: Path | None = None

    def read(self) -> Submission:
        """The same with all bytes in memory: from then on, nobody can change what was handed in."""
        return replace(self, files=dict(self.files))


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
    papers = [_Paper(assigned, notebook) for assigned, notebook in assign(assignment, submission)]
    sitting = _Sitting(papers, seed, isolated=isolated)
    for paper in papers:
        sitting.judge(paper)
    for paper in papers:
        sitting.judge_again(paper)
    results = tuple(paper.result(seed) for paper in papers)
    failures = "; ".join(failure for paper in papers for failure in paper.failures)
    return SubmissionResult.of(submission.student, results, time.monotonic() - started, failures)


def not_graded(assignment: Assignment, submission: Submission, cause: str) -> SubmissionResult:
    """What to report of a submission at which the grader itself failed as a whole, in words that say why."""
    papers = [
        _Paper(assigned, notebook, failures=[cause] if number == 0 else [])
        for number, (assigned, notebook) in enumerate(assign(assignment, submission))
    ]
    return SubmissionResult.of(submission.student, tuple(paper.result(0) for paper in papers), 0.0, cause)


def assign(
    assignment: Assignment, submission: Submission
) -> list[tuple[AssignedNotebook, Notebook | NotebookUnreadable]]:
    """For each notebook of the assignment what was handed in for it, or why there is nothing."""
    handed_in = list(submission.files)
    asked = {f"{assigned.name}.ipynb": assigned for assigned in assignment.notebooks}
    found = {asked[file].name: _read(file, submission.files[file]) for file in handed_in if file in asked}
    # What does not bear its name was renamed, the file and the notebook that have the most questions in common first.
    missing = [assigned for assigned in assignment.notebooks if assigned.name not in found]
    others = [file for file in handed_in if file not in asked] if missing else []
    left = {file: _read(file, submission.files[file]) for file in others[:MAX_RENAMED]}
    pairs = [(_answered(assigned, left[file]), assigned.name, file) for assigned in missing for file in left]
    for common, name, file in sorted(pairs, reverse=True):
        if name not in found and file in left and (common or len(assignment.notebooks) == 1):
            found[name] = left.pop(file)
    passed_over = f", and only {MAX_RENAMED} of the {len(others)} others are read" if len(others) > MAX_RENAMED else ""
    for assigned in missing:
        told = f"there is no notebook {assigned.name}.ipynb{passed_over}"
        found.setdefault(assigned.name, NotHandedIn(told, "hand it in under that name"))
    return [(assigned, found[assigned.name]) for assigned in assignment.notebooks]


class NotHandedIn(NotebookUnreadable):
    """There is no file for a notebook of the assignment."""


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


@dataclass
class _Paper:
    """One notebook of a submission, on its way to a grade."""

    assigned: AssignedNotebook
    notebook: Notebook | NotebookUnreadable
    run: SuiteRun | None = None
    problems: Mapping[int, Problem] = field(default_factory=dict)
    allowance: Allowance = field(default_factory=lambda: Allowance(POLICY.notebook_seconds))
    failures: list[str] = field(default_factory=list)
    """Of the grader itself."""
    failed: list[str] = field(init=False)
    """The questions that did not get all of their points with the student's own functions."""

    def __post_init__(self) -> None:
        self.failed = list(self.assigned.names)

    def result(self, seed: int) -> NotebookResult:
        """What is known now."""
        if isinstance(self.notebook, NotebookUnreadable):
            return _unreadable(self.assigned, seed, self.notebook)
        problems = tuple(listed([*self.notebook.problems, *self.problems.values()]))
        questions = tuple(_question(question, self.run) for question in self.assigned.questions)
        status = Status.PARTLY if problems or self.failures else Status.GRADED
        return NotebookResult(self.assigned.name, status, seed, problems, questions)


class _Sitting:
    """Judges the notebooks of one submission: each by itself, and then once more with what the others failed lent."""

    def __init__(self, papers: Sequence[_Paper], seed: int, *, isolated: bool) -> None:
        self._papers = papers
        self._seed = seed
        self._isolated = isolated

    def judge(self, paper: _Paper) -> None:
        """Run the notebook's suite."""
        if isinstance(paper.notebook, NotebookUnreadable):
            return
        with _failures_kept(paper), closing(self._student(paper)) as student:
            paper.problems = student.problems  # filled in while it runs
            from autograder.judging.run import (
                SuiteRun,
            )  # now, since pytest takes as long to import as the box to come up

            paper.run = run = SuiteRun(paper.assigned, student, self._seed)
            # What it uses is going to be lent to it: that costs less than to follow the mistakes of all that through.
            run.may_wait = lambda question: bool(
                needed_loan(question, student.notebook, paper.assigned.before(question) & run.failing, run.pairs)
            )
            run.run()
            paper.failed = [name for name in paper.assigned.names if paper.run.earned(name) < 1]
            paper.failures += paper.run.errors
            for name in paper.failed:
                failed = paper.assigned.before(name) & set(paper.failed)
                if not needed_loan(name, paper.notebook, failed, paper.run.pairs):  # else that comes first
                    paper.run.exemplify(name)

    def judge_again(self, paper: _Paper) -> None:
        """Judge each question that failed once more, with the functions lent to it that it uses and that failed too.

        Lent is what was asked for before it: of two functions that only call each other, either would be right with the
        other one lent.
        """
        if paper.run is None or isinstance(paper.notebook, NotebookUnreadable):
            return
        others = [each for each in self._papers if paper.assigned.builds_on(each.assigned)]
        # Of two functions of one name, the notebook's own is the one that it calls.
        lenders = {name: each.assigned.reference for each in (*others, paper) for name in each.assigned.names}
        elsewhere = {name for each in others for name in each.failed} - set(paper.assigned.names)
        runs = [each.run for each in self._papers if each.run]
        pairs = {pair for run in runs for pair in run.pairs}
        fatal = {name for run in runs for name in run.student.fatal}
        told = set(paper.failed) - paper.run.waiting
        with _failures_kept(paper):
            for question in paper.failed:
                failed = elsewhere | (paper.assigned.before(question) & set(paper.failed))
                names = needed_loan(question, paper.notebook, failed, pairs)
                if names and paper.allowance.left:
                    loan = Loan({name: lender for name, lender in lenders.items() if name in names}, fatal)
                    if self._judge_with(paper, paper.run, question, loan):
                        told.add(question)
            waited = [question for question in paper.run.waiting if paper.run.earned(question) < 1]
            if waited:
                self._judge_rest(paper, paper.run, waited, told)
        for each in self._papers:
            each.assigned.reference.forget()

    def _judge_with(self, paper: _Paper, run: SuiteRun, question: str, loan: Loan) -> bool:
        """Judge a question with functions lent to it; whether that is what counts."""
        again = self._anew(paper, run, [question], loan)
        gain = again.earned(question) - run.earned(question)
        # If it is no better, its words are still about this question, unless they are that there was no time.
        if question not in again.results or gain < 0 or (gain == 0 and not paper.allowance.left):
            return False
        run.results[question] = again.results[question]
        lent = ", ".join(name for name in loan.names if name in loan.used)
        run.judged_with[question] = f"reference: {lent}" if lent else again.judged_with.get(question, "own")
        return True

    def _judge_rest(self, paper: _Paper, run: SuiteRun, questions: Sequence[str], told: Collection[str]) -> None:
        """Judge questions by the student's own functions after all, since what was lent has not made them right.

        What is wrong is told in full only where that counts: of those not ``told`` yet, and of those that earn more.
        """
        left = [question for question in questions if question not in told]
        if known := [question for question in questions if question in told]:
            brief = self._anew(paper, run, known, brief=True)
            left += [question for question in known if brief.earned(question) > run.earned(question)]
        whole = self._anew(paper, run, left) if left else run
        for question in left:
            if question in whole.results:
                # What was judged while there was time counts; of the rest is told that there was none.
                judged = {} if paper.allowance.left else {test.name: test for test in run.results[question]}
                run.results[question] = [judged.get(test.name, test) for test in whole.results[question]]
                run.judged_with[question] = whole.judged_with.get(question, "own")

    def _anew(
        self, paper: _Paper, run: SuiteRun, questions: Sequence[str], loan: Loan | None = None, *, brief: bool = False
    ) -> SuiteRun:
        """A run of the tests of some questions, in a new box."""
        with closing(self._student(paper, loan)) as student:
            again = type(run)(paper.assigned, student, run.seed, only=questions, pairs=run.pairs, brief=brief)
            again.run()
        paper.failures += again.errors
        return again

    def _student(self, paper: _Paper, loan: Loan | None = None) -> Student:
        assert isinstance(paper.notebook, Notebook)
        beside = {
            f"{other.assigned.name}.ipynb": other.notebook.bare()
            for other in self._papers
            if other is not paper and isinstance(other.notebook, Notebook)
        }
        return Student(
            paper.notebook,
            paper.assigned.names,
            allowance=paper.allowance,
            beside=beside,
            loan=loan,
            kit=paper.assigned.kit,
            isolated=self._isolated,
        )


@contextmanager
def _failures_kept(paper: _Paper) -> Iterator[None]:
    """Keep a failure of the grader, so that the batch goes on; the report says that this is no grade."""
    try:
        yield
    except (SandboxUnavailable, SuiteError):
        raise  # no other submission could be graded either
    except Exception as error:  # noqa: BLE001
        paper.failures.append(_told(error))


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
    return QuestionResult(question.name, points, question.points, question.extra_credit, judged_with, tests)


def _unreadable(assigned: AssignedNotebook, seed: int, problem: NotebookUnreadable) -> NotebookResult:
    title, outcome = "The notebook can be read.", Outcome.NOT_JUDGED
    test = TestResult("read", title, 1.0, outcome, cause=problem.message, hint=problem.fix)
    questions = tuple(QuestionResult(q.name, 0.0, q.points, q.extra_credit, "own", (test,)) for q in assigned.questions)
    if assigned.extra_credit and isinstance(problem, NotHandedIn):
        return NotebookResult(assigned.name, Status.ABSENT, seed, (), questions)
    return NotebookResult(assigned.name, Status.UNREADABLE, seed, (problem.message,), questions)
