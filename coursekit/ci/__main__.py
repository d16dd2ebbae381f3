"""``python -m coursekit.ci``: the visible checks of notebooks, for the repository of whoever writes them."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from coursekit.ci.checks import SECONDS, notebooks_in, run_checks
from coursekit.ci.telling import BELOW, Threshold, tell
from coursekit.errors import InvalidInput


def main(arguments: list[str] | None = None) -> int:
    """Run the checks and tell what was found; returns 0, 1 if nothing could be run, 2 for wrong usage, or BELOW."""
    parser = argparse.ArgumentParser(prog="python -m coursekit.ci", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="notebooks or folders; by default, here")
    parser.add_argument("--threshold", default="100%", help=f"a share, as 60%%, or points; below, exit code {BELOW}")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML here")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="write Markdown here")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long one check may take")
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


if __name__ == "__main__":
    sys.exit(main())
