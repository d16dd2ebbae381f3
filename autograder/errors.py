"""Everything that can go wrong on the grader's side.

    AutograderError                the work could not be done        exit code 1
    ├── UsageError                 the request makes no sense        exit code 2
    ├── SandboxUnavailable         this machine cannot isolate hostile code
    │   └── NamespacesForbidden    not in the strongest way
    ├── BrokenBox                  a sandbox misbehaved before any student code ran in it
    ├── SuiteError                 a hidden suite and its assignment do not fit together
    └── ReleaseError               a release could not be made, or would give something away

A student's mistake is never one of these: it is a result (see :mod:`autograder.outcomes`). So is what they hand in that
is no notebook, a :class:`coursekit.errors.NotebookUnreadable`.
"""

from __future__ import annotations

from traceback import walk_tb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class AutograderError(Exception):
    """The work could not be done; ``str(error)`` says what happened, ``fix`` what to try."""

    exit_code = 1

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message, fix)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  {self.fix}" if self.fix else self.message


class UsageError(AutograderError):
    """The request makes no sense: an unknown assignment, a path that is not there."""

    exit_code = 2


class SandboxUnavailable(AutograderError):
    """This machine cannot isolate hostile code; ``fix`` is the command that mends it."""


class NamespacesForbidden(SandboxUnavailable):
    """bubblewrap is there, and may not make namespaces."""


class BrokenBox(AutograderError):
    """A sandbox misbehaved before any of the student's code ran in it: our failure, not theirs."""


class SuiteError(AutograderError):
    """A hidden suite and its assignment do not fit together."""


class ReleaseError(AutograderError):
    """A release could not be made, or would give something away."""


# What the code of an assignment's author has raised -------------------------------------------------------


def line_in(file: Path, error: BaseException) -> str:
    """The line of a file that led to an error, to be written behind its name: ", line 3"; nothing if none did."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f", line {error.lineno}" if error.lineno else ""
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == str(file)]
    return f", line {lines[-1]}" if lines else ""


def said(error: BaseException) -> str:
    """An error's kind and its words, without the place that Python adds to some."""
    words = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
