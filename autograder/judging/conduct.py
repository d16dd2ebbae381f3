"""How an answer comes about, beyond what it says: manners, and ways around the exercise.

What a call changes, and how exact its answer is, is seen while it is judged. For the rest, one case of each question is
asked once more when all tests are over: that costs six short calls for a question, and whatever happens in them cannot
touch a test. Counts of lines come from within the box, so whoever attacks the box could hide them, and would still owe
an exact answer: that is measured outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.judging.calling import counting_loss, entry, losses, shown
from autograder.judging.cases import LayerCase, ModelCase
from autograder.judging.verdicts import CallFailed, Failure
from coursekit.gradcheck import compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autograder.judging.cases import Case
    from autograder.judging.judge import Judge


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
    outputs, cache = layer.run_forward(judge.student, inputs)
    if case.upstream is None:
        yield from _compared(layer.forward, case.yours, dict(zip(layer.outputs, outputs, strict=True)))
        return
    yours = layer.run_backward(judge.student, case.upstream, cache)
    yours = {name: yours[name] for name in case.gradients}
    yield from _compared(layer.backward, case.yours, yours)

    said = ""
    try:
        again = layer.run_backward(judge.student, case.upstream, cache)
        differing = [name for name in yours if not _same(yours[name], again[name])]
        said = f"a second call with the same cache gives another {differing[0]}" if differing else ""
    except Failure as failure:
        if not isinstance(failure, CallFailed) or failure.raised:
            said = f"a second call with the same cache goes wrong: {failure.rationale}"
    if said:
        yield Remark(Habit.USES_UP_CACHE, f"It works, but {layer.backward} uses up its cache: {said}")

    expected, _ = layer.run_forward(judge.reference, inputs)
    rounded = not all(_same(mine, right, EXACT) for mine, right in zip(outputs, expected, strict=True))
    exact = yours if rounded else layer.run_both(judge.reference, inputs, case.upstream)
    _, cache = layer.run_forward(judge.student, inputs)
    [counts] = judge.student.perform([layer.counting(judge.student, case.upstream, cache)])
    yield from _measured(layer.backward, layer.forward, yours, exact, counts)


def _model(judge: Judge, case: ModelCase) -> Iterator[Remark]:
    model = case.model
    [(loss, grads)] = losses(judge.student, model, [case.params], case.arguments)
    if not case.parameter:
        yield from _compared(model.loss, case.yours, {"loss": loss})
        return
    yours = {case.parameter: entry(model, grads, case.parameter)}
    yield from _compared(model.loss, case.yours, yours)
    [(right, grads)] = losses(judge.reference, model, [case.params], case.arguments)
    exact = {case.parameter: entry(model, grads, case.parameter)} if _same(loss, right, EXACT) else yours
    counts = counting_loss(judge.student, model, case.params, case.arguments)
    yield from _measured(model.loss, model.loss, yours, exact, counts)


def _compared(function: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Remark]:
    for name, value in before.items():
        if name in now and not _same(now[name], value):
            yield _remembers(function, f"{name} is another one then.")
            return


def _remembers(function: str, what: str) -> Remark:
    told = f"{function} depends on what was called before: it was asked again with the same inputs. {what}"
    return Remark(Habit.REMEMBERS, told, "Does it keep something between two calls, or change what it was given?")


def _measured(
    function: str, forward: str, yours: Mapping[str, Any], exact: Mapping[str, Any], counts: Any
) -> Iterator[Remark]:
    """Whether gradients are finite differences: by how often things are done for them, and how exact they are."""
    counts = counts if isinstance(counts, dict) else {}
    repeated = {name: number for name, number in counts.items() if isinstance(number, int)}
    calls, busiest = repeated.get(forward, 0), max(repeated.values(), default=0)
    sizes = {name: np.size(value) for name, value in yours.items()}
    how = f"it calls {forward} {calls} times" if calls > 1 else f"it does something {busiest} times"
    rough = [
        name
        for name, value in yours.items()
        if busiest > sizes[name] and np.asarray(value).dtype == np.float64
        if _same(value, exact[name]) and not _same(value, exact[name], EXACT)
    ]
    if rough or calls > max(*sizes.values(), FEW):
        what = f" {rough[0]} is as inexact as differences are, and" if rough else ""
        sentence = f"{function} measures gradients where they are to be derived:{what} {how} for one answer."
        yield Remark(Habit.MEASURES, sentence, "Write down the derivative; differences are for checking it.")


def _same(one: Any, other: Any, limit: float | None = None) -> bool:
    return compare("", shown(one), shown(other), limit=limit).passed
