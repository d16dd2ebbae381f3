"""Compare an array with the one expected, and measure gradients by central differences.

`compare` judges type, shape, dtype and finiteness before it looks at values, each with a sentence of its own,
and measures values by one number, the norm-relative error |yours - expected| / max(|yours|, |expected|).
`numeric_gradients` knows nothing of the function that it differentiates except how to have it evaluated, so
the evaluation may happen anywhere. This module imports numpy alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from coursekit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[np.generic]"
Floats: TypeAlias = "NDArray[np.float64]"
Inputs: TypeAlias = "Mapping[str, object]"
Evaluate: TypeAlias = "Callable[[list[dict[str, object]]], list[Sequence[Floats]]]"

# The largest norm-relative error that passes, by the dtype of the answer. Measured on 800 random
# recurrent steps and networks of sizes 1 to 7, with weights of size 0.3 so that tanh does not saturate.
LIMITS: dict[str, float] = {
    # Typically 4e-11, at worst 6e-9; with weights of size 1, where gradients explode, at worst 3e-7.
    "float64": 1e-6,
    # Typically 1e-7, at worst 8e-6; saturated, 1e-4, because 1 - tanh(a)**2 cancels.
    "float32": 1e-5,
}

# How far an entry is moved. With weights of size 1 the worst error is 3e-5 for a step of 1e-4, where the
# curvature shows, and 3e-7 for 1e-5. A step of 1e-6 gains nothing and makes a zero gradient ten times noisier.
STEP = 1e-5

# Norms below it count as it. Where the true gradient is zero by cancellation (a shift of all scores of a
# softmax under a loss of about 40) the numeric one is noise of norm up to 1e-9, a tenth of what then passes.
# A relative error of 0.1 % is still found in a gradient of norm 1e-5.
FLOOR = 1e-2

# Squares of entries below it can be summed.
LARGE = 1e140

INTEGERS = "iu"
"""The kinds of dtype whose entries have to be equal."""


@dataclass(frozen=True)
class Comparison:
    """What comparing one array with the expected one has shown.

    Attributes:
        name: What the array is called.
        shape: The expected shape.
        dtype: The dtype of your array, or the name of your type if it is no array.
        error: The norm-relative error (for integers: the fraction of entries that differ), or None if a
            problem kept the values from being compared.
        limit: The largest error that passes.
        worst: Where the largest difference is (for integers: the first one); None if the values pass.
        yours: Your value there.
        expected: The expected value there.
        problem: A sentence, if the type, shape, dtype or finiteness is wrong.
        remark: A sentence about something that works and could be better.
        against: What the array is compared with: "expected", or "numeric" for a numeric gradient.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    error: float | None
    limit: float
    worst: tuple[int, ...] | None = None
    yours: float | None = None
    expected: float | None = None
    problem: str | None = None
    remark: str | None = None
    against: str = "expected"

    @property
    def passed(self) -> bool:
        """Whether the values were compared and found equal within the limit."""
        return self.problem is None and self.error is not None and self.error <= self.limit

    @property
    def where(self) -> str | None:
        """The place to look at, as in "worst at [2, 4]: yours 0.000, numeric 1.274", if anything differs."""
        if self.worst is None or self.yours is None or self.expected is None:
            return None
        exact = _is_integer(self.dtype)
        if exact:
            yours, expected = f"{self.yours:.0f}", f"{self.expected:.0f}"
        else:
            yours, expected = _distinct(self.yours, self.expected)
        place = f" at {list(self.worst)}" if self.worst else ""
        return f"{'first' if exact else 'worst'}{place}: yours {yours}, {self.against} {expected}"

    def __str__(self) -> str:
        """Return the message: one line if it passed, else what is wrong and where."""
        if self.problem is not None or self.error is None:
            return self.problem or f"{self.name} was not compared."
        if _is_integer(self.dtype):
            size = math.prod(self.shape)
            measured = f"{round(self.error * size)} of {size} entries differ"
            sound = f"shape {self.shape} ok, {self.dtype} ok"
        else:
            measured = f"relative error {self.error:.1e}, limit {self.limit:.0e}"
            sound = f"shape {self.shape} ok, {self.dtype} ok, all finite"
        if self.passed:
            return f"{self.name} is right: {measured}" + (f". {self.remark}" if self.remark else "")
        lines = [f"{self.name} is wrong: {measured}", sound, self.where, self.remark]
        return "\n  ".join(line for line in lines if line)


