"""What a sandbox can see of this machine: the interpreter, the kit's own packages, and nothing else.

The interpreter is shown at /python without its site-packages, and each package the kit depends on at /packages, so
that no path inside says where anything lies outside, and nothing that happens to be installed here can be imported.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from functools import cache
from importlib import metadata
from pathlib import Path

import coursekit

PACKAGES = "/packages"
PYTHON = "/python"
BOX = "/box"
INSIDE = ("forking.py", "sealing.py", "wire.py", "worker.py")
"""The files of this folder that run inside; the first is started."""
DEVICES = ("/dev/null", "/dev/urandom")
ENVIRONMENT = {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
INSTALLED = ("site-packages", "dist-packages")
"""What lies in the folder of the standard library and is none of it."""
KIT = "backprop-course"


@cache
def interpreter() -> tuple[list[str], str]:
    """The bubblewrap arguments that show the interpreter, and its path inside."""
    base = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    executable = Path(f"{PYTHON}/bin/{version}")
    arguments = ["--ro-bind", str(Path(sys.executable).resolve()), str(executable)]
    for kind in ("stdlib", "platstdlib"):
        real = Path(sysconfig.get_path(kind, vars={"base": str(base), "platbase": str(base)}))
        arguments += ["--ro-bind", str(real), f"{PYTHON}/{real.parent.name}/{version}"]
    for hidden in INSTALLED:
        if (Path(sysconfig.get_path("stdlib")) / hidden).is_dir():
            arguments += ["--tmpfs", f"{PYTHON}/lib/{version}/{hidden}"]
    shared = sysconfig.get_config_var("INSTSONAME") or ""
    library = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib") / shared
    if ".so" in shared and library.is_file():
        arguments += ["--ro-bind", str(library), f"{PYTHON}/lib/{shared}"]
    for shared_libraries in libraries():
        arguments += ["--ro-bind-try", shared_libraries, shared_libraries]
    return arguments, str(executable)


def libraries() -> list[str]:
    """Where the shared libraries of this machine lie, if there is such a folder, and the list of them."""
    multiarch = sysconfig.get_config_var("MULTIARCH") or "none"
    return ["/lib64", f"/lib/{multiarch}", "/usr/lib64", f"/usr/lib/{multiarch}", "/etc/ld.so.cache"]


def standard_library() -> dict[str, Path]:
    """Each file or folder of the standard library, by its name: without the packages that are installed into it."""
    found = {}
    for kind in ("platstdlib", "stdlib"):
        for entry in Path(
            sysconfig.get_path(kind, vars={"base": sys.base_prefix, "platbase": sys.base_prefix})
        ).iterdir():
            if entry.name not in ("site-packages", "dist-packages"):
                found[entry.name] = entry
    return found


@cache
def packages(kit: tuple[str, ...] | None = None) -> tuple[tuple[Path, str], ...]:
    """Each file or folder of the packages the kit depends on, and of the kit, with its name under /packages.

    Of ``coursekit`` there are only the files of the ``kit``, by default all.
    """
    home = Path(coursekit.__file__).parent
    found = {home.name: home} if kit is None else {f"{home.name}/{file}": home / file for file in kit}
    wanted, done = list(metadata.requires(KIT) or ()), set()
    while wanted:
        requirement = wanted.pop()
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
        if name in done or "extra ==" in requirement:
            continue
        done.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # needed on other systems or by other versions of Python
            continue
        wanted += distribution.requires or ()
        record = distribution.read_text("RECORD") or ""
        for top in {line.partition(",")[0].partition("/")[0] for line in record.splitlines()}:
            if not top.startswith(("..", "__pycache__")) and not top.endswith(".pth"):
                found[top] = Path(str(distribution.locate_file(top)))
    return tuple(sorted((real, top) for top, real in found.items()))


def in_box(kit: tuple[str, ...] | None = None) -> tuple[list[str], str]:
    """The bubblewrap arguments that show all of it, read-only, and the interpreter's path inside."""
    arguments, python = interpreter()
    arguments = list(arguments)
    for name in INSIDE:
        arguments += ["--ro-bind", str(Path(__file__).with_name(name)), f"{BOX}/{name}"]
    for real, top in packages(kit):
        arguments += ["--ro-bind", str(real), f"{PACKAGES}/{top}"]
    return arguments, python
