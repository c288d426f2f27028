"""``python -m sessionkit tokens``: list, show and delete tokens, and log in; no secret is shown."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sessionkit import ApiClient, SessionStack, StackSpec
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.auth import AuthHandler
from sessionkit.cli._output import choose_output
from sessionkit.errors import ConfigError, StoreUnreadable
from sessionkit.stores import ListableTokenStore, open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionkit._clock import Clock
    from sessionkit._tokens import Token
    from sessionkit.stores import TokenStore

#: Seconds for which `delete` waits for a renewal under way to end.
_LOCK_TIMEOUT = 10.0
#: The lengths that times are told in: from how many seconds on, of how many, and what they are.
_UNITS = ((172_800.0, 86_400.0, "days"), (7_200.0, 3_600.0, "h"), (120.0, 60.0, "min"))


def list_tokens(url: str, *, as_json: bool, clock: Clock = SYSTEM_CLOCK) -> int:
    """Show all tokens of a store.

    Args:
        url: Which store; see :func:`sessionkit.stores.open_store`.
        as_json: Print nothing but a list of objects.
        clock: The time that expiry is compared with.

    Returns:
        The exit status: 0.

    Raises:
        ConfigError: There is no such kind of store, or it cannot tell its keys.
        StoreError: It cannot be reached.
    """
    store = open_given_store(url)
    if not isinstance(store, ListableTokenStore):
        message = f"{type(store).__name__} cannot tell its keys"
        raise ConfigError(message, hint="look at one token by its key: tokens show KEY")
    keys = store.keys()
    _print([_entry(store, key, clock.time()) for key in keys], as_json=as_json)
    return 0


def show_token(url: str, key: str, *, as_json: bool, clock: Clock = SYSTEM_CLOCK) -> int:
    """Show one token of a store; see :func:`list_tokens`.

    Returns:
        The exit status: 0, or 1 if there is none under *key*.
    """
    store = open_given_store(url)
    entry = _entry(store, key, clock.time())
    if entry["state"] == "absent":
        print(f"no token under {printable(key)}", file=sys.stderr)
        return 1
    _print([entry], as_json=as_json)
    return 0


def delete_token(url: str, key: str) -> int:
    """Delete one token of a store once no renewal of it is under way.

    Args:
        url: Which store.
        key: Whose token.

    Returns:
        The exit status: 0, also if there was none.

    Raises:
        ConfigError: There is no such kind of store.
        LockTimedOut: A renewal did not end.
        StoreError: It cannot be reached.
    """
    store = open_given_store(url)
    # Under the lock, or a renewal that is just ending would be saved over it.
    with store.lock(key, _LOCK_TIMEOUT):
        store.delete(key)
    print(f"deleted: {printable(key)}")
    return 0


def login(target: str, *, again: bool = False) -> int:
    """Log in by every `AuthHandler` of a stack, where no stored token is valid or can be renewed.

    Args:
        target: ``MODULE:NAME`` of a stack, a client, a `StackSpec`, or a function that returns one.
        again: Delete what is stored first: for another account, or another scope.

    Returns:
        The exit status: 0.

    Raises:
        ConfigError: There is no stack, or no `AuthHandler` in it.
        SessionKitError: The login failed.
    """
    with ExitStack() as ending:
        stack = _stack_from(_imported(target), target, ending)
        handlers = {name: stack.handlers[name] for name in stack.handlers.names}
        auths = {name: h for name, h in handlers.items() if isinstance(h, AuthHandler)}
        if not auths:
            raise ConfigError(f"the stack {target} has no AuthHandler to log in")
        for name, auth in auths.items():
            if again:
                auth.logout()
            auth.login(stack)
            print(f"logged in: {name}")
    return 0


def open_given_store(url: str) -> TokenStore:
    """Return the store of *url*.

    Raises:
        ConfigError: There is no such kind of store, or what it needs is not installed.
        StoreError: It cannot be opened.
    """
    try:
        return open_store(url)
    except ImportError as error:
        raise ConfigError(str(error)) from error


def printable(text: str) -> str:
    """Return *text* as it is, or escaped where a terminal would obey it or could not show it."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return ascii(text)[1:-1]
    return text if text.isprintable() else ascii(text)[1:-1]


def _entry(store: TokenStore, key: str, now: float) -> dict[str, Any]:
    """Return all that may be shown of a token."""
    try:
        token = store.load(key)
    except StoreUnreadable:
        return {"key": key, "state": "unreadable"}
    return {"key": key, "state": "absent"} if token is None else _facts(key, token, now)


def _facts(key: str, token: Token, now: float) -> dict[str, Any]:
    left = None if token.expires_at is None else round(token.expires_at - now, 1)
    return {
        "key": key,
        "state": "alive" if token.is_valid(now) else "ended",
        "fingerprint": token.fingerprint,
        "expires_at": token.expires_at,
        "seconds_left": left,
        "scope": token.scope,
        "has_refresh_token": token.refresh_token is not None,
    }


def _print(entries: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(entries))
        return
    output = choose_output(sys.stdout)
    for entry in entries:
        output.line(printable(entry["key"]), "bold")
        for line in _lines(entry):
            output.line(f"  {line}")
    if not entries:
        output.line("no tokens")


def _lines(entry: dict[str, Any]) -> list[str]:
    if "fingerprint" not in entry:
        return ["cannot be read: damaged, or encrypted with another key"]
    renewable = "can be renewed" if entry["has_refresh_token"] else "no refresh token"
    scope = [f"scope {printable(entry['scope'])}"] if entry["scope"] else []
    return [f"{entry['fingerprint']}  {_expiry(entry['seconds_left'])}, {renewable}", *scope]


def _expiry(left: float | None) -> str:
    if left is None:
        return "its end is not known"
    return f"ends in {_duration(left)}" if left > 0 else f"ended {_duration(abs(left))} ago"


def _duration(seconds: float) -> str:
    for least, one, name in _UNITS:
        if seconds >= least:
            return f"{seconds / one:.0f} {name}"
    return f"{seconds:.0f} s"


def _imported(target: str) -> Any:
    module, _, path = target.partition(":")
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "write MODULE:NAME, such as shop.api:stack, in a folder where Python finds it"
        raise ConfigError(f"{target} cannot be imported: {error}", hint=hint) from error
    return found


def _stack_from(found: Any, target: str, ending: ExitStack) -> SessionStack:
    """Return the stack that *found* is or makes; one that is made here is closed here."""
    if not isinstance(found, SessionStack | ApiClient | StackSpec) and callable(found):
        found = found()
        closing = getattr(found, "close", None)
        if closing is not None:
            ending.callback(closing)
    if isinstance(found, StackSpec):
        found = ending.enter_context(found.build())
    found = found.stack if isinstance(found, ApiClient) else found
    if not isinstance(found, SessionStack):
        message = f"{target} is no stack but {type(found).__name__}"
        raise ConfigError(message, hint="a SessionStack, an ApiClient, a StackSpec, or a function")
    return found
