"""When the grader itself fails: loudly, never as a grade, and for no other submission."""

import json
import shutil
import subprocess
import sys
import time
from contextlib import closing

import pytest

from autograder import course, grading
from autograder.course import HOME
from autograder.errors import BrokenBox, SandboxUnavailable
from autograder.grading import Submission, grade
from autograder.judging.run import SuiteRun
from autograder.judging.student import Student

SUBMISSION = Submission("ada", {"rnn_captioning.ipynb": (HOME / "source/captioning/rnn_captioning.ipynb").read_bytes()})


def raising(error):
    def raise_it(*_, **__):
        raise error

    return raise_it


def of_the_rnn(notebooks):
    return next(notebook for notebook in notebooks if notebook.notebook == "rnn_captioning")


@pytest.mark.parametrize("error", [BrokenBox("the sandbox did not start"), ZeroDivisionError("a mistake of ours")])
def test_an_error_of_the_grader_is_told_in_the_report_and_earns_nothing(captioning, monkeypatch, error):
    monkeypatch.setattr(grading, "Student", raising(error))
    result = grade(captioning, SUBMISSION)
    assert str(error) in result.failure
    assert result.score == 0
    for question in of_the_rnn(result.notebooks).questions:
        assert [test.outcome for test in question.tests] == ["not judged"]
        assert "The grader itself failed" in question.tests[0].cause


def test_a_machine_that_cannot_isolate_grades_nobody(captioning, monkeypatch):
    monkeypatch.setattr(grading, "Student", raising(SandboxUnavailable("no bubblewrap")))
    with pytest.raises(SandboxUnavailable):
        grade(captioning, SUBMISSION)


def test_a_test_that_never_ran_counts_as_one_that_earned_nothing(captioning, monkeypatch):
    run = SuiteRun.run

    def forgetful(self):
        run(self)
        self.results["rnn_step_backward"] = self.results["rnn_step_backward"][:3]

    monkeypatch.setattr(SuiteRun, "run", forgetful)
    notebook = of_the_rnn(grade(captioning, SUBMISSION).notebooks)
    assert {q.question: q.points for q in notebook.questions}["rnn_step_backward"] == 4


def test_nothing_that_lies_above_a_suite_takes_part(tmp_path, monkeypatch):
    shutil.copytree(course.SUITES, tmp_path / "suites", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(course, "SUITES", tmp_path / "suites")
    (tmp_path / "__init__.py").write_text("raise RuntimeError('not of the suite')")
    rnn = next(each for each in course.load_assignment("captioning").notebooks if each.name == "rnn_captioning")
    with closing(Student(rnn.source, rnn.names, inside=True)) as student:
        run = SuiteRun(rnn, student, seed=1, only=["rnn_step_forward"])
        run.run()
    assert run.errors == []
    assert run.earned("rnn_step_forward") == 1


def test_ctrl_c_ends_a_run_at_once_without_a_traceback_or_half_a_report(tmp_path, student):
    student.begin("rnn_step_forward", "while True: pass")
    for number in range(4):
        folder = tmp_path / "submitted" / f"s{number}" / "captioning"
        folder.mkdir(parents=True)
        (folder / "rnn_captioning.ipynb").write_text(student.text)
    command = [sys.executable, "-m", "autograder", "grade", "captioning", "submitted", "--json", "out.json"]
    process = subprocess.Popen(command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    boxes = f"pgrep -P {process.pid} >/dev/null"
    deadline = time.monotonic() + 20
    while subprocess.run(["sh", "-c", boxes], check=False).returncode and time.monotonic() < deadline:
        pass
    process.send_signal(2)
    started = time.monotonic()
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert time.monotonic() - started < 10
    assert "Traceback" not in told
    assert "Interrupted" in told
    assert not (tmp_path / "out.json").exists()
    assert json.dumps([path.name for path in tmp_path.iterdir()]) == '["submitted"]'
