"""Tell a run to whoever is there: the log, a JUnit file, a summary, GitHub's annotations; and the exit code."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coursekit.ci.forms import github_annotations, junit, markdown, plain, score_of
from coursekit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coursekit.ci.verdicts import Run

BELOW = 3
"""The exit code of a run that was judged, and has fewer points than it should."""


@dataclass(frozen=True)
class Threshold:
    """What a run has to reach: points, or a share of the maximum."""

    value: float
    is_share: bool

    @classmethod
    def of(cls, text: str) -> Threshold:
        """Read ``"60%"`` or ``"27.5"``.

        Raises:
            InvalidInput: it is neither.
        """
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", text.strip())
        if not found:
            raise InvalidInput(f"{text!r} is no threshold; write a share, as 60%, or points, as 27.5")
        return cls(float(found[1]), bool(found[2]))

    def reached(self, run: Run) -> bool:
        """Whether a run has enough points."""
        needed = run.max_score * self.value / 100 if self.is_share else self.value
        return run.score >= needed - 1e-9

    def __str__(self) -> str:
        return f"{self.value:g}{'%' if self.is_share else ' points'}"


def tell(
    run: Run,
    threshold: Threshold,
    say: Callable[[str], None],
    *,
    junit_file: Path | None = None,
    summary_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> int:
    """Tell a run, and return the exit code: 0, or BELOW the threshold.

    Args:
        run: what was found.
        threshold: what it has to reach.
        say: prints a line.
        junit_file: where to write JUnit XML.
        summary_file: where to write Markdown.
        environment: on GitHub, it says so, and names the file to which a summary is added.

    Raises:
        OSError: a file cannot be written.
    """
    verdict = f"({threshold} {'reached' if threshold.reached(run) else 'not reached'})"
    on_github = environment.get("GITHUB_ACTIONS") == "true"
    pause = secrets.token_hex(16)
    if on_github:  # until then, no line that a student's code has a word in is a command to GitHub
        say(f"::stop-commands::{pause}")
    for line in plain(run):
        say(line)
    say(f"{score_of(run)} {verdict}")
    if on_github:
        say(f"::{pause}::")
        for command in github_annotations(run):
            say(command)
    if junit_file is not None:
        _write(junit_file, junit(run))
    text = markdown(run, verdict)
    if summary_file is not None:
        _write(summary_file, text)
    if environment.get("GITHUB_STEP_SUMMARY"):
        with open(environment["GITHUB_STEP_SUMMARY"], "a", encoding="utf-8", errors="replace") as summary:  # noqa: PTH123
            summary.write(text + "\n")
    return 0 if threshold.reached(run) else BELOW


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        partial.replace(path)
    except OSError as error:  # which names a file that nobody asked for
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        partial.unlink(missing_ok=True)
