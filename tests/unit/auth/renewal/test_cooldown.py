"""Places that refuse whatever token they are given."""

from __future__ import annotations

from sessionkit.auth.renewal._cooldown import CoolDown
from sessionkit.auth.renewal._policy import COOL_DOWN
from sessionkit.testing import FakeClock

PLACE = ("GET", "https://api.example/admin")


def test_a_place_that_refused_good_tokens_rests_for_ten_seconds() -> None:
    """A missing permission does not cost a renewal with each call, nor for ever."""
    clock, rest = FakeClock(), CoolDown()
    assert not rest.holds(PLACE, clock)

    rest.start(PLACE, clock)
    clock.advance(COOL_DOWN - 0.1)
    assert rest.holds(PLACE, clock)
    clock.advance(0.1)

    assert COOL_DOWN == 10.0
    assert not rest.holds(PLACE, clock)


def test_other_places_are_not_concerned() -> None:
    """Another method or another path may well be allowed."""
    clock, rest = FakeClock(), CoolDown()

    rest.start(PLACE, clock)

    assert not rest.holds(("POST", PLACE[1]), clock)
    assert not rest.holds(("GET", "https://api.example/open"), clock)


def test_a_place_that_refuses_again_rests_from_then_on() -> None:
    """The ten seconds count from the last refusal."""
    clock, rest = FakeClock(), CoolDown()
    rest.start(PLACE, clock)
    clock.advance(9)
    rest.start(PLACE, clock)
    clock.advance(9)

    assert rest.holds(PLACE, clock)


def test_the_memory_is_bounded() -> None:
    """A crawl over a million forbidden URLs fills no memory."""
    clock, rest = FakeClock(), CoolDown()
    for number in range(2000):
        rest.start(("GET", f"https://api.example/{number}"), clock)

    assert len(rest._until) <= 256
    assert rest.holds(("GET", "https://api.example/1999"), clock)


def test_places_whose_rest_is_over_make_room_first() -> None:
    """A place that still rests is not forgotten for one that does not."""
    clock, rest = FakeClock(), CoolDown()
    for number in range(255):
        rest.start(("GET", f"https://api.example/{number}"), clock)
    clock.advance(8)
    rest.start(PLACE, clock)
    clock.advance(3)

    rest.start(("GET", "https://api.example/new"), clock)

    assert rest.holds(PLACE, clock)
    assert len(rest._until) == 2
