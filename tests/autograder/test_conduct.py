"""What is said of the way in which an answer comes about, and what it costs."""

from dataclasses import replace
from pathlib import Path

import pytest

from autograder.grading import Submission, grade
from autograder.judging.conduct import changed

STEP = """def rnn_step_backward(dnext_h, cache):
    inputs = cache[:5]
    gradients = []
    for place, value in enumerate(inputs):
        gradient = np.zeros(value.shape)
        for index in np.ndindex(value.shape):
            moved = [each.copy() for each in inputs]
            DIFFERENCE
        gradients.append(gradient)
    return tuple(gradients)
"""
CENTRAL = """moved[place][index] += 1e-5
            up = FORWARD
            moved[place][index] -= 2e-5
            gradient[index] = np.sum(dnext_h * (up - FORWARD)) / 2e-5"""
COMPLEX = """moved = [each.astype(complex) for each in inputs]
            moved[place][index] += 1e-20j
            gradient[index] = np.sum(dnext_h * FORWARD.imag) / 1e-20"""
BY_NAME = "rnn_step_forward(*moved)[0]"
SPELLED_OUT = "np.tanh(moved[0] @ moved[2] + moved[1] @ moved[3] + moved[4])"


def measuring(difference, forward):
    return STEP.replace("DIFFERENCE", difference.replace("FORWARD", forward))


@pytest.fixture
def student(student):
    """One whose step forward keeps all of its inputs."""
    student.change("rnn_step_forward", "(x, prev_h, Wx, Wh, next_h)", "(x, prev_h, Wx, Wh, b, next_h)")
    return student.change(
        "rnn_step_backward", "x, prev_h, Wx, Wh, next_h = cache", "x, prev_h, Wx, Wh, b, next_h = cache"
    )


@pytest.mark.parametrize(
    ("difference", "forward"),
    [(CENTRAL, BY_NAME), (CENTRAL, SPELLED_OUT), (COMPLEX, BY_NAME)],
    ids=["central differences", "differences of a forward pass spelled out", "complex steps"],
)
def test_gradients_that_are_measured_earn_nothing(student, graded, difference, forward):
    grade = graded(student.write("rnn_step_backward", measuring(difference, forward)))
    assert grade.points["rnn_step_backward"] == 0
    assert "rnn_step_backward measures gradients where they are to be derived:" in grade.told("rnn_step_backward")
    assert grade.lost == {"rnn_step_backward"}


HIDDEN = {
    "behind a forward pass that is hardly wrong": ("next_h, cache", "next_h * (1 + 1e-11), cache", "tuple(gradients)"),
    "behind gradients in float32": ("next_h, cache", "next_h, cache", "tuple(g.astype(np.float32) for g in gradients)"),
    "behind a death": ("next_h, cache", "next_h, cache", "tuple(gradients) if new(cache) else os._exit(0)"),
    "behind an endless loop": (
        "next_h, cache",
        "next_h, cache",
        "tuple(gradients) if new(cache) else iter(int, 1) in []",
    ),
    "behind an end of the program": ("next_h, cache", "next_h, cache", "tuple(gradients) if new(cache) else exit()"),
}


@pytest.mark.parametrize(("returned", "instead", "gradients"), HIDDEN.values(), ids=HIDDEN)
def test_gradients_that_are_measured_cannot_be_hidden(student, graded, returned, instead, gradients):
    student.add(
        "import os\nseen = set()\n\n"
        "def new(cache):\n"
        "    known = cache[0].tobytes() in seen\n    seen.add(cache[0].tobytes())\n    return not known",
        at=3,
    )
    student.change("rnn_step_forward", returned, instead)
    source = measuring(CENTRAL, SPELLED_OUT).replace("tuple(gradients)", gradients)
    assert graded(student.write("rnn_step_backward", source)).points["rnn_step_backward"] == 0


