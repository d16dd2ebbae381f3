"""The hidden suite of the LSTM notebook: right answers earn everything, however they are written."""

import pytest

POINTS = {
    "lstm_step_forward": 3,
    "lstm_step_backward": 6,
    "lstm_forward": 2,
    "lstm_backward": 4,
    "CaptioningRNN.loss": 3,
    "CaptioningRNN.sample": 2,
}


@pytest.fixture
def student(student_of):
    return student_of("lstm_captioning")


def test_the_reference_earns_all_extra_credit(student, graded):
    grade = graded(student)
    assert grade.points == POINTS
    assert grade.notebook.status == "graded"
    assert all(question.extra_credit for question in grade.questions.values())
    assert all(question.judged_with == "own" for question in grade.questions.values())
    assert grade.result.score == grade.result.max_score + 20


def test_the_report_says_which_functions_were_lent(student, graded):
    grade = graded(student.change("lstm_step_forward", "np.tanh(a_g)", "a_g"))
    judged = {name: question.judged_with for name, question in grade.questions.items()}
    assert judged == {
        "lstm_step_forward": "own",
        "lstm_step_backward": "follow-through",
        "lstm_forward": "reference: lstm_step_forward",
        "lstm_backward": "follow-through",
        "CaptioningRNN.loss": "reference: lstm_forward, lstm_backward",
        "CaptioningRNN.sample": "reference: lstm_step_forward",
    }


def test_a_mistake_of_ones_own_is_followed_through_in_both_outputs(student, graded):
    student.change("lstm_step_forward", "f * prev_c + i * g", "f * prev_c + 2 * i * g")
    student.change("lstm_step_backward", "dc * g * i", "2 * dc * g * i")
    student.change("lstm_step_backward", "dc * i *", "2 * dc * i *")
    grade = graded(student)
    assert grade.lost == {"lstm_step_forward"}
    assert grade.questions["lstm_step_backward"].judged_with == "follow-through"


def test_words_of_the_first_notebook_that_are_wrong_cost_nothing_here(student, graded, student_of):
    first = student_of("rnn_captioning").change("word_embedding_backward", "np.add.at(dW, x, dout)", "dW[x] += dout")
    student.beside[first.file] = first.text.encode()
    assert not graded(student).lost


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ({}, "cannot be read in /tmp (No such file or directory)"),
        ({"rnn_captioning.ipynb": b"{"}, "cannot be read in /tmp (No such file or directory)"),
        ({"rnn_captioning.ipynb": b'{"cells": []}'}, "rnn_captioning.ipynb does not define word_embedding_forward"),
    ],
    ids=["missing", "cut off", "empty"],
)
def test_without_the_first_notebook_its_functions_are_lent_and_that_is_reported(student, graded, first, told):
    student.beside = first
    grade = graded(student)
    assert not grade.lost
    lent = "reference: word_embedding_forward, word_embedding_backward"
    assert grade.questions["CaptioningRNN.loss"].judged_with == lent
    assert grade.questions["lstm_backward"].judged_with == "own"
    assert any(told in problem for problem in grade.notebook.problems)
    [other] = [notebook for notebook in grade.result.notebooks if notebook.notebook == "rnn_captioning"]
    assert not any(question.points for question in other.questions)


def test_a_first_notebook_that_never_ends_does_not_keep_the_second_from_being_graded(student, graded, student_of):
    first = student_of("rnn_captioning").begin("word_embedding_forward", "while True: pass")
    student.beside[first.file] = first.text.encode()
    assert not graded(student).lost


def test_all_but_what_the_first_notebook_is_for_can_be_handed_in_without_the_second(graded, student):
    """The whole second notebook is extra credit: who leaves it out has handed in everything."""
    grade = graded(student.beside["rnn_captioning.ipynb"], "rnn_captioning")
    assert (grade.result.status, grade.result.score, grade.result.max_score) == ("graded", 46, 46)


@pytest.mark.parametrize("seed", [1, 2])
def test_gates_in_another_order_throughout_cost_the_forward_step_alone(student, graded, seed):
    student.change("lstm_step_forward", "a_i, a_f, a_o, a_g = np", "a_i, a_f, a_g, a_o = np")
    student.change("lstm_step_backward", "[da_i, da_f, da_o, da_g]", "[da_i, da_f, da_g, da_o]")
    grade = graded(student, seed=seed)
    assert grade.lost == {"lstm_step_forward"}
    assert grade.questions["lstm_step_backward"].judged_with == "follow-through"
