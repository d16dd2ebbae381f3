"""What a person sees in the terminal: tables of grades, explanations, what has changed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from autograder.course import giving_out
from autograder.errors import AutograderError
from autograder.gradebook.feedback import LEAD
from autograder.outcomes import Outcome
from autograder.progress import FAILED, STYLES
from autograder.regrade import changes
from autograder.sandbox import namespaces_forbidden
from coursekit.ci.forms import on_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from autograder.course import Assignment
    from autograder.outcomes import NotebookResult, QuestionResult, Report, SubmissionResult
    from autograder.progress import Tally
    from autograder.records import Records
    from autograder.regrade import Affected, Change, Review

MARKS = {Outcome.PASSED: ("✓", "green"), Outcome.FAILED: ("✗", "red"), Outcome.NOT_JUDGED: ("?", "yellow")}
MANY = 100
"""Above so many submissions, a table of all is not what anybody reads in a terminal."""


def show(report: Report, tally: Tally, console: Console) -> None:
    """Each question of one submission with its explanation, a line for each of several, or a count of very many."""
    if len(report.submissions) == 1:
        show_submission(report.submissions[0], console)
    elif len(report.submissions) <= MANY:
        show_class(report.submissions, console)
    else:
        told = f"Everybody in a table: autograder report {report.assignment}, once graded in submitted/."
        console.print(tally if tally.counts else Text("nothing new"))
        console.print(Text(told, "dim"))


def show_class(submissions: Sequence[SubmissionResult], console: Console) -> None:
    """A line for each submission: its status, a mark for each question, its score, and the first thing to know."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("student", overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("questions", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("what to know", overflow="fold")
    for submission in submissions:
        marks = Text()
        for question in (q for notebook in submission.notebooks for q in notebook.questions):
            marks.append(*MARKS[question.outcome])
        table.add_row(
            Text(on_one_line(submission.student)),
            Text(FAILED, "red bold") if submission.failure else Text(submission.status, STYLES[submission.status]),
            marks,
            "-" if submission.failure else f"{submission.score:g} / {submission.max_score:g}",
            Text(_first_thing(submission)),
        )
    console.print(table)
    console.print(Text("✓ passed   ✗ failed   ? not judged", "dim"))


def show_submission(submission: SubmissionResult, console: Console) -> None:
    """Every question of one submission, and why it did not get its points."""
    for notebook in submission.notebooks:
        _show_notebook(notebook, console)
    score = f"{submission.status}, {submission.score:g} of {submission.max_score:g} points"
    became = FAILED if submission.failure else score
    console.print(Text(f"{on_one_line(submission.student)}: {became}, {submission.seconds:.2f} s", "bold"))


def show_isolation(console: Console, assignment: Assignment | None = None) -> None:
    """Say it where notebooks are not shut in the strongest way. Where they cannot be at all, grading says so.

    With an ``assignment``, the sandbox that is tried is the one that its notebooks are going to be in.
    """
    with suppress(AutograderError):
        if refused := namespaces_forbidden(assignment.notebooks[0].kit if assignment else None):
            told = f"{refused.message} Landlock shuts the notebooks in, the second way: see docs/security.md."
            console.print(Text(f"{told}\n  {refused.fix}", "yellow"), soft_wrap=True)


def show_failures(submissions: Iterable[SubmissionResult], console: Console) -> bool:
    """Say loudly where the grader itself failed; returns whether it did."""
    failed = [submission for submission in submissions if submission.failure]
    for submission in failed:
        told = f"{on_one_line(submission.student)}: {submission.failure}"
        console.print(Panel(Text(told), title="the grader itself failed; this is no grade", style="red"))
    return bool(failed)


def show_review(review: Review, assignment: str, console: Console) -> None:
    """What has changed since the last grading, and whom it concerns."""
    reasons = dict.fromkeys(reason for each in review.affected for reason in each.reasons)
    for reason in reasons:
        number = sum(reason in each.reasons for each in review.affected)
        have = "have" if reason.startswith("the points of ") else "has"
        console.print(f"{reason} {have} changed: {number} affected", markup=False, highlight=False)
    console.print(f"{review.unaffected} not affected", highlight=False)
    for students, what in ((review.handed_in_again, "handed in again since"), (review.gone, "not there any more")):
        if students:
            names = ", ".join(map(on_one_line, students[:5]))
            told = f"{len(students)} {what} ({names}{', ...' if len(students) > 5 else ''})"
            console.print(f"{told}: autograder grade {assignment}", markup=False, highlight=False)


