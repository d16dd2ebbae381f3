"""The benchmark compares like with like."""

import importlib.util
from collections import Counter
from contextlib import closing

import pytest

from autograder.course import HOME, load_assignment
from autograder.judging.answers import Answers
from autograder.judging.run import SuiteRun
from autograder.judging.student import Student


@pytest.fixture
def checks():
    spec = importlib.util.spec_from_file_location("checks", HOME / "benchmarks" / "checks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def calls():
    return Counter()


def counting(calls, who, function):
    def counted(*arguments):
        calls[who] += 1
        return function(*arguments)

    return counted


def test_its_checks_make_about_as_many_calls_as_the_hidden_suite(checks, calls, monkeypatch):
    notebook = next(each for each in load_assignment("captioning").notebooks if each.name == "lstm_captioning")
    perform = Answers.perform

    def performing(self, steps):
        calls["suite"] += len(steps)
        return perform(self, steps)

    monkeypatch.setattr(Answers, "perform", performing)
    with closing(Student(notebook.source, notebook.names, inside=True)) as student:
        for question in checks.PAIRS:
            run = SuiteRun(notebook, student, seed=1, only=[question])
            run.run()
            assert run.earned(question) == 1

    for name in ("check_forward", "check_gradients", "check_zero"):  # each asks the solution once
        monkeypatch.setattr(checks, name, counting(calls, "checks", getattr(checks, name)))
    defined = notebook.reference._workspace._notebook.module.__dict__
    for question, pair in checks.PAIRS.items():
        getattr(checks, question)(*(counting(calls, "checks", defined[name]) for name in pair))
    assert calls["checks"] == pytest.approx(calls["suite"], rel=0.1)
