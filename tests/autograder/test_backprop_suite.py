"""The hidden suite of the backprop notebook: every wrong answer fails its question, every right one passes."""

import numpy as np
import pytest

from autograder.course import HOME, load_assignment
from autograder.judging import Judge

[ASSIGNED] = load_assignment("backprop", HOME).notebooks
KNOWN = [pytest.param(known, id=f"{known.question}: {known.name}") for known in ASSIGNED.misconceptions]
SEEDS = (7, 8, 9)


@pytest.fixture
def student(student_of):
    return student_of("backprop")


def replaced(student, source):
    """Put each top-level definition of some code in the place of the notebook's own."""
    for part in source.strip().split("\n\n\n"):
        name = part.split("(")[0].split(":")[0].split()[1]
        if any(
            f"class {name}" in "".join(cell["source"]) or f"def {name}" in "".join(cell["source"])
            for cell in student.cells
            if "nbgrader" in cell["metadata"]
        ):
            student.write(name, part)
        else:
            student.add(part, at=3)
    return student


# ------------------------------------------------------------------------------------------------ known mistakes


@pytest.mark.parametrize("known", KNOWN)
def test_a_known_mistake_costs_its_question_alone_and_is_told_by_its_name(known, student, graded):
    grade = graded(student.change(known.question, *known.change))
    assert grade.lost == {known.question}
    failed = [test for test in grade.questions[known.question].tests if test.outcome == "failed"]
    assert known.name in {test.misconception for test in failed}, grade.told(known.question)
    assert known.explanation in grade.told(known.question)


def test_every_question_has_at_least_five_known_mistakes_each_with_a_name_of_its_own():
    questions = [known.question for known in ASSIGNED.misconceptions]
    assert min(questions.count(name) for name in ASSIGNED.names) >= 5
    assert len({known.name for known in ASSIGNED.misconceptions}) == len(questions)


def test_a_known_mistake_has_words_for_the_student_that_do_not_give_the_line():
    for known in ASSIGNED.misconceptions:
        assert not known.explanation.endswith(".")
        assert known.hint.endswith((".", "?"))
        assert known.change[0] not in known.hint
        assert known.change[1] not in known.hint


# ---------------------------------------------------------------------------------------- right in another way