def compare(
    name: str, yours: object, expected: object, *, against: str = "expected", limit: float | None = None
) -> Comparison:
    """Compare `yours`, which may be any object at all, with the array `expected`.

    The shapes must be equal: nothing is broadcast. Where integers are expected, `yours` must hold integers
    and every entry must be equal. Otherwise it must be float64 or float32, and finite. A number, whole or not, stands
    for an array of shape ().

    Args:
        name: What to call the array in messages.
        yours: The answer.
        expected: What is right: an array or a number, integer or floating.
        against: What messages call the expected value.
        limit: The largest norm-relative error that passes; by default that of `LIMITS` for your dtype.

    Returns:
        The comparison. Whatever `yours` is, nothing is raised.
    """
    right = np.asarray(expected)
    exact = right.dtype.kind in INTEGERS
    if type(yours) is int and right.shape == () and not exact and abs(yours) <= 1 << 53:  # no digit is lost
        yours = float(yours)
    array = _plain(yours, scalar=right.shape == ())
    dtype = type(yours).__name__ if array is None else _name_of(array.dtype)
    if limit is None:
        limit = 0.0 if exact else LIMITS.get(dtype, LIMITS["float64"])

    problem = _problem(name, yours, array, right)
    largest = (0.0, 0.0)
    if problem is None and array is not None:
        largest = _largest(array), _largest(right)
        problem = _finiteness_problem(name, array, largest, against)
    if problem is not None or array is None:
        return Comparison(name, right.shape, dtype, None, limit, problem=problem, against=against)

    if exact:
        differs = array != right
        error = float(differs.mean()) if right.size else 0.0
        worst = _entry(differs, right.shape) if error else None
        remark = None
    else:
        floats = array.astype(np.float64, copy=False), right.astype(np.float64, copy=False)
        error, gap = _relative_error(*floats, max(largest))
        worst = _entry(np.abs(gap), right.shape) if error > limit else None
        single = dtype == "float32" and right.dtype == np.float64
        remark = f"{name} is float32 where float64 was possible." if single else None
    return Comparison(
        name,
        right.shape,
        dtype,
        error,
        limit,
        worst=worst,
        yours=None if worst is None else float(array[worst]),
        expected=None if worst is None else float(right[worst]),
        remark=remark,
        against=against,
    )


def numeric_gradients(
    evaluate: Evaluate,
    inputs: Inputs,
    upstream: Sequence[Floats | float],
    wrt: Iterable[str],
    *,
    step: float = STEP,
) -> dict[str, Floats]:
    """Measure the gradients of sum(upstream * outputs) by central differences.

    Args:
        evaluate: Called once, with a list of input dictionaries; returns for each the sequence of outputs.
            The dictionaries hold the very objects of `inputs` wherever nothing was perturbed.
        inputs: The arguments of the function by name. They are not changed.
        upstream: One array for each output, of its shape; 1.0 for a scalar loss.
        wrt: Names of the float64 arrays in `inputs` to differentiate by.
        step: How far each entry is moved, both ways.

    Returns:
        For each name of `wrt` a float64 array of the shape of that input.

    Raises:
        InvalidInput: A name of `wrt` is no float64 array, or an output has another shape than its upstream
            gradient.
    """
    __tracebackhide__ = True  # as in the visible checks, an error of `evaluate` is shown without us
    arrays = {name: _differentiable(name, inputs) for name in wrt}
    weights = [np.asarray(u, dtype=np.float64) for u in upstream]

    perturbed: list[dict[str, object]] = []
    distances: list[float] = []
    for name, array in arrays.items():
        for index in np.ndindex(array.shape):
            moved = [array.copy(), array.copy()]
            moved[0][index] += step
            moved[1][index] -= step
            # What was added is not quite `step`: the nearest numbers that exist are this far apart.
            distances.append(float(moved[0][index] - moved[1][index]))
            perturbed.extend({**inputs, name: copy} for copy in moved)

    outputs = evaluate(perturbed)
    if len(outputs) != len(perturbed):
        raise InvalidInput(f"evaluate returned {len(outputs)} results for {len(perturbed)} inputs")
    slopes = iter(
        [
            _slope(plus, minus, weights, distance)
            for plus, minus, distance in zip(outputs[::2], outputs[1::2], distances, strict=True)
        ]
    )
    return {
        name: np.array([next(slopes) for _ in range(array.size)]).reshape(array.shape) for name, array in arrays.items()
    }


