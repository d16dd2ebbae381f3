"""How a hidden test judges: it calls the student and the reference, and compares.

A suite names what it tests and with which inputs; how it is judged is here, once for all assignments:

- a forward pass against the reference, on inputs of distinct sizes that are new for each submission;
- a backward pass against the numeric gradient of the student's *own* forward pass, under a random upstream gradient;
- type, shape, dtype and finiteness before values (:mod:`coursekit.gradcheck`).

A forward pass that is wrong still carries its backward pass (follow-through): that may give the gradients of the right
function nevertheless. Else it is judged by the wrong one, unless that is malformed or has too little in common with the
right one: then anything with an easy derivative would do, and nothing is judged.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from autograder.judging.calling import entry, losses, shown
from autograder.judging.cases import LayerCase, ModelCase
from autograder.judging.conduct import Habit, Remark
from autograder.judging.error_maps import error_map
from autograder.judging.measuring import Differentiated, Slopes
from autograder.judging.verdicts import Difference, Failure, NotJudged
from autograder.judging.watching import LOSS_MORE_THAN_CHANCE, Watched, small_moves
from coursekit.gradcheck import LIMITS, STEP, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from autograder.judging.answers import Answers, Reference
    from autograder.judging.calling import Differentiable, Model
    from autograder.judging.cases import Case
    from autograder.judging.misconceptions import KnownMistakes, Misconception
    from coursekit.gradcheck import Comparison

FOLLOW_THROUGH = "follow-through"
Place: TypeAlias = "tuple[int, tuple[str, ...]]"
"""The number of a case in its test, and the gradients that are compared there."""
EXACTLY = LIMITS["float64"] / 10
"""Slopes that differ by less leave no doubt."""
NEARLY = 1e-3
"""Errors below it may be the numeric gradient's: 8e-6 was seen for a right one, and 8e-8 with a tenth of the step."""


def question(name: str, *, weight: float = 1.0) -> pytest.MarkDecorator:
    """Mark a hidden test as one of the question ``name``; its share of the points is in proportion to ``weight``."""
    return pytest.mark.question(name, weight=weight)


@dataclass(frozen=True)
class _Forward:
    """The student's forward pass beside the right one: whether its values are right, and what is wrong before them."""

    function: str
    right: bool
    problem: str

    @classmethod
    def of(cls, function: str, outputs: Iterable[tuple[str, Any, Any]]) -> _Forward:
        """Compare outputs: for each its name, the student's, and the expected one."""
        compared = [compare(name, shown(yours), expected) for name, yours, expected in outputs]
        problems = [comparison.problem for comparison in compared if comparison.problem is not None]
        return cls(function, all(comparison.passed for comparison in compared), problems[0] if problems else "")

    def must_be_well_formed(self) -> None:
        """Raise NotJudged unless types, shapes and dtypes are right, and all numbers finite."""
        if self.problem:
            raise NotJudged(f"{self.function} has to work first. {self.problem}")


