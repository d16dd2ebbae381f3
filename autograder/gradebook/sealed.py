"""What ``nbgrader_config.py`` names, so that ``nbgrader autograde`` and formgrader grade in the sealed box.

nbgrader converts a submitted notebook twice: it sanitizes it, then executes it and saves the grades. Here the first
conversion begins with a notebook put together anew (:mod:`autograder.gradebook.autograded`), whatever was handed in and
under which name; and in the second, :class:`SealedGrade` stands in the place of ``Execute``. The student's code is
never run by nbgrader. All else is nbgrader's own: the gradebook, late penalties, manual grades, comments, feedback.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import pass_context
from nbconvert.exporters import NotebookExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import from_dict
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from sqlalchemy.exc import SAWarning

from autograder.course import load_assignment
from autograder.errors import AutograderError
from autograder.gradebook.autograded import rebuilt, released_notebook, shown, with_results
from autograder.gradebook.beside import copy_beside, handed_in_at, may_be_linked, stays_beside
from autograder.gradebook.writing import save_extra_credit
from autograder.grading import assign, grade
from autograder.results import Fingerprints, Kept, Results
from autograder.submissions import find_submissions

if TYPE_CHECKING:
    from datetime import datetime

    from jinja2.runtime import Context

    from autograder.course import AssignedNotebook
    from autograder.outcomes import NotebookResult, SubmissionResult
    from coursekit.errors import NotebookUnreadable
    from coursekit.notebook import Notebook

# What newer versions of SQLAlchemy say of the way in which nbgrader adds a submission is nothing to an instructor.
warnings.filterwarnings("ignore", "Object of type .* not in session", SAWarning)


class _Graded(NamedTuple):
    """A submission that has been graded, notebook by notebook."""

    folder: Path
    papers: dict[str, tuple[AssignedNotebook, Notebook | NotebookUnreadable]]
    kept: Kept
    former: SubmissionResult | None
    results: Results

    def result_of(self, notebook: str) -> NotebookResult:
        return next(each for each in self.kept.result.notebooks if each.notebook == notebook)


class SealedExporter(NotebookExporter):
    """Grades a submission as a whole, and gives nbgrader notebooks that it can work with."""

    _graded: _Graded | None = None

    def __init__(self, **arguments: Any) -> None:
        """Let nbgrader's converter, which makes the exporter before it begins, take nothing but notebooks."""
        super().__init__(**arguments)
        self.parent.coursedir = _Folders.of(self.parent.coursedir)

    def from_filename(self, filename: str, resources: Any = None, **arguments: Any) -> tuple[Any, Any]:
        """Convert a notebook: one that was handed in is put together anew, any other is read as it is.

        Raises:
            AutograderError: the grader itself failed, so that there is no grade.
        """
        told = resources["nbgrader"]
        folder = self._folder("submitted_directory", told["student"])
        if Path(filename).parent.resolve() != folder.resolve():
            output, resources = super().from_filename(filename, resources=resources, **arguments)
            return output, resources
        if self._graded is None or self._graded.folder != folder:
            self._graded = self._grade(told["assignment"], folder)
            autograded = self._folder("autograded_directory", told["student"])
            for left in copy_beside(folder, autograded, self.parent.coursedir.ignore):
                self.log.warning("Not copied, for it is no file, too large or one too many: %s", folder / left)
        name = told["notebook"]
        content = rebuilt(released_notebook(self._folder("release_directory", "."), name), self._graded.papers[name][1])
        resources["metadata"] = {"name": name, "path": str(folder)}
        output, resources = self.from_notebook_node(from_dict(content), resources=resources, **arguments)
        return output, resources

    @property
    def graded(self) -> _Graded:
        """The submission that is being converted."""
        assert self._graded is not None
        return self._graded

    @property
    def last(self) -> str:
        """The notebook that is converted last of the submission."""
        return Path(self.parent.notebooks[-1]).stem

    def _folder(self, kind: str, student: str) -> Path:
        directory = self.parent.coursedir
        return Path(directory.format_path(getattr(directory, kind), student, directory.assignment_id))

    def _grade(self, name: str, folder: Path) -> _Graded:
        course = Path(self.parent.coursedir.root)
        assignment = load_assignment(name, course)
        [submission] = find_submissions(name, [folder])
        result = grade(assignment, submission)
        if result.failure:
            raise AutograderError(f"The grader itself failed on {folder}, so this is no grade: {result.failure}")
        papers = {assigned.name: (assigned, handed_in) for assigned, handed_in in assign(assignment, submission)}
        results = Results(course, name)
        former = results.of(submission.student)
        kept = Kept(result, Fingerprints(assignment).of(submission))
        return _Graded(folder, papers, kept, former.result if former else None, results)


