"""Attacks on the box itself, whichever way it is made."""

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pyseccomp
import pytest

from autograder.sandbox import POLICY, Raised, Step, Trouble
from autograder.sandbox.policy import FORBIDDEN_CALLS
from coursekit.notebook import Statement


def run(box, source):
    """What became of a statement: its exception in a few words, or None."""
    raised = box.execute(Statement(source, cell=1, line=1, position=0))
    return f"{raised.kind}: {raised.message}" if isinstance(raised, Raised) else None


def attempted(box, source):
    """What ``attempt()``, which the source defines, returns, or what it raised or did to the box in a few words."""
    try:
        told = run(box, source)
        if told is None:
            [told] = box.perform([Step("call", "attempt")])
    except Trouble as trouble:
        return str(trouble)
    return f"{told.kind}: {told.message}" if isinstance(told, Raised) else told


def numbers_of_forbidden_calls():
    found = {pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) for name in FORBIDDEN_CALLS}
    return sorted(number for number in found if number >= 0)


@pytest.mark.families("box")
def test_an_attack_on_the_box_is_stopped(attack, sealed_box):
    with sealed_box() as box:
        told = attempted(box, attack.source.replace("@CALLS@", str(numbers_of_forbidden_calls())))
    assert re.fullmatch(attack.ends, str(told), re.DOTALL)


def test_what_one_box_leaves_behind_no_other_finds(sealed_box):
    plant = (
        "import builtins, os, sys\nbuiltins.planted = 'owl'\nos.environ['PLANTED'] = 'owl'\nsys.modules['owl'] = os\n"
    )
    look = (
        "import builtins, gc, os, sys\n"
        "def attempt():\n"
        "    return [os.listdir('.'), hasattr(builtins, 'planted'), 'PLANTED' in os.environ, 'owl' in sys.modules]"
    )
    with sealed_box() as one, sealed_box() as beside:
        assert run(one, f"{plant}open('planted', 'w').write('owl')") is None
        assert run(beside, look) is None
        with sealed_box() as after:
            assert run(after, look) is None
            for box in (beside, after):
                [found] = box.perform([Step("call", "attempt")])
                assert found[1:] == [False, False, False]
                [files] = box.perform([Step("fetch", "", found[0])])
                assert files == []


def test_a_file_that_is_placed_stays_beside_the_notebook_of_its_box(sealed_box):
    with sealed_box() as one, sealed_box() as other:
        one.place("beside.ipynb", b"owl")
        assert run(one, "assert open('beside.ipynb').read() == 'owl'") is None
        assert run(other, "open('beside.ipynb')").startswith("FileNotFoundError")


def test_a_box_cannot_signal_or_see_its_neighbour(sealed_box):
    source = (
        "import os\n"
        "def attempt():\n"
        "    hit = []\n"
        "    for process in range(2, 2000):\n"
        "        try: os.kill(process, 0); hit.append(process)\n"
        "        except OSError: pass\n"
        "    return str([each for each in hit if each != os.getpid()])"
    )
    with sealed_box() as one, sealed_box() as neighbour:
        assert run(one, source) is None
        [hit] = one.perform([Step("call", "attempt")])
        assert hit == "[]"
        assert run(neighbour, "pass") is None


def test_files_that_fill_every_inode_cost_their_own_time_and_are_gone_with_the_box(sealed_box):
    with sealed_box(replace(POLICY, statement_seconds=0.5)) as box:
        started = time.monotonic()
        with pytest.raises(Trouble):
            run(box, "import os\nfor n in range(10**9):\n    try: os.mkdir(f'{n}')\n    except OSError: pass")
        assert time.monotonic() - started < 5


def test_threads_that_block_every_signal_end_with_the_box(sealed_box):
    source = (
        "import signal, threading\n"
        "def hold():\n"
        "    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
        "    while True: pass\n"
        "threading.Thread(target=hold).start()"
    )
    before = set(_children())
    with sealed_box() as box:
        run(box, source)
    assert set(_children()) <= before


def _children():
    return [
        process
        for task in Path("/proc/self/task").iterdir()
        for process in Path(f"/proc/{os.getpid()}/task/{task.name}/children").read_text().split()
    ]
