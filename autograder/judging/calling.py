"""The forms that graded code has, layers and models, and how each is called, whoever answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.judging.answers import Thing
from autograder.judging.verdicts import CallFailed, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autograder.judging.answers import Answers
    from autograder.sandbox import Step

NUMBERS = (np.generic, float, int)


class Computation(ABC):
    """Something that goes forward and backward.

    ``forward`` and ``backward`` are what the two passes are called, ``outputs`` the names of what the one returns, and
    ``called`` is how messages call the gradient by an input "{}".
    """

    forward: str
    backward: str
    outputs: tuple[str, ...]
    called: str

    def run_forward(self, who: Answers, inputs: Mapping[str, Any]) -> tuple[list[Any], Any]:
        """The outputs of one forward pass, and what the backward pass needs."""
        [found] = self.run_forwards(who, [inputs])
        return found

    def run_backward(self, who: Answers, upstream: Sequence[Any], cache: Any) -> dict[str, Any]:
        """The gradients of one backward pass, by name. The cache is used once: a call may use it up."""
        [found] = self.run_backwards(who, [(upstream, cache)])
        return found

    def run_both(self, who: Answers, inputs: Mapping[str, Any], upstream: Sequence[Any]) -> dict[str, Any]:
        """The gradients of one forward and one backward pass, by name."""
        [(_, gradients)] = self.run_pairs(who, [(inputs, upstream)])
        return gradients

    def run_pairs(
        self, who: Answers, batch: Sequence[tuple[Mapping[str, Any], Sequence[Any]]]
    ) -> list[tuple[list[Any], dict[str, Any]]]:
        """The outputs and gradients of many forward passes, each with its backward pass, in as few messages as may be.

        What goes wrong may be either's: to tell whose, run one after the other.
        """
        found = self.run_forwards(who, [inputs for inputs, _ in batch])
        caches = [(upstream, cache) for (_, upstream), (_, cache) in zip(batch, found, strict=True)]
        gradients = self.run_backwards(who, caches)
        return [(outputs, each) for (outputs, _), each in zip(found, gradients, strict=True)]

    def run_many(self, who: Answers, batch: Sequence[Mapping[str, Any]]) -> list[Sequence[np.ndarray]]:
        """The outputs of many forward passes, sent as one, in float64. Raises Failure unless all have one shape."""
        found = self.run_forwards(who, batch)
        shapes = [np.shape(shown(output)) for output in found[0][0]]
        return [
            [
                in_float64(f"{name} of {self.forward}", output, shape)
                for name, output, shape in zip(self.outputs, outputs, shapes, strict=True)
            ]
            for outputs, _ in found
        ]

    @abstractmethod
    def input_of(self, gradient: str) -> str:
        """The input that a gradient is by."""

    @abstractmethod
    def run_forwards(self, who: Answers, batch: Sequence[Mapping[str, Any]]) -> list[tuple[list[Any], Any]]:
        """Many forward passes, sent as one."""

    @abstractmethod
    def run_backwards(self, who: Answers, batch: Sequence[tuple[Sequence[Any], Any]]) -> list[dict[str, Any]]:
        """Many backward passes, sent as one: each from its upstream gradients and its cache."""


class Differentiable(Computation):
    """A layer. Its ``gradients`` are each named for its input: "dWx" is the gradient by the input "Wx"."""

    called = "d{}"
    gradients: tuple[str, ...]

    def input_of(self, gradient: str) -> str:
        """Without its first letter."""
        return gradient[1:]

    @abstractmethod
    def code(self, inputs: Sequence[str], upstream: Sequence[str], earlier: Sequence[str]) -> list[str]:
        """The calls as they stand in a notebook, given the names of variables; backward if there are upstream ones."""

    @abstractmethod
    def expression(self, name: str) -> str:
        """Where an output or a gradient is found after these calls."""

    @abstractmethod
    def counting(self, who: Answers, upstream: Sequence[np.ndarray], cache: Any) -> Step:
        """The step that calls backward and counts what is done in it."""


@dataclass(frozen=True)
class Layer(Differentiable):
    """A layer that is two functions.

    ``forward(*inputs)`` returns the outputs and a cache; ``backward(*upstream gradients, cache)`` the gradients.
    """

    forward: str
    backward: str
    outputs: tuple[str, ...]
    gradients: tuple[str, ...]

    def run_backwards(self, who: Answers, batch: Sequence[tuple[Sequence[Any], Any]]) -> list[dict[str, Any]]:
        """One call for each."""
        backward = getattr(who, self.backward)
        results = who.perform([backward.calling(*upstream, cache) for upstream, cache in batch])
        return [self._named(result) for result in results]

    def run_pairs(
        self, who: Answers, batch: Sequence[tuple[Mapping[str, Any], Sequence[Any]]]
    ) -> list[tuple[list[Any], dict[str, Any]]]:
        """All in one message."""
        forward, backward = getattr(who, self.forward), getattr(who, self.backward)
        results = who.perform(
            [
                step
                for inputs, upstream in batch
                for step in (forward.calling(*inputs.values()), backward.following(*upstream))
            ]
        )
        return [
            (self._outputs(first)[0], self._named(second))
            for first, second in zip(results[::2], results[1::2], strict=True)
        ]

    def code(self, inputs: Sequence[str], upstream: Sequence[str], earlier: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Two calls."""
        lines = [f"{', '.join(self.outputs)}, cache = {self.forward}({', '.join(inputs)})"]
        backward = f"{', '.join(self.gradients)} = {self.backward}({', '.join([*upstream, 'cache'])})"
        return [*lines, backward] if upstream else lines

    def expression(self, name: str) -> str:
        """All of them are variables."""
        return name

    def counting(self, who: Answers, upstream: Sequence[np.ndarray], cache: Any) -> Step:
        """The call of the backward function."""
        return _counting(getattr(who, self.backward).calling(*upstream, cache))

    def run_forwards(self, who: Answers, batch: Sequence[Mapping[str, Any]]) -> list[tuple[list[Any], Any]]:
        """One call for each."""
        forward = getattr(who, self.forward)
        results = who.perform([forward.calling(*inputs.values()) for inputs in batch])
        return [self._outputs(result) for result in results]

    def _outputs(self, result: Any) -> tuple[list[Any], Any]:
        *outputs, cache = _parts(self.forward, result, (*self.outputs, "cache"))
        return outputs, cache

    def _named(self, result: Any) -> dict[str, Any]:
        return dict(zip(self.gradients, _parts(self.backward, result, self.gradients), strict=True))


