"""Signed assertions (RFC 7519, RFC 7523) and exchanged tokens (RFC 8693), as grants and proofs."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from sessionkit import _checks as checks
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._optional import require
from sessionkit._redact import redact_url
from sessionkit.auth.grants._token_endpoint import UNSET, NotPickled, OAuthGrant
from sessionkit.errors import ConfigError, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests import Response

    from sessionkit._clock import Clock
    from sessionkit._tokens import Token
    from sessionkit.auth.grants._base import Steps
    from sessionkit.auth.grants._token_endpoint import ClientAuth, Endpoints

_URN = "urn:ietf:params:oauth"
#: Seconds that an assertion is valid: it is sent at once, so this is for clocks that differ.
_LIFETIME = 60.0


class SignedJwt(NotPickled):
    """Claims that are signed anew for each use, for :class:`JwtBearer`. Thread-safe.

    Each has its own ``jti``, the moment it was made and, shortly after, its end. What *claims*
    names wins: a server that wants ``aud`` otherwise is given it there.

    Args:
        private_key: The key as PEM, or as an object of ``cryptography``.
        claims: Such as ``iss``, the client's or the account's name, and ``sub``, whom the token is
            for (RFC 7523, section 3).
        algorithm: As the server wants it, such as ``ES256``, ``PS256`` or ``EdDSA``.
        key_id: Name of the key at the server, where it knows several (``kid``).
        lifetime: Seconds that each is valid.
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
        self._lifetime = checks.seconds("lifetime", lifetime, positive=True)
        self._private_key = _prepared(private_key, algorithm)
        self._claims = dict(claims)
        self._algorithm = algorithm
        self._key_id = key_id
        self._clock = clock

    @property
    def subject(self) -> str:
        """Whom the token is for, or who asks for it."""
        return str(self._claims.get("sub") or self._claims.get("iss") or "")

    def sign(self, audience: str, claims: Mapping[str, Any] | None = None) -> str:
        """Return the claims, signed, for *audience* alone; made anew for each request.

        Args:
            audience: Who shall accept it, such as the URL of the token endpoint.
            claims: Further ones, for this time.
        """
        jwt: Any = require("jwt", "oauth")
        now = int(self._clock.time())
        made = {
            "aud": audience,
            "iat": now,
            "exp": now + int(max(self._lifetime, 1)),
            "jti": secrets.token_urlsafe(24),
        }
        header = {"kid": self._key_id} if self._key_id else None
        signed = {**made, **self._claims, **(claims or {})}
        return str(jwt.encode(signed, self._private_key, algorithm=self._algorithm, headers=header))

    def __repr__(self) -> str:
        return f"SignedJwt({self._algorithm!r}, claims={sorted(self._claims)})"


class PrivateKeyJwt(NotPickled):
    """A client that proves itself by its private key (RFC 7523, section 2.2; ``private_key_jwt``).

    Give it to a grant as ``client_auth=``, and no ``client_secret``. Thread-safe.

    Args:
        private_key: The key as PEM, or as an object of ``cryptography``.
        algorithm: As the client is registered, such as ``ES256`` or ``PS256``.
        key_id: Name of the key at the server, where it knows several (``kid``).
        audience: Whom the proof is for; by default the URL of the token endpoint. Some servers want
            their issuer.
        lifetime: Seconds that each proof is valid.
        clock: Where the time comes from.

    Raises:
        ConfigError: A key that does not fit the algorithm, or an unknown algorithm.
        ImportError: The extra ``oauth`` is not installed.
    """

    __slots__ = ("_algorithm", "_audience", "_jwt")

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
        self._jwt = SignedJwt(
            private_key, {}, algorithm=algorithm, key_id=key_id, lifetime=lifetime, clock=clock
        )

    def fields(self, client_id: str, token_url: str) -> dict[str, str]:
        """Return the form fields that prove who the client is; made anew for each request."""
        claims = {"iss": client_id, "sub": client_id}
        return {
            "client_assertion_type": f"{_URN}:client-assertion-type:jwt-bearer",
            "client_assertion": self._jwt.sign(self._audience or token_url, claims),
        }

    def __repr__(self) -> str:
        return f"PrivateKeyJwt({self._algorithm!r})"


