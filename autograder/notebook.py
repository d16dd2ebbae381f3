"""Reading the notebooks that students hand in.

:func:`read_notebook` makes of a file's bytes the top-level Python statements that stand in it, in order, and a list of
what could not be read, with cell and line. It copes with everything that people do to notebooks: what is broken costs
itself and nothing else. Nothing is executed.

The JSON of every format version is read directly: importing nbformat takes 1.2 s, longer than grading a submission, and
its validation gives up where this must go on.
"""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograder.cellcode import CONFLICT, Fault, old_habits, read_code
from autograder.errors import NotebookUnreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Cell", "Notebook", "Problem", "Statement", "old_habits", "read_notebook"]

MAX_FILE = 64 * 2**20
"""Bytes in a notebook, pictures in its outputs included."""
MAX_CELL = 256 * 2**10
"""Characters in one code cell."""
MAX_CODE = 4 * 2**20
"""Characters in all code cells together: parsing happens outside the sandbox, so it must be bounded."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read; ``cell`` counts all cells of the notebook from 1, ``line`` the lines of that cell."""

    message: str
    cell: int | None = None
    line: int | None = None

    def __str__(self) -> str:
        if self.cell is None:
            return self.message
        where = f"cell {self.cell}" if self.line is None else f"cell {self.cell}, line {self.line}"
        return f"{where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One top-level statement: its exact text, decorators included, and where the student wrote it."""

    source: str
    cell: int
    line: int
    position: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as it stands in the file; ``nbgrader`` is the metadata of that name, empty where there is none."""

    number: int
    kind: str
    source: str
    nbgrader: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notebook:
    """What was read from one file."""

    name: str
    cells: tuple[Cell, ...]
    statements: tuple[Statement, ...]
    problems: tuple[Problem, ...]

    @property
    def code_cells(self) -> tuple[Cell, ...]:
        """The cells that hold code, whether or not it parses."""
        return tuple(cell for cell in self.cells if cell.kind == "code")

    @property
    def points(self) -> dict[str, float]:
        """Points of each grade cell by its ``grade_id``, in the notebook's order."""
        found: dict[str, float] = {}
        for cell in self.cells:
            grade_id, points = cell.nbgrader.get("grade_id"), cell.nbgrader.get("points", 0)
            if cell.nbgrader.get("grade") is True and isinstance(grade_id, str) and _is_number(points):
                found[grade_id] = float(points)
        return found

    def cell_with(self, name: str) -> Cell | None:
        """The last code cell whose text defines or assigns ``name``, even if it does not parse.

        For a method, ``"Class.method"``, this is a cell that holds ``def method`` or assigns ``Class.method``.
        """
        last = re.escape(name.rpartition(".")[2])
        written = re.compile(
            rf"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+{last}\b|^[ \t]*{re.escape(name)}[ \t]*=(?!=)",
            re.MULTILINE,
        )
        return next((cell for cell in reversed(self.code_cells) if written.search(cell.source)), None)

    def problem_with(self, name: str) -> Problem | None:
        """Why ``name`` may be missing: the first problem in the cell whose text defines it."""
        cell = self.cell_with(name)
        return next((p for p in self.problems if cell is not None and p.cell == cell.number), None)


def read_notebook(data: bytes, name: str) -> Notebook:
    """Read the notebook ``data``; ``name`` is what messages call the file.

    Raises:
        NotebookUnreadable: the file as a whole is no notebook. Nothing else is ever raised.
    """
    content = _load(data, name)
    cells: list[Cell] = []
    statements: list[Statement] = []
    problems: list[Problem] = []
    room = MAX_CODE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "is" with a literal, "\d": the student's style is not our warning
        for number, raw in enumerate(_raw_cells(content, name), start=1):
            cell = _cell(number, raw)
            if isinstance(cell, Problem):
                problems.append(cell)
                continue
            cells.append(cell)
            if cell.kind != "code":
                continue
            if len(cell.source) > min(MAX_CELL, room):
                problems.append(Problem(_too_long(len(cell.source), room), number))
                continue
            room -= len(cell.source)
            for piece in read_code(cell.source):
                if isinstance(piece, Fault):
                    problems.append(Problem(piece.message, number, piece.line))
                else:
                    statements.append(Statement(piece.source, number, piece.line, len(statements)))
    return Notebook(name, tuple(cells), tuple(statements), tuple(problems))


# The file -------------------------------------------------------------------------------------------------


