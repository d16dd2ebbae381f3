"""The hidden suite of the backprop notebook: every wrong answer fails its question, every right one passes."""

import numpy as np
import pytest

from autograder.course import HOME, load_assignment
from autograder.judging.answers import Reference
from autograder.judging.judge import Judge
from autograder.judging.misconceptions import with_mistake
from autograder.judging.verdicts import Failure

[ASSIGNED] = load_assignment("backprop", HOME).notebooks


@pytest.fixture
def student(student_of):
    return student_of("backprop")


@pytest.mark.parametrize("seed", range(20, 24))
def test_the_reference_earns_everything(student, graded, seed):
    grade = graded(student, seed=seed)
    assert not grade.lost
    assert {question.judged_with for question in grade.questions.values()} == {"own"}


def test_the_stub_earns_nothing(graded):
    grade = graded((HOME / "assignments" / "backprop" / "backprop.ipynb").read_bytes(), "backprop")
    assert set(grade.points.values()) == {0.0}
    assert all("is not written yet" in grade.told(name) for name in grade.points)


def test_the_reference_passes_whatever_the_seed(load_suite):
    """200 seeds, judged in this process: every test of the suite but those of sizes, kinks and poles among them."""
    suite = load_suite(ASSIGNED)
    for seed in range(200):
        judge = Judge("", ASSIGNED.reference, ASSIGNED.reference, np.random.default_rng(seed), ASSIGNED.mistakes)
        for gate in (suite.ADD, suite.MULTIPLY, suite.COPY, suite.EXP, suite.RECIPROCAL):
            suite.test_gate_backward(judge, gate)
        for test in (
            suite.test_max_at_a_tie,
            suite.test_sigmoid_graph_backward,
            suite.test_sigmoid_backward,
            suite.test_relu_backward,
            suite.test_matmul_used_again,
            suite.test_affine_of_one_example,
            suite.test_affine_used_again,
            suite.test_softmax_gradient,
            suite.test_softmax_gradient_of_large_scores,
            suite.test_numeric_gradient,
            suite.test_numeric_gradient_of_any_shape,
            suite.test_network_in_training,
            suite.test_hessian_vector_product_is_exact,
        ):
            test(judge)
        for parameter in suite.PARAMS:
            suite.test_network_gradients(judge, parameter)
        assert not judge.followed_through
        ASSIGNED.reference.forget()


# ------------------------------------------------------------------------------------------- wrong in other ways

