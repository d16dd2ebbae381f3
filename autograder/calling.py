"""The two forms that graded code has, a layer and a model, and how each is called, whoever answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.answers import Thing
from autograder.verdicts import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autograder.answers import Answers


@dataclass(frozen=True)
class Layer:
    """A forward function and its backward function.

    ``forward(*inputs)`` returns ``outputs`` and a cache; ``backward(*upstream gradients, cache)`` returns
    ``gradients``, each named for its input: "dWx" is the gradient by the input "Wx".
    """

    forward: str
    backward: str
    outputs: tuple[str, ...]
    gradients: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """A class whose instances hold ``params``; ``loss(*arguments)`` returns a number and a dict of gradients."""

    name: str
    options: Mapping[str, Any]

    @property
    def loss(self) -> str:
        """The method's name in full."""
        return f"{self.name}.loss"


def run_forward(who: Answers, layer: Layer, inputs: Mapping[str, Any]) -> tuple[list[Any], Any]:
    """The outputs and the cache of one forward call."""
    names = (*layer.outputs, "cache")
    *outputs, cache = _parts(layer.forward, getattr(who, layer.forward)(*inputs.values()), names)
    return outputs, cache


def run_backward(who: Answers, layer: Layer, upstream: Sequence[np.ndarray], cache: Any) -> dict[str, Any]:
    """The gradients of one backward call, by name. The cache is used once: a call may use it up."""
    result = getattr(who, layer.backward)(*upstream, cache)
    return dict(zip(layer.gradients, _parts(layer.backward, result, layer.gradients), strict=True))


def run_both(who: Answers, layer: Layer, inputs: Mapping[str, Any], upstream: Sequence[np.ndarray]) -> dict[str, Any]:
    """The gradients of one forward and one backward call, by name."""
    _, cache = run_forward(who, layer, inputs)
    return run_backward(who, layer, upstream, cache)


def forward_outputs(who: Answers, layer: Layer, batch: Sequence[Mapping[str, Any]]) -> list[Sequence[np.ndarray]]:
    """The outputs of many forward calls, sent as one."""
    forward = getattr(who, layer.forward)
    names = (*layer.outputs, "cache")
    results = who.perform([forward.calling(*inputs.values()) for inputs in batch])
    found = [_parts(layer.forward, result, names)[:-1] for result in results]
    for outputs in found:
        for name, output, first in zip(layer.outputs, outputs, found[0], strict=True):
            if not isinstance(output, np.ndarray) or output.shape != np.shape(first):
                raise Failure(f"{name} of {layer.forward} changes its type or shape with the values of its inputs.")
    return found


def _parts(function: str, result: Any, names: Sequence[str]) -> Sequence[Any]:
    """``result`` as the things that ``function`` should return. Raises Failure if it is something else."""
    if len(names) == 1 and not isinstance(result, (tuple, list)):
        return (result,)
    wanted = f"{function} should return {', '.join(names)}"
    if not isinstance(result, (tuple, list)):
        raise Failure(f"{wanted}, but returns {_described(result)}.", "Does every path end in a return?")
    if len(result) != len(names):
        raise Failure(f"{wanted}, but returns {len(result)} {'thing' if len(result) == 1 else 'things'}.")
    return result


def losses(
    who: Answers, model: Model, batch: Sequence[Mapping[str, object]], arguments: Sequence[Any]
) -> list[tuple[Any, Any]]:
    """The loss and the gradients under each of many sets of parameters, asked for as one."""
    thing = getattr(who, model.name)(**model.options)
    if not isinstance(thing, Thing):
        raise Failure(f"{model.name} is no class: calling it returns {_described(thing)}.")
    steps = [(thing.setting("params", dict(params)), thing.calling("loss", *arguments)) for params in batch]
    results = who.perform([step for pair in steps for step in pair])[1::2]
    return [tuple(_parts(model.loss, result, ("loss", "grads"))) for result in results]


def entry(model: Model, grads: Any, name: str) -> Any:
    """One gradient of the dict that a loss returned."""
    content = grads.fetch() if isinstance(grads, Thing) else grads
    if not isinstance(content, dict):
        raise Failure(f"{model.loss} should return the gradients as a dict, but they are {_described(grads)}.")
    if name not in content:
        listed = ", ".join(str(key)[:40] for key in list(content)[:10]) or "none"
        raise Failure(f"grads has no entry {name!r}; its entries are: {listed}.")
    return content[name]


def _described(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, Thing):
        return value.description
    if isinstance(value, np.ndarray):
        return f"a numpy array of shape {value.shape}"
    return f"a {type(value).__name__}"


def shown(value: Any) -> Any:
    """What may be compared: of something that stayed in the box, an object whose type bears its description."""
    return type(value.description.removeprefix("a "), (), {})() if isinstance(value, Thing) else value
