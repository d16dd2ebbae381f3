#!/usr/bin/env python3
"""Draw the figures of the backprop notebook: computational graphs, values forward and gradients backward."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from html import escape
from math import hypot
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent

FORWARD, BACKWARD = "#1e8e3e", "#c5221f"
STYLE = f"""
    text {{ font: 15px Helvetica, Arial, sans-serif; fill: #222; text-anchor: middle; }}
    .v {{ font: italic 17px Georgia, 'Times New Roman', serif; }}
    .s {{ font-size: 12px; fill: #555; }}
    .n {{ fill: {FORWARD}; }}
    .g {{ fill: {BACKWARD}; }}
    .node {{ fill: #fff; stroke: #333; stroke-width: 1.5; }}
    .data {{ fill: #e8f0fe; stroke: #3367d6; stroke-width: 1.5; }}
    .param {{ fill: #e6f4ea; stroke: #1e8e3e; stroke-width: 1.5; }}
    .shade {{ fill: #fce8e6; stroke: {BACKWARD}; stroke-width: 1.5; }}
    .f {{ fill: none; stroke: {FORWARD}; stroke-width: 1.6; marker-end: url(#f); }}
    .b {{ fill: none; stroke: {BACKWARD}; stroke-width: 1.6; stroke-dasharray: 5 3; marker-end: url(#b); }}
    .l {{ fill: none; stroke: #999; stroke-width: 1.2; }}
    .c {{ fill: none; stroke: #333; stroke-width: 2; }}
"""
GAP = 4.0
"""How far the two arrows of an edge lie from its middle line."""


@dataclass(frozen=True)
class Node:
    """A gate, drawn as a circle, or something with a name, drawn as a box, around a point."""

    x: float
    y: float
    width: float
    height: float
    round: bool

    def towards(self, other: Node) -> tuple[float, float]:
        """Where a line from the middle to another node leaves this one."""
        dx, dy = other.x - self.x, other.y - self.y
        if self.round:
            share = self.width / 2 / hypot(dx, dy)
        else:
            share = min(half / abs(way) for half, way in ((self.width / 2, dx), (self.height / 2, dy)) if way)
        return self.x + share * dx, self.y + share * dy


@dataclass
class Drawing:
    """A picture that grows by what is drawn into it."""

    name: str
    title: str
    width: int
    height: int
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, kind: str = "") -> None:
        """Write some words around a point."""
        self.parts.append(f'<text x="{x:g}" y="{y:g}" dy=".35em" class="{kind}">{escape(words)}</text>')

    def gate(self, x: float, y: float, label: str, radius: float = 21) -> Node:
        """Draw a gate."""
        self.parts.append(f'<circle class="node" cx="{x:g}" cy="{y:g}" r="{radius:g}"/>')
        self.text(x, y, label)
        return Node(x, y, 2 * radius, 2 * radius, round=True)

    def box(self, x: float, y: float, label: str, kind: str = "data", width: float = 44, height: float = 32) -> Node:
        """Draw a box: data, a parameter, or a whole layer."""
        left, top = x - width / 2, y - height / 2
        self.parts.append(
            f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="6"/>'
        )
        self.text(x, y, label, "" if kind == "node" else "v")
        return Node(x, y, width, height, round=False)

    def edge(self, start: Node, end: Node, value: str = "", gradient: str | None = "", shift: float = 0.0) -> None:
        """Draw an edge: an arrow forward with its value above, one backward with its gradient below.

        Without a gradient (None) there is no way back. ``shift`` moves the labels along the edge.
        """
        (x1, y1), (x2, y2) = start.towards(end), end.towards(start)
        length = hypot(x2 - x1, y2 - y1)
        along, across = ((x2 - x1) / length, (y2 - y1) / length), ((y1 - y2) / length, (x2 - x1) / length)
        if across[1] < 0 or (across[1] == 0 and across[0] < 0):  # gradients lie below, or to the right
            across = (-across[0], -across[1])
        gap = GAP if gradient is not None else 0.0
        ways = [("f", -gap, (x1, y1), (x2, y2))]
        if gradient is not None:
            ways.append(("b", gap, (x2, y2), (x1, y1)))
        for kind, off, (xa, ya), (xb, yb) in ways:
            ends = f"M{xa + off * across[0]:.1f} {ya + off * across[1]:.1f}L{xb + off * across[0]:.1f}"
            self.parts.append(f'<path class="{kind}" d="{ends} {yb + off * across[1]:.1f}"/>')
        middle = (x1 + x2) / 2 + shift * along[0], (y1 + y2) / 2 + shift * along[1]
        for words, kind, side in ((value, "n", -1), (gradient or "", "g", 1)):
            # Words are wider than high, so beside a steep edge they need more room.
            room = 15 + 3.5 * len(words) * abs(across[0])
            if words:
                self.text(middle[0] + side * room * across[0], middle[1] + side * room * across[1], words, kind)

    def save(self, folder: Path) -> None:
        """Write the picture as SVG."""
        marker = '<marker id="{}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        heads = "".join(
            f'\n    {marker.format(kind)}<path d="M0 0L10 5L0 10z" fill="{color}"/></marker>'
            for kind, color in (("f", FORWARD), ("b", BACKWARD))
        )
        size = f'viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}"'
        frame = f'<rect x="0.5" y="0.5" width="{self.width - 1}" height="{self.height - 1}" rx="12" fill="#fff"'
        body = "\n  ".join([f'{frame} stroke="#ddd"/>', *self.parts])
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n  <title>{escape(self.title)}</title>\n'
            f"  <style>{STYLE}  </style>\n  <defs>{heads}\n  </defs>\n  {body}\n</svg>\n"
        )
        (folder / f"{self.name}.svg").write_text(svg, encoding="utf-8")


def one_input(name: str, label: str, values: tuple[str, str], gradients: tuple[str, str]) -> Drawing:
    """Draw a gate of one input; values and gradients from left to right."""
    drawing = Drawing(name, f"A gate: {values[0]} goes in, {values[1]} comes out", 430, 110)
    x, gate, out = drawing.box(50, 55, "x"), drawing.gate(215, 55, label, 25), drawing.box(380, 55, "out")
    drawing.edge(x, gate, values[0], gradients[0])
    drawing.edge(gate, out, values[1], gradients[1])
    return drawing


def two_inputs(name: str, label: str, out: str) -> Drawing:
    """Draw a gate of two inputs, 2 and 3, whose gradients are left to the reader."""
    drawing = Drawing(name, f"A gate: 2 and 3 go in, {out} comes out", 450, 200)
    x, y = drawing.box(45, 35, "x"), drawing.box(45, 165, "y")
    gate, result = drawing.gate(235, 100, label, 25), drawing.box(400, 100, "out")
    drawing.edge(x, gate, "2", "dx = ?", shift=-20)
    drawing.edge(y, gate, "3", "dy = ?", shift=-20)
    drawing.edge(gate, result, out, "4")
    return drawing


def copy_gate() -> Drawing:
    """Draw the fork."""
    drawing = Drawing("copy_gate", "A copy gate: 2 goes in and comes out twice", 450, 200)
    x, gate = drawing.box(45, 100, "x"), drawing.gate(200, 100, "copy", 25)
    first, second = drawing.box(390, 35, "first", width=70), drawing.box(390, 165, "second", width=70)
    drawing.edge(x, gate, "2", "dx = ?")
    drawing.edge(gate, first, "2", "4", shift=15)
    drawing.edge(gate, second, "2", "1", shift=15)
    return drawing


def three_inputs() -> Drawing:
    """Draw x y + max(y, z) with all its numbers."""
    drawing = Drawing("three_inputs", "The graph of x y + max(y, z) for x = 3, y = 2, z = 1", 660, 290)
    x, y, z = (drawing.box(45, height, name) for name, height in (("x", 50), ("y", 145), ("z", 240)))
    copy = drawing.gate(185, 145, "copy", 25)
    product, maximum = drawing.gate(350, 70, "×"), drawing.gate(350, 215, "max", 25)
    total, f = drawing.gate(490, 145, "+"), drawing.box(615, 145, "f")
    drawing.edge(x, product, "3", "2")
    drawing.edge(y, copy, "2", "4")
    drawing.edge(copy, product, "2", "3")
    drawing.edge(copy, maximum, "2", "1")
    drawing.edge(z, maximum, "1", "0")
    drawing.edge(product, total, "6", "1")
    drawing.edge(maximum, total, "2", "1")
    drawing.edge(total, f, "8", "1")
    drawing.text(560, 255, "values forward", "s n")
    drawing.text(560, 272, "gradients backward", "s g")
    return drawing


def sigmoid_graph() -> Drawing:
    """Draw the sigmoid as a chain of four gates, for x = 0."""
    drawing = Drawing("sigmoid_graph", "The sigmoid as a chain of four gates, for x = 0", 690, 110)
    nodes = [drawing.box(40, 55, "x")]
    nodes += [
        drawing.gate(x, 55, label, 25) for x, label in ((165, "× −1"), (290, "exp"), (415, "+ 1"), (540, "1 / x"))
    ]
    nodes.append(drawing.box(650, 55, "out"))
    labels = (("0", "1/4"), ("0", "−1/4"), ("1", "−1/4"), ("2", "−1/4"), ("1/2", "1"))
    for start, end, (value, gradient) in zip(nodes, nodes[1:], labels, strict=False):
        drawing.edge(start, end, value, gradient)
    return drawing


def relu() -> Drawing:
    """Draw a vector and its gradient on their way through a maximum with zero."""
    drawing = Drawing("relu", "A maximum with zero: entries and gradients, one by one", 520, 210)
    for row, (entry, out, upstream, gradient) in enumerate(
        (("1", "1", "5", "5"), ("−2", "0", "6", "0"), ("3", "3", "7", "7"), ("−4", "0", "8", "0"))
    ):
        height = 55 + 38 * row
        left = drawing.box(50, height, entry, width=44, height=28)
        gate = drawing.box(255, height, "max(0, ·)", "node", width=90, height=26)
        right = drawing.box(460, height, out, width=44, height=28)
        drawing.edge(left, gate, "", gradient, shift=42)
        drawing.edge(gate, right, "", upstream, shift=-42)
    for x, words, kind in ((50, "x", "v"), (190, "dx", "v g"), (320, "dout", "v g"), (460, "out", "v")):
        drawing.text(x, 22, words, kind)
    return drawing


def matmul() -> Drawing:
    """Draw three matrices, and their gradients of the same shapes."""
    drawing = Drawing("matmul", "x times W gives out; each gradient has the shape of its matrix", 640, 230)
    matrices = ((95, 100, 70, "x", "N × D"), (290, 130, 100, "W", "D × M"), (510, 130, 70, "out", "N × M"))
    for x, width, height, name, shape in matrices:
        kind = "param" if name == "W" else "data"
        drawing.box(x, 85, "", kind, width, height)
        drawing.text(x, 72, name, "v")
        drawing.text(x, 97, f"d{name}", "v g")
        drawing.text(x, 160, shape, "s")
    drawing.text(185, 85, "×")
    drawing.text(400, 85, "=")
    drawing.text(320, 200, "a matrix and its gradient have one shape; no other product of the three fits", "s")
    return drawing


def affine() -> Drawing:
    """Draw the affine layer as a product and a sum."""
    drawing = Drawing("affine", "The affine layer: a product with W, a sum with b", 600, 210)
    x, product, total, out = (
        drawing.box(50, 60, "x"),
        drawing.gate(215, 60, "×"),
        drawing.gate(390, 60, "+"),
        drawing.box(545, 60, "out"),
    )
    W, b = drawing.box(215, 170, "W", "param"), drawing.box(390, 170, "b", "param")
    drawing.edge(x, product, "(N, D)", "dx")
    drawing.edge(product, total, "(N, M)", "dout")
    drawing.edge(total, out, "(N, M)", "dout")
    drawing.edge(W, product, "(D, M)", "dW")
    drawing.edge(b, total, "(M,)", "db")
    drawing.text(490, 140, "b is copied to", "s")
    drawing.text(490, 157, "each of N rows", "s")
    return drawing


def softmax_loss() -> Drawing:
    """Draw the last layer with one example."""
    drawing = Drawing("softmax_loss", "Scores, probabilities and loss; what goes back is (p - 1 at y) / N", 700, 190)
    scores = drawing.box(70, 80, "scores", width=90)
    soft = drawing.box(315, 80, "softmax", "node", 84, 44)
    log = drawing.box(490, 80, "mean of −log p", "node", 124, 44)
    loss, y = drawing.box(645, 80, "loss", width=60), drawing.box(490, 155, "y", width=44)
    drawing.edge(scores, soft, "s", "(p − 1 at y) / N")
    drawing.edge(soft, log, "p", None)
    drawing.edge(log, loss, "", "1")
    drawing.edge(y, log, "", None)
    drawing.text(170, 150, "softmax and loss are one layer:", "s")
    drawing.text(170, 167, "together they have a simple gradient", "s")
    return drawing


def numeric_gradient() -> Drawing:
    """Draw a curve, its tangent, and both chords."""
    drawing = Drawing("numeric_gradient", "A curve with its tangent, a one-sided and a central chord", 560, 250)

    def height(x: float) -> float:
        t = (x - 280) / 110
        return 130 - 42 * (t + 0.9 * t**2)

    def line(x1: float, y1: float, x2: float, y2: float, reach: float, color: str, dashes: str = "") -> None:
        dx, dy = (x2 - x1) * reach, (y2 - y1) * reach
        ends = f"M{x1 - dx:.1f} {y1 - dy:.1f}L{x2 + dx:.1f} {y2 + dy:.1f}"
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        drawing.parts.append(f'<path d="{ends}" fill="none" stroke="{color}" stroke-width="1.8"{dash}/>')

    points = [(x, height(x)) for x in range(150, 411, 5)]
    drawing.parts.append(f'<path class="c" d="M{" L".join(f"{x} {y:.1f}" for x, y in points)}"/>')
    before, here, after = 190, 280, 370
    slope = (height(281) - height(279)) / 2
    line(here - 60, height(here) - 60 * slope, here + 60, height(here) + 60 * slope, 0.35, "#3367d6")
    line(before, height(before), after, height(after), 0.1, FORWARD, "6 4")
    line(here, height(here), after, height(after), 0.25, BACKWARD, "6 4")
    for x, words in ((before, "x − ε"), (here, "x"), (after, "x + ε")):
        drawing.parts.append(f'<circle cx="{x}" cy="{height(x):.1f}" r="4" fill="#222"/>')
        drawing.parts.append(f'<path class="l" d="M{x} {height(x) + 6:.1f}V215"/>')
        drawing.text(x, 230, words, "v")
    for y, words, color in (
        (150, "tangent", "#3367d6"),
        (170, "to both sides", FORWARD),
        (190, "to one side", BACKWARD),
    ):
        drawing.parts.append(f'<text x="475" y="{y}" dy=".35em" style="fill: {color}">{words}</text>')
    return drawing


def two_layer_net() -> Drawing:
    """Draw the network, with the squares of the weights beside it."""
    drawing = Drawing("two_layer_net", "The network with two layers, and the squares of its weights", 770, 290)
    X = drawing.box(40, 105, "X")
    places = ((150, "affine"), (285, "sigmoid"), (420, "affine"), (565, "softmax loss"))
    nodes = [X, *(drawing.box(x, 105, label, "node", 100 if x > 500 else 72, 40) for x, label in places)]
    total = drawing.gate(670, 105, "+")
    squares = drawing.box(420, 255, "½ λ Σ W²", "node", 96, 36)
    first, second = drawing.box(150, 180, "W₁ b₁", "param", 66), drawing.box(420, 180, "W₂ b₂", "param", 66)
    y, loss = drawing.box(565, 35, "y"), drawing.box(740, 105, "L", width=40)
    for start, end in zip(nodes, [*nodes[1:], total], strict=True):
        drawing.edge(start, end, "", None if start is X else "")
    drawing.text(486, 85, "scores", "s n")
    drawing.edge(first, nodes[1])
    drawing.edge(second, nodes[3])
    drawing.edge(y, nodes[4], "", None)
    drawing.edge(first, squares)
    drawing.edge(second, squares)
    drawing.edge(squares, total)
    drawing.edge(total, loss)
    drawing.text(150, 245, "a weight has two ways back:", "s g")
    drawing.text(150, 262, "its gradients add up", "s g")
    return drawing


def hessian_vector() -> Drawing:
    """Draw the neuron's forward and backward pass as one graph."""
    drawing = Drawing("hessian_vector", "Forward and backward pass of a neuron as one graph that ends in q", 760, 250)
    w, a, h = drawing.box(45, 80, "w"), drawing.box(165, 80, "a"), drawing.box(290, 80, "h")
    dh, slope = drawing.box(420, 45, "dh"), drawing.box(420, 165, "s")
    da, dw, q = drawing.box(530, 80, "da"), drawing.box(635, 80, "dw"), drawing.box(720, 80, "q", width=40)
    drawing.edge(w, a, "X w")
    drawing.edge(a, h, "σ")
    drawing.edge(h, dh, "(h − y)/N", shift=-6)
    drawing.edge(h, slope)
    drawing.text(322, 143, "h (1 − h)", "n")
    drawing.edge(dh, da, "× s", shift=4)
    drawing.edge(slope, da)
    drawing.text(506, 143, "× dh", "n")
    drawing.edge(da, dw, "Xᵀ")
    drawing.edge(dw, q, "· v")
    drawing.text(170, 190, "green: forward, the gradient is computed", "s n")
    drawing.text(170, 208, "red: backward, the gradient of q goes to w", "s g")
    drawing.text(170, 226, "h is used twice: its two gradients add up", "s")
    return drawing


def main() -> None:
    """Draw all figures."""
    parser = argparse.ArgumentParser(description="Draw the figures of the backprop notebook.")
    folder = HOME / "source" / "backprop" / "figures"
    parser.add_argument("--out", type=Path, default=folder, help="the folder to write to")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    drawings = (
        one_input("square_gate", "x²", ("3", "9"), ("12", "2")),
        two_inputs("add_gate", "+", "5"),
        two_inputs("multiply_gate", "×", "6"),
        copy_gate(),
        two_inputs("max_gate", "max", "3"),
        one_input("exp_gate", "exp", ("0", "1"), ("dx = ?", "4")),
        one_input("reciprocal_gate", "1 / x", ("2", "1/2"), ("dx = ?", "4")),
        three_inputs(),
        sigmoid_graph(),
        one_input("sigmoid_node", "σ", ("0", "1/2"), ("1/4", "1")),
        relu(),
        matmul(),
        affine(),
        softmax_loss(),
        numeric_gradient(),
        two_layer_net(),
        hessian_vector(),
    )
    for drawing in drawings:
        drawing.save(arguments.out)
    sys.stdout.write(f"{arguments.out}: {len(drawings)} figures\n")


if __name__ == "__main__":
    main()
