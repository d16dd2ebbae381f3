"""A mistake costs once: what is built on it is judged as if it were right."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from autograder.judging.answers import Reference
from autograder.judging.lending import Borrowed, Loan, needed_loan
from autograder.judging.student import Student
from autograder.judging.verdicts import CallFailed
from autograder.outcomes import Outcome
from autograder.sandbox import Box, Lied
from autograder.sandbox.box import Step
from coursekit.notebook import Statement, read_notebook


def test_the_report_says_which_functions_were_lent(student, graded):
    grade = graded(student.change("rnn_step_forward", " + b)", ")"))
    judged = {name: question.judged_with for name, question in grade.questions.items()}
    assert judged == {
        "rnn_step_forward": "own",
        "rnn_step_backward": "follow-through",
        "rnn_forward": "reference: rnn_step_forward",
        "rnn_backward": "follow-through",
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


def test_a_known_mistake_is_recognised_behind_another_one(student, graded, captioning):
    known = {known.name: known for known in captioning.notebooks[0].misconceptions}
    first, second = known["no tanh"], known["hidden weights not transposed"]
    student.change("rnn_step_forward", *first.change).change("rnn_step_backward", *second.change)
    grade = graded(student)
    for question, expected in (("rnn_step_forward", first), ("rnn_step_backward", second)):
        assert expected.name in {test.misconception for test in grade.questions[question].tests}


MALFORMED = {
    "an array with its axes exchanged": ("rnn_forward", "np.stack(h, axis=1)", "np.stack(h)"),
    "a list": ("rnn_forward", "np.stack(h, axis=1)", "h"),
    "a single state": ("rnn_forward", "np.stack(h, axis=1)", "prev_h"),
    "columns for rows": ("rnn_step_forward", "return next_h,", "return next_h.T,"),
    "no numbers": ("rnn_step_forward", "return next_h,", "return next_h * np.nan,"),
    "nested lists": ("word_embedding_forward", "W[x]", "W[x].tolist()"),
}


@pytest.mark.parametrize("mistake", MALFORMED)
def test_a_forward_pass_that_returns_something_malformed_costs_itself_alone(student, graded, mistake):
    grade = graded(student.change(*MALFORMED[mistake]))
    assert grade.lost == {MALFORMED[mistake][0]}


def test_a_loss_that_is_no_number_does_not_cost_its_right_gradients(student, graded):
    question = graded(student.change("CaptioningRNN.loss", "return loss,", "return [loss],")).questions[
        "CaptioningRNN.loss"
    ]
    failed = [test.name for test in question.tests if test.outcome is not Outcome.PASSED]
    assert failed == ["test_loss"]


def test_a_backward_pass_after_something_malformed_is_not_blamed_for_what_it_cannot_do(student, graded):
    student.change("rnn_step_forward", "return next_h, cache", "return next_h.T, (x, prev_h, Wx, Wh, next_h.T)")
    told = graded(student).told("rnn_step_backward")
    assert "rnn_step_forward has to work first. next_h has shape" in told


LOOKING = {
    "for a size": [("rnn_backward", "T = dh.shape[1]", "T = len([x for x, *_ in cache])")],
    "and puts it together anew": [("rnn_backward", "cache[t]", "tuple([*cache[t]])")],
    "by a name": [
        ("rnn_step_forward", "(x, prev_h, Wx, Wh, next_h)", "dict(x=x, rest=(prev_h, Wx, Wh, next_h))"),
        ("rnn_step_backward", "x, prev_h, Wx, Wh, next_h = cache", "x, (prev_h, Wx, Wh, next_h) = cache.values()"),
        ("rnn_backward", "T = dh.shape[1]", "T = len([each['x'] for each in cache])"),
    ],
}


@pytest.mark.parametrize("looks", LOOKING)
@pytest.mark.parametrize(
    "mistake",
    [("rnn_step_backward", "prev_h.T @ da", "next_h.T @ da"), ("rnn_step_forward", " + b)", ")")],
    ids=["backward", "forward"],
)
def test_who_looks_into_the_cache_of_what_is_lent_finds_their_own(student, graded, looks, mistake):
    for change in (mistake, *LOOKING[looks]):
        student.change(*change)
    assert graded(student).lost == {mistake[0]}


def test_the_own_function_that_is_called_beside_a_lent_one_changes_nothing(student, graded):
    student.change("rnn_step_backward", "prev_h.T @ da", "next_h.T @ da")
    student.begin("rnn_step_forward", "x *= 2")
    assert graded(student).lost == {"rnn_step_forward", "rnn_step_backward"}


def test_what_has_hung_is_not_called_beside_a_lent_one(student, graded):
    student.begin("rnn_step_forward", "while True: pass")
    assert graded(student).lost == {"rnn_step_forward", "rnn_step_backward"}


def test_who_looks_into_a_cache_that_their_own_function_does_not_make_hears_what_has_to_work_first(student, graded):
    student.begin("rnn_step_forward", "return np.tahn(x)")
    student.change("rnn_backward", "T = dh.shape[1]", "T = len([x for x, *_ in cache])")
    grade = graded(student)
    assert grade.points["rnn_backward"] == 0
    assert grade.told("rnn_backward").startswith("rnn_step_forward has to work first. rnn_backward looks into")


def test_what_cannot_do_with_lent_functions_keeps_all_that_it_earns_with_its_own(student, graded):
    student.change("rnn_step_backward", "x.T @ da", "2 * x.T @ da")
    student.change("rnn_backward", "T = dh.shape[1]", "T = dh.shape[1] + 0 * len(rnn_step_forward.__name__)")
    question = graded(student).questions["rnn_backward"]
    passed = [test.name for test in question.tests if test.outcome is Outcome.PASSED]
    assert passed == [f"test_sequence_backward[{name}]" for name in ("dx", "dh0", "dWh", "db")]
    assert len(question.tests) == 6
    assert question.judged_with == "own"
    assert question.points == pytest.approx(4 / 6 * question.max_points, abs=0.01)


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


STEP_BY_A_SEQUENCE = """
def rnn_step_forward(x, prev_h, Wx, Wh, b):
    h, cache = rnn_forward(x[:, None], prev_h, Wx, Wh, b)
    return h[:, 0], cache
