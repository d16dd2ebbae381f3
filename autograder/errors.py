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
