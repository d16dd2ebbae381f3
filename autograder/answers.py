"""Whoever answers calls by name: the student in the box, or the reference solution here.

A hidden test does not see the difference:

    out, cache = student.affine_forward(x, W, b)
    model = student.Network(hidden_dim=7, dtype="float64")
    model.set("params", {...})
    loss, grads = model.call("loss", X, y)
    grads.fetch()["W1"]

Functions may be arguments: ``student.minimise(lambda x: np.sum(x**2), x)``. They stay here, and are called from there.

The top level of a result travels by value: numbers, text, arrays, and a tuple, list or dict of them. What is nested
within it (a cache, a dict of gradients), and whatever is no plain data, comes as a :class:`Thing`, which can be handed
back, called, or fetched.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from autograder.errors import SuiteError
from autograder.sandbox import POLICY, Step
from autograder.sandbox.box import only_handles
from autograder.sandbox.worker import Budget, Decoder, Encoder, Handle, Notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from autograder.notebook import Statement


class Answers(ABC):
    """Functions that can be called by name: ``answers.affine_forward(x, W, b)``."""

    def __getattr__(self, name: str) -> Function:
        if name.startswith("_"):
            raise AttributeError(name)
        return Function(self, name)

    def perform(self, steps: Sequence[Step]) -> list[Any]:
        """Do all ``steps`` in one go and return one result for each.

        Raises:
            autograder.failures.Failure: the student's code failed on one of them.
        """
        return [self._wrap(result) for result in self._perform([self._unwrapped(step) for step in steps])]

    def hold(self, value: Any) -> Thing:
        """A value that stays with whoever answers; ``fetch`` shows what became of it."""
        thing = self.perform([Step("hold", args=(value,))])[0]
        assert isinstance(thing, Thing)
        return thing

    @abstractmethod
    def _perform(self, steps: Sequence[Step]) -> list[Any]:
        """The same, with handles."""

    @abstractmethod
    def _lent(self, function: Callable[..., Any]) -> Handle:
        """What stands for a function of ours with whoever answers."""

    def _unwrapped(self, step: Step) -> Step:
        return replace(step, args=self._unwrap(step.args), kwargs=self._unwrap(step.kwargs))

    def _unwrap(self, value: Any) -> Any:
        """A value with a handle in place of each thing and function."""

        def handle(item: Any) -> Any:
            if isinstance(item, FunctionType):
                return self._lent(item)
            return item.handle if isinstance(item, Thing) else item

        return _everywhere(value, handle)

    def _wrap(self, result: Any) -> Any:
        return _everywhere(result, lambda item: Thing(self, item) if isinstance(item, Handle) else item)


@dataclass(frozen=True)
class Function:
    """A function of the notebook."""

    answers: Answers
    name: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it once."""
        return self.answers.perform([self.calling(*args, **kwargs)])[0]

    def calling(self, *args: Any, **kwargs: Any) -> Step:
        """The step that calls it, for :meth:`Answers.perform`."""
        return Step("call", self.name, None, args, kwargs)


@dataclass(frozen=True)
class Thing:
    """A value that stays where it was made."""

    answers: Answers
    handle: Handle

    @property
    def description(self) -> str:
        """What it is, in a few words, as its maker tells it."""
        return self.handle.description

    def fetch(self) -> Any:
        """Its content, if it is a container."""
        return self.answers.perform([Step("fetch", "", self.handle)])[0]

    def get(self, name: str) -> Any:
        """One of its attributes."""
        return self.answers.perform([Step("get", name, self.handle)])[0]

    def set(self, name: str, value: Any) -> None:
        """Set one of its attributes."""
        self.answers.perform([self.setting(name, value)])

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call one of its methods."""
        return self.answers.perform([self.calling(name, *args, **kwargs)])[0]

    def setting(self, name: str, value: Any) -> Step:
        """The step that sets an attribute, for :meth:`Answers.perform`."""
        return Step("set", name, self.handle, (value,))

    def calling(self, name: str, *args: Any, **kwargs: Any) -> Step:
        """The step that calls a method, for :meth:`Answers.perform`."""
        return Step("call", name, self.handle, args, kwargs)


class Reference(Answers):
    """The instructor's solution, run in this process; it follows the same rules as the box."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._notebook = Notebook()
        for statement in statements:
            try:
                self._notebook.execute(statement.source, statement.cell, statement.line)
            except Exception as error:
                where = f"cell {statement.cell}, line {statement.line}"
                raise SuiteError(f"The reference solution does not run: {where}: {error!r}") from error

    def forget(self) -> None:
        """Let go of everything that tests hold."""
        self._notebook.kept.clear()

    def keep(self, function: Callable[..., Any]) -> Handle:
        """Let a function be called from a box to which it is lent, by this handle."""
        handle = self._lent(function)
        return replace(handle, number=-handle.number)

    def lend(self, step: Step, names: Container[str]) -> Any:
        """What a box gets that has borrowed the functions and classes called ``names``.

        What stays here is a handle below zero there, and stands for itself when it comes back.

        Raises:
            LookupError: the step needs what is not lent.
        """
        if not self._is_lent(_turned(step.target), step, names):
            raise LookupError(f"{step.name} is not lent")
        name = step.name or "__call__"
        [result] = self._perform([Step(step.do, name, *map(_turned, (step.target, step.args, step.kwargs)))])
        return _turned(result)

    def _is_lent(self, target: Handle | None, step: Step, names: Container[str]) -> bool:
        """Whether a step keeps to what is lent.

        That is the functions and classes themselves, the public attributes and methods of an instance of such a class,
        and a function that was an argument. A step further, through ``__globals__``, everything would be in reach.
        """
        if target is None:
            return step.do == "call" and step.name in names
        thing = self._notebook.find(target)
        if step.do in ("get", "set"):
            return type(thing).__name__ in names and step.name.isidentifier() and not step.name.startswith("_")
        owner = thing.__self__ if isinstance(thing, MethodType) else None
        return (
            step.do == "call" and not step.name and (isinstance(thing, FunctionType) or type(owner).__name__ in names)
        )

    def _lent(self, function: Callable[..., Any]) -> Handle:
        return self._notebook.keep(function)

    def _perform(self, steps: Sequence[Step]) -> list[Any]:
        results = []
        for step in steps:
            encoder = Encoder(self._budget(), self._notebook.keep, by_value=1)
            target, args, kwargs = self._found((step.target, step.args, step.kwargs or {}))
            tree = self._notebook.perform(encoder, step.do, target, step.name, args, kwargs)
            results.append(Decoder(bytes(encoder.body), self._budget(), lambda handle: handle).decode(tree))
        return results

    def _found(self, value: Any) -> Any:
        """A copy of ``value`` as the solution gets it, so that nothing it does reaches the test's own arrays."""
        encoder = Encoder(self._budget(), only_handles, by_value=POLICY.depth)
        tree = encoder.encode(value)
        return Decoder(bytes(encoder.body), self._budget(), self._notebook.find).decode(tree)

    @staticmethod
    def _budget() -> Budget:
        return Budget(POLICY.values, POLICY.frame, POLICY.depth)


def _turned(value: Any) -> Any:
    """A value with the sign of each handle turned: what is kept here is below zero there."""
    return _everywhere(value, lambda item: replace(item, number=-item.number) if isinstance(item, Handle) else item)


def _everywhere(value: Any, change: Callable[[Any], Any]) -> Any:
    """A value of containers with ``change`` made to each of what they hold."""
    if isinstance(value, dict):
        return {key: _everywhere(item, change) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_everywhere(item, change) for item in value)
    return change(value)
