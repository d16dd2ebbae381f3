"""The hidden suite of the captioning notebooks: every wrong answer fails, every right one passes."""

import numpy as np
import pytest

from autograder.course import HOME, load_assignment
from autograder.judging import Judge
from autograder.misconceptions import with_mistake
from coursekit.notebook import slice_for

ASSIGNMENT = load_assignment("captioning", HOME)
KNOWN = [(assigned, known) for assigned in ASSIGNMENT.notebooks for known in assigned.misconceptions]


@pytest.mark.parametrize(
    ("notebook", "known"),
    [pytest.param(each.name, known, id=f"{each.name}, {known.question}: {known.name}") for each, known in KNOWN],
)
def test_a_known_mistake_costs_its_own_question_alone_and_is_told_by_its_name(notebook, known, student_of, graded):
    grade = graded(student_of(notebook).change(known.question, *known.change))
    assert grade.lost == {known.question}
    failed = [test for test in grade.questions[known.question].tests if test.outcome == "failed"]
    assert failed
    assert known.name in {test.misconception for test in failed}, grade.told(known.question)
    assert known.explanation in grade.told(known.question)


def test_every_question_has_known_mistakes():
    for assigned in ASSIGNMENT.notebooks:
        assert {known.question for known in assigned.misconceptions} == set(assigned.names)


def test_a_misconception_has_words_for_student_and_instructor():
    for _, known in KNOWN:
        assert not known.explanation[0].isupper() or known.explanation.startswith("W")
        assert not known.explanation.endswith(".")
        assert known.hint.endswith((".", "?"))
        assert known.change[1] not in known.hint


# ---------------------------------------------------------------------------------------- right in another way

STEP_FORWARD = {
    "dot, split into parts": """
def rnn_step_forward(x, prev_h, Wx, Wh, b):
    from_input = x.dot(Wx)
    from_state = np.dot(prev_h, Wh)
    a = from_input + from_state + b.reshape(1, -1)
    next_h = (np.exp(2 * a) - 1) / (np.exp(2 * a) + 1)
    return next_h, {"x": x, "prev_h": prev_h, "Wx": Wx, "Wh": Wh, "a": a}
""",
    "einsum, and a cache that is an object": """
class Cache:
    pass


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    cache = Cache()
    cache.x, cache.prev_h, cache.Wx, cache.Wh = x, prev_h, Wx, Wh
    cache.a = np.einsum("nd,dh->nh", x, Wx) + np.einsum("nk,kh->nh", prev_h, Wh) + b
    return np.tanh(cache.a), cache
""",
    "loops over examples, and a list for a cache": """
def rnn_step_forward(x, prev_h, Wx, Wh, b):
    rows = []
    for n in range(x.shape[0]):
        rows.append(np.tanh(np.matmul(x[n], Wx) + np.matmul(prev_h[n], Wh) + b))
    next_h = np.array(rows)
    print("next_h", next_h)
    return next_h, [x, prev_h, Wx, Wh, b, next_h]
""",
    "one product of stacked matrices": """
def rnn_step_forward(x, prev_h, Wx, Wh, b):
    both, W = np.hstack([x, prev_h]), np.vstack([Wx, Wh])
    next_h = np.tanh(both @ W + b)
    return [next_h, (both, W, x.shape[1], next_h)]
""",
}

