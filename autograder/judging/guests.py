"""What is the grader's, and is used by the student's code without being there: a network, for instance.

Whoever answers gets a handle below zero for it, and a stand-in that asks the grader for each call and each attribute.
What is in reach, a guest decides itself: by default nothing at all.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from autograder.sandbox.wire import Handle
from autograder.sandbox.worker import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MEMORY = 8
"""How many of the latest caches are kept; older ones are let go, so that a loop does not fill the grader's memory."""


class Exhausted(LookupError):
    """The object was used more often than its test allows."""


class Guest:
    """Something of the grader's that may be handed out, and be handed back."""

    methods: tuple[str, ...] = ()
    """What may be called; without a name, the guest itself."""

    @property
    def description(self) -> str:
        """What it is, in a few words."""
        return "something of the grader's"

    def answer(self, do: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """What a stand-in gets that asks to "call", "get" or "set" something. Raises LookupError if it is not lent."""
        raise LookupError(f"{name or self.description} is not lent")


class Guests:
    """The guests of one box: each with a number below zero, which no other one ever gets."""

    def __init__(self) -> None:
        self._kept: dict[int, Guest] = {}
        self._numbers = itertools.count(-1, -1)

    def keep(self, guest: Guest) -> Handle:
        """Let a guest be known by a handle."""
        number = next(self._numbers)
        self._kept[number] = guest
        return Handle(number, guest.description, guest.methods)

    def find(self, handle: Handle) -> Guest:
        """Whom a handle stands for. Raises LookupError if it was never given, or has been let go."""
        if handle.number not in self._kept:
            raise LookupError(f"{handle.description} is not lent, or not any more")
        return self._kept[handle.number]

    def clear(self) -> None:
        """Let go of all."""
        self._kept.clear()


class Argument(Guest):
    """A function that a test hands over as an argument."""

    methods = ("",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @property
    def description(self) -> str:
        """What it is, in a few words."""
        return describe(self._function)

    def answer(self, do: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the function returns."""
        return self._function(*args, **kwargs) if (do, name) == ("call", "") else super().answer(do, name, args, kwargs)


class Lent(Guest):
    """An object that whoever answers may use.

    Args:
        name: what the object is called in messages.
        thing: the object.
        methods: which of its methods may be called; no other can be.
        attributes: which of its attributes may be read, as copies.
        calls: how many calls of its methods there may be, all in all.

    Attributes:
        used: how often each method was called.
        inputs: the first argument of each call that has given something, by method, in order.
    """

    def __init__(
        self, name: str, thing: object, methods: Sequence[str], attributes: Sequence[str] = (), *, calls: int
    ) -> None:
        self.methods = tuple(methods)
        self.used: Counter[str] = Counter()
        self.inputs: dict[str, list[Any]] = {method: [] for method in methods}
        self._name = name
        self._thing = thing
        self._attributes = attributes
        self._calls = calls
        self._caches: deque[_Cache] = deque()

    @property
    def description(self) -> str:
        """What it is called."""
        return self._name

    def answer(self, do: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An attribute, or what a method returns, with a guest for each part of it that is no plain value.

        Raises:
            Exhausted: there were more calls than may be.
            LookupError: there is no such method or attribute, or what it is to work on has been let go.
        """
        if do == "get" and name in self._attributes:
            return getattr(self._thing, name)
        if do != "call" or name not in self.methods:
            raise LookupError(f"{self._name}.{name} is not lent")
        if self.used.total() >= self._calls:
            raise Exhausted(f"{self._name} was called more than {self._calls} times")
        self.used[name] += 1
        found = getattr(self._thing, name)(*map(self._found, args), **{k: self._found(v) for k, v in kwargs.items()})
        self.inputs[name] += [*args, *kwargs.values()][:1]
        return tuple(map(self._shown, found)) if type(found) is tuple else self._shown(found)

    def _found(self, value: Any) -> Any:
        if not isinstance(value, Guest):
            return value
        if not isinstance(value, _Cache) or value not in self._caches:
            raise LookupError(f"this is no cache of {self._name}, or one older than the latest {MEMORY}")
        return value.content

    def _shown(self, value: Any) -> Any:
        """A value as it travels: numbers, text and arrays as they are, all else as a cache."""
        import numpy as np

        if value is None or isinstance(value, (bool, int, float, str, np.ndarray, np.generic)):
            return value
        self._caches.append(_Cache(value))
        if len(self._caches) > MEMORY:
            self._caches.popleft().content = None
        return self._caches[-1]


class _Cache(Guest):
    """What a method of a lent object returned, to be handed back to that object."""

    def __init__(self, content: Any) -> None:
        self.content = content

    @property
    def description(self) -> str:
        """What it is, in a few words."""
        return describe(self.content)
