"""Find what is to be graded: a submitted/ tree, one student's folder, or single notebooks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autograder.errors import UsageError
from autograder.grading import Submission
from autograder.sandbox.box import clean
from coursekit.notebook import MAX_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def find_submissions(assignment: str, paths: Sequence[Path]) -> list[Submission]:
    """The submissions under ``paths``, in order, each student once.

    A path may be

    - a notebook, graded alone: ``anywhere/notebook.ipynb``, for the student whose folder it lies in if that can be
      told from ``STUDENT/ASSIGNMENT/``, else named for itself;
    - a student's folder for the assignment, ``submitted/STUDENT/ASSIGNMENT``, or any folder with notebooks in it;
    - a student's folder, ``submitted/STUDENT``; or the tree of all of them, ``submitted``.

    Raises:
        UsageError: a path is not there, or nothing to grade lies under it.
    """
    found: dict[str, Submission] = {}
    for path in dict.fromkeys(paths):
        submissions = list(_under(assignment, path))
        if not submissions:
            raise UsageError(
                f"There is nothing to grade for {assignment!r} in {path}.",
                f"Give a notebook, a folder of notebooks, or a tree of STUDENT/{assignment}/ folders.",
            )
        for submission in submissions:
            files = found[submission.student].files if submission.student in found else {}
            twice = files.keys() & submission.files.keys()
            if twice:
                raise UsageError(
                    f"There are two notebooks {min(twice)} of {submission.student}.",
                    "Grade them one by one, or put each into a folder STUDENT/ASSIGNMENT/.",
                )
            found[submission.student] = replace(submission, files={**files, **submission.files})
    return list(found.values())


def _under(assignment: str, path: Path) -> list[Submission]:
    try:
        if not path.exists():
            raise UsageError(f"There is no file or folder {path}.")
        if path.is_file():
            return [_submission(_student_of(assignment, path.absolute()), [path])]
        if not path.is_dir():
            raise UsageError(f"{path} is neither a notebook nor a folder.")
        if _notebooks(path):
            folder = path.resolve()
            return [_submission(folder.parent.name if folder.name == assignment else folder.name, _notebooks(path))]
        if (path / assignment).is_dir():
            return [_submission(path.resolve().name, _notebooks(path / assignment))]
        students = sorted(folder for folder in path.iterdir() if (folder / assignment).is_dir())
        return [_submission(folder.name, _notebooks(folder / assignment)) for folder in students]
    except OSError as error:
        raise UsageError(f"{str(path)[:80]} cannot be read: {error.strerror or error}.") from error


def _notebooks(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.ipynb") if path.is_file())


def _student_of(assignment: str, notebook: Path) -> str:
    folder = notebook.parent
    return folder.parent.name if folder.name == assignment and folder.parent.name else notebook.stem


def _submission(student: str, notebooks: list[Path]) -> Submission:
    files = {clean(path.name, 255): _read(path) for path in notebooks}
    return Submission(clean(student, 80), files, notebooks[0].resolve().parent if notebooks else None)


def _read(path: Path) -> bytes:
    """The file's bytes, but no more of them than a notebook may have: one byte over, and the reader says so."""
    if path.is_symlink():
        return b""
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)
