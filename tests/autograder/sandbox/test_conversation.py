"""What a box may answer, and what is no answer."""

import numpy as np
import pytest

from autograder.sandbox import POLICY, Lied, Trouble
from autograder.sandbox.box import Step
from autograder.sandbox.wire import Handle

FORGE = (
    "import json, os, struct\n"
    "def forge(head, body=b''):\n"
    "    text = head if isinstance(head, bytes) else json.dumps(head).encode()\n"
    "    for n in range(3, 64):\n"
    "        try: os.write(n, struct.pack('>II', len(text), len(body)) + text + body)\n"
    "        except OSError: pass\n"
)


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        ("forge({'id': 1, 'results': []})", "another question"),
        ("forge(b'no json')", "no answer"),
        ("forge(b'[' * 100000)", "no answer"),
        ("forge([])", "another question"),
        ("os.write(4, b'\\xff' * 8); os.write(5, b'\\xff' * 8)", "more than can be taken"),
    ],
)
def test_a_forged_answer_is_a_lie_and_ends_the_box(box, forged, told, run, statement):
    assert run(box, FORGE) is None
    with pytest.raises(Lied, match=told):
        box.execute(statement(forged))
    with pytest.raises(Trouble):
        box.execute(statement("pass"))


def test_an_answer_before_the_question_is_a_lie(box, statement, run):
    assert run(box, FORGE) is None
    source = "import threading\nt = threading.Timer(0.05, forge, [{'id': 1, 'results': []}])\nt.start()"
    assert run(box, source) is None
    import select

    assert select.select([box._source], [], [], 5)[0]
    with pytest.raises(Lied, match="before it was asked"):
        box.execute(statement("pass"))


def test_an_array_arrives_as_a_plain_copy_whatever_it_pretends(box, run):
    source = (
        "import numpy as np\n"
        "class Liar(np.ndarray):\n"
        "    def __array_ufunc__(self, *a, **k): return True\n"
        "    def __eq__(self, other): return True\n"
        "    def __array_function__(self, *a): return True\n"
        "def lie(): return np.arange(3.0).view(Liar)\n"
    )
    assert run(box, source) is None
    [value] = box.perform([Step("call", "lie")])
    assert type(value) is np.ndarray
    assert value.tolist() == [0, 1, 2]


def test_object_and_structured_arrays_stay_in_the_box(box, run):
    assert (
        run(box, "import numpy as np\ndef a(): return np.array([object()])\ndef b(): return np.zeros(2, 'i4,f8')")
        is None
    )
    for name in ("a", "b"):
        [value] = box.perform([Step("call", name)])
        assert isinstance(value, Handle)
        assert value.description.startswith("a numpy array of dtype")


def test_what_is_nested_stays_and_can_be_handed_back(box, run):
    assert run(box, "def f(x): return x, (x, [x])\ndef g(cache): return cache[1][0] + 1") is None
    [(out, cache)] = box.perform([Step("call", "f", args=(np.arange(3),))])
    assert out.tolist() == [0, 1, 2]
    assert isinstance(cache, Handle)
    assert cache.description == "a tuple of 2"
    [back] = box.perform([Step("call", "g", args=(cache,))])
    assert back.tolist() == [1, 2, 3]


def test_what_follows_gets_the_last_thing_that_the_step_before_has_returned(box, run):
    source = (
        "def f(x): return x, [x, 1]\ndef g(y, cache):\n    cache[0] += y\n    return cache[0]\ndef h(): return None"
    )
    assert run(box, source) is None
    x, y = np.arange(2.0), np.ones(2)
    pair = [Step("call", "f", args=(x,)), Step("follow", "g", args=(y,))]
    (out, _), changed, (again, _), _ = box.perform([*pair, *pair])
    assert [each.tolist() for each in (out, changed, again)] == [[0, 1], [1, 2], [0, 1]]
    nothing, raised = box.perform([Step("call", "h"), Step("follow", "g", args=(y,))])
    assert nothing is None
    assert raised.kind == "TypeError"


def test_arrays_are_copied_for_each_call_of_a_batch(box, run):
    assert run(box, "def f(x):\n    x += 1\n    return x") is None
    x = np.zeros(2)
    assert [r.tolist() for r in box.perform([Step("call", "f", args=(x,))] * 3)] == [[1, 1]] * 3


def test_a_return_value_that_is_too_large_is_an_error_of_the_call(box, run):
    assert run(box, "import numpy as np\ndef f(): return np.zeros(1 << 23)\ndef g(): return list(range(10**6))") is None
    for name in ("f", "g"):
        [raised] = box.perform([Step("call", name)])
        assert raised.kind == "WireError"


def test_terminal_escapes_in_a_message_are_taken_out(box, statement):
    raised = box.execute(statement("raise ValueError('\\x1b[31mred\\u202eltr\\x07' + 'x' * 100000)"))
    assert "\x1b" not in raised.message
    assert "\u202e" not in raised.message
    assert len(raised.message) == POLICY.message
    assert raised.message.endswith("xxx...")
