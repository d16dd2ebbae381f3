"""What a hidden test has asked, so that it can be asked again: of other inputs, or once more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.judging.calling import LayerClass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from autograder.judging.calling import Differentiable, Model
    from autograder.judging.judge import Judge

EARLIER = "earlier_"
"""Begins the names of the inputs that a layer has been used on before."""


class Case(ABC):
    """One question to the student's code, of which every array, number and option is known.

    ``yours`` is what came back, by name, as far as it got.
    """

    yours: dict[str, Any]

    @property
    @abstractmethod
    def function(self) -> str:
        """What is asked."""

    @property
    @abstractmethod
    def gradients(self) -> Sequence[str]:
        """The gradients that are judged."""

    @property
    @abstractmethod
    def values(self) -> dict[str, Any]:
        """The arrays and numbers that it is asked with, by name."""

    @property
    def options(self) -> Mapping[str, Any]:
        """The options, some of which may be sizes, of whoever is asked."""
        return {}

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """Whatever two cases have in common that are asked alike."""
        values = ((name, np.shape(value), np.asarray(value).tobytes()) for name, value in self.values.items())
        return self.function, repr(self.options), *values

    @abstractmethod
    def of(self, values: Mapping[str, Any], options: Mapping[str, Any]) -> Case:
        """The same with other values and options."""

    @abstractmethod
    def about(self, name: str) -> Case:
        """The same, of which only what is called ``name`` is judged."""

    @abstractmethod
    def ask(self, judge: Judge) -> None:
        """Have it judged. Raises as the judge does."""

    @abstractmethod
    def code(self, write: Callable[[Any, int], str]) -> list[str]:
        """Lines of a notebook that ask the same; ``write`` says how a value is written, after so many characters."""

    @abstractmethod
    def expression(self, name: str) -> str:
        """What stands for one of the answers after these lines."""


@dataclass
class LayerCase(Case):
    """A layer forward; with upstream gradients, backward too, and those gradients judged that are in ``names``."""

    layer: Differentiable
    inputs: Mapping[str, Any]
    upstream: Sequence[Any] | None = None
    names: Sequence[str] = ()
    yours: dict[str, Any] = field(default_factory=dict)

    @property
    def function(self) -> str:
        """The forward pass of the layer."""
        return self.layer.forward

    @property
    def gradients(self) -> Sequence[str]:
        """None if it goes forward only."""
        return () if self.upstream is None else self.names

    @property
    def values(self) -> dict[str, Any]:
        """The earlier inputs of a layer that has some, the inputs and the upstream gradients."""
        earlier = {f"{EARLIER}{name}": value for name, value in self._earlier.items()}
        return {**earlier, **self.inputs, **dict(zip(self._upstream_names, self.upstream or (), strict=True))}

    def of(self, values: Mapping[str, Any], options: Mapping[str, Any]) -> LayerCase:  # noqa: ARG002
        """The same with other values."""
        layer = self.layer
        if isinstance(layer, LayerClass) and self._earlier:
            layer = replace(layer, earlier={name: values[f"{EARLIER}{name}"] for name in self._earlier})
        inputs = {name: values[name] for name in self.inputs}
        upstream = None if self.upstream is None else [values[name] for name in self._upstream_names]
        return replace(self, layer=layer, inputs=inputs, upstream=upstream, yours={})

    def about(self, name: str) -> LayerCase:
        """The same, about one gradient."""
        return replace(self, names=[name], yours={})

    def ask(self, judge: Judge) -> None:
        """Have it judged."""
        if self.upstream is None:
            judge.forward(self.layer, self.inputs)
        else:
            judge.gradients(self.layer, self.inputs, names=self.names, upstream=self.upstream)

    def code(self, write: Callable[[Any, int], str]) -> list[str]:
        """The values as variables, then the calls."""
        variables = [f"{name} = {write(value, len(name) + 3)}" for name, value in self.values.items()]
        earlier = [f"{EARLIER}{name}" for name in self._earlier]
        return [*variables, "", *self.layer.code(list(self.inputs), self._upstream_names, earlier)]

    def expression(self, name: str) -> str:
        """A variable or an attribute."""
        return self.layer.expression(name)

    @property
    def _upstream_names(self) -> list[str]:
        return [] if self.upstream is None else [f"d{name}" for name in self.layer.outputs]

    @property
    def _earlier(self) -> Mapping[str, Any]:
        return (self.layer.earlier or {}) if isinstance(self.layer, LayerClass) else {}


@dataclass
class ModelCase(Case):
    """A model's loss; with a ``parameter``, its gradient by that one is judged."""

    model: Model
    params: Mapping[str, Any]
    arguments: Sequence[Any]
    parameter: str = ""
    yours: dict[str, Any] = field(default_factory=dict)

    @property
    def function(self) -> str:
        """The model's loss."""
        return self.model.loss

    @property
    def gradients(self) -> Sequence[str]:
        """One, or none if the loss is judged."""
        return (self.parameter,) if self.parameter else ()

    @property
    def values(self) -> dict[str, Any]:
        """The parameters, and the arguments by their places."""
        return {**self.params, **{str(place): value for place, value in enumerate(self.arguments)}}

    @property
    def options(self) -> Mapping[str, Any]:
        """What the model is made with."""
        return self.model.options

    def of(self, values: Mapping[str, Any], options: Mapping[str, Any]) -> ModelCase:
        """The same with other values and options."""
        params = {name: values[name] for name in self.params}
        arguments = [values[str(place)] for place in range(len(self.arguments))]
        model = replace(self.model, options=options)
        return replace(self, model=model, params=params, arguments=arguments, yours={})

    def about(self, name: str) -> ModelCase:  # noqa: ARG002 - there is only one
        """The same."""
        return self

    def ask(self, judge: Judge) -> None:
        """Have it judged."""
        if self.parameter:
            judge.loss_gradient(self.model, self.params, self.arguments, self.parameter)
        else:
            judge.loss(self.model, self.params, self.arguments)

    def code(self, write: Callable[[Any, int], str]) -> list[str]:
        """The model, its parameters, and the call."""
        params = [f"    {name!r}: {write(value, len(name) + 8)}," for name, value in self.params.items()]
        arguments = ", ".join(write(value, 0) for value in self.arguments)
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        made = [f"model = {self.model.name}({options})", "model.params = {", *params, "}"]
        return [*made, f"loss, grads = model.loss({arguments})"]

    def expression(self, name: str) -> str:
        """The loss, or an entry of the gradients, under which name it is judged too."""
        return name
