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
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.errors import SuiteError
from autograder.judging.guests import Argument, Guest, Guests
from autograder.sandbox import Step, Workspace
from autograder.sandbox.wire import Handle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from coursekit.notebook import Statement


class Answers(ABC):
    """Functions that can be called by name: ``answers.affine_forward(x, W, b)``.

    Args:
        loan: has what they may use under a name of their own.
    """

    def __init__(self, loan: Guest) -> None:
        self._loan = loan
        self._guests = Guests()

    def __getattr__(self, name: str) -> Function:
        if name.startswith("_"):
            raise AttributeError(name)
        return Function(self, name)

    def perform(self, steps: Sequence[Step]) -> list[Any]:
        """Do all ``steps`` in one go and return one result for each.

        Raises:
            autograder.judging.verdicts.Failure: the student's code failed on one of them.
        """
        return [self._wrap(result) for result in self._perform([self._unwrapped(step) for step in steps])]

    def keep(self, value: Any) -> Thing:
        """Have a value kept where the functions run, to hand it to them and to see afterwards what became of it."""
        thing = self.perform([Step("keep", args=(value,))])[0]
        assert isinstance(thing, Thing)
        return thing

    def original(self, thing: Thing) -> Guest:
        """What a thing of theirs stands for: the guest, if it is one that has come back, else the thing itself."""
        return self._guests.find(thing.handle) if thing.handle.number < 0 else thing

    def may_call(self, function: str, other: str) -> bool:  # noqa: ARG002 - what nobody can tell may be
        """Whether a function of theirs may call another one, as far as can be told from its code."""
        return True

    @abstractmethod
    def _perform(self, steps: Sequence[Step]) -> list[Any]:
        """The same, with handles."""

    def _answer(self, step: Step) -> Any:
        """What a stand-in gets that asks for something of ours, in the middle of a step.

        Raises:
            LookupError: that is not lent.
        """
        target, args, kwargs = self._ours((step.target, step.args, step.kwargs))
        guest = self._loan if target is None else target
        return self._unwrap(guest.answer(step.do, step.name, args, kwargs))

    def _unwrapped(self, step: Step) -> Step:
        kwargs = self._unwrap(step.kwargs) if step.kwargs else None
        return Step(step.do, step.name, step.target, self._unwrap(step.args), kwargs)

    def _unwrap(self, value: Any) -> Any:
        """A value with a handle in place of each thing, function and guest."""

        def handle(item: Any) -> Any:
            if isinstance(item, Thing) and item.answers is self:
                return item.handle
            if isinstance(item, FunctionType):
                item = Argument(item)
            return self._guests.keep(item) if isinstance(item, Guest) else item

        return everywhere(value, handle)

    def _wrap(self, result: Any) -> Any:
        return everywhere(result, lambda item: Thing(self, item) if isinstance(item, Handle) else item)

    def _ours(self, value: Any) -> Any:
        """A value that comes from them with what each handle stands for here."""
        return everywhere(self._wrap(value), lambda item: self.original(item) if isinstance(item, Thing) else item)


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

    def following(self, *args: Any) -> Step:
        """The step that calls it with the last thing, too, that the step before returns."""
        return Step("follow", self.name, None, args)


@dataclass(frozen=True)
class Thing(Guest):
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
    """The instructor's solution, run in this process; it follows the same rules as the box.

    Args:
        statements: what of the notebook is run.
        file: the notebook, which may take functions from others beside it.
    """

    def __init__(self, statements: Sequence[Statement], file: Path) -> None:
        super().__init__(Guest())
        self._workspace = Workspace(self._answer)
        self._workspace.set_file(file)
        for statement in statements:
            try:
                self._workspace.run(statement)
            except Exception as error:
                where = f"{file.name}, cell {statement.cell}, line {statement.line}"
                raise SuiteError(f"The reference solution does not run: {where}: {error!r}") from error

    def forget(self) -> None:
        """Let go of everything that tests hold."""
        self._workspace.forget()
        self._guests.clear()

    def class_of(self, thing: Thing) -> type:
        """The class of a thing of this reference."""
        return type(self._workspace.find(thing.handle))

    def _perform(self, steps: Sequence[Step]) -> list[Any]:
        results: list[Any] = []
        self._workspace.do(steps, results)
        return results


def everywhere(value: Any, change: Callable[[Any], Any]) -> Any:
    """A value of containers with ``change`` made to each of what they hold, but for arrays."""
    kind = type(value)
    if kind is np.ndarray:
        return value
    if issubclass(kind, dict):
        return {key: everywhere(item, change) for key, item in value.items()}
    if issubclass(kind, (tuple, list)):
        return kind([everywhere(item, change) for item in value])
    return change(value)
