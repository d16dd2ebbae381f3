"""The visible checks of a notebook, run as "Run All" would, but without what they do not need.

A check is a cell that nbgrader grades. Of the cells above it, what it needs is run: definitions, imports, constants;
no training and no plots. Each check has a process of its own, so that one that hangs or crashes costs itself.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursekit.ci.lines import Lines
from coursekit.ci.verdicts import FAILED, NOT_JUDGED, PASSED, Checked, Question, Run, Verdict
from coursekit.errors import NotebookUnreadable
from coursekit.notebook import read_notebook, slice_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coursekit.notebook import Cell, Notebook

SECONDS = 60
"""How long one check may take."""
MAX_SHOWN = 4000
"""Characters that are shown of what a check prints."""
NOTE = "These are the checks that stand in the notebook. The grade is given elsewhere, by other tests."


def notebooks_in(paths: Sequence[Path]) -> list[Path]:
    """The notebooks that ``paths`` are, or that lie below them, in order."""
    found: list[Path] = []
    for path in paths:
        found += sorted(_below(path)) if path.is_dir() else [path]
    return list(dict.fromkeys(found))


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.glob("**/*.ipynb"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def run_checks(paths: Sequence[Path], seconds: float = SECONDS) -> Run:
    """Run the checks of all notebooks that have some.

    Raises:
        OSError: one of them cannot be read.
    """
    checked = [each for path in paths if (each := _check(path, seconds)) is not None]
    return Run("Checks", NOTE, tuple(checked))


def _check(path: Path, seconds: float) -> Checked | None:
    data = path.read_bytes()
    file = path.as_posix()
    try:
        notebook = read_notebook(data, path.name)
    except NotebookUnreadable as error:
        test = Verdict("The notebook can be read.", NOT_JUDGED, f"{error.message}\n{error.fix}")
        return Checked(path.stem, file, (Question("notebook", 0.0, 1.0, extra_credit=False, tests=(test,)),))
    lines = Lines(data)
    cells = [cell for cell in notebook.cells if cell.nbgrader.get("grade") and not cell.nbgrader.get("solution")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        questions = tuple(pool.map(lambda cell: _question(notebook, cell, path, lines, seconds), cells))
    problems = tuple((str(problem), lines.of(problem.cell, problem.line)) for problem in notebook.problems)
    return Checked(path.stem, file, questions, problems) if questions else None


def _question(notebook: Notebook, cell: Cell, path: Path, lines: Lines, seconds: float) -> Question:
    name = str(cell.nbgrader.get("grade_id", cell.id))
    extra = _number(cell.autograder.get("extra_credit"))
    worth = _number(cell.nbgrader.get("points")) or extra
    above = [statement for statement in notebook.statements if statement.cell < cell.number]
    check = [statement for statement in notebook.statements if statement.cell == cell.number]
    used = {node.id for each in check for node in ast.walk(ast.parse(each.source)) if isinstance(node, ast.Name)}
    needed = [*slice_for(above, used), *check]
    title = next(iter(cell.source.strip().splitlines()), name)
    if not check:
        return Question(name, 0.0, worth, bool(extra), (Verdict(name, NOT_JUDGED, "The check is gone."),), None)
    told, at = _run([(each.source, each.cell, each.line) for each in needed], path, seconds)
    if told is None:
        return Question(name, worth, worth, bool(extra), (Verdict(title, PASSED),))
    if at is None or at[0] == cell.number:  # it is raised by the check itself: look where the answer stands
        at = notebook.place_of(name) or notebook.place_of(name.replace("_", ".", 1)) or (cell.number, None)
    return Question(name, 0.0, worth, bool(extra), (Verdict(title, FAILED, told),), lines.of(*at))


def _run(
    statements: list[tuple[str, int, int]], path: Path, seconds: float
) -> tuple[str | None, tuple[int, int | None] | None]:
    """Run a check; returns what is wrong, or None, and the cell and line that raised it."""
    folder = path.parent.resolve()
    todo = json.dumps({"folder": str(folder), "file": path.name, "statements": statements})
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONIOENCODING": "utf-8"}
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as output:
        result_file = Path(scratch) / "result.json"
        command = [sys.executable, "-P", "-m", "coursekit.ci.child", str(result_file)]
        try:
            done = subprocess.run(  # noqa: S603 - the student's code, in their own repository
                command,
                input=todo.encode(),
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return f"It did not come to an end within {seconds:g} s.", None
        output.seek(0)
        printed = output.read(MAX_SHOWN).decode("utf-8", "replace").strip()
        if not result_file.is_file():
            return f"It ended the whole process (exit code {done.returncode}).\n{printed}".strip(), None
        result: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
    if not result:
        return None, None
    told = result["told"] if result["raised"] == "CheckFailed" else f"{result['raised']}: {result['told']}"
    where = f" (cell {result['cell']}, line {result['line']})" if result["cell"] else ""
    at = (result["cell"], result["line"]) if result["cell"] else None
    return (f"{printed}\n{told}" if result["raised"] == "CheckFailed" else told + where).strip(), at


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
