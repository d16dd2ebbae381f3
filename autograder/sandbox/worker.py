"""The part that runs inside the sandbox: it executes statements and answers calls, and judges nothing.

One file that needs the standard library and numpy. The grader takes :class:`Encoder` and :class:`Decoder` from here
too, so that both ends speak one language:

    frame    8 bytes: length of the head, length of the body; then both
    head     JSON; {"id": n, ...} from the grader, and an answer with the same id back
    body     the bytes of all arrays, one after the other
    value    null, true, 7, 0.5, "text", and tagged:
             {"a": [dtype, shape, offset]}   array, its bytes in the body
             {"t": [...]} {"l": [...]} {"d": [[key, value], ...]}   tuple, list, dict
             {"h": [number, description, method, ...]}   handle: something that stays in the box, or with a number
                                       below 0, something that stays with the grader, and what its methods are called

Nothing is ever unpickled, and no length is believed before it is checked.
"""

from __future__ import annotations
import __future__

import json
import math
import os
import re
import struct
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

HEADER = struct.Struct(">II")
ARRAY_KINDS = "biufc"
MAX_DIMENSIONS = 32
KEYS = 1000
"""Keys of a dict that are no text. They can be chosen so that each has to be compared with all the others."""
IN_NOTEBOOK = re.compile(r"<(.+, )?cell \d+>$")
"""The file names of code from this notebook, and from others that it takes functions from."""


class WireError(ValueError):
    """A value that cannot be sent, or a message that breaks the rules above."""


@dataclass(frozen=True)
class Handle:
    """Something that stays where it is: its number, what it is in a few words, and what methods a stand-in has."""

    number: int
    description: str
    methods: tuple[str, ...] = ()


