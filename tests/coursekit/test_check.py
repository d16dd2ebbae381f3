"""What a student sees: a table, and an error that says where to look."""

import sys
import traceback
import types
from typing import ClassVar

import numpy as np
import pytest

from coursekit.captioning import CaptioningModel
from coursekit.check import check_gradients, check_layer, check_model, check_values
from coursekit.errors import CheckFailed
from coursekit.layers import affine_backward, affine_forward, temporal_softmax_loss

SHAPES = {"x": (3, 5), "w": (5, 7), "b": (7,)}


def unwritten(*_args):
    raise NotImplementedError


def calls_unwritten(*args):
    return unwritten(*args)


def spoilt(**replace):
    """The backward pass of the affine layer with some of its gradients replaced."""

    def backward(dout, cache):
        gradients = dict(zip(("dx", "dw", "db"), affine_backward(dout, cache), strict=True))
        return tuple({**gradients, **{name: f(gradients[name]) for name, f in replace.items()}}.values())

    return backward


class Picture:
    """A stand-in for Jupyter that keeps what is displayed."""

    def __init__(self):
        self.shown = []
        self.display = types.SimpleNamespace(display=self.shown.append)

    def get_ipython(self):
        return self


@pytest.fixture
def jupyter(monkeypatch):
    picture = Picture()
    monkeypatch.setitem(sys.modules, "IPython", picture)
    return picture


# Gradients.


def test_right_gradients_are_told_one_by_one(capsys):
    check_gradients(affine_forward, affine_backward, **SHAPES)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "affine_backward"
    assert [line.partition(":")[0] for line in lines] == ["dx is right", "dw is right", "db is right"]


def test_wrong_gradients_are_named_and_the_right_one_stays_right(capsys):
    backward = spoilt(dw=lambda g: 1.001 * g, db=lambda g: g[np.newaxis])
    with pytest.raises(CheckFailed, match=r"^spoilt.<locals>.backward is not right yet: look at dw and db\.$"):
        check_gradients(affine_forward, backward, **SHAPES)
    out = capsys.readouterr().out
    assert "dx is right" in out
    assert "dw is wrong" in out
    assert "db has shape (1, 7); (7,) is expected. An axis of length 1 makes the difference." in out


@pytest.mark.parametrize("spoil", [np.negative, np.zeros_like, np.ones_like, np.transpose])
def test_no_spoilt_gradient_passes(spoil):
    with pytest.raises(CheckFailed, match="look at dx, dw"):
        check_gradients(affine_forward, spoilt(dx=spoil, dw=spoil, db=lambda g: -g), **SHAPES)


def test_the_backward_pass_is_judged_by_the_students_own_forward_pass():
    def forward(x, w, b):
        return affine_forward(x, 2 * w, b)

    def backward(dout, cache):
        dx, dw, db = affine_backward(dout, cache)
        return dx, 2 * dw, db

    check_gradients(forward, backward, **SHAPES)


def test_several_outputs_have_several_upstream_gradients():
    def forward(x, y):
        return x * y, x + y, (x, y)

    def backward(dproduct, dsum, cache):
        x, y = cache
        return dproduct * y + dsum, dproduct * x + dsum

    check_gradients(forward, backward, x=(2, 3), y=(2, 3))


def test_integers_have_no_gradient():
    def forward(x, W):
        return W[x], (x, W)

    def backward(dout, cache):
        x, W = cache
        dW = np.zeros_like(W)
        np.add.at(dW, x, dout)
        return dW

    check_gradients(forward, backward, x=np.array([[0, 2, 2]]), W=(4, 3))


def test_a_cache_is_used_only_once():
    def forward(x):
        return x**2, [x]

    check_gradients(forward, lambda dout, cache: 2 * dout * cache.pop(), x=(3,))


def test_an_unwritten_function_is_named_wherever_it_is_called():
    for forward, backward in [(unwritten, None), (calls_unwritten, None), (affine_forward, calls_unwritten)]:
        with pytest.raises(CheckFailed, match=r"^unwritten is not written yet\.$"):
            check_gradients(forward, backward, **SHAPES)


