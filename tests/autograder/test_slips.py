"""What the author of an assignment gets wrong is told once, in a sentence that names the place and what to do."""

import json
import sys
from contextlib import closing

import pytest

from autograder import course
from autograder.audit import audit
from autograder.audit.variants import variants_of
from autograder.course import HOME, load_assignment
from autograder.errors import SuiteError
from autograder.grading import Submission, grade
from autograder.judging.run import SuiteRun
from autograder.judging.student import Student
from autograder.releasing.leaks import find_leaks

DOUBLE = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
SUITE = '''
from autograder.judging.judge import question


@question("double")
def test_double(judge):
    """It doubles."""
    x = judge.normal(3, 5)
    judge.same("double", judge.reference.double(x), lambda who: who.double(x))
'''
MISTAKES = """
from autograder.judging.misconceptions import Misconception

MISCONCEPTIONS = (
    Misconception("double", "three", "it is three times x", "How often is x added?", ("2 * x", "3 * x")),
)
"""
VARIANTS = """
from autograder.audit.variants import Variant

VARIANTS = (Variant(("double",), "added", "def double(x):\\n    return x + x"),)
"""
GRADE_CELL = {"grade": True, "solution": False, "grade_id": "double", "points": 2, "locked": True, "schema_version": 3}


def cell(source, kind="code", autograder=None, **nbgrader):
    metadata = {"nbgrader": nbgrader} | ({"autograder": autograder} if autograder else {})
    code = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": metadata, "source": source, **code}


def notebook(*cells):
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


def graded(**changes):
    """A notebook whose grade cell has other metadata; what is None is left out."""
    told = {name: value for name, value in {**GRADE_CELL, **changes}.items() if value is not None}
    return notebook(cell(DOUBLE), cell("pass", **told))


class Place:
    """A course with one small assignment, and where its files lie."""

    def __init__(self, folder):
        self.folder, self.suites = folder, folder / "suites"
        self.notebook = folder / "source" / "small" / "doubling.ipynb"
        self.suite = self.suites / "small" / "test_doubling.py"
        self.mistakes = self.suite.with_name("misconceptions_doubling.py")
        self.variants = self.suite.with_name("variants_doubling.py")
        for path in (self.notebook, self.suite):
            path.parent.mkdir(parents=True)
        self.notebook.write_text(graded())
        self.suite.write_text(SUITE)
        self.mistakes.write_text(MISTAKES)
        self.variants.write_text(VARIANTS)
        (folder / "nbgrader_config.py").write_text("c = get_config()\n")

    def load(self):
        return load_assignment("small", self.folder, self.suites)

    def grade(self, assignment=None):
        return grade(assignment or self.load(), Submission("ada", {"doubling.ipynb": self.notebook.read_bytes()}))


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "SUITES", tmp_path / "suites")
    monkeypatch.delitem(sys.modules, "test_doubling", raising=False)  # the suite of the test before
    return Place(tmp_path)


def refused(act, *words):
    with pytest.raises(SuiteError) as caught:
        act()
    assert caught.value.fix
    for word in words:
        assert str(word) in caught.value.message
    return str(caught.value)


def test_without_a_slip_it_is_graded_and_sound_apart_from_its_release(place):
    assert place.grade().score == 2
    problems = audit(place.load(), seed=7, seeds=1, jobs=1).problems
    assert {each.part for each in problems} == {"stub"}, problems


