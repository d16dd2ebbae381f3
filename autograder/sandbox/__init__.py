"""A sealed box in which a student's notebook answers calls."""

from autograder.sandbox.box import Box, Died, Lied, Overran, Raised, Step, Trouble
from autograder.sandbox.forkserver import namespaces_forbidden, strongest
from autograder.sandbox.policy import POLICY, Policy
from autograder.sandbox.ways import Way
from autograder.sandbox.workspace import OpenBox, Workspace

__all__ = [
    "POLICY",
    "Box",
    "Died",
    "Lied",
    "OpenBox",
    "Overran",
    "Policy",
    "Raised",
    "Step",
    "Trouble",
    "Way",
    "Workspace",
    "namespaces_forbidden",
    "strongest",
]
