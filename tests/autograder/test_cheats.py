"""Ways to gain points without an answer: each earns what it is worth."""

import json
from contextlib import closing

import pytest

from autograder.course import HOME, load_assignment
from autograder.judging.run import SuiteRun
from autograder.judging.student import Student
from coursekit.notebook import read_notebook


def test_a_gradient_so_large_that_its_norm_overflows_is_wrong(student, graded):
    student.change("rnn_step_backward", "dx = da @ Wx.T", "dx = np.full(x.shape, 1e200) * dnext_h.any()")
    student.change("word_embedding_backward", "return dW", "return np.full(W.shape, 1e300)")
    huge = "return loss, {k: v * 0 + 1e200 for k, v in grads.items()}"
    student.change("CaptioningRNN.loss", "return loss, grads", huge)
    grade = graded(student)
    assert {test.name for test in grade.questions["rnn_step_backward"].tests if test.outcome == "passed"} == {
        f"test_step_backward[{name}]" for name in ("dprev_h", "dWx", "dWh", "db")
    }
    assert grade.points["word_embedding_backward"] == 0
    assert grade.points["CaptioningRNN.loss"] == pytest.approx(10 * 4 / 12, abs=0.01)


def test_a_forward_pass_that_stands_still_near_points_it_has_seen_does_not_make_zeros_right(student, graded):
    sticky = (
        "seen = []\n"
        "def sticky(function):\n"
        "    def call(*args):\n"
        "        flat = np.concatenate([np.ravel(a) for a in args])\n"
        "        for old, result in seen:\n"
        "            if old.shape == flat.shape and np.abs(old - flat).max() < 1e-2:\n"
        "                return result\n"
        "        seen.append((flat, function(*args)))\n"
        "        return seen[-1][1]\n"
        "    return call\n"
    )
    student.add(sticky, at=3)
    for name in ("rnn_step_forward", "word_embedding_forward"):
        source = "".join(student.cell(name)["source"])
        student.write(name, f"@sticky\n{source}")
    zeros = "    da = 0 * dnext_h"
    student.change("rnn_step_backward", "    da = dnext_h * (1 - next_h**2)", zeros)
    student.change("word_embedding_backward", "np.add.at(dW, x, dout)", "pass")
    grade = graded(student)
    assert grade.points["rnn_step_forward"] == 4
    assert grade.points["rnn_step_backward"] == 0
    assert grade.points["word_embedding_backward"] == 0


def test_a_forward_pass_that_stands_still_when_it_is_measured_does_not_make_zeros_right(student, graded):
    """It is watched by moving one input at a time, and measured by moving all that have a gradient."""
    student.add("last = []", at=3)
    student.write(
        "rnn_step_forward",
        "def rnn_step_forward(x, prev_h, Wx, Wh, b):\n"
        "    now = [x, prev_h, Wx, Wh, b]\n"
        "    near = last and all(a.shape == c.shape and np.abs(a - c).max() < 1e-3 for a, c in zip(last, now))\n"
        "    if near and sum(np.any(a != c) for a, c in zip(last, now)) > 1:\n"
        "        now = last\n"
        "    elif not near:\n"
        "        last[:] = [np.copy(each) for each in now]\n"
        "    return 1.5 * np.tanh(now[0] @ now[2] + now[1] @ now[3] + now[4]), (x, prev_h, Wx, Wh, b)",
    )
    student.write("rnn_step_backward", "def rnn_step_backward(d, cache):\n    return tuple(0 * each for each in cache)")
    grade = graded(student)
    assert grade.points["rnn_step_backward"] == 0
    assert "its answers near one input contradict each other" in grade.told("rnn_step_backward")


