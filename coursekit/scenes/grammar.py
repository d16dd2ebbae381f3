"""Write captions that are true of a scene, in many ways: different objects, attributes, orders and synonyms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coursekit.scenes.lexicon import (
    ANY_SHAPE,
    NUMBERS,
    OPENINGS,
    PLACES,
    RELATIONS,
    SHAPE_NOUNS,
    SIZE_WORDS,
    TEXTURE_NOUNS,
    TEXTURE_WORDS,
    TIMES,
    VERBS,
    plural,
)
from coursekit.scenes.truth import holds, is_at
from coursekit.scenes.world import PIXELS, inside

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from coursekit.scenes.world import Background, Scene, Thing

# The most words of a caption, without <START> and <END>.
MAX_WORDS = 20

# An object in a corner is this far from the middle, in pixels, both ways.
_CORNER = 11.0

_COUNTS = {count: word for word, count in NUMBERS.items()}
_TIME_PHRASES = {time: phrase for phrase, time in TIMES.items()}


def captions(scene: Scene, rng: np.random.Generator, count: int = 5) -> list[str]:
    """Describe a scene in several ways, no two the same.

    Args:
        scene: What to describe.
        rng: Where the choices come from; the same state gives the same captions.
        count: How many captions to write.

    Returns:
        Captions of at most `MAX_WORDS` words, separated by spaces, each of them true of the scene.
    """
    writer = _Writer(scene, rng)
    found: dict[str, None] = {}
    while len(found) < count:
        caption = writer.caption()
        if len(caption.split()) <= MAX_WORDS:
            found[caption] = None
    return list(found)


class _Writer:
    """Writes captions of one scene."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self.scene = scene
        self.rng = rng

    def caption(self) -> str:
        """Return one caption."""
        body, opened = self._body()
        if self.rng.random() < 0.55:
            return body
        behind = self._background(self.scene.background)
        # "a black background with a star", "on a black background there is a star"
        if opened and behind.startswith("on ") and self.rng.random() < 0.5:
            if self.rng.random() < 0.5:
                return f"{behind.removeprefix('on ')} with {body}"
            return f"{behind} there is {body}"
        return f"{body} {behind}"

    def _body(self) -> tuple[str, bool]:
        """Return a sentence on the objects, and whether "with" may come before it."""
        # From left to right, as people do: a network can only learn which colour goes with which shape if it can know
        # which object comes first.
        things = list(self.scene.things)
        roll = self.rng.random()
        if len(things) == 1:
            return self._single(things[0], roll)
        if roll < 0.2:
            return self._maybe_opened(self._number(things[0]), several=True), False
        if len(things) == 2 or roll < 0.4:
            del things[2:]
            if self.rng.random() < 0.2:
                things.reverse()
            return self._pair(things, self.rng.random())
        names = [self._name(thing) for thing in things]
        if roll < 0.55:
            relation, other = self._relation(things[0], things[1]), self._relation(things[0], things[2])
            return f"{names[0]} {relation} {names[1]} and {other} {names[2]}", False
        listed = f"{names[0]} {names[1]} and {names[2]}"
        if roll < 0.65:
            listed = f"three {plural(self._pick(ANY_SHAPE))} {listed}"
        return self._maybe_opened(listed, several=roll < 0.65), False

    def _single(self, thing: Thing, roll: float) -> tuple[str, bool]:
        name = self._name(thing)
        if roll < 0.3:
            return name, True
        if roll < 0.45:
            return self._maybe_opened(name), False
        place = self._place(thing)
        if place and roll < 0.65:
            verb = f" {self._pick(VERBS)}" if self.rng.random() < 0.5 else ""
            return f"{name}{verb} {place}", False
        if place and roll < 0.75:
            return f"{place} {self._pick(('is', 'there is', 'we see'))} {name}", False
        if roll < 0.85:
            return f"one {self._name(thing).split(' ', 1)[1]}", True
        return self._predicate(thing), False

    def _pair(self, things: Sequence[Thing], roll: float) -> tuple[str, bool]:
        one, other = things[:2]
        first, second = self._name(one), self._name(other)
        if roll < 0.3:
            return self._maybe_opened(f"{first} {self._relation(one, other)} {second}"), False
        if roll < 0.5:
            if self.rng.random() < 0.5:
                first, second = (f"the {name.split(' ', 1)[1]}" for name in (first, second))
            relation = self._relation(one, other)
            verb = "is" if relation.endswith("than") else self._pick(VERBS)
            return f"{first} {verb} {relation} {second}", False
        if roll < 0.62:
            verb = self._pick((*VERBS, "there is"))
            return f"{self._relation(one, other, sizes=False)} {second} {verb} {first}", False
        if roll < 0.7:
            return f"{self._predicate(one)} and {self._predicate(other)}", False
        places = [self._place(thing) for thing in (one, other)]
        if all(places) and roll < 0.8:
            return f"{first} {places[0]} and {second} {places[1]}", False
        listed = f"{first} and {second}"
        counted = len(self.scene.things) == 2 and roll < 0.88
        if counted:
            listed = f"two {plural(self._pick(ANY_SHAPE))} {listed}"
        return self._maybe_opened(listed, several=counted), False

    def _name(self, thing: Thing) -> str:
        """Return words for an object, such as "a big striped star"."""
        adjectives = []
        after = ""
        if self.rng.random() < 0.85:
            adjectives.append(thing.colour)
        if self.rng.random() < (0.08 if thing.texture == "plain" else 0.55):
            if thing.texture in TEXTURE_NOUNS and self.rng.random() < 0.3:
                after = f" with {TEXTURE_NOUNS[thing.texture]}"
            else:
                adjectives.insert(int(self.rng.integers(len(adjectives) + 1)), self._pick(TEXTURE_WORDS[thing.texture]))
        if self.rng.random() < 0.45:
            adjectives.insert(0, self._pick(SIZE_WORDS[thing.size]))
        words = " ".join((*adjectives, self._noun(thing)))
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}{after}"

    def _noun(self, thing: Thing) -> str:
        roll = self.rng.random()
        if roll < 0.03:
            return self._pick(ANY_SHAPE)
        return SHAPE_NOUNS[thing.shape][0] if roll < 0.75 else self._pick(SHAPE_NOUNS[thing.shape])

    def _predicate(self, thing: Thing) -> str:
        """Return a sentence such as "the star is big and red"."""
        words = [thing.colour, self._pick(SIZE_WORDS[thing.size])]
        if thing.texture != "plain":
            words.append(self._pick(TEXTURE_WORDS[thing.texture]))
        count = int(self.rng.integers(1, 3))
        chosen = [words[i] for i in self.rng.permutation(len(words))[:count]]
        return f"the {self._noun(thing)} is {' and '.join(chosen)}"

    def _number(self, thing: Thing) -> str:
        """Return words for all objects that are like this one, such as "two red stars", or else for all there are."""
        things = self.scene.things
        for kinds in (("colour", "shape"), ("shape",)):
            same = [other for other in things if all(getattr(other, kind) == getattr(thing, kind) for kind in kinds)]
            if len(same) > 1:
                colour = f"{thing.colour} " if "colour" in kinds else ""
                return f"{_COUNTS[len(same)]} {colour}{plural(SHAPE_NOUNS[thing.shape][0])}"
        return f"{_COUNTS[len(things)]} {plural(self._pick(ANY_SHAPE))}"

    def _relation(self, one: Thing, other: Thing, *, sizes: bool = True) -> str:
        """Return words for how one object lies to another or, if that may be, compares with it."""
        if inside(one, other) or inside(other, one):
            fitting = ["inside" if inside(one, other) else "around"]
        else:
            wide = abs(one.x - other.x) > abs(one.y - other.y)
            names = ("left", "right", "beside") if wide else ("above", "below")
            fitting = [name for name in names if holds(name, one, other)]
        if sizes and one.size != other.size and self.rng.random() < 0.12:
            fitting = ["bigger" if holds("bigger", one, other) else "smaller"]
        chosen = self._pick(fitting)
        return self._pick(RELATIONS[chosen])

    def _place(self, thing: Thing) -> str:
        """Return words for where an object is; none if no words fit well."""
        fitting = [place for place in PLACES if is_at(place, thing)]
        if "middle" in fitting:
            fitting = ["middle"]
        # A corner is worth a word only if the object is well inside of it.
        deep = min(abs(thing.x - PIXELS / 2), abs(thing.y - PIXELS / 2)) >= _CORNER
        fitting = [place for place in fitting if (" " in place) == deep]
        return self._pick(PLACES[self._pick(fitting)]) if fitting else ""

    def _background(self, background: Background) -> str:
        if background.kind == "landscape":
            ground, time = f"over the {background.second}", _TIME_PHRASES[background.first]
            return self._pick((ground, time, f"{ground} {time}"))
        if background.kind == "fading":
            return f"on a background fading from {background.first} to {background.second}"
        texture = ""
        if self.rng.random() < (0.15 if background.kind == "plain" else 0.7):
            texture = f"{background.kind} "
        return f"on a {texture}{background.first} background"

    def _maybe_opened(self, words: str, *, several: bool = False) -> str:
        return f"{self._pick(OPENINGS[several])} {words}" if self.rng.random() < 0.35 else words

    def _pick(self, choices: Sequence[str]) -> str:
        return choices[int(self.rng.integers(len(choices)))]
