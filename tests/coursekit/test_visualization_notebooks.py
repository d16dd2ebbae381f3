"""The visualization notebooks keep their form, and what they show is what they promise."""

import re
from pathlib import Path

import matplotlib as mpl
import nbformat
import numpy as np
import pytest

SOURCE = Path(__file__).parents[2] / "source" / "visualization"
POINTS = {
    "image_gradients": {"compute_saliency_maps": 8, "make_fooling_image": 10},
    "image_generation": {"create_class_visualization": 12, "invert_features": 8, "deepdream": 8},
}


@pytest.fixture(params=POINTS)
def name(request):
    return request.param


@pytest.fixture
def notebook(name):
    return read(name)


def read(name):
    return nbformat.read(SOURCE / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)


def grade_cells(notebook, kind):
    cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return {cell.metadata.nbgrader.grade_id: cell for cell in cells if cell.cell_type == kind}


def test_points_in_metadata_headings_and_title_agree(name, notebook):
    automatic, written = grade_cells(notebook, "code"), grade_cells(notebook, "markdown")
    points = POINTS[name]
    assert {each: cell.metadata.nbgrader.points for each, cell in automatic.items()} == points
    headings = re.findall(
        r"^### Exercise \S+ `(\w+)` \((\d+) points\)$", "\n".join(c.source for c in notebook.cells), re.MULTILINE
    )
    assert [(each, int(number)) for each, number in headings] == list(points.items())
    total = sum(points.values()) + sum(cell.metadata.nbgrader.points for cell in written.values())
    assert f"The sum is {total} points" in notebook.cells[0].source


def test_every_figure_is_shown_once():
    text = "".join(cell.source for each in POINTS for cell in read(each).cells)
    figures = {path.name for path in (SOURCE / "figures").iterdir()}
    assert figures == set(re.findall(r"\]\(figures/([^)]+)\)", text))
    assert text.count("](figures/") == len(figures) == 5


def executed(name, monkeypatch):
    mpl.use("Agg")
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: mpl.pyplot.close("all"))
    monkeypatch.chdir(SOURCE)
    namespace = {"__name__": "__main__"}
    for cell in read(name).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), namespace)
    return namespace


def test_the_saliency_of_an_object_is_where_the_object_is(monkeypatch):
    """A pixel of the object is more than three times as bright in the map as any other, on average."""
    from coursekit.scenes import random_scene

    done = executed("image_gradients", monkeypatch)
    for seed, each in zip((0, 1, 2, 3, 5, 6), done["saliency"], strict=True):
        [thing] = random_scene(np.random.default_rng([5, seed]), 1).things
        rows, columns = np.mgrid[:64, :64] + 0.5
        near = np.hypot(columns - thing.x, rows - thing.y) < thing.radius + 3
        assert each[near].mean() > 3 * each[~near].mean()
    for name, fooled in zip(done["targets"], done["fooled"], strict=True):
        scores, _ = done["model"].forward(fooled)
        assert done["model"].classes[scores[0].argmax()] == name


def test_what_is_generated_is_what_was_asked_for(monkeypatch):
    done = executed("image_generation", monkeypatch)
    model = done["model"]
    for name, X in zip(done["names"], done["wished"], strict=True):
        scores, _ = model.forward(X)
        assert model.classes[scores[0].argmax()] == name
    for layer, X in zip(done["dreamers"], done["dreams"], strict=True):
        before, after = (np.linalg.norm(model.forward(each, end=layer)[0]) for each in (done["X_hills"], X))
        assert after > 1.5 * before
        assert X.shape == done["X_hills"].shape
