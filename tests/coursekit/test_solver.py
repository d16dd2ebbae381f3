"""Training: what the optimizers do, what a solver keeps, and how it goes on."""

import json

import h5py
import numpy as np
import pytest

from coursekit.captioning import CaptioningModel
from coursekit.data import CaptionData, Split
from coursekit.errors import DatasetUnusable, Diverged, InvalidInput
from coursekit.optim import SGD, Adam, Momentum
from coursekit.solver import CaptioningSolver

WORDS = ("<NULL>", "<START>", "<END>", "<UNK>", "red", "blue")


def data(train=10, val=4, seed=0):
    rng = np.random.default_rng(seed)

    def split(count):
        captions = rng.integers(3, 6, (count, 5)).astype(np.int32)
        captions[:, 0], captions[:, -1] = 1, 2
        pictures = rng.integers(3, size=count).astype(np.int32)
        return Split(captions, pictures, rng.standard_normal((3, 7)).astype(np.float32), np.array(["x"] * 3, object))

    return CaptionData(split(train), split(val), WORDS)


class Bowl(CaptioningModel):
    """A model whose loss is the mean square of its parameters, whatever the captions; it keeps what it was shown."""

    def __init__(self, **options):
        super().__init__({word: index for index, word in enumerate(WORDS)}, input_dim=7, dtype=np.float64, **options)
        self.shown = []

    def loss(self, features, captions):
        self.shown.append((features, captions))
        loss = sum(float(np.sum(value**2)) for value in self.params.values())
        return loss, {name: 2 * value for name, value in self.params.items()}


def trained(epochs, optimizer=None, **options):
    solver = CaptioningSolver(Bowl(), data(), optimizer, batch_size=4, **options)
    solver.train(epochs)
    return solver


def same_params(one, other):
    return all(np.array_equal(one.model.params[name], other.model.params[name]) for name in one.model.params)


# ---------------------------------------------------------------------------------------------------- optimizers


def walk(optimizer, steps=3, start=1.0, rate=0.1):
    """Where a parameter goes whose gradient is itself."""
    params = {"w": np.array([start])}
    for _ in range(steps):
        optimizer.step(params, {"w": params["w"].copy()}, rate)
    return params["w"][0]


def test_gradient_descent_goes_down_the_gradient():
    assert walk(SGD()) == pytest.approx(0.9**3)


def test_momentum_keeps_a_part_of_its_velocity():
    # v: 1, then 0.5 * 1 + 0.9 = 1.4, then 0.5 * 1.4 + 0.76 = 1.46
    assert walk(Momentum(0.5)) == pytest.approx(1 - 0.1 - 0.14 - 0.146)


def test_the_first_step_of_adam_is_as_long_as_the_learning_rate_whatever_the_gradient():
    for size in (1e-3, 1.0, 1e3):
        assert walk(Adam(), steps=1, start=size) == pytest.approx(size - 0.1, rel=1e-4)


def test_adam_follows_the_algorithm_of_its_paper():
    w, mean, square = 1.0, 0.0, 0.0
    for count in (1, 2, 3, 4):
        mean, square = 0.9 * mean + 0.1 * w, 0.999 * square + 0.001 * w**2
        w -= 0.1 * (mean / (1 - 0.9**count)) / (np.sqrt(square / (1 - 0.999**count)) + 1e-8)
    assert walk(Adam(), steps=4) == pytest.approx(w, rel=1e-12)


@pytest.mark.parametrize("optimizer", [SGD, Momentum, Adam])
def test_single_precision_stays_single_and_arrays_are_not_changed_in_place(optimizer):
    before = np.ones(3, np.float32)
    params = {"w": before}
    rule = optimizer()
    for _ in range(2):
        rule.step(params, {"w": np.ones(3, np.float32)}, 0.1)
    assert params["w"].dtype == np.float32
    assert all(array.dtype != np.float64 for array in rule.state["w"].values())
    assert np.array_equal(before, np.ones(3))


# ------------------------------------------------------------------------------------------------------- training


def test_an_epoch_shows_every_caption_once_with_the_features_of_its_picture():
    solver = trained(1)
    shown = [row for features, captions in solver.model.shown[:3] for row in zip(captions, features, strict=True)]
    split = solver.data.train
    wanted = [(caption, split.features[i]) for caption, i in zip(split.captions, split.image_idxs, strict=True)]
    assert len(solver.model.shown[0][1]) == 4

    def key(pair):
        return tuple(np.concatenate(pair))

    assert sorted(map(key, shown)) == sorted(map(key, wanted))


