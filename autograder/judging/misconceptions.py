"""Known mistakes: each a small change of the reference solution, with the words that explain it.

The suite of a notebook lists them in ``misconceptions_NOTEBOOK.py``. They serve three times: a failing answer that
equals one gets its explanation; the suite is tested by them, since it must fail each; and the demonstration class makes
them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.errors import SuiteError
from autograder.judging.answers import Reference
from autograder.judging.verdicts import Verdict
from coursekit.gradcheck import compare
from coursekit.notebook import names_used_by

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from autograder.judging.answers import Answers
    from coursekit.notebook import Statement


@dataclass(frozen=True)
class Misconception:
    """A mistake that students make in one question.

    ``explanation`` completes "this is what you get when ..."; ``hint`` points and does not give the line.
    ``change`` is (what the reference says, what the mistake says instead); the former occurs once in its cell.
    """

    question: str
    name: str
    explanation: str
    hint: str
    change: tuple[str, str]

    def concerns(self, source: str) -> bool:
        """Whether some source defines the function, class or method that the mistake is made in."""
        return _defines(source, self.question)

    def fits(self, statements: Sequence[Statement]) -> bool:
        """Whether it can be made in a solution, in which another mistake may have been made before."""
        return defining(statements, self.question).source.count(self.change[0]) == 1

    def apply(self, source: str) -> str:
        """The source with the mistake made. Raises SuiteError unless the reference's words occur in it once."""
        right, wrong = self.change
        if source.count(right) != 1:
            raise SuiteError(
                f"The misconception {self.name!r} of {self.question} changes {right!r}, which occurs "
                f"{source.count(right)} times in the reference solution.",
                "Change it to something that occurs there once, or remove it.",
            )
        return source.replace(right, wrong)


def _defines(source: str, question: str) -> bool:
    name, _, method = question.partition(".")
    defined = re.search(rf"^(def|class) {name}\b", source, re.MULTILINE)
    return defined is not None and (not method or f"def {method}(" in source)


def defining(statements: Sequence[Statement], question: str) -> Statement:
    """The statement of the reference solution that defines a question. Raises SuiteError unless there is one."""
    found = [statement for statement in statements if _defines(statement.source, question)]
    if len(found) != 1:
        raise SuiteError(
            f"{question} is defined {len(found)} times in the reference solution.",
            "Once is what it takes to change it.",
        )
    return found[0]


def check_fit(misconceptions: Iterable[Misconception], statements: Sequence[Statement], file: Path) -> None:
    """See that each mistake of a file can be made in the reference solution. Raises SuiteError if one cannot."""
    for known in misconceptions:
        try:
            known.apply(defining(statements, known.question).source)
        except SuiteError as error:
            raise SuiteError(f"{file}: {error.message}", error.fix) from None


def with_mistake(statements: Sequence[Statement], misconception: Misconception) -> list[Statement]:
    """The reference solution with one mistake made in the statement that defines the question."""
    changed = defining(statements, misconception.question)
    return [
        replace(statement, source=misconception.apply(statement.source)) if statement is changed else statement
        for statement in statements
    ]


class KnownMistakes:
    """The misconceptions of one notebook, each ready to be run: the reference with that mistake in it."""

    def __init__(self, misconceptions: Sequence[Misconception], statements: Sequence[Statement], file: Path) -> None:
        self._misconceptions = misconceptions
        self._statements = statements
        self._file = file
        self._answers: dict[Misconception, Reference] = {}
        self._used: dict[str, set[str]] = {}
        self._after: dict[Misconception, KnownMistakes] = {}

    def recognise(
        self, question: str, yours: Any, expected: Any, ask: Callable[[Answers], Any]
    ) -> Misconception | None:
        """The known mistake whose output equals ``yours``, if there is one.

        ``ask`` asks somebody for the value that was compared; a mistake that changes nothing here is no explanation.
        """
        for known, theirs in self._asked(self._concerning([question]), ask):
            if _equal(yours, theirs) and not compare("", theirs, expected).passed:
                return known
        return None

    def twins(
        self, question: str, yours: Any, ask: Callable[[Answers], Any], ruled_out: set[tuple[str, Misconception]]
    ) -> list[Reference]:
        """The reference with a mistake in ``question`` or what it uses, for each that gives ``yours`` when it is asked.

        Where ``question`` is a method, mistakes made in its class count as made in it. Those that give something else
        are added to ``ruled_out``, and those in there are not asked: what has differed once is not the same function.
        """
        left = [
            known
            for known in self._concerning({question, *self._used_by(question)})
            if (question, known) not in ruled_out
        ]
        found = [(known, compare("", yours, theirs).passed) for known, theirs in self._asked(left, ask)]
        ruled_out |= {(question, known) for known, same in found if not same}
        return [self._made(known) for known, same in found if same]

    def after(self, twin: Reference) -> KnownMistakes:
        """Those that can be made beside the mistake of a twin: what is wrong may be wrong twice."""
        first = next(known for known, answers in self._answers.items() if answers is twin)
        if first not in self._after:
            statements = with_mistake(self._statements, first)
            others = [known for known in self._misconceptions if known is not first and known.fits(statements)]
            self._after[first] = KnownMistakes(others, statements, self._file)
        return self._after[first]

    def _concerning(self, questions: Collection[str]) -> list[Misconception]:
        return [
            known
            for known in self._misconceptions
            if any(f"{question}.".startswith(f"{known.question}.") for question in questions)
        ]

    def _asked(
        self, mistakes: Iterable[Misconception], ask: Callable[[Answers], Any]
    ) -> Iterator[tuple[Misconception, Any]]:
        """What is given with each of the mistakes, if it gets as far as a value."""
        for known in mistakes:
            made = self._made(known)
            try:
                with np.errstate(all="ignore"):  # some mistakes overflow
                    theirs = ask(made)
            except (Verdict, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                continue
            finally:
                made.forget()
            if isinstance(theirs, (np.ndarray, np.generic, float, int)):
                yield known, theirs

    def _used_by(self, question: str) -> set[str]:
        if question not in self._used:
            self._used[question] = names_used_by(self._statements, [question.partition(".")[0]])
        return self._used[question]

    def _made(self, known: Misconception) -> Reference:
        if known not in self._answers:
            try:
                self._answers[known] = Reference(with_mistake(self._statements, known), self._file)
            except SuiteError as error:
                told = f"With the misconception {known.name!r} of {known.question}: {error.message}"
                raise SuiteError(told, "Correct its change: what it makes has to run.") from error
        return self._answers[known]


def _equal(yours: Any, theirs: Any) -> bool:
    """Whether two answers are equal up to rounding, or have the same entries that are no finite numbers."""
    if compare("", yours, theirs).passed:
        return True
    if not isinstance(yours, (np.ndarray, np.floating, float)) or np.shape(yours) != np.shape(theirs):
        return False
    mine, strange = np.asarray(yours), ~np.isfinite(theirs)
    same = np.array_equal(mine[strange], np.asarray(theirs)[strange], equal_nan=True)
    return bool(strange.any()) and same and np.array_equal(~np.isfinite(mine), strange)
