"""The pytest plugin that runs a hidden suite against one notebook and hears what each test has to say.

Verdicts become outcomes (see :mod:`autograder.judging.verdicts`); a plain ``assert`` that fails is a failure too, its
message the rationale. Any other exception is an error of the suite, which is ours: it is kept in ``errors``, never
graded.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograder.errors import AutograderError
from autograder.judging.conduct import COSTS, Habit, Remark, changed, second_look
from autograder.judging.judge import FOLLOW_THROUGH, Judge
from autograder.judging.smallest import smallest_case
from autograder.judging.verdicts import CallFailed, Failure, NotJudged
from autograder.outcomes import Outcome, TestResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from autograder.course import AssignedNotebook
    from autograder.judging.cases import Case
    from autograder.judging.student import Student

UNUSED = (
    "cacheprovider terminal terminalprogress logging faulthandler doctest unittest junitxml pastebin stepwise "
    "setuponly setupplan legacypath debugging subtests"
)
# unraisableexception collects garbage five times at the end, a tenth of what grading a notebook takes
SLOW = "unraisableexception threadexception"
QUIET = (
    *(word for name in f"{UNUSED} {SLOW}".split() for word in ("-p", f"no:{name}")),
    *("--capture=no", "--import-mode=importlib", "--noconftest", "--strict-markers", "-c", "/dev/null"),
)


@dataclass
class SuiteRun:
    """One run of one suite; after :meth:`run`, the results by question.

    ``only`` is the one question to run the tests of; by default all are run. ``weights`` are those of all tests that
    were collected, so that a test which never ran is not taken for one that passed.
    """

    assigned: AssignedNotebook
    student: Student
    seed: int
    only: str | None = None
    weights: dict[str, float] = field(default_factory=dict)
    results: dict[str, list[TestResult]] = field(default_factory=dict)
    judged_with: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    fatal: AutograderError | None = None
    _costs: dict[Habit, float] = field(default_factory=dict, init=False)
    _charges: dict[str, list[Remark]] = field(default_factory=dict, init=False)
    _right: dict[str, tuple[Judge, Case]] = field(default_factory=dict, init=False)
    _wrong: dict[str, tuple[Judge, Failure]] = field(default_factory=dict, init=False)

    def run(self) -> None:
        """Run every test of the suite once.

        Raises:
            AutograderError: nothing can be graded, because the sandbox or the reference does not work.
        """
        import os

        # Only what is named here takes part: no plugin that happens to be installed, no options from outside.
        outside = {name: os.environ.pop(name, None) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")}
        before = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        try:
            # Without a confcutdir, pytest looks at every folder above the suite, and at what lies in them.
            folder = self.assigned.suite.parent
            code = pytest.main(
                [*QUIET, f"--rootdir={folder}", f"--confcutdir={folder}", str(self.assigned.suite)], plugins=[self]
            )
        finally:
            outside["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = before
            for name, value in outside.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        if self.fatal is not None:
            raise self.fatal
        if code == pytest.ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        self.conclude()
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not self.errors:
            self.errors.append(f"pytest ended with {code!r}")
        self.errors += [
            f"{self.assigned.suite.name} has no test for {name}"
            for name in ([self.only] if self.only else self.assigned.names)
            if name not in self.results and not self.errors
        ]

    def conclude(self) -> None:
        """Look once more at what is right, and let the ways cost what they cost in which it came about."""
        for question, (judge, case) in self._right.items():
            self._remark(question, second_look(judge, case))
            self.student.forget()
        for question, remarks in self._charges.items():
            self._charge(question, remarks)
        self._right.clear()
        self._charges.clear()

    def exemplify(self, question: str) -> None:
        """Add the smallest case to the first test of a question that failed, if there is one that shows something."""
        if question in self._wrong:
            judge, failure = self._wrong[question]
            example = smallest_case(judge, failure)
            tests = self.results[question]
            place = next(place for place, test in enumerate(tests) if test.outcome is Outcome.FAILED)
            tests[place] = replace(tests[place], example=example)

    def earned(self, question: str) -> float:
        """The share of a question's tests that passed, by weight."""
        passed = sum(test.weight for test in self.results.get(question, ()) if test.outcome is Outcome.PASSED)
        return passed / self.weights[question] if question in self.weights else 0.0

    # -------------------------------------------------------------------------------------------- fixtures

    @pytest.fixture
    def judge(self, request: pytest.FixtureRequest) -> Iterator[Judge]:
        """What every hidden test is given."""
        digest = zlib.crc32(request.node.name.encode())
        judge = Judge(
            question=request.node.stash[QUESTION][0],
            student=self.student,
            reference=self.assigned.reference,
            rng=np.random.default_rng([self.seed, digest]),
            mistakes=self.assigned.mistakes,
            pairs=self.pairs,
        )
        request.node.stash[JUDGE] = judge
        yield judge
        self.student.forget()
        self.assigned.reference.forget()

    # ----------------------------------------------------------------------------------------------- hooks

    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the question marker known, and tracebacks short: nobody reads them, and a long one takes 45 ms."""
        config.option.tbstyle = "native"
        config.addinivalue_line("markers", "question(name, weight): the graded function that the test is about")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Read each test's question; a test without one is an error of the suite."""
        for item in items:
            mark = item.get_closest_marker("question")
            name = mark.args[0] if mark else ""
            if mark is None or name not in self.assigned.names:
                raise pytest.UsageError(f"{item.name} belongs to no question of {self.assigned.name}: {name!r}")
            item.stash[QUESTION] = name, float(mark.kwargs["weight"])
            self.weights[name] = self.weights.get(name, 0.0) + float(mark.kwargs["weight"])
            self._costs = {**COSTS, **getattr(getattr(item, "module", None), "COSTS", {})}
        if self.only:
            items[:] = [item for item in items if item.stash[QUESTION][0] == self.only]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A suite that cannot be read is our failure."""
        if report.failed:
            self.errors.append(f"{self.assigned.suite.name} cannot be read: {report.longreprtext}")

    def pytest_internalerror(self, excrepr: object) -> None:
        """So is a pytest that breaks."""
        self.errors.append(str(excrepr))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Turn what a test raised into a result."""
        report = yield
        question, weight = item.stash[QUESTION]
        if call.when == "call":
            judge = item.stash.get(JUDGE, None)
            error = call.excinfo.value if call.excinfo else None
            self._stop(item, error)
            told = self._told(question, error)
            result = TestResult(item.name, _title(item), weight, **told)
            self.results.setdefault(question, []).append(result)
            if judge is not None:
                self._keep(question, judge, error)
            if judge is not None and judge.followed_through and result.outcome is Outcome.PASSED:
                self.judged_with[question] = FOLLOW_THROUGH
        elif call.excinfo is not None:
            self._stop(item, call.excinfo.value)
            self.errors.append(f"{item.name}, {call.when}: {call.excinfo.value!r}")
        return report

    def _stop(self, item: pytest.Item, error: BaseException | None) -> None:
        """End the run if what went wrong will go wrong for every test."""
        if isinstance(error, AutograderError):
            self.fatal = error
            item.session.shouldfail = "nothing can be graded"

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
            if self._costs[remark.habit]:
                self._charges.setdefault(question, []).append(remark)
            elif all(remark.sentence not in test.remark for test in self.results[question]):
                test = self.results[question][-1]
                self.results[question][-1] = replace(test, remark=f"{test.remark} {remark.sentence}".strip())

    def _charge(self, question: str, remarks: Sequence[Remark]) -> None:
        """Let a question lose what costs something."""
        tests = self.results[question]
        kinds = {remark.habit: remark for remark in remarks}
        cost = sum(self._costs[habit] for habit in kinds)
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
            title = "The answer comes about as it should."
            tests.append(TestResult("conduct", title, weight, Outcome.FAILED, rationale=rationale, hint=hint))
            self.weights[question] += weight

    def _told(self, question: str, error: BaseException | None) -> dict[str, Any]:
        if error is None:
            return {"outcome": Outcome.PASSED}
        if isinstance(error, CallFailed) and not _concerns(question, error.function):
            return {"outcome": Outcome.NOT_JUDGED, "cause": f"{error.function} has to work first. {error.rationale}"}
        if isinstance(error, Failure):
            told = ("rationale", "hint", "misconception", "error_map")
            return {"outcome": Outcome.FAILED, **{name: getattr(error, name) for name in told}}
        if isinstance(error, NotJudged):
            return {"outcome": Outcome.NOT_JUDGED, "cause": error.cause}
        if isinstance(error, AssertionError):
            return {"outcome": Outcome.FAILED, "rationale": str(error).split("\nassert ")[0]}
        self.errors.append(f"{question}: {error!r}")
        return {"outcome": Outcome.NOT_JUDGED, "cause": "The grader itself failed on this test."}


QUESTION = pytest.StashKey[tuple[str, float]]()
JUDGE = pytest.StashKey[Judge]()


def _concerns(question: str, function: str) -> bool:
    """Whether a failure of ``function`` is one of ``question``: of itself, its class, or one of its methods."""
    return f"{question}.".startswith(f"{function}.") or function.startswith(f"{question}.")


def _title(item: pytest.Item) -> str:
    """The first line of the test's docstring: what the student reads."""
    text = (getattr(item, "function", None).__doc__ or item.name).strip().splitlines()[0]
    callspec = getattr(item, "callspec", None)
    return text.format(**callspec.params) if callspec else text
