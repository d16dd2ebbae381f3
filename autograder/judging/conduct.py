"""How an answer comes about, beyond what it says: manners, and ways around the exercise.

What a call changes, and how exact its answer is, is seen while it is judged. For the rest, one case of each question is
asked once more when all tests are over: that costs three short calls, and whatever happens in them cannot touch a test.
Counts of lines come from within the box, so whoever attacks the box could hide them, and would still owe an exact
answer: that is measured outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.judging.calling import Loss, in_float64, shown
from autograder.judging.cases import LayerCase, ModelCase
from autograder.judging.verdicts import CallFailed, Failure
from coursekit.gradcheck import compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autograder.judging.answers import Answers
    from autograder.judging.cases import Case
    from autograder.judging.judge import Judge
    from autograder.judging.passes import Passes


class Habit(StrEnum):
    """What may be said of the way in which an answer comes about."""

    CHANGES_INPUT = "changes an input"
    USES_UP_CACHE = "uses up its cache"
    SINGLE = "computes in float32"
    MEASURES = "measures a gradient"
    REMEMBERS = "depends on former calls"


COSTS: Mapping[Habit, float] = {
    Habit.CHANGES_INPUT: 0.0,
    Habit.USES_UP_CACHE: 0.0,
    Habit.SINGLE: 0.0,
    Habit.MEASURES: 1.0,
    Habit.REMEMBERS: 1.0,
}
"""The share of its question that each costs, unless the suite has a ``COSTS`` of its own that says otherwise."""


@dataclass(frozen=True)
class Remark:
    """Something to say of the way in which an answer comes about."""

    habit: Habit
    sentence: str
    hint: str = ""


EXACT = 1e-12
"""The largest error of a gradient derived in float64. Right ones were seen up to 1e-14, measured ones from 1e-11."""
NOISE = 1e-13
"""How much of such an error may jump when the inputs hardly move: differences jump by what is rounded in them."""
NEAR = 1e-9
"""So little do they move."""
FEW = 8
"""So often may a backward pass call its forward pass, however small its inputs are."""


def changed(function: str, arguments: list[str]) -> Remark:
    """That a function changes arrays of its caller's."""
    what = " and ".join(arguments)
    verb, it = ("belongs", "it") if len(arguments) == 1 else ("belong", "them")
    sentence = f"It works, but {function} changes {what}, which {verb} to the caller; copy {it} first."
    return Remark(Habit.CHANGES_INPUT, sentence)


def second_look(judge: Judge, case: Case) -> Iterator[Remark]:
    """Ask a case once more that the student has answered right."""
    try:
        if isinstance(case, LayerCase):
            yield from _layer(judge, case)
        elif isinstance(case, ModelCase):
            yield from _model(judge, case)
    except Failure as failure:
        if not isinstance(failure, CallFailed) or failure.raised:
            yield _remembers(judge.question, failure.rationale)


def _layer(judge: Judge, case: LayerCase) -> Iterator[Remark]:
    layer, inputs = case.layer, case.inputs
    if case.upstream is None:
        outputs, _ = layer.run_forward(judge.student, inputs)
        yield from _another(layer.forward, case.yours, dict(zip(layer.outputs, outputs, strict=True)))
        return
    outputs, cache = layer.run_forward(judge.student, inputs)
    yours = layer.run_backward(judge.student, case.upstream, cache)
    yours = {name: yours[name] for name in case.gradients}
    if another := _another(layer.backward, case.yours, yours):
        yield from another
        return

    said = ""
    try:
        again = layer.run_backward(judge.student, case.upstream, cache)
        differing = [name for name in yours if not _same(again[name], yours[name])]
        said = f"a second call with the same cache gives another {differing[0]}" if differing else ""
    except Failure as failure:
        if not isinstance(failure, CallFailed) or failure.raised:
            said = f"a second call with the same cache goes wrong: {failure.rationale}"
    if said:
        yield Remark(Habit.USES_UP_CACHE, f"It works, but {layer.backward} uses up its cache: {said}")

    passes: Passes = judge.heard.found("passes", case.key)
    rounded = not all(_same(mine, right, EXACT) for mine, right in zip(outputs, passes.right, strict=True))
    exact = yours if rounded else passes.expected
    rough = _rough(yours, exact)
    counts: Any = {}
    if rough or judge.student.may_call(layer.backward, layer.forward):
        _, other = layer.run_forward(judge.student, inputs)
        [counts] = judge.student.perform([layer.counting(judge.student, case.upstream, other)])
    noisy = [] if rounded else _noisy(judge, case, rough)
    yield from _measured(layer.backward, layer.forward, yours, exact, counts, noisy)


