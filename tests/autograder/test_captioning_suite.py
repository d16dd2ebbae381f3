"""The hidden suite of the captioning notebooks: every wrong answer fails, every right one passes."""

import numpy as np
import pytest

from autograder.course import HOME, load_assignment
from autograder.judging.answers import Reference
from autograder.judging.judge import Judge
from autograder.judging.misconceptions import with_mistake
from autograder.judging.smallest import UNKNOWN
from autograder.judging.verdicts import Failure
from autograder.sandbox import POLICY

ASSIGNMENT = load_assignment("captioning", HOME)


# ---------------------------------------------------------------------------------------- right in another way


def test_helpers_in_other_cells_lambdas_and_constants_are_found(student, graded):
    student.add("from numpy import tanh as squash\nONE = 1.0\nslope = lambda h: ONE - h * h", at=3)
    student.add("def through(d, h):\n    return d * slope(h)", at=4)
    student.change("rnn_step_forward", "np.tanh(", "squash(")
    student.change("rnn_step_backward", "dnext_h * (1 - next_h**2)", "through(dnext_h, next_h)")
    assert not graded(student).lost


def test_float32_inside_is_right_with_a_remark_as_long_as_the_result_is_accurate(student, graded):
    student.change("rnn_step_forward", "return next_h, cache", "return next_h.astype(np.float32), cache")
    grade = graded(student)
    assert grade.points["rnn_step_forward"] == 4
    assert grade.points["rnn_step_backward"] == 8
    assert any("float32" in test.remark for test in grade.questions["rnn_step_forward"].tests)


def test_the_reference_passes_whatever_the_seed(load_suite):
    """1,000 seeds, judged in this process: every gradient of every layer."""
    for assigned in ASSIGNMENT.notebooks:
        suite = load_suite(assigned)
        layers = [
            (getattr(suite, name), getattr(suite, f"{name.lower()}_inputs"))
            for name in ("STEP", "SEQUENCE", "EMBEDDING")
            if hasattr(suite, name)
        ]
        for seed in range(1000):
            judge = Judge("", assigned.reference, assigned.reference, np.random.default_rng(seed), assigned.mistakes)
            for layer, inputs in layers:
                judge.gradients(layer, inputs(judge))
            assert not judge.followed_through
            assigned.reference.forget()


def test_a_reference_with_a_wrong_backward_pass_is_not_believed(load_suite):
    assigned = ASSIGNMENT.notebooks[0]
    suite = load_suite(assigned)
    known = next(known for known in assigned.misconceptions if known.question == "rnn_step_backward")
    wrong = Reference(with_mistake(assigned.solution, known), assigned.path)
    measured = set()
    for seed in range(3):
        right = Judge("", assigned.reference, wrong, np.random.default_rng(seed), UNKNOWN, measured=measured)
        right.gradients(suite.STEP, suite.step_inputs(right))
        judge = Judge("", wrong, wrong, np.random.default_rng(seed), UNKNOWN, measured=measured)
        with pytest.raises(Failure, match="is wrong"):
            judge.gradients(suite.STEP, suite.step_inputs(judge))
    assert not measured


def test_the_gradients_of_a_right_reference_are_measured_once(load_suite):
    assigned = ASSIGNMENT.notebooks[0]
    suite = load_suite(assigned)
    measured = set()
    evaluations = []
    for seed in range(3):
        judge = Judge(
            "", assigned.reference, Counted(assigned), np.random.default_rng(seed), UNKNOWN, measured=measured
        )
        judge.gradients(suite.STEP, suite.step_inputs(judge))
        evaluations.append(judge.reference.calls)
    assert len(measured) == 1
    assert evaluations == [2 + 6, 2, 2]  # forward and backward, and the first time three directions


class Counted(Reference):
    """The reference of a notebook, and how often it is called."""

    def __init__(self, assigned):
        super().__init__(assigned.solution, assigned.path)
        self.calls = 0

    def perform(self, steps):
        self.calls += len(steps)
        return super().perform(steps)


