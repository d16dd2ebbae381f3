"""Grade many submissions, several at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from autograder.grading import grade

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
    jobs = min(jobs or len(os.sched_getaffinity(0)), len(submissions))
    if jobs <= 1:
        for submission in submissions:
            yield grade(assignment, submission, seed=seed, isolated=isolated)
        return
    import multiprocessing  # here, since one notebook needs neither, and both take time
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # Not fork: a progress bar's thread may hold a lock at that moment.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autograder.grading", "autograder.plugin"])
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        futures = [pool.submit(grade, assignment, each, seed=seed, isolated=isolated) for each in submissions]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
