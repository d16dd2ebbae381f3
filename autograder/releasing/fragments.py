"""Code in a form in which it can be compared, whatever it looks like on the page.

A *fragment* is an expression, or a few simple statements in a row, as a syntax tree: white space, line breaks, comments
and brackets that change nothing are gone, ``x += y`` is ``x = x + y``, and ``a, b = c, d`` is two assignments. A
fragment has two forms. One keeps the names; in the other they are numbered in the order in which they occur, and so is
what ``self`` holds.

Not every fragment tells something: ``return x`` is in everyone's code. What one tells is counted: each operation, call,
attribute, index and constant is one thing, and each name, where names are kept.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coursekit.notebook.cells import Piece, read_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TELLING = {"verbatim": (7, 9), "renamed": (6, 8)}
"""What an expression must tell, and what statements in a row must, for each form. Measured on the assignments of the
kit: with one less, a worked example or an idiom such as ``(t + 1) % every == 0`` would pass for a solution."""
MOST_STATEMENTS = 6
"""Statements in a row that tell too little even together are not looked at further."""
MOST_LINES = 16
"""Lines that one statement in a text may stand on."""

_COUNTED = (
    *(ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.Call, ast.Attribute, ast.Subscript, ast.Slice, ast.keyword),
    *(ast.comprehension, ast.IfExp, ast.Lambda, ast.Constant),
)
_BUILTINS = frozenset(dir(builtins))
_PROMPT = re.compile(r"\s*(?:(?:>>>|\.\.\.|>|[-*+]|\d+[.)]|#+|In ?\[\d*\]:)(?:\s+|$))*")
_NEXT_PROMPT = re.compile(r"\s*(?:(?:\.\.\.|>)(?:\s+|$))*")
_BETWEEN = re.compile(r"\s*(?:$|#|(?:else|elif|try|except|finally)\b.*:|(?:\.\.\.|>)\s*(?:$|#))")
_INLINE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_HEADER = re.compile(r"(?:async\s+)?(?:def|class|for|while|if|with)\b.*:\s*(?:#.*)?$", re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A simple statement, or the header of a compound one: what it computes and what that is bound to."""

    line: int
    value: ast.expr
    targets: tuple[ast.expr, ...] = ()


@dataclass(frozen=True)
class Fragment:
    """A piece of code that tells something, in one of its forms; ``kind`` says which."""

    steps: tuple[Step, ...]
    kind: str
    form: str

    @property
    def line(self) -> int:
        """The line it begins on."""
        return self.steps[0].line

    @property
    def text(self) -> str:
        """How it may be written."""
        return "\n".join(" = ".join(map(ast.unparse, (*step.targets, step.value))) for step in self.steps)


def fragments(runs: Iterable[Sequence[Step]]) -> Iterator[Fragment]:
    """Everything telling in runs of statements, each of which follow one another."""
    for steps in runs:
        for step in steps:
            for node in _large(step.value)[1]:
                yield from _telling([Step(step.line, node)])
        for at in range(len(steps)):
            yield from _telling(steps[at : at + MOST_STATEMENTS])


def _large(node: ast.AST) -> tuple[int, list[ast.expr]]:
    """How much a node can tell, and the expressions in it that can tell enough."""
    parts = [_large(inner) for inner in ast.iter_child_nodes(node)]
    weight = sum(part[0] for part in parts) + isinstance(node, (ast.Name, ast.arg, *_COUNTED))
    nodes = [node] if isinstance(node, ast.expr) and weight >= min(TELLING.values())[0] else []
    return weight, sum((part[1] for part in parts), nodes)


def _telling(steps: Sequence[Step]) -> Iterator[Fragment]:
    """The first steps of some, as few as tell something; a single one if it is an expression."""
    alone = not steps[0].targets and len(steps) == 1
    for kind, limits in TELLING.items():
        form = _Form(keep_names=kind == "verbatim")
        parts = []
        for number, step in enumerate(steps):
            parts.append(form.of(step.value) if alone else f"{form.of(step.value)}->{form.of(step.targets)}")
            if form.tells >= limits[not alone] and (alone or number):
                yield Fragment(tuple(steps[: number + 1]), kind, ";".join(parts))
                break


