"""Numeric gradients: along a few directions for the verdict, entry by entry where nothing less will do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coursekit.gradcheck import FLOOR, STEP, directional_derivatives, numeric_gradients

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coursekit.gradcheck import Evaluate

DIRECTIONS = 3
"""Random directions for each verdict. Ten times the limit is missed by all three once in 2 million times."""


@dataclass(frozen=True)
class Slopes:
    """How much a function was seen to change along each of some directions, in which several inputs move together."""

    directions: Sequence[Mapping[str, np.ndarray]]
    measured: Sequence[float]

    def fit(self, gradients: Mapping[str, np.ndarray], limit: float) -> bool:
        """Whether gradients, by input, give these slopes: up to ``limit`` times the norm of the smallest of them.

        So an error in one gradient shows however large the others are. No norm counts for more than was measured:
        a gradient has no say in how exact it must be, unless that makes it harder.
        """
        with np.errstate(all="ignore"):
            smallest = min(float(np.linalg.norm(gradient)) for gradient in gradients.values())
            size = max(min(smallest, max(abs(slope) for slope in self.measured)), FLOOR)
            claimed = [
                sum(float(np.sum(gradients[name] * move)) for name, move in direction.items())
                for direction in self.directions
            ]
            return all(abs(one - other) <= limit * size for one, other in zip(claimed, self.measured, strict=True))


@dataclass(frozen=True)
class Differentiated:
    """A function that can be evaluated, where, and under which upstream gradients."""

    evaluate: Evaluate
    inputs: Mapping[str, Any]
    upstream: Sequence[Any]

    def slopes(self, names: Sequence[str], rng: np.random.Generator) -> Slopes:
        """Its slopes along directions in which the inputs of these names move."""
        directions = [{name: rng.standard_normal(self.inputs[name].shape) for name in names} for _ in range(DIRECTIONS)]
        return Slopes(directions, directional_derivatives(self.evaluate, self.inputs, self.upstream, directions))

    def gradient(self, name: str, step: float = STEP) -> np.ndarray:
        """The gradient by one input, entry by entry."""
        return numeric_gradients(self.evaluate, self.inputs, self.upstream, [name], step=step)[name]
