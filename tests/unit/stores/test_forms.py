"""How tokens, keys and URLs are written (see also test_open)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, StoreUnreadable
from sessionkit.stores._forms import (
    digest,
    file_path,
    from_name,
    from_text,
    take_options,
    to_name,
    to_text,
)

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
        "import sys, sessionkit.stores._forms as forms; known = set(sys.modules)\n"
        "forms.from_name(forms.to_name('ann')), forms.digest('ann')\n"
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


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:tokens.json", "tokens.json"),
        ("FILE:/var/tokens.json", "/var/tokens.json"),
        ("file:///var/tokens.json", "/var/tokens.json"),
        ("file:////var/tokens.json", "/var/tokens.json"),
        ("file:~/a%20b%3Fc%23d%25.json", "~/a b?c#d%.json"),
    ],
)
def test_a_path_is_found_however_it_is_written(url: str, path: str) -> None:
    """Whichever number of slashes is remembered, an absolute path is one."""
    assert file_path(url) == path


@pytest.mark.parametrize("url", ["kind:", "kind:///", "kind://h/p", "kind:p?o=1", "kind:p#f"])
def test_a_wrong_path_names_the_kind_of_store(url: str) -> None:
    """The error says how to write it, for this kind of store."""
    with pytest.raises(ConfigError, match=r"^kind:") as caught:
        file_path(url)
    assert caught.value.hint.startswith("write ")


@pytest.mark.parametrize(
    ("url", "left", "taken"),
    [
        ("memory:", "memory:", {}),
        ("s://h/0?mine=a+b%2F&x=1%202&x=3", "s://h/0?x=1%202&x=3", {"mine": "a b/"}),
        ("s:p?mine=", "s:p", {"mine": ""}),
        ("s:p?mine=1&mine=2", "s:p", {"mine": "2"}),
        ("s:p?mine_too=1", "s:p?mine_too=1", {}),
        ("s:p?", "s:p", {}),
    ],
)
def test_options_are_taken_out_and_others_left_as_they_were(
    url: str, left: str, taken: dict[str, str]
) -> None:
    """What belongs to another reader of the URL reaches it letter by letter."""
    assert take_options(url, {"mine"}) == (left, taken)
