"""What is read of notebooks, however broken they are."""

import codecs
import gzip
import io
import json
import re
import time
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coursekit.errors import NotebookUnreadable
from coursekit.notebook import Notebook, Problem, listed, old_habits, read_notebook
from coursekit.notebook.cells import _OLD_NUMPY

QUICK = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


def code(source, **more):
    return {"cell_type": "code", "source": source, **more}


def read(*sources):
    """A notebook of code cells with these sources, read."""
    return read_notebook(json.dumps({"cells": [code(source) for source in sources]}).encode(), "nb")


def found(source):
    """The statements of one cell and their lines."""
    return [(statement.line, statement.source) for statement in read(source).statements]


def told(source):
    """The problems of one cell and their lines."""
    return [(problem.line, problem.message) for problem in read(source).problems]


def unreadable(data):
    """What is said of a file that is no notebook."""
    with pytest.raises(NotebookUnreadable) as caught:
        read_notebook(data, "nb")
    assert caught.value.message.startswith("nb ")
    assert caught.value.fix, "there must be something to try"
    return str(caught.value)


# ------------------------------------------------------------------------------------------------------ the file


def zipped():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("nb.ipynb"), "{}")  # without the time: a name of a test must not change
    return packed.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b" \r\n\t", "is empty"),
        (zipped(), "unpack it"),
        (b"PK\x03\x04 but short", "unpack it"),
        (b"%PDF-1.4\n%\xe2\xe3", "it is a PDF"),
        (b"\n<!DOCTYPE html><html>", "it is a web page"),
        (b"<html>", "it is a web page"),
        (b"import numpy as np\n", "Python script"),
        (gzip.compress(b"{}", mtime=0), "is not a text file"),
        (b"{'cells': []}", "no valid JSON at line 1, column 2"),
        (b'{"cells": []} {"cells": []}', "no valid JSON at line 1, column 15"),
        (b"[1, 2]", "its JSON is a list, not an object"),
        (b"null", "its JSON is a null, not an object"),
        (b"true", "its JSON is a boolean, not an object"),
        (b"{}", "has no cells"),
        (b'{"cells": {"source": "x"}}', "has no cells"),
        (b'{"worksheets": 3}', "has no cells"),
        (b'{"cells": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"cells": [' + b"1" * 5000 + b"]}", "is not a notebook"),
        (b"\x00\x01\x02\x03", "nb is not a"),
        (b'{"cells": [' + b"1, " * 5000 + b"1]}", "5,001 cells"),
        (b" " * (64 * 2**20) + b"{}", "clear its outputs"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_file_that_is_no_notebook_is_told_as_what_it_is(data, words):
    assert words in unreadable(data)


def test_a_notebook_that_is_cut_off_anywhere_is_told_as_cut_off():
    cells = [code(["a = 'é'\n", 'b = "\\u00e9"'], execution_count=None, metadata={"a": True, "b": -1.5e3})]
    for text in (json.dumps({"cells": cells}, indent=1), json.dumps({"cells": cells}, ensure_ascii=False)):
        data = text.encode()
        for end in range(1, len(data)):
            assert "is cut off: it ends in the middle of the notebook" in unreadable(data[:end]), data[:end]
            assert "is cut off" in unreadable(data[:end] + b"\n") or not data.isascii()


def test_a_merge_conflict_in_the_file_is_told_with_its_line():
    text = '{"cells": [\n<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> theirs\n]}'
    assert "unresolved merge conflict at line 2" in unreadable(text.encode())


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8, b"\n  "])
def test_a_byte_order_mark_and_spaces_before_the_notebook_do_no_harm(mark):
    assert read_notebook(mark + b'{"cells": []}', "nb") == Notebook("nb", (), (), ())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_unicode_encoding_is_read(encoding):
    text = json.dumps({"cells": [code("a = 'é∂'")]}, ensure_ascii=False)
    assert read_notebook(text.encode(encoding), "nb").statements[0].source == "a = 'é∂'"


def test_numbers_that_json_does_not_know_are_read():
    assert read_notebook(
        b'{"cells": [{"cell_type": "code", "source": "x = 1", "n": [NaN, -Infinity]}]}', "nb"
    ).statements


