"""Downloads that go on where they broke off.

A download stands in a file ``.part`` until it is whole, with a note beside it of what it is a part of. So a half
download is never taken for a whole one, nor put together from two versions of a file.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from http.client import HTTPException, IncompleteRead
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from coursekit import __version__
from coursekit.errors import CoursekitError, DownloadFailed
from coursekit.images import failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPResponse
    from pathlib import Path

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 20  # connections that may break in one run, each after it brought something
NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}

_CHUNK = 2**18
_MB = 2**20


class NoRoom(DownloadFailed):
    """The disk is full, or cannot be written."""


class WrongContent(Exception):
    """What was fetched is not what was looked for."""


def download(url: str, target: Path, magic: bytes, say: Callable[[str], None]) -> None:
    """Fetch a file; it has its name when it is whole.

    Args:
        url: Where it is, at http:// or https://; nothing else is fetched.
        target: Where to put it. What is here already of the same version is not fetched again.
        magic: What the file begins with. An answer that begins with something else, as a web page, is not kept.
        say: Is told what happens.

    Raises:
        DownloadFailed: It cannot be had; the message says why, what to try, and what has been kept. `NoRoom` is of
            this kind.
        WrongContent: It begins with something else.
        OSError: The folder cannot be written.
    """
    if not re.match("https?://", url, re.IGNORECASE):
        raise DownloadFailed(f"{url} is not fetched: it must begin with http:// or https://. Correct the address.")
    part = _Part(url, target, magic, say)
    for _ in range(ATTEMPTS):
        before = part.size
        try:
            if part.fetch():
                part.finish()
                return
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, CoursekitError):
                raise
            if isinstance(error, HTTPError):
                error.close()
            if isinstance(error, HTTPError) or part.size <= before:
                _give_up(url, part, error)
            say(f"the connection broke after {part.size / _MB:.1f} MB; going on from there ...")
    _give_up(url, part, IncompleteRead(b""))


def _give_up(url: str, part: _Part, error: Exception) -> NoReturn:
    what, advice = failure(error)
    kept = f" The {part.size / _MB:.1f} MB that are here are kept." if part.size else ""
    raise DownloadFailed(f"{url} could not be fetched: {what}. {advice}, and run the command again.{kept}") from error


class _Part:
    """A file that is being fetched, and a note of what it is a part of."""

    def __init__(self, url: str, target: Path, magic: bytes, say: Callable[[str], None]) -> None:
        self._url, self._target, self._magic, self._say = url, target, magic, say
        self._path = target.with_name(f"{target.name}.part")
        self._note_path = target.with_name(f"{target.name}.part.json")

    @property
    def size(self) -> int:
        """How many bytes are here."""
        return self._path.stat().st_size if self._path.exists() else 0

    def fetch(self) -> bool:
        """Ask for what is missing, and write it down.

        Returns:
            Whether all of it is here now. If not, and nothing was raised, it has to be fetched from the start.

        Raises:
            NoRoom: The disk is full.
            WrongContent: This begins with something else.
            OSError, HTTPException, ValueError: The server cannot be reached, refuses, or the connection broke.
        """
        note = self._note()
        have = self.size if note else 0
        if note and have and have == note["size"]:
            return True
        headers = {"User-Agent": f"coursekit/{__version__}"}
        if have and note and note["version"]:
            # If-Range: a server whose file has changed sends all of the new one.
            headers |= {"Range": f"bytes={have}-", "If-Range": note["version"]}
        try:
            response = urlopen(Request(self._url, headers=headers), timeout=TIMEOUT)  # noqa: S310 - http(s) only
        except HTTPError as error:
            if error.code != 416:
                raise
            error.close()
            return self._start_over()
        with response:
            if response.status == 206:
                sent = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
                if note is None or sent is None or not _continues(response, sent, have, note):
                    return self._start_over()
                self._receive(response, b"", have, None if sent[2] == "*" else int(sent[2]))
            else:
                # What is here stays until it is sure that the answer is no web page of the network's login.
                head = response.read1(_CHUNK)
                if not head:
                    raise IncompleteRead(b"")
                if not head.startswith(self._magic[: len(head)]):
                    kind = response.headers.get_content_type()
                    raise WrongContent(f"it begins with {head[:20]!r}, and the server calls it {kind}")
                if have:
                    self._say("the server gives it from the start only, or it has changed: starting over ...")
                self._path.write_bytes(b"")
                note = {"url": self._url, "version": _version(response), "size": _length(response)}
                self._note_path.write_text(json.dumps(note), encoding="utf-8")
                self._receive(response, head, 0, note["size"])
        return True

    def finish(self) -> None:
        """Give the file its name."""
        self._path.replace(self._target)
        self._note_path.unlink()

    def _receive(self, response: HTTPResponse, head: bytes, have: int, size: int | None) -> None:
        """Write down the rest of an answer, of which the head has been read."""
        if size and size - have > shutil.disk_usage(self._path.parent).free:
            self._no_room(size)
        with (
            self._path.open("ab", buffering=0) as file,
            tqdm(total=size, initial=have, unit="B", unit_scale=True, unit_divisor=1024, disable=None) as bar,
        ):
            while chunk := head or response.read1(_CHUNK):
                head = b""
                try:
                    # A disk that is nearly full takes a part, and refuses the next.
                    rest = memoryview(chunk)
                    while rest:
                        rest = rest[file.write(rest) :]
                except OSError as error:
                    if error.errno in NO_ROOM:
                        self._no_room(size, error)
                    raise DownloadFailed(
                        f"{self._path} cannot be written: {error}. Fix that, and try again."
                    ) from error
                have += len(chunk)
                bar.update(len(chunk))
        if size is not None and have != size:
            raise IncompleteRead(b"", size - have)

    def _no_room(self, size: int | None, error: OSError | None = None) -> NoReturn:
        here, free = self.size, shutil.disk_usage(self._path.parent).free
        needed = f"{(size - here) / _MB:.1f} MB more are needed" if size else "nobody knows how much is needed"
        raise NoRoom(
            f"There is no room on the disk for {self._target}: {needed} to fetch it, and {free / _MB:.1f} MB are free. "
            f"Make room, and run the command again; the {here / _MB:.1f} MB that are here are kept."
        ) from error

    def _start_over(self) -> bool:
        self._path.unlink(missing_ok=True)
        self._note_path.unlink(missing_ok=True)
        return False

    def _note(self) -> dict[str, Any] | None:
        """Return the note: the address, the version on the server and the size; None if this is another file."""
        try:
            note = json.loads(self._note_path.read_text(encoding="utf-8"))
            known = note["url"] == self._url and {"version", "size"} <= note.keys()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return note if known and (note["size"] is None or self.size <= note["size"]) else None


def _version(response: HTTPResponse) -> str | None:
    """Return what tells one version of a file from the next; a weak ETag does not."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _length(response: HTTPResponse) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _continues(response: HTTPResponse, sent: re.Match[str], have: int, note: dict[str, Any]) -> bool:
    """Tell whether a server that sends a part sends the right part of the same file."""
    same_size = note["size"] is None or sent[2] in {"*", str(note["size"])}
    return int(sent[1]) == have and same_size and _version(response) in {None, note["version"]}