def test_a_gradient_that_is_measured_all_entries_at_once_earns_nothing(student, graded):
    """Nothing is done more often than in a derived one: its error alone tells."""
    up, down = (f"np.tanh(x @ Wx + prev_h @ Wh + b {sign} 1e-5 * np.eye(len(b))[:, None])" for sign in "+-")
    all_at_once = f"np.sum(dnext_h * ({up} - {down}), axis=(1, 2)) / 2e-5"
    student.change("rnn_step_backward", "da.sum(axis=0)", all_at_once)
    grade = graded(student)
    assert grade.lost == {"rnn_step_backward"}
    assert "db is as inexact as differences are, and jumps as they do" in grade.told("rnn_step_backward")


@pytest.mark.parametrize("rounded", ["next_h", "dnext_h", "Wx", "Wh"])
def test_what_rounds_to_float32_on_its_way_does_not_measure(student, graded, rounded):
    """Derived gradients are as inexact then as differences are, and jump as they do."""
    cast = f"    {rounded} = {rounded}.astype(np.float32).astype(np.float64)\n"
    if rounded == "next_h":
        student.change("rnn_step_forward", "    cache =", f"{cast}    cache =")
    else:
        student.change("rnn_step_backward", "    da = ", f"{cast}    da = ")
    grade = graded(student)
    assert not grade.lost
    assert "measures" not in grade.told("rnn_step_backward")


MODEL = """        for name, value in self.params.items():
            if name in ("b", "b_proj") and not getattr(self, "busy", False):
                self.busy = True
                for index in np.ndindex(value.shape):
                    old = value[index]
                    value[index] = old + 1e-5
                    up = self.loss(features, captions)[0]
                    value[index] = old - 1e-5
                    grads[name][index] = (up - self.loss(features, captions)[0]) / 2e-5
                    value[index] = old
                self.busy = False
        return loss, grads"""


def test_gradients_of_a_loss_that_are_measured_earn_nothing(student, graded):
    student.change("CaptioningRNN.loss", "        return loss, grads", MODEL)
    grade = graded(student)
    assert grade.points["CaptioningRNN.loss"] == 0
    assert "CaptioningRNN.loss measures gradients" in grade.told("CaptioningRNN.loss")


@pytest.mark.parametrize("dtype", ["np.float64", "np.float32"])
def test_what_a_function_recomputes_or_does_entry_by_entry_is_right(student, graded, dtype):
    student.begin(
        "rnn_step_backward",
        "x, prev_h, Wx, Wh, b, next_h = cache\n"
        "    again, _ = rnn_step_forward(x, prev_h, Wx, Wh, b)\n"
        f"    dx, dprev_h, dWx, dWh, db = (np.zeros(each.shape, {dtype}) for each in (x, prev_h, Wx, Wh, b))\n"
        "    for n in range(x.shape[0]):\n"
        "        for h in range(b.shape[0]):\n"
        "            da = dnext_h[n, h] * (1 - again[n, h]**2)\n"
        "            db[h] += da\n"
        "            for d in range(x.shape[1]):\n"
        "                dx[n, d] += da * Wx[d, h]\n"
        "                dWx[d, h] += da * x[n, d]\n"
        "            for k in range(b.shape[0]):\n"
        "                dprev_h[n, k] += da * Wh[k, h]\n"
        "                dWh[k, h] += da * prev_h[n, k]\n"
        "    return dx, dprev_h, dWx, dWh, db",
    )
    grade = graded(student)
    assert not grade.lost
    assert all("float32" in each for each in grade.questions["rnn_step_backward"].remarks)


def test_bad_manners_are_remarked_and_cost_nothing(student, graded):
    student.change(
        "rnn_step_backward", "    da = dnext_h * (1 - next_h**2)", "    dnext_h *= 1 - next_h**2\n    da = dnext_h"
    )
    student.change(
        "rnn_backward",
        "    dx = [None] * T",
        "    cache = [cache.pop(0) for _ in range(len(cache))]\n    dx = [None] * T",
    )
    student.change("word_embedding_backward", "return dW", "return dW.astype(np.float32)")
    grade = graded(student)
    assert not grade.lost
    remarks = {name: question.remarks for name, question in grade.questions.items() if question.remarks}
    assert remarks.keys() >= {"rnn_step_backward", "rnn_backward", "word_embedding_backward"}
    assert any(
        "rnn_step_backward changes dnext_h, which belongs to the caller; copy it first." in each
        for each in remarks["rnn_step_backward"]
    )
    assert any("rnn_backward uses up its cache: a second call" in each for each in remarks["rnn_backward"])
    assert any("float32" in each for each in remarks["word_embedding_backward"])


