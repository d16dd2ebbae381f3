"""A gradebook in PostgreSQL: a server of Debian's package, started for these tests."""

import threading

from nbgrader.api import Gradebook


def scores(course):
    with Gradebook(course.url, "backprop") as book:
        return {entry.student.id: entry.score for entry in book.assignment_submissions("captioning")}


def test_two_graders_write_to_one_gradebook_at_once_and_no_grade_is_lost(course_in_postgres, student_of):
    course = course_in_postgres
    right = student_of("lstm_captioning").files
    students = [f"s{number}" for number in range(4)]
    for name in students:
        course.hand_in(name, right)
    elsewhere = course.copy(course.folder.parent / "elsewhere")
    told = []

    def nbgrader():
        told.append(elsewhere.nbgrader("autograde", "captioning"))

    other = threading.Thread(target=nbgrader)
    other.start()
    course.autograder("grade", "captioning")
    other.join()
    assert len(told) == 1
    assert scores(course) == dict.fromkeys(students, 66)
    assert not (course.folder / "gradebook.db").exists()


def test_two_runs_that_write_the_same_students_at_once_agree(course_in_postgres):
    course = course_in_postgres
    for number in range(6):
        course.hand_in(f"s{number}", {"rnn_captioning.ipynb": b"{"})
    other = threading.Thread(target=lambda: course.run("autograder", "grade", "captioning", "--force"))
    other.start()
    course.autograder("grade", "captioning", "--force")
    other.join()
    assert scores(course) == {f"s{number}": 0 for number in range(6)}
