"""Visible checks: one line in a cell of a notebook, a table of what is right and where to look, an error if not.

A check knows a small case that stands in the notebook, or the numeric gradient of the student's own forward pass.
It never knows a solution. The random numbers that it draws are the same in every run.

An error in the student's code comes through. The local variable `__tracebackhide__` keeps our own functions out of the
traceback that Jupyter then shows.
"""

from __future__ import annotations

import html
import sys
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias

import numpy as np

from coursekit.errors import CheckFailed
from coursekit.gradcheck import LIMITS, STEP, Comparison, compare, numeric_gradients

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

Function: TypeAlias = "Callable[..., Any]"


class Model(Protocol):
    """What has parameters and a loss."""

    params: dict[str, Any]
    loss: Function


# A forward pass that computes in float32 is differentiated with a step that its rounding does not drown. Measured on
# the networks of `gradcheck`: the error is then 3e-5 typically, 2e-3 at worst.
_SINGLE_STEP, _SINGLE_LIMIT = 1e-2, 5e-3

_RIGHT, _WRONG = "#1a8f4c", "#d1453b"


def check_values(
    function: Function, inputs: Mapping[str, object], *, unchanged: Sequence[str] = (), **expected: object
) -> None:
    """Check what a function returns on a small case.

    Args:
        function: The student's function. It is called with the inputs in their order.
        inputs: Its arguments by name.
        unchanged: The names of those that it must leave as they were.
        expected: Its outputs by name, in their order; ``...`` stands for whatever else it has to return, as a cache.
            If there is none of these, what it returns beyond the outputs is not looked at.

    Raises:
        CheckFailed: An output is wrong, an input is changed, or the function is not written yet.
    """
    __tracebackhide__ = True
    report = _Report(_name(function))
    returned = _call(function, inputs, report)
    spoilt = [name for name in unchanged if report.changed.get(name)]
    if spoilt:
        left = "it as it was" if len(spoilt) == 1 else "them as they were"
        _refuse(f"{report.title} changes {' and '.join(spoilt)}, and has to leave {left}.")
    # A list where one array is expected is told as a list.
    outputs = [returned] if isinstance(returned, list) and len(expected) == 1 else _values(returned)
    if len(outputs) < len(expected) or (
        any(each is ... for each in expected.values()) and len(outputs) > len(expected)
    ):
        _refuse_number(function, returned, expected)
    for (name, right), output in zip(expected.items(), outputs, strict=False):
        if right is not ...:
            report.add(compare(name, output, right))
    report.conclude()


def check_gradients(forward: Function, backward: Function, **inputs: object) -> None:
    """Check a backward pass against the numeric gradients of its forward pass.

    The forward pass returns its outputs and, last, a cache. The backward pass takes the upstream gradients of the
    outputs and the cache, and returns the gradients of all inputs that are not integers.

    Args:
        forward: The student's forward pass.
        backward: The student's backward pass.
        inputs: The arguments of the forward pass, in their order: a shape, to be filled with random numbers, or
            an array.

    Raises:
        CheckFailed: A gradient is wrong, or one of the functions is not written yet.
    """
    __tracebackhide__ = True
    rng = np.random.default_rng(0)
    report = _Report(_name(backward))
    values = {
        name: np.asarray(0.5 * rng.standard_normal(value) if isinstance(value, tuple) else value)
        for name, value in inputs.items()
    }
    wrt = [name for name, value in values.items() if not np.issubdtype(value.dtype, np.integer)]

    *outputs, cache = _forward(forward, values, report)
    upstream = [np.asarray(rng.standard_normal(np.shape(output))) for output in outputs]
    arguments = {f"upstream gradient {place}": each for place, each in enumerate(upstream, 1)}
    names = [f"d{name}" for name in wrt]
    gradients = _expected(names, backward, {**arguments, "cache": cache}, report)

    def outputs_at(at: dict[str, object]) -> Sequence[NDArray[np.float64]]:
        __tracebackhide__ = True
        return _forward(forward, at, report)[:-1]

    step, limit = _precision(forward, outputs, report)
    numeric = numeric_gradients(_for_each(outputs_at), values, upstream, wrt, step=step)
    for name, gradient, right in zip(names, gradients, numeric.values(), strict=True):
        report.add(compare(name, gradient, right, against="numeric", limit=limit))
    report.conclude()


