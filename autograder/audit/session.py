"""Many answers to one notebook, examined one after the other, each in this process.

All is as in grading but the box: the same tests, the same judge, the same words.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from autograder.judging.lending import Loan, needed_loan
from autograder.judging.run import SuiteRun
from autograder.judging.student import Student
from autograder.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

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


class Session:
    """Examines answers to one notebook in this process.

    Args:
        assigned: the notebook.
        beside: the notebooks that lie beside it.

    Attributes:
        pairs: the forward and backward functions that were seen to belong together.
    """

    def __init__(self, assigned: AssignedNotebook, beside: Mapping[str, bytes]) -> None:
        self.assigned = assigned
        self.pairs: set[tuple[str, str]] = set()
        self._beside = beside

    def examine(
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
            questions: their names.
            seed: of all random numbers.
            hasty: whether to stop at the first test that does not pass.
            loan: functions of the reference that stand in for its own.

        Raises:
            AutograderError: the suite or the reference does not work.
        """
        notebook = replace(self.assigned.source, statements=tuple(statements))
        np.random.seed(seed % 2**32)  # noqa: NPY002 - what an answer draws itself can be repeated too
        with closing(Student(notebook, self.assigned.names, beside=self._beside, loan=loan, inside=True)) as student:
            run = SuiteRun(self.assigned, student, seed, questions, pairs=self.pairs)
            run.run(hasty=hasty)
        return Verdicts(run.results, run.errors)

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
