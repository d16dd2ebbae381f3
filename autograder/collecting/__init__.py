"""Zips of a whole class, as Canvas, Moodle and Gradescope give them, taken apart into ``submitted/``."""

from autograder.collecting.collecting import Collected, collect
from autograder.collecting.showing import show_collected

__all__ = ["Collected", "collect", "show_collected"]