def check_layer(
    kind: Function, inputs: Mapping[str, object], parameters: Mapping[str, object] | None = None, **expected: object
) -> None:
    """Check a layer that is a class: its outputs on a small case, and its gradients there against numeric ones.

    `kind(*parameters)` makes a layer. `forward(*inputs)` returns the outputs, `backward(*upstream gradients)` the
    gradients of all inputs that are not integers; those of a parameter `W` is then its attribute `dW`. Each layer is
    used twice, on different numbers, and judged by the second time.

    Args:
        kind: The student's class.
        inputs: The arguments of `forward` by name.
        parameters: The arguments of the class by name.
        expected: The outputs by name, in their order.

    Raises:
        CheckFailed: An output or a gradient is wrong, or something is not written yet.
    """
    __tracebackhide__ = True
    rng = np.random.default_rng(0)
    report = _Report(_name(kind))
    held = parameters or {}
    values = {name: np.asarray(value) for name, value in {**inputs, **held}.items()}
    wrt = [name for name, value in values.items() if not np.issubdtype(value.dtype, np.integer)]

    def forward(at: Mapping[str, Any]) -> tuple[Any, Sequence[Any]]:
        __tracebackhide__ = True
        layer = _call(kind, {name: at[name] for name in held}, report)
        return layer, _outputs_of(layer, {name: at[name] for name in inputs}, expected, report)

    other = {name: 0.5 * value if name in wrt else value for name, value in values.items()}
    layer, outputs = forward({**values, **{name: other[name] for name in inputs}})
    _call(layer.backward, {f"upstream gradient {place}": output for place, output in enumerate(outputs, 1)}, report)
    outputs = _outputs_of(layer, {name: values[name] for name in inputs}, expected, report)
    for (name, right), output in zip(expected.items(), outputs, strict=True):
        report.add(compare(name, output, right))

    upstream = [np.asarray(rng.standard_normal(np.shape(output))) for output in outputs]
    arguments = {f"upstream gradient {place}": each for place, each in enumerate(upstream, 1)}
    names = [f"d{name}" for name in wrt if name in inputs]
    gradients = _expected(names, layer.backward, arguments, report)
    found = dict(zip(names, gradients, strict=True)) | {f"d{name}": getattr(layer, f"d{name}", None) for name in held}

    def outputs_at(at: dict[str, Any]) -> Sequence[NDArray[np.float64]]:
        __tracebackhide__ = True
        return forward(at)[1]

    step, limit = _precision(layer.forward, outputs, report)
    for name, right in numeric_gradients(_for_each(outputs_at), values, upstream, wrt, step=step).items():
        report.add(compare(f"d{name}", found[f"d{name}"], right, against="numeric", limit=limit))
    report.conclude()


def check_model(model: Model, *inputs: object, loss: float) -> None:
    """Check the loss of a model, and its gradients against numeric gradients of that loss.

    Args:
        model: The student's model: `params` are float64 arrays, and `loss` returns a number and their gradients.
        inputs: The arguments of `loss`.
        loss: The right loss.

    Raises:
        CheckFailed: The loss or a gradient is wrong, or `model.loss` is not written yet.
    """
    __tracebackhide__ = True
    report = _Report(_name(model.loss))
    arguments = {f"argument {place}": each for place, each in enumerate(inputs, 1)}

    def loss_at(params: dict[str, Any]) -> Sequence[NDArray[np.float64]]:
        __tracebackhide__ = True
        return [_loss(model, params, arguments, report)[0]]

    value, gradients = _loss(model, model.params, arguments, report)
    report.add(compare("loss", value, loss))
    step, limit = _precision(model.loss, [value], report)
    numeric = numeric_gradients(_for_each(loss_at), model.params, [1.0], model.params, step=step)
    for name, right in numeric.items():
        found = compare(f"grads[{name!r}]", gradients.get(name), right, against="numeric", limit=limit)
        report.add(found if name in gradients else replace(found, problem=f"grads has no entry {name!r}."))
    report.conclude()


