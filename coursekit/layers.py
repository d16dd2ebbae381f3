"""Layers that are given to students: affine, affine at every time step, and softmax loss at every time step.

N is the size of the minibatch, T the number of time steps, D the input size, M the output size, V the vocabulary.
A forward pass returns its output and a cache; the backward pass takes the upstream gradient and that cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Floats: TypeAlias = "NDArray[np.floating[Any]]"
AffineCache: TypeAlias = tuple[Floats, Floats]


def affine_forward(x: Floats, w: Floats, b: Floats) -> tuple[Floats, AffineCache]:
    """Compute x w + b for a minibatch.

    Args:
        x: Inputs of shape (N, ...); all axes but the first are flattened to D numbers.
        w: Weights of shape (D, M).
        b: Biases of shape (M,).

    Returns:
        The outputs of shape (N, M), and the cache.
    """
    return x.reshape(len(x), -1) @ w + b, (x, w)


def affine_backward(dout: Floats, cache: AffineCache) -> tuple[Floats, Floats, Floats]:
    """Return the gradients of `affine_forward`.

    Args:
        dout: Upstream gradient of shape (N, M).
        cache: What `affine_forward` returned.

    Returns:
        dx of the shape of x, dw of shape (D, M), db of shape (M,).
    """
    x, w = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)


def temporal_affine_forward(x: Floats, w: Floats, b: Floats) -> tuple[Floats, AffineCache]:
    """Compute x w + b at every time step, with the same weights at each.

    Args:
        x: Inputs of shape (N, T, D).
        w: Weights of shape (D, M).
        b: Biases of shape (M,).

    Returns:
        The outputs of shape (N, T, M), and the cache.
    """
    return x @ w + b, (x, w)


def temporal_affine_backward(dout: Floats, cache: AffineCache) -> tuple[Floats, Floats, Floats]:
    """Return the gradients of `temporal_affine_forward`.

    Args:
        dout: Upstream gradient of shape (N, T, M).
        cache: What `temporal_affine_forward` returned.

    Returns:
        dx of shape (N, T, D), dw of shape (D, M), db of shape (M,).
    """
    x, w = cache
    return dout @ w.T, np.einsum("ntd,ntm->dm", x, dout), dout.sum(axis=(0, 1))


def temporal_softmax_loss(x: Floats, y: NDArray[np.integer[Any]], mask: NDArray[np.bool]) -> tuple[float, Floats]:
    """Compute the softmax loss of a choice among V words at every time step.

    Args:
        x: Scores of shape (N, T, V).
        y: Indices of the right words, of shape (N, T), each in 0 .. V-1.
        mask: Booleans of shape (N, T); where it is False, the time step does not count.

    Returns:
        The loss, summed over time and averaged over the minibatch, and its gradient dx of shape (N, T, V).
    """
    # A shift of all scores leaves the probabilities as they are, and exp of numbers up to 0 cannot overflow.
    shifted = x - x.max(axis=2, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))
    right = y[:, :, np.newaxis]
    count = mask[:, :, np.newaxis] / x.dtype.type(len(x))
    loss = -np.sum(np.take_along_axis(log_p, right, axis=2) * count)
    one_hot = np.arange(x.shape[2]) == right
    return float(loss), (np.exp(log_p) - one_hot) * count
