"""Tables in Markdown, and where they are kept: the README of this folder."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

README = Path(__file__).with_name("README.md")


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and in brackets the least and the greatest."""
    least, middle, greatest = (f"{value:,.{digits}f}" for value in (min(values), median(values), max(values)))
    return f"{middle} ({least} to {greatest})"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is the head; all columns but the first are set to the right."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(rows[0]) - 1), *lines[1:]])


def machine() -> str:
    """The processor of this machine, how many of them may be used, and how busy they are with other work."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    model = found[1] if found else "a processor without a name"
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    load = f"{os.getloadavg()[0]:.1f} processes wanted to run on average"
    return f"{len(os.sched_getaffinity(0))} cores, {model}, {python}; {load}."


def show(name: str, text: str, *, keep: bool) -> None:
    """Print a text; if it is to be kept, put it between the marks of ``name`` in the README."""
    print(text)  # noqa: T201
    if keep:
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = README.read_text(encoding="utf-8").partition(begin)
        README.write_text(f"{before}{begin}\n{text}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")
