"""Values on their way into the box and out of it."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.sandbox.wire import Budget, Decoder, Encoder, Handle, WireError
from autograder.sandbox.workspace import Copier

plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text()
    | hnp.arrays(
        st.sampled_from([np.dtype(t) for t in ("f8", "f4", "i8", "i4", "u1", "b1", "c16", ">f8")]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


def refuse(value):
    raise TypeError(value)


@given(plain_values)
def test_values_survive_the_wire(value):
    encoder = Encoder(Budget(10_000, 1 << 20, 20), refuse, by_value=20)
    tree = encoder.encode(value)
    back = Decoder(bytes(encoder.body), Budget(10_000, 1 << 20, 20), refuse).decode(tree)
    assert_same(back, value)


@given(plain_values)
def test_a_copy_is_what_the_wire_would_bring(value):
    encoder = Encoder(Budget(10_000, 1 << 20, 20), refuse, by_value=20)
    tree = encoder.encode(value)
    brought = Decoder(bytes(encoder.body), Budget(10_000, 1 << 20, 20), refuse).decode(tree)
    copy = Copier(Budget(10_000, 1 << 20, 20), refuse, 20, refuse).encode(value)
    assert_same(copy, brought)
    assert type(copy) is type(brought)
    assert not shared(copy, value)


def shared(one, other):
    """Whether two values have an array in common."""
    if isinstance(one, np.ndarray):
        return np.shares_memory(one, other)
    pairs = zip(one.values(), other.values(), strict=True) if isinstance(one, dict) else ()
    pairs = zip(one, other, strict=True) if isinstance(one, (list, tuple)) else pairs
    return any(shared(*pair) for pair in pairs)


def test_what_a_copy_cannot_hold_stays_behind_a_handle():
    kept = []

    def keep(value):
        kept.append(value)
        return Handle(len(kept), "kept")

    nested, odd = [1], np.array([None])
    copy = Copier(Budget(100, 1 << 20, 20), keep, 1, lambda handle: handle.number).encode((2, nested, odd))
    assert copy == (2, 1, 2)
    assert kept[0] is nested
    assert kept[1] is odd
    with pytest.raises(WireError):
        Copier(Budget(100, 64, 20), keep, 1, lambda handle: handle).encode(np.zeros(9))


def assert_same(back, value):
    if isinstance(value, (list, tuple)):
        assert type(back) is type(value)
        assert len(back) == len(value)
        for one, other in zip(back, value, strict=True):
            assert_same(one, other)
    elif isinstance(value, dict):
        assert back.keys() == value.keys()
        for key in value:
            assert_same(back[key], value[key])
    elif isinstance(value, np.ndarray):
        np.testing.assert_array_equal(back, value)
        assert back.dtype == value.dtype.newbyteorder("=")
    else:
        np.testing.assert_equal(back, value)  # nan too
        assert type(back) is type(value)


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from("atldhx"), inner, max_size=2)
        | st.tuples(
            st.sampled_from(["<f8", "|O", "<U4", "f8", "<f3", "|V8", "<i8", ""]),
            st.lists(st.integers(-1, 2**70)),
            st.integers(),
        ).map(lambda array: {"a": list(array)})
    ),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=500)
@given(trees, st.binary(max_size=64))
def test_whatever_comes_back_is_a_value_or_a_wire_error(tree, body):
    decoder = Decoder(body, Budget(100, 4096, 8), lambda handle: handle)
    with contextlib.suppress(WireError):
        decoder.decode(tree)


def test_one_array_named_a_thousand_times_does_not_multiply():
    tree = {"l": [{"a": ["|u1", [1 << 20], 0]}] * 1000}
    with pytest.raises(WireError, match="too large"):
        Decoder(bytes(1 << 20), Budget(10_000, 2 << 20, 8), refuse).decode(tree)


def test_deep_nesting_is_refused():
    tree = None
    for _ in range(100):
        tree = {"l": [tree]}
    with pytest.raises(WireError, match="nested"):
        Decoder(b"", Budget(10_000, 1 << 20, 12), refuse).decode(tree)


@pytest.mark.parametrize("shape", [[0, 1 << 39, 1 << 39], [1 << 39, 1 << 39], [-1], [1.0], [True], "12", [1] * 40])
def test_an_impossible_shape_is_a_wire_error(shape):
    with pytest.raises(WireError):
        Decoder(bytes(64), Budget(100, 4096, 8), refuse).decode({"a": ["<f8", shape, 0]})
