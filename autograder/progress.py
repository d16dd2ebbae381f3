"""What is seen of a run while it goes on: a bar in a terminal, a line for each result elsewhere, JSON for machines."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from autograder.outcomes import Status
from coursekit.ci.forms import on_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from typing import TextIO

    from rich.console import Console
    from rich.progress import Task

    from autograder.grading import Submission
    from autograder.outcomes import Report, SubmissionResult

STYLES = {Status.ABSENT: "dim", Status.GRADED: "green", Status.PARTLY: "yellow", Status.UNREADABLE: "red"}
FAILED = "failed"
Item = TypeVar("Item")


@dataclass
class Tally:
    """How many submissions came to what, and which did at which the grader itself failed."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: list[SubmissionResult] = field(default_factory=list)

    def add(self, result: SubmissionResult) -> None:
        """Count a result."""
        self.counts[FAILED if result.failure else result.status] += 1
        if result.failure:
            self.failed.append(result)

    def __rich__(self) -> Text:
        kinds = {Status.GRADED: "green", Status.PARTLY: "yellow", Status.UNREADABLE: "red", FAILED: "red bold"}
        told = [(f"{self.counts[kind]} {kind}", style) for kind, style in kinds.items() if self.counts[kind]]
        return Text(", ").join(Text(*each) for each in told)


def watched(
    results: Iterable[SubmissionResult],
    total: int,
    console: Console,
    *,
    tally: Tally | None = None,
    lines: TextIO | None = None,
) -> Generator[SubmissionResult, None, None]:
    """Pass results on while they can be watched.

    Args:
        results: as they come.
        total: how many there will be.
        console: shows a bar in a terminal, else a line for each of several.
        tally: counts them.
        lines: gets each result as a line of JSON, and the console then no lines.
    """
    tally = tally or Tally()
    bar = _Bar(console, total, tally) if console.is_terminal and total > 1 else None
    with bar or nullcontext():
        for number, result in enumerate(results, start=1):
            tally.add(result)
            if lines:
                lines.write(json_line(result))
                lines.flush()
            if bar:
                bar.show(number)
            elif total > 1 and not lines:
                became = FAILED if result.failure else f"{result.status}, {result.score:g}/{result.max_score:g}"
                told = f"{number}/{total} {on_one_line(result.student)}: {became}"
                console.print(told, markup=False, highlight=False, soft_wrap=True)
            yield result


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


def tell_unchanged(report: Report, new: Iterable[Submission], lines: TextIO) -> None:
    """Write what a report says of all but the new submissions, as :func:`watched` does for those."""
    told = {submission.student for submission in new}
    for result in report.submissions:
        if result.student not in told:
            lines.write(json_line(result))


def json_line(result: SubmissionResult) -> str:
    """One result as it stands in a report, on one line."""
    return json.dumps(asdict(result), ensure_ascii=False) + "\n"


class _Bar(Progress):
    """How far it is, how fast it goes, how long it will take, and what came out so far."""

    def __init__(self, console: Console, total: int, tally: Tally) -> None:
        columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), _Rate(""), TimeRemainingColumn())
        super().__init__(*columns, _Told(tally), console=console, transient=True)
        self._task = self.add_task("grading", total=total)

    def show(self, number: int) -> None:
        """Move on."""
        self.update(self._task, completed=number)


class _Rate(TextColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "  ?/s")


class _Told(TextColumn):
    def __init__(self, tally: Tally) -> None:
        super().__init__("")
        self._tally = tally

    def render(self, task: Task) -> Text:  # noqa: ARG002 - rich's interface
        return self._tally.__rich__()
