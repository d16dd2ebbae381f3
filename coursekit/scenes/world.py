"""What a scene is made of: objects with a shape, a colour, a texture, a size and a place, on a background.

Lengths are in pixels of a picture of 64 x 64; x grows to the right and y downwards.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

PIXELS = 64

RGB: TypeAlias = tuple[int, int, int]

SHAPES = ("circle", "square", "triangle", "star", "ring", "cross", "heart", "moon")
TEXTURES = ("plain", "striped", "dotted", "checkered")
SIZES = ("small", "big")

COLOURS: dict[str, RGB] = {
    "red": (212, 36, 44),
    "orange": (246, 126, 10),
    "yellow": (250, 208, 36),
    "green": (46, 150, 70),
    "blue": (36, 90, 208),
    "purple": (124, 56, 172),
    "pink": (242, 112, 178),
    "white": (250, 250, 246),
}

# Backgrounds of one colour, of one colour with grains, or fading from one colour to another.
PAPERS: dict[str, RGB] = {
    "white": (250, 250, 248),
    "gray": (148, 150, 152),
    "black": (24, 24, 28),
    "pale blue": (184, 214, 244),
    "pale green": (196, 230, 192),
    "pale pink": (250, 212, 224),
    "dark blue": (22, 32, 78),
    "dark green": (18, 62, 44),
}
# Landscapes: ground below a sky, which has one colour above and another at the horizon.
GROUNDS: dict[str, RGB] = {
    "grass": (112, 172, 84),
    "sand": (226, 200, 150),
    "sea": (38, 104, 138),
    "snow": (236, 242, 248),
}
SKIES: dict[str, tuple[RGB, RGB]] = {
    "day": ((120, 180, 236), (206, 230, 248)),
    "night": ((12, 16, 44), (44, 52, 104)),
    "sunset": ((104, 76, 140), (250, 176, 128)),
}

KINDS = ("plain", "grainy", "fading", "landscape")

# How far the colour of an object is from every colour behind it, at least; closer ones are hard to see.
_CONTRAST = 105.0
# How much further left one of two objects is, in pixels, so that it can be seen.
_STAGGER = 10.0
# Smallest and largest radius of each size.
_RADII = {"small": (7.5, 9.5), "big": (13.0, 16.0)}
# Small objects with a texture: on narrower ones it could not be seen.
_WIDE = {"circle", "square", "heart"}
# A ring is open inside of this part of its radius.
RING_HOLE = 0.58


@dataclass(frozen=True)
class Thing:
    """An object of a scene.

    Attributes:
        shape: One of `SHAPES`.
        colour: One of `COLOURS`.
        texture: One of `TEXTURES`.
        size: One of `SIZES`.
        x: Where its centre is, in pixels from the left.
        y: Where its centre is, in pixels from the top.
        radius: About how far it reaches from its centre, in pixels.
        angle: By how much it is turned, in radians, clockwise.
    """

    shape: str
    colour: str
    texture: str
    size: str
    x: float
    y: float
    radius: float
    angle: float


@dataclass(frozen=True)
class Background:
    """What is behind the objects.

    Attributes:
        kind: One of `KINDS`.
        first: The paper of a plain or grainy background; where a fading one begins, which is above or on the left;
            the sky of a landscape, one of `SKIES`.
        second: The paper where a fading background ends; the ground of a landscape, one of `GROUNDS`; else empty.
        level: The height of a landscape's horizon as a part of the picture's; for a fading background 1 if it fades
            downwards, 0 if it fades to the right; else 0.
    """

    kind: str
    first: str
    second: str = ""
    level: float = 0.0


@dataclass(frozen=True)
class Scene:
    """All there is to know about a picture.

    Attributes:
        background: What is behind.
        things: The objects, one to three, from left to right, a ring before what is inside of it; none hides another.
        seed: Where the grains, the stars and the small differences of colour come from.
    """

    background: Background
    things: tuple[Thing, ...]
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Return the scene as plain dictionaries, lists, strings and numbers, as JSON has them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, scene: dict[str, Any]) -> Scene:
        """Return the scene that `as_dict` has turned into plain values."""
        things = tuple(Thing(**thing) for thing in scene["things"])
        return cls(Background(**scene["background"]), things, scene["seed"])


def inside(inner: Thing, outer: Thing) -> bool:
    """Whether one object is in the hole of another."""
    apart = math.hypot(inner.x - outer.x, inner.y - outer.y)
    return outer.shape == "ring" and apart + inner.radius <= outer.radius


def random_scene(rng: np.random.Generator, count: int | None = None) -> Scene:
    """Invent a scene.

    Args:
        rng: Where the randomness comes from; the same state gives the same scene.
        count: How many objects there are, 1 to 3; by default any of these.

    Returns:
        The scene.
    """
    background = _background(rng)
    behind = colours_behind(background)
    visible = [name for name, rgb in COLOURS.items() if min(math.dist(rgb, other) for other in behind) > _CONTRAST]
    if count is None:
        count = int(rng.choice(3, p=(0.4, 0.45, 0.15))) + 1
    things: list[Thing] = []
    while len(things) < count:
        # Two objects that are alike can be counted: now and then there shall be some.
        alike = things[-1] if things and rng.random() < 0.15 else None
        nested = len(things) == 1 and things[0].shape == "ring" and things[0].size == "big" and rng.random() < 0.6
        thing = _thing(rng, visible, alike, things[0] if nested else None)
        for _ in range(20):
            if all(_apart(thing, other) or inside(thing, other) for other in things):
                things.append(thing)
                break
            thing = _moved(rng, thing)
        else:
            # There is no room: begin anew.
            things.clear()
    things.sort(key=lambda thing: (thing.x, -thing.radius))
    return Scene(background, tuple(things), int(rng.integers(2**31)))


def colours_behind(background: Background) -> list[RGB]:
    """Return the colours that a background is made of."""
    if background.kind == "landscape":
        return [*SKIES[background.first], GROUNDS[background.second]]
    return [PAPERS[name] for name in (background.first, background.second) if name]


def _background(rng: np.random.Generator) -> Background:
    kind = KINDS[rng.choice(4, p=(0.4, 0.2, 0.15, 0.25))]
    if kind == "landscape":
        first, second = _one(rng, tuple(SKIES)), _one(rng, tuple(GROUNDS))
        return Background(kind, first, second, float(rng.uniform(0.5, 0.75)))
    papers = rng.permutation(tuple(PAPERS))
    if kind == "fading":
        return Background(kind, str(papers[0]), str(papers[1]), float(rng.integers(2)))
    return Background(kind, str(papers[0]))


def _thing(rng: np.random.Generator, colours: list[str], alike: Thing | None, ring: Thing | None) -> Thing:
    """Invent an object: of the shape and perhaps the colour of another, or inside of a ring, if these are given."""
    size = _one(rng, SIZES)
    shape, colour = _one(rng, SHAPES), _one(rng, tuple(colours))
    if alike is not None:
        shape, colour = alike.shape, alike.colour if rng.random() < 0.6 else colour
    texture = TEXTURES[rng.choice(4, p=(0.31, 0.23, 0.23, 0.23))]
    if size == "small" and shape not in _WIDE:
        texture = "plain"
    low, high = _RADII[size]
    turn = np.pi if shape in {"circle", "ring"} else 0.3
    thing = Thing(
        shape, colour, texture, size, 0.0, 0.0, float(rng.uniform(low, high)), float(rng.uniform(-turn, turn))
    )
    if ring is None:
        return _moved(rng, thing)
    shape = "star" if shape == "ring" else shape
    radius = ring.radius * RING_HOLE - 1.5
    return Thing(shape, colour, "plain", "small", ring.x, ring.y, radius, thing.angle)


def _moved(rng: np.random.Generator, thing: Thing) -> Thing:
    """Return the object at some other place of the picture."""
    low, high = thing.radius + 1, PIXELS - thing.radius - 1
    x, y = (float(value) for value in rng.uniform(low, high, 2))
    return Thing(thing.shape, thing.colour, thing.texture, thing.size, x, y, thing.radius, thing.angle)


def _apart(one: Thing, other: Thing) -> bool:
    """Whether two objects do not touch, and it can be seen which of them is further left."""
    far = math.hypot(one.x - other.x, one.y - other.y) > one.radius + other.radius + 1
    return far and abs(one.x - other.x) > _STAGGER


def _one(rng: np.random.Generator, names: tuple[str, ...]) -> str:
    return names[int(rng.integers(len(names)))]
