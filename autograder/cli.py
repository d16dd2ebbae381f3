"""The command line: thin shells over functions that can be imported."""

from __future__ import annotations

import io
import sys
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

import coursekit
from autograder.commands.ci import ci
from autograder.commands.collecting import collect
from autograder.commands.gradescope import gradescope
from autograder.errors import AutograderError
from autograder.files import in_reports, must_be_writable, write_whole
from coursekit.ci.forms import on_one_line

if TYPE_CHECKING:
    from autograder.course import Assignment


class Commands(click.Group):
    """Turns an error of ours into one clear sentence and its exit code, never a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that has no ✓ gets a ? and not an error
        try:
            return super().invoke(ctx)
        except AutograderError as error:
            told = "\n".join(map(on_one_line, f"{error}".split("\n")))  # it may name what somebody has handed in
            Console(stderr=True).print(Text(told, "red"), soft_wrap=True)
            ctx.exit(error.exit_code)
        except OSError as error:  # the most are caught where they happen
            told = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
            Console(stderr=True).print(Text(f"{on_one_line(told)}.", "red"), soft_wrap=True)
            ctx.exit(1)
        except (KeyboardInterrupt, click.Abort) as interrupt:  # the latter at a question, also at the end of input
            told = f"Interrupted; {str(interrupt) or 'nothing was written'}."
            Console(stderr=True).print(Text(told, "red"), soft_wrap=True)
            ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(coursekit.__version__, prog_name="autograder")
def main() -> None:
    """Release, grade and report assignments in which backpropagation is written by hand."""


@main.command()
@click.argument("assignment")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the report here.")
@click.option("--json-lines", is_flag=True, help="Print each result as a line of JSON, and nothing else.")
@click.option("--jobs", type=click.IntRange(min=1), help="Submissions at a time; by default one for each processor.")
@click.option("--scheduler", metavar="ADDRESS", help="Grade with the workers of this Dask scheduler, not here.")
@click.option("--seed", type=click.IntRange(min=0), help="Repeat a grade: the seed that its report gives.")
@click.option("--force", is_flag=True, help="Grade again what has not changed since it was graded.")
@click.option("--unsafe", is_flag=True, help="Grade without a sandbox. Only for notebooks that you wrote yourself.")
def grade(
    assignment: str,
    paths: tuple[Path, ...],
    json_file: Path | None,
    json_lines: bool,
    jobs: int | None,
    scheduler: str | None,
    seed: int | None,
    force: bool,
    unsafe: bool,
) -> None:
    """Grade an ASSIGNMENT.

    PATHS are notebooks, folders of notebooks, or trees of STUDENT/ASSIGNMENT folders; by default, submitted/.
    What lies in the submitted/ of a course is written to its gradebook, and not graded again until something changes;
    of what lies elsewhere, nothing is written.
    """
    from autograder.batch import grade_all
    from autograder.course import course_folder, load_assignment
    from autograder.outcomes import Report
    from autograder.progress import Tally, tell_unchanged, watched
    from autograder.records import Records, lies_in, submitted_folder
    from autograder.submissions import find_submissions
    from autograder.terminal import recorded, show, show_failures

    loud = Console(stderr=True)
    console = loud if json_lines else Console()
    lines = sys.stdout if json_lines else None
    if json_file is not None:
        must_be_writable(json_file)
    course = course_folder()
    assigned = load_assignment(assignment, course)
    submitted = submitted_folder(course)
    submissions = find_submissions(assignment, paths or (submitted,), submitted)
    _say_how_isolated(loud, assigned, unsafe=unsafe, here=scheduler is None)
    seeds = {} if seed is None else {submission.student: seed for submission in submissions}
    where: Any = {"jobs": jobs, "scheduler": scheduler, "seeds": seeds}
    told, tally = [], Tally()
    if not unsafe and any(lies_in(submitted, assignment, submission) for submission in submissions):
        with Records(assigned, course) as records:
            new = submissions if force or seeds else list(records.outdated(submissions))
            results = watched(records.grade(new, **where), len(new), console, tally=tally, lines=lines)
            try:
                with closing(results):
                    deque(results, maxlen=0)
            except KeyboardInterrupt:
                raise KeyboardInterrupt("what has been graded is kept, and the same command grades the rest") from None
        report = records.report(submissions, tally.failed)
        told = recorded(records, len(submissions) - len(new))
        if lines:
            tell_unchanged(report, new, lines)
    else:
        graded = grade_all(assigned, submissions, **where, isolated=not unsafe)
        found = {each.student: each for each in watched(graded, len(submissions), console, tally=tally, lines=lines)}
        report = Report(assignment, [found[submission.student] for submission in submissions])
    if not lines:
        show(report, tally, console)
    if json_file is not None:
        write_whole(json_file, report.parts())
        told.insert(0, f"report: {json_file}")
    for line in told:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if show_failures(tally.failed, loud):
        sys.exit(1)


def _say_how_isolated(console: Console, assignment: Assignment, *, unsafe: bool, here: bool) -> None:
    """Warn of everything but the strongest sandbox; machines elsewhere may have another one."""
    from autograder.terminal import show_isolation

    if unsafe:
        console.print(Text("Grading without a sandbox: this notebook can do whatever you can.", "red bold"))
    elif here:
        show_isolation(console, assignment)


@main.command()
@click.argument("assignment")
@click.option("--jobs", type=click.IntRange(min=1), help="Submissions at a time; by default one for each processor.")
@click.option("--yes", is_flag=True, help="Write the new grades without asking.")
def regrade(assignment: str, jobs: int | None, yes: bool) -> None:
    """Grade again what is affected since a suite, a solution or points of an ASSIGNMENT have changed.

    Shows who gains and who loses points, on which question and why, before anything is written.
    """
    from autograder.course import course_folder, load_assignment
    from autograder.progress import watched
    from autograder.records import Records, submitted_folder
    from autograder.regrade import regraded, review
    from autograder.terminal import recorded, show_changes, show_failures, show_isolation, show_review

    console = Console()
    course = course_folder()
    assigned = load_assignment(assignment, course)
    with Records(assigned, course) as records:
        found = review(assigned, records.results, submitted_folder(course))
        show_review(found, assignment, console)
        total = len(found.affected)
        if total:
            show_isolation(Console(stderr=True), assigned)
        results = {each.student: each for each in watched(regraded(assigned, found.affected, jobs), total, console)}
        graded = ((each, results[each.submission.student]) for each in found.affected)
        pairs = [(each, result) for each, result in graded if not result.failure]
        show_changes(pairs, console)
        failed = show_failures(results.values(), Console(stderr=True))
        if pairs and not yes and not (console.is_terminal and click.confirm("Write these grades?")):
            console.print("Nothing was written; --yes writes it.")
        elif pairs:
            for each, result in pairs:
                records.keep(each.submission, result)
            for line in recorded(records, unchanged=0):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
    if failed:
        sys.exit(1)


@main.command()
@click.argument("assignment")
def release(assignment: str) -> None:
    """Make assignments/ASSIGNMENT from source/ASSIGNMENT with nbgrader, and bundles/ASSIGNMENT.zip for students.

    Neither is put in place if it gives a solution or anything else that is hidden away.
    """
    from autograder.course import course_folder, load_assignment
    from autograder.releasing.release import release as make_release

    released = make_release(load_assignment(assignment), course_folder())
    for path in (released.folder, released.bundle):
        Console().print(f"released: {path}", markup=False, highlight=False)


@main.command()
@click.argument("assignment")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="By default reports/ASSIGNMENT.html.")
def report(assignment: str, to: Path | None) -> None:
    """Write a dashboard of what was graded, and beside it a page for each student, to be sent to them."""
    from autograder.course import course_folder, load_assignment
    from autograder.outcomes import Report
    from autograder.reporting import write_pages
    from autograder.results import Results

    course = course_folder()
    results = Results(course, load_assignment(assignment, course).name).all()
    to = to or in_reports(course, f"{assignment}.html")
    write_pages(Report(assignment, results), to, Console())
    told = f"dashboard: {to}\npages of students: {to.with_suffix('')}/"
    Console().print(told, markup=False, highlight=False, soft_wrap=True)


@main.command()
@click.argument("assignment")
@click.option("--format", "kind", type=click.Choice(["canvas", "moodle", "csv"]), default="csv", show_default=True)
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="By default reports/ASSIGNMENT-FORMAT.csv.")
def export(assignment: str, kind: str, to: Path | None) -> None:
    """Write the grades in the gradebook as Canvas or Moodle imports them, or as plain CSV."""
    from autograder.course import course_folder
    from autograder.gradebook.exporters import export as write_grades

    course = course_folder()
    to = to or in_reports(course, f"{assignment}-{kind}.csv")
    write_grades(course, assignment, kind, to)
    Console().print(f"grades: {to}", markup=False, highlight=False, soft_wrap=True)


@main.command()
@click.argument("assignment")
@click.option("--sample", type=click.IntRange(min=0), help="How many mutants, of all questions; by default every one.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Seeds for each right variant.")
@click.option("--seed", type=click.IntRange(min=0), help="Repeat an audit: the seed that it showed.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes at a time; by default one for each processor.")
def audit(assignment: str, sample: int | None, seeds: int, seed: int | None, jobs: int | None) -> None:
    """Check that an ASSIGNMENT is sound: its suites pass what is right, and fail what is wrong."""
    from autograder.audit import audit as make_audit
    from autograder.audit import show_audit
    from autograder.course import load_assignment
    from autograder.progress import counted

    console = Console()
    assigned = load_assignment(assignment)
    found = make_audit(
        assigned,
        sample=sample,
        seed=seed,
        seeds=seeds,
        jobs=jobs,
        watch=lambda shares, total: counted(
            shares, total, console, "auditing", lambda share: share[0].question if share else "leaks"
        ),
    )
    show_audit(found, assigned, console)
    if found.problems:
        sys.exit(1)


@main.command()
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"), show_default=True)
def demo(folder: Path) -> None:
    """Make a small class (right, wrong, unwritten and broken notebooks) and grade it from end to end."""
    from autograder.demo import run_demo
    from autograder.terminal import show_isolation

    show_isolation(Console(stderr=True))
    if not run_demo(folder, Console()):
        sys.exit(1)


@main.command()
def doctor() -> None:
    """Try what grading needs on this machine; say what is missing and the command that mends it."""
    from autograder.doctor import examine, show_findings

    findings = examine()
    show_findings(findings, Console())
    if not all(finding.works for finding in findings):
        sys.exit(1)


main.add_command(ci)
main.add_command(collect)
main.add_command(gradescope)
