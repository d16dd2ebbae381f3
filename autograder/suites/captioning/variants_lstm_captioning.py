"""Other right ways to write ``lstm_captioning``, as students write them."""

from __future__ import annotations

from autograder.audit.variants import Variant
from autograder.suites.captioning.variants_of_loss import losses_of

VARIANTS = (
    Variant(
        ("lstm_step_forward", "lstm_step_backward"),
        "slices, a dict for a cache, in-place accumulation",
        """
def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    H = prev_h.shape[1]
    a = x.dot(Wx)
    a += prev_h.dot(Wh)
    a += b
    cache = {"x": x, "prev_h": prev_h, "prev_c": prev_c, "Wx": Wx, "Wh": Wh}
    cache["i"] = 1 / (1 + np.exp(-a[:, 0:H]))
    cache["f"] = 1 / (1 + np.exp(-a[:, H:2 * H]))
    cache["o"] = 1 / (1 + np.exp(-a[:, 2 * H:3 * H]))
    cache["g"] = np.tanh(a[:, 3 * H:])
    next_c = cache["f"] * prev_c
    next_c += cache["i"] * cache["g"]
    cache["t"] = np.tanh(next_c)
    return cache["o"] * cache["t"], next_c, cache


def lstm_step_backward(dnext_h, dnext_c, cache):
    H = dnext_h.shape[1]
    i, f, o, g, t = (cache.pop(name) for name in "ifogt")  # uses up the cache
    dnext_c += dnext_h * o * (1 - t * t)  # changes what it was given
    da = np.empty((len(dnext_h), 4 * H))
    da[:, :H] = dnext_c * g * i * (1 - i)
    da[:, H:2 * H] = dnext_c * cache["prev_c"] * f * (1 - f)
    da[:, 2 * H:3 * H] = dnext_h * t * o * (1 - o)
    da[:, 3 * H:] = dnext_c * i * (1 - g * g)
    dnext_c *= f
    dWx, dWh = cache["x"].T.dot(da), cache["prev_h"].T.dot(da)
    return da.dot(cache["Wx"].T), da.dot(cache["Wh"].T), dnext_c, dWx, dWh, da.sum(0)
""",
    ),
    Variant(
        ("lstm_step_forward", "lstm_step_backward"),
        "columns reshaped to (N, 4, H), a stable sigmoid by np.where",
        """
def stable_sigmoid(a):
    small = np.exp(-np.abs(a))
    return np.where(a >= 0, 1 / (1 + small), small / (1 + small))


def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    N, H = prev_h.shape
    a = (x @ Wx + prev_h @ Wh + b).reshape(N, 4, H)
    gates, g = stable_sigmoid(a[:, :3]), np.tanh(a[:, 3])
    next_c = gates[:, 1] * prev_c + gates[:, 0] * g
    return gates[:, 2] * np.tanh(next_c), next_c, [x, prev_h, prev_c, Wx, Wh, gates, g, next_c]


def lstm_step_backward(dnext_h, dnext_c, cache):
    x, prev_h, prev_c, Wx, Wh, gates, g, next_c = cache
    N, H = prev_h.shape
    i, f, o = gates.transpose(1, 0, 2)
    dc = dnext_c + dnext_h * o / np.cosh(next_c) ** 2
    dgates = np.stack([dc * g, dc * prev_c, dnext_h * np.tanh(next_c)], axis=1)
    da = np.concatenate([dgates * gates * (1 - gates), (dc * i * (1 - g**2))[:, None]], axis=1).reshape(N, 4 * H)
    return [da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, prev_h.T @ da, da.sum(axis=0)]
""",
    ),
    Variant(
        ("lstm_step_forward", "lstm_step_backward"),
        "loops over examples, and a cache that is an object",
        """
class Cache:
    pass


def logistic(a):
    return (1 + np.tanh(a / 2)) / 2


def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    cache = Cache()
    cache.rows, cache.Wx, cache.Wh = [], Wx, Wh
    next_h, next_c = np.zeros_like(prev_h), np.zeros_like(prev_c)
    H = prev_h.shape[1]
    for n in range(len(x)):
        a = np.matmul(x[n], Wx) + np.matmul(prev_h[n], Wh) + b
        i, f, o, g = logistic(a[:H]), logistic(a[H:-2 * H]), logistic(a[-2 * H:-H]), np.tanh(a[-H:])
        next_c[n] = f * prev_c[n] + i * g
        next_h[n] = o * np.tanh(next_c[n])
        cache.rows.append((x[n], prev_h[n], prev_c[n], i, f, o, g, next_c[n].copy()))
    print("next_h", next_h)
    return next_h, next_c, cache


def lstm_step_backward(dnext_h, dnext_c, cache):
    dx, dprev_h, dprev_c, dWx, dWh, db = [], [], [], 0, 0, 0
    for dh, dc, (x, h, c, i, f, o, g, next_c) in zip(dnext_h, dnext_c, cache.rows):
        dc = dc + dh * o * (1 - np.tanh(next_c) ** 2)
        do = dh * np.tanh(next_c)
        da = np.concatenate([dc * g * i * (1 - i), dc * c * f * (1 - f), do * o * (1 - o), dc * i * (1 - g * g)])
        dx.append(cache.Wx @ da)
        dprev_h.append(cache.Wh @ da)
        dprev_c.append(dc * f)
        dWx = dWx + np.outer(x, da)
        dWh = dWh + np.outer(h, da)
        db = db + da
    return np.array(dx), np.array(dprev_h), np.array(dprev_c), dWx, dWh, db
""",
    ),
    Variant(
        ("lstm_step_forward", "lstm_step_backward"),
        "einsum over an axis of gates",
        """
def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    H = prev_h.shape[1]
    Wx4, Wh4 = Wx.reshape(-1, 4, H), Wh.reshape(H, 4, H)
    a = np.einsum("nd,dkh->knh", x, Wx4) + np.einsum("nj,jkh->knh", prev_h, Wh4) + b.reshape(4, 1, H)
    s = np.exp(np.minimum(a, 0)) / (1 + np.exp(-np.abs(a)))
    next_c = s[1] * prev_c + s[0] * np.tanh(a[3])
    return s[2] * np.tanh(next_c), next_c, (x, prev_h, prev_c, Wx4, Wh4, a, s, next_c)


def lstm_step_backward(dnext_h, dnext_c, cache):
    x, prev_h, prev_c, Wx4, Wh4, a, s, next_c = cache
    D, _, H = Wx4.shape
    t, g = np.tanh(next_c), np.tanh(a[3])
    dc = dnext_c + dnext_h * s[2] * (1 - t) * (1 + t)
    da = np.array([dc * g, dc * prev_c, dnext_h * t, dc * s[0]])
    da[:3] *= s[:3] * (1 - s[:3])
    da[3] *= 1 - g**2
    return (
        np.einsum("knh,dkh->nd", da, Wx4),
        np.einsum("knh,jkh->nj", da, Wh4),
        dc * s[1],
        np.einsum("nd,knh->dkh", x, da).reshape(D, 4 * H),
        np.einsum("nj,knh->jkh", prev_h, da).reshape(H, 4 * H),
        np.einsum("knh->kh", da).ravel(),
    )
""",
    ),
    Variant(
        ("lstm_step_forward", "lstm_step_backward"),
        "one product of stacked matrices, np.split and a namedtuple",
        """
import collections

Step = collections.namedtuple("Step", "both W D i f o g prev_c tanh_c")


def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    both, W = np.hstack([x, prev_h]), np.vstack([Wx, Wh])
    *gates, g = np.split(both @ W + b[None, :], 4, axis=-1)
    i, f, o = map(sigmoid, gates)
    next_c = np.multiply(f, prev_c) + np.multiply(i, np.tanh(g))
    tanh_c = np.tanh(next_c)
    return [np.multiply(o, tanh_c), next_c, Step(both, W, x.shape[1], i, f, o, np.tanh(g), prev_c, tanh_c)]


def lstm_step_backward(dnext_h, dnext_c, cache):
    dc = dnext_c + (1 - cache.tanh_c**2) * cache.o * dnext_h
    slope = lambda s: s - s**2
    da = np.c_[
        cache.g * slope(cache.i) * dc,
        cache.prev_c * slope(cache.f) * dc,
        cache.tanh_c * slope(cache.o) * dnext_h,
        cache.i * (1 - cache.g**2) * dc,
    ]
    dboth, dW = da @ cache.W.T, cache.both.T @ da
    D = cache.D
    return dboth[:, :D], dboth[:, D:], cache.f * dc, dW[:D], dW[D:], np.ones(len(da)) @ da
""",
    ),
    Variant(
        ("lstm_step_forward", "lstm_step_backward"),
        "four small affine maps, and a backward pass for each",
        """
def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    out, caches = [], []
    for wx, wh, bias in zip(np.hsplit(Wx, 4), np.hsplit(Wh, 4), np.split(b, 4)):
        from_x, cache_x = affine_forward(x, wx, bias)
        from_h, cache_h = affine_forward(prev_h, wh, 0.0)
        out.append(from_x + from_h)
        caches.append((cache_x, cache_h))
    kept, cache_f = gate_forward(out[1], prev_c)
    added, cache_i = gate_forward(out[0], np.tanh(out[3]))
    next_c = kept + added
    next_h, cache_o = gate_forward(out[2], np.tanh(next_c))
    return next_h, next_c, (caches, cache_i, cache_f, cache_o)


def lstm_step_backward(dnext_h, dnext_c, cache):
    caches, cache_i, cache_f, cache_o = cache
    da_o, dtanh = gate_backward(dnext_h, cache_o)
    dc = dnext_c + dtanh * (1 - cache_o[1] ** 2)
    da_f, dprev_c = gate_backward(dc, cache_f)
    da_i, dg = gate_backward(dc, cache_i)
    dx = dprev_h = 0
    dWx, dWh, db = [], [], []
    for da, (cache_x, cache_h) in zip([da_i, da_f, da_o, dg * (1 - cache_i[1] ** 2)], caches):
        dx_k, dwx, dbias = affine_backward(da, cache_x)
        dh_k, dwh, _ = affine_backward(da, cache_h)
        dx, dprev_h = dx + dx_k, dprev_h + dh_k
        dWx.append(dwx)
        dWh.append(dwh)
        db.append(dbias)
    return dx, dprev_h, dprev_c, np.hstack(dWx), np.hstack(dWh), np.hstack(db)
""",
    ),
    Variant(
        ("lstm_forward", "lstm_backward"),
        "arrays filled in, a dict of caches",
        """
def lstm_forward(x, h0, Wx, Wh, b):
    N, T, D = x.shape
    h, c, cache = np.zeros((N, T, h0.shape[1])), np.zeros_like(h0), {}
    prev_h = h0
    for t in range(T):
        h[:, t, :], c, cache[t] = lstm_step_forward(x[:, t, :], prev_h, c, Wx, Wh, b)
        prev_h = h[:, t, :]
    return h, cache


def lstm_backward(dh, cache):
    N, T, H = dh.shape
    carried_h, carried_c = np.zeros((N, H)), np.zeros((N, H))
    for t in range(T - 1, -1, -1):
        dxt, carried_h, carried_c, dWxt, dWht, dbt = lstm_step_backward(dh[:, t] + carried_h, carried_c, cache[t])
        if t == T - 1:
            dx = np.zeros((N, T, dxt.shape[1]))
            dWx, dWh, db = np.zeros_like(dWxt), np.zeros_like(dWht), np.zeros_like(dbt)
        dx[:, t] = dxt
        dWx += dWxt
        dWh += dWht
        db += dbt
    return dx, carried_h, dWx, dWh, db
""",
    ),
    Variant(
        ("lstm_forward", "lstm_backward"),
        "time first",
        """
def lstm_forward(x, h0, Wx, Wh, b):
    x = np.moveaxis(x, 1, 0)
    states, cells, caches = [h0], [0 * h0], []
    for x_t in x:
        h, c, cache = lstm_step_forward(x=x_t, prev_h=states[-1], prev_c=cells[-1], Wx=Wx, Wh=Wh, b=b)
        states.append(h), cells.append(c), caches.append(cache)
    return np.array(states[1:]).swapaxes(0, 1), tuple(caches)


def lstm_backward(dh, cache):
    dxs, totals, d_h, d_c = [], None, 0.0, np.zeros_like(dh[:, 0])
    for upstream, step in zip(reversed(dh.transpose(1, 0, 2)), reversed(cache)):
        dx, d_h, d_c, *parts = lstm_step_backward(upstream + d_h, d_c, step)
        totals = parts if totals is None else [total + part for total, part in zip(totals, parts)]
        dxs.insert(0, dx)
    return (np.stack(dxs, axis=1), d_h, *totals)
""",
    ),
    Variant(
        ("lstm_forward", "lstm_backward"),
        "recursion",
        """
def run(x, h, c, *weights):
    h, c, cache = lstm_step_forward(x[:, 0], h, c, *weights)
    if x.shape[1] == 1:
        return [h], [cache]
    later, caches = run(x[:, 1:], h, c, *weights)
    return [h, *later], [cache, *caches]


def lstm_forward(x, h0, Wx, Wh, b):
    states, caches = run(x, h0, np.zeros(h0.shape), Wx, Wh, b)
    return np.concatenate([h[:, None] for h in states], axis=1), caches


def back(dh, caches):
    if not caches:
        return [], 0 * dh[:, 0] if dh.shape[1] else 0, 0, 0, 0, 0
    later, d_h, d_c, *totals = back(dh[:, 1:], caches[1:])
    dx, d_h, d_c, *parts = lstm_step_backward(dh[:, 0] + d_h, np.zeros_like(dh[:, 0]) + d_c, caches[0])
    return [dx, *later], d_h, d_c, *(total + part for total, part in zip(totals, parts))


def lstm_backward(dh, cache):
    dx, dh0, _, dWx, dWh, db = back(dh, cache)
    return np.stack(dx, 1), dh0, dWx, dWh, db
""",
    ),
    Variant(
        ("lstm_forward", "lstm_backward"),
        "a list that is used up",
        """
def lstm_forward(x, h0, Wx, Wh, b):
    h, prev_h, prev_c, cache = np.empty((*x.shape[:2], len(Wh))), h0, np.zeros_like(h0), []
    for t, x_t in enumerate(np.split(x, x.shape[1], axis=1)):
        prev_h, prev_c, step = lstm_step_forward(x_t.squeeze(axis=1), prev_h, prev_c, Wx, Wh, b)
        h[:, t] = prev_h
        cache += [step]
    return h, (cache, x.shape)


def lstm_backward(dh, cache):
    steps, shape = cache
    dx, grads, carried = np.zeros(shape), {}, [np.zeros_like(dh[:, 0]) for _ in range(2)]
    while steps:
        t = len(steps) - 1
        dx[:, t], *carried, dWx, dWh, db = lstm_step_backward(dh[:, t] + carried[0], carried[1], steps.pop())
        for name, part in {"Wx": dWx, "Wh": dWh, "b": db}.items():
            grads[name] = grads.get(name, 0) + part
    return dx, carried[0], grads["Wx"], grads["Wh"], grads["b"]
""",
    ),
    Variant(
        ("lstm_forward", "lstm_backward"),
        "a step of its own, all inputs multiplied at once",
        """
def lstm_forward(x, h0, Wx, Wh, b):
    N, T, D = x.shape
    H = len(Wh)
    A = (x.reshape(N * T, D) @ Wx + b).reshape(N, T, 4 * H)
    h, c, H_all, steps = h0, np.zeros((N, H)), np.zeros((N, T, H)), []
    for t in range(T):
        a = A[:, t] + h @ Wh
        s, g = sigmoid(a[:, : 3 * H]), np.tanh(a[:, 3 * H :])
        i, f, o = s[:, :H], s[:, H : 2 * H], s[:, 2 * H :]
        new_c = f * c + i * g
        steps.append((h, c, i, f, o, g, np.tanh(new_c)))
        h, c = o * np.tanh(new_c), new_c
        H_all[:, t] = h
    return H_all, (x, Wx, Wh, steps)


def lstm_backward(dh, cache):
    x, Wx, Wh, steps = cache
    N, T, D = x.shape
    H = len(Wh)
    dA, dWh, d_h, d_c = np.zeros((N, T, 4 * H)), np.zeros_like(Wh), np.zeros((N, H)), np.zeros((N, H))
    for t in reversed(range(T)):
        h, c, i, f, o, g, tanh_c = steps[t]
        d_h = dh[:, t] + d_h
        d_c = d_c + d_h * o * (1 - tanh_c**2)
        dA[:, t] = np.hstack(
            [d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_h * tanh_c * o * (1 - o), d_c * i * (1 - g**2)]
        )
        dWh += h.T @ dA[:, t]
        d_h, d_c = dA[:, t] @ Wh.T, d_c * f
    flat = dA.reshape(N * T, -1)
    return dA @ Wx.T, d_h, x.reshape(N * T, D).T @ flat, dWh, flat.sum(axis=0)
""",
    ),
    Variant(
        ("lstm_forward", "lstm_backward"),
        "the cell kept in a default dict, gradients gathered and summed at the end",
        """
import collections


def lstm_forward(x, h0, Wx, Wh, b):
    c = collections.defaultdict(lambda: np.zeros(h0.shape))
    h, cache = {-1: h0}, {}
    for t in range(x.shape[1]):
        h[t], c[t], cache[t] = lstm_step_forward(x[:, t], h[t - 1], c[t - 1], Wx, Wh, b)
    return np.dstack([h[t] for t in range(x.shape[1])]).transpose(0, 2, 1), cache


def lstm_backward(dh, cache):
    T = dh.shape[1]
    steps = [None] * T
    after = (None, np.zeros_like(dh[:, 0]), np.zeros_like(dh[:, 0]))
    for t in range(T)[::-1]:
        after = steps[t] = lstm_step_backward(dh[:, t] + after[1], after[2], cache[t])
    dx, dprev_h, _, dWx, dWh, db = zip(*steps)
    return np.stack(dx, axis=1), dprev_h[0], sum(dWx), np.sum(dWh, axis=0), np.add.reduce(db)
""",
    ),
    Variant(
        ("CaptioningRNN.loss",),
        "the forward and the backward functions chosen by the cell type",
        """
class CaptioningRNN(CaptioningModel):
    def loss(self, features, captions):
        captions_in, captions_out = captions[:, :-1], captions[:, 1:]
        forward, backward = {"rnn": (rnn_forward, rnn_backward), "lstm": (lstm_forward, lstm_backward)}[self.cell_type]
        p = self.params
        h0, c1 = affine_forward(features, p["W_proj"], p["b_proj"])
        x, c2 = word_embedding_forward(captions_in, p["W_embed"])
        h, c3 = forward(x, h0, p["Wx"], p["Wh"], p["b"])
        scores, c4 = temporal_affine_forward(h, p["W_vocab"], p["b_vocab"])
        loss, d = temporal_softmax_loss(scores, captions_out, captions_out != self._null)
        grads = dict.fromkeys(p)
        d, grads["W_vocab"], grads["b_vocab"] = temporal_affine_backward(d, c4)
        d, dh0, grads["Wx"], grads["Wh"], grads["b"] = backward(d, c3)
        grads["W_embed"] = word_embedding_backward(d, c2)
        _, grads["W_proj"], grads["b_proj"] = affine_backward(dh0, c1)
        return loss, grads
""",
    ),
    Variant(
        ("CaptioningRNN.sample",),
        "stops after <END>",
        """
class CaptioningRNN(CaptioningRNN):
    def sample(self, features, max_length=30):
        p = self.params
        captions = np.full((features.shape[0], max_length), self._null, dtype=np.int32)
        h = features @ p["W_proj"] + p["b_proj"]
        c = np.zeros(h.shape)
        words, over = np.full(len(features), self._start), np.zeros(len(features), dtype=bool)
        for t in range(max_length):
            h, c, _ = lstm_step_forward(p["W_embed"][words], h, c, p["Wx"], p["Wh"], p["b"])
            words = np.argmax(h @ p["W_vocab"] + p["b_vocab"], axis=1)
            captions[~over, t] = words[~over]
            if self._end is not None:
                over |= words == self._end
            if over.all():
                break
        return captions
""",
    ),
    Variant(
        ("CaptioningRNN.sample",),
        "one picture at a time, patched into the class",
        """
def sample(self, features, max_length=30):
    weights = [self.params[name] for name in ("Wx", "Wh", "b")]
    captions = []
    for feature in features:
        h, _ = affine_forward(feature[None], self.params["W_proj"], self.params["b_proj"])
        c, caption = h * 0, [self._start]
        while len(caption) <= max_length:
            x, _ = word_embedding_forward(np.array([caption[-1:]]), self.params["W_embed"])
            h, c, _ = lstm_step_forward(x[:, 0], h, c, *weights)
            scores, _ = temporal_affine_forward(h[:, None], self.params["W_vocab"], self.params["b_vocab"])
            caption.append(int(scores.argmax()))
        captions.append(caption[1:])
    return np.array(captions)


CaptioningRNN.sample = sample
""",
    ),
    Variant(
        ("CaptioningRNN.sample",),
        "temporal layers with one time step",
        """
class CaptioningRNN(CaptioningRNN):
    def sample(self, features, max_length=30):
        N = features.shape[0]
        p = self.params
        captions = self._null * np.ones((N, max_length), dtype=np.int32)
        prev_h, _ = affine_forward(features, p["W_proj"], p["b_proj"])
        prev_c = np.zeros_like(prev_h)
        prev_word = self._start * np.ones((N, 1), dtype=np.int32)
        for t in range(max_length):
            x, _ = word_embedding_forward(prev_word, p["W_embed"])
            prev_h, prev_c, _ = lstm_step_forward(np.squeeze(x, axis=1), prev_h, prev_c, p["Wx"], p["Wh"], p["b"])
            scores, _ = temporal_affine_forward(prev_h[:, np.newaxis, :], p["W_vocab"], p["b_vocab"])
            captions[:, t] = np.argmax(np.squeeze(scores, axis=1), axis=1)
            prev_word = captions[:, t].reshape(N, 1)
        return captions
""",
    ),
    Variant(
        ("CaptioningRNN.sample",),
        "a list of columns, stacked at the end",
        """
class CaptioningRNN(CaptioningRNN):
    def sample(self, features, max_length=30):
        embed, out, bias = (self.params[name] for name in ("W_embed", "W_vocab", "b_vocab"))
        weights = [self.params[name] for name in ("Wx", "Wh", "b")]
        prev_h = np.dot(features, self.params["W_proj"]) + self.params["b_proj"]
        prev_c = np.zeros_like(prev_h)
        said = [np.array([self._start] * len(features))]
        while len(said) <= max_length:
            prev_h, prev_c, _ = lstm_step_forward(embed[said[-1]], prev_h, prev_c, *weights)
            said.append((prev_h @ out + bias).argmax(-1))
        return np.stack(said[1:], axis=1)
""",
    ),
    Variant(
        ("CaptioningRNN.sample",),
        "a generator of words",
        """
class CaptioningRNN(CaptioningRNN):
    def words(self, features):
        p = self.params
        prev_h, _ = affine_forward(features, p["W_proj"], p["b_proj"])
        prev_c = np.zeros_like(prev_h)
        word = np.zeros(len(features), dtype=int) + self._start
        while True:
            prev_h, prev_c, _ = lstm_step_forward(p["W_embed"][word], prev_h, prev_c, p["Wx"], p["Wh"], p["b"])
            word = np.argmax(prev_h @ p["W_vocab"] + p["b_vocab"], axis=1)
            yield word

    def sample(self, features, max_length=30):
        captions = np.empty((features.shape[0], max_length), dtype=np.int64)
        for t, word in zip(range(max_length), self.words(features)):
            captions[:, t] = word
        return captions
""",
    ),
    Variant(
        ("CaptioningRNN.sample",),
        "scores sorted, <NULL> after <END>",
        """
class CaptioningRNN(CaptioningRNN):
    def sample(self, features, max_length=30):
        p = self.params
        rows = []
        prev_h = features @ p["W_proj"] + p["b_proj"]
        prev_c = np.zeros_like(prev_h)
        words = [self._start for _ in features]
        for _ in range(max_length):
            x = np.stack([p["W_embed"][word] for word in words])
            prev_h, prev_c, _ = lstm_step_forward(x, prev_h, prev_c, p["Wx"], p["Wh"], p["b"])
            words = [int(np.argsort(row)[-1]) for row in np.einsum("nh,hv->nv", prev_h, p["W_vocab"]) + p["b_vocab"]]
            rows.append(words)
        captions = np.array(rows).T
        for caption in captions:
            ends = np.flatnonzero(caption == self._end) if self._end is not None else []
            if len(ends):
                caption[ends[0] + 1 :] = self._null
        return captions
""",
    ),
    *losses_of("lstm"),
)
