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
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import find_all_files
from sqlalchemy.exc import SAWarning

from autograder.course import load_assignment
from autograder.errors import AutograderError
from autograder.gradebook.autograded import rebuilt, released_notebook, shown, with_results
from autograder.gradebook.writing import save_extra_credit
from autograder.grading import assign, grade
from autograder.results import Fingerprints, Kept, Results
from autograder.submissions import find_submissions

if TYPE_CHECKING:
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
            _drop_links(folder, self._folder("autograded_directory", told["student"]))
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


def _drop_links(submitted: Path, autograded: Path) -> None:
    """Remove what nbgrader has copied from behind a link that was handed in: it could be any file of this machine."""
    for found in map(Path, find_all_files(str(submitted), [])):
        if found.is_symlink():
            (autograded / found.relative_to(submitted)).unlink(missing_ok=True)


class _Disarmed(IPythonRenderer):
    """Renders Markdown in which the student's HTML is text, and no link or picture does anything by itself."""

    def block_mermaidjs(self, code: str) -> str:
        """As a block of code like any other: the renderer above would write it as HTML."""
        return str(self.block_code(code))

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """A picture that is attached or lies beside the notebook; one from elsewhere would tell who looks at it."""
        if url.startswith("attachment:") and url.removeprefix("attachment:") not in self.attachments:
            return str(self.text(f"[there is no picture {url}]"))
        if "//" in url or (":" in url and not url.startswith("attachment:")):
            return str(self.text(f"[a picture from elsewhere: {url}]"))
        return str(super().image(text, url, title))


@pass_context
def markdown2html(context: Context, source: str) -> str:
    """The filter that formgrader and feedback render Markdown with; nbconvert's own lets HTML and scripts through."""
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = _Disarmed(escape=True, allow_harmful_protocols=False, attachments=attachments)
    return str(MarkdownWithMath(renderer=renderer).render(source))
