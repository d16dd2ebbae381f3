"""Lend functions of the reference solution, so that a mistake in one function costs its own question alone.

A question that fails while functions it uses have failed too is judged again, in a new box in which those functions ask
the grader. The reference stays outside: its caches are handles in the box, so that a forward and a backward function,
where one hands its cache to the other, are lent together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coursekit.notebook import names_used_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from autograder.answers import Reference
    from coursekit.notebook import Notebook


class Loan:
    """Some functions, each of the reference given with it, for a box to call. ``used`` are those that it did call."""

    def __init__(self, lenders: Mapping[str, Reference]) -> None:
        self.names = tuple(lenders)
        self.used: set[str] = set()
        self._lenders = lenders

    def __call__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the reference returns. Raises LookupError if the function is not lent, and what the reference raises."""
        if name not in self.names:
            raise LookupError(f"{name} is not lent")
        self.used.add(name)
        return self._lenders[name].lend(name, args, kwargs)


def needed_loan(
    question: str, notebook: Notebook, failed: Iterable[str], pairs: Iterable[tuple[str, str]]
) -> frozenset[str]:
    """The functions to lend for a question: those that failed and that it uses, each with its other half.

    Args:
        question: what is to be judged again; neither it nor its other half is lent.
        notebook: the student's.
        failed: the questions that did not get all of their points.
        pairs: the forward and backward functions that belong together.
    """
    own = {question} | {half for pair in pairs if question in pair for half in pair}
    used = names_used_by(notebook.statements, own)
    wanted = {name for name in failed if name in used} - own
    halves = {half for pair in pairs if wanted & set(pair) for half in pair}
    return frozenset(wanted | halves) - own
