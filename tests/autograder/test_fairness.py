"""A mistake costs once: what is built on it is judged as if it were right."""

import json

import numpy as np
import pytest

from autograder.answers import Reference
from autograder.course import HOME, load_assignment
from autograder.lending import Loan, needed_loan
from autograder.notebook import Statement, read_notebook
from autograder.sandbox import Box, Lied, Raised
from autograder.sandbox.box import Step

KNOWN = [known for assigned in load_assignment("captioning", HOME).notebooks for known in assigned.misconceptions]


@pytest.mark.parametrize("known", [pytest.param(known, id=f"{known.question}: {known.name}") for known in KNOWN])
def test_a_mistake_costs_the_points_of_its_own_question_alone(student, graded, known):
    grade = graded(student.change(known.question, *known.change))
    assert grade.lost == {known.question}


def test_the_report_says_which_functions_were_lent(student, graded):
    grade = graded(student.change("rnn_step_forward", " + b)", ")"))
    judged = {name: question.judged_with for name, question in grade.questions.items()}
    assert judged == {
        "rnn_step_forward": "own",
        "rnn_step_backward": "follow-through",
        "rnn_forward": "reference: rnn_step_forward",
        "rnn_backward": "reference: rnn_step_forward, rnn_step_backward",
        "word_embedding_forward": "own",
        "word_embedding_backward": "own",
        "CaptioningRNN.loss": "reference: rnn_forward, rnn_backward",
        "CaptioningRNN.sample": "reference: rnn_step_forward",
    }


def test_two_mistakes_in_two_questions_cost_two_questions(student, graded):
    student.change("rnn_step_backward", "prev_h.T @ da", "next_h.T @ da")
    student.change("CaptioningRNN.loss", "captions_out, mask)", "captions_in, mask)")
    grade = graded(student)
    assert grade.lost == {"rnn_step_backward", "CaptioningRNN.loss"}


def test_functions_that_are_missing_are_lent_to_those_that_use_them(student, graded):
    for name in ("rnn_step_forward", "rnn_step_backward", "word_embedding_forward"):
        student.cells.remove(student.cell(name))
    grade = graded(student)
    assert grade.lost == {"rnn_step_forward", "rnn_step_backward", "word_embedding_forward", "word_embedding_backward"}


def test_what_is_wrong_by_itself_stays_wrong_with_the_right_functions_lent(student, graded):
    student.change("rnn_step_forward", "np.tanh(x @ Wx", "np.tanh(2 * x @ Wx")
    student.change("rnn_forward", "x[:, t], prev_h", "x[:, 0], prev_h")
    grade = graded(student)
    assert grade.points["rnn_forward"] == 0
    assert grade.points["CaptioningRNN.sample"] == 6


def test_a_lent_function_answers_no_question_but_those_that_use_it(student, graded):
    """Whose step does nothing, and whose sequence hands out what the lent step returns, earns the sequence alone."""
    student.write("rnn_step_forward", "def rnn_step_forward(x, prev_h, Wx, Wh, b):\n    return prev_h, None")
    student.write(
        "rnn_step_backward",
        "def rnn_step_backward(dnext_h, cache):\n    h, cache = rnn_step_forward(*cache)\n    return cache",
    )
    grade = graded(student)
    assert {"rnn_step_forward", "rnn_step_backward"} <= grade.lost
    assert grade.points["rnn_forward"] == 4


# --------------------------------------------------------------------------------------------------- what is lent


PAIRS = {("step_forward", "step_backward"), ("forward", "backward")}
NOTEBOOK = json.dumps(
    {
        "nbformat": 4,
        "cells": [
            {"cell_type": "code", "source": f"def {name}(*a):\n    return {uses}"}
            for name, uses in {
                "step_forward": "0",
                "step_backward": "0",
                "helper": "step_forward",
                "forward": "helper",
                "backward": "step_backward",
                "alone": "1",
            }.items()
        ],
    }
).encode()


@pytest.mark.parametrize(
    ("question", "failed", "lent"),
    [
        ("forward", {"step_forward", "forward"}, {"step_forward", "step_backward"}),
        ("backward", {"step_forward", "backward"}, {"step_forward", "step_backward"}),
        ("backward", {"forward", "backward"}, set()),
        ("step_backward", {"step_forward", "step_backward"}, set()),
        ("alone", {"step_forward", "alone"}, set()),
        ("forward", {"forward"}, set()),
    ],
)
def test_lent_is_what_failed_and_is_used_together_with_its_other_half(question, failed, lent):
    assert needed_loan(question, read_notebook(NOTEBOOK, "notebook"), failed, PAIRS) == lent


REFERENCE = (
    "def forward(x):\n    return 2 * x, [x]\ndef backward(cache):\n    return cache[0] + 1\ndef secret(): return 42"
)


