"""Runs one visible check, in a process of its own: ``python -m coursekit.ci.child RESULT``, the code on standard input.

The result, a file of JSON, says what was raised and where in the notebook; without a file, the process has died.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any


def main() -> None:
    """Run the statements, then the check."""
    result_file = Path(sys.argv[1])
    todo = json.load(sys.stdin)
    sys.path.insert(0, todo["folder"])  # as in Jupyter
    sys.argv = [todo["file"]]
    names: dict[str, Any] = {"__name__": "__main__", "display": print}
    result: dict[str, Any] = {}
    try:
        for source, cell, line in todo["statements"]:
            exec(compile("\n" * (line - 1) + source, f"cell {cell}", "exec", dont_inherit=True), names)  # noqa: S102
    except BaseException as error:  # noqa: BLE001 - whatever the student's code raises, also SystemExit
        found = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("cell ")]
        told = str(error)[:4000]
        result = {
            "raised": type(error).__name__,
            "told": told,
            "cell": int(found[-1].filename.removeprefix("cell ")) if found else None,
            "line": found[-1].lineno if found else None,
        }
    sys.stdout.flush()
    result_file.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
