"""What one does to pictures between two steps of an optimisation, and on the way into a network and out of it.

X holds preprocessed pictures, of shape (N, 3, H, W): a number of theirs is (pixel / 255 - mean) / scale. Nothing here
changes its arguments; what is returned has their dtype.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from coursekit.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = "NDArray[np.floating[Any]]"
Pictures: TypeAlias = "NDArray[np.uint8]"


class Model(Protocol):
    """A network that says how its pictures were preprocessed, such as `coursekit.pretrained.PretrainedCNN`."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]


def preprocess(pictures: Pictures, mean: ArrayLike, scale: ArrayLike) -> NDArray[np.float32]:
    """Turn pictures into what a network reads.

    Args:
        pictures: One picture of shape (H, W, 3) or several of shape (N, H, W, 3), with values from 0 to 255.
        mean: What is subtracted, channel by channel, of shape (3,).
        scale: What is then divided by, of shape (3,).

    Returns:
        An array of shape (N, 3, H, W).

    Raises:
        InvalidInput: The shape is another.
    """
    several = np.asarray(pictures)
    if several.ndim == 3:
        several = several[np.newaxis]
    if several.ndim != 4 or several.shape[3] != 3:
        raise InvalidInput(f"pictures have shape {np.shape(pictures)}; (H, W, 3) or (N, H, W, 3) is expected")
    x = (several.astype(np.float32) / np.float32(255) - np.asarray(mean, np.float32)) / np.asarray(scale, np.float32)
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def deprocess(X: Floats, mean: ArrayLike, scale: ArrayLike) -> Pictures:
    """Turn what a network reads, of shape (N, 3, H, W), back into pictures of shape (N, H, W, 3)."""
    pictures = (X.transpose(0, 2, 3, 1) * np.asarray(scale) + np.asarray(mean)) * 255
    rounded: Pictures = np.clip(np.rint(pictures), 0, 255).astype(np.uint8)
    return rounded


def clip(X: Floats, model: Model) -> Floats:
    """Bring every number of X into the range that a pixel can have, from black to white."""
    mean, scale = (np.asarray(each).reshape(3, 1, 1) for each in (model.mean, model.scale))
    clipped: Floats = np.clip(X, (-mean / scale).astype(X.dtype), ((1 - mean) / scale).astype(X.dtype))
    return clipped


def jitter(X: Floats, dx: int, dy: int) -> Floats:
    """Move X by dx pixels to the right and by dy pixels down. What leaves on one side comes in on the other."""
    return np.roll(X, (dy, dx), axis=(2, 3))


def blur(X: Floats, sigma: float = 0.5) -> Floats:
    """Blur X with a Gaussian, channel by channel.

    Args:
        X: Pictures of shape (N, C, H, W).
        sigma: The standard deviation of the Gaussian, in pixels. Beyond its edges a picture goes on with the colour
            that it has there.

    Returns:
        The blurred pictures, of the same shape. No number lies outside of the range of those before.
    """
    reach = max(1, round(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(X.dtype)
    # A Gaussian in two dimensions is one down the columns and then one along the rows.
    for axis in (2, 3):
        edges = [(reach, reach) if each == axis else (0, 0) for each in range(4)]
        padded = np.moveaxis(np.pad(X, edges, mode="edge"), axis, -1)
        length = X.shape[axis]
        total = sum(weight * padded[..., at : at + length] for at, weight in enumerate(weights))
        X = np.moveaxis(np.asarray(total), -1, axis)
    return np.ascontiguousarray(X)


def shrink(picture: Pictures, longest: int = 192) -> Pictures:
    """Make a large picture smaller, such as a photograph.

    Args:
        picture: A picture of shape (H, W, 3).
        longest: How many pixels its longer side may have.

    Returns:
        The picture, smaller by a whole number in both directions: each pixel is the average of a square. One that is
        small enough comes back as it is.
    """
    factor = -(-max(picture.shape[:2]) // longest)
    height, width = (length // factor for length in picture.shape[:2])
    if factor == 1 or not (height and width):
        return picture
    squares = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    smaller: Pictures = np.rint(squares.mean(axis=(1, 3))).astype(np.uint8)
    return smaller


def show(X: Floats, model: Model, title: str = "") -> None:
    """Draw the pictures of X, of shape (N, 3, H, W), side by side."""
    import matplotlib.pyplot as plt

    pictures = deprocess(X, model.mean, model.scale)
    height, width = pictures.shape[1:3]
    _, axes = plt.subplots(1, len(pictures), figsize=(2.2 * len(pictures) * width / height, 2.4), squeeze=False)
    for ax, picture in zip(axes.flat, pictures, strict=True):
        ax.imshow(picture, interpolation="nearest")
        ax.set_axis_off()
    axes.flat[0].set_title(title, fontsize=9)
    plt.show()
