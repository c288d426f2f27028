"""AuthHandler: puts the token on requests, sees it refused, has it renewed, sends again."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._origins import without_pairs
from sessionkit.auth._login import Logins
from sessionkit.auth._reach import NOWHERE, Reach, goes_to
from sessionkit.auth._schemes import Bearer
from sessionkit.auth.grants._runner import Sender, TokenRequestRunner, clock_of
from sessionkit.auth.renewal._cooldown import CoolDown, Place
from sessionkit.auth.renewal._policy import DEFAULT_POLICY, RenewalPolicy
from sessionkit.auth.renewal._renewal import Renewal
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
MOST_RENEWALS = 3
_SERVER_ERROR = 500
_MOST_ECHOES = 7
_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"))
_BEARER = Bearer()


class AuthHandler:
    """Authenticates calls, and renews the token when an answer refuses it.

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
        *("_clock", "_cool_down", "_ended", "_grant", "_logins", "_placed", "_policy"),
        *("_reach", "_renewal", "_scheme", "_store", "_store_key"),
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
        self._grant = _checked(grant, "grant", "steps", example="StaticToken('...')")
        self._store_key = store_key or grant.store_key
        if store is None or not grant.renewable:
            from sessionkit.stores import MemoryTokenStore

            store = MemoryTokenStore()
        self._store = _checked(store, "store", "lock", example="open_store('sqlite:tokens.db')")
        self._scheme = _checked(scheme, "scheme", "credentials", example="Header('X-Api-Key')")
        self._reach = Reach(origins)
        self._policy = _checked(policy, "policy", "renewal_time", example="RenewalPolicy()")
        self._renewal = Renewal(store, self._store_key, policy)
        self._logins = Logins()
        self._cool_down = CoolDown()
        self._ended: Token | None = None
        self._placed: tuple[str, ...] = ()
        self._clock: Clock = SYSTEM_CLOCK

    def __repr__(self) -> str:
        own = repr(self._reach)
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
        self._logins.share(partial(self._log_in, stack, clock_of(stack)))

    def _log_in(self, via: Sender, clock: Clock) -> None:
        self._renewal.login(None, clock)
        ask = self._ask(via, clock, deadline=None)
        try:
            token = self._renewal.current(ask)
            if token == self._ended:
                # It lives by the clock alone: the server took neither it nor its refresh token.
                self._renewal.successor(ask, token)
        except LoginRequired:
            # Not within the renewal, whose lock would be held while the user types.
            asked = ask.ask_user()
            if asked is None:
                raise
            self._renewal.login(asked, clock)

    def logout(self, stack: Sender | None = None, *, revoke: bool = False) -> None:
        """Forget the token, here and in the store; no automatic login follows until ``login()``.

        Args:
            stack: Tells the server; not needed without *revoke*.
            revoke: Tell the server that refresh and access token end (RFC 7009). They are forgotten
                here first, whatever it says.

        Raises:
            AuthError: The server did not confirm that they have ended.
            ConfigError: There is no stack, or it is not known how to revoke.
            StoreError: The store cannot be written or locked.
        """
        known = self._known() if revoke else []
        self._renewal.logout()
        if not known:
            return
        if stack is None or not hasattr(stack, "send_direct"):
            message = "logged out here, but without the stack the server cannot be told"
            raise ConfigError(message, hint="logout(stack, revoke=True)")
        self._ask(stack, clock_of(stack), deadline=None).revoke(known)

    def _known(self) -> list[Token]:
        """Return the tokens there are: the stored one may be another process's, and newer."""
        tokens: dict[str, Token] = {}
        for look in (partial(self._store.load, self._store_key), self._renewal.peek):
            with suppress(StoreError):  # what cannot be read cannot be revoked
                if (token := look()) is not None:
                    tokens[token.value] = token
        return list(tokens.values())

    def is_authenticated(self) -> bool:
        """Tell whether there is a token that lives, or that its refresh token can renew."""
        token = self._renewal.peek()
        if token is None:
            return not self._grant.renewable and not self._renewal.logged_out
        return token.is_valid(self._clock.time()) or token.refresh_token is not None

    def add_listener(self, listener: Callable[[Event], object]) -> None:
        """Have *listener* told of every renewal; see :mod:`sessionkit.events`."""
        self._renewal.listeners.add(listener)

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send *exchange* with the token; renew and replay where that is refused."""
        scheme = self._scheme
        if scheme.location == "query":
            exchange = self._without_echo(exchange)
        allowed = self._reach.allowed(exchange)
        if allowed is NOWHERE or exchange.has_credential(scheme.location, scheme.name):
            return call_next(exchange)
        clock = self._clock = exchange.clock
        ask = self._ask(exchange, clock, deadline=exchange.deadline)
        token = self._renewal.ready(clock) or _timed(exchange, partial(self._renewal.current, ask))
        response = call_next(self._carrying(exchange, token, allowed))
        if not self._refuses(response, allowed):
            self._note(response, token)
            return response
        if not self._grant.renewable:
            return response
        return self._recover(exchange, call_next, ask, token=token, response=response)

    def _ask(self, via: Sender, clock: Clock, *, deadline: float | None) -> TokenRequestRunner:
        ticket = self._renewal.enter()
        return TokenRequestRunner(self._grant, via, clock, ticket=ticket, deadline=deadline)

    def _recover(
        self,
        exchange: Exchange,
        call_next: CallNext,
        ask: TokenRequestRunner,
        *,
        token: Token,
        response: Response,
    ) -> Response:
        """Renew and send again; the refused answer stands where that cannot help."""
        from sessionkit.headers._challenge import wanted_scope  # needed by refused calls alone

        allowed = self._reach.allowed(exchange)
        place = (exchange.method, exchange.url.partition("?")[0])
        if self._cool_down.holds(place, ask.clock):
            return response
        for renewals in range(MOST_RENEWALS):
            ask.refused = response
            ask.want = wanted_scope(response.headers.get("WWW-Authenticate"))
            # A token without the scope that is wanted may be as new as it likes.
            scope_is_news = renewals == 0 and not _covers(token, ask.want)
            if not scope_is_news and not self._worth_renewing(token, ask.clock):
                if renewals == 0:
                    return response
                break
            if not self._may_repeat(exchange, response):
                return self._renewed_for_the_next(exchange, ask, token, response)
            # Before the renewal: the pool may hold one connection, and the token endpoint may be
            # the same host.
            exchange.discard_response()
            token = self._successor(exchange, ask, token, place=place)
            response = call_next(self._carrying(exchange, token, allowed))
            if not self._refuses(response, allowed):
                self._note(response, token)
                return response
        self._cool_down.start(place, ask.clock)
        return response

    def _successor(
        self, exchange: Exchange, ask: TokenRequestRunner, token: Token, *, place: Place
    ) -> Token:
        try:
            return _timed(exchange, partial(self._renewal.successor, ask, token))
        except SessionKitError as error:
            if ask.want:
                self._cool_down.start(place, ask.clock)  # the scope will not be had now
            elif isinstance(error, LoginRequired):
                self._ended = token
            raise

    def _worth_renewing(self, refused: Token, clock: Clock) -> bool:
        """Tell whether a new token may help: not where good ones were refused moments ago."""
        if self._renewal.is_young(refused, clock) and self._cool_down.active(clock):
            return False
        return self._renewal.replaceable(refused, clock)

    def _renewed_for_the_next(
        self, exchange: Exchange, ask: TokenRequestRunner, token: Token, response: Response
    ) -> Response:
        """Return the refused answer intact, and see that the caller's own next try works."""
        # Where it is streamed, its connection stays with the caller: the next call renews first.
        self._renewal.refuse(token)
        if not exchange.stream:
            exchange.read(response)  # before the renewal, which may need its connection
            try:
                _timed(exchange, partial(self._renewal.successor, ask, token))
            except SessionKitError as error:
                ask.log(error)
        return response

    def _carrying(self, exchange: Exchange, token: Token, allowed: frozenset[str]) -> Exchange:
        if self._scheme.location == "query" and token.value not in self._placed:
            self._placed = (token.value, *self._placed[:_MOST_ECHOES])
        exchange = exchange.streamed()
        for secret in self._scheme.credentials(token, exchange.method, origins=allowed):
            exchange = exchange.with_credential(secret)
        return exchange

    def _without_echo(self, exchange: Exchange) -> Exchange:
        """Take a key of ours out of a URL that the server repeated, such as a next link.

        Taken for the caller's own it would never be renewed.
        """
        url = without_pairs(exchange.url, self._scheme.name, self._placed)
        return exchange if url == exchange.url else exchange.replace(url=url)

    def _refuses(self, response: Response, allowed: frozenset[str]) -> bool:
        if not self._policy.is_rejection(response):
            return False
        if getattr(response, "from_cache", False) is True:
            return False
        return goes_to(response.url, allowed)

    def _may_repeat(self, exchange: Exchange, response: Response) -> bool:
        """A refusal means that nothing was done; a 2xx that reads as one gives no such promise."""
        promised = not response.ok or self._policy.is_login_redirect(response)
        if not promised and exchange.method.upper() not in _IDEMPOTENT:
            return False
        return exchange.replayable

    def _note(self, response: Response, token: Token) -> None:
        """Note that *token* is good, where the answer proves it: the API's own, and no failure."""
        cached = getattr(response, "from_cache", False) is True
        if response.status_code < _SERVER_ERROR and not _redirected(response) and not cached:
            self._renewal.accepted(token)
            seconds = self._policy.new_lifetime(response)
            if seconds is not None:
                self._renewal.extend(token, seconds, self._clock)


def _redirected(response: Response) -> bool:
    """Tell whether somebody else may have answered; a login in rounds leaves its 401 there too."""
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


def _checked(part: Any, what: str, method: str, *, example: str) -> Any:
    """Return a part of the handler, or say at once what is wrong with it."""
    message = ""
    if isinstance(part, type):
        message = f"not a {what} but a class: {part.__name__}"
    elif not callable(getattr(part, method, None)):
        message = f"not a {what}: {type(part).__name__} has no {method}()"
    if message:
        raise ConfigError(message, hint=f"such as {example}")
    return part