def test_the_cells_of_format_3_are_found_in_its_worksheets():
    sheets = [
        {"cells": [{"cell_type": "heading", "source": "A"}, {"cell_type": "code", "input": ["a = 1\n", "b = 2"]}]},
        "no sheet",
        {"cells": None},
        {"cells": [{"cell_type": "code", "language": "python", "input": "c = 3"}]},
    ]
    notebook = read_notebook(json.dumps({"nbformat": 3, "worksheets": sheets}).encode(), "nb")
    assert [(s.cell, s.line, s.source) for s in notebook.statements] == [
        (2, 1, "a = 1"),
        (2, 2, "b = 2"),
        (3, 1, "c = 3"),
    ]
    assert [cell.kind for cell in notebook.cells] == ["heading", "code", "code"]


def test_cells_that_are_none_cost_themselves_only():
    cells = [
        3,
        {},
        code(None),
        code(["a", 1]),
        code("a = 1", id="same", metadata=None),
        code(["b = ", "2\n"], id="same", metadata=[]),
        {"cell_type": ["odd"], "source": "c = 3"},
        {"cell_type": "markdown", "source": "# d = 4"},
        code("e = 5", metadata={"vscode": {"languageId": "r"}}),
        code("f = 6", metadata={"vscode": {"languageId": "python"}, "nbgrader": {"grade": True}}),
        code("g = '\ud800'"),
    ]
    notebook = read_notebook(json.dumps({"cells": cells}).encode(), "nb")
    assert [(s.cell, s.source) for s in notebook.statements] == [
        (5, "a = 1"),
        (6, "b = 2"),
        (10, "f = 6"),
        (11, "g = '?'"),
    ]
    assert list(map(str, notebook.problems)) == [
        "cell 1: this is not a cell; it is left out",
        "cell 3: its source is not text; the cell is left out",
        "cell 4: its source is not text; the cell is left out",
    ]
    assert [cell.nbgrader for cell in notebook.cells if cell.nbgrader] == [{"grade": True}]


def test_a_huge_cell_and_too_much_code_are_left_out_and_told():
    notebook = read("x = '" + "a" * 300_000 + "'", "a = 1", *["y = '" + "a" * 250_000 + "'"] * 5, "b = 2")
    assert [s.cell for s in notebook.statements] == [2, 3, 4, 5, 6, 8]
    assert str(notebook.problems[0]).startswith("cell 1: 300,006 characters are more than the 262,144 that are read")
    assert str(notebook.problems[1]).startswith("cell 7: the code before has used up what is read")


def test_more_statements_than_any_notebook_has_are_left_out_and_told():
    notebook = read("a=1;" * 9000, "b = 2", "")
    assert len(notebook.statements) == 5000
    assert [problem.cell for problem in notebook.problems] == [1, 2]


def test_a_problem_is_told_in_so_many_characters_however_long_the_names_in_it_are():
    [problem] = read(f"def f({'a' * 100_000}):\n    global {'a' * 100_000}").problems
    assert str(problem).startswith("cell 1, line 2: not valid Python (name 'aaa")
    assert str(problem).endswith("aaa...")
    assert len(str(problem)) < 350


def test_of_many_problems_some_are_listed_and_the_rest_are_counted():
    problems = read(*["1 +"] * 25).problems
    assert listed(problems)[19:] == [str(problems[19]), "and 5 more"]
    assert listed(problems[:20]) == [str(problem) for problem in problems[:20]]
    assert listed(problems, 1) == [str(problems[0]), "and 24 more"]


@pytest.mark.parametrize(
    "source",
    [
        "x y\n" + " " * 250_000 + "x",
        "x y\n" + "." * 250_000,
        "x = " + "await " * 40_000 + "1",
        "x = " + "(" * 250_000,
        "x = " + "-" * 250_000 + "1",
        "a" + ".b" * 100_000 + " = 1",
        "return\n" * 30_000,
        "print 1\n" * 30_000,
        "%a\\\n" * 60_000,
        "x y\n'''" + "\\'" * 100_000,
    ],
    ids=lambda source: source[:12],
)
def test_no_cell_takes_long_to_read(source):
    started = time.monotonic()
    assert read(source).name == "nb"
    assert time.monotonic() - started < 10


