"""Notebooks that no one meant to write: whatever the bytes, a report comes out.

ATTACK_EXAMPLES=10000 .venv/bin/python -m pytest tests/attacks/test_reader.py tries ten thousand of them.
"""

import json
import os
import random
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder import grading
from autograder.course import HOME, load_assignment
from autograder.gradebook.autograded import rebuilt, with_results
from autograder.grading import MAX_RENAMED, NotHandedIn, Submission, assign, grade, not_graded
from autograder.judging.student import Student
from autograder.outcomes import Report
from autograder.pages import student_page
from coursekit.errors import NotebookUnreadable
from coursekit.notebook import MAX_FILE, Notebook, names_used_by, read_notebook, slice_for
from coursekit.notebook.reading import MAX_ATTACHMENTS

EXAMPLES = int(os.environ.get("ATTACK_EXAMPLES", "300"))
QUIET = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
SLOW = settings(QUIET, max_examples=max(EXAMPLES // 20, 1))
NAME = "rnn_captioning"
GIVEN = json.loads((HOME / "assignments" / "captioning" / f"{NAME}.ipynb").read_text(encoding="utf-8"))
SOLVED = json.loads((HOME / "source" / "captioning" / f"{NAME}.ipynb").read_text(encoding="utf-8"))

SNIPPETS = (
    *(
        "def rnn_step_forward(x, prev_h, Wx, Wh, b): return prev_h, ()",
        "rnn_forward = lambda *a: a",
        "class CaptioningRNN: 0",
    ),
    *(
        "class CaptioningRNN(CaptioningRNN):\n    loss = sample = 3",
        "from __future__ import annotations",
        "import numpy as np",
    ),
    *("rnn_step_forward = rnn_step_forward", "del rnn_forward", "x = x", "import rnn_captioning", "raise SystemExit"),
    *(
        "%%time\n%%bash\nx",
        "%time rnn_forward()",
        "!ls {x}",
        "f?",
        "x y",
        "print 1",
        "\tx = 1\n  y = 2",
        "(" * 300,
        "-" * 9000 + "1",
    ),
    *(
        "a" + ".b" * 3000 + " = 1",
        "x = " + "1+" * 5000 + "1",
        "if x:\n" * 1,
        "\n" * 500,
        "\x00",
        "\ud800",
        "\u202eabc",
        "é = 'ü'",
    ),
    *(
        "def f(" + ", ".join(f"a{n}" for n in range(300)) + "): pass",
        "x = " + "9" * 5000,
        "lambda: (yield)",
        "await x",
        "return",
    ),
    *(
        "match x:\n    case {'a': [1, *_]}: pass",
        "@rnn_forward\ndef rnn_forward(): nonlocal x",
        "global rnn_forward; rnn_forward = 1",
    ),
    *(
        "'''",
        "f'{x!r:{y}}'",
        "\\",
        "x = [y for y in z if (w := y)]",
        "try: x\nexcept* E: y",
        "rnn_forward: int",
        "*a, b = c",
    ),
    *(
        "if 1:\n" + "".join(" " * n + "if 1:\n" for n in range(1, 120)),
        "rnn_step_backward = [" * 150,
        "with a as b.c[d]: pass",
    ),
    *("x = " + "not " * 3000 + "1", "x = " + "f(" * 150 + ")" * 150, "x = a" + "[0]" * 2500, "x = a" + "()" * 2500),
    *("if a: pass\n" + "elif a: pass\n" * 1500, "x = " + "a if b else " * 1500 + "c", "x = " + "lambda: " * 1500 + "1"),
    *(
        "x = " + "a < " * 3000 + "a",
        "x = '' " + "''" * 3000,
        "x = {" + "**a, " * 3000 + "}",
        "for x in y: pass\nelse: z",
    ),
)
texts = st.text(max_size=30) | st.sampled_from(SNIPPETS)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    [*(f"{kind}_{half}" for kind in ("rnn_step", "rnn") for half in ("forward", "backward")), "CaptioningRNN_loss", "x"]
)
gradings = st.fixed_dictionaries(
    {},
    optional={
        "grade_id": names | odd,
        "grade": st.booleans() | odd,
        "points": st.integers() | odd,
        "solution": odd,
        "locked": odd,
        "checksum": odd,
        "schema_version": odd,
        "task": odd,
        "cell_type": odd,
    },
)
metadata = st.fixed_dictionaries(
    {}, optional={"nbgrader": gradings | odd, "autograder": odd, "vscode": odd, "tags": odd}
)
sources = texts | st.lists(texts, max_size=4) | odd
cells = (
    st.fixed_dictionaries(
        {},
        optional={
            "cell_type": st.sampled_from(["code", "markdown", "raw", "heading"]) | odd,
            "source": sources,
            "input": sources,
            "metadata": metadata | odd,
            "outputs": odd,
            "execution_count": odd,
            "id": texts | odd,
            "attachments": st.dictionaries(texts, odd, max_size=2) | odd,
            "language": odd,
        },
    )
    | sources.map(lambda source: {"cell_type": "code", "source": source})
    | st.sampled_from([*GIVEN["cells"], *SOLVED["cells"]])
    | odd
)
notebooks = (
    st.fixed_dictionaries(
        {},
        optional={
            "cells": st.lists(cells, max_size=12) | odd,
            "metadata": odd,
            "nbformat": odd,
            "nbformat_minor": odd,
            "worksheets": st.lists(
                st.fixed_dictionaries({}, optional={"cells": st.lists(cells, max_size=4) | odd}) | odd, max_size=2
            )
            | odd,
        },
    )
    | st.lists(cells, max_size=8).map(lambda more: {**SOLVED, "cells": [*SOLVED["cells"], *more]})
    | odd
)


def doubled(text, seed):
    """The text with a key repeated somewhere."""
    place = text.find('"source"', random.Random(seed).randrange(len(text) + 1))
    return text if place < 0 else f'{text[:place]}"source": [], {text[place:]}'


@st.composite
def files(draw):
    """The bytes of a file: a notebook, as it is or damaged."""
    text = json.dumps(draw(notebooks), ensure_ascii=draw(st.booleans()))
    text = doubled(text, draw(st.integers(0, 99))) if draw(st.booleans()) else text
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig", "latin-1", "utf-32-be"]))
    data = text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")
    damage = draw(st.sampled_from(["none", "none", "cut", "flip", "insert", "swap", "noise"]))
    place = draw(st.integers(0, max(len(data) - 1, 0)))
    if damage == "cut":
        return data[:place]
    if damage == "flip":
        return data[:place] + bytes([draw(st.integers(0, 255))]) + data[place + 1 :]
    if damage == "insert":
        return data[:place] + draw(st.binary(max_size=8)) + data[place:]
    if damage == "swap":
        return data[place:] + data[:place]
    return draw(st.binary(max_size=64)) if damage == "noise" else data


@pytest.fixture(scope="module")
def assignment():
    return load_assignment("captioning", HOME)


def must_be_told(assignment, submission, result):
    """The report, the page and the notebook that formgrader shows can all be made."""
    text = Report(assignment.name, [result]).to_json()
    assert len(json.loads(text)["submissions"]) == 1
    page = student_page(assignment.name, result)
    page.encode()
    text.encode()
    for (assigned, handed_in), found in zip(assign(assignment, submission), result.notebooks, strict=True):
        shown = rebuilt(GIVEN if assigned.name == NAME else {**GIVEN, "cells": []}, handed_in)
        if assigned.name == NAME:
            with_results(shown, assigned, found)
            points = [cell for cell in shown["cells"] if cell.get("outputs")]
            assert len(points) == len(assigned.questions)
        json.dumps(shown).encode()


@QUIET
@given(data=files())
def test_any_bytes_are_read_sliced_and_reported(assignment, data):
    submission = Submission("ada", {f"{NAME}.ipynb": data})
    must_be_told(assignment, submission, not_graded(assignment, submission, "It was not tried."))
    _, handed_in = assign(assignment, submission)[0]
    if isinstance(handed_in, Notebook):
        wanted = [question.name for question in assignment.notebooks[0].questions]
        slice_for(handed_in.statements, wanted)
        for name in wanted:
            names_used_by(handed_in.statements, [name])
            handed_in.problem_with(name)
        again = read_notebook(handed_in.bare(), NAME)
        assert [each.source for each in again.statements] == [each.source for each in handed_in.statements]


@SLOW
@given(data=files())
def test_any_bytes_are_graded(assignment, data):
    """With the student's code in this process, since it is ours; a box for each would take the longest time."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(grading, "Student", lambda *args, **more: Student(*args, inside=True, **more))
        submission = Submission("ada", {f"{NAME}.ipynb": data})
        result = grade(assignment, submission, seed=1)
    assert result.failure == ""
    must_be_told(assignment, submission, result)


@pytest.mark.parametrize("piece", ["{}", "[]", "0", '{"a":{}}', "[[]]"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_small_values_that_would_take_all_memory_are_not_read(piece, encoding):
    many = f"{piece}," * (MAX_FILE // (len(piece) + 1) // 2 - 100)
    with pytest.raises(NotebookUnreadable, match="values that are read"):
        read_notebook(f'{{"cells": [], "metadata": [{many}0]}}'.encode(encoding), NAME)


def test_many_small_values_beside_what_is_read_of_a_cell_take_no_memory_once_it_is_read():
    values = [[]] * 10**5
    hidden = {"nbgrader": {"grade_id": "rnn_forward", "more": values}, "autograder": {"extra_credit": values}}
    attached = {f"{n}.png": {"image/png": "aGk=", "text/plain": "", "image/gif": [[]]} for n in range(1000)}
    cell = {"cell_type": "markdown", "source": "", "metadata": hidden, "attachments": attached}
    [read] = read_notebook(json.dumps({"cells": [cell]}).encode(), NAME).cells
    assert (read.nbgrader, read.autograder) == ({"grade_id": "rnn_forward"}, {})
    assert len(read.attachments) == MAX_ATTACHMENTS
    assert read.attachments["0.png"] == {"image/png": "aGk="}


def test_other_notebooks_are_read_only_if_one_is_missing_and_only_a_few_of_them(assignment, monkeypatch):
    seen = []
    monkeypatch.setattr(grading, "read_notebook", lambda data, name: seen.append(name) or read_notebook(data, name))
    given = json.dumps(GIVEN).encode()
    many = {f"n{n:03}.ipynb": b'{"cells": []}' for n in range(50)}
    named = {f"{each.name}.ipynb": given for each in assignment.notebooks}
    assign(assignment, Submission("eve", many | named))
    assert set(seen) == {each.name for each in assignment.notebooks}
    seen.clear()
    found = assign(assignment, Submission("eve", many | {"mine.ipynb": given}))
    assert len(seen) == MAX_RENAMED
    assert isinstance(found[0][1], NotHandedIn)
    assert f"only {MAX_RENAMED} of the 51 others are read" in found[0][1].message
    found = assign(assignment, Submission("ada", {"mine.ipynb": given}))
    assert isinstance(found[0][1], Notebook)
