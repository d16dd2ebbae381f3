"""The part that runs inside the sandbox: it executes statements and answers calls, and judges nothing.

It needs the standard library and numpy, and ``wire.py`` beside it.
"""

from __future__ import annotations
import __future__

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING or __package__:  # the grader, which runs code of its own in the same way
    from autograder.sandbox.wire import Budget, Decoder, Encoder, Handle, StandIn, answer
else:  # the box
    from wire import Budget, Decoder, Encoder, Handle, StandIn, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IN_NOTEBOOK = re.compile(r"<(.+, )?cell \d+>$")
"""The file names of code from this notebook, and from others that it takes functions from."""


class Notebook:
    """The student's namespace, and whatever of it the grader holds a handle to.

    ``ask(do, target, name, args, kwargs)`` has the grader do something with what it keeps itself. Without ``watching``,
    nobody looks whether calls change their arguments.
    """

    def __init__(self, ask: Callable[..., Any], *, watching: bool = True) -> None:
        self.module = ModuleType("__main__")
        self.module.__dict__.update(display=nothing, get_ipython=nothing)
        self.kept: dict[int, Any] = {}
        self.future = 0
        self.changed: list[str] = []
        """The array arguments that the latest call has changed, as the function names them."""
        self._ask, self._watching = ask, watching
        self._latest: Any = None

    def keep(self, value: Any) -> Handle:
        """Hold on to ``value`` until the grader begins anew."""
        number = len(self.kept) + 1
        self.kept[number] = value
        return Handle(number, describe(value))

    def find(self, handle: Handle) -> Any:
        """What the grader means by ``handle``: a thing of ours, or what stands for a thing of its own."""
        return StandIn(handle, self._ask) if handle.number < 0 else self.kept[handle.number]

    def execute(self, source: str, cell: int, line: int) -> None:
        """Run one top-level statement as if it stood at this line of this cell."""
        code = compile("\n" * (line - 1) + source, f"<cell {cell}>", "exec", self.future, dont_inherit=True)
        # An import from the future holds for what follows.
        self.future |= code.co_flags & __future__.annotations.compiler_flag
        exec(code, self.module.__dict__)  # noqa: S102 - this is what the box is for

    def perform(self, encoder: Encoder, what: str, target: Any, name: str, args: Any, kwargs: Any) -> Any:
        """One step of a request: call a function or method, get or set an attribute, keep a value, or fetch it.

        "follow" calls too, with the last part of the latest result behind its arguments; "count" does, and gives how
        often lines were run and functions called instead of the result.
        """
        self.changed = []
        if what == "keep":
            return encoder.handle(*args)
        if what == "fetch":
            value = target
        elif what == "get":
            value = getattr(target, name)
        elif what == "set":
            value = setattr(target, name, *args)  # type: ignore[func-returns-value]
        else:
            function = self.module.__dict__[name] if target is None else getattr(target, name)
            if what == "follow":
                args = (*args, self._latest[-1])
            before = contents(args) if self._watching and what != "count" else []
            value = executions(function, args, kwargs) if what == "count" else function(*args, **kwargs)
            self._latest = value
            if before and (after := contents(args)) != before:
                pairs = zip(parameters(function, len(args)), before, after, strict=True)
                self.changed = [name for name, old, new in pairs if old != new]
        return encoder.encode(value)


def nothing(*_: Any, **__: Any) -> None:
    """Stands for what a notebook has and a grader has not: ``display`` and its like show nothing here."""


def pretend_ipython() -> None:
    """Let what notebooks import from IPython be there, and do nothing."""
    package, display = ModuleType("IPython"), ModuleType("IPython.display")
    package.__dict__.update(display=display, get_ipython=nothing, version_info=(9, 0))
    display.__dict__["__getattr__"] = lambda _: nothing
    sys.modules.update({"IPython": package, "IPython.display": display})


def describe(value: Any) -> str:
    """What ``value`` is, in a few words: "a tuple of 4", "a numpy array of dtype object"."""
    kind = type(value)
    name = str(getattr(kind, "__name__", "object"))[:60]
    if kind in (tuple, list, dict):
        return f"a {name} of {len(value)}"
    if kind.__module__ == "numpy" and hasattr(value, "dtype"):
        return f"a numpy array of dtype {value.dtype}"[:80]
    return f"a {name}"


def contents(args: Any) -> list[bytes | None]:
    """The bytes of those arguments that are arrays."""
    return [item.tobytes() if isinstance(item, np.ndarray) else None for item in args]


