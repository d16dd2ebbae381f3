"""A course on disk: its assignments, their notebooks, questions and points, suites and reference solutions.

The one source of each fact: points stand in the source notebook's metadata, the reference solution is that notebook's
code, the hidden tests are ``autograder/suites/ASSIGNMENT/test_NOTEBOOK.py``, and known mistakes the
``misconceptions_NOTEBOOK.py`` beside them.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from autograder.errors import SuiteError, UsageError, line_in, said
from autograder.judging.answers import Reference
from autograder.judging.misconceptions import KnownMistakes, Misconception, check_fit
from autograder.kit import needed
from autograder.sources import questions_in, read_source
from coursekit.notebook import slice_for

if TYPE_CHECKING:
    from autograder.judging.plugin import Suite
    from autograder.sources import Question
    from coursekit.notebook import Notebook, Statement

SUITES = Path(__file__).parent / "suites"
HOME = Path(__file__).parent.parent
"""The course that comes with the kit."""
DEFAULT_GRADEBOOK = "sqlite:///gradebook.db"
"""nbgrader's own, in the folder of the course."""
Listed = TypeVar("Listed")


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
        """The hidden tests, ready to be run. Raises SuiteError if they cannot be."""
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
    kind, _, file = str(config.CourseDirectory.get("db_url", DEFAULT_GRADEBOOK)).partition(":///")
    if kind == "sqlite":  # nbgrader takes a relative path from wherever it is run
        config.CourseDirectory.db_url = f"sqlite:///{course.resolve() / file}"
    return config


def has_gradebook(course: Path) -> bool:
    """Whether there is a database to write grades to. One that is a file is made by nbgrader with the first release."""
    kind, _, file = str(course_config(course).CourseDirectory.db_url).partition(":///")
    return kind != "sqlite" or Path(file.partition("?")[0]).is_file()


def giving_out(assignment: str) -> str:
    """The command that gives an assignment out and makes it known to the gradebook, also if that was done before."""
    return f"nbgrader generate_assignment {assignment} --force"


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
        SuiteError: a notebook, or what lies beside its suite, cannot be used, or they do not fit together.
    """
    paths = source_notebooks(name, course or course_folder())
    notebooks = [_assigned(path, (suites or SUITES) / name) for path in paths]
    kit = needed(notebook.source for notebook in notebooks)
    notebooks = [replace(notebook, kit=kit) for notebook in notebooks]
    return Assignment(name, paths[0].parent, tuple(sorted(notebooks, key=lambda notebook: notebook.extra_credit)))


def _assigned(path: Path, suites: Path) -> AssignedNotebook:
    source = read_source(path)
    questions = questions_in(source, path)
    suite = suites / f"test_{path.stem}.py"
    if not suite.is_file():
        raise SuiteError(f"{path} has no hidden suite.", f"Write one: {suite}")
    listed = suites / f"misconceptions_{path.stem}.py"
    misconceptions = listed_in(listed, "MISCONCEPTIONS", Misconception)
    assigned = AssignedNotebook(path.stem, path, source, questions, suite, misconceptions)
    check_fit(misconceptions, assigned.solution, listed)
    return assigned


def listed_in(path: Path, name: str, kind: type[Listed]) -> tuple[Listed, ...]:
    """What a file beside a suite lists under ``name``; nothing if there is no such file.

    Raises:
        SuiteError: it does not run, or has no such list.
    """
    if not path.is_file():
        return ()
    spec = importlib.util.spec_from_file_location(f"autograder.suites.{path.parent.name}.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        told = f"{path}{line_in(path, error)} does not run: {said(error)}."
        raise SuiteError(told, "Correct it, and run the command again.") from error
    listed = getattr(module, name, None)
    if not isinstance(listed, tuple | list) or not all(isinstance(each, kind) for each in listed):
        what = "lists something else" if name in vars(module) else "is missing"
        raise SuiteError(f"{path}: {name} {what}.", f"Write {name} = (...), each entry a {kind.__name__} and a comma.")
    return tuple(listed)
