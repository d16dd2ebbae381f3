"""Many at a time: processes that die, and the workers of a Dask scheduler, each with the bare kit in its own folder."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import cluster, parcel
from autograder.batch import grade_all
from autograder.course import HOME, load_assignment
from autograder.errors import AutograderError, UsageError
from autograder.grading import Submission, grade
from autograder.submissions import find_submissions

RNN = "rnn_captioning.ipynb"
PARENT = "int(open(f'/proc/{p}/stat').read().rpartition(')')[2].split()[1])"
SUICIDE = f"import os; p = os.getppid(); p = {PARENT}; os.kill(p, 9)"
"""Kills the grader: it has started the fork server, which has forked the worker."""


@contextmanager
def process(folder, *arguments):
    """A command of Dask's in a folder with no more than the kit, ended with all that it has started."""
    for name in ("autograder", "coursekit"):
        shutil.copytree(HOME / name, folder / "kit" / name, ignore=shutil.ignore_patterns("__pycache__", "suites"))
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "kit"),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s",
    }
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", *map(str, arguments)]
        options = {"cwd": folder, "stdout": log, "stderr": log, "env": environment, "start_new_session": True}
        started = subprocess.Popen(command, **options)
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


@contextmanager
def running_scheduler(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-jupyter")
    with process(folder, "distributed.cli.dask_scheduler", *options) as started:
        started.address = f"tcp://127.0.0.1:{port}"
        yield started


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    with running_scheduler(tmp_path_factory.mktemp("scheduler")) as started:
        yield started.address


@pytest.fixture
def worker(tmp_path):
    """Start a worker for a scheduler."""
    with ExitStack() as stack:
        number = iter(range(100))

        def start(address):
            folder = tmp_path / f"worker-{next(number)}"
            options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", folder / "scratch")
            return stack.enter_context(process(folder, "distributed.cli.dask_worker", address, *options))

        yield start


@pytest.fixture
def right(student_of):
    return student_of("lstm_captioning").files


def class_of(files, number):
    return [Submission(f"s{n}", files) for n in range(number)]


def children(pid):
    with suppress(FileNotFoundError, ProcessLookupError):
        return [
            int(each)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for each in (task / "children").read_text().split()
        ]
    return []


def same(result):
    return replace(result, seconds=0)


# On a cluster ---------------------------------------------------------------------------------------------


def test_a_cluster_gives_the_grades_that_this_machine_gives_without_sharing_a_disk(
    captioning, scheduler, worker, right
):
    worker(scheduler)
    submissions = [*class_of(right, 1), Submission("cut", {RNN: b"{"})]
    seeds = {each.student: 7 for each in submissions}
    found = {each.student: each for each in grade_all(captioning, submissions, scheduler=scheduler, seeds=seeds)}
    assert {name: same(result) for name, result in found.items()} == {
        each.student: same(grade(captioning, each, seed=7)) for each in submissions
    }
    assert found["s0"].score == 66


def test_a_worker_that_is_killed_loses_nothing(captioning, scheduler, worker, right):
    workers = [worker(scheduler), worker(scheduler)]
    results = grade_all(captioning, class_of({RNN: right[RNN]}, 6), scheduler=scheduler)
    found = [next(results)]
    busy = None
    while busy is None:
        busy = next((each for each in workers if children(each.pid)), None)
    busy.kill()
    found += results
    assert sorted(each.student for each in found) == [f"s{n}" for n in range(6)]
    assert {(each.score, each.failure) for each in found} == {(46, "")}


def test_what_kills_one_worker_after_another_is_told_and_the_rest_goes_on(captioning, scheduler, worker, student_of):
    for _ in range(3):
        worker(scheduler)
    deadly = student_of("rnn_captioning").begin("rnn_step_forward", SUICIDE).files
    submissions = [Submission("deadly", deadly), Submission("cut", {RNN: b"{"})]
    found = {each.student: each for each in grade_all(captioning, submissions, scheduler=scheduler, isolated=False)}
    assert found["deadly"].failure == "It ended one worker after another."
    assert found["deadly"].score == 0
    assert (found["cut"].status, found["cut"].failure) == ("unreadable", "")


def test_a_worker_grades_by_the_suite_it_was_sent_whatever_it_had_before(scheduler, worker, tmp_path, right):
    worker(scheduler)
    suites = tmp_path / "suites"
    shutil.copytree(HOME / "autograder" / "suites", suites)
    for helper in ("first", "second"):
        (suites / "captioning" / "words.py").write_text(f"TITLE = {helper!r}\n")
        suite = suites / "captioning" / "test_rnn_captioning.py"
        text = (HOME / "autograder/suites/captioning" / suite.name).read_text()
        suite.write_text(
            f"{text}\n\nfrom autograder.suites.captioning.words import TITLE\n\n"
            "for name, test in list(globals().items()):\n"
            "    if name.startswith('test_'):\n        test.__doc__ = TITLE\n"
        )
        assignment = load_assignment("captioning", HOME, suites)
        submissions = class_of({RNN: right[RNN]}, 1)
        [result] = grade_all(assignment, submissions, scheduler=scheduler)
        titles = {test.title for question in result.notebooks[0].questions for test in question.tests}
        assert titles == {helper}


def test_a_worker_with_another_version_of_the_kit_is_refused(captioning, scheduler, worker, right, monkeypatch):
    worker(scheduler)
    monkeypatch.setattr(parcel, "kit_digest", lambda: "another")
    with pytest.raises(AutograderError, match="another version of the kit"):
        list(grade_all(captioning, class_of(right, 1), scheduler=scheduler))


def test_a_scheduler_that_is_lost_ends_the_run_with_how_to_go_on(captioning, worker, tmp_path, right):
    with running_scheduler(tmp_path / "scheduler") as lost:
        worker(lost.address)
        results = grade_all(captioning, class_of(right, 20), scheduler=lost.address)
        next(results)
        lost.kill()
        with pytest.raises(AutograderError, match="the same command grades the rest"):
            list(results)


def test_a_scheduler_without_workers_is_told_once_with_how_to_start_one(captioning, worker, tmp_path, monkeypatch):
    said = []

    def start_one(told, **_):
        said.append(told)
        worker(alone.address)

    monkeypatch.setattr(cluster, "WORKERS", 0.1)
    monkeypatch.setattr(cluster.click, "echo", start_one)
    with running_scheduler(tmp_path / "scheduler") as alone:
        [result] = grade_all(captioning, class_of({RNN: b"{"}, 1), scheduler=alone.address)
        assert result.status == "unreadable"
        assert said == [f"No workers yet: start one with dask worker {alone.address} --nthreads 1"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_cannot_be_read_is_a_failure_for_one_and_the_others_are_graded(captioning, tmp_path, jobs):
    for student in ("ada", "ben", "eve"):
        (tmp_path / student / "captioning").mkdir(parents=True)
        (tmp_path / student / "captioning" / RNN).write_bytes(b"{")
    submissions = find_submissions("captioning", [tmp_path])
    (tmp_path / "ben" / "captioning" / RNN).unlink()
    found = {each.student: each.failure for each in grade_all(captioning, submissions, jobs=jobs)}
    assert found.keys() == {"ada", "ben", "eve"}
    assert "cannot be read: No such file" in found.pop("ben")
    assert not any(found.values())


def test_ctrl_c_is_not_for_the_fork_server_even_while_it_starts():
    program = """if True:
        from multiprocessing import forkserver
        from pathlib import Path
        from autograder.parallel import process_pool
        with process_pool(1) as pool:
            status = Path(f"/proc/{forkserver._forkserver._forkserver_pid}/status").read_text()
            print(int(status.partition("SigIgn:")[2].split()[0], 16) >> 1 & 1)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_a_scheduler_that_does_not_answer_is_told(captioning, right, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    with pytest.raises(AutograderError, match=r"does not answer[^$]*dask worker"):
        list(grade_all(captioning, class_of(right, 1), scheduler="tcp://127.0.0.1:1"))
    with pytest.raises(UsageError, match="no address of a scheduler"):
        list(grade_all(captioning, class_of(right, 1), scheduler="nonsense://127.0.0.1"))


def test_a_cluster_without_dask_installed_is_one_sentence_and_the_command(captioning, right, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "autograder.cluster")
    with pytest.raises(AutograderError, match=r"not installed[^$]*pip install"):
        list(grade_all(captioning, class_of(right, 1), scheduler="tcp://127.0.0.1:1"))


# Here -----------------------------------------------------------------------------------------------------


def test_what_kills_its_process_twice_is_told_and_the_rest_goes_on(captioning, student_of, tmp_path):
    once = f"import pathlib; p = pathlib.Path({str(tmp_path / 'once')!r})\n    if not p.exists(): p.touch(); {SUICIDE}"
    submissions = [
        Submission("always", student_of("rnn_captioning").begin("rnn_step_forward", SUICIDE).files),
        Submission("once", student_of("rnn_captioning").begin("rnn_step_forward", once).files),
        *(Submission(f"cut{n}", {RNN: b"{"}) for n in range(8)),
    ]
    found = {each.student: each for each in grade_all(captioning, submissions, jobs=2, isolated=False)}
    assert len(found) == 10
    assert found.pop("always").failure == "It ended the grader's own process, twice."
    assert found.pop("once").score == 46
    assert {(each.status, each.failure) for each in found.values()} == {("unreadable", "")}


def test_workers_end_with_a_parent_that_is_killed(tmp_path, right):
    for name in ("a", "b"):
        folder = tmp_path / name / "captioning"
        folder.mkdir(parents=True)
        (folder / RNN).write_bytes(right[RNN].replace(b"### BEGIN SOLUTION", b"while True: pass"))
    command = [sys.executable, "-m", "autograder", "grade", "captioning", str(tmp_path), "--jobs", "2"]
    parent = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)

    def family(pid):
        return [pid, *(each for child in children(pid) for each in family(child))]

    while len(pids := family(parent.pid)) < 8:  # forkserver, tracker, two workers, their boxes
        assert parent.poll() is None
    parent.kill()
    parent.wait()
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
        pass


def test_a_submission_travels_as_bytes(tmp_path):
    import pickle

    from autograder.submissions import find_submissions

    (tmp_path / RNN).write_bytes(b"first")
    [submission] = find_submissions("captioning", [tmp_path / RNN])
    sent = pickle.loads(pickle.dumps(submission))
    (tmp_path / RNN).write_bytes(b"second")
    assert (sent.files[RNN], submission.files[RNN]) == (b"first", b"second")
    assert json.dumps(list(sent.files)) == json.dumps([RNN])
