"""What a class as a whole did, question by question."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autograder.outcomes import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograder.outcomes import QuestionResult, SubmissionResult

FEWEST = 10
"""With fewer submissions a correlation says more about chance than about the question."""


@dataclass(frozen=True)
class QuestionStatistics:
    """One question, over the submissions whose notebook was handed in: extra credit that was left out does not count.

    ``outcomes`` counts them; ``judged`` counts by which functions ("own", "follow-through", "lent") those that could be
    judged were; ``mistakes`` counts the submissions that made each known mistake.
    """

    notebook: str
    question: str
    max_points: float
    extra_credit: bool
    submissions: int
    outcomes: Counter[Outcome]
    judged: Counter[str]
    mistakes: Counter[str]
    earned: float
    """The mean share of its points."""
    discrimination: float | None
    """The correlation of its points with the points of all other questions; None if it says nothing."""
    silence: str
    """Why there is no discrimination."""

    @property
    def pass_rate(self) -> float:
        """The share of the submissions that passed it; 0 if there are none."""
        return self.outcomes[Outcome.PASSED] / max(self.submissions, 1)


@dataclass(frozen=True)
class ClassStatistics:
    """A class of submissions, without those on which the grader itself failed: their scores are no grades."""

    submissions: tuple[SubmissionResult, ...]
    questions: tuple[QuestionStatistics, ...]

    @classmethod
    def of(cls, submissions: Sequence[SubmissionResult]) -> ClassStatistics:
        """Count."""
        sound = tuple(submission for submission in submissions if not submission.failure)
        found: dict[tuple[str, str], list[tuple[QuestionResult, float]]] = {}
        for submission in sound:
            total = sum(question.points for notebook in submission.notebooks for question in notebook.questions)
            for notebook in submission.notebooks:
                for question in notebook.questions:
                    answers = found.setdefault((notebook.notebook, question.question), [])
                    if notebook.status is not Status.ABSENT:
                        answers.append((question, total - question.points))
        kinds = {
            (notebook.notebook, question.question): question
            for submission in reversed(sound)
            for notebook in submission.notebooks
            for question in notebook.questions
        }
        return cls(sound, tuple(_question(name[0], kinds[name], answers) for name, answers in found.items()))

    @property
    def scores(self) -> list[float]:
        """Of every submission."""
        return [submission.score for submission in self.submissions]

    @property
    def max_score(self) -> float:
        """What full marks are, without extra credit; 0 for an empty class."""
        return max((submission.max_score for submission in self.submissions), default=0.0)

    @property
    def mean(self) -> float | None:
        """Of the scores."""
        return statistics.fmean(self.scores) if self.submissions else None

    @property
    def median(self) -> float | None:
        """Of the scores."""
        return statistics.median(self.scores) if self.submissions else None

    def count(self, status: Status) -> int:
        """How many submissions are in that state."""
        return sum(submission.status is status for submission in self.submissions)

    @property
    def mistakes(self) -> dict[str, list[int]]:
        """For each known mistake that was made, how many made it in each question; by question, frequent ones first."""
        names = dict.fromkeys(name for question in self.questions for name, _ in question.mistakes.most_common())
        return {name: [question.mistakes[name] for question in self.questions] for name in names}


def _question(
    notebook: str, kind: QuestionResult, answers: Sequence[tuple[QuestionResult, float]]
) -> QuestionStatistics:
    results = [result for result, _ in answers]
    judged = [result.judged_with for result in results if result.outcome is not Outcome.NOT_JUDGED]
    shares = [result.points / result.max_points if result.max_points else 0.0 for result in results]
    discrimination, silence = correlation([result.points for result in results], [rest for _, rest in answers])
    return QuestionStatistics(
        notebook=notebook,
        question=kind.question,
        max_points=kind.max_points,
        extra_credit=kind.extra_credit,
        submissions=len(results),
        outcomes=Counter(result.outcome for result in results),
        judged=Counter("lent" if ":" in judged_with else judged_with for judged_with in judged),
        mistakes=Counter(
            name for result in results for name in {test.misconception for test in result.tests if test.misconception}
        ),
        earned=statistics.fmean(shares) if shares else 0.0,
        discrimination=discrimination,
        silence=silence,
    )


def correlation(points: Sequence[float], rest: Sequence[float]) -> tuple[float | None, str]:
    """Pearson's correlation of a question's points with those of all others, or None and why it says nothing."""
    if len(points) < FEWEST:
        return None, "too few"
    if np.ptp(points) < 1e-9:
        return None, "all the same"
    if np.ptp(rest) < 1e-9:  # the points of one question are all there are, or the others are constant
        return None, "rest the same"
    return float(np.corrcoef(points, rest)[0, 1]), ""
