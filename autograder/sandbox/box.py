"""Start a sandbox, talk to it, end it.

The grader trusts nothing that comes back: each answer has a time limit and a size limit, must carry the number of the
request it answers, and is decoded by rules (see :mod:`autograder.sandbox.wire`). After the first
:class:`Trouble` the box is gone, and a new one has to be started.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import select
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from autograder.errors import BrokenBox
from autograder.sandbox import forkserver, wire
from autograder.sandbox.policy import POLICY, Policy
from autograder.sandbox.wire import Budget, Handle
from coursekit.notebook import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from autograder.sandbox.ways import Way
    from coursekit.notebook import Statement

    Lender = Callable[["Step"], Any]


class Trouble(Exception):
    """The box is gone, by the doing of what ran in it. ``str`` completes the sentence "affine_forward ..."."""


class Died(Trouble):
    """The interpreter ended: a crash, ``os._exit``, a signal."""


class Overran(Trouble):
    """No answer within the time limit."""


class Lied(Trouble):
    """Something came back that no honest worker sends."""


@dataclass(frozen=True)
class Raised:
    """An exception in the student's code, as far as it is believed: plain text, cut to length."""

    kind: str
    kinds: tuple[str, ...]
    message: str
    lines: tuple[tuple[str, int, str], ...]
    """Where in the notebook, outermost first: ("cell 7", 12, "affine_forward")."""


class Step(NamedTuple):
    """One thing to do in the box.

    "call" a function, a method of ``target``, or without a name ``target`` itself; "follow" does so too, with the last
    thing that the step before has returned as one more argument; "count" calls, and results in how often each function
    was called in it, and under "" the busiest line was run; "get" or "set" an attribute;
    "keep" a value, so that it stays there and a handle stands for it; "fetch" what a handle holds.
    """

    do: str
    name: str = ""
    target: Handle | None = None
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] | None = None