class _Report:
    """The comparisons of one check, shown as a table in Jupyter and as text elsewhere."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.comparisons: list[Comparison] = []
        self.notes: list[str] = []
        self.changed: dict[str, bool] = {}

    def add(self, comparison: Comparison) -> None:
        """Add a row."""
        self.comparisons.append(comparison)

    def note(self, sentence: str) -> None:
        """Say something, once, of what works and could be better."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def conclude(self) -> None:
        """Show the report; raise CheckFailed if a comparison has failed."""
        _show(self)
        wrong = [comparison.name for comparison in self.comparisons if not comparison.passed]
        if wrong:
            listed = " and ".join(filter(None, [", ".join(wrong[:-1]), wrong[-1]]))
            raise CheckFailed(f"{self.title} is not right yet: look at {listed}.")

    def __str__(self) -> str:
        return "\n".join([self.title, *map(str, self.comparisons), *self.notes])

    def _repr_html_(self) -> str:
        head = "".join(_cell(title, "th") for title in ("", "shape", "error", "limit", ""))
        rows = "".join(f"<tr>{_row(comparison)}</tr>" for comparison in self.comparisons)
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        caption = f"<p><code>{html.escape(self.title)}</code></p>"
        return f"<div>{caption}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{notes}</div>"


def _row(comparison: Comparison) -> str:
    """Return the cells of a comparison: name, shape, error, limit, and ok or where to look."""
    error = "" if comparison.error is None else f"{comparison.error:.1e}"
    if comparison.passed:
        verdict, color = f"✓ ok. {comparison.remark}" if comparison.remark else "✓ ok", _RIGHT
    else:
        verdict, color = f"✗ {comparison.problem or comparison.where}", _WRONG
    texts = [str(comparison.shape), error, f"{comparison.limit:.0e}" if comparison.limit else "exact"]
    return (
        _cell(comparison.name, style="font-family: monospace")
        + "".join(map(_cell, texts))
        + _cell(verdict, style=f"color: {color}")
    )


def _cell(text: str, tag: str = "td", style: str = "") -> str:
    return f'<{tag} style="text-align: left; {style}">{html.escape(text)}</{tag}>'


def _show(report: _Report) -> None:
    """Display the report in IPython, print it elsewhere."""
    ipython: Any = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        ipython.display.display(report)
    else:
        print(report)  # noqa: T201 - this is the check's output


def _call(function: Function, inputs: Mapping[str, object], report: _Report) -> Any:
    """Call the student's function on copies of the arrays; note it if it changes them.

    Raises:
        CheckFailed: The function, or one that it calls, is not written yet; it takes other arguments, or returns None.
    """
    __tracebackhide__ = True
    # A number stays a number: a copy of an array of shape () would be an array.
    copies = {name: value.copy()[()] if isinstance(value, np.ndarray) else value for name, value in inputs.items()}
    try:
        returned = function(*copies.values())
    except NotImplementedError as error:
        _refuse(str(error) or f"{_raised_in(error)} is not written yet.")
    except TypeError as error:
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise
        # Nothing of the student's has run: Jupyter would show our line and none of theirs.
        hint = " Is self missing?" if hasattr(function, "__self__") else ""
        _refuse(f"{error}. It is called with {', '.join(inputs) or 'nothing'}.{hint}")
    if returned is None:
        _refuse(f"{_name(function)} returns None. Does every path end in a return?")
    for name, value in inputs.items():
        changed = isinstance(value, np.ndarray) and not np.array_equal(value, np.asarray(copies[name]))
        report.changed[name] = changed
        if changed:
            report.note(
                f"It works, but {_name(function)} changes its {name}, which belongs to the caller; copy it first."
            )
    return returned


def _values(returned: Any) -> Sequence[Any]:
    """Return what a function returned as a sequence of values."""
    return returned if isinstance(returned, (tuple, list)) else (returned,)


def _expected(
    names: Collection[str], function: Function, inputs: Mapping[str, object], report: _Report
) -> Sequence[Any]:
    """Call the student's function and return its values, one for each name.

    Raises:
        CheckFailed: It is not written yet, or returns more values or fewer.
    """
    __tracebackhide__ = True
    returned = _call(function, inputs, report)
    if len(_values(returned)) != len(names):
        _refuse_number(function, returned, names)
    return _values(returned)


