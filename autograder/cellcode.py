"""The Python in a code cell: its top-level statements, with magics undone, and what is wrong with the rest.

Magics are undone here, line for line, so that line numbers stay true. (IPython's own transformation moves lines, takes
0.15 s to import, and refuses a whole cell for one mistake.)
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_REPAIRS = 32
"""How often one cell is parted at a syntax error before the rest of it is given up."""

CONFLICT = re.compile(r"^<{7}(?= |$)", re.MULTILINE)
"""The first line that an unresolved merge leaves."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One top-level statement, and the line of the cell at which it begins."""

    source: str
    line: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What cannot be read, and the line of the cell at which it stands."""

    message: str
    line: int | None


_FRESH_LINE = re.compile(r"(?!(?:else|elif|except|finally)\b)[^\W\d]|@")
"""The start of a line at which a top-level statement may begin."""


def read_code(text: str) -> Iterator[Piece | Fault]:
    """The statements of a cell in order, and a fault for each part that cannot be read.

    A cell that does not parse is parted at the error: the lines from one unindented start to the next are given up,
    what stands before and after them is read on its own.
    """
    conflict = CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        message = "a merge conflict was left here; choose one side and delete the <<<<<<<, ======= and >>>>>>> lines"
        yield Fault(message, line)
        return
    tree = _parse(text, 0)
    lines = text.split("\n")
    if isinstance(tree, Fault):
        lines = _without_magics(lines)
    todo = [(0, len(lines))]
    failures = 0
    while todo:
        start, end = todo.pop()
        if not any(line.strip() for line in lines[start:end]):
            continue
        code = "\n".join(lines[start:end])
        tree = _parse(code, start)
        if not isinstance(tree, Fault):
            yield from _pieces(tree, code, lines, start)
            continue
        failures += 1
        first, stop = _part_with(min(max(start, (tree.line or 1) - 1), end - 1), lines, start, end)
        if (first, stop) == (start, end) or failures > MAX_REPAIRS:
            yield tree
        else:
            todo += [(stop, end), (first, stop), (start, first)]


def _part_with(error: int, lines: list[str], start: int, end: int) -> tuple[int, int]:
    """The lines of the top-level statement in which line ``error`` stands, as well as that can be told."""
    fresh = [
        at
        for at in range(start, end)
        if _FRESH_LINE.match(lines[at]) and not (at > start and lines[at - 1].startswith("@"))
    ]
    first = max((at for at in fresh if at <= error), default=start)
    later = [at for at in fresh if at > error]
    for stop in later:
        inside = "\n".join(lines[first:stop])
        if inside.count('"""') % 2 == 0 and inside.count("'''") % 2 == 0:
            return first, stop  # not in the middle of a docstring
    return first, later[0] if later else end


def _parse(code: str, above: int) -> ast.Module | Fault:
    """The syntax tree; ``above`` lines stand before ``code`` in its cell."""
    try:
        return ast.parse("\n" * above + code)
    except SyntaxError as error:
        at = (error.lineno or 0) - above - 1
        lines = code.split("\n")
        return Fault(_explain(error, lines[at] if 0 <= at < len(lines) else ""), error.lineno)
    except (RecursionError, MemoryError):
        return Fault("nested too deeply to be read", above + 1)
    except ValueError as error:  # null bytes, integers of thousands of digits
        return Fault(f"not valid Python ({error})", above + 1)


def _pieces(tree: ast.Module, code: str, lines: list[str], above: int) -> Iterator[Piece | Fault]:
    """The statements of a tree, each checked for what only the compiler notices: ``return`` outside a function."""
    sound = _compile_fault(code, above) is None
    for node in tree.body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        source = _text(lines, first, 0 if first < node.lineno else node.col_offset, node)
        if source == "pass":
            continue  # nothing, or a magic stood here
        fault = None if sound else _compile_fault(source, first - 1)
        yield fault or Piece(source, first)


