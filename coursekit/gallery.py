"""Pictures side by side, with their captions."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from coursekit.images import image_from_url

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS = 4
_WIDTH = 26
_RIGHT, _WRONG = "#1a8f4c", "#d1453b"


def show_captioned(urls: Sequence[str], captions: Sequence[str], right: Sequence[bool] | None = None) -> None:
    """Draw pictures in rows, each with its caption below it.

    Args:
        urls: Where the pictures are.
        captions: A sentence for each.
        right: Whether each sentence is true of its picture: those that are stand in green, the others in red.

    Raises:
        PictureUnavailable: A picture cannot be read.
    """
    import matplotlib.pyplot as plt

    rows = -(-len(urls) // _COLUMNS)
    _, axes = plt.subplots(rows, _COLUMNS, figsize=(2.6 * _COLUMNS, 3 * rows), squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    for number, (ax, url, caption) in enumerate(zip(axes.flat, urls, captions, strict=False)):
        ax.imshow(image_from_url(str(url)))
        color = "black" if right is None else _RIGHT if right[number] else _WRONG
        ax.set_title(textwrap.fill(caption, _WIDTH), y=-0.04, va="top", fontsize=9, color=color)
    plt.show()
