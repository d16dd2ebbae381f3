"""What the notebooks of the course import: given layers, checks, gradient checking, bases of models."""

__version__ = "0.1.0"
