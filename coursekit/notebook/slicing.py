"""Only what the graded functions need: their definitions and the statements that bind the names they use.

A name means what it means when the notebook runs from top to bottom and the function is called at the end. So each use
has a time. What a statement evaluates (a default argument, a base class, a right-hand side) is looked up at the
statement's own place; what stands in a function's body, at the time of the call. A helper that is defined twice is
then right both for the constant that was computed with the first and for the function that calls the second.

What a value is changed by is followed as far as it stands in the statement: ``a.b = 1``, ``a[0] = 1``, ``a.append(1)``,
``setattr(a, ...)``, ``np.fill_diagonal(a, 0)``, ``@patch(a)`` above a definition, also under another name. What a
called function does to things other than by its name is not, or else each cell that tries the graded functions would
have to be run.

Three statements, and their `Effects`::

    table = [0]                       rebinds table
    table.append(2 * size)            touches table; reads table and size now
    def f(x=table): return g(x)       rebinds f; reads table now, g later

Who needs ``f`` needs all three: its default is what the first made and the second may have changed. Of ``size`` it is
the value at the second that counts, of ``g`` the last.
"""

from __future__ import annotations

import ast
import symtable
import warnings
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from coursekit.notebook.reading import Statement

END = 1 << 60
"""The time after the last statement, when graded functions are called."""
MAX_STEPS = 50_000
"""How long the uses of names are followed, before a notebook is too entangled and everything in it counts as needed.

That is done for each question, and no sandbox bounds it. The graded functions of the five source notebooks need up to
215 steps, all that these bind together up to 9,900.
"""
EVALUATED_AT_ONCE = {"listcomp", "setcomp", "dictcomp"}
MUTATORS = {"add", "append", "clear", "extend", "insert", "pop", "popitem", "remove", "setdefault", "sort", "update"}
CHANGES_ITS_ARGUMENT = {"setattr", "delattr"}
BINDS_ANYTHING = {"exec", "globals", "locals", "vars"}


@dataclass(frozen=True)
class Effects:
    """What one top-level statement reads and writes.

    ``rebinds`` are the names that it certainly binds anew, ``may_bind`` those that it binds perhaps (in a loop, under a
    condition), ``patches`` those whose value it changes and ``touches`` those whose value it may change, if that is no
    module, function or class: ``np.random.seed(0)`` changes nothing that a graded function is judged by. ``now`` are
    the names it reads when it runs, ``later`` those that a function which it defines reads when that is called, and
    ``sets`` those that such a function binds for all. ``same`` are the pairs of names that mean one thing afterwards;
    where the second is empty, that is a new thing. ``fixed`` statements bind a module, function or class; ``wild`` ones
    may bind anything.
    """

    rebinds: frozenset[str] = frozenset()
    may_bind: frozenset[str] = frozenset()
    patches: frozenset[str] = frozenset()
    touches: frozenset[str] = frozenset()
    now: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    same: frozenset[tuple[str, str]] = frozenset()
    fixed: bool = False
    wild: bool = False


def slice_for(statements: Sequence[Statement], names: Iterable[str]) -> list[Statement]:
    """The statements that the functions and classes called ``names`` need, in the notebook's order.

    Of a dotted name, "Class.method", the class is what counts. Names that nothing defines are passed over.
    """
    return _slicer(tuple(statements)).slice(names)


def names_used_by(statements: Sequence[Statement], names: Iterable[str]) -> set[str]:
    """Every name that the functions called ``names`` read, or that something they use reads."""
    return _slicer(tuple(statements)).names_read_by(names)


def defines(statements: Sequence[Statement], name: str) -> Statement | None:
    """The statement that gives ``name`` its last value, or None."""
    for statement in reversed(statements):
        effects = effects_of(statement.source)
        if name in effects.rebinds or name in effects.may_bind:
            return statement
    return None


class _Event(Enum):
    """What a statement does to a name."""

    TOUCH = auto()
    PATCH = auto()
    MAY_BIND = auto()
    REBIND = auto()


class _Things:
    """What names mean: two names mean the same thing after ``a = b``."""

    def __init__(self) -> None:
        self._meant: dict[str, object] = {}
        self._names: dict[object, set[str]] = defaultdict(set)

    def meant_by(self, name: str) -> object:
        """The thing that a name means now."""
        if name not in self._meant:
            self.bind(name, name)
        return self._meant[name]

    def names_of(self, thing: object) -> set[str]:
        """The names that mean a thing now."""
        return self._names[thing]

    def bind(self, name: str, thing: object) -> None:
        """Let a name mean another thing from now on."""
        if name in self._meant:
            self._names[self._meant[name]].discard(name)
        self._meant[name] = thing
        self._names[thing].add(name)


@lru_cache(maxsize=8)
def _slicer(statements: tuple[Statement, ...]) -> _Slicer:
    """Of a notebook, more than one slice is wanted, and each of them again and again."""
    return _Slicer(statements)