STEP_BACKWARD = {
    "dot, split into parts": """
def rnn_step_backward(dnext_h, cache):
    dnext_h *= 1 / np.cosh(cache["a"]) ** 2  # changes what it was given
    dx = dnext_h.dot(cache["Wx"].T)
    dprev_h = dnext_h.dot(cache["Wh"].T)
    dWx = cache["x"].T.dot(dnext_h)
    dWh = cache.pop("prev_h").T.dot(dnext_h)  # uses up the cache
    return dx, dprev_h, dWx, dWh, np.ones(len(dnext_h)).dot(dnext_h)
""",
    "einsum, and a cache that is an object": """
def rnn_step_backward(dnext_h, cache):
    da = dnext_h * (1 - np.tanh(cache.a) ** 2)
    return (
        np.einsum("nh,dh->nd", da, cache.Wx),
        np.einsum("nh,kh->nk", da, cache.Wh),
        np.einsum("nd,nh->dh", cache.x, da),
        np.einsum("nk,nh->kh", cache.prev_h, da),
        np.einsum("nh->h", da),
    )
""",
    "loops over examples, and a list for a cache": """
def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, b, next_h = cache
    dx, dprev_h = np.zeros_like(x), np.zeros_like(prev_h)
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for n in range(len(x)):
        da = (1 - next_h[n] * next_h[n]) * dnext_h[n]
        dx[n], dprev_h[n] = Wx @ da, Wh @ da
        dWx += np.outer(x[n], da)
        dWh += np.outer(prev_h[n], da)
        db += da
    return [dx, dprev_h, dWx, dWh, db]
""",
    "one product of stacked matrices": """
def rnn_step_backward(dnext_h, cache):
    both, W, D, next_h = cache
    da = dnext_h * (1 - next_h) * (1 + next_h)
    dboth, dW = da @ W.T, both.T @ da
    return dboth[:, :D], dboth[:, D:], dW[:D], dW[D:], da.sum(0)
""",
}

SEQUENCES = {
    "time first": (
        """
def rnn_forward(x, h0, Wx, Wh, b):
    x = x.transpose(1, 0, 2)
    T, N, D = x.shape
    h, cache = np.zeros((T, N, h0.shape[1])), {}
    h[-1] = h0
    for t in range(T):
        h[t], cache[t] = rnn_step_forward(x[t], h[t - 1].copy() if t else h0, Wx, Wh, b)
    return h.swapaxes(0, 1), cache
""",
        """
def rnn_backward(dh, cache):
    N, T, H = dh.shape
    carried = np.zeros((N, H))
    for t in range(T - 1, -1, -1):
        carried = carried + dh[:, t, :]
        dxt, carried, dWxt, dWht, dbt = rnn_step_backward(carried, cache[t])
        if t == T - 1:
            dx = np.zeros((N, T, dxt.shape[1]))
            dWx, dWh, db = dWxt, dWht, dbt
        else:
            dWx, dWh, db = dWx + dWxt, dWh + dWht, db + dbt
        dx[:, t] = dxt
    return dx, carried, dWx, dWh, db
""",
    ),
    "a list that is used up": (
        """
def rnn_forward(x, h0, Wx, Wh, b):
    h, caches = [h0], []
    for x_t in np.split(x, x.shape[1], axis=1):
        next_h, cache = rnn_step_forward(x=x_t[:, 0], prev_h=h[-1], Wx=Wx, Wh=Wh, b=b)
        h.append(next_h)
        caches.append(cache)
    return np.stack(h[1:], axis=1), (caches, x.shape)
""",
        """
def rnn_backward(dh, cache):
    caches, shape = cache
    dxs, totals, dprev = [], [0.0, 0.0, 0.0], 0.0
    while caches:
        dx, dprev, *parts = rnn_step_backward(dh[:, len(caches) - 1] + dprev, caches.pop())
        dxs.insert(0, dx)
        totals = [total + part for total, part in zip(totals, parts)]
    return (np.stack(dxs, axis=1).reshape(shape), dprev, *totals)
""",
    ),
    "recursion": (
        """
def rnn_forward(x, h0, Wx, Wh, b):
    first, cache = rnn_step_forward(x[:, 0], h0, Wx, Wh, b)
    if x.shape[1] == 1:
        return first[:, None], (cache, None)
    rest, caches = rnn_forward(x[:, 1:], first, Wx, Wh, b)
    return np.concatenate([first[:, None], rest], axis=1), (cache, caches)
""",
        """
def rnn_backward(dh, cache):
    cache, caches = cache
    if caches is None:
        dx, *others = rnn_step_backward(dh[:, 0], cache)
        return dx[:, None], *others
    dx, dh0, dWx, dWh, db = rnn_backward(dh[:, 1:], caches)
    dx_t, dprev, dWx_t, dWh_t, db_t = rnn_step_backward(dh[:, 0] + dh0, cache)
    return np.concatenate([dx_t[:, None], dx], axis=1), dprev, dWx + dWx_t, dWh + dWh_t, db + db_t
""",
    ),
}

