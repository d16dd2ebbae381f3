"""A gradebook in PostgreSQL: a server of Debian's package, started for these tests."""

import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def as_its_user(*command):
    """The server refuses to run as root; Debian's package brings a user for it."""
    return (
        ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command] if os.getuid() == 0 else command
    )


@pytest.fixture(scope="module")
def server():
    assert PROGRAMS, "PostgreSQL is missing; tools/setup.sh tests installs it"
    with tempfile.TemporaryDirectory(
        prefix="postgres-"
    ) as folder:  # no folder of pytest's: only its owner enters those
        data = Path(folder)
        if os.getuid() == 0:
            shutil.chown(data, "postgres")
        yield from started(data)


def started(data):
    def run(program, *arguments):
        command = as_its_user(str(PROGRAMS / program), *map(str, arguments))
        subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=data)

    run("initdb", "-D", data, "-U", "grader", "--auth=trust", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={data} -c fsync=off"
    run("pg_ctl", "-D", data, "-w", "-l", data / "log", "-o", options, "start")
    try:
        yield data
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")


@pytest.fixture
def course(server, course):
    """The course, with its gradebook in a new database of the server."""
    name = f"grades_{os.getpid()}_{next(NUMBERS)}"
    subprocess.run([PROGRAMS / "createdb", "-h", server, "-U", "grader", name], check=True, timeout=60)
    course.url = f"postgresql+psycopg://grader@/{name}?host={server}"
    course.configure(f"c.CourseDirectory.db_url = {course.url!r}")
    (course.folder / "gradebook.db").unlink()
    course.nbgrader("generate_assignment", "captioning", "--force")
    return course


NUMBERS = iter(range(1000))


def scores(course):
    with Gradebook(course.url, "backprop") as book:
        return {entry.student.id: entry.score for entry in book.assignment_submissions("captioning")}


def test_two_graders_write_to_one_gradebook_at_once_and_no_grade_is_lost(course, student_of):
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


def test_two_runs_that_write_the_same_students_at_once_agree(course):
    for number in range(6):
        course.hand_in(f"s{number}", {"rnn_captioning.ipynb": b"{"})
    other = threading.Thread(target=lambda: course.run("autograder", "grade", "captioning", "--force"))
    other.start()
    course.autograder("grade", "captioning", "--force")
    other.join()
    assert scores(course) == {f"s{number}": 0 for number in range(6)}
