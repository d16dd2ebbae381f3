"""The hidden suite of ``backprop``. A test's docstring is the line that the student reads."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograder.judging.calling import LayerClass, Loss, Model, instance
from autograder.judging.judge import question
from autograder.judging.losses import must_leave_params

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from autograder.judging.answers import Answers
    from autograder.judging.judge import Judge

ADD = LayerClass("AddGate", ("x", "y"), ("out",), ("dx", "dy"))
MULTIPLY = LayerClass("MultiplyGate", ("x", "y"), ("out",), ("dx", "dy"))
COPY = LayerClass("CopyGate", ("x",), ("first", "second"), ("dx",))
MAX = LayerClass("MaxGate", ("x", "y"), ("out",), ("dx", "dy"))
EXP = LayerClass("ExpGate", ("x",), ("out",), ("dx",))
RECIPROCAL = LayerClass("ReciprocalGate", ("x",), ("out",), ("dx",))
SIGMOID_GRAPH = LayerClass("SigmoidGraph", ("x",), ("out",), ("dx",))
SIGMOID = LayerClass("Sigmoid", ("x",), ("out",), ("dx",))
RELU = LayerClass("ReLU", ("x",), ("out",), ("dx",))
MATMUL = LayerClass("MatMul", ("x", "W"), ("out",), ("dx", "dW"))
AFFINE = LayerClass("Affine", ("x",), ("out",), ("dx",), ("W", "b"))
SOFTMAX = LayerClass("SoftmaxWithLoss", ("scores", "y"), ("loss",), ("dscores",))

GATES = [pytest.param(gate, marks=question(gate.name), id=gate.name) for gate in (ADD, MULTIPLY, COPY, EXP, RECIPROCAL)]
PARAMS = ("W1", "b1", "W2", "b2")


def away_from_zero(judge: Judge, *shape: int) -> np.ndarray:
    """Numbers of either sign, none of them near the kinks and poles at zero."""
    drawn = judge.normal(*shape)
    return np.asarray(drawn + np.copysign(0.3, drawn))


def numbers(judge: Judge, gate: LayerClass) -> dict[str, np.ndarray]:
    """One number for each input, no two of them nearly equal."""
    x = away_from_zero(judge)
    return dict(zip(gate.inputs, (x, np.asarray(x + away_from_zero(judge))), strict=False))


def used_before(layer: LayerClass, inputs: Mapping[str, Any]) -> LayerClass:
    """The layer when each instance has been forward and backward with these inputs."""
    return replace(layer, earlier={name: inputs[name] for name in layer.inputs})


# ------------------------------------------------------------------------------------------------------- gates


@pytest.mark.parametrize("gate", GATES)
def test_gate_forward(judge: Judge, gate: LayerClass) -> None:
    """Method forward gives what the equation says."""
    for _ in range(3):
        judge.forward(gate, numbers(judge, gate))


@pytest.mark.parametrize("gate", GATES)
def test_gate_backward(judge: Judge, gate: LayerClass) -> None:
    """Method backward hands on the gradient of your own forward."""
    for scale in (1.0, 30.0):
        judge.gradients(gate, numbers(judge, gate), scale=scale)
    judge.zero_gradients(gate, numbers(judge, gate))


@pytest.mark.parametrize("gate", GATES)
def test_gate_used_again(judge: Judge, gate: LayerClass) -> None:
    """A gate that has been used before gives the gradient of its latest inputs."""
    again = used_before(gate, numbers(judge, gate))
    judge.forward(again, numbers(judge, gate))
    judge.gradients(again, numbers(judge, gate))


def two_numbers(judge: Judge) -> tuple[float, float]:
    """Two numbers that are not nearly equal, the smaller one first."""
    low, high = np.sort(judge.normal(2))
    return low, high + 0.3


@question("MaxGate")
def test_max_forward(judge: Judge) -> None:
    """Method forward gives the larger number, whichever it is, also of two below zero."""
    low, high = two_numbers(judge)
    down = abs(high) + 0.5
    for x, y in ((low, high), (high, low), (low, low), (low - down, high - down)):
        judge.forward(MAX, {"x": x, "y": y})


@question("MaxGate")
@pytest.mark.parametrize("larger", ["x", "y"])
def test_max_backward(judge: Judge, larger: str) -> None:
    """The larger input gets all of the gradient: here {larger}."""
    low, high = two_numbers(judge)
    inputs = {"x": np.array(high if larger == "x" else low), "y": np.array(high if larger == "y" else low)}
    judge.gradients(MAX, inputs)
    judge.gradients(used_before(MAX, {"x": inputs["y"], "y": inputs["x"]}), inputs, scale=30)


@question("MaxGate")
def test_max_at_a_tie(judge: Judge) -> None:
    """Of equal inputs, both together get the gradient once: dx + dy = dout."""
    for _ in range(2):
        x, dout = judge.normal(), judge.normal()

        def handed_on(who: Answers, x: Any = x, dout: Any = dout) -> Any:
            dx, dy = MAX.run_both(who, {"x": x, "y": x}, (dout,)).values()
            if isinstance(dx, (float, int)) and isinstance(dy, (float, int)):
                return dx + dy
            return dy if isinstance(dx, (float, int)) else dx

        judge.same("dx + dy", dout, handed_on)


# ----------------------------------------------------------------------------------------------------- sigmoid


@question("SigmoidGraph")
def test_sigmoid_graph_forward(judge: Judge) -> None:
    """Method forward gives 1 / (1 + exp(-x))."""
    for _ in range(3):
        judge.forward(SIGMOID_GRAPH, {"x": np.asarray(judge.normal(scale=2))})


@question("SigmoidGraph", weight=2)
def test_sigmoid_graph_backward(judge: Judge) -> None:
    """Method backward goes through all four gates, in the opposite order."""
    for _ in range(3):
        judge.gradients(SIGMOID_GRAPH, {"x": np.asarray(judge.normal(scale=2))}, scale=10)
    again = used_before(SIGMOID_GRAPH, {"x": judge.normal()})
    judge.gradients(again, {"x": np.asarray(judge.normal())})


def entries(judge: Judge, layer: LayerClass) -> list[dict[str, np.ndarray]]:
    return [{layer.inputs[0]: away_from_zero(judge, *shape)} for shape in ((3, 5), (7,), (2, 3, 5), (1, 1), (4, 4))]


@question("Sigmoid")
def test_sigmoid_forward(judge: Judge) -> None:
    """Every entry goes through the sigmoid, whatever the shape."""
    for inputs in entries(judge, SIGMOID):
        judge.forward(SIGMOID, inputs)


@question("Sigmoid", weight=2)
def test_sigmoid_backward(judge: Judge) -> None:
    """Array dx is the gradient of your own forward, whatever the shape."""
    for inputs in entries(judge, SIGMOID):
        judge.gradients(SIGMOID, inputs, scale=10)
        judge.zero_gradients(SIGMOID, inputs)


@question("Sigmoid")
def test_sigmoid_used_again(judge: Judge) -> None:
    """A layer that has been used before gives what its latest inputs give."""
    again = used_before(SIGMOID, {"x": judge.normal(3, 5)})
    judge.forward(again, {"x": judge.normal(3, 5)})
    judge.gradients(again, {"x": judge.normal(3, 5)})
    judge.gradients(again, {"x": judge.normal(2, 5)})


# ----------------------------------------------------------------------------------------- vectors and matrices


@question("ReLU")
def test_relu_forward(judge: Judge) -> None:
    """Positive entries stay, all others become zero."""
    for inputs in entries(judge, RELU):
        judge.forward(RELU, inputs)


@question("ReLU")
def test_relu_backward(judge: Judge) -> None:
    """The gradient goes back where the entry was positive, and nowhere else."""
    for inputs in entries(judge, RELU):
        judge.gradients(RELU, inputs, scale=10)
    again = used_before(RELU, {"x": away_from_zero(judge, 3, 5)})
    judge.gradients(again, {"x": away_from_zero(judge, 3, 5)})


@question("ReLU", weight=0.5)
def test_relu_at_zero(judge: Judge) -> None:
    """Where an entry is zero, any share of the gradient is right, from nothing to all of it."""
    x, dout = away_from_zero(judge, 4, 5), away_from_zero(judge, 4, 5)
    x[:2] = 0

    def without_ties(who: Answers) -> Any:
        dx = RELU.run_both(who, {"x": x}, (dout,))["dx"]
        if not (isinstance(dx, np.ndarray) and dx.shape == x.shape and dx.dtype.kind == "f"):
            return dx
        share = dx / dout
        return np.where((x == 0) & (share >= 0) & (share <= 1), 0.0, dx)

    judge.same("dx", without_ties(judge.reference), without_ties)


def matrices(judge: Judge, N: int = 3, D: int = 5, M: int = 7) -> dict[str, np.ndarray]:
    return {"x": judge.normal(N, D), "W": judge.normal(D, M)}


@question("MatMul")
def test_matmul_forward(judge: Judge) -> None:
    """Method forward gives the product of both matrices."""
    batch = [matrices(judge, *sizes) for sizes in ((3, 5, 7), (1, 2, 3), (2, 1, 3), (3, 2, 1), (4, 4, 4))]
    judge.forward(MATMUL, *batch)


@question("MatMul")
@pytest.mark.parametrize("gradient", MATMUL.gradients)
def test_matmul_backward(judge: Judge, gradient: str) -> None:
    """{gradient} is the gradient of your own forward."""
    judge.gradients(MATMUL, matrices(judge), names=[gradient])


@question("MatMul")
def test_matmul_backward_of_square_matrices(judge: Judge) -> None:
    """Both gradients hold for square matrices, where no shape tells what has to be transposed."""
    judge.gradients(MATMUL, matrices(judge, 4, 4, 4))


@question("MatMul")
def test_matmul_used_again(judge: Judge) -> None:
    """Both gradients hold for sizes of one, and for a layer that has been used before."""
    again = used_before(MATMUL, matrices(judge))
    batch = [matrices(judge, *sizes) for sizes in ((3, 5, 7), (1, 5, 7), (3, 1, 7), (3, 5, 1), (13, 3, 2))]
    judge.gradients(again, *batch, scale=30)
    judge.zero_gradients(MATMUL, matrices(judge))


# ------------------------------------------------------------------------------------------------------ layers


def affine_inputs(judge: Judge, *shape: int, M: int = 7) -> dict[str, np.ndarray]:
    return {"x": judge.normal(*shape), "W": judge.normal(shape[-1], M), "b": judge.normal(M)}


@question("Affine", weight=2)
def test_affine_forward(judge: Judge) -> None:
    """Method forward gives x W + b for a minibatch."""
    for shape, M in (((3, 5), 7), ((1, 5), 7), ((3, 1), 2), ((3, 5), 1), ((4, 4), 4)):
        judge.forward(AFFINE, affine_inputs(judge, *shape, M=M))


@question("Affine")
@pytest.mark.parametrize("gradient", AFFINE.gradients)
def test_affine_backward(judge: Judge, gradient: str) -> None:
    """{gradient} is the gradient of your own forward, for a minibatch."""
    judge.gradients(AFFINE, affine_inputs(judge, 3, 5), names=[gradient])
    judge.gradients(AFFINE, affine_inputs(judge, 13, 2), names=[gradient], scale=30)


@question("Affine")
def test_affine_backward_of_square_matrices(judge: Judge) -> None:
    """All gradients hold where inputs and outputs have one size and no shape tells what has to be transposed."""
    judge.gradients(AFFINE, affine_inputs(judge, 4, 4, M=4))


@question("Affine", weight=2)
def test_affine_of_one_example(judge: Judge) -> None:
    """One example of shape (D,) works forward and backward, with its own shapes."""
    for D, M in ((5, 7), (5, 1), (1, 7), (4, 4)):
        judge.forward(AFFINE, affine_inputs(judge, D, M=M))
        judge.gradients(AFFINE, affine_inputs(judge, D, M=M))


@question("Affine", weight=2)
def test_affine_used_again(judge: Judge) -> None:
    """After each backward, dx, dW and db are those of this backward alone."""
    again = used_before(AFFINE, affine_inputs(judge, 3, 5))
    for N in (3, 2):
        judge.gradients(again, affine_inputs(judge, N, 5))


@question("Affine")
def test_affine_beside_another(judge: Judge) -> None:
    """Two layers in one network do not disturb each other."""
    first, second = affine_inputs(judge, 3, 5), affine_inputs(judge, 3, 5)
    dout = judge.normal(3, 7)

    def beside(who: Answers) -> Any:
        one, other = (instance(who, "Affine", each["W"], each["b"]) for each in (first, second))
        one.call("forward", first["x"])
        other.call("forward", second["x"])
        one.call("backward", dout)
        return one.get("dW")

    judge.same("dW", beside(judge.reference), beside)


def scored(judge: Judge, N: int = 5, C: int = 7, scale: float = 1.0) -> dict[str, np.ndarray]:
    return {"scores": judge.normal(N, C, scale=scale), "y": judge.rng.integers(C, size=N)}


@question("SoftmaxWithLoss", weight=2)
def test_softmax_loss(judge: Judge) -> None:
    """The loss is the mean of -log p over the minibatch."""
    for N, C, scale in ((5, 7, 1.0), (1, 3, 1.0), (13, 2, 3.0), (4, 4, 1.0)):
        judge.forward(SOFTMAX, scored(judge, N, C, scale))


@question("SoftmaxWithLoss", weight=2)
def test_softmax_gradient(judge: Judge) -> None:
    """Array dscores is the gradient of your own loss, times the upstream gradient."""
    for N, C, scale in ((5, 7, 1.0), (1, 3, 1.0), (13, 2, 3.0), (4, 4, 1.0)):
        judge.gradients(SOFTMAX, scored(judge, N, C, scale), scale=3)


@question("SoftmaxWithLoss")
def test_softmax_gradient_of_the_last_layer(judge: Judge) -> None:
    """Without an argument, backward takes the upstream gradient for 1, and again after it has been used."""
    first, second = scored(judge), scored(judge, 3)

    def last(who: Answers) -> Any:
        layer = instance(who, "SoftmaxWithLoss")
        layer.call("forward", first["scores"], first["y"])
        layer.call("backward")
        layer.call("forward", second["scores"], second["y"])
        return layer.call("backward")

    judge.same("dscores", last(judge.reference), last)


@question("SoftmaxWithLoss")
def test_softmax_of_large_scores(judge: Judge) -> None:
    """Scores of 1000, of -1000 and of both in one minibatch give a finite loss, and the right one."""
    for shift in (np.full((5, 1), 1000.0), np.full((5, 1), -1000.0), np.array([[-1e3], [0.0], [1e3], [5e2], [0.0]])):
        inputs = scored(judge)
        judge.forward(SOFTMAX, {**inputs, "scores": inputs["scores"] + shift})
    judge.forward(SOFTMAX, scored(judge, scale=1000))


@question("SoftmaxWithLoss")
def test_softmax_gradient_of_large_scores(judge: Judge) -> None:
    """The gradient is right for scores of 1000 too."""
    for scale, shift in ((1.0, 1000.0), (300.0, 0.0)):
        inputs = scored(judge, scale=scale)
        judge.gradients(SOFTMAX, {**inputs, "scores": inputs["scores"] + shift})


# --------------------------------------------------------------------------------------------- numeric gradient


def wave(x: Any) -> Any:
    """A function whose slopes are bent, and in which each entry meets its neighbour."""
    flat = np.ravel(x)
    return np.sum(np.sin(4 * flat) * np.roll(flat, -1))


def slope_of_wave(x: np.ndarray) -> np.ndarray:
    flat = x.ravel()
    slopes = 4 * np.cos(4 * flat) * np.roll(flat, -1) + np.sin(4 * np.roll(flat, 1))
    return np.reshape(slopes, x.shape)


def measured(x: np.ndarray, *step: float) -> Callable[[Answers], Any]:
    return lambda who: who.numeric_gradient(wave, x, *step)


@question("numeric_gradient", weight=2)
def test_numeric_gradient(judge: Judge) -> None:
    """The numeric gradient is the gradient, to eight digits."""
    for size in (5, 3, 2):
        x = judge.normal(size)
        judge.same("gradient", slope_of_wave(x), measured(x))


@question("numeric_gradient")
def test_numeric_gradient_of_any_shape(judge: Judge) -> None:
    """Arrays of one, two and three axes work, and so does a single number in an array."""
    for shape in ((2, 3), (2, 2, 2), (3, 1), (1,)):
        x = judge.normal(*shape)
        judge.same("gradient", slope_of_wave(x), measured(x))


@question("numeric_gradient")
def test_numeric_gradient_with_a_step(judge: Judge) -> None:
    """The step that is given is taken, to either side."""
    x = judge.normal(4)
    moves = 0.1 * np.eye(4)
    chords = [(wave(x + move) - wave(x - move)) / 0.2 for move in moves]
    judge.same("gradient", np.array(chords), measured(x, 0.1))


@question("numeric_gradient")
def test_numeric_gradient_leaves_its_input(judge: Judge) -> None:
    """After the call, x holds the same numbers as before."""
    for step in ((), (0.1,)):
        x = judge.normal(3)

        def afterwards(who: Answers, x: np.ndarray = x, step: tuple[float, ...] = step) -> Any:
            kept = who.keep(x)
            who.numeric_gradient(wave, kept, *step)
            return kept.fetch()

        judge.same("x after the call", x, afterwards)


# ------------------------------------------------------------------------------------------------- the network


def network(D: int = 5, H: int = 7, C: int = 3, reg: float = 0.3) -> Model:
    return Model("TwoLayerNet", {"input_dim": D, "hidden_dim": H, "num_classes": C, "reg": reg})


def params_of(judge: Judge, model: Model) -> dict[str, np.ndarray]:
    D, H, C = (model.options[name] for name in ("input_dim", "hidden_dim", "num_classes"))
    return {name: judge.normal(*shape) for name, shape in zip(PARAMS, ((D, H), (H,), (H, C), (C,)), strict=True)}


def examples(judge: Judge, model: Model, N: int = 4) -> tuple[np.ndarray, np.ndarray]:
    return judge.normal(N, model.options["input_dim"]), judge.rng.integers(model.options["num_classes"], size=N)


@question("TwoLayerNet", weight=1.5)
def test_network_scores(judge: Judge) -> None:
    """Method scores gives those of affine, sigmoid, affine."""
    for model in (network(), network(1, 2, 3), network(3, 1, 2), network(4, 4, 4)):
        params, (X, _) = params_of(judge, model), examples(judge, model)

        def scores(who: Answers, model: Model = model, params: Any = params, X: Any = X) -> Any:
            net = instance(who, model.name, **model.options)
            net.set("params", params)
            return net.call("scores", X)

        judge.same("scores", scores(judge.reference), scores)


@question("TwoLayerNet")
def test_network_loss(judge: Judge) -> None:
    """Without regularisation, the loss is that of the softmax."""
    for model in (network(reg=0.0), network(3, 2, 2, reg=0.0)):
        judge.loss(model, params_of(judge, model), examples(judge, model, 5))


@question("TwoLayerNet", weight=1.5)
def test_network_regularised_loss(judge: Judge) -> None:
    """The loss with L2: half of reg times the squares of both weights, and of the weights only."""
    for model in (network(), network(3, 2, 2, reg=5.0)):
        judge.loss(model, params_of(judge, model), examples(judge, model))


@question("TwoLayerNet")
@pytest.mark.parametrize("parameter", PARAMS)
def test_network_gradients(judge: Judge, parameter: str) -> None:
    """grads['{parameter}'] is the gradient of your own loss."""
    for model, N in ((network(), 4), (network(reg=0.0), 1), (network(3, 3, 3, reg=2.0), 3)):
        judge.loss_gradient(model, params_of(judge, model), examples(judge, model, N), parameter)


@question("TwoLayerNet")
def test_network_in_training(judge: Judge) -> None:
    """With other parameters it gives the loss and the gradients of these, and leaves them as they are."""
    model = network()
    before, after, loss = params_of(judge, model), params_of(judge, model), Loss(model, examples(judge, model))

    def trained(who: Answers, name: str) -> Any:
        _, ([number], grads) = loss.run_forwards(who, [before, after])
        return number if name == "loss" else loss.run_backward(who, (), grads)[name]

    for name in ("loss", *PARAMS):
        judge.same(name, trained(judge.reference, name), partial(trained, name=name))
    must_leave_params(judge, model, after, loss.arguments)


# --------------------------------------------------------------------------------------- derivative of a derivative


def neuron(judge: Judge, N: int = 7, D: int = 5) -> dict[str, np.ndarray]:
    drawn = {"w": judge.normal(D), "v": judge.normal(D), "X": judge.normal(N, D)}
    return {**drawn, "y": judge.rng.uniform(size=N)}


def product(inputs: Mapping[str, np.ndarray]) -> Callable[[Answers], Any]:
    return lambda who: who.hessian_vector_product(*inputs.values())


@question("hessian_vector_product", weight=3)
def test_hessian_vector_product(judge: Judge) -> None:
    """Hv is the derivative of the gradient along v."""
    for N, D in ((7, 5), (1, 3), (3, 1), (4, 4), (31, 11)):
        ask = product(neuron(judge, N, D))
        judge.same("Hv", ask(judge.reference), ask)


@question("hessian_vector_product")
def test_hessian_vector_product_is_exact(judge: Judge) -> None:
    """The product is right however long v is, and whatever the scale of the inputs: no differences are taken."""
    inputs = neuron(judge)
    # Half of the examples have half of the inputs, and those are tiny. Along v their scores move 100 million times as
    # fast as those of the others: a difference is too coarse for the ones, or too fine for the others.
    apart = neuron(judge, 8, 6)
    apart["X"][:4, 3:] = apart["X"][4:, :3] = 0
    for name, factor in (("X", 1e-8), ("w", 1e8), ("v", 1e16)):
        apart[name][..., :3] *= factor
    for each in ({**inputs, "v": 1e6 * inputs["v"]}, {**inputs, "v": 0 * inputs["v"]}, apart):
        ask = product(each)
        judge.same("Hv", ask(judge.reference), ask)
