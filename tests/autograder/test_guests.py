"""Objects that a hidden test lends to a notebook: what the student's code can do with them, and what it cannot."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autograder.judging.answers import Reference
from autograder.judging.guests import MEMORY, Exhausted, Guest, Lent
from autograder.judging.student import Student
from autograder.judging.verdicts import CallFailed
from autograder.sandbox import POLICY
from coursekit.notebook import Statement, read_notebook

SOURCE = {
    "double": "def double(x, thing):\n    out, cache = thing.forward(x)\n    return thing.backward(out, cache)",
    "loop": "def loop(x, thing):\n    while True:\n        thing.forward(x)",
    "peek": "def peek(x, thing):\n    return thing.secret",
    "other": "def other(x, thing):\n    return thing.destroy()",
    "late": (
        "def late(x, thing, count):\n    caches = [thing.forward(x)[1] for _ in range(count)]\n"
        "    return thing.backward(x, caches[0])"
    ),
    "tamper": "def tamper(x, thing):\n    mean = thing.mean\n    mean[:] = 9\n    x += 1\n    return mean, thing.mean",
    "replace": "def replace(x, thing):\n    thing.mean = x",
    "both": "def both(x, one, other):\n    return other.backward(*one.forward(x))",
    "twice": "def twice(x, function):\n    return function(x) + function(x)",
    "three": "def three(x, thing):\n    return thing.forward(x) + thing.forward(x) + thing.mean",
    "stare": "def stare(x, thing):\n    while True:\n        thing.mean",
    "same": "def same(x, thing):\n    return thing",
    "use": "def use(x, thing, same):\n    return same.forward(x)[0]",
    "add": "def add(x, thing):\n    x += 1\n    return x.sum()",
    "kinds": "def kinds(x, thing):\n    return [type(each).__name__ for each in thing.forward(x)], thing.names",
}


class Thing:
    mean = np.array([1.0, 2.0])
    names = ("one", "two")
    secret = "what is expected"

    def forward(self, x):
        return 2 * x, {"kept": x}

    def backward(self, dout, cache):
        return dout + cache["kept"]

    def destroy(self):
        raise AssertionError("this must not be called")


def lent(calls=100):
    return Lent("thing", Thing(), ("forward", "backward"), ("mean", "names"), calls=calls)


@pytest.fixture(params=["student", "reference"])
def answers(request):
    """Both follow the same rules."""
    if request.param == "reference":
        statements = [Statement(text, 1, 1, number) for number, text in enumerate(SOURCE.values())]
        yield Reference(statements, Path("reference.ipynb"))
        return
    student = Student(read_notebook(NOTEBOOK, "tried"), SOURCE)
    yield student
    student.close()


NOTEBOOK = json.dumps(
    {"nbformat": 4, "cells": [{"cell_type": "code", "source": text} for text in SOURCE.values()]}
).encode()
X = np.array([[1.0, 5.0]])


def test_methods_answer_from_outside_and_their_caches_stay_there(answers):
    thing = lent()
    assert answers.double(X, thing).tolist() == [[3, 15]]
    assert thing.used == {"forward": 1, "backward": 1}
    assert [each.tolist() for each in thing.inputs["backward"]] == [[[2, 10]]]


def test_what_is_nested_is_a_handle_and_attributes_are_plain(answers):
    kinds, names = answers.kinds(X, lent())
    assert kinds.fetch() == ["ndarray", "StandIn"]
    assert names.fetch() == ("one", "two")


def test_a_loop_that_never_stops_ends_with_the_calls_that_are_allowed(answers):
    thing = lent(calls=7)
    with pytest.raises((CallFailed, Exhausted), match="thing was called more than 7 times"):
        answers.loop(X, thing)
    assert thing.used == {"forward": 7}


@pytest.mark.parametrize("name", ["peek", "other"])
def test_no_other_method_or_attribute_can_be_had(answers, name):
    with pytest.raises((CallFailed, AttributeError), match="has no attribute"):
        getattr(answers, name)(X, lent())


def test_the_object_cannot_be_tampered_with(answers):
    thing, x = lent(), X.copy()
    assert [each.tolist() for each in answers.tamper(x, thing)] == [[9, 9], [1, 2]]
    assert Thing.mean.tolist() == [1, 2]
    assert x.tolist() == X.tolist()
    with pytest.raises((CallFailed, LookupError), match="is not lent"):
        answers.replace(x, thing)
    assert answers.double(X, thing).tolist() == [[3, 15]]


def test_what_a_method_is_given_is_noted_as_it_was(answers):
    thing = lent()
    answers.double(X, thing)
    thing.inputs["forward"][0][:] = 0
    assert X.tolist() == [[1, 5]]


def test_a_cache_goes_back_to_the_object_that_made_it_and_to_no_other(answers):
    thing = lent()
    assert answers.both(X, thing, thing).tolist() == [[3, 15]]
    with pytest.raises((CallFailed, LookupError), match="this is no cache of thing"):
        answers.both(X, lent(), lent())


def test_an_object_that_comes_back_can_be_handed_over_again(answers):
    thing = lent()
    same = answers.same(X, thing)
    assert same.description == "thing"
    assert answers.use(X, thing, same).tolist() == [[2, 10]]
    assert thing.used == {"forward": 1}


def test_a_function_that_is_an_argument_is_called_where_it_is(answers):
    assert answers.twice(X, lambda x: np.sum(x**2)) == 52
    with pytest.raises((CallFailed, TypeError), match="unsupported operand"):
        answers.twice("no number", lambda x: x**2)


class Asked(Guest):
    """Notes what it is asked for."""

    methods = ("forward",)

    def __init__(self):
        self.questions = []

    def answer(self, do, name, args, kwargs):  # noqa: ARG002
        self.questions.append((do, name))
        return 1.0


def test_a_call_of_a_method_costs_one_question(answers):
    guest = Asked()
    answers.three(X, guest)
    assert guest.questions == [("call", "forward"), ("call", "forward"), ("get", "mean")]


def test_a_loop_that_asks_without_end_comes_to_an_end():
    """Not only calls are bounded: the grader's time to answer extends the limit only so far."""
    policy = replace(POLICY, call_seconds=0.5, lent_seconds=0.5)
    student = Student(read_notebook(NOTEBOOK, "tried"), SOURCE, policy)
    with closing(student), pytest.raises(CallFailed, match="did not come to an end"):
        student.stare(X, lent())


def test_what_is_over_is_in_reach_no_longer(answers):
    same = answers.same(X, lent())
    answers.forget()
    with pytest.raises((CallFailed, LookupError), match="not any more"):
        answers.use(X, lent(), same)


def test_only_the_latest_caches_are_kept(answers):
    assert answers.late(X, lent(), MEMORY).tolist() == [[2, 10]]
    with pytest.raises((CallFailed, LookupError), match="one older than the latest"):
        answers.late(X, lent(), MEMORY + 1)


def test_a_value_that_is_kept_shows_what_became_of_it(answers):
    kept = answers.keep(X)
    assert answers.add(kept, lent()) == 8
    assert kept.fetch().tolist() == [[2, 6]]
    assert X.tolist() == [[1, 5]]


@pytest.mark.parametrize("name", ["destroy", "__init__", "_thing", "answer", ""])
def test_a_box_that_asks_for_more_than_is_lent_gets_nothing(name):
    with pytest.raises(LookupError, match="is not lent"):
        lent().answer("call", name, (), {})
