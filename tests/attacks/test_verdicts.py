"""Whatever a graded function answers, every hidden test has a verdict: an answer cannot make the grader itself fail."""

import itertools
import os
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.course import HOME, load_assignment
from autograder.judging.run import SuiteRun
from autograder.judging.student import Student
from autograder.sandbox.wire import Handle

EXAMPLES = int(os.environ.get("ATTACK_EXAMPLES", "300")) // 50
NOTEBOOKS = [
    *(("captioning", "rnn_captioning"), ("captioning", "lstm_captioning"), ("backprop", "backprop")),
    *(("visualization", "image_gradients"), ("visualization", "image_generation")),
]

numbers = st.none() | st.booleans() | st.integers() | st.just(10**4000) | st.floats()
kinds = st.sampled_from([np.dtype(kind) for kind in ("f8", "f4", "f2", "g", "i8", "u1", "?", "c16", ">f8", "i1")])
shapes = st.sampled_from([(), (0,), (1,), (3, 7), (3, 5), (7, 7), (0, 0, 0), (2, 3, 7), (1,) * 32, (2, 3, 2, 2)])
arrays = hnp.arrays(kinds, shapes)
handles = st.builds(
    Handle, st.integers(-5, 5), st.sampled_from(["", "a tuple of 2", "a Network"]), st.just(("forward",))
)
values = st.recursive(
    numbers | st.text(max_size=5) | arrays | arrays.map(lambda array: array[()]) | handles,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.lists(inner, max_size=6).map(tuple)
        | st.dictionaries(st.sampled_from(["W_proj", "b", "Wx"]) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


class Arbitrary(Student):
    """One who answers with anything, in turn."""

    def __init__(self, notebook, names, answers):
        super().__init__(notebook, names, inside=True)
        self._answers = itertools.cycle(answers)

    def _perform(self, steps):
        return [next(self._answers) for _ in steps]


@cache
def assigned(assignment, name):
    return next(each for each in load_assignment(assignment, HOME).notebooks if each.name == name)


def every_question_has_a_verdict(notebook, student):
    run = SuiteRun(notebook, student, seed=3)
    with np.errstate(all="ignore"):
        run.run()
        for question in notebook.names:
            run.exemplify(question)
    assert run.errors == []
    assert set(run.results) == set(notebook.names)


@pytest.mark.parametrize(("assignment", "name"), NOTEBOOKS, ids=lambda value: value)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(data=st.data())
def test_any_answer_has_a_verdict(assignment, name, data):
    notebook = assigned(assignment, name)
    answers = data.draw(st.lists(values | st.tuples(arrays, handles), min_size=1, max_size=5))
    every_question_has_a_verdict(notebook, Arbitrary(notebook.source, notebook.names, answers))


class Turning(Student):
    """One who answers with what the reference gives, each number times ``factor``, and from some call on with anything.

    What is nearly right is measured and looked at once more, so that more is done with what comes then.
    """

    def __init__(self, notebook, names, factor, right, answers):
        super().__init__(notebook, names, inside=True)
        self._factor, self._left, self._answers = factor, right, itertools.cycle(answers)

    def _perform(self, steps):
        found = super()._perform(steps)
        return [self._turned(step, result) for step, result in zip(steps, found, strict=True)]

    def _turned(self, step, result):
        if step.do not in ("call", "follow") or isinstance(result, Handle):  # an instance, which has to stay one
            return result
        self._left -= 1
        if self._left >= 0:
            return self._nearly(result)
        anything = next(self._answers)
        if isinstance(result, tuple) and len(result) > 1:  # as many things as there should be
            return tuple(item if isinstance(item, Handle) else anything for item in result)
        return anything

    def _nearly(self, value):
        if isinstance(value, tuple):
            return tuple(map(self._nearly, value))
        return value * self._factor if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


@pytest.mark.parametrize(("assignment", "name"), NOTEBOOKS, ids=lambda value: value)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(
    factor=st.sampled_from([1.0, 1 + 1e-10, 1.01]),
    right=st.integers(0, 150),
    answers=st.lists(numbers | arrays | arrays.map(lambda array: array[()]), min_size=1, max_size=3),
)
def test_who_is_right_at_first_and_then_answers_with_anything_has_a_verdict(assignment, name, factor, right, answers):
    notebook = assigned(assignment, name)
    every_question_has_a_verdict(notebook, Turning(notebook.source, notebook.names, factor, right, answers))