def test_the_students_own_errors_come_through():
    with pytest.raises(ZeroDivisionError):
        check_gradients(affine_forward, lambda *_: 1 / 0, **SHAPES)


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda x: x, "must return its output and a cache, as a tuple"),
        (lambda x: (x,), "must return its output and a cache, as a tuple"),
        (lambda x: (None, x), "returned None where floats belong; its own check says more"),
        (lambda x: (x.astype(int), x), "returned a numpy array of int64 where floats belong"),
    ],
)
def test_a_forward_pass_without_output_or_cache_is_refused(forward, message):
    with pytest.raises(CheckFailed, match=message):
        check_gradients(forward, lambda *_: None, x=(3,))


def test_a_gradient_that_is_missing_is_missed():
    with pytest.raises(CheckFailed, match=r"returned 2 values; expected dx, dw, db\.$"):
        check_gradients(affine_forward, lambda *a: affine_backward(*a)[:2], **SHAPES)
    with pytest.raises(CheckFailed, match=r"returned 1 value; expected dx, dw, db\.$"):
        check_gradients(affine_forward, lambda *a: affine_backward(*a)[:1], **SHAPES)
    with pytest.raises(CheckFailed, match=r"returned a numpy array; expected dx, dw, db\.$"):
        check_gradients(affine_forward, lambda *a: affine_backward(*a)[0], **SHAPES)


def test_values_may_stand_in_a_list_as_well_as_in_a_tuple():
    check_gradients(lambda *a: list(affine_forward(*a)), lambda *a: list(affine_backward(*a)), **SHAPES)
    check_values(lambda x: [x, -x], {"x": 1.0}, same=1.0, opposite=-1.0)
    with pytest.raises(CheckFailed, match="returned 2 values; expected dx, dw, db"):
        check_gradients(affine_forward, lambda *a: list(affine_backward(*a)[:2]), **SHAPES)


class Forgetful:
    """Methods whose return was forgotten."""

    params: ClassVar = {"w": np.ones(2)}

    def forward(self, x):
        pass

    backward = loss = forward


def half(_x):
    pass


@pytest.mark.parametrize(
    ("check", "name"),
    [
        (lambda: check_values(half, {"x": 1.0}, out=1.0), "half"),
        (lambda: check_gradients(half, half, x=(3,)), "half"),
        (lambda: check_gradients(affine_forward, lambda *_: None, **SHAPES), "<lambda>"),
        (lambda: check_layer(Forgetful, {"x": 1.0}, out=1.0), r"Forgetful\.forward"),
        (lambda: check_layer(type("Scale", (Scale,), {"backward": Forgetful.backward}), *SCALE, out=SCALED), "forward"),
        (lambda: check_model(Forgetful(), 1.0, loss=1.0), r"Forgetful\.forward"),
    ],
    ids=["values", "gradients, forward", "gradients, backward", "layer, forward", "layer, backward", "model"],
)
def test_a_return_that_was_forgotten_is_told_as_that(check, name):
    with pytest.raises(CheckFailed, match=name + r" returns None\. Does every path end in a return\?$"):
        check()


class Breaking:
    """A layer and a model, whose third call raises an error."""

    calls = 0

    def __init__(self):
        self.params = {"w": np.ones(2)}

    def forward(self, x):
        Breaking.calls += 1
        return x / (Breaking.calls != 3)

    def backward(self, dout):
        return dout

    def loss(self, x):
        return self.forward(x), {"w": np.zeros(2)}


def breaking_forward(x):
    return Breaking.forward(None, x), x


