"""What code in the box cannot reach and is not allowed; each test is an attempt."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

import coursekit
from autograder.sandbox import POLICY, Box, Way, forkserver
from autograder.sandbox.policy import FORBIDDEN_CALLS, FORBIDDEN_IN_SIGHT

REPOSITORY = Path(__file__).parents[3]


# --------------------------------------------------------------------------------------------- what stays outside


def test_the_network_cannot_be_reached(box, run):
    assert run(box, "import socket; socket.socket()") == "PermissionError"


def test_no_network_device_but_an_idle_loopback_exists(box, run):
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
def test_no_file_of_this_machine_can_be_read(box, path, run):
    assert path.exists()
    look = f"__import__('os').listdir({str(path)!r})" if path.is_dir() else f"open({str(path)!r})"
    assert run(box, look) in {"FileNotFoundError", "PermissionError"}


@pytest.mark.parametrize("path", SECRETS, ids=str)
def test_in_namespaces_it_cannot_even_be_seen_that_there_is_one(path, ask):
    with Box(way=Way.NAMESPACES) as box:
        assert ask(box, f"__import__('os').path.exists({str(path)!r})") is (str(path) == "/etc")


def test_in_namespaces_nothing_but_interpreter_packages_and_an_empty_tmp_is_there(ask):
    with Box(way=Way.NAMESPACES) as box:
        assert set(ask(box, "sorted(__import__('os').listdir('/'))")) <= {
            *("box", "dev", "etc", "lib", "lib64", "packages", "python", "tmp", "usr")
        }
        assert ask(box, "__import__('os').listdir('/tmp')") == []
        assert ask(box, "__import__('os').listdir('/etc')") in (["ld.so.cache"], [])
        assert sorted(ask(box, "__import__('os').listdir('/dev')")) == ["null", "urandom"]
        assert ask(box, "__import__('os').path.exists('/proc')") is False


def test_the_grader_cannot_be_imported(box, run):
    for module in ("autograder", "nbgrader", "pytest", "hypothesis", "pip", "IPython.core"):
        assert run(box, f"import {module}") == "ModuleNotFoundError"


def test_what_the_kit_depends_on_can_be_imported(box, run):
    for module in ("numpy", "h5py", "imageio", "matplotlib", "tqdm", "coursekit"):
        assert run(box, f"import {module}") is None


def test_of_the_kit_only_those_files_are_there_that_an_assignment_needs(way, run, ask):
    """The others may hold what it asks for."""
    with Box(way=way, kit=("__init__.py", "errors.py", "notebook/__init__.py")) as box:
        assert run(box, "import coursekit.errors") is None
        assert run(box, "import coursekit.layers") == "ModuleNotFoundError"
        home = ask(box, "__import__('os').path.dirname(__import__('coursekit').__file__)")
        assert run(box, f"open({home + '/layers.py'!r})") == "FileNotFoundError"
        assert run(box, f"open({str(Path(coursekit.__file__).with_name('layers.py'))!r})") in {
            *("FileNotFoundError", "PermissionError"),
        }


def test_the_environment_holds_nothing_of_the_hosts(monkeypatch, way, ask):
    monkeypatch.setenv("CANVAS_TOKEN", "secret")
    with Box(way=way) as box:
        names = set(ask(box, "sorted(__import__('os').environ)"))
    assert names <= {
        *("HOME", "LD_LIBRARY_PATH", "MPLBACKEND", "MPLCONFIGDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        *("LC_CTYPE", "PWD", "TMPDIR"),
    }


def test_other_processes_can_be_neither_signalled_nor_looked_into(box, run):
    assert run(box, f"import os; os.kill({os.getpid()}, 9)") in {"ProcessLookupError", "PermissionError"}
    for file in ("environ", "mem", "maps", "cmdline", "fd/0"):
        assert run(box, f"open('/proc/{os.getpid()}/{file}')") in {"FileNotFoundError", "PermissionError"}


def test_in_namespaces_a_box_is_alone(ask):
    with Box(way=Way.NAMESPACES) as box:
        assert ask(box, PROCESS) == 1
        assert ask(box, "__import__('os').getuid()") == 65534


PROCESS = "__import__('os').getpid()"


def test_two_boxes_at_once_share_nothing(way, run, ask):
    with Box(way=way) as first, Box(way=way) as second:
        assert run(first, "with open('mine', 'w') as file: file.write('secret')") is None
        folder = ask(first, "__import__('os').getcwd()")
        assert run(second, f"open({folder + '/mine'!r})") in {"FileNotFoundError", "PermissionError"}
        kill = f"import os; os.kill({ask(first, PROCESS) + 1}, 9)"
        assert run(second, kill) in {"ProcessLookupError", "PermissionError"}


def test_numpy_was_there_before_the_box(box, run):
    """What the fork server has loaded is set aside from the garbage collector; what a worker loads is not."""
    assert (
        run(box, "import gc, numpy as np; assert not any(each is np.random.__dict__ for each in gc.get_objects())")
        is None
    )
    assert run(box, "import gc, timeit; assert any(each is timeit.__dict__ for each in gc.get_objects())") is None


def test_boxes_do_not_draw_the_same_numbers(way, ask):
    draw = "__import__('numpy').random.rand(), __import__('random').random()"
    drawn = []
    for _ in range(2):
        with Box(way=way) as box:
            drawn.append(ask(box, draw))
    assert drawn[0][0] != drawn[1][0]
    assert drawn[0][1] != drawn[1][1]


def test_only_the_two_ends_of_the_conversation_are_open(box, run):
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


def test_no_capability_is_left_and_none_can_be_had(box, run):
    source = (
        "import ctypes, struct\nlibc = ctypes.CDLL(None)\nheld = ctypes.create_string_buffer(24)\n"
        "assert libc.capget(struct.pack('Ii', 0x20080522, 0), held) == 0\n"
        "assert held.raw == bytes(24)\nassert libc.prctl(39, 0, 0, 0, 0) == 1\n"  # PR_GET_NO_NEW_PRIVS
        "assert libc.prctl(21, 0, 0, 0, 0) == 2"  # PR_GET_SECCOMP: a filter is there
    )
    assert run(box, source) is None


@pytest.mark.parametrize("option", [1, 4, 22], ids=["PR_SET_PDEATHSIG", "PR_SET_DUMPABLE", "PR_SET_SECCOMP"])
def test_a_box_cannot_change_how_it_is_held(box, option, run):
    source = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nassert libc.prctl({option}, 0, 0, 0, 0) == -1"
    assert run(box, source) is None


def test_the_stack_holds_no_frame_of_the_grader(box, run):
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
def test_a_new_process_is_refused(box, source, run):
    assert run(box, source) in {"PermissionError", "BlockingIOError"}


def test_threads_are_few_and_end_with_the_box(box, run):
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
def test_nothing_outside_of_its_folder_can_be_written(box, path, run):
    assert run(box, f"import os, sys, numpy; open({path}, 'w')") in {"OSError", "PermissionError", "FileNotFoundError"}


def test_a_file_is_small(box, run):
    assert run(box, f"with open('big', 'wb') as f: f.write(bytes({POLICY.disk + 1}))") == "OSError"


def test_in_namespaces_the_disk_is_small(run):
    fill = "for n in range(64):\n    with open(f'/tmp/{n}', 'wb') as f: f.write(bytes(1 << 20))"
    with Box(way=Way.NAMESPACES) as box:
        assert run(box, fill) == "OSError"


def test_open_files_are_few(box, run):
    assert run(box, "files = [open('/dev/null') for _ in range(1000)]") == "OSError"


def test_memory_is_limited(way, run):
    with Box(replace(POLICY, memory=512 << 20), way) as box:
        assert run(box, "x = bytearray(1 << 36)") == "MemoryError"
        assert run(box, "x = []\nwhile True: x.append(bytearray(1 << 26))") == "MemoryError"


def test_limits_cannot_be_raised(box, run):
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


def test_files_and_processes_of_the_same_user_are_left_alone(way, tmp_path, monkeypatch, run):
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


NEWER = {"setxattrat"}
"""Calls of newer kernels, which libseccomp may not know by name yet."""


def test_every_name_of_a_forbidden_call_is_one():
    import pyseccomp

    names = {*FORBIDDEN_CALLS, *FORBIDDEN_IN_SIGHT}  # x86 has had them all
    assert {name for name in names if pyseccomp.resolve_syscall(pyseccomp.Arch.X86_64, name) < 0} <= NEWER


@pytest.mark.parametrize(
    "name", ["unshare", "mount", "ptrace", "bpf", "keyctl", "setns", "userfaultfd", "socket", "seccomp"]
)
def test_a_forbidden_system_call_is_refused(box, name, run):
    import pyseccomp

    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    source = (
        f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"assert libc.syscall({number}, 0, 0, 0, 0, 0) == -1\nassert ctypes.get_errno() == 1, ctypes.get_errno()"
    )
    assert run(box, source) is None


def test_what_is_printed_goes_nowhere(box, run, ask):
    assert (
        run(box, "import os, sys; print('x' * 10**6); sys.stderr.write('y' * 10**6); os.write(1, b'z' * 10**6)") is None
    )
    assert ask(box, "1 + 1") == 2


def test_nobody_answers_input(box, run):
    assert run(box, "input('password: ')") == "EOFError"
