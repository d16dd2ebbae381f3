"""In which way a box is shut where machines differ, and what is said where none works."""

import json
import os
import shlex
import sys

import pytest

from autograder.course import HOME
from autograder.errors import SandboxUnavailable
from autograder.sandbox import Box, Way, namespaces_forbidden, strongest


@pytest.fixture
def bwrap(monkeypatch, tmp_path):
    """Put one in the place of bubblewrap that says something and ends."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def fails(said):
        fake = folder / "bwrap"
        fake.write_text(f"#!/bin/sh\necho {shlex.quote(f'bwrap: {said}')} >&2\nexit 1\n")
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    return fails


@pytest.fixture
def forbidden(bwrap):
    """A machine on which bubblewrap may not make namespaces."""
    bwrap("No permissions to create new namespace")


@pytest.mark.usefixtures("no_servers")
def test_without_bubblewrap_it_is_said_what_is_missing_and_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match="bubblewrap is not installed") as caught:
        Box()
    assert "apt-get install bubblewrap" in caught.value.fix


@pytest.mark.usefixtures("no_servers")
def test_the_strongest_way_is_taken_whatever_was_asked_for_before():
    Box(way=Way.LANDLOCK).close()
    assert strongest() is Way.NAMESPACES


@pytest.mark.usefixtures("no_servers", "forbidden")
def test_where_namespaces_are_forbidden_landlock_shuts_the_box(run):
    assert strongest() is Way.LANDLOCK
    with Box() as box:
        assert run(box, "open('/etc/passwd')") == "PermissionError"


@pytest.mark.usefixtures("no_servers", "forbidden")
def test_without_namespaces_and_landlock_nothing_is_graded(monkeypatch):
    command = Way.LANDLOCK.command()
    old_kernel = (
        "import errno, os, sys, pyseccomp\nrules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)\n"
        "rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), 444)\nrules.load()\n"  # landlock_create_ruleset
        f"os.execv({command[0]!r}, [*{command!r}, *sys.argv[1:]])"
    )
    real = Way.command
    old = [sys.executable, "-c", old_kernel]
    monkeypatch.setattr(Way, "command", lambda way, kit: old if way is Way.LANDLOCK else real(way, kit))
    with pytest.raises(SandboxUnavailable, match=r"No permissions to create new namespace.*Landlock") as caught:
        Box()
    assert "sysctl" in caught.value.fix


SAID_OF_NAMESPACES = [
    "No permissions to creating new namespace, likely because the kernel does not allow it.",
    "Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)",
    "Creating new namespace failed: Operation not permitted",
    "setting up uid map: Permission denied",
    "loopback: Failed RTM_NEWADDR: Operation not permitted",
    "Failed to make / slave: Permission denied",
    "Can't bind mount /oldroot/usr/lib64 on /newroot/usr/lib64: Operation not permitted",
]


@pytest.mark.usefixtures("no_servers")
@pytest.mark.parametrize("said", SAID_OF_NAMESPACES, ids=lambda said: said.partition(":")[0][:30])
def test_whatever_bubblewrap_says_of_namespaces_that_are_forbidden_is_understood(bwrap, said):
    bwrap(said)
    assert strongest() is Way.LANDLOCK
    assert said in namespaces_forbidden().message


@pytest.mark.usefixtures("no_servers")
@pytest.mark.parametrize(
    "said",
    [
        "Unknown option --as-pid-1",
        "Unknown option --remount-ro",
        "Can't find source path /packages/numpy: No such file or directory",
        "execvp /python/bin/python3: No such file or directory",
    ],
)
def test_what_else_goes_wrong_with_bubblewrap_is_told_and_does_not_make_the_box_weaker(bwrap, said):
    bwrap(said)
    with pytest.raises(SandboxUnavailable, match=said) as caught:
        Box()
    assert "sysctl" not in str(caught.value)


@pytest.mark.usefixtures("forbidden")
def test_a_run_in_the_second_way_says_so_once_and_apart_from_the_results(autograder, student, tmp_path):
    for name in ("ada", "ben"):
        (tmp_path / name / "captioning").mkdir(parents=True)
        (tmp_path / name / "captioning" / student.file).write_text(student.text)
    run = ("grade", "captioning", tmp_path, "--json-lines", "--jobs", "2")
    done = autograder(*run)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Landlock shuts the notebooks in") == 1
    assert "No permissions to create new namespace" in done.stderr
    assert {json.loads(line)["student"]: json.loads(line)["score"] for line in done.stdout.splitlines()} == {
        "ada": 46,
        "ben": 46,
    }
    assert "Landlock" not in autograder(*run, "--unsafe").stderr


def test_a_run_in_the_strongest_way_says_nothing_of_it(autograder):
    done = autograder("grade", "captioning", HOME / "source" / "captioning" / "rnn_captioning.ipynb", "--json-lines")
    assert done.stderr == ""
