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
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from coursekit.errors import NotebookUnreadable
from coursekit.notebook.cells import CONFLICT, Fault, read_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coursekit.notebook.cells import Piece

SAVE_AGAIN = "open it in Jupyter and save it again"

MAX_FILE = 64 * 2**20
"""Bytes in a notebook, pictures in its outputs included."""
MAX_VALUES = 4 * 2**20
"""Numbers, texts, lists and objects in a notebook. An empty list is two bytes in the file and a hundred in memory."""
MAX_CELL = 256 * 2**10
"""Characters in one code cell."""
MAX_CODE = 2**20
"""Characters in all code cells together: parsing happens outside the sandbox, so it must be bounded."""
MAX_CELLS = 5000
"""Cells of a notebook."""
MAX_STATEMENTS = 5000
"""Statements, and parts that cannot be read, of all cells together."""
MAX_MESSAGE = 300
"""Characters of a problem that are told: a name in Python's own message may be as long as its cell."""
MAX_TOLD = 20
"""Problems of one notebook that are told: nobody reads more, and thousands would be repeated wherever it is shown."""
MAX_ATTACHMENTS = 100
"""Attachments of one cell."""
METADATA = {
    "nbgrader": ("grade_id", "grade", "solution", "points"),
    "autograder": ("extra_credit",),
    "vscode": ("languageId",),
}
"""What is kept of a cell's metadata. Whatever else stands there could be millions of values."""
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""The kinds of attachments that are kept: pictures which hold nothing that runs."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read; ``cell`` counts all cells of the notebook from 1, ``line`` the lines of that cell."""

    message: str
    cell: int | None = None
    line: int | None = None

    def __str__(self) -> str:
        message = cut(self.message, MAX_MESSAGE)
        if self.cell is None:
            return message
        where = f"cell {self.cell}" if self.line is None else f"cell {self.cell}, line {self.line}"
        return f"{where}: {message}"


def cut(text: str, length: int) -> str:
    """At most so many characters of a text, with a mark where the rest is left out."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def listed(problems: Sequence[Problem], most: int = MAX_TOLD) -> list[str]:
    """The first of some problems as one reads them, and how many more there are."""
    more = [f"and {len(problems) - most} more"] if len(problems) > most else []
    return [*map(str, problems[:most]), *more]


@dataclass(frozen=True, slots=True)
class Statement:
    """One top-level statement: its exact text, decorators included, and where the student wrote it."""

    source: str
    cell: int
    line: int
    position: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as it stands in the file; ``nbgrader`` and ``autograder`` are what is kept of its metadata."""

    number: int
    kind: str
    source: str
    nbgrader: Mapping[str, Any]
    autograder: Mapping[str, Any]
    id: str
    attachments: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Notebook:
    """What was read from one file."""

    name: str
    cells: tuple[Cell, ...]
    statements: tuple[Statement, ...]
    problems: tuple[Problem, ...]

    def bare(self) -> bytes:
        """The notebook as a file again, with its code alone: each cell at its number, without outputs."""
        code = {cell.number: cell.source for cell in self.cells if cell.kind == "code"}
        cells: list[dict[str, Any]] = [
            {
                "cell_type": "code",
                "metadata": {},
                "source": code.get(number, ""),
                "outputs": [],
                "execution_count": None,
            }
            for number in range(1, max(code, default=0) + 1)
        ]
        return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).encode()

    def cell_with(self, name: str) -> Cell | None:
        """The last code cell whose text defines or assigns ``name``, even if it does not parse.

        For a method, ``"Class.method"``, this is a cell that holds ``def method`` or assigns ``Class.method``.
        """
        return next((cell for cell in reversed(self.cells) if _line_with(name, cell)), None)

    def place_of(self, name: str) -> tuple[int, int] | None:
        """The cell and its line that define ``name``, both from 1; of what :meth:`cell_with` finds."""
        cell = self.cell_with(name)
        return (cell.number, _line_with(name, cell)) if cell else None

    def problem_with(self, name: str) -> Problem | None:
        """Why ``name`` may be missing: the first problem from the line on that defines it, or else in its cell."""
        cell = self.cell_with(name)
        if cell is None:
            return None
        line = _line_with(name, cell)
        found = [problem for problem in self.problems if problem.cell == cell.number]
        return next((problem for problem in found if (problem.line or line) >= line), found[0] if found else None)


def _line_with(name: str, cell: Cell) -> int:
    """The last line of a code cell that defines or assigns ``name``, or 0."""
    last = re.escape(name.rpartition(".")[2])
    written = rf"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+{last}\b|^[ \t]*{re.escape(name)}[ \t]*=(?!=)"
    places = [found.start() for found in re.finditer(written, cell.source, re.MULTILINE)]
    return cell.source.count("\n", 0, places[-1]) + 1 if places and cell.kind == "code" else 0


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
    for number, raw in enumerate(_raw_cells(content, name), start=1):
        cell = _cell(number, raw)
        if isinstance(cell, Problem):
            problems.append(cell)
            continue
        cells.append(cell)
        if cell.kind != "code":
            continue
        if len(cell.source) > min(MAX_CELL, room):
            problems.append(Problem(_too_long(len(cell.source)), number))
            continue
        room -= len(cell.source)
        for piece in _read_quietly(cell.source):
            if len(statements) + len(problems) >= MAX_STATEMENTS:
                room = 0
                problems.append(Problem(_too_long(0), number))
                break
            if isinstance(piece, Fault):
                problems.append(Problem(piece.message, number, piece.line))
            else:
                statements.append(Statement(piece.source, number, piece.line, len(statements)))
    return Notebook(name, tuple(cells), tuple(statements), tuple(problems))


