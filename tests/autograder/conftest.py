"""Classes made up number by number, for the tests of what is written about a class."""

import pytest

from autograder.outcomes import (
    ErrorMap,
    NotebookResult,
    Outcome,
    QuestionResult,
    Report,
    Status,
    SubmissionResult,
    TestResult,
)

PASSED, FAILED, SILENT = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_JUDGED


@pytest.fixture
def submission_of():
    """A submission whose questions are worth 10 points each; those of its second notebook are extra credit.

    A question is True, False, None (not judged), or the name of a known mistake.
    """

    def make(student, questions, more=(), *, seconds=0.5, problems=(), failure="", judged_with="own", status=None):
        notebooks = []
        for name, answers in (("first", questions), ("second", more)):
            extra = name == "second"
            results = tuple(question(f"{name}_{n}", each, extra, judged_with) for n, each in enumerate(answers, 1))
            told = tuple(problems) if name == "first" else ()
            state = status or (Status.PARTLY if told else Status.GRADED)
            if answers:
                notebooks.append(NotebookResult(name, state, 123, told, results))
        return SubmissionResult.of(student, tuple(notebooks), seconds, failure)

    def question(name, answer, extra, judged_with):
        mistake = answer if isinstance(answer, str) else ""
        outcome = PASSED if answer is True else SILENT if answer is None else FAILED
        test = TestResult(
            f"test_{name}",
            f"{name} holds.",
            1.0,
            outcome,
            cause="step has to work first." if outcome is SILENT else "",
            rationale="dx is wrong: relative error 1.2e+00, limit 1e-06" if outcome is FAILED else "",
            hint="Look again." if outcome is FAILED else "",
            misconception=mistake,
            error_map=ErrorMap("dx", (2, 3, 5), ("566.5", ".....", "x0999")) if outcome is FAILED else None,
        )
        return QuestionResult(name, 10.0 * (outcome is PASSED), 10.0, extra, judged_with, (test,))

    return make


@pytest.fixture
def report_of():
    """A report of submissions."""

    def make(*submissions, assignment="gates"):
        return Report(assignment, tuple(submissions))

    return make
