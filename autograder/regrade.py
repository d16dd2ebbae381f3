"""Grade again what is affected after a suite, a solution or points have changed, and say who gains and who loses.

A submission is graded again with the seed of its former grade. So what comes out differently does so because of what
has changed, and not because other inputs were drawn. Where only points have changed, nothing is run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autograder.batch import grade_all
from autograder.outcomes import SubmissionResult
from autograder.results import Fingerprints
from autograder.submissions import find_submissions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from autograder.course import Assignment
    from autograder.grading import Submission
    from autograder.outcomes import NotebookResult, QuestionResult
    from autograder.results import Fingerprint, Results
    from autograder.sources import Question


@dataclass(frozen=True)
class Affected:
    """A submission whose grade may be another one now."""

    submission: Submission
    before: SubmissionResult
    reasons: tuple[str, ...]
    """What has changed."""
    judged_anew: bool
    """Whether more than points has changed, so that it has to be graded again."""


@dataclass(frozen=True)
class Change:
    """One question of a student that is worth something else now; None is a question that was not, or is no more."""

    student: str
    question: str
    before: QuestionResult | None
    after: QuestionResult | None

    @property
    def gain(self) -> float:
        """Points, below zero for a loss."""
        return (self.after.points if self.after else 0.0) - (self.before.points if self.before else 0.0)


@dataclass(frozen=True)
class Review:
    """What is affected, and what cannot be looked at here because there is no such submission any more."""

    affected: tuple[Affected, ...]
    unaffected: int
    handed_in_again: tuple[str, ...]
    gone: tuple[str, ...]


def review(assignment: Assignment, results: Results, submitted: Path) -> Review:
    """Compare each result with what judges it now.

    Args:
        assignment: as it stands now.
        results: what was found before.
        submitted: the folder of the students' submissions.

    Raises:
        UsageError: nothing of the assignment lies there, or nothing has been graded yet.
    """
    now = Fingerprints(assignment)
    affected, again, gone, unaffected = [], [], [], 0
    former = results.kept()
    there = {submission.student: submission for submission in find_submissions(assignment.name, [submitted])}
    for kept in former:
        student = kept.result.student
        submission = there.get(student)
        if submission is None:
            gone.append(student)
            continue
        fingerprint = now.of(submission)
        judged = tuple(_differences(kept.fingerprint, fingerprint))
        priced = tuple(_other_points(assignment, kept.result))
        if fingerprint.files != kept.fingerprint.files:
            again.append(student)
        elif judged or priced:
            affected.append(Affected(submission, kept.result, judged + priced, judged_anew=bool(judged)))
        else:
            unaffected += 1
    return Review(tuple(affected), unaffected, tuple(again), tuple(gone))


def regraded(
    assignment: Assignment, affected: Sequence[Affected], jobs: int | None = None
) -> Iterator[SubmissionResult]:
    """The results as they are now, in any order. Raises what :func:`autograder.grading.grade` raises."""
    yield from (_with_points(assignment, each.before) for each in affected if not each.judged_anew)
    anew = [each for each in affected if each.judged_anew]
    seeds = {each.submission.student: each.before.notebooks[0].seed for each in anew}
    yield from grade_all(assignment, [each.submission for each in anew], jobs=jobs, seeds=seeds)


def changes(before: SubmissionResult, after: SubmissionResult) -> list[Change]:
    """Each question that is worth something else, in the order in which they stand."""
    old, new = _by_name(before), _by_name(after)
    found = [Change(after.student, name[1], old.get(name), new.get(name)) for name in dict.fromkeys((*new, *old))]
    return [change for change in found if change.gain]


def _by_name(result: SubmissionResult) -> dict[tuple[str, str], QuestionResult]:
    return {
        (notebook.notebook, question.question): question
        for notebook in result.notebooks
        for question in notebook.questions
    }


def _differences(before: Fingerprint, now: Fingerprint) -> Iterator[str]:
    """What judges otherwise than before."""
    if before.kit != now.kit:
        yield "the grader"
    for words, old, new in (("suite", before.suites, now.suites), ("solution", before.solutions, now.solutions)):
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                yield f"the {words} of {name}"


def _other_points(assignment: Assignment, result: SubmissionResult) -> Iterator[str]:
    """The questions with other points than the result has."""
    asked = _questions(assignment)
    for name, question in _by_name(result).items():
        if name in asked and _worth(question) != (asked[name].points, asked[name].extra_credit):
            yield f"the points of {name[1]} ({question.max_points:g} to {asked[name].points:g})"


def _worth(question: QuestionResult) -> tuple[float, bool]:
    return question.max_points, question.extra_credit


def _questions(assignment: Assignment) -> dict[tuple[str, str], Question]:
    return {(notebook.name, asked.name): asked for notebook in assignment.notebooks for asked in notebook.questions}


def _with_points(assignment: Assignment, result: SubmissionResult) -> SubmissionResult:
    """The same verdicts with the points that their questions are worth now."""
    asked = _questions(assignment)

    def priced(notebook: NotebookResult) -> NotebookResult:
        questions = []
        for each in notebook.questions:
            now = asked[notebook.notebook, each.question]
            questions.append(each.worth(now.points, extra_credit=now.extra_credit))
        return replace(notebook, questions=tuple(questions))

    return SubmissionResult.of(result.student, tuple(map(priced, result.notebooks)), result.seconds)
