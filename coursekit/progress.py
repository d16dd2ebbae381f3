"""A progress bar that leaves one line behind, in a notebook as in a terminal."""

from __future__ import annotations

import sys
from typing import Any


def progress_bar(total: int, unit: str, initial: int = 0) -> Any:
    """Return a bar of tqdm, to be used in a `with` block.

    It writes to stdout, since notebooks show stderr as if something were wrong. In a notebook it is one output that is
    replaced again and again, so that a saved notebook holds its last state and not hundreds of them.

    Args:
        total: How many steps there are.
        unit: What a step is called.
        initial: How many of them are done already.
    """
    from tqdm import tqdm

    ipython: Any = sys.modules.get("IPython")
    in_notebook = ipython is not None and ipython.get_ipython() is not None
    file = _Output(ipython.display) if in_notebook else sys.stdout
    return tqdm(total=total, initial=initial, unit=unit, file=file, mininterval=0.5, ascii=" #", ncols=100)


class _Output:
    """What tqdm writes to in a notebook: an output that shows the latest line."""

    def __init__(self, display: Any) -> None:
        self._handle = display.display({"text/plain": ""}, raw=True, display_id=True)

    def write(self, text: str) -> None:
        """Show a line in place of the one before."""
        line = text.strip("\r\n ")
        if line:
            self._handle.update({"text/plain": line}, raw=True)

    def flush(self) -> None:
        """Do nothing: every line is shown at once."""
