"""What code in the box cannot do; each test is an attempt."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autograder.errors import SandboxUnavailable
from autograder.sandbox import POLICY, Box, Died, Lied, Overran, Raised, Trouble, Way, forkserver, strongest
from autograder.sandbox.box import Step
from autograder.sandbox.worker import Handle
from coursekit.notebook import Statement

REPOSITORY = Path(__file__).parents[2]


def statement(source):
    return Statement(source, cell=1, line=1, position=0)


@pytest.fixture(params=[Way.NAMESPACES, Way.LANDLOCK], ids=lambda way: way.value)
def way(request):
    return request.param


@pytest.fixture
def box(way):
    with Box(way=way) as box:
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


SECRETS = [
    *(
        REPOSITORY / path
        for path in ("README.md", "source", "autograder/suites", "autograder/grading.py", ".git/config")
    ),
    Path.home(),
    Path("/etc/passwd"),
]


@pytest.mark.parametrize("path", SECRETS, ids=str)
def test_no_file_of_this_machine_can_be_read(box, path):
    assert path.exists()
    look = f"__import__('os').listdir({str(path)!r})" if path.is_dir() else f"open({str(path)!r})"
    assert run(box, look) in {"FileNotFoundError", "PermissionError"}


@pytest.mark.parametrize("path", SECRETS, ids=str)
def test_in_namespaces_it_cannot_even_be_seen_that_there_is_one(path):
    with Box(way=Way.NAMESPACES) as box:
        assert ask(box, f"__import__('os').path.exists({str(path)!r})") is (str(path) == "/etc")


def test_in_namespaces_nothing_but_interpreter_packages_and_an_empty_tmp_is_there():
    with Box(way=Way.NAMESPACES) as box:
        assert set(ask(box, "sorted(__import__('os').listdir('/'))")) <= {
            *("box", "dev", "etc", "lib", "lib64", "packages", "python", "tmp", "usr")
        }
        assert ask(box, "__import__('os').listdir('/tmp')") == []
        assert ask(box, "__import__('os').listdir('/etc')") in (["ld.so.cache"], [])
        assert sorted(ask(box, "__import__('os').listdir('/dev')")) == ["null", "urandom"]
        assert ask(box, "__import__('os').path.exists('/proc')") is False


def test_the_grader_cannot_be_imported(box):
    for module in ("autograder", "nbgrader", "pytest", "hypothesis", "pip", "IPython.core"):
        assert run(box, f"import {module}") == "ModuleNotFoundError"


def test_what_the_kit_depends_on_can_be_imported(box):
    for module in ("numpy", "h5py", "imageio", "matplotlib", "tqdm", "coursekit"):
        assert run(box, f"import {module}") is None


def test_the_environment_holds_nothing_of_the_hosts(monkeypatch, way):
    monkeypatch.setenv("CANVAS_TOKEN", "secret")
    with Box(way=way) as box:
        names = set(ask(box, "sorted(__import__('os').environ)"))
    assert names <= {
        *("HOME", "LD_LIBRARY_PATH", "MPLBACKEND", "MPLCONFIGDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        *("LC_CTYPE", "PWD", "TMPDIR"),
    }


def test_other_processes_can_be_neither_signalled_nor_looked_into(box):
    assert run(box, f"import os; os.kill({os.getpid()}, 9)") in {"ProcessLookupError", "PermissionError"}
    for file in ("environ", "mem", "maps", "cmdline", "fd/0"):
        assert run(box, f"open('/proc/{os.getpid()}/{file}')") in {"FileNotFoundError", "PermissionError"}


def test_in_namespaces_a_box_is_alone():
    with Box(way=Way.NAMESPACES) as box:
        assert ask(box, PROCESS) == 1
        assert ask(box, "__import__('os').getuid()") == 65534


PROCESS = "__import__('os').getpid()"


def test_two_boxes_at_once_share_nothing(way):
    with Box(way=way) as first, Box(way=way) as second:
        assert run(first, "with open('mine', 'w') as file: file.write('secret')") is None
        folder = ask(first, "__import__('os').getcwd()")
        assert run(second, f"open({folder + '/mine'!r})") in {"FileNotFoundError", "PermissionError"}
        kill = f"import os; os.kill({ask(first, PROCESS) + 1}, 9)"
        assert run(second, kill) in {"ProcessLookupError", "PermissionError"}


def test_numpy_was_there_before_the_box(box):
    """What the fork server has loaded is set aside from the garbage collector; what a worker loads is not."""
    assert (
        run(box, "import gc, numpy as np; assert not any(each is np.random.__dict__ for each in gc.get_objects())")
        is None
    )
    assert run(box, "import gc, timeit; assert any(each is timeit.__dict__ for each in gc.get_objects())") is None


def test_boxes_do_not_draw_the_same_numbers(way):
    draw = "__import__('numpy').random.rand(), __import__('random').random()"
    drawn = []
    for _ in range(2):
        with Box(way=way) as box:
            drawn.append(ask(box, draw))
    assert drawn[0][0] != drawn[1][0]
    assert drawn[0][1] != drawn[1][1]


def test_only_the_two_ends_of_the_conversation_are_open(box):
    assert (
        run(
            box,
            "import os, stat\n"
            "for n in range(3, 1024):\n"
            "    try:\n"
            "        name = os.fstat(n)\n"
            "    except OSError:\n"
            "        continue\n"
            "    assert stat.S_ISFIFO(name.st_mode) or name.st_rdev == os.stat('/dev/null').st_rdev, n\n",
        )
        is None
    )


def test_no_capability_is_left_and_none_can_be_had(box):
    source = (
        "import ctypes, struct\nlibc = ctypes.CDLL(None)\nheld = ctypes.create_string_buffer(24)\n"
        "assert libc.capget(struct.pack('Ii', 0x20080522, 0), held) == 0\n"
        "assert held.raw == bytes(24)\nassert libc.prctl(39, 0, 0, 0, 0) == 1\n"  # PR_GET_NO_NEW_PRIVS
        "assert libc.prctl(21, 0, 0, 0, 0) == 2"  # PR_GET_SECCOMP: a filter is there
    )
    assert run(box, source) is None


@pytest.mark.parametrize("option", [1, 4, 22], ids=["PR_SET_PDEATHSIG", "PR_SET_DUMPABLE", "PR_SET_SECCOMP"])
def test_a_box_cannot_change_how_it_is_held(box, option):
    source = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nassert libc.prctl({option}, 0, 0, 0, 0) == -1"
    assert run(box, source) is None


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


@pytest.mark.parametrize(
    "path",
    [
        "sys.modules['worker'].__file__",
        "numpy.__file__",
        "os.path.dirname(numpy.__file__) + '/x'",
        "os.__file__",
        "os.path.dirname(os.__file__) + '/x'",
        "'/new'",
        "'/dev/new'",
        "'/etc/new'",
        "'/var/tmp/new'",
        "'/dev/shm/new'",
    ],
)
def test_nothing_outside_of_its_folder_can_be_written(box, path):
    assert run(box, f"import os, sys, numpy; open({path}, 'w')") in {"OSError", "PermissionError", "FileNotFoundError"}


def test_a_file_is_small(box):
    assert run(box, f"with open('big', 'wb') as f: f.write(bytes({POLICY.disk + 1}))") == "OSError"


def test_in_namespaces_the_disk_is_small():
    fill = "for n in range(64):\n    with open(f'/tmp/{n}', 'wb') as f: f.write(bytes(1 << 20))"
    with Box(way=Way.NAMESPACES) as box:
        assert run(box, fill) == "OSError"


def test_open_files_are_few(box):
    assert run(box, "files = [open('/dev/null') for _ in range(1000)]") == "OSError"


def test_memory_is_limited(way):
    with Box(replace(POLICY, memory=512 << 20), way) as box:
        assert run(box, "x = bytearray(1 << 36)") == "MemoryError"
        assert run(box, "x = []\nwhile True: x.append(bytearray(1 << 26))") == "MemoryError"


def test_limits_cannot_be_raised(box):
    source = "import resource as r; r.setrlimit(r.RLIMIT_AS, (r.RLIM_INFINITY, r.RLIM_INFINITY))"
    assert run(box, source) in {"ValueError", "PermissionError"}


AGAINST_THE_SAME_USER = [
    *("os.chmod(file, 0)", "os.chown(file, 1, 1)", "os.utime(file)", "os.setxattr(file, 'user.x', b'y')"),
    *("os.truncate(file, 0)", "os.rename(file, file + '.old')", "os.link(file, 'mine')", "os.remove(file)"),
    *("open(file)", "open(file, 'a')", "os.symlink(file, 'mine'); open('mine')"),
    "resource.prlimit(grader, resource.RLIMIT_CPU, (0, 0))",
    *("os.setpriority(os.PRIO_PROCESS, grader, 19)", "os.sched_setaffinity(grader, {0})", "os.kill(grader, 0)"),
    *("os.execv('/bin/sh', ['sh'])", "os.execv(sys.executable, ['python'])"),
]


def test_files_and_processes_of_the_same_user_are_left_alone(way, tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.sandbox.ways.another_user", lambda _: None)
    monkeypatch.setattr(forkserver, "_servers", {})
    file = tmp_path / "gradebook.db"
    file.write_text("grades")
    with Box(way=way) as box:
        assert run(box, f"import os, resource, sys; file, grader = {str(file)!r}, {os.getpid()}") is None
        found = {attempt: run(box, attempt) for attempt in AGAINST_THE_SAME_USER}
    forkserver._close()
    stopped = {"PermissionError", "FileNotFoundError", "ProcessLookupError", "OSError"}
    assert {attempt: by for attempt, by in found.items() if by not in stopped} == {}
    assert file.read_text() == "grades"
    assert file.stat().st_mode & 0o777 == 0o644


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


def test_an_endless_loop_ends_with_its_time_limit_even_when_signals_are_blocked(way):
    with Box(replace(POLICY, statement_seconds=0.5), way) as box:
        started = time.monotonic()
        with pytest.raises(Overran, match=r"did not come to an end within 0.5 s"):
            box.execute(statement("import signal\nsignal.pthread_sigmask(0, range(1, 65))\nwhile True: pass"))
        assert time.monotonic() - started < 3


def test_processor_time_is_limited_even_when_wall_time_is_not(way):
    with Box(replace(POLICY, cpu_seconds=1, statement_seconds=30), way) as box, pytest.raises(Died):
        box.execute(statement("while True: pass"))


def test_output_without_end_costs_only_its_time_limit(way):
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


def test_no_process_and_no_folder_is_left_after_the_end(way):
    Box(way=way).close()  # from here on its fork server is there
    before, folders = descendants(os.getpid()), set(Path(tempfile.gettempdir()).glob("box-*/*"))
    box = Box(way=way)
    box.execute(statement("import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()"))
    assert len(descendants(os.getpid())) > len(before)
    box.close()
    box.close()
    deadline = time.monotonic() + 10

    def left():
        return descendants(os.getpid()) - before or set(Path(tempfile.gettempdir()).glob("box-*/*")) - folders

    while left():  # who watched it takes its folder away, and ends
        assert time.monotonic() < deadline
        os.sched_yield()


@pytest.mark.parametrize("ended", ["os.kill(os.getpid(), 9)", "sys.exit()"])
def test_a_box_dies_with_the_grader(way, ended):
    script = (
        "import os, sys\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[1])\n"
        "from autograder.sandbox import Box, Way\nfrom test_sandbox import descendants, statement\n"
        f"box = Box(way={way})\n"
        "box.execute(statement('import signal; signal.pthread_sigmask(0, range(1, 65))'))\n"
        f"print(*descendants(os.getpid()), flush=True)\n{ended}"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent)], capture_output=True, text=True, check=False
    )
    found = set(map(int, done.stdout.split()))
    assert len(found) >= 3, done.stderr
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


def test_a_fork_server_that_was_killed_is_started_anew(way, tmp_path, monkeypatch):
    others = descendants(os.getpid())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # nobody is left to take its folder away
    monkeypatch.setattr(forkserver, "_servers", {})
    with Box(way=way) as box:
        while found := descendants(os.getpid()) - others:
            for process in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, 9)
        with pytest.raises(Died):
            box.execute(statement("pass"))
    with Box(way=way) as box:
        assert ask(box, "1") == 1
    forkserver._close()


@pytest.fixture
def no_servers(monkeypatch):
    """A grader that has not started a box yet."""
    monkeypatch.setattr(forkserver, "_servers", {})
    yield
    forkserver._close()


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
def test_where_namespaces_are_forbidden_landlock_shuts_the_box():
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
    monkeypatch.setattr(Way, "command", lambda way: old if way is Way.LANDLOCK else real(way))
    with pytest.raises(SandboxUnavailable, match=r"No permissions to create new namespace.*Landlock") as caught:
        Box()
    assert "sysctl" in caught.value.fix


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