def show_changes(pairs: Sequence[tuple[Affected, SubmissionResult]], console: Console) -> None:
    """Who gains and who loses points, on which question, and why."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for heading in ("student", "question", "before", "now", "gain", "why"):
        table.add_column(heading, justify="right" if heading in ("before", "now", "gain") else "left", overflow="fold")
    gains = []
    for affected, result in pairs:
        gains.append(result.score - affected.before.score)
        for change in changes(affected.before, result):
            table.add_row(
                Text(on_one_line(result.student)),
                Text(change.question),
                f"{change.before.points:g}" if change.before else "-",
                f"{change.after.points:g}" if change.after else "-",
                Text(f"{change.gain:+g}", "green" if change.gain > 0 else "red"),
                Text(_why(change, affected.reasons)),
            )
    if table.row_count:
        console.print(table)
    gaining, losing = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    console.print(f"{gaining} gain, {losing} lose, {len(gains) - gaining - losing} keep their score", highlight=False)


def _why(change: Change, reasons: Sequence[str]) -> str:
    """What has changed for the question, and what is said of it now."""
    own = [reason for reason in reasons if reason.startswith(f"the points of {change.question} (")]
    judged = [reason for reason in reasons if not reason.startswith("the points of ")]
    told = change.after.explanation if change.after else None
    now = (told.misconception or (told.rationale or told.cause).splitlines()[0]) if told else "all right"
    return "; ".join([*(own or judged), *([now] if judged else [])])


def recorded(records: Records, unchanged: int) -> list[str]:
    """What to say of what has been written, and of what has not."""
    told = [f"not recorded: {on_one_line(student)}: {reason}" for student, reason in sorted(records.unkept.items())]
    if unchanged:
        told.append(f"{unchanged} had been graded before and nothing has changed; --force grades them again")
    if records.gradebook:
        told += map(on_one_line, records.gradebook.remarks)
        told.append(f"gradebook: {records.gradebook.url}")
    else:
        told.append(
            "This course has no gradebook yet, so grades are kept as results only. "
            f"To have one: {giving_out(records.results.assignment)}, then grade again."
        )
    return told


def _show_notebook(notebook: NotebookResult, console: Console) -> None:
    table = Table(title=f"{notebook.notebook}  (seed {notebook.seed})", title_justify="left", header_style="bold")
    table.add_column("question", no_wrap=True)
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("what was found", overflow="fold")
    for question in notebook.questions:
        mark, style = MARKS[question.outcome]
        told = question.explanation
        found = Text()
        if told is None:
            found.append(question.how)
            found.append("".join(f"\n{remark}" for remark in question.remarks), "dim")
        else:
            found.append(f"{told.title}\n", "dim")
            found.append(told.rationale or told.cause)
            if told.example:
                found.append(f"\n{LEAD}\n", "dim")
                found.append(told.example)
            if told.hint:
                found.append(f"\n→ {told.hint}", "cyan")
        table.add_row(Text(f"{mark} {question.question}", style), _points(question), found)
    console.print(table)
    for problem in notebook.problems:
        console.print(Text(f"! {problem}", "yellow"))


def _points(question: QuestionResult) -> str:
    extra = " extra" if question.extra_credit else ""
    return f"{question.points:g} / {question.max_points:g}{extra}"


def _first_thing(submission: SubmissionResult) -> str:
    """What an instructor looks for: the first problem, else the first known mistake, else the first rationale."""
    problems = [problem for notebook in submission.notebooks for problem in notebook.problems]
    told = [
        question.explanation
        for notebook in submission.notebooks
        for question in notebook.questions
        if question.explanation
    ]
    known = [test.misconception for test in told if test.misconception]
    others = [(test.rationale or test.cause).splitlines()[0] for test in told]
    return next(iter(problems + known + others), "")
