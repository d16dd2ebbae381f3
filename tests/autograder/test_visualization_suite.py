"""The hidden suites of the visualization notebooks: every wrong answer fails, every right one passes."""

import time

import pytest

from autograder.course import HOME, load_assignment
from autograder.grading import Submission, grade

ASSIGNMENT = load_assignment("visualization", HOME)
HOMES = {name: assigned.name for assigned in ASSIGNMENT.notebooks for name in assigned.names}
KNOWN = [known for assigned in ASSIGNMENT.notebooks for known in assigned.misconceptions]
POINTS = {
    "compute_saliency_maps": 8,
    "make_fooling_image": 10,
    "create_class_visualization": 12,
    "invert_features": 8,
    "deepdream": 8,
}


@pytest.mark.parametrize("known", [pytest.param(known, id=f"{known.question}: {known.name}") for known in KNOWN])
def test_a_known_mistake_fails_its_question_and_is_told_by_its_name(known, student_of, graded):
    grade = graded(student_of(HOMES[known.question]).change(known.question, *known.change))
    assert known.question in grade.lost
    failed = [test for test in grade.questions[known.question].tests if test.outcome == "failed"]
    assert known.name in {test.misconception for test in failed}, grade.told(known.question)


@pytest.mark.parametrize("seed", range(4))
def test_the_reference_earns_everything_within_three_seconds(seed, student_of):
    files = {file: content for name in HOMES.values() for file, content in student_of(name).files.items()}
    started = time.process_time()
    result = grade(ASSIGNMENT, Submission("ada", files), seed=seed)
    assert time.process_time() - started < 3
    points = {each.question: each.points for notebook in result.notebooks for each in notebook.questions}
    assert points == POINTS


@pytest.mark.parametrize("notebook", sorted(set(HOMES.values())))
def test_the_release_earns_nothing_and_says_what_is_not_written(notebook, graded):
    grade = graded((HOME / "assignments" / "visualization" / f"{notebook}.ipynb").read_bytes(), notebook)
    assert set(grade.points.values()) == {0}
    for question in grade.points:
        assert "is not written yet" in grade.told(question)


def test_words_for_student_and_instructor():
    for known in KNOWN:
        assert not known.explanation.endswith(".")
        assert known.hint.endswith((".", "?"))


# ---------------------------------------------------------------------------------------------- wrong in other ways

WRONG = {
    "fooling: a loop that never stops": (
        "make_fooling_image",
        [("for _ in range(100)", "while True"), ("            break", "            pass")],
        "called more than",
    ),
    "fooling: a loop that asks nobody and never stops": (
        "make_fooling_image",
        [("X_fooling = X.copy()", "while True: pass")],
        "did not come to an end",
    ),
    "fooling: the original is changed": (
        "make_fooling_image",
        [
            ("X_fooling = X.copy()", "X_fooling = X"),
            ("X_fooling = X_fooling + learning_rate *", "X_fooling += learning_rate *"),
        ],
        "X is not the same after the call",
    ),
    "fooling: the picture of another size": (
        "make_fooling_image",
        [("return X_fooling", "return X_fooling[0]")],
        "shape",
    ),
    "fooling: one giant leap": ("make_fooling_image", [("learning_rate = 2.0", "learning_rate = 200.0")], "is allowed"),
    "class: a loop that never stops": (
        "create_class_visualization",
        [("for t in tqdm(range(num_iterations), delay=1, leave=False)", "t = 0\n    while True")],
        "called more than",
    ),
    "class: noise": ("create_class_visualization", [("return X", "return rng.standard_normal(X.shape)")], "rises by"),
    "class: nothing returned": ("create_class_visualization", [("    return X", "    return None")], "None"),
    "inversion: not a number": ("invert_features", [("return X", "return X * np.nan")], "nan"),
    "inversion: another layer": ("invert_features", [("end=layer", "end=None")], "raised"),
    "dream: the original is changed": (
        "deepdream",
        [
            ("    X = X.copy()\n", ""),
            ("X = X + learning_rate * dX / np.abs(dX).mean()", "X += learning_rate * dX / np.abs(dX).mean()"),
            ("X = jitter(X, right, down)", "X[:] = jitter(X, right, down)"),
        ],
        "X is not the same after the call",
    ),
    "dream: the squares of the activations go back": (
        "deepdream",
        [("model.backward(feats, cache)", "model.backward(feats**2, cache)")],
        "the first step is wrong",
    ),
}


