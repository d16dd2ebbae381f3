#!/usr/bin/env python3
"""Train the network of the course on scenes, and write datasets/scenes_cnn.weights.h5.

It names the main object of a picture by colour and shape, one of 64 classes. Every minibatch is drawn anew, so no
picture is seen twice. Pictures with several objects teach it too: there each of them is a right answer. While it
learns, a second reader looks at a layer near its end, 4 x 4 places of 32 channels, and must say what is at each
place: shape, colour, texture and size, and what the background is. It is thrown away afterwards; what stays are
features that a caption can be written from.
"""

from __future__ import annotations

import os

# The matrices are small: a second thread costs more than it gives. This must be said before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from coursekit.convolution import conv_backward_weights  # noqa: E402  (first make it importable)
from coursekit.layers import affine_backward, affine_forward  # noqa: E402
from coursekit.optim import Adam  # noqa: E402
from coursekit.pretrained import PretrainedCNN  # noqa: E402
from coursekit.scenes import COLOURS, SHAPES, Scene, draw_all, random_scene  # noqa: E402
from coursekit.scenes.world import GROUNDS, KINDS, PAPERS, PIXELS, SIZES, SKIES, TEXTURES  # noqa: E402

CLASSES = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
ARCHITECTURE = [
    *[("conv", 16), ("relu", 0), ("maxpool", 0)],
    *[("conv", 32), ("relu", 0), ("maxpool", 0)],
    *[("conv", 48), ("relu", 0), ("conv", 64), ("relu", 0), ("maxpool", 0)],
    *[("conv", 32), ("relu", 0), ("maxpool", 0)],
    *[("conv", 128), ("relu", 0), ("average", 0), ("affine", len(CLASSES))],
]
# Captions are written from what this layer gives. One more convolution after it can tell which colour goes with which
# shape, where there are several.
FEATURES, AFTER = "maxpool4", "conv6"
PLACES = 4

# What can be said of a place, and of the background.
OBJECT_WORDS = [*SHAPES, *COLOURS, *TEXTURES, *SIZES]
TEXTURE_COLUMNS = slice(OBJECT_WORDS.index(TEXTURES[0]), OBJECT_WORDS.index(TEXTURES[-1]) + 1)
BACK_WORDS = [*KINDS, *PAPERS, *SKIES, *GROUNDS]


