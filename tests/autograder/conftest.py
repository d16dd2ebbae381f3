"""A course of nbgrader's, made once and copied for each test that wants one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.course import HOME


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

    def autograder(self, *arguments, **options):
        return self.run(sys.executable, "-m", "autograder", *arguments, **options)


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
