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
from autograder.judging.verdicts import Failure, NotCalled
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
ROUNDED = 3e-10
"""From here on, an error may come from numbers that were rounded to float32: of right gradients with one such number on
their way, errors from 5e-10 to 1e-7 were seen. Differences with a step of 1e-5 are off by some 1e-11 to 1e-10."""
NOISE = 1e-13
"""How much of such an error may jump when the inputs hardly move: differences jump by what is rounded in them."""
NEAR = 1e-9
"""So little do they move."""
NAMED = 6
"""So many of the arguments that a function changes are told: none has more, but their names are told by the box."""
FEW = 8
"""So often may a backward pass call its forward pass, however small its inputs are."""


def changed(function: str, arguments: list[str]) -> Remark:
    """That a function changes arrays of its caller's."""
    more = [f"{len(arguments) - NAMED} more"] if len(arguments) > NAMED else []
    what = " and ".join([*arguments[:NAMED], *more])
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
    except NotCalled:
        pass
    except Failure as failure:
        yield _remembers(judge.question, failure.rationale)


def _layer(judge: Judge, case: LayerCase) -> Iterator[Remark]:
    layer, inputs = case.layer, case.inputs
    if case.upstream is None:
        outputs, _ = layer.run_forward(judge.student, inputs)
        yield from _another(layer.forward, case.yours, dict(zip(layer.outputs, outputs, strict=True)))
        return
    _, cache = layer.run_forward(judge.student, inputs)
    yours = layer.run_backward(judge.student, case.upstream, cache)
    yours = {name: yours[name] for name in case.gradients}
    if another := _another(layer.backward, case.yours, yours):
        yield from another
        return

    passes: Passes = judge.heard.found("passes", case.key)
    inexact = _inexact(yours, passes.expected)
    counts: Any = {}
    if inexact or judge.student.may_call(layer.backward, layer.forward):
        _, other = layer.run_forward(judge.student, inputs)
        [counts] = judge.student.perform([layer.counting(judge.student, case.upstream, other)])
    yield from _measured(layer.backward, layer.forward, yours, inexact, counts)
    yield from _jumping(judge, case, [name for name in inexact if yours[name].dtype == np.float64])
    yield from _uses_up(judge, case, yours, cache)


def _uses_up(judge: Judge, case: LayerCase, yours: Mapping[str, Any], cache: Any) -> Iterator[Remark]:
    """Go backward once more with a cache: comes last, since whoever ends the box then ends all that is in it."""
    said = ""
    try:
        again = case.layer.run_backward(judge.student, case.upstream or (), cache)
        differing = [name for name in yours if not _same(again[name], yours[name])]
        said = f"a second call with the same cache gives another {differing[0]}" if differing else ""
    except NotCalled:
        pass
    except Failure as failure:
        said = f"a second call with the same cache goes wrong: {failure.rationale}"
    if said:
        yield Remark(Habit.USES_UP_CACHE, f"It works, but {case.layer.backward} uses up its cache: {said}")


