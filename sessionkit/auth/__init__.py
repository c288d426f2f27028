"""Tokens on requests: schemes, grants, and the handler that renews and replays.

Logins by users and by keys are imported by their path, `sessionkit.auth.oauth` (extra ``oauth``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.auth._handler import AuthHandler as AuthHandler
    from sessionkit.auth._schemes import Bearer as Bearer
    from sessionkit.auth._schemes import Cookie as Cookie
    from sessionkit.auth._schemes import Header as Header
    from sessionkit.auth._schemes import Query as Query
    from sessionkit.auth._schemes import Scheme as Scheme
    from sessionkit.auth._schemes import SessionCookie as SessionCookie
    from sessionkit.auth._signing import SigningHandler as SigningHandler
    from sessionkit.auth.grants._base import CallableGrant as CallableGrant
    from sessionkit.auth.grants._base import Grant as Grant
    from sessionkit.auth.grants._base import StaticToken as StaticToken
    from sessionkit.auth.grants._base import Steps as Steps
    from sessionkit.auth.grants._combined import FallbackGrant as FallbackGrant
    from sessionkit.auth.grants._combined import InteractiveGrant as InteractiveGrant
    from sessionkit.auth.grants._combined import ParsedGrant as ParsedGrant
    from sessionkit.auth.grants._login_form import LoginForm as LoginForm
    from sessionkit.auth.grants._oauth2 import ClientCredentials as ClientCredentials
    from sessionkit.auth.grants._oauth2 import Password as Password
    from sessionkit.auth.grants._oauth2 import RefreshToken as RefreshToken
    from sessionkit.auth.grants._token_request import ClientAuth as ClientAuth
    from sessionkit.auth.renewal._policy import RenewalPolicy as RenewalPolicy

_PLACES = {
    "AuthHandler": "_handler",
    "Bearer": "_schemes",
    "CallableGrant": "grants._base",
    "ClientAuth": "grants._token_request",
    "ClientCredentials": "grants._oauth2",
    "Cookie": "_schemes",
    "FallbackGrant": "grants._combined",
    "SessionCookie": "_schemes",
    "Grant": "grants._base",
    "Header": "_schemes",
    "InteractiveGrant": "grants._combined",
    "LoginForm": "grants._login_form",
    "ParsedGrant": "grants._combined",
    "Password": "grants._oauth2",
    "Query": "_schemes",
    "RefreshToken": "grants._oauth2",
    "RenewalPolicy": "renewal._policy",
    "Scheme": "_schemes",
    "SigningHandler": "_signing",
    "StaticToken": "grants._base",
    "Steps": "grants._base",
}

__all__ = [
    "AuthHandler",
    "Bearer",
    "CallableGrant",
    "ClientAuth",
    "ClientCredentials",
    "Cookie",
    "FallbackGrant",
    "Grant",
    "Header",
    "InteractiveGrant",
    "LoginForm",
    "ParsedGrant",
    "Password",
    "Query",
    "RefreshToken",
    "RenewalPolicy",
    "Scheme",
    "SessionCookie",
    "SigningHandler",
    "StaticToken",
    "Steps",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
