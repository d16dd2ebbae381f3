"""The gradebook: the same grades by the fast path and by nbgrader's own commands, in SQLite and in PostgreSQL."""

import json
import os
import re
import sqlite3
from contextlib import chdir, closing
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbgrader.api import Gradebook

from autograder.cli import main
from autograder.course import HOME, load_assignment
from autograder.errors import AutograderError, SuiteError
from autograder.gradebook.writing import CourseGradebook
from autograder.grading import Submission, grade
from autograder.outcomes import SubmissionResult
from autograder.records import Records
from autograder.submissions import find_submissions

RNN, LSTM = "rnn_captioning.ipynb", "lstm_captioning.ipynb"
LATE = "2030-01-02 03:04:05 UTC"


def grades(url):
    """All that a gradebook says of the submissions, in words that do not depend on when they were written."""
    with Gradebook(url, "backprop") as book:
        return {
            (entry.student.id, notebook.name): {
                "late": entry.total_seconds_late,
                "penalty": notebook.late_submission_penalty,
                "score": notebook.score,
                "grades": {
                    each.name: (each.auto_score, each.manual_score, each.extra_credit, each.needs_manual_grade)
                    for each in notebook.grades
                },
                "comments": {each.name: each.auto_comment for each in notebook.comments},
            }
            for entry in book.assignment_submissions("captioning")
            for notebook in entry.notebooks
        }


def notebooks(course):
    """The autograded notebooks, without what each run draws anew."""
    return {
        str(path.relative_to(course.folder)): [
            (cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("nbgrader"), points(cell))
            for cell in json.loads(path.read_text())["cells"]
        ]
        for path in sorted(course.folder.glob("autograded/*/*/*.ipynb"))
    }


def autograded(course):
    folder = course.folder / "autograded"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def points(cell):
    return ["".join(output["data"]["text/plain"]) for output in cell.get("outputs", ()) if "execution_count" in output]


def broken(text):
    """A notebook after an eventful life: cells twice, a check deleted, metadata spoilt, in an old format."""
    content = json.loads(text)
    cells = content["cells"]
    by_id = {cell["metadata"].get("nbgrader", {}).get("grade_id"): cell for cell in cells}
    cells.append(dict(by_id["rnn_forward_solution"]))
    cells.remove(by_id["rnn_step_backward"])
    by_id["rnn_forward"]["metadata"]["nbgrader"] = {"grade_id": "rnn_forward", "points": "many", "schema_version": 1}
    by_id["why_gradients_vanish"]["source"] = "They are multiplied."
    for cell in cells:
        cell.pop("id", None)
    content["nbformat_minor"] = 2
    return json.dumps(content)


def of_format_3(text):
    """The notebook as IPython notebooks were before 2015."""
    return nbformat.writes(nbformat.convert(nbformat.reads(text, as_version=4), 3))


