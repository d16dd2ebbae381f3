"""What students get wrong in ``image_gradients``, each as a small change of the reference solution."""

from __future__ import annotations

from autograder.judging.misconceptions import Misconception

ONE = "dscores[np.arange(len(y)), y] = 1"
SOFTMAX = "p = np.exp(scores - scores.max(axis=1, keepdims=True)); p = p / p.sum(axis=1, keepdims=True); "
MAP = "np.abs(dX).max(axis=1)"

MISCONCEPTIONS = (
    Misconception(
        "compute_saliency_maps",
        "gradient of the loss",
        "the gradient is that of the softmax loss instead of the score",
        "Which number does the equation differentiate?",
        (ONE, f"{SOFTMAX}dscores = p; {ONE.replace('=', '-=')}"),
    ),
    Misconception(
        "compute_saliency_maps",
        "softmax before the gradient",
        "the gradient is that of the probability after a softmax instead of the score",
        "Which number does the equation differentiate?",
        (ONE, f"{SOFTMAX}n = np.arange(len(y)); dscores = -p * p[n, y][:, None]; dscores[n, y] += p[n, y]"),
    ),
    Misconception(
        "compute_saliency_maps",
        "all scores at once",
        "the gradient is that of the sum of all scores instead of one score for each picture",
        "How many ones does a row of the upstream gradient have?",
        (ONE, "dscores[:] = 1"),
    ),
    Misconception(
        "compute_saliency_maps",
        "every class for every picture",
        "each picture has the classes of all pictures in its upstream gradient, not only its own",
        "Print your upstream gradient for two pictures. How many ones does a row have?",
        (ONE, "dscores[:, y] = 1"),
    ),
    Misconception(
        "compute_saliency_maps",
        "the highest score",
        "the gradient is that of the highest score, whichever class is asked for",
        "Which argument does your code never read?",
        (ONE, "dscores[np.arange(len(y)), scores.argmax(axis=1)] = 1"),
    ),
    Misconception(
        "compute_saliency_maps",
        "score as upstream gradient",
        "the score itself goes back into the network instead of a 1",
        "What is the derivative of a number by itself?",
        (ONE, "dscores[np.arange(len(y)), y] = scores[np.arange(len(y)), y]"),
    ),
    Misconception(
        "compute_saliency_maps",
        "all scores as upstream gradient",
        "all scores go back into the network instead of a single 1 for each picture",
        "Of which number do you want the gradient, and what is the derivative of that number by each score?",
        ("model.backward(dscores, cache)", "model.backward(scores, cache)"),
    ),
    Misconception(
        "compute_saliency_maps",
        "divided by the number of pictures",
        "the gradient is divided by the number of pictures",
        "Does the map of one picture depend on how many others there are?",
        (ONE, "dscores[np.arange(len(y)), y] = 1 / len(y)"),
    ),
    Misconception(
        "compute_saliency_maps",
        "signed maximum",
        "the largest value over the channels is taken without the absolute value",
        "A pixel that lowers the score matters as much as one that raises it.",
        (MAP, "dX.max(axis=1)"),
    ),
    Misconception(
        "compute_saliency_maps",
        "absolute value too late",
        "the absolute value is taken after the maximum over the channels instead of before",
        "Let a pixel have the gradient (-5, 1, 2): what should its saliency be?",
        (MAP, "np.abs(dX.max(axis=1))"),
    ),
    Misconception(
        "compute_saliency_maps",
        "no absolute value",
        "the channel with the largest absolute value is found, but its value keeps its sign",
        "Can a saliency be negative?",
        (MAP, "np.take_along_axis(dX, np.abs(dX).argmax(axis=1)[:, None], axis=1)[:, 0]"),
    ),
    Misconception(
        "compute_saliency_maps",
        "mean over channels",
        "the mean over the channels is taken instead of the maximum",
        "Which of the three channels counts?",
        (MAP, "np.abs(dX).mean(axis=1)"),
    ),
    Misconception(
        "compute_saliency_maps",
        "sum over channels",
        "the channels are added up instead of taking their maximum",
        "Which of the three channels counts?",
        (MAP, "np.abs(dX).sum(axis=1)"),
    ),
    Misconception(
        "make_fooling_image",
        "descent instead of ascent",
        "the steps go against the gradient, so that the score of the target falls",
        "In which direction does a score rise?",
        ("X_fooling + learning_rate", "X_fooling - learning_rate"),
    ),
    Misconception(
        "make_fooling_image",
        "handed back unchanged",
        "the original is returned instead of the changed picture",
        "Which of your arrays has the steps in it?",
        ("return X_fooling", "return X"),
    ),
    Misconception(
        "make_fooling_image",
        "difference returned",
        "what is returned is the change alone, not the changed picture",
        "Show what you return. Is it a picture of anything?",
        ("return X_fooling", "return X_fooling - X"),
    ),
    Misconception(
        "make_fooling_image",
        "gradient of the present class",
        "the score that rises is that of the class which the network sees already",
        "At which place of the upstream gradient should the 1 stand?",
        ("dscores[0, target_y] = 1", "dscores[0, scores[0].argmax()] = 1"),
    ),
    Misconception(
        "make_fooling_image",
        "no end at the target",
        "the steps go on after the target has the highest score",
        "What does the loop have to ask before each step?",
        ("            break", "            pass"),
    ),
    Misconception(
        "make_fooling_image",
        "one step only",
        "the picture is handed back after its first step",
        "Count how often your loop is gone through.",
        ("learning_rate * dX / np.linalg.norm(dX)", "learning_rate * dX / np.linalg.norm(dX)\n        break"),
    ),
    Misconception(
        "make_fooling_image",
        "steps not added up",
        "every step starts from the original instead of from the picture that the steps have changed",
        "What should the second step be added to?",
        ("X_fooling + learning_rate", "X + learning_rate"),
    ),
    Misconception(
        "make_fooling_image",
        "network shown the original",
        "the network is asked about the original at every step instead of the changed picture",
        "Which picture should the second step look at?",
        ("model.forward(X_fooling)", "model.forward(X)"),
    ),
)
