"""Lend functions and classes of the reference solution, so that a mistake costs its own question alone.

A question that fails while functions it uses have failed too is judged again, in a new box in which those functions ask
the grader. The reference stays outside: its caches are handles in the box, so that a forward and a backward function,
where one hands its cache to the other, are lent together. An instance of a lent class stays outside too; each of its
methods and attributes is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograder.slicing import names_used_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from autograder.answers import Reference
    from autograder.notebook import Notebook
    from autograder.sandbox import Step
    from autograder.sandbox.worker import Handle


class Loan:
    """Some functions and classes of the reference, for a box to use. ``used`` are those that it did call.

    Beside them, a box may call the functions that it is given as arguments.
    """

    def __init__(self, reference: Reference, names: Iterable[str] = ()) -> None:
        self.names = frozenset(names)
        self.used: set[str] = set()
        self._reference = reference

    def __call__(self, step: Step) -> Any:
        """What the reference gives. Raises LookupError if it is not lent, and what the reference raises."""
        result = self._reference.lend(step, self.names)
        if step.target is None:
            self.used.add(step.name)
        return result

    def keep(self, function: Callable[..., Any]) -> Handle:
        """Let the box call a function, by this handle."""
        return self._reference.keep(function)


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