EMBEDDINGS = {
    "loops": (
        """
def word_embedding_forward(x, W):
    out = np.zeros((*x.shape, W.shape[1]))
    for n in range(x.shape[0]):
        for t in range(x.shape[1]):
            out[n, t, :] = W[x[n, t], :]
    return out, (x, W.shape)
""",
        """
def word_embedding_backward(dout, cache):
    x, shape = cache
    dW = np.zeros(shape)
    for place in np.ndindex(x.shape):
        dW[x[place]] += dout[place]
    return dW
""",
    ),
    "one-hot": (
        """
def word_embedding_forward(x, W):
    one_hot = np.eye(len(W))[x]
    return one_hot @ W, one_hot
""",
        """
def word_embedding_backward(dout, cache):
    return np.tensordot(cache, dout, axes=([0, 1], [0, 1]))
""",
    ),
    "bincount": (
        """
def word_embedding_forward(x, W):
    return np.take(W, x, axis=0), (x, len(W))
""",
        """
def word_embedding_backward(dout, cache):
    x, V = cache
    columns = [np.bincount(x.ravel(), weights=dout[..., d].ravel(), minlength=V) for d in range(dout.shape[2])]
    return np.array(columns).T
""",
    ),
}

SAMPLES = {
    "stops after <END>": """
class CaptioningRNN(CaptioningRNN):
    def sample(self, features, max_length=30):
        N = features.shape[0]
        captions = self._null * np.ones((N, max_length), dtype=np.int32)
        h = features.dot(self.params["W_proj"]) + self.params["b_proj"]
        words, over = [self._start] * N, np.zeros(N, dtype=bool)
        for t in range(max_length):
            h, _ = rnn_step_forward(self.params["W_embed"][words], h, *(self.params[k] for k in ("Wx", "Wh", "b")))
            words = np.argmax(h.dot(self.params["W_vocab"]) + self.params["b_vocab"], axis=1)
            captions[~over, t] = words[~over]
            over |= words == self._end if self._end is not None else False
        return captions
""",
    "one picture at a time, patched into the class": """
def sample(self, features, max_length=30):
    captions = []
    for feature in features:
        h, _ = affine_forward(feature[None], self.params["W_proj"], self.params["b_proj"])
        word, caption = self._start, []
        for _ in range(max_length):
            x, _ = word_embedding_forward(np.array([[word]]), self.params["W_embed"])
            h, _ = rnn_step_forward(x[:, 0], h, self.params["Wx"], self.params["Wh"], self.params["b"])
            scores, _ = temporal_affine_forward(h[:, None], self.params["W_vocab"], self.params["b_vocab"])
            word = int(np.argmax(scores))
            caption.append(word)
        captions.append(caption)
    return np.array(captions)


CaptioningRNN.sample = sample
""",
}

RIGHT = [
    *[{"rnn_step_forward": STEP_FORWARD[name], "rnn_step_backward": STEP_BACKWARD[name]} for name in STEP_FORWARD],
    *[{"rnn_forward": forward, "rnn_backward": backward} for forward, backward in SEQUENCES.values()],
    *[{"word_embedding_forward": f, "word_embedding_backward": b} for f, b in EMBEDDINGS.values()],
    *[{"CaptioningRNN.sample": source} for source in SAMPLES.values()],
]
NAMES = [*STEP_FORWARD, *SEQUENCES, *EMBEDDINGS, *SAMPLES]


@pytest.mark.parametrize("answers", RIGHT, ids=NAMES)
def test_a_right_answer_earns_everything_however_it_is_written(student, graded, answers):
    for name, source in answers.items():
        student.write(name, source)
    grade = graded(student)
    assert not grade.lost, "\n".join(grade.told(name) for name in grade.lost)