def test_each_epoch_has_an_order_of_its_own_and_the_seed_repeats_it():
    first, again, other = trained(2), trained(2), trained(2, seed=1)
    orders = [[captions.tolist() for _, captions in solver.model.shown] for solver in (first, again, other)]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0][:3] != orders[0][4:7]


def test_losses_are_kept_for_each_step_and_for_each_epoch_on_the_validation_split():
    solver = trained(3)
    assert len(solver.losses) == 9
    assert len(solver.val_losses) == solver.epoch == 3
    assert solver.losses == sorted(solver.losses, reverse=True)
    val = solver.data.val
    assert sorted(map(tuple, solver.model.shown[3][1])) == sorted(map(tuple, val.captions))


def test_the_learning_rate_decays_after_each_epoch():
    solver = trained(2, SGD(), learning_rate=0.1, decay=0.5)
    start = Bowl().params["W_proj"]
    assert np.allclose(solver.model.params["W_proj"], start * 0.8**3 * 0.9**3)


def test_training_on_does_only_what_is_missing():
    parts, whole = trained(1), trained(3)
    parts.train(3)
    parts.train(2)
    assert parts.losses == whole.losses
    assert same_params(parts, whole)


def test_the_progress_goes_to_stdout_and_says_the_loss(capsys):
    trained(2)
    told = capsys.readouterr()
    assert "6/6" in told.out
    assert "epoch 2, loss" in told.out
    assert not told.err


class Broken(Bowl):
    """The bowl with something wrong."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def loss(self, features, captions):
        loss, grads = super().loss(features, captions)
        return self.change(loss, grads)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda _, grads: (np.nan, grads), Diverged, "the loss is nan at step 1. Try a smaller learning_rate"),
        (lambda loss, grads: (loss, {**grads, "b": grads["b"] * np.inf}), Diverged, "grads['b'] is not finite at step"),
        (lambda loss, grads: (loss, {"W_proj": grads["W_proj"]}), InvalidInput, "grads['b_proj'] is missing"),
        (lambda loss, grads: (loss, {**grads, "b": grads["b"][None]}), InvalidInput, "is of shape (1, 128); the param"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_is_wrong_with_a_loss_or_its_gradients_is_told(change, error, words):
    with pytest.raises(error) as caught:
        CaptioningSolver(Broken(change), data()).train(1)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CaptioningSolver(Bowl(), data(), batch_size=0), "batch_size is 0"),
        (lambda: CaptioningSolver(CaptioningModel({"<NULL>": 0}, 7), data()), "another vocabulary than the data"),
        (lambda: CaptioningSolver(CaptioningModel(data().word_to_idx, 8), data()), "make it with input_dim=7"),
    ],
)
def test_a_model_that_does_not_fit_the_data_is_refused(make, words):
    with pytest.raises(InvalidInput, match=words.replace("(", r"\(")):
        make()


class BreaksOff(Bowl):
    """The bowl, and Ctrl-C in one of its calls."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def loss(self, features, captions):
        if len(self.shown) == self.at:
            self.at = None
            raise KeyboardInterrupt
        return super().loss(features, captions)


# Of three epochs with three steps and a validation each: within an epoch, at its first step, in its validation.
@pytest.mark.parametrize("at", [5, 8, 7])
@pytest.mark.parametrize("checkpoint", [None, "checkpoint.h5"])
@pytest.mark.parametrize("optimizer", [SGD, Momentum, Adam])
def test_an_epoch_that_is_broken_off_is_undone_and_the_training_goes_on_as_if_it_had_not_been(
    tmp_path, optimizer, checkpoint, at
):
    file = checkpoint and tmp_path / checkpoint
    solver = CaptioningSolver(BreaksOff(at), data(), optimizer(), batch_size=4)
    with pytest.raises(KeyboardInterrupt):
        solver.train(3, file)
    epochs = at // 4
    assert (solver.epoch, len(solver.losses), len(solver.val_losses)) == (epochs, 3 * epochs, epochs)
    assert same_params(solver, trained(epochs, optimizer()))
    solver.train(3, file)
    whole = trained(3, optimizer())
    assert solver.losses == whole.losses
    assert solver.val_losses == whole.val_losses
    assert same_params(solver, whole)


