"""A small class, made from the reference, the stubs and the known mistakes, and graded from end to end."""

from __future__ import annotations

import json
import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from autograder.batch import grade_all
from autograder.course import assignment_names, course_folder, load_assignment
from autograder.files import write_whole
from autograder.outcomes import Report
from autograder.progress import watched
from autograder.releasing.release import release
from autograder.reporting import write_pages
from autograder.sources import BEGIN
from autograder.submissions import find_submissions
from autograder.terminal import show_class, show_failures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from autograder.course import AssignedNotebook, Assignment
    from autograder.judging.misconceptions import Misconception

FORGETFUL = "last-notebook-only"
"""A student who forgets the notebooks before the last, from which it may take functions."""
MISTAKES = 6
"""How many of the known mistakes somebody in the class makes."""


def run_demo(folder: Path, console: Console) -> bool:
    """Release each assignment into ``folder``, make a class, grade it, show it, and write a report.

    Returns whether the grader did its work; a failure of its own has then been shown.
    """
    course = course_folder()
    sound = True
    for name in assignment_names(course):
        assignment = load_assignment(name, course)
        released = release(assignment, course, folder)
        for path in (released.folder, released.bundle):
            console.print(f"released {name}: {path}", markup=False, highlight=False)
        submitted = folder / "submitted"
        make_class(assignment, released.folder, submitted)
        submissions = find_submissions(name, [submitted])
        results = watched(grade_all(assignment, submissions), len(submissions), console)
        found = {result.student: result for result in results}
        report = Report(name, tuple(found[each.student] for each in submissions))
        show_class(report.submissions, console)
        path = folder / f"{name}.json"
        write_whole(path, report.to_json())
        page = folder / f"{name}.html"
        write_pages(report, page, console)
        console.print(f"report: {path}\ndashboard: {page}", markup=False, highlight=False)
        sound = not show_failures(report.submissions, console) and sound
    return sound


def make_class(assignment: Assignment, released: Path, submitted: Path) -> None:
    """Write ``submitted/STUDENT/ASSIGNMENT/`` for a class of right, wrong, unwritten and broken submissions."""
    for student, edit in _students(assignment):
        folder = submitted / student / assignment.name
        folder.mkdir(parents=True, exist_ok=True)
        handed_in = assignment.notebooks[-1:] if student == FORGETFUL else assignment.notebooks
        for assigned in handed_in:
            path = (released if student == "untouched" else assignment.folder) / f"{assigned.name}.ipynb"
            write_whole(folder / path.name, edit(assigned, path.read_text(encoding="utf-8")))


def _students(assignment: Assignment) -> Iterator[tuple[str, Callable[[AssignedNotebook, str], str]]]:
    def as_it_is(_: AssignedNotebook, text: str) -> str:
        return text

    yield "reference", as_it_is
    yield "untouched", as_it_is
    for known in _chosen([known for notebook in assignment.notebooks for known in notebook.misconceptions]):
        yield re.sub(r"[^\w]+", "-", known.name.lower()).strip("-"), _mistaken(known)
    if len(assignment.notebooks) > 1:
        yield FORGETFUL, as_it_is
    yield "endless-loop", _in_first_answer("while True: pass")
    yield "syntax-error", _in_first_answer("if x = 1")
    yield "cut-off-file", lambda _, text: text[: len(text) * 2 // 3]


def _chosen(misconceptions: Sequence[Misconception]) -> list[Misconception]:
    """A few, of as many questions as possible."""
    questions = dict.fromkeys(known.question for known in misconceptions)
    ranks = [[known for known in misconceptions if known.question == question] for question in questions]
    return [known for rank in zip_longest(*ranks) for known in rank if known is not None][:MISTAKES]


def _mistaken(known: Misconception) -> Callable[[AssignedNotebook, str], str]:
    def edit(assigned: AssignedNotebook, text: str) -> str:
        if known not in assigned.misconceptions:
            return text
        return _rewritten(text, lambda source: known.apply(source) if known.concerns(source) else source)

    return edit


def _in_first_answer(line: str) -> Callable[[AssignedNotebook, str], str]:
    """Put ``line`` where the first solution of the notebook begins."""

    def edit(_: AssignedNotebook, text: str) -> str:
        content = json.loads(text)
        cell = next(cell for cell in content["cells"] if BEGIN in "".join(cell["source"]))
        cell["source"] = "".join(cell["source"]).replace(BEGIN, line, 1)
        return json.dumps(content)

    return edit


def _rewritten(text: str, change: Callable[[str], str]) -> str:
    content: dict[str, Any] = json.loads(text)
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["source"] = change("".join(cell["source"]))
    return json.dumps(content)