@pytest.fixture
def a_class(course, student_of):
    """Submissions of every kind."""
    right = student_of("lstm_captioning").files
    course.hand_in("right", right)
    course.hand_in("stub", {name: (HOME / "assignments" / "captioning" / name).read_bytes() for name in (RNN, LSTM)})
    course.hand_in("one", {RNN: student_of("rnn_captioning").begin("rnn_forward", "1 / 0").text})
    course.hand_in("broken", {RNN: broken(student_of("rnn_captioning").text)})
    course.hand_in("old", {RNN: of_format_3(student_of("rnn_captioning").text)})
    course.hand_in("renamed", {"Copy of lstm.ipynb": right[LSTM], "my answers (2).ipynb": right[RNN]})
    course.hand_in("cut", {RNN: b'{"cells": [', LSTM: right[LSTM]})
    course.hand_in("other", {"essay.ipynb": b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'})
    late = course.hand_in("late", {RNN: right[RNN]})
    (late / "timestamp.txt").write_text(LATE)
    (late / "secret.txt").symlink_to("/etc/hostname")
    (late / "notes.txt").write_text("mine")
    course.configure("c.LateSubmissionPlugin.penalty_method = 'zero'")
    with course.gradebook() as book:
        book.update_or_create_assignment("captioning", duedate="2030-01-01 00:00:00 UTC")
    return course


def test_both_ways_give_every_submission_the_same_grades_and_notebooks(a_class, tmp_path):
    other = a_class.copy(tmp_path / "other")
    told = a_class.autograder("grade", "captioning")
    assert f"gradebook: {a_class.url}" in told
    other.nbgrader("autograde", "captioning")
    fast = grades(a_class.url)
    assert grades(other.url) == fast
    assert notebooks(other) == notebooks(a_class)
    files = autograded(a_class)
    assert autograded(other) == files
    assert "late/captioning/notes.txt" in files
    assert "late/captioning/secret.txt" not in files
    scores = {key: entry["score"] for key, entry in fast.items()}
    assert scores["right", "rnn_captioning"] == 46
    assert scores["right", "lstm_captioning"] == 20
    assert scores["stub", "rnn_captioning"] == scores["other", "rnn_captioning"] == 0
    assert scores["broken", "rnn_captioning"] == scores["old", "rnn_captioning"] == 46
    assert scores["renamed", "lstm_captioning"] == 20
    assert scores["cut", "rnn_captioning"] == 0
    assert 0 < scores["one", "rnn_captioning"] < 46
    assert fast["late", "rnn_captioning"]["penalty"] == 46
    assert fast["stub", "rnn_captioning"]["comments"]["why_gradients_vanish"] == "No response."
    assert fast["broken", "rnn_captioning"]["grades"]["why_gradients_vanish"] == (None, None, None, True)


# Without a student's code --------------------------------------------------------------------------------


@pytest.fixture
def result(captioning, student_of):
    """Of a submission in which all is right."""
    return graded(captioning, student_of)


_kept = {}


def graded(captioning, student_of):
    if "right" not in _kept:
        _kept["right"] = grade(captioning, Submission("ada", student_of("lstm_captioning").files), seed=1)
    return _kept["right"]


def earning(result, share):
    """The same result with another share of the points."""
    text = json.dumps(result, default=lambda each: each.__dict__)
    data = json.loads(text)
    for notebook in data["notebooks"]:
        for question in notebook["questions"]:
            question["points"] = round(question["max_points"] * share, 2)
    return SubmissionResult.from_dict(data)


@pytest.fixture
def book(course, student_of):
    """The gradebook of a course in which ada has handed in."""
    folder = course.hand_in("ada", student_of("lstm_captioning").files)
    [submission] = find_submissions("captioning", [folder])
    book = CourseGradebook(load_assignment("captioning", course.folder), course.folder)
    book.submission = submission
    yield book
    book.close()


def test_a_manual_score_stays_and_is_marked_to_be_looked_at_again(course, book, result):
    book.write(book.submission, earning(result, 0.5))
    with course.gradebook() as other:
        other.find_grade("rnn_forward", "rnn_captioning", "captioning", "ada").manual_score = 3.5
        other.find_grade("why_gradients_vanish", "rnn_captioning", "captioning", "ada").manual_score = 1
        other.db.commit()
    book.write(book.submission, result)
    found = grades(course.url)["ada", "rnn_captioning"]["grades"]
    assert found["rnn_forward"][1:] == (3.5, None, True)
    assert found["why_gradients_vanish"][1] == 1
    assert found["rnn_step_forward"][3] is False


def test_extra_credit_follows_the_result_unless_it_was_set_by_hand(course, book, result):
    book.write(book.submission, result)
    book.write(book.submission, earning(result, 0.5), former=result)
    assert grades(course.url)["ada", "lstm_captioning"]["score"] == 10
    with course.gradebook() as other:
        other.find_grade("lstm_forward", "lstm_captioning", "captioning", "ada").extra_credit = 1.75
        other.db.commit()
    book.write(book.submission, result, former=earning(result, 0.5))
    found = grades(course.url)["ada", "lstm_captioning"]["grades"]
    assert found["lstm_forward"][2:] == (1.75, True)
    assert found["lstm_backward"][2:] == (4, False)


def test_a_file_that_cannot_be_written_leaves_the_former_notebooks_and_grades(course, book, result, monkeypatch):
    book.write(book.submission, result)
    before, shown = grades(course.url), notebooks(course)
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left", "x")))
    with pytest.raises(Exception, match="x cannot be written: No space left"):
        book.write(book.submission, earning(result, 0))
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(Exception, match="ada/captioning cannot be written: No space left"):
        book.write(book.submission, earning(result, 0))
    monkeypatch.undo()
    assert (grades(course.url), notebooks(course)) == (before, shown)
    assert [path.name for path in (course.folder / "autograded" / "ada").iterdir()] == ["captioning"]


def test_a_time_that_cannot_be_read_is_told_and_costs_nothing(course, book, result):
    (book.submission.folder / "timestamp.txt").write_text("yesterday, I think")
    book.write(book.submission, result)
    assert "ada: timestamp.txt holds no time" in book.remarks[0]
    assert grades(course.url)["ada", "rnn_captioning"]["score"] == 46


PLUGIN = """
from nbgrader.plugins import BasePlugin
class Half(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score / 2
class Broken(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return {}[student_id]
"""


@pytest.fixture
def with_plugin(course):
    """Opens the gradebook of the course with a plugin for late penalties that lies in the course."""
    (course.folder / "course_penalties.py").write_text(PLUGIN)
    with course.gradebook() as other:
        other.update_or_create_assignment("captioning", duedate="2030-01-01 00:00:00 UTC")

    def opened(plugin):
        course.configure(f"c.AssignLatePenalties.plugin_class = {plugin!r}")
        return closing(CourseGradebook(load_assignment("captioning", course.folder), course.folder))

    return opened


def test_a_plugin_for_late_penalties_may_lie_in_the_course_and_who_was_in_time_after_all_has_none(
    course, book, result, with_plugin
):
    timestamp = book.submission.folder / "timestamp.txt"
    with with_plugin("course_penalties.Half") as other:
        for told, penalty in ((LATE, 23), ("2029-12-31 00:00:00 UTC", None)):
            timestamp.write_text(told)
            other.write(book.submission, result)
            assert grades(course.url)["ada", "rnn_captioning"]["penalty"] == penalty


def test_a_plugin_for_late_penalties_that_fails_is_told_with_where_it_is_named(course, book, result, with_plugin):
    (book.submission.folder / "timestamp.txt").write_text(LATE)
    with (
        with_plugin("course_penalties.Broken") as other,
        pytest.raises(AutograderError, match=r"failed at ada: KeyError.*\n.*plugin_class in nbgrader_config.py"),
    ):
        other.write(book.submission, result)
    assert grades(course.url) == {}
    with pytest.raises(AutograderError, match=r"cannot be loaded: .*no_such_module"):
        with_plugin("no_such_module.Plugin")


def test_points_that_the_gradebook_does_not_know_are_refused_with_the_command_that_mends_it(course):
    source = course.folder / "source" / "captioning" / RNN
    source.write_text(source.read_text().replace('"points": 6', '"points": 7', 1))
    with pytest.raises(SuiteError, match="other points") as caught:
        CourseGradebook(load_assignment("captioning", course.folder), course.folder)
    assert "nbgrader generate_assignment captioning --force" in str(caught.value)


def test_an_assignment_that_the_gradebook_does_not_know_is_refused_with_the_command_that_mends_it(course):
    (course.folder / "assignments" / "backprop").symlink_to(HOME / "assignments" / "backprop")
    with pytest.raises(SuiteError, match="does not know backprop") as caught:
        CourseGradebook(load_assignment("backprop", course.folder), course.folder)
    assert "nbgrader generate_assignment backprop --force" in str(caught.value)


def test_a_failure_of_the_grader_writes_nothing(course, book, result):
    data = json.loads(json.dumps(result, default=lambda each: each.__dict__))
    with Records(load_assignment("captioning", course.folder), course.folder) as records:
        records.keep(book.submission, SubmissionResult.from_dict({**data, "failure": "broken"}))
    assert grades(course.url) == {}
    assert not list(course.folder.glob("results/*/*"))


# The command ---------------------------------------------------------------------------------------------


def test_what_has_not_changed_is_not_graded_again_until_it_or_its_judge_does(course):
    for name in ("ada", "ben"):
        course.hand_in(name, {RNN: b"{"})
    assert "had been graded" not in course.autograder("grade", "captioning")
    assert "2 had been graded before" in course.autograder("grade", "captioning")
    (course.folder / "submitted" / "ben" / "captioning" / RNN).write_bytes(b"[")
    assert "1 had been graded before" in course.autograder("grade", "captioning")
    assert "had been graded before" not in course.autograder("grade", "captioning", "--force")
    with course.gradebook() as book:
        book.remove_submission("captioning", "ada")
    assert "1 had been graded before" in course.autograder("grade", "captioning")
    assert {student for student, _ in grades(course.url)} == {"ada", "ben"}


def test_a_time_of_handing_in_that_is_added_or_corrected_counts_at_the_next_grading(course):
    with course.gradebook() as book:
        book.update_or_create_assignment("captioning", duedate="2030-01-01 00:00:00 UTC")
    path = course.hand_in("ada", {RNN: b"{"}) / "timestamp.txt"
    course.autograder("grade", "captioning")
    for told, late in ((LATE, 97445), ("2029-12-31 00:00:00 UTC", 0)):
        path.write_text(told)
        course.autograder("grade", "captioning")
        assert grades(course.url)["ada", "rnn_captioning"]["late"] == late
        assert "1 had been graded before" in course.autograder("grade", "captioning")


def test_a_course_without_a_gradebook_is_graded_and_told_how_to_get_one(course):
    (course.folder / "gradebook.db").unlink()
    course.hand_in("ada", {RNN: b"{"})
    told = course.autograder("grade", "captioning")
    assert "nbgrader generate_assignment captioning --force" in told.replace("\n", " ")
    assert "nbgrader generate_assignment captioning --force" in course.autograder("export", "captioning", code=2)
    assert (course.folder / "results" / "captioning" / "ada.json").is_file()
    assert not (course.folder / "autograded").exists()
    course.nbgrader("generate_assignment", "captioning", "--force")
    assert "gradebook: " in course.autograder("grade", "captioning")


@pytest.mark.parametrize("command", ["grade", "regrade", "export"])
@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda book: book.write_bytes(b"no database" * 1000), "Restore a backup"),
        (lambda book: os.truncate(book, 20_000), "Restore a backup"),
        (lambda book: sqlite3.connect(book, timeout=0).execute("BEGIN EXCLUSIVE"), "Another program is writing to it"),
    ],
    ids=["another file", "cut off", "locked"],
)
def test_a_gradebook_that_cannot_be_used_is_told_with_its_place_and_what_helps(course, command, damage, told, request):
    course.hand_in("ada", {RNN: b"{"})
    held = damage(course.folder / "gradebook.db")
    if isinstance(held, sqlite3.Cursor):
        request.addfinalizer(held.connection.close)
    said = course.autograder(command, "captioning", code=1)
    assert str(course.folder / "gradebook.db") in said
    assert told in said


