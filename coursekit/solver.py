"""Training of captioning models: minibatches, steps of an optimizer, losses, checkpoints."""

from __future__ import annotations

import json
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coursekit.errors import DatasetUnusable, Diverged, InvalidInput
from coursekit.hdf5 import new_file
from coursekit.optim import Adam
from coursekit.progress import progress_bar

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from coursekit.captioning import CaptioningModel, Floats, Integers
    from coursekit.data import CaptionData, Split
    from coursekit.optim import Optimizer

FORMAT = "captioning checkpoint 1"
VALIDATION = 200
"""Captions of the validation split by which the progress is measured after each epoch."""


class CaptioningSolver:
    """Trains a captioning model on a data set.

    One *epoch* goes once through all captions of the train split, in an order that depends on the seed and on the
    number of the epoch alone. One that breaks off, by an error or by Ctrl-C, is undone: model, optimizer and losses are
    as before it. So a training that was interrupted goes on exactly as it would have done, in the same session too.

    Attributes:
        losses: The loss of each minibatch so far.
        val_losses: The loss on captions of the validation split, after each epoch so far.
        epoch: How many epochs are done.
    """

    def __init__(
        self,
        model: CaptioningModel,
        data: CaptionData,
        optimizer: Optimizer | None = None,
        *,
        batch_size: int = 100,
        learning_rate: float = 5e-3,
        decay: float = 1.0,
        seed: int = 0,
    ) -> None:
        """Get ready to train.

        Args:
            model: The model. Its `loss` is called, and its `params` are replaced.
            data: What it is trained on, and validated.
            optimizer: The rule for a step; by default Adam.
            batch_size: Captions in a minibatch. The last of an epoch may be smaller.
            learning_rate: The length of the steps in the first epoch.
            decay: By how much the learning rate is multiplied after each epoch.
            seed: The order of the captions.

        Raises:
            InvalidInput: The model does not fit the data, or there is nothing to put in a minibatch.
        """
        if len(data.idx_to_word) != len(model.word_to_idx) or data.word_to_idx != model.word_to_idx:
            raise InvalidInput("the model has another vocabulary than the data; make it with data.word_to_idx")
        if data.train.features.shape[1] != len(model.params["W_proj"]):
            raise InvalidInput(
                f"the model takes {len(model.params['W_proj'])} features of a picture and the data has "
                f"{data.train.features.shape[1]}; make it with input_dim={data.train.features.shape[1]}"
            )
        if batch_size < 1:
            raise InvalidInput(f"batch_size is {batch_size}; it must be 1 at least")
        self.model = model
        self.data = data
        self.optimizer = Adam() if optimizer is None else optimizer
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.decay = decay
        self.seed = seed
        self.losses: list[float] = []
        self.val_losses: list[float] = []
        self.epoch = 0

    def train(self, epochs: int, checkpoint: str | os.PathLike[str] | None = None) -> None:
        """Train until `epochs` epochs are done in all, with a progress bar.

        Args:
            epochs: How many epochs there shall be, counted from the very first.
            checkpoint: An HDF5 file that holds all there is to know after each epoch. If it is there already, and is
                further than this solver, training goes on from it.

        Raises:
            InvalidInput: The gradients do not fit the parameters.
            Diverged: The loss, or a gradient, is not finite.
            DatasetUnusable: The checkpoint is damaged, or one of another training.
            OSError: The checkpoint cannot be written.
        """
        if checkpoint is not None and Path(checkpoint).exists():
            self._load(Path(checkpoint))
        steps = -(-len(self.data.train.captions) // self.batch_size)
        with progress_bar(epochs * steps, "step", initial=min(self.epoch, epochs) * steps) as bar:
            while self.epoch < epochs:
                with self._done_or_undone():
                    rate = self.learning_rate * self.decay**self.epoch
                    for features, captions in self._minibatches():
                        self._step(features, captions, rate)
                        bar.update()
                        bar.set_postfix_str(f"epoch {self.epoch + 1}, loss {self.losses[-1]:.3f}", refresh=False)
                    self.epoch += 1
                    self.val_losses.append(self._validate())
                if checkpoint is not None:
                    self._save(Path(checkpoint))

    @contextmanager
    def _done_or_undone(self) -> Iterator[None]:
        """Bring back what there was before the block if it does not come to its end."""
        kept = deepcopy((self.model.params, self.optimizer.state, self.losses, self.val_losses, self.epoch))
        try:
            yield
        except BaseException:  # Ctrl-C is no Exception
            params, self.optimizer.state, self.losses, self.val_losses, self.epoch = kept
            self.model.params.update(params)
            raise

    def _minibatches(self) -> Iterator[tuple[Floats, Integers]]:
        """Yield features and captions, each caption once."""
        split = self.data.train
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(split.captions))
        for start in range(0, len(order), self.batch_size):
            yield _chosen(split, order[start : start + self.batch_size])

    def _step(self, features: Floats, captions: Integers, rate: float) -> None:
        loss, grads = self.model.loss(features, captions)
        number = len(self.losses) + 1
        if not np.isfinite(loss):
            raise Diverged(f"the loss is {loss} at step {number}. Try a smaller learning_rate; it is {rate:.2g}")
        for name, value in self.model.params.items():
            if name not in grads or np.shape(grads[name]) != value.shape:
                found = f"of shape {np.shape(grads[name])}" if name in grads else "missing"
                raise InvalidInput(f"grads[{name!r}] is {found}; the parameter has the shape {value.shape}")
            if not np.all(np.isfinite(grads[name])):
                raise Diverged(f"grads[{name!r}] is not finite at step {number}. Try a smaller learning_rate")
        self.optimizer.step(self.model.params, grads, rate)
        self.losses.append(float(loss))

    def _validate(self) -> float:
        split = self.data.val
        few = np.random.default_rng(self.seed).permutation(len(split.captions))[:VALIDATION]
        loss, _ = self.model.loss(*_chosen(split, few))
        return float(loss)

    # ------------------------------------------------------------------------------------------- checkpoints

    @property
    def _training(self) -> str:
        """What must be the same for a checkpoint to be one of this training."""
        told = {
            "optimizer": type(self.optimizer).__name__,
            "options": {name: value for name, value in vars(self.optimizer).items() if name != "state"},
            "cell_type": self.model.cell_type,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "decay": self.decay,
            "seed": self.seed,
            "captions": len(self.data.train.captions),
            "words": list(self.data.idx_to_word),
            "params": {name: [str(value.dtype), *value.shape] for name, value in self.model.params.items()},
        }
        return json.dumps(told, sort_keys=True)

    def _save(self, path: Path) -> None:
        with new_file(path) as h5:
            h5.attrs["format"] = FORMAT
            h5.attrs["epoch"] = self.epoch
            arrays: dict[str, Any] = {"losses": self.losses, "val_losses": self.val_losses}
            arrays |= {f"params/{name}": value for name, value in self.model.params.items()}
            for name, remembered in self.optimizer.state.items():
                arrays |= {f"optimizer/{name}/{what}": value for what, value in remembered.items()}
            arrays["training"] = np.frombuffer(self._training.encode(), np.uint8)
            for name, value in arrays.items():
                array = np.asarray(value)
                # Checksums let a damaged file be told from a whole one; a single number cannot have one.
                h5.create_dataset(name, data=array, fletcher32=array.ndim > 0)

    def _load(self, path: Path) -> None:
        import h5py

        mend = "Delete it, or give another name, to train from the start."
        try:
            with h5py.File(path, "r", locking=False) as h5:
                known = h5.attrs.get("format") == FORMAT
                same = known and bytes(h5["training"][()]).decode() == self._training
                if same and h5.attrs["epoch"] > self.epoch:
                    losses, val_losses = h5["losses"][()].tolist(), h5["val_losses"][()].tolist()
                    params = {name: h5[f"params/{name}"][()] for name in self.model.params}
                    state = {
                        name: {what: array[()] for what, array in remembered.items()}
                        for name, remembered in h5.get("optimizer", {}).items()
                    }
                    self.epoch = int(h5.attrs["epoch"])
                    self.losses, self.val_losses = losses, val_losses
                    self.model.params.update(params)
                    self.optimizer.state = state
        except PermissionError as error:
            raise DatasetUnusable(f"You have no permission to read {path}. Try: chmod u+r '{path}'") from error
        except Exception as error:  # a damaged file makes HDF5 raise nearly anything
            raise DatasetUnusable(f"{path} is damaged, or is no checkpoint. {mend}") from error
        if not known:
            raise DatasetUnusable(f"{path} is no checkpoint of this kit. {mend}")
        if not same:
            raise DatasetUnusable(f"{path} belongs to another training: other data, model or options. {mend}")


def _chosen(split: Split, rows: Integers) -> tuple[Floats, Integers]:
    return split.features[split.image_idxs[rows]], split.captions[rows]
