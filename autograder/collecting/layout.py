"""What of an upload goes where in a submission: notebooks to the top, under the names that were given out."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autograder.collecting.archive import Left, entries, opened
from autograder.collecting.platforms import Piece
from autograder.submissions import MAX_FILES, MAX_SUBMISSION
from coursekit.notebook import MAX_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autograder.collecting.archive import Entry
    from autograder.collecting.platforms import Upload

TIMESTAMP = "timestamp.txt"
"""Beside a submission: when it was handed in, where nbgrader looks for it."""
ORIGIN = ".collected.json"
"""Beside a submission: the platform it came from, whose it is there, and the number of its latest file."""
KEPT_NAMES = {TIMESTAMP, ORIGIN}
"""What is written by us, and must not come from the student."""
COPY = re.compile(r"(?:[-_]\d+| ?\(\d+\)| - copy(?: ?\(\d+\))?| copy(?: \d+)?)$")
"""What Canvas, browsers and desktops add to the name of a file that is there already."""


@dataclass(frozen=True)
class Laid:
    """The files of one submission by their paths in it."""

    files: Mapping[str, bytes]
    left: Sequence[Left]
    order: int
    """The latest of what was taken, in the order of the platform."""


def lay_out(upload: Upload, notebooks: Sequence[str]) -> Laid:
    """Choose the files of a submission and read them.

    Args:
        upload: what was handed in.
        notebooks: the names of the notebooks that were asked for.
    """
    left: list[Left] = []
    budget = _Budget(MAX_SUBMISSION)
    candidates: dict[str, list[tuple[str, Piece]]] = defaultdict(list)
    for piece in _unpacked(upload.pieces, budget, left):
        target = _target(piece, notebooks)
        if target.casefold().split("/")[0] in KEPT_NAMES:  # a folder of that name would be in the way, too
            left.append(Left(piece.entry.path, "a file of this name is written by the course itself"))
        else:
            candidates[target.casefold()].append((target, piece))
    files: dict[str, bytes] = {}
    order = 0
    for _, rivals in sorted(candidates.items()):
        target, chosen = max(rivals, key=lambda rival: _precedence(*rival, dated=upload.dated))
        left += [
            Left(piece.entry.path, f"{chosen.entry.path} is taken in its place")
            for _, piece in rivals
            if piece is not chosen
        ]
        reason = _no_place_for(target, files)
        data = reason or budget.read(chosen.entry)
        if isinstance(data, str):
            left.append(Left(chosen.entry.path, data))
        else:
            files[target] = data
            order = max(order, chosen.order)
    return Laid(files, left, order)


class _Budget:
    """What may still be unpacked of a submission. What turns out to be damaged counts, too."""

    def __init__(self, room: int) -> None:
        self._room = room

    def read(self, entry: Entry) -> bytes | str:
        """The bytes of a file, or the reason why they are not taken."""
        if min(entry.size, MAX_FILE) > self._room:
            return f"with it, the submission has more than {MAX_SUBMISSION / 2**20:.0f} MiB"
        data = entry.read(MAX_FILE)
        self._room -= min(entry.size, MAX_FILE)
        return data


def _unpacked(pieces: Sequence[Piece], budget: _Budget, left: list[Left]) -> Iterator[Piece]:
    """The files as they were handed in, and those of a zip that was; without folders that hold all of them."""
    loose: list[Piece] = []
    for piece in pieces:
        if not piece.parts[-1].casefold().endswith(".zip"):
            loose.append(piece)
            continue
        data = budget.read(piece.entry)
        archive = data if isinstance(data, str) else opened(data)
        if isinstance(archive, str):
            left.append(Left(piece.entry.path, archive))
            continue
        inside: list[Piece] = []
        for each in entries(archive, piece.entry.parts, MAX_FILES):
            if isinstance(each, Left):
                left.append(each)
            elif each.parts[-1].casefold().endswith(".zip"):
                left.append(Left(each.path, "it is a zip in a zip; what is in it has to be handed in itself"))
            else:
                inside.append(Piece(each.parts[len(piece.entry.parts) :], piece.order, each))
        yield from _without_common_folder(inside)
    yield from _without_common_folder(loose)


def _without_common_folder(pieces: Sequence[Piece]) -> list[Piece]:
    found = list(pieces)
    while found and all(len(each.parts) > 1 for each in found) and len({each.parts[0] for each in found}) == 1:
        found = [replace(each, parts=each.parts[1:]) for each in found]
    return found


def _target(piece: Piece, notebooks: Sequence[str]) -> str:
    """Where a file goes. What is no notebook stays in its folder."""
    stem, dot, ending = piece.parts[-1].rpartition(".")
    if dot + ending.casefold() != ".ipynb":
        return "/".join(piece.parts)
    asked = {name.casefold(): name for name in notebooks}
    for known in (stem.casefold(), COPY.sub("", stem.casefold())):
        if known in asked:
            return f"{asked[known]}.ipynb"
    return piece.parts[-1]


def _precedence(target: str, piece: Piece, *, dated: bool) -> tuple[int, ...]:
    """Of several files for one place, the one with the highest is taken: the latest, if the platform tells that."""
    depth, exact = -len(piece.parts), int(piece.parts[-1] == target.rpartition("/")[2])
    return (piece.order, depth, exact) if dated else (depth, exact, piece.order)


def _no_place_for(target: str, files: Mapping[str, bytes]) -> str:
    above = target.split("/")[:-1]
    if len(files) >= MAX_FILES:
        return f"the submission has more than {MAX_FILES:,} files"
    if any(
        "/".join(above[:count]).casefold() in {name.casefold() for name in files} for count in range(1, len(above) + 1)
    ):
        return "a file has the name of the folder that it lies in"
    return ""