RIGHT = {
    "a base class with a cache, and lists of gradients": """
class Node:
    def __init__(self):
        self.cache = None
        self.calls = 0

    def remember(self, *values):
        self.cache, self.calls = values, self.calls + 1


class AddGate(Node):
    def __init__(self):
        super().__init__()

    def forward(self, x, y):
        self.remember(x, y)
        return sum([x, y])

    def backward(self, dout):
        return [dout * 1.0, dout * 1.0]


class MultiplyGate(Node):
    def forward(self, *factors):
        self.remember(*factors)
        return np.prod(factors)

    def backward(self, dout):
        x, y = self.cache
        return [y * dout, x * dout]


class CopyGate(Node):
    def forward(self, x):
        return [x, x]

    def backward(self, *upstream):
        return sum(upstream)


class MaxGate(Node):
    def forward(self, x, y):
        self.remember(x > y)
        if x > y:
            return x
        return y

    def backward(self, dout):
        (first,) = self.cache
        if first:
            return [dout, 0]
        return [0, dout]


class ExpGate(Node):
    def forward(self, x):
        self.remember(x)
        return np.exp(x)

    def backward(self, dout):
        return dout * np.exp(self.cache[0])


class ReciprocalGate(Node):
    def forward(self, x):
        self.remember(x)
        return x**-1

    def backward(self, dout):
        return -1 / (self.cache[0] ** 2) * dout


class Sigmoid(Node):
    def forward(self, x):
        self.remember(x)
        return 0.5 * (1 + np.tanh(x / 2))

    def backward(self, dout):
        (x,) = self.cache
        return dout * np.exp(-x) / (1 + np.exp(-x)) ** 2


class Affine(Node):
    def __init__(self, W, b):
        super(Affine, self).__init__()
        self.W, self.b, self.dW, self.db = W, b, np.zeros_like(W), np.zeros_like(b)

    def forward(self, x):
        self.remember(x)
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        (x,) = self.cache
        if x.ndim == 1:
            self.dW, self.db = np.outer(x, dout), dout
        else:
            self.dW, self.db = np.dot(x.T, dout), np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)
""",
    "gates that share a tie, and a sigmoid of one gate": """
class MaxGate:
    def forward(self, x, y):
        self.first = 1.0 if x > y else 0.5 if x == y else 0.0
        return np.maximum(x, y)

    def backward(self, dout):
        return self.first * dout, (1 - self.first) * dout


class SigmoidGraph:
    def __init__(self):
        self.gates = [MultiplyGate(), ExpGate(), AddGate(), ReciprocalGate()]

    def forward(self, x):
        minus, exp, plus, over = self.gates
        return over.forward(plus.forward(1, exp.forward(minus.forward(-1, x))))

    def backward(self, dout):
        minus, exp, plus, over = self.gates
        return minus.backward(exp.backward(plus.backward(over.backward(dout))[1]))[1]


class ReLU:
    def forward(self, x):
        self.x = x
        return np.maximum(0, x)

    def backward(self, dout):
        dx = dout.copy()
        dx[self.x < 0] = 0
        return dx


class Sigmoid:
    def forward(self, x):
        self.out = np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))
        return self.out

    def backward(self, dout):
        dout *= self.out  # changes what it was given
        dout *= 1 - self.out
        return dout
""",
    "einsum and dictionaries": """
class MatMul:
    def forward(self, x, W):
        self.params = {"x": x, "W": W}
        return np.einsum("nd,dm->nm", x, W)

    def backward(self, dout):
        x, W = self.params.pop("x"), self.params.pop("W")  # used up
        return [np.einsum("nm,dm->nd", dout, W), np.einsum("nd,nm->dm", x, dout)]


class Affine:
    def __init__(self, W, b):
        self.params, self.grads = {"W": W, "b": b}, {}

    def forward(self, x):
        self.shape, self.x = x.shape, x.reshape(-1, x.shape[-1])
        out = np.einsum("nd,dm->nm", self.x, self.params["W"]) + self.params["b"]
        return out if len(self.shape) == 2 else out[0]

    def backward(self, dout):
        dout = dout.reshape(len(self.x), -1)
        self.grads["W"] = np.einsum("nd,nm->dm", self.x, dout)
        self.grads["b"] = np.einsum("nm->m", dout)
        return np.einsum("nm,dm->nd", dout, self.params["W"]).reshape(self.shape)

    @property
    def dW(self):
        return self.grads["W"]

    @property
    def db(self):
        return self.grads["b"]


class SoftmaxWithLoss:
    loss = None

    def forward(self, scores, y):
        rows, top = [], scores.max(axis=1)
        for row, largest in zip(scores, top):
            rows.append(row - largest - np.log(np.sum(np.exp(row - largest))))
        self.log_p, self.y = np.array(rows), y
        self.one_hot = np.eye(scores.shape[1])[y]
        self.loss = -np.sum(np.where(self.one_hot > 0, self.log_p, 0)) / scores.shape[0]
        return self.loss

    def backward(self, dloss=1):
        return dloss * (np.exp(self.log_p) - self.one_hot) / self.y.shape[0]
""",
    "a network without layers, and the Hessian itself": """
class TwoLayerNet:
    def __init__(self, input_dim, hidden_dim, num_classes, reg=0.0, seed=0):
        self.reg, self.params = reg, {}

    def scores(self, X):
        p = self.params
        self.h = 1 / (1 + np.exp(-(X.dot(p["W1"]) + p["b1"])))
        return self.h.dot(p["W2"]) + p["b2"]

    def loss(self, X, y):
        p, N = self.params, X.shape[0]
        s = self.scores(X)
        s -= s.max(axis=1, keepdims=True)
        prob = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
        loss = -np.log(prob[range(N), y]).sum() / N
        loss += 0.5 * self.reg * (np.linalg.norm(p["W1"]) ** 2 + np.linalg.norm(p["W2"]) ** 2)
        prob[range(N), y] -= 1
        ds = prob / N
        da = ds.dot(p["W2"].T) * self.h * (1 - self.h)
        grads = dict(W2=self.h.T.dot(ds), b2=ds.sum(0), W1=X.T.dot(da), b1=np.ones(N).dot(da))
        for name in ("W1", "W2"):
            grads[name] += self.reg * p[name]
        return loss, grads


def hessian_vector_product(w, v, X, y):
    H = np.zeros((len(w), len(w)))
    for n in range(len(y)):
        h = 1 / (1 + np.exp(-X[n].dot(w)))
        s = h * (1 - h)
        H += (s * s + (h - y[n]) * s * (1 - 2 * h)) * np.outer(X[n], X[n]) / len(y)
    return H.dot(v)


def numeric_gradient(f, x, step=1e-5):
    grad = np.zeros(x.shape)
    it = np.nditer(x, flags=["multi_index"])
    while not it.finished:
        index = it.multi_index
        old = x[index]
        x[index] = old + step
        above = f(x)
        x[index] = old - step
        below = f(x)
        x[index] = old
        grad[index] = (above - below) / (2 * step)
        it.iternext()
    return grad
""",
    "a network of a list of layers, and one tangent forward": """
class TwoLayerNet:
    def __init__(self, input_dim, hidden_dim, num_classes, reg=0.0, seed=0):
        self.reg = reg
        self.params = {"W1": None, "b1": None, "W2": None, "b2": None}

    def build(self):
        p = self.params
        self.layers = [Affine(p["W1"], p["b1"]), Sigmoid(), Affine(p["W2"], p["b2"])]

    def scores(self, X):
        self.build()
        for layer in self.layers:
            X = layer.forward(X)
        return X

    def loss(self, X, y):
        top = SoftmaxWithLoss()
        loss = top.forward(self.scores(X), y)
        d = top.backward(1)
        for layer in reversed(self.layers):
            d = layer.backward(d)
        grads = {}
        for number, layer in ((1, self.layers[0]), (2, self.layers[2])):
            grads[f"W{number}"] = layer.dW + self.reg * layer.W
            grads[f"b{number}"] = layer.db
            loss = loss + self.reg / 2 * np.sum(layer.W * layer.W)
        return loss, grads


def hessian_vector_product(w, v, X, y):
    h = 1 / (1 + np.exp(-(X @ w)))
    slope = h * (1 - h)
    h_moves = slope * (X @ v)
    slope_moves = (1 - 2 * h) * h_moves
    return X.T @ (h_moves * slope + (h - y) * slope_moves) / len(y)


def numeric_gradient(f, x, step=1e-5):
    basis = np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([(f(x + step * e) - f(x - step * e)) / step / 2 for e in basis]).reshape(x.shape)
""",
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("answers", RIGHT.values(), ids=RIGHT)
def test_a_right_answer_earns_everything_however_it_is_written(student, graded, answers, seed):
    grade = graded(replaced(student, answers), seed=seed)
    assert not grade.lost, "\n".join(grade.told(name) for name in grade.lost)
    assert grade.result.score == 46


@pytest.mark.parametrize("seed", range(20, 24))
def test_the_reference_earns_everything(student, graded, seed):
    grade = graded(student, seed=seed)
    assert not grade.lost
    assert {question.judged_with for question in grade.questions.values()} == {"own"}


def test_the_stub_earns_nothing(graded):
    grade = graded((HOME / "assignments" / "backprop" / "backprop.ipynb").read_bytes(), "backprop")
    assert set(grade.points.values()) == {0.0}
    assert all("is not written yet" in grade.told(name) for name in grade.points)


def test_the_reference_passes_whatever_the_seed():
    """200 seeds, judged in this process: every test of the suite but those of sizes, kinks and poles among them."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("suite", ASSIGNED.suite)
    suite = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(suite)
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
