"""Logins by users and by keys: OAuth 2.0 beyond a client's secret (extra ``oauth``).

PKCE is oauthlib's and signing PyJWT's; where nothing is signed and no browser comes back, as with
``DeviceCode`` and ``TokenExchange``, the extra is not needed.
"""

from __future__ import annotations

from sessionkit.auth._endpoints import Endpoints
from sessionkit.auth._oauth_code import AuthorizationCode
from sessionkit.auth._oauth_device import DeviceCode
from sessionkit.auth._oauth_discovery import discover
from sessionkit.auth._oauth_exchange import JwtBearer, TokenExchange
from sessionkit.auth._oauth_jwt import PrivateKeyJwt, SignedJwt
from sessionkit.auth._oauth_redirect import Browser

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
