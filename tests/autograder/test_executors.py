"""Many at a time: processes that die, and the workers of a Dask scheduler, each a process in an empty folder."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from autograder import executors
from autograder.batch import grade_all
from autograder.course import HOME, load_assignment
from autograder.errors import AutograderError, UsageError
from autograder.grading import Submission
from autograder.parcel import pack

RNN = "rnn_captioning.ipynb"
BROKEN = {RNN: b"{"}
EMPTY = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@contextmanager
def process(folder, *arguments):
    """A command of Dask's in an empty folder of its own, ended with all that it has started."""
    folder.mkdir()
    command = [sys.executable, "-m", *map(str, arguments)]
    environment = {**os.environ, "TMPDIR": str(folder), "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"}
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True, env=environment
        )
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


class Cluster:
    def __init__(self, folder, address, workers):
        self.folder = folder
        self.address = address
        self.workers = workers


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler."""
    folder = tmp_path_factory.mktemp("scheduler")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-jupyter")
    with process(folder / "home", "distributed.cli.dask_scheduler", *options):
        yield f"tcp://127.0.0.1:{port}"


@pytest.fixture
def worker(scheduler, tmp_path):
    """Start a worker: an interpreter that has the kit, and nothing else of this course."""
    running = []

    def start():
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", tmp_path / f"w{len(running)}")
        one = process(tmp_path / f"w{len(running)}", "distributed.cli.dask_worker", scheduler, *options)
        running.append(one)
        return one.__enter__()

    yield start
    for one in running:
        one.__exit__(None, None, None)


def class_of(files, number):
    return [Submission(f"s{n}", files) for n in range(number)]
