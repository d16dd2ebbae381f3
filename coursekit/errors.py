"""The errors of the course kit.

    CoursekitError
    ├── CheckFailed            (also an AssertionError)  a check in a notebook found something wrong
    ├── Diverged               (also an ArithmeticError) a training went out of bounds
    ├── InvalidInput           (also a ValueError)       a function of the kit was called with something it cannot use
    ├── NotebookUnreadable     a file that is no notebook, or has not what is taken from it
    └── Unavailable            (also an OSError)         something that lies outside of the kit cannot be had
        ├── DatasetUnusable    a file of data is missing or damaged
        ├── DownloadFailed     a file could not be fetched whole
        └── PictureUnavailable no picture could be read from an address

All of them carry text and nothing else, so they survive pickling.
"""

from __future__ import annotations


class CoursekitError(Exception):
    """Base of every error that the course kit raises on purpose."""


class CheckFailed(CoursekitError, AssertionError):
    """A visible check found something wrong; the message says what, where and what to try."""

    def _render_traceback_(self) -> list[str]:
        """Return what Jupyter shows in place of a traceback: the message alone."""
        return [f"{type(self).__name__}: {self}"]


class Diverged(CoursekitError, ArithmeticError):
    """A training went out of bounds: a loss or a gradient is not finite."""


class InvalidInput(CoursekitError, ValueError):
    """A function of the kit was given a value that it cannot work with."""


class NotebookUnreadable(CoursekitError):
    """A file that should be a notebook cannot be read as one: ``message`` says what it is, ``fix`` what to try."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message, fix)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}: {self.fix}" if self.fix else self.message

    def _render_traceback_(self) -> list[str]:
        """Return what Jupyter shows in place of a traceback: the message alone."""
        return [f"{type(self).__name__}: {self}"]


class Unavailable(CoursekitError, OSError):
    """A file or an address cannot be used; the message names it and says what to try."""

    def _render_traceback_(self) -> list[str]:
        """Return what Jupyter shows in place of a traceback: the message alone."""
        return [f"{type(self).__name__}: {self}"]


class DatasetUnusable(Unavailable):
    """A file of data is missing, damaged, or none of ours."""


class DownloadFailed(Unavailable):
    """A file could not be fetched whole."""


class PictureUnavailable(Unavailable):
    """No picture could be read from an address."""