class StandIn:
    """Something of the grader's, as the student's code sees it: a function, an object, or a cache to hand back."""

    def __init__(self, handle: Handle, ask: Callable[..., Any]) -> None:
        self.__dict__.update(_handle=handle, _ask=ask)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Have the grader call it."""
        return self._ask("call", self, "", args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what copy, pickle and numpy look for
            raise AttributeError(name)
        if name in self._handle.methods:
            return lambda *args, **kwargs: self._ask("call", self, name, args, kwargs)
        try:
            return self._ask("get", self, name, (), {})
        except (LookupError, RuntimeError):
            raise AttributeError(f"{self._handle.description} has no attribute {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("set", self, name, (value,), {})


@dataclass
class Budget:
    """What one message may still hold; counted down while it is read or written."""

    values: int
    size: int
    depth: int

    def spend(self, size: int, level: int) -> None:
        """Take one value of ``size`` bytes at nesting ``level``; raises WireError when that is too much."""
        self.values -= 1
        self.size -= size
        if self.values < 0 or self.size < 0 or level > self.depth:
            raise WireError("the message is too large or too deeply nested")


class Encoder:
    """Turns values into JSON and a body of array bytes, within a budget.

    Containers nested deeper than ``by_value``, and everything that is no plain value, become the handle that ``keep``
    gives. An array that occurs twice is sent once.
    """

    def __init__(self, budget: Budget, keep: Callable[[Any], Handle], by_value: int) -> None:
        self.body = bytearray()
        self._budget, self._keep, self._by_value = budget, keep, by_value
        self._sent: dict[int, tuple[Any, Any]] = {}

    def encode(self, value: Any, level: int = 0) -> Any:
        """The JSON for ``value``. Raises WireError when the budget is spent."""
        kind = type(value)
        if kind is np.ndarray or isinstance(value, (np.ndarray, np.generic)):
            plain = value if kind is np.ndarray else np.asarray(value)
            name = name_on_the_way(plain.dtype)
            if name and plain.ndim <= MAX_DIMENSIONS:
                return self._array(value, plain, name, level)
        self._budget.spend(len(value) if kind is str else 8, level)
        if value is None or kind in (bool, float, str) or (kind is int and value.bit_length() <= 64):
            return value
        if self._stays(value, level):
            return self.handle(value)
        if isinstance(value, dict):
            return {"d": [[self.encode(k, level + 1), self.encode(v, level + 1)] for k, v in dict.items(value)]}
        return {"t" if isinstance(value, tuple) else "l": [self.encode(item, level + 1) for item in value]}

    def forget(self) -> None:
        """Send arrays again that were sent already: they may have changed since."""
        self._sent.clear()

    def _stays(self, value: Any, level: int) -> bool:
        """Whether what is no plain value stays where it is."""
        if isinstance(value, dict):
            return level >= self._by_value or other_keys(dict.keys(value)) > KEYS
        return level >= self._by_value or not isinstance(value, (tuple, list))

    def _array(self, value: Any, plain: Any, name: str, level: int) -> Any:
        sent = self._sent.get(id(value))
        self._budget.spend(0 if sent else plain.nbytes, level)
        if sent is None:
            content = plain if plain.dtype.isnative else plain.astype(name)
            # the value is kept too, lest its id be given to another
            sent = self._sent[id(value)] = {"a": [name, list(plain.shape), len(self.body)]}, value
            self.body += content.tobytes()
        return sent[0]

    def handle(self, value: Any) -> Any:
        """The JSON for what does not travel itself."""
        kept = self.kept(value)
        return {"h": [kept.number, kept.description, *kept.methods]}

    def kept(self, value: Any) -> Handle:
        """The handle of what stays where it is, on either side."""
        known = value._handle if isinstance(value, StandIn) else value  # noqa: SLF001 - a class of this file
        return known if isinstance(known, Handle) else self._keep(known)


class Decoder:
    """Turns JSON and a body back into values, each array a copy of its own, within a budget.

    ``find`` turns a handle into what stands for it on this side.
    """

    def __init__(self, body: bytes, budget: Budget, find: Callable[[Handle], Any]) -> None:
        self._body, self._budget, self._find = body, budget, find

    def decode(self, tree: Any, level: int = 0) -> Any:
        """The value that ``tree`` stands for. Raises WireError for anything that breaks the rules."""
        self._budget.spend(8, level)
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        if not (isinstance(tree, dict) and len(tree) == 1):
            raise WireError("a value without a tag")
        [(tag, content)] = tree.items()
        if not isinstance(content, list):
            raise WireError("a tag without its list")
        if tag == "a" and len(content) == 3:
            return self._array(*content)
        if tag == "h" and len(content) >= 2 and type(content[0]) is int and all(type(e) is str for e in content[1:]):
            return self._find(Handle(content[0], content[1], tuple(content[2:])))
        if tag in ("t", "l"):
            items = [self.decode(item, level + 1) for item in content]
            return tuple(items) if tag == "t" else items
        if tag == "d":
            pairs = [self._pair(item, level + 1) for item in content]
            if other_keys(key for key, _ in pairs) > KEYS:
                raise WireError("a dict with too many keys that are no text")
            return dict(pairs)
        raise WireError("a value with an unknown tag")

    def _array(self, name: Any, shape: Any, offset: Any) -> Any:
        if not isinstance(name, str):
            raise WireError("an array without a type")
        if not (isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS):
            raise WireError("an array without a shape")
        for number in (*shape, offset):
            if type(number) is not int or not 0 <= number < 1 << 40:
                raise WireError("an array with an impossible shape")
        dtype = array_type(name)
        self._budget.spend(math.prod(shape) * dtype.itemsize, 0)
        try:
            found = np.ndarray(shape, dtype, self._body, offset).copy()
        except (TypeError, ValueError) as error:  # without entries, the shape may still be too large: (0, 2**39, 2**39)
            raise WireError("an array that reaches past its message, or of an impossible shape") from error
        return found if shape else found[()]

    def _pair(self, item: Any, level: int) -> tuple[Any, Any]:
        if not (isinstance(item, list) and len(item) == 2):
            raise WireError("a dict that is none")
        key, value = self.decode(item[0], level), self.decode(item[1], level)
        try:
            hash(key)
        except TypeError as error:
            raise WireError("a dict with a key that cannot be one") from error
        return key, value


@lru_cache(64)
def name_on_the_way(dtype: Any) -> str:
    """What numpy calls the type of an array in the machine's byte order; nothing if such arrays do not travel."""
    travels = dtype.kind in ARRAY_KINDS and dtype.itemsize <= 16
    return str(dtype.newbyteorder("=").str) if travels else ""


@lru_cache(64)
def array_type(name: str) -> Any:
    """The dtype of an array, by the name that numpy writes. Raises WireError unless arrays of that type may travel."""
    if not (len(name) <= 4 and name[1:2] in tuple(ARRAY_KINDS) and name[2:].isdigit()):
        raise WireError("an array of a type that is not allowed")
    try:
        return np.dtype(name)
    except TypeError as error:
        raise WireError("an array of a type that does not exist") from error


def other_keys(keys: Iterable[Any]) -> int:
    """How many keys of a dict are no text."""
    return sum(type(key) is not str for key in keys)


# --------------------------------------------------------------------------- what only the box itself does


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
        encoder.forget()
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


def requests(source: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The grader's requests; this process ends when the grader does."""
    with os.fdopen(source, "rb") as stream:
        while len(header := stream.read(HEADER.size)) == HEADER.size:
            head, body = HEADER.unpack(header)
            yield json.loads(stream.read(head).decode()), stream.read(body)
    os._exit(0)


def answer(sink: int, head: dict[str, Any], body: bytes = b"") -> None:
    """Write one frame."""
    text = json.dumps(head).encode()
    frame = memoryview(HEADER.pack(len(text), len(body)) + text + body)
    while frame:
        frame = frame[os.write(sink, frame) :]


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
