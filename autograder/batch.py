"""Grade many submissions, several at a time: here, or on many machines."""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from autograder.errors import AutograderError, UsageError
from autograder.grading import grade, not_graded
from autograder.parallel import interrupt_postponed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from concurrent.futures import Future

    from autograder.course import Assignment
    from autograder.executors import Workers
    from autograder.grading import Submission
    from autograder.outcomes import SubmissionResult
    from autograder.parcel import Parcel

PATIENCE = 1.0
"""Seconds without a result after which to see whether the workers can still be reached."""


def grade_all(
    assignment: Assignment,
    submissions: Iterable[Submission],
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    seeds: Mapping[str, int] | None = None,
    isolated: bool = True,
) -> Iterator[SubmissionResult]:
    """Grade ``submissions``; results as they come.

    They are taken one by one as workers need them, so that there may be any number. Of one that cannot be read, the
    result is a failure.

    Args:
        assignment: what was asked.
        submissions: what came back.
        jobs: how many to grade at a time on this machine; by default one for each processor.
        scheduler: the address of a Dask scheduler whose workers grade instead.
        seeds: of students whose grade is to be repeated.
        isolated: False runs the students' code as plain processes.

    Raises what :func:`autograder.grading.grade` raises, and AutograderError if the scheduler cannot be reached.
    """
    unreadable: list[SubmissionResult] = []
    left = _readable(assignment, submissions, unreadable)
    jobs = jobs or len(os.sched_getaffinity(0))
    first = list(islice(left, 1 if jobs == 1 else 2))
    batch = _Batch(assignment, _chained(first, left), dict(seeds or {}), isolated=isolated)
    if scheduler is not None and first:
        yield from batch.on_cluster(scheduler)
    else:
        yield from batch.here(min(jobs, len(first)) if len(first) < 2 else jobs)
    yield from unreadable


def _readable(
    assignment: Assignment, submissions: Iterable[Submission], unreadable: list[SubmissionResult]
) -> Iterator[Submission]:
    """Each with its bytes in memory. What to report of those that cannot be read is added to ``unreadable``."""
    for submission in submissions:
        try:
            yield submission.read()
        except UsageError as error:
            unreadable.append(not_graded(assignment, replace(submission, files={}), str(error)))


def _chained(first: list[Submission], left: Iterator[Submission]) -> Iterator[Submission]:
    yield from first
    yield from left


class _Batch:
    """Submissions on their way to workers and results on their way back."""

    def __init__(
        self, assignment: Assignment, submissions: Iterator[Submission], seeds: dict[str, int], *, isolated: bool
    ) -> None:
        self._assignment = assignment
        self._left = submissions
        self._seeds = seeds
        self._isolated = isolated

    def here(self, jobs: int) -> Iterator[SubmissionResult]:
        """With processes of this machine, or with none if there is only one thing to do at a time."""
        if jobs <= 1:
            for each in self._left:
                yield grade(self._assignment, each, seed=self._seeds.get(each.student), isolated=self._isolated)
            return
        from autograder.executors import local_workers  # here, since a single notebook does without
        from autograder.parcel import pack

        parcel = pack(self._assignment)
        while True:
            with local_workers(parcel, jobs) as workers:
                suspects = yield from self._through(workers)
            if not suspects:
                return
            # A dead process breaks the pool, and does not say which submission it had. So those that were on the
            # way are graded again, each in a pool of its own.
            for suspect in suspects:
                yield self._alone(parcel, suspect)

    def on_cluster(self, address: str) -> Iterator[SubmissionResult]:
        """With the workers of a Dask scheduler. What kills worker after worker, Dask itself gives up."""
        from autograder.parcel import pack

        try:
            from autograder.cluster import cluster_workers
        except ImportError as error:
            raise AutograderError(
                "Grading on a cluster needs Dask, which is not installed.",
                'Install it: pip install "dask[distributed]"',
            ) from error

        with cluster_workers(address, pack(self._assignment)) as workers:
            yield from self._through(workers)

    def _submit(self, workers: Workers, submission: Submission) -> Future[SubmissionResult]:
        with interrupt_postponed():  # a process that is half started would be left behind
            return workers.submit(submission, seed=self._seeds.get(submission.student), isolated=self._isolated)

    def _alone(self, parcel: Parcel, suspect: Submission) -> SubmissionResult:
        from autograder.executors import local_workers

        for _ in range(2):
            with suppress(BrokenExecutor), local_workers(parcel, 1) as workers:
                return self._submit(workers, suspect).result()
        return not_graded(self._assignment, suspect, "It ended the grader's own process, twice.")

    def _through(self, workers: Workers) -> Generator[SubmissionResult, None, list[Submission]]:
        """Results as they come; returns the submissions that were on the way when the pool broke, if it did."""
        waiting: dict[Future[SubmissionResult], Submission] = {}
        suspects: list[Submission] = []
        while not suspects:
            for each in islice(self._left, max(0, workers.width() - len(waiting))):
                try:
                    waiting[self._submit(workers, each)] = each
                except BrokenExecutor:
                    suspects.append(each)
                    break
            if not waiting:
                break
            done, _ = wait(waiting, PATIENCE, FIRST_COMPLETED)
            workers.check()
            for future in done:
                submission = waiting.pop(future)
                try:
                    yield self._result(workers, future, submission)
                except BrokenExecutor:
                    suspects.append(submission)
        return suspects + list(waiting.values())

    def _result(self, workers: Workers, future: Future[SubmissionResult], submission: Submission) -> SubmissionResult:
        try:
            return future.result()
        except workers.deadly:
            return not_graded(self._assignment, submission, "It ended one worker after another.")
