"""What continuous integration runs in a student's repository, and the forms in which it tells what it found."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml

from coursekit.ci import BELOW, FAILED, NOT_JUDGED, PASSED, Checked, Lines, Question, Run, Threshold, Verdict, tell
from coursekit.errors import InvalidInput


@pytest.fixture
def checks(tmp_path):
    """Run ``python -m coursekit.ci`` in a folder of notebooks."""

    def run(*arguments, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
        return subprocess.run(
            [sys.executable, "-m", "coursekit.ci", *map(str, arguments)],
            cwd=tmp_path,
            env={**kept, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def cell(source, grade_id=None, points=1.0, extra=0):
    metadata = {"autograder": {"extra_credit": extra}} if extra else {}
    if grade_id:
        metadata["nbgrader"] = {"grade": True, "solution": False, "grade_id": grade_id, "points": points}
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None}


def written(*cells):
    content = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(content, indent=1)


CHECK = "from coursekit.check import check_values\n"
DOUBLE = ["def double(x):\n", "    y = 1\n", "    return 2 * x\n"]


def double(source=DOUBLE, **check):
    return [cell(source), cell(CHECK), cell("check_values(double, {'x': 2.0}, out=4.0)", "double", **check)]


def test_right_answers_pass_and_nothing_is_run_that_no_check_needs(checks, tmp_path):
    cells = [*double(), cell("raise SystemExit('training')"), cell("open('drawn', 'w')")]
    (tmp_path / "a.ipynb").write_text(written(*cells))
    done = checks()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ double  1 / 1" in done.stdout
    assert not (tmp_path / "drawn").exists()


def test_the_checks_of_the_solutions_pass(checks, tmp_path, student):
    for name, data in student.files.items():
        (tmp_path / name).write_bytes(data)
    done = checks("--junit", "checks.xml", "--summary", "checks.md")
    assert done.returncode == 0, done.stdout
    assert "46 of 46 points (100% reached)" in done.stdout
    assert JUnitXml.fromfile(tmp_path / "checks.xml").failures == 0
    assert "**46 of 46 points**" in (tmp_path / "checks.md").read_text()


@pytest.mark.parametrize(
    ("source", "told", "line"),
    [
        (["x = 0\n", "\n", "def double(x):\n", "    return x\n"], "double is not right yet: look at out.", 3),
        (["def double(x):\n", "    raise NotImplementedError\n"], "double is not written yet.", 1),
        (["def double(x):\n", "    y = 0\n", "    return x / y\n"], "ZeroDivisionError: ", 3),
        (["def double(x):\n", "    y = (\n"], "NameError: name 'double' is not defined", 1),
        (["import os\n", "def double(x):\n", "    os._exit(0)\n"], "It ended the whole process", 2),
        (["def double(x):\n", "    while True: pass\n"], "did not come to an end within 2 s", 1),
    ],
    ids=["wrong", "not written", "raises", "no Python", "ends the process", "hangs"],
)
def test_a_wrong_answer_is_told_at_its_line_of_the_file_and_costs_itself_alone(checks, tmp_path, source, told, line):
    other = [cell("def one(x):\n    return 1.0"), cell("check_values(one, {'x': 2.0}, out=1.0)", "one")]
    text = written(*double(source), *other)
    (tmp_path / "a.ipynb").write_text(text)
    done = checks("--seconds", 2, GITHUB_ACTIONS="true")
    assert done.returncode == BELOW, done.stdout + done.stderr
    [annotation] = re.findall(
        r"^::error file=a.ipynb,line=(\d+),title=double%3A 0 / 1::(.*)$", done.stdout, re.MULTILINE
    )
    assert told in annotation[1]
    assert json.loads(text.splitlines()[int(annotation[0]) - 1].rstrip(",")) == source[line - 1]
    assert "✓ one" in done.stdout


def test_a_check_uses_what_stands_above_it(checks, tmp_path):
    (tmp_path / "a.ipynb").write_text(written(*double(), cell("def double(x):\n    return 0")))
    assert checks().returncode == 0
    (tmp_path / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "a.ipynb").write_text(written(*double("from helper import double")))
    assert checks().returncode == 0


def test_a_notebook_that_cannot_be_read_is_no_pass(checks, tmp_path):
    (tmp_path / "a.ipynb").write_text('{"cells": [')
    done = checks("--junit", "checks.xml")
    assert done.returncode == BELOW
    assert "a.ipynb is cut off" in done.stdout
    assert JUnitXml.fromfile(tmp_path / "checks.xml").errors == 1


def test_where_nothing_can_be_checked_nothing_passes(checks, tmp_path):
    (tmp_path / "a.ipynb").write_text(written(cell("1")))
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "b.ipynb").write_text(written(*double()))
    done = checks()
    assert done.returncode == 1
    assert done.stderr == "There is no notebook with checks here.\n"
    (tmp_path / "a.ipynb").write_text(written(cell("def double(x): ..."), cell("", "double")))
    assert checks().returncode == BELOW


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.ipynb"], "there is no file or folder nowhere.ipynb"),
        (["--junit", "no/c.xml"], "--junit: there is no folder no to write 'c.xml' into"),
        (["--summary", "."], "--summary: . is a folder"),
        *((["--seconds", text], f"'{text}' is not a number of seconds between 0 and") for text in ("0", "nan", "1e7")),
        (["--seconds=-1"], "'-1' is not a number of seconds between 0 and"),
        (["--seconds", "few"], "'few' is not a number of seconds between 0 and"),
    ],
)
def test_wrong_usage_is_told_before_any_check_runs(checks, tmp_path, arguments, told):
    (tmp_path / "a.ipynb").write_text(written(*double("open('run', 'w')\ndef double(x): return 2 * x")))
    done = checks(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "run").exists()
    assert not done.stdout


def test_a_file_that_cannot_be_written_is_told_by_its_own_name(tmp_path):
    for place in (tmp_path, tmp_path / "no" / "j.xml"):
        with pytest.raises(OSError, match=f"{re.escape(str(place))}'$") as caught:
            tell(run_of(), Threshold.of("50%"), [].append, junit_file=place, environment={})
        assert caught.value.filename == str(place)
    assert not list(tmp_path.iterdir())


def test_extra_credit_that_is_missing_is_a_warning_and_fails_nothing(checks, tmp_path):
    missing = [cell("check_values(more, {}, out=1)", "more", points=0, extra=3)]
    (tmp_path / "a.ipynb").write_text(written(*double(), *missing))
    done = checks(GITHUB_ACTIONS="true")
    assert done.returncode == 0, done.stdout
    assert "::warning file=a.ipynb," in done.stdout
    assert "::error" not in done.stdout


# ------------------------------------------------------------------------------------------------ the forms

HOSTILE = "]]>\x00\x1b[31m\u202e</details><script>::error::```` `x` | *a* [b](c) %0A\r\n::set-env name=x::y\n\ud800"


def run_of(told=HOSTILE, title=HOSTILE, outcome=FAILED, points=0.0):
    question = Question("f", points, 2.0, extra_credit=False, tests=(Verdict(title, outcome, told),), line=7)
    return Run("checks", "note", (Checked("a", "my,a:b%.ipynb", (question,), (("cell 1: x", None),)),))


def told_by(run, tmp_path, **environment):
    said = []
    files = {"junit_file": tmp_path / "j.xml", "summary_file": tmp_path / "s.md"}
    code = tell(run, Threshold.of("50%"), said.append, **files, environment=environment)
    return code, "\n".join(said)


def test_names_of_files_and_what_names_them_stay_on_their_line(tmp_path):
    question = run_of("told", "title").questions[0]
    run = Run("checks", HOSTILE, (Checked("a", HOSTILE, (question,)),))
    _, said = told_by(run, tmp_path, GITHUB_ACTIONS="true")
    lines = said.splitlines()
    begin = lines[0].replace("stop-commands::", "")
    assert [line for line in lines if line.startswith("::")] == [lines[0], f"{begin}::", lines[-1]]
    assert not {"\x1b", "\x00", "\u202e", "\ud800"} & set(said)
    assert JUnitXml.fromfile(tmp_path / "j.xml").failures == 1


def test_what_code_says_stays_text_in_every_form(tmp_path):
    code, said = told_by(run_of(), tmp_path, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path / "step.md"))
    assert code == BELOW
    first, *lines = said.splitlines()
    token = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", first)[1]
    commands = lines[lines.index(f"::{token}::") + 1 :]
    assert [command.split(" ")[0] for command in commands] == ["::warning", "::error"]
    assert commands[1].startswith("::error file=my%2Ca%3Ab%25.ipynb,line=7,title=f%3A 0 / 2::")
    assert "\x1b" not in said
    case = next(iter(next(iter(JUnitXml.fromfile(tmp_path / "j.xml")))))
    [_, case] = ET.parse(tmp_path / "j.xml").getroot().iter("testcase")
    assert case.find("failure").text.startswith("]]>")
    summary = (tmp_path / "s.md").read_text()
    assert (tmp_path / "step.md").read_text() == summary + "\n"
    [block] = re.findall(r"^(`{5,})text\n(.*?)^\1$", summary, re.MULTILINE | re.DOTALL)
    assert "<script>" in block[1]
    assert "<script>" not in summary.replace(block[1], "")


@given(st.text(st.characters(codec=None)), st.sampled_from([PASSED, FAILED, NOT_JUDGED]))
def test_junit_is_read_back_whatever_is_told(tmp_path_factory, text, outcome):
    folder = tmp_path_factory.mktemp("junit")
    code, _ = told_by(run_of(text, text, outcome, points=2.0 if outcome == PASSED else 0.0), folder)
    read = JUnitXml.fromfile(folder / "j.xml")
    assert (read.tests, read.failures, read.errors) == (2, 1 + (outcome == FAILED), int(outcome == NOT_JUDGED))
    assert code == (0 if outcome == PASSED else BELOW)


@pytest.mark.parametrize(
    ("text", "points", "reached"),
    [
        ("60%", 1.2, True),
        ("60%", 1.1, False),
        ("1.5", 1.5, True),
        ("1.5", 1.4, False),
        ("0", 0, True),
        ("100 %", 2, True),
    ],
)
def test_a_threshold_is_a_share_or_points(text, points, reached):
    assert Threshold.of(text).reached(run_of(points=points)) is reached


@pytest.mark.parametrize("text", ["", "most", "-1", "60%%", "nan"])
def test_what_is_no_threshold_is_refused(checks, text):
    with pytest.raises(InvalidInput, match="no threshold"):
        Threshold.of(text)
    assert checks(f"--threshold={text}").returncode == 2


def test_a_cells_line_is_found_in_the_file_however_it_was_saved():
    cells = [cell(["a\n", "b\n", "c"]), cell("x\ny"), cell([]), cell(["p\nq\n", "r"])]
    text = written(*cells)
    lines = Lines(text.encode())
    at = {
        json.loads(line.strip().rstrip(",")): n
        for n, line in enumerate(text.splitlines(), 1)
        if line.strip()[:1] == '"' and ":" not in line
    }
    assert [lines.of(1, n) for n in (None, 1, 2, 3)] == [at["a\n"], at["a\n"], at["b\n"], at["c"]]
    assert lines.of(2, 1) == lines.of(2, 2) != lines.of(1, 1)
    assert lines.of(3, 1) is None
    assert [lines.of(4, n) for n in (1, 2, 3)] == [at["p\nq\n"], at["p\nq\n"], at["r"]]
    assert [lines.of(n) for n in (0, 5, None)] == [None] * 3
    assert Lines(json.dumps({"cells": cells}).encode("utf-16")).of(1, 2) == 1


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"cells": [1, {"source": 3}]}'])
def test_of_a_broken_file_no_line_is_known(data):
    assert Lines(data).of(1) is None
