"""A source notebook as its author left it: read, its questions found with their points, and slips told by their place.

Extra credit cannot be told to nbgrader, whose questions are worth what they add to the maximum. So such a grade cell is
worth 0 there, and bears ``"autograder": {"extra_credit": 6}`` in its metadata.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograder.errors import SuiteError
from coursekit.errors import NotebookUnreadable
from coursekit.notebook import defines, read_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from coursekit.notebook import Cell, Notebook

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


@dataclass(frozen=True)
class Question:
    """One graded function or method, by its dotted name, and what it is worth: to the maximum, or beyond it."""

    name: str
    points: float
    extra_credit: bool

    @property
    def grade_id(self) -> str:
        """The ``grade_id`` of its grade cell; nbgrader allows no dots there."""
        return self.name.replace(".", "_")


def read_source(path: Path) -> Notebook:
    """The notebook in a file.

    Raises:
        SuiteError: the file cannot be read, or not all of its cells, or a solution is not between two markers.
    """
    try:
        source = read_notebook(path.read_bytes(), path.stem)
    except OSError as error:
        raise SuiteError(f"{path} cannot be read: {error.strerror}.", "Put the notebook there, or remove it.") from None
    except NotebookUnreadable as error:  # its fix is for who hands something in
        fix = "Take it from a backup or from version control, or open it in Jupyter, mend it and save it again."
        raise SuiteError(f"{path} cannot be read: {error.message}.", fix) from None
    if source.problems:
        raise SuiteError(f"{path} has cells that cannot be read: {source.problems[0]}")
    for cell in source.cells:
        _check_markers(cell, f"{path}, cell {cell.number}")
    return source


def _check_markers(cell: Cell, where: str) -> None:
    """Raises SuiteError unless each beginning of a solution is followed by its end."""
    begun = 0
    for number, line in (*enumerate(cell.source.split("\n"), start=1), (0, BEGIN)):
        if BEGIN in line and begun:
            raise SuiteError(f"{where}, line {begun}: {BEGIN} has no {END}.", "Write it below the solution.")
        if END in line and not begun:
            raise SuiteError(f"{where}, line {number}: {END} has no {BEGIN}.", "Write it above the solution.")
        begun = number if BEGIN in line else 0 if END in line else begun


def questions_in(source: Notebook, path: Path) -> tuple[Question, ...]:
    """What is asked in a notebook, in order; what is graded by hand is not.

    Raises:
        SuiteError: there is nothing, or a grade cell has not what nbgrader and the hidden suite need.
    """
    cells: dict[str, int] = {}
    questions = []
    for cell in source.cells:
        if cell.nbgrader.get("grade"):
            where = f"{path}, cell {cell.number}"
            grade_id, points, extra = _id(cell, where), *_worth(cell, where)
            if grade_id in cells:
                told = f"{where} has the id {grade_id!r}, which cell {cells[grade_id]} has too."
                raise SuiteError(told, "Give each graded cell an id of its own.")
            cells[grade_id] = cell.number
            if not cell.nbgrader.get("solution"):  # with it, it is graded by hand
                name = _question_name(source, cell, grade_id, where)
                questions.append(Question(name, points or extra, extra_credit=bool(extra)))
    if not questions:
        fix = 'Make the check below each question "Autograder tests", with points: see docs/authoring.md.'
        raise SuiteError(f"{path} has no graded cells.", fix)
    return tuple(questions)


def _id(cell: Cell, where: str) -> str:
    grade_id = cell.nbgrader.get("grade_id")
    if not isinstance(grade_id, str) or not grade_id:
        raise SuiteError(f"{where} is graded and has no id.", "Give it the name of the function that it grades as id.")
    return grade_id


def _worth(cell: Cell, where: str) -> tuple[float, float]:
    """The points of a grade cell and its extra credit, one of which is 0."""
    points = _number(cell.nbgrader.get("points"), f'{where}: the "points"')
    extra = _number(cell.autograder.get("extra_credit", 0), f'{where}: the "extra_credit"')
    if points and extra:
        raise SuiteError(f"{where} has both points and extra credit.", "Set one of them to 0.")
    return points, extra


def _number(value: Any, what: str) -> float:
    number = float(value) if isinstance(value, int | float) else math.nan
    if not 0 <= number < math.inf:
        told = "are missing" if value is None else f"cannot be {value!r}"
        raise SuiteError(f"{what} of this grade cell {told}.", "Write a number, 0 or more, into its metadata.")
    return number


def _question_name(source: Notebook, cell: Cell, grade_id: str, where: str) -> str:
    """The function or method that a grade cell is named for: ``Network_loss`` grades ``Network.loss``."""
    if cell.kind != "code":
        fix = 'Make it a code cell, or, for an answer in words, a "Manually graded answer".'
        raise SuiteError(f"{where} is a grade cell without code.", fix)
    if defines(source.statements, grade_id):
        return grade_id
    for place, char in enumerate(grade_id):
        statement = defines(source.statements, grade_id[:place]) if char == "_" else None
        if statement is not None and statement.source.startswith("class "):
            return f"{grade_id[:place]}.{grade_id[place + 1 :]}"
    told = f"{where} is the grade cell {grade_id!r}, but the notebook defines no function or method of that name."
    raise SuiteError(told, "Give the cell the name of the function that it grades as id.")
