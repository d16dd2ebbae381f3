"""Measure how fast a class is graded: this grader, nbgrader's, otter-grader's, and the checks in one plain process.

Each round grades the same submissions in every way, in an order of its own, once the first submission alone and once
all of them; by what these differ, a further submission costs. Every way has to find the right answers right and
the wrong question of each wrong answer wrong, or the measurement ends.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import tables
from classroom import ASSIGNMENT, HERE, NOTEBOOK, QUESTIONS, Classroom, environment_of_otter, run, tool
from nbgrader.api import Gradebook
from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable

    Passed = dict[str, set[str]]
    Grader = Callable[[Classroom, Path, int], tuple[float, Passed]]

GRADE = """import sys
from pathlib import Path
from autograder import course
course.SUITES = Path(sys.argv.pop(1))
from autograder.cli import main
main()"""
"""``autograder`` with other suites than its own."""
NBGRADER = "nbgrader autograde"
OTTER = "otter run"
FLOOR = "one plain process"
FEW = 6
"""So many are graded by the slowest way, which takes as long for each; none of them uses coursekit, which it lacks."""


@dataclass
class Times:
    """Of one way to grade, in each round: the seconds for one submission, and for all of them."""

    one: list[float] = field(default_factory=list)
    all: list[float] = field(default_factory=list)

    def each(self, count: int) -> list[float]:
        """In each round the seconds that one more submission takes: as long as one, where not all were graded."""
        if not self.all:
            return self.one
        return [(every - one) / (count - 1) for one, every in zip(self.one, self.all, strict=True)]


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    """The seconds that a command takes, and what it prints."""
    started = time.perf_counter()
    told = run(command, folder)
    return time.perf_counter() - started, told


def by_kit(room: Classroom, scratch: Path, students: int, *, jobs: int, gradebook: bool) -> tuple[float, Passed]:
    """Grade with ``autograder grade``."""
    course = room.copy("kit", scratch / "course", students)
    if not gradebook:
        (course / "gradebook.db").unlink()
    options = ["--jobs", str(jobs), "--json", "report.json"]
    seconds, _ = timed([tool("python"), "-c", GRADE, str(room.suites), "grade", ASSIGNMENT, *options], course)
    report = json.loads((course / "report.json").read_text(encoding="utf-8"))
    passed = {
        submission["student"]: {
            question["question"]
            for question in submission["notebooks"][0]["questions"]
            if question["points"] == room.points[question["question"]]
        }
        for submission in report["submissions"]
    }
    return seconds, passed


def by_nbgrader(room: Classroom, scratch: Path, students: int) -> tuple[float, Passed]:
    """Grade with ``nbgrader autograde`` as it comes."""
    course = room.copy("stock", scratch / "course", students)
    seconds, _ = timed([tool("nbgrader"), "autograde", ASSIGNMENT], course)
    passed = {}
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for answer in room.answers[:students]:
            grades = book.find_submission_notebook(NOTEBOOK, ASSIGNMENT, answer.name).grades
            passed[answer.name] = {grade.name for grade in grades if grade.auto_score == grade.max_score}
    return seconds, passed


def by_otter(room: Classroom, scratch: Path, students: int) -> tuple[float, Passed]:
    """Grade with ``otter run``, which takes one submission at a time."""
    otter = str(environment_of_otter() / "otter")
    archive = room.folder / "otter" / "autograder.zip"
    if not archive.exists():
        run([otter, "generate", "-t", "tests", "-o", str(archive), "--no-config", "checks.py"], archive.parent)
    spent, passed = 0.0, {}
    for answer in room.answers[:students]:
        notebook = archive.with_name(f"{answer.name}.ipynb")
        seconds, _ = timed([otter, "run", "-a", str(archive), "-o", str(scratch), "--no-logo", str(notebook)], scratch)
        spent += seconds
        found = json.loads((scratch / "results.json").read_text(encoding="utf-8"))["tests"]
        passed[answer.name] = {
            question
            for question in QUESTIONS
            for each in found
            if each["name"].split(" ")[0] == question and each["score"] == each["max_score"] > 0
        }
    return spent, passed


def by_plain_process(room: Classroom, scratch: Path, students: int) -> tuple[float, Passed]:
    """Run the answers and the checks, and nothing else."""
    names = [answer.name for answer in room.answers[:students]]
    notebooks = [str(room.folder / "stock" / "submitted" / name / ASSIGNMENT / f"{NOTEBOOK}.ipynb") for name in names]
    seconds, told = timed([tool("python"), str(HERE / "plain.py"), *notebooks], scratch)
    return seconds, dict(zip(names, map(set, json.loads(told)), strict=True))


WAYS: dict[str, Grader] = {
    FLOOR: by_plain_process,
    "autograder grade --jobs 1": partial(by_kit, jobs=1, gradebook=False),
    "autograder grade --jobs 2": partial(by_kit, jobs=2, gradebook=False),
    "autograder grade --jobs 1, into nbgrader's gradebook": partial(by_kit, jobs=1, gradebook=True),
    "autograder grade --jobs 2, into nbgrader's gradebook": partial(by_kit, jobs=2, gradebook=True),
    NBGRADER: by_nbgrader,
    OTTER: by_otter,
}


def must_be_right(way: str, room: Classroom, students: int, passed: Passed) -> None:
    """Raise SystemExit unless the right answers passed, and what is wrong did not."""
    for answer in room.answers[:students]:
        found = passed.get(answer.name)
        wrong = found is None or (answer.wrong in found if answer.wrong else found != set(QUESTIONS))
        if wrong:
            raise SystemExit(f"{way} did not grade {answer.name} (wrong: {answer.wrong}) rightly: it passed {found}.")


def measured(room: Classroom, count: int, rounds: int, rng: random.Random) -> dict[str, Times]:
    """Grade in every way, round by round."""
    times = {way: Times() for way in WAYS}
    few = min(count, FEW)
    order = [way for _ in range(rounds) for way in rng.sample(list(WAYS), len(WAYS))]
    for way in track(order, "measuring", console=Console(stderr=True)):
        for students, seconds in ((1, times[way].one), (few if way == OTTER else count, times[way].all)):
            if way == OTTER and students == 1:  # it takes one at a time, and starts anew for each
                continue
            scratch = Path(tempfile.mkdtemp(dir=room.folder))
            spent, passed = WAYS[way](room, scratch, students)
            must_be_right(way, room, students, passed)
            seconds.append(spent)
            shutil.rmtree(scratch)
    times[OTTER] = Times(one=[seconds / few for seconds in times[OTTER].all])
    return times


def result(times: dict[str, Times], count: int) -> str:
    """The table."""

    def against(other: list[float], mine: list[float]) -> str:
        return f"{median(theirs / ours for theirs, ours in zip(other, mine, strict=True)):,.1f}"

    head = (
        "",
        f"{count} submissions, s",
        "1 submission, s",
        "each further one, ms",
        "times as fast as nbgrader, all",
        "each further one",
        "times the floor, each further one",
    )
    rows = [head]
    stock, floor = times[NBGRADER], times[FLOOR]
    for way, each in times.items():
        further = each.each(count)
        rows.append(
            (
                way,
                tables.spread(each.all, 2) if each.all else "",
                tables.spread(each.one, 2),
                tables.spread([1000 * seconds for seconds in further]),
                against(stock.all, each.all) if each.all else "",
                against(stock.each(count), further),
                against(further, floor.each(count)),
            )
        )
    return tables.table(rows)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=100, help="how many, at least 2 (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each way is measured (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        room = Classroom(Path(folder), options.submissions)
        environment_of_otter()
        times = measured(room, options.submissions, options.rounds, random.Random(0))  # noqa: S311 - only an order
    text = f"{result(times, options.submissions)}\n\nMedian (least to greatest) of {options.rounds} rounds. "
    tables.show("throughput", text + tables.machine(), keep=options.keep)


if __name__ == "__main__":
    main()