WRONG = {
    "forgets its inputs": ("MultiplyGate", "self.x, self.y = x, y", "pass"),
    "keeps them in a local variable": (
        "ExpGate",
        "self.power = np.exp(x)\n        return self.power",
        "power = np.exp(x)\n        return power",
    ),
    "returns one gradient of two": ("AddGate", "return dout, dout", "return dout"),
    "hands on the larger gradient alone": ("CopyGate", "dfirst + dsecond", "max(dfirst, dsecond)"),
    "hands the gradient to both": ("MaxGate", "return dx, dy", "return dout, dout"),
    "hands on nothing at all": ("MaxGate", "return dx, dy", "return 0 * dx, 0 * dy"),
    "prints its output and returns nothing": ("SigmoidGraph", "return self.invert", "_ = self.invert"),
    "works on numbers only": ("Sigmoid", "1 / (1 + np.exp(-x))", "1 / (1 + np.exp(-float(x)))"),
    "remembers what was positive in the gradient": ("ReLU", "dout * self.positive", "np.maximum(dout, 0)"),
    "flattens": ("ReLU", "return dout * self.positive", "return (dout * self.positive).ravel()"),
    "forgets W": ("MatMul", "self.left, self.right = x, W", "self.left = x"),
    "gives one example a second axis": ("Affine", "return dout @ self.W.T", "return rows @ self.W.T"),
    "cannot take one example": ("Affine", "np.atleast_2d(self.inputs).T @ rows", "self.inputs.T @ dout"),
    "leaves an axis at the bias gradient": ("Affine", "rows.sum(axis=0)", "rows.sum(axis=0, keepdims=True)"),
    "returns the gradients instead of leaving them": (
        "Affine",
        "return dout @ self.W.T",
        "dW, db = self.dW, self.db\n        del self.dW, self.db\n        return dout @ self.W.T, dW, db",
    ),
    "keeps its inputs in the class": ("Affine", "self.inputs = x", "Affine.inputs = x"),
    "halves the gradient of the weights": ("Affine", ".T @ rows", ".T @ rows / 2"),
    "counts from the last class": ("SoftmaxWithLoss", "np.arange(len(y)), y]", "np.arange(len(y)), -1 - y]"),
    "averages over the classes too": (
        "SoftmaxWithLoss",
        "return dloss * dscores / N",
        "return dloss * dscores / dscores.size",
    ),
    "takes the logarithm of zero": ("SoftmaxWithLoss", "-log_p[", "-np.log(np.exp(log_p))["),
    "changes its probabilities": (
        "SoftmaxWithLoss",
        "self.p, self.classes = np.exp(log_p), y",
        "self.p, self.classes = np.exp(log_p) * getattr(self, 'used', 1), y; self.used = 0",
    ),
    "goes backward only": (
        "numeric_gradient",
        "(f(forward_x) - f(backward_x)) / (2 * step)",
        "(f(x) - f(backward_x)) / step",
    ),
    "takes a step of a thousandth": ("numeric_gradient", "step=1e-5", "step=1e-3"),
    "takes a step that drowns in rounding": ("numeric_gradient", "step=1e-5", "step=1e-12"),
    "leaves the last entry moved": ("numeric_gradient", "return gradient", "x[index] += step\n    return gradient"),
    "rounds to half precision": ("numeric_gradient", "return gradient", "return gradient.astype(np.float16)"),
    "flattens the gradient": ("numeric_gradient", "return gradient", "return gradient.ravel()"),
    "regularises by the norm": ("TwoLayerNet", "np.sum(W**2)", "np.sqrt(np.sum(W**2))"),
    "regularises the biases in the gradient": (
        "TwoLayerNet",
        '"b1": self.first.db',
        '"b1": self.first.db + self.reg * self.params["b1"]',
    ),
    "leaves a gradient out": ("TwoLayerNet", '"b2": self.second.db,', ""),
    "uses the parameters of its first call": (
        "TwoLayerNet",
        "params = self.params\n",
        "self.first_params = getattr(self, 'first_params', self.params)\n        params = self.first_params\n",
    ),
    "returns probabilities for scores": (
        "TwoLayerNet",
        "return self.second.forward(hidden)",
        "s = self.second.forward(hidden)\n        return np.exp(s) / np.exp(s).sum(1, keepdims=True)",
    ),
    "trains its parameters": (
        "TwoLayerNet",
        "return loss, grads",
        "self.params = {k: v - 0.1 * grads[k] for k, v in self.params.items()}\n        return loss, grads",
    ),
    "trains its parameters in place": (
        "TwoLayerNet",
        "return loss, grads",
        "for k in grads:\n            self.params[k] -= 0.1 * grads[k]\n        return loss, grads",
    ),
    "multiplies by the gradient": ("hessian_vector_product", "return X.T @ a_dot", "return (X.T @ (dout * s)) * v"),
    "takes one-sided differences": (
        "hessian_vector_product",
        "return X.T @ a_dot",
        "g = sigmoid_neuron_gradient\n    return (g(w + 1e-7 * v, X, y) - g(w, X, y)) / 1e-7",
    ),
    "takes differences": (
        "hessian_vector_product",
        "return X.T @ a_dot",
        "g = sigmoid_neuron_gradient\n    return (g(w + 1e-5 * v, X, y) - g(w - 1e-5 * v, X, y)) / 2e-5",
    ),
}


