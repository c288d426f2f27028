"""Telling the server that a token shall end (RFC 7009)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit.auth.grants._token_response import read_refusal
from sessionkit.errors import AuthError, ConfigError, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Generator

    from requests import Request, Response

    from sessionkit._tokens import Token
    from sessionkit.auth.grants._token_request import Client


def revocation(client: Client, url: str, token: Token) -> Generator[Request, Response, None]:
    """Revoke the refresh token and the access token, each whatever becomes of the other.

    Raises:
        ConfigError: No *url*.
        AuthError: The server did not confirm it.
    """
    if not url:
        message = "nothing says where this server revokes tokens"
        raise ConfigError(message, hint="give the grant Endpoints with a revocation_url")
    failures: list[tuple[str, str]] = []
    # The refresh token first: its end should be that of the access tokens too (section 2.1).
    for kind, text in (("refresh_token", token.refresh_token), ("access_token", token.value)):
        if text is None:
            continue
        try:
            answer = yield client.request(url, {"token": text, "token_type_hint": kind})
        except RenewalFailed as error:
            failures.append((kind, str(error)))
            continue
        if not answer.ok or answer.status_code >= 300:
            refusal = read_refusal(
                answer, secrets=(text, *client.secrets), endpoint="revocation endpoint"
            )
            # Self-contained access tokens cannot be revoked (section 3); they end soon.
            if "unsupported_token_type" in refusal.message and token.refresh_token and not failures:
                continue
            failures.append((kind, refusal.message))
    if failures:
        told = "; ".join(f"{kind}: {text}" for kind, text in failures)
        raise AuthError(f"not revoked: {told}", hint=_HINT, url=url)


_HINT = "it is forgotten here, but good until it ends: revoke it on the server's own page"
