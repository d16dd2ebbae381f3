"""What students get wrong in ``image_generation``, each as a small change of the reference solution."""

from __future__ import annotations

from autograder.judging.misconceptions import Misconception

ONE = "dscores[0, target_y] = 1"
SOFTMAX = "p = np.exp(scores - scores.max()); p = p / p.sum(); "
CLASS_STEP = "X = X + learning_rate * (dX - 2 * l2_reg * X)"
INVERT_STEP = "X = X - learning_rate * (dX + 2 * l2_reg * X)"
MEAN = "np.abs(dX).mean()"
DREAM_STEP = f"X = X + learning_rate * dX / {MEAN}"
BACK, CLIP = "X = jitter(X, -right, -down)", "X = clip(X, model)"
SHIFTS = "rng.integers(-max_jitter, max_jitter + 1, size=2)"
BLUR = "if (t + 1) % blur_every == 0:"


def of_each(
    questions: tuple[str, ...], name: str, explanation: str, hint: str, change: tuple[str, str]
) -> tuple[Misconception, ...]:
    """The same mistake in several questions."""
    return tuple(Misconception(question, name, explanation, hint, change) for question in questions)


CLASS, INVERT, DREAM = "create_class_visualization", "invert_features", "deepdream"

MISCONCEPTIONS = (
    Misconception(
        CLASS,
        "descent instead of ascent",
        "the steps go against the gradient, so that the score falls",
        "In which direction does a score rise?",
        (CLASS_STEP, CLASS_STEP.replace("X + learning", "X - learning")),
    ),
    Misconception(
        CLASS,
        "L2 with the wrong sign",
        "the L2 term pushes the picture away from grey instead of pulling it there",
        "L2 is a charge: does it raise what you maximise?",
        (CLASS_STEP, CLASS_STEP.replace("dX -", "dX +")),
    ),
    Misconception(
        CLASS,
        "L2 forgotten",
        "the step leaves out the L2 term",
        "Count the terms of the step and those of your code.",
        (CLASS_STEP, "X = X + learning_rate * dX"),
    ),
    Misconception(
        CLASS,
        "L2 outside the learning rate",
        "the L2 term is not multiplied by the learning rate",
        "With a learning rate of 0, what should a step do?",
        (CLASS_STEP, "X = X + learning_rate * dX - 2 * l2_reg * X"),
    ),
    Misconception(
        CLASS,
        "L2 without the factor 2",
        "the gradient of l2_reg times the squared norm is taken to be l2_reg X",
        "Differentiate a square.",
        (CLASS_STEP, CLASS_STEP.replace("2 * ", "")),
    ),
    Misconception(
        CLASS,
        "softmax before the gradient",
        "the gradient is that of the probability after a softmax instead of the score",
        "Which number should become large?",
        (ONE, f"{SOFTMAX}dscores = -p * p[0, target_y]; dscores[0, target_y] += p[0, target_y]"),
    ),
    Misconception(
        CLASS,
        "gradient of the loss",
        "the gradient is that of the softmax loss instead of the score",
        "Which number should become large, and does a loss?",
        (ONE, f"{SOFTMAX}dscores = p; dscores[0, target_y] -= 1"),
    ),
    Misconception(
        CLASS,
        "handed back unchanged",
        "the step is computed and never becomes the picture",
        "Which of your names holds the picture after the step?",
        (CLASS_STEP, f"next_{CLASS_STEP}"),
    ),
    *of_each(
        (CLASS, DREAM),
        "jitter not undone",
        "the picture is not moved back after the step",
        "Where is the picture after a step, and where was it before?",
        (BACK, "pass"),
    ),
    *of_each(
        (CLASS, DREAM),
        "no jitter",
        "the picture is always looked at in the same place",
        "How are the two shifts drawn?",
        (SHIFTS, "(0, 0)"),
    ),
    *of_each(
        (CLASS, INVERT, DREAM),
        "not clipped",
        "the numbers leave the range between black and white",
        "What keeps the picture a picture?",
        (CLIP, "pass"),
    ),
    *of_each(
        (CLASS, INVERT, DREAM),
        "never blurred",
        "the picture is never blurred",
        "After which steps does the notebook ask for a blur?",
        (BLUR, "if False:"),
    ),
    *of_each(
        (CLASS, INVERT, DREAM),
        "blurred from the first step on",
        "the picture is blurred after the first step already, before blur_every steps are over",
        "Write down t, and how many steps are over, for the first few turns of your loop.",
        (BLUR, "if t % blur_every == 0:"),
    ),
    *of_each(
        (CLASS, INVERT, DREAM),
        "blurred in every step",
        "the picture is blurred after every step, whatever blur_every says",
        "After which steps does the notebook ask for a blur?",
        (BLUR, "if True:"),
    ),
    Misconception(
        INVERT,
        "ascent instead of descent",
        "the steps go along the gradient, so that the distance grows",
        "Which way does a distance fall?",
        (INVERT_STEP, "X = X + learning_rate * (dX - 2 * l2_reg * X)"),
    ),
    Misconception(
        INVERT,
        "L2 with the wrong sign",
        "the L2 term pushes the picture away from grey instead of pulling it there",
        "Both terms are to become small.",
        (INVERT_STEP, INVERT_STEP.replace("dX +", "dX -")),
    ),
    Misconception(
        INVERT,
        "L2 outside the learning rate",
        "the L2 term is not multiplied by the learning rate",
        "With a learning rate of 0, what should a step do?",
        (INVERT_STEP, "X = X - learning_rate * dX - 2 * l2_reg * X"),
    ),
    Misconception(
        INVERT,
        "target taken for the difference",
        "the wanted features go back into the network instead of their difference to the present ones",
        "What is the upstream gradient once the features are right?",
        ("2 * (feats - target_feats)", "-2 * target_feats"),
    ),
    Misconception(
        INVERT,
        "factor 2 forgotten",
        "the gradient of the squared distance lacks its factor 2",
        "Differentiate a square.",
        ("2 * (feats - target_feats)", "feats - target_feats"),
    ),
    Misconception(
        INVERT,
        "handed back unchanged",
        "the step is computed and never becomes the picture",
        "Which of your names holds the picture after the step?",
        (INVERT_STEP, f"next_{INVERT_STEP}"),
    ),
    Misconception(
        DREAM,
        "constant upstream gradient",
        "ones go back into the network instead of the activation",
        "How strongly should a filter pull that is silent?",
        ("model.backward(feats, cache)", "model.backward(np.ones_like(feats), cache)"),
    ),
    Misconception(
        DREAM,
        "descent instead of ascent",
        "the steps go against the gradient, so that the activation fades",
        "In which direction does the activation grow?",
        (DREAM_STEP, DREAM_STEP.replace("X + learning", "X - learning")),
    ),
    Misconception(
        DREAM,
        "divided by the length",
        "the gradient is divided by its length, so that the steps are shorter the larger the picture is",
        "By how much does a step move a pixel on average, and by how much should it?",
        (MEAN, "np.linalg.norm(dX)"),
    ),
    Misconception(
        DREAM,
        "divided by the largest",
        "the gradient is divided by the largest of its absolute values",
        "By how much does a step move a pixel on average, and by how much should it?",
        (MEAN, "np.abs(dX).max()"),
    ),
    Misconception(
        DREAM,
        "handed back unchanged",
        "the step is computed and never becomes the picture",
        "Which of your names holds the picture after the step?",
        (DREAM_STEP, f"next_{DREAM_STEP}"),
    ),
)