class SealedGrade(NbGraderPreprocessor):
    """Stands in the place of ``Execute``: the outputs of a grade cell are the points and the words of its question."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Put the results into the notebook."""
        graded, name = self.parent.graded, resources["nbgrader"]["notebook"]
        with_results(nb, graded.papers[name][0], graded.result_of(name))
        return from_dict(nb), resources


class SaveExtraCredit(NbGraderPreprocessor):
    """After ``SaveAutoGrades``, which knows only points: the extra credit. With the last notebook, keeps the result."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Write to the gradebook."""
        told, graded = resources["nbgrader"], self.parent.graded
        last = told["notebook"] == self.parent.last
        absent = graded.papers.keys() - set(shown(list(graded.papers.values()))) if last else set()
        with Gradebook(told["db_url"]) as book:
            for name in (told["notebook"], *absent):
                entry = book.find_submission_notebook(name, told["assignment"], told["student"])
                grades = {grade.name: grade for grade in entry.grades}
                save_extra_credit(graded.papers[name][0], grades, graded.kept.result, graded.former)
            book.db.commit()
        if last:
            graded.results.keep(graded.kept)
        return nb, resources


def find_renamed(assignment: str, notebooks: list[str], **_: Any) -> None:
    """``pre_convert_hook``: let nbgrader, which skips a notebook of another name, see each under its own."""
    folder = Path(notebooks[0]).parent
    course = next(above for above in folder.parents if (above / "source" / assignment).is_dir())
    [submission] = find_submissions(assignment, [folder])
    papers = assign(load_assignment(assignment, course), submission)
    notebooks[:] = [os.path.join(folder, f"{name}.ipynb") for name in shown(papers)]  # noqa: PTH118


class _Folders(CourseDirectory):
    """The folders of a course, where nbgrader copies nothing of a submission and waits for nothing in it."""

    @classmethod
    def of(cls, directory: CourseDirectory) -> _Folders:
        """The same folders, with those of the submissions at hand among what is ignored."""
        submitted = directory.format_path(
            directory.submitted_directory, directory.student_id, directory.assignment_id
        )  # as nbgrader itself finds them: a pattern of whole paths
        return cls(**{**directory.trait_values(), "ignore": [*directory.ignore, submitted]})

    def get_existing_timestamp(self, dest_path: str) -> datetime | None:
        """When it was handed in; None if that is not known."""
        try:
            return handed_in_at(Path(dest_path))
        except ValueError:
            self.log.warning("%s/timestamp.txt holds no time, so it is not taken for late", dest_path)
            return None


class _Disarmed(IPythonRenderer):
    """Renders Markdown in which the student's HTML is text, and no link or picture does anything by itself."""

    def block_mermaidjs(self, code: str) -> str:
        """As a block of code like any other: the renderer above would write it as HTML."""
        return str(self.block_code(code))

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """A picture that is attached or lies beside the notebook.

        One from elsewhere would tell who looks at it, and any page of this server would be asked for in their name.
        """
        if url.startswith("attachment:"):
            if url.removeprefix("attachment:") not in self.attachments:
                return str(self.text(f"[there is no picture {url}]"))
        elif not stays_beside(url):
            return str(self.text(f"[a picture from elsewhere: {url}]"))
        return str(super().image(text, url, title))

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link to another site or to a harmless file beside the notebook; the words of any other."""
        if not may_be_linked(url):
            return text + str(self.text(f" [a link to {url}]"))
        return str(super().link(text, url, title))


@pass_context
def markdown2html(context: Context, source: str) -> str:
    """The filter that formgrader and feedback render Markdown with; nbconvert's own lets HTML and scripts through."""
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = _Disarmed(escape=True, allow_harmful_protocols=False, attachments=attachments)
    return str(MarkdownWithMath(renderer=renderer).render(source))
