"""Cache keys: what was requested, and by whom. Pure; no credential is stored.

A credential becomes a keyed hash (HMAC with SHA-256): a cache file holds neither tokens nor URLs.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionkit._origins import without_pairs
from sessionkit._redact import is_secret_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hishel import Entry
    from requests import PreparedRequest

    from sessionkit.chain._exchange import Credential

#: In names of headers that say for whom a request is made.
_TENANT_NAMES = re.compile(
    "account|actor|behalf|customer|identity|impersonat|organi[sz]ation|principal|project|subject"
    "|sudo|team|tenant|user(?!-agent)|workspace"
)


class HashedRequest(NamedTuple):
    """A request as the cache stores it.

    Attributes:
        key: Hash of the URL and of the caller; the same for all methods.
        headers: Hashes of the headers' values, by names in lower case.
    """

    key: str
    headers: dict[str, str]


def hash_request(
    request: PreparedRequest,
    secrets: Iterable[Credential],
    *,
    salt: bytes,
    principal: str | None = None,
    certificate: object = None,
) -> HashedRequest:
    """Return the hashes of *request*.

    Args:
        request: As it will be sent, or as it was sent.
        secrets: Credentials that handlers placed.
        salt: Of the hashes.
        principal: The caller; None takes the credentials on the request for it.
        certificate: Of the client; a credential too.
    """
    placed = tuple(secrets)
    url = request.url or ""
    for secret in placed:
        if secret.location == "query":
            # Its position in the query differs between preview and request.
            url = without_pairs(url, secret.name, (secret.value,))
    headers = {str(k).lower(): _text(v) for k, v in request.headers.items()}
    who: Any = principal
    if principal is None:
        who = [*_credentials(headers, placed), repr(certificate)]
    # The fragment is never sent.
    key = _hash(salt, [url.partition("#")[0], who])
    return HashedRequest(key, {name: _hash(salt, [name, value]) for name, value in headers.items()})


def matches_vary(entry: Entry, request: HashedRequest) -> bool:
    """Return whether *request* has the headers that selected *entry* (RFC 9111, section 4.1)."""
    names = vary_names(entry.response.headers.get("vary", ""))
    chosen = entry.request.headers
    return all(chosen.get(name) == request.headers.get(name) for name in names)


def vary_names(vary: str) -> list[str]:
    """Return the names in a ``Vary`` header, in lower case."""
    return [name for part in vary.split(",") if (name := part.strip().lower())]


def _credentials(headers: dict[str, str], placed: tuple[Credential, ...]) -> Iterator[list[str]]:
    """Yield names and values by which a server may tell callers apart."""
    for secret in sorted(placed, key=lambda secret: (secret.location, secret.name)):
        if secret.location == "query":
            yield [secret.name, secret.value]
    known = {secret.name.lower() for secret in placed if secret.location == "header"}
    for name, value in sorted(headers.items()):
        if name == "cookie":
            yield [name, *sorted(pair.strip() for pair in value.split(";"))]
        elif name in known or is_secret_name(name) or _TENANT_NAMES.search(name):
            yield [name, value]


def _hash(salt: bytes, facts: list[Any]) -> str:
    text = json.dumps(facts).encode()
    return hmac.digest(salt, text, "sha256").hex()


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