# ---------------------------------------------------------------------------------------------------- statements


def test_statements_are_in_order_with_their_text_cell_line_and_position():
    notebook = read("a = 1\n\n\ndef f(x):\n    return (x,\n  2)  # why\n", "", "# nothing", "b = 2")
    assert [(s.cell, s.line, s.position, s.source) for s in notebook.statements] == [
        (1, 1, 0, "a = 1"),
        (1, 4, 1, "def f(x):\n    return (x,\n  2)"),
        (4, 1, 2, "b = 2"),
    ]


def test_decorators_belong_to_their_function():
    source = "# first\n@one\n# between\n@two(\n  3)\ndef f():\n    pass"
    assert found(source) == [(2, source.removeprefix("# first\n"))]
    assert found("@one\nclass C: pass") == [(1, "@one\nclass C: pass")]


def test_statements_on_one_line_are_parted_by_characters_not_bytes():
    assert found("é = 'ü∂'; b = 'ö'; c = (1,\n 'ä'); d = 4") == [
        (1, "é = 'ü∂'"),
        (1, "b = 'ö'"),
        (1, "c = (1,\n 'ä')"),
        (2, "d = 4"),
    ]


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_every_kind_of_line_end_is_read(end):
    source = end.join(["a = 1", "", "def f():", "    return '''x", "y'''", "b = 2"])
    assert found(source) == [(1, "a = 1"), (3, "def f():\n    return '''x\ny'''"), (6, "b = 2")]


def test_a_form_feed_is_no_line_end():
    assert found("a = 1\n\x0cb = '\u2028'\nc = 3") == [(1, "a = 1"), (2, "b = '\u2028'"), (3, "c = 3")]


def test_warnings_about_the_style_of_a_cell_are_not_shown():
    assert len(found("x = 1 is 1\ny = '\\d'")) == 2


# -------------------------------------------------------------------------------------------------------- magics


@pytest.mark.parametrize(
    "magic",
    [
        "%matplotlib inline",
        "%load_ext autoreload",
        "!pip install x",
        "!!ls",
        "!echo \"it's (",
        "files = !ls",
        "a, b = %sx ls",
        "a.b = %timeit -o f()",
        "f?",
        "np.ones??",
        "np.*ones*?",
        "?f",
        "??np.ones",
        "%timeit f(1)",
        "%%nothing",
    ],
)
def test_a_magic_costs_nothing_and_lines_stay_true(magic):
    assert found(f"a = 1\n{magic}\nb = 2") == [(1, "a = 1"), (3, "b = 2")]
    assert found(f"{magic}\nb = 2") == ([] if magic.startswith("%%") else [(2, "b = 2")])
    assert found(f"def f():\n    {magic}\n    return 2") == [(1, "def f():\n    pass\n    return 2")]
    assert told(f"a = 1\n{magic}\nb = 2") == []


def test_a_magic_goes_on_after_a_backslash():
    assert found("!pip \\\n  install \\\n  x\nb = 2") == [(4, "b = 2")]


def test_what_a_timing_magic_runs_is_read():
    assert found("%time f = 3\nif f:\n    %time g = (1,\n  2)\nh = 4") == [
        (1, "f = 3"),
        (2, "if f:\n    g = (1,\n  2)"),
        (5, "h = 4"),
    ]
    assert found("%time !ls\na = 1") == [(2, "a = 1")]


@pytest.mark.parametrize("head", ["%%time", "%%timeit -n 3", "%%capture out", "\n# why\n%%prun", "%%capture\n%%time"])
def test_cell_magics_that_run_python_are_looked_through(head):
    assert found(f"{head}\na = 1\n!ls\nb = 2") == [(head.count("\n") + 2, "a = 1"), (head.count("\n") + 4, "b = 2")]


@pytest.mark.parametrize("head", ["%%bash", "%%html", "%%javascript", "%%writefile f.py", "%%capture\n%%sh", "%%latex"])
def test_cells_in_other_languages_are_left_out_without_a_problem(head):
    notebook = read(f"{head}\nfor x in (y; do <<<\nimport os", "a = 1")
    assert [s.source for s in notebook.statements] == ["a = 1"]
    assert not notebook.problems


