"""Tokens on requests: schemes, grants, and the handler that renews and replays.

Logins by users and by keys are imported by their path, `sessionkit.auth.oauth` (extra ``oauth``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._faces import lazy

if TYPE_CHECKING:
    from sessionkit.auth._client import ClientAuth as ClientAuth
    from sessionkit.auth._combined import Fallback as Fallback
    from sessionkit.auth._combined import Interactive as Interactive
    from sessionkit.auth._combined import Parsed as Parsed
    from sessionkit.auth._grants import CallableGrant as CallableGrant
    from sessionkit.auth._grants import Grant as Grant
    from sessionkit.auth._grants import StaticToken as StaticToken
    from sessionkit.auth._grants import Steps as Steps
    from sessionkit.auth._handler import AuthHandler as AuthHandler
    from sessionkit.auth._login_form import LoginForm as LoginForm
    from sessionkit.auth._oauth2 import ClientCredentials as ClientCredentials
    from sessionkit.auth._oauth2 import Password as Password
    from sessionkit.auth._oauth2 import RefreshToken as RefreshToken
    from sessionkit.auth._policy import RenewalPolicy as RenewalPolicy
    from sessionkit.auth._schemes import Bearer as Bearer
    from sessionkit.auth._schemes import Cookie as Cookie
    from sessionkit.auth._schemes import FormSession as FormSession
    from sessionkit.auth._schemes import Header as Header
    from sessionkit.auth._schemes import Query as Query
    from sessionkit.auth._schemes import Scheme as Scheme
    from sessionkit.auth._signing import SigningHandler as SigningHandler

_PLACES = {
    "AuthHandler": "_handler",
    "Bearer": "_schemes",
    "CallableGrant": "_grants",
    "ClientAuth": "_client",
    "ClientCredentials": "_oauth2",
    "Cookie": "_schemes",
    "Fallback": "_combined",
    "FormSession": "_schemes",
    "Grant": "_grants",
    "Header": "_schemes",
    "Interactive": "_combined",
    "LoginForm": "_login_form",
    "Parsed": "_combined",
    "Password": "_oauth2",
    "Query": "_schemes",
    "RefreshToken": "_oauth2",
    "RenewalPolicy": "_policy",
    "Scheme": "_schemes",
    "SigningHandler": "_signing",
    "StaticToken": "_grants",
    "Steps": "_grants",
}

__all__ = [
    "AuthHandler",
    "Bearer",
    "CallableGrant",
    "ClientAuth",
    "ClientCredentials",
    "Cookie",
    "Fallback",
    "FormSession",
    "Grant",
    "Header",
    "Interactive",
    "LoginForm",
    "Parsed",
    "Password",
    "Query",
    "RefreshToken",
    "RenewalPolicy",
    "Scheme",
    "SigningHandler",
    "StaticToken",
    "Steps",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
