"""The smallest case: what a hidden test found wrong, shrunk to small sizes and simple values that are still wrong.

A student gets it as lines for a cell of their notebook, with what theirs gives and what is expected. The test's own
inputs are not in it: its numbers are drawn anew, with one decimal, before anything else. A case counts if the
student's answer is wrong in the same way as in the test (its values, or an exception of that type) and the reference's
is right: at a kink no numeric gradient is.

Sizes are told from each other by being different, as a suite's are. Axes of one size are taken for one size, and one
that is a small multiple of another goes with it, as the columns of several maps side by side do.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.judging.calling import shown
from autograder.judging.heard import Heard
from autograder.judging.misconceptions import KnownMistakes
from autograder.judging.verdicts import CallFailed, Failure, Verdict
from autograder.sandbox import POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autograder.judging.answers import Answers
    from autograder.judging.cases import Case
    from autograder.judging.judge import Judge, Place

UNKNOWN = KnownMistakes((), (), Path())
MULTIPLE = 8
"""The largest multiple of a size that goes with it."""
DRAWS = 3
"""How often numbers are drawn anew for the same sizes: what is wrong may not show for all of them."""
NUMBERS = 60
"""The most numbers, written one by one, that are worth pasting."""
WRITTEN = 4
"""Arrays of more entries than that are written as np.zeros or np.ones where they are."""
WIDTH = 110


def smallest_case(judge: Judge, failure: Failure) -> str:
    """Lines that show on little what ``judge`` has found wrong with its latest case; nothing if there are none.

    Args:
        judge: the judge of a test that failed.
        failure: how it failed.
    """
    kind = _kind(failure)
    if not judge.cases or not kind:
        return ""
    case = judge.cases[-1]
    if failure.difference is not None:
        case = case.about(failure.difference.name)
    with np.errstate(all="ignore"):
        found = _Search(case, judge, kind, believing=True).run() or _Search(case, judge, kind, believing=False).run()
    return _written(*found) if found else ""


def _kind(failure: Failure) -> str:
    """How something is wrong; a smaller case that is wrong in another way would explain something else.

    Nothing, where a case would show no more than the message does: of a wrong shape, or where nothing comes back.
    """
    if isinstance(failure, CallFailed):
        return failure.raised
    return "values" if failure.difference and failure.difference.well_formed else ""


class _Everywhere(set[Any]):
    """A set that has everything in it."""

    def __contains__(self, _: object) -> bool:
        return True


class _Search:
    """Looks for smaller cases, within a number of tries and a time.

    If it is ``believing``, it takes what the reference derives for right, and measures that in the end alone: at half
    the cost. It may find nothing then, since at a kink that is wrong.
    """

    def __init__(self, case: Case, judge: Judge, kind: str, *, believing: bool) -> None:
        self._judge, self._kind, self._believing = judge, kind, believing
        self._tries = POLICY.smaller_cases
        self._deadline = time.monotonic() + POLICY.smaller_seconds
        self._whole = case
        """The case in its full size."""
        sizes = _sizes_of(case)
        self._sizes = {size: size for size in sizes if size > 1 and _base(size, sizes) == size}
        """What each of its sizes has become."""
        self._best: Case | None = None
        self._failure = Failure("")

    def run(self) -> tuple[Case, Failure] | None:
        """The smallest case found, and how it fails; None if there is none, or if there was no time to find it."""
        if not self._begins():
            return None
        for size in sorted(self._sizes, reverse=True):
            self._shrink(size)
        self._simplify()
        failure = self._shown_by(self._found, believing=False) if self._believing else self._failure
        # What depends on the machine's speed could not be repeated.
        return None if failure is None or time.monotonic() > self._deadline else (self._found, failure)

    def _begins(self) -> bool:
        """Numbers of our own, and all sizes small at once if that will do."""
        original, full = self._whole, dict(self._sizes)
        for largest in (1, 2, 3, max(full, default=0)):
            for _ in range(DRAWS):
                values = {name: self._other(value) for name, value in original.values.items()}
                self._whole = original.of(values, original.options)
                if self._try_sizes({size: min(size, largest) for size in full}):
                    return True
        return False

    def _other(self, value: Any) -> Any:
        """Numbers of the size of those given, but others; whole numbers stay."""
        if not np.issubdtype(np.asarray(value).dtype, np.floating) or np.size(value) == 0:
            return value
        size = float(np.sqrt(np.mean(np.square(value)))) or 1.0
        decimals = max(1, -math.floor(math.log10(size))) if math.isfinite(size) else 1
        drawn = np.round(size * self._judge.rng.standard_normal(np.shape(value)), decimals) + 0.0  # no -0.0
        drawn = np.abs(drawn) if np.all(np.asarray(value) >= 0) else drawn
        return np.asarray(drawn) if isinstance(value, np.ndarray) else float(drawn)

    def _shrink(self, size: int) -> None:
        """One size down to one, or as far as it goes."""
        low, high = 0, self._sizes[size]  # what is known not to do, and to do
        for smaller in (1, 2, 3):
            if low + 1 < high and smaller < high:
                if self._try_sizes({**self._sizes, size: smaller}):
                    return
                low = smaller
        while low + 1 < high:
            middle = (low + high) // 2
            if self._try_sizes({**self._sizes, size: middle}):
                high = middle
            else:
                low = middle

    def _try_sizes(self, sizes: dict[int, int]) -> bool:
        """Cut the whole case; its whole numbers may be places, and then have to be cut too."""
        for limit in (None, *sorted(set(sizes.values()), reverse=True)):
            if self._try(_cut(self._whole, sizes, limit)):
                self._sizes = sizes
                return True
        return False

    def _simplify(self) -> None:
        """Each array to zeros, to ones or to whole numbers, and else its entries one by one."""
        for name in self._found.values:
            for simpler in self._simpler_arrays(name):
                if self._try_value(name, simpler):
                    break
        for name, value in self._found.values.items():
            if np.size(value) == 1:  # that was the array
                continue
            for place in np.ndindex(np.shape(value)):
                entry = np.asarray(self._found.values[name])[place]
                for simple in _simpler(float(entry)):
                    array = np.array(self._found.values[name])
                    array[place] = simple
                    if self._try_value(name, array if isinstance(value, np.ndarray) else array.item()):
                        break

    def _simpler_arrays(self, name: str) -> Iterator[Any]:
        value = self._found.values[name]
        array = np.asarray(value)
        floating = np.issubdtype(array.dtype, np.floating)
        for simpler in (0 * array, 0 * array + 1, np.rint(array)) if floating else (0 * array,):
            if not np.array_equal(simpler, array):
                yield np.asarray(simpler) if isinstance(value, np.ndarray) else simpler.item()

    def _try_value(self, name: str, value: Any) -> bool:
        return self._try(self._found.of({**self._found.values, name: value}, self._found.options))

    @property
    def _found(self) -> Case:
        assert self._best is not None
        return self._best

    def _try(self, case: Case) -> bool:
        """Take a case for the best one if the student is wrong on it in that way, and the reference right."""
        self._tries -= 1
        if self._tries < 0 or time.monotonic() > self._deadline:
            return False
        failure = self._shown_by(case, believing=self._believing)
        if failure is None:
            return False
        self._best, self._failure = case, failure
        return True

    def _shown_by(self, case: Case, *, believing: bool) -> Failure | None:
        """How the student is wrong on a case, if it is in that way, and if the reference is right."""
        measured: set[Place] = _Everywhere() if believing else set()
        failure = self._asked(case, self._judge.student, measured)
        if not isinstance(failure, Failure) or _kind(failure) != self._kind:
            return None
        if not believing and self._asked(case, self._judge.reference, measured) is not None:
            return None
        return failure

    def _asked(self, case: Case, who: Answers, measured: set[Place]) -> Exception | None:
        """What is wrong with somebody's answer."""
        fresh: dict[str, Any] = {"cases": [], "remarks": [], "pairs": set(), "measured": measured, "heard": Heard()}
        judge = replace(self._judge, student=who, mistakes=UNKNOWN, of_one_piece=True, **fresh)
        try:
            case.ask(judge)
        except (Verdict, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            return error  # of the reference's too, where sizes do not fit together
        return None


def _sizes_of(case: Case) -> set[int]:
    return {size for value in case.values.values() for size in np.shape(value)}


def _base(size: int, sizes: set[int]) -> int:
    """The size that one goes with: itself, or the largest that it is a small multiple of."""
    divisors = [other for other in sizes if 1 < other < size and size % other == 0 and size // other <= MULTIPLE]
    return _base(max(divisors), sizes) if divisors else size


def _cut(case: Case, sizes: dict[int, int], limit: int | None) -> Case:
    """The case with other sizes, and options that are sizes; with a ``limit``, whole numbers are below that."""
    every = _sizes_of(case)
    new = {size: size // _base(size, every) * sizes[_base(size, every)] for size in every if size > 1}

    def cut(value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        part = np.array(value[tuple(slice(new.get(length, length)) for length in value.shape)])
        return np.minimum(part, limit - 1) if limit and np.issubdtype(part.dtype, np.integer) else part

    def option(value: Any) -> Any:
        if isinstance(value, dict) and len(value) in new:
            return dict(list(value.items())[: new[len(value)]])
        return new.get(value, value) if type(value) is int else value

    values = {name: cut(value) for name, value in case.values.items()}
    return case.of(values, {name: option(value) for name, value in case.options.items()})


def _simpler(value: float) -> Iterator[float]:
    """Simpler numbers, the simplest first."""
    for simple in (0.0, 1.0, float(np.rint(value))):
        if value in (0.0, simple):
            return
        yield simple


# ------------------------------------------------------------------------------------------------------- writing


def _written(case: Case, failure: Failure) -> str:
    """The lines; nothing if there are too many numbers."""
    if sum(np.size(value) for value in case.values.values() if not _is_plain(value)) > NUMBERS:
        return ""
    lines = case.code(_literal)
    difference = failure.difference
    if difference is None:
        return "\n".join([*lines, *_remark(failure.rationale)])
    lines.append(f"print({case.expression(difference.name)})")
    width = max(len("yours"), len(difference.against)) + 2
    for digits in (4, 8, 17):  # as many as it takes to see that they differ
        both = [_rounded(value, digits) for value in (shown(difference.yours), difference.expected)]
        if not np.array_equal(both[0], both[1]):
            break
    for label, value in zip(("yours:", f"{difference.against}:"), both, strict=True):
        lines += _remark(f"{label:{width}}{_text(value, width, digits)}")
    return "\n".join(lines)


def _literal(value: Any, indent: int) -> str:
    """A value as one writes it after so many characters."""
    if not np.ndim(value):
        return repr(value.item() if isinstance(value, (np.ndarray, np.generic)) else value)
    if _is_plain(value):
        return f"np.{'ones' if np.all(value) else 'zeros'}({value.shape})"
    array = np.where(value == 0, 0, value)  # no -0.0
    return f"np.array({_text(array, indent + len('np.array('))})"


def _is_plain(value: Any) -> bool:
    """Whether a value is an array that is written without its numbers: all zeros, or all ones."""
    if not isinstance(value, np.ndarray) or value.size <= WRITTEN or not np.issubdtype(value.dtype, np.floating):
        return False
    return bool(np.all(value == 0) or np.all(value == 1))


def _text(array: np.ndarray, indent: int, digits: int = 17) -> str:
    """An array as text that begins after so many characters of its first line, without empty lines."""
    text = np.array2string(
        array, separator=", ", precision=digits, suppress_small=True, max_line_width=WIDTH, prefix=" " * indent
    )
    return "\n".join(line for line in text.splitlines() if line.strip())


def _rounded(value: Any, digits: int) -> np.ndarray:
    array = np.asarray(value)
    return np.round(array, digits) + 0 if np.issubdtype(array.dtype, np.floating) else array  # no -0.0


def _remark(text: str) -> list[str]:
    """Text as comments."""
    return [f"# {line}" for line in text.splitlines()]
