"""A convolutional network that is already trained, to look into: forward and backward from any layer to any layer.

The architecture, the weights, the names of the classes and the preprocessing all stand in one HDF5 file, in which

    attribute  format        "coursekit cnn 1"
    attribute  architecture  JSON, a list of layers such as {"name": "conv1", "kind": "conv"}
    attribute  classes       JSON, a list of names, in the order of the scores
    attribute  mean, scale   three numbers each: X = (picture / 255 - mean) / scale, channel by channel
    dataset    conv1/W       weights of shape (F, C, 3, 3) of a layer of kind "conv"; (D, M) of kind "affine"
    dataset    conv1/b       biases of shape (F,) or (M,)

N is the number of pictures, C and F are numbers of channels, H and W the height and width in pixels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import h5py
import numpy as np

from coursekit import pixels
from coursekit.convolution import (
    average_backward,
    average_forward,
    conv_backward,
    conv_forward,
    maxpool_backward,
    maxpool_forward,
    relu_backward,
    relu_forward,
)
from coursekit.errors import InvalidInput
from coursekit.hdf5 import new_file
from coursekit.layers import affine_backward, affine_forward

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = "NDArray[np.floating[Any]]"
Pictures: TypeAlias = "NDArray[np.uint8]"

FORMAT = "coursekit cnn 1"


class Layer(NamedTuple):
    """A layer of the network: what it is called, and one of the kinds in `KINDS`."""

    name: str
    kind: str


class Cache(NamedTuple):
    """What a forward pass keeps for the backward pass: the layers that were run, and what each keeps."""

    layers: tuple[Layer, ...]
    kept: tuple[Any, ...]
    shape: tuple[int, ...]


# The kinds of layer: forward, backward, the number of axes of the input and, where there are weights, of W.
KINDS: dict[str, tuple[Callable[..., Any], Callable[..., Any], int, int]] = {
    "conv": (conv_forward, conv_backward, 4, 4),
    "relu": (relu_forward, relu_backward, 0, 0),
    "maxpool": (maxpool_forward, maxpool_backward, 4, 0),
    "average": (average_forward, average_backward, 4, 0),
    "affine": (affine_forward, affine_backward, 2, 2),
}


class PretrainedCNN:
    """A convolutional network with weights from a file.

    It computes in the dtype of its input: float32 is fast, and float64 is exact enough for a numeric gradient. Pictures
    of any size that leaves a pixel after the last pooling will do.

    Attributes:
        layers: The names of the layers, in order.
        classes: The names of the classes, in the order of the scores.
        params: The weights by name, as in "conv1.W" and "conv1.b".
        mean: What `preprocess` subtracts, of shape (3,).
        scale: What `preprocess` then divides by, of shape (3,).
        about: What else the file says of itself, such as its accuracy.
    """

    def __init__(self, h5_file: str | os.PathLike[str]) -> None:
        """Read a network.

        Args:
            h5_file: The HDF5 file, such as "datasets/scenes_cnn.weights.h5".

        Raises:
            InvalidInput: There is no such file, or it is damaged; the message names it.
        """
        path = Path(h5_file)
        if not path.is_file():
            raise InvalidInput(f"there is no file {path}; the trained network is datasets/scenes_cnn.weights.h5")
        try:
            with h5py.File(path, "r") as file:
                about: dict[str, Any] = {name: _plain(value) for name, value in file.attrs.items()}
                if about.pop("format", None) != FORMAT:
                    raise InvalidInput(f'its attribute "format" is not "{FORMAT}"')
                architecture = [Layer(**layer) for layer in json.loads(about.pop("architecture"))]
                classes = [str(name) for name in json.loads(about.pop("classes"))]
                mean, scale = about.pop("mean"), about.pop("scale")
                weighty = [layer.name for layer in architecture if layer.kind in {"conv", "affine"}]
                params = {f"{name}.{part}": _read(file, f"{name}/{part}") for name in weighty for part in "Wb"}
            self._set(architecture, classes, params, mean, scale)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InvalidInput(
                f"{path} cannot be read as a trained network: {error}. It is damaged or of another kind; "
                f"fetch it again with git checkout, or make it with tools/train_cnn.py"
            ) from error
        self.about = about

    @classmethod
    def untrained(
        cls,
        architecture: Sequence[tuple[str, int]],
        classes: Sequence[str],
        mean: ArrayLike,
        scale: ArrayLike,
        rng: np.random.Generator,
    ) -> PretrainedCNN:
        """Make a network with random weights and zero biases, to be trained.

        Args:
            architecture: Kinds of layers, each with the number of its outputs, 0 where that follows from its input.
                They are named by their kind and a number, as in conv1, relu1, conv2.
            classes: The names of the classes.
            mean: As in the attributes, of shape (3,).
            scale: As in the attributes, of shape (3,).
            rng: Where the weights come from.

        Returns:
            The network, in float32.
        """
        model = cls.__new__(cls)
        layers: list[Layer] = []
        params: dict[str, Floats] = {}
        channels = 3
        for kind, size in architecture:
            layer = Layer(f"{kind}{1 + sum(other.kind == kind for other in layers)}", kind)
            layers.append(layer)
            if size:
                shape = (size, channels, 3, 3) if kind == "conv" else (channels, size)
                # This size keeps the spread of the numbers through a ReLU.
                spread = np.sqrt(2 / (channels * 9 if kind == "conv" else channels))
                params[f"{layer.name}.W"] = (rng.standard_normal(shape) * spread).astype(np.float32)
                params[f"{layer.name}.b"] = np.zeros(size, np.float32)
                channels = size
        model._set(layers, classes, params, mean, scale)  # noqa: SLF001  (a constructor)
        model.about = {}
        return model

    def save(self, h5_file: str | os.PathLike[str], about: Mapping[str, object]) -> None:
        """Write the network to a file, whole or not at all.

        Args:
            h5_file: The file; one that exists is replaced.
            about: More attributes by name, such as the accuracy.
        """
        with new_file(h5_file) as file:
            file.attrs["format"] = FORMAT
            file.attrs["architecture"] = json.dumps([layer._asdict() for layer in self._layers])
            file.attrs["classes"] = json.dumps(list(self.classes))
            file.attrs["mean"], file.attrs["scale"] = self.mean, self.scale
            for name, value in about.items():
                file.attrs[name] = value
            for name, array in self.params.items():
                # Checksums let a damaged file be told from a whole one.
                file.create_dataset(
                    name.replace(".", "/"), data=array, dtype=np.float32, chunks=array.shape, fletcher32=True
                )

    def forward(self, X: Floats, start: str | int | None = None, end: str | int | None = None) -> tuple[Floats, Cache]:
        """Run the layers from `start` to `end`, both included.

        Args:
            X: The input of the layer `start`, float32 or float64: preprocessed pictures of shape (N, 3, H, W) if that
                is the first, else what `forward(..., end=<the layer before>)` returned.
            start: The name or the number of the first layer to run; by default the first of all.
            end: The name or the number of the last layer to run; by default the last of all, which gives the scores,
                of shape (N, number of classes).

        Returns:
            The output of the layer `end`, and the cache.

        Raises:
            InvalidInput: There is no such layer, `end` comes before `start`, or X does not fit the first layer.
        """
        first = 0 if start is None else self._number(start)
        last = len(self._layers) - 1 if end is None else self._number(end)
        if first > last:
            raise InvalidInput(f"end, {self.layers[last]}, comes before start, {self.layers[first]}")
        layers = self._layers[first : last + 1]
        out: Floats = self._checked(X, first)
        kept = []
        for layer in layers:
            if layer.kind == "maxpool" and min(out.shape[2:]) < 2:
                raise InvalidInput(
                    f"X is too small, {X.shape[2]} x {X.shape[3]} pixels: nothing is left for {layer.name}"
                )
            out, cache = KINDS[layer.kind][0](out, *self._weights(layer, out.dtype))
            kept.append(cache)
        return out, Cache(layers, tuple(kept), out.shape)

    def backward(self, dout: Floats, cache: Cache) -> tuple[Floats, dict[str, Floats]]:
        """Run the layers of a forward pass backward.

        Args:
            dout: Upstream gradient, of the shape of what `forward` returned.
            cache: What `forward` returned with it; it is not used up.

        Returns:
            The gradient of the input of the first of these layers, and the gradient of each of their weights, by the
            names of `params`.

        Raises:
            InvalidInput: dout has another shape than the output.
        """
        if np.shape(dout) != cache.shape:
            raise InvalidInput(
                f"dout has shape {np.shape(dout)}; the output of {cache.layers[-1].name} is {cache.shape}"
            )
        grads: dict[str, Floats] = {}
        for layer, kept in zip(reversed(cache.layers), reversed(cache.kept), strict=True):
            back = KINDS[layer.kind][1](dout, kept)
            if KINDS[layer.kind][3]:
                dout, grads[f"{layer.name}.W"], grads[f"{layer.name}.b"] = back
            else:
                dout = back
        return dout, grads

    def preprocess(self, pictures: Pictures) -> NDArray[np.float32]:
        """Turn pictures into what the network reads.

        Args:
            pictures: One picture of shape (H, W, 3) or several of shape (N, H, W, 3), with values from 0 to 255.

        Returns:
            An array of shape (N, 3, H, W).

        Raises:
            InvalidInput: The shape is another.
        """
        return pixels.preprocess(pictures, self.mean, self.scale)

    def deprocess(self, X: Floats) -> Pictures:
        """Turn what the network reads, of shape (N, 3, H, W), back into pictures of shape (N, H, W, 3)."""
        return pixels.deprocess(X, self.mean, self.scale)

    def _set(
        self,
        architecture: Sequence[Layer],
        classes: Sequence[str],
        params: dict[str, Floats],
        mean: ArrayLike,
        scale: ArrayLike,
    ) -> None:
        """Take over the parts of a network; raise InvalidInput if they do not fit together."""
        self._layers = tuple(architecture)
        self.layers = tuple(layer.name for layer in architecture)
        self.classes = tuple(classes)
        self.params = params
        self.mean, self.scale = np.asarray(mean, np.float32), np.asarray(scale, np.float32)
        if self.mean.shape != (3,) or self.scale.shape != (3,) or not (self.scale > 0).all():
            raise InvalidInput("mean and scale must be three numbers each, and scale positive")
        self._channels: list[int] = []
        channels = 3
        for layer in architecture:
            if layer.kind not in KINDS:
                raise InvalidInput(f"{layer.name} is of kind {layer.kind!r}; the kinds are {', '.join(KINDS)}")
            self._channels.append(channels)
            if KINDS[layer.kind][3]:
                w, b = params[f"{layer.name}.W"], params[f"{layer.name}.b"]
                size = len(w) if layer.kind == "conv" else w.shape[-1]
                wanted = (size, channels, *w.shape[2:]) if layer.kind == "conv" else (channels, size)
                if w.ndim != KINDS[layer.kind][3] or w.shape != wanted or b.shape != (size,):
                    raise InvalidInput(
                        f"{layer.name} has weights of shape {w.shape} and {b.shape} for {channels} channels"
                    )
                if not (np.isfinite(w).all() and np.isfinite(b).all()):
                    raise InvalidInput(f"{layer.name} has weights that are not finite")
                channels = size
        if channels != len(classes):
            raise InvalidInput(f"there are {channels} scores and {len(classes)} names of classes")

    def _number(self, layer: str | int) -> int:
        """Return the number of a layer given by name or number."""
        if isinstance(layer, str) and layer in self.layers:
            return self.layers.index(layer)
        if not isinstance(layer, str) and 0 <= layer < len(self.layers):
            return int(layer)
        raise InvalidInput(f"there is no layer {layer!r}; the layers are {', '.join(self.layers)}")

    def _weights(self, layer: Layer, dtype: np.dtype[Any]) -> tuple[Floats, ...]:
        if not KINDS[layer.kind][3]:
            return ()
        return tuple(self.params[f"{layer.name}.{part}"].astype(dtype, copy=False) for part in "Wb")

    def _checked(self, X: Floats, first: int) -> Floats:
        """Return X if it can be the input of the layer number `first`; raise InvalidInput if not."""
        x: object = X
        if not isinstance(x, np.ndarray) or x.dtype not in (np.float32, np.float64):
            kind = x.dtype.name if isinstance(x, np.ndarray) else type(x).__name__
            raise InvalidInput(f"X is {kind}; a float32 or float64 array is expected, as from preprocess(pictures)")
        name, axes, channels = self.layers[first], KINDS[self._layers[first].kind][2], self._channels[first]
        # A ReLU takes any number of axes.
        if (axes and X.ndim != axes) or X.ndim < 2 or X.shape[1] != channels:
            wanted = f"(N, {channels})" if axes == 2 else f"(N, {channels}, H, W)"
            hint = (
                "; put the channels second, as preprocess(pictures) does" if X.shape[-1:] == (3,) and not first else ""
            )
            raise InvalidInput(f"X has shape {X.shape}; {name} takes {wanted}{hint}")
        return X


def _plain(value: Any) -> Any:
    """Return an attribute of an HDF5 file as Python's own numbers, lists and strings."""
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def _read(file: Any, name: str) -> Floats:
    """Return an array of an HDF5 file in float32; raise InvalidInput if there is none."""
    if not isinstance(file.get(name), h5py.Dataset):
        raise InvalidInput(f"{name} is missing")
    return np.asarray(file[name][()], np.float32)
