"""The benchmark compares like with like."""

import importlib.util
import json
import sys
from collections import Counter
from contextlib import closing

import pytest

from autograder.course import HOME, load_assignment
from autograder.judging.answers import Answers
from autograder.judging.run import SuiteRun
from autograder.judging.student import Student


@pytest.fixture
def checks():
    return script("checks")


def script(name):
    spec = importlib.util.spec_from_file_location(name, HOME / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
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


def test_its_checks_make_as_many_calls_as_is_said_of_them_and_of_the_hidden_suite(checks, calls, monkeypatch):
    notebook = next(each for each in load_assignment("captioning").notebooks if each.name == "lstm_captioning")
    perform = Answers.perform

    def performing(who):
        def performed(self, steps):
            calls[who] += len(steps)
            return perform(self, steps)

        return performed

    for seed, who in enumerate(("suite", "suite again")):
        monkeypatch.setattr(Answers, "perform", performing(who))
        with closing(Student(notebook.source, notebook.names, inside=True)) as student:
            for question in checks.PAIRS:
                run = SuiteRun(notebook, student, seed, only=[question])
                run.run()
                assert run.earned(question) == 1

    for name in ("check_forward", "check_gradients", "check_zero"):  # each asks the solution once
        monkeypatch.setattr(checks, name, counting(calls, "checks", getattr(checks, name)))
    defined = notebook.reference._workspace._notebook.module.__dict__
    for question, pair in checks.PAIRS.items():
        getattr(checks, question)(*(counting(calls, "checks", defined[name]) for name in pair))
    assert dict(calls) == {"checks": 230, "suite": 224, "suite again": 92}  # as benchmarks/README.md says


def test_a_seed_makes_the_same_synthetic_class_again(tmp_path):
    make_course = script("synthetic").make_course
    for folder, seed in (("one", 7), ("again", 7), ("other", 8)):
        make_course("captioning", tmp_path / folder, 30, seed)
    files = {
        name: {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.ipynb")}
        for name in ("one", "again", "other")
    }
    assert files["one"] == files["again"] != files["other"]
    kinds = json.loads((tmp_path / "one" / "class.json").read_text())
    assert len(kinds) == 30
    assert len(set(kinds.values())) >= 4
