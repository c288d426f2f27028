"""The login form of a page: where it goes, and what it holds already (HTML, section 4.10). Pure."""

from __future__ import annotations

import contextlib
from html.parser import HTMLParser

#: Of a page, in characters: a login form stands near its beginning.
_MOST_TEXT = 262_144


class HtmlForm:
    """A form as it stands on a page.

    Attributes:
        action: Where it is sent, as written; None for the page's own URL.
        fields: What its inputs hold already, by their names.
        asks: Names of its inputs that are shown to a user.
    """

    __slots__ = ("action", "asks", "fields")

    def __init__(self, action: str | None) -> None:
        self.action = action or None
        self.fields: dict[str, str] = {}
        self.asks: set[str] = set()

    def add(self, kind: str, name: str, value: str) -> None:
        """Take an input of the form in."""
        if kind == "hidden":
            self.fields[name] = value
        elif kind not in {"submit", "image", "button", "reset"}:
            self.asks.add(name)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[HtmlForm] = []
        self._open: HtmlForm | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = HtmlForm(said.get("action"))
            self.forms.append(self._open)
        elif self._open is not None and tag in {"input", "select", "textarea"} and "name" in said:
            kind = said.get("type", "text").lower() if tag == "input" else tag
            self._open.add(kind, said["name"], said.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


def find_form(page: str, names: set[str]) -> HtmlForm | None:
    """Return the form of *page* that asks for all of *names*, or None."""
    reader = _Reader()
    # The parser asserts that what follows `<![` is known to it; the forms before stand.
    with contextlib.suppress(AssertionError):
        reader.feed(page[:_MOST_TEXT])
    return next((form for form in reader.forms if names <= form.asks), None)
