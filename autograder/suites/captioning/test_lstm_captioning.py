"""The hidden suite of ``lstm_captioning``. A test's docstring is the line that the student reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autograder.judging.calling import Layer
from autograder.judging.judge import question
from autograder.suites.captioning.models import (
    PARAMS,
    check_loss_gradient,
    check_losses,
    check_samples,
    check_samples_of_other_sizes,
    check_samples_that_end,
    weights,
)

if TYPE_CHECKING:
    import numpy as np

    from autograder.judging.judge import Judge

# Sizes are different primes, so that no transposition and no broadcast goes unseen. The hidden state is small: of a
# gradient that is wrong each entry is measured, and the weights have the most.
# Beside small sizes, some that are larger and some that are equal, for what is right by accident.
LARGE_STEPS = ((8, 4, 4), (13, 3, 2))
LARGE_SEQUENCES = ((6, 6, 4, 4), (5, 13, 2, 3))

STEP = Layer(
    "lstm_step_forward",
    "lstm_step_backward",
    ("next_h", "next_c"),
    ("dx", "dprev_h", "dprev_c", "dWx", "dWh", "db"),
)
SEQUENCE = Layer("lstm_forward", "lstm_backward", ("h",), ("dx", "dh0", "dWx", "dWh", "db"))


def step_inputs(judge: Judge, N: int = 7, D: int = 5, H: int = 3) -> dict[str, np.ndarray]:
    states = {"prev_h": judge.normal(N, H), "prev_c": judge.normal(N, H)}
    return {"x": judge.normal(N, D), **states, **weights(judge, D, H, "lstm")}


def sequence_inputs(judge: Judge, N: int = 7, T: int = 3, D: int = 5, H: int = 2) -> dict[str, np.ndarray]:
    return {"x": judge.normal(N, T, D), "h0": judge.normal(N, H), **weights(judge, D, H, "lstm")}


# ---------------------------------------------------------------------------------------------------- one step


@question("lstm_step_forward", weight=3)
def test_step_forward(judge: Judge) -> None:
    """next_c is f * prev_c + i * g and next_h is o * tanh(next_c), the gates cut in the order i, f, o, g."""
    judge.forward(STEP, step_inputs(judge))


@question("lstm_step_forward")
def test_step_forward_of_size_one(judge: Judge) -> None:
    """A minibatch, an input or a hidden state of size one works too."""
    batch = [step_inputs(judge, *sizes) for sizes in ((1, 5, 7), (3, 1, 7), (3, 5, 1), *LARGE_STEPS)]
    judge.forward(STEP, *batch)


@question("lstm_step_backward")
@pytest.mark.parametrize("gradient", STEP.gradients)
def test_step_backward(judge: Judge, gradient: str) -> None:
    """{gradient} is the gradient of your own lstm_step_forward, for upstream gradients of both outputs."""
    judge.gradients(STEP, step_inputs(judge), names=[gradient])


@question("lstm_step_backward")
def test_step_backward_at_the_edges(judge: Judge) -> None:
    """All gradients hold for sizes of one, and are zero where the upstream gradients are."""
    batch = [step_inputs(judge, *sizes) for sizes in ((1, 2, 3), (2, 1, 3), (3, 2, 1), *LARGE_STEPS)]
    judge.gradients(STEP, *batch, scale=30)
    judge.zero_gradients(STEP, step_inputs(judge))


# ---------------------------------------------------------------------------------------------------- a sequence


@question("lstm_forward", weight=3)
def test_sequence_forward(judge: Judge) -> None:
    """Array h holds the hidden states of all time steps; both states come from the step before, the first cell is 0."""
    judge.forward(SEQUENCE, sequence_inputs(judge))


@question("lstm_forward")
def test_sequence_forward_of_length_one(judge: Judge) -> None:
    """Sequences of one step and of many work, and so do sizes of one."""
    batch = [
        sequence_inputs(judge, *sizes)
        for sizes in ((2, 1, 5, 7), (1, 3, 5, 7), (2, 3, 1, 7), (2, 3, 5, 1), *LARGE_SEQUENCES)
    ]
    judge.forward(SEQUENCE, *batch)


@question("lstm_backward")
@pytest.mark.parametrize("gradient", SEQUENCE.gradients)
def test_sequence_backward(judge: Judge, gradient: str) -> None:
    """{gradient} is the gradient of your own lstm_forward, through all time steps."""
    judge.gradients(SEQUENCE, sequence_inputs(judge), names=[gradient])


@question("lstm_backward")
def test_sequence_backward_at_the_edges(judge: Judge) -> None:
    """All gradients hold for one time step and for sizes of one, and are zero where the upstream gradient is."""
    batch = [
        sequence_inputs(judge, *sizes)
        for sizes in ((1, 4, 2, 3), (2, 1, 2, 3), (2, 4, 1, 3), (2, 4, 3, 1), *LARGE_SEQUENCES)
    ]
    judge.gradients(SEQUENCE, *batch, scale=30)
    judge.zero_gradients(SEQUENCE, sequence_inputs(judge))


# --------------------------------------------------------------------------------------------------- the model


@question("CaptioningRNN.loss", weight=4)
def test_loss(judge: Judge) -> None:
    """The loss is that of the next words, summed over time, averaged over the minibatch, without <NULL>."""
    check_losses(judge, "lstm")


@question("CaptioningRNN.loss")
@pytest.mark.parametrize("parameter", PARAMS)
def test_loss_gradients(judge: Judge, parameter: str) -> None:
    """grads['{parameter}'] is the gradient of your own loss."""
    check_loss_gradient(judge, "lstm", parameter)


@question("CaptioningRNN.sample", weight=3)
def test_sample(judge: Judge) -> None:
    """Each word is the likeliest after the one before, the first is the likeliest after <START>."""
    check_samples(judge, "lstm")


@question("CaptioningRNN.sample")
def test_sample_of_other_sizes(judge: Judge) -> None:
    """A single picture, a single word, and a vocabulary of another size or in another order work too."""
    check_samples_of_other_sizes(judge, "lstm")


@question("CaptioningRNN.sample")
def test_sample_that_ends(judge: Judge) -> None:
    """A caption that has ended does not end the others."""
    check_samples_that_end(judge, "lstm")
