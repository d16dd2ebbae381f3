"""Mutants that are right too, listed with the reason in ``equivalent_NOTEBOOK.toml`` beside the suite.

    [[equivalent]]
    question = "larger_of"
    was = "return max(x, y)"
    now = ["return max(y, x)"]
    because = "Of equal numbers it makes no difference which one is taken."

They are known by what the statement says, wherever it stands. What is no equal but within what the question leaves open
has ``depends_on_seed = true`` beside: it may be failed by the suite, too.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autograder.audit.mutants import Mutant
from autograder.errors import SuiteError

if TYPE_CHECKING:
    from autograder.course import AssignedNotebook


@dataclass(frozen=True)
class Equivalent:
    """Why a mutant is right, and whether it is with every seed."""

    because: str
    depends_on_seed: bool


def equivalents_of(assigned: AssignedNotebook) -> dict[Mutant, Equivalent]:
    """Every mutant that is listed for a notebook. Raises SuiteError if the list cannot be read."""
    path = assigned.suite.parent / f"equivalent_{assigned.name}.toml"
    if not path.is_file():
        return {}
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8"))["equivalent"]
        return {
            Mutant(each["question"], each["was"], now): Equivalent(each["because"], each.get("depends_on_seed", False))
            for each in listed
            for now in each["now"]
        }
    except (ValueError, KeyError, TypeError) as error:
        raise SuiteError(
            f"{path} cannot be read: {error!r}", "Each entry has question, was, now and because."
        ) from None
