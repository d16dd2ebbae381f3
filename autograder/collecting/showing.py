"""What a person sees of a zip that was taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from autograder.collecting.archive import IS_LITTER
from autograder.terminal import MANY
from coursekit.ci.forms import on_one_line

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.collecting.collecting import Collected

MAX_SHOWN = 1000
"""Characters of a path that are shown; a zip may have one of 65,535."""


def show_collected(collected: Collected, console: Console) -> None:
    """Who handed in what, if they are not too many, and each file that was not taken, with the reason."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for heading in ("student", "as", "files"):
        table.add_column(heading, overflow="fold")
    for taken in collected.taken:
        marks = (" late" if taken.late else "") + ("" if taken.new else " unchanged")
        table.add_row(
            Text(taken.student), Text(on_one_line(taken.name)), Text(", ".join(taken.files)).append(marks, "dim")
        )
    if 0 < len(collected.taken) <= MANY:
        console.print(table)
    new = sum(taken.new for taken in collected.taken)
    console.print(
        f"{new} taken from {collected.platform}, {len(collected.taken) - new} unchanged", markup=False, highlight=False
    )
    litter = sum(left.reason == IS_LITTER for left in collected.left)
    for left in collected.left:
        if left.reason != IS_LITTER:
            told = f"not taken: {on_one_line(left.path[:MAX_SHOWN])}: {on_one_line(left.reason)}"
            console.print(Text(told, "yellow"), soft_wrap=True)
    if litter:
        console.print(Text(f"not taken: {litter} {'file' if litter == 1 else 'files'} {IS_LITTER}", "dim"))