@dataclass
class Judge:
    """What a hidden test is given: who answers, a source of numbers, and the ways to judge.

    ``pairs``, of forward and backward functions, ``cases``, the one at hand last, ``followed_through`` and ``remarks``
    are filled in while it judges. ``ruled_out`` are the known mistakes that a function of the student's was seen not to
    be, in all tests of a run. ``measured`` says at which cases of the test the reference's gradients were seen to be
    the numeric ones: each process measures them once, the first time that it comes there.
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
    measured: set[Place] = field(default_factory=set)
    ruled_out: set[tuple[str, Misconception]] = field(default_factory=set)

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

    def all_same(self, name: str, expected: Sequence[Any], ask: Callable[[Answers], Sequence[Any]]) -> None:
        """The same for several values of one kind. A known mistake is one that gives them all. Raises Failure."""

        def together(values: Sequence[Any]) -> Any:
            return np.concatenate([np.ravel(shown(value)) for value in values])

        yours = ask(self.student)
        for mine, right in zip(yours, expected, strict=True):
            seen = together(yours), together(expected)
            self._accept(name, mine, right, lambda who: together(ask(who)), seen=seen)

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
        expected, right = layer.run_forward(self.reference, inputs)
        if upstream is None:
            upstream = [np.asarray(self.normal(*np.shape(out), scale=scale)) for out in expected]
        case = LayerCase(layer, inputs, upstream, names or layer.gradients)
        self.cases.append(case)
        own, cache = self._own_forward(layer, inputs)
        forward = _Forward.of(layer.forward, zip(layer.outputs, own, expected, strict=True))
        try:
            found = layer.run_backward(self.student, upstream, cache)
        except Failure:
            forward.must_be_well_formed()
            raise
        case.yours.update(found)

        def gradients(of: Mapping[str, Any]) -> dict[str, Any]:
            return {name[1:]: of[name] for name in case.gradients}

        def all_outputs(who: Answers) -> Any:
            return np.concatenate([np.ravel(output) for output in layer.run_forward(who, inputs)[0]])

        self._backward(
            forward,
            gradients(found),
            gradients(layer.run_backward(self.reference, upstream, right)),
            called="d{}",
            gradients=lambda who: gradients(layer.run_both(who, inputs, upstream)),
            function=lambda who: Differentiated(partial(layer.run_many, who), inputs, upstream),
            twins=lambda: self._twins(layer.forward, np.concatenate([np.ravel(output) for output in own]), all_outputs),
            watch=lambda: self._must_respond(layer, inputs),
        )

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
        self._accept("loss", yours, expected, lambda wrong: _losses(model, arguments, wrong, [params])[0][0])

    def loss_gradient(
        self, model: Model, params: Mapping[str, np.ndarray], arguments: Sequence[Any], name: str
    ) -> None:
        """Pass if ``grads[name]`` is the numeric gradient of the student's own loss. Raises Failure or NotJudged."""
        case = ModelCase(model, params, arguments, name)
        self.cases.append(case)
        [(expected, right)] = losses(self.reference, model, [params], arguments)
        [(own, grads)] = losses(self.student, model, [params], arguments)
        forward = _Forward.of(model.loss, [("loss", own, expected)])
        try:
            case.yours[name] = entry(model, grads, name)
        except Failure:
            forward.must_be_well_formed()
            raise

        def loss(who: Answers) -> Any:
            return _losses(model, arguments, who, [params])[0][0]

        self._backward(
            forward,
            {name: case.yours[name]},
            {name: entry(model, right, name)},
            called="grads['{}']",
            gradients=lambda who: {name: entry(model, losses(who, model, [params], arguments)[0][1], name)},
            function=lambda who: Differentiated(partial(_losses, model, arguments, who), params, (1.0,)),
            twins=lambda: self._twins(model.loss, own, loss),
            watch=lambda: self._loss_must_respond(model, params, arguments),
        )

    def _backward(
        self,
        forward: _Forward,
        yours: Mapping[str, Any],
        right: Mapping[str, Any],
        *,
        called: str,
        gradients: Callable[[Answers], Mapping[str, Any]],
        function: Callable[[Answers], Differentiated],
        twins: Callable[[], list[Reference]],
        watch: Callable[[], Watched],
    ) -> None:
        """Raise Failure or NotJudged unless gradients are those of the student's own forward pass, or the right ones.

        A right forward pass is the reference, as far as numbers tell. Differentiating that one costs no calls into the
        box, is exact where theirs rounds to float32, and cannot be led astray near points already seen. A wrong one
        that equals a known mistake is that, as far as numbers tell; any other has to be of one piece.

        Args:
            forward: the student's forward pass beside the right one.
            yours: the student's gradients, by input.
            right: those that the reference's backward pass gives after its forward pass.
            called: how a gradient by "{}" is called in messages.
            gradients: gets them from whoever answers.
            function: the forward pass of whoever answers, to be differentiated.
            twins: finds the known mistakes that the student's forward pass equals.
            watch: moves the inputs a little. Raises NotJudged unless the student's responds like the right one.
        """
        if forward.right:
            self._accept_gradients(yours, called, [function(self.reference)], gradients, right)
            return
        self.followed_through = True
        yours = {name: value for name, value in yours.items() if not _equal(value, right[name])}
        if not yours:
            return
        forward.must_be_well_formed()
        if known := twins():
            # Right but for the mistake is what the reference's backward pass gives after it.
            after = [gradients(twin) for twin in known]
            yours = {
                name: value for name, value in yours.items() if not any(_equal(value, each[name]) for each in after)
            }
            if yours:
                judge = replace(self, mistakes=self.mistakes.after(known[0]))
                functions = [function(twin) for twin in known]
                judge._accept_gradients(yours, called, functions, gradients, {})  # noqa: SLF001 - of this class
            return
        watched = watch()
        own = function(self.student)
        self._accept_gradients(yours, called, [own], gradients, {})
        for name, value in yours.items():
            watched.must_fit(name, value, own.upstream)

    def _loss_must_respond(self, model: Model, params: Mapping[str, np.ndarray], arguments: Sequence[Any]) -> Watched:
        """The same as :meth:`_must_respond` for a loss and all of its parameters."""
        moves = small_moves(params, list(params), self.rng)
        yours, right = (
            [np.atleast_1d(np.asarray(loss, dtype=np.float64)) for [loss] in _losses(model, arguments, who, moves)]
            for who in (self.student, self.reference)
        )
        watched = Watched(model.loss, list(params), moves, yours)
        watched.must_be_like(right, LOSS_MORE_THAN_CHANCE)
        return watched

    def _own_forward(self, layer: Differentiable, inputs: Mapping[str, Any]) -> tuple[list[Any], Any]:
        """The student's outputs and cache. Raises NotJudged if there are none, since the question is another one."""
        try:
            return layer.run_forward(self.student, inputs)
        except Failure as failure:
            raise NotJudged(f"{layer.forward} has to work first. {failure.rationale}") from None

    def _twins(self, function: str, own: Any, ask: Callable[[Answers], Any]) -> list[Reference]:
        """The reference with each known mistake in a forward pass that gives what the student's gives.

        Where there is one, theirs is no function that was made up, however little it has in common with the right one:
        gates in another order change nearly every number.
        """
        return self.mistakes.twins(function, own, ask, self.ruled_out)

    def _must_respond(self, layer: Differentiable, inputs: Mapping[str, Any]) -> Watched:
        """Raise NotJudged unless the student's forward pass, though wrong, responds to its inputs like the right."""
        names = [name[1:] for name in layer.gradients]
        moves = small_moves(inputs, names, self.rng)
        yours, right = (
            [np.concatenate([np.ravel(out) for out in outputs]) for outputs in layer.run_many(who, moves)]
            for who in (self.student, self.reference)
        )
        watched = Watched(layer.forward, names, moves, yours)
        watched.must_be_like(right)
        return watched

    def _accept_gradients(
        self,
        yours: Mapping[str, Any],
        called: str,
        functions: Sequence[Differentiated],
        ask: Callable[[Answers], Mapping[str, Any]],
        derived: Mapping[str, Any],
    ) -> None:
        """Raise Failure unless ``yours`` are the numeric gradients, by input, of one of the functions.

        What the reference's backward pass derives, if that was measured, stands for them. Else a few random directions
        tell right gradients at a small part of the cost; where they find a difference, a tenth of what would fail, each
        gradient is measured entry by entry, for the verdict and for the message.

        Args:
            yours: the student's.
            called: how a gradient by "{}" is called in messages.
            functions: what they are to be gradients of.
            ask: gets them from whoever answers.
            derived: those that the reference's backward pass gives, if it is that forward pass which is differentiated.
        """
        if derived and self._measured(functions[0], derived):
            expected = derived
        else:
            formed = [
                compare(called.format(name), shown(value), np.zeros_like(functions[0].inputs[name]))
                for name, value in yours.items()
            ]
            slopes = [self._slopes(function, yours) for function in functions]
            if all(each.problem is None for each in formed) and any(each.fit(yours, EXACTLY) for each in slopes):
                for each in formed:
                    self._say(each)
                return
            if len(yours) > 1:  # each by itself, to see which are right
                for name, value in yours.items():
                    part = {name: derived[name]} if derived else {}
                    self._accept_gradients({name: value}, called, functions, ask, part)
                return
            expected = {name: self._numeric(name, value, functions) for name, value in yours.items()}
        for name, value in yours.items():

            def again(who: Answers, name: str = name) -> Any:
                return ask(who)[name]

            self._accept(called.format(name), value, expected[name], again, against="numeric")

    def _measured(self, function: Differentiated, gradients: Mapping[str, Any]) -> bool:
        """Whether the reference's gradients are the numeric ones, which need not be measured again for each student."""
        place = len(self.cases), tuple(gradients)
        if place in self.measured:
            return True
        slopes = self._slopes(function, gradients)
        if slopes.fit(gradients, EXACTLY):
            self.measured.add(place)
            return True
        return slopes.fit(gradients, NEARLY)

    def _slopes(self, function: Differentiated, names: Iterable[str]) -> Slopes:
        """Along directions of numbers of their own: others are drawn the same, whether these are needed or not."""
        return function.slopes(list(names), *self.rng.spawn(1))

    @staticmethod
    def _numeric(name: str, yours: Any, functions: Sequence[Differentiated]) -> np.ndarray:
        """The numeric gradient by one input: of several functions, of one by which ``yours`` passes, if there is one.

        What is nearly right is measured with a smaller step, too: a function may curve so much that it is the numeric
        gradient which is off.
        """
        for function in functions:
            numeric = function.gradient(name)
            comparison = compare(name, shown(yours), numeric)
            if comparison.error is not None and LIMITS["float64"] < comparison.error < NEARLY:
                finer = function.gradient(name, STEP / 10)
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
        seen: tuple[Any, Any] | None = None,
    ) -> None:
        """Raise Failure unless the two are equal, with the known mistake that ``run`` shows it to be.

        What that has to give, and not to give, are the two, unless more was ``seen`` that tells mistakes apart.
        """
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
        known = self.mistakes.recognise(self.question, *(seen or (yours, expected)), run) if run else None
        if known is None:
            raise Failure(str(comparison), error_map=where, difference=difference)
        told = f"{comparison}\n  this is what you get when {known.explanation}"
        raise Failure(told, known.hint, known.name, where, difference)


def _losses(
    model: Model, arguments: Sequence[Any], who: Answers, batch: Sequence[Mapping[str, Any]]
) -> list[Sequence[Any]]:
    """The loss under each of many sets of parameters, as the one output that it is."""
    return [(loss,) for loss, _ in losses(who, model, batch, arguments)]


def _equal(yours: Any, other: Any) -> bool:
    return compare("", shown(yours), other).passed
