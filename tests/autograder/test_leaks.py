"""What must not be given to students is found in whatever form and place; what tells nothing is not."""

import base64
import json
import shutil

import pytest

from autograder.course import HOME, load_assignment
from autograder.releasing.leaks import find_leaks

LINE = "next_h = np.tanh(x @ Wx + prev_h @ Wh + b)"
OTHER_NAMES = "state = np.tanh(inputs @ A + state @ B + bias)"
SPREAD = "next_h = (np.tanh(\n    (x @ Wx)  # inputs\n    + (prev_h @ Wh)\n    + b))"
SHORT_LINES = "gx = g @ U.T\n\ngh = g @ V.T\ngU = a.T @ g\n# and\ngV = h.T @ g\ngb = g.sum(axis=0)"


@pytest.fixture(scope="module")
def captioning():
    return load_assignment("captioning", HOME)


def notebook(*cells, **metadata):
    return json.dumps({"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def code(source, **more):
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None, **more}


def markdown(source, **more):
    return {"cell_type": "markdown", "metadata": {}, "source": source, **more}


def output(**data):
    return code("1", outputs=[{"output_type": "display_data", "metadata": {}, "data": data}])


def leaks(assignment, folder, **files):
    """What is found in a folder with these files; an underscore in a name is its dot."""
    for name, content in files.items():
        path = folder / ".".join(name.rsplit("_", 1))
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return find_leaks(assignment, folder)


def as_a_module(source):
    return {"layers_py": "\n".join(["if True:", *(f"    {line}" for line in source.split("\n"))])}


WAYS = {
    "a code cell": lambda source: {"a_ipynb": notebook(markdown("Look:"), code(f"%matplotlib inline\n{source}"))},
    "a module": as_a_module,
    "a block in a text": lambda source: {"a_ipynb": notebook(markdown(f"Look:\n\n```python\n{source}\n```\n"))},
    "a text, after a prompt": lambda source: {"notes_md": "Look:\n\n>>> " + source.replace("\n", "\n... ")},
}


@pytest.mark.parametrize("source", [LINE, SPREAD, OTHER_NAMES, SHORT_LINES, f"def f(self):\n    return {LINE[9:]}"])
@pytest.mark.parametrize("way", WAYS)
def test_code_of_a_solution_is_found_however_it_is_written(captioning, tmp_path, source, way):
    found = leaks(captioning, tmp_path, **WAYS[way](source))
    assert found
    assert "of the answer in" in found[0].gives


@pytest.mark.parametrize("expression", [LINE[9:], OTHER_NAMES[8:], "np.tanh((x @ Wx) +\n(prev_h @ Wh) + b)"])
def test_code_of_a_solution_is_found_in_the_midst_of_a_sentence(captioning, tmp_path, expression):
    [leak] = leaks(captioning, tmp_path, module_py=f'"""It says `{expression}`, and so on."""\n')
    assert "of the answer in" in leak.gives


IN_BASE_64 = base64.b64encode(f"Notes\n{OTHER_NAMES}\n".encode()).decode()
PLACES = {
    "an attachment": notebook(markdown("![](attachment:a.txt)", attachments={"a.txt": {"text/plain": [OTHER_NAMES]}})),
    "a picture attached": notebook(markdown("![](attachment:a.png)", attachments={"a.png": {"image/png": IN_BASE_64}})),
    "an output": notebook(output(**{"text/plain": ["1\n", OTHER_NAMES]})),
    "a page as output": notebook(output(**{"text/html": f"<pre>{LINE.replace('+', '<b>+</b>')}</pre>"})),
    "a picture as output": notebook(output(**{"image/png": IN_BASE_64})),
    "what was printed": notebook(code("1", outputs=[{"output_type": "stream", "name": "stdout", "text": [LINE]}])),
    "metadata of a cell": notebook(code("1", metadata={"notes": {"todo": ["a", OTHER_NAMES]}})),
    "metadata of the notebook": notebook(solution=LINE),
    "a name in metadata": notebook(notes={LINE: 1}),
    "a comment": notebook(code(f"# so\n# {OTHER_NAMES}\nx = 1")),
    "a string beside a magic": notebook(code(f"%time\ntext = '''\n{OTHER_NAMES}\n'''")),
    "a string": notebook(code(f"text = '''\n{OTHER_NAMES}\n'''")),
    "prose": notebook(markdown(f"You want {LINE}, of course.")),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_solution_is_found_wherever_a_notebook_keeps_it(captioning, tmp_path, place):
    [leak] = leaks(captioning, tmp_path, a_ipynb=PLACES[place])
    assert "of the answer in rnn_captioning.ipynb, cell 12" in leak.gives


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("figure_svg", f"<svg><text>{LINE.replace('+', '</text><text>+')}</text></svg>"),
        ("weights_h5", b"\x89HDF\r\n\x1a\n\0\xff" + LINE.encode() + b"\0\xff"),
        ("get_sh", f"#!/bin/sh\n# {LINE}\n"),
    ],
)
def test_a_solution_is_found_in_files_of_every_kind(captioning, tmp_path, name, content):
    assert leaks(captioning, tmp_path, **{name: content})


def test_the_place_is_told(captioning, tmp_path):
    [leak] = leaks(captioning, tmp_path, a_ipynb=notebook(markdown("Look"), code(f"import numpy as np\n\n{LINE}")))
    assert str(leak) == (f"a.ipynb, cell 2, line 3: {LINE}\n    code of the answer in rnn_captioning.ipynb, cell 12")


