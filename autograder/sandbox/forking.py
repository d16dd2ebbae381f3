"""The fork server's inside: an interpreter with numpy loaded, which forks a sealed worker for each box.

It starts with one message of how to seal (see :mod:`autograder.sandbox.ways`), and says when it is there. From then on
each message brings three descriptors: where the worker's requests come from, where its answers go, and its leash.
Between this process and the worker stands one that watches: it kills the worker when the other end of the leash closes
or this process is let go, tells on the leash how it ended, and takes the worker's folder away. What runs in a worker
never runs here.
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
from pathlib import Path
from typing import Any

sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120 - as Python puts it, were it not isolated
import sealing  # type: ignore[import-not-found]
import worker  # type: ignore[import-not-found]

del sys.path[0]

SOURCE, SINK, NOWHERE = 3, 4, 5
"""All that is open in a worker, beside three standard streams that lead nowhere."""


def main() -> None:
    """Fork a worker for each message, until the other end closes; then take away what was made."""
    control = socket.socket(fileno=int(sys.argv[1]))
    way = json.loads(control.recv(1 << 20))
    try_out(way)
    shared = Path("/tmp") if way["namespaces"] else Path(tempfile.mkdtemp(prefix="box-"))  # noqa: S108 - the box's own
    lay_out(way, shared)
    control.send(b"there")
    sys.path[:] = ([] if way["links"] else sys.path) + [path.format(shared=shared) for path in way["paths"]]
    import numpy.random  # noqa: F401 - here once, so that no worker has to

    worker.pretend_ipython()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that watch
    over, running = os.pipe()
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 3)
        if not descriptors:
            break
        if not os.fork():
            control.close()
            os.close(running)
            watch(way, shared, over, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    os.close(running)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    if not way["namespaces"]:
        shutil.rmtree(shared, ignore_errors=True)


def try_out(way: dict[str, Any]) -> None:
    """Try on a process of no worth what is not certain to work; this one ends with an error if it does not."""
    child = os.fork()
    if not child:
        try:
            if way["namespaces"]:
                sealing.own_namespaces()
                sealing.own_scratch("/tmp", 1 << 20)  # noqa: S108
            if way["landlock"] and not way["namespaces"]:
                sealing.landlock(["/"], [])
            if way["filter"]:
                sealing.filter_calls(way["filter"])
        except OSError as error:
            os.write(2, f"sealing: {error.strerror}\n".encode())
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(1)


def lay_out(way: dict[str, Any], shared: Path) -> None:
    """Make the folder in which a worker finds what it may import, where it is not laid out already."""
    for name, real in way["links"].items():
        link = shared / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(real)
    if way["links"]:
        shared.chmod(0o711)


def watch(way: dict[str, Any], shared: Path, over: int, source: int, sink: int, leash: int) -> None:
    """Fork the worker, wait until it ends or has to, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    folder = shared
    if way["namespaces"]:
        sealing.own_namespaces()
    else:
        folder = Path(tempfile.mkdtemp(dir=shared))
        if way["user"] is not None:
            os.chown(folder, way["user"], way["user"])
    parent = os.getpid()
    child = os.fork()
    if not child:
        try:
            work(way, shared, folder, parent, source, sink)
        finally:
            os._exit(1)
    os.close(source)
    os.close(sink)
    ended = os.pidfd_open(child)
    poll = select.poll()
    for descriptor in (over, leash, ended):
        poll.register(descriptor, select.POLLIN)
    poll.poll()
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(OSError):
        os.write(leash, f"{code}".encode())
    if folder is not shared:  # which may take long: nobody waits for it
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def work(way: dict[str, Any], shared: Path, folder: Path, parent: int, source: int, sink: int) -> None:
    """Be a worker: keep nothing open that is not its own, seal, say so, and answer."""
    gather(source, sink)
    os.chdir("/")
    stream = worker.requests(SOURCE)
    start, _ = next(stream)
    try:
        seal(way, shared, folder, parent, start)
        import numpy as np

        # What was loaded once must not draw the same numbers in each box.
        np.random.seed(int.from_bytes(os.urandom(4)))  # noqa: NPY002
        sys.setrecursionlimit(start["recursion"])
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing may run
        worker.answer(SINK, {"id": start["id"], "failed": f"{type(error).__name__}: {error}"})
        os._exit(1)
    worker.answer(SINK, {"id": start["id"], "ready": True})
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
