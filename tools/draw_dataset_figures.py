#!/usr/bin/env python3
"""Draw the figures of the datasets' README: scenes with captions, and what the network of the course looks for."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
import textwrap
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from coursekit.pretrained import PretrainedCNN  # noqa: E402  (first make it importable)
from coursekit.scenes import captions, described_scene, draw, draw_all, random_scene  # noqa: E402
from coursekit.scenes.truth import phrases  # noqa: E402


def contact_sheet(path: Path) -> None:
    """Draw twelve scenes of the validation split, each with three of its captions."""
    figure, axes = plt.subplots(3, 4, figsize=(11, 10.2), layout="constrained")
    for number, ax in enumerate(axes.flat):
        scene, sentences = described_scene(0, "val", number + 12)
        ax.imshow(draw(scene), interpolation="nearest")
        ax.set_axis_off()
        text = "\n".join(textwrap.fill(sentence, 42, subsequent_indent="  ") for sentence in sentences[:3])
        ax.set_title(text, y=-0.05, va="top", ha="left", x=0, fontsize=7.5)
    _save(figure, path)


# The kinds of phrases that captions are made of: a colour, and what they are called.
KINDS = {
    "T": ("#7a7a7a", "opening"),
    "N": ("#1f5fb4", "object"),
    "R": ("#b3261e", "relation"),
    "L": ("#8a4b08", "place"),
    "J": ("#6a1b9a", "description"),
    "V": ("#333333", "verb"),
    "G": ("#1a7f37", "background"),
    "H": ("#1a7f37", "background"),
    "A": ("#333333", "verb"),
    "W": ("#333333", "verb"),
}


def grammar(path: Path) -> None:
    """Draw one scene with twelve captions, each phrase in the colour of its kind."""
    scene = described_scene(0, "val", 23)[0]
    sentences = captions(scene, np.random.default_rng(5), 12)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), width_ratios=(1, 2.6), layout="constrained")
    left.imshow(draw(scene), interpolation="nearest")
    right.set(xlim=(0, 100), ylim=(len(sentences) + 1.6, -0.5))
    legend = [(color, name) for name, color in {name: color for color, name in KINDS.values()}.items()]
    for row, parts in enumerate(
        [legend, [], *([(KINDS[kind][0], text) for kind, text in phrases(s)] for s in sentences)]
    ):
        at = 0.0
        for color, text in parts:
            right.text(at, row, text, color=color, fontsize=8.5, family="monospace", va="center")
            at += 0.93 * (len(text) + 1)
    for ax in (left, right):
        ax.set_axis_off()
    _save(figure, path)


def first_filters(model: PretrainedCNN, path: Path) -> None:
    """Draw the filters of the first layer, each with its own contrast."""
    filters = model.params["conv1.W"].transpose(0, 2, 3, 1)
    figure, axes = plt.subplots(2, 8, figsize=(7, 1.9), layout="constrained")
    for ax, each in zip(axes.flat, filters, strict=True):
        ax.imshow(0.5 + 0.5 * each / np.abs(each).max(), interpolation="nearest")
        ax.set_axis_off()
    _save(figure, path)


def activations(model: PretrainedCNN, path: Path) -> None:
    """Draw what some channels give for two pictures, layer after layer, and the best three classes."""
    scenes = [random_scene(np.random.default_rng([3, n]), 1 + n) for n in (0, 1)]
    pictures = draw_all(scenes)
    X = model.preprocess(pictures)
    names = [name for name in model.layers if name.startswith("relu")][:5]
    figure, axes = plt.subplots(4, 6, figsize=(9, 6.4), layout="constrained")
    scores = model.forward(X)[0]
    for column, name in enumerate(names, 1):
        maps = model.forward(X, end=name)[0]
        # The two channels that these pictures excite most unevenly.
        chosen = np.argsort(-maps.std(axis=(0, 2, 3)))[:2]
        for n in range(2):
            for row, channel in enumerate(chosen):
                ax = axes[2 * n + row, column]
                ax.imshow(maps[n, channel], cmap="magma")
                ax.set_title(f"{name}[{channel}]", fontsize=8)
    for n, picture in enumerate(pictures):
        best = np.argsort(-scores[n])[:3]
        axes[2 * n, 0].imshow(picture, interpolation="nearest")
        axes[2 * n + 1, 0].barh(range(3), scores[n, best], color="lightsteelblue")
        for at, each in enumerate(best):
            axes[2 * n + 1, 0].text(0.3, at, model.classes[each], va="center", fontsize=8)
        axes[2 * n + 1, 0].invert_yaxis()
        axes[2 * n + 1, 0].set_title("scores", fontsize=8)
    for ax in axes.flat:
        ax.set_axis_off()
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, dpi=100)
    plt.close(figure)
    sys.stdout.write(f"{path}: {path.stat().st_size / 1e3:.0f} kB\n")


def main() -> None:
    """Draw all figures."""
    parser = argparse.ArgumentParser(description="Draw the figures of the datasets' README.")
    parser.add_argument("--weights", type=Path, default=HOME / "datasets" / "scenes_cnn.weights.h5")
    parser.add_argument("--out", type=Path, default=HOME / "datasets" / "figures", help="the folder to write to")
    arguments = parser.parse_args()
    arguments.out.mkdir(exist_ok=True)
    model = PretrainedCNN(arguments.weights)
    contact_sheet(arguments.out / "scenes.png")
    grammar(arguments.out / "grammar.png")
    first_filters(model, arguments.out / "cnn_filters.png")
    activations(model, arguments.out / "cnn_activations.png")


if __name__ == "__main__":
    main()
