"""The hidden suite of the course that is attacked."""

import pytest

from autograder.judging.calling import Layer
from autograder.judging.judge import question

HIDDEN = "SECRET"
GATE = Layer("gate_forward", "gate_backward", ("out",), ("dx", "dW"))


def inputs(judge, N=2, D=3, H=5):
    return {"x": judge.normal(N, D), "W": judge.normal(D, H)}


@question("gate_forward")
def test_forward(judge):
    """out is tanh(x W)."""
    judge.forward(GATE, inputs(judge))


@question("gate_backward")
@pytest.mark.parametrize("gradient", GATE.gradients)
def test_backward(judge, gradient):
    """{gradient} is the gradient of your own gate_forward."""
    judge.gradients(GATE, inputs(judge), names=[gradient])


@question("chain")
def test_chain(judge):
    """Chain puts one gate behind another."""
    given = inputs(judge)
    V = judge.normal(5, 2)
    expected = judge.reference.chain(given["x"], given["W"], V)
    judge.same("chain", expected, lambda who: who.chain(given["x"], given["W"], V))
