"""The captioning notebooks keep their form, run from top to bottom, and their checks pass on their own solutions."""

import re
from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest

from coursekit.errors import CheckFailed

SOURCE = Path(__file__).parents[2] / "source" / "captioning"
POINTS = {
    "rnn_captioning": {
        "rnn_step_forward": 4,
        "rnn_step_backward": 8,
        "rnn_forward": 4,
        "rnn_backward": 8,
        "word_embedding_forward": 2,
        "word_embedding_backward": 4,
        "CaptioningRNN_loss": 10,
        "CaptioningRNN_sample": 6,
    },
    "lstm_captioning": {
        "lstm_step_forward": 3,
        "lstm_step_backward": 6,
        "lstm_forward": 2,
        "lstm_backward": 4,
        "CaptioningRNN_loss": 3,
        "CaptioningRNN_sample": 2,
    },
}
WRITTEN = {"rnn_captioning": [1, 1, 1, 1], "lstm_captioning": [0, 0]}
WORTH = {"rnn_captioning": "points", "lstm_captioning": "points of extra credit"}
RECITED = "right | "


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


def test_the_points_are_fifty_and_twenty_more_of_extra_credit():
    notebooks = {name: read(name) for name in POINTS}
    sums = [sum(POINTS[name].values()) + sum(WRITTEN[name]) for name in POINTS]
    assert sums == [50, 20]
    for name, total in zip(POINTS, sums, strict=True):
        assert f"The sum is {total} {WORTH[name]}" in notebooks[name].cells[0].source


def test_every_question_is_worth_what_was_agreed(name, notebook):
    automatic, written = grade_cells(notebook, "code"), grade_cells(notebook, "markdown")
    points = {grade_id: cell.metadata.nbgrader.points for grade_id, cell in automatic.items()}
    extra = {grade_id: cell.metadata.get("autograder", {}).get("extra_credit") for grade_id, cell in automatic.items()}
    nothing = dict.fromkeys(POINTS[name])
    assert (points, extra) in [(POINTS[name], nothing), (dict.fromkeys(POINTS[name], 0), POINTS[name])]
    assert list(automatic) == list(POINTS[name])
    assert [cell.metadata.nbgrader.points for cell in written.values()] == WRITTEN[name]


def test_the_heading_of_an_exercise_says_its_points(name, notebook):
    headings = [line for cell in notebook.cells for line in cell.source.splitlines() if line.startswith("### Exercise")]
    assert [heading.partition("`")[2].replace(".", "_") for heading in headings] == [
        f"{grade_id}` ({points} {WORTH[name]})" for grade_id, points in POINTS[name].items()
    ]


def test_every_exercise_has_a_figure_and_every_figure_is_shown():
    shown = set()
    for name, points in POINTS.items():
        text = "\n".join(cell.source for cell in read(name).cells)
        figures = set(re.findall(r"\]\(figures/(.+?)\)", text))
        assert len(figures) >= len(points)
        shown |= figures
    assert shown == {path.name for path in (SOURCE / "figures").iterdir()}


# ------------------------------------------------------------------------------------------------- when they run


@pytest.fixture
def run(monkeypatch):
    """Run the code cells of a notebook, each changed by ``edit``, up to the one called ``last``."""
    mpl.use("Agg")
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: mpl.pyplot.close("all"))
    monkeypatch.chdir(SOURCE)

    def run(notebook, last=None, edit=lambda source: source):
        namespace = {"__name__": "__main__"}
        for cell in notebook.cells:
            if cell.cell_type == "code":
                exec(compile(edit(cell.source), cell.id, "exec"), namespace)
            if cell.id == last:
                break
        return namespace

    return run


def test_what_needs_no_data_runs_and_the_model_recites_its_captions(notebook, run, capsys):
    namespace = run(notebook, last="sample-look")
    out = capsys.readouterr().out
    assert namespace["history"][-1] < 0.5
    assert out.count(RECITED) == 12
    assert "wrong" not in out


SLIPS = [
    ("step-forward-check", "a_i, a_f, a_o, a_g = np", "a_i, a_f, a_g, a_o = np"),
    ("step-forward-check", "a_i, a_f, a_o, a_g = np", "a_f, a_i, a_o, a_g = np"),
    ("step-forward-check", "a_i, a_f, a_o, a_g = np", "a_i, a_o, a_f, a_g = np"),
    ("step-forward-check", "np.split(a, 4, axis=1)", "(a[:, k::4] for k in range(4))"),
    ("step-forward-check", "f * prev_c", "prev_c"),
    ("step-backward-check", "dc = dnext_c + dnext_h", "dc = dnext_h"),
    ("step-backward-check", "dprev_c = dc * f", "dprev_c = dc"),
    ("forward-check", "prev_h, prev_c = h0, np.zeros_like(h0)", "prev_h, prev_c = h0, h0"),
    ("forward-check", "x[:, t], prev_h, prev_c", "x[:, t], prev_h, np.zeros_like(h0)"),
    ("backward-check", "dh[:, t] + dprev_h, dprev_c, cache", "dh[:, t] + dprev_h, 0 * dprev_c, cache"),
    ("loss-check", "captions_out, mask)", "captions_in, mask)"),
    ("sample-check", "lstm_step_forward(x, h, c, params", "lstm_step_forward(x, h, 0 * c, params"),
    ("sample-check", "c = np.zeros_like(h)", "c = h"),
    ("sample-check", "word = scores.argmax(axis=1)", "scores.argmax(axis=1)"),
    ("sample-check", "np.full(N, self._start)", "np.full(N, self._null)"),
]


@pytest.mark.parametrize(("check", "right", "wrong"), SLIPS)
def test_a_visible_check_of_the_lstm_notices_a_slip(run, check, right, wrong):
    notebook = read("lstm_captioning")
    notebook.cells = [cell for cell in notebook.cells if cell.id not in {"helps-game", "overfit"}]  # the long ones
    assert any(right in cell.source for cell in notebook.cells)
    with pytest.raises(CheckFailed):
        run(notebook, last=check, edit=lambda source: source.replace(right, wrong))
