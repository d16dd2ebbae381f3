"""Grade many submissions, several at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from autograder.grading import grade
from autograder.parallel import in_parallel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autograder.course import Assignment
    from autograder.grading import Submission
    from autograder.outcomes import SubmissionResult


def grade_all(
    assignment: Assignment,
    submissions: Sequence[Submission],
    *,
    jobs: int | None = None,
    seeds: Mapping[str, int] | None = None,
    isolated: bool = True,
) -> Iterator[SubmissionResult]:
    """Grade ``submissions``, ``jobs`` at a time (by default one for each processor); results as they come.

    ``seeds`` are those of students whose grade is to be repeated.

    Raises what :func:`autograder.grading.grade` raises.
    """
    tasks = [(submission, (seeds or {}).get(submission.student)) for submission in submissions]
    return in_parallel(partial(_grade, assignment, isolated), tasks, jobs)


def _grade(assignment: Assignment, isolated: bool, task: tuple[Submission, int | None]) -> SubmissionResult:
    submission, seed = task
    return grade(assignment, submission, seed=seed, isolated=isolated)
