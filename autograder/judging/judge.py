"""How a hidden test judges: it calls the student and the reference, and compares.

A suite names what it tests and with which inputs; how it is judged is here, once for all assignments:

- a forward pass against the reference, on inputs of distinct sizes that are new for each submission;
- a backward pass against the numeric gradient of the student's *own* forward pass, under a random upstream gradient;
- type, shape, dtype and finiteness before values (:mod:`coursekit.gradcheck`).

A forward pass that is wrong but well-formed still carries its backward pass (follow-through), unless it has too little
in common with the right one: then anything with an easy derivative would do, and nothing is judged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograder.judging.calling import entry, losses, shown
from autograder.judging.cases import LayerCase, ModelCase
from autograder.judging.conduct import Habit, Remark
from autograder.judging.error_maps import error_map
from autograder.judging.verdicts import Difference, Failure, NotJudged
from coursekit.gradcheck import FLOOR, LIMITS, STEP, compare, directional_derivatives, numeric_gradients

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from autograder.judging.answers import Answers, Reference
    from autograder.judging.calling import Differentiable, Model
    from autograder.judging.cases import Case
    from autograder.judging.misconceptions import KnownMistakes
    from coursekit.gradcheck import Comparison, Evaluate

FOLLOW_THROUGH = "follow-through"
MOVES = 16
"""Small moves of each input by which a wrong forward pass is compared with the right one."""
ALIKE = 0.5
"""How much a wrong forward pass must have in common with the right one for its backward pass to be judged."""
FIT = 0.1
"""How far a gradient found right may be from what such moves show: they are one-sided and not measured finely."""
NEARLY = 1e-3
"""Errors below it may be the numeric gradient's: 8e-6 was seen for a right one, and 8e-8 with a tenth of the step."""
DIRECTIONS = 3
"""Random directions for each gradient. Ten times the limit is missed by all three once in 2 million times."""


def question(name: str, *, weight: float = 1.0) -> pytest.MarkDecorator:
    """Mark a hidden test as one of the question ``name``; its share of the points is in proportion to ``weight``."""
    return pytest.mark.question(name, weight=weight)


@dataclass(frozen=True)
class Slope:
    """A function that can be evaluated, where, under which upstream gradients, and by which input."""

    evaluate: Evaluate
    inputs: Mapping[str, Any]
    upstream: Sequence[Any]
    wrt: str

    def agrees(self, gradient: np.ndarray, directions: Sequence[np.ndarray], limit: float) -> bool:
        """Whether a gradient gives the slopes along ``directions``, up to ``limit`` times its norm."""
        moves = [{self.wrt: direction} for direction in directions]
        slopes = directional_derivatives(self.evaluate, self.inputs, self.upstream, moves)
        # The size is the measured one: the claimed gradient has no say in how exact it must be.
        size = max(*(abs(slope) for slope in slopes), FLOOR)
        with np.errstate(all="ignore"):
            claimed = [float(np.sum(gradient * direction)) for direction in directions]
            return all(abs(one - other) <= limit * size for one, other in zip(slopes, claimed, strict=True))

    def by_entry(self, step: float = STEP) -> np.ndarray:
        """The numeric gradient, entry by entry."""
        return numeric_gradients(self.evaluate, self.inputs, self.upstream, [self.wrt], step=step)[self.wrt]


