"""What the URLs of token stores have in common (see also test_open)."""

from __future__ import annotations

import pytest

from sessionkit.errors import ConfigError
from sessionkit.stores._urls import file_path, take_options


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
