"""Notebooks in a folder that a student has made, wherever they lie: a checkout, or an upload.

Links in it are not followed, or a link to a solution beside it would be graded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.course import assignment_names, source_notebooks
from autograder.errors import UsageError
from autograder.grading import Submission
from autograder.submissions import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autograder.course import Assignment


@dataclass(frozen=True)
class HandedIn:
    """What was found in a folder: the submission, where each of its files lies, and what was passed over."""

    submission: Submission
    paths: Mapping[str, Path]
    remarks: tuple[str, ...]


def assignment_in(path: Path, course: Path) -> str:
    """The assignment whose notebooks lie below ``path``.

    Raises:
        UsageError: none, or several.
    """
    there = {notebook.stem.casefold() for notebook in _notebooks(path)}
    found = [
        name
        for name in assignment_names(course)
        if there & {notebook.stem.casefold() for notebook in source_notebooks(name, course)}
    ]
    if len(found) == 1:
        return found[0]
    told = f"several: {', '.join(found)}" if found else "none"
    raise UsageError(f"Of the course's assignments, {path} holds {told}.", "Say which is meant: --assignment NAME")


def handed_in(assignment: Assignment, path: Path) -> HandedIn:
    """The notebooks of an assignment below ``path``, wherever they lie; all there are if none bears its name.

    Raises:
        UsageError: there is no such file or folder, or it cannot be read.
    """
    found = sorted(_notebooks(path), key=lambda notebook: (len(notebook.parts), notebook))
    asked = {f"{notebook.name}.ipynb".casefold(): f"{notebook.name}.ipynb" for notebook in assignment.notebooks}
    named = [notebook for notebook in found if notebook.name.casefold() in asked] or found
    paths: dict[str, Path] = {}
    remarks = []
    for notebook in named:
        name = asked.get(notebook.name.casefold(), notebook.name)
        if name in paths:
            remarks.append(f"{notebook} is passed over: {paths[name]} has the same name")
        else:
            paths[name] = notebook
    files = {name: read_file(notebook) for name, notebook in paths.items()}
    return HandedIn(Submission(path.resolve().name or assignment.name, files), paths, tuple(remarks))


def _notebooks(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(folder, name) for name in files if name.endswith(".ipynb") and not name.startswith("."))
    else:
        raise UsageError(f"There is no file or folder {path}.")
