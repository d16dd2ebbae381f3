"""Grades leave the gradebook as Canvas and Moodle import them, and as CSV that a spreadsheet reads as it is meant."""

import csv
import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.errors import UsageError
from autograder.gradebook.exporters import export, harmless

QUOTES = 'O\'Neil "the\nsecond", Zoë'


# What nbgrader itself does when it adds a submission.
pytestmark = pytest.mark.filterwarnings("ignore:Object of type .* not in session")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A gradebook with two assignments and six students."""
    book = tmp_path_factory.mktemp("gradebook") / "book.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # alembic is there
        gradebook = Gradebook(f"sqlite:///{book}", "deep")
    with gradebook:
        for assignment, most in (("gates", 10), ("+pictures", 4)):
            gradebook.add_assignment(assignment, duedate=dt.datetime(2026, 11, 20, 12))  # noqa: DTZ001
            gradebook.add_notebook("nb", assignment)
            gradebook.add_grade_cell("q", "nb", assignment, max_score=most, cell_type="code")
        people = {
            "ada": {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@x.org", "lms_user_id": "4711"},
            "=1+1": {"first_name": "@SUM(A1)", "last_name": "=HYPERLINK(1)", "email": "-x@x.org"},
            "007": {"first_name": QUOTES, "last_name": "Müller, jr."},
            "late": {"first_name": "Points", "last_name": "Possible"},
            "later": {},
            "absent": {"last_name": "Points Possible"},
        }
        for name, told in people.items():
            gradebook.add_student(name, **told)
        for name, points, extra, penalty in (
            ("ada", 8.0, 2.5, 0.0),
            ("=1+1", 10.0, None, 0.0),
            ("007", 3.3333, None, 0.0),
            ("late", 9.0, 1.0, 4.0),
            ("later", 3.0, None, 5.0),
        ):
            gradebook.add_submission("gates", name)
            grade = gradebook.find_grade("q", "nb", "gates", name)
            grade.auto_score, grade.extra_credit = points, extra
            gradebook.find_submission_notebook("nb", "gates", name).late_submission_penalty = penalty
        gradebook.db.commit()
    return book


@pytest.fixture
def course(tmp_path, database):
    """A course folder whose configuration says where its gradebook is."""
    root = tmp_path / "course"
    (root / "source").mkdir(parents=True)
    book = root / "grades of the course.db"
    shutil.copy(database, book)
    (root / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.db_url = 'sqlite:///{book}'\nc.CourseDirectory.course_id = 'deep'\n"
    )
    return root


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def exported(course):
    """The rows of a file of one kind."""

    def run(kind, assignment="gates"):
        export(course, assignment, kind, course / "out.csv")
        return read(course / "out.csv")

    return run


def test_canvas_gets_its_headings_the_points_possible_and_late_penalties_subtracted(exported):
    heading, points, *rows = exported("canvas")
    assert heading == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "gates"]
    assert points == ["    Points Possible", "", "", "", "", "10"]
    found = {row[2]: row for row in rows}
    assert found["ada"] == ["Lovelace, Ada", "4711", "ada", "ada", "", "10.5"]
    assert found["late"][5] == "6"
    assert found["later"] == ["later", "", "later", "later", "", "0"]
    assert found["007"] == [f"Müller, jr., {QUOTES}", "", "007", "007", "", "3.33"]
    assert found["absent"][5] == ""


def test_no_student_of_canvas_is_taken_for_the_row_of_points(exported):
    assert [row[0] for row in exported("canvas") if "Points Possible" in row[0]] == ["    Points Possible"]


def test_moodle_gets_the_headings_of_its_own_export_and_a_dash_for_no_grade(exported):
    heading, *rows = exported("moodle")
    assert heading == [
        *("First name", "Last name", "ID number", "Institution", "Department", "Email address"),
        "Assignment: gates (Real)",
    ]
    found = {row[2]: row for row in rows}
    assert found["ada"] == ["Ada", "Lovelace", "ada", "", "", "ada@x.org", "10.5"]
    assert found["later"][6] == "0"
    assert found["absent"][6] == "-"


def test_csv_has_nbgraders_columns_and_survives_every_name(exported):
    heading, *rows = exported("csv")
    found = {row[3]: dict(zip(heading, row, strict=True)) for row in rows}
    assert heading[:4] == ["assignment", "duedate", "timestamp", "student_id"]
    late = {"raw_score": "10", "late_submission_penalty": "4", "score": "6", "max_score": "10"}
    assert {name: found["late"][name] for name in late} == late
    assert found["late"]["duedate"] == "2026-11-20 12:00:00"
    assert found["007"]["first_name"] == QUOTES
    assert (found["absent"]["timestamp"], found["absent"]["score"]) == ("", "0")


@pytest.mark.parametrize("kind", ["canvas", "moodle", "csv"])
def test_no_cell_is_a_formula(exported, kind):
    rows = exported(kind, "+pictures")
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell[:1] in {*"=+-@\t\r"} and cell != "-"]
    assert {"'=1+1"} <= set(cells)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        *[
            (text, f"'{text}")
            for text in ("=1+1", "+cmd|'/C calc'!A0", "-2+3", "@SUM(1)", " =1", "\t1", "\uff1d1", "--")
        ],
        *[(text, text) for text in ("-5", "+4915112345", "-1,5", "1e5", "a=b", "", "-", "O'Neil", 3.5, -2)],
    ],
)
def test_what_a_spreadsheet_would_compute_is_made_text_and_numbers_stay(cell, shown):
    assert harmless(cell) == shown


def test_nbgrader_exports_with_it_and_its_options(course):
    command = ["export", "--exporter=autograder.gradebook.exporters.CanvasExporter", "--to", "out.csv"]
    chosen = ["--assignment", "['gates']", "--student", "['ada', 'late']"]
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *command, *chosen],
        cwd=course, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [(row[3], row[5]) for row in read(course / "out.csv")[2:]] == [("ada", "10.5"), ("late", "6")]


def test_the_command_writes_into_the_reports_of_the_course(autograder, course):
    done = autograder("export", "gates", "--format", "moodle", cwd=course)
    assert done.returncode == 0, done.stderr
    path = course / "reports" / "gates-moodle.csv"
    assert done.stdout == f"grades: {path}\n"
    assert len(read(path)) == 7


def test_a_gradebook_that_is_not_there_or_knows_no_such_assignment_is_refused(autograder, course):
    with pytest.raises(UsageError, match="knows no assignment 'paintings'"):
        export(course, "paintings", "csv", course / "out.csv")
    (course / "grades of the course.db").unlink()
    done = autograder("export", "gates", cwd=course)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "There is no gradebook" in done.stderr
    assert not (course / "grades of the course.db").exists()
