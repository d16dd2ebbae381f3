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

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from autograder.judging.calling import NUMBERS, Loss, shown
from autograder.judging.cases import LayerCase, ModelCase
from autograder.judging.conduct import Habit, Remark
from autograder.judging.error_maps import error_map
from autograder.judging.heard import Heard
from autograder.judging.measuring import EXACTLY, NEARLY, Differentiated, Slopes, gradient_like
from autograder.judging.passes import Asked, Passes, own_forward, together, without
from autograder.judging.verdicts import Difference, Failure
from autograder.judging.watching import LOSS_MORE_THAN_CHANCE, MORE_THAN_CHANCE, Watched, small_moves
from coursekit.gradcheck import LIMITS, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from autograder.judging.answers import Answers, Reference
    from autograder.judging.calling import Computation, Differentiable, Model
    from autograder.judging.cases import Case
    from autograder.judging.misconceptions import KnownMistakes, Misconception
    from coursekit.gradcheck import Comparison

FOLLOW_THROUGH = "follow-through"
Place: TypeAlias = "tuple[int, tuple[str, ...]]"
"""The number of a case in its test, and the gradients that are compared there."""


def question(name: str, *, weight: float = 1.0) -> pytest.MarkDecorator:
    """Mark a hidden test as one of the question ``name``; its share of the points is in proportion to ``weight``."""
    return pytest.mark.question(name, weight=weight)