@dataclass(frozen=True)
class Watched:
    """How a wrong forward pass has answered the inputs, and then ``MOVES`` small moves of each of ``names``."""

    function: str
    names: Sequence[str]
    moves: Sequence[Mapping[str, Any]]
    outputs: Sequence[np.ndarray]
    """All outputs of each call as one vector."""

    def must_be_like(self, right: Sequence[np.ndarray]) -> None:
        """Raise NotJudged unless the outputs respond like the ``right`` ones to moves of each of the names.

        A forward pass that ignores an input, or that has little in common with the right one, is easy to differentiate:
        its backward pass shows nothing. Alike is measured by the cosine between the responses, of either sign, averaged
        over the inputs: of a wrong sign or factor it is 1, of a function that was made up it is near 0.
        """
        cosines = []
        with np.errstate(all="ignore"):
            for name in self.names:
                mine, wanted = (np.concatenate(self._responses(name, out)) for out in (self.outputs, right))
                sizes = float(np.linalg.norm(mine)), float(np.linalg.norm(wanted))
                if sizes[1] > 0 and not sizes[0] > 1e-3 * sizes[1]:
                    raise NotJudged(f"{self.function} has to work first: it does not respond to {name}.")
                cosines.append(abs(float(mine @ wanted)) / (sizes[0] * sizes[1]) if sizes[1] else 1.0)
        if not np.mean(cosines) >= ALIKE:
            raise NotJudged(
                f"{self.function} has to work first: it has too little in common with what it should compute."
            )

    def must_fit(self, name: str, gradient: Any, upstream: Sequence[Any]) -> None:
        """Raise NotJudged unless a gradient that was found right explains these responses, too.

        Else the function has answered in one way while it was watched, and in another while it was measured.
        """
        weights = np.concatenate([np.ravel(each) for each in upstream])
        seen = np.array([response @ weights for response in self._responses(name, self.outputs)])
        moves = [move[name] - self.moves[0][name] for move in self.moves[self._places(name)]]
        told = np.array([np.sum(np.asarray(gradient) * move) for move in moves])
        noise = 1e-4 * STEP * float(np.linalg.norm(weights)) * float(np.linalg.norm(self.outputs[0]))
        if not np.linalg.norm(seen - told) <= FIT * np.linalg.norm(seen) + noise:
            raise NotJudged(
                f"{self.function} has to work first: what it answers near one point is not what one function gives."
            )

    def _places(self, name: str) -> slice:
        index = self.names.index(name)
        return slice(1 + index * MOVES, 1 + (index + 1) * MOVES)

    def _responses(self, name: str, outputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [each - outputs[0] for each in outputs[self._places(name)]]


@dataclass
class Judge:
    """What a hidden test is given: who answers, a source of numbers, and the ways to judge.

    ``pairs``, of forward and backward functions, ``cases``, the one at hand last, ``followed_through`` and ``remarks``
    are filled in while it judges.
    """

    question: str
    student: Answers
    reference: Reference
    rng: np.random.Generator
    mistakes: KnownMistakes
    pairs: set[tuple[str, str]] = field(default_factory=set)
    cases: list[Case] = field(default_factory=list)
    followed_through: bool = False
    remarks: list[Remark] = field(default_factory=list)

    # ------------------------------------------------------------------------------------- drawing inputs

    def normal(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        """Normally distributed numbers."""
        return scale * self.rng.standard_normal(shape)

    # ------------------------------------------------------------------------------------------ judging

    def same(self, name: str, expected: Any, ask: Callable[[Answers], Any]) -> None:
        """Pass if the student gives what is expected: type, shape, dtype, then values. Raises Failure.

        ``ask`` gets the value from whoever answers, so that a known mistake can be asked for it too.
        """
        self._accept(name, ask(self.student), expected, ask)

    def forward(self, layer: Differentiable, inputs: Mapping[str, Any]) -> None:
        """Pass if the forward function gives what the reference gives. Raises Failure."""
        self.pairs.add((layer.forward, layer.backward))
        case = LayerCase(layer, inputs)
        self.cases.append(case)
        yours, _ = layer.run_forward(self.student, inputs)
        case.yours.update(zip(layer.outputs, yours, strict=True))
        expected, _ = layer.run_forward(self.reference, inputs)

        def output(index: int) -> Callable[[Answers], Any]:
            return lambda who: layer.run_forward(who, inputs)[0][index]

        for index, name in enumerate(layer.outputs):
            self._accept(name, yours[index], expected[index], output(index))

    def gradients(
        self,
        layer: Differentiable,
        inputs: Mapping[str, Any],
        names: Sequence[str] | None = None,
        *,
        scale: float = 1.0,
        upstream: Sequence[Any] | None = None,
    ) -> None:
        """Pass if the gradients are the numeric ones of the student's own forward pass. Raises Failure or NotJudged.

        ``names`` are some of the layer's gradients, by default all of them; ``scale`` is the size of the upstream ones,
        which are drawn unless they are given.
        """
        self.pairs.add((layer.forward, layer.backward))
        expected, _ = layer.run_forward(self.reference, inputs)
        if upstream is None:
            upstream = [np.asarray(self.normal(*np.shape(out), scale=scale)) for out in expected]
        case = LayerCase(layer, inputs, upstream, names or layer.gradients)
        self.cases.append(case)
        own, cache = self._own_forward(layer, inputs)
        evaluate = self._differentiable(layer, own, expected)
        yours = layer.run_backward(self.student, upstream, cache)
        case.yours.update(yours)

        def gradient(name: str) -> Callable[[Answers], Any]:
            return lambda who: layer.run_both(who, inputs, upstream)[name]

        twins = self._twins(layer, inputs, own) if self.followed_through else []
        for name in names or layer.gradients:
            # Right but for a known mistake in the forward pass is what the reference's backward pass gives after that.
            if any(compare(name, shown(yours[name]), gradient(name)(twin)).passed for twin in twins):
                continue
            # Their forward pass is its twin, as far as numbers tell; see _differentiable.
            measured: list[Evaluate] = [partial(layer.run_many, twin) for twin in twins] or [evaluate]
            watched = self._must_respond(layer, inputs) if self.followed_through and not twins else None
            slopes = [Slope(each, inputs, upstream, name[1:]) for each in measured]
            self._accept_gradient(name, yours[name], slopes, gradient(name))
            if watched is not None:
                watched.must_fit(name[1:], yours[name], upstream)

    def zero_gradients(self, layer: Differentiable, inputs: Mapping[str, Any]) -> None:
        """Pass if an upstream gradient of zeros gives gradients of zeros. Raises Failure or NotJudged."""
        expected, _ = layer.run_forward(self.reference, inputs)
        upstream = tuple(np.zeros_like(out) for out in expected)
        _, cache = self._own_forward(layer, inputs)
        for name, yours in layer.run_backward(self.student, upstream, cache).items():
            self._accept(name, yours, np.zeros_like(inputs[name[1:]]))

    def loss(self, model: Model, params: Mapping[str, np.ndarray], arguments: Sequence[Any]) -> None:
        """Pass if the model's loss is the reference's. Raises Failure."""
        case = ModelCase(model, params, arguments)
        self.cases.append(case)
        [(yours, _)] = losses(self.student, model, [params], arguments)
        case.yours["loss"] = yours
        [(expected, _)] = losses(self.reference, model, [params], arguments)
        self._accept("loss", yours, expected, lambda wrong: losses(wrong, model, [params], arguments)[0][0])

    def loss_gradient(
        self, model: Model, params: Mapping[str, np.ndarray], arguments: Sequence[Any], name: str
    ) -> None:
        """Pass if ``grads[name]`` is the numeric gradient of the student's own loss. Raises Failure or NotJudged."""
        case = ModelCase(model, params, arguments, name)
        self.cases.append(case)
        [(expected, _)] = losses(self.reference, model, [params], arguments)
        [(own, grads)] = losses(self.student, model, [params], arguments)
        compared = compare("loss", shown(own), expected)
        if compared.problem is not None:
            raise NotJudged(f"The loss has to be a number first. {compared.problem}")
        followed = not compared.passed
        watched = None
        if followed:
            self.followed_through = True
            watched = self._loss_must_respond(model, params, arguments)

        def evaluate(batch: list[dict[str, object]]) -> list[Sequence[np.ndarray]]:
            return [
                (loss,) for loss, _ in losses(self.student if followed else self.reference, model, batch, arguments)
            ]

        case.yours[name] = entry(model, grads, name)
        self._accept_gradient(
            f"grads[{name!r}]",
            case.yours[name],
            [Slope(evaluate, params, (1.0,), name)],
            lambda who: entry(model, losses(who, model, [params], arguments)[0][1], name),
        )
        if watched is not None:
            watched.must_fit(name, case.yours[name], (1.0,))

    def _loss_must_respond(self, model: Model, params: Mapping[str, np.ndarray], arguments: Sequence[Any]) -> Watched:
        """The same as :meth:`_must_respond` for a loss and its parameters."""
        moves = self._small_moves(params, list(params))
        yours, right = (
            [np.atleast_1d(np.asarray(loss, dtype=np.float64)) for loss, _ in losses(who, model, moves, arguments)]
            for who in (self.student, self.reference)
        )
        watched = Watched(model.loss, list(params), moves, yours)
        watched.must_be_like(right)
        return watched

    def _own_forward(self, layer: Differentiable, inputs: Mapping[str, Any]) -> tuple[list[Any], Any]:
        """The student's outputs and cache. Raises NotJudged if there are none, since the question is another one."""
        try:
            return layer.run_forward(self.student, inputs)
        except Failure as failure:
            raise NotJudged(f"{layer.forward} has to work first. {failure.rationale}") from None

    def _differentiable(self, layer: Differentiable, own: Sequence[Any], expected: Sequence[np.ndarray]) -> Evaluate:
        """What the numeric gradient differentiates. Raises NotJudged if the student's outputs are malformed."""
        pairs = zip(layer.outputs, own, expected, strict=True)
        compared = [compare(name, shown(mine), right) for name, mine, right in pairs]
        for comparison in compared:
            if comparison.problem is not None:
                raise NotJudged(f"{layer.forward} has to work first. {comparison.problem}")
        right = all(comparison.passed for comparison in compared)
        self.followed_through = self.followed_through or not right
        # A forward pass that is right is the reference, as far as numbers tell. Differentiating that one costs no calls
        # into the box, is exact where theirs rounds to float32, and cannot be led astray near points already seen.
        return lambda batch: layer.run_many(self.reference if right else self.student, batch)

    def _twins(self, layer: Differentiable, inputs: Mapping[str, Any], own: Sequence[Any]) -> list[Reference]:
        """The reference with each known mistake in its forward pass that gives the student's outputs.

        Where there is one, theirs is no function that was made up, however little it has in common with the right one:
        gates in another order change nearly every number.
        """

        def all_outputs(who: Answers) -> Any:
            return np.concatenate([np.ravel(output) for output in layer.run_forward(who, inputs)[0]])

        return self.mistakes.twins(layer.forward, np.concatenate([np.ravel(output) for output in own]), all_outputs)

    def _must_respond(self, layer: Differentiable, inputs: Mapping[str, Any]) -> Watched:
        """Raise NotJudged unless the student's forward pass, though wrong, responds to its inputs like the right."""
        names = [name[1:] for name in layer.gradients]
        moves = self._small_moves(inputs, names)
        yours, right = (
            [np.concatenate([np.ravel(out) for out in outputs]) for outputs in layer.run_many(who, moves)]
            for who in (self.student, self.reference)
        )
        watched = Watched(layer.forward, names, moves, yours)
        watched.must_be_like(right)
        return watched

    def _small_moves(self, inputs: Mapping[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
        """The inputs, and then for each name ``MOVES`` times the inputs with that one moved a little."""
        moved = [
            {**inputs, name: inputs[name] + STEP * self.normal(*inputs[name].shape)}
            for name in names
            for _ in range(MOVES)
        ]
        return [dict(inputs), *moved]

    def _accept_gradient(self, name: str, yours: Any, slopes: Sequence[Slope], ask: Callable[[Answers], Any]) -> None:
        """Raise Failure unless ``yours`` is the numeric gradient by one of ``slopes``.

        A few random directions tell a right gradient at a small part of the cost. Where they find a difference, a
        tenth of what would fail, every entry is measured, for the verdict and for the message. What is nearly right is
        measured with a smaller step, too: a loss may curve so much that it is the numeric gradient which is off.
        """
        array = slopes[0].inputs[slopes[0].wrt]
        formed = compare(name, shown(yours), np.zeros_like(array))
        if formed.problem is None:
            directions = [self.normal(*array.shape) for _ in range(DIRECTIONS)]
            if any(slope.agrees(yours, directions, LIMITS["float64"] / 10) for slope in slopes):
                self._say(formed)
                return
        numeric = self._numeric(name, yours, slopes)
        self._accept(name, yours, numeric, ask, against="numeric")

    @staticmethod
    def _numeric(name: str, yours: Any, slopes: Sequence[Slope]) -> np.ndarray:
        """The numeric gradient, entry by entry: of several, one that ``yours`` passes by, if there is one."""
        for slope in slopes:
            numeric = slope.by_entry()
            comparison = compare(name, shown(yours), numeric)
            if comparison.error is not None and LIMITS["float64"] < comparison.error < NEARLY:
                finer = slope.by_entry(STEP / 10)
                if compare(name, shown(yours), finer).passed:
                    return finer
            if comparison.passed:
                break
        return numeric

    def _say(self, comparison: Comparison) -> None:
        if comparison.remark:
            self.remarks.append(Remark(Habit.SINGLE, comparison.remark))

    def _accept(
        self,
        name: str,
        yours: Any,
        expected: Any,
        run: Callable[[Answers], Any] | None = None,
        *,
        against: str = "expected",
    ) -> None:
        """Raise Failure unless the two are equal, with the known mistake that ``run`` shows it to be."""
        yours = shown(yours)
        comparison = compare(name, yours, expected, against=against)
        if comparison.passed:
            self._say(comparison)
            return
        where = error_map(comparison, yours, expected)
        formed = comparison.problem is None or (
            isinstance(yours, np.ndarray) and yours.shape == np.shape(expected) and yours.dtype.name in LIMITS
        )
        difference = Difference(name, yours, expected, against, well_formed=formed)
        known = self.mistakes.recognise(self.question, yours, expected, run) if run else None
        if known is None:
            raise Failure(str(comparison), error_map=where, difference=difference)
        told = f"{comparison}\n  this is what you get when {known.explanation}"
        raise Failure(told, known.hint, known.name, where, difference)
