"""The import rules of the repository, read from its files."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

from autograder.course import HOME, assignment_names, load_assignment
from autograder.sandbox.view import INSIDE

STUDENT_PACKAGES = {"numpy", "h5py", "imageio", "matplotlib", "tqdm", "IPython"}
# Bottom up: a module imports from its own layer or from one below.
LAYERS = (
    ("commands", "gradescope", "judging", "gradebook", "releasing"),  # which say what is in them
    ("errors", "outcomes", "judging.verdicts", "files", "progress", "kit"),
    ("sandbox", "sandbox.policy", "sandbox.wire", "sandbox.worker", "sandbox.sealing", "sandbox.forking"),
    ("sandbox.filters", "sandbox.view", "sandbox.bubblewrap"),
    ("sandbox.ways",),
    ("sandbox.forkserver",),
    ("sandbox.box", "sandbox.workspace"),
    ("judging.guests", "judging.bounds"),
    ("judging.answers", "judging.lending", "judging.student"),
    (
        "judging.calling",
        "judging.cases",
        "judging.misconceptions",
        "judging.error_maps",
        "judging.heard",
        "judging.measuring",
        "judging.passes",
        "judging.watching",
        "judging.conduct",
        "judging.judge",
        "judging.losses",
        "judging.smallest",
        "judging.plugin",
        "judging.run",
    ),
    ("sources",),
    ("course", "grading"),
    ("parallel",),
    ("parcel",),
    ("executors",),
    ("cluster",),
    (
        "batch",
        "submissions",
        "releasing.fragments",
        "terminal",
        "doctor",
        "results",
        "regrade",
        "gradebook.feedback",
        "gradebook.opening",
        "gradebook.exporters",
    ),
    ("pages", "pages.dashboard", "pages.figures", "pages.rendering", "pages.statistics", "pages.student"),
    ("reporting",),
    ("gradebook.autograded", "gradebook.beside", "releasing.passages", "releasing.bundle"),
    ("gradebook.writing", "releasing.leaks"),
    ("records", "releasing.release"),
    ("audit.mutants", "audit.variants", "audit.session"),
    ("audit.equivalents", "audit.checking"),
    ("audit.auditing",),
    ("audit.showing",),
    ("gradebook.sealed", "demo"),
    ("collecting.archive",),
    ("collecting.platforms",),
    ("collecting.layout", "collecting.roster"),
    ("collecting.collecting",),
    ("collecting.showing",),
    ("checkouts",),
    ("ci", "gradescope.running"),
    ("gradescope.building",),
    ("commands.ci", "commands.collecting", "commands.gradescope"),
    ("cli", "__main__"),
)


def modules(package):
    folder = HOME / package
    for path in sorted(folder.rglob("*.py")):
        if "suites" not in path.parts:
            yield ".".join((package, *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"), path


def imports(path, module):
    """What a module imports when it runs: imports for type checkers alone do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), module.rpartition(".")[0] or module)
            for name in node.names:
                file = HOME / Path(*base.split("."), f"{name.name}.py")
                yield f"{base}.{name.name}" if file.is_file() else base


def test_students_packages_import_nothing_of_the_grader_and_little_else():
    for module, path in modules("coursekit"):
        roots = {name.split(".")[0] for name in imports(path, module)}
        assert roots <= STUDENT_PACKAGES | sys.stdlib_module_names | {"coursekit"}, module


@pytest.mark.parametrize(
    ("module", "loaded"), [("coursekit", set()), ("coursekit.gradcheck", {"numpy"}), ("coursekit.check", {"numpy"})]
)
def test_importing_a_module_loads_no_more_than_it_needs(module, loaded):
    listing = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-I", "-c", listing], capture_output=True, text=True, check=True)
    names = {*STUDENT_PACKAGES, "autograder", "nbformat", "nbgrader", "PIL", "socket"}
    assert set(done.stdout.split()) & names <= loaded


def test_the_part_inside_the_sandbox_needs_the_standard_library_and_numpy_alone():
    for file in INSIDE:
        module = f"autograder.sandbox.{file.removesuffix('.py')}"
        names = set(imports(HOME / "autograder" / "sandbox" / file, module)) - {"autograder.sandbox.wire"}
        beside = {inside.removesuffix(".py") for inside in INSIDE}
        assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names | {"numpy"} | beside


def test_every_module_imports_from_its_own_layer_or_from_one_below():
    layer = {f"autograder.{name}": number for number, names in enumerate(LAYERS) for name in names}
    layer["autograder.sandbox"] = layer["autograder.sandbox.box"]
    layer["autograder.audit"] = layer["autograder.audit.showing"]
    layer["autograder.collecting"] = layer["autograder.collecting.showing"]
    layer["autograder"] = 0
    for module, path in modules("autograder"):
        for name in imports(path, module):
            if name.startswith("autograder"):
                assert layer[name] <= layer[module], f"{module} imports {name} from above"


def test_no_module_imports_itself_in_a_circle():
    graph = {
        module: {name for name in imports(path, module) if name != module}
        for package in ("autograder", "coursekit")
        for module, path in modules(package)
    }
    TopologicalSorter(graph).prepare()


def test_the_machinery_names_no_assignment():
    words = set()
    for name in assignment_names(HOME):
        assignment = load_assignment(name, HOME)
        words |= {name, *(notebook.name for notebook in assignment.notebooks)}
        words |= {question for notebook in assignment.notebooks for question in notebook.names}
    for module, path in modules("autograder"):
        text = path.read_text(encoding="utf-8")
        named = [word for word in ("rnn", "lstm", "captioning") if word in text.lower()]
        named += [word for word in words if re.search(rf"\b{word}\b(?!-course)", text)]  # the kit is backprop-course
        assert not named, f"{module} names {named}"


def test_a_file_holds_one_thing():
    for package in ("autograder", "coursekit"):
        for path in (HOME / package).rglob("*.py"):
            if "suites" not in path.parts:
                assert len(path.read_text(encoding="utf-8").splitlines()) <= 450, path


def test_what_makes_nbformat_slow_to_import_is_left_out():
    code = "import sys, autograder.gradebook.writing; print('nbformat' in sys.modules, 'lark' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"