class _Slicer:
    def __init__(self, statements: Sequence[Statement]) -> None:
        self._statements = statements
        self._effects = [effects_of(statement.source) for statement in statements]
        self._events: dict[str, list[tuple[int, _Event]]] = defaultdict(list)
        self._changes: dict[object, list[tuple[int, _Event]]] = defaultdict(list)
        self._read: list[dict[str, object]] = []
        self._steps = 0
        self._needed: dict[frozenset[str], Sequence[int]] = {}
        things = _Things()
        for index, effects in enumerate(self._effects):
            if self._steps > MAX_STEPS:
                return
            self._read.append({name: things.meant_by(name) for name in effects.now})
            for event, changed in (_Event.TOUCH, effects.touches), (_Event.PATCH, effects.patches):
                for thing in {things.meant_by(name) for name in changed}:
                    self._changes[thing].append((index, event))
                    self._steps += len(things.names_of(thing))
                    for name in things.names_of(thing):
                        self._events[name].append((index, event))
            for event, bound in (_Event.MAY_BIND, effects.may_bind), (_Event.REBIND, effects.rebinds):
                for name in bound:
                    self._events[name].append((index, event))
            same = {name: things.meant_by(value) if value else index for name, value in effects.same}
            for name in effects.rebinds:
                things.bind(name, same.get(name, (index, name)))
        self._let_functions_bind()

    def _let_functions_bind(self) -> None:
        """A name that only ``global`` in a function binds is bound by what reads that function, and so may call it."""
        for name in {name for effects in self._effects for name in effects.sets} - self._events.keys():
            setters = {f for effects in self._effects if name in effects.sets for f in effects.rebinds}
            for index, effects in enumerate(self._effects):
                if effects.now & setters:
                    self._events[name].append((index, _Event.MAY_BIND))

    def slice(self, names: Iterable[str]) -> list[Statement]:
        """The statements that ``names`` need."""
        return [self._statements[index] for index in self._needed_by(names)]

    def names_read_by(self, names: Iterable[str]) -> set[str]:
        """Every name that these statements read. It is not kept: of a large notebook, that would take much memory."""
        needed = [self._effects[index] for index in self._needed_by(names)]
        return set().union(*(each.now for each in needed), *(each.later for each in needed))

    def _needed_by(self, names: Iterable[str]) -> Sequence[int]:
        """Follow each name to what binds it, and what that reads to what binds it, until nothing new is found."""
        asked = frozenset(name.partition(".")[0] for name in names)
        if asked not in self._needed:
            before = self._steps
            found = self._found(asked)
            entangled, self._steps = self._steps > MAX_STEPS, before
            self._needed[asked] = range(len(self._statements)) if entangled else sorted({index for index, _ in found})
        return self._needed[asked]

    def _found(self, names: frozenset[str]) -> set[tuple[int, int]]:
        """Statements, each with a time at which it is needed; not all of them, if that takes too many steps."""
        found: set[tuple[int, int]] = set()
        waiting = [(index, END) for name in names for index in self._reaching(name, END, END)]
        waiting += [(index, END) for index, effects in enumerate(self._effects) if effects.wild]
        while waiting and self._steps <= MAX_STEPS:
            index, time = waiting.pop()
            if (index, time) in found:
                continue
            found.add((index, time))
            effects = self._effects[index]
            for name in effects.now:  # it may call what it reads, and so may whoever gets its value
                waiting += [(other, when) for other in self._reaching(name, index, time) for when in (index, time)]
            for name in effects.later:
                waiting += [(other, time) for other in self._reaching(name, time, time)]
        return found

    def _reaching(self, name: str, place: int, time: int) -> Iterator[int]:
        """The statements that make what ``name`` means at ``place``, as it is at ``time`` if it is kept until then.

        These are those before ``place``, back to the last that certainly binds it, and what changes it afterwards.
        """
        events = self._events.get(name, [])
        self._steps += len(events) + 1
        reaching: list[tuple[int, _Event]] = []
        for index, event in reversed(events):
            if index < place:
                reaching.append((index, event))
                if event is _Event.REBIND:
                    break
        fixed = bool(reaching) and self._effects[reaching[-1][0]].fixed
        if place < time:
            changes = self._changes[self._read[place][name]]
            self._steps += len(changes)
            reaching += [(index, event) for index, event in changes if place < index < time]
        yield from (index for index, event in reaching if not (fixed and event is _Event.TOUCH))