"""


@pytest.mark.parametrize("missing", [True, False], ids=["which is missing", "which calls the step"])
def test_nothing_is_lent_to_what_was_asked_for_before_it(student, graded, missing):
    """A step that calls the sequence, whether that is there or takes the step, would be right if it were lent."""
    student.write("rnn_step_forward", STEP_BY_A_SEQUENCE)
    if missing:
        student.cells.remove(student.cell("rnn_forward"))
    grade = graded(student)
    assert grade.points["rnn_step_forward"] == 0
    assert grade.questions["rnn_step_forward"].judged_with == "own"
    assert grade.points["rnn_forward"] == (0 if missing else 4)  # which is right but for the step


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


def reference(*definitions):
    return Reference([Statement(source, 1, 1, n) for n, source in enumerate(definitions)], Path("reference.ipynb"))


@pytest.fixture
def loan():
    lender = reference(
        "def forward(x):\n    return 2 * x, [x]",
        "def backward(cache):\n    return cache[0] + 1",
        "def same(x):\n    return x",
        "def secret():\n    return 42",
    )
    return Loan(dict.fromkeys(("forward", "backward", "same"), lender))


def asked(source, loan, *args):
    """What a notebook's function f gives, with a loan."""
    content = {"nbformat": 4, "cells": [{"cell_type": "code", "source": source}]}
    with closing(Student(read_notebook(json.dumps(content).encode(), "asking"), ["f"], loan=loan)) as student:
        return student.f(*args)


def test_a_cache_of_the_reference_stays_outside_and_can_be_handed_back(loan):
    source = "def f(x):\n    out, cache = forward(x)\n    return out, backward(cache), type(cache).__name__"
    out, back, kind = asked(source, loan, np.arange(3.0))
    assert out.tolist() == [0, 2, 4]
    assert back.tolist() == [1, 2, 3]
    assert kind == "StandIn"
    assert loan.used == {"forward", "backward"}


def test_what_is_not_lent_cannot_be_asked_for(loan):
    source = "def f():\n    cache = forward(1.0)[1]\n    return cache.__dict__['_ask']('call', None, 'secret', (), {})"
    with pytest.raises(CallFailed, match="secret is not lent"):
        asked(source, loan)


def test_a_handle_that_was_never_given_is_an_error_of_the_one_who_made_it_up(loan):
    forged = "object.__setattr__(cache.__dict__['_handle'], 'number', -999)"
    source = f"def f():\n    out, cache = forward(1.0)\n    {forged}\n    return backward(cache)"
    with pytest.raises(CallFailed, match="RuntimeError"):
        asked(source, loan)


def test_nothing_is_answered_outside_of_a_call_that_lends(loan):
    with Box() as box:
        box.lend(loan.names)
        assert box.execute(Statement("def f(): return forward(1.0)", 1, 1, 0)) is None
        with pytest.raises(Lied, match="not lent"):
            box.perform([Step("call", "f")])


