"""The source notebook keeps its form, runs from top to bottom, and its checks pass on its own solutions."""

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest

HOME = Path(__file__).parents[2]
SOURCE = HOME / "source" / "backprop"
POINTS = {
    "AddGate": 1,
    "MultiplyGate": 1,
    "CopyGate": 1,
    "MaxGate": 2,
    "ExpGate": 1,
    "ReciprocalGate": 1,
    "SigmoidGraph": 3,
    "Sigmoid": 3,
    "ReLU": 2,
    "MatMul": 4,
    "Affine": 6,
    "SoftmaxWithLoss": 6,
    "numeric_gradient": 4,
    "TwoLayerNet": 7,
    "hessian_vector_product": 4,
}


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(SOURCE / "backprop.ipynb", as_version=nbformat.NO_CONVERT)


def grade_cells(notebook, kind):
    cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return {cell.metadata.nbgrader.grade_id: cell for cell in cells if cell.cell_type == kind}


def test_the_questions_and_four_written_answers_are_worth_fifty_points(notebook):
    automatic, written = grade_cells(notebook, "code"), grade_cells(notebook, "markdown")
    assert {name: cell.metadata.nbgrader.points for name, cell in automatic.items()} == POINTS
    assert list(automatic) == list(POINTS)
    assert [cell.metadata.nbgrader.points for cell in written.values()] == [1, 1, 1, 1]
    assert sum(POINTS.values()) + len(written) == 50


def test_the_heading_of_an_exercise_says_its_points(notebook):
    headings = [line for cell in notebook.cells for line in cell.source.splitlines() if line.startswith("### Exercise")]
    assert [heading.partition("`")[2] for heading in headings] == [
        f"{name}` ({points} {'point' if points == 1 else 'points'})" for name, points in POINTS.items()
    ]


def test_every_figure_stands_in_the_notebook_once(notebook):
    text = "\n".join(cell.source for cell in notebook.cells)
    figures = [path.name for path in (SOURCE / "figures").iterdir()]
    assert [text.count(f"](figures/{name})") for name in figures] == [1] * len(figures)
    assert text.count("](figures/") == len(figures)


def test_the_figures_are_what_the_repository_draws(tmp_path):
    subprocess.run([sys.executable, str(HOME / "tools" / "draw_graphs.py"), "--out", str(tmp_path)], check=True)
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert drawn == {path.name: path.read_text() for path in (SOURCE / "figures").iterdir()}


def test_it_runs_from_top_to_bottom_and_the_network_separates_the_spirals(notebook, monkeypatch, capsys):
    mpl.use("Agg")
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: mpl.pyplot.close("all"))
    namespace = {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), namespace)
    out = capsys.readouterr().out
    assert "z = 1: (8.0, (2.0, 4.0, 0.0))" in out
    assert "accuracy 100.0%" in out
    assert namespace["history"][0] == pytest.approx(1.1, abs=0.1)
    assert namespace["history"][-1] < 0.2
