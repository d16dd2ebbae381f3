"""Measure where the time goes while one submission is graded, part by part, in one process.

A part's time is its own, without the parts that it calls. What waits for the box is the box's work.
"""

from __future__ import annotations

import argparse
import functools
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
import tables
from classroom import ASSIGNMENT, Classroom

from autograder import grading
from autograder.course import load_assignment
from autograder.gradebook.writing import CourseGradebook
from autograder.judging import run, student
from autograder.judging.answers import Reference
from autograder.judging.judge import Judge
from autograder.judging.misconceptions import KnownMistakes
from autograder.judging.plugin import Suite
from autograder.results import Fingerprints, Kept, Results
from autograder.sandbox import Box, Way, forkserver
from autograder.submissions import find_submissions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

INTO_BOX, OF_REFERENCE = "calls into the box: writing and reading messages", "calls of the reference"
READY = "wait until the box is ready"
PARTS: tuple[tuple[str, Any, str], ...] = (
    ("read the notebook", grading, "read_notebook"),
    ("slice it", student, "slice_for"),
    ("ask for a box", forkserver, "fork"),
    (READY, Box, "_wait_until_ready"),
    ("run the notebook's definitions in the box", Box, "execute"),
    ("wait for the answers of the box", Box, "_receive"),
    (INTO_BOX, Box, "perform"),
    ("end the box", Box, "close"),
    (OF_REFERENCE, Reference, "perform"),
    ("recognise known mistakes", KnownMistakes, "recognise"),
    ("recognise known mistakes", KnownMistakes, "twins"),
    ("look for the smallest case", run, "smallest_case"),
    ("judging", Judge, "forward"),
    ("judging", Judge, "gradients"),
    ("judging", Judge, "zero_gradients"),
    ("pytest", Suite, "ask"),
    ("nbgrader's gradebook: the notebook to show", CourseGradebook, "_put_in_place"),
    ("nbgrader's gradebook: the database", CourseGradebook, "_save"),
    ("nbgrader's gradebook: the rest", CourseGradebook, "write"),
    ("keep the result", Results, "keep"),
)
"""What is measured: the part's name, and the function that is this part."""
REST = "all else"
TOTAL = "one submission"


class Watch:
    """Adds up each part's own time, in seconds, and counts the calls of graded functions."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What happens within is of this part."""
        self._lap()
        self._running.append(name)
        try:
            yield
        finally:
            self._lap()
            self._running.pop()

    def _lap(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.spent[self._running[-1]] += now - self._since
        self._since = now

    def total(self) -> float:
        """All that was spent."""
        return sum(self.spent.values())

    def watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, measured as a part."""

        @functools.wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            if function.__name__ == "perform":
                self.calls[name] += sum(step.do in ("call", "follow") for step in args[1])
            if READY in self._running[-1:]:  # waiting for the first answer, that the box is ready
                return function(*args, **kwargs)
            with self.part(name):
                return function(*args, **kwargs)

        return measured


def measured(room: Classroom, course: Path, rounds: int) -> list[tuple[str | None, Watch]]:
    """Grade each submission ``rounds`` times; which question was wrong, and what was spent in the fastest round."""
    room.use_suites()
    assignment = load_assignment(ASSIGNMENT, course)
    book, results, fingerprints = (
        CourseGradebook(assignment, course),
        Results(course, ASSIGNMENT),
        Fingerprints(assignment),
    )
    wrong = {answer.name: answer.wrong for answer in room.answers}
    submissions = find_submissions(ASSIGNMENT, [course / "submitted"])
    originals = [(part, owner, name, getattr(owner, name)) for part, owner, name in PARTS]
    found: defaultdict[str, list[Watch]] = defaultdict(list)
    for turn in range(rounds + 1):
        for submission in submissions:
            watch = Watch()
            for part, owner, name, function in originals:
                setattr(owner, name, watch.watched(part, function))
            try:
                with watch.part(REST):
                    result = grading.grade(assignment, submission)
                    book.write(submission, result)
                    results.keep(Kept(result, fingerprints.of(submission)))
            finally:
                for _, owner, name, function in originals:
                    setattr(owner, name, function)
            if turn:  # the first time, much is imported and compiled
                found[submission.student].append(watch)
    book.close()
    return [(wrong[student], min(watches, key=Watch.total)) for student, watches in found.items()]


def result(found: list[tuple[str | None, Watch]]) -> str:
    """The tables."""
    kinds = {
        "a right submission": [watch for wrong, watch in found if wrong is None],
        "a wrong one": [watch for wrong, watch in found if wrong is not None],
    }

    def of_each_kind(show: Callable[[Sequence[Watch]], str]) -> tuple[str, ...]:
        return tuple(show(watches) for watches in kinds.values())

    def spent(part: str) -> tuple[str, ...]:
        return of_each_kind(lambda watches: f"{1000 * median(watch.spent[part] for watch in watches):.1f}")

    def number(part: str) -> tuple[str, ...]:
        return of_each_kind(lambda watches: f"{median(watch.calls[part] for watch in watches):.0f}")

    parts = (*dict.fromkeys(part for part, _, _ in PARTS), REST)
    rows = [
        ("", *(f"{kind}, ms" for kind in kinds)),
        *((part, *spent(part)) for part in parts),
        (TOTAL, *of_each_kind(lambda watches: tables.spread([1000 * watch.total() for watch in watches]))),
        *((f"number of {part.partition(':')[0]}", *number(part)) for part in (INTO_BOX, OF_REFERENCE)),
    ]
    return tables.table(rows)


def start_of_a_box(rounds: int) -> str:
    """What a box needs to come up, when nothing is done meanwhile."""

    def ready(way: Way) -> None:
        with Box(way=way):
            pass

    def plain(code: str) -> None:
        subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)  # noqa: S603 - our own

    packages = str(Path(pytest.__file__).parent.parent)
    ways: dict[str, Callable[[], None]] = {
        "an interpreter that does nothing": lambda: plain("pass"),
        "an interpreter that imports numpy": lambda: plain(f"import sys; sys.path.append({packages!r}); import numpy"),
        **{f"a worker, ready and ended again: {way.value}": functools.partial(ready, way) for way in Way},
    }
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, act in ways.items():
            started = time.perf_counter()
            act()
            seconds[name].append(1000 * (time.perf_counter() - started))
    return tables.table([("start of a box", "ms"), *((name, tables.spread(each)) for name, each in seconds.items())])


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=12, help="how many (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="how often each is graded (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="put the tables into benchmarks/README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        room = Classroom(Path(folder), options.submissions)
        found = measured(room, room.copy("kit", Path(folder) / "course", options.submissions), options.rounds)
    how = f"Of each submission the fastest of {options.rounds} times; of these the medians. {tables.machine()}"
    text = f"{result(found)}\n\n{start_of_a_box(4 * options.rounds)}\n\n{how}"
    tables.show("breakdown", text, keep=options.keep)


if __name__ == "__main__":
    main()
