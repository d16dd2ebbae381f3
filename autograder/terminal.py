"""What a person sees in the terminal: tables of grades, explanations, a progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from autograder.feedback import LEAD
from autograder.outcomes import Outcome, Status
from autograder.regrade import changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import Console

    from autograder.outcomes import NotebookResult, QuestionResult, Report, SubmissionResult
    from autograder.records import Records
    from autograder.regrade import Affected, Change, Review

Item = TypeVar("Item")
MARKS = {Outcome.PASSED: ("✓", "green"), Outcome.FAILED: ("✗", "red"), Outcome.NOT_JUDGED: ("?", "yellow")}
STATUS_STYLE = {Status.ABSENT: "dim", Status.GRADED: "green", Status.PARTLY: "yellow", Status.UNREADABLE: "red"}


def watched(results: Iterable[SubmissionResult], total: int, console: Console) -> Iterator[SubmissionResult]:
    """Pass results on while a bar shows how many of several there are; where there is no terminal, a line for each."""
    if total < 2:
        yield from results
        return
    if not console.is_terminal:
        for number, result in enumerate(results, start=1):
            score = f"{result.score:g}/{result.max_score:g}"
            console.print(f"{number}/{total} {result.student}: {result.status}, {score}", markup=False, highlight=False)
            yield result
        return
    yield from counted(results, total, console, "grading", lambda result: result.student)


def counted(
    items: Iterable[Item], total: int, console: Console, doing: str, told: Callable[[Item], str]
) -> Iterator[Item]:
    """Pass items on while a bar shows how many there are; where there is no terminal, nothing is shown."""
    columns = (
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[last]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(doing, total=total, last="")
        for item in items:
            progress.update(task, advance=1, last=told(item)[:30])
            yield item


def show(report: Report, console: Console) -> None:
    """The report as a table: each question of one submission with its explanation, or a line for each of many."""
    if len(report.submissions) == 1:
        show_submission(report.submissions[0], console)
    else:
        show_class(report.submissions, console)


def show_class(submissions: Sequence[SubmissionResult], console: Console) -> None:
    """A line for each submission: its status, a mark for each question, its score, and the first thing to know."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("student")
    table.add_column("status")
    table.add_column("questions", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("what to know", overflow="fold")
    for submission in submissions:
        marks = Text()
        for question in (q for notebook in submission.notebooks for q in notebook.questions):
            marks.append(*MARKS[question.outcome])
        table.add_row(
            Text(submission.student),
            Text(submission.status, STATUS_STYLE[submission.status]),
            marks,
            f"{submission.score:g} / {submission.max_score:g}",
            Text(_first_thing(submission)),
        )
    console.print(table)
    console.print(Text("✓ passed   ✗ failed   ? not judged", "dim"))


def show_submission(submission: SubmissionResult, console: Console) -> None:
    """Every question of one submission, and why it did not get its points."""
    for notebook in submission.notebooks:
        _show_notebook(notebook, console)
    score = f"{submission.score:g} of {submission.max_score:g} points"
    console.print(Text(f"{submission.student}: {submission.status}, {score}, {submission.seconds:.2f} s", "bold"))


def show_failures(submissions: Iterable[SubmissionResult], console: Console) -> bool:
    """Say loudly where the grader itself failed; returns whether it did."""
    failed = [submission for submission in submissions if submission.failure]
    for submission in failed:
        told = f"{submission.student}: {submission.failure}"
        console.print(Panel(Text(told), title="the grader itself failed; this is no grade", style="red"))
    return bool(failed)


def show_review(review: Review, assignment: str, console: Console) -> None:
    """What has changed since the last grading, and whom it concerns."""
    reasons = dict.fromkeys(reason for each in review.affected for reason in each.reasons)
    for reason in reasons:
        number = sum(reason in each.reasons for each in review.affected)
        console.print(f"{reason} has changed: {number} affected", markup=False, highlight=False)
    console.print(f"{review.unaffected} not affected", highlight=False)
    for students, what in ((review.handed_in_again, "handed in again since"), (review.gone, "not there any more")):
        if students:
            told = f"{len(students)} {what} ({', '.join(students[:5])}{', ...' if len(students) > 5 else ''})"
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
                Text(result.student),
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
    own = [reason for reason in reasons if reason.startswith(f"the points of {change.question}:")]
    judged = [reason for reason in reasons if not reason.startswith("the points of ")]
    told = change.after.explanation if change.after else None
    now = (told.misconception or (told.rationale or told.cause).splitlines()[0]) if told else "all right"
    return "; ".join([*(own or judged), *([now] if judged else [])])


def recorded(records: Records, unchanged: int) -> list[str]:
    """What to say of what has been written."""
    told = []
    if unchanged:
        told.append(f"{unchanged} had been graded before and nothing has changed; --force grades them again")
    if records.gradebook:
        told += records.gradebook.remarks
        told.append(f"gradebook: {records.gradebook.url}")
    else:
        told.append(
            "This course has no gradebook yet, so grades are kept as results only. "
            f"To have one: nbgrader generate_assignment {records.results.assignment}, then grade again."
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