@pytest.mark.parametrize(
    "check",
    [
        lambda: check_values(lambda x: x / 0, {"x": 1}, out=1.0),
        lambda: check_gradients(breaking_forward, lambda dout, _: dout, x=np.array(1.0)),
        lambda: check_layer(Breaking, {"x": 1.0}, out=1.0),
        lambda: check_model(Breaking(), 1.0, loss=1.0),
    ],
    ids=["values", "gradients", "layer", "model"],
)
def test_nothing_of_the_kit_stands_in_the_traceback_of_a_students_error(monkeypatch, check):
    monkeypatch.setattr(Breaking, "calls", 0)
    with np.errstate(all="raise"), pytest.raises((ZeroDivisionError, FloatingPointError)) as caught:
        check()
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)]
    ours = [frame for frame in frames if frame.f_globals["__name__"].startswith("coursekit")]
    assert ours
    assert [frame.f_code.co_name for frame in ours if not frame.f_locals.get("__tracebackhide__")] == []


def test_changing_an_argument_is_remarked_and_costs_nothing(capsys):
    def backward(dout, cache):
        dout *= 1.0
        dout += 1
        dout -= 1
        gradients = affine_backward(dout.copy(), cache)
        dout[:] = 0
        return gradients

    check_gradients(affine_forward, backward, **SHAPES)
    assert (
        "backward changes its upstream gradient 1, which belongs to the caller; copy it first."
        in capsys.readouterr().out
    )


def test_a_forward_pass_in_float32_is_judged_all_the_same(capsys):
    def forward(x, w, b):
        h = np.tanh(affine_forward(x, w, b)[0]).astype(np.float32)
        return h, (x, w, h)

    def backward(dh, cache):
        x, w, h = cache
        return affine_backward(dh * (1 - h**2), (x, w))

    check_gradients(forward, backward, **SHAPES)
    assert "computes in float32" in capsys.readouterr().out
    with pytest.raises(CheckFailed):
        check_gradients(forward, lambda *a: [1.1 * g for g in backward(*a)], **SHAPES)


# Values.


def test_values_are_compared_in_order_and_a_cache_is_not_looked_at(capsys):
    check_values(
        lambda x, y: (x + y, x - y, "cache"), {"x": np.ones(2), "y": 1.0}, total=np.full(2, 2.0), gap=np.zeros(2)
    )
    assert "total is right" in capsys.readouterr().out


def test_a_single_value_needs_no_tuple():
    check_values(np.arange, {"n": 3}, count=np.array([0, 1, 2]))


def test_wrong_values_are_located(capsys):
    with pytest.raises(CheckFailed, match="look at y"):
        check_values(lambda x: (x * 2, None), {"x": np.ones(2)}, y=np.array([2.0, 3.0]))
    assert "worst at [1]: yours 2.000, expected 3.000" in capsys.readouterr().out


def test_too_few_values_are_counted():
    with pytest.raises(CheckFailed, match=r"returned 1 value; expected y, z\.$"):
        check_values(lambda x: x, {"x": 1.0}, y=1.0, z=1.0)


def test_beyond_a_cache_nothing_may_be_returned():
    check_values(lambda x: (x, "cache"), {"x": 1.0}, y=1.0, cache=...)
    with pytest.raises(CheckFailed, match=r"returned 3 values; expected y, cache\.$"):
        check_values(lambda x: (x, "cache", x), {"x": 1.0}, y=1.0, cache=...)


def test_a_list_in_place_of_one_array_is_told_as_a_list(capsys):
    with pytest.raises(CheckFailed, match="look at y"):
        check_values(lambda x: [x, x], {"x": 1.0}, y=np.ones(2))
    assert "y is a list, not a numpy array." in capsys.readouterr().out


# Models.


class Bigram(CaptioningModel):
    """Each word is predicted from the one before it, and from the mean feature."""

    def loss(self, features, captions):
        read, say = captions[:, :-1], captions[:, 1:]
        scores = self.params["table"][read] + features.mean(axis=1)[:, np.newaxis, np.newaxis] * self.params["b"]
        loss, dscores = temporal_softmax_loss(scores, say, say != self._null)
        table = np.zeros_like(self.params["table"])
        np.add.at(table, read, dscores)
        return loss, {"table": table, "b": np.einsum("n,ntv->v", features.mean(axis=1), dscores)}


