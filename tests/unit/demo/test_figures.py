"""The figures of a tour and the promises that they are held against."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessionkit.demo._figures import Figures

GOOD = Figures(
    calls=100,
    calls_ok=100,
    expiries=5,
    renewals=5,
    reuse_detected=0,
    replayed_posts=4,
    replayed_posts_intact=4,
    pages=48,
    objects=480,
    errors_mapped=2,
    seconds=5.0,
)


def test_good_figures_keep_every_promise() -> None:
    """The demo ends with status 0 only if all of this holds."""
    assert all(GOOD.promises().values())
    assert "one renewal per ended token (5 for 5)" in GOOD.promises()


@pytest.mark.parametrize(
    "figures",
    [
        replace(GOOD, calls_ok=99),
        replace(GOOD, calls=0, calls_ok=0),
        replace(GOOD, renewals=6),
        replace(GOOD, renewals=0, expiries=0),
        replace(GOOD, reuse_detected=1),
        replace(GOOD, replayed_posts_intact=3),
        replace(GOOD, replayed_posts=0, replayed_posts_intact=0),
        replace(GOOD, objects=479),
        replace(GOOD, errors_mapped=1),
    ],
)
def test_each_wrong_figure_breaks_one_promise(figures: Figures) -> None:
    """No figure can go wrong, or be empty, without the demo failing."""
    assert list(figures.promises().values()).count(False) == 1