class Box:
    """A running sandbox; use it in a ``with`` block.

    Args:
        policy: its limits.
        way: how it is shut; by default in the strongest way of this machine.
        kit: the files of the helper package that it shows; by default all.

    Raises:
        SandboxUnavailable: this machine cannot isolate; the error says what is missing.
        BrokenBox: the worker did not come up.
    """

    def __init__(self, policy: Policy = POLICY, way: Way | None = None, kit: tuple[str, ...] | None = None) -> None:
        self.policy = policy
        self.changed: list[set[str]] = []
        """The arguments that each step of the latest request has changed, by parameter name."""
        self._closed = self._anew = False
        self._numbers = itertools.count(secrets.randbits(32))
        self._child = forkserver.fork(way, kit)
        self._sink, self._source = self._child.sink, self._child.source
        self._received = bytearray()
        os.set_blocking(self._sink, False)
        os.set_blocking(self._source, False)
        start = {
            "limits": {
                "RLIMIT_AS": policy.memory,
                "RLIMIT_CPU": policy.cpu_seconds,
                "RLIMIT_NPROC": policy.processes,
                "RLIMIT_NOFILE": policy.open_files,
                "RLIMIT_FSIZE": policy.disk,
                "RLIMIT_CORE": 0,
            },
            "disk": policy.disk,
            "recursion": sys.getrecursionlimit(),
            "text": policy.text,
            "values": policy.values,
            "frame": policy.frame,
            "depth": policy.depth,
        }
        self._starting: int | None = None
        try:
            self._starting = self._send(start, b"", time.monotonic() + policy.start_seconds)
        except Trouble as trouble:
            raise self._did_not_start(f"it {trouble}") from None

    def __enter__(self) -> Self:
        self._wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------- requests

    def execute(self, statement: Statement) -> Raised | None:
        """Run one top-level statement; the exception it raised, or None. Raises Trouble."""
        head = {"op": "execute", "source": statement.source, "cell": statement.cell, "line": statement.line}
        [result] = self._results(head, b"", self.policy.statement_seconds, 1)
        return result if isinstance(result, Raised) else None

    def place(self, name: str, content: bytes) -> None:
        """Put a file beside the notebook, before anything of it runs. Raises BrokenBox."""
        try:
            [result] = self._results({"op": "place", "name": name}, content, self.policy.call_seconds, 1)
        except Trouble as trouble:
            raise BrokenBox(f"The sandbox took no file: it {trouble}.") from None
        if isinstance(result, Raised):
            raise BrokenBox(f"The sandbox took no file: {result.kind}: {result.message}")

    def lend(self, names: Iterable[str], alone: Iterable[str] = ()) -> None:
        """Let functions of these names ask the ``lender`` of :meth:`perform`. Raises Trouble.

        Where that returns a cache last, the code gets one of its own function for it, unless that is to be left
        ``alone``.
        """
        self._ask({"op": "lend", "names": list(names), "alone": list(alone)}, b"", self.policy.call_seconds)

    def perform(self, steps: Sequence[Step], lender: Lender | None = None) -> list[Any | Raised]:
        """Do ``steps`` in order; one result for each, up to the first that raised. Raises Trouble.

        ``lender`` answers calls of lent functions, only while this runs.

        A result's top level travels by value: numbers, text, arrays, and a tuple, list or dict of them. Containers
        within it, and everything else, stay in the box and are answered as a :class:`Handle`.
        """
        encoder = wire.Encoder(self._budget(), only_handles, by_value=self.policy.depth)
        tree = encoder.encode([(s.do, s.target, s.name, s.args, s.kwargs or {}) for s in steps])
        calls = sum(step.do == "call" for step in steps)  # what follows one shares its time
        seconds = self.policy.call_seconds if calls <= 1 else self.policy.batch_seconds
        head = {"op": "perform", "steps": tree, "anew": self._anew}
        self._anew = False
        return self._results(head, bytes(encoder.body), seconds, len(steps), lender)

    def forget(self) -> None:
        """Let go of every handle given so far, with the next steps: a message of its own would take longer."""
        self._anew = True

    def close(self) -> None:
        """End the box and everything in it. Calling it twice is harmless."""
        if not self._closed:
            self._closed = True
            self._child.kill()

    # ---------------------------------------------------------------------------------------------- frames

    def _ask(
        self, head: dict[str, Any], body: bytes, seconds: float, lender: Lender | None = None
    ) -> tuple[dict[str, Any], bytes]:
        """Send one request and wait for its answer; after any Trouble the box is closed."""
        if self._closed:
            raise Died("cannot go on: the interpreter has ended")
        self._wait_until_ready()
        deadline = time.monotonic() + seconds
        try:
            number = self._send(head, body, deadline)
            reply, arrays = self._receive(number, deadline)
            latest = deadline + self.policy.lent_seconds
            while "lend" in reply:
                asked = time.monotonic()
                self._answer_loan(number, reply, arrays, lender, deadline)
                deadline = min(deadline + time.monotonic() - asked, latest)
                reply, arrays = self._receive(number, deadline)
        except Overran:
            self.close()
            raise Overran(f"did not come to an end within {seconds:g} s") from None
        except Trouble:
            self.close()
            raise
        return reply, arrays

    def _answer_loan(
        self, number: int, asked: dict[str, Any], arrays: bytes, lender: Lender | None, deadline: float
    ) -> None:
        """Have a lent function called, and write what it returns."""
        if lender is None or len(arrays) > self.policy.loan:
            raise Lied("asked for a function that was not lent to it, or with too much")
        encoder = wire.Encoder(self._budget(), only_handles, by_value=self.policy.depth)
        try:
            do, target, name, args, kwargs = wire.Decoder(arrays, self._budget(), _plain).decode(asked["lend"])
            reply = {"id": number, "value": encoder.encode(lender(Step(do, name, target, args, kwargs)))}
        except Exception as error:  # noqa: BLE001 - wrong arguments are the student's, and they get to see it
            reply = {"id": number, "error": f"{type(error).__name__}: {error}"[: self.policy.text]}
        self._write(wire.frame(reply, encoder.body), deadline)

    def _wait_until_ready(self) -> None:
        """The interpreter comes up while the grader does something else; here it is waited for."""
        if self._starting is not None:
            number, self._starting = self._starting, None
            try:
                reply, _ = self._receive(number, time.monotonic() + self.policy.start_seconds)
            except Trouble as trouble:
                raise self._did_not_start(f"it {trouble}") from None
            if not reply.get("ready"):
                raise self._did_not_start(f"{reply.get('failed')}")

    def _send(self, head: dict[str, Any], body: bytes, deadline: float) -> int:
        number = next(self._numbers)
        if self._received or self._take_in():
            raise Lied("sent an answer before it was asked")
        self._write(wire.frame({**head, "id": number}, body), deadline)
        return number

    def _receive(self, number: int, deadline: float) -> tuple[dict[str, Any], bytes]:
        sizes = wire.HEADER.unpack(self._read(wire.HEADER.size, deadline))
        if sizes[0] > self.policy.head or sizes[1] > self.policy.frame:
            raise Lied("returned more than can be taken")
        try:
            reply = json.loads(self._read(sizes[0], deadline).decode())
        except (ValueError, RecursionError):
            raise Lied("sent what is no answer") from None
        if not isinstance(reply, dict) or reply.get("id") != number:
            raise Lied("sent an answer to another question")
        return reply, self._read(sizes[1], deadline)

    def _write(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._sink, rest) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, self._sink, deadline)
            except BrokenPipeError:
                raise self._died() from None

    def _read(self, count: int, deadline: float) -> bytes:
        while len(self._received) < count:
            self._wait(select.POLLIN, self._source, deadline)
            if self._take_in() == b"":
                raise self._died()
        part = bytes(self._received[:count])
        del self._received[:count]
        return part

    def _take_in(self) -> bytes | None:
        """Take in what has come, as much as there is, since each look costs the same; nothing if the pipe is closed."""
        try:
            part = os.read(self._source, 1 << 20)
        except BlockingIOError:
            return None
        self._received += part
        return part

    def _wait(self, event: int, descriptor: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise Overran

    def _budget(self) -> Budget:
        return Budget(self.policy.values, self.policy.frame, self.policy.depth)

    def _results(
        self, head: dict[str, Any], body: bytes, seconds: float, count: int, lender: Lender | None = None
    ) -> list[Any | Raised]:
        """Ask, and read the results: ``count`` of them, or fewer when the last one raised."""
        reply, arrays = self._ask(head, body, seconds, lender)
        decoder = wire.Decoder(arrays, self._budget(), _plain)
        try:
            self.changed = [
                {clean(name, 80) for name in result.get("changed", ())[:20]} for result in reply["results"][:count]
            ]
            found = [
                raised(result["error"], self.policy.message)
                if "error" in result
                else _cleaned(decoder.decode(result["value"]))
                for result in reply["results"]
            ]
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is no answer
            raise self._lied("with what cannot be read") from None
        if len(found) > count or (len(found) < count and not (found and isinstance(found[-1], Raised))):
            raise self._lied("with too many results or too few")
        return found

    def _lied(self, how: str) -> Lied:
        self.close()
        return Lied(f"answered {how}")

    def _died(self) -> Died:
        code = self._child.ended(1) or 0  # not seen to end: the pipe is closed, but somebody is still there
        if isinstance(code, str):
            return Died(f"could not be forked: {code}")
        number = -code if code < 0 else code - 128
        if number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE):
            return Died("crashed the interpreter (for instance by endless recursion)")
        return Died("ended the interpreter")

    def _did_not_start(self, why: str) -> BrokenBox:
        self.close()
        return BrokenBox(f"The sandbox did not start: {why}.")


