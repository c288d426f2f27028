"""Tokens and their keys as texts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import StoreUnreadable
from sessionkit.stores._text import digest, from_name, from_text, to_name, to_text

KEYS = ["", " ", "ann", "a\\b", "nul\x00byte", "line\nbreak", "ключ-鍵-🔑", "\ud800", "long" * 500]


@pytest.mark.parametrize("key", KEYS)
def test_any_key_is_a_name_in_ascii_and_comes_back(key: str) -> None:
    """Whatever a user is called, every server can keep and list that name."""
    name = to_name(key)

    assert name.isascii()
    assert name.isprintable()
    assert from_name(name) == from_name(name.encode()) == key


def test_nothing_is_imported_by_the_first_save() -> None:
    """A child that is forked in the middle of an import waits for it for ever."""
    code = (
        "import sys, sessionkit.stores._text as text; known = set(sys.modules)\n"
        "text.from_name(text.to_name('ann')), text.digest('ann')\n"
        "assert set(sys.modules) == known, set(sys.modules) - known"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_plain_key_stays_readable() -> None:
    """An operator who lists the entries finds the users' names."""
    assert to_name("ann@shop.example") == "ann@shop.example"


def test_a_token_comes_back_as_it_was() -> None:
    """Nothing of a login is lost, whatever the server's character set."""
    token = Token("a", expires_at=1.5, refresh_token="r", extra={"имя": "Zoë 🔑"})

    assert to_text(token).isascii()
    assert from_text(to_text(token), "app", "store") == token
    assert from_text(to_text(token).encode(), "app", "store") == token


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"value": 7}', "[" * 100_000, b"\xff"])
def test_what_is_no_token_is_said_without_showing_it(text: str | bytes) -> None:
    """A damaged entry is an error that names the way out, and quotes nothing."""
    with pytest.raises(StoreUnreadable, match="no token") as caught:
        from_text(text, "app", "the store")

    assert (caught.value.store, caught.value.key) == ("the store", "app")
    assert "delete" in caught.value.hint
    assert caught.value.__cause__ is None


def test_digests_tell_texts_apart() -> None:
    """Two users never share an entry or a lock, wherever their names are cut."""
    found = {digest(*parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ())}

    assert len(found) == 5
    assert {len(one) for one in found} == {64}
