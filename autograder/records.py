"""What a course keeps of the submissions in its ``submitted/``: results, and if it has a gradebook, grades.

The gradebook is written first and the result last, each whole or not at all. So a result that is there says that all is
done for its submission, and a run that was ended goes on behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from autograder.batch import grade_all
from autograder.course import course_config, has_gradebook
from autograder.results import Fingerprints, Kept, Results

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from autograder.course import Assignment
    from autograder.gradebook import CourseGradebook
    from autograder.grading import Submission
    from autograder.outcomes import SubmissionResult


class Records:
    """The records of one assignment."""

    def __init__(self, assignment: Assignment, course: Path) -> None:
        """Open them.

        Raises:
            SuiteError: the course has a gradebook that does not fit the assignment.
        """
        self.results = Results(course, assignment.name)
        self.gradebook: CourseGradebook | None = None
        self._assignment = assignment
        self._fingerprints = Fingerprints(assignment)
        if has_gradebook(course):
            from autograder.gradebook import CourseGradebook  # here, since nbgrader takes a second to import

            self.gradebook = CourseGradebook(assignment, course)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.gradebook:
            self.gradebook.close()

    def current(self, submissions: Sequence[Submission]) -> dict[str, SubmissionResult]:
        """By student the results that grading would repeat, for neither submission nor judge has changed since."""
        found = {}
        for submission in submissions:
            kept = self.results.of(submission.student)
            written = self.gradebook is None or self.gradebook.knows(submission.student)
            if kept and written and kept.fingerprint == self._fingerprints.of(submission):
                found[submission.student] = kept.result
        return found

    def grade(
        self, submissions: Sequence[Submission], *, jobs: int | None = None, seed: int | None = None
    ) -> Iterator[SubmissionResult]:
        """Grade ``submissions`` and keep each result before it is passed on.

        Raises:
            AutograderError: nothing can be graded here, or a result cannot be written.
        """
        handed_in = {submission.student: submission for submission in submissions}
        for result in grade_all(self._assignment, submissions, jobs=jobs, seed=seed):
            self.keep(handed_in[result.student], result)
            yield result

    def keep(self, submission: Submission, result: SubmissionResult) -> None:
        """Write a result, unless it is none because the grader itself failed.

        Raises:
            AutograderError: it cannot be written.
        """
        if result.failure:
            return
        if self.gradebook:
            former = self.results.of(submission.student)
            self.gradebook.write(submission, result, former.result if former else None)
        self.results.keep(Kept(result, self._fingerprints.of(submission)))


def belongs_to(course: Path, assignment: str, submission: Submission) -> bool:
    """Whether a submission lies where the course collects them, in ``submitted/STUDENT/ASSIGNMENT``."""
    if submission.folder is None or not submission.folder.is_relative_to(course.resolve()):
        return False
    submitted = str(course_config(course).CourseDirectory.get("submitted_directory", "submitted"))
    return submission.folder == (course / submitted / submission.student / assignment).resolve()