def test_some_of_the_arguments_that_are_changed_are_named_and_the_rest_are_counted():
    whole = changed("f", list("abcdef")).sentence
    assert (
        whole == "It works, but f changes a and b and c and d and e and f, which belong to the caller; copy them first."
    )
    assert "e and f and 3 more, which" in changed("f", list("abcdefghi")).sentence


@pytest.mark.parametrize(
    ("name", "counted"),
    [("word_embedding_forward", "out"), ("rnn_step_backward", "dx")],
)
def test_what_depends_on_the_number_of_the_call_earns_nothing(student, graded, name, counted):
    student.add("calls = []", at=3)
    wrong = f"    calls.append(1)\n    {counted} = {counted} + 0.1 * (len(calls) > 20)\n    return"
    source = "".join(student.cell(name)["source"])
    if name == "word_embedding_forward":
        student.change(name, "    return W[x]", "    out = W[x]\n" + wrong + " out")
        student.change(name, "calls) > 20", "calls) > 5")
    else:
        student.write(name, source.replace("    return dx", wrong + " dx"))
        student.change(name, "calls) > 20", "calls) > 10")
    grade = graded(student)
    assert grade.points[name] == 0
    assert "depends on what was called before" in grade.told(name)


def test_a_table_of_the_answers_to_the_visible_check_earns_nothing(student, graded):
    """Hidden inputs are drawn anew; what looks them up finds nothing."""
    student.begin(
        "rnn_step_forward",
        "table = {0.1: np.zeros((2, 3))}\n    return table.get(x[0, 0], np.zeros_like(prev_h)), (x, prev_h, Wx, Wh, b)",
    )
    assert graded(student).points["rnn_step_forward"] == 0


def with_costs(assignment, folder, costs):
    """The assignment, its first suite with costs of its own."""
    first, *others = assignment.notebooks
    text = first.suite.read_text().replace(
        "if TYPE_CHECKING:", f"from autograder.judging.conduct import Habit\n\nCOSTS = {costs}\n\nif TYPE_CHECKING:", 1
    )
    suite = Path(folder) / f"test_{folder.name}.py"  # of one name, the first would be taken again
    suite.write_text(text)
    return replace(assignment, notebooks=(replace(first, suite=suite), *others))


@pytest.mark.parametrize(("cost", "points"), [(0.25, 6.0), (1, 0.0)])
def test_a_suite_says_what_manners_cost(student, captioning, tmp_path, cost, points):
    student.change(
        "rnn_step_backward", "    da = dnext_h * (1 - next_h**2)", "    dnext_h *= 1 - next_h**2\n    da = dnext_h"
    )
    assignment = with_costs(captioning, tmp_path, f"{{Habit.CHANGES_INPUT: {cost}}}")
    result = grade(assignment, Submission("ada", student.files), seed=7)
    found = {question.question: question for question in result.notebooks[0].questions}
    assert found["rnn_step_backward"].points == points
    assert found["rnn_step_backward"].outcome == "failed"
    assert "changes dnext_h" in found["rnn_step_backward"].explanation.rationale
    assert sum(q.max_points - q.points for q in found.values()) == 8 - points


def test_a_suite_says_where_measuring_is_right(student, captioning, tmp_path):
    student.write("rnn_step_backward", measuring(CENTRAL, BY_NAME))
    assignment = with_costs(captioning, tmp_path, "{Habit.MEASURES: 0}")
    result = grade(assignment, Submission("ada", student.files), seed=7)
    found = {question.question: question for question in result.notebooks[0].questions}
    assert found["rnn_step_backward"].points == 8
    assert any("measures gradients" in remark for remark in found["rnn_step_backward"].remarks)
