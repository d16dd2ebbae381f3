"""What a hidden test raises when its answer is not "passed".

Verdict
├── Failure        something is wrong; says what, and what to try
│   └── CallFailed    a call into the student's code did not return
└── NotJudged      nothing can be said; says why
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.outcomes import ErrorMap


class Verdict(Exception):
    """A hidden test's result other than "passed"."""


class Failure(Verdict):
    """The student's answer is wrong: ``rationale`` says what, ``hint`` what to try, ``error_map`` where in an array."""

    def __init__(
        self, rationale: str, hint: str = "", misconception: str = "", error_map: ErrorMap | None = None
    ) -> None:
        super().__init__(rationale, hint, misconception, error_map)
        self.rationale = rationale
        self.hint = hint
        self.misconception = misconception
        self.error_map = error_map


class CallFailed(Failure):
    """A call into the student's code did not return; ``function`` is what was called."""

    def __init__(self, function: str, rationale: str, hint: str = "") -> None:
        super().__init__(rationale, hint)
        self.function = function


class NotJudged(Verdict):
    """Nothing can be said about the student's answer: ``cause`` says why."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause
