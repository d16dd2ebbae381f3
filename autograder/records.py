"""What a course keeps of the submissions in its ``submitted/``: results, and if it has a gradebook, grades.

The gradebook is written first and the result last, each whole or not at all. So a result that is there says that all is
done for its submission, and a run that was ended goes on behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Self, overload

from autograder.batch import grade_all
from autograder.course import course_config, has_gradebook
from autograder.errors import AutograderError, UsageError
from autograder.outcomes import Report, SubmissionResult
from autograder.parallel import remove_left_folders
from autograder.results import Fingerprint, Fingerprints, Kept, Results

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from autograder.course import Assignment
    from autograder.gradebook.writing import CourseGradebook
    from autograder.grading import Submission


MAX_ID = 128
"""Characters of a student's id, for which nbgrader's gradebook has room."""
MAX_ID_BYTES = 250
"""Bytes of it, so that a file may be called STUDENT.json."""


class Records:
    """The records of one assignment.

    Of what lies elsewhere than in the course's ``submitted/``, and of a student whose folder has a name that is no id,
    nothing is written: ``unkept`` says of whom, and why.
    """

    def __init__(self, assignment: Assignment, course: Path) -> None:
        """Open them.

        Raises:
            SuiteError: the course has a gradebook that does not fit the assignment.
        """
        self.results = Results(course, assignment.name)
        self.results.remove_leftovers()
        remove_left_folders()
        self.gradebook: CourseGradebook | None = None
        self.unkept: dict[str, str] = {}
        self._beside: dict[str, SubmissionResult] = {}  # the results of these
        self._submitted = submitted_folder(course)
        self._assignment = assignment
        self._fingerprints = Fingerprints(assignment)
        if has_gradebook(course):
            from autograder.gradebook.writing import CourseGradebook  # here, since nbgrader takes a second to import

            self.gradebook = CourseGradebook(assignment, course)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.gradebook:
            self.gradebook.close()

    def outdated(self, submissions: Iterable[Submission]) -> Iterator[Submission]:
        """Those that grading may say something new of, since the submission or what judges it has changed."""
        written = self.gradebook.students() if self.gradebook else None
        for submission in submissions:
            if self._why_unkept(submission):
                yield submission
                continue
            kept = self.results.fingerprint_of(submission.student)
            known = written is None or submission.student in written
            if not known or kept is None or kept != self._fingerprints.of(submission):
                yield submission

    def grade(
        self,
        submissions: Iterable[Submission],
        *,
        jobs: int | None = None,
        scheduler: str | None = None,
        seeds: Mapping[str, int] | None = None,
    ) -> Iterator[SubmissionResult]:
        """Grade ``submissions`` and keep each result before it is passed on.

        Raises:
            AutograderError: nothing can be graded here, or a result cannot be written.
        """
        on_the_way: dict[str, Submission] = {}  # as they were read: they may be handed in again meanwhile

        def read() -> Iterator[Submission]:
            for submission in submissions:
                with suppress(UsageError):  # told when it is graded
                    submission = submission.read()  # noqa: PLW2901
                on_the_way[submission.student] = submission
                yield submission

        for result in grade_all(self._assignment, read(), jobs=jobs, scheduler=scheduler, seeds=seeds):
            self.keep(on_the_way.pop(result.student), result)
            yield result

    def report(self, submissions: Sequence[Submission], failed: Sequence[SubmissionResult]) -> Report:
        """What is known of ``submissions``, read from disk when it is asked for, with those that failed in this run."""
        students = [submission.student for submission in submissions]
        others = {**self._beside, **{each.student: each for each in failed}}
        return Report(self.results.assignment, _Found(students, self.results, others))

    def keep(self, submission: Submission, result: SubmissionResult) -> None:
        """Write a result, unless it is none because the grader itself failed, or nothing can be kept of the student.

        Raises:
            AutograderError: it cannot be written.
        """
        if result.failure:
            return
        reason = self._why_unkept(submission)
        if reason:
            self.unkept[result.student], self._beside[result.student] = reason, result
            return
        if self.gradebook:
            former = self.results.of(submission.student)
            if former:  # if we are ended in between, the submission counts as one to be graded
                self.results.keep(replace(former, fingerprint=Fingerprint.of_nothing()))
            self.gradebook.write(submission, result, former.result if former else None)
        self.results.keep(Kept(result, self._fingerprints.of(submission)))

    def _why_unkept(self, submission: Submission) -> str:
        if not lies_in(self._submitted, self.results.assignment, submission):
            return f"it does not lie in {self._submitted.name}/STUDENT/{self.results.assignment}/"
        reason = unfit(submission.student)
        return f"{reason}; rename the folder" if reason else ""


class _Found(Sequence[SubmissionResult]):
    """The results of some students, of which no more than one is in memory."""

    def __init__(self, students: list[str], results: Results, others: dict[str, SubmissionResult]) -> None:
        self._students = students
        self._results = results
        self._others = others  # which are not on disk

    def __len__(self) -> int:
        return len(self._students)

    @overload
    def __getitem__(self, index: int) -> SubmissionResult: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[SubmissionResult]: ...
    def __getitem__(self, index: int | slice) -> SubmissionResult | Sequence[SubmissionResult]:
        if isinstance(index, slice):
            return _Found(self._students[index], self._results, self._others)
        student = self._students[index]
        if student in self._others:
            return self._others[student]
        kept = self._results.of(student)
        if kept is None:
            raise AutograderError(f"The stored result of {student} has disappeared.", "Grade again.")
        return kept.result


def submitted_folder(course: Path) -> Path:
    """Where the course collects submissions, as ``STUDENT/ASSIGNMENT/``."""
    return course / str(course_config(course).CourseDirectory.get("submitted_directory", "submitted"))


def lies_in(submitted: Path, assignment: str, submission: Submission) -> bool:
    """Whether a submission lies where the course collects them, in ``submitted/STUDENT/ASSIGNMENT``."""
    return submission.folder == submitted.resolve() / submission.student / assignment


def unfit(student: str) -> str:
    """Why nothing can be kept of a student who is called so, or nothing."""
    if len(student) > MAX_ID or len(student.encode("utf-8", "replace")) > MAX_ID_BYTES:
        return f"an id has at most {MAX_ID} characters and {MAX_ID_BYTES} bytes"
    if any("\ud800" <= char <= "\udfff" for char in student):  # bytes of a folder's name that are no text
        return "an id is text in UTF-8"
    return ""
