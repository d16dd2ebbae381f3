"""Measure how grading a class grows with its size: seconds, submissions a second, and the memory of each process.

Each class is made by ``synthetic.py`` and graded by ``autograder grade`` as an instructor would. Those who are right
have to get everything, and nobody else may, or the measurement ends.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import tables
from classroom import Classroom, run, tool
from synthetic import make_course
from throughput import GRADE

from autograder.course import HOME

TICK = 0.2
"""Seconds between two looks at the memory of the processes."""
HARMLESS = ("correct", "broken")
"""Who may get everything: of the broken, some lost a cell that is not asked for, or the file's name."""


def measured(command: list[str], course: Path) -> tuple[float, int, int]:
    """The seconds that a command takes, and the most memory, in bytes, that its process had, and one below it."""
    started = time.perf_counter()
    with (course / "told.txt").open("w", encoding="utf-8") as told:
        process = subprocess.Popen(command, cwd=course, stdout=told, stderr=subprocess.STDOUT)  # noqa: S603 - our own
        own = below = 0
        while process.poll() is None:
            own = max(own, memory_of(process.pid))
            below = max([below, *(memory_of(child) for child in workers_of(process.pid))])
            time.sleep(TICK)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(course / 'told.txt').read_text(encoding='utf-8')[-2000:]}")
    return time.perf_counter() - started, own, below


def memory_of(process: int) -> int:
    """What a process has in memory, in bytes; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:")), 0)


def workers_of(process: int) -> list[int]:
    """The processes below one that are Python's, and not in a sandbox."""
    found = []
    for child in children_of(process):
        try:
            program = Path(f"/proc/{child}/comm").read_text(encoding="utf-8").strip()
        except OSError:
            continue
        if program.startswith("python"):
            found += [child, *workers_of(child)]
    return found


def children_of(process: int) -> list[int]:
    """The processes that one has started."""
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def graded(command: list[str], course: Path) -> tuple[float, int, int]:
    """Grade a class, and see that the grades are what they should be."""
    found = measured([*command, "--json", "report.json"], course)
    kinds = json.loads((course / "class.json").read_text(encoding="utf-8"))
    report = json.loads((course / "report.json").read_text(encoding="utf-8"))
    full = {each["student"] for each in report["submissions"] if all(map(earned, questions_of(each)))}
    wrong = [
        f"{student} ({kind})"
        for student, kind in kinds.items()
        if (student not in full if kind == "correct" else student in full and kind not in HARMLESS)
    ]
    if wrong or len(report["submissions"]) != len(kinds):
        raise SystemExit(f"{len(report['submissions'])} of {len(kinds)} graded; not as it should be: {wrong}")
    return found


def questions_of(submission: dict[str, Any]) -> list[dict[str, Any]]:
    """All questions of a submission, as the report has them."""
    return [question for notebook in submission["notebooks"] for question in notebook["questions"]]


def earned(question: dict[str, Any]) -> bool:
    """Whether a question got all its points."""
    return bool(question["points"] == question["max_points"])


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assignment", default="captioning", help="what they answer (default: %(default)s)")
    parser.add_argument(
        "--lstm", action="store_true", help="only the four questions of throughput.py, without gradebook"
    )
    parser.add_argument("--students", type=int, nargs="+", default=[100, 1000, 10000], help="class sizes")
    parser.add_argument("--jobs", type=int, default=2, help="how many to grade at a time (default: %(default)s)")
    parser.add_argument("--gradebook", action="store_true", help="write into a gradebook of nbgrader's, too")
    parser.add_argument("--keep", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    grade = ["grade", options.assignment, "--jobs", str(options.jobs)]
    command, home = [tool("autograder"), *grade], HOME
    rows = [("submissions", "seconds", "submissions a second", "parent, MiB", "largest worker, MiB")]
    with tempfile.TemporaryDirectory() as folder:
        if options.lstm:
            room = Classroom(Path(folder) / "room", 1)
            room.use_suites()
            command, home = [tool("python"), "-c", GRADE, str(room.suites), *grade], room.folder / "kit"
        for students in options.students:
            course = Path(folder) / "course"
            make_course(options.assignment, course, students, students, home)
            if options.gradebook:
                run([tool("nbgrader"), "generate_assignment", options.assignment], course)
            seconds, own, below = graded(command, course)
            shutil.rmtree(course)
            figures = (f"{seconds:,.0f}", f"{students / seconds:.1f}", f"{own >> 20:,}", f"{below >> 20:,}")
            rows.append((f"{students:,}", *figures))
    what = "the four LSTM questions" if options.lstm else f"all of `{options.assignment}`"
    into = ", into nbgrader's gradebook" if options.gradebook else ""
    how = f"`autograder grade --jobs {options.jobs}`, {what}{into}. {tables.machine()}"
    marker = "scale-lstm" if options.lstm else "scale"
    tables.show(marker, f"{tables.table(rows)}\n\n{how}", keep=options.keep)


if __name__ == "__main__":
    main()
