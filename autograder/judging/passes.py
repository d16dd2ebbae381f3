"""The forward and the backward pass of a student, beside those of the reference."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.judging.calling import shown
from autograder.judging.measuring import Differentiated
from autograder.judging.verdicts import Failure, NotJudged
from coursekit.gradcheck import compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autograder.judging.answers import Answers
    from autograder.judging.calling import Computation


@dataclass(frozen=True)
class Passes:
    """What the student's forward and backward pass have given, beside what was expected.

    ``outputs`` are those of the pass ``forward``: whether their values are the ``right`` ones, and what is wrong before
    values.
    """

    forward: str
    outputs: Sequence[Any]
    right: Sequence[Any]
    is_right: bool
    problem: str
    expected: Mapping[str, Any]
    """The right gradients, by name."""
    gradients: Mapping[str, Any] = field(default_factory=dict)
    """The student's."""

    @classmethod
    def of_both(
        cls,
        student: Answers,
        reference: Answers,
        what: Computation,
        inputs: Mapping[str, Any],
        upstream: Sequence[Any],
        right: tuple[list[Any], Any] | None,
    ) -> Passes:
        """Let both go forward and backward; ``right`` is the reference's forward pass, if that was run already.

        Raises:
            Failure: the student's backward pass does not work.
            NotJudged: their forward pass does not, or gives what no backward pass can follow.
        """
        expected, kept = right or what.run_forward(reference, inputs)
        derived = what.run_backward(reference, upstream, kept)
        with suppress(Failure):
            [(outputs, gradients)] = what.run_pairs(student, [(inputs, upstream)])
            return replace(cls.of(what, outputs, expected, derived), gradients=gradients)
        outputs, cache = own_forward(student, what, inputs)
        passes = cls.of(what, outputs, expected, derived)
        try:
            return replace(passes, gradients=what.run_backward(student, upstream, cache))
        except Failure:
            passes.must_be_well_formed()
            raise

    @classmethod
    def of(cls, what: Computation, outputs: Sequence[Any], right: Sequence[Any], expected: Mapping[str, Any]) -> Passes:
        """With outputs compared with the right ones."""
        compared = [compare(*each) for each in zip(what.outputs, map(shown, outputs), right, strict=True)]
        problems = [comparison.problem for comparison in compared if comparison.problem is not None]
        passed = all(comparison.passed for comparison in compared)
        return cls(what.forward, outputs, right, passed, problems[0] if problems else "", expected)

    def must_be_well_formed(self) -> None:
        """Raise NotJudged unless the outputs' types, shapes and dtypes are right, and all numbers finite."""
        if self.problem:
            raise NotJudged(f"{self.forward} has to work first. {self.problem}")


@dataclass(frozen=True)
class Asked:
    """A backward pass that is judged: of what, and by which of its gradients."""

    what: Computation
    inputs: Mapping[str, Any]
    upstream: Sequence[Any]
    names: Sequence[str]

    def by_input(self, gradients: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the gradients that are judged, under the names of their inputs."""
        return {self.what.input_of(name): gradients[name] for name in self.names}

    def function(self, who: Answers, derived: Mapping[str, Any]) -> Differentiated:
        """Somebody's forward pass, of which some gradients by input were ``derived``."""
        return Differentiated(partial(self.what.run_many, who), self.inputs, self.upstream, derived)


def own_forward(student: Answers, what: Computation, inputs: Mapping[str, Any]) -> tuple[list[Any], Any]:
    """The student's outputs and cache. Raises NotJudged if there are none, where that is another question."""
    try:
        return what.run_forward(student, inputs)
    except Failure as failure:
        if what.forward == what.backward:
            raise
        raise NotJudged(f"{what.forward} has to work first. {failure.rationale}") from None


def without(yours: Mapping[str, Any], *others: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``yours`` that equal none of the same name."""
    return {
        name: value
        for name, value in yours.items()
        if not any(compare("", shown(value), other[name]).passed for other in others)
    }


def together(outputs: Sequence[Any]) -> np.ndarray:
    """All outputs as one vector."""
    return np.concatenate([np.ravel(shown(output)) for output in outputs])
