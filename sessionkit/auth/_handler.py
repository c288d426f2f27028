"""The auth handler: puts the token on requests, and renews it and replays where it is rejected."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._origins import without_pairs
from sessionkit.auth._login import SharedLogin
from sessionkit.auth._schemes import NO_ORIGINS, AllowedOrigins, Bearer, is_allowed
from sessionkit.auth.grants._runner import Sender, TokenRequestRunner, clock_of
from sessionkit.auth.renewal._policy import DEFAULT_POLICY, RenewalPolicy
from sessionkit.auth.renewal._renewal import Renewal, Target
from sessionkit.errors import ConfigError, LoginRequired, SessionKitError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from requests import Response

    from sessionkit._clock import Clock
    from sessionkit._tokens import Token
    from sessionkit.auth._schemes import Scheme
    from sessionkit.auth.grants._base import Grant
    from sessionkit.chain._exchange import CallNext, Exchange
    from sessionkit.events import Event
    from sessionkit.stores._base import TokenStore

#: Renewals within one call. A second one only for a token that had been proved good, as where
#: a token ends after so many uses and other threads used it up.
MAX_RENEWALS = 3
_SERVER_ERROR = 500
_MAX_QUERY_VALUES = 8
_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"))
_BEARER = Bearer()


class AuthHandler:
    """Authenticates calls, and renews (refreshes) the token when a response rejects it.

    Place it inside ``retry``: each attempt then takes the current token, and a renewal costs no
    retry. Thread-safe; may serve several stacks.

    Args:
        grant: How to obtain a token.
        store: Where it is kept; by default in memory.
        scheme: Where it goes on a request.
        origins: The only origins it may go to, as URLs; by default that of the stack's
            ``base_url``, and for a relative URL the one that the session resolves it to.
        policy: When the token is renewed: how early, and at which responses.
        store_key: Name under which the token is stored; by default the grant's, which names the
            client. Where several users of one client share a store, give each their own.

    Raises:
        ConfigError: An origin that is no absolute URL.
    """

    __slots__ = (
        *("_clock", "_grant", "_origins", "_policy", "_query_values", "_renewal"),
        *("_scheme", "_shared_login", "_store", "_store_key", "_unrenewable"),
    )

    def __init__(
        self,
        grant: Grant,
        *,
        store: TokenStore | None = None,
        scheme: Scheme = _BEARER,
        origins: Iterable[str] | None = None,
        policy: RenewalPolicy = DEFAULT_POLICY,
        store_key: str | None = None,
    ) -> None:
        self._grant = _check_part(grant, "grant", "steps", example="StaticToken('...')")
        self._store_key = store_key or grant.store_key
        if store is None or not grant.renewable:
            from sessionkit.stores import MemoryTokenStore

            store = MemoryTokenStore()
        self._store = _check_part(store, "store", "lock", example="open_store('sqlite:tokens.db')")
        self._scheme = _check_part(scheme, "scheme", "credentials", example="Header('X-Api-Key')")
        self._origins = AllowedOrigins(origins)
        self._policy = _check_part(policy, "policy", "renewal_time", example="RenewalPolicy()")
        self._renewal = Renewal(store, self._store_key, policy)
        self._shared_login = SharedLogin()
        self._unrenewable: Token | None = None
        self._query_values: tuple[str, ...] = ()
        self._clock: Clock = SYSTEM_CLOCK

    def __repr__(self) -> str:
        own = repr(self._origins)
        if self._policy is not DEFAULT_POLICY:
            own += f", policy={self._policy!r}"
        return f"AuthHandler({self._grant!r}, store={self._store!r}, scheme={self._scheme!r}{own})"

    def login(self, stack: Sender | None = None, *, token: Token | None = None) -> None:
        """Log in now: with a token from elsewhere, or by the grant unless a live one is stored.

        Only here is a user asked, where the grant can do that and nothing else will do. Where
        threads log in at once one of them does, and the others share its success or failure.

        Args:
            stack: Sends the token request; not needed with *token*.
            token: From a login that happened elsewhere, its refresh token with it.

        Raises:
            ConfigError: Neither was given.
            LoginRequired: The grant alone cannot log in, or the user did not.
            RenewalFailed: No token could be had this time.
            StoreError: The store cannot be written or locked.
        """
        if token is not None and hasattr(token, "with_expiry"):
            self._renewal.login(token.with_expiry(self._clock.time()), self._clock)
            return
        if token is not None or not hasattr(stack, "send_direct"):
            message = "login() needs the stack to send a token request by, or a Token"
            raise ConfigError(message, hint="login(stack), or login() with token set to a Token")
        assert stack is not None  # noqa: S101  # it has what a stack has
        self._shared_login.run(partial(self._log_in, stack, clock_of(stack)))

    def _log_in(self, stack: Sender, clock: Clock) -> None:
        self._renewal.login(None, clock)
        runner = self._runner(stack, clock)
        try:
            token = self._renewal.current(runner)
            if token == self._unrenewable:
                # Valid by the clock alone: the server took neither it nor its refresh token.
                self._renewal.successor(runner, token)
        except LoginRequired:
            # Not within the renewal, whose lock would be held while the user types.
            token_of_user = runner.ask_user()
            if token_of_user is None:
                raise
            self._renewal.login(token_of_user, clock)

    def logout(self, stack: Sender | None = None, *, revoke: bool = False) -> None:
        """Forget the token, here and in the store; no automatic login follows until ``login()``.

        Args:
            stack: Tells the server; not needed without *revoke*.
            revoke: Revoke refresh and access token at the server (RFC 7009). They are forgotten
                here first, whatever it says.

        Raises:
            AuthError: The server did not confirm that they have ended.
            ConfigError: There is no stack, or it is not known how to revoke.
            StoreError: The store cannot be written or locked.
        """
        known = self._all_tokens() if revoke else []
        self._renewal.logout()
        if not known:
            return
        if stack is None or not hasattr(stack, "send_direct"):
            message = "logged out here, but without the stack the tokens cannot be revoked"
            raise ConfigError(message, hint="logout(stack, revoke=True)")
        self._runner(stack, clock_of(stack)).revoke(known)

    def _all_tokens(self) -> list[Token]:
        """Return the tokens there are: the stored one may be another process's, and newer."""
        tokens: dict[str, Token] = {}
        for look in (partial(self._store.load, self._store_key), self._renewal.peek):
            with suppress(StoreError):  # what cannot be read cannot be revoked
                if (token := look()) is not None:
                    tokens[token.value] = token
        return list(tokens.values())

    def is_authenticated(self) -> bool:
        """Return whether there is a valid token, or a refresh token to renew it with."""
        token = self._renewal.peek()
        if token is None:
            return not self._grant.renewable and not self._renewal.logged_out
        return token.is_valid(self._clock.time()) or token.refresh_token is not None

    def add_listener(self, listener: Callable[[Event], object]) -> None:
        """Call *listener* with every renewal event; see :mod:`sessionkit.events`."""
        self._renewal.add_listener(listener)

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send *exchange* with the token; renew and replay where it is rejected."""
        scheme = self._scheme
        if scheme.location == "query":
            exchange = self._strip_own_query_token(exchange)
        allowed = self._origins.for_exchange(exchange)
        if allowed is NO_ORIGINS or exchange.has_credential(scheme.location, scheme.name):
            return call_next(exchange)
        clock = self._clock = exchange.clock
        entered_after = self._renewal.enter()
        token = self._renewal.ready(clock)
        if token is None:
            runner = self._runner(exchange, clock, exchange.deadline, entered_after=entered_after)
            token = _timed(exchange, partial(self._renewal.current, runner))
        response = call_next(self._authenticated(exchange, token, allowed))
        if not self._is_rejection(response, allowed):
            self._note_success(response, token)
            return response
        if not self._grant.renewable:
            return response
        runner = self._runner(exchange, clock, exchange.deadline, entered_after=entered_after)
        runner.rejected = response
        return self._renew_and_replay(exchange, call_next, runner, token=token, allowed=allowed)

    def _runner(
        self,
        sender: Sender,
        clock: Clock,
        deadline: float | None = None,
        *,
        entered_after: int | None = None,
    ) -> TokenRequestRunner:
        if entered_after is None:
            entered_after = self._renewal.enter()
        return TokenRequestRunner(
            self._grant, sender, clock, entered_after=entered_after, deadline=deadline
        )

    def _renew_and_replay(
        self,
        exchange: Exchange,
        call_next: CallNext,
        runner: TokenRequestRunner,
        *,
        token: Token,
        allowed: frozenset[str],
    ) -> Response:
        """Renew and send again; the rejected response stands where that cannot help."""
        response = runner.rejected
        assert response is not None  # noqa: S101  # the caller has set it
        target = (exchange.method, exchange.url.partition("?")[0])
        if self._renewal.is_paused(target):
            return response
        for renewals in range(MAX_RENEWALS):
            runner.rejected = response
            runner.scope = _wanted_scope(response)
            # A token without the scope that is wanted may be as new as it likes.
            lacks_scope = renewals == 0 and not _covers(token, runner.scope)
            if not lacks_scope and not self._renewal.is_worth_renewing(token, runner.clock):
                if renewals == 0:
                    return response
                break
            if not self._may_replay(exchange, response):
                return self._renew_without_replay(exchange, runner, token, response)
            # Before the renewal: the pool may hold one connection, and the token endpoint may be
            # the same host.
            exchange.discard_response()
            token = self._renewed(exchange, runner, token, target=target)
            response = call_next(self._authenticated(exchange, token, allowed))
            if not self._is_rejection(response, allowed):
                self._note_success(response, token)
                return response
        self._renewal.pause(target, runner.clock)
        return response

    def _renewed(
        self, exchange: Exchange, runner: TokenRequestRunner, token: Token, *, target: Target
    ) -> Token:
        try:
            return _timed(exchange, partial(self._renewal.successor, runner, token))
        except SessionKitError as error:
            if runner.scope:
                self._renewal.pause(target, runner.clock)  # the scope will not be had now
            elif isinstance(error, LoginRequired):
                self._unrenewable = token
            raise

    def _renew_without_replay(
        self, exchange: Exchange, runner: TokenRequestRunner, token: Token, response: Response
    ) -> Response:
        """Return the rejected response intact, and renew for the caller's own next try."""
        # Where it is streamed, its connection stays with the caller: the next call renews first.
        self._renewal.reject(token)
        if not exchange.stream:
            exchange.read(response)  # before the renewal, which may need its connection
            try:
                _timed(exchange, partial(self._renewal.successor, runner, token))
            except SessionKitError as error:
                runner.log(error)
        return response

    def _authenticated(self, exchange: Exchange, token: Token, allowed: frozenset[str]) -> Exchange:
        if self._scheme.location == "query" and token.value not in self._query_values:
            self._query_values = (token.value, *self._query_values[: _MAX_QUERY_VALUES - 1])
        exchange = exchange.streamed()
        for credential in self._scheme.credentials(token, exchange.method, origins=allowed):
            exchange = exchange.with_credential(credential)
        return exchange

    def _strip_own_query_token(self, exchange: Exchange) -> Exchange:
        """Take a token of ours out of a URL that the server repeated, such as a next link.

        Taken for the caller's own it would never be renewed.
        """
        url = without_pairs(exchange.url, self._scheme.name, self._query_values)
        return exchange if url == exchange.url else exchange.replace(url=url)

    def _is_rejection(self, response: Response, allowed: frozenset[str]) -> bool:
        if not self._policy.is_rejection(response):
            return False
        return not _is_cached(response) and is_allowed(response.url, allowed)

    def _may_replay(self, exchange: Exchange, response: Response) -> bool:
        """A rejection means that nothing was done; one with a status of 2xx does not."""
        nothing_done = not response.ok or self._policy.is_login_redirect(response)
        if not nothing_done and exchange.method.upper() not in _IDEMPOTENT:
            return False
        return exchange.replayable

    def _note_success(self, response: Response, token: Token) -> None:
        """Note that *token* is good, where the API's own response proves it."""
        if response.status_code >= _SERVER_ERROR or _is_cached(response):
            return
        if not _was_redirected(response):
            self._renewal.confirm(token)
            lifetime = self._policy.new_lifetime(response)
            if lifetime is not None:
                self._renewal.extend(token, lifetime, self._clock)


