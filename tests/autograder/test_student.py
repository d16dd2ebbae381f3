"""A notebook that answers calls, and whose fault it is when it does not."""

import json
import re
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from autograder.judging.student import Allowance, Student
from autograder.judging.verdicts import CallFailed
from autograder.sandbox import POLICY
from coursekit.notebook import read_notebook

SOURCE = """
import os

def go(what):
    if what == "hang":
        while True:
            pass
    if what == "die":
        os._exit(1)
    if what == "raise":
        raise ValueError(what)
    return what

def forward(x):
    return go(x), "cache"

def backward(dout, cache):
    return go(dout), cache

def spoil(array, cache=None):
    array *= 2
    return array, "cache"
"""


@pytest.fixture
def student():
    cell = {"cell_type": "code", "metadata": {}, "source": SOURCE, "outputs": [], "execution_count": None}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    notebook = read_notebook(json.dumps(content).encode(), "pair")
    with closing(Student(notebook, ["forward", "backward", "spoil"], replace(POLICY, call_seconds=0.5))) as student:
        yield student


def pair(student, x, dout):
    return student.perform([student.forward.calling(x), student.backward.following(dout)])


def test_what_changes_its_arguments_in_a_pair_is_known_by_its_name(student):
    x = np.ones(2)
    student.perform([student.spoil.calling(x), student.backward.following("d")])
    student.perform([student.spoil.calling(x), student.spoil.following(x)])
    assert student.changed == {("spoil", "array")}
    assert x.tolist() == [1, 1]


def test_a_pair_of_passes_answers_in_one_message(student):
    (out, cache), (dout, same) = pair(student, "x", "d")
    assert (out, cache, dout, same) == ("x", "cache", "d", "cache")


@pytest.mark.parametrize("harm", ["hang", "die"])
def test_who_ends_the_box_in_a_pair_is_blamed_and_not_called_again(student, harm):
    with pytest.raises(CallFailed) as failed:
        pair(student, "x", harm)
    assert failed.value.function == "backward"
    assert student.forward("x") == ("x", "cache")
    with pytest.raises(CallFailed, match="backward"):
        student.backward("d", "cache")
    with pytest.raises(CallFailed) as failed:
        pair(student, harm, "d")
    assert failed.value.function == "backward", "what was found out is not tried again"


@pytest.mark.parametrize("harm", ["hang", "die"])
def test_a_forward_pass_that_ends_the_box_is_not_blamed_on_the_backward_pass(student, harm):
    with pytest.raises(CallFailed) as failed:
        pair(student, harm, "d")
    assert failed.value.function == "forward"
    assert student.backward("d", "cache") == ("d", "cache")


@pytest.mark.parametrize(("x", "dout", "blamed"), [("raise", "d", "forward"), ("x", "raise", "backward")])
def test_who_raises_in_a_pair_is_blamed(student, x, dout, blamed):
    with pytest.raises(CallFailed, match="raised ValueError") as failed:
        pair(student, x, dout)
    assert failed.value.function == blamed
    assert pair(student, "x", "d")[0] == ("x", "cache")


# ----------------------------------------------------------------------------------------- what has gone wrong in cells


@pytest.fixture
def asked():
    """Calls f of a notebook with these cells, and returns what is told of its failure."""

    def ask(*cells, **more):
        listed = [{"cell_type": "code", "source": cell} for cell in cells]
        notebook = read_notebook(json.dumps({"cells": listed}).encode(), "cells")
        with closing(Student(notebook, ["f"], **more)) as student, pytest.raises(CallFailed) as failed:
            student.f()
        return failed.value

    return ask


def test_the_hint_to_a_missing_name_is_what_went_wrong_with_it_alone(asked):
    failed = asked("other = 1 / 0", "base = [][0]", "table = [base]", "def f():\n    return len(table), other")
    assert failed.rationale == "f raised NameError: name 'table' is not defined (cell 4, line 2)."
    told = [
        "cell 2, line 1: IndexError: list index out of range",
        "cell 3, line 1: NameError: name 'base' is not defined",
    ]
    assert failed.hint == " ".join(told)


def test_the_hint_to_a_name_from_a_cell_that_cannot_be_read_says_so(asked):
    failed = asked("def helper(:\n    return 1", "other = 1 / 0", "def f():\n    return helper(), other")
    assert failed.hint.startswith("cell 1, line 1: ")
    assert "cell 2" not in failed.hint


def test_a_message_without_end_in_a_thousand_statements_is_told_in_a_few_lines(asked):
    bomb = "\n".join(f"a.x{n} = boom()" for n in range(1000))
    cells = ["class a: pass", "def boom(): raise ValueError('x' * 4000)", "del a", bomb, "def f(): return a.x1"]
    failed = asked(*cells)
    assert failed.rationale.startswith("f raised NameError")
    assert "ValueError: xxx" in failed.hint
    assert failed.hint.endswith("... and 997 more")
    assert len(failed.hint) < 1100


def test_a_message_that_a_function_raises_is_cut(asked):
    failed = asked("def f(): raise ValueError('x' * 4000)")
    assert re.fullmatch(r"f raised ValueError: x{297}\.\.\. \(cell 1, line 1\)\.", failed.rationale)


def test_of_several_statements_of_a_cell_the_one_that_failed_is_blamed(asked):
    failed = asked("K = 1 / 0\n@int\ndef f(): return K")
    assert failed.rationale.startswith("f could not be defined: cell 1, line 2: TypeError: "), failed.rationale


def test_boxes_of_one_notebook_share_its_time_to_load_too(asked):
    allowance = Allowance(0.5)
    cells = ["import time", "slow = time.sleep(0.4)", "def f():\n    time.sleep(0.2)\n    raise ValueError(slow)"]
    assert "raised ValueError" in asked(*cells, allowance=allowance).rationale
    assert asked(*cells, allowance=allowance).rationale == "f was not called: the notebook had used up its 0.5 s."


def test_statements_are_not_run_when_the_time_of_the_notebook_is_over(asked):
    cells = ["import time", "slow = time.sleep(0.5)", "late = 2", "def f(): return slow, late"]
    failed = asked(*cells, allowance=Allowance(0.3))
    why = "not run, since the definitions before it had used up their time"
    assert failed.rationale == f"f could not be defined: cell 4, line 1: {why}."
