"""Write the pages of a class: the dashboard, and beside it a folder with a page for each student."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from rich.progress import track

from autograder.errors import AutograderError, UsageError
from autograder.files import must_be_writable, write_whole
from autograder.pages import dashboard, student_page

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from autograder.outcomes import Report

GENERATOR = b'<meta name="generator" content="autograder">'
"""Stands in the head of every page of ours, and tells it from the pages of others."""


def write_pages(report: Report, to: Path, console: Console) -> None:
    """Write the dashboard to ``to``, ``NAME.html``, and the pages of its students to ``NAME/STUDENT.html``.

    Of what is in that folder, pages of ours of students who are not in the report any more are removed.

    Raises:
        UsageError: ``to`` is no name for a page.
        AutograderError: a page cannot be written.
    """
    must_be_writable(to)
    if to.suffix != ".html":
        raise UsageError(f"{to.name} is no name for a page.", f"Call it {to.stem}.html.")
    folder = to.with_suffix("")
    pages = {submission.student: f"{submission.student}.html" for submission in report.submissions}
    try:
        folder.mkdir(exist_ok=True)
        for left in {path.name for path in folder.glob("*.html")} - set(pages.values()):
            if _is_ours(folder / left):
                (folder / left).unlink()
    except OSError as error:
        raise AutograderError(f"{folder} cannot be written: {error.strerror or error}.") from error
    shown = track(report.submissions, "pages", console=console, transient=True, disable=not console.is_terminal)
    for submission in shown:
        write_whole(folder / pages[submission.student], student_page(report.assignment, submission))
    write_whole(to, dashboard(report, {student: quote(f"{folder.name}/{page}") for student, page in pages.items()}))


def _is_ours(page: Path) -> bool:
    if not page.is_file():
        return False
    with page.open("rb") as file:
        return GENERATOR in file.read(2**10)
