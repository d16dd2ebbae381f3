"""The smallest case that a student is shown: what it holds, that it is true, and when there is none."""

import contextlib
import io
import re

import numpy as np
import pytest

from autograder.course import HOME
from autograder.grading import Submission, grade
from autograder.sandbox import Box
from coursekit.notebook import read_notebook, slice_for

AGAINST = re.compile(r"# (expected|numeric): ")


def examples(grade):
    """The smallest cases of a grade, by question."""
    return {name: test.example for name, question in grade.questions.items() for test in question.tests if test.example}


def pasted(student, names, lines):
    """What a case prints in the student's own notebook."""
    statements = read_notebook(student.text.encode(), student.notebook).statements
    namespace = {"__name__": "__main__", "__file__": str(HOME / "source" / student.assignment / student.file)}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for statement in slice_for(statements, names):
            exec(statement.source, namespace)
        exec(lines, namespace)
    return printed.getvalue()


def numbers(text):
    """The array or number that a text shows."""
    return np.array([float(each) for each in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text)])


def told(lines, label):
    """What stands behind a label in the comments of a case."""
    comments = [line[2:] for line in lines.splitlines() if line.startswith("# ")]
    begin = next(place for place, line in enumerate(comments) if line.startswith(label))
    rest = [line for line in comments[begin + 1 :] if not line.startswith(("expected:", "numeric:"))]
    return numbers("\n".join([comments[begin].partition(":")[2], *(rest if label == "yours" else [])]))