@pytest.mark.parametrize(
    "source",
    [
        'x = """\n%matplotlib inline\n!ls\nf?\n"""',
        "x = (17\n%b)",
        "x = [17\n  %b\n %a]",
        "x = 17 \\\n%b",
        "def f():\n    '''\n    %time x\n    '''\n    return 17 \\\n        %b",
        "x = '''it's (''' \\\n%b",
    ],
)
@pytest.mark.parametrize("magic", ["", "%pylab\n", "!echo (\n"])
def test_a_percent_sign_within_a_statement_is_no_magic(source, magic):
    assert found(magic + source) == [(1 + magic.count("\n"), source)]


def test_a_cell_that_is_indented_as_a_whole_is_read_as_jupyter_does():
    assert found("    a = 1\n    if a:\n        b = 2") == [(1, "a = 1"), (2, "if a:\n    b = 2")]
    assert found("  # why\na = 1\n%pylab\nif a:\n  b = 2") == [(2, "a = 1"), (4, "if a:\n  b = 2")]


# ------------------------------------------------------------------------------------------------- broken cells


@pytest.mark.parametrize(
    ("broken", "line", "words"),
    [
        ("print 'hi'", 1, "Python 2's print statement; write print(...)"),
        ("def g():\n    print x", 2, "Python 2's print statement; write print(...)"),
        ("exec 'x'", 1, "Python 2's exec statement"),
        ("try:\n    x\nexcept A, e:\n    pass", 3, "write except Error as e:"),
        ("raise ValueError, 'x'", 1, "Python 2's raise statement"),
        ("x = 1 <> 2", 1, "write !="),
        ("x = `y`", 1, "write repr(...)"),
        ("x = 017", 1, "Python 2's octal number"),
        ("x = 10L", 1, "leave the L out"),
        ("x = ur'a'", 1, "write r'...'"),
        ("def g():\n\tx = 1\n        y = 2", 3, "tabs and spaces are mixed"),
        ("x = (1,", 1, "the bracket '(' is never closed"),
        ("def g(:\n    pass", 1, "not valid Python"),
        ("def g(x:\n    return x", 1, "the bracket '(' is never closed"),
        ("x = 'a", 1, "not valid Python (unterminated string literal"),
        ("def g():\n    '''never closed\n    return 1", 2, "not valid Python (unterminated triple-quoted string"),
        ("x = 1\u00a0+ 2", 1, "an invisible character was pasted in"),
        ("x = ", 1, "not valid Python (invalid syntax): x ="),
        ("for i in x\n    pass", 1, "not valid Python (expected ':'): for i in x"),
        ("def g():", 1, "not valid Python (expected an indented block"),
        ("return 3", 1, "not valid Python ('return' outside function): return 3"),
        ("if 1:\n    break", 2, "not valid Python ('break' outside loop): break"),
        ("await g()", 1, "await outside a function works in Jupyter only"),
        ("async with g() as x:\n    pass", 1, "await outside a function works in Jupyter only"),
        ("x = [y async for y in g()]", 1, "await outside a function works in Jupyter only"),
        ("x = 'a\0'", 1, "a null byte"),
        ("x = " + "(" * 300 + ")" * 300, 1, "too many nested parentheses"),
        ("x = " + "-" * 20_000 + "1", 1, "nested too deeply"),
        ("x = " + "1" * 5000, 1, "not valid Python (Exceeds the limit"),
    ],
    ids=lambda value: repr(value)[:30],
)
@pytest.mark.parametrize("above", [0, 3])
def test_a_broken_statement_costs_itself_and_is_told_with_its_line(broken, line, words, above):
    before = "a = 1\n%pylab\n\n" if above else ""
    source = f"{before}{broken}\ndef f(x):\n    '''Doc.'''\n    return x\n"
    assert [text for _, text in found(source)] == ["a = 1"] * bool(above) + ["def f(x):\n    '''Doc.'''\n    return x"]
    problems = told(source)
    assert (problems[0][0], problems[0][1][: len(words)]) == (above + line, words) or words in problems[0][1]
    assert problems[0][0] == above + line


def test_a_broken_function_ends_after_its_docstring():
    source = 'def f():\n    x = (\n    """\nimport os\n    """\n    return x\n\nb = 2'
    assert found(source) == [(8, "b = 2")]
    assert [line for line, _ in told(source)] == [2]


