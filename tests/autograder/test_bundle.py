"""The student's zip: whole, the same each time, and enough on a machine that has nothing of the instructor's."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile

import pytest

from autograder.course import HOME, assignment_names, load_assignment
from autograder.releasing.bundle import fill_bundle, zip_folder
from autograder.releasing.leaks import find_leaks

FIRST_CELLS = 16


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """The folder of each assignment's bundle, as it is before it is zipped."""
    made = {}
    for name in assignment_names(HOME):
        folder = tmp_path_factory.mktemp("bundles") / name
        fill_bundle(load_assignment(name, HOME), HOME / "assignments" / name, folder)
        made[name] = folder
    return made


@pytest.mark.parametrize("name", assignment_names(HOME))
def test_a_bundle_gives_nothing_away(bundles, name):
    assert find_leaks(load_assignment(name, HOME), bundles[name]) == []


@pytest.mark.parametrize("name", assignment_names(HOME))
def test_a_bundle_holds_the_whole_assignment_and_nothing_of_the_instructor(bundles, name):
    files = {path.relative_to(bundles[name]) for path in bundles[name].rglob("*") if path.is_file()}
    released = {path.relative_to(HOME) for path in (HOME / "assignments" / name).rglob("*") if path.is_file()}
    assert released <= files
    others = {path.parts[0] for path in files - released}
    assert others <= {"README.md", "LICENSE", "pyproject.toml", "get_datasets.sh", "coursekit", "datasets"}
    assert others >= {"README.md", "LICENSE", "pyproject.toml", "coursekit"}


def test_of_the_package_a_bundle_holds_what_its_notebooks_import(bundles):
    modules = {path.name for path in (bundles["backprop"] / "coursekit").iterdir()}
    assert modules == {"__init__.py", "check.py", "ci", "errors.py", "gradcheck.py", "notebook"}
    assert not (bundles["backprop"] / "datasets").exists()
    assert (bundles["captioning"] / "coursekit" / "scenes" / "reader.py").is_file()
    assert sorted(path.name for path in (bundles["captioning"] / "datasets").iterdir()) == [
        "scenes_cnn.weights.h5",
        "scenes_reader.weights.h5",
    ]


@pytest.mark.parametrize("name", assignment_names(HOME))
def test_the_packages_of_a_bundle_are_those_of_the_course(bundles, name):
    kit = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    project = tomllib.loads((bundles[name] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == kit["dependencies"] + kit["optional-dependencies"]["notebook"]
    assert project["requires-python"] == kit["requires-python"]


def test_the_readme_of_a_bundle_names_its_notebooks_their_points_and_its_files(bundles):
    text = (bundles["captioning"] / "README.md").read_text(encoding="utf-8")
    assert "| A recurrent network that writes captions | 50 |" in text
    assert "| 20 of extra credit |" in text
    for word in (
        "./get_datasets.sh",
        "pip install --editable .",
        "jupyter lab assignments/captioning",
        "coursekit.ci assignments/captioning",
    ):
        assert word in text
    assert "get_datasets" not in (bundles["backprop"] / "README.md").read_text(encoding="utf-8")


def test_what_lies_about_in_a_release_is_not_zipped_and_equal_folders_give_equal_bytes(tmp_path):
    assignment = load_assignment("visualization", HOME)
    released = tmp_path / "released"
    zips = []
    for attempt in ("first", "second"):
        subprocess.run(["cp", "-r", HOME / "assignments" / "visualization", released], check=True)
        for junk in (".ipynb_checkpoints", "__pycache__"):
            (released / junk).mkdir()
            (released / junk / "junk.py").write_text(attempt)
        for path in released.rglob("*"):
            os.utime(path, (1e9 + len(zips), 1e9))
        folder = tmp_path / attempt / "visualization"
        fill_bundle(assignment, released, folder)
        zips.append(tmp_path / f"{attempt}.zip")
        zip_folder(folder, zips[-1])
        subprocess.run(["rm", "-r", released], check=True)
    assert zips[0].read_bytes() == zips[1].read_bytes()
    with zipfile.ZipFile(zips[0]) as archive:
        names = archive.namelist()
    assert names == sorted(names)
    assert not [name for name in names if "junk" in name or not name.startswith("visualization/")]


@pytest.fixture
def unzipped(bundles, tmp_path):
    """The captioning bundle, unzipped, with an environment as its README has it made."""
    zip_folder(bundles["captioning"], tmp_path / "captioning.zip")
    home = tmp_path / "of a student"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", tmp_path / "captioning.zip", home], check=True)
    folder = home / "captioning"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    [packages] = folder.glob(".venv/lib/python*/site-packages")
    # What `pip install --editable .` writes there. The .pth files of a folder that is named in one are not read.
    (packages / "student.pth").write_text(f"{sysconfig.get_path('purelib')}\n{folder}\n")
    return folder


def run(folder, *command):
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


EXECUTE = """
import nbclient, nbformat, sys
notebook = nbformat.read(sys.argv[1], as_version=4)
del notebook.cells[int(sys.argv[2]):]
notebook.cells.append(nbformat.v4.new_code_cell("import coursekit; print(coursekit.__file__)"))
nbclient.NotebookClient(notebook, resources={"metadata": {"path": sys.argv[3]}}, allow_errors=True).execute()
nbformat.write(notebook, sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script, and another layout of environments")
def test_a_bundle_works_on_a_machine_that_has_nothing_of_the_instructor_s(unzipped):
    python = unzipped / ".venv" / "bin" / "python"
    find = "import importlib.util as u; print(u.find_spec('autograder'), u.find_spec('coursekit').origin)"
    assert run(unzipped.parent, python, "-c", find) == f"None {unzipped / 'coursekit' / '__init__.py'}\n"

    build = "from coursekit import scenes; scenes.build('datasets/scenes.h5', train=20, val=4, progress=False)"
    run(unzipped, python, "-c", build)
    assert "scenes.h5 is there and whole" in run(unzipped, "sh", "get_datasets.sh")

    [folder] = unzipped.glob("assignments/*")
    path = folder / "rnn_captioning.ipynb"
    run(unzipped, python, "-c", EXECUTE, path, str(FIRST_CELLS), folder)
    done = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert done[-1]["outputs"][0]["text"] == [f"{unzipped / 'coursekit' / '__init__.py'}\n"]
    failed = [output["ename"] for cell in done for output in cell["outputs"] if output["output_type"] == "error"]
    assert set(failed) <= {"CheckFailed"}
    assert failed
