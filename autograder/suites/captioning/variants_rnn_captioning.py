"""Other right ways to write ``rnn_captioning``, as students write them."""

from __future__ import annotations

from autograder.audit.variants import Variant
from autograder.suites.captioning.variants_of_loss import losses_of

VARIANTS = (
    Variant(
        ("rnn_step_forward", "rnn_step_backward"),
        "dot, split into parts",
        """
def rnn_step_forward(x, prev_h, Wx, Wh, b):
    from_input = x.dot(Wx)
    from_state = np.dot(prev_h, Wh)
    a = from_input + from_state + b.reshape(1, -1)
    next_h = (np.exp(2 * a) - 1) / (np.exp(2 * a) + 1)
    return next_h, {"x": x, "prev_h": prev_h, "Wx": Wx, "Wh": Wh, "a": a}


def rnn_step_backward(dnext_h, cache):
    dnext_h *= 1 / np.cosh(cache["a"]) ** 2  # changes what it was given
    dx = dnext_h.dot(cache["Wx"].T)
    dprev_h = dnext_h.dot(cache["Wh"].T)
    dWx = cache["x"].T.dot(dnext_h)
    dWh = cache.pop("prev_h").T.dot(dnext_h)  # uses up the cache
    return dx, dprev_h, dWx, dWh, np.ones(len(dnext_h)).dot(dnext_h)
""",
    ),
    Variant(
        ("rnn_step_forward", "rnn_step_backward"),
        "einsum, and a cache that is an object",
        """
class Cache:
    pass


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    cache = Cache()
    cache.x, cache.prev_h, cache.Wx, cache.Wh = x, prev_h, Wx, Wh
    cache.a = np.einsum("nd,dh->nh", x, Wx) + np.einsum("nk,kh->nh", prev_h, Wh) + b
    return np.tanh(cache.a), cache


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
    ),
    Variant(
        ("rnn_step_forward", "rnn_step_backward"),
        "loops over examples, and a list for a cache",
        """
def rnn_step_forward(x, prev_h, Wx, Wh, b):
    rows = []
    for n in range(x.shape[0]):
        rows.append(np.tanh(np.matmul(x[n], Wx) + np.matmul(prev_h[n], Wh) + b))
    next_h = np.array(rows)
    print("next_h", next_h)
    return next_h, [x, prev_h, Wx, Wh, b, next_h]


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
    ),
    Variant(
        ("rnn_step_forward", "rnn_step_backward"),
        "one product of stacked matrices",
        """
def rnn_step_forward(x, prev_h, Wx, Wh, b):
    both, W = np.hstack([x, prev_h]), np.vstack([Wx, Wh])
    next_h = np.tanh(both @ W + b)
    return [next_h, (both, W, x.shape[1], next_h)]


def rnn_step_backward(dnext_h, cache):
    both, W, D, next_h = cache
    da = dnext_h * (1 - next_h) * (1 + next_h)
    dboth, dW = da @ W.T, both.T @ da
    return dboth[:, :D], dboth[:, D:], dW[:D], dW[D:], da.sum(0)
""",
    ),
    Variant(
        ("rnn_step_forward", "rnn_step_backward"),
        "in place, and a cache by keyword",
        """
def rnn_step_forward(x, prev_h, Wx, Wh, b):
    next_h = np.empty_like(prev_h)
    np.matmul(x, Wx, out=next_h)
    next_h += prev_h @ Wh
    next_h += b
    np.tanh(next_h, out=next_h)
    return next_h, dict(x=x, prev_h=prev_h, Wx=Wx, Wh=Wh, next_h=next_h)


def rnn_step_backward(dnext_h, cache):
    da = cache["next_h"].copy()
    da **= 2
    da *= -1
    da += 1
    da *= dnext_h
    grads = [da @ cache[name].T for name in ("Wx", "Wh")] + [cache[name].T @ da for name in ("x", "prev_h")]
    return (*grads, np.add.reduce(da, axis=0))
""",
    ),
    Variant(
        ("rnn_step_forward", "rnn_step_backward"),
        "two given affine layers and a tanh of its own",
        """
def tanh_forward(a):
    h = 2 / (1 + np.exp(-2 * a)) - 1
    return h, h


def tanh_backward(dout, h):
    return dout - dout * h * h


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    from_x, cache_x = affine_forward(x, Wx, b)
    from_h, cache_h = affine_forward(prev_h, Wh, np.zeros_like(b))
    next_h, cache_tanh = tanh_forward(from_x + from_h)
    return next_h, ((cache_x, cache_h), cache_tanh)


def rnn_step_backward(dnext_h, cache):
    (cache_x, cache_h), cache_tanh = cache
    da = tanh_backward(dnext_h, cache_tanh)
    dx, dWx, db = affine_backward(da, cache_x)
    dprev_h, dWh, _ = affine_backward(da, cache_h)
    return dx, dprev_h, dWx, dWh, db
""",
    ),
    Variant(
        ("rnn_forward", "rnn_backward"),
        "time first",
        """
def rnn_forward(x, h0, Wx, Wh, b):
    x = x.transpose(1, 0, 2)
    T, N, D = x.shape
    h, cache = np.zeros((T, N, h0.shape[1])), {}
    h[-1] = h0
    for t in range(T):
        h[t], cache[t] = rnn_step_forward(x[t], h[t - 1].copy() if t else h0, Wx, Wh, b)
    return h.swapaxes(0, 1), cache


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
    Variant(
        ("rnn_forward", "rnn_backward"),
        "a list that is used up",
        """
def rnn_forward(x, h0, Wx, Wh, b):
    h, caches = [h0], []
    for x_t in np.split(x, x.shape[1], axis=1):
        next_h, cache = rnn_step_forward(x=x_t[:, 0], prev_h=h[-1], Wx=Wx, Wh=Wh, b=b)
        h.append(next_h)
        caches.append(cache)
    return np.stack(h[1:], axis=1), (caches, x.shape)


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
    Variant(
        ("rnn_forward", "rnn_backward"),
        "recursion",
        """
def rnn_forward(x, h0, Wx, Wh, b):
    first, cache = rnn_step_forward(x[:, 0], h0, Wx, Wh, b)
    if x.shape[1] == 1:
        return first[:, None], (cache, None)
    rest, caches = rnn_forward(x[:, 1:], first, Wx, Wh, b)
    return np.concatenate([first[:, None], rest], axis=1), (cache, caches)


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
    Variant(
        ("rnn_forward", "rnn_backward"),
        "arrays filled in, a list made before",
        """
def rnn_forward(x, h0, Wx, Wh, b):
    N, T, D = x.shape
    _, H = h0.shape
    h, cache = np.zeros((N, T, H)), [None] * T
    for t in range(T):
        if t == 0:
            h[:, t, :], cache[t] = rnn_step_forward(x[:, t, :], h0, Wx, Wh, b)
        else:
            h[:, t, :], cache[t] = rnn_step_forward(x[:, t, :], h[:, t - 1, :], Wx, Wh, b)
    cache.append((N, T, D, H))
    return h, cache


def rnn_backward(dh, cache):
    N, T, D, H = cache[-1]
    dx, dprev_h = np.zeros((N, T, D)), np.zeros((N, H))
    dWx, dWh, db = np.zeros((D, H)), np.zeros((H, H)), np.zeros((H,))
    t = T - 1
    while t >= 0:
        dx[:, t, :], dprev_h, dWx_t, dWh_t, db_t = rnn_step_backward(dh[:, t, :] + dprev_h, cache[t])
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
        t -= 1
    return dx, dprev_h, dWx, dWh, db
""",
    ),
    Variant(
        ("rnn_forward", "rnn_backward"),
        "a step of its own, all inputs multiplied at once",
        """
def rnn_forward(x, h0, Wx, Wh, b):
    a, states = np.tensordot(x, Wx, axes=1) + b, [h0]
    for t in range(x.shape[1]):
        states.append(np.tanh(a[:, t] + states[-1] @ Wh))
    states = np.stack(states, axis=1)
    return states[:, 1:], (x, states, Wx, Wh)


def rnn_backward(dh, cache):
    x, states, Wx, Wh = cache
    da, d = np.zeros_like(dh), np.zeros_like(states[:, 0])
    for t in range(dh.shape[1])[::-1]:
        da[:, t] = (dh[:, t] + d) * (1 - states[:, t + 1] ** 2)
        d = da[:, t] @ Wh.T
    dWx, dWh = (np.einsum("ntd,nth->dh", left, da) for left in (x, states[:, :-1]))
    return np.einsum("nth,dh->ntd", da, Wx), d, dWx, dWh, da.sum(axis=(0, 1))
""",
    ),
    Variant(
        ("rnn_forward", "rnn_backward"),
        "accumulate and zip, caches popped from a dict",
        """
from itertools import accumulate


def rnn_forward(x, h0, Wx, Wh, b):
    def advance(before, x_t):
        return rnn_step_forward(x_t, before[0], Wx, Wh, b)

    _, *steps = accumulate(np.swapaxes(x, 0, 1), advance, initial=(h0, None))
    h, caches = zip(*steps)
    return np.array(h).transpose(1, 0, 2), dict(enumerate(caches))


def rnn_backward(dh, cache):
    grads, carried = [], 0
    for t in sorted(cache, reverse=True):
        step = rnn_step_backward(np.add(dh[:, t], carried), cache.pop(t))
        carried = step[1]
        grads.append(step)
    dx, _, dWx, dWh, db = (list(each) for each in zip(*grads))
    return np.stack(dx[::-1], axis=1), carried, np.sum(dWx, axis=0), np.sum(dWh, axis=0), np.sum(db, axis=0)
""",
    ),
    Variant(
        ("word_embedding_forward", "word_embedding_backward"),
        "loops",
        """
def word_embedding_forward(x, W):
    out = np.zeros((*x.shape, W.shape[1]))
    for n in range(x.shape[0]):
        for t in range(x.shape[1]):
            out[n, t, :] = W[x[n, t], :]
    return out, (x, W.shape)


def word_embedding_backward(dout, cache):
    x, shape = cache
    dW = np.zeros(shape)
    for place in np.ndindex(x.shape):
        dW[x[place]] += dout[place]
    return dW
""",
    ),
    Variant(
        ("word_embedding_forward", "word_embedding_backward"),
        "one-hot",
        """
def word_embedding_forward(x, W):
    one_hot = np.eye(len(W))[x]
    return one_hot @ W, one_hot


def word_embedding_backward(dout, cache):
    return np.tensordot(cache, dout, axes=([0, 1], [0, 1]))
""",
    ),
    Variant(
        ("word_embedding_forward", "word_embedding_backward"),
        "bincount",
        """
def word_embedding_forward(x, W):
    return np.take(W, x, axis=0), (x, len(W))


def word_embedding_backward(dout, cache):
    x, V = cache
    columns = [np.bincount(x.ravel(), weights=dout[..., d].ravel(), minlength=V) for d in range(dout.shape[2])]
    return np.array(columns).T
""",
    ),
    Variant(
        ("word_embedding_forward", "word_embedding_backward"),
        "an array of words, added up in a flat loop",
        """
def word_embedding_forward(x, W):
    out = np.array([[W[word] for word in caption] for caption in x])
    cache = {"words": x.flatten(), "like": np.zeros_like(W)}
    return out, cache


def word_embedding_backward(dout, cache):
    dW = cache["like"]
    for word, row in zip(cache["words"], dout.reshape(len(cache["words"]), -1)):
        dW[word] += row
    return dW
""",
    ),
    Variant(
        ("word_embedding_forward", "word_embedding_backward"),
        "a mask for each word",
        """
def word_embedding_forward(x, W):
    return W[x, :], [x, *W.shape]


def word_embedding_backward(dout, cache):
    x, V, D = cache
    dW = np.zeros((V, D))
    for word in np.unique(x):
        dW[word] = dout[x == word].sum(axis=0)
    return dW
""",
    ),
    Variant(
        ("word_embedding_forward", "word_embedding_backward"),
        "flattened, and np.add.at by rows",
        """
def word_embedding_forward(x, W):
    N, T = x.shape
    return W[x.ravel()].reshape(N, T, -1), (W.shape, x.ravel())


def word_embedding_backward(dout, cache):
    shape, words = cache
    dW = np.zeros(shape, dtype=dout.dtype)
    np.add.at(dW, (words, slice(None)), dout.reshape(-1, shape[1]))
    return dW
""",
    ),
    Variant(
        ("CaptioningRNN.sample",),
        "stops after <END>",
        """
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
    ),
    Variant(
        ("CaptioningRNN.sample",),
        "one picture at a time, patched into the class",
        """
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
        prev_word = self._start * np.ones((N, 1), dtype=np.int32)
        for t in range(max_length):
            x, _ = word_embedding_forward(prev_word, p["W_embed"])
            prev_h, _ = rnn_step_forward(np.squeeze(x, axis=1), prev_h, p["Wx"], p["Wh"], p["b"])
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
        said = [np.array([self._start] * len(features))]
        while len(said) <= max_length:
            prev_h, _ = rnn_step_forward(embed[said[-1]], prev_h, *weights)
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
        word = np.zeros(len(features), dtype=int) + self._start
        while True:
            prev_h, _ = rnn_step_forward(p["W_embed"][word], prev_h, p["Wx"], p["Wh"], p["b"])
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
        words = [self._start for _ in features]
        for _ in range(max_length):
            x = np.stack([p["W_embed"][word] for word in words])
            prev_h, _ = rnn_step_forward(x, prev_h, p["Wx"], p["Wh"], p["b"])
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
    *losses_of("rnn"),
)
