"""How a hidden test judges: it calls the student and the reference, and compares.

A suite names what it tests and with which inputs; how it is judged is here, once for all assignments:

- a forward pass against the reference, on inputs of distinct sizes that are new for each submission;
- a backward pass against the numeric gradient of the student's *own* forward pass, under a random upstream gradient;
- type, shape, dtype and finiteness before values (:mod:`coursekit.gradcheck`).

A forward pass that is wrong but well-formed still carries its backward pass (follow-through), unless it ignores an
input that it should use: then there is little left to differentiate, and nothing is judged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograder.answers import Thing
from autograder.verdicts import Failure, NotJudged
from coursekit.gradcheck import FLOOR, LIMITS, compare, directional_derivatives, numeric_gradients

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from autograder.answers import Answers, Reference
    from autograder.misconceptions import KnownMistakes
    from coursekit.gradcheck import Evaluate

FOLLOW_THROUGH = "follow-through"
DIRECTIONS = 3
"""Random directions for each gradient. Ten times the limit is missed by all three once in 2 million times."""


def question(name: str, *, weight: float = 1.0) -> pytest.MarkDecorator:
    """Mark a hidden test as one of the question ``name``; its share of the points is in proportion to ``weight``."""
    return pytest.mark.question(name, weight=weight)


@dataclass(frozen=True)
class Layer:
    """A forward function and its backward function.

    ``forward(*inputs)`` returns ``outputs`` and a cache; ``backward(*upstream gradients, cache)`` returns
    ``gradients``, each named for its input: "dWx" is the gradient by the input "Wx".
    """

    forward: str
    backward: str
    outputs: tuple[str, ...]
    gradients: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """A class whose instances hold ``params``; ``loss(*arguments)`` returns a number and a dict of gradients."""

    name: str
    options: Mapping[str, Any]

    @property
    def loss(self) -> str:
        """The method's name in full."""
        return f"{self.name}.loss"


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
        with np.errstate(all="ignore"):
            claimed = [float(np.sum(gradient * direction)) for direction in directions]
            size = max(float(np.linalg.norm(gradient)), FLOOR)
        return all(abs(one - other) <= limit * size for one, other in zip(slopes, claimed, strict=True))

    def by_entry(self) -> np.ndarray:
        """The numeric gradient, entry by entry."""
        return numeric_gradients(self.evaluate, self.inputs, self.upstream, [self.wrt])[self.wrt]