def _compile_fault(source: str, above: int) -> Fault | None:
    try:
        compile("\n" * above + source, "<cell>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return Fault(f"not valid Python ({error.msg})", error.lineno)
    except (RecursionError, MemoryError, ValueError):
        return Fault("nested too deeply to be read", above + 1)
    return None


def _text(lines: list[str], first: int, column: int, node: ast.stmt) -> str:
    """The text from ``column`` of line ``first`` to the end of ``node``; columns count bytes, as they do in a tree."""
    last, end = node.end_lineno or first, node.end_col_offset
    text = lines[first - 1 : last]
    text[-1] = text[-1].encode()[:end].decode()
    text[0] = text[0].encode()[column:].decode()
    return "\n".join(text)


# What notebooks allow beyond Python -----------------------------------------------------------------------

_RUNS_PYTHON = re.compile(r"\s*%%(time|timeit|capture|prun|mprun|lprun|memit)\b")
_TIMED = re.compile(r"(\s*)%time\s+(.*)")
_MAGIC = re.compile(
    r"(\s*)(?:%%?[A-Za-z]|!|\?{1,2}[\w.%]"  # %matplotlib inline, !pip install, ?name
    r"|[\w.%*]+\?{1,2}\s*$"  # name?
    r"|[\w.,\s]+=\s*(?:!|%[A-Za-z]))"  # files = !ls
)
_LEXEME = re.compile(
    r"#[^\n]*|(\"\"\"|\'\'\')(?:\\.|.)*?(?:\1|\Z)|\"(?:\\.|[^\"\\\n])*\"|\'(?:\\.|[^\'\\\n])*\'|[()\[\]{}]|\n",
    re.DOTALL,
)


def _without_magics(lines: list[str]) -> list[str]:
    """The same number of lines, with ``pass`` for each magic, and nothing at all for a cell in another language."""
    lines = _dedented(lines)
    head = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), 0)
    if lines[head].startswith("%%"):
        if not _RUNS_PYTHON.match(lines[head]):
            return [""] * len(lines)
        lines[head] = ""
    inside = _inside("\n".join(lines))
    for at, line in enumerate(lines):
        magic = _MAGIC.match(line)
        if not magic or at in inside.strings or (magic[1] and at in inside.brackets):
            continue
        timed = _TIMED.match(line)
        lines[at] = timed[1] + timed[2] if timed else magic[1] + "pass"
        while not timed and line.endswith("\\") and at + 1 < len(lines):
            at += 1  # noqa: PLW2901 - a magic that goes on in the next line
            line, lines[at] = lines[at], ""  # noqa: PLW2901
    return lines


def _dedented(lines: list[str]) -> list[str]:
    """Without the first line's indentation: a notebook runs a cell that is indented as a whole."""
    first = next((line for line in lines if line.strip()), "")
    margin = first[: len(first) - len(first.lstrip())]
    return [line.removeprefix(margin) for line in lines]


@dataclass(frozen=True, slots=True)
class _Inside:
    """The lines, from 0, that begin within a string of several lines, and those that begin within brackets."""

    strings: frozenset[int]
    brackets: frozenset[int]


def _inside(code: str) -> _Inside:
    strings, brackets = set(), set()
    line = depth = 0
    for lexeme in _LEXEME.finditer(code):
        text = lexeme[0]
        ended = text.count("\n")
        if text == "\n":
            if depth > 0:
                brackets.add(line + 1)
        elif ended:
            strings.update(range(line + 1, line + ended + 1))
        elif text in "([{":
            depth += 1
        elif text in ")]}":
            depth -= 1
        line += ended
    return _Inside(frozenset(strings), frozenset(brackets))


# What Python's own messages leave out ---------------------------------------------------------------------

