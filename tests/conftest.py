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


class Student:
    """A notebook on its way to being handed in, and beside it, as they are, those that it takes functions from."""

    def __init__(self, notebook):
        self.notebook = notebook
        self.file = f"{notebook}.ipynb"
        [path] = (HOME / "source").glob(f"*/{self.file}")
        self.assignment = path.parent.name
        self.content = json.loads(path.read_text(encoding="utf-8"))
        self.beside = {
            other.name: other.read_bytes() for other in path.parent.glob("*.ipynb") if other.name in self.text
        }

    @property
    def files(self):
        return {**self.beside, self.file: self.text.encode()}

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
    """The result of one notebook of a submission, with what tests ask for most."""

    def __init__(self, result, name):
        self.result = result
        [self.notebook] = [notebook for notebook in result.notebooks if notebook.notebook == name]
        self.questions = {question.question: question for question in self.notebook.questions}
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
def student_of():
    """Make a Student of the notebook with a given name."""
    return Student


@pytest.fixture
def student():
    """Of the notebook that most tests are about; the tests of another one override this."""
    return Student("rnn_captioning")


@pytest.fixture
def graded():
    """Grade a Student, or text or bytes handed in as the notebook named; a fixed seed makes failures repeat."""

    def run(handed_in, notebook="rnn_captioning", seed=7):
        if isinstance(handed_in, Student):
            student, files = handed_in, handed_in.files
        else:
            student = Student(notebook)
            files = {student.file: handed_in if isinstance(handed_in, bytes) else handed_in.encode()}
        return Grade(grade(loaded(student.assignment), Submission("ada", files), seed=seed), student.notebook)

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