def test_helpers_in_other_cells_lambdas_and_constants_are_found(student, graded):
    student.add("from numpy import tanh as squash\nONE = 1.0\nslope = lambda h: ONE - h * h", at=3)
    student.add("def through(d, h):\n    return d * slope(h)", at=4)
    student.change("rnn_step_forward", "np.tanh(", "squash(")
    student.change("rnn_step_backward", "dnext_h * (1 - next_h**2)", "through(dnext_h, next_h)")
    assert not graded(student).lost


def test_float32_inside_is_right_with_a_remark_as_long_as_the_result_is_accurate(student, graded):
    student.change("rnn_step_forward", "return next_h, cache", "return next_h.astype(np.float32), cache")
    grade = graded(student)
    assert grade.points["rnn_step_forward"] == 4
    assert grade.points["rnn_step_backward"] == 8
    assert any("float32" in test.remark for test in grade.questions["rnn_step_forward"].tests)


def test_the_reference_passes_whatever_the_seed():
    """1,000 seeds, judged in this process: every gradient of every layer."""
    for assigned in ASSIGNMENT.notebooks:
        suite = load_suite(assigned)
        layers = [
            (getattr(suite, name), getattr(suite, f"{name.lower()}_inputs"))
            for name in ("STEP", "SEQUENCE", "EMBEDDING")
            if hasattr(suite, name)
        ]
        for seed in range(1000):
            judge = Judge("", assigned.reference, assigned.reference, np.random.default_rng(seed), assigned.mistakes)
            for layer, inputs in layers:
                judge.gradients(layer, inputs(judge))
            assert not judge.followed_through
            assigned.reference.forget()


def load_suite(assigned):
    import importlib.util

    spec = importlib.util.spec_from_file_location("suite", assigned.suite)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_mistake_that_is_not_in_the_reference_is_an_error_of_the_suite():
    from dataclasses import replace

    from autograder.errors import SuiteError

    assigned, known = KNOWN[0]
    statements = slice_for(assigned.source.statements, assigned.names)
    with pytest.raises(SuiteError, match="occurs 0 times"):
        with_mistake(statements, replace(known, change=("no such words", "")))


NOTEBOOK_HABITS = {
    "an import from the future holds for the cells that follow": (
        "from __future__ import annotations",
        ("def rnn_step_forward(x, prev_h", "def rnn_step_forward(x: Unknown, prev_h"),
    ),
    "display shows nothing": (
        "from IPython.display import display",
        ("next_h = np.tanh", "display(x); next_h = np.tanh"),
    ),
    "display needs no import": ("", ("next_h = np.tanh", "display(x.shape)\n    next_h = np.tanh")),
    "numpy patched with its old names": ("np.int = int", ("next_h = np.tanh", "np.int(1); next_h = np.tanh")),
    "a name that a called function binds": (
        "def setup():\n    global ACT\n    ACT = np.tanh\nsetup()",
        ("np.tanh(", "ACT("),
    ),
}


@pytest.mark.parametrize(("cell", "change"), NOTEBOOK_HABITS.values(), ids=NOTEBOOK_HABITS)
def test_what_works_in_a_notebook_works_here(student, graded, cell, change):
    student.add(cell, at=3).change("rnn_step_forward", *change)
    grade = graded(student)
    assert not grade.lost, grade.told("rnn_step_forward")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (
            "CaptioningRNN.loss",
            "params, grads = self.params, {}",
            "params = self.params; grads = collections.OrderedDict()",
        ),
        ("rnn_step_forward", "return next_h, cache", "return Pair(next_h, cache)"),
        ("rnn_forward", "prev_h = h0", "prev_h = h0.astype(np.float32)"),
        ("CaptioningRNN.loss", "return loss, grads", "return np.array(loss), grads"),
    ],
)
def test_other_kinds_of_dict_tuple_and_number_are_right(student, graded, name, old, new):
    student.add('import collections\nPair = collections.namedtuple("Pair", "out cache")', at=3).change(name, old, new)
    grade = graded(student)
    assert not grade.lost - ({"rnn_forward", "rnn_backward"} if "float32" in new else set()), grade.told(name)
