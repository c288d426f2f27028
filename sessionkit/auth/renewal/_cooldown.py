"""Places that went on refusing after renewals, and are not renewed for again at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit.auth.renewal._policy import COOL_DOWN

if TYPE_CHECKING:
    from sessionkit._clock import Clock

_MOST_PLACES = 256

Place = tuple[str, str]


class CoolDown:
    """Remembers places (method and URL) for ten seconds.

    A server that says 401 for a missing permission would otherwise cost renewals with each call,
    and each would end the token of all others. Thread-safe.
    """

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[Place, float] = {}

    def start(self, place: Place, clock: Clock) -> None:
        """Remember *place* from now on."""
        if len(self._until) >= _MOST_PLACES:
            # Another dict, so that readers without a lock never meet one that changes size.
            now = clock.monotonic()
            self._until = {p: end for p, end in self._until.copy().items() if end > now}
            if len(self._until) >= _MOST_PLACES:
                self._until = {}
        self._until[place] = clock.monotonic() + COOL_DOWN

    def active(self, clock: Clock) -> bool:
        """Tell whether any place was remembered within the last ten seconds."""
        now = clock.monotonic()
        return any(end > now for end in self._until.copy().values())

    def holds(self, place: Place, clock: Clock) -> bool:
        """Tell whether *place* was remembered within the last ten seconds."""
        end = self._until.get(place)
        return end is not None and clock.monotonic() < end
