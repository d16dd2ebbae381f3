"""What has come of inputs already, so that tests which draw the same ones ask for it once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograder.judging.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Heard:
    """What was found for some inputs, by what it is and by what is known of the inputs."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Hashable], Any] = {}

    def once(self, what: str, key: Hashable, find: Callable[[], Any]) -> Any:
        """What is found, or was found before. A verdict that was raised is raised again."""
        if (what, key) not in self._found:
            try:
                self._found[what, key] = find()
            except Verdict as verdict:
                self._found[what, key] = verdict
        found = self._found[what, key]
        if isinstance(found, Verdict):
            raise found
        return found

    def note(self, what: str, key: Hashable, found: Any) -> None:
        """Keep what was found in another way."""
        self._found[what, key] = found

    def found(self, what: str, key: Hashable) -> Any:
        """What was found, for certain."""
        return self._found[what, key]