def directional_derivatives(
    evaluate: Evaluate,
    inputs: Inputs,
    upstream: Sequence[Floats | float],
    directions: Sequence[Mapping[str, Floats]],
    *,
    step: float = STEP,
) -> list[float]:
    """Measure the slopes of sum(upstream * outputs) along directions by central differences.

    One direction costs two evaluations, however many entries the inputs have. If a gradient is wrong, it is all but
    certain that its product with a normally distributed direction is wrong too.

    Args:
        evaluate: Called once, as by `numeric_gradients`.
        inputs: The arguments of the function by name. They are not changed.
        upstream: One array for each output, of its shape; 1.0 for a scalar loss.
        directions: For each slope, how the inputs of these names move together; each of its input's shape.
        step: How far the inputs are moved, both ways, as a multiple of the direction.

    Returns:
        One slope for each direction.

    Raises:
        InvalidInput: A name is no float64 array, or an output has another shape than its upstream gradient.
    """
    weights = [np.asarray(u, dtype=np.float64) for u in upstream]
    moved: list[dict[str, object]] = []
    for direction in directions:
        along = {name: (_differentiable(name, inputs), step * d) for name, d in direction.items()}
        moved.append({**inputs, **{name: array + way for name, (array, way) in along.items()}})
        moved.append({**inputs, **{name: array - way for name, (array, way) in along.items()}})
    outputs = evaluate(moved)
    if len(outputs) != len(moved):
        raise InvalidInput(f"evaluate returned {len(outputs)} results for {len(moved)} inputs")
    pairs = zip(outputs[::2], outputs[1::2], strict=True)
    return [_slope(plus, minus, weights, 2 * step) for plus, minus in pairs]


def _differentiable(name: str, inputs: Inputs) -> Floats:
    """Return the input called `name` if it is a float64 array; raise InvalidInput if not."""
    if name not in inputs:
        raise InvalidInput(f"there is no input called {name}; the inputs are {', '.join(inputs)}")
    value = inputs[name]
    if not isinstance(value, np.ndarray) or value.dtype != np.float64:
        kind = value.dtype.name if isinstance(value, np.ndarray) else type(value).__name__
        raise InvalidInput(f"{name} is {kind}; central differences need a float64 array")
    return value


def _slope(
    plus: Sequence[Floats],
    minus: Sequence[Floats],
    weights: Sequence[Floats],
    distance: float,
) -> float:
    """Return the slope of sum(weights * outputs) between two evaluations that lie `distance` apart."""
    total = 0.0
    for each in (plus, minus):
        shapes, wanted = [np.shape(out) for out in each], [weight.shape for weight in weights]
        if shapes != wanted:
            raise InvalidInput(f"outputs have shapes {shapes}, their upstream gradients {wanted}")
    with np.errstate(all="ignore"):
        for up, down, weight in zip(plus, minus, weights, strict=True):
            change = np.asarray(up, dtype=np.float64) - np.asarray(down, dtype=np.float64)
            total += float(np.sum(weight * change))
        return float(np.divide(total, distance))


def _plain(value: object, *, scalar: bool) -> Array | None:
    """Return `value` as a plain array if it is an array (or a number, where a scalar will do); else None.

    A subclass of ndarray is seen as what it stores, whatever it says about itself.
    """
    kind = type(value)
    if issubclass(kind, np.ndarray):
        return np.ndarray.view(cast("Array", value), np.ndarray)
    if scalar and issubclass(kind, (int, float, np.number)) and kind is not bool:
        return np.asarray(value)
    return None


