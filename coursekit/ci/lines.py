"""Where in a notebook's file, which is JSON, a line of a cell stands."""

from __future__ import annotations

import json
import json.decoder
import json.scanner
from typing import Any


class _Text(str):
    """A string of the file that knows where it begins."""

    __slots__ = ("place",)
    place: int


class Lines:
    """The lines of a notebook's file. Of what cannot be read as JSON, nothing is known."""

    def __init__(self, data: bytes) -> None:
        self._text = ""
        self._cells: list[Any] = []
        decoder: Any = json.JSONDecoder(strict=False)
        decoder.parse_string = _placed
        decoder.scan_once = json.scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]
        try:
            self._text = data.decode(json.detect_encoding(data))
            content = decoder.decode(self._text)
        except (ValueError, RecursionError):
            return
        cells = content.get("cells") if isinstance(content, dict) else None
        if isinstance(cells, list):
            self._cells = cells

    def of(self, cell: int | None, line: int | None = None) -> int | None:
        """The line of the file, from 1, at which a line of a cell begins; without one, the cell's first.

        Args:
            cell: its number, from 1, of cells of all kinds.
            line: from 1.
        """
        if cell is None or not 1 <= cell <= len(self._cells) or not isinstance(self._cells[cell - 1], dict):
            return None
        source = self._cells[cell - 1].get("source")
        found: _Text | None = None
        passed = 0  # lines of the cell that are complete
        for part in source if isinstance(source, list) else [source]:
            if not isinstance(part, _Text):
                return None
            if found is None or passed < (line or 1):
                found = part
            passed += part.count("\n")
        return None if found is None else self._text.count("\n", 0, found.place) + 1


def _placed(text: str, start: int, strict: bool) -> tuple[str, int]:
    value, end = json.decoder.scanstring(text, start, strict)  # type: ignore[attr-defined]
    placed = _Text(value)
    placed.place = start
    return placed, end
