"""HDF5 files, and whatever else is there whole or not at all."""

from __future__ import annotations

import os
import platform
import re
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO


@contextmanager
def new_file(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open a new HDF5 file to write to, an `h5py.File`.

    It appears under its name when the block has ended, in place of one that was there before, and not at all if the
    block raises. Its folder is made if it is not there.

    Raises:
        OSError: It could not be written; with ``errno`` ENOSPC when the disk is full.
    """
    import h5py

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(target)
    try:
        with draft.open("w+b", buffering=0) as raw:
            sink = _Sink(raw)
            with h5py.File(sink, "w", libver=("v110", "v110")) as h5:
                yield h5
            sink.finish()
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def draft_of(target: Path) -> Path:
    """Return where to write what gets its name when it is whole, beside it: another place for each process.

    What a process of this machine that is gone, as one that was killed, has left of such drafts is removed.
    """
    start = f".{target.name}.{platform.node()}."
    for path in target.parent.iterdir():
        found = re.fullmatch(re.escape(start) + r"(\d{1,9})\.part", path.name)
        if found and not _runs(int(found[1])):
            with suppress(OSError):  # it is in nobody's way
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return target.with_name(f"{start}{os.getpid()}.part")


def _runs(process: int) -> bool:
    """Tell whether another process runs, as far as this is known."""
    if process == os.getpid():  # numbers come again
        return False
    if os.name == "nt":  # where no signal is without effect
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


class _Sink:
    """A file that HDF5 writes through, and that keeps the first error until HDF5 is done.

    HDF5 cannot close a file that it cannot write: on a full disk the interpreter crashes, or the file stays open. Here
    it believes that all went well, and `finish` says what happened.
    """

    def __init__(self, raw: FileIO) -> None:
        self.seek, self.tell, self.read, self.readinto = raw.seek, raw.tell, raw.read, raw.readinto
        self._raw = raw
        self._error: OSError | None = None

    def write(self, data: memoryview) -> int:
        self._try(lambda: self._write_all(data))
        return len(data)

    def truncate(self, size: int) -> int:
        self._try(lambda: self._raw.truncate(size))
        return size

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def finish(self) -> None:
        """Put everything on the disk, or raise the first error that there was."""
        self._try(lambda: os.fsync(self._raw.fileno()))
        if self._error:
            raise self._error

    def _write_all(self, data: memoryview) -> None:
        # A disk that is nearly full takes a part, and refuses the next.
        while data:
            data = data[self._raw.write(data) :]

    def _try(self, action: Callable[[], object]) -> None:
        if self._error is None:
            try:
                action()
            except OSError as error:
                self._error = error
