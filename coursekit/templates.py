"""A network that one can see through: each score is the product of the picture with a template.

score[n, k] = sum of template[k] * X[n], over all channels and pixels. So the gradient of a score is its template,
whatever the picture, and what a function of image gradients must return can be told without a computer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from coursekit import pixels
from coursekit.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

Floats: TypeAlias = "NDArray[np.floating[Any]]"


class TemplateNetwork:
    """A network of one layer, called "scores", with the methods of `coursekit.pretrained.PretrainedCNN`.

    Attributes:
        layers: The name of the layer.
        classes: The names of the classes, "0", "1" and so on.
        templates: The templates, of shape (K, 3, H, W).
        mean: As in `PretrainedCNN`; with the scale it makes black -2 and white 2.
        scale: As in `PretrainedCNN`.
    """

    layers = ("scores",)

    def __init__(self, templates: Floats) -> None:
        """Take K templates, of shape (K, 3, H, W)."""
        self.templates = templates
        self.classes = tuple(str(k) for k in range(len(templates)))
        self.mean, self.scale = np.full(3, 0.5, np.float32), np.full(3, 0.25, np.float32)

    def forward(self, X: Floats, start: str | None = None, end: str | None = None) -> tuple[Floats, Any]:
        """Compute the scores, of shape (N, K), of pictures of shape (N, 3, H, W), and a cache.

        Raises:
            InvalidInput: A picture has another shape than a template, or there is no such layer.
        """
        if not {start, end} <= {None, *self.layers}:
            raise InvalidInput(f"there is no layer {start or end!r}; the only one is 'scores'")
        if X.shape[1:] != self.templates.shape[1:]:
            raise InvalidInput(f"X has shape {X.shape}; (N, {', '.join(map(str, self.templates.shape[1:]))}) is taken")
        return np.tensordot(X, self.templates.astype(X.dtype), axes=([1, 2, 3], [1, 2, 3])), len(X)

    def backward(self, dout: Floats, cache: Any) -> tuple[Floats, dict[str, Floats]]:
        """Compute the gradient of the pictures, of shape (N, 3, H, W), for an upstream gradient of shape (N, K).

        Raises:
            InvalidInput: dout has another shape than the scores.
        """
        if np.shape(dout) != (cache, len(self.templates)):
            raise InvalidInput(f"dout has shape {np.shape(dout)}; the scores are {(cache, len(self.templates))}")
        return np.tensordot(dout, self.templates.astype(dout.dtype), axes=1), {}

    def preprocess(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn pictures of shape (N, H, W, 3) into an array of shape (N, 3, H, W), from -2 to 2."""
        return pixels.preprocess(pictures, self.mean, self.scale)

    def deprocess(self, X: Floats) -> NDArray[np.uint8]:
        """Turn an array of shape (N, 3, H, W) back into pictures of shape (N, H, W, 3)."""
        return pixels.deprocess(X, self.mean, self.scale)