def _noisy(judge: Judge, case: LayerCase, names: Sequence[str]) -> list[str]:
    """Those of ``names`` whose error is a difference's: it jumps with the inputs, and yet is linear in the upstream.

    A derived gradient rounds alike in both; one that rounds to float32 on its way jumps in both, and an approximation
    in neither. This is seen from outside, however the differences are made.
    """
    if not names:
        return []
    layer, here, third = case.layer, case.inputs, [each / 3 for each in case.upstream or ()]
    near = {name: value * (1 + NEAR) if np.asarray(value).dtype.kind == "f" else value for name, value in here.items()}

    def gradients(who: Answers, inputs: Mapping[str, Any], upstream: Sequence[Any]) -> dict[str, np.ndarray]:
        found = layer.run_both(who, inputs, upstream)
        return {name: in_float64(name, found[name], np.shape(inputs[layer.input_of(name)])) for name in names}

    def error(inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        yours, exact = (gradients(who, inputs, case.upstream or ()) for who in (judge.student, judge.reference))
        return {name: yours[name] - exact[name] for name in names}

    one, other = error(here), error(near)
    whole, part = (gradients(judge.student, here, each) for each in (case.upstream or (), third))
    found = []
    for name in names:
        size, jump = np.linalg.norm(whole[name]), np.linalg.norm(one[name] - other[name])
        if jump > max(NOISE * size, 100 * np.linalg.norm(whole[name] - 3 * part[name])):
            found.append(name)
    return found


def _model(judge: Judge, case: ModelCase) -> Iterator[Remark]:
    loss = Loss(case.model, case.arguments)
    [number], grads = loss.run_forward(judge.student, case.params)
    if not case.parameter:
        yield from _another(loss.forward, case.yours, {"loss": number})
        return
    yours = {case.parameter: loss.run_backward(judge.student, (), grads)[case.parameter]}
    if another := _another(loss.forward, case.yours, yours):
        yield from another
        return
    [right], grads = loss.run_forward(judge.reference, case.params)
    exact = loss.run_backward(judge.reference, (), grads) if _same(number, right, EXACT) else yours
    counts = loss.counting(judge.student, case.params)
    yield from _measured(loss.forward, loss.forward, yours, exact, counts)


def _another(function: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Remark]:
    """What to say if it is another answer now."""
    names = [name for name, value in before.items() if name in now and not _same(now[name], value)]
    return [_remembers(function, f"{name} is another one then.") for name in names[:1]]


def _remembers(function: str, what: str) -> Remark:
    told = f"{function} depends on what was called before: it was asked again with the same inputs. {what}"
    return Remark(Habit.REMEMBERS, told, "Does it keep something between two calls, or change what it was given?")


def _measured(
    function: str,
    forward: str,
    yours: Mapping[str, Any],
    exact: Mapping[str, Any],
    counts: Any,
    noisy: Sequence[str] = (),
) -> Iterator[Remark]:
    """Whether gradients are finite differences: by how often things are done for them, and how exact they are."""
    counts = counts if isinstance(counts, dict) else {}
    repeated = {name: number for name, number in counts.items() if isinstance(number, int)}
    calls, busiest = repeated.get(forward, 0), max(repeated.values(), default=0)
    sizes = {name: np.size(value) for name, value in yours.items()}
    rough = [name for name in _rough(yours, exact) if busiest > sizes[name]]
    if rough or calls > max(*sizes.values(), FEW):
        how = f"it calls {forward} {calls} times" if calls > 1 else f"it does something {busiest} times"
        what = f" {rough[0]} is as inexact as differences are, and" if rough else ""
        told = f"{what} {how} for one answer."
    elif noisy:
        told = f" {noisy[0]} is as inexact as differences are, and jumps as they do when its inputs hardly move."
    else:
        return
    sentence = f"{function} measures gradients where they are to be derived:{told}"
    yield Remark(Habit.MEASURES, sentence, "Write down the derivative; differences are for checking it.")


def _rough(yours: Mapping[str, Any], exact: Mapping[str, Any]) -> list[str]:
    """Those that are right, and not as exact as what is derived in float64."""
    return [
        name
        for name, value in yours.items()
        if np.asarray(value).dtype == np.float64 and _same(value, exact[name]) and not _same(value, exact[name], EXACT)
    ]


def _same(one: Any, other: Any, limit: float | None = None) -> bool:
    return compare("", shown(one), shown(other), limit=limit).passed