def test_a_gradebook_with_a_relative_address_lies_in_the_course_wherever_the_command_is_run(course):
    course.configure("c.CourseDirectory.db_url = 'sqlite:///gradebook.db'")
    course.hand_in("ada", {RNN: b"{"})
    with chdir(course.folder / "source"):
        told = CliRunner().invoke(main, ["grade", "captioning"]).output
    assert f"gradebook: {course.url}" in told
    assert {student for student, _ in grades(course.url)} == {"ada"}


def test_what_lies_elsewhere_or_ran_without_a_sandbox_is_not_recorded(course):
    folder = course.hand_in("ada", {RNN: b"{"})
    course.autograder("grade", "captioning", "--unsafe")
    folder.rename(course.folder / "mine")
    course.autograder("grade", "captioning", "mine")
    assert grades(course.url) == {}
    assert not (course.folder / "results").exists()


def test_a_result_that_cannot_be_read_is_told_with_its_file(course):
    course.hand_in("ada", {RNN: b"{"})
    course.autograder("grade", "captioning")
    path = course.folder / "results" / "captioning" / "ada.json"
    path.write_text("{")
    told = course.autograder("grade", "captioning", code=1)
    assert re.search(r"ada\.json cannot be read", told.replace("\n", ""))
    assert "Remove it" in told
