"""Other right ways to write ``backprop``, as students write them."""

from __future__ import annotations

from autograder.audit.variants import Variant

VARIANTS = (
    Variant(
        ("AddGate",),
        "a base class with a cache, and lists of gradients",
        """
class AddGateNode:
    def __init__(self):
        self.cache = None
        self.calls = 0

    def remember(self, *values):
        self.cache, self.calls = values, self.calls + 1


class AddGate(AddGateNode):
    def __init__(self):
        super().__init__()

    def forward(self, x, y):
        self.remember(x, y)
        return sum([x, y])

    def backward(self, dout):
        return [dout * 1.0, dout * 1.0]
""",
    ),
    Variant(
        ("AddGate",),
        "a tuple of ones",
        """
class AddGate:
    def forward(self, x, y):
        out = x
        out = out + y
        return out

    def backward(self, dout):
        return tuple(dout * slope for slope in (1, 1))
""",
    ),
    Variant(
        ("AddGate",),
        "inputs kept that nobody needs",
        """
class AddGate:
    def __init__(self):
        self.x = self.y = None

    def forward(self, x, y):
        self.x, self.y = x, y
        self.out = self.x + self.y
        return self.out

    def backward(self, dout):
        dx = 1.0 * dout
        dy = 1.0 * dout
        return dx, dy
""",
    ),
    Variant(
        ("AddGate",),
        "static methods",
        """
class AddGate:
    @staticmethod
    def forward(x, y):
        return np.add(x, y)

    @staticmethod
    def backward(dout):
        return (dout,) * 2
""",
    ),
    Variant(
        ("AddGate",),
        "an array of gradients",
        """
class AddGate:
    def forward(self, *inputs):
        return np.array(inputs).sum()

    def backward(self, dout):
        dx, dy = np.full(2, dout)
        return dx, dy
""",
    ),
    Variant(
        ("AddGate",),
        "operator.add, and lambdas",
        """
import operator


class AddGate:
    forward = staticmethod(operator.add)
    backward = lambda self, dout: [dout, dout]
""",
    ),
    Variant(
        ("MultiplyGate",),
        "a base class with a cache, and lists of gradients",
        """
class MultiplyGateNode:
    def __init__(self):
        self.cache = None
        self.calls = 0

    def remember(self, *values):
        self.cache, self.calls = values, self.calls + 1


class MultiplyGate(MultiplyGateNode):
    def forward(self, *factors):
        self.remember(*factors)
        return np.prod(factors)

    def backward(self, dout):
        x, y = self.cache
        return [y * dout, x * dout]
""",
    ),
    Variant(
        ("MultiplyGate",),
        "a tuple for a cache",
        """
class MultiplyGate:
    def forward(self, x, y):
        self.cache = (x, y)
        return np.multiply(x, y)

    def backward(self, dout):
        x, y = self.cache
        dx = y * dout
        dy = x * dout
        return dx, dy
""",
    ),
    Variant(
        ("MultiplyGate",),
        "a dict for a cache, used up",
        """
class MultiplyGate:
    def forward(self, x, y):
        self.kept = {"x": x, "y": y}
        return self.kept["x"] * self.kept["y"]

    def backward(self, dout):
        return dout * self.kept.pop("y"), dout * self.kept.pop("x")
""",
    ),
    Variant(
        ("MultiplyGate",),
        "the local gradients kept",
        """
class MultiplyGate:
    def __init__(self):
        self.slopes = None

    def forward(self, x, y):
        self.slopes = [y, x]
        return x * y

    def backward(self, dout):
        return [slope * dout for slope in self.slopes]
""",
    ),
    Variant(
        ("MultiplyGate",),
        "an array of both",
        """
class MultiplyGate:
    def forward(self, x, y):
        self.inputs = np.array([x, y], dtype=float)
        return float(self.inputs.prod())

    def backward(self, dout):
        dx, dy = dout * self.inputs[::-1]
        return dx, dy
""",
    ),
    Variant(
        ("MultiplyGate",),
        "a closure for the way back",
        """
class MultiplyGate:
    def forward(self, x, y):
        self.backward = lambda dout: (dout * y, x * dout)
        return x * y
""",
    ),
    Variant(
        ("CopyGate",),
        "a base class with a cache, and lists of gradients",
        """
class CopyGateNode:
    def __init__(self):
        self.cache = None
        self.calls = 0

    def remember(self, *values):
        self.cache, self.calls = values, self.calls + 1


class CopyGate(CopyGateNode):
    def forward(self, x):
        return [x, x]

    def backward(self, *upstream):
        return sum(upstream)
""",
    ),
    Variant(
        ("CopyGate",),
        "a tuple multiplied",
        """
class CopyGate:
    def forward(self, x):
        return (x,) * 2

    def backward(self, dfirst, dsecond):
        dx = dfirst
        dx = dx + dsecond
        return dx
""",
    ),
    Variant(
        ("CopyGate",),
        "true copies",
        """
import copy


class CopyGate:
    def forward(self, x):
        first = copy.copy(x)
        second = copy.copy(x)
        return [first, second]

    def backward(self, dfirst, dsecond):
        return np.add(dfirst, dsecond)
""",
    ),
    Variant(
        ("CopyGate",),
        "a loop over the gradients",
        """
class CopyGate:
    def forward(self, x):
        self.x = x
        return self.x, self.x

    def backward(self, *gradients):
        total = 0.0
        for gradient in gradients:
            total += gradient
        return total
""",
    ),
    Variant(
        ("CopyGate",),
        "one more product",
        """
class CopyGate:
    def forward(self, x):
        return x * 1.0, x * 1.0

    def backward(self, dfirst, dsecond):
        return np.dot([dfirst, dsecond], [1.0, 1.0])
""",
    ),
    Variant(
        ("CopyGate",),
        "a list comprehension and the mean of both, twice",
        """
class CopyGate:
    def forward(self, x):
        return [x for _ in range(2)]

    def backward(self, dfirst, dsecond):
        return 2 * np.mean([dfirst, dsecond])
""",
    ),
    Variant(
        ("MaxGate",),
        "a base class with a cache, and lists of gradients",
        """
class MaxGateNode:
    def __init__(self):
        self.cache = None
        self.calls = 0

    def remember(self, *values):
        self.cache, self.calls = values, self.calls + 1


class MaxGate(MaxGateNode):
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
""",
    ),
    Variant(
        ("MaxGate",),
        "gates that share a tie, and a sigmoid of one gate",
        """
class MaxGate:
    def forward(self, x, y):
        self.first = 1.0 if x > y else 0.5 if x == y else 0.0
        return np.maximum(x, y)

    def backward(self, dout):
        return self.first * dout, (1 - self.first) * dout
""",
    ),
    Variant(
        ("MaxGate",),
        "branches",
        """
class MaxGate:
    def forward(self, x, y):
        self.first = True
        if y > x:
            self.first = False
        return x if self.first else y

    def backward(self, dout):
        return (dout, 0.0) if self.first else (0.0, dout)
""",
    ),
    Variant(
        ("MaxGate",),
        "argmax, and an array of zeros",
        """
class MaxGate:
    def forward(self, x, y):
        self.winner = int(np.argmax([x, y]))
        return [x, y][self.winner]

    def backward(self, dout):
        grads = np.zeros(2)
        grads[self.winner] = dout
        return grads[0], grads[1]
""",
    ),
    Variant(
        ("MaxGate",),
        "the output compared",
        """
class MaxGate:
    def forward(self, x, y):
        self.x, self.out = x, np.maximum(x, y)
        return self.out

    def backward(self, dout):
        dx = np.where(self.x == self.out, dout, 0)
        return dx, dout - dx
""",
    ),
    Variant(
        ("MaxGate",),
        "half the sum and half the distance",
        """
class MaxGate:
    def forward(self, x, y):
        self.sign = np.sign(x - y)
        return (x + y + abs(x - y)) / 2

    def backward(self, dout):
        return dout * (1 + self.sign) / 2, dout * (1 - self.sign) / 2
""",
    ),
    Variant(
        ("ExpGate",),
        "a base class with a cache, and lists of gradients",
        """
class ExpGateNode:
    def __init__(self):
        self.cache = None
        self.calls = 0

    def remember(self, *values):
        self.cache, self.calls = values, self.calls + 1


class ExpGate(ExpGateNode):
    def forward(self, x):
        self.remember(x)
        return np.exp(x)

    def backward(self, dout):
        return dout * np.exp(self.cache[0])
""",
    ),
    Variant(
        ("ExpGate",),
        "the input kept, the power computed again",
        """
class ExpGate:
    def forward(self, x):
        self.x = x
        return np.e ** x

    def backward(self, dout):
        return np.e**self.x * dout
""",
    ),
    Variant(
        ("ExpGate",),
        "the math module",
        """
import math


class ExpGate:
    def __init__(self):
        self.out = None

    def forward(self, x):
        self.out = math.exp(x)
        return self.out

    def backward(self, dout):
        return self.out * dout
""",
    ),
    Variant(
        ("ExpGate",),
        "a cache in a list",
        """
class ExpGate:
    def forward(self, x):
        self.cache = [np.exp(x)]
        return self.cache[0]

    def backward(self, dout):
        power = self.cache.pop()
        dx = dout
        dx = dx * power
        return dx
""",
    ),
    Variant(
        ("ExpGate",),
        "a closure for the way back",
        """
class ExpGate:
    def forward(self, x):
        out = np.exp(x)

        def backward(dout):
            return dout * out

        self.backward = backward
        return out
""",
    ),
    Variant(
        ("ExpGate",),
        "a quotient of powers",
        """
class ExpGate:
    def forward(self, x):
        self.inverse = np.exp(-x)
        return 1 / self.inverse

    def backward(self, dout):
        return dout / self.inverse
""",
    ),
    Variant(
        ("ReciprocalGate",),
        "a base class with a cache, and lists of gradients",
        """
class ReciprocalGateNode:
    def __init__(self):
        self.cache = None
        self.calls = 0

    def remember(self, *values):
        self.cache, self.calls = values, self.calls + 1


class ReciprocalGate(ReciprocalGateNode):
    def forward(self, x):
        self.remember(x)
        return x**-1

    def backward(self, dout):
        return -1 / (self.cache[0] ** 2) * dout
""",
    ),
    Variant(
        ("ReciprocalGate",),
        "the input kept",
        """
class ReciprocalGate:
    def forward(self, x):
        self.x = x
        return 1.0 / x

    def backward(self, dout):
        return -1.0 / self.x**2 * dout
""",
    ),
    Variant(
        ("ReciprocalGate",),
        "np.reciprocal and np.square",
        """
class ReciprocalGate:
    def forward(self, x):
        self.out = np.reciprocal(float(x))
        return self.out

    def backward(self, dout):
        return -np.square(self.out) * dout
""",
    ),
    Variant(
        ("ReciprocalGate",),
        "the slope kept",
        """
class ReciprocalGate:
    def forward(self, x):
        self.slope = -1 / (x * x)
        return 1 / x

    def backward(self, dout):
        return self.slope * dout
""",
    ),
    Variant(
        ("ReciprocalGate",),
        "a dict for a cache",
        """
class ReciprocalGate:
    def __init__(self):
        self.cache = {}

    def forward(self, x):
        self.cache["x"] = x
        self.cache["out"] = 1 / x
        return self.cache["out"]

    def backward(self, dout):
        return -dout * self.cache["out"] / self.cache["x"]
""",
    ),
    Variant(
        ("ReciprocalGate",),
        "powers with negative exponents",
        """
class ReciprocalGate:
    def forward(self, x):
        self.x = np.float64(x)
        return self.x ** (-1)

    def backward(self, dout):
        return dout * (-1) * self.x ** (-2)
""",
    ),
    Variant(
        ("SigmoidGraph",),
        "gates that share a tie, and a sigmoid of one gate",
        """
class SigmoidGraph:
    def __init__(self):
        self.gates = [MultiplyGate(), ExpGate(), AddGate(), ReciprocalGate()]

    def forward(self, x):
        minus, exp, plus, over = self.gates
        return over.forward(plus.forward(1, exp.forward(minus.forward(-1, x))))

    def backward(self, dout):
        minus, exp, plus, over = self.gates
        return minus.backward(exp.backward(plus.backward(over.backward(dout))[1]))[1]
""",
    ),
    Variant(
        ("SigmoidGraph",),
        "gates made once",
        """
class SigmoidGraph:
    def __init__(self):
        self.multiply, self.exp, self.add, self.reciprocal = MultiplyGate(), ExpGate(), AddGate(), ReciprocalGate()

    def forward(self, x):
        x = self.multiply.forward(-1.0, x)
        x = self.exp.forward(x)
        x = self.add.forward(1.0, x)
        return self.reciprocal.forward(x)

    def backward(self, dout):
        dout = self.reciprocal.backward(dout)
        _, dout = self.add.backward(dout)
        dout = self.exp.backward(dout)
        _, dout = self.multiply.backward(dout)
        return dout
""",
    ),
    Variant(
        ("SigmoidGraph",),
        "a list that is gone through backward",
        """
class SigmoidGraph:
    def forward(self, x):
        self.gates = [(MultiplyGate(), -1.0), (ExpGate(), None), (AddGate(), 1.0), (ReciprocalGate(), None)]
        for gate, other in self.gates:
            x = gate.forward(x) if other is None else gate.forward(x, other)
        return x

    def backward(self, dout):
        for gate, other in reversed(self.gates):
            dout = gate.backward(dout)
            if other is not None:
                dout = dout[0]
        return dout
""",
    ),
    Variant(
        ("SigmoidGraph",),
        "a dict of gates",
        """
class SigmoidGraph:
    def forward(self, x):
        self.g = {"times": MultiplyGate(), "exp": ExpGate(), "plus": AddGate(), "over": ReciprocalGate()}
        return self.g["over"].forward(
            self.g["plus"].forward(self.g["exp"].forward(self.g["times"].forward(x, -1)), 1)
        )

    def backward(self, dout):
        dpower = self.g["plus"].backward(self.g["over"].backward(dout))[0]
        return self.g["times"].backward(self.g["exp"].backward(dpower))[0]
""",
    ),
    Variant(
        ("SigmoidGraph",),
        "a stack of closures",
        """
class SigmoidGraph:
    def forward(self, x):
        self.back = []
        out = self.step(MultiplyGate(), x, -1.0)
        out = self.step(ExpGate(), out)
        out = self.step(AddGate(), out, 1.0)
        return self.step(ReciprocalGate(), out)

    def step(self, gate, *inputs):
        out = gate.forward(*inputs)
        self.back.append(lambda dout: np.atleast_1d(gate.backward(dout))[0])
        return out

    def backward(self, dout):
        while self.back:
            dout = self.back.pop()(dout)
        return dout
""",
    ),
    Variant(
        ("SigmoidGraph",),
        "another graph: e^x over 1 + e^x",
        """
class SigmoidGraph:
    def forward(self, x):
        self.exp, self.copy, self.add, self.over, self.times = (
            ExpGate(), CopyGate(), AddGate(), ReciprocalGate(), MultiplyGate()
        )
        one, other = self.copy.forward(self.exp.forward(x))
        return self.times.forward(one, self.over.forward(self.add.forward(other, 1.0)))

    def backward(self, dout):
        done, dover = self.times.backward(dout)
        dother, _ = self.add.backward(self.over.backward(dover))
        return self.exp.backward(self.copy.backward(done, dother))
""",
    ),
    Variant(
        ("Sigmoid",),
        "a base class with a cache, and lists of gradients",
        """
class SigmoidNode:
    def __init__(self):
        self.cache = None
        self.calls = 0

    def remember(self, *values):
        self.cache, self.calls = values, self.calls + 1


class Sigmoid(SigmoidNode):
    def forward(self, x):
        self.remember(x)
        return 0.5 * (1 + np.tanh(x / 2))

    def backward(self, dout):
        (x,) = self.cache
        return dout * np.exp(-x) / (1 + np.exp(-x)) ** 2
""",
    ),
    Variant(
        ("Sigmoid",),
        "gates that share a tie, and a sigmoid of one gate",
        """
class Sigmoid:
    def forward(self, x):
        self.out = np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))
        return self.out

    def backward(self, dout):
        dout *= self.out  # changes what it was given
        dout *= 1 - self.out
        return dout
""",
    ),
    Variant(
        ("Sigmoid",),
        "the input kept",
        """
class Sigmoid:
    def forward(self, x):
        self.x = x
        return 1.0 / (1.0 + np.exp(-x))

    def backward(self, dout):
        s = 1.0 / (1.0 + np.exp(-self.x))
        return np.multiply(np.multiply(s, 1 - s), dout)
""",
    ),
    Variant(
        ("Sigmoid",),
        "powers of e to the x",
        """
class Sigmoid:
    def forward(self, x):
        self.power = np.exp(x)
        return self.power / (self.power + 1)

    def backward(self, dout):
        return dout * self.power / (self.power + 1) ** 2
""",
    ),
    Variant(
        ("Sigmoid",),
        "entry by entry",
        """
class Sigmoid:
    def forward(self, x):
        self.out = np.zeros_like(x)
        for index in np.ndindex(x.shape):
            self.out[index] = 1 / (1 + np.exp(-x[index]))
        return self.out

    def backward(self, dout):
        dx = np.zeros_like(dout)
        for index in np.ndindex(dout.shape):
            dx[index] = dout[index] * self.out[index] * (1 - self.out[index])
        return dx
""",
    ),
    Variant(
        ("Sigmoid",),
        "the slope kept, a helper of its own",
        """
def logistic(x):
    return np.reciprocal(1 + np.exp(np.negative(x)))


class Sigmoid:
    slope = None

    def forward(self, x):
        out = logistic(x)
        self.slope = out - out**2
        return out

    def backward(self, dout):
        return self.slope * dout
""",
    ),
    Variant(
        ("ReLU",),
        "gates that share a tie, and a sigmoid of one gate",
        """
class ReLU:
    def forward(self, x):
        self.x = x
        return np.maximum(0, x)

    def backward(self, dout):
        dx = dout.copy()
        dx[self.x < 0] = 0
        return dx
""",
    ),
    Variant(
        ("ReLU",),
        "a product with the mask",
        """
class ReLU:
    def forward(self, x):
        self.mask = (x > 0).astype(float)
        return self.mask * x

    def backward(self, dout):
        return np.multiply(self.mask, dout)
""",
    ),
    Variant(
        ("ReLU",),
        "zeros written into a copy",
        """
class ReLU:
    def __init__(self):
        self.mask = None

    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout[self.mask] = 0  # changes what it was given
        return dout
""",
    ),
    Variant(
        ("ReLU",),
        "half of x and its size",
        """
class ReLU:
    def forward(self, x):
        self.sign = np.sign(x)
        return 0.5 * (x + np.abs(x))

    def backward(self, dout):
        return 0.5 * dout * (1 + self.sign)
""",
    ),
    Variant(
        ("ReLU",),
        "np.clip, and where the output is positive",
        """
class ReLU:
    def forward(self, x):
        self.cache = np.clip(x, 0, None)
        return self.cache

    def backward(self, dout):
        return np.where(self.cache > 0, dout, np.zeros_like(dout))
""",
    ),
    Variant(
        ("ReLU",),
        "entry by entry in a flat list",
        """
class ReLU:
    def forward(self, x):
        self.x = x
        return np.array([max(0.0, number) for number in x.ravel()]).reshape(x.shape)

    def backward(self, dout):
        flat = [d if number > 0 else 0.0 for d, number in zip(dout.ravel(), self.x.ravel())]
        return np.array(flat).reshape(dout.shape)
""",
    ),
    Variant(
        ("MatMul",),
        "einsum and dictionaries",
        """
class MatMul:
    def forward(self, x, W):
        self.params = {"x": x, "W": W}
        return np.einsum("nd,dm->nm", x, W)

    def backward(self, dout):
        x, W = self.params.pop("x"), self.params.pop("W")  # used up
        return [np.einsum("nm,dm->nd", dout, W), np.einsum("nd,nm->dm", x, dout)]
""",
    ),
    Variant(
        ("MatMul",),
        "dot and a tuple",
        """
class MatMul:
    def forward(self, x, W):
        self.cache = (x, W)
        return x.dot(W)

    def backward(self, dout):
        x, W = self.cache
        return dout.dot(W.T), x.T.dot(dout)
""",
    ),
    Variant(
        ("MatMul",),
        "matmul and transpose",
        """
class MatMul:
    def __init__(self):
        self.x, self.W = None, None

    def forward(self, x, W):
        self.x, self.W = x.copy(), W.copy()
        return np.matmul(self.x, self.W)

    def backward(self, dout):
        dx = np.matmul(dout, np.transpose(self.W))
        dW = np.matmul(np.transpose(self.x), dout)
        return dx, dW
""",
    ),
    Variant(
        ("MatMul",),
        "outer products, summed over the rows",
        """
class MatMul:
    def forward(self, x, W):
        self.x, self.W = x, W
        return np.array([row @ W for row in x])

    def backward(self, dout):
        dW = sum(np.outer(row, d) for row, d in zip(self.x, dout))
        return np.stack([self.W @ d for d in dout]), dW
""",
    ),
    Variant(
        ("MatMul",),
        "three loops",
        """
class MatMul:
    def forward(self, x, W):
        self.x, self.W = x, W
        out = np.zeros((x.shape[0], W.shape[1]))
        for n in range(x.shape[0]):
            for m in range(W.shape[1]):
                for d in range(W.shape[0]):
                    out[n, m] += x[n, d] * W[d, m]
        return out

    def backward(self, dout):
        dx, dW = np.zeros_like(self.x), np.zeros_like(self.W)
        for n in range(dout.shape[0]):
            for m in range(dout.shape[1]):
                for d in range(self.W.shape[0]):
                    dx[n, d] += dout[n, m] * self.W[d, m]
                    dW[d, m] += dout[n, m] * self.x[n, d]
        return dx, dW
""",
    ),
    Variant(
        ("MatMul",),
        "transposed on the way, tensordot on the way back",
        """
class MatMul:
    def forward(self, x, W):
        self.xT, self.WT = x.T, W.T
        return (self.WT @ self.xT).T

    def backward(self, dout):
        return [np.tensordot(dout, self.WT, axes=1), np.tensordot(self.xT, dout, axes=([1], [0]))]
""",
    ),
    Variant(
        ("Affine",),
        "a base class with a cache, and lists of gradients",
        """
class AffineNode:
    def __init__(self):
        self.cache = None
        self.calls = 0

    def remember(self, *values):
        self.cache, self.calls = values, self.calls + 1


class Affine(AffineNode):
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
    ),
    Variant(
        ("Affine",),
        "einsum and dictionaries",
        """
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
""",
    ),
    Variant(
        ("Affine",),
        "a case for each number of axes",
        """
class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.x = self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        if dout.ndim > 1:
            self.dW = self.x.T.dot(dout)
            self.db = np.sum(dout, 0)
        else:
            self.dW = self.x[:, None] * dout[None, :]
            self.db = dout.copy()
        return dout.dot(self.W.T)
""",
    ),
    Variant(
        ("Affine",),
        "a column of ones beside the inputs",
        """
class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.stacked = np.vstack([W, b])

    def forward(self, x):
        self.single = x.ndim == 1
        rows = x[np.newaxis] if self.single else x
        self.inputs = np.hstack([rows, np.ones((rows.shape[0], 1))])
        out = self.inputs @ self.stacked
        return out.squeeze(axis=0) if self.single else out

    def backward(self, dout):
        rows = dout[np.newaxis] if self.single else dout
        both = self.inputs.T @ rows
        self.dW, self.db = both[:-1], both[-1]
        dx = (rows @ self.stacked.T)[:, :-1]
        return dx[0] if self.single else dx
""",
    ),
    Variant(
        ("Affine",),
        "gradients added up over the examples",
        """
class Affine:
    def __init__(self, W, b):
        self.params = [W, b]

    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.matmul(x, W) + b

    def backward(self, dout):
        W, b = self.params
        self.dW, self.db = np.zeros(W.shape), np.zeros(b.shape)
        for x, d in zip(np.atleast_2d(self.x), np.atleast_2d(dout)):
            self.dW += np.outer(x, d)
            self.db += d
        return np.matmul(dout, np.swapaxes(W, 0, 1))
""",
    ),
    Variant(
        ("Affine",),
        "built on MatMul",
        """
class Affine:
    def __init__(self, W, b):
        self.W, self.b, self.product = W, b, MatMul()

    def forward(self, x):
        self.shape = x.shape
        out = self.product.forward(np.atleast_2d(x), self.W)
        out += self.b
        return out.reshape(*x.shape[:-1], -1)

    def backward(self, dout):
        rows = dout.reshape(-1, dout.shape[-1])
        dx, self.dW = self.product.backward(rows)
        self.db = np.ones(len(rows)) @ rows
        return dx.reshape(self.shape)
""",
    ),
    Variant(
        ("SoftmaxWithLoss",),
        "einsum and dictionaries",
        """
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
    ),
    Variant(
        ("SoftmaxWithLoss",),
        "a shift, and a quotient of powers",
        """
class SoftmaxWithLoss:
    def forward(self, scores, y):
        N = scores.shape[0]
        shifted = scores - np.max(scores, axis=1, keepdims=True)
        powers = np.exp(shifted)
        sums = np.sum(powers, axis=1)
        self.probs = powers / sums.reshape(N, 1)
        self.y = y
        return np.sum(np.log(sums) - shifted[np.arange(N), y]) / N

    def backward(self, dloss=1.0):
        N = self.probs.shape[0]
        dscores = self.probs
        dscores[np.arange(N), self.y] -= 1  # uses up its cache
        dscores /= N
        return dscores * dloss
""",
    ),
    Variant(
        ("SoftmaxWithLoss",),
        "np.logaddexp, the gradient on the way forward",
        """
class SoftmaxWithLoss:
    def forward(self, scores, y):
        total = np.logaddexp.reduce(scores, axis=1)
        picked = scores[range(len(y)), y]
        self.dscores = (np.exp(scores - total[:, None]) - np.eye(scores.shape[1])[y]) / len(y)
        return np.mean(total - picked)

    def backward(self, dloss=1):
        return dloss * self.dscores
""",
    ),
    Variant(
        ("SoftmaxWithLoss",),
        "example by example",
        """
class SoftmaxWithLoss:
    def forward(self, scores, y):
        self.cache, loss = [], 0.0
        for row, right in zip(scores, y):
            row = row - max(row)
            log_p = row - np.log(sum(np.exp(row)))
            loss -= log_p[right]
            self.cache.append((np.exp(log_p), right))
        return loss / len(self.cache)

    def backward(self, dloss=1.0):
        rows = []
        for p, right in self.cache:
            d = p.copy()
            d[right] = d[right] - 1
            rows.append(d * dloss / len(self.cache))
        return np.array(rows)
""",
    ),
    Variant(
        ("SoftmaxWithLoss",),
        "a helper, a dict, and a mask of the right classes",
        """
def log_softmax(scores):
    scores = scores - np.amax(scores, axis=-1)[..., np.newaxis]
    return scores - np.log(np.exp(scores).sum(axis=-1))[..., np.newaxis]


class SoftmaxWithLoss:
    def __init__(self):
        self.cache = {}

    def forward(self, scores, y):
        log_p = log_softmax(scores)
        right = np.arange(scores.shape[1]) == y[:, None]
        self.cache = {"log_p": log_p, "right": right}
        return -log_p[right].mean()

    def backward(self, dloss=1.0):
        p = np.exp(self.cache["log_p"])
        return dloss * np.where(self.cache["right"], p - 1, p) / p.shape[0]
""",
    ),
    Variant(
        ("SoftmaxWithLoss",),
        "by way of take_along_axis and put_along_axis",
        """
class SoftmaxWithLoss:
    def forward(self, scores, y):
        self.index = np.expand_dims(y, 1)
        e = np.exp(scores - scores.max(1)[:, None])
        self.total = e.sum(1, keepdims=True)
        self.e = e
        best = np.take_along_axis(scores, self.index, 1) - scores.max(1)[:, None]
        return float((np.log(self.total) - best).mean())

    def backward(self, dloss=1.0):
        p = self.e / self.total
        np.put_along_axis(p, self.index, np.take_along_axis(p, self.index, 1) - 1, 1)
        return p * (dloss / p.shape[0])
""",
    ),
    Variant(
        ("numeric_gradient",),
        "a network without layers, and the Hessian itself",
        """
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
    ),
    Variant(
        ("numeric_gradient",),
        "a network of a list of layers, and one tangent forward",
        """
def numeric_gradient(f, x, step=1e-5):
    basis = np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([(f(x + step * e) - f(x - step * e)) / step / 2 for e in basis]).reshape(x.shape)
""",
    ),
    Variant(
        ("numeric_gradient",),
        "the flat array changed in place and put back",
        """
def numeric_gradient(f, x, step=1e-5):
    gradient = np.zeros_like(x)
    flat, out = x.reshape(-1), gradient.reshape(-1)
    for i in range(flat.size):
        old = flat[i]
        flat[i] = old + step
        plus = f(x)
        flat[i] = old - step
        minus = f(x)
        flat[i] = old
        out[i] = (plus - minus) / (2.0 * step)
    return gradient
""",
    ),
    Variant(
        ("numeric_gradient",),
        "np.fromiter and a helper",
        """
def numeric_gradient(f, x, step=1e-5):
    def moved(index, by):
        there = x.copy()
        there.flat[index] += by
        return f(there)

    slopes = ((moved(i, step) - moved(i, -step)) / (2 * step) for i in range(x.size))
    return np.fromiter(slopes, float, x.size).reshape(x.shape)
""",
    ),
    Variant(
        ("numeric_gradient",),
        "an array of moves",
        """
def numeric_gradient(f, x, step=1e-5):
    grad = np.empty(x.shape)
    move = np.zeros(x.shape)
    for place in np.argwhere(np.ones(x.shape)):
        place = tuple(place)
        move[place] = step
        grad[place] = 0.5 * (f(x + move) - f(x - move)) / step
        move[place] = 0
    return grad
""",
    ),
    Variant(
        ("numeric_gradient",),
        "recursion over the axes",
        """
def numeric_gradient(f, x, step=1e-5):
    if x.ndim == 0:
        return (f(x + step) - f(x - step)) / (2 * step)

    def with_row(n, row):
        whole = x.copy()
        whole[n] = row
        return f(whole)

    rows = [numeric_gradient(lambda row, n=n: with_row(n, row), np.asarray(x[n]), step) for n in range(len(x))]
    return np.array(rows)
""",
    ),
    Variant(
        ("TwoLayerNet",),
        "a network without layers, and the Hessian itself",
        """
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
""",
    ),
    Variant(
        ("TwoLayerNet",),
        "a network of a list of layers, and one tangent forward",
        """
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
            grads[f"W{number}"] = layer.dW + self.reg * self.params[f"W{number}"]
            grads[f"b{number}"] = layer.db
            loss = loss + self.reg / 2 * np.sum(self.params[f"W{number}"] ** 2)
        return loss, grads
""",
    ),
    Variant(
        ("TwoLayerNet",),
        "layers that live as long as the network",
        """
class TwoLayerNet:
    def __init__(self, input_dim, hidden_dim, num_classes, reg=0.0, seed=0):
        self.reg = reg
        rng = np.random.default_rng(seed)
        self.params = dict(
            W1=rng.standard_normal((input_dim, hidden_dim)), b1=np.zeros(hidden_dim),
            W2=rng.standard_normal((hidden_dim, num_classes)), b2=np.zeros(num_classes),
        )
        self.affine1 = Affine(self.params["W1"], self.params["b1"])
        self.affine2 = Affine(self.params["W2"], self.params["b2"])
        self.sigmoid, self.softmax = Sigmoid(), SoftmaxWithLoss()

    def scores(self, X):
        self.affine1.W, self.affine1.b = self.params["W1"], self.params["b1"]
        self.affine2.W, self.affine2.b = self.params["W2"], self.params["b2"]
        return self.affine2.forward(self.sigmoid.forward(self.affine1.forward(X)))

    def loss(self, X, y):
        loss = self.softmax.forward(self.scores(X), y)
        for name in ("W1", "W2"):
            loss += 0.5 * self.reg * np.sum(self.params[name] * self.params[name])
        dout = self.softmax.backward()
        self.affine1.backward(self.sigmoid.backward(self.affine2.backward(dout)))
        grads = {}
        grads["W1"] = self.affine1.dW + self.reg * self.params["W1"]
        grads["b1"] = self.affine1.db
        grads["W2"] = self.affine2.dW + self.reg * self.params["W2"]
        grads["b2"] = self.affine2.db
        return loss, grads
""",
    ),
    Variant(
        ("TwoLayerNet",),
        "a forward pass that returns its cache",
        """
class TwoLayerNet:
    def __init__(self, input_dim, hidden_dim, num_classes, reg=0.0, seed=0):
        self.params, self.reg = {}, reg

    def _forward(self, X):
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        hidden = 1 / (1 + np.exp(-(np.matmul(X, W1) + b1)))
        return np.matmul(hidden, W2) + b2, (X, hidden, W2)

    def scores(self, X):
        return self._forward(X)[0]

    def loss(self, X, y):
        scores, (X, hidden, W2) = self._forward(X)
        N = len(X)
        shifted = scores - scores.max(axis=1)[:, None]
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1))[:, None]
        dscores = np.exp(log_p)
        dscores[np.arange(N), y] -= 1
        dscores /= N
        da = (dscores @ W2.T) * hidden * (1 - hidden)
        grads = {"W2": hidden.T @ dscores, "b2": dscores.sum(axis=0), "W1": X.T @ da, "b1": da.sum(axis=0)}
        penalty = 0.0
        for name, value in self.params.items():
            if value.ndim == 2:
                grads[name] = grads[name] + self.reg * value
                penalty += (value**2).sum()
        return -log_p[np.arange(N), y].mean() + self.reg * penalty / 2, grads
