"""What the tests share: notebooks to grade, made from the source notebook, and the commands."""

import json
import re
import subprocess
import sys
from functools import cache

import pytest

from autograder.course import HOME, load_assignment
from autograder.grading import Submission, grade
from coursekit import get_datasets

SOURCE = HOME / "source" / "captioning" / "rnn_captioning.ipynb"


class Student:
    """A notebook on its way to being handed in."""

    def __init__(self, text):
        self.content = json.loads(text)

    @property
    def cells(self):
        return self.content["cells"]

    def cell(self, name):
        """The code cell that defines a function or class, or a method for a dotted name."""
        pattern = rf"^\s*def {name.rpartition('.')[2]}\(" if "." in name else rf"^(def|class) {name}\b"
        return next(
            cell
            for cell in self.cells
            if cell["cell_type"] == "code" and re.search(pattern, "".join(cell["source"]), re.MULTILINE)
        )

    def number(self, name):
        """Where a function's cell stands, counted from 1."""
        return self.cells.index(self.cell(name)) + 1

    def write(self, name, source):
        """Replace the whole cell of a function."""
        self.cell(name)["source"] = source
        return self

    def change(self, name, old, new):
        """Replace some words in the cell of a function."""
        cell = self.cell(name)
        text = "".join(cell["source"])
        assert old in text
        cell["source"] = text.replace(old, new)
        return self

    def begin(self, name, line):
        """Let a function's solution begin with another line."""
        cell = self.cell(name)
        cell["source"] = "".join(cell["source"]).replace("### BEGIN SOLUTION", line)
        return self

    def add(self, source, at=None):
        """Add a code cell; at the end, or before cell number ``at``."""
        cell = {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": source,
            "id": "x",
        }
        self.cells.insert(len(self.cells) if at is None else at - 1, cell)
        return self

    @property
    def text(self):
        return json.dumps(self.content)


class Grade:
    """The result of one submission, with what tests ask for most."""

    def __init__(self, result):
        self.result = result
        self.notebook = result.notebooks[0]
        self.questions = {
            question.question: question for notebook in result.notebooks for question in notebook.questions
        }
        self.points = {name: question.points for name, question in self.questions.items()}
        self.lost = {name for name, question in self.questions.items() if question.points < question.max_points}

    def told(self, name):
        """All that is said about a question."""
        tests = self.questions[name].tests
        return "\n".join(text for test in tests for text in (test.rationale, test.cause, test.hint) if text)


@cache
def loaded(name):
    return load_assignment(name, HOME)


@pytest.fixture(scope="session")
def captioning():
    return loaded("captioning")


@pytest.fixture
def source():
    """The notebook that is handed in; tests of another one override this."""
    return SOURCE


@pytest.fixture
def student(source):
    return Student(source.read_text(encoding="utf-8"))


@pytest.fixture
def graded(source):
    """Grade a notebook given as a Student, text or bytes; a fixed seed makes failures repeat."""

    def run(notebook, name=source.name, seed=7):
        text = notebook.text if isinstance(notebook, Student) else notebook
        data = text if isinstance(text, bytes) else text.encode()
        return Grade(grade(loaded(source.parent.name), Submission("ada", {name: data}), seed=seed))

    return run


@pytest.fixture
def autograder(tmp_path):
    """The command line, run in an empty folder as a process of its own."""

    def run(*arguments, cwd=tmp_path, env=None):
        command = [sys.executable, "-m", "autograder", *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)

    return run


@pytest.fixture
def get(tmp_path, capsys):
    """Run get_datasets into an empty folder; returns the exit code and what was said."""

    def run(*arguments):
        code = get_datasets.main([*arguments, "--into", str(tmp_path)])
        output = capsys.readouterr()
        return code, output.out + output.err

    return run