@dataclass(frozen=True)
class LayerClass(Differentiable):
    """A layer that is a class; its instance is the cache.

    ``name(*parameters)`` makes one. ``forward(*inputs)`` returns the outputs, ``backward(*upstream gradients)`` those
    gradients that are ``returned``; the gradient of a parameter "W" is then its attribute "dW". With ``earlier``
    inputs, one of the outputs' size, every instance has been forward and backward with these before.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    returned: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    earlier: Mapping[str, Any] | None = None

    @property
    def forward(self) -> str:  # type: ignore[override]
        """The method's name in full."""
        return f"{self.name}.forward"

    @property
    def backward(self) -> str:  # type: ignore[override]
        """The method's name in full."""
        return f"{self.name}.backward"

    @property
    def gradients(self) -> tuple[str, ...]:  # type: ignore[override]
        """First those that are returned, then those that are left behind."""
        return (*self.returned, *(f"d{name}" for name in self.parameters))

    def run_backwards(self, who: Answers, batch: Sequence[tuple[Sequence[Any], Any]]) -> list[dict[str, Any]]:
        """One call for each, of its instance."""
        results = who.perform([layer.calling("backward", *upstream) for upstream, layer in batch])
        return [
            dict(zip(self.returned, _parts(self.backward, result, self.returned), strict=True))
            | {f"d{name}": self._left_behind(layer, f"d{name}") for name in self.parameters}
            for result, (_, layer) in zip(results, batch, strict=True)
        ]

    def code(self, inputs: Sequence[str], upstream: Sequence[str], earlier: Sequence[str]) -> list[str]:
        """An instance is made and called."""
        lines = [f"layer = {self.name}({', '.join(name for name in inputs if name in self.parameters)})"]
        if earlier:
            outputs = f"{'*' if len(self.outputs) > 1 else ''}layer.forward({', '.join(earlier)})"
            lines.append(f"layer.backward({outputs})  # it has been used before")
        given = ", ".join(name for name in inputs if name not in self.parameters)
        lines.append(f"{', '.join(self.outputs)} = layer.forward({given})")
        backward = f"{', '.join(self.returned)} = layer.backward({', '.join(upstream)})"
        return [*lines, backward] if upstream else lines

    def expression(self, name: str) -> str:
        """A variable, or what backward leaves behind."""
        return name if name in (*self.outputs, *self.returned) else f"layer.{name}"

    def counting(self, who: Answers, upstream: Sequence[np.ndarray], cache: Any) -> Step:  # noqa: ARG002
        """The call of the method."""
        return _counting(cache.calling("backward", *upstream))

    def _left_behind(self, layer: Thing, name: str) -> Any:
        try:
            return layer.get(name)
        except CallFailed as failure:
            raise Failure(
                f"{self.backward} leaves no {name} behind. {failure.rationale}", f"Set self.{name}."
            ) from None

    def run_forwards(self, who: Answers, batch: Sequence[Mapping[str, Any]]) -> list[tuple[list[Any], Any]]:
        """One call for each, of an instance of its own."""
        made = getattr(who, self.name)
        layers = who.perform([made.calling(*(inputs[name] for name in self.parameters)) for inputs in batch])
        for layer in layers:
            _must_be_instance(self.name, layer)
            if self.earlier is not None:
                outputs = self._outputs(layer.call("forward", *self.earlier.values()))
                layer.call("backward", *outputs)
        results = who.perform(
            [
                layer.calling("forward", *(inputs[name] for name in self.inputs))
                for layer, inputs in zip(layers, batch, strict=True)
            ]
        )
        return [(self._outputs(result), layer) for result, layer in zip(results, layers, strict=True)]

    def _outputs(self, result: Any) -> list[Any]:
        return list(_parts(self.forward, result, self.outputs))


