"""Runs that end in the middle: killed, interrupted, out of disk, without a database. The same command goes on.

    KILLS=50 .venv/bin/python -m pytest tests/autograder/test_nothing_lost.py -k killed

kills fifty runs; a run of all tests kills fewer.
"""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.parcel import digest

KILLS = int(os.environ.get("KILLS", "6"))
RNN = "rnn_captioning.ipynb"


@contextmanager
def interruptible():
    """Let Ctrl-C end what is started, even where these tests run in the background, which it does not reach."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def grading(course, *arguments, **options):
    """`autograder grade` as an instructor runs it, in a process group of its own."""
    command = [sys.executable, "-m", "autograder", "grade", "captioning", *arguments]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True} | options
    environment = {**os.environ, "TMPDIR": str(course.tmp), "OPENBLAS_NUM_THREADS": "1"}
    with interruptible():
        run = subprocess.Popen(command, cwd=course.folder, env=environment, **options)
    try:
        yield run
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate()


def finished(course, *arguments, **options):
    """What a run says that comes to its end, and its exit code."""
    with grading(course, *arguments, **options) as run:
        told = "".join(run.communicate(timeout=200))
    assert "Traceback" not in told, told
    return run.returncode, told


@pytest.fixture
def tmp():
    """Where runs have their temporary files. The path is short, since that of a socket must be."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        yield Path(folder)


@pytest.fixture
def course(course, tmp):
    course.tmp = tmp
    return course


def hand_in(course, number, student_of, line="1 / 0"):
    """A class in which one has handed in something to be run, and the others something that costs no time."""
    for n in range(number):
        files = {RNN: b"{" + b" " * n} if n else {RNN: student_of("rnn_captioning").begin("rnn_forward", line).text}
        course.hand_in(f"s{n}", files)


def assert_all_is_kept_once(course, number):
    """Results, gradebook and notebooks agree, on what is handed in now, and there is nothing else."""
    students = {f"s{n}" for n in range(number)}
    results = course.folder / "results" / "captioning"
    assert {path.name for path in results.iterdir()} == {f"{student}.json" for student in students}
    assert {path.name for path in (course.folder / "autograded").iterdir()} == students
    with Gradebook(course.url, "backprop") as book:
        entries = [(each.student.id, each.score) for each in book.assignment_submissions("captioning")]
    assert Counter(student for student, _ in entries) == Counter(students)
    for student, score in entries:
        kept = json.loads((results / f"{student}.json").read_text())
        handed_in = (course.folder / "submitted" / student / "captioning" / RNN).read_bytes()
        assert kept["fingerprint"]["files"] == digest([RNN, handed_in])
        assert kept["submission"]["score"] == score
        [notebook] = (course.folder / "autograded" / student / "captioning").glob("*.ipynb")
        assert shown_points(notebook) == score


def shown_points(notebook):
    outputs = [output for cell in json.loads(notebook.read_text())["cells"] for output in cell.get("outputs", ())]
    return sum(float(each["data"]["text/plain"]) for each in outputs if each["output_type"] == "execute_result")


def at_work_in(folder):
    """The processes whose working directory lies there."""
    found = set()
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (each / "cwd").resolve().is_relative_to(folder):
                found.add(int(each.name))
    return found


def must_be_at_rest(course):
    """Nothing goes on working for a run that is over; what is being killed gets the time to end."""
    deadline = time.monotonic() + 20
    while at_work_in(course.folder):
        assert time.monotonic() < deadline, "processes were left behind"


def made_old(course):
    """As if what is left over had been left long ago."""
    for place in (course.tmp, course.folder / "autograded", course.folder / "results" / "captioning"):
        for path in place.glob(".*"):
            os.utime(path, (0, 0))


