"""Whether a wrong forward pass is one that shows something when it is differentiated.

Its backward pass is judged by what the forward pass computes. So that must have something in common with the right one,
or anything with an easy derivative would do; and it must answer alike while it is watched and while it is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.judging.verdicts import NotJudged
from coursekit.gradcheck import STEP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POINTS, MOVES = 3, 12
"""At how many points, and there by how many small moves of each input, a wrong forward pass is compared with the right.

At one point alone, one in seven questions whose bias had a wrong sign was not judged by chance; at three, none of 30.
"""
MORE_THAN_CHANCE = 0.17
"""How much more a wrong forward pass must have in common with the right one than a made-up one has by chance."""
LOSS_MORE_THAN_CHANCE = 0.25
"""The same for a loss: of one number, chance alone is larger. The most that 480 made-up ones had was 0.20."""
FIT = 0.1
"""How far a gradient found right may be from what small moves show, which are one-sided and not measured finely."""


def small_moves(inputs: Mapping[str, Any], names: Sequence[str], rng: np.random.Generator) -> list[dict[str, Any]]:
    """``POINTS`` times inputs, and then for each name ``MOVES`` times these with that one moved a little.

    The first are the given ones; in the others, the entries have other places.
    """
    moved = []
    for number in range(POINTS):
        point = dict(inputs)
        if number:
            point |= {name: rng.permuted(inputs[name].ravel()).reshape(inputs[name].shape) for name in names}
        moved.append(point)
        moved += [
            {**point, name: point[name] + STEP * rng.standard_normal(point[name].shape)}
            for name in names
            for _ in range(MOVES)
        ]
    return moved


@dataclass(frozen=True)
class Watched:
    """What ``function`` has answered to small moves of the inputs ``names``: all outputs of a call as one vector."""

    function: str
    names: Sequence[str]
    moves: Sequence[Mapping[str, Any]]
    outputs: Sequence[np.ndarray]

    def must_be_like(self, right: Sequence[np.ndarray], more: float = MORE_THAN_CHANCE) -> None:
        """Raise NotJudged unless the outputs respond like the ``right`` ones to moves of each of the names.

        A forward pass that ignores an input, or that has little in common with the right one, is easy to differentiate:
        its backward pass shows nothing. Alike is measured by the cosine between the responses, of either sign, averaged
        over the inputs and the points: of a wrong sign or factor it is 1, of a function that was made up it is near 0.
        What all entries of the outputs do alike does not count, since the sum of an input moves with that, too.
        """
        alike = np.ones((POINTS, len(self.names)))
        with np.errstate(all="ignore"):
            for point, place in np.ndindex(alike.shape):
                name = self.names[place]
                mine, wanted = (np.stack(self._responses(name, out, point)) for out in (self.outputs, right))
                if np.linalg.norm(wanted) > 0:
                    if not np.linalg.norm(mine) > 1e-3 * np.linalg.norm(wanted):
                        raise NotJudged(f"{self.function} has to work first: it does not respond to {name}.")
                    alike[point, place] = _cosine(mine, wanted)
        # The mean of a cosine between random vectors.
        chance = float(np.sqrt(2 / np.pi / (MOVES * max(right[0].size - 1, 1))))
        if not (alike.mean() >= chance + more and alike.mean(axis=1).min() >= chance):
            raise NotJudged(
                f"{self.function} has to work first: it has too little in common with what it should compute."
            )

    def must_fit(self, gradients: Mapping[str, Any], upstream: Sequence[Any]) -> None:
        """Raise NotJudged unless the gradients by inputs, found right, explain these answers at the first point too.

        Else the function has answered in one way while it was watched, and in another while it was measured.
        """
        weights = np.concatenate([np.ravel(each) for each in upstream])
        rounding = 1e-4 * STEP * float(np.linalg.norm(weights)) * float(np.linalg.norm(self.outputs[0]))
        for name, gradient in gradients.items():
            seen = np.array([response @ weights for response in self._responses(name, self.outputs, 0)])
            moved = [self.moves[place][name] - self.moves[0][name] for place in self._at(name, 0)]
            told = np.array([np.sum(np.asarray(gradient) * move) for move in moved])
            if not np.linalg.norm(seen - told) <= FIT * np.linalg.norm(seen) + rounding:
                raise NotJudged(f"{self.function} has to work first: its answers near one input contradict each other.")

    def _at(self, name: str, point: int) -> range:
        first = point * (1 + len(self.names) * MOVES) + 1 + self.names.index(name) * MOVES
        return range(first, first + MOVES)

    def _responses(self, name: str, outputs: Sequence[np.ndarray], point: int) -> list[np.ndarray]:
        here = outputs[point * (1 + len(self.names) * MOVES)]
        return [outputs[place] - here for place in self._at(name, point)]


def _cosine(mine: np.ndarray, wanted: np.ndarray) -> float:
    """How alike responses of shape (moves, entries) are, from 0 to 1, by what their entries do not all do alike."""
    apart = [each - each.mean(axis=1, keepdims=True) for each in (mine, wanted)]
    if np.linalg.norm(apart[1]) > 1e-3 * np.linalg.norm(wanted):
        mine, wanted = apart
    sizes = float(np.linalg.norm(mine) * np.linalg.norm(wanted))
    return abs(float(np.vdot(mine, wanted))) / sizes if sizes > 0 else 0.0
