"""Other right ways to write ``image_gradients``, as students write them."""

from __future__ import annotations

from autograder.audit.variants import Variant

VARIANTS = (
    Variant(
        ("compute_saliency_maps",),
        "one picture at a time",
        """
def compute_saliency_maps(X, y, model):
    maps = np.zeros((X.shape[0], X.shape[2], X.shape[3]))
    for n in range(len(X)):
        scores, cache = model.forward(X[n : n + 1])
        upstream = [[1.0 if k == y[n] else 0.0 for k in range(scores.shape[1])]]
        dX, _ = model.backward(np.array(upstream), cache)
        maps[n] = np.maximum(dX[0].max(axis=0), -dX[0].min(axis=0))
    return maps
""",
    ),
    Variant(
        ("compute_saliency_maps",),
        "one-hot rows of the identity",
        """
def compute_saliency_maps(X, y, model):
    scores, cache = model.forward(X)
    dX, grads = model.backward(np.eye(scores.shape[1], dtype=scores.dtype)[y], cache)
    return np.max(np.absolute(dX), axis=1)
""",
    ),
    Variant(
        ("compute_saliency_maps",),
        "a mask, channels last",
        """
def compute_saliency_maps(X, y, model):
    scores, cache = model.forward(X)
    upstream = (np.arange(scores.shape[1]) == np.reshape(y, (-1, 1))).astype(scores.dtype)
    dX = model.backward(upstream, cache)[0]
    size = np.sqrt(np.moveaxis(dX, 1, -1) ** 2)
    return size.max(-1)
""",
    ),
    Variant(
        ("compute_saliency_maps",),
        "float64, filled in by a loop",
        """
def compute_saliency_maps(X, y, model):
    N, C, H, W = X.shape
    out, cache = model.forward(X)
    dout = np.zeros(out.shape)
    for n in range(N):
        dout[n][y[n]] = 1.0
    dX, _ = model.backward(dout, cache)
    saliency = np.zeros((N, H, W))
    for channel in range(C):
        saliency = np.maximum(saliency, np.abs(dX[:, channel]))
    return saliency
""",
    ),
    Variant(
        ("compute_saliency_maps",),
        "np.put_along_axis and a reduction",
        """
def compute_saliency_maps(X, y, model):
    scores, cache = model.forward(X)
    dscores = np.zeros_like(scores)
    np.put_along_axis(dscores, y[:, np.newaxis], 1, axis=1)
    gradient, _ = model.backward(dscores, cache)
    return np.maximum.reduce([np.abs(gradient[:, c, :, :]) for c in range(gradient.shape[1])])
""",
    ),
    Variant(
        ("compute_saliency_maps",),
        "a helper for one picture, np.stack",
        """
def gradient_of_score(x, label, model):
    scores, cache = model.forward(x[np.newaxis])
    dscores = np.zeros((1, scores.shape[1]))
    dscores[0, label] = 1
    return model.backward(dscores, cache)[0][0]


def compute_saliency_maps(X, y, model):
    return np.stack([np.linalg.norm(gradient_of_score(x, k, model), ord=np.inf, axis=0) for x, k in zip(X, y)])
""",
    ),
    Variant(
        ("make_fooling_image",),
        "in place on a copy, with a look at the scores at the end",
        """
def make_fooling_image(X, target_y, model):
    X_fooling = np.array(X)
    for i in range(100):
        scores, cache = model.forward(X_fooling)
        if np.argmax(scores, axis=1)[0] == target_y:
            break
        dscores = np.zeros(scores.shape, dtype=scores.dtype)
        dscores[:, target_y] = 1.0
        g = model.backward(dscores, cache)[0]
        X_fooling += 1.5 * g / np.sqrt((g ** 2).sum())
    model.forward(X_fooling)
    return X_fooling
""",
    ),
    Variant(
        ("make_fooling_image",),
        "a while loop that looks first",
        """
def make_fooling_image(X, target_y, model):
    X_fooling = X.copy()
    scores, cache = model.forward(X_fooling)
    steps = 0
    while np.argmax(scores) != target_y and steps < 100:
        upstream = np.zeros_like(scores)
        upstream[0][target_y] = 1
        dX, _ = model.backward(upstream, cache)
        X_fooling += 1.0 * dX / np.linalg.norm(dX.ravel())
        scores, cache = model.forward(X_fooling)
        steps += 1
    return X_fooling
""",
    ),
    Variant(
        ("make_fooling_image",),
        "a change that is kept apart",
        """
def make_fooling_image(X, target_y, model):
    change = np.zeros_like(X)
    for i in range(100):
        scores, cache = model.forward(X + change)
        if scores.argmax(axis=1) == [target_y]:
            return X + change
        one_hot = np.eye(scores.shape[1], dtype=X.dtype)[[target_y]]
        step = model.backward(one_hot, cache)[0]
        change = change + 1.5 * step / np.sqrt(np.sum(np.square(step)))
    return X + change
""",
    ),
    Variant(
        ("make_fooling_image",),
        "a helper that takes a step, and float64",
        """
def one_step(X, target_y, model, rate):
    scores, cache = model.forward(X)
    if int(scores[0].argmax()) == int(target_y):
        return X, True
    dscores = np.zeros(scores.shape)
    dscores[0, target_y] = 1.0
    gradient, _ = model.backward(dscores, cache)
    return X + rate * gradient / np.linalg.norm(gradient), False


def make_fooling_image(X, target_y, model):
    done, X_fooling = False, X.astype(np.float64)
    for _ in range(100):
        if not done:
            X_fooling, done = one_step(X_fooling, target_y, model, 2.0)
    return X_fooling
""",
    ),
    Variant(
        ("make_fooling_image",),
        "for and else, a margin at the end",
        """
def make_fooling_image(X, target_y, model):
    X_fooling = np.copy(X)
    for _ in range(99):
        scores, cache = model.forward(X_fooling)
        best = scores[0].max()
        if scores[0, target_y] >= best:
            break
        mask = np.zeros_like(scores)
        mask[:, target_y] = 1
        g, _ = model.backward(mask, cache)
        g = g / np.max(np.sqrt((g * g).sum()))
        X_fooling = X_fooling + 2 * g
    else:
        print("not fooled")
    return X_fooling
""",
    ),
    Variant(
        ("make_fooling_image",),
        "the difference to the class that is seen",
        """
def make_fooling_image(X, target_y, model):
    X_fooling = X.copy()
    for _ in range(100):
        scores, cache = model.forward(X_fooling)
        seen = scores[0].argmax()
        if seen == target_y:
            break
        dscores = np.zeros_like(scores)
        dscores[0, target_y], dscores[0, seen] = 1, -1
        dX, _ = model.backward(dscores, cache)
        X_fooling = X_fooling + dX / np.linalg.norm(dX)
    return X_fooling
""",
    ),
)
