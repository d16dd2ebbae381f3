"""Whoever does the grading: processes of this machine, or (:mod:`autograder.cluster`) of many.

Both are a :class:`concurrent.futures.Executor`, and are given the same two things: the assignment as a
:class:`autograder.parcel.Parcel`, once, and submissions as bytes, one for each task.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.files import remove_leftovers, scratch_folder
from autograder.grading import grade
from autograder.parcel import loaded_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor, Future

    from autograder.grading import Submission
    from autograder.outcomes import SubmissionResult
    from autograder.parcel import Parcel


SCRATCH = ".autograder-"


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


@cache
def own_folder() -> Path:
    """A temporary folder for as long as this process runs. Those of processes that were killed are removed."""
    place = Path(tempfile.gettempdir())
    remove_leftovers(place, f"{SCRATCH}????????")
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(scratch_folder(place, SCRATCH))
    # multiprocessing keeps a socket in a folder of its own, which would be left behind when this process is killed.
    multiprocessing.current_process()._config["tempdir"] = str(folder)  # type: ignore[attr-defined]  # noqa: SLF001
    return folder


@contextmanager
def local_workers(parcel: Parcel, jobs: int) -> Iterator[Workers]:
    """Processes of this machine."""
    from concurrent.futures import ProcessPoolExecutor

    folder = own_folder() / parcel.digest
    parcel.lay_out(folder)
    # Not fork: a progress bar's thread may hold a lock at that moment.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autograder.grading", "autograder.plugin"])
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin) as pool:
        workers = Workers(pool, grade_from, (folder, parcel.assignment), lambda: 2 * jobs)
        try:
            yield workers
        except BaseException:
            processes = list((pool._processes or {}).values())  # noqa: SLF001 - nothing public ends them at once
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:  # and with each its sandbox
                process.kill()
                process.join()
            raise


def _begin() -> None:
    """Leave Ctrl-C to the parent, and end with it even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def grade_from(folder: Path, name: str, submission: Submission, **options: Any) -> SubmissionResult:
    """Grade a submission of an assignment that was laid out in ``folder``."""
    return grade(loaded_from(folder, name), submission, **options)
