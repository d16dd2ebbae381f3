"""Other right ways to write the loss of a captioning model, whichever cell it has."""

from __future__ import annotations

from autograder.audit.variants import Variant

LOSSES = {
    "the functions chosen by the cell type": """
class CaptioningRNN(CaptioningModel):
    def loss(self, features, captions):
        captions_in, captions_out = captions[:, :-1], captions[:, 1:]
        forward, backward = {"CELL": (CELL_forward, CELL_backward)}[self.cell_type]
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
    "without the given layers": """
class CaptioningRNN(CaptioningModel):
    def loss(self, features, captions):
        W_proj, b_proj, W_embed, Wx, Wh, b, W_vocab, b_vocab = (self.params[k] for k in (
            "W_proj", "b_proj", "W_embed", "Wx", "Wh", "b", "W_vocab", "b_vocab"))
        read, say = captions[:, :-1], captions[:, 1:]
        N, T = say.shape
        h, cache = CELL_forward(W_embed[read], features.dot(W_proj) + b_proj, Wx, Wh, b)
        scores = np.einsum("nth,hv->ntv", h, W_vocab) + b_vocab
        p = np.exp(scores - scores.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        counts = (say != self._null).astype(float)
        rows, columns = np.indices(say.shape)
        loss = -(np.log(p[rows, columns, say]) * counts).sum() / N
        p[rows, columns, say] -= 1
        p *= counts[..., None] / N
        dx, dh0, dWx, dWh, db = CELL_backward(p @ W_vocab.T, cache)
        dW_embed = np.zeros_like(W_embed)
        np.add.at(dW_embed, read, dx)
        return loss, dict(
            W_proj=features.T @ dh0, b_proj=dh0.sum(axis=0), W_embed=dW_embed, Wx=dWx, Wh=dWh, b=db,
            W_vocab=np.tensordot(h, p, axes=([0, 1], [0, 1])), b_vocab=p.sum(axis=(0, 1)))
""",
    "a stack of ways back": """
class CaptioningRNN(CaptioningModel):
    def loss(self, features, captions):
        back, grads = [], {}

        def layer(names, forward, backward, *inputs):
            out, cache = forward(*inputs, *(self.params[name] for name in names))
            back.append((names, backward, cache))
            return out

        h0 = layer(["W_proj", "b_proj"], affine_forward, affine_backward, features)
        x = layer(["W_embed"], word_embedding_forward, word_embedding_backward, captions[:, :-1])
        h = layer(["Wx", "Wh", "b"], CELL_forward, CELL_backward, x, h0)
        scores = layer(["W_vocab", "b_vocab"], temporal_affine_forward, temporal_affine_backward, h)
        loss, dscores = temporal_softmax_loss(scores, captions[:, 1:], captions[:, 1:] != self._null)
        names, backward, cache = back.pop()
        dh, *found = backward(dscores, cache)
        grads.update(zip(names, found))
        names, backward, cache = back.pop()
        dx, dh0, *found = backward(dh, cache)
        grads.update(zip(names, found))
        names, backward, cache = back.pop()
        grads[names[0]] = backward(dx, cache)
        names, backward, cache = back.pop()
        grads.update(zip(names, backward(dh0, cache)[1:]))
        return loss, grads
""",
    "two methods, and an ordered dict of gradients": """
import collections


class CaptioningRNN(CaptioningModel):
    def run_forward(self, features, captions_in):
        p = self.params
        caches = {}
        h0, caches["proj"] = affine_forward(features, p["W_proj"], p["b_proj"])
        x, caches["embed"] = word_embedding_forward(captions_in, p["W_embed"])
        h, caches["cell"] = CELL_forward(x, h0, p["Wx"], p["Wh"], p["b"])
        scores, caches["vocab"] = temporal_affine_forward(h, p["W_vocab"], p["b_vocab"])
        return scores, caches

    def run_backward(self, dscores, caches):
        dh, dW_vocab, db_vocab = temporal_affine_backward(dscores, caches["vocab"])
        dx, dh0, dWx, dWh, db = CELL_backward(dh, caches["cell"])
        dW_embed = word_embedding_backward(dx, caches["embed"])
        _, dW_proj, db_proj = affine_backward(dh0, caches["proj"])
        return collections.OrderedDict(
            W_proj=dW_proj, b_proj=db_proj, W_embed=dW_embed, Wx=dWx, Wh=dWh, b=db, W_vocab=dW_vocab, b_vocab=db_vocab
        )

    def loss(self, features, captions):
        captions_in = captions[:, :-1]
        captions_out = captions[:, 1:]
        mask = captions_out != self._null
        scores, caches = self.run_forward(features, captions_in)
        loss, dscores = temporal_softmax_loss(scores, captions_out, mask)
        return loss, self.run_backward(dscores, caches)
""",
    "one picture at a time, gradients added up": """
class CaptioningRNN(CaptioningModel):
    def loss(self, features, captions):
        N = len(features)
        loss, grads = 0.0, {name: np.zeros_like(value) for name, value in self.params.items()}
        W_proj, b_proj, W_embed = self.params["W_proj"], self.params["b_proj"], self.params["W_embed"]
        weights = [self.params[name] for name in ("Wx", "Wh", "b")]
        for n in range(N):
            read, say = captions[n : n + 1, :-1], captions[n : n + 1, 1:]
            h0 = features[n : n + 1] @ W_proj + b_proj
            x, embed_cache = word_embedding_forward(read, W_embed)
            h, cache = CELL_forward(x, h0, *weights)
            scores, vocab_cache = temporal_affine_forward(h, self.params["W_vocab"], self.params["b_vocab"])
            one, dscores = temporal_softmax_loss(scores, say, say != self._null)
            loss += one / N
            dh, dW_vocab, db_vocab = temporal_affine_backward(dscores / N, vocab_cache)
            dx, dh0, dWx, dWh, db = CELL_backward(dh, cache)
            grads["W_vocab"] += dW_vocab
            grads["b_vocab"] += db_vocab
            grads["Wx"] += dWx
            grads["Wh"] += dWh
            grads["b"] += db
            grads["W_embed"] += word_embedding_backward(dx, embed_cache)
            grads["W_proj"] += np.outer(features[n], dh0)
            grads["b_proj"] += dh0[0]
        return loss, grads
""",
    "words flattened, a temporal layer as one affine layer": """
class CaptioningRNN(CaptioningModel):
    def loss(self, features, captions):
        p, grads = self.params, {}
        captions_in = np.delete(captions, -1, axis=1)
        captions_out = np.delete(captions, 0, axis=1)
        N, T = captions_out.shape
        h0, cache_0 = affine_forward(features, p["W_proj"], p["b_proj"])
        x, cache_1 = word_embedding_forward(captions_in, p["W_embed"])
        h, cache_2 = CELL_forward(x, h0, p["Wx"], p["Wh"], p["b"])
        flat, cache_3 = affine_forward(h.reshape(N * T, -1), p["W_vocab"], p["b_vocab"])
        mask = np.not_equal(captions_out, self._null)
        loss, dscores = temporal_softmax_loss(flat.reshape(N, T, -1), captions_out, mask)
        dflat, grads["W_vocab"], grads["b_vocab"] = affine_backward(dscores.reshape(N * T, -1), cache_3)
        dx, dh0, grads["Wx"], grads["Wh"], grads["b"] = CELL_backward(dflat.reshape(h.shape), cache_2)
        grads["W_embed"] = word_embedding_backward(dx, cache_1)
        grads["W_proj"], grads["b_proj"] = affine_backward(dh0, cache_0)[1:]
        return np.float64(loss), grads
""",
}
"""By name; CELL stands for the cell type."""


def losses_of(cell: str) -> tuple[Variant, ...]:
    """The variants for one cell type."""
    return tuple(
        Variant(("CaptioningRNN.loss",), name, source.replace("CELL", cell)) for name, source in LOSSES.items()
    )
