"""A course on disk: its assignments, their notebooks, questions and points, suites and reference solutions.

The one source of each fact: points stand in the source notebook's metadata, the reference solution is that notebook's
code, the hidden tests are ``autograder/suites/ASSIGNMENT/test_NOTEBOOK.py``, and known mistakes the
``misconceptions_NOTEBOOK.py`` beside them.

Extra credit cannot be told to nbgrader, whose questions are worth what they add to the maximum. So such a grade cell is
worth 0 there, and bears ``"autograder": {"extra_credit": 6}`` in its metadata.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.errors import SuiteError, UsageError
from autograder.judging.answers import Reference
from autograder.judging.misconceptions import KnownMistakes, Misconception
from autograder.kit import needed
from coursekit.errors import NotebookUnreadable
from coursekit.notebook import Notebook, defines, read_notebook, slice_for

if TYPE_CHECKING:
    from autograder.judging.plugin import Suite
    from coursekit.notebook import Cell, Statement

SUITES = Path(__file__).parent / "suites"
HOME = Path(__file__).parent.parent
"""The course that comes with the kit."""


@dataclass(frozen=True)
class Question:
    """One graded function or method, by its dotted name, and what it is worth: to the maximum, or beyond it."""

    name: str
    points: float
    extra_credit: bool

    @property
    def grade_id(self) -> str:
        """The ``grade_id`` of its grade cell; nbgrader allows no dots there."""
        return self.name.replace(".", "_")


@dataclass(frozen=True)
class AssignedNotebook:
    """One notebook of an assignment, as the instructor has it."""

    name: str
    path: Path
    source: Notebook
    questions: tuple[Question, ...]
    suite: Path
    misconceptions: tuple[Misconception, ...] = field(repr=False)
    kit: tuple[str, ...] = ()
    """The files of the helper package that the notebooks of the assignment use."""

    def __getstate__(self) -> dict[str, Any]:
        """What other processes get: not what is computed from it."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def names(self) -> tuple[str, ...]:
        """The functions and classes that are graded."""
        return tuple(question.name for question in self.questions)

    def before(self, question: str) -> set[str]:
        """The questions that it asks before one."""
        return set(takewhile(lambda name: name != question, self.names))

    def builds_on(self, other: AssignedNotebook) -> bool:
        """Whether it takes functions from another one."""
        return other is not self and any(f"{other.name}.ipynb" in each.source for each in self.source.statements)

    @property
    def extra_credit(self) -> bool:
        """Whether all of it is voluntary."""
        return all(question.extra_credit for question in self.questions)

    @cached_property
    def solution(self) -> list[Statement]:
        """The instructor's solution: the statements that the questions need."""
        return slice_for(self.source.statements, self.names)

    @cached_property
    def reference(self) -> Reference:
        """The same, ready to be called."""
        return Reference(self.solution, self.path)

    @cached_property
    def tests(self) -> Suite:
        """The hidden tests, ready to be run."""
        from autograder.judging.plugin import Suite  # here, since pytest takes long to import

        return Suite(self.suite, self.names)

    @cached_property
    def mistakes(self) -> KnownMistakes:
        """The known mistakes, ready to be recognised."""
        return KnownMistakes(self.misconceptions, self.solution, self.path)


@dataclass(frozen=True)
class Assignment:
    """One assignment: a folder of notebooks in ``source/``. Those of extra credit come last."""

    name: str
    folder: Path
    notebooks: tuple[AssignedNotebook, ...]


def course_folder(start: Path | None = None) -> Path:
    """The course that ``start`` (by default the working directory) lies in, else the one that comes with the kit."""
    try:
        here = (start or Path.cwd()).resolve()
    except FileNotFoundError:  # the working directory has been deleted
        return HOME
    for folder in (here, *here.parents):
        if (folder / "nbgrader_config.py").is_file() and (folder / "source").is_dir():
            return folder
    return HOME


def course_config(course: Path) -> Any:
    """The configuration of a course as nbgrader itself reads it.

    Raises:
        SuiteError: it does not run.
    """
    from traitlets.config import PyFileConfigLoader  # here, since grading one notebook does without

    try:
        config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    except Exception as error:
        raise SuiteError(f"{course / 'nbgrader_config.py'} does not run: {error!r}.") from error
    config.CourseDirectory.root = str(course)
    return config


