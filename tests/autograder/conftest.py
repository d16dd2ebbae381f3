"""Courses of nbgrader's, made once and copied for each test; and classes made up number by number."""

import contextlib
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from nbgrader.api import Gradebook

from autograder.cli import main
from autograder.course import HOME
from autograder.outcomes import (
    ErrorMap,
    NotebookResult,
    Outcome,
    QuestionResult,
    Report,
    Status,
    SubmissionResult,
    TestResult,
)


class Course:
    """A course folder with a gradebook."""

    def __init__(self, folder):
        self.folder = folder
        self.url = f"sqlite:///{folder / 'gradebook.db'}"

    def copy(self, folder):
        """The course as it is, with a gradebook of its own."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Course(folder)

    def hand_in(self, student, files, assignment="captioning"):
        """Put files, text or bytes, where submissions are collected; returns the folder."""
        folder = self.folder / "submitted" / student / assignment
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    def configure(self, line):
        """Add a line to nbgrader_config.py."""
        with (self.folder / "nbgrader_config.py").open("a") as config:
            config.write(f"\n{line}\n")

    def gradebook(self):
        return Gradebook(self.url, "backprop")

    def run(self, *command, cwd=None, code=0):
        """Run a command of this environment in the course; returns what it printed."""
        environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
        done = subprocess.run(
            list(map(str, command)),
            cwd=cwd or self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        told = done.stdout + done.stderr
        assert done.returncode == code, told
        return told

    def nbgrader(self, *arguments, **options):
        return self.run("nbgrader", *arguments, **options)

    def autograder(self, *arguments, code=0):
        """Run a command of ours in the course, in this process; returns what it printed."""
        with contextlib.chdir(self.folder):
            done = CliRunner().invoke(main, list(map(str, arguments)))
        assert done.exit_code == code, done.output
        return done.output


def pytest_configure(config):
    config.addinivalue_line("markers", "question(name, weight): the question of a test of a hidden suite")


@pytest.fixture
def load_suite():
    """Imports the hidden suite of a notebook as a module."""

    def load(assigned):
        spec = importlib.util.spec_from_file_location("suite", assigned.suite)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def released_course(tmp_path_factory):
    course = Course(tmp_path_factory.mktemp("course"))
    shutil.copytree(HOME / "source", course.folder / "source")
    shutil.copy(HOME / "nbgrader_config.py", course.folder)
    course.nbgrader("generate_assignment", "captioning")
    return course


@pytest.fixture
def course(released_course, tmp_path):
    return released_course.copy(tmp_path / "course")


class PostgreSQL:
    """A server of Debian's package, with its files in a folder."""

    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)

    def __init__(self, folder):
        assert self.programs, "PostgreSQL is missing; tools/setup.sh tests installs it"
        self.folder = folder
        self._numbers = itertools.count()
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        self._run("initdb", "-D", folder, "-U", "grader", "--auth=trust", "--no-sync")

    def start(self):
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", self.folder, "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self):
        self._run("pg_ctl", "-D", self.folder, "-m", "immediate", "stop")

    def database(self):
        """The address of a new one."""
        name = f"grades_{next(self._numbers)}"
        self._run("createdb", "-h", self.folder, "-U", "grader", name)
        return f"postgresql+psycopg://grader@/{name}?host={self.folder}"

    def _run(self, program, *arguments):
        """The server refuses to run as root; Debian's package brings a user for it."""
        user = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups") if os.getuid() == 0 else ()
        command = [*user, self.programs / program, *arguments]
        subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=120, cwd=self.folder)


@pytest.fixture(scope="module")
def postgres():
    # no folder of pytest's: only its owner enters those
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = PostgreSQL(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def course_in_postgres(postgres, course):
    """The course, with its gradebook in a new database of the server."""
    course.url = postgres.database()
    course.configure(f"c.CourseDirectory.db_url = {course.url!r}")
    (course.folder / "gradebook.db").unlink()
    course.nbgrader("generate_assignment", "captioning", "--force")
    return course


PASSED, FAILED, SILENT = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_JUDGED


@pytest.fixture
def submission_of():
    """A submission whose questions are worth 10 points each; those of its second notebook are extra credit.

    A question is True, False, None (not judged), or the name of a known mistake.
    """

    def make(student, questions, more=(), *, seconds=0.5, problems=(), failure="", judged_with="own", status=None):
        notebooks = []
        for name, answers in (("first", questions), ("second", more)):
            extra = name == "second"
            results = tuple(question(f"{name}_{n}", each, extra, judged_with) for n, each in enumerate(answers, 1))
            told = tuple(problems) if name == "first" else ()
            state = status or (Status.PARTLY if told else Status.GRADED)
            if answers:
                notebooks.append(NotebookResult(name, state, 123, told, results))
        return SubmissionResult.of(student, tuple(notebooks), seconds, failure)

    def question(name, answer, extra, judged_with):
        mistake = answer if isinstance(answer, str) else ""
        outcome = PASSED if answer is True else SILENT if answer is None else FAILED
        test = TestResult(
            f"test_{name}",
            f"{name} holds.",
            1.0,
            outcome,
            cause="step has to work first." if outcome is SILENT else "",
            rationale="dx is wrong: relative error 1.2e+00, limit 1e-06" if outcome is FAILED else "",
            hint="Look again." if outcome is FAILED else "",
            misconception=mistake,
            error_map=ErrorMap("dx", (2, 3, 5), ("566.5", ".....", "x0999")) if outcome is FAILED else None,
        )
        return QuestionResult(name, 10.0 * (outcome is PASSED), 10.0, extra, judged_with, (test,))

    return make


@pytest.fixture
def report_of():
    """A report of submissions."""

    def make(*submissions, assignment="gates"):
        return Report(assignment, tuple(submissions))

    return make


@pytest.fixture
def in_process():
    """Run a command of ours in a folder, in this process, which saves starting one."""

    def run(*arguments, cwd, env=None):
        with contextlib.chdir(cwd):
            done = CliRunner(env=env).invoke(main, list(map(str, arguments)))
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    return run