def _is_cached(response: Response) -> bool:
    # By identity: a stand-in from a test tool has something else there.
    return getattr(response, "from_cache", False) is True


def _was_redirected(response: Response) -> bool:
    """Return whether another server may have responded; an HTTP auth leaves its 401 there too."""
    history = response.history
    # A stand-in from a test tool has something else there.
    return not isinstance(history, list) or any(past.is_redirect for past in history)


def _timed(exchange: Exchange, obtain: Callable[[], Token]) -> Token:
    started = exchange.clock.monotonic()
    try:
        return obtain()
    finally:
        exchange.record.renewal_duration += exchange.clock.monotonic() - started


def _covers(token: Token, scope: str) -> bool:
    return set(scope.split()) <= set((token.scope or "").split())


def _check_part(part: Any, what: str, method: str, *, example: str) -> Any:
    """Return a part of the handler, or say at once what is wrong with it."""
    message = ""
    if isinstance(part, type):
        message = f"not a {what} but a class: {part.__name__}"
    elif not callable(getattr(part, method, None)):
        message = f"not a {what}: {type(part).__name__} has no {method}()"
    if message:
        raise ConfigError(message, hint=f"such as {example}")
    return part


def _wanted_scope(response: Response) -> str:
    """Return the scope that a rejection asks for, or ""."""
    challenge = response.headers.get("WWW-Authenticate")
    if not challenge:
        return ""
    from sessionkit.headers._challenge import wanted_scope  # needed by rejected calls alone

    return wanted_scope(challenge)
