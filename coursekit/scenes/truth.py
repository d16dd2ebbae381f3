"""Judge a caption: is all that it says true of the scene?

A caption is read as a row of phrases (an object, a relation, a place in the picture, the background, ...), each of
which has a letter; a pattern of letters says which rows are sentences. What a sentence claims of objects that it
mentions is then tried on all ways to tell which of the scene's objects are meant, and the best way counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import permutations
from typing import TYPE_CHECKING, TypeAlias

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
from coursekit.scenes.world import COLOURS, GROUNDS, PAPERS, PIXELS, inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coursekit.scenes.world import Background, Scene, Thing

Attribute: TypeAlias = tuple[str, str]

# Two objects are left, right, above or below of each other if their centres are this many pixels apart that way.
_APART = 5.0
# The middle reaches this far from the centre of the picture; left, right, top and bottom begin this far from it.
_MIDDLE, _SIDE = 10.0, 5.0


def holds(relation: str, one: Thing, other: Thing) -> bool:
    """Whether a relation of `RELATIONS` holds from one object to another."""
    dx, dy = other.x - one.x, other.y - one.y
    nested = inside(one, other) or inside(other, one)
    return {
        "left": dx >= _APART,
        "right": -dx >= _APART,
        "above": dy >= _APART,
        "below": -dy >= _APART,
        "beside": abs(dx) > abs(dy) and not nested,
        "inside": inside(one, other),
        "around": inside(other, one),
        "bigger": (one.size, other.size) == ("big", "small"),
        "smaller": (one.size, other.size) == ("small", "big"),
    }[relation]


def is_at(place: str, thing: Thing) -> bool:
    """Whether an object is at a place of `PLACES`."""
    dx, dy = thing.x - PIXELS / 2, thing.y - PIXELS / 2
    here = {
        "left": dx <= -_SIDE,
        "right": dx >= _SIDE,
        "top": dy <= -_SIDE,
        "bottom": dy >= _SIDE,
        "middle": max(abs(dx), abs(dy)) <= _MIDDLE,
    }
    return all(here[part] for part in place.split())


def says(background: Background, attribute: Attribute) -> bool:
    """Whether a background has an attribute of the kind "kind", "paper", "fades", "ground" or "time"."""
    kind, value = attribute
    if kind == "paper":
        return background.kind in {"plain", "grainy"} and background.first == value
    if kind == "fades":
        return background.kind == "fading" and f"{background.first} to {background.second}" == value
    if kind == "kind":
        return background.kind == value
    return background.kind == "landscape" and value == (background.second if kind == "ground" else background.first)


@dataclass(frozen=True)
class Claim:
    """One thing that a caption says.

    Attributes:
        kind: "shape", "colour", "texture", "size", "existence", "number", "relation", "place" or "background".
        text: What is said, in words.
        holds: Whether it is true of the scene.
    """

    kind: str
    text: str
    holds: bool


@dataclass(frozen=True)
class Verdict:
    """What judging a caption has shown.

    Attributes:
        claims: All that it says. Which objects are meant is chosen so that as many shapes as possible are right, then
            as many claims as possible.
        problem: A sentence, if it could not be read; there are no claims then.
    """

    claims: tuple[Claim, ...]
    problem: str | None = None

    @property
    def true(self) -> bool:
        """Whether the caption can be read and all that it says holds."""
        return self.problem is None and all(claim.holds for claim in self.claims)


def true_of(caption: str | Iterable[str], scene: Scene) -> bool:
    """Whether all that a caption says is true of a scene; False for one that is no sentence.

    Args:
        caption: The words, or one string of them. <START> and all from <END> on do not count.
        scene: What the picture shows.

    Returns:
        Whether every attribute, number, relation and place that the caption states holds.
    """
    return judge(caption, scene).true


def judge(caption: str | Iterable[str], scene: Scene) -> Verdict:
    """Say what a caption claims, and which of that holds.

    Args:
        caption: The words, or one string of them. <START> and all from <END> on do not count.
        scene: What the picture shows.

    Returns:
        The verdict.
    """
    words = caption.split() if isinstance(caption, str) else list(caption)
    words = words[: words.index("<END>")] if "<END>" in words else words
    text = " ".join(word for word in words if word not in {"<START>", "<NULL>"})
    cut = phrases(text)
    if isinstance(cut, str):
        return Verdict((), cut)
    letters = "".join(letter for letter, _ in cut)
    if not _SENTENCE.fullmatch(letters):
        return Verdict((), "This is no sentence: it is cut off, or its phrases do not go together.")
    return Verdict(tuple(_claims(_read(cut), scene)))


@dataclass
class _Mention:
    """Some words for an object or for several: "a red star", "two stars"."""

    text: str
    count: int | None = None
    attributes: list[Attribute] = field(default_factory=list)


@dataclass
class _Reading:
    """What a sentence speaks of: objects, relations and places of objects (by number), the background."""

    mentions: list[_Mention] = field(default_factory=list)
    relations: list[tuple[str, int, int]] = field(default_factory=list)
    places: list[tuple[str, int]] = field(default_factory=list)
    background: list[tuple[str, Attribute]] = field(default_factory=list)


def _table(choices: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {phrase: key for key, phrases in choices.items() for phrase in phrases}


def _any(phrases: Iterable[str]) -> str:
    """Return a pattern for one of some phrases, the longest one that fits, and no half words."""
    return rf"(?:{'|'.join(sorted(phrases, key=len, reverse=True))})\b"


_NOUNS = _table(SHAPE_NOUNS) | dict.fromkeys(ANY_SHAPE, "")
_NOUNS |= {plural(noun): shape for noun, shape in _NOUNS.items()}
_HAVING = {noun: texture for texture, noun in TEXTURE_NOUNS.items()}
_ADJECTIVES: dict[str, Attribute] = {
    **{word: ("size", size) for word, size in _table(SIZE_WORDS).items()},
    **{word: ("texture", texture) for word, texture in _table(TEXTURE_WORDS).items()},
    **{word: ("colour", word) for word in (*COLOURS, "black", "gray")},
}
_RELATION, _PLACE = _table(RELATIONS), _table(PLACES)

_PAPER = (
    rf"an? (?:(?:plain|grainy) )?{_any(PAPERS)} background|an? background fading from {_any(PAPERS)} to {_any(PAPERS)}"
)
_ADJECTIVE = _any(_ADJECTIVES)
# Each kind of phrase has a letter; where two kinds fit, the first one counts.
_PATTERNS = {
    "G": rf"on (?:{_PAPER})|over the {_any(GROUNDS)}(?: {_any(TIMES)})?|{_any(TIMES)}",
    "H": _PAPER,
    "T": _any(phrase for phrases in OPENINGS.values() for phrase in phrases),
    "N": rf"(?:an?|the|{_any(NUMBERS)}) (?:{_ADJECTIVE} )*{_any(_NOUNS)}(?: with {_any(_HAVING)})?",
    "R": _any(_RELATION),
    "L": _any(_PLACE),
    "J": rf"(?:is|are) {_ADJECTIVE}(?: and {_ADJECTIVE})*",
    "V": _any((*VERBS, "are")),
    "A": r"and\b",
    "W": r"with\b",
}
_PHRASE = re.compile("|".join(f"(?P<{letter}>{pattern})" for letter, pattern in _PATTERNS.items()))
_SENTENCE = re.compile(
    r"(?:G(?=T)|HW)?(?:T?N(?:N{0,2}AN)?|T?NV?RN(?:ARN)?|T?NV?L(?:ANV?L)?|L[VT]N|RN[VT]N|NJ(?:ANJ)?)G?"
)


def phrases(text: str) -> list[tuple[str, str]] | str:
    """Cut a caption into phrases, each with the letter of its kind; or return a sentence on what cannot be read."""
    found = []
    at = 0
    while at < len(text):
        match = _PHRASE.match(text, at)
        if match is None:
            return f"This is not understood: {text[at:]!r}."
        found.append((match.lastgroup or "", match.group()))
        at = match.end() + 1
    return found


def _read(phrases: Sequence[tuple[str, str]]) -> _Reading:
    """Find out what the phrases of a sentence say of each other."""
    reading = _Reading()
    for letter, text in phrases:
        before = len(reading.mentions)
        if letter in "GH":
            reading.background += _of_background(text)
        elif letter == "N":
            reading.mentions.append(_mention(text))
        elif letter == "J":
            reading.mentions[-1].attributes += [_ADJECTIVES[word] for word in text.split()[1:] if word != "and"]
        elif letter == "R":
            # "a star above a ring and left of a moon": the star is the subject of both. "above a ring is a star": the
            # object comes first.
            reading.relations.append((_RELATION[text], 0, before) if before else (_RELATION[text], 1, 0))
        elif letter == "L":
            reading.places.append((_PLACE[text], max(before - 1, 0)))
    return reading


def _mention(text: str) -> _Mention:
    words = text.split()
    mention = _Mention(text, NUMBERS.get(words[0]))
    if "with" in words:
        mention.attributes.append(("texture", _HAVING[words.pop()]))
        words.pop()
    mention.attributes += [_ADJECTIVES[word] for word in words[1:-1]]
    if _NOUNS[words[-1]]:
        mention.attributes.append(("shape", _NOUNS[words[-1]]))
    if words[-1].endswith("s") and words[-1] not in _table(SHAPE_NOUNS) and mention.count is None:
        # "the stars", without a number: at least two.
        mention.count = -2
    return mention


def _of_background(text: str) -> list[tuple[str, Attribute]]:
    """Return what a phrase says of the background, each as text and attribute."""
    found: list[Attribute] = []
    words = text.split()
    if "fading" in words:
        found.append(("fades", text.partition(" from ")[2]))
    elif words[-1] == "background":
        paper = words[words.index("background") - 1]
        paper = f"{words[-3]} {paper}" if words[-3] in {"pale", "dark"} else paper
        found.append(("paper", paper))
        found += [("kind", word) for word in ("plain", "grainy") if word in words]
    else:
        found += [("ground", word) for word in words if word in GROUNDS]
        found += [("time", time) for phrase, time in TIMES.items() if text.endswith(phrase)]
    return [(text, attribute) for attribute in found]


def _claims(reading: _Reading, scene: Scene) -> list[Claim]:
    """Return the claims of a sentence, with the choice of objects for which the most of them hold."""
    singles = [n for n, mention in enumerate(reading.mentions) if mention.count in {None, 1}]
    things: list[Thing | None] = [*scene.things, *[None] * max(0, len(singles) - len(scene.things))]
    best: list[Claim] = []
    for chosen in permutations(things, len(singles)):
        meant = {n: [thing] if thing else [] for n, thing in zip(singles, chosen, strict=True)}
        claims = _claims_for(reading, scene, meant)
        if not best or _fit(claims) > _fit(best):
            best = claims
    return best


def _fit(claims: list[Claim]) -> tuple[int, int]:
    """Return how well a choice of objects fits: first of all their shapes, by which one knows what is meant."""
    return sum(claim.holds for claim in claims if claim.kind == "shape"), sum(claim.holds for claim in claims)


def _claims_for(reading: _Reading, scene: Scene, meant: dict[int, list[Thing]]) -> list[Claim]:
    """Return the claims of a sentence, if the numbered mentions mean these objects."""
    claims: list[Claim] = []
    groups = []
    for n, mention in enumerate(reading.mentions):
        fitting = [thing for thing in scene.things if all(getattr(thing, kind) == v for kind, v in mention.attributes)]
        group = meant.get(n, fitting)
        groups.append(group)
        if n in meant:
            claims.append(Claim("existence", mention.text, bool(group)))
            claims += [
                Claim(kind, f"{mention.text}: {value}", any(getattr(thing, kind) == value for thing in group))
                for kind, value in mention.attributes
            ]
        if mention.count is not None:
            right = len(fitting) == mention.count if mention.count > 0 else len(fitting) >= -mention.count
            claims.append(Claim("number", mention.text, right))
    for place, n in reading.places:
        right = bool(groups[n]) and all(is_at(place, thing) for thing in groups[n])
        claims.append(Claim("place", f"{reading.mentions[n].text}: {place}", right))
    for relation, one, other in reading.relations:
        pairs = [(a, b) for a in groups[one] for b in groups[other]]
        text = f"{reading.mentions[one].text} {RELATIONS[relation][0]} {reading.mentions[other].text}"
        claims.append(
            Claim("relation", text, bool(pairs) and all(a is not b and holds(relation, a, b) for a, b in pairs))
        )
    claims += [Claim("background", text, says(scene.background, attribute)) for text, attribute in reading.background]
    return claims
