"""Pictures from addresses, always as colour pictures of shape (H, W, 3) with numbers from 0 to 255.

Nothing is imported that reaches the network until a picture is fetched.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from coursekit import __version__
from coursekit.errors import PictureUnavailable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from urllib.parse import SplitResult

    from numpy.typing import NDArray

TIMEOUT = 10.0  # seconds without a byte
DEADLINE = 30.0  # seconds for all of it: a server that sends a byte now and then never runs into TIMEOUT
MAX_BYTES = 50 * 2**20  # the largest photographs have about 30 MB
MAX_PIXELS = 100_000_000  # a small file can unfold to a picture that fills the memory

_CHUNK = 2**16
# The first bytes that a web page can begin with, when it has been sent in place of a picture.
_PAGE = (b"<!doctype html", b"<html", b"<head", b"<!--")
_WIDE = 65535  # what white is in a picture of 16 bits


def image_from_url(url: str) -> NDArray[np.uint8]:
    """Read the picture at an address.

    The picture is fetched to a temporary file, which is gone when the function returns or raises. Grey pictures and
    palettes become colours, transparent places become white, 16 bits become 8. Of an animation the first frame is read.
    A photograph is turned upright.

    Args:
        url: An address that begins with http:, https: or file:.

    Returns:
        The picture, of shape (H, W, 3).

    Raises:
        PictureUnavailable: There is no picture to be had; the message names the address and says what to try.
    """
    # mkstemp opens the file. Its descriptor is closed before the file is removed: Windows removes no open file.
    descriptor, name = tempfile.mkstemp(prefix="coursekit-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _fetch(url, file)
        return _read(url, Path(name))
    finally:
        Path(name).unlink(missing_ok=True)


def failure(error: Exception) -> tuple[str, str]:
    """Say why a request failed, and what to try.

    Args:
        error: What urllib raised.

    Returns:
        Two clauses: what happened, as "the server answers 404 (Not Found)", and what to try.
    """
    import http.client
    import socket
    import ssl
    from urllib.error import HTTPError, URLError

    if isinstance(error, HTTPError):
        return _refusal(error.code)
    reason = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    known: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, str], ...] = (
        (TimeoutError, "the server is silent", "Try again later, or take another address"),
        (socket.gaierror, "its host name cannot be resolved", "Check the network, then the spelling of the host"),
        (ssl.SSLError, "the server cannot prove who it is", "Check the clock of this machine, or try another network"),
        (ConnectionRefusedError, "the host refuses the connection", "Check the network, or try again later"),
        ((ConnectionError, http.client.IncompleteRead), "the connection broke", "Try again"),
        (http.client.InvalidURL, "this is no address", "Correct it"),
        (http.client.HTTPException, "what answers does not speak HTTP", "Check the address"),
    )
    for kinds, what, advice in known:
        if isinstance(reason, kinds):
            return what, advice
    if getattr(reason, "errno", None) == errno.ENOSPC:
        return "there is no room left on the disk", "Make room"
    return f"it cannot be reached ({reason})", "Check the network, then the address"


def _refusal(code: int) -> tuple[str, str]:
    from http.client import responses

    what = f"the server answers {code} ({responses.get(code, 'unknown')})"
    if 300 <= code < 400:
        return (
            "the server redirects in a circle, or to where it may not",
            "Open it in a browser to see whether it works",
        )
    if code in {404, 410}:
        return what, "The file is not there any more, or the address has a typing mistake: correct it"
    if code in {401, 403}:
        return what, "The server refuses access: use another address"
    return what, "Try again later, or take another address"


def _unavailable(url: object, what: str, advice: str) -> PictureUnavailable:
    shown = str(url)
    shown = shown if len(shown) <= 300 else f"{shown[:300]}..."
    return PictureUnavailable(f"No picture from {shown}: {what}. {advice}.")


def _fetch(url: str, target: IO[bytes]) -> None:
    """Copy what stands at an address to a file."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url.strip())
    except (ValueError, AttributeError) as error:
        raise _unavailable(url, f"this is no address ({error})", "Correct it") from error
    if parts.scheme == "file":
        _copy_file(url, parts, target)
    elif parts.scheme in {"http", "https"} and parts.hostname:
        _download(url, parts, target)
    else:
        what = f"its scheme is {parts.scheme!r}" if parts.scheme not in {"http", "https"} else "it names no host"
        raise _unavailable(url, what, "Addresses begin with http://, https:// or file:")


def _copy_file(url: str, parts: SplitResult, target: IO[bytes]) -> None:
    from urllib.request import url2pathname

    host = "" if parts.netloc in {"", "localhost"} else f"//{parts.netloc}"
    try:
        path = Path(url2pathname(host + parts.path))
        if not path.exists():
            raise _unavailable(url, f"there is no file {path}", "Check the path; ./get_datasets.sh makes the data sets")
        if not path.is_file():
            raise _unavailable(url, f"{path} is not a file", "Name a picture")
        with path.open("rb") as source:
            _copy(url, source.read, target)
    except (OSError, ValueError) as error:
        if isinstance(error, PictureUnavailable):
            raise
        told = f"the file cannot be read ({error})", "Check the path and who may read it"
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        raise _unavailable(url, *(failure(error) if full else told)) from error


