"""What students' folders are called: whose grade it is, where it is kept, and what is shown of the name."""

import json
import os

import pytest

UNREADABLE = {"rnn_captioning.ipynb": b"{"}
"""Costs no time."""
LONG = "e" * 100


@pytest.fixture
def kept(course):
    """The students of whom there is a result and a grade."""

    def found():
        with course.gradebook() as book:
            graded = {entry.student_id for entry in book.assignment_submissions("captioning")}
        assert {path.stem for path in (course.folder / "results" / "captioning").iterdir()} == graded
        return graded

    return found


def test_names_that_begin_alike_for_long_are_two_students_of_whom_all_is_kept(course, kept):
    for student in ("ada", f"{LONG}-1", f"{LONG}-2"):
        course.hand_in(student, UNREADABLE)
    told = course.autograder("grade", "captioning")
    assert kept() == {"ada", f"{LONG}-1", f"{LONG}-2"}
    assert "not recorded" not in told
    assert "3 had been graded before" in course.autograder("grade", "captioning")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b"e" * 129, "an id has at most 128 characters"),
        ("é".encode() * 126, "an id has at most 128 characters and 250 bytes"),
        (b"\xff\xfe", "an id is text in UTF-8"),
    ],
)
def test_a_name_under_which_nothing_can_be_kept_is_told_and_costs_nobody_else_a_grade(course, kept, name, reason):
    course.hand_in("ada", UNREADABLE)
    course.hand_in(os.fsdecode(name), UNREADABLE)
    for _ in range(2):
        told = course.autograder("grade", "captioning", "--json", "all.json")
        [line] = [line for line in told.splitlines() if line.startswith("not recorded: ")]
        assert reason in line
        assert line.endswith("; rename the folder")
        assert kept() == {"ada"}
    assert len(json.loads((course.folder / "all.json").read_text())["submissions"]) == 2


def test_what_lies_elsewhere_is_graded_and_not_kept_and_that_is_told(course, kept, tmp_path):
    (tmp_path / "eve" / "captioning").mkdir(parents=True)
    (tmp_path / "eve" / "captioning" / "rnn_captioning.ipynb").write_bytes(b"{")
    course.hand_in("ada", UNREADABLE)
    told = course.autograder("grade", "captioning", "submitted", tmp_path / "eve")
    assert "not recorded: eve: it does not lie in submitted/STUDENT/captioning/" in told
    assert "/2 eve: unreadable" in told
    assert kept() == {"ada"}


def test_a_student_called_like_the_assignment_is_one_of_many(course, kept):
    for student in ("ada", "captioning"):
        course.hand_in(student, UNREADABLE)
    (course.folder / "submitted" / "stray.ipynb").write_bytes(b"{")
    for paths in ((), ("submitted",), ("submitted/captioning",)):
        course.autograder("grade", "captioning", *paths, "--force")
        assert kept() == {"ada", "captioning"}


def test_a_name_is_kept_as_it_is_and_shown_without_what_moves_a_cursor(course, kept):
    hostile = "\x1b[31mred\n::error::\u202e"
    course.hand_in("ada", UNREADABLE)
    (course.hand_in(hostile, UNREADABLE) / "timestamp.txt").write_text("no time")
    told = course.autograder("grade", "captioning")
    assert kept() == {"ada", hostile}
    told += course.autograder("grade", "captioning", f"submitted/{hostile}", "--force")
    told += course.autograder("grade", "captioning", f"submitted/{hostile}", f"submitted/{hostile}/captioning", code=2)
    told += course.autograder("report", "captioning")
    course.hand_in("ben", UNREADABLE)
    os.rename(course.folder / "submitted" / hostile, course.folder / "gone")  # noqa: PTH104
    told += course.autograder("regrade", "captioning")
    shown = "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}::error::\N{REPLACEMENT CHARACTER}"
    assert told.count(shown) >= 5
    assert not {"\x1b", "\u202e"} & set(told)
    assert "\n::error" not in told
