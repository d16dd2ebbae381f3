"""Numeric gradients: along a few directions for the verdict, entry by entry where nothing less will do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.judging.calling import shown
from coursekit.gradcheck import FLOOR, LIMITS, STEP, compare, directional_derivatives, numeric_gradients

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coursekit.gradcheck import Evaluate

DIRECTIONS = 3
"""Random directions for each verdict. Ten times the limit is missed by all three once in 2 million times."""
EXACTLY = LIMITS["float64"] / 10
"""Slopes that differ by less leave no doubt."""
NEARLY = 1e-3
"""Errors below it may be the numeric gradient's: 8e-6 was seen for a right one, and 8e-8 with a tenth of the step."""


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
    """A function that can be evaluated, where, and under which upstream gradients.

    ``derived`` are gradients by input that a backward pass gives, which may be right.
    """

    evaluate: Evaluate
    inputs: Mapping[str, Any]
    upstream: Sequence[Any]
    derived: Mapping[str, Any] = field(default_factory=dict)

    def slopes(self, names: Sequence[str], rng: np.random.Generator) -> Slopes:
        """Its slopes along directions in which the inputs of these names move."""
        directions = [{name: rng.standard_normal(self.inputs[name].shape) for name in names} for _ in range(DIRECTIONS)]
        return Slopes(directions, directional_derivatives(self.evaluate, self.inputs, self.upstream, directions))

    def gradient(self, name: str, step: float = STEP) -> np.ndarray:
        """The gradient by one input, entry by entry."""
        return numeric_gradients(self.evaluate, self.inputs, self.upstream, [name], step=step)[name]


def gradient_like(yours: Any, name: str, functions: Sequence[Differentiated], slopes: Sequence[Slopes]) -> Any:
    """The numeric gradient by one input: of several functions, of one by which ``yours`` passes, if there is one.

    What was derived stands for it where that fits the slopes of the function; ``slopes`` has those of each. What is
    nearly right is measured with a smaller step, too: a function may curve so much that it is the numeric gradient
    which is off.
    """
    for function, measured in zip(functions, slopes, strict=True):
        numeric: Any = function.derived.get(name)
        formed = numeric is not None and np.shape(numeric) == np.shape(function.inputs[name])
        if not (formed and measured.fit({name: numeric}, EXACTLY)):
            numeric = function.gradient(name)
        comparison = compare(name, shown(yours), numeric)
        if comparison.error is not None and LIMITS["float64"] < comparison.error < NEARLY:
            finer = function.gradient(name, STEP / 10)
            if compare(name, shown(yours), finer).passed:
                return finer
        if comparison.passed:
            break
    return numeric
