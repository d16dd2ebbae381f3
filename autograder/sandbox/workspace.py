"""The conversation of a box without the box: code of our own runs in this very process.

The reference solution does, and so do its mutants and its variants, of which there are thousands: no process is started
for them, and nothing is sealed. Who answers does not see the difference: only copies go in and come out, and what is
nested or no plain data stays behind a handle.
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.sandbox.box import Overran, Step, only_handles, raised
from autograder.sandbox.policy import POLICY, Policy
from autograder.sandbox.wire import Budget, Encoder, Handle
from autograder.sandbox.worker import Notebook, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO

    from autograder.sandbox.box import Lender, Raised
    from coursekit.notebook import Statement

NATIVE = {np.dtype(code) for code in np.typecodes["AllInteger"] + np.typecodes["AllFloat"] if code != "G"}
"""The types of the arrays that travel as they are: in the machine's byte order, and no entry larger than 16 bytes."""


class Workspace:
    """A notebook's namespace in this process; what its code raises is raised, what it prints goes nowhere.

    Args:
        lender: what its stand-ins ask.
        policy: how large and how deep a message may be.
        watching: whether to look which arguments calls change.
    """

    def __init__(self, lender: Lender, policy: Policy = POLICY, *, watching: bool = False) -> None:
        self.policy = policy
        self.changed: list[set[str]] = []
        """The array arguments that each step has changed, as their functions name them."""
        self._lender = lender
        self._notebook = Notebook(self._asked, watching=watching)

    def set_file(self, path: Path) -> None:
        """Let the code believe that it stands in this file, to find the notebooks that lie beside it."""
        self._notebook.module.__dict__["__file__"] = str(path)

    def run(self, statement: Statement) -> None:
        """Run one top-level statement."""
        self._notebook.execute(statement.source, statement.cell, statement.line)

    def do(self, steps: Sequence[Step], done: list[Any]) -> None:
        """Do steps in order and add the result of each to those ``done``, with a handle for each thing that stays here.

        They are added as they come: those before one that raises are kept.
        """
        self.changed = []
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = (_Silenced(stream) for stream in before)
        try:
            for step in steps:
                target, args, kwargs = self._found((step.target, step.args, step.kwargs or {}))
                leaving = self._leaving(by_value=1)
                done.append(self._notebook.perform(leaving, step.do, target, step.name, args, kwargs))
                self.changed.append(set(self._notebook.changed))
        finally:
            sys.stdout, sys.stderr = before

    def find(self, handle: Handle) -> Any:
        """What a handle stands for."""
        return self._notebook.find(handle)

    def lend(self, names: Iterable[str], alone: Iterable[str] = ()) -> None:
        """Let functions of these names ask the lender; those that are ``alone`` are not called beside it."""
        self._notebook.lend(names, alone)

    def forget(self) -> None:
        """Let go of everything that a handle was given for."""
        self._notebook.begin_anew()

    def _asked(self, do: str, target: Any, name: str, args: Any, kwargs: Any) -> Any:
        """What a stand-in gets: of copies, as in the box."""
        target, args, kwargs = self._leaving(by_value=self.policy.depth).encode((target, args, kwargs))
        return self._found(self._lender(Step(do, name, target, args, kwargs)))

    def _found(self, value: Any) -> Any:
        """A copy of ``value`` as the code gets it, so that nothing it does reaches the test's own arrays."""
        return Copier(self._budget(), only_handles, self.policy.depth, self._notebook.find).encode(value)

    def _leaving(self, by_value: int) -> Copier:
        """What copies for others, with handles for what stays here."""
        return Copier(self._budget(), self._notebook.keep, by_value, lambda handle: handle)

    def _budget(self) -> Budget:
        return Budget(self.policy.values, self.policy.frame, self.policy.depth)


