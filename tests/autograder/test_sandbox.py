"""What code in the box cannot do; each test is an attempt."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autograder.errors import SandboxUnavailable
from autograder.sandbox import POLICY, Box, Died, Lied, Overran, Raised, Trouble
from autograder.sandbox.box import Step
from autograder.sandbox.worker import Handle
from coursekit.notebook import Statement

REPOSITORY = Path(__file__).parents[2]


def statement(source):
    return Statement(source, cell=1, line=1, position=0)


@pytest.fixture
def box():
    with Box() as box:
        yield box


def run(box, source):
    """Execute a statement; the name of the exception that it raised, or None."""
    raised = box.execute(statement(source))
    return raised.kind if isinstance(raised, Raised) else None


def ask(box, source):
    """The value of an expression in the box."""
    assert run(box, f"def asked():\n    return {source}") is None
    [value] = box.perform([Step("call", "asked")])
    assert not isinstance(value, Raised), value
    return value


# --------------------------------------------------------------------------------------------- what stays outside


def test_the_network_cannot_be_reached(box):
    assert run(box, "import socket; socket.socket()") == "PermissionError"


def test_no_network_device_but_an_idle_loopback_exists(box):
    assert run(box, "import socket; print(socket.if_nameindex())") in {"PermissionError", "OSError"}


def test_the_repository_cannot_be_read(box):
    for path in ("README.md", "source", "autograder/suites", "autograder/grading.py", ".git/config"):
        assert (REPOSITORY / path).exists()
        assert ask(box, f"__import__('os').path.exists({str(REPOSITORY / path)!r})") is False


def test_no_file_of_the_hosts_home_can_be_read(box):
    assert ask(box, f"__import__('os').path.exists({str(Path.home())!r})") is False


def test_nothing_but_interpreter_packages_and_an_empty_tmp_is_there(box):
    assert set(ask(box, "sorted(__import__('os').listdir('/'))")) <= {
        *("dev", "etc", "lib", "lib64", "packages", "python", "tmp", "usr", "worker.py")
    }
    assert ask(box, "__import__('os').listdir('/tmp')") == []
    assert ask(box, "__import__('os').listdir('/etc')") in (["ld.so.cache"], [])
    assert sorted(ask(box, "__import__('os').listdir('/dev')")) == ["null", "urandom"]


def test_the_grader_cannot_be_imported(box):
    for module in ("autograder", "nbgrader", "pytest", "hypothesis", "pip", "IPython.core"):
        assert run(box, f"import {module}") == "ModuleNotFoundError"


def test_what_the_kit_depends_on_can_be_imported(box):
    for module in ("numpy", "h5py", "imageio", "matplotlib", "tqdm", "coursekit"):
        assert run(box, f"import {module}") is None


def test_the_environment_holds_nothing_of_the_hosts(monkeypatch):
    monkeypatch.setenv("CANVAS_TOKEN", "secret")
    with Box() as box:
        names = set(ask(box, "sorted(__import__('os').environ)"))
    assert names <= {
        *("HOME", "LD_LIBRARY_PATH", "MPLBACKEND", "MPLCONFIGDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PWD")
    }


def test_other_processes_cannot_be_seen(box):
    assert ask(box, "__import__('os').path.exists('/proc')") is False
    assert ask(box, "__import__('os').getpid()") < 5
    assert run(box, f"import os; os.kill({os.getpid()}, 9)") == "ProcessLookupError"


def test_only_the_two_ends_of_the_conversation_are_open(box):
    found = ask(box, "[n for n in range(64) if __import__('os').path.exists(f'/dev/fd/{n}')]")
    assert found == []
    assert (
        run(
            box,
            "import os\n"
            "for n in range(3, 64):\n"
            "    try:\n"
            "        name = os.fstat(n)\n"
            "    except OSError:\n"
            "        continue\n"
            "    import stat\n"
            "    assert stat.S_ISFIFO(name.st_mode) or name.st_rdev == os.stat('/dev/null').st_rdev, n\n",
        )
        is None
    )


def test_the_stack_holds_no_frame_of_the_grader(box):
    assert run(box, "import sys; assert sys._getframe(1).f_code.co_filename.endswith('/worker.py')") is None
    assert run(box, "import sys\nassert not [m for m in sys.modules if m.startswith(('autograder', 'pytest'))]") is None


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "source",
    [
        "import os; os.fork()",
        "import subprocess; subprocess.run(['/python/bin/python3.11'])",
        "import multiprocessing as m; m.get_context('fork').Process(target=print).start()",
        "import os; os.posix_spawn('/python/bin/python3.11', ['python'], {})",
    ],
)
def test_a_new_process_is_refused(box, source):
    assert run(box, source) in {"PermissionError", "BlockingIOError"}


def test_threads_are_few_and_end_with_the_box(box):
    source = "import threading, time\nfor _ in range(10000): threading.Thread(target=time.sleep, args=(60,)).start()"
    assert run(box, source) in {"RuntimeError", "MemoryError"}


@pytest.mark.parametrize("path", ["/worker.py", "/packages/numpy/x", "/python/x", "/new", "/dev/new", "/etc/new"])
def test_nothing_outside_of_tmp_can_be_written(box, path):
    assert run(box, f"open({path!r}, 'w')") in {"OSError", "PermissionError"}


def test_the_disk_is_small(box):
    assert run(box, f"with open('/tmp/big', 'wb') as f: f.write(bytes({POLICY.disk + 1}))") == "OSError"
    fill = "for n in range(64):\n    with open(f'/tmp/{n}', 'wb') as f: f.write(bytes(1 << 20))"
    assert run(box, fill) == "OSError"


def test_open_files_are_few(box):
    assert run(box, "files = [open('/dev/null') for _ in range(1000)]") == "OSError"


def test_memory_is_limited():
    with Box(replace(POLICY, memory=512 << 20)) as box:
        assert run(box, "x = bytearray(1 << 36)") == "MemoryError"
        assert run(box, "x = []\nwhile True: x.append(bytearray(1 << 26))") == "MemoryError"


def test_limits_cannot_be_raised(box):
    source = "import resource as r; r.setrlimit(r.RLIMIT_AS, (r.RLIM_INFINITY, r.RLIM_INFINITY))"
    assert run(box, source) in {"ValueError", "PermissionError"}


@pytest.mark.parametrize("name", ["unshare", "mount", "ptrace", "bpf", "keyctl", "setns", "userfaultfd", "socket"])
def test_a_forbidden_system_call_is_refused(box, name):
    import pyseccomp

    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    source = (
        f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"assert libc.syscall({number}, 0, 0, 0, 0, 0) == -1\nassert ctypes.get_errno() == 1, ctypes.get_errno()"
    )
    assert run(box, source) is None


def test_what_is_printed_goes_nowhere(box):
    assert (
        run(box, "import os, sys; print('x' * 10**6); sys.stderr.write('y' * 10**6); os.write(1, b'z' * 10**6)") is None
    )
    assert ask(box, "1 + 1") == 2


def test_nobody_answers_input(box):
    assert run(box, "input('password: ')") == "EOFError"


# --------------------------------------------------------------------------------------------- how the box can end


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import os; os._exit(0)", "ended the interpreter"),
        ("import os; os.abort()", "crashed the interpreter"),
        ("import ctypes; ctypes.string_at(0)", "crashed the interpreter"),
        ("import os; os.closerange(0, 64)", "ended the interpreter"),
    ],
)
def test_an_interpreter_that_ends_is_told_apart_from_an_answer(box, source, told):
    with pytest.raises(Died, match=told):
        # closed descriptors show only when the answer cannot be written
        box.execute(statement(source))


def test_leaving_by_exit_is_an_exception_and_not_the_end(box):
    assert run(box, "raise SystemExit(0)") == "SystemExit"
    assert run(box, "class Mine(BaseException): pass\nraise Mine") == "Mine"
    assert ask(box, "1") == 1


def test_an_endless_loop_ends_with_its_time_limit_even_when_signals_are_blocked():
    with Box(replace(POLICY, statement_seconds=0.5)) as box:
        started = time.monotonic()
        with pytest.raises(Overran, match=r"did not come to an end within 0.5 s"):
            box.execute(statement("import signal\nsignal.pthread_sigmask(0, range(1, 65))\nwhile True: pass"))
        assert time.monotonic() - started < 3


def test_processor_time_is_limited_even_when_wall_time_is_not():
    with Box(replace(POLICY, cpu_seconds=1, statement_seconds=30)) as box, pytest.raises(Died):
        box.execute(statement("while True: pass"))


def test_output_without_end_costs_only_its_time_limit():
    with Box(replace(POLICY, statement_seconds=0.5)) as box, pytest.raises(Overran):
        box.execute(statement("while True: print('x' * 1000)"))


def test_no_process_is_left_after_the_end():
    box = Box()
    process = box._process.pid
    box.execute(statement("import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()"))
    box.close()
    box.close()
    assert not Path(f"/proc/{process}").exists()


def test_a_box_dies_with_the_grader():
    script = (
        "import os, sys\nfrom autograder.sandbox import Box\n"
        "box = Box()\nprint(box._process.pid, flush=True)\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    process = Path(f"/proc/{int(done.stdout)}")
    deadline = time.monotonic() + 5
    while process.exists() and "Z" not in (process / "stat").read_text() and time.monotonic() < deadline:
        os.sched_yield()
    assert not process.exists() or "Z" in (process / "stat").read_text()


def test_without_bubblewrap_it_is_said_what_is_missing_and_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match="bubblewrap is not installed") as caught:
        Box()
    assert "apt-get install bubblewrap" in caught.value.fix


def test_a_bubblewrap_that_may_not_make_namespaces_is_told_apart(monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(SandboxUnavailable, match="No permissions to create new namespace"), Box():
        pass


# ------------------------------------------------------------------------------------------------ the conversation

FORGE = (
    "import json, os, struct\n"
    "def forge(head, body=b''):\n"
    "    text = head if isinstance(head, bytes) else json.dumps(head).encode()\n"
    "    for n in range(3, 64):\n"
    "        try: os.write(n, struct.pack('>II', len(text), len(body)) + text + body)\n"
    "        except OSError: pass\n"
)


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        ("forge({'id': 1, 'results': []})", "another question"),
        ("forge(b'no json')", "no answer"),
        ("forge(b'[' * 100000)", "no answer"),
        ("forge([])", "another question"),
        ("os.write(4, b'\\xff' * 8); os.write(5, b'\\xff' * 8)", "more than can be taken"),
    ],
)
def test_a_forged_answer_is_a_lie_and_ends_the_box(box, forged, told):
    assert run(box, FORGE) is None
    with pytest.raises(Lied, match=told):
        box.execute(statement(forged))
    with pytest.raises(Trouble):
        box.execute(statement("pass"))


def test_an_answer_before_the_question_is_a_lie(box):
    assert run(box, FORGE) is None
    source = "import threading\nt = threading.Timer(0.05, forge, [{'id': 1, 'results': []}])\nt.start()"
    assert run(box, source) is None
    import select

    assert select.select([box._source], [], [], 5)[0]
    with pytest.raises(Lied, match="before it was asked"):
        box.execute(statement("pass"))


def test_an_array_arrives_as_a_plain_copy_whatever_it_pretends(box):
    source = (
        "import numpy as np\n"
        "class Liar(np.ndarray):\n"
        "    def __array_ufunc__(self, *a, **k): return True\n"
        "    def __eq__(self, other): return True\n"
        "    def __array_function__(self, *a): return True\n"
        "def lie(): return np.arange(3.0).view(Liar)\n"
    )
    assert run(box, source) is None
    [value] = box.perform([Step("call", "lie")])
    assert type(value) is np.ndarray
    assert value.tolist() == [0, 1, 2]


def test_object_and_structured_arrays_stay_in_the_box(box):
    assert (
        run(box, "import numpy as np\ndef a(): return np.array([object()])\ndef b(): return np.zeros(2, 'i4,f8')")
        is None
    )
    for name in ("a", "b"):
        [value] = box.perform([Step("call", name)])
        assert isinstance(value, Handle)
        assert value.description.startswith("a numpy array of dtype")


def test_what_is_nested_stays_and_can_be_handed_back(box):
    assert run(box, "def f(x): return x, (x, [x])\ndef g(cache): return cache[1][0] + 1") is None
    [(out, cache)] = box.perform([Step("call", "f", args=(np.arange(3),))])
    assert out.tolist() == [0, 1, 2]
    assert isinstance(cache, Handle)
    assert cache.description == "a tuple of 2"
    [back] = box.perform([Step("call", "g", args=(cache,))])
    assert back.tolist() == [1, 2, 3]


def test_arrays_are_copied_for_each_call_of_a_batch(box):
    assert run(box, "def f(x):\n    x += 1\n    return x") is None
    x = np.zeros(2)
    assert [r.tolist() for r in box.perform([Step("call", "f", args=(x,))] * 3)] == [[1, 1]] * 3


def test_a_return_value_that_is_too_large_is_an_error_of_the_call(box):
    assert run(box, "import numpy as np\ndef f(): return np.zeros(1 << 23)\ndef g(): return list(range(10**6))") is None
    for name in ("f", "g"):
        [raised] = box.perform([Step("call", name)])
        assert raised.kind == "WireError"


def test_terminal_escapes_in_a_message_are_taken_out(box):
    raised = box.execute(statement("raise ValueError('\\x1b[31mred\\u202eltr\\x07' + 'x' * 100000)"))
    assert "\x1b" not in raised.message
    assert "\u202e" not in raised.message
    assert len(raised.message) <= POLICY.text
