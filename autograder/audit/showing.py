"""What a person sees of an audit: a line for each question, and everything that is not as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from autograder.audit.auditing import EQUIVALENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from autograder.audit.auditing import Audit
    from autograder.audit.checking import Finding
    from autograder.course import Assignment


def show_audit(audit: Audit, assignment: Assignment, console: Console) -> None:
    """A table with a line for each question, then each problem in full."""
    table = Table(title=f"{assignment.name}  (seed {audit.seed})", title_justify="left", header_style="bold")
    for column in COLUMNS:
        table.add_column(column, no_wrap=column == "question", justify="left" if column == "question" else "right")
    for assigned in assignment.notebooks:
        for question in assigned.names:
            found = {part: audit.of(part, assigned.name, question) for part in PARTS}
            sound = not any(each.problem for findings in found.values() for each in findings)
            mark, style = ("✓", "green") if sound else ("✗", "red")
            same = len(audit.of(EQUIVALENT, assigned.name, question))
            table.add_row(
                Text(f"{mark} {question}", style),
                _all(found["reference"]),
                _all(found["stub"]),
                _counted(found["mistakes"]),
                _counted(found["mutants"]),
                str(same or ""),
                _counted(found["variants"]),
            )
        table.add_section()
    console.print(table)
    for problem in audit.problems:
        where = ", ".join(filter(None, (problem.notebook, problem.question)))
        console.print(Text(f"✗ {problem.part}, {where}: {problem.name}", "red"), soft_wrap=True)
        console.print(Text(f"    {problem.problem}"), soft_wrap=True)
    console.print(Text(_summary(audit), "bold"))


COLUMNS = (
    "question",
    "reference\nearns all",
    "stub earns\nnothing",
    "mistakes\ntold",
    "mutants\ncaught",
    "equi-\nvalent",
    "variants\npass",
)
PARTS = ("reference", "stub", "mistakes", "mutants", "variants")


def _all(findings: Sequence[Finding]) -> str:
    """Whether there are some and all are sound."""
    return "yes" if findings and not any(each.problem for each in findings) else "no"


def _counted(findings: Sequence[Finding]) -> str:
    """How many of them are sound."""
    return f"{sum(not each.problem for each in findings)} of {len(findings)}" if findings else "none"


def _summary(audit: Audit) -> str:
    if not audit.problems:
        return f"{audit.assignment} is sound: {len(audit.findings)} things were checked"
    return f"{audit.assignment} is not sound: {len(audit.problems)} of {len(audit.findings)} things that were checked"
