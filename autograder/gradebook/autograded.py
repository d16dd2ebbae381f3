"""The notebook that formgrader and feedback show: what the student wrote, in the frame of what was given out.

nbgrader gives up on a notebook whose metadata is broken, and on the class with it. So its cells are put together anew:
a cell that was given out has again its metadata and, if it is locked, its text; a graded cell that is gone comes back;
of a cell that is there twice, the last is the answer. Everything else is the student's as it is, without outputs.

Each cell that is graded here then gets exactly one number as its output, always. nbgrader takes a cell without output,
or with one that is no number, for full marks.
"""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

from autograder.course import giving_out
from autograder.errors import SuiteError
from autograder.gradebook.feedback import as_html, as_text
from autograder.grading import NotHandedIn
from coursekit.errors import NotebookUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from autograder.course import AssignedNotebook
    from autograder.outcomes import NotebookResult
    from coursekit.notebook import Cell, Notebook

MAX_TEXT = 2**18
"""Characters that are shown of one cell."""
KINDS = ("code", "markdown", "raw")


def released_notebook(folder: Path, name: str) -> dict[str, Any]:
    """One notebook of a release, as JSON. Raises SuiteError if there is none."""
    path = folder / f"{name}.ipynb"
    try:
        released: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SuiteError(
            f"{path}, the notebook that was given out, cannot be read: {error}.",
            f"Make it: {giving_out(folder.name)}",
        ) from error
    for cell in released["cells"]:
        cell["source"] = "".join(cell["source"])  # a list of lines, or a text
    return released


def shown(papers: Sequence[tuple[AssignedNotebook, Notebook | NotebookUnreadable]]) -> list[str]:
    """The notebooks that are shown: those that were handed in, or if all are missing, the first."""
    found = [assigned.name for assigned, handed_in in papers if not isinstance(handed_in, NotHandedIn)]
    return found or [papers[0][0].name]


def rebuilt(released: dict[str, Any], handed_in: Notebook | NotebookUnreadable) -> dict[str, Any]:
    """What was handed in, as a notebook that nbgrader can work with.

    Args:
        released: the notebook that was given out, as JSON.
        handed_in: what came back; of what cannot be read, only the frame is left.
    """
    if isinstance(handed_in, NotebookUnreadable):
        return copy.deepcopy(released)
    given = {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in released["cells"] if _is_graders(cell)}
    identifiers = {cell.get("id"): grade_id for grade_id, cell in given.items()}
    places = {_given_as(cell, given, identifiers): cell.number for cell in handed_in.cells}  # of twins, the last
    cells = []
    for cell in handed_in.cells:
        grade_id = _given_as(cell, given, identifiers)
        if grade_id is not None and places[grade_id] == cell.number:
            cells.append(_answered(given[grade_id], cell))
        else:
            cells.append(_students_own(cell))
    for missing in [grade_id for grade_id in given if grade_id not in places]:
        if given[missing]["metadata"]["nbgrader"]["grade"]:
            cells.insert(_place(missing, list(given), cells), copy.deepcopy(given[missing]))
    return {**released, "cells": cells}


def with_results(content: dict[str, Any], assigned: AssignedNotebook, result: NotebookResult) -> None:
    """Put the result of each question into its grade cell, as outputs; and above all, what could not be read or run."""
    results = {
        asked.grade_id: (asked, found) for asked, found in zip(assigned.questions, result.questions, strict=True)
    }
    for cell in content["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if grade_id in results:
            asked, found = results[grade_id]
            shown = {"text/plain": as_text(found), "text/html": as_html(found)}
            # Extra credit is no part of the points of its cell: see autograder.gradebook.writing.
            points = {"text/plain": repr(0.0 if asked.extra_credit else found.points)}
            cell["execution_count"] = 1
            cell["outputs"] = [
                {"output_type": "display_data", "metadata": {}, "data": shown},
                {"output_type": "execute_result", "metadata": {}, "data": points, "execution_count": 1},
            ]
    if result.problems:
        told = "\n".join(f"    {line}" for problem in result.problems for line in problem.splitlines())
        text = f"**What could not be read or run:**\n\n{told}"
        content["cells"].insert(0, {"cell_type": "markdown", "id": "grader-problems", "metadata": {}, "source": text})


def _is_graders(cell: dict[str, Any]) -> bool:
    """Whether nbgrader knows the cell of a released notebook."""
    return bool(cell["metadata"].get("nbgrader", {}).get("grade_id"))


def _given_as(cell: Cell, given: dict[str, Any], identifiers: dict[str, str]) -> str | None:
    """The cell that was given out of which this one was made: by its grade_id, or where that is lost, by its id."""
    grade_id = cell.nbgrader.get("grade_id")
    if isinstance(grade_id, str) and grade_id in given:
        return grade_id
    return identifiers.get(cell.id) if cell.id else None


def _answered(given: dict[str, Any], cell: Cell) -> dict[str, Any]:
    """A cell that was given out, with what the student wrote into it if that was asked for."""
    answered = copy.deepcopy(given)
    if given["metadata"]["nbgrader"]["solution"]:
        answered["source"] = cell.source[:MAX_TEXT]
        if given["cell_type"] == "markdown":
            answered["attachments"] = dict(_pictures(cell))
    return answered


def _students_own(cell: Cell) -> dict[str, Any]:
    kind = cell.kind if cell.kind in KINDS else "raw"
    own = {"cell_type": kind, "id": f"own-{cell.number}", "metadata": {}, "source": cell.source[:MAX_TEXT]}
    if kind == "code":
        return {**own, "outputs": [], "execution_count": None}
    return {**own, "attachments": dict(_pictures(cell))} if kind == "markdown" else own


def _pictures(cell: Cell) -> Iterator[tuple[str, dict[str, str]]]:
    """The attachments that are pictures, and nothing that only says so."""
    for name, kinds in cell.attachments.items():
        pictures = {
            kind: data
            for kind, data in kinds.items()
            if isinstance(data, str) and re.fullmatch(r"[A-Za-z0-9+/=\s]*", data)
        }
        if pictures:
            yield name, pictures


def _place(missing: str, order: list[str], cells: list[dict[str, Any]]) -> int:
    """Where a cell that is gone belongs: behind the last one there that came before it."""
    before = set(order[: order.index(missing)])
    known = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in cells]
    return max((place + 1 for place, grade_id in enumerate(known) if grade_id in before), default=0)
