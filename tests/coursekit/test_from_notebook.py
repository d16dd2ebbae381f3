"""Functions that one notebook takes from another."""

import json
import subprocess
import sys
import traceback

import pytest

from coursekit.errors import NotebookUnreadable
from coursekit.notebook import from_notebook, read_notebook


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Write a notebook of code cells into the working folder."""
    monkeypatch.chdir(tmp_path)
    # Where a notebook runs in Jupyter there is no __file__: the working folder counts.
    monkeypatch.delitem(globals(), "__file__")

    def write(*sources, name="first.ipynb"):
        cells = [{"cell_type": "code", "source": source} for source in sources]
        (tmp_path / name).write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))

    return write


def refused(*names, file="first.ipynb"):
    with pytest.raises(NotebookUnreadable) as caught:
        from_notebook(file, *names)
    return str(caught.value)


def test_one_name_gives_the_function_and_several_give_a_tuple(beside):
    beside("def f(): return 1\nclass K: pass")
    assert from_notebook("first.ipynb", "f")() == 1
    f, kind = from_notebook("first.ipynb", "f", "K")
    assert (f(), kind.__name__) == (1, "K")


def test_only_what_a_function_needs_is_run(beside):
    beside(
        "import math\nSCALE = 2",
        "def helper(x): return SCALE * math.sqrt(x)",
        "raise SystemExit",
        "def f(x): return helper(x)",
    )
    assert from_notebook("first.ipynb", "f")(9) == 6


def test_the_last_definition_counts_as_it_does_when_the_notebook_runs(beside):
    beside("def f(): return 1", "def f(): return 2")
    assert from_notebook("first.ipynb", "f")() == 2


def test_names_of_the_two_notebooks_do_not_meet(beside):
    beside("def helper(): return 'theirs'\ndef f(): return helper()")
    names = {"from_notebook": from_notebook}
    exec("def helper(): return 'ours'\nf = from_notebook('first.ipynb', 'f')\nfound = f(), helper()", names)
    assert names["found"] == ("theirs", "ours")


def test_magics_pictures_and_cells_that_do_not_parse_do_no_harm(beside):
    beside("%matplotlib inline\nimport numpy as np", "def broken(:", "def f(x): return np.sum(x)", "f([1]); plt.show()")
    assert from_notebook("first.ipynb", "f")([1, 2]) == 3


def test_what_raises_is_left_out_and_told_if_it_is_missed(beside):
    beside("try_me = 1 / 0\ndef f(): return 1\ndef g(x=try_me): return x")
    assert from_notebook("first.ipynb", "f")() == 1
    assert refused("g") == (
        "g cannot be taken from first.ipynb: cell 1, line 3: NameError: name 'try_me' is not defined: "
        "correct that cell and save the notebook"
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1", "first.ipynb does not define f: write it there first, and save it"),
        ("def f(:\n    pass", "f cannot be taken from first.ipynb: cell 1, line 1: "),
    ],
)
def test_a_function_that_is_not_there_is_told(beside, source, words):
    beside(source)
    assert words in refused("f")


@pytest.mark.usefixtures("beside")
def test_a_notebook_that_is_not_there_is_told_with_the_folder(tmp_path):
    told = refused("f", file="none.ipynb")
    assert told.startswith(f"none.ipynb cannot be read in {tmp_path} (No such file")
    assert told.endswith("put your notebook of that name beside this one")


def test_a_file_that_is_no_notebook_is_told_as_what_it_is(beside, tmp_path):
    beside()
    (tmp_path / "first.ipynb").write_text('{"cells": [')
    assert "is cut off" in refused("f")


def test_a_script_takes_from_a_notebook_in_its_own_folder(beside, tmp_path):
    beside("def f(): return 'found'")
    script = tmp_path / "script.py"
    script.write_text("from coursekit.notebook import from_notebook\nprint(from_notebook('first.ipynb', 'f')())")
    done = subprocess.run([sys.executable, str(script)], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == "found\n"


def test_a_notebook_that_was_saved_again_is_read_again(beside):
    beside("def f(): return 1")
    assert from_notebook("first.ipynb", "f")() == 1
    beside("def f(): return 2")
    assert from_notebook("first.ipynb", "f")() == 2


def test_a_traceback_shows_the_lines_of_the_other_notebook(beside):
    beside("x = 0", "def f():\n    # why\n    return 1 / x  # here\nx = 0")
    with pytest.raises(ZeroDivisionError) as caught:
        from_notebook("first.ipynb", "f")()
    *_, last = traceback.extract_tb(caught.value.__traceback__)
    assert (last.filename, last.lineno, last.line) == ("<first.ipynb, cell 2>", 3, "return 1 / x  # here")


def test_a_bare_notebook_has_the_same_statements_at_the_same_places(beside, tmp_path):
    beside("x = 1", "%%bash\nls", "def f(:", "def f():\n    return x")
    notebook = read_notebook((tmp_path / "first.ipynb").read_bytes(), "first")
    again = read_notebook(notebook.bare(), "first")
    assert again.statements == notebook.statements
    assert again.problems == notebook.problems