# ---------------------------------------------------------------------------------------------------- the notebook


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (graded(points=None), ['cell 2: the "points"', "missing"]),
        (graded(points="four"), ['cell 2: the "points"', "'four'"]),
        (graded(points=-1), ["cell 2", "-1"]),
        (graded(points=float("nan")), ["cell 2", "nan"]),
        (graded(points=0, autograder={"extra_credit": "lots"}), ['cell 2: the "extra_credit"', "'lots'"]),
        (graded(points=0, autograder={"extra_credit": -4}), ["cell 2", "-4"]),
        (graded(autograder={"extra_credit": 4}), ["cell 2 has both"]),
        (graded(grade_id=None), ["cell 2", "has no id"]),
        (graded(grade_id="triple"), ["cell 2", "'triple'"]),
        (
            notebook(cell(DOUBLE), cell("", **GRADE_CELL), cell("", **GRADE_CELL)),
            ["cell 3", "'double'", "cell 2 has too"],
        ),
        (notebook(cell(DOUBLE), cell("", "markdown", **GRADE_CELL)), ["cell 2", "without code"]),
        (notebook(cell(DOUBLE)), ["has no graded cells"]),
        (graded().replace("    ### END SOLUTION", ""), ["cell 1, line 2: ### BEGIN SOLUTION has no"]),
        (graded().replace("### END", "### BEGIN"), ["cell 1, line 2: ### BEGIN SOLUTION has no"]),
        (graded().replace("### BEGIN SOLUTION", "pass"), ["cell 1, line 4: ### END SOLUTION has no"]),
    ],
)
def test_a_slip_in_the_notebook_is_told_with_its_cell(place, content, words):
    place.notebook.write_text(content)
    refused(place.load, place.notebook, *words)


@pytest.mark.parametrize("content", ["", "{", '{"cells": [', "PK\x03\x04", "[]"])
def test_a_broken_notebook_is_told_to_its_author_and_not_to_a_student(place, content):
    place.notebook.write_text(content)
    assert "hand" not in refused(place.load, f"{place.notebook} cannot be read").replace("/hand", "")


def test_a_notebook_that_is_a_folder_or_a_dangling_link_is_named(place):
    place.notebook.unlink()
    place.notebook.mkdir()
    refused(place.load, f"{place.notebook} cannot be read: Is a directory")
    place.notebook.rmdir()
    place.notebook.symlink_to(place.folder / "gone.ipynb")
    refused(place.load, f"{place.notebook} cannot be read: No such file")


def test_an_import_of_what_is_not_there_is_found_by_the_audit(place):
    imports = (
        "import nothing_of_this_name.inner, numpy, beside\ntry:\n    import nor_this\nexcept ImportError:\n    pass"
    )
    (place.notebook.parent / "beside.py").touch()
    place.notebook.write_text(notebook(cell(imports), cell(DOUBLE), cell("pass", **GRADE_CELL)))
    problems = audit(place.load(), seed=7, seeds=1, jobs=1).problems
    [problem] = [each.problem for each in problems if each.part == "reference"]
    assert problem.startswith("nothing_of_this_name, which it imports in cell 1, is not there")


# ------------------------------------------------------------------------------------- what lies beside the suite


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("MISCONCEPTIONS = (", "MISCONCEPTIONS = ((", [", line 4 does not run: SyntaxError: '('"]),
        ("from autograder", "import nothing\nfrom autograder", [", line 2 does not run: ModuleNotFoundError"]),
        (', ("2 * x", "3 * x")', "", [", line 5 does not run: TypeError: ", "'change'"]),
        ("MISCONCEPTIONS = ", "raise SystemExit\nMISCONCEPTIONS = ", [", line 4 does not run: SystemExit"]),
        ("MISCONCEPTIONS", "MISTAKES", [": MISCONCEPTIONS is missing"]),
        ('")),\n)', '"))\n)', [": MISCONCEPTIONS lists something else"]),
        ("2 * x", "2 * y", ["'three' of double", "'2 * y', which occurs 0 times"]),
        ('"double"', '"triple"', ["triple is defined 0 times"]),
    ],
)
def test_a_slip_in_the_known_mistakes_is_told_with_its_file_before_anything_is_graded(place, old, new, words):
    place.mistakes.write_text(MISTAKES.replace(old, new))
    refused(place.load, f"{place.mistakes}{words[0]}" if words[0][0] in ",:" else place.mistakes, *words)


