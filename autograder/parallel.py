"""Work for several processes at a time."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_parallel(work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int | None = None) -> Iterator[Result]:
    """Do ``work`` for each of ``tasks``, ``jobs`` at a time (by default one for each processor); results as they come.

    Raises what ``work`` raises.
    """
    jobs = min(jobs or len(os.sched_getaffinity(0)), len(tasks))
    if jobs <= 1:
        yield from map(work, tasks)
        return
    import multiprocessing  # here, since a single task does without, and these take time
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # Not fork: a progress bar's thread may hold a lock at that moment.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autograder.grading", "autograder.plugin"])
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_leave_interrupts_to_us) as pool:
        try:
            with _interrupt_postponed():
                futures = [pool.submit(work, task) for task in tasks]
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
