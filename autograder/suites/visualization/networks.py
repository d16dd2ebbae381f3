"""What the suites of this assignment share: small networks, what is done with them, and words for what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from autograder.judging.calling import shown
from autograder.judging.guests import Lent
from autograder.judging.passes import together
from autograder.judging.verdicts import Failure
from coursekit.convolution import average_backward, average_forward, conv_backward, conv_forward
from coursekit.gradcheck import STEP, compare
from coursekit.layers import affine_backward, affine_forward
from coursekit.templates import TemplateNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

    from autograder.judging.answers import Answers
    from autograder.judging.judge import Judge

NEVER = 10**6
"""A number of steps that no loop comes to."""
LIFT = 1000.0
"""By how much the scores of a lifted network lie higher: far more than they differ."""


class SmoothNetwork:
    """A small network without kinks, so that numeric gradients are exact wherever they are taken."""

    layers = ("conv1", "tanh1", "conv2", "tanh2", "average1", "affine1")

    def __init__(self, rng: np.random.Generator, classes: int = 5) -> None:
        conv1 = rng.normal(0, 0.3, (4, 3, 3, 3)), rng.normal(0, 0.3, 4)
        conv2 = rng.normal(0, 0.3, (5, 4, 3, 3)), rng.normal(0, 0.3, 5)
        affine = rng.normal(0, 1, (5, classes)), rng.normal(0, 1, classes)
        self.classes = tuple(f"class {k}" for k in range(classes))
        self.mean, self.scale = np.full(3, 0.5), np.full(3, 0.25)
        self._steps: list[tuple[Any, Any, tuple[np.ndarray, ...]]] = [
            (conv_forward, conv_backward, conv1),
            (tanh_forward, tanh_backward, ()),
            (conv_forward, conv_backward, conv2),
            (tanh_forward, tanh_backward, ()),
            (average_forward, average_backward, ()),
            (affine_forward, affine_backward, affine),
        ]

    def forward(self, X: np.ndarray, start: str | None = None, end: str | None = None) -> tuple[np.ndarray, Any]:
        """Run the layers from ``start`` to ``end``."""
        first = self.layers.index(start) if start else 0
        last = self.layers.index(end) if end else len(self.layers) - 1
        cache = []
        for forward, backward, weights in self._steps[first : last + 1]:
            X, kept = forward(X, *(weight.astype(X.dtype) for weight in weights))
            cache.append((backward, kept))
        return X, tuple(cache)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Run them backward."""
        for backward, kept in reversed(cache):
            back = backward(dout, kept)
            dout = back[0] if isinstance(back, tuple) else back
        return dout, {}


class LiftedNetwork(TemplateNetwork):
    """Templates whose scores all lie far above zero. That changes no gradient and no choice, but the size of scores."""

    def forward(self, X: np.ndarray, start: str | None = None, end: str | None = None) -> tuple[np.ndarray, Any]:
        """The scores, lifted."""
        scores, cache = super().forward(X, start, end)
        return scores + LIFT, cache


def tanh_forward(x: np.ndarray) -> tuple[np.ndarray, Any]:
    out = np.tanh(x)
    return out, out


def tanh_backward(dout: np.ndarray, out: Any) -> np.ndarray:
    dx: np.ndarray = dout * (1 - out**2)
    return dx


def lend(model: Any, calls: int) -> Lent:
    """The model as the student gets it: to be asked, so and so often, and no more."""
    methods = [name for name in ("forward", "backward", "preprocess", "deprocess") if hasattr(model, name)]
    return Lent("model", model, methods, ("layers", "classes", "mean", "scale"), calls=calls)


def numeric_gradient(value: Callable[[np.ndarray], np.ndarray], X: np.ndarray) -> np.ndarray:
    """The gradient of ``value``, which gives one number for each picture of a minibatch, by central differences.

    A picture has no effect on another one's number, so all of them are moved at the same time.
    """
    moves = STEP * np.eye(X[0].size).reshape(-1, 1, *X.shape[1:])
    above, below = (value((X + way * moves).reshape(-1, *X.shape[1:])).reshape(-1, len(X)) for way in (1, -1))
    gradient: np.ndarray = ((above - below) / (2 * STEP)).T.reshape(X.shape)
    return gradient


def unit(step: Any) -> Any:
    """An array of length 1 with the same direction."""
    return step / max(np.linalg.norm(step), 1e-12)


def limits(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """What black and white are, channel by channel."""
    low, high = (((end - model.mean) / model.scale).reshape(1, 3, 1, 1) for end in (0, 1))
    return low, high


def must_be_picture(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Raise Failure unless it is an array of this shape, of finite floats."""
    problem = compare(name, value if isinstance(value, np.ndarray) else None, np.zeros(shape)).problem
    if problem is not None:
        raise Failure(problem)


def must_be(
    judge: Judge, name: str, expected: np.ndarray, ask: Callable[[Answers], Any], telling: Callable[[Answers], Any]
) -> None:
    """Raise Failure unless ``ask`` gets what is expected, in the words of a mistake that ``telling`` shows too.

    Of pictures that end at black and white, or that grow without bounds, different mistakes make the same.
    """
    comparison = compare(name, shown(ask(judge.student)), expected)
    if not comparison.passed:

        def pictures(who: Answers) -> Any:
            made = [ask(who), telling(who)]
            return together(made) if all(isinstance(each, np.ndarray) for each in made) else made[0]

        blame(judge, str(comparison), "", pictures)


def blame(judge: Judge, sentence: str, hint: str, ask: Callable[[Answers], Any]) -> NoReturn:
    """Raise Failure, in the words of the known mistake that the student's answer to ``ask`` shows, if there is one."""
    known = judge.mistakes.recognise(judge.question, ask(judge.student), ask(judge.reference), ask)
    if known is None:
        raise Failure(sentence, hint)
    raise Failure(f"{sentence}\n  this is what you get when {known.explanation}", known.hint, known.name)