def test_a_known_mistake_that_does_not_run_is_told_by_its_name(place):
    place.mistakes.write_text(MISTAKES.replace('"3 * x"', '"3 *"'))
    assignment = place.load()
    answer = place.notebook.read_text().replace("2 * x", "4 * x").encode()
    refused(lambda: grade(assignment, Submission("ada", {"doubling.ipynb": answer})), "'three' of double", "cell 1")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("VARIANTS = (", "VARIANTS = ((", ", line 4 does not run: SyntaxError"),
        ("VARIANTS", "OTHERS", ": VARIANTS is missing"),
        ("x + x", "x +", ": the variant double: added is not valid Python in its line 2"),
        ('("double",)', '("triple",)', ": the variant triple: added belongs to no question"),
    ],
)
def test_a_slip_in_the_variants_is_told_with_its_file(place, old, new, words):
    place.variants.write_text(VARIANTS.replace(old, new))
    [assigned] = place.load().notebooks
    refused(lambda: variants_of(assigned), f"{place.variants}{words}")


# -------------------------------------------------------------------------------------------------------- the suite


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("x = judge", "x = = judge", "small/test_doubling.py, line 8 does not run: SyntaxError: invalid syntax"),
        ("from autograder", "import nothing\nfrom autograder", ", line 2 does not run: ModuleNotFoundError"),
        ('@question("double")', "import sys\n\nsys.exit(1)", ", line 7 does not run: SystemExit"),
        ('@question("double")', "undefined", ", line 5 does not run: NameError"),
        ('"double")\n', '"triple")\n', "test_double of small/test_doubling.py belongs to no question: 'triple'"),
        ('"double")\n', '"double", weight="a")\n', "test_double of small/test_doubling.py has the weight 'a'"),
        ('"double")\n', '"double", weight=0)\n', "has the weight 0, not a number above 0"),
        ('"double")\n', '"double", weight=-1)\n', "has the weight -1"),
        ("test_double", "double", "small/test_doubling.py has no test for double"),
    ],
)
def test_a_suite_that_cannot_be_used_is_one_error_and_no_result(place, capsys, old, new, words):
    place.suite.write_text(SUITE.replace(old, new))
    assignment = place.load()
    told = refused(lambda: place.grade(assignment), words)
    assert len(told.splitlines()) == 2
    assert "INTERNALERROR" not in capsys.readouterr().err
    refused(lambda: audit(assignment, seed=7, seeds=1, jobs=1), words)


def test_a_class_with_a_broken_suite_is_told_of_it_once(place, in_process):
    place.suite.write_text(SUITE.replace("x = judge", "x = = judge"))
    for student in ("ada", "ben", "cleo"):
        folder = place.folder / "submitted" / student / "small"
        folder.mkdir(parents=True)
        (folder / "doubling.ipynb").write_bytes(place.notebook.read_bytes())
    done = in_process("grade", "small", "submitted", "--jobs", "2", cwd=place.folder)
    assert done.returncode == 1
    assert done.stderr.count("invalid syntax") == 1
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("content", [SUITE.replace("x = judge", "x = = judge").encode(), b"x = '\xfc'"])
def test_a_suite_that_is_no_python_is_told_when_leaks_are_looked_for(place, content):
    place.suite.write_bytes(content)
    refused(lambda: find_leaks(place.load(), HOME / "tools"), place.suite, "does not run: SyntaxError")


def test_what_a_test_raises_is_told_with_its_name_and_line(place):
    place.suite.write_text(SUITE.replace("    judge.same", "    {}['oops']\n    judge.same"))
    assert place.grade().failure == "test_double of test_doubling.py, line 9: KeyError: 'oops'"


def test_what_the_reference_raises_is_told_with_its_cell(place):
    [assigned] = place.load().notebooks
    place.notebook.write_text(graded().replace("return 2 * x", "return twice(2 * x)"))
    told = place.grade().failure
    assert told.startswith("test_double of test_doubling.py, line 9, where the reference solution ran into an error ")
    assert told.endswith("(doubling.ipynb, cell 1, line 3): NameError: name 'twice' is not defined")
    with closing(Student(assigned.source, assigned.names, inside=True)) as student:
        run = SuiteRun(place.load().notebooks[0], student, seed=1)
        run.run()
    assert run.errors == [told]
