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
    from collections.abc import Callable, Iterable, Iterator

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
        self._caches = Caches()

    def lend(self, names: Iterable[str], alone: Iterable[str]) -> None:
        """Let functions and classes of these names be the grader's; ``alone`` are not to be called beside it."""
        space = self.module.__dict__
        for name in names:
            own = None if name in alone else space.get(name)
            space[name] = Lent(name, own if callable(own) else nothing, self._caches, self._ask)

    def begin_anew(self) -> None:
        """Let go of everything that the grader holds a handle to."""
        self.kept.clear()
        self._caches.clear()

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


class Caches:
    """Caches of the student's own, each with the one of the grader's that it stands for.

    They are known by what is in them, since a cache may be put together anew before it is handed back. While one is
    ``being_made``, the student's functions call each other.
    """

    def __init__(self) -> None:
        self.being_made = False
        self._lent: dict[tuple[int, ...], tuple[Any, Any]] = {}

    def stand_for(self, lent: Any, own: Any) -> bool:
        """Let ``own`` stand for a cache; whether it can be told from all others."""
        key = self._key(own)
        if not key or key in self._lent:
            return False
        self._lent[key] = lent, list(self._items(own))  # kept, lest their ids be given to others
        return True

    def lent(self, value: Any) -> Any:
        """What a value stands for, or the value."""
        found = self._lent.get(self._key(value)) if self._lent else None
        return found[0] if found else value

    def clear(self) -> None:
        """Forget all."""
        self._lent.clear()

    def _key(self, value: Any) -> tuple[int, ...]:
        return tuple(map(id, self._items(value)))

    @staticmethod
    def _items(value: Any) -> Iterable[Any]:
        if isinstance(value, dict):
            return dict.values(value)
        if isinstance(value, (tuple, list)):
            return value
        return () if value is None or isinstance(value, (str, bytes, int, float, complex)) else (value,)


class Lent:
    """A function or class of the grader's, under the name that the student's code knows.

    Where it returns a cache last, the student's own function is called beside it, for a cache that their other
    functions may look into. What the grader gets back is its own.
    """

    def __init__(self, name: str, own: Callable[..., Any], caches: Caches, ask: Callable[..., Any]) -> None:
        self._name, self._own, self._caches, self._ask = name, own, caches, ask

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Have the grader call it."""
        if self._caches.being_made:
            return self._own(*args, **kwargs)
        lent = self._caches.lent
        given = {key: lent(value) for key, value in kwargs.items()}
        found = self._ask("call", None, self._name, tuple(map(lent, args)), given)
        if isinstance(found, tuple) and isinstance(found[-1], StandIn):
            own = self._own_cache(args, kwargs)
            if self._caches.stand_for(found[-1], own):
                return (*found[:-1], own)
        return found

    def _own_cache(self, args: Any, kwargs: Any) -> Any:
        """What the student's function returns last, for copies of arrays, which it may change; None if it fails."""
        self._caches.being_made = True
        try:
            found = self._own(*map(copied, args), **{key: copied(value) for key, value in kwargs.items()})
            return found[-1]
        except BaseException:  # noqa: BLE001 - SystemExit and its like included
            return None
        finally:
            self._caches.being_made = False


def copied(value: Any) -> Any:
    """A copy of an array, and all else as it is."""
    return value.copy() if isinstance(value, np.ndarray) else value


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
                self._notebook.lend(head["names"], head["alone"])
            else:
                if head["anew"]:
                    self._notebook.begin_anew()
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
