"""One run of a hidden suite: each of its tests is asked for one notebook, and what it has to say is heard.

Verdicts become outcomes (see :mod:`autograder.judging.verdicts`); a plain ``assert`` that fails is a failure too, its
message the rationale. Any other exception is an error of the suite, which is ours: it is kept in ``errors``, never
graded.
"""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass, field, replace
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.errors import AutograderError, line_in, said
from autograder.judging.conduct import Remark, changed, second_look
from autograder.judging.heard import Heard
from autograder.judging.judge import FOLLOW_THROUGH, Judge
from autograder.judging.smallest import smallest_case
from autograder.judging.verdicts import CallFailed, Failure, NotJudged
from autograder.outcomes import Outcome, TestResult
from autograder.sandbox.worker import IN_NOTEBOOK

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from autograder.course import AssignedNotebook
    from autograder.judging.cases import Case
    from autograder.judging.misconceptions import Misconception
    from autograder.judging.plugin import HiddenTest
    from autograder.judging.student import Student


@dataclass
class SuiteRun:
    """One run of one suite; after :meth:`run`, the results by question.

    ``only`` are the questions to run the tests of; by default all of them. ``weights`` are those of all tests that
    there are, so that a test which never ran is not taken for one that passed. ``pairs`` are the forward and backward
    functions that were seen to belong together. ``may_wait`` tells of a question that has failed a test whether it is
    first to be judged in another way; those whose other tests were not run for that are in ``waiting``. If it is
    ``brief``, and of those that are waiting, what failed is told in as few words as it takes.
    """

    assigned: AssignedNotebook
    student: Student
    seed: int
    only: Collection[str] = ()
    weights: dict[str, float] = field(default_factory=dict)
    results: dict[str, list[TestResult]] = field(default_factory=dict)
    judged_with: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    may_wait: Callable[[str], bool] = lambda _: False
    waiting: set[str] = field(default_factory=set)
    brief: bool = False
    _charges: dict[str, list[Remark]] = field(default_factory=dict, init=False)
    _right: dict[str, tuple[Judge, Case]] = field(default_factory=dict, init=False)
    _ruled_out: set[tuple[str, Misconception]] = field(default_factory=set, init=False)
    _function: str = field(default="", init=False)
    _heard: Heard = field(default_factory=Heard, init=False)
    _wrong: dict[str, tuple[Judge, Failure]] = field(default_factory=dict, init=False)

    def run(self, *, hasty: bool = False) -> None:
        """Run every test of the suite once; if ``hasty``, up to the first that does not pass.

        Raises:
            AutograderError: nothing can be graded, because the sandbox, the suite or the reference does not work.
        """
        suite = self.assigned.tests
        self.weights = dict(suite.weights)
        asked = self.only or self.assigned.names
        with warnings.catch_warnings(action="ignore"):  # of numbers that overflow, which are judged
            for test in suite.tests:
                if test.question in asked and test.question not in self.waiting:
                    self._ask(test)
                    if hasty and (self.errors or test.question in self.failing):
                        return
                    if test.question in self.failing and self.may_wait(test.question):
                        self.waiting.add(test.question)
            self._conclude()

    def exemplify(self, question: str) -> None:
        """Add the smallest case to the first test of a question that failed, if there is one that shows something."""
        if question in self._wrong:
            judge, failure = self._wrong[question]
            example = smallest_case(judge, failure)
            tests = self.results[question]
            place = next(place for place, test in enumerate(tests) if test.outcome is Outcome.FAILED)
            tests[place] = replace(tests[place], example=example)

    @property
    def failing(self) -> set[str]:
        """The questions of which a test has not passed."""
        return {
            name for name, tests in self.results.items() if any(test.outcome is not Outcome.PASSED for test in tests)
        }

    def earned(self, question: str) -> float:
        """The share of a question's tests that passed, by weight."""
        passed = sum(test.weight for test in self.results.get(question, ()) if test.outcome is Outcome.PASSED)
        return passed / self.weights[question] if question in self.weights else 0.0

    def _ask(self, test: HiddenTest) -> None:
        if test.function != self._function:
            self._function, self._heard = test.function, Heard()
            self.assigned.reference.forget()
        judge = Judge(
            question=test.question,
            student=self.student,
            reference=self.assigned.reference,
            rng=np.random.default_rng([self.seed, zlib.crc32(test.function.encode())]),
            mistakes=self.assigned.mistakes,
            pairs=self.pairs,
            measured=test.measured,
            ruled_out=self._ruled_out,
            heard=self._heard,
            brief=self.brief or (bool(self.failing) and self.may_wait(test.question)),
        )
        raised = self.assigned.tests.ask(test, judge)
        for when, error in raised.items():
            if isinstance(error, AutograderError):  # it would go wrong for every test
                raise error
            if when != "call":
                self.errors.append(self._broken(test, error))
        if "setup" not in raised:
            verdict = raised.get("call")
            result = TestResult(test.name, test.title, test.weight, **self._told(test, verdict))
            self.results.setdefault(test.question, []).append(result)
            self._keep(test.question, judge, verdict)
            if judge.followed_through and result.outcome is Outcome.PASSED:
                self.judged_with[test.question] = FOLLOW_THROUGH
        self.student.forget()

    def _conclude(self) -> None:
        """Look once more at what is right, and let the ways cost what they cost in which it came about."""
        for question, (judge, case) in self._right.items():
            self._remark(question, second_look(judge, case))
            self.student.forget()
        self.assigned.reference.forget()
        for question, remarks in self._charges.items():
            self._charge(question, remarks)

    def _keep(self, question: str, judge: Judge, error: BaseException | None) -> None:
        """Keep what a test has come upon, for a second look or for the smallest case."""
        if error is None:
            known = [self._right[question]] if question in self._right else []
            found = [*known, *((judge, case) for case in judge.cases)]
            if found:  # the first that shows most
                self._right[question] = max(found, key=lambda pair: len(pair[1].gradients))
            names: dict[str, list[str]] = {}
            for function, argument in sorted(self.student.changed):
                if _concerns(question, function):
                    names.setdefault(function, []).append(argument)
            self._remark(question, [*judge.remarks, *(changed(function, names[function]) for function in names)])
        elif isinstance(error, Failure) and self.results[question][-1].outcome is Outcome.FAILED:
            self._wrong.setdefault(question, (judge, error))

    def _remark(self, question: str, remarks: Iterable[Remark]) -> None:
        """Say what costs nothing, once, with the latest test of a question, and keep what does."""
        for remark in remarks:
            if self.assigned.tests.costs[remark.habit]:
                self._charges.setdefault(question, []).append(remark)
            elif all(remark.sentence not in test.remark for test in self.results[question]):
                test = self.results[question][-1]
                self.results[question][-1] = replace(test, remark=f"{test.remark} {remark.sentence}".strip())

    def _charge(self, question: str, remarks: Sequence[Remark]) -> None:
        """Let a question lose what costs something."""
        tests = self.results[question]
        kinds = {remark.habit: remark for remark in remarks}
        cost = sum(self.assigned.tests.costs[habit] for habit in kinds)
        rationale = "\n".join(remark.sentence for remark in kinds.values())
        hint = remarks[-1].hint
        if cost >= 1:
            tests[:] = [
                replace(test, outcome=Outcome.FAILED, rationale=rationale, hint=hint)
                if test.outcome is Outcome.PASSED
                else test
                for test in tests
            ]
        else:
            weight = self.weights[question] * cost / (1 - cost)  # so that of the whole it is this share
            title = "The answer is computed the way the exercise asks."
            tests.append(TestResult("conduct", title, weight, Outcome.FAILED, rationale=rationale, hint=hint))
            self.weights[question] += weight

    def _told(self, test: HiddenTest, error: BaseException | None) -> dict[str, Any]:
        if error is None:
            return {"outcome": Outcome.PASSED}
        if isinstance(error, CallFailed) and not _concerns(test.question, error.function):
            return {"outcome": Outcome.NOT_JUDGED, "cause": f"{error.function} has to work first. {error.rationale}"}
        if isinstance(error, Failure):
            told = ("rationale", "hint", "misconception", "error_map")
            return {"outcome": Outcome.FAILED, **{name: getattr(error, name) for name in told}}
        if isinstance(error, NotJudged):
            return {"outcome": Outcome.NOT_JUDGED, "cause": error.cause}
        if isinstance(error, AssertionError):
            return {"outcome": Outcome.FAILED, "rationale": str(error).split("\nassert ")[0]}
        self.errors.append(self._broken(test, error))
        return {"outcome": Outcome.NOT_JUDGED, "cause": "The grader itself failed on this test."}

    def _broken(self, test: HiddenTest, error: BaseException) -> str:
        """What a test or its fixtures have raised, with its place; of the notebooks, only ours runs in this process."""
        suite = self.assigned.suite
        told = f"{test.name} of {suite.name}{line_in(suite, error)}"
        frames = [(IN_NOTEBOOK.match(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
        places = [f"{found[0][1:-1]}, line {line}" for found, line in frames if found]
        if places:
            told += f", where the reference solution ran into an error ({self.assigned.path.name}, {places[-1]})"
        return f"{told}: {said(error)}"


def _concerns(question: str, function: str) -> bool:
    """Whether a failure of ``function`` is one of ``question``: of itself, its class, or one of its methods."""
    return f"{question}.".startswith(f"{function}.") or function.startswith(f"{question}.")