@lru_cache(256)
def _read_quietly(source: str) -> tuple[Piece | Fault, ...]:
    """What stands in a cell; most cells of a notebook are those of everybody else's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "is" with a literal, "\d": the student's style is not our warning
        return tuple(islice(read_code(source), MAX_STATEMENTS + 1))


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
        if data.lstrip()[:1] == b"{" and error.reason == "unexpected end of data":
            raise _cut_off(name, f"byte {error.start}") from None
        raise NotebookUnreadable(
            f"{name} is not a text file, as notebooks are (byte {error.start})", _look_alike(data) or SAVE_AGAIN
        ) from None
    if sum(map(text.count, ",[{")) > MAX_VALUES:  # those within texts too: nobody has as many of either
        raise NotebookUnreadable(
            f"{name} holds more than the {MAX_VALUES:,} values that are read", "clear its outputs and save it again"
        )
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise _not_json(error, text, name, _look_alike(data)) from None
    except RecursionError:
        raise NotebookUnreadable(f"{name} is not a notebook: its JSON is nested too deeply", SAVE_AGAIN) from None
    except ValueError as error:  # a number of thousands of digits
        raise NotebookUnreadable(f"{name} is not a notebook: {error}", SAVE_AGAIN) from None
    if not isinstance(content, dict):
        told = f"{name} is not a notebook: its JSON is a {_json_type(content)}, not an object"
        raise NotebookUnreadable(told, "hand in the .ipynb file that Jupyter saved")
    return content


def _not_json(error: json.JSONDecodeError, text: str, name: str, look_alike: str) -> NotebookUnreadable:
    """What is wrong with a text that cannot be parsed."""
    where = f"line {error.lineno}, column {error.colno}"
    conflict = CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        return NotebookUnreadable(
            f"{name} holds an unresolved merge conflict at line {line}",
            "choose one side, delete the <<<<<<<, ======= and >>>>>>> lines, and open it in Jupyter",
        )
    unfinished = error.msg.startswith("Unterminated string") or re.fullmatch(r"[\w\\+.-]*\s*", text[error.pos :])
    if text.lstrip("\ufeff \r\n\t")[:1] == "{" and unfinished:
        return _cut_off(name, where)
    return NotebookUnreadable(
        f"{name} is not a notebook: no valid JSON at {where} ({error.msg})", look_alike or SAVE_AGAIN
    )


def _cut_off(name: str, where: str) -> NotebookUnreadable:
    return NotebookUnreadable(
        f"{name} is cut off: it ends in the middle of the notebook ({where})",
        "the upload or the save was interrupted; hand it in again",
    )


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
    cells, sheets = content.get("cells"), content.get("worksheets")
    if not isinstance(cells, list) and isinstance(sheets, list):
        listed = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        cells = [cell for cells in listed if isinstance(cells, list) for cell in cells]
    if not isinstance(cells, list):
        told = f"{name} is not a notebook: it has no cells"
        raise NotebookUnreadable(told, "hand in the .ipynb file that Jupyter saved")
    if len(cells) > MAX_CELLS:
        told = f"{name} has {len(cells):,} cells, more than the {MAX_CELLS:,} that are read"
        raise NotebookUnreadable(told, "hand in the notebook that was given out, with your answers")
    return cells


def _cell(number: int, raw: Any) -> Cell | Problem:
    """One cell of the JSON, whatever it is."""
    if not isinstance(raw, dict):
        return Problem("this is not a cell; it is left out", number)
    source = raw.get("source", raw.get("input", ""))  # a code cell's text was called input before format 4
    if isinstance(source, list) and all(isinstance(part, str) for part in source):
        source = "".join(source)
    if not isinstance(source, str):
        return Problem("its source is not text; the cell is left out", number)
    metadata = _object(raw.get("metadata"))
    told = {name: _kept(_object(metadata.get(name)), keys) for name, keys in METADATA.items()}
    language = told["vscode"].get("languageId")
    kind = str(raw.get("cell_type", "unknown"))
    if kind == "code" and (raw.get("language") or language or "python") != "python":
        kind = "raw"  # a code cell in another language is text to us
    text = source.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode("utf-8")
    listed = islice(_object(raw.get("attachments")).items(), MAX_ATTACHMENTS)
    attachments = {name: kept for name, kinds in listed if (kept := _kept(_object(kinds), PICTURES))}
    return Cell(number, kind, text, told["nbgrader"], told["autograder"], str(raw.get("id", "")), attachments)


def _object(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one in the place of anything else."""
    return value if isinstance(value, dict) else {}


def _kept(found: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The entries under some keys that are texts, numbers or truth values."""
    return {key: found[key] for key in keys if isinstance(found.get(key), str | int | float)}


def _too_long(length: int) -> str:
    if length > MAX_CELL:
        return f"{length:,} characters are more than the {MAX_CELL:,} that are read of one cell; it is left out"
    return f"the code before has used up what is read ({MAX_CODE:,} characters, {MAX_STATEMENTS:,} statements)"
