"""The Python in a code cell: its top-level statements, with magics undone, and what is wrong with the rest.

Magics are undone here, line for line, so that line numbers stay true. (IPython's own transformation moves lines, takes
0.15 s to import, and refuses a whole cell for one mistake.)
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FAILURES = 64
"""How many attempts to parse one cell, or a part of it, may fail before the rest of it is given up."""

MAX_LINE = 200
"""How much of a line is looked at to explain what is wrong with it."""

TOO_DEEP = "this is nested too deeply to be read; write it in several steps"

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
    line: int


_FRESH_LINE = re.compile(r"(?!(?:else|elif|except|finally)\b)[^\W\d]|[@%!?]")
"""The start of a line at which a top-level statement may begin."""
_QUOTES = re.compile(r"\"{3}|'{3}")


def read_code(text: str) -> Iterator[Piece | Fault]:
    """The statements of a cell in order, and a fault for each part that cannot be read.

    A cell that does not parse is parted at the error: the lines from one unindented start to the next are given up,
    what stands before and after them is read on its own.
    """
    tree = _parse(text, 0)
    if not isinstance(tree, Fault):
        yield from _pieces(tree, text, 0)
        return
    conflict = CONFLICT.search(text)
    if conflict:
        message = "a merge conflict was left here; choose one side and delete the <<<<<<<, ======= and >>>>>>> lines"
        yield Fault(message, text.count("\n", 0, conflict.start()) + 1)
        return
    lines = _python_lines(text)
    todo = [(0, len(lines))]
    failures = 0
    while todo:
        start, end = todo.pop()
        code = _without_magics("\n".join(lines[start:end]))
        tree = _parse(code, start)
        if not isinstance(tree, Fault):
            yield from _pieces(tree, code, start)
            continue
        failures += 1
        if failures > MAX_FAILURES:
            yield Fault(f"{tree.message}; the rest of the cell is left out, for it holds too many errors", tree.line)
            return
        first, stop = _part_with(tree.line - 1, lines, start, end)
        if (first, stop) == (start, end):
            yield tree
        else:
            todo += [part for part in ((stop, end), (first, stop), (start, first)) if part[0] < part[1]]


def _part_with(error: int, lines: list[str], start: int, end: int) -> tuple[int, int]:
    """The lines of the top-level statement in which line ``error`` stands, as well as that can be told."""
    first, stop = start, end
    inside = ""  # the quotes of a docstring that is open
    for at in range(start, end):
        if _FRESH_LINE.match(lines[at]) and not (at > start and lines[at - 1].startswith("@")):
            if at <= error:
                first, inside = at, ""  # even in a docstring: it may be one that was never closed
            elif not inside:
                return first, at
            elif stop == end:
                stop = at  # if the docstring is never closed, this is where it should have been
        for quotes in _QUOTES.findall(lines[at]):
            inside = "" if quotes == inside else inside or quotes
    return first, stop if inside else end


def _parse(code: str, above: int) -> ast.Module | Fault:
    """The syntax tree, its lines counted as in the cell, in which ``above`` lines stand before ``code``."""
    lines = code.split("\n")
    if "\0" in code:
        at = next(at for at, line in enumerate(lines) if "\0" in line)
        return Fault("a null byte, which nobody can see, stands here; delete it", above + at + 1)
    try:
        return ast.parse("\n" * above + code)
    except SyntaxError as error:
        at = min(max((error.lineno or 1) - above - 1, 0), len(lines) - 1)
        return Fault(_explain(error, lines[at]), above + at + 1)
    except (RecursionError, MemoryError):
        return Fault(TOO_DEEP, above + 1)


def _pieces(tree: ast.Module, code: str, above: int) -> Iterator[Piece | Fault]:
    """The statements of a tree, each checked for what only the compiler notices: ``return`` outside a function."""
    lines = code.encode().split(b"\n")  # the tree counts columns in bytes
    for node in tree.body:
        decorators = [decorator.lineno for decorator in getattr(node, "decorator_list", [])]
        start = (min(decorators), 0) if decorators else (node.lineno, node.col_offset)
        source = _text(lines, (start[0] - above, start[1]), ((node.end_lineno or 0) - above, node.end_col_offset or 0))
        if source != "pass":  # nothing, or a magic stood here
            yield _compile_fault(source, start[0] - 1) or Piece(source, start[0])


def _compile_fault(source: str, above: int) -> Fault | None:
    try:
        compile(source, "<cell>", "exec", dont_inherit=True)
    except SyntaxError as error:
        at = min(max((error.lineno or 1) - 1, 0), source.count("\n"))
        return Fault(_explain(error, source.split("\n")[at]), above + at + 1)
    except (RecursionError, MemoryError):
        return Fault(TOO_DEEP, above + 1)
    return None


def _text(lines: list[bytes], start: tuple[int, int], end: tuple[int, int]) -> str:
    """What stands from ``start``, a line from 1 and a column, to ``end``."""
    (first, column), (last, stop) = start, end
    if first == last:
        return lines[first - 1][column:stop].decode()
    return b"\n".join([lines[first - 1][column:], *lines[first : last - 1], lines[last - 1][:stop]]).decode()


# What notebooks allow beyond Python -----------------------------------------------------------------------

_RUNS_PYTHON = re.compile(r"%%(time|timeit|capture|prun|mprun|lprun|memit)\b")
_TIMED = re.compile(r"([ \t]*+)%time[ \t]+(?=\S)")
_MAGIC = re.compile(
    r"([ \t]*+)(?:%%?[A-Za-z]|!|\?{1,2}[\w.%]"  # %matplotlib inline, !pip install, ?name
    r"|[\w.%*]+\?{1,2}[ \t]*$"  # name?
    r"|[\w., \t]+=[ \t]*(?:!|%[A-Za-z]))"  # files = !ls
    r"(?:\\\n|[^\n])*",  # to the end of the line, and of those that it goes on in
    re.MULTILINE,
)
_LEXEME = re.compile(
    r"#[^\n]*|(\"\"\"|\'\'\')(?:\\.|.)*?(?:\1|\Z)|\"(?:\\.|[^\"\\\n])*\"|\'(?:\\.|[^\'\\\n])*\'"
    r"|[^#\"\'\\()\[\]{}\n]+|\\\n|.",
    re.DOTALL,
)


def _python_lines(text: str) -> list[str]:
    """The lines of a cell without what stands around its Python; all of them empty if it is in another language."""
    lines = text.split("\n")
    heads = [at for at, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    if heads:  # a cell that is indented as a whole runs
        margin = lines[heads[0]][: -len(lines[heads[0]].lstrip())]
        lines = [line.removeprefix(margin) for line in lines]
    for head in heads:
        if not lines[head].startswith("%%"):
            break
        if not _RUNS_PYTHON.match(lines[head]):
            return [""] * len(lines)
        lines[head] = ""
    return lines


def _without_magics(code: str) -> str:
    """The code with ``pass`` for each magic and shell command; every line keeps its number.

    Only the beginning of a statement can be one: in a string, in brackets and after a backslash, a percent sign is no
    magic.
    """
    done: list[str] = []
    place = depth = 0
    fresh = True
    while place < len(code):
        timed = _TIMED.match(code, place) if fresh else None
        magic = _MAGIC.match(code, place) if fresh else None
        found = timed or magic or _LEXEME.match(code, place)
        assert found is not None
        place = found.end()
        if timed:
            done.append(timed[1])
            continue
        fresh = False
        if magic:
            done.append(magic[1] + "pass" + "\n" * magic[0].count("\n"))
            continue
        lexeme = found[0]
        done.append(lexeme)
        if lexeme in "([{":
            depth += 1
        elif lexeme in ")]}":
            depth = max(0, depth - 1)
        fresh = lexeme == "\n" and depth == 0
    return "".join(done)


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
    (r"invalid syntax", r"^raise\s+[\w.]+\s*,", "Python 2's raise statement; write raise Error(...)"),
    (r"invalid syntax", r"\bur['\"]", "Python 2's ur'...' string; write r'...'"),
    (r"^'a(wait|sync \w+)' outside", r"", "await outside a function works in Jupyter only; it is left out"),
    (r"asynchronous comprehension outside", r"", "await outside a function works in Jupyter only; it is left out"),
]
"""Python's message, what the line holds outside its strings and comments, and what to say instead."""

_QUOTED = re.compile(r"#.*|(['\"])(?:\\.|(?!\1).)*\1")


def _explain(error: SyntaxError, line: str) -> str:
    """One sentence for a student: what it is, and the line itself."""
    said, line = error.msg, line.strip()[:MAX_LINE]
    bare = _QUOTED.sub(r"\1\1", line)
    for message, text, better in _EXPLAINED:
        if re.search(message, said) and re.search(text, bare):
            quoted = re.search(r"'.'", said)
            return better.format(quoted=quoted[0] if quoted else "")
    shown = line if len(line) <= 60 else line[:57] + "..."
    return f"not valid Python ({said}): {shown}" if shown else f"not valid Python ({said})"


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
_OLD_NUMPY = dict.fromkeys(("int", "float", "object", "str", "complex"), "") | {
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
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
