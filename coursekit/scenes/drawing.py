"""Draw a scene: each object by its distance function, so that its edges are smooth without drawing it any larger.

The distance of a pixel to an outline is negative inside. An edge covers a pixel by the half minus that distance,
cut off at nothing and at all of it: what counting many points within the pixel would give, nearly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from coursekit.scenes.world import COLOURS, GROUNDS, PAPERS, PIXELS, RING_HOLE, SKIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from coursekit.scenes.world import Background, Scene, Thing

Floats: TypeAlias = "NDArray[np.float64]"
Picture: TypeAlias = "NDArray[np.uint8]"

# The width of the dark line around an object, in pixels.
_OUTLINE = 1.1


def draw(scene: Scene) -> Picture:
    """Draw a scene; the same scene always gives the same picture.

    Args:
        scene: What to draw.

    Returns:
        A picture of shape (64, 64, 3), values from 0 to 255.
    """
    rng = np.random.default_rng(scene.seed)
    canvas = _backdrop(scene.background, rng)
    for thing in scene.things:
        _paint(canvas, thing, rng)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def draw_all(scenes: Sequence[Scene]) -> Picture:
    """Draw N scenes into one array of shape (N, 64, 64, 3)."""
    return np.stack([draw(scene) for scene in scenes])


def _backdrop(background: Background, rng: np.random.Generator) -> Floats:
    """Return the background in an array of shape (64, 64, 3)."""
    down = (np.arange(PIXELS, dtype=np.float64)[:, np.newaxis, np.newaxis] + 0.5) / PIXELS
    canvas = np.empty((PIXELS, PIXELS, 3))
    if background.kind == "landscape":
        top, horizon = (np.array(colour, float) for colour in SKIES[background.first])
        ground = np.array(GROUNDS[background.second], float)
        canvas[:] = top + (horizon - top) * np.clip(down / background.level, 0, 1)
        if background.first == "night":
            rows, columns = rng.integers(0, PIXELS, (2, 40))
            canvas[rows, columns] += rng.uniform(20, 110, (40, 1))
        depth = (down - background.level) * PIXELS
        # The ground is darker at night, nearer ground a little lighter, and it is not quite even.
        light = {"day": 1.0, "night": 0.55, "sunset": 0.85}[background.first]
        rows_of_ground = ground * light * (0.9 + 0.15 * np.clip(depth / 24, 0, 1)) + rng.normal(
            0, 5, (PIXELS, PIXELS, 1)
        )
        cover = np.clip(depth + 0.5, 0, 1)
        return canvas * (1 - cover) + rows_of_ground * cover
    first = np.array(PAPERS[background.first], float)
    if background.kind == "fading":
        along = down if background.level else down.transpose(1, 0, 2)
        canvas[:] = first + (np.array(PAPERS[background.second], float) - first) * along
    else:
        canvas[:] = first
    if background.kind == "grainy":
        canvas += rng.normal(0, 20, (PIXELS, PIXELS, 1)) + rng.normal(0, 7, (PIXELS, PIXELS, 3))
    else:
        canvas += rng.normal(0, 1.5, 3)
    return canvas


def _paint(canvas: Floats, thing: Thing, rng: np.random.Generator) -> None:
    """Paint an object onto the canvas."""
    reach = thing.radius * 1.3 + 3
    top, left = (max(0, int(at - reach)) for at in (thing.y, thing.x))
    rows, columns = (slice(start, int(at + reach) + 1) for start, at in ((top, thing.y), (left, thing.x)))
    part = canvas[rows, columns]
    y = np.arange(top, top + part.shape[0])[:, np.newaxis] + 0.5 - thing.y
    x = np.arange(left, left + part.shape[1])[np.newaxis, :] + 0.5 - thing.x
    # A soft shadow, down and to the right.
    shadow = 0.3 * np.clip(0.5 - _distance(thing, x - 1.2, y - 1.6) / 2.5, 0, 1)
    part *= 1 - shadow[:, :, np.newaxis]

    distance = _distance(thing, x, y)
    colour = np.clip(np.array(COLOURS[thing.colour], float) + rng.normal(0, 5, 3), 0, 255)
    light = (colour @ (0.3, 0.59, 0.11)) > 150
    other = colour * 0.55 if light else colour + (255 - colour) * 0.62
    mix = _texture(thing, x, y)[:, :, np.newaxis]
    # Light comes from above on the left.
    shade = np.clip(1.04 - 0.1 * (x + y) / thing.radius, 0.8, 1.15)[:, :, np.newaxis]
    inner = (colour * (1 - mix) + other * mix) * shade
    edge = np.clip(distance + _OUTLINE + 0.5, 0, 1)[:, :, np.newaxis]
    body = inner * (1 - edge) + colour * 0.5 * edge
    cover = np.clip(0.5 - distance, 0, 1)[:, :, np.newaxis]
    part *= 1 - cover
    part += body * cover


def _turned(thing: Thing, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return places as the object sees them, in units of its radius."""
    cos, sin = np.cos(thing.angle) / thing.radius, np.sin(thing.angle) / thing.radius
    return x * cos + y * sin, y * cos - x * sin