@pytest.fixture
def loan():
    parts = [f"def {part}" for part in REFERENCE.split("def ")[1:]]
    return Loan(Reference([Statement(part, 1, 1, n) for n, part in enumerate(parts)]), {"forward", "backward"})


def asked(box, source, loan, *args):
    assert box.execute(Statement(source, 1, 1, 0)) is None
    [value] = box.perform([Step("call", "f", args=args)], loan)
    return value


def test_a_cache_of_the_reference_stays_outside_and_can_be_handed_back(loan):
    with Box() as box:
        box.lend(loan.names)
        source = "def f(x):\n    out, cache = forward(x)\n    return out, backward(cache), type(cache).__name__"
        out, back, kind = asked(box, source, loan, np.arange(3.0))
    assert out.tolist() == [0, 2, 4]
    assert back.tolist() == [1, 2, 3]
    assert kind == "Lent"
    assert loan.used == {"forward", "backward"}


def test_what_is_not_lent_cannot_be_asked_for(loan):
    with Box() as box:
        box.lend({*loan.names, "secret"})
        raised = asked(box, "def f():\n    return secret()", loan)
    assert isinstance(raised, Raised)
    assert "secret is not lent" in raised.message


def test_a_handle_that_was_never_given_is_an_error_of_the_one_who_made_it_up(loan):
    with Box() as box:
        box.lend(loan.names)
        forged = "object.__setattr__(cache, 'number', -999)"
        source = f"def f():\n    out, cache = forward(1.0)\n    {forged}\n    return backward(cache)"
        raised = asked(box, source, loan)
    assert isinstance(raised, Raised)
    assert raised.kind == "RuntimeError"


def test_nothing_is_answered_outside_of_a_call_that_lends(loan):
    with Box() as box:
        box.lend(loan.names)
        assert box.execute(Statement("def f(): return forward(1.0)", 1, 1, 0)) is None
        with pytest.raises(Lied, match="not lent"):
            box.perform([Step("call", "f")])


def test_arguments_too_large_to_be_worked_on_outside_of_the_box_are_refused(loan):
    with Box() as box:
        box.lend(loan.names)
        with pytest.raises(Lied, match="too much"):
            asked(box, "import numpy as np\ndef f(): return forward(np.zeros(10**6))", loan)


# ------------------------------------------------------------------------------------------------ classes that are lent

LAYER = """class Layer:
    def __init__(self, size):
        self.size, self._secret = size, 42
    def double(self, x):
        return self.size * x
"""


@pytest.fixture
def lent_layer():
    return Loan(Reference([Statement(LAYER, 1, 1, 0)]), {"Layer"})


def test_an_instance_of_a_lent_class_answers_its_methods_and_attributes(lent_layer):
    with Box() as box:
        box.lend(lent_layer.names)
        source = (
            "def f(x):\n    layer = Layer(size=2)\n    first = layer.double(x)\n    layer.size = 5\n"
            "    return first, layer.size, layer.double(x), hasattr(layer, 'colour')"
        )
        first, size, second, coloured = asked(box, source, lent_layer, np.arange(3.0))
    assert first.tolist() == [0, 2, 4]
    assert size == 5
    assert second.tolist() == [0, 5, 10]
    assert coloured is False
    assert lent_layer.used == {"Layer"}


@pytest.mark.parametrize(
    "step",
    [
        "'get', layer, '_secret', (), {}",
        "'get', layer, '__class__', (), {}",
        "'get', layer.double, '__globals__', (), {}",
        "'get', layer.double, '__func__', (), {}",
        "'set', layer, '__class__', (1,), {}",
        "'call', layer, '', (), {}",
        "'call', layer, '__init__', (7,), {}",
        "'call', layer.double, '__reduce__', (), {}",
        "'call', None, 'open', ('/etc/passwd',), {}",
        "'fetch', layer, '', (), {}",
        "'hold', None, '', (1,), {}",
    ],
)
def test_of_a_lent_object_no_more_is_in_reach_than_its_public_face(lent_layer, step):
    with Box() as box:
        box.lend(lent_layer.names)
        source = f"def f():\n    layer = Layer(2)\n    return layer.__dict__['_ask']({step})"
        raised = asked(box, source, lent_layer)
    assert isinstance(raised, Raised)
    assert "is not lent" in raised.message


def test_a_function_that_is_an_argument_is_called_where_it_is():
    """What a test hands over is asked from inside, and what it raises is told to whoever called it."""
    loan = Loan(Reference([]))
    handle = loan.keep(lambda x: np.sum(x**2))
    with Box() as box:
        source = "def f(g, x):\n    try:\n        g('no number')\n    except RuntimeError as error:\n"
        source += "        return g(x), str(error)"
        total, error = asked(box, source, loan, handle, np.arange(3.0))
    assert total == 5
    assert "TypeError" in error
