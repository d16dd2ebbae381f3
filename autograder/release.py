"""Make what students get from what instructors edit, with nbgrader, and look for leaks before it is put in place."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.errors import ReleaseError
from coursekit.notebook import read_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autograder.course import Assignment
    from coursekit.notebook import Notebook

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
TELLING = 8
"""Characters that a line must have, without white space, to tell anything: a lone bracket or ``return`` does not."""


def release(assignment: Assignment, course: Path, into: Path | None = None) -> Path:
    """Generate the student version of an assignment; returns its folder, ``assignments/NAME``.

    It is made aside, checked, and only then put in place of the former one.

    Args:
        assignment: what to release.
        course: the course folder, with ``nbgrader_config.py``.
        into: where releases go; by default the course's ``assignments/``.

    Raises:
        ReleaseError: nbgrader could not generate it, or it would give a solution away.
    """
    releases = into or course / "assignments"
    releases.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".release-", dir=releases) as scratch:
        made = _generate(assignment.name, course, Path(scratch))
        leaks = [leak for notebook in assignment.notebooks for leak in _leaks(notebook.source, made)]
        if leaks:
            raise ReleaseError(
                f"The release of {assignment.name} would give away:\n  " + "\n  ".join(leaks),
                f"Put what students should not see between {BEGIN} and {END} in the source notebook.",
            )
        target = releases / assignment.name
        if target.exists():
            target.rename(Path(scratch) / "former")
        made.rename(target)
    return target


def _generate(name: str, course: Path, scratch: Path) -> Path:
    """Run nbgrader's own generation, with the course's configuration, into a folder of ours."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.release_directory = os.path.relpath(scratch, course)
    config.CourseDirectory.db_url = f"sqlite:///{scratch.resolve() / 'gradebook.db'}"
    with _programs_of_this_environment():
        result = NbGraderAPI(config=config).generate_assignment(name, force=True, create=True)
    if not result["success"]:
        raise ReleaseError(f"nbgrader could not generate {name}: {_cause(str(result.get('log') or ''))}")
    made = scratch / name
    for leftover in made.rglob(".ipynb_checkpoints"):
        shutil.rmtree(leftover)
    return made


@contextmanager
def _programs_of_this_environment() -> Iterator[None]:
    """Let ``alembic`` be found, which nbgrader starts by name, even where this environment is not activated."""
    former = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), former])
    try:
        yield
    finally:
        os.environ["PATH"] = former


def _cause(log: str) -> str:
    """What nbgrader's log names as the error: of all its tracebacks, the last line of the first."""
    named = re.findall(r"^\s*([\w.]*(?:Error|Exception): .+)$", log, re.MULTILINE)
    return named[0] if named else log.strip()[-500:] or "it did not say why"


def _leaks(source: Notebook, made: Path) -> Iterator[str]:
    """Each line of a solution that the release still shows."""
    secret = set(_solution_lines(source))
    path = made / f"{source.name}.ipynb"
    released = read_notebook(path.read_bytes(), source.name)
    for cell in released.cells:
        for number, line in enumerate(cell.source.splitlines(), start=1):
            if BEGIN in line or _bare(line) in secret:
                yield f"{path.name}, cell {cell.number}, line {number}: {line.strip()}"


def _solution_lines(source: Notebook) -> Iterator[str]:
    """The lines between the markers, and those of cells that are answers as a whole."""
    for cell in source.cells:
        within = bool(cell.nbgrader.get("solution")) and BEGIN not in cell.source
        for line in cell.source.splitlines():
            if BEGIN in line or END in line:
                within = BEGIN in line
            elif within and len(_bare(line)) >= TELLING:
                yield _bare(line)


def _bare(line: str) -> str:
    """A line without white space, so that formatting does not hide it."""
    return "".join(line.split())
