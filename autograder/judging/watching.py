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

MOVES = 16
"""Small moves of each input by which a wrong forward pass is compared with the right one.

The outputs of a loss are single numbers, so this many are compared. Of made-up ones the cosine is 0.2 on average; of
five it would be 0.37, and some losses with an easy derivative would pass.
"""
ALIKE = 0.5
"""How much a wrong forward pass must have in common with the right one for its backward pass to be judged."""
FIT = 0.1
"""How far a gradient found right may be from what small moves show, which are one-sided and not measured finely."""


def small_moves(inputs: Mapping[str, Any], names: Sequence[str], rng: np.random.Generator) -> list[dict[str, Any]]:
    """The inputs, and then for each name ``MOVES`` times the inputs with that one moved a little."""
    moved = [
        {**inputs, name: inputs[name] + STEP * rng.standard_normal(inputs[name].shape)}
        for name in names
        for _ in range(MOVES)
    ]
    return [dict(inputs), *moved]


@dataclass(frozen=True)
class Watched:
    """What ``function`` has answered to small moves of the inputs ``names``: all outputs of a call as one vector."""

    function: str
    names: Sequence[str]
    moves: Sequence[Mapping[str, Any]]
    outputs: Sequence[np.ndarray]

    def must_be_like(self, right: Sequence[np.ndarray]) -> None:
        """Raise NotJudged unless the outputs respond like the ``right`` ones to moves of each of the names.

        A forward pass that ignores an input, or that has little in common with the right one, is easy to differentiate:
        its backward pass shows nothing. Alike is measured by the cosine between the responses, of either sign, averaged
        over the inputs: of a wrong sign or factor it is 1, of a function that was made up it is near 0.
        """
        cosines = []
        with np.errstate(all="ignore"):
            for name in self.names:
                mine, wanted = (np.concatenate(self._responses(name, outputs)) for outputs in (self.outputs, right))
                sizes = float(np.linalg.norm(mine)), float(np.linalg.norm(wanted))
                if sizes[1] > 0 and not sizes[0] > 1e-3 * sizes[1]:
                    raise NotJudged(f"{self.function} has to work first: it does not respond to {name}.")
                cosines.append(abs(float(mine @ wanted)) / (sizes[0] * sizes[1]) if sizes[1] else 1.0)
        if not np.mean(cosines) >= ALIKE:
            raise NotJudged(
                f"{self.function} has to work first: it has too little in common with what it should compute."
            )

    def must_fit(self, name: str, gradient: Any, upstream: Sequence[Any]) -> None:
        """Raise NotJudged unless the gradient by an input, found right, explains these answers too.

        Else the function has answered in one way while it was watched, and in another while it was measured.
        """
        weights = np.concatenate([np.ravel(each) for each in upstream])
        seen = np.array([response @ weights for response in self._responses(name, self.outputs)])
        told = np.array(
            [np.sum(np.asarray(gradient) * (self.moves[place][name] - self.moves[0][name])) for place in self._at(name)]
        )
        rounding = 1e-4 * STEP * float(np.linalg.norm(weights)) * float(np.linalg.norm(self.outputs[0]))
        if not np.linalg.norm(seen - told) <= FIT * np.linalg.norm(seen) + rounding:
            raise NotJudged(
                f"{self.function} has to work first: what it answers near one point is not what one function gives."
            )

    def _at(self, name: str) -> range:
        first = 1 + self.names.index(name) * MOVES
        return range(first, first + MOVES)

    def _responses(self, name: str, outputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [outputs[place] - outputs[0] for place in self._at(name)]