def _jumping(judge: Judge, case: LayerCase, names: Sequence[str]) -> Iterator[Remark]:
    """Look for a gradient whose error is a difference's: it jumps with the inputs, yet is linear in the upstream one.

    A derived gradient rounds alike in both; one that rounds to float32 on its way jumps in both, or with the outputs of
    its forward pass, and an approximation in neither. This is seen from outside, however the differences are made.
    """
    if not names:
        return
    layer, here, upstream = case.layer, case.inputs, case.upstream or ()
    near = {name: value * (1 + NEAR) if np.asarray(value).dtype.kind == "f" else value for name, value in here.items()}

    def both(who: Answers, inputs: Mapping[str, Any], upstream: Sequence[Any]) -> dict[str, np.ndarray]:
        [(outputs, gradients)] = layer.run_pairs(who, [(inputs, upstream)])
        found = {**dict(zip(layer.outputs, outputs, strict=True)), **{name: gradients[name] for name in names}}
        return {name: in_float64(name, value, np.shape(shown(value))) for name, value in found.items()}

    def error(inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        yours, exact = (both(who, inputs, upstream) for who in (judge.student, judge.reference))
        return {name: in_float64(name, yours[name], value.shape) - value for name, value in exact.items()}

    one, other, whole = error(here), error(near), both(judge.student, here, upstream)
    part = both(judge.student, here, [each / 3 for each in upstream])

    def relative(name: str, difference: np.ndarray) -> float:
        return float(np.linalg.norm(difference) / np.linalg.norm(whole[name]))

    forward = max(relative(name, one[name] - other[name]) for name in layer.outputs)
    for name in names:
        bent = relative(name, whole[name] - 3 * in_float64(name, part[name], whole[name].shape))
        if relative(name, one[name] - other[name]) > max(NOISE, 100 * bent, 100 * forward):
            what = f" {name} is as inexact as differences are, and jumps as they do when its inputs hardly move."
            yield _measures(layer.backward, what)
            return


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
    _, grads = loss.run_forward(judge.reference, case.params)
    inexact = _inexact(yours, loss.run_backward(judge.reference, (), grads))
    counts = loss.counting(judge.student, case.params)
    yield from _measured(loss.forward, loss.forward, yours, inexact, counts, beside=case.params)


def _another(function: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Remark]:
    """What to say if it is another answer now."""
    names = [name for name, value in before.items() if name in now and not _same(now[name], value)]
    return [_remembers(function, f"{name} is different then.") for name in names[:1]]


def _remembers(function: str, what: str) -> Remark:
    told = f"{function} depends on what was called before: it was asked again with the same inputs. {what}"
    return Remark(Habit.REMEMBERS, told, "Does it keep something between two calls, or change what it was given?")


def _measured(
    function: str,
    forward: str,
    yours: Mapping[str, Any],
    inexact: Sequence[str],
    counts: Any,
    beside: Mapping[str, Any] | None = None,
) -> Iterator[Remark]:
    """Whether gradients are finite differences: by how often things are done for them, and how exact they are.

    Differences are two evaluations for each entry. ``beside`` are what else there are gradients of.
    """
    counts = counts if isinstance(counts, dict) else {}
    repeated = {name: number for name, number in counts.items() if isinstance(number, int)}
    calls, busiest = repeated.get(forward, 0), max(repeated.values(), default=0)
    sizes = [np.size(value) for value in yours.values()]
    every = sum(np.size(value) for value in {**(beside or {}), **yours}.values())
    rough = [name for name in inexact if busiest >= 2 * every]
    if rough or calls > max(*sizes, FEW):
        how = f"it calls {forward} {calls} times" if calls > 1 else f"it does something {busiest} times"
        what = f" {rough[0]} is as inexact as differences are, and" if rough else ""
        yield _measures(function, f"{what} {how} for one answer.")


def _measures(function: str, what: str) -> Remark:
    sentence = f"{function} measures gradients where they are to be derived:{what}"
    return Remark(Habit.MEASURES, sentence, "Write down the derivative; differences are for checking it.")


def _inexact(yours: Mapping[str, Any], exact: Mapping[str, Any]) -> list[str]:
    """Those that are right, and as far from what is derived in float64 as differences are.

    So is what was rounded to float32 once, in the end: nothing tells what it was before. Of what is rounded on its way,
    the error is larger.
    """
    found = []
    for name, value in yours.items():
        compared = compare("", shown(value), exact[name])
        if not compared.passed or compared.error is None:
            continue
        if np.asarray(value).dtype == np.float32:
            once = np.asarray(exact[name]).astype(np.float32)
            if np.all(np.abs(value - once) <= np.spacing(np.abs(once))):
                found.append(name)
        elif EXACT < compared.error < ROUNDED:
            found.append(name)
    return found


def _same(one: Any, other: Any, limit: float | None = None) -> bool:
    return compare("", shown(one), shown(other), limit=limit).passed
