"""The hidden suites of the visualization notebooks: every wrong answer fails, every right one passes."""

import re
import time

import numpy as np
import pytest

from autograder.course import HOME, load_assignment
from autograder.grading import Submission, grade
from autograder.judging.answers import Reference
from autograder.judging.judge import Judge
from autograder.judging.misconceptions import with_mistake
from autograder.judging.verdicts import Failure

ASSIGNMENT = load_assignment("visualization", HOME)
HOMES = {name: assigned.name for assigned in ASSIGNMENT.notebooks for name in assigned.names}
POINTS = {
    "compute_saliency_maps": 8,
    "make_fooling_image": 10,
    "create_class_visualization": 12,
    "invert_features": 8,
    "deepdream": 8,
}


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


@pytest.mark.parametrize("question", ["create_class_visualization", "invert_features", "deepdream"])
def test_a_loop_is_given_no_option_that_its_docstring_does_not_name(question, student_of, graded):
    student = student_of("image_generation")
    options = re.findall(r"^        (\w+): ", "".join(student.cell(question)["source"]), re.MULTILINE)
    student.begin(question, f"assert kwargs.keys() <= set({options}), kwargs")
    assert not graded(student).lost


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


LOOKS_LIKE_ANOTHER = {
    "a learning rate of its own": ("create_class_visualization", "X + learning_rate *", "X + 5.0 *"),
    "the target with a factor": ("invert_features", "2 * (feats - target_feats)", "2 * target_feats"),
}


@pytest.mark.parametrize(("question", "old", "new"), LOOKS_LIKE_ANOTHER.values(), ids=LOOKS_LIKE_ANOTHER)
def test_no_mistake_is_named_where_pictures_end_at_black_and_white(question, old, new, student_of, graded):
    grade = graded(student_of(HOMES[question]).change(question, old, new), seed=3)
    assert question in grade.lost
    assert {test.misconception for test in grade.questions[question].tests} == {""}


NAMED = {
    "a dream that fades": (
        "deepdream",
        "X + learning_rate * dX / np.abs(dX).mean()",
        "X - learning_rate * dX / np.mean(np.abs(dX))",
        "descent instead of ascent",
    ),
    "a late absolute value": (
        "compute_saliency_maps",
        "np.abs(dX).max(axis=1)",
        "np.abs(dX.max(axis=1))",
        "absolute value too late",
    ),
    "the first blur after the first step": (
        "create_class_visualization",
        "(t + 1) % blur_every",
        "t % blur_every",
        "blurred from the first step on",
    ),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("question", "old", "new", "name"), NAMED.values(), ids=NAMED)
def test_a_mistake_has_one_name_in_all_tests(question, old, new, name, seed, student_of, graded):
    grade = graded(student_of(HOMES[question]).change(question, old, new), seed=seed)
    assert {test.misconception for test in grade.questions[question].tests if test.rationale} == {name}


@pytest.mark.parametrize("seed", range(30))
def test_a_saliency_map_of_any_size_shows_when_the_absolute_value_is_taken(seed, load_suite):
    [assigned] = (each for each in ASSIGNMENT.notebooks if each.name == "image_gradients")
    suite = load_suite(assigned)
    known = next(known for known in assigned.misconceptions if known.name == "absolute value too late")
    wrong = Reference(with_mistake(assigned.solution, known), assigned.path)
    judge = Judge(known.question, wrong, assigned.reference, np.random.default_rng(seed), assigned.mistakes)
    with pytest.raises(Failure) as failure:
        suite.test_saliency(judge, (1, 7, 3))
    assert failure.value.misconception == known.name


def test_a_right_picture_has_no_remarks_about_the_dtype_of_the_noise_that_is_given(student_of, graded):
    grade = graded(student_of("image_generation"))
    assert not any(test.remark for question in grade.questions.values() for test in question.tests)


@pytest.mark.parametrize("length", ["np.linalg.norm(dX)", "(3 * np.abs(dX).max())"])
def test_steps_of_the_wrong_length_are_not_told_that_their_direction_is_wrong(length, student_of, graded):
    grade = graded(student_of("image_generation").change("deepdream", "np.abs(dX).mean()", length))
    assert "deepdream" in grade.lost
    assert "direction" not in grade.told("deepdream")
