"""What a sandbox may do: the one table of its limits."""

from __future__ import annotations

from dataclasses import dataclass

MiB = 1 << 20


@dataclass(frozen=True)
class Policy:
    """The limits of one sandbox. Sizes in bytes, times in seconds."""

    start_seconds: float = 20.0
    """Wall time for the interpreter to come up with numpy loaded: generous, for a machine under load."""
    statement_seconds: float = 5.0
    """Wall time for one top-level statement of the notebook."""
    load_seconds: float = 20.0
    """Wall time for all of the notebook's statements together."""
    call_seconds: float = 3.0
    """Wall time for one call of a graded function; a right one takes about a millisecond."""
    lent_seconds: float = 20.0
    """Wall time by which a call may last longer, for the grader's own time in answering what is lent to it."""
    batch_seconds: float = 20.0
    """Wall time for a batch of calls, a few hundred small ones."""
    notebook_seconds: float = 60.0
    """Wall time for one notebook of a submission in all of its boxes: what is loaded, called, and judged again."""
    smaller_cases: int = 80
    """Cases that may be tried in search of the smallest one that is wrong: once for each failing question."""
    smaller_seconds: float = 3.0
    """Wall time of that search; what takes longer is not told at all, so that a seed repeats what is told."""
    cpu_seconds: int = 120
    """Processor time of the whole box; what outlives its parent ends here at the latest."""
    memory: int = 1024 * MiB
    """Address space of the one process. numpy and matplotlib together take about a third of it."""
    processes: int = 64
    """Threads; new processes are refused by the system call filter."""
    open_files: int = 64
    disk: int = 16 * MiB
    """The tmpfs at /tmp, which is all that can be written to."""
    frame: int = 32 * MiB
    """The longest message either way, before anything is allocated for it."""
    head: int = 4 * MiB
    """The longest JSON of a message."""
    loan: int = 256 << 10
    """The longest arguments of a lent function, since that runs outside of the box and its time limits."""
    values: int = 100_000
    """Numbers, strings, arrays and containers in one message."""
    depth: int = 12
    """How deep containers may nest in one message."""
    text: int = 4096
    """Characters of a text that is returned."""
    message: int = 300
    """Characters of an error message that are told: numpy's have up to 200, and each test that fails repeats it."""


POLICY = Policy()

FORBIDDEN_CALLS = (
    # new processes (threads are clone with CLONE_THREAD and stay allowed; clone3 hides its flags from a filter)
    "fork", "vfork", "clone3",
    # other processes, other namespaces
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_open", "pidfd_getfd",
    "pidfd_send_signal", "kcmp", "unshare", "setns",
    # other users
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capset",
    # the network, though its namespace is empty, and unix sockets
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
    # mounts
    "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
    "fspick", "mount_setattr",
    # another filter, as prctl could set one
    "seccomp",
    # wide doors into the kernel
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "add_key", "request_key", "keyctl", "init_module", "finit_module", "delete_module", "kexec_load",
    "kexec_file_load", "name_to_handle_at", "open_by_handle_at", "personality", "syslog", "acct", "quotactl",
    "swapon", "swapoff", "reboot", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime",
    # how other processes are run
    "setpriority", "sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity", "ioprio_set",
    "migrate_pages", "move_pages", "process_mrelease",
    # shared memory that outlives its limits
    "shmget", "shmat", "msgget", "semget", "mq_open", "memfd_create",
)  # fmt: skip
"""System calls that answer "not permitted" in the box; beside the namespaces, not instead of them."""

FORBIDDEN_IN_SIGHT = (
    "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
    # Landlock leaves these to the owner of a file
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime", "utimes", "utimensat",
    "futimesat", "setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr", "fremovexattr",
    "truncate",
)  # fmt: skip
"""Refused too where the processes and files of others are in sight: without namespaces."""

FORBIDDEN_PRCTL = (1, 4, 22)
"""What a process may not ask of itself: to outlive its parent, to be looked into, another filter of system calls."""
