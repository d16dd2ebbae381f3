"""What one student reads about a submission."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from autograder.gradebook.feedback import LEAD
from autograder.outcomes import Outcome
from autograder.pages import figures
from autograder.pages.rendering import render

if TYPE_CHECKING:
    from autograder.outcomes import NotebookResult, QuestionResult, SubmissionResult, TestResult

MARKS = {Outcome.PASSED: ("✓", "right"), Outcome.FAILED: ("✗", "wrong"), Outcome.NOT_JUDGED: ("?", "silent")}


def student_page(assignment: str, result: SubmissionResult) -> str:
    """The HTML of one submission: its points, and for each question what was tested and what is wrong.

    It names no other student and links to nothing, so that it can be sent as it is. Of a failure of the grader it says
    no more than that there was one.
    """
    return render(
        "student",
        assignment=assignment,
        result=result,
        marks=MARKS,
        figures=figures,
        judged=_judged,
        alike=_alike,
        hints=_hints,
        lead=LEAD,
        share=min(result.score / result.max_score, 1.0) if result.max_score else 0.0,
    )


def _judged(question: QuestionResult) -> str:
    """By what a question was judged, if not by the student's own functions alone."""
    kind, _, lent = question.judged_with.partition(": ")
    if lent:
        names = lent.replace(", ", " and ")
        return (
            f"Judged with {names} lent by the reference solution, so that a mistake there does not cost you here too."
        )
    if kind == "own":
        return ""
    return "Judged against what your own forward pass computes, so that a mistake there does not cost you here too."


def _alike(question: QuestionResult) -> list[list[TestResult]]:
    """The tests in their order, those together that follow each other and tell the same."""

    def told(test: TestResult) -> tuple[object, ...]:
        return test.outcome, test.rationale, test.cause, test.hint, test.error_map, test.example

    return [list(tests) for _, tests in groupby(question.tests, told)]


def _hints(notebook: NotebookResult) -> list[str]:
    """All hints of a notebook, each once."""
    return list(dict.fromkeys(test.hint for question in notebook.questions for test in question.tests if test.hint))
