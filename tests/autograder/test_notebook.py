"""Whatever students hand in is read, and what cannot be read is said with its place."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.errors import NotebookUnreadable
from autograder.notebook import MAX_CELL, MAX_FILE, Notebook, Problem, read_notebook


def code(*sources):
    """The bytes of a notebook with these code cells."""
    return json.dumps({"cells": [{"cell_type": "code", "source": source} for source in sources]}).encode()


def read(*sources):
    return read_notebook(code(*sources), "mine")


def sources(notebook):
    return [statement.source for statement in notebook.statements]


def problems(*cells):
    return [str(problem) for problem in read(*cells).problems]


def unreadable(data):
    with pytest.raises(NotebookUnreadable) as caught:
        read_notebook(data, "mine")
    assert "mine" in caught.value.message
    return str(caught.value)


# Statements -----------------------------------------------------------------------------------------------


def test_statements_keep_their_text_their_place_and_their_order():
    notebook = read("import numpy as np\n\n@np.vectorize\ndef f(x):  # é\n    return x  # kept\n", "a = 'é'; b = 2")
    assert [(s.source, s.cell, s.line, s.position) for s in notebook.statements] == [
        ("import numpy as np", 1, 1, 0),
        ("@np.vectorize\ndef f(x):  # é\n    return x", 1, 3, 1),
        ("a = 'é'", 2, 1, 2),
        ("b = 2", 2, 1, 3),
    ]


def test_cells_are_counted_with_those_of_text():
    cells = [{"cell_type": "markdown", "source": "# Part 1"}, {"cell_type": "code", "source": ["x = 1\n", "y = 2"]}]
    notebook = read_notebook(json.dumps({"cells": cells}).encode(), "mine")
    assert [(s.cell, s.line) for s in notebook.statements] == [(2, 1), (2, 2)]


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_lines_end_as_they_do_on_other_systems(newline):
    assert [s.line for s in read(f"x = 1{newline}y = 2").statements] == [1, 2]


def test_a_warning_of_the_parser_is_not_ours(recwarn):
    assert sources(read("x = 1 is 1", "y = '\\d'")) == ["x = 1 is 1", "y = '\\d'"]
    assert not recwarn.list


# Magics ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "magic",
    [
        "%matplotlib inline",
        "!pip install numpy",
        "files = !ls",
        "x?",
        "?x",
        "%timeit f(1)",
        "!a \\\n  b",
        "%load_ext x",
    ],
)
def test_a_magic_costs_its_own_line_only(magic):
    notebook = read(f"import os\n{magic}\ndef f():\n    return 1")
    assert sources(notebook) == ["import os", "def f():\n    return 1"]
    assert notebook.statements[1].line == 3 + magic.count("\n")
    assert not notebook.problems


@pytest.mark.parametrize("magic", ["%%time", "%%timeit -n 3", "%%capture out", "%%prun"])
def test_a_cell_magic_that_runs_python_keeps_the_cell(magic):
    assert [(s.source, s.line) for s in read(f"{magic}\nx = 1").statements] == [("x = 1", 2)]


@pytest.mark.parametrize("magic", ["%%bash", "%%html", "%%writefile f.py"])
def test_a_cell_in_another_language_says_nothing(magic):
    notebook = read(f"{magic}\nx = 1\n<b>")
    assert (notebook.statements, notebook.problems) == ((), ())


def test_what_looks_like_a_magic_in_a_string_or_in_brackets_is_none():
    notebook = read("%matplotlib inline\nx = '''\n%time\n!ls\n'''\ny = ('%d'\n     %x)")
    assert sources(notebook) == ["x = '''\n%time\n!ls\n'''", "y = ('%d'\n     %x)"]


def test_a_magic_within_a_block_leaves_the_block():
    assert sources(read("for i in x:\n    !ls\n    y = i")) == ["for i in x:\n    pass\n    y = i"]


def test_a_cell_that_is_indented_as_a_whole_is_read():
    assert sources(read("    x = 1\n    if x:\n        y = 2")) == ["x = 1", "if x:\n    y = 2"]


# Broken cells ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "place", "said"),
    [
        ("x = 1\nprint x", "cell 1, line 2", "write print(...)"),
        ("exec 'x'", "cell 1, line 1", "write exec(...)"),
        ("if a <> b:\n    pass", "cell 1, line 1", "write !="),
        ("x = `y`", "cell 1, line 1", "repr"),
        ("try:\n    f()\nexcept E, e:\n    pass", "cell 1, line 3", "except Error as e"),
        ("if x:\n\ty = 1\n        z = 2", "cell 1, line 3", "tabs and spaces"),
        ("x = f(1,\ny = 2", "cell 1, line 1", "'(' is never closed"),
        ("<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> b", "cell 1, line 1", "merge conflict"),
        ("def f():\n    pass\nreturn 1", "cell 1, line 3", "outside function"),
        ("def f(a, a):\n    pass", "cell 1, line 1", "duplicate argument"),
        ("await f()", "cell 1, line 1", "await"),
        ("x\0 = 1", "cell 1, line 1", "null"),
    ],
)
def test_a_problem_says_where_and_what(source, place, said):
    [first, *_] = problems(source)
    assert first.startswith(f"{place}: ")
    assert said in first


def test_a_broken_cell_costs_no_other():
    notebook = read("x = 1", "def f(:\n    pass", "y = 2")
    assert sources(notebook) == ["x = 1", "y = 2"]
    assert [problem.cell for problem in notebook.problems] == [2]


def test_a_broken_exercise_spares_the_helper_in_its_cell():
    notebook = read("import os\ndef f(x):\n    print x\ndef g(x):\n    '''Doc\nInputs: x\n'''\n    return x\nz = 3")
    assert [(s.source[:5], s.line) for s in notebook.statements] == [("impor", 1), ("def g", 4), ("z = 3", 9)]
    assert [problem.line for problem in notebook.problems] == [3]


@pytest.mark.parametrize(
    "deep",
    [
        "-" * 100_000 + "1",
        "(" * 5000,
        "x" + ".y" * 60_000,
        "x" + "()" * 60_000,
        "+".join("x" * 60_000),
        "not " * 50_000,
        "lambda: " * 20_000 + "1",
        "[" * 90 + "f(" * 90,
        "x if y else " * 20_000 + "z",
    ],
)
def test_code_that_is_nested_too_deeply_is_a_problem_or_is_read(deep):
    notebook = read(f"y = 1\nx = {deep}", "z = 2")
    assert sources(notebook)[-1] == "z = 2"
    assert len(notebook.problems) <= 1


def test_a_cell_that_is_too_long_is_left_out():
    notebook = read("#" * (MAX_CELL + 1), "x = 1")
    assert sources(notebook) == ["x = 1"]
    assert notebook.problems[0].cell == 1


@pytest.mark.parametrize(
    "line", ["return\n", "x = (\n", "a;", "'''\n", "def f(\n", " \t", "@\n", "x =!\n", "%x\\\n", '"']
)
def test_no_cell_takes_long_to_read(line):
    started = time.perf_counter()
    read(line * (MAX_CELL // len(line) - 1))
    assert time.perf_counter() - started < 20  # measured: under 3 s


# Files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (code("x = 1")[:-20], "cut off"),
        (b'{"cells": [', "cut off"),
        (b"PK\x03\x04\xff\xfe", "zip archive"),
        (b"%PDF-1.4 \xff", "PDF"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"import numpy as np\n", "Python script"),
        (b"[1, 2]", "list"),
        (b"null", "null"),
        (b'{"nbformat": 4}', "no cells"),
        (b'{"cells": 3}', "no cells"),
        (b"[" * 200_000, "too deeply"),
        (b'{"cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> b\n]}', "merge conflict at line 2"),
        (b'{"x": ' + b"9" * 10_000 + b"}", "digits"),
    ],
)
def test_a_file_that_is_no_notebook_is_told_what_it_is(data, said):
    assert said in unreadable(data)


def test_a_file_that_is_too_large_is_not_read():
    assert "MiB" in unreadable(b" " * (MAX_FILE + 1))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_encodings_of_other_systems_are_read(encoding):
    data = json.dumps({"cells": [{"cell_type": "code", "source": "x = 'é'"}]}, ensure_ascii=False).encode(encoding)
    assert sources(read_notebook(data, "mine")) == ["x = 'é'"]


def test_the_format_before_the_fourth_is_read():
    cells = [{"cell_type": "heading", "source": "H"}, {"cell_type": "code", "input": ["x = 1"], "language": "python"}]
    notebook = read_notebook(json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}).encode(), "mine")
    assert [(s.source, s.cell) for s in notebook.statements] == [("x = 1", 2)]


def test_what_is_odd_in_the_json_is_lived_with():
    data = (
        b'{"cells": [3, {}, {"cell_type": "code", "source": [1]}, {"cell_type": "code", "source": "x = 1", "n": NaN}]}'
    )
    notebook = read_notebook(data, "mine")
    assert sources(notebook) == ["x = 1"]
    assert {problem.cell for problem in notebook.problems} == {1, 3}


def test_the_cell_that_holds_a_lost_function_is_found():
    notebook = read("def f(x):\n    return 1", "def f(x):\n    print x", "def g(): pass")
    assert notebook.cell_with("f").number == 2
    assert str(notebook.problem_with("f")).startswith("cell 2, line 2")
    assert notebook.cell_with("h") is None
    assert notebook.problem_with("h") is None


def test_a_problem_is_a_sentence_with_its_place():
    assert [str(Problem("m")), str(Problem("m", 7)), str(Problem("m", 7, 3))] == ["m", "cell 7: m", "cell 7, line 3: m"]


# Whatever the bytes ---------------------------------------------------------------------------------------

lines = st.sampled_from(["def f():\n", "    return 1\n", "x = 1\n", "print x\n", "class A:\n", "await x\n", "else:\n"])
marks = st.sampled_from(["%time ", "%%bash\n", "!ls\n", "'''", '"', "(", "]", "\\", ";", "@", "?", "`", "<<<<<<< "])
odd = st.sampled_from(["é", "\ud800", "\0", "\t", "\f", "\u2028"])
words = st.one_of(lines, marks, odd)
text = st.one_of(st.lists(words, max_size=12).map("".join), st.text(max_size=30))
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), text),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)),
    max_leaves=8,
)
cell = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.one_of(st.sampled_from(["code", "markdown"]), anything),
        "source": st.one_of(text, st.lists(text, max_size=3), anything),
        "input": anything,
        "language": anything,
        "metadata": st.one_of(st.fixed_dictionaries({"nbgrader": anything, "vscode": anything}), anything),
    },
)
cells = st.lists(st.one_of(cell, anything), max_size=5)
document = st.one_of(
    st.fixed_dictionaries({"cells": cells}),
    st.fixed_dictionaries({"worksheets": st.lists(st.one_of(st.fixed_dictionaries({"cells": cells}), anything))}),
    anything,
)


def outcome(data):
    """What reading gives: a notebook or the one error, each fit to be shown."""
    try:
        notebook = read_notebook(data, "mine")
    except NotebookUnreadable as error:
        str(error).encode()
        return
    assert isinstance(notebook, Notebook)
    assert [statement.position for statement in notebook.statements] == list(range(len(notebook.statements)))
    lengths = {cell.number: cell.source.count("\n") + 1 for cell in notebook.cells}
    for place in (*notebook.statements, *notebook.problems):
        assert place.line is None or 1 <= place.line <= lengths[place.cell]
    for statement in notebook.statements:
        compile(statement.source, "<statement>", "exec")
    "".join(map(str, notebook.problems)).encode()
    notebook.problem_with("f")


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(document)
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_any_json_gives_a_notebook_or_the_one_error(content):
    outcome(json.dumps(content).encode())


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(max_size=80), st.builds(lambda cut: code("x = 'é'\nprint x")[:cut], st.integers(0, 80))))
def test_any_bytes_give_a_notebook_or_the_one_error(data):
    outcome(data)
