"""Whoever does the grading: processes of this machine, or the workers of a Dask cluster.

Both are a :class:`concurrent.futures.Executor`, and are given the same two things: the assignment as a
:class:`autograder.parcel.Parcel`, once, and submissions as bytes, one for each task. So dask-ssh, dask-jobqueue and
dask-kubernetes, which start Dask's workers on other machines, serve without code of ours.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.errors import AutograderError, UsageError
from autograder.grading import grade
from autograder.parcel import kit_digest, loaded_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor, Future

    from autograder.grading import Submission
    from autograder.outcomes import SubmissionResult
    from autograder.parcel import Parcel

CONNECT = 10.0
"""Seconds to wait for a scheduler to answer."""
INSTALL = 'Install it: pip install "dask[distributed]"'


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


# ----------------------------------------------------------------------------------------------------- here


@contextmanager
def local_workers(folder: Path, parcel: Parcel, jobs: int) -> Iterator[Workers]:
    """Processes of this machine, for a parcel that is laid out in ``folder``."""
    from concurrent.futures import ProcessPoolExecutor

    # Not fork: a progress bar's thread may hold a lock at that moment.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autograder.grading", "autograder.plugin"])
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin) as pool:
        workers = Workers(pool, _grade_from, (folder, parcel.assignment), lambda: 2 * jobs)
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


def _grade_from(folder: Path, name: str, submission: Submission, **options: Any) -> SubmissionResult:
    return grade(loaded_from(folder, name), submission, **options)


# -------------------------------------------------------------------------------------------------- elsewhere


@contextmanager
def cluster_workers(address: str, parcel: Parcel) -> Iterator[Workers]:
    """The workers of the Dask scheduler at ``address``; more may come and some may go while they grade.

    Raises:
        AutograderError: Dask is not installed, or the scheduler does not answer.
        UsageError: that is no address.
    """
    client = _client(address)
    from distributed import KilledWorker

    try:
        sent = client.submit(_received, parcel, key=f"assignment-{parcel.digest}", pure=True)
        executor = client.get_executor(pure=False)
        try:
            yield Workers(
                executor,
                _grade_parcel,
                (sent,),
                width=lambda: max(8, 3 * sum(client.nthreads().values())),
                check=lambda: _must_run(client),
                deadly=(KilledWorker,),
            )
        finally:
            with suppress(Exception):  # the scheduler may be gone
                executor.shutdown(wait=False)
    finally:
        with suppress(Exception):
            client.close(timeout=2)


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise AutograderError("Grading on a cluster needs Dask, which is not installed.", INSTALL) from error
    try:
        return Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise AutograderError(
            f"The scheduler at {address} does not answer within {CONNECT:g} s.",
            "Start one: dask scheduler; and workers: dask worker ADDRESS --nthreads 1",
        ) from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{address!r} is no address of a scheduler: {error}.", "Such as tcp://host:8786.") from error


def _must_run(client: Any) -> None:
    if client.status != "running":
        raise AutograderError(
            "The connection to the scheduler was lost.",
            "What has been graded is kept, and the same command grades the rest.",
        )


def _received(parcel: Parcel) -> Parcel:
    """A task whose result is the parcel: Dask hands it from worker to worker, and makes it anew if one dies."""
    return parcel


_ONE_AT_A_TIME = threading.Lock()


def _grade_parcel(parcel: Parcel, submission: Submission, **options: Any) -> SubmissionResult:
    """On a worker of Dask's. One that has several threads grades with one of them: pytest is not made for more."""
    from distributed import get_worker

    if parcel.kit != kit_digest():
        raise AutograderError(
            f"The worker on {socket.gethostname()} has another version of the kit than this machine.",
            "Install the same on both; a grade must not depend on who gave it.",
        )
    with _ONE_AT_A_TIME:
        # Dask removes this folder with the worker, and those of workers that were killed when the next one starts.
        folder = Path(get_worker().local_directory) / parcel.digest
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                parcel.lay_out(Path(scratch) / "made")
                (Path(scratch) / "made").rename(folder)
        return _grade_from(folder, parcel.assignment, submission, **options)
