"""Where an answer is wrong: the error of each entry, small enough for a report, too coarse to tell a value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.outcomes import ErrorMap
from coursekit.gradcheck import FLOOR, LIMITS

if TYPE_CHECKING:
    from coursekit.gradcheck import Comparison

SIDE = 24
"""The most rows and columns of a map; larger arrays are shown in blocks."""
RIGHT, WRONG = -1, 10
SIGNS = {RIGHT: ".", WRONG: "x"}


def error_map(comparison: Comparison, yours: Any, expected: Any) -> ErrorMap | None:
    """Where the array ``yours`` differs from ``expected``, which ``comparison`` found to be wrong.

    None if there is nothing to show: the type, shape or dtype is wrong, or the array has less than two entries.
    """
    right = np.asarray(expected)
    strange = comparison.problem is not None
    if not isinstance(yours, np.ndarray) or yours.shape != right.shape or right.size < 2:
        return None
    if strange and (yours.dtype.name not in LIMITS or not np.isfinite(right).all()):
        return None
    if np.issubdtype(right.dtype, np.integer):
        levels = np.where(yours != right, WRONG, RIGHT)
    else:
        levels = _decades(yours.astype(np.float64), right.astype(np.float64), comparison.limit)
    grid = _blocks(levels.reshape(-1, *np.atleast_2d(levels).shape[-2:]).max(axis=0))
    rows = tuple("".join(SIGNS.get(level, str(level)) for level in row) for row in grid.tolist())
    return ErrorMap(comparison.name, right.shape, rows)


def _decades(yours: np.ndarray, right: np.ndarray, limit: float) -> np.ndarray:
    """For each entry the power of ten of its error in units of the limit: from 0 to 9, or RIGHT, or WRONG."""
    finite = np.isfinite(yours)
    mine = np.where(finite, yours, right)
    # In units of the largest entry no square and no difference can overflow.
    unit = max(float(np.abs(mine).max()), float(np.abs(right).max()), FLOOR)
    mine, right = mine / unit, right / unit
    size = max(float(np.linalg.norm(mine)), float(np.linalg.norm(right)), FLOOR / unit)
    errors = np.abs(mine - right) * math.sqrt(right.size) / (limit * size)
    powers = np.floor(np.log10(np.maximum(errors, 1.0))).clip(0, 9).astype(int)
    return np.where(finite, np.where(errors >= 1, powers, RIGHT), WRONG)


def _blocks(levels: np.ndarray) -> np.ndarray:
    """At most SIDE rows and columns, each the worst of as many as it stands for."""
    for axis in (0, 1):
        step = math.ceil(levels.shape[axis] / SIDE)
        levels = np.maximum.reduceat(levels, range(0, levels.shape[axis], step), axis=axis)
    return levels
