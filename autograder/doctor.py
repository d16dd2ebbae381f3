"""What works on this machine: found out by trying, not by guessing."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from autograder.course import assignment_names, course_config, course_folder
from autograder.errors import AutograderError
from autograder.sandbox import Box, Raised, Trouble, Way, strongest
from coursekit.notebook import Statement

if TYPE_CHECKING:
    from rich.console import Console

INSTALL_PACKAGES = "pip install -r requirements.txt"

# What code in the box must not be able to do, and what it says when it is stopped.
FORBIDDEN = {
    "no network": ("import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)", "PermissionError"),
    "no new processes": ("import os; os.fork()", "PermissionError"),
    "no files of this machine": (f"open({__file__!r})", "OSError"),
    "nothing can be written": ("import os; open(os.__file__, 'w')", "OSError"),
    "memory is limited": ("bytearray(1 << 36)", "MemoryError"),
}

LEVELS = {
    Way.NAMESPACES: "the strongest way: bubblewrap makes namespaces, each box is sealed in its own",
    Way.LANDLOCK: "the second way: namespaces are forbidden here, so Landlock seals each box (docs/security.md)",
}


@dataclass(frozen=True)
class Finding:
    """One thing that grading needs."""

    name: str
    works: bool
    told: str
    fix: str = ""


def examine() -> list[Finding]:
    """Try everything that grading needs."""
    findings = [_python(), *_packages(), _course()]
    try:
        with Box() as box:
            findings.append(Finding("sandbox", works=True, told=LEVELS[strongest()]))
            findings += [_stopped(box, name, source, by) for name, (source, by) in FORBIDDEN.items()]
    except AutograderError as error:
        findings.append(Finding("sandbox", works=False, told=error.message, fix=error.fix))
    return findings


def show_findings(findings: list[Finding], console: Console) -> None:
    """A line for each finding, and the command that mends what does not work."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    for finding in findings:
        mark = Text("✓", "green") if finding.works else Text("✗", "red")
        table.add_row(mark, finding.name, Text(finding.told + (f"\n→ {finding.fix}" if finding.fix else "")))
    console.print(table)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11) and sys.platform == "linux"
    fix = "" if good else "Grading needs Linux and Python 3.11 or newer."
    return Finding("Python", good, f"{version} on {sys.platform}", fix)


def _packages() -> list[Finding]:
    missing = [name for name in ("nbgrader", "nbformat", "pytest", "pyseccomp", "h5py") if find_spec(name) is None]
    told = f"missing: {', '.join(missing)}" if missing else "all there"
    return [Finding("packages", not missing, told, INSTALL_PACKAGES if missing else "")]


def _course() -> Finding:
    course = course_folder()
    names = assignment_names(course)
    try:
        course_config(course)
    except AutograderError as error:
        return Finding("course", works=False, told=error.message, fix=error.fix)
    fix = "" if names else "Run it in a course folder: one with nbgrader_config.py and source/."
    return Finding("course", bool(names), f"{course}: {', '.join(names) or 'no assignments'}", fix)


def _stopped(box: Box, name: str, source: str, by: str) -> Finding:
    try:
        raised = box.execute(Statement(source, cell=1, line=1, position=0))
    except Trouble as trouble:
        return Finding(name, works=False, told=f"trying it {trouble}")
    stopped = isinstance(raised, Raised) and by in raised.kinds
    return Finding(name, stopped, f"stopped by {raised.kind}" if raised else "not stopped: this box leaks")
