"""The words of captions: what each of them says, and the whole vocabulary.

The grammar that writes captions and the judge that reads them both take their words from here.
"""

from __future__ import annotations

from coursekit.scenes.world import COLOURS, GROUNDS, PAPERS, SHAPES

# The names of a shape: the first is the most common one.
SHAPE_NOUNS: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "disc"),
    "square": ("square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "ring": ("ring",),
    "cross": ("cross", "plus"),
    "heart": ("heart",),
    "moon": ("moon", "crescent"),
}
ANY_SHAPE = ("shape", "object")

SIZE_WORDS: dict[str, tuple[str, ...]] = {"small": ("small", "little", "tiny"), "big": ("big", "large")}
TEXTURE_WORDS: dict[str, tuple[str, ...]] = {
    "plain": ("plain",),
    "striped": ("striped",),
    "dotted": ("dotted", "spotted"),
    "checkered": ("checkered",),
}
# A texture as a thing that an object has: "a star with stripes".
TEXTURE_NOUNS = {"striped": "stripes", "dotted": "dots", "checkered": "checks"}

NUMBERS = {"one": 1, "two": 2, "three": 3}

# How one object lies to another.
RELATIONS: dict[str, tuple[str, ...]] = {
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
    "beside": ("beside", "next to"),
    "inside": ("inside", "in the middle of"),
    "around": ("around",),
    "bigger": ("bigger than", "larger than"),
    "smaller": ("smaller than",),
}

# Where in the picture an object is.
PLACES: dict[str, tuple[str, ...]] = {
    "left": ("on the left",),
    "right": ("on the right",),
    "top": ("at the top",),
    "bottom": ("at the bottom",),
    "middle": ("in the middle", "in the center"),
    "top left": ("in the top left corner",),
    "top right": ("in the top right corner",),
    "bottom left": ("in the bottom left corner",),
    "bottom right": ("in the bottom right corner",),
}

TIMES: dict[str, str] = {"by day": "day", "at night": "night", "at sunset": "sunset"}

OPENINGS = {
    False: ("there is", "here is", "a picture of", "we see"),
    True: ("there are", "here are", "a picture of", "we see"),
}
VERBS = ("is", "sits", "floats")


def plural(noun: str) -> str:
    """Return the plural of a noun of a shape."""
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


def _words() -> set[str]:
    phrases: list[str] = [
        "a an the and with on over background grainy plain fading from to are",
        *PAPERS,
        *GROUNDS,
        *COLOURS,
    ]
    phrases += [noun for nouns in SHAPE_NOUNS.values() for noun in nouns]
    phrases += [plural(SHAPE_NOUNS[shape][0]) for shape in SHAPES]
    phrases += [*ANY_SHAPE, *map(plural, ANY_SHAPE), *TEXTURE_NOUNS.values(), *NUMBERS, *TIMES, *VERBS]
    for table in (SIZE_WORDS, TEXTURE_WORDS, RELATIONS, PLACES, OPENINGS):
        phrases += [phrase for choice in table.values() for phrase in choice]
    return {word for phrase in phrases for word in phrase.split()}


# The words in the order of their indices; the same for every data set of scenes.
VOCABULARY: tuple[str, ...] = ("<NULL>", "<START>", "<END>", "<UNK>", *sorted(_words()))
