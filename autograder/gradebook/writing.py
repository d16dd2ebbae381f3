"""The fast way into nbgrader's gradebook: the same grades and notebooks as ``nbgrader autograde``, without converting.

What nbgrader's own way does for a submission is repeated here in one transaction: the student and the submission are
made known, with the time of handing in; each graded cell gets its points as :mod:`nbgrader.preprocessors` would read
them from its outputs; what was not answered is noted; late penalties are assigned by the course's plugin; and the
notebooks are written to ``autograded/STUDENT/ASSIGNMENT/``.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbformat import from_dict
from nbgrader.api import Assignment as AssignmentEntry
from nbgrader.api import Gradebook, InvalidEntry, MissingEntry, SubmittedAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import compute_checksum, determine_grade, find_all_files, is_grade, is_solution, is_task
from sqlalchemy.exc import DBAPIError, SAWarning

from autograder.course import course_config, giving_out
from autograder.errors import AutograderError, SuiteError
from autograder.files import remove_leftovers, scratch_folder
from autograder.gradebook.autograded import rebuilt, released_notebook, shown, with_results
from autograder.gradebook.beside import copy_beside, handed_in_at
from autograder.gradebook.opening import failures_told, first_line
from autograder.grading import assign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autograder.course import AssignedNotebook, Assignment
    from autograder.grading import Submission
    from autograder.outcomes import QuestionResult, SubmissionResult

SCRATCH = ".autograded-"
TRIES = 5
"""How often a transaction is begun again that another grader has come in the way of."""
NAMED_IN = "It is named by c.AssignLatePenalties.plugin_class in nbgrader_config.py."
SHOWN = 3
"""Files that are named of those that were not copied."""


class CourseGradebook:
    """The gradebook of a course and its autograded notebooks, for one assignment."""

    def __init__(self, assignment: Assignment, course: Path) -> None:
        """Open the gradebook.

        Raises:
            SuiteError: it does not know the assignment, or knows it with other points.
            AutograderError: it cannot be read, or the course's plugin for late penalties cannot be loaded.
        """
        self._assignment = assignment
        self._config = course_config(course)
        self._directory = CourseDirectory(config=self._config)
        self._released = {
            assigned.name: released_notebook(self._folder("release_directory", "."), assigned.name)
            for assigned in assignment.notebooks
        }
        self._autograded = Path(self._directory.root) / str(self._directory.autograded_directory)
        remove_leftovers(self._autograded, f"{SCRATCH}*")
        self._penalties = self._late_penalties(course)
        self.remarks: list[str] = []
        """What was amiss beside the notebooks."""
        with failures_told(self._directory.db_url):
            self._gradebook = Gradebook(self._directory.db_url, self._directory.course_id)
            self._cells = {cell.id: cell.name for cell in self._known_cells()}

    @property
    def url(self) -> str:
        """Where the database is, without a password."""
        return str(self._gradebook.engine.url)

    def close(self) -> None:
        """Close the connection."""
        self._gradebook.close()

    def students(self) -> set[str]:
        """Those of whom there is a submission."""
        asked = self._gradebook.db.query(SubmittedAssignment.student_id).join(SubmittedAssignment.assignment)
        with failures_told(self._directory.db_url):
            return {student for (student,) in asked.filter(AssignmentEntry.name == self._assignment.name)}

    def write(self, submission: Submission, result: SubmissionResult, former: SubmissionResult | None = None) -> None:
        """Write the grades of a submission and the notebooks that show them.

        Args:
            submission: what was handed in.
            result: what grading it gave.
            former: what was written the last time. Extra credit that is something else by now was given by hand.

        Raises:
            AutograderError: they cannot be written; then the grades in the gradebook are the former ones.
        """
        papers = assign(self._assignment, submission)
        names = shown(papers)
        notebooks = {}
        for (assigned, handed_in), found in zip(papers, result.notebooks, strict=True):
            if assigned.name in names:
                notebooks[assigned.name] = rebuilt(self._released[assigned.name], handed_in)
                with_results(notebooks[assigned.name], assigned, found)
        try:
            self._put_in_place(submission, notebooks)
        except OSError as error:
            # A disk that is full tells no name.
            place = error.filename or self._folder("autograded_directory", submission.student)
            raise AutograderError(f"{place} cannot be written: {error.strerror or error}.") from error
        for tried in range(1, TRIES + 1):
            try:
                self._save(submission, notebooks, result, former)
            except (DBAPIError, InvalidEntry) as error:
                with suppress(DBAPIError):  # of a connection that is lost there is nothing to roll back
                    self._gradebook.db.rollback()
                if tried == TRIES:
                    raise AutograderError(
                        f"The grades of {submission.student} cannot be written to {self.url}: {first_line(error)}",
                        "See that the database can be reached; grading again goes on from here.",
                    ) from error
            else:
                return

    # ------------------------------------------------------------------------------------------ the database

    def _known_cells(self) -> Iterator[Any]:
        """The cells of the assignment in the gradebook, which must be those of the source."""
        name = self._assignment.name
        for assigned in self._assignment.notebooks:
            try:
                known = self._gradebook.find_notebook(assigned.name, name)
            except MissingEntry as error:
                raise SuiteError(
                    f"The gradebook does not know {assigned.name} of {name}.",
                    f"Make it known: {giving_out(name)}",
                ) from error
            points = {cell.name: cell.max_score for cell in known.grade_cells}
            for question in assigned.questions:
                wanted = 0.0 if question.extra_credit else question.points
                if points.get(question.grade_id) != wanted:
                    raise SuiteError(
                        f"The gradebook has other points for {question.name} than the source: "
                        f"{points.get(question.grade_id)}, not {wanted:g}.",
                        f"Bring it up to date: {giving_out(name)}",
                    )
            yield from (*known.grade_cells, *known.solution_cells, *known.task_cells)

    def _save(
        self,
        submission: Submission,
        notebooks: dict[str, dict[str, Any]],
        result: SubmissionResult,
        former: SubmissionResult | None,
    ) -> None:
        book = self._gradebook
        timestamp = self._timestamp(submission)
        told = {"timestamp": timestamp} if timestamp else {}
        with warnings.catch_warnings(), _commits_postponed(book.db):
            warnings.simplefilter("ignore", SAWarning)  # newer versions of SQLAlchemy find fault with nbgrader's way
            book.update_or_create_student(submission.student)
            entry = book.update_or_create_submission(self._assignment.name, submission.student, **told)
        entries = {each.name: each for each in entry.notebooks}
        for assigned in self._assignment.notebooks:
            grades = {self._cells[grade.cell_id]: grade for grade in entries[assigned.name].grades}
            comments = {self._cells[comment.cell_id]: comment for comment in entries[assigned.name].comments}
            if assigned.name in notebooks:
                _save_notebook(notebooks[assigned.name], grades, comments)
            else:
                for grade in grades.values():
                    grade.auto_score, grade.needs_manual_grade = 0.0, False
            save_extra_credit(assigned, grades, result, former)
        if entry.total_seconds_late > 0:
            book.db.flush()
        for name in notebooks:
            self._assign_late_penalty(entry, entries[name])
        book.db.commit()

    def _assign_late_penalty(self, entry: Any, notebook: Any) -> None:
        notebook.late_submission_penalty = None
        if entry.total_seconds_late > 0:
            self._gradebook.db.refresh(notebook, ["score"])
            try:
                penalty = self._penalties.plugin_inst.late_submission_penalty(
                    entry.student_id, notebook.score, entry.total_seconds_late
                )
                if penalty is not None:
                    penalty = self._penalties._check_late_penalty(notebook, penalty)  # noqa: SLF001
            except Exception as error:
                raise AutograderError(
                    f"The plugin for late penalties failed at {entry.student_id}: {error!r}.", NAMED_IN
                ) from error
            notebook.late_submission_penalty = penalty

    def _late_penalties(self, course: Path) -> Any:
        """What assigns penalties, with the plugin that the course names. It may lie in the course."""
        with _importable(course):
            try:
                penalties = AssignLatePenalties(config=self._config)
                penalties.init_plugin()
            except Exception as error:
                raise AutograderError(
                    f"The plugin for late penalties cannot be loaded: {first_line(error)}", NAMED_IN
                ) from error
        return penalties

    def _timestamp(self, submission: Submission) -> Any:
        """When it was handed in; None if that is not known."""
        assert submission.folder is not None
        try:
            return handed_in_at(submission.folder)
        except ValueError:  # somebody has written into it
            self.remarks.append(f"{submission.student}: timestamp.txt holds no time, so it is not taken for late")
            return None

    # --------------------------------------------------------------------------------------------- the files

    def _folder(self, kind: str, student: str) -> Path:
        return Path(self._directory.format_path(getattr(self._directory, kind), student, self._assignment.name))

    def _put_in_place(self, submission: Submission, notebooks: dict[str, dict[str, Any]]) -> None:
        """Write ``autograded/STUDENT/ASSIGNMENT/`` aside, and put it in the place of the former one."""
        target = self._folder("autograded_directory", submission.student)
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(self._autograded, SCRATCH) as scratch:
            made = scratch / "made"
            made.mkdir()
            self._copy_given(made)
            for name, content in notebooks.items():
                text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
                (made / f"{name}.ipynb").write_text(text, encoding="utf-8", errors="replace")
            if submission.folder:
                left = copy_beside(submission.folder, made, self._directory.ignore)
                if left:
                    names = ", ".join(left[:SHOWN]) + (", ..." if len(left) > SHOWN else "")
                    told = f"{submission.student}: {len(left)} of the files beside the notebooks cannot be copied"
                    self.remarks.append(f"{told}, or are too large or too many ({names})")
            for path in made.rglob("*"):
                if path.is_file():
                    path.chmod(0o664 if self._directory.groupshared else 0o444)
            if target.exists():
                target.rename(scratch / "former")
            made.rename(target)

    def _copy_given(self, made: Path) -> None:
        """Copy what is given out beside the notebooks, as nbgrader does."""
        given = self._assignment.folder
        for found in map(Path, find_all_files(str(given), [*self._directory.ignore, "*.ipynb"])):
            if found.is_file() and not found.is_symlink():
                copy = made / found.relative_to(given)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found, copy)


@contextmanager
def _commits_postponed(session: Any) -> Iterator[None]:
    """Let nbgrader's API, which commits after each step, only send what it has: all or nothing is to be written.

    It also logs the traceback of an error that it raises, which is told once, by whoever catches it.
    """
    log = logging.getLogger("tornado.application")
    session.commit, log.disabled = session.flush, True
    try:
        yield
    finally:
        log.disabled = False
        del session.commit


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let modules in a folder be imported, as nbgrader does with those of the course."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def save_extra_credit(
    assigned: AssignedNotebook,
    grades: dict[str, Any],
    result: SubmissionResult,
    former: SubmissionResult | None,
) -> None:
    """Set the extra credit of the questions that are worth nothing else.

    What an instructor has set by hand stays, and is marked for them to look at.
    """
    earned, before = _extra_credit(result), _extra_credit(former)
    for question in assigned.questions:
        if question.extra_credit:
            grade, name = grades[question.grade_id], (assigned.name, question.name)
            if grade.extra_credit in (None, 0.0, before.get(name), earned[name]):
                grade.extra_credit = earned[name]
            else:
                grade.needs_manual_grade = True


def _extra_credit(result: SubmissionResult | None) -> dict[tuple[str, str], float]:
    def of(questions: tuple[QuestionResult, ...]) -> dict[str, float]:
        return {question.question: question.points for question in questions if question.extra_credit}

    notebooks = result.notebooks if result else ()
    return {(each.notebook, name): points for each in notebooks for name, points in of(each.questions).items()}


def _save_notebook(content: dict[str, Any], grades: dict[str, Any], comments: dict[str, Any]) -> None:
    """What ``SaveAutoGrades`` reads from a notebook's cells."""
    for each in content["cells"]:
        cell = from_dict(each)
        if is_grade(cell):
            grade = grades[cell.metadata.nbgrader.grade_id]
            grade.auto_score, _ = determine_grade(cell)
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        if is_solution(cell) or is_task(cell):
            untouched = cell.metadata.nbgrader.get("checksum") == compute_checksum(cell) and not is_task(cell)
            comments[cell.metadata.nbgrader.grade_id].auto_comment = "No response." if untouched else None
