"""The faces of packages: names that are loaded when they are first asked for."""

from __future__ import annotations

import sys

import pytest

from sessionkit._lazy import lazy


def test_a_name_is_loaded_from_its_module_when_it_is_asked_for() -> None:
    """Who uses one name pays for one module."""
    load, listing, shown = lazy("email", {"parser": ("Parser",), "message": ("Message",)})

    assert load("Message") is sys.modules["email.message"].Message
    assert listing() == shown == ["Message", "Parser"]


def test_another_name_is_refused_as_python_itself_does_it() -> None:
    """A typing error names the package and itself."""
    load, _, _ = lazy("email", {})

    with pytest.raises(AttributeError, match="module 'email' has no attribute 'Massage'"):
        load("Massage")
