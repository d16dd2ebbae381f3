"""Notebooks as programs: their statements, which of them a function needs, and functions taken from another notebook.

The grader reads what is handed in with this package, so that one notebook takes from another what is graded in it.
"""

from coursekit.notebook.cells import old_habits
from coursekit.notebook.reading import MAX_FILE, Cell, Notebook, Problem, Statement, cut, listed, read_notebook
from coursekit.notebook.slicing import defines, names_used_by, slice_for
from coursekit.notebook.taking import from_notebook

__all__ = [
    "MAX_FILE",
    "Cell",
    "Notebook",
    "Problem",
    "Statement",
    "cut",
    "defines",
    "from_notebook",
    "listed",
    "names_used_by",
    "old_habits",
    "read_notebook",
    "slice_for",
]
