"""The zip that an instructor uploads as an autograder: the grader, one assignment with its suites, and two scripts.

It holds the hidden suites and the solutions of that assignment, so it is for Gradescope and nobody else.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import coursekit
from autograder.course import HOME, SUITES
from autograder.errors import ReleaseError
from autograder.gradescope.running import CONFIG
from autograder.releasing.bundle import zip_folder

if TYPE_CHECKING:
    from autograder.course import Assignment

TEMPLATES = Path(__file__).parent / "templates"


def build(
    assignment: Assignment, course: Path, file: Path, *, visibility: str = "visible", attempts: int | None = None
) -> None:
    """Write the zip of an assignment's autograder; the same bytes whenever nothing has changed.

    Args:
        assignment: what is graded.
        course: where it belongs.
        file: the zip.
        visibility: when students see what is said of their answers: ``visible``, ``after_due_date``,
            ``after_published`` or ``hidden``.
        attempts: how many submissions of a student count; by default all.

    Raises:
        ReleaseError: the grader itself is not whole.
        OSError: the file cannot be written.
    """
    config = {"assignment": assignment.name, "visibility": visibility, "attempts": attempts}
    partial = file.with_name(f".{file.name}.partial")
    with tempfile.TemporaryDirectory(prefix="gradescope-") as scratch:
        folder = Path(scratch)
        _fill(assignment, course, folder)
        (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        try:
            zip_folder(folder, partial, top="")
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)


def _fill(assignment: Assignment, course: Path, folder: Path) -> None:
    for path in sorted(TEMPLATES.iterdir()):
        _copy(path, folder / path.name)
    for name in ("pyproject.toml", "LICENSE"):
        _copy(HOME / name, folder / name)
    (folder / "README.md").write_text(f"Grades {assignment.name} on Gradescope.\n", encoding="utf-8")
    (folder / "requirements.txt").write_text("\n".join(_requirements()) + "\n", encoding="utf-8")
    _copy(course / "nbgrader_config.py", folder / "nbgrader_config.py")
    for notebook in assignment.notebooks:
        _copy(notebook.path, folder / "source" / assignment.name / notebook.path.name)
    _copy_tree(SUITES.parent, folder / "autograder", without=SUITES)
    _copy_tree(Path(coursekit.__file__).parent, folder / "coursekit")
    suites = {notebook.suite.parent for notebook in assignment.notebooks}
    for path in suites:
        _copy_tree(path, folder / "autograder" / "suites" / assignment.name)


def _requirements() -> list[str]:
    """What grading needs, at the versions that are installed here."""
    project: dict[str, Any] = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["grader"]]
    names = sorted(re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in wanted)
    return [f"{name}=={metadata.version(name)}" for name in names]


def _copy_tree(source: Path, target: Path, without: Path | None = None) -> None:
    for path in sorted(source.rglob("*")):
        hidden = any(part == "__pycache__" or part.startswith(".") for part in path.relative_to(source).parts)
        if path.is_file() and not hidden and not (without and path.is_relative_to(without)):
            _copy(path, target / path.relative_to(source))


def _copy(path: Path, target: Path) -> None:
    if not path.is_file():
        raise ReleaseError(f"The autograder needs {path}, which is not there.", "Restore it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