def targets(scenes: list[Scene]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what is right: classes (N, 64) that sum to 1, words of places (N, 4, 4, 22), of backgrounds (N, 19)."""
    right = np.zeros((len(scenes), len(CLASSES)), np.float32)
    places = np.zeros((len(scenes), PLACES, PLACES, len(OBJECT_WORDS)), np.float32)
    backs = np.zeros((len(scenes), len(BACK_WORDS)), np.float32)
    for n, scene in enumerate(scenes):
        for thing in scene.things:
            right[n, CLASSES.index(f"{thing.colour} {thing.shape}")] += 1 / len(scene.things)
            row, column = (int(at * PLACES / PIXELS) for at in (thing.y, thing.x))
            for word in (thing.shape, thing.colour, thing.texture, thing.size):
                # "plain" is a texture and a kind of background, but each has its own list.
                places[n, row, column, OBJECT_WORDS.index(word)] = 1
        back = scene.background
        for word in (back.kind, back.first, back.second):
            if word:
                backs[n, BACK_WORDS.index(word)] = 1
    return right, places, backs


def cross_entropy(scores: np.ndarray, right: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the softmax loss of scores (N, C) for a distribution of right answers (N, C), and its gradient."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-(right * log_p).sum() / len(scores)), (np.exp(log_p) - right) / np.float32(len(scores))


def yes_or_no(scores: np.ndarray, right: np.ndarray, weight: float) -> tuple[float, np.ndarray]:
    """Return the logistic loss of scores (N, ...), averaged over N, a yes weighing more, and its gradient."""
    p = 1 / (1 + np.exp(-np.clip(scores, -30, 30)))
    heavy = 1 + (np.float32(weight) - 1) * right
    loss = -(heavy * (right * np.log(p + 1e-9) + (1 - right) * np.log(1 - p + 1e-9))).sum() / len(scores)
    return float(loss), (heavy * (p - right) / np.float32(len(scores))).astype(np.float32)


def minibatch(rng: np.random.Generator, model: PretrainedCNN, size: int) -> tuple[np.ndarray, list[Scene]]:
    """Draw pictures, and disturb them: noise, light, contrast. Return them preprocessed, with their scenes."""
    scenes = [random_scene(rng, 1 if n % 2 else None) for n in range(size)]
    X = model.preprocess(draw_all(scenes))
    X *= rng.uniform(0.85, 1.15, (size, 1, 1, 1)).astype(np.float32)
    X += rng.normal(0, 0.12, (size, 3, 1, 1)).astype(np.float32)
    noise = rng.standard_normal(X.shape, np.float32)
    noise *= (0.25 * rng.random((size, 1, 1, 1)) ** 2).astype(np.float32)
    return X + noise, scenes


def settle(model: PretrainedCNN, X: np.ndarray) -> None:
    """Scale the filters so that each of them gives numbers of mean 0 and spread 1 on these pictures, to begin with."""
    for name in model.layers:
        out, _ = model.forward(X, start=name, end=name)
        if name.startswith("conv"):
            mean, spread = out.mean(axis=(0, 2, 3)), out.std(axis=(0, 2, 3)) + 1e-3
            model.params[f"{name}.W"] /= spread[:, np.newaxis, np.newaxis, np.newaxis]
            model.params[f"{name}.b"] -= mean / spread
            out, _ = model.forward(X, start=name, end=name)
        X = out


def level(model: PretrainedCNN, X: np.ndarray) -> None:
    """Scale the features to a root mean square of 1, and scale what reads them back: the scores stay as they are."""
    features, _ = model.forward(X, end=FEATURES)
    size = np.sqrt(np.mean(features**2))
    for name in ("conv5.W", "conv5.b"):
        model.params[name] /= size
    model.params[f"{AFTER}.W"] *= size


def accuracy(model: PretrainedCNN, seed: int, count: int, things: int | None) -> float:
    """Return how often the best score is that of an object of the picture, on `count` new scenes."""
    scenes = [random_scene(np.random.default_rng([seed, n]), things) for n in range(count)]
    hits = 0
    for at in range(0, count, 50):
        scores, _ = model.forward(model.preprocess(draw_all(scenes[at : at + 50])))
        hits += int(sum(targets(scenes[at : at + 50])[0][np.arange(len(scores)), scores.argmax(axis=1)] > 0))
    return hits / count


def train(steps: int, size: int, rate: float, seed: int) -> PretrainedCNN:
    """Train a network on `steps` minibatches of `size` pictures."""
    rng = np.random.default_rng(seed)
    model = PretrainedCNN.untrained(ARCHITECTURE, CLASSES, [0.5] * 3, [0.25] * 3, rng)
    settle(model, minibatch(rng, model, size)[0])
    channels = len(model.params["conv5.b"])
    reader = {
        "places.W": np.zeros((channels, len(OBJECT_WORDS)), np.float32),
        "places.b": np.full(len(OBJECT_WORDS), -3, np.float32),
        "back.W": np.zeros((channels, len(BACK_WORDS)), np.float32),
        "back.b": np.full(len(BACK_WORDS), -1, np.float32),
    }
    adam = Adam(beta2=0.99)
    bar = tqdm(range(steps), unit="batch", smoothing=0.05)
    shown: dict[str, float] = {}
    for step in bar:
        X, scenes = minibatch(rng, model, size)
        right, places, backs = targets(scenes)
        filtered, first = model.forward(X, end="conv1")
        features, body = model.forward(filtered, start="relu1", end=FEATURES)
        scores, head = model.forward(features, start=AFTER)
        loss, dscores = cross_entropy(scores, right)
        dfeatures, grads = model.backward(dscores, head)

        flat = np.ascontiguousarray(features.transpose(0, 2, 3, 1))
        said, kept = affine_forward(flat.reshape(-1, channels), reader["places.W"], reader["places.b"])
        place_loss, dsaid = yes_or_no(said.reshape(places.shape), places, 4)
        # A class says nothing of textures: this is all the network hears of them, so they weigh more.
        dsaid[..., TEXTURE_COLUMNS] *= 6
        dflat, grads["places.W"], grads["places.b"] = affine_backward(0.05 * dsaid.reshape(said.shape), kept)
        dfeatures += dflat.reshape(flat.shape).transpose(0, 3, 1, 2)

        mean = flat.mean(axis=(1, 2))
        said, kept = affine_forward(mean, reader["back.W"], reader["back.b"])
        back_loss, dsaid = yes_or_no(said, backs, 2)
        dmean, grads["back.W"], grads["back.b"] = affine_backward(0.1 * dsaid, kept)
        dfeatures += dmean[:, :, np.newaxis, np.newaxis] / np.float32(PLACES**2)

        dfiltered, more = model.backward(dfeatures, body)
        # Nobody needs the gradient of the pictures.
        more["conv1.W"], more["conv1.b"] = conv_backward_weights(dfiltered, first.kept[0])
        # The rate rises over the first steps, then falls to zero along a cosine.
        now = rate * min(1, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / steps))
        grads |= more
        adam.step(model.params, grads, now)
        adam.step(reader, grads, now)
        for name, value in {"class": loss, "places": place_loss, "back": back_loss}.items():
            shown[name] = value if step == 0 else shown[name] + 0.03 * (value - shown[name])
        bar.set_postfix({name: f"{value:.2f}" for name, value in shown.items()}, refresh=False)
    level(model, minibatch(rng, model, 100)[0])
    return model


def main() -> None:
    """Train, measure and write the network."""
    parser = argparse.ArgumentParser(description="Train the network of the course on scenes.")
    parser.add_argument("--steps", type=int, default=2000, help="minibatches (default: %(default)s)")
    parser.add_argument("--size", type=int, default=32, help="pictures in a minibatch (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=3e-3, help="of the optimiser (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of weights and pictures (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=HOME / "datasets" / "scenes_cnn.weights.h5", help="the file to write"
    )
    arguments = parser.parse_args()

    start = time.perf_counter()
    model = train(arguments.steps, arguments.size, arguments.rate, arguments.seed)
    seconds = time.perf_counter() - start
    # Pictures that are drawn from another seed than any of training.
    single, several = (accuracy(model, 10**6, 1000, things) for things in (1, None))
    about: dict[str, Any] = {
        "accuracy": single,
        "accuracy_any_object": several,
        "seed": arguments.seed,
        "steps": arguments.steps,
        "pictures": arguments.steps * arguments.size,
        "features": FEATURES,
    }
    model.save(arguments.out, about)
    size = arguments.out.stat().st_size / 1e6
    sys.stdout.write(
        f"trained in {seconds:.0f} s on {about['pictures']} pictures\n"
        f"validation accuracy {single:.1%} with one object, {several:.1%} with one to three (any of them counts)\n"
        f"{arguments.out}: {size:.2f} MB\n"
    )


if __name__ == "__main__":
    main()