class Copier(Encoder):
    """Gives a copy of a value in place of the message that the other end would make the same copy of.

    ``find`` turns a handle into what stands for it there.
    """

    def __init__(
        self, budget: Budget, keep: Callable[[Any], Handle], by_value: int, find: Callable[[Handle], Any]
    ) -> None:
        super().__init__(budget, keep, by_value)
        self._find = find

    def encode(self, value: Any, level: int = 0) -> Any:
        """The copy. Raises WireError when the budget is spent."""
        kind = type(value)
        if kind is np.ndarray and value.dtype in NATIVE and value.ndim:  # most of what there is
            self._budget.spend(value.nbytes, level)
            return value.copy()
        if kind is tuple and level < self._by_value:
            self._budget.spend(8, level)
            return tuple([self.encode(item, level + 1) for item in value])
        if not isinstance(value, (tuple, list, dict)) or self._stays(value, level):
            return super().encode(value, level)
        self._budget.spend(8, level)
        if isinstance(value, dict):
            return {self.encode(key, level + 1): self.encode(item, level + 1) for key, item in dict.items(value)}
        items = [self.encode(item, level + 1) for item in value]
        return tuple(items) if isinstance(value, tuple) else items

    def handle(self, value: Any) -> Any:
        """What stands at the other end for what does not travel itself."""
        return self._find(self.kept(value))

    def _array(self, value: Any, plain: Any, name: str, level: int) -> Any:  # noqa: ARG002
        self._budget.spend(plain.nbytes, level)
        copy = plain.astype(name, order="C")
        return copy if copy.shape else copy[()]


class OpenBox(Workspace):
    """Answers like a :class:`autograder.sandbox.box.Box`, in this process: for code of our own, however wrong.

    An endless loop is ended by the same limits, counted in processor time. Only the main thread can use it, since it is
    there that signals arrive. What the code warns of goes nowhere.
    """

    def __init__(self, policy: Policy = POLICY) -> None:
        super().__init__(self._no_lender, policy, watching=True)
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def place(self, name: str, content: bytes) -> None:
        """Put a file beside the notebook, before anything of it runs."""
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory()
            self.set_file(Path(self._scratch.name) / "notebook.ipynb")
        (Path(self._scratch.name) / name).write_bytes(content)

    def execute(self, statement: Statement) -> Raised | None:
        """Run one top-level statement; the exception it raised, or None. Raises Overran."""
        return self._attempt(self.policy.statement_seconds, lambda: self.run(statement))

    def perform(self, steps: Sequence[Step], lender: Lender | None = None) -> list[Any | Raised]:
        """Do ``steps`` in order; one result for each, up to the first that raised. Raises Overran."""
        self._lender = self._answering(lender) if lender else self._no_lender
        results: list[Any | Raised] = []
        calls = sum(step.do == "call" for step in steps)
        seconds = self.policy.call_seconds if calls <= 1 else self.policy.batch_seconds
        failed = self._attempt(seconds, lambda: self.do(steps, results))
        return results if failed is None else [*results, failed]

    def close(self) -> None:
        """Let go of everything."""
        self.forget()
        if self._scratch is not None:
            self._scratch.cleanup()

    def _attempt(self, seconds: float, act: Callable[[], None]) -> Raised | None:
        try:
            with _within(seconds), warnings.catch_warnings(action="ignore"):
                act()
        except _Overdue:
            self.close()
            raise Overran(f"did not come to an end within {seconds:g} s") from None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit and its like included
            return raised(explain(error, self.policy.text), self.policy.message)
        return None

    @staticmethod
    def _no_lender(step: Step) -> Any:
        raise LookupError(f"{step.name} was not lent")

    def _answering(self, lender: Lender) -> Lender:
        """The lender as code in a box knows it: what it raises is told as text, and its time is its own."""

        def ask(step: Step) -> Any:
            left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
            try:
                return lender(step)
            except Exception as error:  # noqa: BLE001 - wrong arguments are the fault of who asks
                raise RuntimeError(f"{type(error).__name__}: {error}"[: self.policy.text]) from None
            finally:
                signal.setitimer(signal.ITIMER_PROF, left)

        return ask


class _Overdue(BaseException):
    """The time is up."""


def _overdue(*_: object) -> None:
    raise _Overdue


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise _Overdue when this process has computed for so long."""
    before = signal.signal(signal.SIGPROF, _overdue)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class _Silenced(io.TextIOBase):
    """Takes whatever this thread writes. What others write, a progress bar for instance, goes where it went before."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        """Take it."""
        return len(text) if self._is_mine() else self._stream.write(text)

    def flush(self) -> None:
        """Have what others wrote arrive."""
        if not self._is_mine():
            self._stream.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal: to others, as before."""
        return not self._is_mine() and self._stream.isatty()

    def _is_mine(self) -> bool:
        return threading.get_ident() == self._thread