_EXPLAINED = [
    (r"call to 'print'", r"", "Python 2's print statement; write print(...)"),
    (r"call to 'exec'", r"", "Python 2's exec statement; write exec(...)"),
    (r"multiple exception types", r"", "Python 2's way to catch an exception; write except Error as e:"),
    (r"inconsistent use of tabs", r"", "tabs and spaces are mixed in the indentation; indent with four spaces"),
    (r"was never closed", r"", "the bracket {quoted} is never closed"),
    (r"non-printable character", r"", "an invisible character was pasted in; delete it and type a space"),
    (r"leading zeros", r"", "Python 2's octal number; write 0o17 for 017, or leave the zeros out"),
    (r"invalid decimal literal", r"\d[lL]\b", "Python 2's long integer; leave the L out"),
    (r"invalid syntax", r"<>", "Python 2's <> operator; write !="),
    (r"", r"`", "backticks are no Python; write repr(...) for Python 2's `...`"),
    (r"invalid syntax", r"\s*raise\s+[\w.]+\s*,", "Python 2's raise statement; write raise Error(...)"),
    (r"invalid syntax", r".*\bur['\"]", "Python 2's ur'...' string; write r'...'"),
]
"""Python's message, the start of the line, and what to say instead."""


def _explain(error: SyntaxError, line: str) -> str:
    """One sentence for a student: what it is, and the line itself."""
    said = error.msg
    for message, text, better in _EXPLAINED:
        if re.search(message, said) and (re.match(text, line) or (text and re.search(text, _bare(line)))):
            quoted = re.search(r"'.'", said)
            return better.format(quoted=quoted[0] if quoted else "")
    shown = line.strip()
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return f"not valid Python ({said}): {shown}" if shown else f"not valid Python ({said})"


def _bare(line: str) -> str:
    return _LEXEME.sub("", line)


# What parses and then fails -------------------------------------------------------------------------------

_OLD_NAMES = {
    "xrange": "xrange was Python 2's name for range",
    "raw_input": "raw_input was Python 2's name for input",
    "unicode": "unicode was Python 2's name for str",
    "basestring": "basestring was Python 2's name for str and unicode; write str",
    "long": "long was Python 2's name for int",
    "unichr": "unichr was Python 2's name for chr",
    "reduce": "reduce is no longer built in; write from functools import reduce",
}
_OLD_METHODS = {
    "has_key": ".has_key(k) was Python 2; write k in d",
    "iteritems": ".iteritems() was Python 2; write .items()",
    "iterkeys": ".iterkeys() was Python 2; write .keys()",
    "itervalues": ".itervalues() was Python 2; write .values()",
}
_OLD_NUMPY = dict.fromkeys(("int", "float", "bool", "object", "str", "complex"), "") | {
    "long": "int",
    "unicode": "str",
    "float_": "np.float64",
    "complex_": "np.complex128",
    "Inf": "np.inf",
    "Infinity": "np.inf",
    "infty": "np.inf",
    "NaN": "np.nan",
    "product": "np.prod",
    "cumproduct": "np.cumprod",
    "sometrue": "np.any",
    "alltrue": "np.all",
    "asscalar": "x.item()",
    "round_": "np.round",
    "trapz": "np.trapezoid",
    "in1d": "np.isin",
}


def old_habits(source: str) -> list[str]:
    """Sentences on what ``source`` uses that Python 3 or NumPy 2 took away: it parses, and fails when it runs.

    For the grader to add when a call ended in a NameError, an AttributeError or a TypeError.
    """
    tree = _parse(source, 0)
    if isinstance(tree, Fault):
        return []
    nodes = list(ast.walk(tree))
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    bound |= {alias.asname or alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    found = [_old_habit(node, bound) for node in nodes]
    return list(dict.fromkeys(sentence for sentence in found if sentence))


def _old_habit(node: ast.AST, bound: set[str]) -> str | None:
    match node:
        case ast.Name(id=name) if name not in bound:
            return _OLD_NAMES.get(name)
        case ast.Attribute(value=ast.Name(id="np" | "numpy" as module), attr=name) if name in _OLD_NUMPY:
            return f"{module}.{name} is gone from NumPy; write {_OLD_NUMPY[name] or name}"
        case ast.Attribute(attr=name):
            return _OLD_METHODS.get(name)
        case ast.BinOp(left=ast.Name(id="print"), op=ast.RShift()):
            return "print >>file was Python 2; write print(..., file=file)"
    return None
