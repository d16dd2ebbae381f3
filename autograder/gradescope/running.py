"""What runs in Gradescope's container for each submission: it grades ``submission/`` and writes ``results.json``.

A student's broken notebook is a result. A failure of the grader leaves no file, which Gradescope shows as a failure of
the autograder, and never as a score.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import coursekit
from autograder.checkouts import handed_in
from autograder.course import load_assignment
from autograder.errors import AutograderError
from autograder.files import write_whole
from autograder.gradebook.feedback import as_text
from autograder.grading import grade
from autograder.outcomes import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from autograder.outcomes import NotebookResult, QuestionResult, SubmissionResult

CONFIG = "gradescope.json"
"""Beside the grader: what the instructor has chosen."""
MARK = "autograder"
"""Where in ``extra_data`` we keep what we have to know again, when the next submission comes."""
KEPT = ("tests", "test_output_format", "test_name_format", "stdout_visibility", "visibility")
"""What of former results is shown again."""


def run(root: Path) -> SubmissionResult | None:
    """Grade the submission in Gradescope's folders, ``source``, ``submission`` and ``results`` in ``root``.

    Returns:
        What was found; None if the submission does not count any more.

    Raises:
        AutograderError: it could not be graded. There is no ``results.json`` then.
    """
    results = root / "results" / "results.json"
    results.unlink(missing_ok=True)
    config = _read(root / "source" / CONFIG)
    attempts: int | None = config["attempts"]
    former = _counted(root / "submission_metadata.json") if attempts else []
    if attempts and len(former) >= attempts:
        write_whole(results, _json(_kept(former[-1], attempts)))
        return None
    assignment = load_assignment(config["assignment"], root / "source")
    found = handed_in(assignment, root / "submission")
    graded = grade(assignment, found.submission)
    if graded.failure:
        raise AutograderError(f"The grader itself failed, so there is no score: {graded.failure}")
    told = [*found.remarks]
    if attempts:
        told.insert(0, f"This is submission {len(former) + 1} of {attempts} that count.")
    write_whole(results, _json(as_results(graded, config["visibility"], told)))
    return graded


def as_results(graded: SubmissionResult, visibility: str, told: Sequence[str] = ()) -> dict[str, Any]:
    """What Gradescope reads: a test for each question.

    Args:
        graded: the result of a submission.
        visibility: when students see what is said of the questions.
        told: what is said besides, always visible.
    """
    there = [notebook for notebook in graded.notebooks if notebook.status != Status.ABSENT]
    problems = [f"{notebook.notebook}: {problem}" for notebook in there for problem in notebook.problems]
    return {
        "score": graded.score,
        "execution_time": graded.seconds,
        "output": "\n".join((*told, *problems)),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "stdout_visibility": "hidden",
        "extra_data": {MARK: {"kit": coursekit.__version__, "counted": True, "seed": _seed(there)}},
        "tests": [
            _test(question, f"{number}.{place}", visibility)
            for number, notebook in enumerate(there, 1)
            for place, question in enumerate(notebook.questions, 1)
        ],
    }


def _test(question: QuestionResult, number: str, visibility: str) -> dict[str, Any]:
    passed = question.outcome is Outcome.PASSED
    return {
        "name": f"{question.question}{' (extra credit)' if question.extra_credit else ''}",
        "number": number,
        "score": question.points,
        "max_score": question.max_points,
        "status": "passed" if passed else "failed",
        "output": as_text(question),
        "visibility": visibility,
    }


def _seed(notebooks: Sequence[NotebookResult]) -> int | None:
    return next((notebook.seed for notebook in notebooks), None)


# Attempts -------------------------------------------------------------------------------------------------


def _counted(metadata: Path) -> list[Mapping[str, Any]]:
    """The student's former submissions that were graded and count, the latest last."""
    told = _read(metadata).get("previous_submissions") or []
    if not isinstance(told, list):
        raise AutograderError(f"{metadata} does not list the former submissions.")
    graded = [each for each in told if isinstance(each, dict) and _score(each) is not None]
    counted = [each for each in graded if not each.get("autograder_error") and _mark(each).get("counted", True)]
    return sorted(counted, key=lambda each: _time(each.get("submission_time")))


def _score(submission: Mapping[str, Any]) -> float | None:
    try:
        return float(submission["score"])
    except (KeyError, TypeError, ValueError):  # it has none: it could not be graded
        return None


def _time(told: Any) -> float:
    try:
        return datetime.fromisoformat(told).timestamp()
    except (TypeError, ValueError):
        return 0.0


def _mark(submission: Mapping[str, Any]) -> Mapping[str, Any]:
    place: Any = submission
    for key in ("results", "extra_data", MARK):
        place = place.get(key) if isinstance(place, dict) else None
    return place if isinstance(place, dict) else {}


def _kept(last: Mapping[str, Any], attempts: int) -> dict[str, Any]:
    """The results of the last submission that counts, again."""
    told = (
        f"Not graded: {attempts} submissions count, and these have been made. "
        f"Your score is still that of your submission of {last.get('submission_time')}."
    )
    results = last.get("results")
    former = {name: results[name] for name in KEPT if name in results} if isinstance(results, dict) else {}
    extra = {MARK: {"kit": coursekit.__version__, "counted": False}}
    return {**former, "score": _score(last), "output": told, "output_format": "text", "extra_data": extra}


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AutograderError(f"{path} cannot be read: {error}.") from error
    if not isinstance(told, dict):
        raise AutograderError(f"{path} is no JSON object.")
    return told


def _json(results: Mapping[str, Any]) -> str:
    return json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
