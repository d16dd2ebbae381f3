"""What a hidden test raises when its answer is not "passed".

Verdict
├── Failure        something is wrong; says what, and what to try
│   └── CallFailed    a call into the student's code did not return
│       └── NotCalled    it was not even made
└── NotJudged      nothing can be said; says why
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.outcomes import ErrorMap


@dataclass(frozen=True)
class Difference:
    """What an answer was and what it should have been; ``against`` is where the latter comes from."""

    name: str
    yours: Any
    expected: Any
    against: str
    well_formed: bool
    """Whether it is the values that differ, and not already type, shape or dtype."""


class Verdict(Exception):
    """A hidden test's result other than "passed"."""


class Failure(Verdict):
    """The student's answer is wrong: ``rationale`` says what, ``hint`` what to try.

    ``error_map`` shows where in an array, ``difference`` what was compared, if that is what was found wrong.
    """

    def __init__(
        self,
        rationale: str,
        hint: str = "",
        misconception: str = "",
        error_map: ErrorMap | None = None,
        difference: Difference | None = None,
    ) -> None:
        super().__init__(rationale, hint, misconception, error_map, difference)
        self.rationale = rationale
        self.hint = hint
        self.misconception = misconception
        self.error_map = error_map
        self.difference = difference


class CallFailed(Failure):
    """A call into the student's code did not return; ``function`` is what was called.

    ``raised`` is the type of the exception, if it was one that tells something about the inputs.
    """

    def __init__(self, function: str, rationale: str, hint: str = "", *, raised: str = "") -> None:
        super().__init__(rationale, hint)
        self.function = function
        self.raised = raised


class NotCalled(CallFailed):
    """A call into the student's code was not made: what it needs is not there, or it would take too long."""


class NotJudged(Verdict):
    """Nothing can be said about the student's answer: ``cause`` says why."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause
