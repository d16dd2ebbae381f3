"""The hidden suite of ``image_gradients``. A test's docstring is the line that the student reads."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograder.judging.guests import Exhausted
from autograder.judging.judge import question
from autograder.judging.verdicts import Failure, NotJudged
from autograder.suites.visualization.networks import (
    LiftedNetwork,
    SmoothNetwork,
    blame,
    lend,
    must_be_picture,
    numeric_gradient,
)
from coursekit.pretrained import PretrainedCNN
from coursekit.scenes import draw_all, random_scene
from coursekit.templates import TemplateNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

    from autograder.judging.answers import Answers
    from autograder.judging.judge import Judge

STEPS = 100
"""How many steps the notebook allows on the way to a fooling image."""
NEAR = 0.3
"""How far a fooling image may be from its original, relative to its norm: what the notebook states. The reference needs
0.06 typically."""


@cache
def trained() -> PretrainedCNN:
    return PretrainedCNN(Path(__file__).with_name("scenes_cnn.weights.h5"))


def scenes(judge: Judge, N: int) -> np.ndarray:
    """Preprocessed pictures with one object each."""
    return trained().preprocess(draw_all([random_scene(judge.rng, 1) for _ in range(N)]))


# --------------------------------------------------------------------------------------------------- saliency maps


def check_saliency(judge: Judge, X: np.ndarray, y: np.ndarray, model: Any, gradient: np.ndarray) -> None:
    enough = 4 * len(X) + 4  # picture by picture is right too

    def ask(who: Answers) -> Any:
        lent = lend(model, enough)
        found = who.compute_saliency_maps(X, y, lent)
        looked = sum(len(pictures) for pictures in lent.inputs["forward"])
        if looked > enough:
            raise Failure(
                f"For {len(X)} pictures, {looked} are shown to the network.", "What does model.backward give at once?"
            )
        return found

    judge.same("saliency", np.abs(gradient).max(axis=1), ask)


@question("compute_saliency_maps", weight=3)
@pytest.mark.parametrize("sizes", [(3, 5, 7), (1, 7, 3), (5, 4, 4)], ids=str)
def test_saliency(judge: Judge, sizes: tuple[int, int, int]) -> None:
    """The map is the largest absolute value, over the channels, of the gradient of the class's score: sizes {sizes}."""
    N, H, W = sizes
    y = np.resize(judge.rng.permutation(5)[:4], N)  # of several classes, but not of all: no mistake looks like another
    while True:
        model, X = SmoothNetwork(judge.rng), judge.normal(N, 3, H, W)

        def scores_of_y(pictures: np.ndarray, model: SmoothNetwork = model) -> np.ndarray:
            return model.forward(pictures)[0][np.arange(len(pictures)), np.resize(y, len(pictures))]

        gradient = numeric_gradient(scores_of_y, X)
        if (gradient.max(axis=1) < 0).any():  # else it makes no difference when the absolute value is taken
            break
    check_saliency(judge, X, y, model, gradient)


@question("compute_saliency_maps")
def test_saliency_of_the_trained_network(judge: Judge) -> None:
    """The map is right for the trained network too, whichever class is asked for."""
    X, y = scenes(judge, 2).astype(np.float64), judge.rng.integers(64, size=2)
    _, kept = trained().forward(X)
    gradient, _ = trained().backward(np.eye(64)[y], kept)
    check_saliency(judge, X, y, trained(), gradient)


# ------------------------------------------------------------------------------------------------- fooling images


def fool(who: Answers, X: np.ndarray, target: int, model: Any) -> Any:
    # A step asks twice; to look once more at the beginning or at the end is right too.
    return who.make_fooling_image(X, target, lend(model, 2 * STEPS + 10))


def must_fool(judge: Judge, X: np.ndarray, target: int, model: Any) -> np.ndarray:
    """The fooling image. Raises Failure unless the grader's own model takes it for the target."""
    yours = fool(judge.student, X, target, model)
    must_be_picture("X_fooling", yours, X.shape)
    assert isinstance(yours, np.ndarray)
    found = int(model.forward(yours)[0].argmax())
    if found != target:
        sentence = f"The network takes X_fooling for class {found}, not for the target, class {target}."
        hint = "Does the score of the target rise from step to step, and is the picture after the last one returned?"
        blame(judge, sentence, hint, small_task(judge))
    return yours


