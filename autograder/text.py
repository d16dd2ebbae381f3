"""Text of anybody's, made fit to be shown."""


def shown(text: str) -> str:
    """Text on one line, without what would move a terminal's cursor or mirror the line."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