def bigram(kind=Bigram):
    model = kind({"<NULL>": 0, "a": 1, "b": 2})
    model.params = {"table": np.zeros((3, 3)), "b": np.zeros(3)}
    return model


FEATURES, CAPTIONS = np.arange(6.0).reshape(2, 3), np.array([[1, 2, 1, 0], [2, 1, 1, 2]])
LOSS = 2.5 * np.log(3)


def test_a_right_model_passes_and_keeps_its_parameters():
    model = bigram()
    params, table = model.params, model.params["table"]
    check_model(model, FEATURES, CAPTIONS, loss=LOSS)
    assert model.params is params
    assert model.params["table"] is table
    assert not table.any()


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda loss, grads: (2 * loss, grads), r"look at loss, grads\['table'\] and grads\['b'\]"),
        (lambda loss, grads: (loss, {"table": grads["table"]}), r"look at grads\['b'\]"),
        (lambda loss, grads: (loss, {**grads, "b": -grads["b"]}), r"look at grads\['b'\]"),
        (lambda loss, _: loss, "must return the loss, a number, and a dictionary of gradients"),
        (lambda loss, grads: (np.full(2, loss), grads), "its loss is an array of shape \\(2,\\)"),
    ],
)
def test_a_spoilt_model_fails(spoil, where):
    class Spoilt(Bigram):
        def loss(self, features, captions):
            return spoil(*super().loss(features, captions))

    with pytest.raises(CheckFailed, match=where):
        check_model(bigram(Spoilt), FEATURES, CAPTIONS, loss=LOSS)


def test_a_model_is_called_with_all_the_inputs_of_its_check():
    with pytest.raises(CheckFailed, match="takes 3 positional arguments but 4 were given"):
        check_model(bigram(), FEATURES, CAPTIONS, "one too many", loss=LOSS)


def test_a_model_that_raises_keeps_its_parameters():
    class Raising(Bigram):
        def loss(self, _features, _captions):
            self.params["table"] += 1
            raise ZeroDivisionError

    model = bigram(Raising)
    with pytest.raises(ZeroDivisionError):
        check_model(model, FEATURES, CAPTIONS, loss=LOSS)
    assert not model.params["table"].any()


def test_a_model_without_a_loss_is_not_written_yet():
    with pytest.raises(CheckFailed, match=r"^CaptioningModel\.loss is not written yet\.$"):
        check_model(bigram(CaptioningModel), FEATURES, CAPTIONS, loss=LOSS)


# The table.


def test_jupyter_shows_a_row_for_each_array(jupyter, capsys):
    with pytest.raises(CheckFailed):
        check_gradients(affine_forward, spoilt(db=lambda _: None), **SHAPES)
    (report,) = jupyter.shown
    table = report._repr_html_()
    assert table.count("<tr>") == 4
    assert table.count("✓ ok") == 2
    assert "✗ db is None, not a numpy array; is it computed and returned?" in table
    assert capsys.readouterr().out == ""


def test_the_table_escapes_what_the_student_wrote(jupyter):
    rude = type("<script>", (), {})
    with pytest.raises(CheckFailed):
        check_values(rude, {}, **{"<b>": np.ones(2)})
    table = jupyter.shown[0]._repr_html_()
    assert "<script>" not in table
    assert "<b>" not in table
    assert "&lt;script&gt;" in table


def test_a_check_says_the_same_in_every_run(capsys):
    outputs = []
    for _ in range(2):
        with pytest.raises(CheckFailed):
            check_gradients(affine_forward, spoilt(dw=np.negative), **SHAPES)
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


# Layers that are classes.


