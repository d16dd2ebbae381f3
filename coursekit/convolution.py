"""The layers of a convolutional network: convolution, ReLU, maximum and average pooling.

N is the number of pictures, C and F are numbers of channels, H and W the height and width in pixels. A forward pass
returns its output and a cache; the backward pass takes the upstream gradient and that cache, which is not used up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Floats: TypeAlias = "NDArray[np.floating[Any]]"

# How many numbers are laid out for one matrix product: 4 MB in float32. Fewer cost calls, more leave the CPU's cache.
_COLUMNS = 2**20


def conv_forward(x: Floats, w: Floats, b: Floats) -> tuple[Floats, Any]:
    """Slide filters over pictures, one pixel at a time, with zeros around, so that the size stays.

    Args:
        x: Inputs of shape (N, C, H, W).
        w: Filters of shape (F, C, K, K), K odd.
        b: Biases of shape (F,).

    Returns:
        The outputs of shape (N, F, H, W), and the cache.
    """
    n, channels, height, width = x.shape
    out = np.empty((n, len(w), height, width), x.dtype)
    rows = w.reshape(len(w), -1)
    for some in _parts(n, channels, w.shape[2], height * width):
        np.matmul(rows, _columns(x[some], w.shape[2]), out=out[some].reshape(-1, len(w), height * width))
    out += b[:, np.newaxis, np.newaxis]
    return out, (x, w)


def conv_backward(dout: Floats, cache: Any) -> tuple[Floats, Floats, Floats]:
    """Return the gradients of `conv_forward`.

    Args:
        dout: Upstream gradient of shape (N, F, H, W).
        cache: What `conv_forward` returned.

    Returns:
        dx of shape (N, C, H, W), dw of shape (F, C, K, K), db of shape (F,).
    """
    _, w = cache
    # A pixel that a filter saw at an offset gets the gradient back from the opposite offset.
    opposite = np.ascontiguousarray(w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
    dx, _ = conv_forward(dout, opposite, np.zeros(w.shape[1], dout.dtype))
    return dx, *conv_backward_weights(dout, cache)


def conv_backward_weights(dout: Floats, cache: Any) -> tuple[Floats, Floats]:
    """Return dw and db of `conv_backward` alone, for the first layer of a network in training."""
    x, w = cache
    n, channels, height, width = x.shape
    dw = np.zeros((len(w), w[0].size), dout.dtype)
    for some in _parts(n, channels, w.shape[2], height * width):
        rows = dout[some].reshape(-1, len(w), height * width)
        dw += np.matmul(rows, _columns(x[some], w.shape[2]).transpose(0, 2, 1)).sum(axis=0)
    return dw.reshape(w.shape), dout.sum(axis=(0, 2, 3))


def relu_forward(x: Floats) -> tuple[Floats, Any]:
    """Return the positive part of x, of any shape, and the cache."""
    return np.maximum(x, 0), x > 0


def relu_backward(dout: Floats, cache: Any) -> Floats:
    """Return dx: the upstream gradient where the input was positive, else zero."""
    dx: Floats = dout * cache
    return dx


def maxpool_forward(x: Floats) -> tuple[Floats, Any]:
    """Take the largest of each 2 x 2 pixels.

    Args:
        x: Inputs of shape (N, C, H, W). A last row or column without a partner is left out.

    Returns:
        The outputs of shape (N, C, H // 2, W // 2), and the cache.
    """
    corners = _corners(x)
    out = np.maximum(np.maximum(corners[0], corners[1]), np.maximum(corners[2], corners[3]))
    return out, (corners, out, x.shape)


def maxpool_backward(dout: Floats, cache: Any) -> Floats:
    """Return dx, of the shape of x: each upstream gradient goes to the largest of its pixels, the first of equals."""
    corners, out, shape = cache
    dx = np.zeros(shape, dout.dtype)
    free = np.ones(out.shape, bool)
    for corner, target in zip(corners, _corners(dx), strict=True):
        largest = (corner == out) & free
        np.multiply(dout, largest, out=target)
        free &= ~largest
    return dx


def average_forward(x: Floats) -> tuple[Floats, Any]:
    """Average x (N, C, H, W) over all its pixels; return the outputs of shape (N, C), and the cache."""
    return x.mean(axis=(2, 3), dtype=x.dtype), x.shape


def average_backward(dout: Floats, cache: Any) -> Floats:
    """Return dx (N, C, H, W): each pixel gets its share of dout (N, C)."""
    share = dout[:, :, np.newaxis, np.newaxis] / dout.dtype.type(cache[2] * cache[3])
    return np.broadcast_to(share, cache).copy()


def _parts(n: int, channels: int, size: int, pixels: int) -> list[slice]:
    """Cut n pictures into parts whose columns have about `_COLUMNS` numbers."""
    count = max(1, _COLUMNS // max(1, channels * size * size * pixels))
    return [slice(at, at + count) for at in range(0, n, count)]


def _columns(x: Floats, size: int) -> Floats:
    """Lay out what a filter sees at each pixel: (N, C, H, W) becomes (N, C size size, H W), with zeros outside."""
    n, channels, height, width = x.shape
    pad = size // 2
    padded = np.zeros((n, channels, height + 2 * pad, width + 2 * pad), x.dtype)
    padded[:, :, pad : pad + height, pad : pad + width] = x
    out = np.empty((n, channels, size, size, height, width), x.dtype)
    for i in range(size):
        for j in range(size):
            out[:, :, i, j] = padded[:, :, i : i + height, j : j + width]
    return out.reshape(n, channels * size * size, height * width)


def _corners(x: Floats) -> list[Floats]:
    """Return views of the four pixels of each 2 x 2 pixels of x (N, C, H, W), each of shape (N, C, H // 2, W // 2)."""
    height, width = (length // 2 * 2 for length in x.shape[2:])
    return [x[:, :, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)]
