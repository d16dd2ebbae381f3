"""Which wrong forward pass shows something when it is differentiated, and which gradients are its own: by numbers.

The tests of whole notebooks are in test_cheats.py; here each condition stands by itself.
"""

import numpy as np
import pytest

from autograder.judging.measuring import EXACTLY, NEARLY, Slopes
from autograder.judging.verdicts import NotJudged
from autograder.judging.watching import MOVES, Watched, small_moves

INPUTS = {"x": np.linspace(-1, 1, 12).reshape(3, 4), "b": np.linspace(0, 2, 12).reshape(3, 4)}


def right(x, b):
    """Each entry with either sign, so that all outputs together do nothing alike, in one half of the outputs."""
    return np.concatenate([x, -x, b, -b, np.zeros((12, 4))]).ravel()


def elsewhere(x, b):
    """The same in the other half: it has nothing in common with the right one."""
    return right(x, b)[::-1]


def watched(function, *, at_last=None):
    """What a function has answered, and at the last point another one; and what the right one has."""
    moves = small_moves(INPUTS, list(INPUTS), np.random.default_rng(7))
    last = 2 * (1 + len(INPUTS) * MOVES)
    outputs = [(at_last or function)(**move) if place >= last else function(**move) for place, move in enumerate(moves)]
    return Watched("forward", list(INPUTS), moves, outputs), [right(**move) for move in moves]


def test_a_forward_pass_that_is_like_the_right_one_shows_something():
    mine, wanted = watched(lambda x, b: -3 * right(x, b) + 1)
    mine.must_be_like(wanted)


def test_a_forward_pass_that_ignores_an_input_shows_nothing_however_alike_it_is():
    mine, wanted = watched(lambda x, b: right(x, 0 * b))
    with pytest.raises(NotJudged, match="forward has to work first: it does not respond to b"):
        mine.must_be_like(wanted)


def test_a_forward_pass_that_is_like_the_right_one_at_some_points_alone_shows_nothing():
    mine, wanted = watched(right, at_last=elsewhere)
    with pytest.raises(NotJudged, match="too little in common"):
        mine.must_be_like(wanted)


def test_gradients_explain_what_a_forward_pass_has_answered_or_they_are_not_of_it():
    mine, _ = watched(right)
    upstream = [np.arange(96.0)]
    jacobian = {name: np.zeros((96, 12)) for name in INPUTS}
    for place in range(12):
        unit = np.eye(12)[place].reshape(3, 4)
        jacobian["x"][:, place] = right(unit, 0 * unit)
        jacobian["b"][:, place] = right(0 * unit, unit)
    gradients = {name: (upstream[0] @ each).reshape(3, 4) for name, each in jacobian.items()}
    mine.must_fit(gradients, upstream)
    with pytest.raises(NotJudged, match="its answers near one input contradict each other"):
        mine.must_fit({**gradients, "b": 0 * gradients["b"]}, upstream)


@pytest.mark.parametrize("limit", [EXACTLY, NEARLY])
@pytest.mark.parametrize("size", [1e10, 1e200])
def test_a_gradient_does_not_set_its_own_tolerance(size, limit):
    """Not even one whose norm overflows."""
    slopes = Slopes([{"x": np.ones(4)}], [8.0])
    assert slopes.fit({"x": np.full(4, 2.0)}, limit)
    assert not slopes.fit({"x": np.full(4, size)}, limit)