@pytest.mark.parametrize(("name", "old", "new"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_fails_its_question_and_no_other(student, graded, name, old, new):
    grade = graded(student.change(name, old, new))
    assert grade.lost == {name}, grade.told(name)
    assert not grade.result.failure


def test_a_max_gate_that_never_goes_below_zero_fails_whatever_is_drawn(load_suite):
    suite = load_suite(ASSIGNED)
    known = next(known for known in ASSIGNED.misconceptions if known.name == "zero among the inputs")
    wrong = Reference(with_mistake(ASSIGNED.solution, known), ASSIGNED.path)
    for seed in range(100):
        judge = Judge("MaxGate", wrong, ASSIGNED.reference, np.random.default_rng(seed), ASSIGNED.mistakes)
        with pytest.raises(Failure) as failure:
            suite.test_max_forward(judge)
        assert failure.value.misconception == known.name


# ----------------------------------------------------------------------------------------- a mistake costs once


def test_wrong_gates_and_layers_are_lent_to_what_is_built_of_them(student, graded):
    student.change("ExpGate", "return dout * self.power", "return dout")
    student.change("Sigmoid", "(1 - self.y)", "(1 + self.y)")
    student.change("Affine", "rows.sum(axis=0)", "rows.mean(axis=0)")
    grade = graded(student)
    assert grade.lost == {"ExpGate", "Sigmoid", "Affine"}
    assert grade.questions["SigmoidGraph"].judged_with == "reference: ExpGate"
    assert grade.questions["TwoLayerNet"].judged_with == "reference: Sigmoid, Affine"


def test_classes_that_are_missing_are_lent_to_those_that_use_them(student, graded):
    missing = {"MultiplyGate", "Sigmoid", "Affine", "SoftmaxWithLoss"}
    for name in missing:
        student.cells.remove(student.cell(name))
    assert graded(student).lost == missing


def test_attributes_of_a_lent_layer_can_be_read_and_set(student, graded):
    student.change("Sigmoid", "(1 - self.y)", "(1 + self.y)")
    student.change("Affine", "rows.sum(axis=0)", "rows.mean(axis=0)")
    student.change(
        "TwoLayerNet",
        'self.first, self.bend = Affine(params["W1"], params["b1"]), Sigmoid()',
        'self.first, self.bend = Affine(0 * params["W1"], params["b1"]), Sigmoid()\n'
        '        assert hasattr(self.first, "W") and not hasattr(self.first, "weights")\n'
        '        self.first.W = params["W1"]',
    )
    assert graded(student).lost == {"Sigmoid", "Affine"}


def test_a_wrong_forward_carries_its_backward(student, graded):
    student.change("MatMul", "return x @ W", "return 2 * x @ W")
    student.change("MatMul", "dx = dout @", "dx = 2 * dout @").change(
        "MatMul", "dW = self.left.T", "dW = 2 * self.left.T"
    )
    grade = graded(student)
    assert grade.lost == {"MatMul"}
    assert grade.points["MatMul"] == pytest.approx(4 * 4 / 5, abs=0.01)
    assert grade.questions["MatMul"].judged_with == "follow-through"


def test_a_layer_that_hangs_costs_itself_alone(student, graded):
    student.change("Sigmoid", "self.y = 1 /", "while True: pass\n        self.y = 1 /")
    grade = graded(student)
    assert grade.lost == {"Sigmoid"}
    assert "did not come to an end" in grade.told("Sigmoid")


def test_two_layers_of_one_test_that_are_asked_with_the_same_numbers_are_not_taken_for_each_other(load_suite):
    suite = load_suite(ASSIGNED)
    judge = Judge("AddGate", ASSIGNED.reference, ASSIGNED.reference, np.random.default_rng(0), ASSIGNED.mistakes)
    inputs = suite.numbers(judge, suite.ADD)
    upstream = [np.asarray(judge.normal())]
    for gate in (suite.ADD, suite.MULTIPLY):
        judge.forward(gate, inputs)
        judge.gradients(gate, inputs, upstream=upstream)
    assert not judge.followed_through


def test_what_the_kit_can_do_answers_no_question(student, graded):
    """Its layers are given to other assignments; this one's bundle does not have them, and neither has its box."""
    student.write(
        "ReLU",
        "from coursekit.convolution import relu_forward, relu_backward\n\n\nclass ReLU:\n    forward = relu_forward",
    )
    grade = graded(student)
    assert grade.lost == {"ReLU"}
    assert any("No module named 'coursekit.convolution'" in each for each in grade.result.notebooks[0].problems)
