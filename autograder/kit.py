"""What of the helper package somebody needs: the modules that a notebook imports, and those that these import in turn.

A student is given no more than that, and a box shows no more, since some modules hold what another assignment asks for.
"""

from __future__ import annotations

import ast
from importlib.util import resolve_name
from pathlib import Path
from typing import TYPE_CHECKING

import coursekit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from coursekit.notebook import Notebook

PACKAGE = coursekit.__name__
HOME_OF_PACKAGE = Path(coursekit.__file__).parent


def needed(notebooks: Iterable[Notebook], first: Iterable[str] = ()) -> tuple[str, ...]:
    """The files of all modules that notebooks import, below the package's folder, in order; ``first`` are some more."""
    waiting = list(first)
    for notebook in notebooks:
        for statement in notebook.statements:
            waiting += _imports(statement.source, "")
    found: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        file = _file_of(name)
        if name not in found and file is not None:
            found[name] = file
            above = name.rpartition(".")[0]
            code = file.read_text(encoding="utf-8")
            waiting += [above, *_imports(code, name if file.name == "__init__.py" else above)]
    return tuple(sorted(file.relative_to(HOME_OF_PACKAGE).as_posix() for file in found.values()))


def _file_of(module: str) -> Path | None:
    root, _, rest = module.partition(".")
    place = HOME_OF_PACKAGE.joinpath(*rest.split(".")) if rest else HOME_OF_PACKAGE
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if root == PACKAGE and file.is_file()), None)


def _imports(code: str, package: str) -> Iterator[str]:
    """What may be modules among all that is imported anywhere in some code, but for what only type checkers import."""
    waiting: list[ast.AST] = list(ast.iter_child_nodes(ast.parse(code)))
    while waiting:
        node = waiting.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                waiting += node.orelse
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                base = resolve_name("." * node.level + (node.module or ""), package)
                yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
            case _:
                waiting += ast.iter_child_nodes(node)