NOTEBOOK_HABITS = {
    "an import from the future holds for the cells that follow": (
        "from __future__ import annotations",
        ("def rnn_step_forward(x, prev_h", "def rnn_step_forward(x: Unknown, prev_h"),
    ),
    "display shows nothing": (
        "from IPython.display import display",
        ("next_h = np.tanh", "display(x); next_h = np.tanh"),
    ),
    "display needs no import": ("", ("next_h = np.tanh", "display(x.shape)\n    next_h = np.tanh")),
    "numpy patched with its old names": ("np.int = int", ("next_h = np.tanh", "np.int(1); next_h = np.tanh")),
    "a name that a called function binds": (
        "def setup():\n    global ACT\n    ACT = np.tanh\nsetup()",
        ("np.tanh(", "ACT("),
    ),
}


@pytest.mark.parametrize(("cell", "change"), NOTEBOOK_HABITS.values(), ids=NOTEBOOK_HABITS)
def test_what_works_in_a_notebook_works_here(student, graded, cell, change):
    student.add(cell, at=3).change("rnn_step_forward", *change)
    grade = graded(student)
    assert not grade.lost, grade.told("rnn_step_forward")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (
            "CaptioningRNN.loss",
            "params, grads = self.params, {}",
            "params = self.params; grads = collections.OrderedDict()",
        ),
        ("rnn_step_forward", "return next_h, cache", "return Pair(next_h, cache)"),
        ("rnn_forward", "prev_h = h0", "prev_h = h0.astype(np.float32)"),
        ("CaptioningRNN.loss", "return loss, grads", "return np.array(loss), grads"),
    ],
)
def test_other_kinds_of_dict_tuple_and_number_are_right(student, graded, name, old, new):
    student.add('import collections\nPair = collections.namedtuple("Pair", "out cache")', at=3).change(name, old, new)
    grade = graded(student)
    assert not grade.lost - ({"rnn_forward", "rnn_backward"} if "float32" in new else set()), grade.told(name)


def test_a_sample_that_hangs_is_ended_by_the_limit_of_a_single_call(student, graded):
    student.change(
        "CaptioningRNN.sample", "N = len(features)", "N = len(features)\n        while True:\n            pass"
    )
    told = graded(student).told("CaptioningRNN.sample")
    assert told.startswith(f"CaptioningRNN.sample did not come to an end within {POLICY.call_seconds:g} s.")


def test_captions_that_are_no_array_are_wrong_and_no_failure_of_the_grader(student, graded):
    student.begin("CaptioningRNN.sample", "return 'words', np.zeros((2, 2))")
    grade = graded(student)
    assert grade.notebook.status == "graded"
    assert grade.told("CaptioningRNN.sample").startswith("captions is a tuple, not a numpy array.")


@pytest.mark.parametrize("notebook", ["rnn_captioning", "lstm_captioning"])
@pytest.mark.parametrize("first_to_end", ["word[0] == self._end", "(word == self._end).any()"])
@pytest.mark.parametrize("seed", range(2))
def test_captions_that_all_end_with_one_fail_whatever_is_drawn(student_of, graded, notebook, first_to_end, seed):
    said = "captions[:, t] = word"
    student = student_of(notebook).change("CaptioningRNN.sample", said, f"{said}\n            if {first_to_end}: break")
    grade = graded(student, seed=seed)
    assert grade.lost == {"CaptioningRNN.sample"}
    assert [test.name for test in grade.questions["CaptioningRNN.sample"].tests if test.rationale] == [
        "test_sample_that_ends"
    ]


def test_captions_may_be_filled_up_or_go_on_after_their_end(student, graded):
    ended = "ended = (captions[:, :t] == self._end).any(axis=1)"
    student.change(
        "CaptioningRNN.sample",
        "captions[:, t] = word",
        f"{ended}\n            captions[:, t] = np.where(ended, self._null, word)\n            if ended.all(): break",
    )
    assert not graded(student).lost


@pytest.mark.parametrize("notebook", ["rnn_captioning", "lstm_captioning"])
@pytest.mark.parametrize(
    "step", ["params[name] = params[name] - 0.1 * grads[name]", "params[name] -= 0.1 * grads[name]"]
)
def test_a_loss_that_trains_is_wrong(student_of, graded, notebook, step):
    student = student_of(notebook).change(
        "CaptioningRNN.loss",
        "return loss, grads",
        f"for name in grads:\n            {step}\n        return loss, grads",
    )
    grade = graded(student)
    assert grade.lost == {"CaptioningRNN.loss"}
    assert "is not what it was before" in grade.told("CaptioningRNN.loss")
