"""Tokens on requests: schemes, grants, and the handler that renews and replays.

Logins by users and by keys are imported by their path, `sessionkit.auth.oauth` (extra ``oauth``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.auth._handler import AuthHandler as AuthHandler
    from sessionkit.auth._schemes import (
        Bearer as Bearer,
        Cookie as Cookie,
        Header as Header,
        Query as Query,
        Scheme as Scheme,
        SessionCookie as SessionCookie,
    )
    from sessionkit.auth._signing import SigningHandler as SigningHandler
    from sessionkit.auth.grants._base import (
        CallableGrant as CallableGrant,
        Grant as Grant,
        StaticToken as StaticToken,
        Steps as Steps,
    )
    from sessionkit.auth.grants._combined import (
        FallbackGrant as FallbackGrant,
        InteractiveGrant as InteractiveGrant,
        ParsedGrant as ParsedGrant,
    )
    from sessionkit.auth.grants._login_form import LoginForm as LoginForm
    from sessionkit.auth.grants._oauth2 import (
        ClientCredentials as ClientCredentials,
        Password as Password,
        RefreshToken as RefreshToken,
    )
    from sessionkit.auth.grants._token_endpoint import ClientAuth as ClientAuth
    from sessionkit.auth.renewal._policy import RenewalPolicy as RenewalPolicy


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "_handler": ("AuthHandler",),
        "_schemes": ("Bearer", "Cookie", "Header", "Query", "Scheme", "SessionCookie"),
        "_signing": ("SigningHandler",),
        "grants._base": ("CallableGrant", "Grant", "StaticToken", "Steps"),
        "grants._combined": ("FallbackGrant", "InteractiveGrant", "ParsedGrant"),
        "grants._login_form": ("LoginForm",),
        "grants._oauth2": ("ClientCredentials", "Password", "RefreshToken"),
        "grants._token_endpoint": ("ClientAuth",),
        "renewal._policy": ("RenewalPolicy",),
    },
)