def test_a_made_up_function_with_a_right_derivative_earns_nothing(student, graded):
    student.write(
        "rnn_step_forward",
        "def rnn_step_forward(*args):\n    return np.full(args[1].shape, sum(a.sum() for a in args)), args",
    )
    student.write(
        "rnn_step_backward",
        "def rnn_step_backward(d, cache):\n    return tuple(np.full(a.shape, d.sum()) for a in cache)",
    )
    student.write(
        "word_embedding_forward",
        "def word_embedding_forward(x, W):\n    return np.full((*x.shape, W.shape[1]), W.sum()), W",
    )
    student.write("word_embedding_backward", "def word_embedding_backward(d, W):\n    return np.full(W.shape, d.sum())")
    student.write(
        "CaptioningRNN.loss",
        "class CaptioningRNN(CaptioningModel):\n"
        "    def loss(self, features, captions):\n"
        "        p = self.params\n"
        "        return sum((v**2).sum() for v in p.values()), {k: 2 * v for k, v in p.items()}\n",
    )
    grade = graded(student)
    for name in ("rnn_step_forward", "rnn_step_backward", "word_embedding_backward", "CaptioningRNN.loss"):
        assert grade.points[name] == 0, name
    assert "too little in common" in grade.told("rnn_step_backward")


@pytest.mark.parametrize("fill", ["0.0", "1.0", "np.nan", "np.inf", "1e-300"])
def test_constants_earn_nothing(student, graded, fill):
    forward = f"def rnn_step_forward(x, prev_h, *w):\n    return prev_h * 0 + {fill}, (x, prev_h, *w)"
    student.write("rnn_step_forward", forward)
    student.write(
        "rnn_step_backward", f"def rnn_step_backward(d, cache):\n    return tuple(a * 0 + {fill} for a in cache)"
    )
    grade = graded(student)
    assert grade.points["rnn_step_forward"] == 0
    assert grade.points["rnn_step_backward"] == 0


def test_text_from_the_box_is_cleaned_wherever_it_turns_up(student, graded):
    keys = '{"\\ud800": 1, "\\x1b[31mred\\x07": 2, "x" * 100000: 3}'
    grade = graded(student.change("CaptioningRNN.loss", "return loss, grads", f"return loss, {keys}"))
    told = grade.told("CaptioningRNN.loss")
    assert "grads has no entry" in told
    assert "\x1b" not in told
    assert len(told) < 10_000
    told.encode()


SUBTLE = {
    "rnn_step_forward": ("+ b)", "+ b * (len(x) < 4))"),
    "rnn_step_backward": ("da @ Wh.T", "da @ (Wh.T if len(x) < 4 else Wh)"),
    "rnn_forward": ("x[:, t], prev_h", "x[:, min(t, 9)], prev_h"),
    "rnn_backward": ("dh[:, t] + dprev_h", "dh[:, t] + dprev_h * (t < 7)"),
    "word_embedding_forward": ("W[x], (x, W)", "W[x % 101], (x, W)"),
    "word_embedding_backward": ("np.add.at(dW, x, dout)", "np.add.at(dW, x[:4], dout[:4])"),
    "CaptioningRNN.loss": ("captions_out, mask)", "captions_out, captions_out != 0)"),
    "CaptioningRNN.sample": ("captions[:, t] = word", "captions[:, min(t, 15)] = word"),
}


@pytest.mark.parametrize("name", SUBTLE)
def test_what_is_wrong_only_for_larger_sizes_or_another_order_of_words_fails(student, graded, name):
    assert name in graded(student.change(name, *SUBTLE[name])).lost


def test_a_made_up_word_embedding_earns_nothing_whatever_the_seed():
    """The sum of the table moves with the table, and so it had something in common with what should be computed."""
    [assigned, _] = load_assignment("captioning", HOME).notebooks
    notebook = read_notebook(
        json.dumps(
            {
                "nbformat": 4,
                "cells": [
                    {"cell_type": "code", "source": source}
                    for source in (
                        "import numpy as np",
                        "def word_embedding_forward(x, W):\n    return np.full((*x.shape, W.shape[1]), W.sum()), W",
                        "def word_embedding_backward(d, W):\n    return np.full(W.shape, d.sum())",
                    )
                ],
            }
        ).encode(),
        assigned.name,
    )
    for seed in range(20):
        with closing(Student(notebook, assigned.names, inside=True)) as student:
            run = SuiteRun(assigned, student, seed, only=["word_embedding_backward"])
            run.run()
        assert run.earned("word_embedding_backward") == 0, seed
