"""Lend functions and classes of the reference solution, so that a mistake costs its own question alone.

A question that fails while functions it uses, and that were asked for before it, have failed too is judged again, in a
new box in which those functions ask the grader. The reference stays outside, and so do its caches. So a forward and a
backward function, where one hands its cache to the other, are lent together; what the box gets in place of a cache is
the one that the student's own function makes of the same inputs, since many look into it. An instance of a lent class
stays outside too; each of its methods and attributes is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograder.judging.answers import Reference, Thing, everywhere
from autograder.judging.guests import Guest
from autograder.sandbox import Step
from coursekit.notebook import names_used_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coursekit.notebook import Notebook


class Loan(Guest):
    """Functions and classes, each of the reference given with it, for a box to use.

    Args:
        lenders: whose each is.
        alone: those of which the student's own must not be called beside it, since that would end the box.

    Attributes:
        used: those that the box has called.
    """

    def __init__(self, lenders: Mapping[str, Reference], alone: Iterable[str] = ()) -> None:
        self.names = tuple(lenders)
        self.alone = tuple(alone)
        self.used: set[str] = set()
        self._lenders = lenders

    def answer(self, do: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the reference gives. Raises LookupError if it is not lent, and what the reference raises."""
        if do != "call" or name not in self._lenders:
            return super().answer(do, name, args, kwargs)
        self.used.add(name)
        return self.ask(self._lenders[name], Step("call", name, None, args, kwargs))

    def ask(self, lender: Reference, step: Step) -> Any:
        """What one of the references gives; what stays there comes as a guest."""

        def thing(item: Any) -> Any:
            return item.thing if isinstance(item, Borrowed) and item.thing.answers is lender else item

        def guest(item: Any) -> Any:
            found = lender.original(item) if isinstance(item, Thing) else item
            return Borrowed(found, lender, self) if isinstance(found, Thing) and found.answers is lender else found

        [result] = lender.perform(
            [step._replace(args=everywhere(step.args, thing), kwargs=everywhere(step.kwargs, thing))]
        )
        return everywhere(result, guest)

    def lends(self, kind: type, lender: Reference) -> bool:
        """Whether a class of the reference is lent."""
        return self._lenders.get(kind.__name__) is lender


class Borrowed(Guest):
    """What a lent function has made, and what stays with the reference.

    An instance of a lent class shows its public attributes and methods, and all else nothing. A step further, through
    ``__globals__``, everything would be in reach.
    """

    def __init__(self, thing: Thing, lender: Reference, loan: Loan) -> None:
        self.thing = thing
        self._lender = lender
        self._loan = loan
        kind = lender.class_of(thing)
        self._is_lent = loan.lends(kind, lender)
        public = [name for name in dir(kind) if not name.startswith("_")] if self._is_lent else []
        self.methods = tuple(name for name in public if callable(getattr(kind, name)))

    @property
    def description(self) -> str:
        """What it is, in a few words."""
        return self.thing.description

    def answer(self, do: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the instance gives. Raises LookupError if that is not lent, and what the reference raises."""
        attribute = do in ("get", "set") and self._is_lent and name.isidentifier() and not name.startswith("_")
        if not (attribute or (do == "call" and name in self.methods)):
            return super().answer(do, name, args, kwargs)
        return self._loan.ask(self._lender, Step(do, name, self.thing.handle, args, kwargs))


def needed_loan(
    question: str, notebook: Notebook, failed: Iterable[str], pairs: Iterable[tuple[str, str]]
) -> frozenset[str]:
    """The functions to lend for a question: those that failed and that it uses, each with its other half.

    Args:
        question: what is to be judged again; neither it nor its other half is lent.
        notebook: the student's.
        failed: the questions before it that did not get all of their points.
        pairs: the forward and backward functions that belong together.
    """
    own = {question} | {half for pair in pairs if question in pair for half in pair}
    used = names_used_by(notebook.statements, own)
    wanted = {name for name in failed if name in used} - own
    halves = {half for pair in pairs if wanted & set(pair) for half in pair}
    return frozenset(wanted | halves) - own
