"""Only what the graded functions need: their definitions and the statements that bind the names they use.

A name means what it means when the notebook runs from top to bottom and the function is called at the end. So each use
has a time. What a statement evaluates (a default argument, a base class, a right-hand side) is looked up at the
statement's own place; what stands in a function's body, at the time of the call. A helper that is defined twice is
then right both for the constant that was computed with the first and for the function that calls the second.
"""

from __future__ import annotations

import ast
import symtable
import warnings
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from autograder.notebook import Statement

END = 1 << 60
"""The time after the last statement, when graded functions are called."""
EVALUATED_AT_ONCE = {"listcomp", "setcomp", "dictcomp", "genexpr"}
CHANGES_ITS_ARGUMENT = {"setattr", "delattr"}
BINDS_ANYTHING = {"exec", "globals", "locals", "vars"}


@dataclass(frozen=True)
class Effects:
    """What one top-level statement reads and writes.

    ``rebinds`` are the names that it certainly binds anew, ``may_bind`` those that it binds perhaps (in a loop, under a
    condition) and ``patches`` those whose value it may change. ``now`` are the names it reads when it runs, ``later``
    those that a function which it defines reads when that is called. ``wild`` statements may bind anything.
    """

    rebinds: frozenset[str]
    may_bind: frozenset[str]
    patches: frozenset[str]
    now: frozenset[str]
    later: frozenset[str]
    imports: bool
    wild: bool


def slice_for(statements: Sequence[Statement], names: Iterable[str]) -> list[Statement]:
    """The statements that the functions and classes called ``names`` need, in the notebook's order.

    Of a dotted name, "Class.method", the class is what counts. Names that nothing defines are passed over.
    """
    return _Slicer(statements).slice({name.partition(".")[0] for name in names})


def defines(statements: Sequence[Statement], name: str) -> Statement | None:
    """The statement that gives ``name`` its last value, or None."""
    for statement in reversed(statements):
        effects = effects_of(statement.source)
        if name in effects.rebinds or name in effects.may_bind:
            return statement
    return None


class _Slicer:
    def __init__(self, statements: Sequence[Statement]) -> None:
        self._statements = statements
        self._effects = [effects_of(statement.source) for statement in statements]
        self._touching: dict[str, list[int]] = defaultdict(list)
        for index, effects in enumerate(self._effects):
            for name in effects.rebinds | effects.may_bind | effects.patches:
                self._touching[name].append(index)

    def slice(self, names: set[str]) -> list[Statement]:
        """Follow each name to what binds it, and what that reads to what binds it, until nothing new is found."""
        found: set[tuple[int, int]] = set()
        waiting = [(index, END) for name in names for index in self._reaching(name, END)]
        waiting += [(index, END) for index, effects in enumerate(self._effects) if effects.wild]
        while waiting:
            index, time = waiting.pop()
            if (index, time) in found:
                continue
            found.add((index, time))
            effects = self._effects[index]
            for name in effects.now:  # it may call what it reads, and so may whoever gets its value
                waiting += [(other, when) for other in self._reaching(name, index) for when in (index, time)]
            for name in effects.later:
                waiting += [(other, time) for other in self._reaching(name, time)]
        return [self._statements[index] for index in sorted({index for index, _ in found})]

    def _reaching(self, name: str, time: int) -> Iterator[int]:
        """The statements before ``time`` that ``name`` has its value from: back to the last that certainly binds it."""
        reaching = []
        for index in reversed(self._touching.get(name, [])):
            if index < time:
                reaching.append(index)
                if name in self._effects[index].rebinds:
                    break
        if reaching and self._effects[reaching[-1]].imports:
            # A call like np.random.seed(0) or plt.show() changes nothing that a graded function is judged by.
            reaching = [
                i for i in reaching if name not in self._effects[i].patches or _mends_the_path(self._statements[i])
            ]
        yield from reaching


def _mends_the_path(statement: Statement) -> bool:
    return "sys.path" in statement.source


@lru_cache(maxsize=4096)
def effects_of(source: str) -> Effects:
    """Read one statement's effects from its text, which is known to compile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        [node] = ast.parse(source).body
        table = symtable.symtable(source, "<statement>", "exec")
    decorated = bool(getattr(node, "decorator_list", None))
    defines_something = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    rebinds = _certainly_bound(node)
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    own |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_namespace()}
    now = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    later: set[str] = set()
    for child in table.get_children():
        _read_scope(child, now, later, at_once=True)
    if decorated or not defines_something:
        now |= later  # a decorator, or a function that is handed a lambda, may call it at once
    patches, wild = _changed(node)
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        now.add(node.target.id)
    return Effects(
        rebinds=frozenset(rebinds),
        may_bind=frozenset(own - rebinds),
        patches=frozenset(patches),
        now=frozenset(now | patches),
        later=frozenset(later),
        imports=isinstance(node, ast.Import | ast.ImportFrom),
        wild=wild,
    )


def _certainly_bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import):  # `import a.b` adds to a, and leaves what `import a.c` did
        return {alias.asname or alias.name for alias in node.names if alias.asname or "." not in alias.name}
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    if isinstance(node, ast.Assign):
        return {name for target in node.targets for name in _names(target)}
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return set(_names(node.target))
    return set()


def _names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List):
        for item in target.elts:
            yield from _names(item)
    elif isinstance(target, ast.Starred):
        yield from _names(target.value)


def _read_scope(table: symtable.SymbolTable, now: set[str], later: set[str], *, at_once: bool) -> None:
    """Collect the global names that a nested scope reads: at once in class bodies and comprehensions, else later."""
    is_class = table.get_type() == "class"
    at_once = at_once and (is_class or table.get_name() in EVALUATED_AT_ONCE or table.get_type() == "type parameters")
    for symbol in table.get_symbols():
        # A name that a class body both reads and binds is read from outside the first time.
        if symbol.is_global() or (is_class and symbol.is_referenced()):
            (now if at_once else later).add(symbol.get_name())
    for child in table.get_children():
        _read_scope(child, now, later, at_once=at_once)


def _changed(node: ast.stmt) -> tuple[set[str], bool]:
    """The names whose values a statement may change when it runs, and whether it may bind anything at all."""
    if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
        return set(), True
    patches: set[str] = set()
    wild = False
    for inner in _outside_functions(node):
        if isinstance(inner, ast.Attribute | ast.Subscript) and isinstance(inner.ctx, ast.Store | ast.Del):
            root = _root(inner)
            patches |= {root} if root else set()
            wild |= _calls(inner, BINDS_ANYTHING)
        elif isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call):
            call = inner.value
            if isinstance(call.func, ast.Attribute):
                root = _root(call.func)
                patches |= {root} if root else set()
                wild |= _calls(call.func, BINDS_ANYTHING)
            elif isinstance(call.func, ast.Name) and call.args and call.func.id in CHANGES_ITS_ARGUMENT:
                root = _root(call.args[0])
                patches |= {root} if root else set()
            wild |= isinstance(call.func, ast.Name) and call.func.id == "exec"
    return patches, wild


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """A statement and what stands in it, but for the bodies of functions."""
    waiting: list[ast.AST] = [node]
    while waiting:
        inner = waiting.pop()
        yield inner
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(inner)


def _root(node: ast.expr) -> str:
    """The name that an attribute, an item or a method call is one of: ``a`` in ``a.b[0].c()``; else empty."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _calls(node: ast.AST, names: set[str]) -> bool:
    return any(
        isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in names
        for inner in ast.walk(node)
    )
