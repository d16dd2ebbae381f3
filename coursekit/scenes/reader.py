"""What captions speak of, read off the features that the network of the course has for a picture.

A second network, of two affine layers, answers 85 questions by yes or no: for each of up to three objects, from left to
right, of which shape, colour, texture and size it is, and what the background is. Its answers are what captions are
written from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import h5py
import numpy as np

from coursekit.errors import InvalidInput
from coursekit.hdf5 import new_file
from coursekit.layers import affine_forward
from coursekit.pretrained import PretrainedCNN
from coursekit.scenes.world import COLOURS, GROUNDS, KINDS, PAPERS, SHAPES, SIZES, SKIES, TEXTURES

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from coursekit.scenes.world import Scene

Floats: TypeAlias = "NDArray[np.float32]"

FORMAT = "scene reader 1"
OBJECTS = 3
OBJECT_WORDS = (*SHAPES, *COLOURS, *TEXTURES, *SIZES)
BACKGROUND_WORDS = (*KINDS, *PAPERS, *SKIES, *GROUNDS)
QUESTIONS = OBJECTS * len(OBJECT_WORDS) + len(BACKGROUND_WORDS)
_PARAMS = ("W1", "b1", "W2", "b2")


def right_answers(scenes: Sequence[Scene]) -> Floats:
    """Return what is true of scenes: of shape (N, 85), 1 for yes and 0 for no; no to all for an object there is not."""
    objects = np.zeros((len(scenes), OBJECTS, len(OBJECT_WORDS)), np.float32)
    behind = np.zeros((len(scenes), len(BACKGROUND_WORDS)), np.float32)
    for row, scene in enumerate(scenes):
        for place, thing in enumerate(scene.things):
            for word in (thing.shape, thing.colour, thing.texture, thing.size):
                objects[row, place, OBJECT_WORDS.index(word)] = 1
        for word in (scene.background.kind, scene.background.first, scene.background.second):
            if word:
                behind[row, BACKGROUND_WORDS.index(word)] = 1
    return np.concatenate([objects.reshape(len(scenes), -1), behind], axis=1)


class SceneReader:
    """The network of the course, and behind it the one that answers.

    Attributes:
        params: W1 (D, H), b1 (H,), W2 (H, 85), b2 (85,), for D features of a picture.
        about: What was written beside them: on what it was trained, and how often it is right.
    """

    def __init__(self, cnn: PretrainedCNN, params: Mapping[str, Floats]) -> None:
        """Put the two together."""
        self.params = dict(params)
        self.about: dict[str, Any] = {}
        self._cnn = cnn
        self._layer = str(cnn.about["features"])

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> SceneReader:
        """Read both networks from a folder, scenes_cnn.weights.h5 and scenes_reader.weights.h5.

        Raises:
            InvalidInput: One of the files is not there, or cannot be read.
        """
        path = Path(folder) / "scenes_reader.weights.h5"
        cnn = PretrainedCNN(Path(folder) / "scenes_cnn.weights.h5")
        try:
            with h5py.File(path, "r", locking=False) as h5:
                if h5.attrs.get("format") != FORMAT or h5["W2"].shape[1] != QUESTIONS:
                    raise InvalidInput(f"{path} is no file of a scene reader")
                reader = cls(cnn, {name: h5[name][()] for name in _PARAMS})
                reader.about = {name: value for name, value in h5.attrs.items() if name != "format"}
        except (OSError, KeyError, RuntimeError) as error:
            raise InvalidInput(f"{path} cannot be read: {error}") from error
        return reader

    def save(self, path: str | os.PathLike[str], about: Mapping[str, object]) -> None:
        """Write the second network to a file, whole or not at all, with more attributes by name."""
        with new_file(path) as h5:
            h5.attrs["format"] = FORMAT
            for name, value in about.items():
                h5.attrs[name] = value
            for name in _PARAMS:
                # Checksums let a damaged file be told from a whole one.
                h5.create_dataset(name, data=self.params[name], dtype=np.float32, fletcher32=True)

    def features(self, pictures: NDArray[np.uint8]) -> Floats:
        """Return what the network of the course sees in pictures (N, H, W, 3): of shape (N, D)."""
        out, _ = self._cnn.forward(self._cnn.preprocess(pictures), end=self._layer)
        return out.reshape(len(out), -1).astype(np.float32, copy=False)

    def answers(self, pictures: NDArray[np.uint8]) -> Floats:
        """Return how sure the answers for pictures (N, H, W, 3) are: of shape (N, 85), from -1 for no to 1 for yes."""
        _, scores = self.forward(self.features(pictures))
        return np.tanh(scores / 2)

    def forward(self, features: Floats) -> tuple[Floats, Floats]:
        """Return the hidden layer (N, H) and the scores (N, 85) for features (N, D)."""
        first, _ = affine_forward(features, self.params["W1"], self.params["b1"])
        hidden = np.maximum(first, 0)
        scores, _ = affine_forward(hidden, self.params["W2"], self.params["b2"])
        return hidden, scores