""",
    ),
    Variant(
        ("TwoLayerNet",),
        "example by example",
        """
class TwoLayerNet:
    def __init__(self, input_dim, hidden_dim, num_classes, reg=0.0, seed=0):
        self.reg = reg
        self.params = {}

    def scores(self, X):
        return np.array([self.hidden(x) @ self.params["W2"] + self.params["b2"] for x in X])

    def hidden(self, x):
        return 0.5 + 0.5 * np.tanh((x @ self.params["W1"] + self.params["b1"]) / 2)

    def loss(self, X, y):
        grads = {name: self.reg * value if name in ("W1", "W2") else 0 * value for name, value in self.params.items()}
        loss = self.reg / 2 * sum(np.vdot(self.params[name], self.params[name]) for name in ("W1", "W2"))
        for x, right in zip(X, y):
            h = self.hidden(x)
            s = h @ self.params["W2"] + self.params["b2"]
            p = np.exp(s - s.max())
            p /= p.sum()
            loss -= np.log(p[right]) / len(X)
            p[right] -= 1
            ds = p / len(X)
            da = self.params["W2"] @ ds * (h - h * h)
            grads["W2"] += np.outer(h, ds)
            grads["b2"] += ds
            grads["W1"] += np.outer(x, da)
            grads["b1"] += da
        return loss, grads
