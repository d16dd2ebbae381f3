"""The autograder for Gradescope: its zip, and what it does in folders laid out as in Gradescope's container."""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest

from autograder.course import HOME

SCHEMA = json.loads((HOME / "docs" / "gradescope-results.schema.json").read_text(encoding="utf-8"))


PYTHON = f"""#!/bin/bash
shift 2
exec {sys.executable} -c '
import runpy, sys
sys.modules.update(dict.fromkeys("dask jinja2 nbconvert nbformat nbgrader yaml".split()))
runpy.run_module("autograder", run_name="__main__", alter_sys=True)' "$@"
"""
"""In place of the Python that setup.sh makes: it cannot import what setup.sh does not install."""


class Container:
    """Gradescope's folders, in a scratch folder in place of /autograder."""

    def __init__(self, root, file):
        self.root = root
        for name in ("source", "submission", "results"):
            (root / name).mkdir(parents=True)
        with zipfile.ZipFile(file) as archive:
            archive.extractall(root / "source")
        shutil.copy(root / "source" / "run_autograder", root)
        (root / "python").write_text(PYTHON)
        (root / "python").chmod(0o755)
        self.history()

    def configure(self, **config):
        """What ``build`` is told by options, which is all that it writes beside copies."""
        path = self.root / "source" / "gradescope.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **config}))

    def history(self, *previous):
        told = {"id": 9, "created_at": "2026-03-09T10:00:00.000000-07:00", "previous_submissions": list(previous)}
        (self.root / "submission_metadata.json").write_text(json.dumps(told))

    def run(self, files, code=0):
        """Run run_autograder on a submission; returns the results, or None without, and what was printed.

        What is a path in place of bytes is handed in as a link to it.
        """
        shutil.rmtree(self.root / "submission")
        (self.root / "submission").mkdir()
        for name, data in files.items():
            path = self.root / "submission" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(data) if isinstance(data, Path) else path.write_bytes(data)
        environment = {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "AUTOGRADER_ROOT": str(self.root),
            "AUTOGRADER_PYTHON": str(self.root / "python"),
        }
        done = subprocess.run(
            ["bash", self.root / "run_autograder"],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        told = done.stdout + done.stderr
        assert done.returncode == code, told
        results = self.root / "results" / "results.json"
        if not results.exists():
            return None, told
        content = json.loads(results.read_text(encoding="utf-8"))
        jsonschema.validate(content, SCHEMA)
        return content, told


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The zip of captioning."""
    file = tmp_path_factory.mktemp("built") / "captioning.zip"
    command = [sys.executable, "-m", "autograder", "gradescope", "build", "captioning", "--to", file]
    subprocess.run(command, cwd=file.parent, check=True, capture_output=True, timeout=120)
    return file


@pytest.fixture
def container(tmp_path, built):
    return Container(tmp_path / "autograder", built)


def by_name(results):
    return {test["name"]: test for test in results["tests"]}


def test_the_zip_is_the_same_bytes_each_time_and_holds_one_assignment(built, in_process, tmp_path):
    done = in_process("gradescope", "build", "captioning", "--to", "again.zip", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again.zip").read_bytes() == built.read_bytes()
    with zipfile.ZipFile(built) as archive:
        names = set(archive.namelist())
        modes = {info.filename: stat.S_IMODE(info.external_attr >> 16) for info in archive.infolist()}
    assert {"setup.sh", "run_autograder", "requirements.txt", "pyproject.toml"} <= names
    assert modes["setup.sh"] == modes["run_autograder"] == 0o755
    assert {name.split("/")[1] for name in names if name.startswith("source/")} == {"captioning"}
    prefix = "autograder/suites/"
    assert {name.removeprefix(prefix).split("/")[0] for name in names if name.startswith(prefix)} == {"captioning"}
    assert "test_rnn_captioning.py" in {Path(name).name for name in names}
    assert not [name for name in names if "__pycache__" in name or "/." in name or name.startswith(("tests/", "."))]


def test_a_submission_is_graded_and_each_question_is_a_test(container, student):
    student.begin("word_embedding_forward", "raise NotImplementedError")
    results, told = container.run({"work/rnn_captioning.ipynb": student.text.encode()})
    assert results["score"] == 40
    assert results["stdout_visibility"] == "hidden"
    tests = by_name(results)
    assert sum(test["score"] for test in tests.values()) == 40
    assert sum(test["max_score"] for test in tests.values()) == 46
    assert tests["rnn_forward"]["status"] == "passed"
    wrong = tests["word_embedding_forward"]
    assert wrong["status"] == "failed"
    assert "is not written yet" in wrong["output"]
    assert {test["visibility"] for test in tests.values()} == {"visible"}
    assert "40 of 46 points" in told


def test_where_namespaces_are_forbidden_a_submission_is_graded_too(container, student):
    bwrap = container.root / "bin" / "bwrap"
    bwrap.parent.mkdir()
    bwrap.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    bwrap.chmod(0o755)
    results, _ = container.run({student.file: student.text.encode()})
    assert results["score"] == 46


def test_extra_credit_is_named_so_and_counts_beyond_the_maximum(container, student_of):
    student = student_of("lstm_captioning")
    results, _ = container.run({name: bytes(data) for name, data in student.files.items()})
    assert results["score"] == 66
    assert by_name(results)["lstm_forward (extra credit)"]["score"] == 2


@pytest.mark.parametrize("data", [b"", b'{"cells": [', b"\xff\x00", b"[]"])
def test_a_bad_notebook_is_a_result(container, data):
    results, _ = container.run({"rnn_captioning.ipynb": data})
    assert results["score"] == 0
    assert "rnn_captioning" in results["output"]
    assert {test["status"] for test in results["tests"]} == {"failed"}


def test_nothing_handed_in_is_a_result(container):
    results, _ = container.run({"notes.txt": b"later"})
    assert results["score"] == 0
    assert "there is no notebook rnn_captioning.ipynb" in results["output"]


@pytest.mark.parametrize("name", ["rnn_captioning.ipynb", "work"])
def test_a_link_to_the_solution_earns_nothing(container, name):
    solution = container.root / "source" / "source" / "captioning"
    results, _ = container.run({name: solution / name if name.endswith(".ipynb") else solution})
    assert results["score"] == 0


def test_what_a_students_code_says_is_shown_as_text(container, student):
    student.begin("rnn_forward", "raise ValueError('<script>\\x1b[31m**x**')")
    results, _ = container.run({student.file: student.text.encode()})
    assert {results["output_format"], results["test_output_format"], results["test_name_format"]} == {"text"}
    assert "<script>" in by_name(results)["rnn_forward"]["output"]
    assert "\x1b" not in json.dumps(results, ensure_ascii=False)


def test_what_is_said_of_answers_is_visible_when_the_instructor_says(in_process, tmp_path):
    options = ("--visibility", "after_published", "--attempts", 3, "--to", "x.zip")
    assert in_process("gradescope", "build", "captioning", *options, cwd=tmp_path).returncode == 0
    container = Container(tmp_path / "autograder", tmp_path / "x.zip")
    results, _ = container.run({"rnn_captioning.ipynb": b"{"})
    assert {test["visibility"] for test in results["tests"]} == {"after_published"}
    assert "visibility" not in results
    assert "submission 1 of 3" in results["output"]


# ------------------------------------------------------------------------------------------------ attempts


def previous(results, time, **more):
    return {"submission_time": time, "score": results["score"], "results": results, **more}


def test_beyond_the_limit_the_last_score_that_counts_is_kept_and_told(container, student):
    container.configure(attempts=2)
    first, _ = container.run({student.file: b"{"})
    assert "This is submission 1 of 2 that count." in first["output"]
    failed = [previous({"score": score}, "2026-03-02T10:00:00.0-07:00", autograder_error=True) for score in (None, 0.0)]
    former = [previous(first, "2026-03-01T10:00:00.000000-07:00")]
    container.history(*former, *failed)
    second, _ = container.run({student.file: student.text.encode()})
    assert second["score"] == 46
    assert "This is submission 2 of 2 that count." in second["output"]
    former.insert(0, previous(second, "2026-03-02T10:00:00.000000-07:00"))  # in whatever order they come
    for time in ("2026-03-03T10:00:00.000000-07:00", "2026-03-04T10:00:00.000000-07:00"):
        container.history(*former)
        third, told = container.run({student.file: b"{"})
        assert third["score"] == 46
        assert third["tests"] == second["tests"]
        assert "Not graded: 2 submissions count" in third["output"]
        assert "2026-03-02T10:00" in third["output"]
        assert "Not graded" in told
        former.append(previous(third, time))


def test_without_a_limit_former_submissions_do_not_matter(container):
    (container.root / "submission_metadata.json").unlink()
    assert container.run({"rnn_captioning.ipynb": b"{"})[0]["score"] == 0


def test_a_limit_that_cannot_be_known_is_a_failure_and_no_score(container):
    container.configure(attempts=2)
    (container.root / "submission_metadata.json").write_text("{")
    results, told = container.run({"rnn_captioning.ipynb": b"{"}, code=1)
    assert results is None
    assert "submission_metadata.json cannot be read" in told


# ------------------------------------------------------------------------------------- the grader's own failure


def test_a_failure_of_the_grader_is_loud_and_leaves_no_score(container, student):
    (container.root / "results" / "results.json").write_text('{"score": 46}')
    suite = container.root / "source" / "autograder" / "suites" / "captioning" / "test_rnn_captioning.py"
    suite.write_text(suite.read_text().replace("judge.forward(EMBEDDING,", "judge.no_such_thing(EMBEDDING,", 1))
    results, told = container.run({student.file: student.text.encode()}, code=1)
    assert results is None
    assert "no_such_thing" in told
    assert "Traceback" not in told


# ------------------------------------------------------------------------------------------------- the scripts


@pytest.mark.parametrize("script", ["setup.sh", "run_autograder"])
def test_the_scripts_please_bash_and_shellcheck(container, script):
    path = container.root / "source" / script
    for command in (["bash", "-n", path], [Path(sys.executable).parent / "shellcheck", path]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_setup_makes_an_environment_of_the_pinned_packages(container, tmp_path):
    """Programs that only note how they are called stand for Python, pip and apt-get."""
    log, bin_folder = tmp_path / "log", tmp_path / "bin"
    bin_folder.mkdir()
    body = f'#!/bin/bash\necho "${{0##*/}} $*" >> {log}\n'
    note = body + 'if [ "${2:-}" = venv ]; then mkdir -p venv/bin; cp "$0" venv/bin/python; fi\n'
    for name, text in {"python3": note, "apt-get": body, "bwrap": body}.items():
        (bin_folder / name).write_text(text)
        (bin_folder / name).chmod(0o755)
    environment = {"PATH": f"{bin_folder}:/usr/bin:/bin"}
    script = container.root / "source" / "setup.sh"
    subprocess.run(["bash", script], env=environment, check=True, capture_output=True, timeout=60)
    said = log.read_text().splitlines()
    assert not [line for line in said if line.startswith("apt-get")]
    assert said[-3].startswith("python3 -m venv")
    assert said[-2].endswith("-r requirements.txt")
    assert said[-1].endswith("--no-deps --editable .")
    pinned = (container.root / "source" / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in pinned)
    assert {line.split("==")[0] for line in pinned} >= {"numpy", "pytest", "click", "rich", "pyseccomp"}
    assert not {line.split("==")[0] for line in pinned} & {"nbgrader", "jupyter"}
