"""What was found about the notebooks of one push: plain data.

Run → Checked → Question → Verdict
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["passed", "failed", "not judged"]
PASSED: Outcome = "passed"
FAILED: Outcome = "failed"
NOT_JUDGED: Outcome = "not judged"


@dataclass(frozen=True)
class Verdict:
    """One check or hidden test: what it asks, what became of it, and what there is to tell."""

    title: str
    outcome: Outcome
    told: str = ""


@dataclass(frozen=True)
class Question:
    """One graded function, its points, and the line of the notebook's file to look at (from 1)."""

    name: str
    points: float
    max_points: float
    extra_credit: bool
    tests: tuple[Verdict, ...]
    line: int | None = None

    @property
    def passed(self) -> bool:
        """Whether there is nothing to tell."""
        return all(test.outcome == PASSED for test in self.tests)


@dataclass(frozen=True)
class Checked:
    """One notebook, with the problems of reading it, each with the line of its file."""

    name: str
    file: str
    questions: tuple[Question, ...]
    problems: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True)
class Run:
    """All of one push; ``note`` says what these points mean."""

    title: str
    note: str
    notebooks: tuple[Checked, ...]

    @property
    def questions(self) -> list[Question]:
        """Of all notebooks, in order."""
        return [question for notebook in self.notebooks for question in notebook.questions]

    @property
    def score(self) -> float:
        """All points, with extra credit."""
        return round(sum(question.points for question in self.questions), 2)

    @property
    def max_score(self) -> float:
        """What can be had without extra credit."""
        return round(sum(question.max_points for question in self.questions if not question.extra_credit), 2)
