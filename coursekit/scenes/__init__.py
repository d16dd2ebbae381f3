"""Scenes: pictures drawn on the spot, with captions that are true of them, and a judge of captions.

scene, sentences = described_scene(seed=0, split="val", number=3)
picture = draw(scene)
true_of("a red star on a black background", scene)
"""

from coursekit.scenes.building import build, described_scene, load_scenes
from coursekit.scenes.drawing import draw, draw_all
from coursekit.scenes.grammar import captions
from coursekit.scenes.lexicon import VOCABULARY
from coursekit.scenes.truth import Claim, Verdict, judge, true_of
from coursekit.scenes.world import COLOURS, SHAPES, SIZES, TEXTURES, Background, Scene, Thing, random_scene

__all__ = [
    "COLOURS",
    "SHAPES",
    "SIZES",
    "TEXTURES",
    "VOCABULARY",
    "Background",
    "Claim",
    "Scene",
    "Thing",
    "Verdict",
    "build",
    "captions",
    "described_scene",
    "draw",
    "draw_all",
    "judge",
    "load_scenes",
    "random_scene",
    "true_of",
]
