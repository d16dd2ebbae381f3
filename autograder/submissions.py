"""Find what is to be graded: a submitted/ tree, one student's folder, or single notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from autograder.errors import UsageError
from autograder.files import open_regular
from autograder.grading import Submission
from autograder.sandbox.box import clean
from coursekit.ci.forms import on_one_line
from coursekit.notebook import MAX_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MAX_SUBMISSION = 256 * 2**20
"""Bytes of one submission that are taken."""
MAX_FILES = 1000
"""Files of one submission that are taken."""


def find_submissions(assignment: str, paths: Sequence[Path], submitted: Path | None = None) -> list[Submission]:
    """The submissions under ``paths``, in order, each student once, by the name of the folder.

    A path may be

    - a notebook, graded alone: ``anywhere/notebook.ipynb``, for the student whose folder it lies in if that can be
      told from ``STUDENT/ASSIGNMENT/``, else named for itself;
    - a student's folder for the assignment, ``submitted/STUDENT/ASSIGNMENT``, or any folder with notebooks in it;
    - a student's folder, ``submitted/STUDENT``; or the tree of all of them, ``submitted``.

    Links below a path are not followed: what they lead to is somebody else's, and nothing has been handed in then.

    Args:
        assignment: the name of what was asked.
        paths: where to look.
        submitted: the course's tree of all students, whatever lies in it: one may be called like the assignment.

    Raises:
        UsageError: a path is not there, or nothing to grade lies under it.
    """
    found: dict[str, dict[str, Path]] = {}
    folders: dict[str, Path] = {}
    for path in dict.fromkeys(paths):
        handed_in = _under(assignment, path, submitted)
        if not handed_in:
            raise UsageError(
                f"There is nothing to grade for {assignment!r} in {path}.",
                f"Give a notebook, a folder of notebooks, or a tree of STUDENT/{assignment}/ folders.",
            )
        for student, folder, notebooks in handed_in:
            folders.setdefault(student, folder)
            files = {clean(notebook.name, 255): notebook for notebook in notebooks}
            twice = found.setdefault(student, {}).keys() & files.keys()
            if twice:
                raise UsageError(
                    f"There are two notebooks {min(twice)} of {on_one_line(student)}.",
                    "Grade them one by one, or put each into a folder STUDENT/ASSIGNMENT/.",
                )
            found[student].update(files)
    return [Submission(student, _OnDisk(files), folders[student]) for student, files in found.items()]


def _under(assignment: str, path: Path, submitted: Path | None) -> list[tuple[str, Path, list[Path]]]:
    """Students, their folders and their notebooks."""
    try:
        if not path.exists():
            raise UsageError(f"There is no file or folder {path}.")
        if path.is_file():
            return [(_student_of(assignment, path.absolute()), path.resolve().parent, [path])]
        if not path.is_dir():
            raise UsageError(f"{path} is neither a notebook nor a folder.")
        path = path.resolve()
        if submitted is None or path != submitted.resolve():
            if _notebooks(path):
                return [(path.parent.name if path.name == assignment else path.name, path, _notebooks(path))]
            if (path / assignment).is_dir():
                return [_of_student(path, assignment)]
        students = sorted(folder for folder in path.iterdir() if (folder / assignment).is_dir())
        return [_of_student(folder, assignment) for folder in students]
    except OSError as error:
        raise UsageError(f"{str(path)[:80]} cannot be read: {error.strerror or error}.") from error


def _of_student(student: Path, assignment: str) -> tuple[str, Path, list[Path]]:
    folder = student / assignment
    linked = student.is_symlink() or folder.is_symlink()
    return student.name, folder, [] if linked else _notebooks(folder)


def _notebooks(folder: Path) -> list[Path]:
    """The notebooks in a folder by name; of more than a submission may have, the smallest."""
    found = sorted((min(path.stat().st_size, MAX_FILE), path) for path in folder.glob("*.ipynb") if path.is_file())
    sums = accumulate(size for size, _ in found[:MAX_FILES])
    return sorted(path for total, (_, path) in zip(sums, found, strict=False) if total <= MAX_SUBMISSION)


def _student_of(assignment: str, notebook: Path) -> str:
    folder = notebook.parent
    return folder.parent.name if folder.name == assignment and folder.parent.name else notebook.stem


class _OnDisk(Mapping[str, bytes]):
    """Files that are read when they are asked for, so that a class of any size may be listed. They travel as bytes."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths

    def __getitem__(self, name: str) -> bytes:
        return read_file(self._paths[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __reduce__(self) -> tuple[Callable[..., dict[str, bytes]], tuple[dict[str, bytes]]]:
        return dict, (dict(self),)


def read_file(path: Path) -> bytes:
    """The file's bytes, but no more of them than a notebook may have: one byte over, and the reader says so.

    A link has none: it could lead to a file that is not the student's.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        if path.is_symlink():
            return b""
        with open_regular(path) as file:
            return file.read(MAX_FILE + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
