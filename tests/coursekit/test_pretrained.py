"""The pretrained network: gradients through every kind of layer, the file and its errors, and what it has learnt."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from coursekit.errors import InvalidInput
from coursekit.gradcheck import compare, numeric_gradients
from coursekit.pretrained import PretrainedCNN
from coursekit.scenes import draw_all, random_scene

WEIGHTS = Path(__file__).parents[2] / "datasets" / "scenes_cnn.weights.h5"
SMALL = [("conv", 5), ("relu", 0), ("maxpool", 0), ("conv", 7), ("relu", 0), ("average", 0), ("affine", 2)]
WEIGHTY = {"conv", "affine"}


def small():
    model = PretrainedCNN.untrained(SMALL, ["cat", "dog"], [0.4, 0.5, 0.6], [0.2, 0.3, 0.4], np.random.default_rng(3))
    for name, value in model.params.items():
        if name.endswith(".b"):
            model.params[name] = np.linspace(-0.3, 0.4, len(value), dtype=np.float32)
    return model


@pytest.fixture(scope="module")
def trained():
    return PretrainedCNN(WEIGHTS)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.weights.h5"
    small().save(path, {"accuracy": 0.5})
    return path


RANGES = [(None, None), ("conv2", "relu2"), ("relu1", "conv2"), ("maxpool1", "affine1"), ("average1", None), (0, 1)]
RANGES += [(name, name) for name in small().layers]


@pytest.mark.parametrize(("start", "end"), RANGES)
def test_the_backward_pass_is_the_gradient_from_any_layer_to_any_layer(start, end):
    model = small()
    rng = np.random.default_rng(5)
    first = model.layers.index(start) if isinstance(start, str) else 0
    X = rng.standard_normal((2, 3, 7, 6))
    if first:
        X = rng.standard_normal(model.forward(X, end=first - 1)[0].shape)
    # Numeric gradients with respect to the weights need them in float64 too.
    model.params = {name: value.astype(np.float64) for name, value in model.params.items()}
    out, cache = model.forward(X, start, end)
    upstream = rng.standard_normal(out.shape)
    dX, grads = model.backward(upstream, cache)

    def evaluate(batch):
        outputs = []
        for each in batch:
            model.params = {name: each.get(name, value) for name, value in params.items()}
            outputs.append(model.forward(each["X"], start, end)[:1])
        return outputs

    params = model.params
    inputs = {"X": X, **{name: params[name] for name in grads}}
    numeric = numeric_gradients(evaluate, inputs, [upstream], inputs)
    for name, yours in {"X": dX, **grads}.items():
        comparison = compare(f"d{name}", yours, numeric[name], against="numeric")
        assert comparison.passed, comparison
    assert {name.partition(".")[0] for name in grads} == {layer.name for layer in cache.layers if layer.kind in WEIGHTY}


def test_the_gradient_of_the_trained_network_is_right_too(trained):
    rng = np.random.default_rng(6)
    X = trained.preprocess(draw_all([random_scene(rng)])).astype(np.float64)
    out, cache = trained.forward(X)
    dX, _ = trained.backward(np.eye(len(trained.classes))[[11]], cache)
    # Along directions that touch few pixels, so that no ReLU changes sign on the way.
    for _ in range(5):
        way = np.zeros_like(X)
        way[0, :, *rng.integers(0, 64, 2)] = rng.standard_normal(3)
        up, down = (trained.forward(X + step * way)[0][0, 11] for step in (1e-6, -1e-6))
        assert (up - down) / 2e-6 == pytest.approx(np.sum(dX * way), rel=1e-4, abs=1e-8)
    assert out.dtype == dX.dtype == np.float64


def test_two_parts_of_the_network_give_what_the_whole_gives():
    model = small()
    X = np.random.default_rng(7).standard_normal((3, 3, 8, 10)).astype(np.float32)
    whole, cache = model.forward(X)
    middle, first = model.forward(X, end="maxpool1")
    out, second = model.forward(middle, start="conv2")
    np.testing.assert_array_equal(out, whole)
    dX, grads = model.backward(whole, cache)
    dmiddle, some = model.backward(whole, second)
    again, others = model.backward(dmiddle, first)
    np.testing.assert_array_equal(again, dX)
    assert grads.keys() == some.keys() | others.keys()
    assert {array.dtype.name for array in (whole, dX, *grads.values())} == {"float32"}


def test_a_convolution_is_the_sum_of_products_that_its_definition_says():
    model = small()
    X = np.random.default_rng(8).standard_normal((2, 3, 5, 4))
    out, _ = model.forward(X, end="conv1")
    padded = np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)))
    w, b = model.params["conv1.W"], model.params["conv1.b"]
    for n, f, i, j in [(0, 0, 0, 0), (1, 4, 4, 3), (1, 2, 3, 1)]:
        assert out[n, f, i, j] == pytest.approx(np.sum(padded[n, :, i : i + 3, j : j + 3] * w[f]) + b[f])


def test_many_pictures_give_what_each_of_them_gives_alone(trained):
    X = np.random.default_rng(9).standard_normal((5, 3, 64, 64)).astype(np.float32)
    together, _ = trained.forward(X)
    alone = np.concatenate([trained.forward(x[np.newaxis])[0] for x in X])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)


def test_nothing_given_is_changed_and_a_cache_serves_twice():
    model = small()
    X = np.random.default_rng(10).standard_normal((2, 3, 6, 6))
    copy = X.copy()
    out, cache = model.forward(X)
    dout = np.ones_like(out)
    first, _ = model.backward(dout, cache)
    second, _ = model.backward(dout, cache)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(X, copy)
    assert (dout == 1).all()


@pytest.mark.parametrize("size", [(16, 16), (64, 64), (100, 37), (17, 130)])
def test_pictures_of_any_size_will_do(trained, size):
    X = np.zeros((1, 3, *size), np.float32)
    out, cache = trained.forward(X)
    assert out.shape == (1, len(trained.classes))
    assert trained.backward(out, cache)[0].shape == X.shape


def test_of_equal_pixels_one_gets_the_gradient_of_a_maximum():
    model = small()
    out, cache = model.forward(np.ones((1, 5, 4, 4)), "maxpool1", "maxpool1")
    dX, _ = model.backward(np.ones_like(out), cache)
    assert dX.sum() == out.size
    assert dX[0, 0, 0, 0] == 1


@pytest.mark.parametrize(
    ("X", "start", "end", "message"),
    [
        (np.zeros((1, 3, 8, 8)), "conv9", None, "no layer 'conv9'; the layers are conv1, relu1"),
        (np.zeros((1, 3, 8, 8)), None, 7, "no layer 7"),
        (np.zeros((1, 3, 8, 8)), "relu2", "conv1", "end, conv1, comes before start, relu2"),
        (np.zeros((1, 4, 8, 8)), None, None, r"shape \(1, 4, 8, 8\); conv1 takes \(N, 3, H, W\)"),
        (np.zeros((1, 8, 8, 3)), None, None, "put the channels second"),
        (np.zeros((3, 8, 8)), None, None, "conv1 takes"),
        (np.zeros((1, 3, 8, 8)), "conv2", None, r"conv2 takes \(N, 5, H, W\)"),
        (np.zeros((1, 3, 8, 8), np.uint8), None, None, r"X is uint8; .* preprocess\(pictures\)"),
        ([1, 2], None, None, "X is list"),
        (np.zeros((1, 3, 1, 1)), None, None, "too small"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_reason(X, start, end, message):
    with pytest.raises(InvalidInput, match=message):
        small().forward(X, start, end)


def test_an_upstream_gradient_of_another_shape_is_refused():
    model = small()
    _, cache = model.forward(np.zeros((1, 3, 8, 8)))
    with pytest.raises(InvalidInput, match=r"dout has shape \(1, 3\); the output of affine1 is \(1, 2\)"):
        model.backward(np.zeros((1, 3)), cache)


def test_a_network_is_read_as_it_was_saved(file):
    model, read = small(), PretrainedCNN(file)
    assert (read.layers, read.classes, read.about) == (model.layers, model.classes, {"accuracy": 0.5})
    np.testing.assert_array_equal(read.mean, model.mean)
    np.testing.assert_array_equal(read.scale, model.scale)
    for name, value in model.params.items():
        np.testing.assert_array_equal(read.params[name], value)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def edit(change):
    def damage(path):
        with h5py.File(path, "r+") as file:
            change(file)

    return damage


def put(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


def attribute(name, value):
    return edit(lambda file: file.attrs.modify(name, value))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_bytes(b"<html>not found</html>"), "cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), "cannot be read"),
        (edit(lambda file: file.attrs.pop("format")), '"format" is not'),
        (edit(lambda file: file.pop("conv2/b")), "conv2"),
        (edit(put("conv1/W", np.zeros((5, 4, 3, 3), np.float32))), "conv1 has weights of shape"),
        (edit(put("conv1/W", np.zeros(5, np.float32))), "conv1 has weights of shape"),
        (edit(put("conv1/b", np.full(5, np.nan, np.float32))), "not finite"),
        (attribute("classes", json.dumps(["cat"])), "2 scores and 1 names"),
        (attribute("architecture", json.dumps([{"name": "x", "kind": "dropout"}])), "kind 'dropout'"),
        (attribute("architecture", "]["), "cannot be read"),
        (attribute("scale", [1.0, 0.0, 1.0]), "scale positive"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong_and_what_to_do(file, damage, message):
    damage(file)
    with pytest.raises(InvalidInput, match=message) as caught:
        PretrainedCNN(file)
    assert str(file) in str(caught.value)
    assert "tools/train_cnn.py" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"there is no file .*none\.h5"):
        PretrainedCNN(tmp_path / "none.h5")


def test_preprocessing_can_be_undone(trained):
    pictures = draw_all([random_scene(np.random.default_rng(n)) for n in range(3)])
    X = trained.preprocess(pictures)
    assert X.shape == (3, 3, 64, 64)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(trained.deprocess(X), pictures)
    np.testing.assert_array_equal(trained.preprocess(pictures[1]), X[1:2])
    with pytest.raises(InvalidInput, match="is expected"):
        trained.preprocess(pictures[0, 0])


def test_the_shipped_network_names_the_main_object_of_pictures_it_has_not_seen(trained):
    scenes = [random_scene(np.random.default_rng([77, n]), 1) for n in range(300)]
    scores, _ = trained.forward(trained.preprocess(draw_all(scenes)))
    names = [trained.classes[best] for best in scores.argmax(axis=1)]
    right = [
        name == f"{scene.things[0].colour} {scene.things[0].shape}" for name, scene in zip(names, scenes, strict=True)
    ]
    assert np.mean(right) >= 0.9
    assert trained.about["accuracy"] >= 0.9


def test_the_shipped_network_gives_512_features_and_is_small(trained):
    features, _ = trained.forward(np.zeros((1, 3, 64, 64), np.float32), end=str(trained.about["features"]))
    assert features.size == 512
    assert len(set(trained.classes)) == 64
    assert WEIGHTS.stat().st_size < 3e6
