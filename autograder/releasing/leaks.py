"""What students must not be given, looked for in everything that they are given.

Secret are the answers between the markers of the source notebooks, the hidden suites and the words of known mistakes.
Not secret is a line of an answer that ends in ``# given``: the notebook tells it to students on purpose.
They are looked for as code (:mod:`autograder.releasing.fragments`) and word for word, in every file, and in all that a
notebook holds. A function or class that is called like a question, and is not a stub, is a leak whatever its code is.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from autograder.errors import SuiteError, line_in, said
from autograder.releasing.fragments import fragments, steps_in_cell, steps_in_text, steps_of, trees_in_cell
from autograder.releasing.passages import passages
from autograder.sources import BEGIN, END

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from autograder.course import AssignedNotebook, Assignment
    from autograder.releasing.fragments import Fragment
    from autograder.releasing.passages import Passage
    from coursekit.notebook import Cell

_MARKER = re.compile(r"\b(?:BEGIN|END) (?:SOLUTION|HIDDEN TESTS|MARK SCHEME)\b")
_GIVEN = re.compile(r"#\s*given\s*$")
_SIGNS = re.compile(r"\w+|[^\w\s]")
_WORDS = re.compile(r"\w+")
_SENTENCE = re.compile(r"(?<=[.?!:])\s+|\n\s*\n")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SHORTEST, LONGEST = 5, 16
"""Words in a row that are looked for: fewer tell nothing, and a longer sentence of an answer is looked for in parts."""


@dataclass(frozen=True)
class Leak:
    """Something secret: where it stands, what stands there, and what it gives away."""

    where: str
    text: str
    gives: str

    def __str__(self) -> str:
        text = " ".join(self.text.split())
        return f"{self.where}: {text if len(text) <= 100 else f'{text[:97]}...'}\n    {self.gives}"


def find_leaks(assignment: Assignment, folder: Path) -> list[Leak]:
    """What the files of a folder tell of an assignment's solutions and suites; the first leak of each line.

    Raises:
        SuiteError: a suite, or what lies beside it, is no Python.
    """
    secrets = _Secrets(assignment)
    found: dict[str, Leak] = {}
    for passage in passages(folder):
        for line, text, gives in secrets.told_by(passage):
            leak = Leak(passage.at(line), text, gives)
            found.setdefault(leak.where, leak)
    return list(found.values())


class _Phrases:
    """Pieces of text, looked for whatever stands between their words and on whatever lines."""

    def __init__(self, words: re.Pattern[str]) -> None:
        self._pattern = words
        self._known: dict[tuple[str, ...], list[tuple[list[str], str]]] = {}  # by the words that they begin with

    def keep(self, text: str, told: str, longest: int | None = None) -> None:
        words = self._pattern.findall(text)
        size = min(len(words), longest or len(words))
        if size >= SHORTEST:
            for at in range(len(words) - size + 1):
                part = words[at : at + size]
                self._known.setdefault(tuple(part[:SHORTEST]), []).append((part, told))

    def found_in(self, text: str) -> Iterator[tuple[int, str]]:
        """On which line one begins, and what it is."""
        found = list(self._pattern.finditer(text))
        words = [word[0] for word in found]
        for at in range(len(words) - SHORTEST + 1):
            for part, told in self._known.get(tuple(words[at : at + SHORTEST]), ()):
                if words[at : at + len(part)] == part:
                    yield text.count("\n", 0, found[at].start()) + 1, told


class _Secrets:
    """All that must not be given, ready to be looked for."""

    def __init__(self, assignment: Assignment) -> None:
        self._forms: dict[tuple[str, str], str] = {}
        self._words, self._signs = _Phrases(_WORDS), _Phrases(_SIGNS)
        self._questions: dict[tuple[str, str], str] = {}
        for notebook in assignment.notebooks:
            self._keep_answers(notebook)
            for name in notebook.names:
                owner, _, method = name.partition(".")
                self._questions[_plain(owner), method] = name
            for known in notebook.misconceptions:
                for words in (known.explanation, known.hint):
                    self._words.keep(words.lower(), f"words of the known mistake {known.name!r} in {known.question}")
        for folder in {notebook.suite.parent for notebook in assignment.notebooks}:
            for path in sorted(folder.glob("*.py")):
                self._keep_suite(path)

    def _keep_answers(self, notebook: AssignedNotebook) -> None:
        for cell in notebook.source.cells:
            where = f"of the answer in {notebook.path.name}, cell {cell.number}"
            for lines in _answers(cell):
                if cell.kind == "code":
                    secret = {number for number, line in lines.items() if not _GIVEN.search(line)}
                    steps = [(step.line in secret, step) for step in steps_in_cell(cell.source) if step.line in lines]
                    runs = [[step for _, step in run] for hidden, run in groupby(steps, itemgetter(0)) if hidden]
                    for fragment in fragments(runs):
                        self._keep_fragment(fragment, where)
                    comments = [text for number, text in lines.items() if text.lstrip().startswith("#")]
                    self._keep_words("\n".join(comments), f"a comment {where}")
                else:
                    self._keep_words("\n".join(lines.values()), f"words {where}")

    def _keep_suite(self, path: Path) -> None:
        try:
            tree = ast.parse(path.read_bytes(), path)
        except (SyntaxError, ValueError) as error:
            told = f"{path}{line_in(path, error)} does not run: {said(error)}."
            raise SuiteError(told, "Correct it, and run the command again.") from None
        for fragment in fragments([steps_of(tree)]):
            if fragment.kind == "verbatim":  # what else a test does, any code may do
                self._keep_fragment(fragment, f"of the hidden {path.name}")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                self._words.keep((ast.get_docstring(node) or "").lower(), f"words of the hidden {path.name}")

    def _keep_fragment(self, fragment: Fragment, where: str) -> None:
        renamed = ", under other names" if fragment.kind == "renamed" else ""
        self._forms.setdefault((fragment.kind, fragment.form), f"code {where}{renamed}")
        if fragment.kind == "verbatim":
            self._signs.keep(fragment.text, f"code {where}")

    def _keep_words(self, text: str, where: str) -> None:
        for sentence in _SENTENCE.split(text):
            self._words.keep(sentence.lower(), where, LONGEST)

    def told_by(self, passage: Passage) -> Iterator[tuple[int, str, str]]:
        """What a passage gives away: on which line, the text there, and what it is."""
        lines = passage.text.split("\n")
        for number, line in enumerate(lines, start=1):
            if _MARKER.search(line):
                yield number, line, "a marker, which nbgrader takes out together with what it encloses"
        for fragment in _fragments_in(passage.text, is_code=passage.is_code):
            gives = self._forms.get((fragment.kind, fragment.form))
            if gives:
                yield fragment.line, lines[fragment.line - 1], gives
        if passage.is_code:
            yield from self._answered(passage.text)
        for number, gives in chain(self._words.found_in(passage.text.lower()), self._signs.found_in(passage.text)):
            yield number, lines[number - 1], gives

    def _answered(self, code: str) -> Iterator[tuple[int, str, str]]:
        """Functions, classes and methods called like a question, unless they are stubs."""
        for node in (node for tree in trees_in_cell(code) for node in _defined(tree)):
            methods = [each for each in ast.walk(node) if isinstance(each, FUNCTIONS)]
            for method, body in [("", node), *((each.name, each) for each in methods)]:
                question = self._questions.get((_plain(node.name), method))
                if question and not _is_stub(body):
                    yield node.lineno, node.name, f"is called like the question {question}, and is no stub"


@lru_cache(maxsize=10_000)  # assignments are given the same modules
def _fragments_in(text: str, *, is_code: bool) -> list[Fragment]:
    return list(fragments([steps_in_cell(text)] if is_code else steps_in_text(text)))


def _answers(cell: Cell) -> Iterator[dict[int, str]]:
    """The lines of each answer in a cell: those between markers, or all of a cell without any that is an answer."""
    lines = dict(enumerate(cell.source.split("\n"), start=1))
    if BEGIN not in cell.source:
        if cell.nbgrader.get("solution"):
            yield lines
        return
    inside: dict[int, str] = {}
    for number, line in lines.items():
        if BEGIN in line:
            inside = {}
        elif END in line:
            yield inside
        else:
            inside[number] = line


def _defined(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """The functions and classes that code defines, in an if, a try or a loop too, but not those within others."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, (*FUNCTIONS, ast.ClassDef)):
            yield inner
        else:
            yield from _defined(inner)


def _plain(name: str) -> str:
    """A name without what conventions make of it: ``two_layers_backward`` and ``TwoLayers`` are the same."""
    short = name.lower().replace("_", "")
    return re.sub("(?<=.)(?:forward|backward)$", "", short)


def _is_stub(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Raise) and "NotImplementedError" in ast.unparse(each) for each in ast.walk(node))
