"""All that can be read in a folder: of each file its text, of a notebook also what Jupyter does not show at once."""

from __future__ import annotations

import ast
import base64
import binascii
import html
import io
import json
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograder.releasing.fragments import trees_in_cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHORTEST_RUN = 12
"""Characters in a row that are text in a file of bytes."""
_MARKUP = (".html", ".svg", ".xml", "html", "xml")
_TAG = re.compile(r"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")


@dataclass(frozen=True)
class Passage:
    """Some text of a file.

    ``place`` says where in the file it stands, if it is a notebook; ``line`` is the number of its first line there.
    """

    file: str
    text: str
    is_code: bool = False
    place: str = ""
    line: int = 1

    def at(self, line: int) -> str:
        """Where one of its lines is, counted from 1, in words."""
        return ", ".join(filter(None, (self.file, self.place, f"line {line + self.line - 1}")))


def passages(folder: Path) -> Iterator[Passage]:
    """The passages of every file in a folder, files in the order of their names."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        data = path.read_bytes()
        if path.suffix == ".ipynb":
            yield from _of_notebook(name, json.loads(data))
        elif path.suffix == ".py":
            yield from _of_code(Passage(name, data.decode(), is_code=True))
        else:
            yield Passage(name, _text(data, path.suffix))


def _of_code(code: Passage) -> Iterator[Passage]:
    """Code, and the text that stands in it: its strings and comments."""
    yield code
    for node in (node for tree in trees_in_cell(code.text) for node in ast.walk(tree)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip():
            yield Passage(code.file, node.value, place=code.place, line=code.line + node.lineno - 1)
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code.text).readline))
    except (tokenize.TokenError, SyntaxError):
        return
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    if comments:  # line for line, so that one that goes on in the next is read as a whole
        first = min(comments)
        text = "\n".join(comments.get(line, "") for line in range(first, max(comments) + 1))
        yield Passage(code.file, text, place=code.place, line=code.line + first - 1)


def _of_notebook(file: str, content: dict[str, Any]) -> Iterator[Passage]:
    for number, cell in enumerate(content["cells"], start=1):
        place = f"cell {number}"
        for key, value in cell.items():
            if key == "source" and cell["cell_type"] == "code":
                yield from _of_code(Passage(file, _joined(value), is_code=True, place=place))
            elif key == "source":
                yield Passage(file, _joined(value), place=place)
            else:
                yield from _of_json(file, f"{place} ({key})", value, key)
    rest = {key: value for key, value in content.items() if key != "cells"}
    yield from _of_json(file, "metadata of the notebook", rest, "")


def _of_json(file: str, place: str, value: Any, key: str) -> Iterator[Passage]:
    """The strings in a value; a list of strings is one, cut into lines. What stands under a type is of that type."""
    if isinstance(value, str) or (isinstance(value, list) and value and all(isinstance(each, str) for each in value)):
        yield Passage(file, _of_type(key, _joined(value)), place=place)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield Passage(file, name, place=place)
            yield from _of_json(file, place, inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _of_json(file, place, inner, key)


def _of_type(kind: str, text: str) -> str:
    """The text of what a notebook holds of some type; what is no text, such as a picture, is written in base 64."""
    if kind.endswith(_MARKUP):
        return _text(text.encode(), kind)
    if "/" not in kind or kind.startswith("text/"):
        return text
    try:
        return _text(base64.b64decode(text, validate=False), kind)
    except (binascii.Error, ValueError):
        return text


def _text(data: bytes, kind: str) -> str:
    """The text in some bytes: what can be read of them; of a page or figure, as it is written and as it is shown."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        runs = re.findall(rb"[\t\n\r -~]{%d,}" % SHORTEST_RUN, data)
        return b"\n".join(runs).decode("ascii")
    return f"{text}\n{html.unescape(_TAG.sub(' ', text))}" if kind.endswith(_MARKUP) else text


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)