def small_task(judge: Judge) -> Callable[[Answers], Any]:
    """A task that costs little, for all the known mistakes to be asked, and whose gradient turns from step to step."""
    while True:
        model, X, target = SmoothNetwork(judge.rng), judge.normal(1, 3, 7, 7), int(judge.rng.integers(5))
        fooled = fooled_soon(judge, X, target, model)
        if fooled is not None and np.linalg.norm(fooled - X) > 4:
            return lambda who: fool(who, X, target, model)


def template_task(judge: Judge, H: int, W: int, target: int | None = None) -> tuple[TemplateNetwork, np.ndarray, int]:
    """A network of five templates, a picture of H x W, and a class that it is not taken for, by default any."""
    templates = judge.normal(5, 3, H, W, scale=0.1)
    X = judge.normal(1, 3, H, W)
    seen, other = int(TemplateNetwork(templates).forward(X)[0].argmax()), int(judge.rng.integers(1, 5))
    if target is None:
        return TemplateNetwork(templates), X, (seen + other) % 5
    return LiftedNetwork(np.roll(templates, target + other - seen, axis=0)), X, target


def trained_task(judge: Judge) -> tuple[np.ndarray, int]:
    """A scene and a class that it can be taken for: the reference needs a fifth of the steps and half of the way."""
    while True:
        X = scenes(judge, 1)
        target = int(trained().forward(X)[0][0].argsort()[-judge.rng.integers(2, 10)])
        fooled = fooled_soon(judge, X, target, trained())
        if fooled is not None and np.linalg.norm(fooled - X) <= NEAR / 2 * np.linalg.norm(X):
            return X, target


def fooled_soon(judge: Judge, X: np.ndarray, target: int, model: Any) -> np.ndarray | None:
    """What the reference makes of a picture, if a fifth of the steps is enough."""
    try:
        fooled: np.ndarray = judge.reference.make_fooling_image(X, target, lend(model, 2 * STEPS // 5))
    except Exhausted:
        return None
    return fooled


@question("make_fooling_image", weight=2)
def test_fooling(judge: Judge) -> None:
    """The trained network takes the fooling image for the target."""
    for _ in range(2):
        must_fool(judge, *trained_task(judge), trained())


@question("make_fooling_image", weight=2)
def test_fooling_by_templates(judge: Judge) -> None:
    """Another network is fooled too, with pictures of other sizes, and the first class for a target."""
    for H, W, wanted in ((31, 23, None), (16, 40, 0)):
        model, X, target = template_task(judge, H, W, wanted)
        must_fool(judge, X, target, model)


@question("make_fooling_image", weight=2)
def test_fooling_stays_near(judge: Judge) -> None:
    """The fooling image is close to its original: no further than 0.3 of the original's norm."""
    X, target = trained_task(judge)
    try:
        yours = must_fool(judge, X, target, trained())
    except Failure as failure:
        raise NotJudged(f"X_fooling has to be taken for the target first. {failure.rationale}") from None
    distance = float(np.linalg.norm(yours - X) / np.linalg.norm(X))
    if distance > NEAR:
        sentence = f"The norm of X_fooling - X is {distance:.2f} times the norm of X; {NEAR} is allowed."
        blame(judge, sentence, "How long is one step, and when does the loop end?", small_task(judge))


@question("make_fooling_image")
def test_fooling_leaves_the_original(judge: Judge) -> None:
    """The original picture stays as it is."""
    model, X, target = template_task(judge, 24, 24)
    kept = judge.student.keep(X)
    yours = judge.student.make_fooling_image(kept, target, lend(model, 2 * STEPS + 10))
    must_be_picture("X_fooling", yours, X.shape)
    if not np.array_equal(kept.fetch(), X):
        raise Failure("X is not the same after the call.", "What does X += ... do to the array of the caller?")
    if np.array_equal(yours, X):
        raise NotJudged("X_fooling has to be another picture than X first.")