@dataclass(frozen=True)
class Model:
    """A class whose instances hold ``params``; ``loss(*arguments)`` returns a number and a dict of gradients."""

    name: str
    options: Mapping[str, Any]

    @property
    def loss(self) -> str:
        """The method's name in full."""
        return f"{self.name}.loss"


@dataclass(frozen=True)
class Loss(Computation):
    """The loss of a model on some arguments: its inputs are the parameters, and its gradients bear their names."""

    model: Model
    arguments: Sequence[Any]

    outputs = ("loss",)
    called = "grads['{}']"

    @property
    def forward(self) -> str:  # type: ignore[override]
        """The method's name in full."""
        return self.model.loss

    @property
    def backward(self) -> str:  # type: ignore[override]
        """The same method."""
        return self.model.loss

    def run_backwards(self, who: Answers, batch: Sequence[tuple[Sequence[Any], Any]]) -> list[dict[str, Any]]:  # noqa: ARG002
        """The entries of each dict that came with a loss; to look for one that is missing raises Failure."""
        return [self._entries(grads) for _, grads in batch]

    def counting(self, who: Answers, params: Mapping[str, object]) -> Any:
        """What is done for one loss and its gradients, counted."""
        thing = instance(who, self.model.name, **self.model.options)
        call = _counting(thing.calling("loss", *self.arguments))
        return who.perform([thing.setting("params", dict(params)), call])[1]

    def input_of(self, gradient: str) -> str:
        """The parameter of that name."""
        return gradient

    def run_forwards(self, who: Answers, batch: Sequence[Mapping[str, Any]]) -> list[tuple[list[Any], Any]]:
        """One call for each, of a single instance."""
        thing = instance(who, self.model.name, **self.model.options)
        steps = [(thing.setting("params", dict(params)), thing.calling("loss", *self.arguments)) for params in batch]
        results = who.perform([step for pair in steps for step in pair])[1::2]
        parts = [_parts(self.forward, result, ("loss", "grads")) for result in results]
        return [([loss], grads) for loss, grads in parts]

    def _entries(self, grads: Any) -> _Entries:
        content = grads.fetch() if isinstance(grads, Thing) else grads
        if not isinstance(content, dict):
            raise Failure(f"{self.forward} should return the gradients as a dict, but they are {_described(grads)}.")
        return _Entries(content)


class _Entries(dict[str, Any]):
    """The gradients of a loss."""

    def __missing__(self, name: str) -> Any:
        listed = ", ".join(str(key)[:40] for key in list(self)[:10]) or "none"
        raise Failure(f"grads has no entry {name!r}; its entries are: {listed}.")


def _parts(function: str, result: Any, names: Sequence[str]) -> Sequence[Any]:
    """``result`` as the things that ``function`` should return. Raises Failure if it is something else."""
    if len(names) == 1 and not isinstance(result, (tuple, list)):
        return (result,)
    wanted = f"{function} should return {', '.join(names)}"
    if not isinstance(result, (tuple, list)):
        hint = "Does every path end in a return?" if result is None else ""
        raise Failure(f"{wanted}, but returns {_described(result)}.", hint)
    if len(result) != len(names):
        raise Failure(f"{wanted}, but returns {len(result)} {'thing' if len(result) == 1 else 'things'}.")
    return result


def instance(who: Answers, name: str, *args: Any, **kwargs: Any) -> Thing:
    """Make one of a class. Raises Failure if it is none."""
    return _must_be_instance(name, getattr(who, name)(*args, **kwargs))


def _must_be_instance(name: str, made: Any) -> Thing:
    if not isinstance(made, Thing):
        raise Failure(f"{name} is no class: calling it returns {_described(made)}.")
    return made


def _counting(step: Step) -> Step:
    return step._replace(do="count")


def _described(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, Thing):
        return value.description
    if isinstance(value, np.ndarray):
        return f"a numpy array of shape {value.shape}"
    return f"a {type(value).__name__}"


def in_float64(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """What was numbers of this shape before, with other inputs. Raises Failure if it is anything else now."""
    array = np.asarray(value if isinstance(value, (np.ndarray, *NUMBERS)) else None)
    if array.dtype.kind not in "iuf" or array.shape != shape:
        raise Failure(f"{name} changes its type or shape with the values of its inputs.")
    return array.astype(np.float64, copy=False)


def shown(value: Any) -> Any:
    """What may be compared: of something that stayed in the box, an object whose type bears its description."""
    return type(value.description.removeprefix("a "), (), {})() if isinstance(value, Thing) else value