def test_what_comes_after_a_docstring_that_was_never_closed_is_read():
    source = 'def f():\n    """Doc.\n    return 1\n\ndef g():\n    """Doc."""\n    return 2'
    assert found(source) == [(5, 'def g():\n    """Doc."""\n    return 2')]
    assert [line for line, _ in told(source)] == [2]


def test_several_errors_are_each_told_up_to_a_limit():
    lines = ["print 1", "a = 1"] * 20
    assert [line for line, _ in told("\n".join(lines))] == list(range(1, 41, 2))
    assert found("\n".join(lines)) == [(line, "a = 1") for line in range(2, 41, 2)]
    problems = told("\n".join(lines * 4))
    assert 30 < len(problems) < 40
    assert problems[-1][1].endswith("the rest of the cell is left out, for it holds too many errors")


def test_a_merge_conflict_in_a_cell_costs_the_cell():
    notebook = read("a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> theirs", "c = 3")
    assert [s.source for s in notebook.statements] == ["c = 3"]
    [problem] = notebook.problems
    assert str(problem).startswith("cell 1, line 2: a merge conflict was left here; choose one side")


def test_a_broken_cell_does_not_touch_the_others():
    notebook = read("def f(:", "a = 1")
    assert [(s.cell, s.position) for s in notebook.statements] == [(2, 0)]
    assert [(problem.cell, problem.line) for problem in notebook.problems] == [(1, 1)]


def test_a_problem_says_where_it_is_as_far_as_that_is_known():
    assert [str(Problem("m")), str(Problem("m", 2)), str(Problem("m", 2, 3))] == ["m", "cell 2: m", "cell 2, line 3: m"]


# ------------------------------------------------------------------------------------------- the cell of a function


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("def f(x): print x", "f"),
        ("async def f(x): print x", "f"),
        ("class f: print x", "f"),
        ("f = lambda x: print x", "f"),
        ("class C:\n    def f(self): print x", "C.f"),
        ("C.f = print x", "C.f"),
    ],
)
def test_the_cell_of_a_function_is_known_though_it_cannot_be_read(source, name):
    notebook = read("x = f(1)", source, "f == 3\nf(2)\nff = 1\ndef ff(): pass")
    assert notebook.cell_with(name).number == 2
    assert notebook.problem_with(name).cell == 2


def test_the_last_cell_of_a_function_counts_and_only_code_does():
    cells = [code("def f(): pass"), code("def f(): return 2"), {"cell_type": "markdown", "source": "def f(): ..."}]
    notebook = read_notebook(json.dumps({"cells": cells}).encode(), "nb")
    assert notebook.cell_with("f").number == 2
    assert notebook.problem_with("f") is None
    assert notebook.cell_with("g") is notebook.problem_with("g") is None


def test_the_problem_with_a_function_is_its_own_and_not_one_that_stands_before_it():
    notebook = read("print 1\n\ndef f(x):\n    return (x\n\nprint 2")
    assert notebook.problem_with("f").line == 4
    assert read("print 1\ndef f(x): pass").problem_with("f").line == 1


# ------------------------------------------------------------------------------------------------------ old habits


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(n): return xrange(n)", "xrange was Python 2's name for range"),
        ("def f(d): return d.iteritems()", ".iteritems() was Python 2; write .items()"),
        ("def f(d): return d.has_key(1)", ".has_key(k) was Python 2; write k in d"),
        ("def f(x): return x.astype(np.int)", "np.int is gone from NumPy; write int"),
        ("def f(x): return numpy.product(x)", "numpy.product is gone from NumPy; write np.prod"),
        ("def f(x): print >>err, x", "print >>file was Python 2; write print(..., file=file)"),
    ],
)
def test_what_python_3_and_numpy_2_took_away_is_told(source, words):
    assert old_habits(source) == [words]
    assert old_habits(f"{source}\n{source}") == [words]


@pytest.mark.parametrize(
    "source",
    ["xrange = range\nxrange(3)", "from functools import reduce\nreduce(f, x)", "x = y.int", "x = '\\d'", "def"],
)
def test_what_is_bound_or_only_looks_like_it_is_no_old_habit(source):
    assert old_habits(source) == []


