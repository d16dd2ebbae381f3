"""The geometry of what is drawn: which bar stands where, which cells have which colour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograder.outcomes import ErrorMap

BINS = 14
"""The most bars of a histogram."""
TICKS = 12
"""The most numbers along one side of an error map."""
POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹"


@dataclass(frozen=True)
class Histogram:
    """Numbers from 0 up in bins of equal width; the last one includes its upper end."""

    width: float
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: Sequence[float], top: float) -> Histogram:
        """Count ``values`` in bins of a round width that reach up to ``top`` and to the largest of them."""
        top = max([top, *values, 1e-9])
        steps = [digit * 10.0**power for power in range(-9, 9) for digit in (1, 2, 5)]
        width = next(step for step in steps if top / step <= BINS)
        bins = max(1, math.ceil(top / width - 1e-9))
        counts = [0] * bins
        for value in values:
            counts[min(int(value / width + 1e-9), bins - 1)] += 1
        return cls(width, tuple(counts))

    @property
    def end(self) -> float:
        """Where the last bin ends."""
        return self.width * len(self.counts)

    def range(self, index: int) -> str:
        """From where to where a bin reaches, in words."""
        return f"{index * self.width:g} to {(index + 1) * self.width:g}"


@dataclass(frozen=True)
class Drawing:
    """An error map as it is drawn: for each level one path of unit squares, and the numbers beside it."""

    rows: int
    columns: int
    paths: dict[str, str]
    row_ticks: tuple[tuple[int, int], ...]
    """Place and index."""
    column_ticks: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, errors: ErrorMap) -> Drawing:
        """Lay it out."""
        paths: dict[str, list[str]] = {}
        for y, row in enumerate(errors.rows):
            for x, level in enumerate(row):
                paths.setdefault(level, []).append(f"M{x} {y}h1v1h-1z")
        rows, columns = len(errors.rows), len(errors.rows[0])
        height, width = (1, *errors.shape)[-2:]
        return cls(
            rows,
            columns,
            {level: "".join(squares) for level, squares in sorted(paths.items())},
            _ticks(height, rows),
            _ticks(width, columns),
        )


def _ticks(length: int, places: int) -> tuple[tuple[int, int], ...]:
    """At most TICKS of the places along an axis, each with the index of the first entry it stands for."""
    block = math.ceil(length / places)
    return tuple((place, place * block) for place in range(0, places, math.ceil(places / TICKS)))


def level_name(level: str) -> str:
    """What a level of an error map means."""
    if level.isdigit():
        return f"10{POWERS[int(level)]} \N{MULTIPLICATION SIGN} limit" if level != "0" else "above the limit"
    return "right" if level == "." else "wrong"


def axes(shape: Sequence[int]) -> str:
    """Which axes of an array its error map shows, in words."""
    if len(shape) == 1:
        return f"the {shape[0]} entries"
    shown = f"rows are axis {len(shape) - 2}, columns axis {len(shape) - 1}"
    others = [str(axis) for axis in range(len(shape) - 2)]
    worst = f"; the worst over axis {' and '.join(others)}" if others else ""
    return shown + worst


def pattern(errors: ErrorMap) -> str:
    """What one sees in an error map, in a sentence."""
    cells = "".join(errors.rows)
    wrong = len(cells) - cells.count(".")
    if wrong == len(cells):
        return "Wrong everywhere."
    columns = ["".join(column) for column in zip(*errors.rows, strict=True)]
    height, width = (1, *errors.shape)[-2:]
    told: list[str] = []
    for name, lines, length in (("row", errors.rows, height), ("column", columns, width)):
        right = [not line.strip(".") for line in lines]
        if any(right) and len(lines) > 1:
            told.append(f"{'' if told else 'Right in '}{_listed(name, right, length)}")
    if told:
        return f"{' and '.join(told)}."
    unit = "entries" if (height, width) == (len(errors.rows), len(columns)) else "blocks"
    return f"{wrong} of {len(cells)} {unit} are wrong."


def _listed(name: str, right: Sequence[bool], length: int) -> str:
    """The lines that are right, by the indices of the entries in them."""
    block = math.ceil(length / len(right))
    runs: list[list[int]] = []
    for index, sound in enumerate(right):
        if sound and runs and runs[-1][1] == index * block - 1:
            runs[-1][1] = min((index + 1) * block, length) - 1
        elif sound:
            runs.append([index * block, min((index + 1) * block, length) - 1])
    ranges = [f"{first}" if first == last else f"{first} to {last}" for first, last in runs]
    if len(ranges) > 4:
        return f"{sum(right)} of {len(right)} {name}s"
    plural = "s" if len(ranges) > 1 or "to" in ranges[0] else ""
    return f"{name}{plural} {', '.join(ranges)}"
