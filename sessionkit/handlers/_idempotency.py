"""Idempotency keys: headers by which a server recognizes a request that is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from sessionkit.chain._exchange import Exchange

#: Of draft-ietf-httpapi-idempotency-key-header.
DRAFT_HEADER = "Idempotency-Key"


class IdempotencyKeys:
    """Gives calls that change something their idempotency key. Immutable.

    Args:
        header: Name of the header that carries the key.
        always: Whether every such call gets one; else only those with ``idempotency_key=True``.
    """

    __slots__ = ("_always", "_header")

    def __init__(self, header: str, *, always: bool) -> None:
        self._header = header
        self._always = always

    def has_key(self, exchange: Exchange) -> bool:
        """Return whether the request carries a key."""
        return bool(exchange.header(self._header))

    def with_key(self, exchange: Exchange) -> Exchange:
        """Return *exchange* with the key that it should have and does not carry yet.

        Raises:
            ConfigError: ``idempotency_key=`` of the call is neither a bool nor a text.
        """
        if self.has_key(exchange):
            return exchange
        key = exchange.option("idempotency_key")
        if key is None:
            key = self._always
        if key is True:
            key = self._new_key()
        if not key:
            return exchange
        if not isinstance(key, str):
            hint = "True for a new one, or a text of your own"
            raise ConfigError(f"idempotency_key={key!r} is no key", hint=hint)
        return exchange.with_headers({self._header: key})

    def _new_key(self) -> str:
        from uuid import uuid4

        key = str(uuid4())
        # The draft's own field is a structured one, whose text is quoted (RFC 9651, section 3.3.3).
        return f'"{key}"' if self._header.lower() == DRAFT_HEADER.lower() else key

    def settings(self) -> str:
        """Return the settings as text, or "" if they are the defaults."""
        if not self._always and self._header == DRAFT_HEADER:
            return ""
        return f"idempotency_header={self._header}, always_send_key={self._always}"
