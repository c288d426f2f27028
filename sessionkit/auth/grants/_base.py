"""The contract of grants, and the two that send nothing: a fixed token, and a function."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from requests import Request, Response

    Steps: TypeAlias = Generator[Request, Response, Token]
else:
    Steps = Generator


class Grant(Protocol):
    """A way to obtain a token. Stateless, hence thread-safe.

    A grant may also have ``login_steps()``, which ask a user and are taken where ``login(stack)``
    finds no other way; and ``revoke_steps(token)``, for ``logout(stack, revoke=True)``.

    Attributes:
        store_key: Name under which its tokens are stored: one for each account.
        renewable: Whether asking again can give another token.
    """

    store_key: str
    renewable: bool

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        """Yield requests, be sent their responses, and return the token.

        Args:
            token: The token that is replaced, with its refresh token; None at the first login.
            rejected: Status and headers of the response that rejected it, where there was one:
                some servers name the wanted scope only there. Its body is discarded.

        Raises:
            LoginRequired: The server will never give a token this way again.
            RenewalFailed: It gave none this time.
        """
        ...


class OptionalSteps(Protocol):
    """What a grant may have besides: a login by a user, and revocation."""

    def login_steps(self) -> Steps:
        """Ask a user to log in, and return the token; taken where ``login(stack)`` needs it."""
        ...

    def revoke_steps(self, token: Token) -> Generator[Request, Response, None]:
        """Revoke *token* at the server (RFC 7009), for ``logout(stack, revoke=True)``."""
        ...


class StaticToken:
    """One token that cannot be renewed: an API key, a personal access token.

    A refusal is passed on as it is.

    Args:
        token: The text of the token, or a :class:`~sessionkit.Token`.
    """

    __slots__ = ("_token", "store_key")

    renewable = False

    def __init__(self, token: str | Token) -> None:
        try:
            self._token = token if isinstance(token, Token) else Token(token)
        except (TypeError, ValueError) as error:
            message = f"this cannot be a token: {error}"
            raise ConfigError(message) from error
        self.store_key = "static"

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:  # noqa: ARG002  # what all grants take
        yield from ()  # nothing is sent
        return self._token

    def __repr__(self) -> str:
        return "StaticToken(***)"


class CallableGrant:
    """A token from a function of yours: a vendor's SDK, a secret manager, a file that is rotated.

    Args:
        obtain: Called with the token it replaces and the response that rejected it (either may be
            None); returns a :class:`~sessionkit.Token`, a text, or None for "there is no other",
            which is raised as ``LoginRequired``. One thread at a time calls it.
        store_key: Name under which its tokens are stored.
    """

    __slots__ = ("_obtain", "store_key")

    renewable = True

    def __init__(
        self,
        obtain: Callable[[Token | None, Response | None], Token | str | None],
        *,
        store_key: str = "callable",
    ) -> None:
        if not callable(obtain):
            message = "obtain must be a function of the replaced token and the rejecting response"
            raise ConfigError(message)
        self._obtain = obtain
        self.store_key = store_key

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        yield from ()  # nothing is sent by us
        obtained: Any = self._obtain(token, rejected)
        if obtained is None:
            message = "the function that obtains tokens returned None: there is no other token"
            raise LoginRequired(message, hint="log in again, then call login() with the new token")
        try:
            return obtained if isinstance(obtained, Token) else Token(obtained)
        except (TypeError, ValueError) as error:
            message = f"what the function returned cannot be a token: {error}"
            raise RenewalFailed(message) from error

    def __repr__(self) -> str:
        name = getattr(self._obtain, "__qualname__", type(self._obtain).__name__)
        return f"CallableGrant({name})"
