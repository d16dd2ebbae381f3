"""Right answers in other words, kept beside the suite in ``variants_NOTEBOOK.py``: each must get full marks.

They differ from the reference in structure, as the answers of students do.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autograder.course import listed_in
from autograder.errors import SuiteError, said
from autograder.judging.misconceptions import defining
from coursekit.notebook import Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograder.course import AssignedNotebook


@dataclass(frozen=True)
class Variant:
    """Another right way to write some questions, several where one hands its cache to the other.

    ``source`` takes the place of what defines them in the reference, with whatever helpers it needs.
    """

    questions: tuple[str, ...]
    name: str
    source: str

    def __str__(self) -> str:
        """For people."""
        return f"{', '.join(self.questions)}: {self.name}"

    def apply(self, statements: Sequence[Statement]) -> list[Statement]:
        """The reference solution with these questions written this way. Raises SuiteError if it lacks one of them."""
        replaced = [defining(statements, question) for question in self.questions]
        made: list[Statement] = []
        for statement in statements:
            if statement is replaced[0]:
                made += _statements(self.source, statement.cell)
            elif statement not in replaced:
                made.append(statement)
        return [replace(statement, position=position) for position, statement in enumerate(made)]


def variants_of(assigned: AssignedNotebook) -> tuple[Variant, ...]:
    """The variants that are kept beside a notebook's suite. Raises SuiteError if they or one of them cannot be used."""
    path = assigned.suite.parent / f"variants_{assigned.name}.py"
    variants = listed_in(path, "VARIANTS", Variant)
    for variant in variants:
        if not set(variant.questions) <= set(assigned.names):
            told = f"{path}: the variant {variant} belongs to no question of {assigned.name}."
            raise SuiteError(told, "Write the names of the questions that it answers, or remove it.")
        try:
            ast.parse(variant.source)
        except SyntaxError as error:
            told = f"{path}: the variant {variant} is not valid Python in its line {error.lineno}: {said(error)}."
            raise SuiteError(told, "Correct its source.") from None
    return variants


def _statements(source: str, cell: int) -> list[Statement]:
    lines = source.splitlines()
    return [
        Statement("\n".join(lines[_first_line(node) - 1 : node.end_lineno]), cell, _first_line(node), 0)
        for node in ast.parse(source).body
    ]


def _first_line(node: ast.stmt) -> int:
    """Where a statement begins, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])
