"""Logins by users and by keys: OAuth 2.0 beyond a client's secret.

What signs (``SignedJwt``, ``PrivateKeyJwt``) needs the extra ``oauth``, which brings PyJWT.
"""

from __future__ import annotations

from sessionkit.auth.grants._assertion import (
    JwtBearer,
    PrivateKeyJwt,
    SignedJwt,
    TokenExchange,
)
from sessionkit.auth.grants._authorization_code import AuthorizationCode
from sessionkit.auth.grants._browser import Browser
from sessionkit.auth.grants._device_code import DeviceCode
from sessionkit.auth.grants._discovery import discover
from sessionkit.auth.grants._token_endpoint import Endpoints

__all__ = [
    "AuthorizationCode",
    "Browser",
    "DeviceCode",
    "Endpoints",
    "JwtBearer",
    "PrivateKeyJwt",
    "SignedJwt",
    "TokenExchange",
    "discover",
]