def raised(told: Any, limit: int) -> Raised:
    """An exception as the worker tells it, as far as it is believed."""
    return Raised(
        kind=clean(told["type"], 80),
        kinds=tuple(clean(kind, 80) for kind in told["kinds"][:20]),
        message=clean(cut(told["message"], limit), limit),
        lines=tuple((clean(cell, 20), int(line), clean(name, 80)) for cell, line, name in told["lines"][:8]),
    )


def clean(told: Any, limit: int) -> str:
    """Text from the box, cut to length, without the characters that would move a terminal's cursor or mirror a line."""
    if not isinstance(told, str):
        raise TypeError("text from the box is no text")
    told = told[:limit]
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in told)


def _cleaned(value: Any) -> Any:
    """A value with all text in it cleaned."""
    if isinstance(value, str):
        return clean(value, POLICY.text)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_cleaned(item) for item in value)
    return value


def only_handles(value: Any) -> Handle:
    """What may be sent into a box beside plain values: a handle that came from it."""
    if isinstance(value, Handle):
        return value
    raise TypeError(f"a {type(value).__name__} cannot be sent to a notebook: send arrays, numbers or text")


def _plain(handle: Handle) -> Handle:
    return Handle(handle.number, clean(handle.description, 80), tuple(clean(name, 80) for name in handle.methods))
