"""Grading again after something has changed: only what is affected, and nothing written before it is seen."""

import shutil

import pytest

from autograder import course as course_module
from autograder.grading import not_graded
from autograder.results import Results

RNN = "rnn_captioning.ipynb"
STRICTER = """

@question("rnn_step_backward", weight=6)
def test_once_more(judge: Judge) -> None:
    '''dWh is right.'''
    judge.gradients(STEP, step_inputs(judge), names=["dWh"])
"""


@pytest.fixture
def suites(tmp_path, monkeypatch):
    """The hidden suites, to be changed."""
    folder = tmp_path / "suites"
    shutil.copytree(course_module.SUITES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(course_module, "SUITES", folder)
    return folder / "captioning"


@pytest.fixture
def a_class(course, student_of):
    """Two students, one of whom has a mistake; graded."""
    wrong = student_of("rnn_captioning").change("rnn_step_backward", "prev_h.T", "next_h.T")
    course.hand_in("right", {RNN: student_of("rnn_captioning").text})
    course.hand_in("wrong", {RNN: wrong.text})
    course.autograder("grade", "captioning")
    return course


def scores(course):
    """As the gradebook and as the results have them, which is the same."""
    with course.gradebook() as book:
        known = {entry.student.id: entry.score for entry in book.assignment_submissions("captioning")}
    assert known == {result.student: result.score for result in Results(course.folder, "captioning").all()}
    return known


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_nothing_is_affected_when_nothing_that_judges_has_changed(a_class):
    change(a_class.folder / "source" / "captioning" / RNN, "A recurrent network that writes", "A network that writes")
    told = a_class.autograder("regrade", "captioning")
    assert "2 not affected" in told
    assert "0 gain, 0 lose" in told


def test_other_points_are_shown_first_and_written_only_when_that_is_wanted(a_class, monkeypatch):
    before = scores(a_class)
    step = '"grade_id": "rnn_step_backward",\n     "locked": true,\n     "points": '
    change(a_class.folder / "source" / "captioning" / RNN, f"{step}8", f"{step}9")
    told = a_class.autograder("regrade", "captioning", code=1)
    assert "nbgrader generate_assignment captioning --force" in told
    a_class.nbgrader("generate_assignment", "captioning", "--force")
    monkeypatch.setattr("autograder.batch.grade", None)  # for other points, nobody's code is run
    told = a_class.autograder("regrade", "captioning")
    assert "the points of rnn_step_backward (8 to 9) have changed: 2 affected" in told
    assert "2 gain, 0 lose" in told
    assert "Nothing was written" in told
    assert scores(a_class) == before
    a_class.autograder("regrade", "captioning", "--yes")
    now = scores(a_class)
    assert now["right"] == before["right"] + 1
    assert before["wrong"] < now["wrong"] < before["wrong"] + 1
    assert "2 not affected" in a_class.autograder("regrade", "captioning")


def test_grading_after_points_have_changed_gives_the_new_ones(a_class):
    before = scores(a_class)
    step = '"grade_id": "rnn_step_backward",\n     "locked": true,\n     "points": '
    change(a_class.folder / "source" / "captioning" / RNN, f"{step}8", f"{step}2")
    a_class.nbgrader("generate_assignment", "captioning", "--force")
    assert "had been graded before" not in a_class.autograder("grade", "captioning")
    assert scores(a_class)["right"] == before["right"] - 6
    assert "2 not affected" in a_class.autograder("regrade", "captioning")


def test_another_suite_grades_again_and_says_who_gains_who_loses_and_why(a_class, suites):
    before = scores(a_class)
    suite = suites / "test_rnn_captioning.py"
    suite.write_text(suite.read_text() + STRICTER)
    told = a_class.autograder("regrade", "captioning", "--yes")
    assert "the suite of rnn_captioning has changed: 2 affected" in told
    row = next(line for line in told.splitlines() if "rnn_step_backward" in line)
    assert row.split()[0] == "wrong"
    assert "0 gain, 1 lose, 1 keep their score" in told
    assert scores(a_class)["wrong"] < before["wrong"]
    assert scores(a_class)["right"] == before["right"]


def test_a_failure_of_the_grader_is_neither_shown_as_a_loss_nor_written(a_class, suites, monkeypatch):
    before = scores(a_class)
    suite = suites / "test_rnn_captioning.py"
    suite.write_text(suite.read_text() + STRICTER)
    monkeypatch.setattr("autograder.batch.grade", lambda assignment, each, **_: not_graded(assignment, each, "broken"))
    told = a_class.autograder("regrade", "captioning", "--yes", "--jobs", "1", code=1)
    assert "0 gain, 0 lose, 0 keep their score" in told
    assert "the grader itself failed" in told
    assert scores(a_class) == before


def test_what_was_handed_in_again_is_left_to_grading(a_class):
    (a_class.folder / "submitted" / "wrong" / "captioning" / RNN).write_bytes(b"{")
    shutil.rmtree(a_class.folder / "submitted" / "right")
    told = a_class.autograder("regrade", "captioning")
    assert "1 handed in again since (wrong): autograder grade captioning" in told
    assert "1 not there any more (right)" in told


def test_an_empty_folder_is_a_submission_that_is_there(course):
    course.hand_in("empty", {})
    course.hand_in("ada", {RNN: b"{"})
    course.autograder("grade", "captioning")
    told = course.autograder("regrade", "captioning")
    assert "2 not affected" in told
    assert "not there any more" not in told


def test_where_nothing_has_been_graded_that_is_told(course):
    told = course.autograder("regrade", "captioning", code=2)
    assert "Nothing of captioning has been graded yet." in told
