#!/usr/bin/env python3
"""Train the network that reads off features what captions speak of, and write datasets/scenes_reader.weights.h5.

Its pictures are drawn from a seed of their own: those of the data set are new to it.
"""

from __future__ import annotations

import os

# The matrices are small: a second thread costs more than it gives. This must be said before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from coursekit.layers import affine_backward  # noqa: E402  (first make it importable)
from coursekit.optim import Adam  # noqa: E402
from coursekit.pretrained import PretrainedCNN  # noqa: E402
from coursekit.scenes import COLOURS, SHAPES, SIZES, TEXTURES, draw_all, random_scene  # noqa: E402
from coursekit.scenes.reader import OBJECT_WORDS, OBJECTS, QUESTIONS, SceneReader, right_answers  # noqa: E402

HIDDEN, BATCH, RATE = 256, 100, 2e-3
TOGETHER = 100


def drawn(reader: SceneReader, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the features (N, D) of new pictures, and the right answers (N, 85)."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in tqdm(range(0, count, TOGETHER), desc="drawing", unit="batch"):
        scenes = [random_scene(rng) for _ in range(TOGETHER)]
        parts.append((reader.features(draw_all(scenes)), right_answers(scenes)))
    features, answers = (np.concatenate(part) for part in zip(*parts, strict=True))
    return features, answers


def train(reader: SceneReader, features: np.ndarray, answers: np.ndarray, epochs: int, seed: int) -> None:
    """Train on minibatches, with the logistic loss; the rate falls to zero along a cosine."""
    rng = np.random.default_rng(seed)
    steps = epochs * (len(features) // BATCH)
    adam = Adam(beta2=0.99)
    for step in tqdm(range(steps), desc="training", unit="step"):
        if step % (len(features) // BATCH) == 0:
            order = rng.permutation(len(features))
        at = step % (len(features) // BATCH) * BATCH
        rows = order[at : at + BATCH]
        X, right = features[rows], answers[rows]
        hidden, scores = reader.forward(X)
        dscores = ((1 + np.tanh(scores / 2)) / 2 - right) / np.float32(BATCH)
        dhidden, dW2, db2 = affine_backward(dscores, (hidden, reader.params["W2"]))
        _, dW1, db1 = affine_backward(dhidden * (hidden > 0), (X, reader.params["W1"]))
        rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
        adam.step(reader.params, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}, rate)


def accuracies(reader: SceneReader, features: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    """Return how often the surest answer for an object is right, over all objects that there are."""
    _, scores = reader.forward(features)
    words = OBJECTS * len(OBJECT_WORDS)
    said, right = (part[:, :words].reshape(-1, len(OBJECT_WORDS)) for part in (scores, answers))
    there = right.any(axis=1)
    found, at = {}, 0
    for kind, names in {"shape": SHAPES, "colour": COLOURS, "texture": TEXTURES, "size": SIZES}.items():
        part = slice(at, at + len(names))
        found[kind] = float(np.mean(said[there, part].argmax(axis=1) == right[there, part].argmax(axis=1)))
        at += len(names)
    return found


def main() -> None:
    """Train, measure and write the network."""
    parser = argparse.ArgumentParser(description="Train the network that reads off what captions speak of.")
    parser.add_argument("--pictures", type=int, default=30_000, help="to train on (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=15, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of weights and pictures (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=HOME / "datasets" / "scenes_reader.weights.h5", help="the file to write"
    )
    arguments = parser.parse_args()
    start = time.perf_counter()
    rng = np.random.default_rng(arguments.seed)
    cnn = PretrainedCNN(HOME / "datasets" / "scenes_cnn.weights.h5")
    reader = SceneReader(cnn, {})
    features, answers = drawn(reader, 10**6 + arguments.seed, arguments.pictures)
    size = features.shape[1]
    reader.params = {
        "W1": (rng.standard_normal((size, HIDDEN)) * np.sqrt(2 / size)).astype(np.float32),
        "b1": np.zeros(HIDDEN, np.float32),
        "W2": (rng.standard_normal((HIDDEN, QUESTIONS)) / 100).astype(np.float32),
        "b2": np.full(QUESTIONS, -2, np.float32),
    }
    train(reader, features, answers, arguments.epochs, arguments.seed)
    seconds = time.perf_counter() - start
    measured = accuracies(reader, *drawn(reader, 2 * 10**6, 1000))
    reader.save(arguments.out, {**measured, "pictures": arguments.pictures, "epochs": arguments.epochs})
    told = ", ".join(f"{kind} {share:.1%}" for kind, share in measured.items())
    sys.stdout.write(f"trained in {seconds:.0f} s on {arguments.pictures} pictures\n{told} of the objects are right\n")


if __name__ == "__main__":
    main()
