"""Work for several processes at a time."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import tempfile
import threading
from concurrent.futures import as_completed
from contextlib import ExitStack, contextmanager
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from autograder.files import remove_leftovers, scratch_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor
    from multiprocessing.sharedctypes import Synchronized

SCRATCH = ".autograder-"
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
    with process_pool(jobs) as pool:
        with interrupt_postponed():
            futures = [pool.submit(work, task) for task in tasks]
        for future in as_completed(futures):
            yield future.result()


@contextmanager
def process_pool(jobs: int) -> Iterator[Executor]:
    """Processes that leave Ctrl-C to this one and end with it, however it ends."""
    from concurrent.futures import ProcessPoolExecutor

    own_folder()
    # Not fork: a progress bar's thread may hold a lock at that moment.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autograder.grading", "autograder.judging.run"])
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()  # it inherits that Ctrl-C is not for it
    finally:
        signal.signal(signal.SIGINT, ignored)
    begun = context.Value("i", os.getpid())  # so that not every run begins at the first processor
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(jobs, begun)) as pool:
        try:
            yield pool
        except BaseException:
            processes = list((pool._processes or {}).values())  # noqa: SLF001 - nothing public ends them at once
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:  # and with each its sandbox
                process.kill()
                process.join()
            raise


@cache
def own_folder() -> Path:
    """A temporary folder for as long as this process runs."""
    remove_left_folders()
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(scratch_folder(Path(tempfile.gettempdir()), SCRATCH))
    # multiprocessing keeps a socket in a folder of its own, which would be left behind when this process is killed.
    multiprocessing.current_process()._config["tempdir"] = str(folder)  # type: ignore[attr-defined]  # noqa: SLF001
    return folder


def remove_left_folders() -> None:
    """Remove the temporary folders of processes that were killed."""
    remove_leftovers(Path(tempfile.gettempdir()), f"{SCRATCH}????????")


def _begin(jobs: int, begun: Synchronized[int]) -> None:
    """Leave Ctrl-C to the parent, end with it even if it is killed, and keep to one processor if there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    processors = sorted(os.sched_getaffinity(0))
    if jobs >= len(processors):
        # It and its box take turns. To wake the other on a processor that sleeps takes longer than most answers do.
        with begun.get_lock():
            os.sched_setaffinity(0, [processors[begun.value % len(processors)]])
            begun.value += 1


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def interrupt_postponed() -> Iterator[None]:
    """Let Ctrl-C wait: a worker that is half started would be left behind."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
