"""Files that are there whole or not at all, and what is left of those that were not finished."""

import os
import platform
import subprocess
import sys

import pytest

from coursekit.hdf5 import draft_of, new_file


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="which processes run is not asked there")
def test_what_a_process_left_that_is_gone_is_removed(tmp_path, gone):
    left = f".data.h5.{platform.node()}.{gone}.part"
    (tmp_path / left).mkdir()
    (tmp_path / left / "0.png").touch()
    draft_of(tmp_path / "data.h5")
    assert names(tmp_path) == []
    (tmp_path / left).touch()
    with new_file(tmp_path / "data.h5"):
        pass
    assert names(tmp_path) == ["data.h5"]


def test_a_process_that_gets_the_number_of_one_that_was_killed_starts_anew(tmp_path):
    draft_of(tmp_path / "scenes").mkdir()
    draft_of(tmp_path / "scenes").mkdir()


def test_what_others_are_writing_and_what_is_no_draft_is_left_alone(tmp_path, gone):
    here = platform.node()
    kept = [
        f".data.h5.{here}.{os.getppid()}.part",
        f".data.h5.another-{here}.{gone}.part",
        f".data.h5x.{here}.{gone}.part",
        f".data.h5.{here}.{gone}",
        f".data.h5.{here}.x{gone}.part",
    ]
    for name in kept:
        (tmp_path / name).touch()
    draft_of(tmp_path / "data.h5")
    assert names(tmp_path) == sorted(kept)