class JwtBearer(OAuthGrant):
    """A token for a signed assertion (RFC 7523, section 2.1): service accounts, trusted issuers.

    Args:
        token_url: Absolute URL of the token endpoint, or the server's ``Endpoints``.
        assertion: What is signed anew for each request; or a function that returns the text of one
            that somebody else signed.
        client_id: Public identifier of the client; None where the assertion says it all.
        client_secret: Its secret; None for a public client.
        scope: Scopes asked for, separated by blanks.
        client_auth: See :class:`~sessionkit.auth.ClientCredentials`.
        headers: Likewise.

    Raises:
        ConfigError: Neither an assertion nor a function, or a URL that is not absolute.
    """

    __slots__ = ("_assertion",)

    def __init__(
        self,
        token_url: str | Endpoints,
        assertion: SignedJwt | Callable[[], str],
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        scope: str = "",
        client_auth: str | ClientAuth = "client_secret_basic",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not isinstance(assertion, SignedJwt) and not callable(assertion):
            raise ConfigError("assertion must be a SignedJwt or a function that returns a text")
        super().__init__(
            token_url, client_id, secret=client_secret, auth=client_auth, headers=headers
        )
        self._scope = scope
        self._assertion = assertion
        subject = assertion.subject if isinstance(assertion, SignedJwt) else ""
        self.store_key = f"{subject or client_id or 'jwt-bearer'}@{redact_url(self._url)}"

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:  # noqa: ARG002  # what all grants take
        given, scope = self._assertion, self._scope
        text = given.sign(self._url) if isinstance(given, SignedJwt) else _call_for_text(given)
        form = {"grant_type": f"{_URN}:grant-type:jwt-bearer", "assertion": text, "scope": scope}
        hint = "is the key registered, are the claims as wanted, is this machine's clock right?"
        return self._token_steps(form, text, scope=scope, hint=hint)

    def __repr__(self) -> str:
        return f"JwtBearer({redact_url(self._url)!r}, {self._assertion!r})"


class TokenExchange(OAuthGrant):
    """A token for another token (RFC 8693): for a service further on, on a user's behalf.

    Args:
        token_url: Absolute URL of the token endpoint, or the server's ``Endpoints``.
        subject: The token that is given; or a function that returns it as it is now, such as one
            that reads a file that is rotated.
        client_id: Public identifier of the client; None where the server asks for none.
        client_secret: Its secret; None for a public client.
        client_auth: See :class:`~sessionkit.auth.ClientCredentials`.
        extra_params: Further form fields (section 2.1): ``audience``, ``resource``, ``scope``,
            ``actor_token``, or a ``subject_token_type`` other than that of access tokens. Several
            subjects in one store are told apart by the handler's ``store_key``.
        headers: See :class:`~sessionkit.auth.ClientCredentials`.

    Raises:
        ConfigError: No subject, or a URL that is not absolute.
    """

    __slots__ = ("_extra_params", "_subject")

    def __init__(
        self,
        token_url: str | Endpoints,
        subject: str | Callable[[], str],
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        client_auth: str | ClientAuth = "client_secret_basic",
        extra_params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not subject:
            raise ConfigError("subject must not be empty", hint=UNSET)
        super().__init__(
            token_url, client_id, secret=client_secret, auth=client_auth, headers=headers
        )
        self._subject = subject
        self._extra_params = dict(extra_params or {})
        # What is asked for differs by these, and so do the tokens.
        asked = repr(sorted((k, v) for k, v in self._extra_params.items() if k != "actor_token"))
        whose = f"#{hashlib.sha256(asked.encode()).hexdigest()[:16]}" if self._extra_params else ""
        self.store_key = f"{client_id or 'token-exchange'}@{redact_url(self._url)}{whose}"

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:  # noqa: ARG002  # what all grants take
        subject = self._subject if isinstance(self._subject, str) else _call_for_text(self._subject)
        form = {
            "grant_type": f"{_URN}:grant-type:token-exchange",
            "subject_token": subject,
            "subject_token_type": f"{_URN}:token-type:access_token",
            **self._extra_params,
        }
        hint = "the subject's token has ended, perhaps; give a function that returns it as it is"
        secrets = (subject, form.get("actor_token", ""))
        return self._token_steps(form, *secrets, scope=form.get("scope", ""), hint=hint)

    def __repr__(self) -> str:
        names = sorted(self._extra_params)
        return f"TokenExchange({redact_url(self._url)!r}, extra_params={names})"


def _call_for_text(function: Callable[[], str]) -> str:
    text: Any = function()
    if not isinstance(text, str) or not text.strip():
        name = getattr(function, "__qualname__", type(function).__name__)
        message = f"{name} returned {type(text).__name__}, or an empty text: no token"
        raise RenewalFailed(message, hint="the next call asks it again")
    return text.strip()


def _prepared(private_key: Any, algorithm: str) -> Any:
    """Return the key ready for use, or say at once that it does not fit; it is never shown."""
    jwt: Any = require("jwt", "oauth")
    require("cryptography", "oauth")
    if algorithm == "none" or algorithm not in jwt.algorithms.get_default_algorithms():
        message = f"{algorithm!r} is no algorithm to sign with"
        raise ConfigError(message, hint="such as RS256, PS256, ES256 or EdDSA")
    try:
        return jwt.get_algorithm_by_name(algorithm).prepare_key(private_key)
    except Exception as error:  # noqa: BLE001  # whatever a key can be wrong with
        reason = type(error).__name__
    # Raised here, without the original: its text may quote the key.
    message = f"this is no private key for {algorithm} ({reason})"
    raise ConfigError(message, hint="PEM text without a password, begun by -----BEGIN")