def test_runs_that_are_killed_at_any_moment_lose_nothing_and_do_nothing_twice(course, student_of):
    seed = random.SystemRandom().randrange(10**6)
    print("seed", seed)  # noqa: T201 - pytest shows it with a failure
    rng = random.Random(seed)
    number = max(12, 2 * KILLS)
    hand_in(course, number, student_of)
    killed, most = 0, 0
    while killed < KILLS:
        with grading(course, "--jobs", "2") as run:
            for _ in range(rng.randrange(4)):  # into the middle of the work
                run.stdout.readline()
            with suppress(subprocess.TimeoutExpired):
                run.wait(rng.uniform(0, 0.3))
            if run.poll() is None:
                killed += 1
                os.killpg(run.pid, signal.SIGKILL)
        must_be_at_rest(course)
        done = list((course.folder / "results").glob("captioning/*.json"))
        assert len(done) >= most, "a result was lost"
        most = len(done)
        for path in done:
            json.loads(path.read_text())
        if done:  # somebody hands in again
            again = course.folder / "submitted" / rng.choice(done).stem / "captioning" / RNN
            if again.parent.parent.name != "s0":
                again.write_bytes(again.read_bytes() + b" ")
        made_old(course)
    code, told = finished(course)
    assert code == 0, told
    assert_all_is_kept_once(course, number)
    assert not list(course.tmp.iterdir())


def test_what_a_killed_run_left_behind_goes_even_if_there_is_nothing_left_to_do(course, student_of):
    hand_in(course, 1, student_of)
    assert finished(course)[0] == 0
    (course.tmp / ".autograder-left_ove").mkdir()
    made_old(course)
    assert finished(course)[0] == 0
    assert not list(course.tmp.iterdir())


def test_ctrl_c_ends_at_once_leaves_nothing_and_says_how_to_go_on(course, student_of):
    hand_in(course, 30, student_of, "while True: pass")  # which is not over before it is interrupted
    with grading(course, "--jobs", "2") as run:
        run.stdout.readline()
        os.killpg(run.pid, signal.SIGINT)
        started = time.monotonic()
        _, told = run.communicate(timeout=60)
        assert time.monotonic() - started < 5
        assert run.returncode == 1
        assert told == "Interrupted; what has been graded is kept, and the same command grades the rest.\n"
        must_be_at_rest(course)
    assert not list(course.tmp.iterdir())
    assert not list((course.folder / "autograded").glob(".*"))
    assert finished(course)[0] == 0
    assert_all_is_kept_once(course, 30)


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(course, student_of):
    hand_in(course, 30, student_of)
    results = course.folder / "results"
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(results)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        code, told = finished(course)
        assert (code, "cannot be written: No space left on device" in told) == (1, True), told
        assert not list(results.glob("captioning/.*"))
        assert 0 < len(list(results.glob("captioning/*.json"))) < 30
        subprocess.run(["mount", "-o", "remount,size=8m", str(results)], check=True)
        assert finished(course)[0] == 0
        assert_all_is_kept_once(course, 30)
    finally:
        subprocess.run(["umount", str(results)], check=True)


def test_a_gradebook_that_cannot_grow_is_told_and_the_run_goes_on_when_it_can(course, student_of):
    hand_in(course, 40, student_of)
    size = (course.folder / "gradebook.db").stat().st_size + 2**16

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    code, told = finished(course, preexec_fn=small)
    assert code == 1
    assert "cannot be written" in told
    assert "grading again goes on from here" in told
    assert finished(course)[0] == 0
    assert_all_is_kept_once(course, 40)


def test_a_database_that_goes_away_is_told_and_the_run_goes_on_when_it_is_back(
    course_in_postgres, postgres, student_of
):
    course = course_in_postgres
    hand_in(course, 30, student_of)
    with grading(course, "--jobs", "2") as run:
        run.stdout.readline()
        postgres.stop()
        try:
            _, told = run.communicate(timeout=60)
            assert run.returncode == 1
            assert "Traceback" not in told, told
            assert "See that the database can be reached; grading again goes on from here." in told
            code, told = finished(course)
            assert (code, "See that the database can be reached" in told) == (1, True), told
        finally:
            postgres.start()
    assert finished(course)[0] == 0
    assert_all_is_kept_once(course, 30)


def test_what_is_handed_in_again_while_it_is_graded_is_graded_again(course, student_of):
    shutil.rmtree(course.folder / "submitted", ignore_errors=True)
    hand_in(course, 1, student_of)
    course.hand_in("s1", {RNN: b"{"})
    path = course.folder / "submitted" / "s0" / "captioning" / RNN
    with grading(course, "--jobs", "2") as run:
        run.stdout.readline()  # s1, which costs no time
        path.write_bytes(b"{" * 2)
        run.communicate(timeout=100)
    assert finished(course)[0] == 0
    assert_all_is_kept_once(course, 2)