@dataclass
class Judge:
    """What a hidden test is given: who answers, a source of numbers, and the ways to judge.

    ``pairs``, of forward and backward functions, ``followed_through`` and ``remarks`` are filled in while it judges.
    """

    question: str
    student: Answers
    reference: Reference
    rng: np.random.Generator
    mistakes: KnownMistakes
    pairs: set[tuple[str, str]] = field(default_factory=set)
    followed_through: bool = False
    remarks: list[str] = field(default_factory=list)

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

    def forward(self, layer: Layer, inputs: Mapping[str, Any]) -> None:
        """Pass if the forward function gives what the reference gives. Raises Failure."""
        self.pairs.add((layer.forward, layer.backward))
        yours, _ = _run_forward(self.student, layer, inputs)
        expected, _ = _run_forward(self.reference, layer, inputs)

        def output(index: int) -> Callable[[Answers], Any]:
            return lambda who: _run_forward(who, layer, inputs)[0][index]

        for index, name in enumerate(layer.outputs):
            self._accept(name, yours[index], expected[index], output(index))

    def gradients(self, layer: Layer, inputs: Mapping[str, Any], names: Sequence[str] | None = None) -> None:
        """Pass if the gradients are the numeric ones of the student's own forward pass. Raises Failure or NotJudged.

        ``names`` are some of the layer's gradients; by default all of them.
        """
        expected, _ = _run_forward(self.reference, layer, inputs)
        upstream = tuple(self.normal(*out.shape) for out in expected)
        own, cache = self._own_forward(layer, inputs)
        evaluate = self._differentiable(layer, inputs, own, expected)
        yours = _run_backward(self.student, layer, upstream, cache)

        def gradient(name: str) -> Callable[[Answers], Any]:
            return lambda who: _run_both(who, layer, inputs, upstream)[name]

        for name in names or layer.gradients:
            if self.followed_through and self._follows(layer, inputs, own, yours[name], gradient(name)):
                continue
            if self.followed_through:
                self._must_use_all(layer, inputs, upstream)
            self._accept_gradient(name, yours[name], Slope(evaluate, inputs, upstream, name[1:]), gradient(name))

    def zero_gradients(self, layer: Layer, inputs: Mapping[str, Any]) -> None:
        """Pass if an upstream gradient of zeros gives gradients of zeros. Raises Failure or NotJudged."""
        expected, _ = _run_forward(self.reference, layer, inputs)
        upstream = tuple(np.zeros_like(out) for out in expected)
        _, cache = self._own_forward(layer, inputs)
        for name, yours in _run_backward(self.student, layer, upstream, cache).items():
            self._accept(name, yours, np.zeros_like(inputs[name[1:]]))

    def loss(self, model: Model, params: Mapping[str, np.ndarray], arguments: Sequence[Any]) -> None:
        """Pass if the model's loss is the reference's. Raises Failure."""
        [(yours, _)] = _losses(self.student, model, [params], arguments)
        [(expected, _)] = _losses(self.reference, model, [params], arguments)
        self._accept("loss", yours, expected, lambda wrong: _losses(wrong, model, [params], arguments)[0][0])

    def loss_gradient(
        self, model: Model, params: Mapping[str, np.ndarray], arguments: Sequence[Any], name: str
    ) -> None:
        """Pass if ``grads[name]`` is the numeric gradient of the student's own loss. Raises Failure or NotJudged."""
        [(expected, _)] = _losses(self.reference, model, [params], arguments)
        [(own, grads)] = _losses(self.student, model, [params], arguments)
        compared = compare("loss", _shown(own), expected)
        if compared.problem is not None:
            raise NotJudged(f"The loss has to be a number first. {compared.problem}")
        if not compared.passed:
            self.followed_through = True
            self._loss_must_use_all(model, params, arguments)

        def evaluate(batch: list[dict[str, object]]) -> list[Sequence[np.ndarray]]:
            return [(loss,) for loss, _ in _losses(self.student, model, batch, arguments)]

        self._accept_gradient(
            f"grads[{name!r}]",
            _entry(model, grads, name),
            Slope(evaluate, params, (1.0,), name),
            lambda who: _entry(model, _losses(who, model, [params], arguments)[0][1], name),
        )

    def _loss_must_use_all(self, model: Model, params: Mapping[str, np.ndarray], arguments: Sequence[Any]) -> None:
        """Raise NotJudged if the student's loss ignores a parameter."""
        moved = [{**params, name: value + self.normal(*value.shape)} for name, value in params.items()]
        first, *others = [(np.asarray(loss),) for loss, _ in _losses(self.student, model, [params, *moved], arguments)]
        for name, other in zip(params, others, strict=True):
            if not _moves(first, other, (np.ones(()),)):
                raise NotJudged(f"The loss does not depend on {name}, so that its gradient says nothing.")

    def _own_forward(self, layer: Layer, inputs: Mapping[str, Any]) -> tuple[list[Any], Any]:
        """The student's outputs and cache. Raises NotJudged if there are none, since the question is another one."""
        try:
            return _run_forward(self.student, layer, inputs)
        except Failure as failure:
            raise NotJudged(f"{layer.forward} has to work first. {failure.rationale}") from None

    def _differentiable(
        self, layer: Layer, inputs: Mapping[str, Any], own: Sequence[Any], expected: Sequence[np.ndarray]
    ) -> Evaluate:
        """What the numeric gradient differentiates, the student's forward pass; raises NotJudged if that is malformed."""
        pairs = zip(layer.outputs, own, expected, strict=True)
        compared = [compare(name, _shown(mine), right) for name, mine, right in pairs]
        for comparison in compared:
            if comparison.problem is not None:
                raise NotJudged(f"{layer.forward} has to work first. {comparison.problem}")
        right = all(comparison.passed for comparison in compared)
        self.followed_through = self.followed_through or not right
        if right and any(comparison.dtype == "float32" for comparison in compared):
            # Central differences of float32 numbers are noise. As far as float32 tells, theirs is the reference.
            return lambda batch: _outputs(self.reference, layer, batch)
        return lambda batch: _outputs(self.student, layer, batch)

    def _follows(
        self, layer: Layer, inputs: Mapping[str, Any], own: Sequence[Any], yours: Any, ask: Callable[[Answers], Any]
    ) -> bool:
        """Whether a gradient is right but for a known mistake in the forward pass.

        It is, if it equals what the reference's backward pass gives after a forward pass with that mistake.
        """

        def first_output(who: Answers) -> Any:
            return _run_forward(who, layer, inputs)[0][0]

        followed = self.mistakes.followed(layer.forward, own[0], first_output, ask)
        return any(compare("", _shown(yours), theirs).passed for theirs in followed)

    def _must_use_all(self, layer: Layer, inputs: Mapping[str, Any], upstream: Sequence[np.ndarray]) -> None:
        """Raise NotJudged if the student's forward pass ignores an input that the reference uses."""
        names = [name[1:] for name in layer.gradients]
        moved = [{**inputs, name: inputs[name] + self.normal(*inputs[name].shape)} for name in names]
        yours = _outputs(self.student, layer, [dict(inputs), *moved])
        right = _outputs(self.reference, layer, [dict(inputs), *moved])
        for index, name in enumerate(names, start=1):
            if _moves(right[0], right[index], upstream) and not _moves(yours[0], yours[index], upstream):
                cause = (
                    f"{layer.forward} does not use {name}, so that its gradient says nothing about {layer.backward}."
                )
                raise NotJudged(cause)

    def _accept_gradient(self, name: str, yours: Any, slope: Slope, ask: Callable[[Answers], Any]) -> None:
        """Raise Failure unless ``yours`` is the numeric gradient.

        A few random directions tell a right gradient at a small part of the cost. Where they find a difference, a
        tenth of what would fail, every entry is measured, for the verdict and for the message.
        """
        array = slope.inputs[slope.wrt]
        if compare(name, _shown(yours), np.zeros_like(array)).problem is None:
            directions = [self.normal(*array.shape) for _ in range(DIRECTIONS)]
            if slope.agrees(yours, directions, LIMITS["float64"] / 10):
                return
        self._accept(name, yours, slope.by_entry(), ask, against="numeric")

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
        yours = _shown(yours)
        comparison = compare(name, yours, expected, against=against)
        if comparison.passed:
            if comparison.remark:
                self.remarks.append(comparison.remark)
            return
        known = self.mistakes.recognise(self.question, yours, expected, run) if run else None
        if known is None:
            raise Failure(str(comparison))
        raise Failure(f"{comparison}\n  this is what you get when {known.explanation}", known.hint, known.name)


