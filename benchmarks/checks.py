"""The checks of the four LSTM functions as an instructor would write them without this kit: numpy and asserts.

They lie beside the notebook, and the test cells of nbgrader, the test files of otter-grader and the plain process call
them. They make the same number of calls as the hidden suite ``test_lstm_captioning.py``, on arrays of the same sizes,
with new random numbers each time: a forward pass against the solution, gradients along three random directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Inputs = dict[str, np.ndarray]

STEP, DIRECTIONS, TOLERANCE = 1e-5, 3, 1e-5
STEP_SIZES = ((1, 5, 7), (3, 1, 7), (3, 5, 1), (8, 4, 4), (13, 3, 2))
STEP_EDGES = ((1, 2, 3), (2, 1, 3), (3, 2, 1), (8, 4, 4), (13, 3, 2))
SEQUENCE_SIZES = ((2, 1, 5, 7), (1, 3, 5, 7), (2, 3, 1, 7), (2, 3, 5, 1), (6, 6, 4, 4), (5, 13, 2, 3))
SEQUENCE_EDGES = ((1, 4, 2, 3), (2, 1, 2, 3), (2, 4, 1, 3), (2, 4, 3, 1), (6, 6, 4, 4), (5, 13, 2, 3))

rng = np.random.default_rng()


def step_solution(
    x: np.ndarray, prev_h: np.ndarray, prev_c: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, None]:
    """One step of an LSTM, as the instructor has it."""
    a_i, a_f, a_o, a_g = np.split(x @ Wx + prev_h @ Wh + b, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-a)) for a in (a_i, a_f, a_o))
    next_c = f * prev_c + i * np.tanh(a_g)
    return o * np.tanh(next_c), next_c, None


def sequence_solution(
    x: np.ndarray, h0: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, None]:
    """All steps of an LSTM, as the instructor has them."""
    h, c, found = h0, np.zeros_like(h0), []
    for t in range(x.shape[1]):
        h, c, _ = step_solution(x[:, t], h, c, Wx, Wh, b)
        found.append(h)
    return np.stack(found, axis=1), None


def step_inputs(N: int = 7, D: int = 5, H: int = 3) -> Inputs:
    """Random arguments of a step, of sizes (N, D), (N, H), (N, H), (D, 4H), (H, 4H) and (4H,)."""
    shapes = {"x": (N, D), "prev_h": (N, H), "prev_c": (N, H), "Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def sequence_inputs(N: int = 7, T: int = 3, D: int = 5, H: int = 2) -> Inputs:
    """Random arguments of a sequence, of sizes (N, T, D), (N, H), (D, 4H), (H, 4H) and (4H,)."""
    shapes = {"x": (N, T, D), "h0": (N, H), "Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def check_forward(function: Callable[..., Any], solution: Callable[..., Any], inputs: Inputs) -> None:
    """Compare what a forward pass returns with what the solution returns."""
    wanted, found = solution(**inputs)[:-1], function(*inputs.values())[:-1]
    assert len(found) == len(wanted)
    for yours, right in zip(found, wanted, strict=True):
        assert yours.shape == right.shape
        assert np.linalg.norm(yours - right) <= 1e-6 * max(np.linalg.norm(right), 1e-2)


def check_gradients(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    solution: Callable[..., Any],
    inputs: Inputs,
    names: Sequence[str],
) -> None:
    """Compare gradients with the slopes of the student's own forward pass along directions in which all inputs move."""
    upstream = [rng.standard_normal(output.shape) for output in solution(**inputs)[:-1]]
    gradients = dict(
        zip(inputs, backward(*[each.copy() for each in upstream], forward(*inputs.values())[-1]), strict=True)
    )
    for name in names:
        assert gradients[name].shape == inputs[name].shape
    directions = [{name: rng.standard_normal(inputs[name].shape) for name in names} for _ in range(DIRECTIONS)]
    slopes = []
    for direction in directions:
        ends = [
            forward(
                *{**inputs, **{name: inputs[name] + sign * STEP * move for name, move in direction.items()}}.values()
            )
            for sign in (1, -1)
        ]
        slopes.append(
            sum(
                np.sum((plus - minus) * up)
                for plus, minus, up in zip(ends[0][:-1], ends[1][:-1], upstream, strict=True)
            )
            / (2 * STEP)
        )
    claimed = [sum(np.sum(gradients[name] * move) for name, move in direction.items()) for direction in directions]
    assert np.abs(np.subtract(claimed, slopes)).max() <= TOLERANCE * max(*np.abs(slopes), 1e-2)


def check_zero(
    forward: Callable[..., Any], backward: Callable[..., Any], solution: Callable[..., Any], inputs: Inputs
) -> None:
    """Look that upstream gradients of zero give gradients of zero."""
    upstream = [np.zeros_like(output) for output in solution(**inputs)[:-1]]
    for gradient in backward(*upstream, forward(*inputs.values())[-1]):
        assert not gradient.any()


def lstm_step_forward(function: Callable[..., Any], _: Callable[..., Any]) -> None:
    """Check one step: 6 calls."""
    for sizes in ((), *STEP_SIZES):
        check_forward(function, step_solution, step_inputs(*sizes))


def lstm_step_backward(forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
    """Check the gradients of one step, one by one at the first size and together at the others."""
    for name in step_inputs():
        check_gradients(forward, backward, step_solution, step_inputs(), [name])
    for sizes in STEP_EDGES:
        check_gradients(forward, backward, step_solution, step_inputs(*sizes), list(step_inputs()))
    check_zero(forward, backward, step_solution, step_inputs())


def lstm_forward(function: Callable[..., Any], _: Callable[..., Any]) -> None:
    """Check a sequence: 7 calls."""
    for sizes in ((), *SEQUENCE_SIZES):
        check_forward(function, sequence_solution, sequence_inputs(*sizes))


def lstm_backward(forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
    """Check the gradients of a sequence in the same way."""
    for name in sequence_inputs():
        check_gradients(forward, backward, sequence_solution, sequence_inputs(), [name])
    for sizes in SEQUENCE_EDGES:
        check_gradients(forward, backward, sequence_solution, sequence_inputs(*sizes), list(sequence_inputs()))
    check_zero(forward, backward, sequence_solution, sequence_inputs())


PAIRS = {
    "lstm_step_forward": ("lstm_step_forward", "lstm_step_backward"),
    "lstm_step_backward": ("lstm_step_forward", "lstm_step_backward"),
    "lstm_forward": ("lstm_forward", "lstm_backward"),
    "lstm_backward": ("lstm_forward", "lstm_backward"),
}
"""Each question, and the functions that its check takes."""
