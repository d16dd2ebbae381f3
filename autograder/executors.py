"""Whoever does the grading: processes of this machine, or (:mod:`autograder.cluster`) of many.

Both are a :class:`concurrent.futures.Executor`, and are given the same two things: the assignment as a
:class:`autograder.parcel.Parcel`, once, and submissions as bytes, one for each task.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograder.grading import grade
from autograder.parallel import own_folder, process_pool
from autograder.parcel import loaded_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from autograder.grading import Submission
    from autograder.outcomes import SubmissionResult
    from autograder.parcel import Parcel


@dataclass(frozen=True)
class Workers:
    """An executor that grades the submissions of one assignment."""

    executor: Executor
    task: Callable[..., SubmissionResult]
    """What it runs, with ``given``, a submission, and ``seed`` and ``isolated`` by name."""
    given: tuple[Any, ...]
    width: Callable[[], int]
    """How many tasks to have on the way, so that every worker has one to go on with."""
    check: Callable[[], None] = lambda: None
    """Raises AutograderError if the workers cannot be reached any more."""
    deadly: tuple[type[Exception], ...] = ()
    """What a task raises that has ended one worker after another."""

    def submit(self, submission: Submission, **options: Any) -> Future[SubmissionResult]:
        """Have a submission graded."""
        return self.executor.submit(self.task, *self.given, submission, **options)


@contextmanager
def local_workers(parcel: Parcel, jobs: int) -> Iterator[Workers]:
    """Processes of this machine."""
    folder = own_folder() / parcel.digest
    parcel.lay_out(folder)
    with process_pool(jobs) as pool:
        yield Workers(pool, grade_from, (folder, parcel.assignment), lambda: 2 * jobs)


def grade_from(folder: Path, name: str, submission: Submission, **options: Any) -> SubmissionResult:
    """Grade a submission of an assignment that was laid out in ``folder``."""
    return grade(loaded_from(folder, name), submission, **options)
