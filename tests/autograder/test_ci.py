"""Grading a checkout for continuous integration, and the workflow files that do it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from junitparser import JUnitXml

from autograder.course import HOME, load_assignment
from autograder.grading import not_graded
from autograder.releasing.bundle import fill_bundle

FOLDER = HOME / "docs" / "ci"
BIN = Path(sys.executable).parent
HIDDEN = (HOME / "autograder" / "suites" / "captioning" / "test_rnn_captioning.py").read_text(encoding="utf-8")


@pytest.fixture
def ci(tmp_path, in_process, monkeypatch):
    """Run ``autograder ci`` on what was handed in, a Student or files by path; returns the process."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def run(handed_in, *options, **environment):
        files = handed_in if isinstance(handed_in, dict) else {handed_in.file: handed_in.text.encode()}
        for name, data in files.items():
            (tmp_path / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "checkout" / name).write_bytes(data)
        return in_process("ci", "checkout", *options, cwd=tmp_path, env=environment)

    return run


def test_a_right_answer_reaches_the_threshold_and_a_wrong_one_does_not(ci, tmp_path, student):
    done = ci(student, "--junit", "grade.xml", "--json", "grade.json", "--summary", "grade.md")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "46 of 46 points (100% reached)" in done.stdout
    read = JUnitXml.fromfile(tmp_path / "grade.xml")
    assert (read.failures, read.errors) == (0, 0)
    assert read.tests > 20
    report = json.loads((tmp_path / "grade.json").read_text())
    jsonschema.validate(report, json.loads((HOME / "docs" / "report.schema.json").read_text()))
    student.begin("word_embedding_forward", "raise NotImplementedError")
    done = ci(student, "--threshold", "60%")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "40 of 46 points (60% reached)" in done.stdout


def test_annotations_point_at_the_cell_and_line_of_the_file(ci, tmp_path, student):
    student.begin("rnn_step_forward", "raise NotImplementedError").begin("word_embedding_forward", "return")
    place = "assignments/captioning/rnn_captioning.ipynb"
    text = json.dumps(student.content, indent=1)
    done = ci({place: text.encode()}, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path / "step.md"))
    assert done.returncode == 3
    found = re.findall(rf"^::error file=checkout/{place},line=(\d+),title=(\w+)%3A", done.stdout, re.MULTILINE)
    lines = {name: text.splitlines()[int(line) - 1] for line, name in found}
    assert "raise NotImplementedError" in lines["rnn_step_forward"]
    assert "def word_embedding_forward" in lines["word_embedding_forward"]
    assert "rnn\\_step\\_forward" in (tmp_path / "step.md").read_text()


def test_what_is_hidden_stays_hidden(ci, tmp_path, student):
    student.begin("word_embedding_forward", "return x").begin("rnn_forward", "return 1")
    files = ("--junit", "grade.xml", "--json", "grade.json", "--summary", "grade.md")
    done = ci(student, *files, GITHUB_ACTIONS="true")
    told = done.stdout + "".join((tmp_path / name).read_text() for name in files[1::2])
    secret = [line.strip() for line in HIDDEN.splitlines() if line.strip().startswith(("judge.", "def ", "for ", "@"))]
    assert len(secret) > 20
    assert [line for line in secret if line in told] == []


def test_a_link_in_a_checkout_is_not_followed(ci, tmp_path, student):
    """A solution lies beside the checkout, and the student commits links to it."""
    solutions = tmp_path / "kit" / "source" / "captioning"
    solutions.mkdir(parents=True)
    (solutions / "rnn_captioning.ipynb").write_text(student.text)
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "assignments").symlink_to(solutions)
    done = ci({"other.ipynb": b"{}"}, "--assignment", "captioning")
    assert "0 of 46 points" in done.stdout
    (tmp_path / "checkout" / "rnn_captioning.ipynb").symlink_to(solutions / "rnn_captioning.ipynb")
    done = ci({}, "--assignment", "captioning")
    assert "0 of 46 points" in done.stdout
    assert "rnn_captioning is empty" in done.stdout


def test_the_assignment_is_told_from_the_notebooks_or_has_to_be_said(ci, student):
    done = ci({"notes.ipynb": student.text.encode()})
    assert done.returncode == 2
    assert "holds none" in done.stderr
    done = ci({student.file: student.text.encode(), "backprop.ipynb": b"{}"})
    assert done.returncode == 2
    assert "backprop, captioning" in done.stderr
    assert ci({}, "--assignment", "captioning").returncode == 0


def test_of_two_notebooks_of_one_name_the_higher_is_graded_and_the_other_told(ci, student):
    done = ci({"old/rnn_captioning.ipynb": b"{}", "rnn_captioning.ipynb": student.text.encode()})
    assert done.returncode == 0
    assert "old/rnn_captioning.ipynb is passed over" in done.stdout


def test_what_folders_are_called_moves_no_cursor_and_begins_no_line(ci, student):
    """Of what is graded, and of what is passed over."""
    hostile = "\x1b]0;owned\x07\x1b[2J\u202e\n::error::forged"
    name = f"{hostile}/rnn_captioning.ipynb"
    for beside in ({}, {f"{hostile}2/rnn_captioning.ipynb": b"{}"}):
        done = ci({name: student.text.encode(), **beside}, "--seed", "1", GITHUB_ACTIONS="true")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "/rnn_captioning.ipynb" in done.stdout
        assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout)
        assert "\n::error" not in done.stdout
    assert "is passed over" in done.stdout