def _download(url: str, parts: SplitResult, target: IO[bytes]) -> None:
    import http.client
    from urllib.error import HTTPError
    from urllib.request import Request

    watchdog = _Watchdog(DEADLINE)
    failed: Exception | None = None
    try:
        request = Request(_quoted(parts), headers={"User-Agent": f"coursekit/{__version__}"})  # noqa: S310 - http(s) only
        with _opener(watchdog).open(request, timeout=TIMEOUT) as response:
            expected = response.headers.get("Content-Length", "")
            if expected.isdecimal() and int(expected) > MAX_BYTES:
                raise _too_large(url)
            received = _copy(url, response.read1, target)
        if expected.isdecimal() and received < int(expected):
            failed = http.client.IncompleteRead(b"", int(expected) - received)
    except PictureUnavailable:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        failed = error
    finally:
        watchdog.stop()
    if watchdog.expired:
        raise _unavailable(url, f"it had not arrived after {DEADLINE:g} s", "Try again later, or take another address")
    if failed:
        raise _unavailable(url, *failure(failed)) from failed


def _copy(url: str, read: Callable[[int], bytes], target: IO[bytes]) -> int:
    """Copy until there is no more; return how many bytes there were."""
    size = 0
    while chunk := read(_CHUNK):
        size += len(chunk)
        if size > MAX_BYTES:
            raise _too_large(url)
        target.write(chunk)
    return size


def _too_large(url: str) -> PictureUnavailable:
    return _unavailable(url, f"it has more than {MAX_BYTES / 2**20:g} MB", "Take a smaller version of the picture")


def _quoted(parts: SplitResult) -> str:
    """Return an address with its spaces and its letters beyond ASCII written as HTTP wants them."""
    from urllib.parse import quote, urlunsplit

    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    kept = "%/:@!$&'()*+,;=~?[]"
    return urlunsplit((parts.scheme, host, quote(parts.path, kept), quote(parts.query, kept), ""))


def _opener(watchdog: _Watchdog) -> Any:
    """Return what opens http(s) addresses under a watchdog, and follows redirects to such addresses alone."""
    import http.client
    import urllib.request as ur

    class HTTPConnection(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            watchdog.watch(self.sock)

    class HTTPSConnection(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            watchdog.watch(self.sock)

    class HTTP(ur.HTTPHandler):
        def http_open(self, req: ur.Request) -> http.client.HTTPResponse:
            return self.do_open(HTTPConnection, req)

    class HTTPS(ur.HTTPSHandler):
        def https_open(self, req: ur.Request) -> http.client.HTTPResponse:
            return self.do_open(HTTPSConnection, req)

    class Redirects(ur.HTTPRedirectHandler):
        def redirect_request(self, req: ur.Request, fp: IO[bytes], *rest: Any) -> ur.Request | None:
            fp.close()  # else its body would be read to the end, however long it is
            return super().redirect_request(req, fp, *rest)

    opener = ur.OpenerDirector()
    for handler in (
        ur.ProxyHandler(),
        ur.UnknownHandler(),
        HTTP(),
        HTTPS(),
        Redirects(),
        ur.HTTPDefaultErrorHandler(),
        ur.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


class _Watchdog:
    """Cuts the connections of a download when its time is over, whatever it is waiting for just then."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, connection: socket.socket) -> None:
        with self._lock:
            self._socket = connection
        if self.expired:
            self._cut()

    def stop(self) -> None:
        self._timer.cancel()
        self._timer.join()

    def _cut(self) -> None:
        import socket
        from contextlib import suppress

        with self._lock:
            self.expired = True
            if self._socket is not None:
                # Of the base class: that of an SSL socket would also drop the encryption, under the reader's hands.
                with suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _read(url: str, path: Path) -> NDArray[np.uint8]:
    import imageio.v3 as iio

    with path.open("rb") as file:
        head = file.read(512).lstrip().lower()
    if not head:
        raise _unavailable(url, "there is nothing in it", "Take another address")
    if head.startswith(_PAGE):
        advice = "Open it in a browser, and copy the address of the picture itself"
        raise _unavailable(url, "this is a web page, not a picture", advice)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pillow's: on its own limit of pixels, on odd metadata
            with iio.imopen(path, "r", plugin="pillow") as file:
                height, width = file.properties(index=0).shape[:2]
                if height * width <= MAX_PIXELS:
                    return _pixels(file)
    except Exception as error:  # a damaged picture makes its decoder raise nearly anything
        advice = "Open it in a browser to see what it is; PNG, JPEG, GIF, BMP, TIFF and WebP are read"
        raise _unavailable(url, "this is not a picture that can be read, or only a part of one", advice) from error
    raise _unavailable(url, f"it has {height} x {width} pixels", "Take a smaller version of the picture")


def _pixels(file: Any) -> NDArray[np.uint8]:
    """Return the first frame of an open picture as colours of 8 bits."""
    mode = str(file.metadata(index=0, exclude_applied=False).get("mode", ""))
    if mode.startswith(("I", "F")):
        return _narrowed(file.read(index=0, rotate=True))
    # All other modes can be brought to RGBA; on opaque pictures alpha is 255 everywhere.
    picture = file.read(index=0, mode="RGBA", rotate=True)
    alpha = picture[..., 3:].astype(np.uint16)
    blended = (picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return np.ascontiguousarray(blended, np.uint8)


def _narrowed(grey: NDArray[Any]) -> NDArray[np.uint8]:
    """Bring a grey picture of 16 bits, or of floating-point numbers up to 1, to (H, W, 3) with 8 bits."""
    white = 1.0 if grey.dtype.kind == "f" else _WIDE
    scaled = np.nan_to_num(grey.astype(np.float64)) * (255 / white)
    return np.repeat(np.clip(np.rint(scaled), 0, 255).astype(np.uint8)[..., np.newaxis], 3, axis=2)
