"""A known mistake in the course that is attacked."""

from autograder.judging.misconceptions import Misconception

MISCONCEPTIONS = (
    Misconception("gate_forward", "no tanh", "tanh is left out", "What bounds it?", ("np.tanh(x @ W)", "x @ W")),
)