def test_words_of_a_written_answer_and_of_known_mistakes_are_found(captioning, tmp_path):
    answer = next(
        cell.source
        for cell in captioning.notebooks[0].source.cells
        if cell.kind == "markdown" and cell.nbgrader.get("solution")
    )
    mistake = captioning.notebooks[0].misconceptions[0]
    reflowed = "\n".join(answer.upper().split())
    found = leaks(captioning, tmp_path, a_ipynb=notebook(markdown(reflowed)), b_md=f"*{mistake.explanation}*")
    assert "words of the answer" in found[0].gives
    assert f"words of the known mistake {mistake.name!r}" in found[-1].gives
    [hint] = leaks(captioning, tmp_path, a_ipynb=notebook(), b_md=f"Ask yourself: {mistake.hint.upper()}")
    assert f"words of the known mistake {mistake.name!r}" in hint.gives


def test_hidden_tests_are_found_and_markers_too(captioning, tmp_path):
    suite = (HOME / "autograder" / "suites" / "captioning" / "test_rnn_captioning.py").read_text(encoding="utf-8")
    found = leaks(captioning, tmp_path, a_py=suite, b_ipynb=notebook(code("x = 1\n### BEGIN HIDDEN TESTS\nassert x")))
    assert sum("of the hidden test_rnn_captioning.py" in leak.gives for leak in found) > 20
    assert [leak.where for leak in found if "marker" in leak.gives] == ["b.ipynb, cell 1, line 2"]


def test_what_is_hidden_is_that_of_the_suites_that_the_assignment_was_loaded_with(tmp_path):
    suites = tmp_path / "suites"
    shutil.copytree(HOME / "autograder" / "suites" / "captioning", suites / "captioning")
    docstring = "The hidden marmalade of seven purple elephants is eaten."
    with (suites / "captioning" / "test_rnn_captioning.py").open("a", encoding="utf-8") as suite:
        suite.write(f'\n\ndef test_of_this_course(judge):\n    """{docstring}"""\n')
    (told := tmp_path / "told").mkdir()
    [leak] = leaks(load_assignment("captioning", HOME, suites), told, notes_md=docstring)
    assert leak.gives == "words of the hidden test_rnn_captioning.py"


@pytest.mark.parametrize(
    ("assignment", "module", "named"),
    [
        ("backprop", "def affine_backward(dout, cache):\n    return dout, dout", "Affine"),
        ("backprop", "class soft_max_with_loss:\n    pass", "SoftmaxWithLoss"),
        (
            "captioning",
            "class CaptioningRNN:\n    def sample(self, features):\n        return 1",
            "CaptioningRNN.sample",
        ),
        ("captioning", "def LSTMStep(x):\n    return x", "lstm_step_"),
    ],
)
def test_what_is_called_like_a_question_is_found_unless_it_is_a_stub(tmp_path, assignment, module, named):
    assigned = load_assignment(assignment, HOME)
    [leak] = leaks(assigned, tmp_path, other_py=module)
    assert f"is called like the question {named}" in leak.gives
    stub = module.replace("pass", "def forward(self):\n        return 1")
    for body in ("return dout, dout", "return 1", "return x"):
        stub = stub.replace(body, "raise NotImplementedError")
    assert leaks(assigned, tmp_path, other_py=stub) == []


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\ndef rnn_forward(x):\n    return x",
        "async def rnn_forward(x):\n    return x",
        "class CaptioningRNN:\n    async def sample(self):\n        return 1",
        "if True:\n    def rnn_forward(x):\n        return x",
        "try:\n    pass\nexcept ValueError:\n    def rnn_forward(x):\n        return x",
    ],
)
def test_an_answer_is_known_by_its_name_wherever_it_is_defined(captioning, tmp_path, source):
    [leak] = leaks(captioning, tmp_path, a_ipynb=notebook(code(source)))
    assert "is called like the question" in leak.gives


@pytest.mark.parametrize(
    "source",
    [
        "return x",
        "dx, dy = 0, 0\nfor t in range(len(x)):\n    h.append(x[t])",
        "prev_h = h0\nx, prev_h, Wx, Wh, next_h = cache",
        "dW = np.zeros_like(W)\ndb = da.sum(axis=0)",
        "out = x @ W + b",
    ],
)
def test_what_everybody_writes_is_no_leak(captioning, tmp_path, source):
    body = "\n".join(f"    {line}" for line in source.split("\n"))
    assert leaks(captioning, tmp_path, a_py=f"def f(x):\n{body}\n", b_ipynb=notebook(markdown(f"    {source}"))) == []


def test_a_line_that_is_told_on_purpose_is_no_secret(tmp_path):
    line = "np.add.at(dW, x, dout)"
    path = tmp_path / "source" / "captioning" / "rnn_captioning.ipynb"
    shutil.copytree(HOME / "source" / "captioning", path.parent)
    (told := tmp_path / "told").mkdir()
    assert leaks(load_assignment("captioning", tmp_path), told, a_md=f"    {line}\n")
    text = path.read_text(encoding="utf-8")
    assert line in text
    path.write_text(text.replace(line, f"{line}  # given"), encoding="utf-8")
    assert leaks(load_assignment("captioning", tmp_path), told) == []
