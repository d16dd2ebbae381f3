"""Grade many submissions, several at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from autograder.grading import grade
from autograder.parallel import in_parallel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autograder.course import Assignment
    from autograder.grading import Submission
    from autograder.outcomes import SubmissionResult


def grade_all(
    assignment: Assignment,
    submissions: Sequence[Submission],
    *,
    jobs: int | None = None,
    seed: int | None = None,
    isolated: bool = True,
) -> Iterator[SubmissionResult]:
    """Grade ``submissions``, ``jobs`` at a time (by default one for each processor); results as they come.

    Raises what :func:`autograder.grading.grade` raises.
    """
    return in_parallel(partial(grade, assignment, seed=seed, isolated=isolated), submissions, jobs)