def _problem(name: str, yours: object, array: Array | None, right: Array) -> str | None:
    """Return a sentence on the first of type, shape and dtype that is wrong; None if none is."""
    if array is None:
        return _type_problem(name, yours, right.shape)
    if array.shape != right.shape:
        return _shape_problem(name, array.shape, right.shape)
    exact = right.dtype.kind in INTEGERS
    if not (array.dtype.kind in INTEGERS if exact else _name_of(array.dtype) in LIMITS):
        return f"{name} has dtype {_name_of(array.dtype)}; {'integers are' if exact else 'float64 is'} expected."
    return None


def _type_problem(name: str, yours: object, shape: tuple[int, ...]) -> str:
    wanted = "a numpy array" if shape else "a number"
    if yours is None:
        return f"{name} is None, not {wanted}; is it computed and returned?"
    if isinstance(yours, (int, float, np.number)) and not isinstance(yours, bool):
        return f"{name} is a single number; an array of shape {shape} is expected."
    kind = type(yours).__name__
    article = "an" if kind[:1].lower() in set("aeiou") else "a"
    return f"{name} is {article} {kind}, not {wanted}."


def _shape_problem(name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    if not wanted:
        return f"{name} is an array of shape {shape}; a single number is expected."
    sentence = f"{name} has shape {shape}; {wanted} is expected"
    if len(shape) == len(wanted) and shape == wanted[::-1]:
        return f"{sentence}. Is it transposed?"
    if [n for n in shape if n != 1] == [n for n in wanted if n != 1]:
        return f"{sentence}. An axis of length 1 makes the difference."
    if sorted(shape) == sorted(wanted):
        return f"{sentence}. Are its axes in another order?"
    if len(shape) == len(wanted) + 1 and shape[1:] == wanted:
        return f"{sentence}. Is a sum over the first axis missing?"
    return f"{sentence}."


def _finiteness_problem(name: str, array: Array, largest: tuple[float, float], against: str) -> str | None:
    """Return a sentence if not all entries of both arrays are finite; these have the `largest` ones."""
    if not math.isfinite(largest[1]):
        subject = "the numeric gradient" if against == "numeric" else f"the {against} array"
        return f"{name} cannot be judged: {subject} is not finite itself."
    if math.isfinite(largest[0]):
        return None
    counts = {"nan": int(np.isnan(array).sum()), "inf": int(np.isinf(array).sum())}
    found = " and ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    if array.shape == ():
        return f"{name} is {array}; a finite number is expected."
    first = list(_entry(~np.isfinite(array), array.shape))
    return f"{name} has {found} among its {array.size} entries, the first at {first}."


def _relative_error(yours: Floats, expected: Floats, largest: float) -> tuple[float, Floats]:
    """Return the norm-relative error and, up to a common factor, the difference of each entry."""
    # So that no square, sum or difference can overflow.
    unit = largest if largest > LARGE else 1.0
    if unit != 1.0:
        yours, expected = yours / unit, expected / unit
    gap = yours - expected
    size = max(_norm(yours), _norm(expected))
    return _norm(gap) / max(size, FLOOR), gap


def _norm(array: Floats) -> float:
    return math.sqrt(np.vdot(array, array))


def _largest(array: Array) -> float:
    """Return the size of the largest entry, 0 if there is none; it is finite if and only if all of them are."""
    return float(np.maximum.reduce(np.abs(array), axis=None, initial=0.0))


def _entry(array: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index of the first largest entry."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(array)), shape))


@lru_cache(64)
def _name_of(dtype: np.dtype[Any]) -> str:
    """Return the name of a dtype, which numpy puts together anew each time: a quarter of a comparison."""
    return dtype.name


def _is_integer(dtype: str) -> bool:
    return dtype.startswith(("int", "uint"))


def _distinct(first: float, second: float) -> tuple[str, str]:
    """Write two numbers with the same number of digits, enough to see their difference twice over."""
    gap = abs(first - second)
    largest = max(abs(first), abs(second))
    if not gap or not math.isfinite(gap):
        return f"{first:.3e}", f"{second:.3e}"
    if 1e-3 <= largest < 1e6:
        decimals = min(max(3, math.ceil(-math.log10(gap)) + 1), 17)
        return f"{first:.{decimals}f}", f"{second:.{decimals}f}"
    digits = min(max(3, math.ceil(math.log10(largest / gap)) + 1), 16)
    return f"{first:.{digits}e}", f"{second:.{digits}e}"
