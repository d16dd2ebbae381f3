"""How a box can end, by itself or with the grader, and that nothing is left of it."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.errors import BrokenBox
from autograder.sandbox import POLICY, Box, Died, Overran, Step, Way


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import os; os._exit(0)", "ended the interpreter"),
        ("import os; os.abort()", "crashed the interpreter"),
        ("import ctypes; ctypes.string_at(0)", "crashed the interpreter"),
        ("import os; os.closerange(0, 64)", "ended the interpreter"),
    ],
)
def test_an_interpreter_that_ends_is_told_apart_from_an_answer(box, source, told, statement):
    with pytest.raises(Died, match=told):
        # closed descriptors show only when the answer cannot be written
        box.execute(statement(source))


def test_leaving_by_exit_is_an_exception_and_not_the_end(box, run, ask):
    assert run(box, "raise SystemExit(0)") == "SystemExit"
    assert run(box, "class Mine(BaseException): pass\nraise Mine") == "Mine"
    assert ask(box, "1") == 1


def test_an_endless_loop_ends_with_its_time_limit_even_when_signals_are_blocked(way, statement):
    with Box(replace(POLICY, statement_seconds=0.5), way) as box:
        started = time.monotonic()
        with pytest.raises(Overran, match=r"did not come to an end within 0.5 s"):
            box.execute(statement("import signal\nsignal.pthread_sigmask(0, range(1, 65))\nwhile True: pass"))
        assert time.monotonic() - started < 3


def test_a_box_that_overran_is_gone_at_once_with_all_that_was_open_for_it(way, statement):
    Box(way=way).close()  # from here on its fork server is there
    before = sorted(Path("/proc/self/fd").iterdir())
    box = Box(replace(POLICY, statement_seconds=0.2), way)
    with pytest.raises(Overran):
        box.execute(statement("while True: pass"))
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_the_time_in_which_it_is_answered_makes_its_limit_longer_only_so_far(way, run):
    with Box(replace(POLICY, call_seconds=0.5, lent_seconds=0.5), way) as box:
        box.lend(["ask"])
        assert run(box, "def f():\n    for _ in range(60): ask()") is None
        with pytest.raises(Overran):
            box.perform([Step("call", "f")], lambda _: time.sleep(0.04))


def test_processor_time_is_limited_even_when_wall_time_is_not(way, statement):
    with Box(replace(POLICY, cpu_seconds=1, statement_seconds=30), way) as box, pytest.raises(Died):
        box.execute(statement("while True: pass"))


def test_output_without_end_costs_only_its_time_limit(way, statement):
    with Box(replace(POLICY, statement_seconds=0.5), way) as box, pytest.raises(Overran):
        box.execute(statement("while True: print('x' * 1000)"))


def descendants(process):
    """The processes below a process, by their numbers."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    found, new = set(), {process}
    while new := {child for child, parent in parents.items() if parent in new}:
        found |= new
    return found


@pytest.mark.usefixtures("no_servers")
@pytest.mark.parametrize("does", ["pass", "open('left.txt', 'w').close()"])
def test_no_process_and_no_folder_is_left_after_the_end(way, statement, does):
    Box(way=way).close()  # from here on its fork server is there
    before, folders = descendants(os.getpid()), list(Path(tempfile.gettempdir()).glob("box-*/*"))
    box = Box(way=way)
    box.execute(statement("import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()"))
    assert box.execute(statement(does)) is None
    assert len(descendants(os.getpid())) > len(before)
    box.close()
    box.close()
    deadline = time.monotonic() + 10

    def left():
        return descendants(os.getpid()) - before or list(Path(tempfile.gettempdir()).glob("box-*/*")) != folders

    while left():  # a folder with something in it is taken away by another process
        assert time.monotonic() < deadline
        os.sched_yield()


@pytest.mark.parametrize("ended", ["os.kill(os.getpid(), 9)", "sys.exit()"])
def test_a_box_dies_with_the_grader(way, ended):
    script = (
        "import os, sys\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[1])\n"
        "from autograder.sandbox import Box, Way\nfrom coursekit.notebook import Statement\n"
        "from test_ending import descendants\n"
        f"box = Box(way={way})\n"
        "box.execute(Statement('import signal; signal.pthread_sigmask(0, range(1, 65))', 1, 1, 0))\n"
        f"print(*descendants(os.getpid()), flush=True)\n{ended}"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent)], capture_output=True, text=True, check=False
    )
    found = set(map(int, done.stdout.split()))
    assert len(found) >= 2, done.stderr  # the fork server and the box
    deadline = time.monotonic() + 10
    while found and time.monotonic() < deadline:
        found = {number for number in found if alive(number)}
        os.sched_yield()
    assert not found


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.usefixtures("no_servers")
def test_a_fork_server_that_was_killed_is_started_anew(way, ask, statement):
    others = descendants(os.getpid())
    with Box(way=way) as box:
        while found := descendants(os.getpid()) - others:
            for process in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, 9)
        with pytest.raises(Died):
            box.execute(statement("pass"))
    with Box(way=way) as box:
        assert ask(box, "1") == 1


FAILS_ONCE = """
import errno, os, runpy, sys
fork, forks = os.fork, []
def failing():
    forks.append(1)
    if len(forks) == 2:  # the first one tries the way out
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return fork()
os.fork = failing
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.usefixtures("no_servers")
def test_a_box_that_cannot_be_forked_says_why_and_leaves_the_next_one_alone(way, ask, monkeypatch):
    real = Way.command

    def failing(way, kit):
        *python, file = real(way, kit)
        return [*python, "-c", FAILS_ONCE, file]

    monkeypatch.setattr(Way, "command", failing)
    with pytest.raises(BrokenBox, match="could not be forked: Resource temporarily unavailable"), Box(way=way):
        pass
    assert {path.name for path in Path(tempfile.gettempdir()).glob("box-*/*")} <= {"python", "packages"}
    with Box(way=way) as box:
        assert ask(box, "1") == 1
