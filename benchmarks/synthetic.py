"""Make a class of any size: students who are right, wrong, unfinished, broken or hostile, in realistic shares.

The answers are those that the suites are measured by: the reference, its variants and the known mistakes. A seed gives
the same class again. ``class.json`` says of each student what became of them.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from autograder.audit.variants import variants_of
from autograder.course import HOME, load_assignment
from autograder.judging.misconceptions import defining
from autograder.releasing.leaks import BEGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from autograder.audit.variants import Variant
    from autograder.course import AssignedNotebook, Assignment
    from autograder.judging.misconceptions import Misconception

    Files = dict[str, bytes]

Thing = TypeVar("Thing")
SHARES = {"correct": 50, "wrong": 34, "unfinished": 8, "broken": 6, "hostile": 2}
"""Of a hundred students, how many are of each kind."""
HOSTILE = (
    "while True: pass",
    "import os; os._exit(0)",
    "import sys; sys.exit(0)",
    "import ctypes; ctypes.string_at(0)",
    "raise KeyboardInterrupt",
    "hoard = [bytearray(1 << 24) for _ in range(1 << 10)]",
    "while True: print('x' * (1 << 20))",
    "import socket; socket.create_connection(('192.0.2.1', 80), 1)",
    "return [[]] * (1 << 20)",
    "import threading; [threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start() for _ in iter(int, 1)]",
)
"""First lines of a function that does harm."""


@dataclass
class Sheet:
    """One notebook on its way to being handed in."""

    assigned: AssignedNotebook
    content: dict[str, Any]

    @classmethod
    def solved(cls, assigned: AssignedNotebook) -> Sheet:
        """The instructor's, with the solution."""
        return cls(assigned, json.loads(assigned.path.read_bytes()))

    @property
    def sources(self) -> Iterator[tuple[dict[str, Any], str]]:
        """The code cells and their texts."""
        for cell in self.content["cells"]:
            if cell["cell_type"] == "code":
                yield cell, "".join(cell["source"])

    def rewrite(self, old: str, new: str) -> None:
        """Put other words in the place of some that occur in one cell; nothing if they are gone already."""
        for cell, text in self.sources:
            if old in text:
                cell["source"] = text.replace(old, new, 1)
                return

    def vary(self, variant: Variant) -> None:
        """Write some questions in another right way."""
        for place, question in enumerate(variant.questions):
            self.rewrite(defining(self.assigned.solution, question).source, "" if place else variant.source)

    def mistake(self, known: Misconception) -> None:
        """Make a known mistake."""
        source = defining(self.assigned.solution, known.question).source
        self.rewrite(source, known.apply(source))

    def begin(self, question: str, line: str) -> None:
        """Let a function begin with a line, in the place of its solution's first mark."""
        source = defining(self.assigned.solution, question).source
        self.rewrite(source, source.replace(BEGIN, line, 1))

    def bytes(self) -> bytes:
        """The file."""
        return json.dumps(self.content).encode()


class Pupils:
    """Draws students."""

    def __init__(self, assignment: Assignment, seed: int) -> None:
        self._assignment = assignment
        self._rng = random.Random(seed)  # noqa: S311 - no secret
        self._ways: dict[str, Callable[[], Files]] = {
            "correct": self._correct,
            "wrong": self._wrong,
            "unfinished": self._unfinished,
            "broken": self._broken,
            "hostile": self._hostile,
        }
        self._variants = {assigned.name: variants_of(assigned) for assigned in assignment.notebooks}

    def draw(self) -> tuple[str, Files]:
        """What kind of student, and what they hand in."""
        [kind] = self._rng.choices(list(SHARES), list(SHARES.values()))
        return kind, self._ways[kind]()

    def _of_reference(self) -> list[Sheet]:
        return [Sheet.solved(assigned) for assigned in self._assignment.notebooks]

    def _sheets(self) -> list[Sheet]:
        """Right answers, about half of them written in another way."""
        sheets = self._of_reference()
        for sheet in sheets:
            taken: set[str] = set()
            for variant in self._mixed(self._variants[sheet.assigned.name]):
                if not taken & set(variant.questions) and self._rng.random() < 1 / 2:
                    sheet.vary(variant)
                    taken |= set(variant.questions)
        return sheets

    def _correct(self) -> Files:
        return _files(self._sheets())

    def _wrong(self) -> Files:
        """From one to three questions are wrong, and the others as the reference has them."""
        sheets = self._of_reference()
        mistakes = [
            (sheet, each)
            for sheet in sheets
            for each in {known.question: known for known in self._mixed(sheet.assigned.misconceptions)}.values()
        ]
        for sheet, each in self._rng.sample(mistakes, self._rng.choice((1, 1, 1, 2, 3))):
            sheet.mistake(each)
        return _files(sheets)

    def _mixed(self, things: Sequence[Thing]) -> list[Thing]:
        return self._rng.sample(things, len(things))

    def _unfinished(self) -> Files:
        """From some question on, nothing is written."""
        sheets = self._of_reference()
        questions = [(sheet, question) for sheet in sheets for question in sheet.assigned.names]
        for sheet, question in questions[self._rng.randrange(len(questions)) :]:
            sheet.begin(question, "raise NotImplementedError")
        return _files(sheets)

    def _broken(self) -> Files:
        """A notebook that is damaged, or that is there no more."""
        sheets = self._sheets()
        sheet = self._rng.choice(sheets)
        files = _files(sheets)
        name = f"{sheet.assigned.name}.ipynb"
        cells = sheet.content["cells"]
        match self._rng.randrange(6):
            case 0:
                files[name] = files[name][: len(files[name]) * 2 // 3]
            case 1:
                files.pop(name)
            case 2:
                files[f"Copy of {name}"] = files.pop(name)
            case 3:
                sheet.begin(self._question(sheet), "if x = 1")
                files[name] = sheet.bytes()
            case 4:
                cells.insert(0, self._rng.choice(cells))
                files[name] = sheet.bytes()
            case _:
                cells.pop(self._rng.randrange(len(cells)))
                files[name] = sheet.bytes()
        return files

    def _hostile(self) -> Files:
        sheets = self._of_reference()
        sheet = self._rng.choice(sheets)
        sheet.begin(self._question(sheet), self._rng.choice(HOSTILE))
        return _files(sheets)

    def _question(self, sheet: Sheet) -> str:
        return self._rng.choice(sheet.assigned.names)


def _files(sheets: list[Sheet]) -> Files:
    return {f"{sheet.assigned.name}.ipynb": sheet.bytes() for sheet in sheets}


def make_course(name: str, folder: Path, students: int, seed: int, home: Path = HOME) -> None:
    """Write a new course with ``submitted/STUDENT/ASSIGNMENT/`` and ``class.json``; ``home`` has the assignment."""
    shutil.copytree(home / "source" / name, folder / "source" / name)
    shutil.copy(home / "nbgrader_config.py", folder)
    pupils = Pupils(load_assignment(name, home), seed)
    kinds = {}
    for number in range(students):
        kind, files = pupils.draw()
        student = f"s{number:06}"
        kinds[student] = kind
        submission = folder / "submitted" / student / name
        submission.mkdir(parents=True)
        for file, content in files.items():
            (submission / file).write_bytes(content)
    (folder / "class.json").write_text(json.dumps(kinds), encoding="utf-8")


def main() -> None:
    """Make a class."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assignment", default="captioning", help="what they answer (default: %(default)s)")
    parser.add_argument("--students", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="a course to be made there")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (default: %(default)s)")
    options = parser.parse_args()
    make_course(options.assignment, options.to, options.students, options.seed)


if __name__ == "__main__":
    main()
