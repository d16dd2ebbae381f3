"""The fork server's inside: an interpreter with numpy loaded, which forks a sealed worker for each box.

It starts with one message of how to seal (see :mod:`autograder.sandbox.ways`), and says when it is there. From then on
each message brings three descriptors: where the worker's requests come from, where its answers go, and its leash. When
the other end of the leash closes, the worker is killed; how it ended is told on the leash, and its folder taken away.
Why there is no worker is told there, too.
What runs in a worker never runs here.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource  # noqa: F401 - for sealing, so that no worker has to load it
import select
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120 - as Python puts it, were it not isolated
import sealing  # type: ignore[import-not-found]

HERE = sys.path.pop(0)

SOURCE, SINK, NOWHERE = 3, 4, 5
"""All that is open in a worker, beside three standard streams that lead nowhere."""


def main() -> None:
    """Fork a worker for each message, until the other end closes; then end them, and take away what was made."""
    control = socket.socket(fileno=int(sys.argv[1]))
    way = json.loads(control.recv(1 << 20))
    try_out(way)
    shared = Path("/tmp") if way["namespaces"] else Path(tempfile.mkdtemp(prefix="box-"))  # noqa: S108 - the box's own
    lay_out(way, shared)
    control.send(b"there")
    sys.path[:] = ([] if way["links"] else sys.path) + [path.format(shared=shared) for path in way["paths"]]
    # Here once, so that no worker has to; and only now, when numpy can be found.
    sys.path.insert(0, HERE)
    import numpy.random  # noqa: F401
    import worker  # type: ignore[import-not-found]

    del sys.path[0]
    worker.pretend_ipython()
    gc.freeze()
    Keeper(way, shared, control).run()
    if not way["namespaces"]:
        shutil.rmtree(shared, ignore_errors=True)


def try_out(way: dict[str, Any]) -> None:
    """Try on a throwaway process what is not certain to work; this one ends with an error if it does not."""
    try:
        with apart(way):
            child = os.fork()
            if not child:
                try_out_seals(way)
    except OSError as error:
        sys.exit(f"sealing: {error.strerror}")
    if os.waitpid(child, 0)[1]:
        sys.exit(1)


def try_out_seals(way: dict[str, Any]) -> NoReturn:
    """Be that process."""
    try:
        if way["namespaces"]:
            sealing.own_scratch("/tmp", 1 << 20)  # noqa: S108
        if way["landlock"] and not way["namespaces"]:
            sealing.landlock(["/"], [])
        if way["filter"]:
            sealing.filter_calls(way["filter"])
    except OSError as error:
        os.write(2, f"sealing: {error.strerror}\n".encode())
        os._exit(1)
    os._exit(0)


def lay_out(way: dict[str, Any], shared: Path) -> None:
    """Make the folder in which a worker finds what it may import, where it is not laid out already."""
    for name, real in way["links"].items():
        link = shared / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(real)
    if way["links"]:
        shared.chmod(0o711)


@dataclass(frozen=True)
class Running:
    """A process that was forked, and the descriptor that can be read when it has ended; a worker has a leash too."""

    process: int
    ended: int
    leash: int = -1
    folder: Path | None = None
    """What is to be taken away when it has ended."""


class Keeper:
    """Forks workers, kills them and tells how they ended: one for all, since one for each would cost another fork."""

    def __init__(self, way: dict[str, Any], shared: Path, control: socket.socket) -> None:
        self._way, self._shared, self._control = way, shared, control
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._running: dict[int, Running] = {}
        """By the descriptors that tell something of them."""

    def run(self) -> None:
        """Do what there is to do, until the other end of the control socket is closed and all have ended."""
        serving = True
        while serving or self._running:
            # One event at a time: a descriptor that is closed for it may be another's when the next one is looked at.
            descriptor, _ = self._poll.poll()[0]
            if descriptor == self._control.fileno():
                serving = self._begin()
            elif self._running[descriptor].leash == descriptor:
                self._let_go(self._running[descriptor])
            else:
                self._conclude(self._running[descriptor])

    def _begin(self) -> bool:
        """Fork a worker for a message. Without one, the other end is closed: all are let go, and nothing will come."""
        _, descriptors, _, _ = socket.recv_fds(self._control, 1, 3)
        if not descriptors:
            self._poll.unregister(self._control)
            for running in set(self._running.values()):
                self._let_go(running)
            return False
        source, sink, leash = descriptors
        try:
            self._fork(source, sink, os.dup(leash))
        finally:  # of a worker that could not be forked, the other end sees that nobody is there
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _fork(self, source: int, sink: int, leash: int) -> None:
        way, shared, folder, parent = self._way, self._shared, self._shared, os.getpid()
        try:
            if not way["namespaces"]:
                folder = Path(tempfile.mkdtemp(dir=shared))
                if way["user"] is not None:
                    os.chown(folder, way["user"], way["user"])
            with apart(way):
                child = os.fork()
                if not child:
                    try:
                        work(way, shared, folder, parent, source, sink)
                    finally:
                        os._exit(1)
        except OSError as error:  # no room on the disk, or too many processes: for the moment, perhaps
            if folder is not shared:
                folder.rmdir()
            self._tell(leash, f"{error.strerror}")
            return
        self._keep(Running(child, os.pidfd_open(child), leash, None if folder is shared else folder))

    def _keep(self, running: Running) -> None:
        for descriptor in (running.ended, running.leash):
            if descriptor >= 0:
                self._running[descriptor] = running
                self._poll.register(descriptor, select.POLLIN)

    def _forget(self, descriptor: int) -> None:
        if self._running.pop(descriptor, None):
            self._poll.unregister(descriptor)

    def _let_go(self, running: Running) -> None:
        """Kill a worker."""
        if running.leash >= 0:
            self._forget(running.leash)
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.process, signal.SIGKILL)

    def _conclude(self, running: Running) -> None:
        """Take the folder of one that has ended away, and tell how it ended."""
        code = os.waitstatus_to_exitcode(os.waitpid(running.process, 0)[1])
        for descriptor in (running.ended, running.leash):
            self._forget(descriptor)
        os.close(running.ended)
        if running.folder is not None:
            self._remove(running.folder)
        if running.leash >= 0:
            self._tell(running.leash, f"{code}")

    @staticmethod
    def _tell(leash: int, what: str) -> None:
        """Say the last that there is to say of a worker, if anybody still listens."""
        with contextlib.suppress(OSError):
            os.write(leash, what.encode())
        os.close(leash)

    def _remove(self, folder: Path) -> None:
        """Take a folder away; if there is something in it, by another process, since that may take long."""
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        child = os.fork()
        if not child:
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(0)
        self._keep(Running(child, os.pidfd_open(child)))


def apart(way: dict[str, Any]) -> AbstractContextManager[None]:
    """What is forked meanwhile has processes of its own, where there are namespaces."""
    return sealing.processes_apart() if way["namespaces"] else nullcontext()


def work(way: dict[str, Any], shared: Path, folder: Path, parent: int, source: int, sink: int) -> None:
    """Be a worker: keep nothing open that is not its own, seal, say so, and answer."""
    import numpy as np
    import wire  # type: ignore[import-not-found]
    import worker

    gather(source, sink)
    os.chdir("/")
    stream = wire.requests(SOURCE)
    start, _ = next(stream)
    try:
        seal(way, shared, folder, parent, start)
        # What was loaded once must not draw the same numbers in each box.
        np.random.seed(int.from_bytes(os.urandom(4)))  # noqa: NPY002
        sys.setrecursionlimit(start["recursion"])
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing may run
        wire.answer(SINK, {"id": start["id"], "failed": f"{type(error).__name__}: {error}"})
        os._exit(1)
    wire.answer(SINK, {"id": start["id"], "ready": True})
    worker.Server(stream, SINK, start).run()


def gather(source: int, sink: int) -> None:
    """Bring the two descriptors to their places, and close all others."""
    high = 100
    kept = [os.dup2(descriptor, high + place) for place, descriptor in enumerate((source, sink))]
    nowhere = os.dup2(os.open(os.devnull, os.O_RDWR), high + len(kept))
    for place, descriptor in (
        (0, nowhere),
        (1, nowhere),
        (2, nowhere),
        (SOURCE, kept[0]),
        (SINK, kept[1]),
        (NOWHERE, nowhere),
    ):
        os.dup2(descriptor, place, inheritable=False)
    os.closerange(NOWHERE + 1, 1 << 16)


def seal(way: dict[str, Any], shared: Path, folder: Path, parent: int, start: dict[str, Any]) -> None:
    """Shut this process in; the last step forbids it what the steps before needed."""
    if way["namespaces"]:
        sealing.own_scratch(str(folder), start["disk"])
    else:
        os.environ.update(HOME=str(folder), TMPDIR=str(folder), MPLCONFIGDIR=str(folder))
    os.chdir(folder)
    tempfile.tempdir = None  # to be found anew, below this folder
    if way["user"] is not None:
        sealing.become(way["user"])
    if way["filter"]:
        sealing.give_up_privileges()
    if way["landlock"] and sealing.landlock_version():
        readable = [*way["readable"], *(str(shared / name.partition("/")[0]) for name in way["links"])]
        sealing.landlock(sorted(set(readable)), [str(folder)], way["devices"])
    sealing.die_with_parent(parent)
    sealing.limit(start["limits"])
    if way["filter"]:
        sealing.filter_calls(way["filter"])


if __name__ == "__main__":
    main()
