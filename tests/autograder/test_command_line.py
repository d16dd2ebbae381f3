"""The commands as an instructor runs them: each in a process of its own, in an empty folder."""

import fcntl
import json
import os
import shutil
from pathlib import Path

import click
import jsonschema
import pytest
from click.testing import CliRunner

from autograder.cli import main
from autograder.course import HOME
from autograder.files import write_whole

SOURCE = HOME / "source" / "captioning" / "rnn_captioning.ipynb"
SCHEMA = json.loads((HOME / "docs" / "report.schema.json").read_text(encoding="utf-8"))


def refused(done, code, *words):
    """The command ended with an exit code and a sentence or two, and no traceback."""
    told = done.stderr + done.stdout
    assert done.returncode == code, told
    assert "Traceback" not in told
    for word in words:
        assert word in told, told
    assert len(told.strip().splitlines()) <= 5


def test_a_single_notebook_is_graded_outside_of_any_course(autograder, tmp_path):
    shutil.copy(SOURCE, tmp_path / "rnn_captioning.ipynb")
    done = autograder("grade", "captioning", "rnn_captioning.ipynb", "--json", "out.json")
    assert done.returncode == 0, done.stderr
    assert "46 of 46 points" in done.stdout
    report = json.loads((tmp_path / "out.json").read_text())
    jsonschema.validate(report, SCHEMA)
    assert report["submissions"][0]["score"] == 46
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_submitted_tree_is_graded_student_by_student(autograder, tmp_path, student, student_of):
    handed_in = {
        "ada": student_of("lstm_captioning").files,
        "ben": {"rnn_captioning.ipynb": b"{"},
        "eve": student.begin("rnn_forward", "1 / 0").files,
    }
    for name, files in handed_in.items():
        folder = tmp_path / "submitted" / name / "captioning"
        folder.mkdir(parents=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
    (tmp_path / "submitted" / "zoe" / "another").mkdir(parents=True)
    done = autograder("grade", "captioning", "submitted", "--json", "all.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2].startswith("3/3 ")
    report = json.loads((tmp_path / "all.json").read_text())
    jsonschema.validate(report, SCHEMA)
    found = [(s["student"], s["status"], s["score"]) for s in report["submissions"]]
    assert found[0] == ("ada", "graded", 66)
    assert found[1] == ("ben", "unreadable", 0)
    assert found[2][0] == "eve"
    for path, names in {"submitted/ada": ["ada"], "submitted/ben/captioning": ["ben"]}.items():
        assert autograder("grade", "captioning", path, "--json", "one.json").returncode == 0
        report = json.loads((tmp_path / "one.json").read_text())
        assert [submission["student"] for submission in report["submissions"]] == names


def test_every_kind_of_outcome_keeps_to_the_documented_schema(autograder, tmp_path, student):
    student.begin("rnn_step_forward", "raise ValueError('\\x1b[31m<b>[red]\\u202e')").begin("rnn_forward", "return 1")
    student.begin("rnn_backward", "if x = 1:")
    (tmp_path / "a.ipynb").write_text(student.text)
    assert autograder("grade", "captioning", "a.ipynb", "--json", "a.json").returncode == 0
    report = json.loads((tmp_path / "a.json").read_text())
    jsonschema.validate(report, SCHEMA)
    [notebook] = [each for each in report["submissions"][0]["notebooks"] if each["notebook"] == "rnn_captioning"]
    outcomes = {test["outcome"] for question in notebook["questions"] for test in question["tests"]}
    assert outcomes == {"passed", "failed", "not judged"}


def test_an_unknown_assignment_is_refused_with_those_there_are(autograder):
    refused(autograder("grade", "painting", SOURCE), 2, "no assignment 'painting'", "captioning")
    refused(autograder("release", "painting"), 2, "no assignment 'painting'")


def test_a_missing_file_is_refused(autograder):
    refused(autograder("grade", "captioning", "nowhere.ipynb"), 2, "There is no file or folder nowhere.ipynb.")


def test_a_folder_with_nothing_to_grade_is_refused(autograder, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(autograder("grade", "captioning", "empty"), 2, "nothing to grade", "STUDENT/captioning/")


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_graded(autograder):
    refused(autograder("grade", "captioning", SOURCE, "--json", "nowhere/out.json"), 2, "no folder nowhere")


@pytest.mark.parametrize("arguments", [["grade"], ["paint"], ["grade", "captioning", "--jobs", "0"], ["release"]])
def test_a_wrong_command_line_is_usage_and_exit_code_2(autograder, arguments):
    refused(autograder(*arguments), 2, "Usage: ")


def test_a_missing_bubblewrap_is_one_sentence_and_the_command_that_installs_it(autograder, tmp_path):
    done = autograder("grade", "captioning", SOURCE, env={**os.environ, "PATH": str(tmp_path)})
    refused(done, 1, "bubblewrap is not installed", "sudo apt-get install bubblewrap")


def test_grading_without_a_sandbox_needs_an_explicit_option_and_says_so(autograder, tmp_path):
    done = autograder("grade", "captioning", SOURCE, "--unsafe", env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "46 of 46 points" in done.stdout
    assert "without a sandbox" in done.stderr


def test_a_failure_of_the_grader_is_loud_and_no_grade(autograder, tmp_path):
    """A suite that breaks is told as the grader's own failure, with exit code 1."""
    course = tmp_path / "kit"
    for name in ("autograder", "coursekit", "source"):
        shutil.copytree(HOME / name, course / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HOME / "nbgrader_config.py", course)
    suite = course / "autograder" / "suites" / "captioning" / "test_rnn_captioning.py"
    suite.write_text(suite.read_text().replace("judge.forward(EMBEDDING,", "judge.no_such_thing(EMBEDDING,", 1))
    env = {**os.environ, "PYTHONPATH": str(course)}
    done = autograder("grade", "captioning", SOURCE, "--json", "out.json", cwd=course, env=env)
    assert done.returncode == 1
    assert "the grader itself failed; this is no grade" in done.stderr
    assert "Traceback" not in done.stderr
    [submission] = json.loads((course / "out.json").read_text())["submissions"]
    assert "no_such_thing" in submission["failure"]
    assert submission["status"] == "partly"


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (KeyboardInterrupt(), "Interrupted; nothing was written."),
        (click.Abort(), "Interrupted; nothing was written."),
        (FileExistsError(17, "File exists", "bundles"), "bundles: File exists."),
    ],
)
def test_what_ends_a_command_is_told_in_a_line(raised, told, monkeypatch):
    def ended():
        raise raised

    monkeypatch.setattr("autograder.course.course_folder", ended)
    done = CliRunner().invoke(main, ["regrade", "captioning"])
    assert (done.exit_code, done.output) == (1, f"{told}\n")


def test_a_report_that_only_looks_as_if_it_could_be_written_is_refused_before_anything_is_graded(autograder):
    done = autograder("grade", "captioning", SOURCE, "--json", "/proc/out.json")
    refused(done, 2, "/proc/out.json cannot be written")


def test_a_file_system_without_locks_can_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(95, "Operation not supported")))
    write_whole(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"


def test_doctor_tries_the_machine_and_names_what_is_missing(autograder, tmp_path):
    done = autograder("doctor")
    assert done.returncode == 0, done.stdout
    assert "✗" not in done.stdout
    for sealed in ("no network", "no new processes", "no files of this machine", "memory is limited"):
        assert sealed in done.stdout
    (tmp_path / "source").mkdir()
    (tmp_path / "nbgrader_config.py").write_text("c = (")
    assert "doesnotrun" in "".join(autograder("doctor").stdout.split())
    done = autograder("doctor", env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 1
    assert "sudo apt-get install bubblewrap" in done.stdout


def test_demo_makes_a_class_grades_it_and_writes_a_report(autograder, tmp_path):
    done = autograder("demo")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "demo" / "captioning.json").read_text())
    jsonschema.validate(report, SCHEMA)
    scores = {submission["student"]: submission["score"] for submission in report["submissions"]}
    assert len(scores) >= 8
    assert scores.pop("reference") == 66
    assert scores["untouched"] == 0
    assert scores["cut-off-file"] == 0
    assert all(score < 66 for score in scores.values())
    assert "hidden gradient not carried" in (tmp_path / "demo" / "captioning.html").read_text()
    pages = {path.stem for path in (tmp_path / "demo" / "captioning").iterdir()}
    assert pages == {submission["student"] for submission in report["submissions"]}
    assert (tmp_path / "demo" / "assignments" / "captioning" / "rnn_captioning.ipynb").is_file()


def commands():
    return sorted(main.commands)


@pytest.mark.parametrize("name", commands())
def test_every_command_has_help_and_stands_in_the_readme(name):
    done = CliRunner().invoke(main, [name, "--help"])
    assert done.exit_code == 0
    assert main.commands[name].help
    assert f"`autograder {name}" in (HOME / "README.md").read_text(encoding="utf-8")


def test_the_module_runs_as_the_command_does(autograder):
    assert autograder("--version").stdout.startswith("autograder, version ")


def test_nothing_is_written_outside_of_what_was_asked_for(autograder, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in Path(HOME / "source").rglob("*")}
    shutil.copy(SOURCE, tmp_path / "mine.ipynb")
    autograder("grade", "captioning", "mine.ipynb")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.ipynb"]
    assert before == {path: path.stat().st_mtime_ns for path in Path(HOME / "source").rglob("*")}
