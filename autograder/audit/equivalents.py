"""Mutants that are right too, listed with the reason in ``equivalent_NOTEBOOK.toml`` beside the suite.

    [[equivalent]]
    question = "larger_of"
    was = "return max(x, y)"
    now = ["return max(y, x)"]
    because = "Of equal numbers it makes no difference which one is taken."

They are known by what the statement says, wherever it stands.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from autograder.audit.mutants import Mutant
from autograder.errors import SuiteError

if TYPE_CHECKING:
    from autograder.course import AssignedNotebook


def equivalents_of(assigned: AssignedNotebook) -> dict[Mutant, str]:
    """Every mutant that is listed for a notebook, with its reason. Raises SuiteError if the list cannot be read."""
    path = assigned.suite.parent / f"equivalent_{assigned.name}.toml"
    if not path.is_file():
        return {}
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8"))["equivalent"]
        return {
            Mutant(each["question"], each["was"], now): each["because"].strip()
            for each in listed
            for now in each["now"]
        }
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise SuiteError(
            f"{path} cannot be read: {error!r}", "Each entry has question, was, now and because."
        ) from None