class Scale:
    """A layer whose output is x times the weights W, entry by entry, plus x."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x * self.W + x

    def backward(self, dout):
        self.dW = dout * self.x
        return dout * self.W + dout


SCALE = {"x": np.array([1.0, 2.0])}, {"W": np.array([3.0, -1.0])}
SCALED = np.array([4.0, 0.0])


def test_a_right_layer_is_told_by_outputs_and_gradients(capsys):
    check_layer(Scale, *SCALE, out=SCALED)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "Scale"
    assert [line.partition(":")[0] for line in lines] == ["out is right", "dx is right", "dW is right"]


def test_a_layer_of_numbers_gets_numbers_and_may_return_lists():
    class Swap:
        def forward(self, x, y):
            assert not isinstance(x, np.ndarray)
            return [y, x]

        def backward(self, dfirst, dsecond):
            return [dsecond, dfirst]

    check_layer(Swap, {"x": 2.0, "y": 3.0}, first=3.0, second=2.0)


@pytest.mark.parametrize(
    ("method", "wrong", "told"),
    [
        ("forward", lambda self, x: setattr(self, "x", x) or x * self.W, "look at out and dx"),
        ("backward", lambda self, dout: setattr(self, "dW", dout * self.x) or dout * self.W, "look at dx"),
        ("backward", lambda self, dout: dout * self.W + dout, "look at dW"),
        ("backward", lambda self, dout: (setattr(self, "dW", 0 * dout), dout), "returned 2 values; expected dx"),
        ("forward", lambda _, x: (x, x), "returned 2 values; expected out"),
        ("forward", lambda *_: [None], "returned None where floats belong"),
    ],
)
def test_what_is_wrong_with_a_layer_is_named(method, wrong, told):
    with pytest.raises(CheckFailed, match=told):
        check_layer(type("Scale", (Scale,), {method: wrong}), *SCALE, out=SCALED)


def test_a_forgotten_self_is_asked_for():
    class Selfless:
        def forward(x, y):  # noqa: N805 - it is what is told
            return x * y

    told = r"forward\(\) takes 2 positional arguments but 3 were given. It is called with x, y. Is self missing\?$"
    with pytest.raises(CheckFailed, match=told):
        check_layer(Selfless, {"x": 2.0, "y": 3.0}, out=6.0)
    with pytest.raises(CheckFailed, match=r"takes 0 positional arguments but 1 was given. It is called with x\.$"):
        check_values(lambda: 1.0, {"x": 2.0}, out=1.0)


def test_a_type_error_in_the_students_code_comes_through():
    with pytest.raises(TypeError, match="can't multiply"):
        check_values(lambda x: "a" * x, {"x": 2.0}, out=1.0)


def test_an_array_in_place_of_several_outputs_is_told_as_that():
    class Copy:
        def forward(self, x):
            return np.array([x, x])

    with pytest.raises(CheckFailed, match=r"forward returned a numpy array; expected first, second\.$"):
        check_layer(Copy, {"x": 2.0}, first=2.0, second=2.0)


def test_a_layer_that_keeps_something_from_an_earlier_call_is_not_right():
    class Piling(Scale):
        def backward(self, dout):
            self.dW = getattr(self, "dW", 0.0) + dout * self.x
            return dout * self.W + dout

    with pytest.raises(CheckFailed, match="look at dW"):
        check_layer(Piling, *SCALE, out=SCALED)


def test_a_layer_that_is_not_written_yet_is_told_by_its_method():
    with pytest.raises(CheckFailed, match="unwritten is not written yet"):
        check_layer(type("Scale", (Scale,), {"forward": unwritten}), *SCALE, out=SCALED)


# Inputs that must stay.


def test_an_input_that_must_stay_may_not_be_changed():
    def doubles(x):
        x *= 2
        return x

    check_values(doubles, {"x": np.ones(2)}, out=2 * np.ones(2))
    with pytest.raises(CheckFailed, match="doubles changes x, and has to leave it as it was"):
        check_values(doubles, {"x": np.ones(2)}, unchanged=["x"], out=2 * np.ones(2))

    def doubles_both(x, y):
        return doubles(x), doubles(y)

    with pytest.raises(CheckFailed, match="changes x and y, and has to leave them as they were"):
        check_values(doubles_both, {"x": np.ones(2), "y": np.ones(2)}, unchanged=["x", "y"], u=[2, 2], v=[2, 2])
