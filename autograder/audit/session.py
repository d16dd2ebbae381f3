"""One session of pytest in which many answers to one notebook are examined, one after the other.

Starting pytest and reading a suite takes longer than most answers take to be examined. Else all is as in grading: the
same tests, the same judge, the same words.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.judging.lending import Loan, needed_loan
from autograder.judging.plugin import QUESTION, SuiteRun
from autograder.judging.student import Student
from autograder.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import pytest

    from autograder.course import AssignedNotebook
    from autograder.outcomes import TestResult
    from coursekit.notebook import Statement


@dataclass
class Verdicts:
    """What one examination found, by question; ``errors`` are the suite's own."""

    results: dict[str, list[TestResult]]
    errors: list[str]

    def full(self, question: str) -> bool:
        """Whether every test of a question that was run has passed."""
        found = self.results.get(question, [])
        return bool(found) and all(test.outcome is Outcome.PASSED for test in found)

    def told(self, question: str) -> str:
        """The first thing that is said about a question that did not get full marks."""
        if self.errors:
            return f"the suite itself failed: {self.errors[0]}"
        bad = [test for test in self.results.get(question, []) if test.outcome is not Outcome.PASSED]
        return next((f"{test.name}: {(test.rationale or test.cause).splitlines()[0]}" for test in bad), "")


@dataclass
class Session(SuiteRun):
    """A suite, ready to examine answers: ``work`` is called with the session, once.

    ``beside`` are the notebooks that lie beside this one.
    """

    work: Callable[[Session], None] = lambda _: None
    beside: Mapping[str, bytes] = field(default_factory=dict)
    _items: list[pytest.Item] = field(default_factory=list)
    _raised: Exception | None = None

    @classmethod
    def hold(
        cls, assigned: AssignedNotebook, beside: Mapping[str, bytes], work: Callable[[Session], None]
    ) -> list[str]:
        """Run ``work`` within a session; returns the errors of a suite that cannot be used.

        Raises:
            AutograderError: the reference does not work.
        """
        nobody: Any = None
        session = cls(assigned, nobody, 0, work=work, beside=beside)
        session.run()
        if session._raised is not None:
            raise session._raised
        return session.errors

    def examine(  # noqa: D417 - the others are those of SuiteRun
        self,
        statements: Sequence[Statement],
        questions: Collection[str],
        seed: int,
        *,
        hasty: bool = False,
        loan: Loan | None = None,
    ) -> Verdicts:
        """Run the tests of some questions against an answer.

        Args:
            statements: the answer.
            hasty: whether to stop at the first test that does not pass.
        """
        notebook = replace(self.assigned.source, statements=tuple(statements))
        self.seed, self.results, self.errors, self.judged_with = seed, {}, [], {}
        self.student = Student(notebook, self.assigned.names, beside=self.beside, loan=loan, inside=True)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - what an answer draws itself can be repeated too
        try:
            for item in self._items:
                if item.stash[QUESTION][0] in questions:
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=self._other(item))
                    if self.fatal or (hasty and not self._all_passed()):
                        break
            else:
                self.conclude()
        finally:
            self.student.close()
            self._right.clear()
            self._charges.clear()
        if self.fatal is not None:
            raise self.fatal
        return Verdicts(self.results, self.errors)

    def examine_built_on(
        self, question: str, statements: Sequence[Statement], dependents: Sequence[str], seed: int
    ) -> dict[str, str]:
        """Judge what is built on a question that failed, as grading does: with that one lent, if need be.

        Returns:
            what is said about those that do not get full marks even so.
        """
        notebook = replace(self.assigned.source, statements=tuple(statements))
        own = {name: self.examine(statements, [name], seed, hasty=True) for name in dependents}
        failed = {question} | {name for name, verdicts in own.items() if not verdicts.full(name)}
        told = {}
        for name in failed - {question}:
            names = needed_loan(name, notebook, failed, self.pairs)
            loan = Loan({each: self.assigned.reference for each in self.assigned.names if each in names})
            verdicts = self.examine(statements, [name], seed, loan=loan) if names else own[name]
            if not verdicts.full(name):
                told[name] = verdicts.told(name)
        return told

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of running each test once."""
        self._items = session.items
        if self.errors or not self._items:  # a suite that could not be read is empty the next time
            return True
        try:
            self.work(self)
        except Exception as error:  # noqa: BLE001 - for :meth:`hold` to raise, outside of pytest
            self._raised = error
        self.errors = []
        self.results = {item.stash[QUESTION][0]: [] for item in self._items}
        return True

    def _all_passed(self) -> bool:
        return not self.errors and all(
            test.outcome is Outcome.PASSED for tests in self.results.values() for test in tests
        )

    def _other(self, item: pytest.Item) -> pytest.Item | None:
        """Another test of the module, so that pytest tears down the test, and the module not."""
        return next((other for other in self._items if other is not item), None)
