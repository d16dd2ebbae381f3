"""What lies in submitted/ is not followed to what is somebody else's, and costs nobody else anything."""

import json
import os

import pytest

from autograder import submissions
from autograder.course import HOME
from autograder.submissions import find_submissions

SOLVED = (HOME / "source" / "captioning" / "rnn_captioning.ipynb").read_bytes()


@pytest.fixture
def submitted(tmp_path):
    """A tree with an honest submission."""
    folder = tmp_path / "submitted" / "bob" / "captioning"
    folder.mkdir(parents=True)
    (folder / "rnn_captioning.ipynb").write_bytes(SOLVED)
    return tmp_path / "submitted"


def files(submitted, student):
    found = {each.student: dict(each.files) for each in find_submissions("captioning", [submitted])}
    assert found["bob"] == {"rnn_captioning.ipynb": SOLVED}
    return found[student]


def test_a_notebook_that_is_a_link_to_anothers_is_not_read(submitted):
    (submitted / "eve" / "captioning").mkdir(parents=True)
    (submitted / "eve" / "captioning" / "rnn_captioning.ipynb").symlink_to("../../bob/captioning/rnn_captioning.ipynb")
    assert files(submitted, "eve") == {"rnn_captioning.ipynb": b""}


def test_a_folder_that_is_a_link_to_anothers_holds_nothing(submitted):
    (submitted / "eve").mkdir()
    (submitted / "eve" / "captioning").symlink_to("../bob/captioning")
    assert files(submitted, "eve") == {}


def test_a_student_who_is_a_link_to_another_has_handed_in_nothing(submitted):
    (submitted / "eve").symlink_to("bob")
    assert files(submitted, "eve") == {}


def test_a_pipe_and_a_folder_in_place_of_a_notebook_are_not_waited_for(submitted):
    (submitted / "eve" / "captioning" / "rnn_captioning.ipynb").mkdir(parents=True)
    os.mkfifo(submitted / "eve" / "captioning" / "lstm_captioning.ipynb")
    assert files(submitted, "eve") == {}


def test_a_file_without_end_is_read_no_further_than_a_notebook_may_be_long(submitted):
    (submitted / "eve" / "captioning").mkdir(parents=True)
    with (submitted / "eve" / "captioning" / "rnn_captioning.ipynb").open("wb") as file:
        file.truncate(1 << 40)
    assert len(files(submitted, "eve")["rnn_captioning.ipynb"]) < 1 << 27


def test_more_notebooks_than_a_submission_may_have_are_not_read(submitted, monkeypatch):
    (submitted / "eve" / "captioning").mkdir(parents=True)
    for name, size in [*((f"large_{n}.ipynb", 60 << 20) for n in range(6)), ("small.ipynb", 1)]:
        with (submitted / "eve" / "captioning" / name).open("wb") as file:
            file.truncate(size)
    listed = {each.student: set(each.files) for each in find_submissions("captioning", [submitted])}
    assert listed["eve"] == {*(f"large_{n}.ipynb" for n in range(4)), "small.ipynb"}
    monkeypatch.setattr(submissions, "MAX_FILES", 2)
    listed = {each.student: set(each.files) for each in find_submissions("captioning", [submitted])}
    assert listed["eve"] == {"large_0.ipynb", "small.ipynb"}


def test_modules_beside_the_notebook_are_no_part_of_the_submission(submitted):
    (submitted / "eve" / "captioning").mkdir(parents=True)
    for name in ("numpy.py", "conftest.py", "sitecustomize.py", "evil.pth", "rnn_captioning.py"):
        (submitted / "eve" / "captioning" / name).write_text("raise SystemExit(0)")
    assert files(submitted, "eve") == {}


def test_empty_folders_and_links_leave_everybody_elses_grades_where_they_belong(the_class):
    """One that has nothing to grade once kept the results of the whole class out of the gradebook."""
    for student in ("empty", "linked"):
        result = the_class.results[student]
        assert result["score"] == 0
        assert "there is no notebook gate.ipynb" in json.dumps(result)
    graded = {path.name for path in (the_class.kit / "autograded").iterdir()}
    assert {*the_class.victims, "empty", "linked"} <= graded
    assert not list((the_class.kit / "autograded" / "linked").rglob("private.txt"))