MISTAKES = {
    "rnn_step_forward": ("rnn_captioning", "+ b)", ")"),
    "rnn_step_backward": ("rnn_captioning", "prev_h.T @ da", "next_h.T @ da"),
    "word_embedding_backward": ("rnn_captioning", "np.add.at(dW, x, dout)", "dW[x] += dout"),
    "CaptioningRNN.loss": ("rnn_captioning", "captions_out, mask)", "captions_in, mask)"),
    "MultiplyGate": ("backprop", "dout * self.y", "dout * self.x"),
    "Affine": ("backprop", "rows.sum(axis=0)", "rows.mean(axis=0)"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_case_pasted_into_the_notebook_shows_what_it_says(student_of, graded, name):
    notebook, old, new = MISTAKES[name]
    student = student_of(notebook).change(name, old, new)
    found = examples(graded(student))
    assert found.keys() == {name}
    lines = found[name]
    yours, expected = told(lines, "yours"), told(lines, AGAINST.search(lines).group(1))
    assert not np.array_equal(yours, expected)
    names = [name.partition(".")[0], *(["rnn_step_forward"] if name.startswith("rnn_step") else [])]
    names += ["word_embedding_forward"] if name.startswith("word") else []
    assert numbers(pasted(student, names, lines)) == pytest.approx(yours, abs=1e-4)


def test_a_case_is_as_small_and_as_simple_as_it_may_be(student, graded):
    student.change("rnn_forward", "x[:, t], prev_h", "x[:, 0], prev_h")
    assert examples(graded(student))["rnn_forward"].splitlines() == [
        "x = np.array([[[0.],",
        "               [1.]]])",
        "h0 = np.array([[0.]])",
        "Wx = np.array([[1.]])",
        "Wh = np.array([[0.]])",
        "b = np.array([0.])",
        "",
        "h, cache = rnn_forward(x, h0, Wx, Wh, b)",
        "print(h)",
        "# yours:    [[[0.],",
        "#             [0.]]]",
        "# expected: [[[0.    ],",
        "#             [0.7616]]]",
    ]


@pytest.mark.parametrize("seed", range(2))
def test_the_numbers_of_hidden_tests_are_not_in_it(student, graded, seed):
    """Drawn anew, with one decimal, even where the mistake does not show in whole numbers."""
    student.change("rnn_step_forward", "x @ Wx", "np.round(x) @ Wx")
    inputs = examples(graded(student, seed=seed))["rnn_step_forward"].partition("print(")[0]
    decimals = re.findall(r"\d\.(\d*)", inputs)
    assert {len(each) for each in decimals} == {0, 1}


def test_what_is_wrong_for_large_sizes_alone_is_shown_at_the_least_of_them(student, graded):
    student.change("rnn_step_backward", "da @ Wh.T", "da @ (Wh.T if len(x) < 4 else Wh)")
    lines = examples(graded(student))["rnn_step_backward"]
    assert "prev_h = np.zeros((4, 2))" in lines


def test_an_exception_is_shown_on_the_least_that_raises_it(student, graded):
    student.begin("rnn_forward", "if x.shape[1] > 2:\n        raise ValueError('too long')")
    lines = examples(graded(student))["rnn_forward"]
    assert "x = np.array([[[0.],\n               [0.],\n               [0.]]])" in lines
    assert lines.splitlines()[-1].startswith("# rnn_forward raised ValueError: too long (cell ")


def test_a_backward_pass_that_is_wrong_after_a_wrong_forward_pass_is_shown_at_little_cost(student, graded, monkeypatch):
    student.change("rnn_step_forward", "+ b)", "+ 2 * b)").change("rnn_step_backward", "x.T @ da", "x.T @ da * 3")
    asked = []
    perform = Box.perform
    monkeypatch.setattr(Box, "perform", lambda box, steps, *more: asked.extend(steps) or perform(box, steps, *more))
    lines = examples(graded(student))["rnn_step_backward"]
    yours, numeric = told(lines, "yours"), told(lines, "numeric")
    assert numeric == pytest.approx(yours / 3, rel=1e-3)
    printed = pasted(student, ["rnn_step_forward", "rnn_step_backward"], lines)
    assert numbers(printed) == pytest.approx(yours, abs=1e-4)
    # To see once that the forward pass shows something takes 183 calls; at each of some 50 smaller cases, thousands.
    assert len(asked) < 1500


def test_a_gate_is_not_shown_at_its_kink(student_of, graded):
    """There the right answer differs from the numeric gradient too."""
    lines = examples(graded(student_of("backprop").change("ReLU", "dout * self.positive", "dout")))["ReLU"]
    assert (numbers(re.search(r"^x = np.array\((.*)\)", lines, re.MULTILINE).group(1)) < 0).all()


@pytest.mark.parametrize(
    "line",
    [
        "raise NotImplementedError",
        "while True: pass",
        "import os; os._exit(0)",
        "return [bytearray(1 << 31) for _ in range(100)]",
    ],
)
def test_of_what_does_not_come_back_there_is_no_case(student, graded, line):
    assert not examples(graded(student.begin("word_embedding_backward", line)))


def test_of_what_is_judged_with_functions_lent_there_is_no_case(student, graded):
    """It would show something else in the student's notebook."""
    student.change("rnn_step_forward", "+ b)", ")")
    student.change("rnn_forward", "x[:, t], prev_h", "x[:, 0], prev_h")
    assert examples(graded(student)).keys() == {"rnn_step_forward"}


def test_what_is_said_is_the_same_for_the_same_seed(student, captioning):
    student.change("rnn_backward", "dh[:, t] + dprev_h", "dh[:, t]")
    first, again = (grade(captioning, Submission("ada", student.files), seed=3).notebooks for _ in range(2))
    assert first == again


def test_a_person_sees_the_case_in_the_terminal_and_in_the_notebook(student, graded):
    from rich.console import Console

    from autograder.gradebook.feedback import LEAD, as_html, as_text
    from autograder.pages.student import student_page
    from autograder.terminal import show_submission

    grade = graded(student.change("rnn_step_forward", "+ b)", ")"))
    console = Console(record=True, width=160, file=io.StringIO())
    show_submission(grade.result, console)
    question = grade.questions["rnn_step_forward"]
    shown = [console.export_text(), as_text(question), as_html(question), student_page("captioning", grade.result)]
    for text in shown:
        assert LEAD in text
        assert "prev_h = np.array([[0.]])" in text
