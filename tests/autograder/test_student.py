"""A notebook that answers calls, and whose fault it is when it does not."""

import json
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from autograder.judging.student import Student
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