# ---------------------------------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("optimizer", [SGD, Momentum, Adam])
def test_a_training_that_was_interrupted_goes_on_as_if_it_had_not_been(tmp_path, optimizer):
    path = tmp_path / "run" / "checkpoint.h5"
    CaptioningSolver(Bowl(), data(), optimizer(), batch_size=4).train(2, path)
    resumed = CaptioningSolver(Bowl(), data(), optimizer(), batch_size=4)
    resumed.train(4, path)
    whole = trained(4, optimizer())
    assert resumed.losses == whole.losses
    assert resumed.val_losses == whole.val_losses
    assert same_params(resumed, whole)
    assert [file.name for file in path.parent.iterdir()] == ["checkpoint.h5"]


def test_a_training_that_is_done_is_read_from_its_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.h5"
    CaptioningSolver(Bowl(), data(), batch_size=4).train(2, path)
    read = CaptioningSolver(Bowl(), data(), batch_size=4)
    read.train(2, path)
    assert not read.model.shown
    assert same_params(read, trained(2))


@pytest.mark.parametrize("epochs", [1, 2], ids=["as far", "further"])
def test_a_solver_that_is_as_far_as_the_checkpoint_or_further_keeps_what_it_has(tmp_path, epochs):
    path = tmp_path / "checkpoint.h5"
    CaptioningSolver(Bowl(), data(), batch_size=4).train(1, path)
    solver, other = (CaptioningSolver(Bowl(), data(), batch_size=4) for _ in range(2))
    for each in solver, other:
        each.model.params["b"] += 1  # from another start, so that the checkpoint's losses would be others
    solver.train(epochs)
    solver.train(3, path)
    other.train(3)
    assert solver.losses == other.losses
    assert same_params(solver, other)


@pytest.mark.parametrize(
    "other",
    [
        {"learning_rate": 1e-4},
        {"optimizer": SGD()},
        {"optimizer": Adam(beta1=0.5)},
        {"data": data(train=11)},
        {"model": Bowl(hidden_dim=3)},
        {"seed": 2},
    ],
    ids=lambda value: next(iter(value)),
)
def test_the_checkpoint_of_another_training_is_refused_and_left_alone(tmp_path, other):
    path = tmp_path / "checkpoint.h5"
    CaptioningSolver(Bowl(), data(), batch_size=4).train(1, path)
    before = path.read_bytes()
    options = {"model": Bowl(), "data": data(), "batch_size": 4} | other
    with pytest.raises(DatasetUnusable, match=r"belongs to another training.*Delete it"):
        CaptioningSolver(**options).train(2, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "spoil",
    [lambda _: b"", lambda data: data[: len(data) // 2], lambda _: b"no HDF5" * 100],
    ids=["empty", "cut off", "another file"],
)
def test_a_damaged_checkpoint_is_told_with_what_to_do(tmp_path, spoil):
    path = tmp_path / "checkpoint.h5"
    CaptioningSolver(Bowl(), data(), batch_size=4).train(1, path)
    path.write_bytes(spoil(path.read_bytes()))
    solver = CaptioningSolver(Bowl(), data(), batch_size=4)
    with pytest.raises(DatasetUnusable, match=r"is damaged, or is no checkpoint. Delete it"):
        solver.train(2, path)
    assert solver.epoch == 0


def test_a_flipped_bit_in_a_checkpoint_is_found(tmp_path):
    path = tmp_path / "checkpoint.h5"
    CaptioningSolver(Bowl(), data(), batch_size=4).train(1, path)
    with h5py.File(path) as h5:
        place = h5["params/W_proj"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetUnusable, match="is damaged"):
        CaptioningSolver(Bowl(), data(), batch_size=4).train(2, path)


def test_an_hdf5_file_that_is_no_checkpoint_is_told_as_that(tmp_path):
    path = tmp_path / "checkpoint.h5"
    with h5py.File(path, "w") as h5:
        h5.attrs["format"] = json.dumps("something else")
    with pytest.raises(DatasetUnusable, match="is no checkpoint of this kit"):
        CaptioningSolver(Bowl(), data()).train(1, path)
