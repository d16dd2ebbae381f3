"""What a student hands in beside the notebooks: what of it is copied to ``autograded/``, and what may be linked to.

Formgrader serves ``autograded/`` to the instructor's browser as if it were Jupyter's own. So nothing gets there that a
browser would run, nothing that was not meant as a file, and no more than a submission may have.
"""

from __future__ import annotations

import errno
import os
import re
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from nbgrader.utils import parse_utc

from autograder.files import open_regular
from autograder.sandbox.box import clean
from autograder.submissions import MAX_FILES
from coursekit.notebook import MAX_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

HARMLESS = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".txt", ".csv", ".tsv", ".json", ".npy", ".npz", ".h5"}
"""Kinds of files in which a browser runs nothing, as it does in HTML, SVG and XML, and which no kernel imports."""
MAX_BYTES = MAX_FILE
"""Bytes that are copied of one submission: as many as a notebook may have, for what is only looked at."""
MAX_TIME = 200
"""Bytes that are read of a time; nbgrader writes about thirty."""
SITE = re.compile(r"https?://[^/\\]|mailto:", re.IGNORECASE)
"""The start of a link that names its server; ``https:`` without slashes begins a path of the same one."""


def handed_in_at(folder: Path) -> datetime | None:
    """When a submission was handed in, as nbgrader's ``collect`` has written; None if that is not known.

    Raises:
        ValueError: ``timestamp.txt`` holds no time.
    """
    try:
        with open_regular(folder / "timestamp.txt") as file:
            told = file.read(MAX_TIME).decode().strip()
        time: datetime | None = parse_utc(told) if told else None
    except FileNotFoundError:
        return None
    except (OSError, OverflowError) as error:
        raise ValueError(f"no time can be read from it ({error})") from error
    else:
        return time


def copy_beside(handed_in: Path, place: Path, ignored: Sequence[str]) -> list[str]:
    """Copy the harmless files of a submission to where its autograded notebooks are, unless something lies there.

    Args:
        handed_in: the folder of the submission. From a link to another nothing is copied.
        place: where what was given out lies already: that comes first.
        ignored: patterns of names that nbgrader passes over.

    Returns:
        The harmless files that were left out all the same: too large, one too many, or where no file can be.

    Raises:
        OSError: the disk is full.
    """
    room, number, left = MAX_BYTES, MAX_FILES, []
    for path in _harmless(handed_in, [*ignored, "*.ipynb"]):
        name = path.relative_to(handed_in)
        copy = place / name
        if os.path.lexists(copy):
            continue
        try:
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
                if size <= room and number:
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(file.read(size))
                    room, number = room - size, number - 1
                    continue
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
        left.append(clean(str(name), 80))
    return left


def stays_beside(url: str) -> bool:
    """Whether a browser that follows ``url``, however it is written, stays in the folder of the notebook or below."""
    path = unquote(url)
    parts = path.removeprefix("./").split("/")
    return path.isprintable() and not re.search(r"[\\:?#%]", path) and not {"", ".", ".."} & set(parts)


def may_be_linked(url: str) -> bool:
    """Whether a link may be followed: to another site, a place in the notebook, or a harmless file beside it."""
    if SITE.match(url) or url.startswith("#"):
        return True
    return stays_beside(url) and PurePosixPath(unquote(url)).suffix.lower() in {*HARMLESS, ".ipynb"}


def _harmless(folder: Path, ignored: Sequence[str]) -> Iterator[Path]:
    """The files in a folder of a kind that is copied. Links are neither followed nor taken."""

    def passed_over(name: str) -> bool:
        return any(fnmatch(name, pattern) for pattern in ignored)

    if folder.is_symlink() or folder.parent.is_symlink():
        return
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not passed_over(name))
        for name in sorted(names):
            path = Path(place, name)
            if path.suffix.lower() in HARMLESS and not passed_over(name) and not path.is_symlink():
                yield path