""",
    ),
    Variant(
        ("TwoLayerNet",),
        "a chain in a helper, gradients in a list",
        """
def chain(layers, x, backward=False):
    for layer in layers:
        x = layer.backward(x) if backward else layer.forward(x)
    return x


class TwoLayerNet:
    def __init__(self, input_dim, hidden_dim, num_classes, reg=0.0, seed=0):
        self.reg = reg
        self.params = dict.fromkeys(["W1", "b1", "W2", "b2"])

    def layers(self):
        first, second = (Affine(self.params[f"W{k}"], self.params[f"b{k}"]) for k in (1, 2))
        return first, Sigmoid(), second

    def scores(self, X):
        return chain(self.layers(), X)

    def loss(self, X, y):
        layers, last = self.layers(), SoftmaxWithLoss()
        loss = last.forward(chain(layers, X), y)
        chain(layers[::-1], last.backward(), backward=True)
        first, _, second = layers
        values = [first.dW, first.db, second.dW, second.db]
        grads = dict(zip(["W1", "b1", "W2", "b2"], values))
        for name in [name for name in grads if name.startswith("W")]:
            grads[name] = grads[name] + self.reg * self.params[name]
            loss = loss + 0.5 * self.reg * np.einsum("ij,ij->", self.params[name], self.params[name])
        return loss, grads
