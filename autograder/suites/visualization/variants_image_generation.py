"""Other right ways to write ``image_generation``, as students write them."""

from __future__ import annotations

from autograder.audit.variants import Variant

VARIANTS = (
    Variant(
        ("create_class_visualization",),
        "a fresh random start, float64, jitter by np.roll, the range by hand",
        """
def create_class_visualization(target_y, model, **kwargs):
    learning_rate, l2_reg = kwargs.pop("learning_rate", 5.0), kwargs.pop("l2_reg", 3e-3)
    blur_every, max_jitter = kwargs.pop("blur_every", 4), kwargs.pop("max_jitter", 4)
    X = 0.1 * np.random.randn(1, 3, 64, 64)
    low = (-np.array(model.mean) / model.scale).reshape(1, 3, 1, 1)
    high = ((1 - np.array(model.mean)) / model.scale).reshape(1, 3, 1, 1)
    for t in range(kwargs.pop("num_iterations", 200)):
        ox, oy = np.random.randint(-max_jitter, max_jitter + 1, 2)
        X = np.roll(np.roll(X, ox, -1), oy, -2)
        scores, cache = model.forward(X)
        dscores = np.zeros_like(scores)
        dscores[0, target_y] = 1
        dX, _ = model.backward(dscores, cache)
        X += learning_rate * (dX - 2 * l2_reg * X)
        X = np.roll(np.roll(X, -ox, -1), -oy, -2)
        X = np.clip(X, low, high)
        if t % blur_every == 0 and t:
            X = blur(X, sigma=0.6)
    return X
""",
    ),
    Variant(
        ("create_class_visualization",),
        "the regularised gradient in place",
        """
def create_class_visualization(target_y, model, **kwargs):
    learning_rate = kwargs.pop("learning_rate", 5.0)
    l2_reg = kwargs.pop("l2_reg", 5e-3)
    blur_every = kwargs.pop("blur_every", 4)
    max_jitter = kwargs.pop("max_jitter", 4)
    num_iterations = kwargs.pop("num_iterations", 200)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = 0.1 * rng.standard_normal((1, 3, 64, 64), dtype=np.float32)
    for t in range(num_iterations):
        ox, oy = rng.integers(-max_jitter, max_jitter + 1, 2)
        X = jitter(X, ox, oy)
        scores, cache = model.forward(X)
        upstream = np.zeros(scores.shape)
        upstream[:, target_y] = 1.0
        dX = model.backward(upstream, cache)[0]
        dX -= 2.0 * l2_reg * X
        X = X + learning_rate * dX
        X = jitter(X, -ox, -oy)
        X = clip(X, model)
        if t % blur_every == blur_every - 1:
            X = blur(X)
    return X
""",
    ),
    Variant(
        ("create_class_visualization",),
        "a helper for the gradient, a counter of its own",
        """
def ascent(X, target_y, model, l2_reg):
    scores, cache = model.forward(X)
    one_hot = np.eye(scores.shape[1], dtype=scores.dtype)[target_y]
    dX, _ = model.backward(one_hot[None], cache)
    return dX - l2_reg * X - l2_reg * X


def create_class_visualization(target_y, model, **kwargs):
    learning_rate = kwargs.pop("learning_rate", 5.0)
    l2_reg = kwargs.pop("l2_reg", 5e-3)
    blur_every = kwargs.pop("blur_every", 4)
    max_jitter = kwargs.pop("max_jitter", 4)
    num_iterations = kwargs.pop("num_iterations", 200)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = 0.1 * rng.standard_normal((1, 3, 64, 64), dtype=np.float32)
    step = 0
    while step < num_iterations:
        step += 1
        moved = rng.integers(-max_jitter, max_jitter, size=2, endpoint=True)
        X = jitter(X, *moved)
        X = jitter(X + learning_rate * ascent(X, target_y, model, l2_reg), *-moved)
        X = clip(X, model)
        X = blur(X) if step % blur_every == 0 else X
    return X
""",
    ),
    Variant(
        ("create_class_visualization",),
        "clipped before it is put back",
        """
def create_class_visualization(target_y, model, **kwargs):
    learning_rate = kwargs.pop("learning_rate", 5.0)
    l2_reg = kwargs.pop("l2_reg", 5e-3)
    blur_every = kwargs.pop("blur_every", 4)
    max_jitter = kwargs.pop("max_jitter", 4)
    num_iterations = kwargs.pop("num_iterations", 200)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = 0.1 * rng.standard_normal((1, 3, 64, 64), dtype=np.float32)
    for t in range(1, num_iterations + 1):
        right = rng.integers(-max_jitter, max_jitter + 1)
        down = rng.integers(-max_jitter, max_jitter + 1)
        X = jitter(X, right, down)
        scores, cache = model.forward(X)
        dscores = np.zeros_like(scores)
        dscores[0][target_y] = 1
        gradient, _ = model.backward(dscores, cache)
        X = (1 - 2 * learning_rate * l2_reg) * X + learning_rate * gradient
        X = clip(X, model)
        X = jitter(X, -right, -down)
        if not t % blur_every:
            X = blur(X, sigma=0.5)
    return X
""",
    ),
    Variant(
        ("create_class_visualization",),
        "the shrinking in a step of its own",
        """
def create_class_visualization(target_y, model, **kwargs):
    learning_rate = kwargs.pop("learning_rate", 5.0)
    l2_reg = kwargs.pop("l2_reg", 5e-3)
    blur_every = kwargs.pop("blur_every", 4)
    max_jitter = kwargs.pop("max_jitter", 4)
    num_iterations = kwargs.pop("num_iterations", 200)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = 0.1 * rng.standard_normal((1, 3, 64, 64), dtype=np.float32)
    shifts = np.random.randint(-max_jitter, max_jitter + 1, size=(num_iterations, 2))
    for t, (dx, dy) in enumerate(shifts):
        X = np.roll(X, (dy, dx), axis=(2, 3))
        scores, cache = model.forward(X)
        dscores = (np.arange(scores.shape[1]) == target_y).astype(scores.dtype).reshape(1, -1)
        dX, _ = model.backward(dscores, cache)
        change = learning_rate * dX
        change -= learning_rate * l2_reg * 2 * X
        X = np.roll(X + change, (-dy, -dx), axis=(2, 3))
        X = clip(X, model)
        if t % blur_every == 0 and t > 0:
            X = blur(X)
    return X
""",
    ),
    Variant(
        ("create_class_visualization",),
        "float64, minus the gradient of minus the score",
        """
def create_class_visualization(target_y, model, **kwargs):
    learning_rate = kwargs.pop("learning_rate", 5.0)
    l2_reg = kwargs.pop("l2_reg", 5e-3)
    blur_every = kwargs.pop("blur_every", 4)
    max_jitter = kwargs.pop("max_jitter", 4)
    num_iterations = kwargs.pop("num_iterations", 200)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = 0.1 * rng.standard_normal((1, 3, 64, 64), dtype=np.float32)
    X = X.astype(np.float64)
    for t in range(num_iterations):
        ox, oy = (int(each) for each in rng.integers(-max_jitter, max_jitter + 1, size=2))
        X = jitter(X, ox, oy)
        scores, cache = model.forward(X)
        dscores = np.zeros_like(scores)
        dscores[0, target_y] = -1
        dX, _ = model.backward(dscores, cache)
        dX = dX + 2 * l2_reg * X
        X = jitter(X - learning_rate * dX, -ox, -oy)
        low = ((0 - np.asarray(model.mean)) / np.asarray(model.scale)).reshape(-1, 1, 1)
        high = ((1 - np.asarray(model.mean)) / np.asarray(model.scale)).reshape(-1, 1, 1)
        X = np.minimum(np.maximum(X, low), high)
        if (t + 1) % blur_every == 0:
            X = blur(X)
    return X
""",
    ),
    Variant(
        ("invert_features",),
        "two terms in two steps",
        """
def invert_features(target_feats, layer, model, **kwargs):
    rate, l2_reg = kwargs["learning_rate"], kwargs["l2_reg"]
    X = 0.1 * np.random.default_rng(1).standard_normal((1, 3, 64, 64))
    for t in range(kwargs["num_iterations"]):
        feats, cache = model.forward(X, None, layer)
        g = model.backward(2.0 * feats - 2.0 * target_feats, cache)[0]
        g = g + 2 * X * l2_reg
        X = clip(X - rate * g, model)
        if (t + 1) % kwargs["blur_every"] == 0:
            X = blur(X)
    return X
""",
    ),
    Variant(
        ("invert_features",),
        "in place, with the difference named",
        """
def invert_features(target_feats, layer, model, **kwargs):
    learning_rate, l2_reg = kwargs.pop("learning_rate", 0.01), kwargs.pop("l2_reg", 1e-3)
    blur_every = kwargs.pop("blur_every", 10)
    num_iterations = kwargs.pop("num_iterations", 200)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = 0.1 * rng.standard_normal((1, 3, 64, 64), dtype=np.float32)
    for t in range(num_iterations):
        feats, cache = model.forward(X, end=layer)
        difference = feats - target_feats
        dX, _ = model.backward(2 * difference, cache)
        dX += 2 * l2_reg * X
        X -= learning_rate * dX
        X = clip(X, model)
        if t % blur_every == blur_every - 1:
            X = blur(X)
    return X
""",
    ),
    Variant(
        ("invert_features",),
        "the sign turned, steps added",
        """
def invert_features(target_feats, layer, model, **kwargs):
    learning_rate, l2_reg = kwargs.pop("learning_rate", 0.01), kwargs.pop("l2_reg", 1e-3)
    blur_every = kwargs.pop("blur_every", 10)
    num_iterations = kwargs.pop("num_iterations", 200)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = 0.1 * rng.standard_normal((1, 3, 64, 64), dtype=np.float32)
    for t in range(1, num_iterations + 1):
        feats, cache = model.forward(X, None, layer)
        dX = model.backward(2 * (target_feats - feats), cache)[0]
        X = X + learning_rate * (dX - 2 * l2_reg * X)
        X = clip(X, model)
        X = X if t % blur_every else blur(X)
    return X
""",
    ),
    Variant(
        ("invert_features",),
        "a helper for the loss and its gradient",
        """
def distance(X, target_feats, layer, model, l2_reg):
    feats, cache = model.forward(X, end=layer)
    loss = np.sum((feats - target_feats) ** 2) + l2_reg * np.sum(X**2)
    dX, _ = model.backward(2 * (feats - target_feats), cache)
    return loss, dX + 2 * l2_reg * X


def invert_features(target_feats, layer, model, **kwargs):
    learning_rate, l2_reg = kwargs.pop("learning_rate", 0.01), kwargs.pop("l2_reg", 1e-3)
    blur_every = kwargs.pop("blur_every", 10)
    num_iterations = kwargs.pop("num_iterations", 200)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = 0.1 * rng.standard_normal((1, 3, 64, 64), dtype=np.float32)
    losses = []
    for t in range(num_iterations):
        loss, dX = distance(X, target_feats, layer, model, l2_reg)
        losses.append(loss)
        X = clip(X - learning_rate * dX, model)
        if (t + 1) % blur_every == 0:
            X = blur(X)
    return X
""",
    ),
    Variant(
        ("invert_features",),
        "half of the gradient at twice the rate",
        """
def invert_features(target_feats, layer, model, **kwargs):
    learning_rate, l2_reg = kwargs.pop("learning_rate", 0.01), kwargs.pop("l2_reg", 1e-3)
    blur_every = kwargs.pop("blur_every", 10)
    num_iterations = kwargs.pop("num_iterations", 200)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = 0.1 * rng.standard_normal((1, 3, 64, 64), dtype=np.float32)
    rate = 2 * learning_rate
    for t in range(num_iterations):
        feats, cache = model.forward(X, end=layer)
        half, _ = model.backward(feats - target_feats, cache)
        X = (1 - rate * l2_reg) * X - rate * half
        X = clip(X, model)
        if t > 0 and t % blur_every == 0:
            X = blur(X)
    return X
""",
    ),
    Variant(
        ("invert_features",),
        "a loop in rounds between two blurs",
        """
def invert_features(target_feats, layer, model, **kwargs):
    learning_rate, l2_reg = kwargs.pop("learning_rate", 0.01), kwargs.pop("l2_reg", 1e-3)
    blur_every = kwargs.pop("blur_every", 10)
    num_iterations = kwargs.pop("num_iterations", 200)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = 0.1 * rng.standard_normal((1, 3, 64, 64), dtype=np.float32)
    t = 0
    while t < num_iterations:
        for _ in range(min(blur_every, num_iterations - t)):
            out, kept = model.forward(X, end=layer)
            dX = model.backward(np.subtract(out, target_feats) * 2, kept)[0]
            dX = np.add(dX, np.multiply(2 * l2_reg, X))
            X = clip(np.subtract(X, learning_rate * dX), model)
            t += 1
        if t % blur_every == 0:
            X = blur(X)
    return X
""",
    ),
    Variant(
        ("deepdream",),
        "a step that is not divided by anything",
        """
def deepdream(X, layer, model, **kwargs):
    X = X.copy()
    for t in range(kwargs["num_iterations"]):
        ox, oy = np.random.randint(-kwargs["max_jitter"], kwargs["max_jitter"] + 1, 2)
        X = jitter(X, ox, oy)
        feats, cache = model.forward(X, end=layer)
        dX, _ = model.backward(feats, cache)
        X = X + kwargs["learning_rate"] * dX / np.linalg.norm(dX) * np.sqrt(dX.size)
        X = clip(jitter(X, -ox, -oy), model)
        if (t + 1) % kwargs["blur_every"] == 0:
            X = blur(X)
    return X
""",
    ),
    Variant(
        ("deepdream",),
        "in place on a copy",
        """
def deepdream(X, layer, model, **kwargs):
    learning_rate = kwargs.pop("learning_rate", 0.04)
    blur_every = kwargs.pop("blur_every", 4)
    max_jitter = kwargs.pop("max_jitter", 8)
    num_iterations = kwargs.pop("num_iterations", 40)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = np.array(X)
    for t in range(num_iterations):
        ox, oy = rng.integers(-max_jitter, max_jitter + 1, 2)
        X = jitter(X, ox, oy)
        feats, cache = model.forward(X, end=layer)
        dX, _ = model.backward(feats, cache)
        X += learning_rate * dX / np.mean(np.abs(dX))
        X = jitter(X, -ox, -oy)
        X = clip(X, model)
        if t % blur_every == blur_every - 1:
            X = blur(X)
    return X
""",
    ),
    Variant(
        ("deepdream",),
        "clipped before it is put back, a small number in the denominator",
        """
def deepdream(X, layer, model, **kwargs):
    learning_rate = kwargs.pop("learning_rate", 0.04)
    blur_every = kwargs.pop("blur_every", 4)
    max_jitter = kwargs.pop("max_jitter", 8)
    num_iterations = kwargs.pop("num_iterations", 40)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    dream = X
    for t in range(1, num_iterations + 1):
        right = rng.integers(-max_jitter, max_jitter + 1)
        down = rng.integers(-max_jitter, max_jitter + 1)
        dream = jitter(dream, right, down)
        acts, kept = model.forward(dream, end=layer)
        gradient = model.backward(acts, kept)[0]
        dream = dream + learning_rate * gradient / (np.abs(gradient).mean() + 1e-12)
        dream = clip(dream, model)
        dream = jitter(dream, -right, -down)
        if t % blur_every == 0:
            dream = blur(dream)
    return dream
""",
    ),
    Variant(
        ("deepdream",),
        "np.roll and np.clip",
        """
def deepdream(X, layer, model, **kwargs):
    learning_rate = kwargs.pop("learning_rate", 0.04)
    blur_every = kwargs.pop("blur_every", 4)
    max_jitter = kwargs.pop("max_jitter", 8)
    num_iterations = kwargs.pop("num_iterations", 40)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    X = X.copy()
    low, high = (((end - np.array(model.mean)) / model.scale)[None, :, None, None] for end in (0.0, 1.0))
    for t in range(num_iterations):
        dx, dy = np.random.randint(-max_jitter, max_jitter + 1, 2)
        X = np.roll(X, (dy, dx), axis=(-2, -1))
        feats, cache = model.forward(X, None, layer)
        dX, _ = model.backward(feats.copy(), cache)
        X = np.roll(X + learning_rate * dX * (dX.size / np.abs(dX).sum()), (-dy, -dx), axis=(-2, -1))
        X = np.clip(X, low, high)
        if t % blur_every == 0 and t:
            X = blur(X)
    return X
""",
    ),
    Variant(
        ("deepdream",),
        "a helper for one step",
        """
def dreamt(X, layer, model, rate):
    feats, cache = model.forward(X, end=layer)
    dX, _ = model.backward(feats, cache)
    return X + rate * dX / np.average(np.absolute(dX))


def deepdream(X, layer, model, **kwargs):
    learning_rate = kwargs.pop("learning_rate", 0.04)
    blur_every = kwargs.pop("blur_every", 4)
    max_jitter = kwargs.pop("max_jitter", 8)
    num_iterations = kwargs.pop("num_iterations", 40)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    for t in range(num_iterations):
        shift = rng.integers(-max_jitter, max_jitter + 1, size=2)
        X = clip(jitter(dreamt(jitter(X, *shift), layer, model, learning_rate), *-shift), model)
        X = blur(X) if (t + 1) % blur_every == 0 else X
    return X
""",
    ),
    Variant(
        ("deepdream",),
        "float64, the change kept apart",
        """
def deepdream(X, layer, model, **kwargs):
    learning_rate = kwargs.pop("learning_rate", 0.04)
    blur_every = kwargs.pop("blur_every", 4)
    max_jitter = kwargs.pop("max_jitter", 8)
    num_iterations = kwargs.pop("num_iterations", 40)
    rng = np.random.default_rng(kwargs.pop("seed", 0))

    original = X.astype(np.float64)
    change = np.zeros_like(original)
    for t in range(num_iterations):
        ox, oy = (int(each) for each in rng.integers(-max_jitter, max_jitter + 1, 2))
        moved = jitter(original + change, ox, oy)
        feats, cache = model.forward(moved, end=layer)
        dX, _ = model.backward(1.0 * feats, cache)
        moved = clip(jitter(moved + learning_rate * dX / np.abs(dX).mean(), -ox, -oy), model)
        if (t + 1) % blur_every == 0:
            moved = blur(moved)
        change = moved - original
    return original + change
""",
    ),
)
