"""The pytest plugin that reads a hidden suite, and runs its tests one by one, for one answer after the other.

Starting pytest and reading a suite takes longer than most answers take to be judged. So each process reads a suite
once: pytest collects its tests and ends, and what it has collected is then run, test by test, with a judge for each.
"""

from __future__ import annotations

import math
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from autograder.errors import SuiteError, line_in, said
from autograder.judging.conduct import COSTS, Habit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from autograder.judging.judge import Judge, Place

# capture, as it cannot be used when pytest has ended
UNUSED = (
    "cacheprovider terminal terminalprogress logging faulthandler doctest unittest junitxml pastebin stepwise "
    "setuponly setupplan legacypath debugging subtests capture"
)
# unraisableexception collects garbage five times at the end, a tenth of what grading a notebook takes; to catch the
# warnings of each test by itself takes a third of what an empty one takes
SLOW = "unraisableexception threadexception warnings"
QUIET = (
    *(word for name in f"{UNUSED} {SLOW}".split() for word in ("-p", f"no:{name}")),
    *("--import-mode=importlib", "--noconftest", "--strict-markers", "-c", "/dev/null"),
)


@dataclass(frozen=True)
class HiddenTest:
    """One test of a suite: its question and its weight among the tests of that, and the line that the student reads.

    Tests of one ``function`` with other parameters draw the same inputs. ``measured`` is kept for its judges: see
    :class:`autograder.judging.judge.Judge`.
    """

    name: str
    function: str
    title: str
    question: str
    weight: float
    item: pytest.Item
    measured: set[Place] = field(default_factory=set)


class Suite:
    """The hidden tests of one notebook, read.

    Args:
        path: the file.
        questions: what its tests may be about.

    Attributes:
        tests: those that were found, in order.
        weights: of all tests of each question.
        costs: what share of a question each habit costs.

    Raises:
        SuiteError: it does not run, or its tests are not what the questions need.
    """

    def __init__(self, path: Path, questions: Sequence[str]) -> None:
        self.tests: list[HiddenTest] = []
        self.weights: dict[str, float] = {}
        self.costs: dict[Habit, float] = dict(COSTS)
        self._errors: list[str] = []
        self._path, self._questions = path, questions
        self._name = f"{path.parent.name}/{path.name}"  # where it is read, it may lie in a temporary folder
        self._judge: Judge | None = None
        self._raised: dict[str, BaseException] = {}
        # Without a confcutdir, pytest looks at every folder above the suite, and at what lies in them.
        options = (f"--rootdir={path.parent}", f"--confcutdir={path.parent}")
        with _nothing_from_outside():
            code = pytest.main([*QUIET, *options, str(path)], plugins=[self])
        if code == pytest.ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        if code not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED} and not self._errors:
            self._errors.append(f"{self._name}: pytest ended with {code!r}")
        self._errors += [
            f"{self._name} has no test for {name}."
            for name in questions
            if name not in self.weights and not self._errors
        ]
        if self._errors:
            # What is imported in part would be taken for all of it the next time.
            for name in [name for name, module in sys.modules.items() if getattr(module, "__file__", "") == str(path)]:
                del sys.modules[name]
            raise SuiteError("\n".join(self._errors), "Correct the hidden suite; without it, nothing can be graded.")

    def ask(self, test: HiddenTest, judge: Judge) -> dict[str, BaseException]:
        """Run one test with a judge of its own; what was raised in its "setup", its "call" and its "teardown"."""
        self._judge = judge
        # With a next test of the module, pytest tears down the test, and the module not.
        another = next((other.item for other in self.tests if other is not test), None)
        hooks = test.item.config.hook
        try:
            hooks.pytest_runtest_protocol(item=test.item, nextitem=another)
        except BaseException:  # Ctrl-C
            hooks.pytest_runtest_teardown(item=test.item, nextitem=None)
            raise
        raised, self._judge, self._raised = self._raised, None, {}
        return raised

    # -------------------------------------------------------------------------------------------- fixtures

    @pytest.fixture
    def judge(self) -> Judge | None:
        """What every hidden test is given."""
        return self._judge

    # ----------------------------------------------------------------------------------------------- hooks

    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the question marker known."""
        config.addinivalue_line("markers", "question(name, weight): the graded function that the test is about")

    def pytest_exception_interact(self, call: pytest.CallInfo[object]) -> None:
        """A suite that cannot be read is our failure."""
        if call.when == "collect" and call.excinfo is not None:
            self._broken(call.excinfo.value.__cause__ or call.excinfo.value)

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """So is one that ends pytest; whoever reads about it needs no traceback of that."""
        self._broken(excinfo.value)
        return True

    def _broken(self, error: BaseException) -> None:
        self._errors.append(f"{self._name}{line_in(self._path, error)} does not run: {said(error)}.")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Keep the tests instead of running them; one without a question is an error of the suite."""
        for item in session.items:
            mark = item.get_closest_marker("question")
            name = mark.args[0] if mark else ""
            if mark is None or name not in self._questions:
                self._errors.append(f"{item.name} of {self._name} belongs to no question: {name!r}")
                continue
            weight = mark.kwargs.get("weight")
            if not isinstance(weight, int | float) or not 0 < weight < math.inf:
                self._errors.append(f"{item.name} of {self._name} has the weight {weight!r}, not a number above 0.")
                continue
            self.tests.append(HiddenTest(item.name, item.name.partition("[")[0], _title(item), name, weight, item))
            self.weights[name] = self.weights.get(name, 0.0) + weight
            self.costs.update(getattr(getattr(item, "module", None), "COSTS", {}))
        return True

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
        """Keep what was raised. Nobody reads a traceback, and a long one takes 45 ms."""
        if call.excinfo is not None:
            self._raised[call.when] = call.excinfo.value
        assert call.when != "collect"
        return pytest.TestReport(
            item.nodeid, item.location, {}, "failed" if call.excinfo else "passed", None, call.when
        )


def _title(item: pytest.Item) -> str:
    """The first line of the test's docstring."""
    text = (getattr(item, "function", None).__doc__ or item.name).strip().splitlines()[0]
    callspec = getattr(item, "callspec", None)
    return text.format(**callspec.params) if callspec else text


@contextmanager
def _nothing_from_outside() -> Iterator[None]:
    """Let only what is named here take part: no plugin that happens to be installed, no options from outside."""
    names = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        os.environ.update({name: value for name, value in before.items() if value is not None})