@pytest.mark.filterwarnings("ignore")
def test_what_numpy_is_said_to_have_lost_is_gone_or_on_its_way():
    assert {name for name in _OLD_NUMPY if name in np.__all__} == set()


# ----------------------------------------------------------------------------------------------- anything at all


def outcome(data):
    try:
        return read_notebook(data, "nb")
    except NotebookUnreadable as error:
        return error


def check(data):
    """What holds for every file: a notebook with sound statements comes out, or a sentence."""
    notebook = outcome(data)
    if isinstance(notebook, NotebookUnreadable):
        assert notebook.message.startswith("nb ")
        assert notebook.fix
        return
    sources = {cell.number: cell.source.split("\n") for cell in notebook.cells}
    assert [statement.position for statement in notebook.statements] == list(range(len(notebook.statements)))
    places = [(statement.cell, statement.line) for statement in notebook.statements]
    assert places == sorted(places)
    for statement in notebook.statements:
        with warnings.catch_warnings(action="ignore"):  # "\\8" in a text, which is the student's affair
            compile(statement.source, "cell", "exec")
        assert 1 <= statement.line <= len(sources[statement.cell])
        start = re.match(r"[\w@]*", statement.source)[0]
        assert start in sources[statement.cell][statement.line - 1]
    for problem in notebook.problems:
        assert problem.message
        assert problem.line is None or 1 <= problem.line <= len(sources[problem.cell])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["cells", "worksheets", "source", "cell_type", "input", "metadata"]), inner)
    ),
    max_leaves=20,
)
LINES = st.sampled_from(
    [
        *(
            "a = 1",
            "b = 2; é = 'ö'",
            "def f(x):",
            "    return x",
            "  y = 3",
            "\tz = 4",
            "class C(C):",
            "    def m(self):",
        ),
        *(
            "@deco",
            "@deco(",
            "if a:",
            "else:",
            "try:",
            "except E, e:",
            "    pass",
            "pass",
            "return 3",
            "await x",
            "%time b = 3",
        ),
        *(
            "%matplotlib inline",
            "!ls (",
            "x = !ls",
            "f?",
            "%%time",
            "%%bash",
            "  %b",
            "%b)",
            "x = (1",
            ")",
            "[",
            "]}",
            '"""',
            "'''",
        ),
        *(
            "s = 'it",
            "# it's",
            "x = 1 \\",
            "\\",
            "",
            " ",
            "\x0c",
            "\0",
            "print 1",
            "<<<<<<< HEAD",
            "=======",
            "1 +",
            "lambda: (yield)",
        ),
        *(
            "from __future__ import annotations",
            "from __future__ import barry_as_FLUFL",
            "1 <> 2",
            "global a",
            "nonlocal a",
            "é∂",
        ),
    ]
)
CELLS = st.lists(st.lists(LINES | st.text(max_size=12), max_size=14).map("\n".join), max_size=3)


@QUICK
@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: ("{" + text).encode("utf-8", "replace")))
def test_arbitrary_bytes_never_raise_anything_else(data):
    check(data)


@QUICK
@given(JSON | st.fixed_dictionaries({"cells": st.lists(JSON, max_size=5)}))
def test_arbitrary_json_never_raises_anything_else(content):
    check(json.dumps(content).encode())


@QUICK
@given(CELLS)
def test_notebooks_of_arbitrary_cells_are_read_soundly(sources):
    check(json.dumps({"cells": [code(source) for source in sources]}).encode())


@QUICK
@given(
    st.lists(st.sampled_from(["%pylab", "!ls", "", "# c", "print 1", "x = (", "f?", "z{n} = '''\n%a\n'''", "y{n} = 1"]))
)
def test_what_is_sound_is_found_between_whatever_stands_around_it(lines):
    """Each line that is a marked assignment of its own is found, at the line where it stands."""
    source = "\n".join(line.format(n=n) for n, line in enumerate(lines))
    marks = {at + 1 for at, line in enumerate(source.split("\n")) if line.startswith("y")}
    given_up = any("too many errors" in message for _, message in told(source))
    assert given_up or marks == {line for line, text in found(source) if text.startswith("y")}