def has_gradebook(course: Path) -> bool:
    """Whether there is a database to write grades to. One that is a file is made by nbgrader with the first release."""
    url = str(course_config(course).CourseDirectory.get("db_url", f"sqlite:///{course.resolve() / 'gradebook.db'}"))
    kind, _, file = url.partition(":///")
    return kind != "sqlite" or (course / file).is_file()


def assignment_names(course: Path) -> list[str]:
    """The assignments of a course."""
    return sorted(folder.name for folder in (course / "source").glob("*") if any(folder.glob("*.ipynb")))


def source_notebooks(name: str, course: Path) -> list[Path]:
    """The source notebooks of an assignment, in order of their names.

    Raises:
        UsageError: there is no such assignment.
    """
    known = assignment_names(course)
    if name not in known:
        listed = ", ".join(known) or "none at all"
        raise UsageError(f"There is no assignment {name!r} in {course / 'source'}.", f"There is: {listed}.")
    return sorted((course / "source" / name).glob("*.ipynb"))


def load_assignment(name: str, course: Path | None = None, suites: Path | None = None) -> Assignment:
    """Read one assignment, its hidden suites from ``suites/NAME``, by default those of the kit.

    Raises:
        UsageError: there is no such assignment.
        SuiteError: its notebooks and its suite do not fit together.
    """
    paths = source_notebooks(name, course or course_folder())
    notebooks = [_assigned(path, (suites or SUITES) / name) for path in paths]
    kit = needed(notebook.source for notebook in notebooks)
    notebooks = [replace(notebook, kit=kit) for notebook in notebooks]
    return Assignment(name, paths[0].parent, tuple(sorted(notebooks, key=lambda notebook: notebook.extra_credit)))


def _assigned(path: Path, suites: Path) -> AssignedNotebook:
    try:
        source = read_notebook(path.read_bytes(), path.stem)
    except NotebookUnreadable as error:
        raise SuiteError(f"{path} cannot be read: {error.message}.", error.fix) from error
    if source.problems:
        raise SuiteError(f"{path} has cells that cannot be read: {source.problems[0]}")
    suite = suites / f"test_{path.stem}.py"
    if not suite.is_file():
        raise SuiteError(f"{path} has no hidden suite.", f"Write one: {suite}")
    questions = tuple(
        _question(source, cell)
        for cell in source.cells
        if cell.nbgrader.get("grade") and not cell.nbgrader.get("solution")  # with "solution", it is graded by hand
    )
    misconceptions = listed_in(suites / f"misconceptions_{path.stem}.py", "MISCONCEPTIONS")
    return AssignedNotebook(path.stem, path, source, questions, suite, misconceptions)


def _question(source: Notebook, cell: Cell) -> Question:
    extra = float(cell.autograder.get("extra_credit", 0))
    points = float(cell.nbgrader["points"])
    if points and extra:
        raise SuiteError(
            f"{source.name}, cell {cell.number} has both points and extra credit.", "Set one of them to 0."
        )
    return Question(_question_name(source, cell.nbgrader["grade_id"]), points or extra, extra_credit=bool(extra))


def _question_name(source: Notebook, grade_id: str) -> str:
    """The function or method that a grade cell is named for: ``Network_loss`` grades ``Network.loss``."""
    if defines(source.statements, grade_id):
        return grade_id
    for place, char in enumerate(grade_id):
        statement = defines(source.statements, grade_id[:place]) if char == "_" else None
        if statement is not None and statement.source.startswith("class "):
            return f"{grade_id[:place]}.{grade_id[place + 1 :]}"
    raise SuiteError(f"{source.name} has a grade cell {grade_id!r}, but defines no function or method of that name.")


def listed_in(path: Path, name: str) -> tuple[Any, ...]:
    """What a file beside a suite lists under ``name``; nothing if there is no such file."""
    if not path.is_file():
        return ()
    spec = importlib.util.spec_from_file_location(f"autograder.suites.{path.parent.name}.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return tuple(getattr(module, name))
