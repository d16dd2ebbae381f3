"""What grading finds out, and nothing about how.

    Report → SubmissionResult → NotebookResult → QuestionResult → TestResult

Each is plain data; :meth:`Report.to_json` gives the schema that ``docs/report.md`` documents.
"""

from __future__ import annotations

import dataclasses
import json
import textwrap
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import coursekit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SCHEMA = 1


class Outcome(StrEnum):
    """What became of one hidden test."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_JUDGED = "not judged"


class Status(StrEnum):
    """What became of one notebook or submission."""

    GRADED = "graded"
    PARTLY = "partly"
    """Something in it could not be read or run; the rest was graded."""
    UNREADABLE = "unreadable"
    ABSENT = "absent"
    """Extra credit that was not handed in: nothing is amiss. Only a notebook can be that."""


@dataclass(frozen=True)
class ErrorMap:
    """Where an array is wrong, entry by entry or block by block, and by how much.

    Each character of ``rows`` stands for one entry, or for the worst of a block of them: "." is right; a digit d is an
    error of 10^d times the limit or more, 9 also of any larger one; "x" is wrong without a size, a whole number that
    differs or no finite number. The limit for one entry is that by which all entries could be off and the array pass.
    """

    array: str
    """What it is called."""
    shape: tuple[int, ...]
    """Its shape. Rows and columns are its last two axes, as numpy prints it; the worst of all others is shown."""
    rows: tuple[str, ...]


@dataclass(frozen=True)
class TestResult:
    """One hidden test. ``title`` is the line that the student reads."""

    name: str
    title: str
    weight: float
    outcome: Outcome
    cause: str = ""
    """Why it could not be judged."""
    rationale: str = ""
    """What is wrong."""
    hint: str = ""
    """What to try."""
    misconception: str = ""
    """The name of the known mistake whose output theirs equals."""
    remark: str = ""
    """What works but could be better; it costs nothing."""
    example: str = ""
    """The smallest case found that goes wrong, as lines for a cell of a notebook, with what theirs gives there."""
    error_map: ErrorMap | None = None
    """If it is an array that is wrong: where."""


@dataclass(frozen=True)
class QuestionResult:
    """One graded function or method."""

    question: str
    points: float
    max_points: float
    extra_credit: bool
    """Its points count beyond the maximum of the submission."""
    judged_with: str
    """"own", "follow-through", or "reference: " and the functions that were lent."""
    tests: tuple[TestResult, ...]

    def worth(self, points: float, *, extra_credit: bool) -> QuestionResult:
        """The same verdicts where the question is worth something else."""
        passed = sum(test.weight for test in self.tests if test.outcome is Outcome.PASSED)
        share = passed / sum(test.weight for test in self.tests)
        return dataclasses.replace(self, points=round(points * share, 2), max_points=points, extra_credit=extra_credit)

    @property
    def outcome(self) -> Outcome:
        """Passed if every test passed; not judged if none could be judged; failed otherwise."""
        outcomes = {test.outcome for test in self.tests}
        if outcomes == {Outcome.PASSED}:
            return Outcome.PASSED
        return Outcome.FAILED if Outcome.FAILED in outcomes or Outcome.PASSED in outcomes else Outcome.NOT_JUDGED

    @property
    def how(self) -> str:
        """That it is right, and by what it was judged if not by the student's own functions."""
        kind, _, lent = self.judged_with.partition(": ")
        if lent:
            return f"right, with {lent.replace(', ', ' and ')} lent to it"
        return "right" if kind == "own" else "right for what the forward pass computes"

    @property
    def remarks(self) -> list[str]:
        """What works but could be better, each once."""
        return list(dict.fromkeys(test.remark for test in self.tests if test.remark))

    @property
    def explanation(self) -> TestResult | None:
        """The first test that says what is wrong, or why nothing can be said; None if all passed."""
        wrong = [test for test in self.tests if test.outcome is Outcome.FAILED]
        silent = [test for test in self.tests if test.outcome is Outcome.NOT_JUDGED]
        return next(iter(wrong + silent), None)


@dataclass(frozen=True)
class NotebookResult:
    """One notebook of a submission."""

    notebook: str
    status: Status
    seed: int
    """What repeats this grade exactly: ``--seed``."""
    problems: tuple[str, ...]
    questions: tuple[QuestionResult, ...]


@dataclass(frozen=True)
class SubmissionResult:
    """One student's submission of one assignment."""

    student: str
    status: Status
    score: float
    max_score: float
    seconds: float
    notebooks: tuple[NotebookResult, ...]
    failure: str = ""
    """The grader's own failure, if there was one. The score is then no grade."""

    @classmethod
    def of(
        cls, student: str, notebooks: tuple[NotebookResult, ...], seconds: float, failure: str = ""
    ) -> SubmissionResult:
        """Add up the notebooks."""
        questions = [question for notebook in notebooks for question in notebook.questions]
        states = {notebook.status for notebook in notebooks} - {Status.ABSENT}
        status = states.pop() if len(states) == 1 else Status.PARTLY
        return cls(
            student=student,
            status=status,
            score=round(sum(question.points for question in questions), 2),
            max_score=round(sum(q.max_points for q in questions if not q.extra_credit), 2),
            seconds=round(seconds, 3),
            notebooks=notebooks,
            failure=failure,
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SubmissionResult:
        """What ``dataclasses.asdict`` made a dictionary of, and JSON kept."""
        return cls(**{**data, "status": Status(data["status"]), "notebooks": tuple(map(_notebook, data["notebooks"]))})


def _notebook(data: Mapping[str, Any]) -> NotebookResult:
    questions = tuple(map(_question, data["questions"]))
    told = {"status": Status(data["status"]), "problems": tuple(data["problems"]), "questions": questions}
    return NotebookResult(**{**data, **told})


def _question(data: Mapping[str, Any]) -> QuestionResult:
    return QuestionResult(**{**data, "tests": tuple(map(_test, data["tests"]))})


def _test(data: Mapping[str, Any]) -> TestResult:
    told = data.get("error_map")
    error_map = ErrorMap(told["array"], tuple(told["shape"]), tuple(told["rows"])) if told else None
    return TestResult(**{**data, "outcome": Outcome(data["outcome"]), "error_map": error_map})


@dataclass(frozen=True)
class Report:
    """What one run of the grader found."""

    assignment: str
    submissions: Sequence[SubmissionResult]

    def to_json(self) -> str:
        """The report in the documented schema."""
        return "".join(self.parts())

    def parts(self) -> Iterator[str]:
        """The same, one submission at a time: there may be more than memory holds."""
        head = {"schema": SCHEMA, "assignment": self.assignment, "kit": coursekit.__version__}
        yield json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}") + ',\n "submissions": ['
        for number, submission in enumerate(self.submissions):
            text = json.dumps(dataclasses.asdict(submission), indent=1, ensure_ascii=False)
            yield f"{',' if number else ''}\n{textwrap.indent(text, '  ')}"
        yield "\n ]\n}\n"
