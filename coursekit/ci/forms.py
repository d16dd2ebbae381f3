"""The forms in which a :class:`Run` is told: JUnit XML, Markdown, GitHub's annotations, plain text.

What a student's code says can be in any of it, so each form is escaped by its own rules.
"""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from collections import Counter
from typing import TYPE_CHECKING

from coursekit.ci.verdicts import FAILED, PASSED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coursekit.ci.verdicts import Question, Run

MAX_SUMMARY = 900_000
"""Characters of Markdown; GitHub takes up to 1 MiB."""
MAX_ANNOTATION = 4000
"""Characters of one annotation; GitHub cuts longer ones itself."""
MARKS = {True: "✓", False: "✗"}


def junit(run: Run) -> str:
    """JUnit XML: a suite for each notebook, a case for each test, an error for what could not be judged."""
    root = ET.Element("testsuites", name=_xml(run.title))
    for notebook in run.notebooks:
        suite = ET.SubElement(root, "testsuite", name=_xml(notebook.name))
        for number, (problem, _) in enumerate(notebook.problems, 1):
            case = ET.SubElement(suite, "testcase", classname=notebook.name, name=f"can be read ({number})")
            ET.SubElement(case, "failure", message=_xml(_first_line(problem))).text = _xml(problem)
        for question in notebook.questions:
            titles: Counter[str] = Counter()
            for test in question.tests:
                titles[test.title] += 1
                again = f" ({titles[test.title]})" if titles[test.title] > 1 else ""
                told = {"classname": f"{notebook.name}.{question.name}", "name": test.title + again}
                told |= {"file": notebook.file, "line": str(question.line or 1)}
                case = ET.SubElement(suite, "testcase", {name: _xml(value) for name, value in told.items()})
                if test.outcome != PASSED:
                    kind = "failure" if test.outcome == FAILED else "error"
                    ET.SubElement(case, kind, message=_xml(_first_line(test.told))).text = _xml(test.told)
        _count(suite, [suite])
    _count(root, list(root))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _count(element: ET.Element, suites: list[ET.Element]) -> None:
    for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
        element.set(attribute, str(sum(len(list(suite.iter(tag))) for suite in suites)))


def markdown(run: Run, verdict: str) -> str:
    """A table of the questions, and behind it what is wrong, to be unfolded."""
    head = [f"## {_md(run.title)}", "", f"**{_md(score_of(run))}** {_md(verdict)}", "", _md(run.note), ""]
    table = ["| | notebook | question | points |", "|---|---|---|---:|"]
    told: list[str] = []
    for notebook in run.notebooks:
        for problem, _ in notebook.problems:
            told += [f"- {_md(notebook.file)}: {_md(problem)}", ""]
        for question in notebook.questions:
            cells = (MARKS[question.passed], _md(notebook.name), _md(question.name), _md(points_of(question)))
            table.append(f"| {' | '.join(cells)} |")
            if not question.passed:
                told += ["<details>", f"<summary>{html.escape(shown(question.name))}</summary>", ""]
                told += [line for text in explanations(question) for line in (*_fenced(text), "")]
                told += ["</details>", ""]
    text = "\n".join([*head, *table, "", *told])
    return (
        text if len(text) <= MAX_SUMMARY else "\n".join([*head, *table, "", "The rest is too long to be shown here."])
    )


def github_annotations(run: Run) -> Iterator[str]:
    """GitHub's workflow commands: an error for each question that lost points, at the line to look at.

    Extra credit that is missing is a warning.
    """
    for notebook in run.notebooks:
        for problem, line in notebook.problems:
            yield _command("warning", notebook.file, line, notebook.name, problem)
        for question in notebook.questions:
            if not question.passed:
                kind = "warning" if question.extra_credit else "error"
                text = "\n\n".join(explanations(question))[:MAX_ANNOTATION]
                title = f"{question.name}: {points_of(question)}"
                yield _command(kind, notebook.file, question.line, title, text)


def plain(run: Run) -> Iterator[str]:
    """Lines for a log."""
    for notebook in run.notebooks:
        yield on_one_line(notebook.file)
        for problem, line in notebook.problems:
            yield f"  ! {shown(problem)}{_at(line)}"
        width = max((len(question.name) for question in notebook.questions), default=0)
        for question in notebook.questions:
            where = "" if question.passed else _at(question.line)
            yield f"  {MARKS[question.passed]} {question.name:{width}}  {points_of(question)}{where}"
            for text in explanations(question):
                yield from (f"      {line}" for line in shown(text).splitlines())
    yield on_one_line(run.note)


def explanations(question: Question) -> list[str]:
    """What is told of the tests that did not pass, each text once, below what the first of them asks."""
    titles: dict[str, list[str]] = {}
    for test in question.tests:
        if test.outcome != PASSED:
            titles.setdefault(test.told, []).append(test.title)
    return [
        f"{asked[0]}{f' (and {len(asked) - 1} more)' if len(asked) > 1 else ''}\n{told}".strip()
        for told, asked in titles.items()
    ]


def points_of(question: Question) -> str:
    """Its points, of how many."""
    return f"{question.points:g} / {question.max_points:g}{' extra' if question.extra_credit else ''}"


def score_of(run: Run) -> str:
    """The points of all."""
    return f"{run.score:g} of {run.max_score:g} points"


def shown(text: str) -> str:
    """Text without what moves a terminal's cursor or mirrors a line."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)


def on_one_line(text: str) -> str:
    """The same of a text that must not begin a line: a path, or what names one."""
    return shown(text).replace("\n", "\N{REPLACEMENT CHARACTER}")


def _at(line: int | None) -> str:
    return f"  (line {line} of the file)" if line else ""


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")


def _xml(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)


def _md(text: str) -> str:
    """Text that Markdown and HTML leave as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~@&$-])", r"\\\1", " ".join(shown(text).split())).replace("\\<", "&lt;")


def _fenced(text: str) -> list[str]:
    """Text as a block of code, between longer fences than any in it."""
    fence = "`" * max(3, 1 + max((len(found) for found in re.findall("`+", text)), default=0))
    return [f"{fence}text", *shown(text).splitlines(), fence]


def _command(kind: str, file: str, line: int | None, title: str, message: str) -> str:
    """A workflow command, in which a percent sign, line breaks, and in properties also : and , are written as %XX."""
    properties = {"file": file, "line": str(line or 1), "title": title}
    listed = ",".join(f"{name}={_escaped(shown(value), ':,')}" for name, value in properties.items())
    return f"::{kind} {listed}::{_escaped(shown(message))}"


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(char):02X}" if char in f"%\r\n{more}" else char for char in text)
