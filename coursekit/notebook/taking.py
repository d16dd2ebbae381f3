"""Functions that were written in one notebook, for use in another.

    rnn_forward, rnn_backward = from_notebook("rnn_captioning.ipynb", "rnn_forward", "rnn_backward")

Of the other notebook only what these functions need is run: their definitions, and the statements that bind the names
they use. So nothing is trained or drawn again.
"""

from __future__ import annotations
import __future__

import linecache
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from coursekit.errors import NotebookUnreadable
from coursekit.notebook.reading import Problem, read_notebook
from coursekit.notebook.slicing import defines, slice_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coursekit.notebook.reading import Notebook, Statement

_FROM_IPYTHON = ("display", "get_ipython")


def from_notebook(file: str, *names: str) -> Any:
    """Take functions or classes from a notebook that lies beside the one that is running.

    Args:
        file: The name of the notebook's file. Its last saved version is read.
        names: What to take from it.

    Returns:
        What bears these names there, as a tuple; of a single name, the one thing.

    Raises:
        NotebookUnreadable: There is no such notebook, it cannot be read, or it does not define one of the names.
    """
    caller = sys._getframe(1).f_globals  # noqa: SLF001 - only the caller's globals know where its notebook lies
    path = _folder(caller) / file
    try:
        data = path.read_bytes()
    except OSError as error:
        told = f"{file} cannot be read in {path.parent.absolute()} ({error.strerror or error})"
        raise NotebookUnreadable(told, "put your notebook of that name beside this one") from None
    notebook = _read(data, path.name)
    module = ModuleType(path.stem)
    module.__dict__.update({name: caller[name] for name in _FROM_IPYTHON if name in caller})
    problems = _run(notebook, slice_for(notebook.statements, names), module)
    for name in names:
        if name not in module.__dict__:
            raise _not_defined(name, notebook, problems)
    found = tuple(module.__dict__[name] for name in names)
    return found[0] if len(found) == 1 else found


def _folder(caller: Mapping[str, Any]) -> Path:
    """Where the notebook that calls lies: told by Visual Studio Code and by scripts, elsewhere the working folder."""
    for name in ("__vsc_ipynb_file__", "__file__"):
        if name in caller:
            return Path(caller[name]).parent
    return Path()


# A notebook from which many take is read once: a cell that is run again, and the grader's many variants of a solution.
@lru_cache(maxsize=8)
def _read(data: bytes, name: str) -> Notebook:
    return read_notebook(data, name)


def _run(notebook: Notebook, statements: list[Statement], module: ModuleType) -> dict[int, Problem]:
    """Run statements one after the other; those that raise are left out, and why is told by their position."""
    problems = {}
    future = 0
    cells = {cell.number: cell.source for cell in notebook.cells}  # for the lines that tracebacks show
    for statement in statements:
        place = f"<{notebook.name}, cell {statement.cell}>"
        linecache.cache[place] = (
            len(cells[statement.cell]),
            None,
            cells[statement.cell].splitlines(keepends=True),
            place,
        )
        try:
            code = compile("\n" * (statement.line - 1) + statement.source, place, "exec", future, dont_inherit=True)
            future |= code.co_flags & __future__.annotations.compiler_flag
            exec(code, module.__dict__)  # noqa: S102 - it is the caller's own notebook
        except (Exception, SystemExit) as error:  # noqa: BLE001 - what does not need it can be taken all the same
            message = f"{type(error).__name__}: {error}".rstrip(": ")
            problems[statement.position] = Problem(message, statement.cell, statement.line)
    return problems


def _not_defined(name: str, notebook: Notebook, raised: Mapping[int, Problem]) -> NotebookUnreadable:
    statement = defines(notebook.statements, name)
    problem = notebook.problem_with(name) if statement is None else raised.get(statement.position)
    if problem is None:
        return NotebookUnreadable(f"{notebook.name} does not define {name}", "write it there first, and save it")
    told = f"{name} cannot be taken from {notebook.name}: {problem}"
    return NotebookUnreadable(told, "correct that cell and save the notebook")
