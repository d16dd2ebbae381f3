"""Whoever answers calls by name: the student in the box, or the reference solution here.

A hidden test does not see the difference:

    out, cache = student.affine_forward(x, W, b)
    model = student.Network(hidden_dim=7, dtype="float64")
    model.set("params", {...})
    loss, grads = model.call("loss", X, y)
    grads.fetch()["W1"]

The top level of a result travels by value: numbers, text, arrays, and a tuple, list or dict of them. What is nested
within it (a cache, a dict of gradients), and whatever is no plain data, comes as a :class:`Thing`, which can be handed
back, called, or fetched.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from autograder.errors import SuiteError
from autograder.guests import Lent, lender
from autograder.sandbox import POLICY, Step
from autograder.sandbox.box import only_handles
from autograder.sandbox.worker import Budget, Decoder, Encoder, Handle, Notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from coursekit.notebook import Statement


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
        lent: dict[str, Lent] = {}
        plain = [replace(step, args=_unwrap(step.args, lent), kwargs=_unwrap(step.kwargs, lent)) for step in steps]
        return [self._wrap(result) for result in self._perform(plain, lent)]

    def keep(self, value: Any) -> Thing:
        """Have a value kept where the functions run, to hand it to them and to see afterwards what became of it."""
        thing = self.perform([Step("keep", args=(value,))])[0]
        assert isinstance(thing, Thing)
        return thing

    @abstractmethod
    def _perform(self, steps: Sequence[Step], lent: Mapping[str, Lent]) -> list[Any]:
        """The same, with handles for things and guests for the objects ``lent``, which are given by name."""

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
    """The instructor's solution, run in this process; it follows the same rules as the box.

    Args:
        statements: what of the notebook is run.
        file: the notebook, which may take functions from others beside it.
    """

    def __init__(self, statements: Sequence[Statement], file: Path) -> None:
        self._lent: Mapping[str, Lent] = {}
        self._notebook = Notebook(self._asking)
        self._notebook.module.__dict__["__file__"] = str(file)
        for statement in statements:
            try:
                self._notebook.execute(statement.source, statement.cell, statement.line)
            except Exception as error:
                where = f"cell {statement.cell}, line {statement.line}"
                raise SuiteError(f"The reference solution does not run: {where}: {error!r}") from error

    def forget(self) -> None:
        """Let go of everything that tests hold."""
        self._notebook.kept.clear()

    def lend(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What one function returns, for a box in which it is lent.

        What stays here is a handle below zero there, and stands for itself when it comes back.
        """
        [result] = self._perform([Step("call", name, None, _turned(args), _turned(kwargs))], {})
        return _turned(result)

    def _perform(self, steps: Sequence[Step], lent: Mapping[str, Lent]) -> list[Any]:
        self._lent = lent
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

    def _asking(self, name: str) -> Callable[..., Any]:
        """A method of an object that is lent at present."""
        return lambda *args, **kwargs: lender(self._lent, name, args, kwargs)

    @staticmethod
    def _budget() -> Budget:
        return Budget(POLICY.values, POLICY.frame, POLICY.depth)


def _unwrap(value: Any, lent: dict[str, Lent]) -> Any:
    """A value with handles in place of things, and guests in place of lent objects, which are noted in ``lent``."""

    def plain(item: Any) -> Any:
        if isinstance(item, Lent):
            lent[item.guest.name] = item
            return item.guest
        return item.handle if isinstance(item, Thing) else item

    return _everywhere(value, plain)


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
