"""``autograder ci``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from autograder.errors import AutograderError, UsageError


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--assignment", help="By default the one whose notebooks lie in PATH.")
@click.option("--threshold", default="100%", show_default=True, help="A share, as 60%, or points; below, exit code 3.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML here.")
@click.option("--summary", type=click.Path(dir_okay=False, path_type=Path), help="Write Markdown here.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the report here.")
@click.option("--seed", type=click.IntRange(min=0), help="Repeat a grade: the seed that its report gives.")
def ci(
    path: Path,
    assignment: str | None,
    threshold: str,
    junit: Path | None,
    summary: Path | None,
    json_file: Path | None,
    seed: int | None,
) -> None:
    """Grade the notebooks in a checkout, PATH, with the hidden suites, for continuous integration.

    Prints for people. On GitHub, also prints annotations that point at lines of the notebooks, and adds to the summary
    of the step.
    """
    from autograder.checkouts import assignment_in, handed_in
    from autograder.ci import run_ci
    from autograder.course import course_folder, load_assignment
    from autograder.files import must_be_writable, write_whole
    from autograder.outcomes import Report
    from autograder.terminal import show_isolation
    from coursekit.ci import Threshold, tell
    from coursekit.errors import InvalidInput

    try:
        needed = Threshold.of(threshold)
    except InvalidInput as error:
        raise UsageError(f"{error}.") from error
    for file in filter(None, (junit, summary, json_file)):
        must_be_writable(file)
    course = course_folder()
    assigned = load_assignment(assignment or assignment_in(path, course), course)
    show_isolation(Console(stderr=True), assigned)
    result, run = run_ci(assigned, handed_in(assigned, path), seed=seed)
    try:
        code = tell(run, needed, click.echo, junit_file=junit, summary_file=summary)
    except OSError as error:
        raise AutograderError(f"{error.filename} cannot be written: {error.strerror or error}.") from error
    if json_file is not None:
        write_whole(json_file, Report(assigned.name, [result]).parts())
    sys.exit(code)