# ------------------------------------------------------------------------------------------------- calling


def _run_forward(who: Answers, layer: Layer, inputs: Mapping[str, Any]) -> tuple[list[Any], Any]:
    """The outputs and the cache of one forward call."""
    names = (*layer.outputs, "cache")
    *outputs, cache = _parts(layer.forward, getattr(who, layer.forward)(*inputs.values()), names)
    return outputs, cache


def _run_backward(who: Answers, layer: Layer, upstream: Sequence[np.ndarray], cache: Any) -> dict[str, Any]:
    """The gradients of one backward call, by name. The cache is used once: a call may use it up."""
    result = getattr(who, layer.backward)(*upstream, cache)
    return dict(zip(layer.gradients, _parts(layer.backward, result, layer.gradients), strict=True))


def _run_both(who: Answers, layer: Layer, inputs: Mapping[str, Any], upstream: Sequence[np.ndarray]) -> dict[str, Any]:
    """The gradients of one forward and one backward call, by name."""
    _, cache = _run_forward(who, layer, inputs)
    return _run_backward(who, layer, upstream, cache)


def _outputs(who: Answers, layer: Layer, batch: Sequence[Mapping[str, Any]]) -> list[Sequence[np.ndarray]]:
    """The outputs of many forward calls, sent as one."""
    forward = getattr(who, layer.forward)
    names = (*layer.outputs, "cache")
    results = who.perform([forward.calling(*inputs.values()) for inputs in batch])
    found = [_parts(layer.forward, result, names)[:-1] for result in results]
    for outputs in found:
        for name, output, first in zip(layer.outputs, outputs, found[0], strict=True):
            if not isinstance(output, np.ndarray) or output.shape != np.shape(first):
                raise Failure(f"{name} of {layer.forward} changes its type or shape with the values of its inputs.")
    return found


def _parts(function: str, result: Any, names: Sequence[str]) -> Sequence[Any]:
    """``result`` as the things that ``function`` should return. Raises Failure if it is something else."""
    if len(names) == 1 and not isinstance(result, (tuple, list)):
        return (result,)
    wanted = f"{function} should return {', '.join(names)}"
    if not isinstance(result, (tuple, list)):
        raise Failure(f"{wanted}, but returns {_described(result)}.", "Does every path end in a return?")
    if len(result) != len(names):
        raise Failure(f"{wanted}, but returns {len(result)} {'thing' if len(result) == 1 else 'things'}.")
    return result


def _losses(
    who: Answers, model: Model, batch: Sequence[Mapping[str, object]], arguments: Sequence[Any]
) -> list[tuple[Any, Any]]:
    """The loss and the gradients under each of many sets of parameters, asked for as one."""
    thing = getattr(who, model.name)(**model.options)
    if not isinstance(thing, Thing):
        raise Failure(f"{model.name} is no class: calling it returns {_described(thing)}.")
    steps = [(thing.setting("params", dict(params)), thing.calling("loss", *arguments)) for params in batch]
    results = who.perform([step for pair in steps for step in pair])[1::2]
    return [tuple(_parts(model.loss, result, ("loss", "grads"))) for result in results]


def _entry(model: Model, grads: Any, name: str) -> Any:
    """One gradient of the dict that a loss returned."""
    content = grads.fetch() if isinstance(grads, Thing) else grads
    if not isinstance(content, dict):
        raise Failure(f"{model.loss} should return the gradients as a dict, but they are {_described(grads)}.")
    if name not in content:
        listed = ", ".join(str(key) for key in content) or "none"
        raise Failure(f"grads has no entry {name!r}; its entries are: {listed}.")
    return content[name]


def _described(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, Thing):
        return value.description
    if isinstance(value, np.ndarray):
        return f"a numpy array of shape {value.shape}"
    return f"a {type(value).__name__}"


def _shown(value: Any) -> Any:
    """What may be compared: of something that stayed in the box, an object whose type bears its description."""
    return type(value.description.removeprefix("a "), (), {})() if isinstance(value, Thing) else value


def _moves(before: Sequence[np.ndarray], after: Sequence[np.ndarray], upstream: Sequence[np.ndarray]) -> bool:
    change = sum(float(np.sum(u * (b - a))) for a, b, u in zip(before, after, upstream, strict=True))
    return abs(change) > FLOOR * 1e-3
