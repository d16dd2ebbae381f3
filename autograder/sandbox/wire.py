"""What the grader and the inside of a box say to each other: frames over a pipe, and values in them.

    frame    8 bytes: length of the head, length of the body; then both
    head     JSON; {"id": n, ...} from the grader, and an answer with the same id back
    body     the bytes of all arrays, one after the other
    value    null, true, 7, 0.5, "text", and tagged:
             {"a": [dtype, shape, offset]}   array, its bytes in the body
             {"t": [...]} {"l": [...]} {"d": [[key, value], ...]}   tuple, list, dict
             {"h": [number, description, method, ...]}   handle: something that stays in the box, or with a number
                                       below 0, something that stays with the grader, and what its methods are called

Nothing is ever unpickled, and no length is believed before it is checked. Both ends use this file, which needs the
standard library and numpy.
"""

from __future__ import annotations

import json
import math
import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

HEADER = struct.Struct(">II")
ARRAY_KINDS = "biufc"
MAX_DIMENSIONS = 32
BITS = 64
"""Of a number; a larger one stays where it is."""
KEYS = 1000
"""Keys of a dict that are no text. They can be chosen so that each has to be compared with all the others."""


def frame(head: dict[str, Any], body: bytes | bytearray = b"") -> bytes:
    """One frame."""
    text = json.dumps(head).encode()
    return HEADER.pack(len(text), len(body)) + text + body


def requests(source: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The grader's requests; this process ends when the grader does."""
    with os.fdopen(source, "rb") as stream:
        while len(header := stream.read(HEADER.size)) == HEADER.size:
            head, body = HEADER.unpack(header)
            yield json.loads(stream.read(head).decode()), stream.read(body)
    os._exit(0)


def answer(sink: int, head: dict[str, Any], body: bytes = b"") -> None:
    """Write one frame."""
    rest = memoryview(frame(head, body))
    while rest:
        rest = rest[os.write(sink, rest) :]


class WireError(ValueError):
    """A value that cannot be sent, or a message that breaks the rules above."""


@dataclass(frozen=True)
class Handle:
    """Something that stays where it is: its number, what it is in a few words, and what methods a stand-in has."""

    number: int
    description: str
    methods: tuple[str, ...] = ()


class Sealed(TypeError):
    """The student's code wanted to look into something of the grader's."""


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

    def __iter__(self) -> Iterator[Any]:
        raise Sealed(f"{self._handle.description} is the grader's, and nobody can look into it")

    def __getitem__(self, place: Any) -> Any:
        return iter(self)


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
    gives. An array that occurs twice in a value is sent once.
    """

    def __init__(self, budget: Budget, keep: Callable[[Any], Handle], by_value: int) -> None:
        self.body = bytearray()
        self._budget, self._keep, self._by_value = budget, keep, by_value
        self._sent: dict[int, tuple[Any, Any]] = {}

    def encode(self, value: Any, level: int = 0) -> Any:
        """The JSON for ``value``. Raises WireError when the budget is spent."""
        if not level:
            self._sent.clear()  # what was sent before may have changed since
        kind = type(value)
        if kind is np.ndarray or isinstance(value, (np.ndarray, np.generic)):
            plain = value if kind is np.ndarray else np.asarray(value)
            name = name_on_the_way(plain.dtype)
            if name and plain.ndim <= MAX_DIMENSIONS:
                return self._array(value, plain, name, level)
        self._budget.spend(len(value) if kind is str else 8, level)
        if value is None or kind in (bool, float, str) or (kind is int and value.bit_length() <= BITS):
            return value
        if self._stays(value, level):
            return self.handle(value)
        if isinstance(value, dict):
            return {"d": [[self.encode(k, level + 1), self.encode(v, level + 1)] for k, v in dict.items(value)]}
        return {"t" if isinstance(value, tuple) else "l": [self.encode(item, level + 1) for item in value]}

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
        if type(tree) is int and tree.bit_length() > BITS:
            raise WireError("a number that is too large")
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
