"""Claims signed with a key of the client's own (RFC 7519; RFC 7523)."""

from __future__ import annotations

import math
import secrets
from typing import TYPE_CHECKING, Any, NoReturn

from sessionkit import _checks as checks
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._optional import require
from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit._clock import Clock

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Seconds that an assertion is good for: it is sent at once, so this is for clocks that differ.
_LIFETIME = 60.0


class SignedJwt:
    """Claims that are signed anew for each use, for :class:`JwtBearer`. Thread-safe.

    Each has its own ``jti``, the moment it was made and, shortly after, its end. What *claims*
    names wins: a server that wants ``aud`` otherwise is given it there.

    Args:
        private_key: The key as PEM, or as an object of ``cryptography``.
        claims: Such as ``iss``, the client's or the account's name, and ``sub``, whom the token is
            for (RFC 7523, section 3).
        algorithm: As the server wants it, such as ``ES256``, ``PS256`` or ``EdDSA``.
        key_id: Name of the key at the server, where it knows several (``kid``).
        lifetime: Seconds that each is good for.
        clock: Where the time comes from.

    Raises:
        ConfigError: A key that does not fit the algorithm, or an unknown algorithm.
        ImportError: The extra ``oauth`` is not installed.
    """

    __slots__ = ("_algorithm", "_claims", "_clock", "_key_id", "_lifetime", "_private_key")

    def __init__(
        self,
        private_key: Any,
        claims: Mapping[str, Any],
        *,
        algorithm: str = "RS256",
        key_id: str | None = None,
        lifetime: float = _LIFETIME,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        checks.seconds("lifetime", lifetime, positive=True, most=math.inf)
        self._private_key = _prepared(private_key, algorithm)
        self._claims = dict(claims)
        self._algorithm = algorithm
        self._key_id = key_id
        self._lifetime = lifetime
        self._clock = clock

    @property
    def subject(self) -> str:
        """Whom the token is for, or who asks for it."""
        return str(self._claims.get("sub") or self._claims.get("iss") or "")

    def sign(self, audience: str) -> str:
        """Return the claims, signed, for *audience* alone; made anew for each request."""
        jwt: Any = require("jwt", "oauth")
        now = int(self._clock.time())
        made = {
            "aud": audience,
            "iat": now,
            "exp": now + int(max(self._lifetime, 1)),
            "jti": secrets.token_urlsafe(24),
        }
        header = {"kid": self._key_id} if self._key_id else None
        claims = {**made, **self._claims}
        return str(jwt.encode(claims, self._private_key, algorithm=self._algorithm, headers=header))

    def __reduce__(self) -> NoReturn:
        message = "a signed assertion is not pickled: its key would be readable in the pickle"
        raise ConfigError(message, hint="build it where it is used, from the file of its key")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._algorithm!r}, claims={sorted(self._claims)})"


class PrivateKeyJwt:
    """A client that proves itself by its private key (RFC 7523, section 2.2; ``private_key_jwt``).

    Give it to a grant as ``client_auth=``, and no ``client_secret``. Thread-safe.

    Args:
        private_key: The key as PEM, or as an object of ``cryptography``.
        algorithm: As the client is registered, such as ``ES256`` or ``PS256``.
        key_id: Name of the key at the server, where it knows several (``kid``).
        audience: Whom the proof is for; by default the URL of the token endpoint. Some servers want
            their issuer.
        lifetime: Seconds that each proof is good for.
        clock: Where the time comes from.

    Raises:
        ConfigError: A key that does not fit the algorithm, or an unknown algorithm.
        ImportError: The extra ``oauth`` is not installed.
    """

    __slots__ = ("_algorithm", "_audience", "_private_key", "_settings")

    def __init__(
        self,
        private_key: Any,
        *,
        algorithm: str = "RS256",
        key_id: str | None = None,
        audience: str | None = None,
        lifetime: float = _LIFETIME,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._algorithm = algorithm
        self._audience = audience
        self._private_key = _prepared(private_key, algorithm)
        settings: Any = {
            "algorithm": algorithm,
            "key_id": key_id,
            "lifetime": lifetime,
            "clock": clock,
        }
        self._settings = settings

    def fields(self, client_id: str, token_url: str) -> dict[str, str]:
        """Return the form fields that prove who the client is; made anew for each request."""
        claims = {"iss": client_id, "sub": client_id}
        text = SignedJwt(self._private_key, claims, **self._settings).sign(
            self._audience or token_url
        )
        return {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": text}

    def __reduce__(self) -> NoReturn:
        message = "a proof is not pickled: its key would be readable in the pickle"
        raise ConfigError(message, hint="build it where it is used, from the file of its key")

    def __repr__(self) -> str:
        return f"PrivateKeyJwt({self._algorithm!r})"


def _prepared(key: Any, algorithm: str) -> Any:
    """Return *key* ready for use, or say at once that it is not fit; it is never shown."""
    jwt: Any = require("jwt", "oauth")
    require("cryptography", "oauth")
    if algorithm == "none" or algorithm not in jwt.algorithms.get_default_algorithms():
        message = f"{algorithm!r} is no algorithm to sign with"
        raise ConfigError(message, hint="such as RS256, PS256, ES256 or EdDSA")
    try:
        return jwt.get_algorithm_by_name(algorithm).prepare_key(key)
    except Exception as error:  # noqa: BLE001  # whatever a key can be wrong with
        reason = type(error).__name__
    # Raised here, without the original: its text may quote the key.
    message = f"this is no private key for {algorithm} ({reason})"
    raise ConfigError(message, hint="PEM text without a password, begun by -----BEGIN")
