"""Token: what an identity server handed out, as a value that is hard to leak.

Rules that hold here:

- A token never changes; a renewed token is another object.
- Its text leaves only by the attributes ``value``, ``refresh_token`` and ``extra``, and by
  ``to_dict``: not by ``repr``, ``str``, ``format``, an error message or a pickle.
- Lengths of time are clamped, points in time never are. One clamp for both would make every
  token look expired.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NoReturn, Self, final

MAX_LIFETIME: Final = 10 * 365 * 86_400.0
"""The longest lifetime that is believed, in seconds (ten years)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NO_EXTRA: Final[Mapping[str, str]] = MappingProxyType({})


@final
class Token:
    """An access token with what is known about its end and its successor.

    Immutable, comparable, hashable, safe to share between threads. It refuses to be pickled:
    tokens travel between processes through a store.

    Args:
        value: The secret itself, as it is sent to an API.
        expires_in: Life in seconds, counted from the moment its request was sent
            (RFC 6749, section 5.1); kept between 0 and ten years.
        expires_at: End of life in seconds since the epoch; taken as it is.
        refresh_token: The secret that asks for a successor (RFC 6749, section 6).
        scope: What the token is good for, as the server wrote it.
        extra: Further texts to keep with the token, such as an ``id_token``.

    Raises:
        ValueError: A field has the wrong shape. The message names the field, never its content.
    """

    __slots__ = ("expires_at", "expires_in", "extra", "refresh_token", "scope", "value")

    value: str
    expires_in: float | None
    expires_at: float | None
    refresh_token: str | None
    scope: str | None
    extra: Mapping[str, str]

    def __init__(
        self,
        value: str,
        *,
        expires_in: float | None = None,
        expires_at: float | None = None,
        refresh_token: str | None = None,
        scope: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        keep = object.__setattr__
        keep(self, "value", _secret("value", value))
        keep(self, "expires_in", None if expires_in is None else _life(expires_in))
        keep(self, "expires_at", None if expires_at is None else _moment(expires_at))
        keep(
            self,
            "refresh_token",
            None if refresh_token is None else _secret("refresh_token", refresh_token),
        )
        keep(self, "scope", None if scope is None else _text("scope", scope))
        keep(self, "extra", _NO_EXTRA if extra is None else _texts("extra", extra))

    @property
    def fingerprint(self) -> str:
        """Eight hex digits that tell two tokens apart in a log without showing either."""
        content = self.value.encode("utf-8", "surrogatepass")
        return hashlib.sha256(content).hexdigest()[:8]

    def is_valid(self, now: float) -> bool:
        """Return whether the token's end is unknown or still ahead.

        Args:
            now: The present moment, in seconds since the epoch.
        """
        return self.expires_at is None or self.expires_at > now

    def with_expiry(self, sent_at: float) -> Token:
        """Return the token with its end worked out, or itself if that is known or cannot be.

        Args:
            sent_at: When the request for the token was sent, in seconds since the epoch. The
                response's arrival would be too late by the time it was on its way.
        """
        if self.expires_at is not None or self.expires_in is None:
            return self
        return Token.from_dict({**self.to_dict(), "expires_at": sent_at + self.expires_in})

    def to_dict(self) -> dict[str, Any]:
        """Return all fields that are set, secrets included, fit for JSON: for stores."""
        fields: dict[str, Any] = {"value": self.value}
        for name in ("expires_in", "expires_at", "refresh_token", "scope"):
            if (content := getattr(self, name)) is not None:
                fields[name] = content
        if self.extra:
            fields["extra"] = dict(self.extra)
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Token:
        """Build a token from what ``to_dict`` returned; names it does not know are ignored.

        Raises:
            ValueError: It is no mapping, ``value`` is missing, or a field has the wrong shape.
        """
        if not isinstance(fields, Mapping):
            raise _wrong("the stored form", "a mapping of field names", fields)
        if "value" not in fields:
            raise ValueError("a stored token must have a value")
        return cls(
            fields["value"],
            expires_in=fields.get("expires_in"),
            expires_at=fields.get("expires_at"),
            refresh_token=fields.get("refresh_token"),
            scope=fields.get("scope"),
            extra=fields.get("extra"),
        )

    def __repr__(self) -> str:
        shown = [f"*** {self.fingerprint}"]
        shown += [
            f"{name}={content!r}"
            for name in ("expires_in", "expires_at", "scope")
            if (content := getattr(self, name)) is not None
        ]
        if self.refresh_token is not None:
            shown.append("refresh_token=***")
        if self.extra:
            shown.append(f"extra={sorted(self.extra)!r}")
        return f"Token({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Token):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Token.__slots__)

    def __hash__(self) -> int:
        return hash((self.value, self.expires_at, self.refresh_token))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Token cannot be changed ({name}); build another one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Token cannot be changed ({name}); build another one")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a Token cannot be pickled, because its secret would be readable in the pickle; "
            "share it between processes through a store from sessionkit.stores, "
            "such as SqliteTokenStore"
        )


def _wrong(field: str, wanted: str, content: object) -> ValueError:
    # ValueError for a wrong type too: malformed data is one thing to a reader of a response
    # or a store, and gets one class.
    return ValueError(f"{field} of a token must be {wanted}, not {type(content).__name__}")


def _text(field: str, content: object) -> str:
    if not isinstance(content, str):
        raise _wrong(field, "text", content)
    return content


def _secret(field: str, content: object) -> str:
    text = _text(field, content)
    if not text.strip():
        raise ValueError(f"{field} of a token must not be empty")
    if text != text.strip():
        raise ValueError(f"{field} of a token must not begin or end with a blank")
    # A line break in a header is a second header (RFC 9110, section 5.5).
    if _CONTROL.search(text):
        raise ValueError(
            f"{field} of a token must not hold control characters "
            "(a line break at the end of a file or variable is the usual reason)"
        )
    if not text.isascii():
        raise ValueError(f"{field} of a token must be ASCII (RFC 6749, appendix A.12)")
    return text


def _texts(field: str, content: object) -> Mapping[str, str]:
    if not isinstance(content, Mapping):
        raise _wrong(field, "a mapping of names to texts", content)
    return MappingProxyType(
        {_text(f"a name in {field}", key): _text(field, item) for key, item in content.items()}
    )


def _number(field: str, content: object) -> int | float:
    # bool is an int to Python, but `expires_in: true` is a mistake and not one second.
    if isinstance(content, bool) or not isinstance(content, int | float):
        raise _wrong(field, "a number of seconds", content)
    # math.isnan would fail for an int too large for a float.
    if isinstance(content, float) and math.isnan(content):
        raise ValueError(f"{field} of a token must be a number of seconds, not NaN")
    return content


def _life(content: object) -> float:
    return float(min(max(_number("expires_in", content), 0), MAX_LIFETIME))


def _moment(content: object) -> float:
    number = _number("expires_at", content)
    try:
        moment = float(number)
    except OverflowError:
        moment = math.inf
    if math.isinf(moment):
        raise ValueError("expires_at of a token must be a finite number of seconds since the epoch")
    return moment
