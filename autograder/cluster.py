"""Grading with the workers of a Dask scheduler.

dask-ssh, dask-jobqueue (Slurm and others) and dask-kubernetes start such workers on other machines, so they serve
without code of ours. A worker needs the kit and bubblewrap, and no disk in common with us.
"""

from __future__ import annotations

import logging
import math
import socket
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from distributed import Client, KilledWorker, WorkerPlugin, get_worker
from distributed.comm import CommClosedError

from autograder.errors import AutograderError, UsageError
from autograder.executors import Workers, grade_from
from autograder.parcel import kit_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autograder.grading import Submission
    from autograder.outcomes import SubmissionResult
    from autograder.parcel import Parcel

CONNECT = 10.0
"""Seconds to wait for a scheduler to answer."""
WORKERS = 3.0
"""Seconds after which it is said that there are no workers."""
RESUME = "What has been graded is kept, and the same command grades the rest."
_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def cluster_workers(address: str, parcel: Parcel) -> Iterator[Workers]:
    """The workers of the scheduler at ``address``; more may come and some may go while they grade.

    Raises:
        AutograderError: the scheduler does not answer, or is lost on the way.
        UsageError: that is no address.
    """
    client = _client(address)
    name = f"assignment-{parcel.digest}"
    try:
        client.register_plugin(_Delivery(parcel), name=name)
        executor = client.get_executor(pure=False)
        yield Workers(
            executor,
            _grade,
            (name,),
            width=lambda: max(8, 3 * sum(client.nthreads().values())),
            check=_Watch(client, address).check,
            deadly=(KilledWorker,),
        )
        client.unregister_worker_plugin(name)
    except CommClosedError as error:
        raise AutograderError("The connection to the scheduler was lost.", RESUME) from error
    finally:
        with suppress(Exception):  # the scheduler may be gone
            client.close(timeout=2)


def _client(address: str) -> Any:
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters we say ourselves
    try:
        return Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise AutograderError(
            f"The scheduler at {address} does not answer within {CONNECT:g} s.",
            "Start one, dask scheduler, and workers for it: dask worker ADDRESS --nthreads 1",
        ) from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{address!r} is no address of a scheduler: {error}.", "Such as tcp://host:8786.") from error


class _Watch:
    """Looks after the scheduler while results are waited for."""

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address
        self._ask_at = time.monotonic() + WORKERS

    def check(self) -> None:
        """Raise CommClosedError if the scheduler is gone; say it once if nobody has come to work for it."""
        if self._client.status != "running":
            raise CommClosedError
        if time.monotonic() > self._ask_at:
            self._ask_at = math.inf
            if not self._client.nthreads():
                click.echo(f"No workers yet: start one with dask worker {self._address} --nthreads 1", err=True)


class _Delivery(WorkerPlugin):
    """The parcel on its way: the scheduler hands it to every worker that is there or comes later."""

    def __init__(self, parcel: Parcel) -> None:
        self.parcel = parcel


def _grade(name: str, submission: Submission, **options: Any) -> SubmissionResult:
    """On a worker. One that has several threads grades with one of them: pytest is not made for more."""
    worker = get_worker()
    parcel = worker.plugins[name].parcel
    if parcel.kit != kit_digest():
        raise AutograderError(
            f"The worker on {socket.gethostname()} has another version of the kit than this machine.",
            "Install the same on both; a grade must not depend on who gave it.",
        )
    with _ONE_AT_A_TIME:
        # Dask removes this folder with the worker, and those of workers that were killed when another starts there.
        folder = Path(worker.local_directory) / parcel.digest
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                parcel.lay_out(Path(scratch) / "made")
                (Path(scratch) / "made").rename(folder)
        return grade_from(folder, parcel.assignment, submission, **options)