def _refuse_number(function: Function, returned: Any, names: Collection[str]) -> NoReturn:
    """Say that a function returned more values than these, or fewer."""
    number = len(_values(returned))
    found = f"{number} value" if number == 1 else f"{number} values"
    if isinstance(returned, np.ndarray):
        found = "a numpy array"
    _refuse(f"{_name(function)} returned {found}; expected {', '.join(names)}.")


def _refuse_unless_floats(function: Function, outputs: Sequence[Any], advice: str = "") -> None:
    """Refuse outputs that no gradient can be measured of."""
    for output in outputs:
        if np.asarray(output).dtype.name not in LIMITS:
            kind = "None" if output is None else type(output).__name__
            found = f"a numpy array of {output.dtype}" if isinstance(output, np.ndarray) else kind
            _refuse(f"{_name(function)} returned {found} where floats belong{advice}.")


def _forward(function: Function, inputs: Mapping[str, object], report: _Report) -> Sequence[Any]:
    """Call a forward pass and return its outputs and cache.

    Raises:
        CheckFailed: It is not written yet, or does not return outputs that a gradient can be measured of.
    """
    __tracebackhide__ = True
    returned = _values(_call(function, inputs, report))
    if len(returned) < 2:
        _refuse(f"{_name(function)} must return its output and a cache, as a tuple.")
    _refuse_unless_floats(function, returned[:-1], "; its own check says more")
    return returned


def _outputs_of(layer: Any, inputs: Mapping[str, object], names: Collection[str], report: _Report) -> Sequence[Any]:
    """Call a layer's forward pass and return its outputs.

    Raises:
        CheckFailed: It is not written yet, or does not return an output for each name that a gradient can be measured
            of.
    """
    __tracebackhide__ = True
    outputs = _expected(names, layer.forward, inputs, report)
    _refuse_unless_floats(layer.forward, outputs)
    return outputs


def _loss(
    model: Model, params: Mapping[str, Any], inputs: Mapping[str, object], report: _Report
) -> tuple[Any, dict[str, Any]]:
    """Call the model's loss with copies of these parameters and return it with the gradients.

    Raises:
        CheckFailed: It is not written yet, or does not return a number and a dictionary.
    """
    __tracebackhide__ = True
    original = model.params
    model.params = {name: value.copy() for name, value in params.items()}
    try:
        returned = _call(model.loss, inputs, report)
    finally:
        model.params = original
    wanted = f"{_name(model.loss)} must return the loss, a number, and a dictionary of gradients"
    if not (isinstance(returned, tuple) and len(returned) == 2):
        _refuse(f"{wanted}, as a tuple of two.")
    if np.shape(returned[0]) != ():
        _refuse(f"{wanted}; its loss is an array of shape {np.shape(returned[0])}.")
    if not isinstance(returned[1], dict):
        _refuse(f"{wanted}; its gradients are a {type(returned[1]).__name__}.")
    value, gradients = returned
    return value, gradients


def _for_each(outputs_at: Function) -> Function:
    """Make what `numeric_gradients` calls of a function that returns the outputs at one place."""

    def evaluate(batch: list[dict[str, Any]]) -> list[Sequence[NDArray[np.float64]]]:
        __tracebackhide__ = True
        return list(map(outputs_at, batch))  # a comprehension may be a function of its own in the traceback

    return evaluate


def _precision(function: Function, outputs: Sequence[object], report: _Report) -> tuple[float, float | None]:
    """Return the step and the limit for a numeric gradient of these outputs (no limit: the usual one)."""
    if all(np.asarray(output).dtype != np.float32 for output in outputs):
        return STEP, None
    report.note(f"{_name(function)} computes in float32, so its gradients can only be measured roughly.")
    return _SINGLE_STEP, _SINGLE_LIMIT


def _name(function: Function) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))


def _raised_in(error: BaseException) -> str:
    """Return the name of the function that raised the error."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code.co_qualname


def _refuse(sentence: str) -> NoReturn:
    raise CheckFailed(sentence) from None
