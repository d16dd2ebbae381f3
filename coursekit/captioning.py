"""The base of the captioning models: everything but the loss and the sampling, which students write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from coursekit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import DTypeLike, NDArray

Floats: TypeAlias = "NDArray[np.floating[Any]]"
Integers: TypeAlias = "NDArray[np.integer[Any]]"

# How many affine maps one step computes side by side: the LSTM has three gates and a candidate.
_MAPS = {"rnn": 1, "lstm": 4}


class CaptioningModel:
    """A recurrent network that writes a caption for the features of a picture.

    The features are projected to the first hidden state. Each step reads the vector of a word and the hidden state
    that came before, and gives a score to every word of the vocabulary as the next.

    Attributes:
        cell_type: "rnn" or "lstm".
        word_to_idx: The index of each word.
        idx_to_word: The word of each index.
        params: The parameters by name. With D the input size, H the hidden size, W the size of a word vector, V the
            size of the vocabulary, and G = 1 (rnn) or 4 (lstm): W_proj (D, H), b_proj (H,), W_embed (V, W),
            Wx (W, G H), Wh (H, G H), b (G H,), W_vocab (H, V), b_vocab (V,). Two models of the same sizes start
            from the same parameters, so that a run can be repeated.
    """

    def __init__(
        self,
        word_to_idx: Mapping[str, int],
        input_dim: int = 512,
        wordvec_dim: int = 128,
        hidden_dim: int = 128,
        cell_type: str = "rnn",
        dtype: DTypeLike = np.float32,
    ) -> None:
        """Make a model with random weights and zero biases.

        Args:
            word_to_idx: The index of each word. It must hold <NULL>, and may hold <START> and <END>.
            input_dim: How many features a picture has.
            wordvec_dim: The size of a word vector.
            hidden_dim: The size of the hidden state.
            cell_type: "rnn" or "lstm".
            dtype: The dtype of the parameters.

        Raises:
            InvalidInput: There is no such cell type, or the vocabulary has no <NULL>.
        """
        if cell_type not in _MAPS:
            raise InvalidInput(f"cell_type is {cell_type!r}; it must be one of {', '.join(map(repr, _MAPS))}")
        if "<NULL>" not in word_to_idx:
            raise InvalidInput("word_to_idx has no <NULL>, the word that fills captions up to one length")

        self.cell_type = cell_type
        self.word_to_idx = dict(word_to_idx)
        self.idx_to_word = {index: word for word, index in word_to_idx.items()}
        self._null = word_to_idx["<NULL>"]
        self._start = word_to_idx.get("<START>")
        self._end = word_to_idx.get("<END>")

        rng = np.random.default_rng(0)
        size, width = len(word_to_idx), _MAPS[cell_type] * hidden_dim

        def weights(rows: int, columns: int) -> Floats:
            # This size keeps the spread of the numbers about the same from input to output.
            return np.asarray(rng.standard_normal((rows, columns)) / np.sqrt(rows), dtype)

        self.params: dict[str, Floats] = {
            "W_proj": weights(input_dim, hidden_dim),
            "b_proj": np.zeros(hidden_dim, dtype),
            "W_embed": np.asarray(rng.standard_normal((size, wordvec_dim)) / 100, dtype),
            "Wx": weights(wordvec_dim, width),
            "Wh": weights(hidden_dim, width),
            "b": np.zeros(width, dtype),
            "W_vocab": weights(hidden_dim, size),
            "b_vocab": np.zeros(size, dtype),
        }

    def loss(self, features: Floats, captions: Integers) -> tuple[float, dict[str, Floats]]:
        """Return the loss of a minibatch and its gradients; written by the student.

        Args:
            features: Features of shape (N, D).
            captions: Word indices of shape (N, T + 1), from <START> to <END>, filled up with <NULL>.

        Returns:
            The loss, and a dictionary with the gradient of each entry of `params`, under its name.
        """
        raise NotImplementedError(f"{type(self).__name__}.loss is not written yet.")

    def sample(self, features: Floats, max_length: int = 30) -> Integers:
        """Return the most likely words, one after the other; written by the student.

        Args:
            features: Features of shape (N, D).
            max_length: How many words to write.

        Returns:
            Word indices of shape (N, max_length), the first word after <START> first.
        """
        raise NotImplementedError(f"{type(self).__name__}.sample is not written yet.")
