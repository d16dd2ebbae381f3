"""Files are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.errors import AutograderError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO


JUST_NOW = 5.0
"""Seconds for which what was made is not taken for a leftover, so that its maker has the time to lock it."""


def must_be_writable(path: Path) -> None:
    """Raise UsageError if a file at ``path`` could not be written; said before any work is done."""
    try:
        if not path.name or not path.absolute().parent.is_dir():
            raise UsageError(f"There is no folder {path.parent} to write {path.name!r} into.")
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is no file that could be written.")
        with tempfile.TemporaryFile(dir=path.resolve().parent):
            pass
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


def write_whole(path: Path, text: str | Iterable[str]) -> None:
    """Write ``text``, or its parts, to a temporary file beside ``path``, then give it that name.

    Raises:
        AutograderError: the file cannot be written; what was there before is unchanged.
    """
    path = path.resolve()  # through a link, what it points to
    partial = path.with_name(f".{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8", errors="replace") as file:
            with contextlib.suppress(OSError):  # some network file systems have no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            file.writelines([text] if isinstance(text, str) else text)
            file.flush()
            partial.replace(path)
    except OSError as error:
        raise AutograderError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def open_regular(path: Path) -> BinaryIO:
    """Open a file to be read. A link is not followed, and a pipe that nobody writes to is not waited for.

    Raises:
        OSError: it cannot be opened, or it is no regular file.
    """
    found = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(found, "rb")


@contextlib.contextmanager
def scratch_folder(place: Path, prefix: str) -> Iterator[Path]:
    """A temporary folder in ``place``, locked for as long as it is used, so that others know it from a leftover."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as scratch:
        folder = os.open(scratch, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # some network file systems have no locks
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield Path(scratch)
        finally:
            os.close(folder)


def remove_leftovers(place: Path, pattern: str) -> None:
    """Remove what runs that were killed have left in ``place``: what nobody has locked, and was not made just now."""
    for path in place.glob(pattern):
        with contextlib.suppress(OSError):
            found = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                if time.time() - os.fstat(found).st_mtime > JUST_NOW:
                    fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(found)