@lru_cache(maxsize=8192)
def effects_of(source: str) -> Effects:
    """Read one statement's effects from its text, which is known to compile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            [node] = ast.parse(source).body
            table = symtable.symtable(source, "<statement>", "exec")
    except (RecursionError, MemoryError):  # it was compiled with more of the stack to spare
        return Effects(wild=True)
    rebinds = _certainly_bound(node)
    symbols = table.get_symbols()
    bound = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported() or s.is_namespace()}
    now = {symbol.get_name() for symbol in symbols if symbol.is_referenced()}
    later: set[str] = set()
    sets: set[str] = set()
    _read_scopes(table, now, later, sets)
    bare = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list
    if not (bare and len(table.get_children()) == 1):
        now |= later  # a decorator, a metaclass, or a function that is handed a lambda may call it at once
    patches, touches, wild = _changed(node)
    now |= patches | touches
    imported = {module for inner in _outside_functions(node) for module in _modules(inner)}
    if imported:
        now.add("sys.path")
    return Effects(
        rebinds=frozenset(rebinds),
        may_bind=frozenset(bound - rebinds),
        patches=frozenset(patches | {module.partition(".")[0] for module in imported if "." in module}),
        touches=frozenset(touches),
        now=frozenset(now),
        later=frozenset(later),
        sets=frozenset(sets),
        same=frozenset(_made_the_same(node)),
        fixed=isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef),
        wild=wild,
    )


def _certainly_bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import):  # `import a` leaves what `import a.b` did
        return {alias.asname for alias in node.names if alias.asname}
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


def _made_the_same(node: ast.stmt) -> set[tuple[str, str]]:
    """The names that mean one thing after ``a = b``, ``import b as a``, or ``a = c = []``, which is a new thing."""
    if isinstance(node, ast.Import):
        return {(alias.asname, alias.name.partition(".")[0]) for alias in node.names if alias.asname}
    if isinstance(node, ast.Assign):
        value = node.value.id if isinstance(node.value, ast.Name) else ""
        return {(target.id, value) for target in node.targets if isinstance(target, ast.Name)}
    return set()


def _modules(node: ast.AST) -> set[str]:
    """The modules that an import statement loads, "a.b" for b within a, which then hangs in a."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {f"{node.module}.{alias.name}" for alias in node.names}
    return set()


def _read_scopes(module: symtable.SymbolTable, now: set[str], later: set[str], sets: set[str]) -> None:
    """Collect the global names that nested scopes read: at once in class bodies and comprehensions, else later."""
    waiting = [(table, True) for table in module.get_children()]
    while waiting:
        table, at_once = waiting.pop()
        is_class = table.get_type() == "class"
        at_once = at_once and (
            is_class or table.get_name() in EVALUATED_AT_ONCE or table.get_type() == "type parameters"
        )
        for symbol in table.get_symbols():
            # A name that a class body both reads and binds is read from outside the first time.
            if symbol.is_global() or (is_class and symbol.is_referenced()):
                (now if at_once else later).add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                sets.add(symbol.get_name())
        waiting += [(child, at_once) for child in table.get_children()]


def _changed(node: ast.stmt) -> tuple[set[str], set[str], bool]:
    """The names whose values a statement changes when it runs, those it may change, and whether it binds anything."""
    patches: set[str] = set()
    touches: set[str] = set()
    wild = False
    for inner in _outside_functions(node):
        match inner:
            case ast.ImportFrom(names=[ast.alias(name="*")]) | ast.ImportFrom(module="__future__"):
                wild = True
            case ast.Call(func=ast.Name(id="exec")):
                wild = True
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                patches |= _roots(inner)
                wild |= _calls(inner, BINDS_ANYTHING)
            case ast.AugAssign(target=ast.Name(id=name)):
                touches.add(name)
            case ast.Call(func=ast.Name(id=name), args=[changed, *_]) if name in CHANGES_ITS_ARGUMENT:
                patches |= _roots(changed)
            case ast.Call(func=ast.Attribute(attr=method) as called) if method in MUTATORS:
                touches |= _roots(called)
            case ast.Expr(value=ast.Call(func=ast.Attribute() as called, args=arguments)):
                touches |= _roots(called).union(*(_roots(first) for first in arguments[:1]))
                wild |= _calls(called, BINDS_ANYTHING)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                patches.update(*map(_handed_over, inner.decorator_list))
                touches.update(*map(_roots, inner.decorator_list))
    return patches, touches, wild


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """A statement and what stands in it, but for the bodies of functions."""
    waiting: list[ast.AST] = [node]
    while waiting:
        inner = waiting.pop()
        yield inner
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(inner)


def _roots(node: ast.expr) -> set[str]:
    """The name that an attribute, an item or a method call is one of: ``a`` in ``a.b[0].c()``; for sys.path both.

    What a plain function returns, ``range(3)``, is no part of that function.
    """
    first, called = "", False
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Attribute):
            first = node.attr
        called = isinstance(node, ast.Call)
        node = node.func if isinstance(node, ast.Call) else node.value
    if called or not isinstance(node, ast.Name):
        return set()
    return {"sys", "sys.path"} if (node.id, first) == ("sys", "path") else {node.id}


def _handed_over(decorator: ast.expr) -> set[str]:
    """The names that stand alone among what a decorator is called with: ``Gate`` in ``@patch(Gate)``."""
    calls = [inner for inner in ast.walk(decorator) if isinstance(inner, ast.Call)]
    given = [value for call in calls for value in (*call.args, *(keyword.value for keyword in call.keywords))]
    return {value.id for value in given if isinstance(value, ast.Name)}


def _calls(node: ast.AST, names: set[str]) -> bool:
    return any(
        isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in names
        for inner in ast.walk(node)
    )
