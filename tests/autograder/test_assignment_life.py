"""The life of an assignment, from the source to the exported grades, by nbgrader's own commands."""

import csv
import json

import pytest

ASSIGNMENT = "captioning"
NOTEBOOK = "rnn_captioning.ipynb"


@pytest.fixture
def exchange(course, tmp_path, monkeypatch):
    """A course with an exchange, and homes of its own for whoever runs nbgrader."""
    folder = tmp_path / "exchange"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for line in (
        f"c.Exchange.root = {str(folder)!r}",
        f"c.ExchangeFetch.cache = c.Exchange.cache = {str(tmp_path / 'cache')!r}",
    ):
        course.configure(line)


@pytest.mark.usefixtures("exchange")
def test_an_assignment_lives_by_nbgrader_s_own_commands(course, tmp_path, student):
    # The instructor gives it out.
    course.nbgrader("generate_assignment", ASSIGNMENT, "--force")
    course.nbgrader("release_assignment", ASSIGNMENT)

    # A student fetches it, answers, and hands it in.
    mine = tmp_path / "home"
    mine.mkdir()
    (mine / "nbgrader_config.py").write_text((course.folder / "nbgrader_config.py").read_text())
    course.nbgrader("fetch_assignment", ASSIGNMENT, cwd=mine)
    assert (mine / ASSIGNMENT / "figures").is_dir()
    student.change("rnn_step_backward", "prev_h.T", "next_h.T")
    (mine / ASSIGNMENT / NOTEBOOK).write_text(student.text)
    course.nbgrader("submit", ASSIGNMENT, cwd=mine)

    # The instructor collects and grades.
    course.nbgrader("collect", ASSIGNMENT)
    [submitted] = (course.folder / "submitted").iterdir()
    name = submitted.name
    course.nbgrader("autograde", ASSIGNMENT)
    with course.gradebook() as book:
        entry = book.find_submission(ASSIGNMENT, name)
        assert entry.timestamp is not None
        graded = entry.score
        assert 40 < graded < 46
        assert entry.needs_manual_grade
        by_hand = book.find_grade("why_gradients_vanish", NOTEBOOK.removesuffix(".ipynb"), ASSIGNMENT, name)
        by_hand.manual_score, by_hand.needs_manual_grade = 1.0, False
        remark = book.find_comment("why_gradients_vanish", NOTEBOOK.removesuffix(".ipynb"), ASSIGNMENT, name)
        remark.manual_comment = "Well said."
        book.db.commit()

    # The student gets feedback that explains, and gives nothing away.
    course.nbgrader("generate_feedback", ASSIGNMENT)
    course.nbgrader("release_feedback", ASSIGNMENT)
    course.nbgrader("fetch_feedback", ASSIGNMENT, cwd=mine)
    [page] = (mine / ASSIGNMENT / "feedback").rglob("rnn_captioning.html")
    feedback = page.read_text()
    assert "next_h stands where prev_h belongs" in feedback.replace("\n", " ")
    assert "Well said." in feedback
    assert f"{graded + 1:.1f}" in feedback or f"{graded + 1:.2f}" in feedback
    for secret in ("judge.", "misconceptions", "def test_", "Traceback (most"):
        assert secret not in feedback

    # The office gets the grades, the faster grader finds nothing to do, and grading again keeps what was given by hand.
    course.nbgrader("export")
    [row] = csv.DictReader((course.folder / "grades.csv").read_text().splitlines())
    assert (row["student_id"], float(row["score"])) == (name, graded + 1)
    assert "1 had been graded before" in course.autograder("grade", ASSIGNMENT)
    course.nbgrader("autograde", ASSIGNMENT, "--force")
    with course.gradebook() as book:
        assert book.find_submission(ASSIGNMENT, name).score == graded + 1


def test_a_student_s_html_and_scripts_are_text_in_the_feedback(course, student):
    markdown = (
        "<script>alert(1)</script> [a link](javascript:alert(2)) ![far](https://example.org/x.png) "
        "![gone](attachment:no.png) $<b>x</b>$\n\n```mermaid\n</pre><img src=x onerror=alert(3)>\n```\n"
    )
    student.add("print('<script>alert(4)</script>')")
    student.cells.insert(0, {"cell_type": "markdown", "metadata": {}, "source": markdown})
    for cell in student.cells:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "why_gradients_vanish":
            cell["source"] = markdown
    student.begin("rnn_forward", "raise ValueError('<script>alert(5)</script>')")
    course.hand_in("eve", {NOTEBOOK: student.text})
    course.autograder("grade", ASSIGNMENT)
    course.nbgrader("generate_feedback", ASSIGNMENT)
    feedback = (course.folder / "feedback" / "eve" / ASSIGNMENT / "rnn_captioning.html").read_text()
    for number in (1, 4, 5):
        assert f"<script>alert({number})" not in feedback
        assert f"alert({number})" in feedback
    assert "<img src=x" not in feedback
    assert 'href="javascript' not in feedback
    assert 'src="https://example.org' not in feedback
    assert "<b>x</b>" not in feedback


def test_a_failure_of_the_grader_is_no_grade_and_is_told_by_nbgrader(course):
    """Without bubblewrap in reach nothing can be graded: nbgrader says so, and gives no points."""
    course.hand_in("ada", {NOTEBOOK: json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})})
    course.configure("import os; os.environ['PATH'] = '/nowhere'")
    told = course.nbgrader("autograde", ASSIGNMENT, code=1)
    assert "bubblewrap is not installed" in told
    assert not (course.folder / "autograded" / "ada" / ASSIGNMENT).exists()
    with course.gradebook() as book:
        assert book.find_submission(ASSIGNMENT, "ada").score == 0
        assert book.find_submission(ASSIGNMENT, "ada").needs_manual_grade
