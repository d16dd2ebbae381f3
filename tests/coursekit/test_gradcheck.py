"""The checker is checked: it must find what is wrong, accept what is right, and say which."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from coursekit.errors import InvalidInput
from coursekit.gradcheck import FLOOR, LIMITS, compare, numeric_gradients


def step_forward(x, prev_h, Wx, Wh, b):
    next_h = np.tanh(x @ Wx + prev_h @ Wh + b)
    return next_h, (x, prev_h, Wx, Wh, next_h)


def step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h**2)
    return da @ Wx.T, da @ Wh.T, x.T @ da, prev_h.T @ da, da.sum(axis=0)


def sequence_forward(x, h0, Wx, Wh, b):
    h, hs, caches = h0, [], []
    for t in range(x.shape[1]):
        h, cache = step_forward(x[:, t], h, Wx, Wh, b)
        hs.append(h)
        caches.append(cache)
    return np.stack(hs, axis=1), caches


def sequence_backward(dh, caches):
    dxs, dprev_h, totals = [], 0, [0, 0, 0]
    for t in reversed(range(dh.shape[1])):
        dx, dprev_h, *weights = step_backward(dh[:, t] + dprev_h, caches[t])
        dxs.insert(0, dx)
        totals = [total + weight for total, weight in zip(totals, weights, strict=True)]
    return np.stack(dxs, axis=1), dprev_h, *totals


def draw(rng, *, time):
    """Random inputs of random sizes for a step, or for a sequence if `time`."""
    N, T, D, H = rng.integers(1, 6, 4)
    return {
        "x": rng.standard_normal((N, T, D) if time else (N, D)),
        "h": rng.standard_normal((N, H)),
        "Wx": 0.5 * rng.standard_normal((D, H)),
        "Wh": 0.5 * rng.standard_normal((H, H)),
        "b": 0.5 * rng.standard_normal(H),
    }


def comparisons(forward, backward, inputs, rng, dtype=np.float64):
    """Compare every gradient of a function with the numeric one."""
    upstream = rng.standard_normal(forward(*inputs.values())[0].shape)
    cast = [value.astype(dtype) for value in inputs.values()]
    gradients = backward(upstream.astype(dtype), forward(*cast)[1])
    numeric = numeric_gradients(
        lambda batch: [forward(*each.values())[:1] for each in batch], inputs, [upstream], inputs
    )
    return [
        compare(f"d{name}", gradient, right, against="numeric")
        for (name, right), gradient in zip(numeric.items(), gradients, strict=True)
    ]


# What is right passes.


@pytest.mark.parametrize(
    ("forward", "backward"), [(step_forward, step_backward), (sequence_forward, sequence_backward)]
)
def test_right_gradients_pass_on_500_seeds_of_each_kind(forward, backward):
    for seed in range(500):
        rng = np.random.default_rng(seed)
        inputs = draw(rng, time=forward is sequence_forward)
        for comparison in comparisons(forward, backward, inputs, rng):
            assert comparison.passed, f"seed {seed}: {comparison}"


def test_a_right_gradient_in_float32_passes_with_a_remark_and_a_wider_limit():
    rng = np.random.default_rng(0)
    for comparison in comparisons(sequence_forward, sequence_backward, draw(rng, time=True), rng, dtype=np.float32):
        assert comparison.passed
        assert comparison.limit == LIMITS["float32"]
        assert comparison.remark == f"{comparison.name} is float32 where float64 was possible."


def test_a_true_zero_passes_against_the_noise_of_its_numeric_gradient():
    rng = np.random.default_rng(1)
    scores = rng.standard_normal((11, 29))

    def loss(shift):
        moved = scores + shift[:, np.newaxis]
        return np.log(np.exp(moved).sum(axis=1)).sum() - moved[:, 3].sum()

    numeric = numeric_gradients(
        lambda batch: [(loss(each["shift"]),) for each in batch], {"shift": np.zeros(11)}, [1.0], ["shift"]
    )["shift"]
    assert np.any(numeric)
    assert compare("dshift", np.zeros(11), numeric).passed
    assert not compare("dshift", np.full(11, 1e-6), numeric).passed


def test_a_passed_comparison_is_one_line():
    assert str(compare("dx", np.ones(3), np.ones(3))) == "dx is right: relative error 0.0e+00, limit 1e-06"
    single = compare("dx", np.ones(3, np.float32), np.ones(3))
    assert str(single) == (
        "dx is right: relative error 0.0e+00, limit 1e-05. dx is float32 where float64 was possible."
    )


@pytest.mark.parametrize("number", [2.5, np.float64(2.5), np.array(2.5)])
def test_a_number_stands_for_an_array_of_shape_nothing(number):
    assert compare("loss", number, 2.5).passed
    assert compare("loss", number, np.array(2.5)).passed


def test_empty_arrays_are_equal():
    assert compare("dx", np.zeros((0, 3)), np.zeros((0, 3))).passed


def test_integers_must_all_be_equal_whatever_their_width():
    words = np.array([[4, 1, 2], [3, 3, 0]])
    assert compare("captions", words.astype(np.int32), words).passed
    assert str(compare("captions", np.array([[4, 1, 7], [3, 3, 1]]), words)) == (
        "captions is wrong: 2 of 6 entries differ\n  shape (2, 3) ok, int64 ok\n  first at [0, 2]: yours 7, expected 2"
    )


# What is wrong fails.


@given(shape=array_shapes(max_dims=3, max_side=6), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_one_entry_that_is_wrong_by_a_thousandth_fails(shape, seed, data):
    rng = np.random.default_rng(seed)
    right = rng.uniform(0.1, 2.0, shape) * rng.choice([-1, 1], shape)
    index = data.draw(st.tuples(*(st.integers(0, n - 1) for n in shape)))
    yours = right.copy()
    yours[index] *= 1.001
    comparison = compare("dW", yours, right)
    assert not comparison.passed
    assert comparison.worst == index


def test_the_message_says_what_where_and_by_how_much():
    right = np.arange(12.0).reshape(3, 4) / 8
    yours = right.copy()
    yours[2, 1] *= 1.001
    assert str(compare("dWh", yours, right, against="numeric")) == (
        "dWh is wrong: relative error 4.0e-04, limit 1e-06\n"
        "  shape (3, 4) ok, float64 ok, all finite\n"
        "  worst at [2, 1]: yours 1.1261, numeric 1.1250"
    )
    yours[2, 1] = 0
    assert compare("dWh", yours, right, against="numeric").where == "worst at [2, 1]: yours 0.000, numeric 1.125"


@pytest.mark.parametrize(
    ("yours", "right", "where"),
    [
        (1e-9, 2e-4, "worst: yours 1.000e-09, expected 2.000e-04"),
        (3e8 + 1000, 3e8, "worst: yours 3.0000100e+08, expected 3.0000000e+08"),
        (-2.0, 2.0, "worst: yours -2.000, expected 2.000"),
    ],
)
def test_values_are_written_with_the_digits_that_tell_them_apart(yours, right, where):
    assert compare("loss", yours, right).where == where


@pytest.mark.parametrize(
    "forward_and_back", [(step_forward, step_backward, False), (sequence_forward, sequence_backward, True)]
)
@pytest.mark.parametrize("spoil", [np.negative, np.zeros_like, lambda g: 2 * g], ids=["sign", "zeros", "doubled"])
def test_a_spoilt_gradient_fails(forward_and_back, spoil):
    forward, backward, time = forward_and_back
    rng = np.random.default_rng(7)
    inputs = draw(rng, time=time)
    results = comparisons(forward, lambda *args: [spoil(g) for g in backward(*args)], inputs, rng)
    assert not any(result.passed for result in results)


def test_a_gradient_that_ought_to_be_zero_and_is_not_fails():
    assert compare("dx", np.zeros((2, 3)), np.zeros((2, 3))).passed
    assert not compare("dx", np.full((2, 3), 1e-3), np.zeros((2, 3))).passed
    assert not compare("dx", np.full((2, 3), FLOOR * 1e-5), np.zeros((2, 3))).passed


@pytest.mark.parametrize(
    ("yours", "sentence"),
    [
        (None, "dW is None, not a numpy array; is it computed and returned?"),
        ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "dW is a list, not a numpy array."),
        ([[1.0], [2.0, 3.0]], "dW is a list, not a numpy array."),
        (3.0, "dW is a single number; an array of shape (2, 3) is expected."),
        ("zeros", "dW is a str, not a numpy array."),
        (np.ones((3, 2)), "dW has shape (3, 2); (2, 3) is expected. Is it transposed?"),
        (np.ones((1, 2, 3)), "dW has shape (1, 2, 3); (2, 3) is expected. An axis of length 1 makes the difference."),
        (np.ones((5, 2, 3)), "dW has shape (5, 2, 3); (2, 3) is expected. Is a sum over the first axis missing?"),
        (np.ones(6), "dW has shape (6,); (2, 3) is expected."),
        (np.float64(1), "dW is a single number; an array of shape (2, 3) is expected."),
        (np.ones((2, 3), int), "dW has dtype int64; float64 is expected."),
        (np.ones((2, 3), np.float16), "dW has dtype float16; float64 is expected."),
        (np.ones((2, 3), complex), "dW has dtype complex128; float64 is expected."),
        (np.ones((2, 3), object), "dW has dtype object; float64 is expected."),
        (np.ones((2, 3), bool), "dW has dtype bool; float64 is expected."),
        (
            np.array([[1, np.nan, 1], [np.inf, 1, np.nan]]),
            "dW has 2 nan and 1 inf among its 6 entries, the first at [0, 1].",
        ),
    ],
)
def test_type_shape_dtype_and_finiteness_have_sentences_of_their_own(yours, sentence):
    comparison = compare("dW", yours, np.ones((2, 3)))
    assert not comparison.passed
    assert comparison.error is None
    assert str(comparison) == sentence


def test_shape_is_judged_before_dtype_and_dtype_before_finiteness():
    assert "shape" in str(compare("dW", np.ones(3, int), np.ones(2)))
    assert "dtype" in str(compare("dW", np.full(2, np.nan, np.float16), np.ones(2)))


@pytest.mark.parametrize("shape", [(1, 4), (3, 4), (4, 1)])
def test_nothing_is_broadcast(shape):
    assert "shape" in str(compare("db", np.ones(shape), np.ones(4)))
    assert "shape" in str(compare("db", np.ones(4), np.ones(shape)))


def test_a_whole_number_is_a_number():
    assert compare("dx", 0, 0.0).passed
    assert not compare("dx", 1, 0.5).passed
    assert not compare("dx", True, 1.0).passed


def test_words_that_are_not_integers_are_refused():
    assert str(compare("captions", np.ones(3), np.ones(3, int))) == "captions has dtype float64; integers are expected."


def test_a_bool_is_no_number():
    assert not compare("loss", True, 1.0).passed


def test_an_infinite_loss_is_named():
    assert str(compare("loss", float("inf"), 1.0)) == "loss is inf; a finite number is expected."


def test_nothing_equals_a_numeric_gradient_that_is_not_finite():
    comparison = compare("dx", np.array([np.nan]), np.array([np.nan]), against="numeric")
    assert str(comparison) == "dx cannot be judged: the numeric gradient is not finite itself."


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e160, 1e308])
def test_no_size_of_numbers_overflows(size):
    assert compare("dx", np.full(50, size), np.full(50, size)).passed
    assert compare("dx", np.full(50, size), np.full(50, -size)).passed == (size < FLOOR)


class Liar(np.ndarray):
    """An array that tells everybody what they want to hear."""

    shape = (2, 3)
    dtype = np.dtype(np.float64)

    def __array_ufunc__(self, *_args, **_kwargs):
        return np.zeros((2, 3))

    def __array_function__(self, *_args, **_kwargs):
        return np.zeros((2, 3))

    def __array__(self, *_args, **_kwargs):
        return np.ones((2, 3))

    def __eq__(self, _other):
        return True

    __hash__ = None


def test_a_subclass_is_judged_by_what_it_stores():
    liar = np.full((2, 3), 7.0).view(Liar)
    assert compare("dW", liar, np.ones((2, 3))).yours == 7.0
    assert compare("dW", np.ones((2, 3)).view(Liar), np.ones((2, 3))).passed
    assert "shape (5,)" in str(compare("dW", np.ones(5).view(Liar), np.ones((2, 3))))


class Rude:
    def __getattr__(self, name):
        raise RuntimeError(name)

    __array__ = __len__ = __float__ = __eq__ = __repr__ = __getattr__
    __hash__ = None


def test_no_object_makes_the_comparison_raise():
    for yours in (Rude(), Rude, {}, {1}, iter([]), 10**400, b"", Ellipsis, np.datetime64("now"), np.zeros(2, "i4,f4")):
        for right in (1.0, np.ones(2), np.ones(2, int)):
            assert not compare("dW", yours, right).passed


def test_comparisons_survive_pickling():
    comparison = compare("dW", np.zeros(3), np.ones(3))
    assert pickle.loads(pickle.dumps(comparison)) == comparison


# The numeric gradient.


def test_everything_is_evaluated_in_one_call_and_what_is_not_perturbed_is_shared():
    inputs = {"x": np.ones((2, 3)), "words": np.arange(4), "scale": 2.0, "w": np.ones(3)}
    calls = []

    def evaluate(batch):
        calls.append(batch)
        return [(each["scale"] * (each["x"] @ each["w"]),) for each in batch]

    gradients = numeric_gradients(evaluate, inputs, [np.array([1.0, -1.0])], ["x", "w"])
    np.testing.assert_allclose(gradients["x"], [[2, 2, 2], [-2, -2, -2]])
    np.testing.assert_allclose(gradients["w"], [0, 0, 0], atol=1e-9)
    assert list(gradients) == ["x", "w"]
    (batch,) = calls
    assert len(batch) == 2 * (6 + 3)
    assert all(each["words"] is inputs["words"] for each in batch)
    assert all((each["x"] is inputs["x"]) != (each["w"] is inputs["w"]) for each in batch)
    np.testing.assert_array_equal(inputs["x"], np.ones((2, 3)))


def test_several_outputs_each_have_their_upstream_gradient():
    gradients = numeric_gradients(
        lambda batch: [(each["x"] ** 2, each["x"].sum()) for each in batch],
        {"x": np.array([1.0, 2.0])},
        [np.array([1.0, 10.0]), 5.0],
        ["x"],
    )
    np.testing.assert_allclose(gradients["x"], [2 + 5, 40 + 5], rtol=1e-9)


def test_the_distance_is_the_one_between_the_numbers_that_exist():
    # Near 2**20 the numbers lie 2**-32 apart, so a step of 1e-5 is off by up to one part in 1e5.
    gradients = numeric_gradients(
        lambda batch: [(3 * each["x"],) for each in batch], {"x": np.array(2.0**20 + 0.1)}, [1.0], ["x"]
    )
    assert gradients["x"] == pytest.approx(3, rel=1e-12, abs=0)


def test_an_input_without_dimensions_has_a_gradient_without_dimensions():
    gradients = numeric_gradients(
        lambda batch: [(each["b"] ** 2,) for each in batch], {"b": np.array(3.0)}, [1.0], ["b"]
    )
    assert gradients["b"].shape == ()
    assert gradients["b"] == pytest.approx(6)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones(2, np.float32), "x is float32; central differences need a float64 array"),
        (np.ones(2, int), "x is int64; central differences need a float64 array"),
        ([1.0], "x is list; central differences need a float64 array"),
    ],
)
def test_only_float64_arrays_are_differentiated(value, message):
    with pytest.raises(InvalidInput, match=message):
        numeric_gradients(lambda _: [], {"x": value}, [1.0], ["x"])


def test_an_unknown_name_is_named():
    with pytest.raises(InvalidInput, match="there is no input called y; the inputs are x"):
        numeric_gradients(lambda _: [], {"x": np.ones(1)}, [1.0], ["y"])


def test_outputs_must_have_the_shape_of_their_upstream_gradients():
    with pytest.raises(InvalidInput, match=r"outputs have shapes \[\(2,\)\], their upstream gradients \[\(2, 1\)\]"):
        numeric_gradients(lambda batch: [(each["x"],) for each in batch], {"x": np.ones(2)}, [np.ones((2, 1))], ["x"])
    with pytest.raises(InvalidInput, match="1 results for 4 inputs"):
        numeric_gradients(lambda batch: [(batch[0]["x"],)], {"x": np.ones(2)}, [np.ones(2)], ["x"])


def test_the_module_imports_numpy_and_nothing_else_that_must_be_installed():
    code = "import sys, coursekit.gradcheck; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    known = {*sys.stdlib_module_names, "numpy", "coursekit", "__main__"}
    started = subprocess.run(
        [sys.executable, "-c", "import sys; print(*{name.partition('.')[0] for name in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) - set(started.stdout.split()) <= known
