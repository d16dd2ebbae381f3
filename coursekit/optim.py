"""Rules that turn gradients into new parameters: gradient descent, with momentum, and Adam.

Each keeps what it remembers in `state`: arrays by name, of the shapes of the parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Floats: TypeAlias = "NDArray[np.floating[Any]]"


class Optimizer(ABC):
    """A rule for one step downhill.

    Attributes:
        state: What is remembered from step to step, by the name of a parameter and then of what it is.
    """

    def __init__(self) -> None:
        self.state: dict[str, dict[str, Floats]] = {}

    def step(self, params: dict[str, Floats], grads: Mapping[str, Floats], learning_rate: float) -> None:
        """Replace each parameter by a new array, one step further on.

        Args:
            params: The parameters by name; the dictionary is changed, its arrays are not.
            grads: The gradient of each parameter, of its shape.
            learning_rate: The length of the step.
        """
        for name, value in params.items():
            remembered = self.state.setdefault(name, {})
            move = self._move(np.asarray(grads[name]), remembered)
            params[name] = (value - learning_rate * move).astype(value.dtype, copy=False)

    @abstractmethod
    def _move(self, gradient: Floats, remembered: dict[str, Floats]) -> Floats:
        """Return the direction to go against, and remember what the next step needs."""


class SGD(Optimizer):
    """Stochastic gradient descent: straight down the gradient of the minibatch."""

    def _move(self, gradient: Floats, _: dict[str, Floats]) -> Floats:
        return gradient


class Momentum(Optimizer):
    """Gradient descent with momentum (Polyak, 1964): v = momentum v + gradient, and a step down v."""

    def __init__(self, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum

    def _move(self, gradient: Floats, remembered: dict[str, Floats]) -> Floats:
        velocity = remembered.get("velocity", np.zeros_like(gradient))
        remembered["velocity"] = self.momentum * velocity + gradient
        return remembered["velocity"]


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015, algorithm 1): the mean gradient, divided by the root of the mean square."""

    def __init__(self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        super().__init__()
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def _move(self, gradient: Floats, remembered: dict[str, Floats]) -> Floats:
        count = int(remembered.get("count", np.int64(0))) + 1
        mean = self.beta1 * remembered.get("mean", np.zeros_like(gradient)) + (1 - self.beta1) * gradient
        square = self.beta2 * remembered.get("square", np.zeros_like(gradient)) + (1 - self.beta2) * gradient**2
        remembered.update(count=np.asarray(count), mean=mean, square=square)
        # Both began at zero; the divisions make up for that.
        unbiased = square / (1 - self.beta2**count)
        return mean / (1 - self.beta1**count) / (np.sqrt(unbiased) + self.epsilon)