def test_a_broken_notebook_is_a_result_and_a_broken_grader_is_none(ci, tmp_path, student, monkeypatch):
    done = ci({"rnn_captioning.ipynb": b'{"cells": ['}, "--junit", "grade.xml", "--threshold", "0")
    assert done.returncode == 0
    assert "is cut off" in done.stdout
    assert JUnitXml.fromfile(tmp_path / "grade.xml").errors > 0
    (tmp_path / "grade.xml").unlink()

    def broken(assignment, submission, **_):
        return not_graded(assignment, submission, "The suite is broken.")

    monkeypatch.setattr("autograder.ci.grade", broken)
    done = ci(student, "--junit", "grade.xml", "--threshold", "0")
    assert done.returncode == 1
    assert "this is no grade" in done.stderr
    assert not (tmp_path / "grade.xml").exists()


def test_wrong_usage_is_said_before_anything_is_graded(ci):
    for options in (("--threshold", "most"), ("--junit", "nowhere/grade.xml"), ("--assignment", "painting")):
        assert ci({"x.ipynb": b"{}"}, *options).returncode == 2


# -------------------------------------------------------------------------------------------- the workflow files


def linted(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("platform", "schema"), [("github", "github-workflows"), ("gitlab", "gitlab-ci")])
def test_the_workflow_files_please_their_linters(platform, schema, tmp_path):
    files = sorted(FOLDER.glob(f"*.{platform}.yml"))
    assert len(files) == 2
    linted(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    rules = "{document-start: disable, truthy: {check-keys: false}, line-length: {max: 120}}"
    linted(BIN / "yamllint", "--strict", "-d", f"{{extends: default, rules: {rules}}}", *files)
    if platform == "github":
        place = tmp_path / ".github" / "workflows"
        place.mkdir(parents=True)
        for path in files:
            (place / path.name).write_bytes(path.read_bytes())
        linted(BIN / "zizmor", "--offline", "--no-progress", tmp_path)
    for path in files:
        linted(BIN / "shellcheck", "-", input="#!/bin/bash\n" + "\n".join(commands(path.name)))


def commands(file):
    """The shell commands of a workflow file, in order."""
    content = yaml.safe_load((FOLDER / file).read_text(encoding="utf-8"))
    if ".github." in file:
        [job] = content["jobs"].values()
        return [step["run"] for step in job["steps"] if "run" in step]
    [job] = content.values()
    return [*job["before_script"], *job["script"]]


PREPARES = re.compile(r"python -m pip install|make setup|apt-get|sysctl|git clone|rm -rf handed-in/\.git")


def run_workflow(file, checkout, **environment):
    """Run what a workflow runs in a checkout, but what installs and fetches; returns the last process."""
    todo = [command for command in commands(file) if not PREPARES.search(command)]
    assert todo
    environment = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "OPENBLAS_NUM_THREADS": "1",
        "HOME": "/nowhere",
        **environment,
    }
    script = "\n".join(todo)
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(("file", "answered"), [("student.github.yml", False), ("student.gitlab.yml", True)])
def test_the_students_workflow_runs_in_what_students_are_given(file, answered, tmp_path, student):
    checkout = tmp_path / "checkout"
    fill_bundle(load_assignment("captioning", HOME), HOME / "assignments" / "captioning", checkout)
    assert not (checkout / "autograder").exists()
    notebooks = checkout / "assignments" / "captioning"
    (notebooks / "lstm_captioning.ipynb").unlink()
    if answered:
        (notebooks / student.file).write_text(student.text)
    done = run_workflow(file, checkout)
    assert done.returncode == (0 if answered else 3), done.stdout + done.stderr
    assert JUnitXml.fromfile(checkout / "checks.xml").failures == (0 if answered else 8)


@pytest.mark.parametrize("file", ["instructor.github.yml", "instructor.gitlab.yml"])
def test_the_instructors_workflow_grades_a_checkout_inside_the_course(file, tmp_path, student):
    course = tmp_path / "course"
    course.mkdir()
    for name in ("source", "nbgrader_config.py"):
        (course / name).symlink_to(HOME / name)
    (course / ".venv").symlink_to(BIN.parent)
    place = course / "handed-in" / "assignments" / "captioning"
    place.mkdir(parents=True)
    (place / student.file).write_text(student.text)
    done = run_workflow(file, course, ASSIGNMENT="captioning")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((course / "grade.json").read_text())["submissions"][0]["score"] == 46
    assert JUnitXml.fromfile(course / "grade.xml").tests > 20
    text = (FOLDER / file).read_text()
    assert set(re.findall(r"\bgrade\.(?:xml|json|md)\b", text)) == {path.name for path in course.glob("grade.*")}


def test_no_workflow_of_a_student_names_a_secret_or_the_grader():
    for path in FOLDER.glob("student.*"):
        text = path.read_text(encoding="utf-8")
        assert "secrets." not in text
        assert "TOKEN" not in text
        assert "autograder" not in text