def parameters(function: Any, count: int) -> list[str]:
    """What a function calls its first ``count`` arguments; where that cannot be told, by their place."""
    code = getattr(function, "__code__", None)
    names = list(code.co_varnames[hasattr(function, "__self__") : code.co_argcount]) if code else []
    return [*names, *(f"argument {place + 1}" for place in range(len(names), count))][:count]


def executions(function: Any, args: Any, kwargs: Any) -> dict[str, int]:
    """How often a function calls each function of the notebook, and under "" how often its busiest line runs."""
    lines: dict[Any, int] = {}
    calls: dict[str, int] = {}

    def trace(frame: Any, event: str, _: Any) -> Any:
        code = frame.f_code
        if not IN_NOTEBOOK.match(code.co_filename):
            return None
        if event == "call":
            calls[code.co_qualname] = calls.get(code.co_qualname, 0) + 1
        elif event == "line":
            lines[code, frame.f_lineno] = lines.get((code, frame.f_lineno), 0) + 1
        return trace

    sys.settrace(trace)
    try:
        function(*args, **kwargs)
    finally:
        sys.settrace(None)
    return {**calls, "": max(lines.values(), default=0)}


def explain(error: BaseException, limit: int) -> dict[str, Any]:
    """An exception as plain data: its type, its message, and where in the notebook it came from."""
    try:
        message = str(error)[:limit]
    except BaseException:  # noqa: BLE001 - a message of the student's own may raise anything
        message = ""
    lines: list[list[Any]] = []
    trace = error.__traceback__
    while trace is not None and len(lines) < 200:
        code = trace.tb_frame.f_code
        if IN_NOTEBOOK.match(code.co_filename):
            lines.append([code.co_filename[1:-1], trace.tb_lineno or 0, code.co_name])
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and IN_NOTEBOOK.match(str(error.filename)):
        message = str(error.msg)[:limit]
        lines.append([str(error.filename)[1:-1], error.lineno or 0, ""])
    kinds = [str(base.__name__)[:80] for base in type(error).__mro__ if base is not object]
    return {"type": kinds[0], "kinds": kinds[:20], "message": message, "lines": lines[-8:]}


class Server:
    """Answers request after request."""

    def __init__(self, stream: Iterator[tuple[dict[str, Any], bytes]], sink: int, start: dict[str, Any]) -> None:
        self._stream, self._sink, self._start = stream, sink, start
        self._notebook = Notebook(self._ask)
        self._id = start["id"]
        sys.modules["__main__"] = self._notebook.module

    def run(self) -> None:
        """Serve until the grader's end of the pipe closes."""
        for head, received in self._stream:
            self._id = head["id"]
            encoder = Encoder(self._budget(), self._notebook.keep, by_value=1)
            results = []
            if head["op"] == "execute":
                results.append(self._attempt(self._notebook.execute, head["source"], head["cell"], head["line"]))
            elif head["op"] == "place":
                results.append(self._attempt(Path(head["name"]).write_bytes, received))
            elif head["op"] == "lend":
                self._notebook.module.__dict__.update({name: self._lent(name) for name in head["names"]})
            else:
                if head["anew"]:
                    self._notebook.kept.clear()
                for step in self._decode(head["steps"], received):
                    results.append(self._attempt(self._notebook.perform, encoder, *step))
                    if "error" in results[-1]:  # the steps after it need it
                        break
                    results[-1]["changed"] = self._notebook.changed
            answer(self._sink, {"id": self._id, "results": results}, bytes(encoder.body))

    def _attempt(self, act: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        try:
            return {"value": act(*arguments)}
        except BaseException as error:  # noqa: BLE001 - SystemExit and its like included
            return {"error": explain(error, self._start["text"])}

    def _lent(self, name: str) -> Callable[..., Any]:
        """A function or class that is the grader's."""
        return lambda *args, **kwargs: self._ask("call", None, name, args, kwargs)

    def _ask(self, *step: Any) -> Any:
        """Have the grader do one step, in the middle of its request, and wait."""
        encoder = Encoder(self._budget(), self._notebook.keep, by_value=self._start["depth"])
        tree = encoder.encode(step)
        answer(self._sink, {"id": self._id, "lend": tree}, bytes(encoder.body))
        reply, received = next(self._stream)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return self._decode(reply["value"], received)

    def _decode(self, tree: Any, received: bytes) -> Any:
        return Decoder(received, self._budget(), self._notebook.find).decode(tree)

    def _budget(self) -> Budget:
        return Budget(self._start["values"], self._start["frame"], self._start["depth"])
