"""What the hidden suites of both captioning notebooks share: models, parameters, captions, and how captions compare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.judging.calling import Model, instance
from autograder.judging.losses import must_leave_params

if TYPE_CHECKING:
    from autograder.judging.answers import Answers
    from autograder.judging.judge import Judge

# Weights of half the size of the inputs keep tanh and sigmoid where their derivatives can be told from those at the
# edges, and from each other.
WEIGHT = 0.5

PARAMS = ("W_proj", "b_proj", "W_embed", "Wx", "Wh", "b", "W_vocab", "b_vocab")
MAPS = {"rnn": 1, "lstm": 4}
"""How many affine maps a step of each cell type computes side by side."""


def weights(judge: Judge, D: int, H: int, cell_type: str) -> dict[str, np.ndarray]:
    """The parameters of a step."""
    width = MAPS[cell_type] * H
    shapes = {"Wx": (D, width), "Wh": (H, width), "b": (width,)}
    return {name: judge.normal(*shape, scale=WEIGHT) for name, shape in shapes.items()}


def model_of(cell_type: str, words: int, *special: str, D: int = 3, W: int = 2, H: int = 5) -> Model:
    """A model with ``words`` words, of which the ``special`` ones come first."""
    names = (*special, *(f"word{number}" for number in range(words - len(special))))
    vocabulary = {name: index for index, name in enumerate(names)}
    sizes = {"input_dim": D, "wordvec_dim": W, "hidden_dim": H}
    return Model("CaptioningRNN", {"word_to_idx": vocabulary, **sizes, "cell_type": cell_type, "dtype": "float64"})


def params_of(judge: Judge, model: Model, scale: float = WEIGHT) -> dict[str, np.ndarray]:
    """Random parameters of a model."""
    options = model.options
    V, D, W, H = (len(options["word_to_idx"]), *(options[f"{name}_dim"] for name in ("input", "wordvec", "hidden")))
    width = MAPS[options["cell_type"]] * H
    shapes = ((D, H), (H,), (V, W), (W, width), (H, width), (width,), (H, V), (V,))
    return {name: judge.normal(*shape, scale=scale) for name, shape in zip(PARAMS, shapes, strict=True)}


def captions_of(judge: Judge, N: int, length: int, V: int, *, null: int = 0, first: int = 3) -> np.ndarray:
    """Captions of different lengths, filled up with <NULL>; the words from ``first`` on are ordinary ones.

    The last one is filled up with nothing, and the first of several with two at least: one <NULL> is never read.
    """
    captions = judge.rng.integers(first, V, size=(N, length))
    captions[:, 0] = 1
    for row in range(N - 1):
        end = judge.rng.integers(2, length if row else length - 2)
        captions[row, end] = 2
        captions[row, end + 1 :] = null
    return captions


def check_losses(judge: Judge, cell_type: str) -> None:
    """Compare the loss for minibatches of several sizes, and for a vocabulary in which <NULL> is not the first word.

    It has to leave the parameters as they are.
    """
    model = model_of(cell_type, 7, "<NULL>", "<START>", "<END>")
    for N, length in ((3, 6), (1, 3), (7, 12)):
        arguments = judge.normal(N, 3), captions_of(judge, N, length, 7)
        judge.loss(model, params_of(judge, model), arguments)
    moved = model_of(cell_type, 7, "some", "<START>", "<END>", "<NULL>")
    params, arguments = params_of(judge, moved), (judge.normal(4, 3), captions_of(judge, 4, 6, 7, null=3, first=4))
    judge.loss(moved, params, arguments)
    must_leave_params(judge, moved, params, arguments)


def check_loss_gradient(judge: Judge, cell_type: str, parameter: str) -> None:
    """Compare one gradient with the numeric one, for features of different sizes."""
    model = model_of(cell_type, 7, "<NULL>", "<START>", "<END>")
    for N, length, scale in ((2, 5, 1.0), (5, 10, 5.0)):
        arguments = judge.normal(N, 3, scale=scale), captions_of(judge, N, length, 7)
        judge.loss_gradient(model, params_of(judge, model), arguments, parameter)


def check_samples(judge: Judge, cell_type: str) -> None:
    """Compare captions of six models: by one caption alone, one mistake may be taken for another.

    None of them knows <END>. Whether that ends too much is asked apart, so that it never depends on what is drawn.
    """
    model = model_of(cell_type, 13, "<NULL>", "<START>")
    compare_samples(judge, *(drawn(judge, model, N=5, max_length=7) for _ in range(6)))


def check_samples_of_other_sizes(judge: Judge, cell_type: str) -> None:
    """Compare captions for sizes of one, and for vocabularies of another size and in another order."""
    compare_samples(
        judge,
        drawn(judge, model_of(cell_type, 13, "<NULL>", "<START>", "<END>"), N=1, max_length=30),
        drawn(judge, model_of(cell_type, 131, "<NULL>", "<START>"), N=7, max_length=17),
        drawn(judge, model_of(cell_type, 13, "<NULL>", "<START>", "<END>"), N=3, max_length=1),
        drawn(judge, model_of(cell_type, 13, "some", "other", "<NULL>", "<START>"), N=3, max_length=7),
    )


def check_samples_that_end(judge: Judge, cell_type: str) -> None:
    """Compare captions of which the first ends before another does; then the same in the opposite order."""
    model = model_of(cell_type, 7, "<NULL>", "<START>", "<END>")
    samples = [ending_early(judge, model) for _ in range(3)]
    compare_samples(judge, *samples, *(replace(sample, features=sample.features[::-1]) for sample in samples))


@dataclass(frozen=True)
class Sample:
    """What a model is asked for captions with."""

    model: Model
    params: dict[str, np.ndarray]
    features: np.ndarray
    max_length: int

    @property
    def end(self) -> int | None:
        """The word that ends a caption, if there is one."""
        return self.model.options["word_to_idx"].get("<END>")  # type: ignore[no-any-return]

    def captions(self, who: Answers) -> Any:
        """What somebody says."""
        thing = instance(who, self.model.name, **self.model.options)
        steps = thing.setting("params", self.params), thing.calling("sample", self.features, self.max_length)
        return who.perform(steps)[1]


def drawn(judge: Judge, model: Model, N: int, max_length: int) -> Sample:
    """Random parameters and features."""
    return Sample(model, params_of(judge, model, scale=1.5), judge.normal(N, 3), max_length)


def ending_early(judge: Judge, model: Model) -> Sample:
    """A sample whose first caption ends before another one has said all of its words."""
    while True:
        sample = drawn(judge, model, N=5, max_length=7)
        captions = sample.captions(judge.reference)
        ended = after(sample.end, captions)
        if np.any(captions[ended[0] & ~ended] != 0):
            return sample


def compare_samples(judge: Judge, *samples: Sample) -> None:
    """Compare captions up to <END>: whether one goes on after it makes no difference."""
    right = [sample.captions(judge.reference) for sample in samples]

    def up_to_end(captions: list[Any]) -> list[Any]:
        return [_until(sample.end, *pair) for sample, *pair in zip(samples, captions, right, strict=True)]

    judge.all_same("captions", up_to_end(right), lambda who: up_to_end([sample.captions(who) for sample in samples]))


def after(end: int | None, captions: np.ndarray) -> np.ndarray:
    """Where in captions the places after ``end`` are."""
    said: np.ndarray = captions == end
    return np.cumsum(said, axis=1) > said


def _until(end: int | None, captions: Any, right: np.ndarray) -> Any:
    """Captions without what comes after ``end`` in the right ones."""
    if not isinstance(captions, np.ndarray) or captions.shape != right.shape:
        return captions
    return np.where(after(end, right), 0, captions)
