"""What students get: made by nbgrader, equal to what is checked in, and without a word of the solutions."""

import json
import shutil

import nbformat
import pytest

from autograder.course import HOME, assignment_names, load_assignment
from autograder.errors import ReleaseError
from autograder.release import release


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("released")
    return {name: release(load_assignment(name, HOME), HOME, folder) for name in assignment_names(HOME)}


@pytest.mark.parametrize("name", assignment_names(HOME))
def test_what_is_checked_in_is_what_nbgrader_makes_of_the_source(released, name):
    made = {path.relative_to(released[name]): path.read_bytes() for path in released[name].rglob("*") if path.is_file()}
    folder = HOME / "assignments" / name
    kept = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert made.keys() == kept.keys()
    assert made == kept, f"run: autograder release {name}"


@pytest.mark.parametrize("name", assignment_names(HOME))
def test_no_line_of_a_solution_no_output_and_no_name_of_the_grader_is_released(name):
    for assigned in load_assignment(name, HOME).notebooks:
        path = HOME / "assignments" / name / f"{assigned.name}.ipynb"
        nbformat.validate(nbformat.read(path, as_version=4))
        text = "\n".join("".join(cell["source"]) for cell in cells(path))
        for word in ("SOLUTION", "autograder", "suites", "misconception"):
            assert word not in text
        solutions = "\n".join(cell.source for cell in assigned.source.cells if "BEGIN SOLUTION" in cell.source)
        within = solutions.split("### BEGIN SOLUTION")[1:]
        lines = {line.strip() for part in within for line in part.split("### END SOLUTION")[0].splitlines()}
        given = {line.strip() for cell in cells(path) for line in "".join(cell["source"]).splitlines()}
        assert not {line for line in lines & given if len(line) > 4}
        assert all(not cell.get("outputs") for cell in cells(path))


@pytest.mark.parametrize("name", assignment_names(HOME))
def test_every_graded_cell_is_locked_and_its_points_are_the_source_s(name):
    for assigned in load_assignment(name, HOME).notebooks:
        metadata = [
            cell["metadata"]
            for cell in cells(HOME / "assignments" / name / f"{assigned.name}.ipynb")
            if cell["metadata"].get("nbgrader", {}).get("grade") and not cell["metadata"]["nbgrader"]["solution"]
        ]
        found = [
            (
                data["nbgrader"]["grade_id"],
                data["nbgrader"]["points"],
                data.get("autograder", {}).get("extra_credit", 0),
            )
            for data in metadata
        ]
        assert found == [
            (question.grade_id, *((0, question.points) if question.extra_credit else (question.points, 0)))
            for question in assigned.questions
        ]
        assert all(data["nbgrader"]["locked"] for data in metadata)


def course_copy(tmp_path):
    for name in ("source", "assignments"):
        shutil.copytree(HOME / name, tmp_path / name)
    shutil.copy(HOME / "nbgrader_config.py", tmp_path)
    return tmp_path


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_solution_outside_of_its_markers_stops_the_release_and_changes_nothing(tmp_path):
    course = course_copy(tmp_path)
    notebook = course / "source" / "captioning" / "rnn_captioning.ipynb"
    leak = "next_h = np.tanh(x @ Wx + prev_h @ Wh + b)"
    edit(notebook, "Replace each `raise NotImplementedError`", f"{leak}\\n\\nReplace each `raise NotImplementedError`")
    content = json.loads(notebook.read_text())
    content["cells"].append({"cell_type": "markdown", "id": "leak", "metadata": {}, "source": f"Hint:\n\n    {leak}"})
    del content["cells"][0]
    notebook.write_text(json.dumps(content))
    before = (course / "assignments" / "captioning" / "rnn_captioning.ipynb").read_bytes()
    with pytest.raises(ReleaseError, match="would give away") as caught:
        release(load_assignment("captioning", course), course)
    assert leak in str(caught.value)
    assert (course / "assignments" / "captioning" / "rnn_captioning.ipynb").read_bytes() == before
    assert sorted(path.name for path in (course / "assignments").iterdir()) == assignment_names(HOME)


def test_what_nbgrader_refuses_is_told_with_its_own_reason(tmp_path):
    course = course_copy(tmp_path)
    notebook = course / "source" / "captioning" / "rnn_captioning.ipynb"
    edit(notebook, '"grade_id": "rnn_step_forward_case"', '"grade_id": "rnn_step_forward"')
    with pytest.raises(ReleaseError, match=r"nbgrader could not generate captioning: .*rnn_step_forward"):
        release(load_assignment("captioning", course), course)
