"""Grade many submissions, several at a time."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autograder.grading import grade

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
    seeds = seeds or {}
    jobs = min(jobs or len(os.sched_getaffinity(0)), len(submissions))
    if jobs <= 1:
        for submission in submissions:
            yield grade(assignment, submission, seed=seeds.get(submission.student), isolated=isolated)
        return
    import multiprocessing  # here, since a single notebook does without, and these take time
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # Not fork: a progress bar's thread may hold a lock at that moment.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autograder.grading", "autograder.plugin"])
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_leave_interrupts_to_us) as pool:
        try:
            with _interrupt_postponed():
                futures = [
                    pool.submit(grade, assignment, each, seed=seeds.get(each.student), isolated=isolated)
                    for each in submissions
                ]
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():  # and with each worker its sandbox
                worker.terminate()
                worker.join()
            raise


def _leave_interrupts_to_us() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _interrupt_postponed() -> Iterator[None]:
    """Let Ctrl-C wait: a worker that is half started would be left behind."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
