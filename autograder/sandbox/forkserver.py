"""The fork server from outside: started once in a process, it gives a new worker in milliseconds.

To load an interpreter and numpy takes a sixth of a second, to fork one that has them a fiftieth of that. Nothing of one
box reaches the next: the server itself never runs anything of a student's.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import threading
from dataclasses import dataclass
from typing import TypeAlias

from autograder.errors import AutograderError, BrokenBox, NamespacesForbidden, SandboxUnavailable
from autograder.sandbox import bubblewrap
from autograder.sandbox.policy import POLICY
from autograder.sandbox.ways import Way

REFUSALS = ("bwrap:", "sealing:")
"""How the last words begin of what was not allowed to shut itself in."""
Kit: TypeAlias = "tuple[str, ...] | None"
NEWER_KERNEL = "Landlock is needed: Linux 5.13 or newer, with landlock among the security modules that are switched on."


@dataclass(frozen=True)
class Child:
    """A worker: the two ends of the conversation, and its leash."""

    sink: int
    source: int
    leash: socket.socket

    def ended(self, seconds: float) -> int | str | None:
        """How it ended, negative for a signal, or why there never was one.

        None if it has not ended within ``seconds``, or was not seen to.
        """
        self.leash.settimeout(seconds)
        try:
            told = self.leash.recv(256).decode()
        except OSError:
            return None
        return int(told) if told.removeprefix("-").isdigit() else told or None

    def kill(self) -> None:
        """End it and everything in it, and wait until it has ended."""
        with contextlib.suppress(OSError):
            self.leash.shutdown(socket.SHUT_WR)
        self.ended(POLICY.start_seconds)
        self.close()

    def close(self) -> None:
        """Let go of it, which ends it sooner or later."""
        self.leash.close()
        os.close(self.sink)
        os.close(self.source)


class ForkServer:
    """A running fork server; ``forbidden`` says why it is not of a stronger way.

    Raises:
        SandboxUnavailable: this machine cannot isolate in this way; the error says what is missing.
        BrokenBox: it did not come up.
    """

    def __init__(self, way: Way, kit: Kit) -> None:
        self.way, self.process = way, os.getpid()
        self.forbidden: NamespacesForbidden | None = None
        command, instructions = way.command(kit), json.dumps(way.instructions(kit)).encode()
        self._control, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with inside:
            self._server = subprocess.Popen(  # noqa: S603 - our own command line
                [*command, str(inside.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=way.environment(),
                cwd="/",
                pass_fds=[inside.fileno()],
                start_new_session=True,
            )
        self._control.settimeout(POLICY.start_seconds)
        try:
            self._control.send(instructions)
            there = self._control.recv(16)
        except OSError:  # it has ended, or hangs
            there = b""
        if not there:
            raise self._did_not_start()

    def fork(self) -> Child:
        """A new worker. Raises OSError if the server is gone."""
        if self._server.poll() is not None:  # while what was in it ends, its socket still takes messages
            raise BrokenPipeError
        requests, sink = os.pipe()
        source, answers = os.pipe()
        leash, end = socket.socketpair()
        child = Child(sink, source, leash)
        try:
            socket.send_fds(self._control, [b"fork"], [requests, answers, end.fileno()])
        except OSError:
            child.close()
            raise
        finally:
            end.close()
            os.close(requests)
            os.close(answers)
        return child

    def close(self) -> None:
        """Let it go; it ends when its workers have."""
        self._control.close()
        assert self._server.stderr is not None
        self._server.stderr.close()
        if self.process == os.getpid():
            self._server.wait()

    def _did_not_start(self) -> AutograderError:
        self._server.kill()
        assert self._server.stderr is not None
        said = self._server.stderr.read(4096).decode(errors="replace").strip()
        self.close()
        refused = said.splitlines()[-1] if said.startswith(REFUSALS) else ""
        if refused and self.way is Way.NAMESPACES:
            return bubblewrap.refusal(refused)
        if refused:
            return SandboxUnavailable(f"This kernel cannot shut code in without namespaces ({refused}).", NEWER_KERNEL)
        return BrokenBox(f"The sandbox did not start: {said[-500:]}")


_servers: dict[tuple[Way | None, Kit], ForkServer] = {}
"""Those of this process; None stands for the strongest way, and for the whole kit."""
_one_at_a_time = threading.Lock()


def fork(way: Way | None = None, kit: Kit = None) -> Child:
    """A new worker, of the one fork server that this process has for each way; by default in the strongest way.

    It sees these files of the helper package, by default all.

    Raises:
        SandboxUnavailable: this machine cannot isolate; the error says what is missing.
        BrokenBox: the fork server did not come up.
    """
    with _one_at_a_time:
        server = _server(way, kit)
        with contextlib.suppress(OSError):  # killed, perhaps: then a new one has to do it
            return server.fork()
        server.close()
        for known in [known for known, other in _servers.items() if other is server]:
            del _servers[known]
        return _server(way, kit).fork()


def strongest() -> Way:
    """The strongest way to shut code in on this machine: found out by trying. Raises as :func:`fork` does."""
    with _one_at_a_time:
        return _server(None, None).way


def namespaces_forbidden(kit: Kit = None) -> NamespacesForbidden | None:
    """Why code is not shut in by namespaces on this machine; None if it is. Raises as :func:`fork` does.

    It takes the fork server that shows these files of the helper package.
    """
    with _one_at_a_time:
        return _server(None, kit).forbidden


def _server(way: Way | None, kit: Kit) -> ForkServer:
    server = _servers.get((way, kit))
    if server is None or server.process != os.getpid():  # that of the process which this one was forked from
        server = _servers[way, kit] = ForkServer(way, kit) if way else _strongest(kit)
    return server


def _strongest(kit: Kit) -> ForkServer:
    try:
        return _server(Way.NAMESPACES, kit)
    except NamespacesForbidden as refused:
        try:
            server = _server(Way.LANDLOCK, kit)
        except SandboxUnavailable as error:
            raise SandboxUnavailable(f"{refused.message} {error.message}", refused.fix) from None
        server.forbidden = refused
        return server


@atexit.register
def _close() -> None:
    for server in set(_servers.values()):
        server.close()
