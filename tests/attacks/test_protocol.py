"""Whatever comes back through the pipe is a plain value, an exception told as text, or the end of the box."""

import json
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autograder.sandbox import POLICY, Box, Lied, Raised, Step, Trouble, forkserver
from autograder.sandbox.wire import HEADER, Handle

EXAMPLES = int(os.environ.get("ATTACK_EXAMPLES", "300"))
POLITE = replace(POLICY, call_seconds=0.1, frame=1 << 16, head=1 << 16, values=2000)


def scripted(script):
    """A child in the place of a worker, which answers each request with the next bytes of a script, and then ends."""
    (requests, sink), (source, answers) = os.pipe(), os.pipe()
    leash, held = socket.socketpair()
    held.close()  # nobody tells how it ended

    def play():
        with os.fdopen(requests, "rb") as asked, os.fdopen(answers, "wb", 0) as told, suppress(OSError):
            for answer in (lambda head: frame({"id": head.get("id"), "ready": True}), *script):
                sizes = HEADER.unpack(asked.read(HEADER.size).ljust(HEADER.size, b"\0"))
                head = json.loads(asked.read(sizes[0]) or b"{}")
                asked.read(sizes[1])
                told.write(answer(head))

    threading.Thread(target=play, daemon=True).start()
    return forkserver.Child(sink, source, leash)


@contextmanager
def scripted_box(script, policy):
    """A box with such a worker."""
    with patch.object(forkserver, "fork", lambda *_: scripted(script)), Box(policy) as box:
        yield box


def frame(head, body=b"", sizes=None):
    """The bytes of a frame, whose lengths may lie."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return HEADER.pack(*(sizes or (len(text), len(body)))) + text + body


def results(*values, body=b""):
    """An answer with the right number."""
    return lambda head: frame({"id": head.get("id"), "results": list(values)}, body)


def lending(tree, body=b""):
    """A question in the middle of a request."""
    return lambda head: frame({"id": head.get("id"), "lend": tree}, body)


def raw(data):
    return lambda _: data


numbers = st.integers(-(2**70), 2**70) | st.floats() | st.booleans() | st.none()
texts = st.text(max_size=20) | st.sampled_from(["\x1b[2J", "\u202e", "<script>", "\ud800", "", "error", "value"])
arrays = st.tuples(
    st.sampled_from(["<f8", "|O", "<U4", "|V8", "<i8", ">c16", "|b1", "<f2", "<g", "<M8", "i4,f8", "", "f"]),
    st.lists(st.integers(-1, 2**70) | st.integers(0, 3), max_size=4) | numbers,
    st.integers(-1, 2**40) | numbers,
).map(lambda array: {"a": list(array)})
handles = st.tuples(st.integers(-(2**40), 2**40) | numbers, texts, texts).map(lambda handle: {"h": list(handle)})
trees = st.recursive(
    numbers | texts | arrays | handles,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(lambda items: {"t": items})
        | st.lists(inner, max_size=3).map(lambda items: {"l": items})
        | st.lists(st.tuples(inner, inner).map(list), max_size=3).map(lambda items: {"d": items})
        | st.dictionaries(texts, inner, max_size=2)
    ),
    max_leaves=12,
)
errors = st.fixed_dictionaries(
    {},
    optional={"type": texts | trees, "kinds": st.lists(texts) | trees, "message": texts | trees, "lines": trees},
)
result = st.fixed_dictionaries(
    {}, optional={"value": trees, "error": errors | trees, "changed": st.lists(texts) | trees}
)
bodies = st.binary(max_size=64)
lengths = st.integers(0, 2**32 - 1)
answers = (
    st.builds(lambda items, body: results(*items, body=body), st.lists(result | trees, max_size=3), bodies)
    | st.builds(lambda value, body: results({"value": value, "changed": []}, body=body), trees, bodies)
    | st.builds(lending, trees, bodies)
    | st.builds(lambda tree, body: lending({"t": tree}, body), st.lists(trees, min_size=5, max_size=5), bodies)
    | st.binary(max_size=64).map(raw)
    | st.builds(lambda sizes, data: raw(HEADER.pack(*sizes) + data), st.tuples(lengths, lengths), bodies)
    | trees.map(lambda tree: raw(frame(tree)))
    | st.builds(lambda one: lambda head: one(head) * 2, trees.map(lambda tree: results({"value": tree})))
)

ALLOWED = (type(None), bool, int, float, str, np.ndarray, np.generic, Handle)


def is_plain(value):
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    return isinstance(value, ALLOWED) and getattr(value, "dtype", np.dtype("f8")).kind in "biufc"


def shown(value):
    """All text in a value."""
    if isinstance(value, Raised):
        return repr((value.kind, value.kinds, value.message, value.lines))
    if isinstance(value, dict):
        return "".join(shown(key) + shown(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return "".join(map(shown, value))
    return value if isinstance(value, str) else value.description if isinstance(value, Handle) else ""


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(answers, min_size=1, max_size=3))
@example([results({"value": {"l": [{"a": ["<f8", [1 << 39], 0]}]}})])
@example([raw(b"\xff" * 8)])
@example([raw(HEADER.pack(10, 1 << 31) + b"0123456789")])
@example([raw(frame(b"[" * 60_000))])
@example([raw(frame(b"9" * 60_000))])
@example([results({"value": 10**4000})])
@example([results({"error": {"type": "x", "kinds": [], "message": "", "lines": [["cell 1", 1e308 * 10, "f"]]}})])
@example([lending({"t": ["call", None, "f", {"t": []}, {"d": []}]}), results({"value": 1})])
@example([lending(float("nan")), results({"value": 1})])
def test_an_answer_is_plain_or_ends_the_box(script):
    with scripted_box(script, POLITE) as box:
        for _ in script:
            try:
                [value] = box.perform([Step("call", "f")], lambda step: step.args)
            except Trouble:
                with pytest.raises(Trouble, match=r"."):
                    box.perform([Step("call", "f")])
                return
            assert isinstance(value, Raised) or is_plain(value)
            assert not set("\x1b\x07\u202e\ud800") & set(shown(value))
            assert all(name.isprintable() for names in box.changed for name in names)


def test_arguments_larger_than_those_of_a_loan_do_not_reach_what_is_lent():
    asked = []
    script = [lending({"t": ["call", None, "f", {"t": []}, {"d": []}]}, bytes(101)), results({"value": 1})]
    with scripted_box(script, replace(POLITE, loan=100)) as box, pytest.raises(Lied, match="too much"):
        box.perform([Step("call", "f")], asked.append)
    assert not asked


@pytest.mark.parametrize(
    "keys",
    [
        [n * (2**61 - 1) for n in range(12_000)],
        [{"t": [(n >> 4 * place & 15) * (2**61 - 1) for place in range(4)]} for n in range(12_000)],
    ],
    ids=["numbers", "tuples"],
)
def test_a_dict_whose_keys_collide_does_not_keep_the_grader_busy(keys):
    script = [results({"value": {"d": [[key, 0] for key in keys]}})]
    with scripted_box(script, POLICY) as box:
        started = time.monotonic()
        with suppress(Trouble):
            box.perform([Step("call", "f")])
        assert time.monotonic() - started < 1
