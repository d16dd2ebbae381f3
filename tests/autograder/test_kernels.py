"""The notebooks in a real Jupyter kernel, as students and instructors run them."""

import re
import shutil

import nbformat
import pytest
from nbclient import NotebookClient

from autograder.course import HOME, assignment_names, load_assignment
from coursekit.scenes import build

NOTEBOOKS = [
    pytest.param(f"{name}/{assigned.name}.ipynb", id=assigned.name)
    for name in assignment_names(HOME)
    for assigned in load_assignment(name, HOME).notebooks
]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course with a small data set of scenes."""
    folder = tmp_path_factory.mktemp("course")
    for part in ("source", "assignments"):
        shutil.copytree(HOME / part, folder / part)
    build(folder / "datasets" / "scenes.h5", train=100, val=30, networks=HOME / "datasets", progress=False)
    shutil.copy(HOME / "datasets" / "scenes_cnn.weights.h5", folder / "datasets")
    return folder


def run(path, *, allow_errors):
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    return NotebookClient(notebook, timeout=120, resources=resources, allow_errors=allow_errors).execute()


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


@pytest.mark.filterwarnings("default")  # of Jupyter's own libraries
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_reference_runs_from_top_to_bottom_and_every_check_shows_its_table(course, notebook):
    done = run(course / "source" / notebook, allow_errors=False)
    assert not [output for output in outputs(done) if output.output_type == "error"]
    checks = [
        cell for cell in done.cells if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")
    ]
    assert checks
    said = "".join(output.get("text", "") for output in outputs(done))
    learned = [float(loss) for loss in re.findall(r"fifty captions: .*, last loss ([\d.]+)", said)]
    assert len(learned) == sum("fifty captions:" in cell.source for cell in done.cells)
    assert all(loss < 0.1 for loss in learned), "a few captions were not learned by heart"
    for cell in checks:
        assert any("text/html" in output.get("data", {}) for output in cell.outputs), cell.source


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_check_of_the_release_says_what_is_not_written_yet(course, notebook):
    done = run(course / "assignments" / notebook, allow_errors=True)
    checks = [
        cell for cell in done.cells if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")
    ]
    for cell in checks:
        [error] = [output for output in cell.outputs if output.output_type == "error"]
        assert error.ename in {"CheckFailed", "NameError"}, cell.source
        assert error.ename == "NameError" or "is not written yet" in error.evalue
