"""Objects of a hidden test that the student's code uses without having them: a network, for instance.

A test makes a :class:`Lent` object and hands it to whoever answers. In the box an object of the same methods stands for
it; to call one is to ask the grader. So the object cannot be tampered with, its calls are counted and bounded, and what
a method returns beside plain values, such as a cache, stays outside: the box holds a handle to it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from autograder.sandbox.worker import Guest, Handle, describe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEMORY = 8
"""How many of the latest caches are kept; older ones are let go, so that a loop does not fill the grader's memory."""


class Exhausted(LookupError):
    """The object was used more often than its test allows."""


class Lent:
    """An object that whoever answers may use.

    Args:
        name: what the object is called in messages; different for each object of one call.
        thing: the object.
        methods: which of its methods may be called; no other can be.
        attributes: which of its attributes are known, as copies.
        calls: how many calls of its methods there may be, all in all.

    Attributes:
        used: how often each method was called.
        inputs: the first argument of each call, by method, in order.
    """

    def __init__(
        self, name: str, thing: object, methods: Sequence[str], attributes: Sequence[str] = (), *, calls: int
    ) -> None:
        self.guest = Guest(name, tuple(methods), {each: getattr(thing, each) for each in attributes})
        self.used: Counter[str] = Counter()
        self.inputs: dict[str, list[Any]] = {method: [] for method in methods}
        self._thing = thing
        self._calls = calls
        self._kept: dict[int, Any] = {}
        self._number = 0

    def call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a method returns, with a handle below zero for each part of it that is no plain value.

        Raises:
            Exhausted: there were more calls than may be.
            LookupError: there is no such method, or what it is to work on has been let go.
        """
        name = f"{self.guest.name}.{method}"
        if method not in self.guest.methods:
            raise LookupError(f"{name} is not lent")
        if self.used.total() >= self._calls:
            raise Exhausted(f"{self.guest.name} was called more than {self._calls} times")
        self.used[method] += 1
        self.inputs[method] += [*args, *kwargs.values()][:1]
        found = getattr(self._thing, method)(*map(self._found, args), **{k: self._found(v) for k, v in kwargs.items()})
        return tuple(map(self._shown, found)) if type(found) is tuple else self._shown(found)

    def _found(self, value: Any) -> Any:
        if not isinstance(value, Handle):
            return value
        if value.number not in self._kept:
            raise LookupError(f"this is no cache of {self.guest.name}, or one older than the latest {MEMORY}")
        return self._kept[value.number]

    def _shown(self, value: Any) -> Any:
        """A value as it travels: numbers, text and arrays as they are, of all else a handle."""
        import numpy as np

        if value is None or isinstance(value, (bool, int, float, str, np.ndarray, np.generic)):
            return value
        self._number -= 1
        self._kept[self._number] = value
        self._kept.pop(self._number + MEMORY, None)
        return Handle(self._number, describe(value))


def lender(objects: Mapping[str, Lent], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a call of "NAME.METHOD". Raises LookupError if no such object is lent."""
    owner, _, method = name.partition(".")
    if owner not in objects:
        raise LookupError(f"{name} is not lent")
    return objects[owner].call(method, args, kwargs)
