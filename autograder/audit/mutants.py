"""Mutants: the reference solution with one small thing changed, made from its syntax tree.

What is mutated is what students write: the lines between the solution's markers. A mutant is known by its question and
by the text of the one statement that differs, before and after, wherever that statement stands.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from autograder.judging.misconceptions import defining
from autograder.sources import BEGIN, END

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from coursekit.notebook import Statement

OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.Pow: (ast.Mult,),
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
SIBLINGS = (("sum", "mean"), ("max", "min"), ("argmax", "argmin"), ("zeros", "ones"), ("zeros_like", "ones_like"))
"""Functions of numpy that are taken for each other."""
COMMUTE = (ast.Add, ast.Mult)


@dataclass(frozen=True)
class Mutant:
    """One change: what one statement of the reference says, and what it says instead, nothing if it is left out."""

    question: str
    was: str
    now: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.question}: {self.was}  →  {self.now or '(left out)'}"


def mutants_of(statements: Sequence[Statement], question: str) -> list[tuple[Mutant, list[Statement]]]:
    """Every mutant of one question, with the reference solution that it is in.

    Two may be equal, where one statement stands in two places.
    """
    statement = defining(statements, question)
    tree = ast.parse(statement.source)
    found = {
        source: (was, now) for was, now, source in _Mutation(statement.source, tree, question.rpartition(".")[2]).all()
    }
    return [
        (
            Mutant(question, was, now),
            [replace(each, source=source) if each is statement else each for each in statements],
        )
        for source, (was, now) in found.items()
    ]


class _Mutation:
    """Changes one node of a tree at a time, in place, and puts it back."""

    def __init__(self, source: str, tree: ast.Module, method: str) -> None:
        self._tree = tree
        self._lines = _solution(source)
        whole = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        self._functions = [node for node in whole if node.name == method] or whole

    def all(self) -> Iterator[tuple[str, str, str]]:
        """What a statement said, what it says now, and the source with it."""
        before = ast.unparse(self._tree)
        for function in self._functions:
            self._names = _bound(function)
            self._attributes = sorted(_attributes(self._tree))
            self._texts = sorted(_texts(function))
            for was, now in self._of_body(function):
                source = ast.unparse(self._tree)
                if source != before:
                    yield was, now, source

    def _of_body(self, holder: ast.AST) -> Iterator[tuple[str, str]]:
        for name in ("body", "orelse"):
            body = getattr(holder, name, [])
            for index, statement in enumerate(body):
                if statement.lineno in self._lines:
                    yield from self._left_out(body, index)
                    yield from self._of_statement(body, index)
                yield from self._of_body(statement)

    def _left_out(self, body: list[ast.stmt], index: int) -> Iterator[tuple[str, str]]:
        statement = body[index]
        body[index] = ast.Pass()
        yield _told(statement), ""
        body[index] = statement

    def _of_statement(self, body: list[ast.stmt], index: int) -> Iterator[tuple[str, str]]:
        """Change the statement itself, but for the statements within."""
        statement = body[index]
        was = _told(statement)
        if isinstance(statement, ast.AugAssign):
            plain = ast.Assign([statement.target], statement.value)
            other = ast.AugAssign(statement.target, OPERATORS[type(statement.op)][0](), statement.value)
            for body[index] in (ast.copy_location(plain, statement), other):
                ast.fix_missing_locations(body[index])
                yield was, _told(body[index])
            body[index] = statement
        for put, node in _expressions(statement):
            for new in self._changes(node):
                put(ast.fix_missing_locations(ast.copy_location(new, node)))
                yield was, _told(statement)
            put(node)

    # ------------------------------------------------------------------------------------- what an expression becomes

    def _changes(self, node: ast.expr) -> Iterator[ast.expr]:
        if type(node) in CHANGES:
            yield from CHANGES[type(node)](node)
        match node:
            case ast.Attribute(value=ast.Name("self")) if node.attr in self._attributes:
                for name in self._attributes:
                    yield ast.Attribute(node.value, name, node.ctx)
            case ast.Name(ctx=ast.Load()) if node.id in self._names:
                for name, line in self._names.items():
                    if line < node.lineno:
                        yield ast.Name(name, ast.Load())
            case ast.Constant():
                yield from self._of_constant(node)

    def _of_constant(self, node: ast.Constant) -> Iterator[ast.expr]:
        value = node.value
        if isinstance(value, bool):
            yield ast.Constant(not value)
        elif isinstance(value, int):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        elif isinstance(value, float):
            yield ast.Constant(2 * value or 1.0)
            yield ast.Constant(-value)
        elif value in self._texts:
            for text in self._texts:
                yield ast.Constant(text)


def _of_operation(node: ast.BinOp) -> Iterator[ast.expr]:
    for other in OPERATORS.get(type(node.op), ()):
        yield ast.BinOp(node.left, other(), node.right)
    yield node.left
    yield node.right
    yield ast.UnaryOp(ast.USub(), node)
    if not isinstance(node.op, COMMUTE):
        yield ast.BinOp(node.right, node.op, node.left)
    if isinstance(node.op, ast.MatMult):
        for side in ("left", "right"):
            part = getattr(node, side)
            if not (isinstance(part, ast.Attribute) and part.attr == "T"):
                yield _with(node, **{side: ast.Attribute(part, "T", ast.Load())})


def _of_call(node: ast.Call) -> Iterator[ast.expr]:
    for swapped in _swapped(node.args):
        yield _with(node, args=swapped)
    for index in range(len(node.keywords)):
        yield _with(node, keywords=[*node.keywords[:index], *node.keywords[index + 1 :]])
    if len(node.args) == 1 and isinstance(node.args[0], ast.expr):
        yield node.args[0]
    match node.func:
        case ast.Attribute(value=value, attr=name):
            if not node.args and not (isinstance(value, ast.Name) and value.id == "np"):
                yield value
            for pair in SIBLINGS:
                if name in pair:
                    other = pair[1 - pair.index(name)]
                    yield _with(node, func=ast.Attribute(value, other, ast.Load()))
        case ast.Name(id="range") if len(node.args) == 1:
            yield ast.Call(ast.Name("reversed", ast.Load()), [node], [])
            yield _with(node, args=[ast.BinOp(node.args[0], ast.Sub(), ast.Constant(1))])
            yield _with(node, args=[ast.Constant(1), *node.args])


def _of_subscript(node: ast.Subscript) -> Iterator[ast.expr]:
    if isinstance(node.ctx, ast.Load):
        yield node.value
    if isinstance(node.slice, ast.Tuple):
        for swapped in _swapped(node.slice.elts):
            yield _with(node, slice=ast.Tuple(swapped, ast.Load()))


def _of_row(node: ast.Tuple | ast.List) -> Iterator[ast.expr]:
    for swapped in _swapped(node.elts):
        yield type(node)(swapped, node.ctx)


def _of_comparison(node: ast.Compare) -> Iterator[ast.expr]:
    for other in COMPARISONS.get(type(node.ops[0]), ()):
        yield ast.Compare(node.left, [other()], node.comparators)


def _of_sign(node: ast.UnaryOp) -> Iterator[ast.expr]:
    yield node.operand


def _of_slice(node: ast.Slice) -> Iterator[ast.expr]:
    for bound in ("lower", "upper"):
        if getattr(node, bound) is not None:
            yield _with(node, **{bound: None})


def _of_transpose(node: ast.Attribute) -> Iterator[ast.expr]:
    if node.attr == "T":
        yield node.value


CHANGES: dict[type[ast.expr], Callable[[Any], Iterator[ast.expr]]] = {
    ast.BinOp: _of_operation,
    ast.UnaryOp: _of_sign,
    ast.Compare: _of_comparison,
    ast.Call: _of_call,
    ast.Subscript: _of_subscript,
    ast.Slice: _of_slice,
    ast.Attribute: _of_transpose,
    ast.Tuple: _of_row,
    ast.List: _of_row,
}
"""What becomes of an expression of each kind, whatever function it stands in."""


def _with(node: ast.AST, **fields: object) -> ast.expr:
    """A copy of a node with some of its fields replaced."""
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    assert isinstance(made, ast.expr)
    return made


def _swapped(parts: Sequence[ast.expr]) -> Iterator[list[ast.expr]]:
    """The parts with two neighbours exchanged, each two in turn."""
    for index in range(len(parts) - 1):
        yield [*parts[:index], parts[index + 1], parts[index], *parts[index + 2 :]]


# ----------------------------------------------------------------------------------------------- reading the tree


def _expressions(node: ast.AST) -> Iterator[tuple[Callable[[ast.expr], None], ast.expr]]:
    """Every expression of a statement, with a way to put another one in its place; not those of statements within."""
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            yield _setter(node, name), value
            yield from _expressions(value)
        elif isinstance(value, list) and name not in ("body", "orelse"):
            for index, item in enumerate(value):
                if isinstance(item, ast.expr):
                    yield _item_setter(value, index), item
                if isinstance(item, (ast.expr, ast.keyword, ast.comprehension)):
                    yield from _expressions(item)


def _setter(node: ast.AST, name: str) -> Callable[[ast.expr], None]:
    return lambda new: setattr(node, name, new)


def _item_setter(items: list[ast.expr], index: int) -> Callable[[ast.expr], None]:
    return lambda new: items.__setitem__(index, new)


def _told(statement: ast.stmt) -> str:
    """A statement's text; of one that holds others, its first line."""
    shown = copy.copy(statement)
    if hasattr(shown, "body"):
        shown.body, shown.orelse = [], []  # type: ignore[attr-defined]
    return ast.unparse(shown).strip()


def _solution(source: str) -> set[int]:
    """The numbers of the lines between the markers; the last marker may be missing, since it is a comment."""
    lines, within = set(), False
    for number, line in enumerate(source.splitlines(), start=1):
        if BEGIN in line or END in line:
            within = BEGIN in line
        elif within:
            lines.add(number)
    return lines


def _bound(function: ast.FunctionDef) -> dict[str, int]:
    """The names that a function binds, each with the line from which on it can be read."""
    names = {argument.arg: 0 for argument in function.args.args if argument.arg != "self"}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.setdefault(node.id, node.lineno)
    return {name: line for name, line in names.items() if name != "_"}


def _attributes(tree: ast.AST) -> set[str]:
    """The attributes that a class sets on its instances."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name)
    }


def _texts(function: ast.FunctionDef) -> set[str]:
    """The texts by which a function looks things up."""
    inside = [node.slice for node in ast.walk(function) if isinstance(node, ast.Subscript)]
    inside += [key for node in ast.walk(function) if isinstance(node, ast.Dict) for key in node.keys if key is not None]
    return {node.value for node in inside if isinstance(node, ast.Constant) and isinstance(node.value, str)}