""",
    ),
    Variant(
        ("hessian_vector_product",),
        "a network without layers, and the Hessian itself",
        """
def hessian_vector_product(w, v, X, y):
    H = np.zeros((len(w), len(w)))
    for n in range(len(y)):
        h = 1 / (1 + np.exp(-X[n].dot(w)))
        s = h * (1 - h)
        H += (s * s + (h - y[n]) * s * (1 - 2 * h)) * np.outer(X[n], X[n]) / len(y)
    return H.dot(v)
""",
    ),
    Variant(
        ("hessian_vector_product",),
        "a network of a list of layers, and one tangent forward",
        """
def hessian_vector_product(w, v, X, y):
    h = 1 / (1 + np.exp(-(X @ w)))
    slope = h * (1 - h)
    h_moves = slope * (X @ v)
    slope_moves = (1 - 2 * h) * h_moves
    return X.T @ (h_moves * slope + (h - y) * slope_moves) / len(y)
""",
    ),
    Variant(
        ("hessian_vector_product",),
        "backward through the backward pass, node by node",
        """
def hessian_vector_product(w, v, X, y):
    N = X.shape[0]
    a = X.dot(w)
    h = 1 / (1 + np.exp(-a))
    e = h - y
    s = h * (1 - h)
    # the gradient is X^T (e s) / N; its product with v is a number, and that is differentiated
    dg = X.dot(v) / N
    de, ds = dg * s, dg * e
    dh = de + ds * (1 - h) - ds * h
    return X.T.dot(dh * h * (1 - h))
