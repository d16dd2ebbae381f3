"""Files are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from autograder.errors import AutograderError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def must_be_writable(path: Path) -> None:
    """Raise UsageError if a file at ``path`` could not be written; said before any work is done."""
    try:
        if not path.name or not path.absolute().parent.is_dir():
            raise UsageError(f"There is no folder {path.parent} to write {path.name!r} into.")
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is no file that could be written.")
    except OSError as error:
        raise UsageError(f"{str(path)[:80]} cannot be written: {error.strerror}.") from error


def in_reports(course: Path, name: str) -> Path:
    """Where a course keeps what is written about it: a file in ``reports/``, which is made if it is not there."""
    folder = course / "reports"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise AutograderError(f"{folder} cannot be made: {error.strerror or error}.") from error
    return folder / name


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` to a temporary file beside ``path``, then give it that name.

    Raises:
        AutograderError: the file cannot be written; what was there before is unchanged.
    """
    path = path.resolve()  # through a link, what it points to
    partial = path.with_name(f".{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8", errors="replace")
        partial.replace(path)
    except OSError as error:
        raise AutograderError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