@dataclass
class Judge:
    """What a hidden test is given: who answers, a source of numbers, and the ways to judge.

    ``pairs``, of forward and backward functions, ``cases``, the one at hand last, ``followed_through`` and ``remarks``
    are filled in while it judges. ``ruled_out`` are the known mistakes that a function of the student's was seen not to
    be, in all tests of a run. ``measured`` says at which cases of the test the reference's gradients were seen to be
    the numeric ones: each process measures them once, the first time that it comes there. ``heard`` is what has come
    of inputs already, in tests that are one function with other parameters. ``of_one_piece`` says that a wrong forward
    pass is known to be one that shows something when it is differentiated, so that it need not be watched. If it is
    ``brief``, of what is wrong for certain it says no more than that.
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
    heard: Heard = field(default_factory=Heard)
    of_one_piece: bool = False
    brief: bool = False

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
        yours = ask(self.student)
        numbers = all(isinstance(mine, (np.ndarray, *NUMBERS)) for mine in yours)
        for mine, right in zip(yours, expected, strict=True):
            if numbers:
                seen = together(yours), together(expected)
                self._accept(name, mine, right, lambda who: together(ask(who)), seen=seen)
            else:  # which is wrong before values are
                self._accept(name, mine, right)

    def forward(self, layer: Differentiable, *batch: Mapping[str, Any]) -> None:
        """Pass if, for each of some inputs, the forward function gives what the reference gives. Raises Failure."""
        self.pairs.add((layer.forward, layer.backward))
        cases = [LayerCase(layer, inputs) for inputs in batch]
        right = layer.run_forwards(self.reference, batch)
        self._ask_together(layer, cases, right)
        for case, (expected, _) in zip(cases, right, strict=True):
            self._forward(layer, case.inputs, case, expected)

    def gradients(
        self,
        layer: Differentiable,
        *batch: Mapping[str, Any],
        names: Sequence[str] = (),
        scale: float = 1.0,
        upstream: Sequence[Any] | None = None,
    ) -> None:
        """Pass if, for each of some inputs, the gradients are the numeric ones of the student's own forward pass.

        Raises Failure or NotJudged. ``names`` are some of the layer's gradients, by default all of them; ``scale`` is
        the size of the upstream ones, which are drawn unless they are given.
        """
        self.pairs.add((layer.forward, layer.backward))
        right = self._rightly(layer, batch)
        cases = []
        for inputs, (outputs, _) in zip(batch, right, strict=True):
            drawn = upstream or [np.asarray(self.normal(*np.shape(out), scale=scale)) for out in outputs]
            cases.append(LayerCase(layer, inputs, drawn, names or layer.gradients))
        self._ask_together(layer, cases, right)
        moving = [layer.input_of(name) for name in layer.gradients]
        for case, one in zip(cases, right, strict=True):
            self._backward(layer, case.inputs, case.upstream or (), case, moving, right=one)

    def zero_gradients(self, layer: Differentiable, inputs: Mapping[str, Any]) -> None:
        """Pass if an upstream gradient of zeros gives gradients of zeros. Raises Failure or NotJudged."""
        [(expected, _)] = self._rightly(layer, [inputs])
        upstream = tuple(np.zeros_like(out) for out in expected)
        try:
            gradients = layer.run_both(self.student, inputs, upstream)
        except Failure:
            _, cache = own_forward(self.student, layer, inputs)
            gradients = layer.run_backward(self.student, upstream, cache)
        for name, yours in gradients.items():
            self._accept(name, yours, np.zeros_like(inputs[name[1:]]))

    def loss(self, model: Model, params: Mapping[str, np.ndarray], arguments: Sequence[Any]) -> None:
        """Pass if the model's loss is the reference's. Raises Failure."""
        loss = Loss(model, arguments)
        expected, _ = loss.run_forward(self.reference, params)
        self._forward(loss, params, ModelCase(model, params, arguments), expected)

    def loss_gradient(
        self, model: Model, params: Mapping[str, np.ndarray], arguments: Sequence[Any], name: str
    ) -> None:
        """Pass if ``grads[name]`` is the numeric gradient of the student's own loss. Raises Failure or NotJudged."""
        case = ModelCase(model, params, arguments, name)
        loss = Loss(model, arguments)
        self._backward(loss, params, (1.0,), case, list(params), LOSS_MORE_THAN_CHANCE)

    def _rightly(self, layer: Differentiable, batch: Sequence[Mapping[str, Any]]) -> Sequence[tuple[list[Any], Any]]:
        """The reference's forward passes."""
        keys = tuple(LayerCase(layer, inputs).key for inputs in batch)
        found: Sequence[tuple[list[Any], Any]] = self.heard.once(
            "right", keys, lambda: layer.run_forwards(self.reference, batch)
        )
        return found

    def _ask_together(
        self, layer: Differentiable, cases: Sequence[LayerCase], right: Sequence[tuple[list[Any], Any]]
    ) -> None:
        """Ask several cases at once, and keep the answers. If something goes wrong, each is asked again by itself."""
        if len(cases) > 1:
            ask = self._ask_backward if cases[0].upstream is not None else self._ask_forward
            with suppress(Failure):
                self.heard.once("together", tuple(case.key for case in cases), lambda: ask(layer, cases, right))

    def _ask_forward(self, layer: Differentiable, cases: Sequence[LayerCase], _: object) -> None:
        found = layer.run_forwards(self.student, [case.inputs for case in cases])
        for case, (outputs, _) in zip(cases, found, strict=True):
            self.heard.note("outputs", case.key, outputs)

    def _ask_backward(
        self, layer: Differentiable, cases: Sequence[LayerCase], right: Sequence[tuple[list[Any], Any]]
    ) -> None:
        pairs = layer.run_pairs(self.student, [(case.inputs, case.upstream or ()) for case in cases])
        caches = [(case.upstream or (), cache) for case, (_, cache) in zip(cases, right, strict=True)]
        derived = layer.run_backwards(self.reference, caches)
        for case, (outputs, gradients), (expected, _), theirs in zip(cases, pairs, right, derived, strict=True):
            passes = Passes.of(layer, outputs, expected, theirs)
            self.heard.note("passes", case.key, replace(passes, gradients=gradients))

    def _forward(self, what: Computation, inputs: Mapping[str, Any], case: Case, expected: Sequence[Any]) -> None:
        """Raise Failure unless the student's outputs are the reference's."""
        self.cases.append(case)
        yours = self.heard.once("outputs", case.key, lambda: what.run_forward(self.student, inputs)[0])
        case.yours.update(zip(what.outputs, yours, strict=True))

        def output(index: int) -> Callable[[Answers], Any]:
            return lambda who: self._outputs_of(who, what, inputs, case)[index]

        for index, name in enumerate(what.outputs):
            self._accept(name, yours[index], expected[index], output(index))

    def _backward(
        self,
        what: Computation,
        inputs: Mapping[str, Any],
        upstream: Sequence[Any],
        case: Case,
        moving: Sequence[str],
        more_than_chance: float = MORE_THAN_CHANCE,
        right: tuple[list[Any], Any] | None = None,
    ) -> None:
        """Raise Failure or NotJudged unless a case's gradients are those of the student's own forward pass.

        A right forward pass is the reference, as far as numbers tell. Differentiating that one costs no calls into the
        box, is exact where theirs rounds to float32, and cannot be led astray near points already seen. After a wrong
        one, the right gradients are right all the same. Else, if it equals a known mistake, it is that, as far as
        numbers tell; any other has to be of one piece: when the inputs ``moving`` are moved a little, it must respond
        like the right one, by so much more than chance.

        ``right`` is what the reference's forward pass has given, if it was run already.
        """
        self.cases.append(case)
        passes: Passes = self.heard.once(
            "passes", case.key, lambda: Passes.of_both(self.student, self.reference, what, inputs, upstream, right)
        )

        asked = Asked(what, inputs, upstream, case.gradients)
        case.yours.update({name: passes.gradients[name] for name in case.gradients})
        yours, expected = asked.by_input(passes.gradients), asked.by_input(passes.expected)
        if passes.is_right:
            self._accept_gradients(asked, yours, case, [asked.function(self.reference, expected)], is_reference=True)
            return
        self.followed_through = True
        yours = without(yours, expected)
        if not yours:
            return
        passes.must_be_well_formed()
        twins: list[Reference] = self.heard.once(
            "twins", case.key, lambda: self._twins(what, inputs, case, passes.outputs)
        )
        if twins:
            self._accept_after(asked, yours, case, twins)
            return

        def watched() -> Any:
            return self.heard.once("watched", case.key, lambda: self._watched(what, inputs, moving, more_than_chance))

        if not (self.of_one_piece or self.brief):  # to watch takes far longer than to find wrong
            watched()
        self._accept_gradients(asked, yours, case, [asked.function(self.student, expected)])
        if not self.of_one_piece:
            watched().must_fit(yours, upstream)

    def _accept_after(self, asked: Asked, yours: Mapping[str, Any], case: Case, twins: Sequence[Reference]) -> None:
        """Raise Failure unless ``yours`` are right after a known mistake in the forward pass, which ``twins`` make.

        Right but for the mistake is what the reference's backward pass derives after it.
        """
        derived = [self._gradients_of(twin, asked, case) for twin in twins]
        left = without(yours, *derived)
        if left:
            judge = replace(self, mistakes=self.mistakes.after(twins[0]))
            functions = [asked.function(twin, each) for twin, each in zip(twins, derived, strict=True)]
            judge._accept_gradients(asked, left, case, functions)  # noqa: SLF001 - of this class

    def _outputs_of(self, who: Answers, what: Computation, inputs: Mapping[str, Any], case: Case) -> list[Any]:
        """What somebody's forward pass gives, who is none of the student's."""
        found: list[Any] = self.heard.once("outputs of", (who, case.key), lambda: what.run_forward(who, inputs)[0])
        return found

    def _gradients_of(self, who: Answers, asked: Asked, case: Case) -> dict[str, Any]:
        """What their backward pass gives after it, by input."""
        return asked.by_input(
            self.heard.once(
                "gradients of", (who, case.key), lambda: asked.what.run_both(who, asked.inputs, asked.upstream)
            )
        )

    def _twins(self, what: Computation, inputs: Mapping[str, Any], case: Case, own: Sequence[Any]) -> list[Reference]:
        """The reference with each known mistake in a forward pass that gives what the student's gives.

        Where there is one, theirs is no function that was made up, however little it has in common with the right one:
        gates in another order change nearly every number.
        """

        def outputs(who: Answers) -> Any:
            return together(self._outputs_of(who, what, inputs, case))

        return self.mistakes.twins(what.forward, together(own), outputs, self.ruled_out)

    def _watched(
        self, what: Computation, inputs: Mapping[str, Any], names: Sequence[str], more_than_chance: float
    ) -> Watched:
        """What a wrong forward pass does when inputs move. Raises NotJudged unless it responds like the right one."""
        moves = small_moves(inputs, names, *self.rng.spawn(1))
        yours, right = (
            [together(outputs) for outputs in what.run_many(who, moves)] for who in (self.student, self.reference)
        )
        watched = Watched(what.forward, names, moves, yours)
        watched.must_be_like(right, more_than_chance)
        return watched

    def _accept_gradients(
        self,
        asked: Asked,
        yours: Mapping[str, Any],
        case: Case,
        functions: Sequence[Differentiated],
        *,
        is_reference: bool = False,
    ) -> None:
        """Raise Failure unless ``yours`` are the numeric gradients, by input, of one of the functions.

        What the reference's backward pass derives, if that was measured, stands for them. Else a few random directions
        tell right gradients at a small part of the cost; where they find a difference, a tenth of what would fail, each
        gradient that nobody has derived is measured entry by entry, for the verdict and for the message.

        Args:
            asked: the backward pass.
            yours: what the student's has given.
            case: which case that is.
            functions: what they are to be gradients of.
            is_reference: whether it is the reference's forward pass that is differentiated.
        """
        called = asked.what.called
        expected = {name: functions[0].derived[name] for name in yours}
        if not (is_reference and self._measured(functions[0], expected)):
            formed = [
                compare(called.format(name), shown(value), np.zeros_like(functions[0].inputs[name]))
                for name, value in yours.items()
            ]
            slopes = [self._slopes(function, yours) for function in functions]
            well_formed = all(each.problem is None for each in formed)
            if well_formed and any(each.fit(yours, EXACTLY) for each in slopes):
                for each in formed:
                    self._say(each)
                return
            if len(yours) > 1:  # each by itself, to see which are right
                for name, value in yours.items():
                    self._accept_gradients(asked, {name: value}, case, functions, is_reference=is_reference)
                return
            if self.brief and not (well_formed and any(each.fit(yours, NEARLY) for each in slopes)):
                raise Failure(f"{formed[0].name} is wrong.")
            expected = {name: gradient_like(value, name, functions, slopes) for name, value in yours.items()}
        for name, value in yours.items():

            def again(who: Answers, name: str = name) -> Any:
                return self._gradients_of(who, asked, case)[name]

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
        asked = None if self.brief else run
        known = self.mistakes.recognise(self.question, *(seen or (yours, expected)), asked) if asked else None
        if known is None:
            raise Failure(str(comparison), error_map=where, difference=difference)
        told = f"{comparison}\n  this is what you get when {known.explanation}"
        raise Failure(told, known.hint, known.name, where, difference)