""",
    ),
    Variant(
        ("hessian_vector_product",),
        "einsum of the Hessian",
        """
def hessian_vector_product(w, v, X, y):
    out = 0.5 * (1 + np.tanh(0.5 * np.einsum("nd,d->n", X, w)))
    slope = out * (1 - out)
    curve = slope**2 + (out - y) * slope * (1 - 2 * out)
    return np.einsum("n,ni,nj,j->i", curve, X, X, v) / X.shape[0]
""",
    ),
    Variant(
        ("hessian_vector_product",),
        "example by example",
        """
def hessian_vector_product(w, v, X, y):
    total = np.zeros(w.shape)
    for x, target in zip(X, y):
        out = 1 / (1 + np.exp(-np.dot(x, w)))
        slope = out * (1 - out)
        along = np.dot(x, v)
        total += x * along * (slope * slope + (out - target) * slope * (1 - 2 * out))
    return total / len(X)
""",
    ),
    Variant(
        ("hessian_vector_product",),
        "columns, and a diagonal between two products",
        """
def hessian_vector_product(w, v, X, y):
    w, v, y = (each.reshape(-1, 1) for each in (w, v, y))
    out = 1 / (1 + np.exp(-np.matmul(X, w)))
    prime = out - np.square(out)
    second = prime - 2 * out * prime
    middle = np.diag((prime * prime + (out - y) * second).ravel() / len(y))
    return (X.T @ middle @ X @ v).ravel()
""",
    ),
)