@pytest.mark.parametrize(("question", "pairs", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_fails_and_is_told_why(question, pairs, words, student_of, graded):
    student = student_of(HOMES[question])
    for old, new in pairs:
        student.change(question, old, new)
    grade = graded(student)
    assert question in grade.lost
    assert words in grade.told(question)


# ------------------------------------------------------------------------------------------------ right in another way

RIGHT = {
    "one picture at a time": (
        "compute_saliency_maps",
        """
def compute_saliency_maps(X, y, model):
    maps = np.zeros((X.shape[0], X.shape[2], X.shape[3]))
    for n in range(len(X)):
        scores, cache = model.forward(X[n : n + 1])
        upstream = [[1.0 if k == y[n] else 0.0 for k in range(scores.shape[1])]]
        dX, _ = model.backward(np.array(upstream), cache)
        maps[n] = np.maximum(dX[0].max(axis=0), -dX[0].min(axis=0))
    return maps
""",
    ),
    "in place on a copy, with a look at the scores at the end": (
        "make_fooling_image",
        """
def make_fooling_image(X, target_y, model):
    X_fooling = np.array(X)
    for i in range(100):
        scores, cache = model.forward(X_fooling)
        if np.argmax(scores, axis=1)[0] == target_y:
            break
        dscores = np.zeros(scores.shape, dtype=scores.dtype)
        dscores[:, target_y] = 1.0
        g = model.backward(dscores, cache)[0]
        X_fooling += 1.5 * g / np.sqrt((g ** 2).sum())
    model.forward(X_fooling)
    return X_fooling
""",
    ),
    "a fresh random start, float64, jitter by np.roll, the range by hand": (
        "create_class_visualization",
        """
def create_class_visualization(target_y, model, **kwargs):
    learning_rate, l2_reg = kwargs.pop("learning_rate", 5.0), kwargs.pop("l2_reg", 3e-3)
    blur_every, max_jitter = kwargs.pop("blur_every", 4), kwargs.pop("max_jitter", 4)
    X = 0.1 * np.random.randn(1, 3, 64, 64)
    low = (-np.array(model.mean) / model.scale).reshape(1, 3, 1, 1)
    high = ((1 - np.array(model.mean)) / model.scale).reshape(1, 3, 1, 1)
    for t in range(kwargs.pop("num_iterations", 200)):
        ox, oy = np.random.randint(-max_jitter, max_jitter + 1, 2)
        X = np.roll(np.roll(X, ox, -1), oy, -2)
        scores, cache = model.forward(X)
        dscores = np.zeros_like(scores)
        dscores[0, target_y] = 1
        dX, _ = model.backward(dscores, cache)
        X += learning_rate * (dX - 2 * l2_reg * X)
        X = np.roll(np.roll(X, -ox, -1), -oy, -2)
        X = np.clip(X, low, high)
        if t % blur_every == 0 and t:
            X = blur(X, sigma=0.6)
    return X
""",
    ),
    "two terms in two steps": (
        "invert_features",
        """
def invert_features(target_feats, layer, model, **kwargs):
    rate, l2_reg = kwargs["learning_rate"], kwargs["l2_reg"]
    X = 0.1 * np.random.default_rng(1).standard_normal((1, 3, 64, 64))
    for t in range(kwargs["num_iterations"]):
        feats, cache = model.forward(X, None, layer)
        g = model.backward(2.0 * feats - 2.0 * target_feats, cache)[0]
        g = g + 2 * X * l2_reg
        X = clip(X - rate * g, model)
        if (t + 1) % kwargs["blur_every"] == 0:
            X = blur(X)
    return X
""",
    ),
    "a step that is not divided by anything": (
        "deepdream",
        """
def deepdream(X, layer, model, **kwargs):
    X = X.copy()
    for t in range(kwargs["num_iterations"]):
        ox, oy = np.random.randint(-kwargs["max_jitter"], kwargs["max_jitter"] + 1, 2)
        X = jitter(X, ox, oy)
        feats, cache = model.forward(X, end=layer)
        dX, _ = model.backward(feats, cache)
        X = X + kwargs["learning_rate"] * dX / np.linalg.norm(dX) * np.sqrt(dX.size)
        X = clip(jitter(X, -ox, -oy), model)
        if (t + 1) % kwargs["blur_every"] == 0:
            X = blur(X)
    return X
""",
    ),
}


@pytest.mark.parametrize(("question", "answer"), RIGHT.values(), ids=RIGHT)
def test_a_right_answer_earns_everything_however_it_is_written(question, answer, student_of, graded):
    grade = graded(student_of(HOMES[question]).write(question, answer))
    assert grade.points[question] == POINTS[question], grade.told(question)
