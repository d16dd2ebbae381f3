"""``autograder collect``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console


@click.command()
@click.argument("assignment")
@click.argument("file", metavar="ZIP", type=click.Path(path_type=Path))
@click.option("--roster", type=click.Path(path_type=Path), help="A CSV file of the students; by default the gradebook.")
@click.option("--replace", is_flag=True, help="Replace what is in submitted/ even if it is not known to be earlier.")
def collect(assignment: str, file: Path, roster: Path | None, replace: bool) -> None:
    """Put the submissions in a ZIP into submitted/.

    The ZIP is that of all submissions, as it was downloaded from Canvas, Moodle or Gradescope.
    """
    from autograder.collecting import collect as take
    from autograder.collecting import show_collected
    from autograder.course import course_folder

    show_collected(take(assignment, file, course_folder(), roster=roster, replace=replace), Console())
