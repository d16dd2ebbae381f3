"""``python -m coursekit.ci``: the visible checks of notebooks, for the repository of whoever writes them."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from coursekit.ci.checks import SECONDS, notebooks_in, run_checks
from coursekit.ci.telling import BELOW, Threshold, tell
from coursekit.errors import InvalidInput

LONGEST = 10**6
"""Seconds that a check may be allowed: the operating system counts no further than twice that."""


def main(arguments: list[str] | None = None) -> int:
    """Run the checks and tell what was found; returns 0, 1 if nothing could be run, 2 for wrong usage, or BELOW."""
    parser = argparse.ArgumentParser(prog="python -m coursekit.ci", description=__doc__)
    parser.add_argument("paths", nargs="*", type=_there, metavar="PATH", help="notebooks or folders; by default, here")
    parser.add_argument("--threshold", default="100%", help=f"a share, as 60%%, or points; below, exit code {BELOW}")
    parser.add_argument("--junit", type=_writable, metavar="FILE", help="write JUnit XML here")
    parser.add_argument("--summary", type=_writable, metavar="FILE", help="write Markdown here")
    parser.add_argument("--seconds", type=_seconds, default=SECONDS, help="how long one check may take")
    asked = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        threshold = Threshold.of(asked.threshold)
    except InvalidInput as error:
        parser.error(str(error))
    try:
        run = run_checks(notebooks_in(asked.paths or [Path()]), asked.seconds)
        if not run.questions:
            print("There is no notebook with checks here.", file=sys.stderr)  # noqa: T201
            return 1
        return tell(run, threshold, print, junit_file=asked.junit, summary_file=asked.summary)
    except OSError as error:
        print(f"{error.filename} cannot be used: {error.strerror or error}.", file=sys.stderr)  # noqa: T201
        return 1


def _there(text: str) -> Path:
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no file or folder {text}")
    return path


def _writable(text: str) -> Path:
    """A file that can be written, as far as can be told before all checks have run."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; give it a file name")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent} to write {path.name!r} into")
    return path


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds between 0 and {LONGEST}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