def test_arguments_too_large_to_be_worked_on_outside_of_the_box_are_refused(loan):
    with pytest.raises(CallFailed, match="too much"):
        asked("import numpy as np\ndef f(): return forward(np.zeros(10**6))", loan)


def test_what_a_notebook_has_made_goes_through_the_reference_as_it_is(loan):
    source = "class Own:\n    pass\n\ndef f():\n    own = Own()\n    return same(own) is own"
    assert asked(source, loan) is True


# --------------------------------------------------------------------------------------- references of two notebooks


@pytest.fixture
def two_notebooks():
    """Functions of two references, whose caches and instances have the same numbers there."""
    lenders = {}
    for name, factor in (("left", 1), ("right", 2)):
        lender = reference(
            f"def {name}(x):\n    return x, [{factor} * x]",
            f"def open_{name}(cache):\n    return cache[0]",
            f"class {name.title()}:\n    def value(self):\n        return {factor}",
            f"def ask_{name}(layer):\n    return layer.value()",
        )
        lenders |= dict.fromkeys((name, f"open_{name}", name.title(), f"ask_{name}"), lender)
    return Loan(lenders)


def test_what_two_references_have_made_is_not_mixed_up(two_notebooks):
    source = "def f(x):\n    a, b = left(x)[1], right(x)[1]\n    return open_right(b), open_left(a)"
    assert asked(source, two_notebooks, 7) == (14, 7)


def test_a_cache_of_one_reference_shows_nothing_to_another(two_notebooks):
    with pytest.raises(CallFailed, match="RuntimeError"):
        asked("def f(x):\n    return open_left(right(x)[1])", two_notebooks, 7)


def test_an_instance_of_one_reference_answers_functions_of_another(two_notebooks):
    source = "def f():\n    one, other = Left(), Right()\n    return ask_left(other), ask_right(one), ask_left(one)"
    assert asked(source, two_notebooks) == (2, 1, 1)


# ------------------------------------------------------------------------------------------------ classes that are lent

LAYER = """class Layer:
    def __init__(self, size):
        self.size, self._secret = size, 42
    def double(self, x):
        return self.size * x
"""


@pytest.fixture
def lent_layer():
    return Loan({"Layer": reference(LAYER)})


def test_an_instance_of_a_lent_class_answers_its_methods_and_attributes(lent_layer):
    source = (
        "def f(x):\n    layer = Layer(size=2)\n    first = layer.double(x)\n    layer.size = 5\n"
        "    return first, layer.size, layer.double(x), hasattr(layer, 'colour')"
    )
    first, size, second, coloured = asked(source, lent_layer, np.arange(3.0))
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
        "'set', layer, '__class__', (1,), {}",
        "'call', layer, '', (), {}",
        "'call', layer, '__init__', (7,), {}",
        "'call', layer, '__reduce__', (), {}",
        "'call', layer, 'double.__func__', (7,), {}",
        "'get', layer.double, '__globals__', (), {}",
        "'call', layer.double, '__reduce__', (), {}",
        "'call', None, 'open', ('/etc/passwd',), {}",
        "'get', None, 'Layer', (), {}",
        "'fetch', layer, '', (), {}",
        "'keep', None, '', (1,), {}",
    ],
)
def test_of_a_lent_object_no_more_is_in_reach_than_its_public_face(lent_layer, step):
    source = f"def f():\n    layer = Layer(2)\n    return layer.__dict__['_ask']({step})"
    with pytest.raises(CallFailed, match="is not lent"):
        asked(source, lent_layer)


@pytest.mark.parametrize("name", ["__init__", "__dict__", "_secret", "_colour", "double.__globals__", ""])
@pytest.mark.parametrize("do", ["get", "set", "call"])
def test_of_a_lent_object_itself_nothing_else_can_be_asked_or_changed(do, name):
    lender = reference(LAYER)
    [thing] = lender.perform([Step("call", "Layer", None, (2,), {})])
    with pytest.raises(LookupError, match="is not lent"):
        Borrowed(thing, lender, Loan({"Layer": lender})).answer(do, name, (7,) if do == "set" else (), {})


def test_a_function_that_is_an_argument_is_called_where_it_is():
    """What a test hands over is asked from inside, and what it raises is told to whoever called it."""
    source = "def f(g, x):\n    try:\n        g('no number')\n    except RuntimeError as error:\n"
    total, error = asked(source + "        return g(x), str(error)", None, lambda x: np.sum(x**2), np.arange(3.0))
    assert total == 5
    assert "TypeError" in error
