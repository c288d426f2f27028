"""Logins by users and by keys: OAuth 2.0 beyond a client's secret (extra ``oauth``).

PKCE is oauthlib's and signing PyJWT's; where nothing is signed and no browser comes back, as with
``DeviceCode`` and ``TokenExchange``, the extra is not needed.
"""

from __future__ import annotations

from sessionkit.auth.grants._assertion import JwtBearer, TokenExchange
from sessionkit.auth.grants._authorization_code import AuthorizationCode
from sessionkit.auth.grants._browser import Browser
from sessionkit.auth.grants._device_code import DeviceCode
from sessionkit.auth.grants._discovery import discover
from sessionkit.auth.grants._endpoints import Endpoints
from sessionkit.auth.grants._oauth_jwt import PrivateKeyJwt, SignedJwt

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