class _Form:
    """Writes nodes in one form, and counts what they tell."""

    def __init__(self, *, keep_names: bool) -> None:
        self.tells = 0
        self._keep_names = keep_names
        self._numbers: dict[str, int] = {}

    def of(self, node: object) -> str:
        if isinstance(node, list | tuple):
            return f"[{','.join(map(self.of, node))}]"
        if not isinstance(node, ast.AST):
            return repr(node)
        name = _name(node)
        if name is not None:
            return self._named(name)
        self.tells += isinstance(node, _COUNTED)
        if isinstance(node, ast.Constant):
            return repr(float(node.value) if type(node.value) is int else node.value)
        fields = [value for key, value in ast.iter_fields(node) if key not in {"ctx", "annotation", "type_comment"}]
        return f"{type(node).__name__}({','.join(map(self.of, fields))})"

    def _named(self, name: str) -> str:
        if name in _BUILTINS:
            return name
        self.tells += self._keep_names
        return name if self._keep_names else f"_{self._numbers.setdefault(name, len(self._numbers))}"


def _name(node: ast.AST) -> str | None:
    """The name that may be another one without changing anything: a variable, an argument, what ``self`` holds."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return node.attr
    return None


# Where steps are ------------------------------------------------------------------------------------------


def steps_of(tree: ast.Module) -> list[Step]:
    """Everything that a program does, in the order in which it is written. Imports and docstrings do nothing."""
    return [step for statement in tree.body for step in _steps(statement)]


def _steps(statement: ast.stmt) -> Iterator[Step]:
    yield from _own_steps(statement)
    for field in ("body", "handlers", "orelse", "finalbody"):
        for inner in getattr(statement, field, ()):
            yield from _steps(inner)


def _own_steps(statement: ast.stmt) -> Iterator[Step]:
    """What a statement does, apart from the statements in it."""
    line = statement.lineno
    match statement:
        case ast.Expr(value=value) | ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield Step(line, value)
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            yield from (Step(line, value, (name,)) for name, value in zip(names, values, strict=True))
        case ast.Assign(targets=targets, value=value):
            yield Step(line, value, tuple(targets))
        case ast.AugAssign(target=target, op=op, value=value):
            yield Step(line, ast.BinOp(target, op, value), (target,))
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.For(target=target, iter=value):
            yield Step(line, value, (target,))
        case ast.If(test=value) | ast.While(test=value) | ast.Assert(test=value):
            yield Step(line, value)
        case ast.With(items=items):
            yield from (Step(line, item.context_expr) for item in items)


def parse(code: str) -> ast.Module | None:
    """The syntax tree of some code; None if it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def trees_in_cell(code: str) -> Iterator[ast.Module]:
    """The syntax tree of each statement of a code cell, with magics undone; what cannot be read is left out."""
    for piece in read_code(code):
        tree = parse("\n" * (piece.line - 1) + piece.source) if isinstance(piece, Piece) else None
        if tree is not None:
            yield tree


def steps_in_cell(code: str) -> list[Step]:
    """The steps of a code cell."""
    return [step for tree in trees_in_cell(code) for step in steps_of(tree)]


def steps_in_text(text: str) -> list[list[Step]]:
    """The runs of steps that stand in a text, on lines of their own or between backquotes, whatever is around them."""
    lines = text.split("\n")
    runs: list[list[Step]] = [[]]
    at = 0
    while at < len(lines):
        tree, count = _statement(lines, at)
        if tree is not None:
            runs[-1] += steps_of(ast.increment_lineno(tree, at))
        elif not _BETWEEN.match(lines[at]):
            runs.append([])
        at += count
    for inline in _INLINE.finditer(text):
        tree = parse(" ".join(inline[2].split()))
        if tree is not None:
            runs.append(steps_of(ast.increment_lineno(tree, text.count("\n", 0, inline.start()))))
    return [run for run in runs if run]


def _statement(lines: list[str], at: int) -> tuple[ast.Module | None, int]:
    """The statement that begins on a line of a text, and how many lines it takes."""
    taken = ""
    for count in range(1, min(MOST_LINES, len(lines) - at) + 1):
        taken += (_NEXT_PROMPT if taken else _PROMPT).sub("", lines[at + count - 1], count=1) + "\n"
        code = taken.strip()
        if not code:
            break
        tree = parse(f"{code} pass" if _HEADER.match(code) else code)
        if tree is not None:
            return tree, count
        if not code.endswith("\\") and sum(map(code.count, "([{")) <= sum(map(code.count, ")]}")):
            break
    return None, 1