def _load(data: bytes, name: str) -> dict[str, Any]:
    """The notebook's JSON object, or a sentence that says what the file is instead."""
    if len(data) > MAX_FILE:
        raise NotebookUnreadable(
            f"{name} has {len(data) / 2**20:.0f} MiB, more than the {MAX_FILE // 2**20} MiB that are read",
            "clear its outputs and save it again",
        )
    if not data.strip():
        raise NotebookUnreadable(f"{name} is empty", "save the notebook again and hand that in")
    try:
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        raise NotebookUnreadable(
            f"{name} is not UTF-8 text (byte {error.start})", _look_alike(data) or "save it in Jupyter again"
        ) from None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        conflict = CONFLICT.search(text)
        if conflict:
            line = text.count("\n", 0, conflict.start()) + 1
            raise NotebookUnreadable(
                f"{name} holds an unresolved merge conflict at line {line}",
                "choose one side, delete the <<<<<<<, ======= and >>>>>>> lines, and open it in Jupyter",
            ) from None
        if text.lstrip("\ufeff \r\n\t")[:1] == "{" and _ends_early(error, text):
            raise NotebookUnreadable(
                f"{name} is cut off: it ends in the middle of the notebook ({where})",
                "the upload or the save was interrupted; hand it in again",
            ) from None
        raise NotebookUnreadable(
            f"{name} is not a notebook: no valid JSON at {where} ({error.msg})",
            _look_alike(data) or "open it in Jupyter and save it again",
        ) from None
    except RecursionError:
        raise NotebookUnreadable(f"{name} is not a notebook: its JSON is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise NotebookUnreadable(f"{name} is not a notebook: {error}") from None
    if not isinstance(content, dict):
        raise NotebookUnreadable(f"{name} is not a notebook: its JSON is a {_json_type(content)}, not an object")
    return content


def _ends_early(error: json.JSONDecodeError, text: str) -> bool:
    return error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")


def _look_alike(data: bytes) -> str:
    """What to try, when the first bytes show what the file really is."""
    start = data[:512].lstrip(b"\xef\xbb\xbf \r\n\t")
    if start.startswith(b"PK\x03\x04"):
        return "it is a zip archive: unpack it and hand in the .ipynb file inside"
    if start.startswith(b"%PDF"):
        return "it is a PDF: hand in the .ipynb file itself"
    if start[:9].lower() == b"<!doctype" or start[:5].lower() == b"<html":
        return "it is a web page: download the .ipynb file itself, not the page that shows it"
    if re.match(rb"(#|import |from |def |%)", start):
        return "it looks like a Python script: hand in the .ipynb file itself"
    return ""


def _json_type(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")


def _raw_cells(content: dict[str, Any], name: str) -> list[Any]:
    """The list of cells: at the top since format 4, in worksheets before."""
    if isinstance(content.get("cells"), list):
        return list(content["cells"])
    sheets = content.get("worksheets")
    if isinstance(sheets, list):
        listed = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        return [cell for cells in listed if isinstance(cells, list) for cell in cells]
    raise NotebookUnreadable(f"{name} is not a notebook: it has no cells", "hand in the .ipynb file that Jupyter saved")


def _cell(number: int, raw: Any) -> Cell | Problem:
    """One cell of the JSON, whatever it is."""
    if not isinstance(raw, dict):
        return Problem("not a cell; it is left out", number)
    source = raw.get("source", raw.get("input", ""))  # a code cell's text was called input before format 4
    if isinstance(source, list) and all(isinstance(part, str) for part in source):
        source = "".join(source)
    if not isinstance(source, str):
        return Problem("its source is not text; the cell is left out", number)
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    nbgrader, vscode = metadata.get("nbgrader"), metadata.get("vscode")
    language = vscode.get("languageId") if isinstance(vscode, dict) else None
    kind = str(raw.get("cell_type", "unknown"))
    if kind == "code" and (raw.get("language") or language or "python") != "python":
        kind = "raw"  # a code cell in another language is text to us
    text = source.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode("utf-8")
    return Cell(number, kind, text, nbgrader if isinstance(nbgrader, dict) else {})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _too_long(length: int, room: int) -> str:
    if length > MAX_CELL:
        return f"{length:,} characters are more than the {MAX_CELL:,} that are read of one cell; it is left out"
    return f"the notebook's code is more than the {MAX_CODE:,} characters that are read ({room:,} were left)"
