"""Stand-ins for secrets in cassettes: ``secret-1``, ``secret-2``, ..."""

from __future__ import annotations

import base64
import html
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from sessionkit._redact import (
    MASK,
    MIN_SECRET_LENGTH,
    MIN_VALUE_LENGTH,
    is_secret_name,
    spellings,
)
from sessionkit.errors import ConfigError
from sessionkit.testing._recorded import LONG, Message, change_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_STAND_IN = r"secret-\d+"
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/_-]|%2[BFbf]){8,}(?:=|%3[Dd]){0,2}")


class StandIns:
    """The secrets of one recording, and what stands for each: ``secret-1``, ``secret-2``, ...

    Numbered in the order in which they are met, those given first, so the same run recorded again
    gives the same stand-ins, and a renewed token still differs from the one before it. Not
    thread-safe.

    Args:
        secrets: Known from the start; replaced wherever they turn up.
        hosts: Hosts with their ports as they are, and as they are to be written.

    Raises:
        ConfigError: A secret under four characters, which would turn up in every sentence.
    """

    __slots__ = ("_hosts", "_known", "_pattern", "_spellings")

    def __init__(self, secrets: Iterable[str] = (), hosts: Mapping[str, str] | None = None) -> None:
        self._known: dict[str, str] = {}
        self._spellings: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        for real, written in (hosts or {}).items():
            quoted = quote(written, safe="")
            self._hosts |= {real: written, **dict.fromkeys(_quoted(real), quoted)}
        for secret in [secrets] if isinstance(secrets, str) else secrets:
            if len(secret.strip()) < MIN_SECRET_LENGTH:
                raise ConfigError(f"a secret has {MIN_SECRET_LENGTH} characters at least")
            self._add(secret, everywhere=True)

    def __repr__(self) -> str:
        return f"<{len(self._known)} stand-ins>"

    def learn(self, message: Message) -> None:
        """Note the secrets of *message*."""
        change_secrets(message, self.for_secret)

    def for_secret(self, name: str, value: str) -> str:
        """Return what stands for *value*, which is secret because of its *name*.

        A long one, and one that its own name gives away, is from then on replaced wherever it turns
        up; a short one or a number only where it stands, or the ``1`` of a cookie would be taken
        out of each URL.
        """
        if is_stand_in(value):
            return value
        known = self._known.get(value) or self._known.get(unquote_plus(value))
        if known:
            return known
        telling = is_secret_name(name) and len(value) >= MIN_VALUE_LENGTH and not value.isdecimal()
        return self._add(value, everywhere=telling or len(value) >= LONG)

    def _add(self, value: str, *, everywhere: bool) -> str:
        stand_in = self._known.setdefault(value, f"secret-{len(self._known) + 1}")
        if everywhere:
            self._spellings |= dict.fromkeys(_spellings(value), stand_in)
            self._pattern = None
        return stand_in

    def clean(self, message: Message) -> Message:
        """Return *message* with all that was learned replaced, wherever it stands."""
        return change_secrets(message.each_text(self.replace_in), self.for_secret)

    def replace_in(self, text: str) -> str:
        """Return *text* with known secrets replaced, also where they were encoded in Base64."""
        pattern = self._pattern = self._pattern or self._compiled()
        replacements = self._spellings | self._hosts

        def plainly(text: str) -> str:
            return pattern.sub(lambda match: replacements.get(match[0], match[0]), text)

        return _BASE64.sub(lambda match: _change_base64(match[0], plainly), plainly(text))

    def _compiled(self) -> re.Pattern[str]:
        """Return one pattern for all, so that nothing is replaced twice; the longest first."""
        spellings = map(_spelling_pattern, sorted(self._spellings, key=len, reverse=True))
        hosts = (
            rf"(?:(?<![\w.-])|(?<=%2[Ff])){re.escape(host)}(?!\d)"
            for host in sorted(self._hosts, key=len, reverse=True)
        )
        return re.compile("|".join((_STAND_IN, *spellings, *hosts)))


def is_stand_in(value: str) -> bool:
    """Return whether *value* stands for a secret."""
    return value == MASK or re.fullmatch(_STAND_IN, value) is not None


def unmasked_names(message: Message) -> list[str]:
    """Return the names of the secrets in *message* that nothing stands for."""
    names: list[str] = []

    def note(name: str, value: str) -> str:
        if not is_stand_in(value):
            names.append(name)
        return value

    change_secrets(message, note)
    return names


def _spellings(secret: str) -> set[str]:
    """Return the texts under which *secret* may turn up: what encoders of all languages make."""
    found = {
        *spellings([secret]),
        *_quoted(secret),
        quote(quote(secret, safe=""), safe=""),
        html.escape(secret),
        secret.replace("/", "\\/"),
        # Bytes that are no UTF-8 as a whole are looked through as Latin-1.
        secret.encode().decode("latin-1"),
    }
    return {text for text in found if len(text) >= MIN_SECRET_LENGTH}


def _quoted(text: str) -> set[str]:
    """Return *text* as it looks in URLs, with either spelling of percent signs."""
    upper = {quote(text, safe=""), quote(text), quote_plus(text)}
    return upper | {re.sub(r"%..", lambda escape: escape[0].lower(), quoted) for quoted in upper}


def _spelling_pattern(spelling: str) -> str:
    """Match a spelling; a plain word only as a whole word, or it would tear names apart."""
    pattern = re.escape(spelling)
    is_word = spelling.isalpha() and len(spelling) < LONG
    return rf"(?<!\w){pattern}(?!\w)" if is_word else pattern


def _change_base64(run: str, change: Callable[[str], str]) -> str:
    """Return a stretch of Base64, of either alphabet, with *change* made to what it encodes."""
    bare = unquote(run).rstrip("=")
    # It may begin in the midst of the stretch: a path before it looks the same.
    for start in range(4):
        encoded = bare[start:].replace("-", "+").replace("_", "/")
        end = len(encoded) - (len(encoded) % 4 == 1)
        held = base64.b64decode(encoded[:end] + "=" * (-end % 4)).decode("latin-1")
        clean = change(held)
        if clean != held:
            new = base64.b64encode(clean.encode("latin-1", "replace")).decode()
            if unquote(run) == bare:
                new = new.rstrip("=")
            if "-" in bare or "_" in bare:
                new = new.replace("+", "-").replace("/", "_")
            return bare[:start] + (quote(new) if "%" in run else new)
    return run
