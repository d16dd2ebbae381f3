"""What is in a zip that anybody may have made: regular files with harmless names, read as far as they may be long."""

from __future__ import annotations

import io
import re
import stat
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_ENTRIES = 200_000
"""Files in a zip of a class."""
MAX_LISTED = 20_000
"""Files in the list of a student's zip, which is read as a whole."""
MAX_PATH = 1000
"""Bytes of a file's path, which has to be short enough for every disk below the folders of a course."""
MAX_PARTS = 30
"""Parts of a path: the folders, one in the other, and the file."""
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, OverflowError)
"""What reading a zip raises whose numbers or bytes are not right."""
LITTER = re.compile(
    r"__MACOSX|\.DS_Store|\._.*|\.Spotlight-V100|\.Trashes|Thumbs\.db|desktop\.ini|~\$.*"
    r"|\.ipynb_checkpoints|__pycache__|\.git|\.idea|\.vscode|\.venv",
    re.IGNORECASE,
)
"""What systems and editors leave lying about, by the name of a file or of a folder above it."""
IS_LITTER = "left behind by a system or an editor"


@dataclass(frozen=True)
class Left:
    """A file, or a whole submission, that was not taken, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """One regular file of a zip. ``parts`` is its path, each part a name that a file may have."""

    parts: tuple[str, ...]
    order: int
    """Where it stands among the files of the zip; of what is there twice, the last counts."""
    _archive: zipfile.ZipFile
    _info: zipfile.ZipInfo

    @property
    def path(self) -> str:
        """The path as text."""
        return "/".join(self.parts)

    @property
    def size(self) -> int:
        """What the zip says of its size: more never comes out, for what says too little cannot be read."""
        return self._info.file_size

    def read(self, limit: int) -> bytes | str:
        """The bytes, or the reason why they cannot be had."""
        if self._info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:  # the others come out unbounded
            return "it is compressed in a way that is not read; pack it as an ordinary zip"
        if self.size > limit:
            return f"unpacked, it has more than {limit / 2**20:.3g} MiB"
        try:
            with self._archive.open(self._info) as file:
                return file.read(limit + 1)  # at most size bytes, and their checksum has to be right
        except DAMAGED as error:
            return f"it is damaged ({error})"
        except RuntimeError:
            return "it is encrypted"


def entries(archive: zipfile.ZipFile, below: tuple[str, ...] = (), most: int = MAX_ENTRIES) -> Iterator[Entry | Left]:
    """The files of a zip in order, and what is none that could be taken.

    Args:
        archive: the zip.
        below: where the zip itself lies, if it was in another one.
        most: how many of them are looked at.
    """
    for order, info in enumerate(archive.infolist()):
        path = _name(info)
        told = "/".join((*below, path))
        if order >= most:
            yield Left(told, f"the zip holds more than {most:,} files; this one and those behind it are left out")
            return
        if path.endswith("/"):
            continue
        parts = tuple(part for part in path.split("/") if part not in {"", "."})
        reason = _refused(path, parts, info)
        yield Left(told, reason) if reason else Entry((*below, *map(_harmless, parts)), order, archive, info)


def opened(data: bytes | Path) -> zipfile.ZipFile | str:
    """A zip, or the reason why it is none. Of one in memory, which a student made, the list of files is bounded."""
    if isinstance(data, bytes) and data.count(b"PK\1\2") > MAX_LISTED:
        return f"it is a zip of more than {MAX_LISTED:,} files"
    try:
        return zipfile.ZipFile(io.BytesIO(data) if isinstance(data, bytes) else data)
    except (*DAMAGED, NotImplementedError) as error:
        return f"it is no zip that can be opened ({error})"


def _name(info: zipfile.ZipInfo) -> str:
    """An entry's path. Some programs write UTF-8 without saying so, and some write a backslash for each slash."""
    name = info.orig_filename.split("\0")[0]
    if not info.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.orig_filename
    return unicodedata.normalize("NFC", name).replace("\\", "/")


def _refused(path: str, parts: tuple[str, ...], info: zipfile.ZipInfo) -> str:
    """Why an entry is not taken, or nothing."""
    mode = info.external_attr >> 16
    if any(LITTER.fullmatch(part) for part in parts):
        return IS_LITTER
    if path.startswith("/") or re.match(r"[A-Za-z]:", path) or ".." in parts:
        return "its path leads out of the zip"
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return "it is a link" if stat.S_ISLNK(mode) else "it is no regular file"
    if not parts:
        return "it has no name"
    if len(path.encode("utf-8", "replace")) > MAX_PATH or len(parts) > MAX_PARTS:
        return f"its path has more than {MAX_PATH:,} bytes or {MAX_PARTS} parts"
    return ""


def _harmless(name: str) -> str:
    """A name that any file may have, here and on other systems."""
    clean = "".join(char if char.isprintable() and char not in '<>:"|?*' else "_" for char in name)
    while len(clean.encode("utf-8", "replace")) > 200:  # in the middle, so that the ending stays
        clean = clean[: len(clean) // 2 - 1] + clean[len(clean) // 2 + 1 :]
    return clean.encode("utf-8", "replace").decode("utf-8").rstrip(" .") or "_"
