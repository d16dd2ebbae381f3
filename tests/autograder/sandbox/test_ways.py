"""In which way a box is shut where machines differ, and what is said where none works."""

import os
import sys

import pytest

from autograder.errors import SandboxUnavailable
from autograder.sandbox import Box, Way, strongest


@pytest.fixture
def forbidden(monkeypatch, tmp_path):
    """A machine on which bubblewrap may not make namespaces."""
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


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
    monkeypatch.setattr(Way, "command", lambda way, kit=None: old if way is Way.LANDLOCK else real(way))
    with pytest.raises(SandboxUnavailable, match=r"No permissions to create new namespace.*Landlock") as caught:
        Box()
    assert "sysctl" in caught.value.fix
