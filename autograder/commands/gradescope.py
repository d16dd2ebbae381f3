"""``autograder gradescope``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

VISIBILITIES = ("visible", "after_due_date", "after_published", "hidden")
"""In Gradescope's words."""


@click.group()
def gradescope() -> None:
    """Grade on Gradescope."""


@gradescope.command()
@click.argument("assignment")
@click.option(
    "--visibility",
    type=click.Choice(VISIBILITIES),
    default="visible",
    show_default=True,
    help="When students see what is said of their answers.",
)
@click.option("--attempts", type=click.IntRange(min=1), help="How many submissions of a student count; by default all.")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="By default in reports/.")
def build(assignment: str, visibility: str, attempts: int | None, to: Path | None) -> None:
    """Make the zip of an autograder for an ASSIGNMENT. It holds the hidden suites and the solutions."""
    from autograder.course import course_folder, load_assignment
    from autograder.files import in_reports, must_be_writable
    from autograder.gradescope.building import build as make

    course = course_folder()
    assigned = load_assignment(assignment, course)
    to = to or in_reports(course, f"{assignment}-gradescope.zip")
    must_be_writable(to)
    make(assigned, course, to, visibility=visibility, attempts=attempts)
    Console().print(f"autograder: {to}", markup=False, highlight=False, soft_wrap=True)


@gradescope.command()
@click.option("--root", type=click.Path(path_type=Path), default=Path("/autograder"), show_default=True)
def run(root: Path) -> None:
    """Grade a submission in Gradescope's container; run_autograder calls it."""
    from autograder.gradescope.running import run as grade_there
    from autograder.terminal import show_submission

    graded = grade_there(root)
    if graded is None:
        Console().print("Not graded: no more submissions of this student count.")
    else:
        show_submission(graded, Console())