def _texture(thing: Thing, x: Floats, y: Floats) -> Floats:
    """Return how much of the second colour there is at each pixel, from 0 to 1."""
    if thing.texture == "plain":
        return np.zeros(np.broadcast_shapes(x.shape, y.shape))
    u, v = (along * thing.radius for along in _turned(thing, x, y))
    period = max(4.6, 0.4 * thing.radius)
    if thing.texture == "striped":
        # A wave, steep and cut off, is a row of stripes with edges of about a pixel.
        wave = np.cos(2 * np.pi * (u + v) / (1.2 * period) / np.sqrt(2))
        mix = 0.5 + 0.45 * period * wave
    elif thing.texture == "checkered":
        wave = np.sin(np.pi * u / period * 1.25) * np.sin(np.pi * v / period * 1.25)
        mix = 0.5 + 0.8 * period * wave
    else:
        # Dots stand on a grid turned by an eighth.
        a, b = ((each / (1.25 * period) + 0.5) % 1 - 0.5 for each in ((u + v) / np.sqrt(2), (u - v) / np.sqrt(2)))
        mix = 0.5 + 1.25 * period * (0.31 - np.hypot(a, b))
    clipped: Floats = np.clip(mix, 0, 1)
    return clipped


def _distance(thing: Thing, x: Floats, y: Floats) -> Floats:
    """Return the distance of places to the outline of an object, in pixels, negative inside."""
    u, v = _turned(thing, x, y)
    shape = thing.shape
    if shape == "circle":
        distance = np.hypot(u, v) - 0.94
    elif shape == "ring":
        width = (1 - RING_HOLE) / 2
        distance = np.abs(np.hypot(u, v) - (1 - width)) - width
    elif shape == "square":
        distance = _box(u, v, 0.8, 0.8)
    elif shape == "cross":
        distance = np.minimum(_box(u, v, 0.98, 0.34), _box(u, v, 0.34, 0.98))
    elif shape == "triangle":
        distance = np.maximum(v * 1.0 - 0.62, np.abs(u) * 0.866 - v * 0.5 - 0.52)
    elif shape == "star":
        distance = _star(u, v)
    elif shape == "heart":
        distance = _heart(u, v)
    else:
        # A moon is a disc without another one.
        distance = np.maximum(np.hypot(u, v) - 0.98, 0.78 - np.hypot(u - 0.5, v + 0.12))
    pixels: Floats = distance * thing.radius
    return pixels


def _box(u: Floats, v: Floats, wide: float, high: float) -> Floats:
    a, b = np.abs(u) - wide, np.abs(v) - high
    outside: Floats = np.hypot(np.maximum(a, 0), np.maximum(b, 0)) + np.minimum(np.maximum(a, b), 0)
    return outside


def _star(u: Floats, v: Floats) -> Floats:
    """Return the distance to a star with five points: to one edge, after folding all of them onto it."""
    angle = np.abs((np.arctan2(u, -v) + np.pi / 5) % (2 * np.pi / 5) - np.pi / 5)
    radius = np.hypot(u, v)
    along, across = radius * np.cos(angle), radius * np.sin(angle)
    # From the tip (1.05, 0) to the notch between two tips.
    tip, notch = np.array([1.05, 0.0]), 0.5 * np.array([np.cos(np.pi / 5), np.sin(np.pi / 5)])
    way = notch - tip
    t = np.clip(((along - tip[0]) * way[0] + (across - tip[1]) * way[1]) / (way @ way), 0, 1)
    far = np.hypot(along - tip[0] - t * way[0], across - tip[1] - t * way[1])
    side = (along - tip[0]) * way[1] - (across - tip[1]) * way[0]
    distance: Floats = far * np.where(side > 0, 1, -1)
    return distance


def _heart(u: Floats, v: Floats) -> Floats:
    """Return the distance to a heart: two discs above, and a wedge between their sides and the tip."""
    a = np.abs(u)
    disc = np.hypot(a - 0.46, v + 0.36) - 0.54
    # The wedge's sides touch the discs at (0.842, 0.022) and meet at the tip, (0, 0.864).
    wedge = np.maximum((a + v - 0.864) * np.sqrt(0.5), -v - 0.36 + np.maximum(a - 0.46, 0) * 0.72)
    distance: Floats = np.minimum(disc, wedge)
    return distance
