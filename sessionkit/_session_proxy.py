"""What makes a stack a session: which names are the session's, and how its methods are called."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigError
from sessionkit.transport._sessions import STOCK_SESSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests
    from requests import Response

#: Arguments that the verbs of requests pass to ``request`` though the caller gave none.
VERB_DEFAULTS = frozenset(("params", "data", "json"))
VERBS = ("get", "options", "head", "post", "put", "patch", "delete")
#: Listed by hand: requests.Session may be something else while this is imported.
DELEGATED = (
    *("headers", "auth", "proxies", "hooks", "params", "stream", "verify", "cert", "adapters"),
    *("cookies", "trust_env", "max_redirects", "prepare_request", "merge_environment_settings"),
    *("get_adapter", "mount", "get_redirect_target", "should_strip_auth", "rebuild_auth"),
    *("rebuild_proxies", "rebuild_method", "resolve_redirects"),
)
#: What is the stack's own, never the session's.
STACK_NAMES = frozenset(
    (
        "handlers",
        "base_url",
        "clock",
        "paginate",
        "with_options",
        "explain",
        "send_direct",
        "request",
        "send",
        "close",
    )
)
SEND_OPTIONS = frozenset(("timeout", "verify", "cert", "proxies", "stream"))
REQUEST_OPTIONS = SEND_OPTIONS | {"params", "headers", "cookies", "auth", "hooks"}


def delegate(name: str) -> property:
    """Return a property that reads *name* of the wrapped session."""
    # attrgetter is C: a delegated read costs tens of nanoseconds, not hundreds.
    return property(attrgetter(f"_inner.{name}"), doc=f"The wrapped session's ``{name}``.")


def checked_session(session: Any) -> requests.Session:
    """Return *session*, or say at once what it lacks; by duck type, so that other makes pass."""
    missing = [n for n in ("request", "send", "headers", "close") if not hasattr(session, n)]
    if isinstance(session, type):
        message = f"not a session but a class: {session.__name__}"
        raise ConfigError(message, hint="give an instance, such as requests.Session()")
    if missing:
        message = f"not a session: {type(session).__name__} has no {', '.join(missing)}"
        raise ConfigError(message, hint="hand over an instance such as requests.Session()")
    checked: requests.Session = session
    return checked


def bound_arguments(method: Any, entry: str, args: tuple[Any, ...]) -> dict[str, Any]:
    """Name positional arguments as the session's own method names them; orders differ."""
    import inspect

    parameters = list(inspect.signature(method).parameters.values())
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        # An override that hands everything on: what it overrides decides.
        stock = inspect.signature(getattr(STOCK_SESSION, entry))
        parameters = list(stock.parameters.values())[1:]
    names = [
        parameter.name
        for parameter in parameters
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ][2 if entry == "request" else 1 :]
    if len(args) > len(names):
        message = f"{entry}() takes {len(names)} positional arguments here but got {len(args)}"
        raise TypeError(message)
    return dict(zip(names, args, strict=False))


def check_options(options: Iterable[str], declared: frozenset[str]) -> None:
    """Refuse a name among *options* that neither requests nor a handler reads.

    Raises:
        ConfigError: It says which names there are.
    """
    known = REQUEST_OPTIONS | declared
    unknown = sorted(set(options) - known)
    if unknown:
        message = f"no handler of this stack reads {', '.join(unknown)}"
        raise ConfigError(message, hint=f"known here: {', '.join(sorted(known))}")


def has_patched_send(stack: requests.Session) -> bool:
    """Return whether *stack* itself was given another ``send``, as a mock does it."""
    own = vars(stack).get("send")
    # A mock that has ended may leave the stack's own there.
    return own is not None and getattr(own, "__func__", None) is not type(stack).send


def request_via_send(
    stack: requests.Session, entry: str, *, method: str, url: Any, options: dict[str, Any]
) -> Response:
    """Make a request as a session does: prepared, and given to the ``send`` that the stack has."""
    # By requests' own head() it would have come with this.
    options.setdefault("allow_redirects", entry != "head")
    return STOCK_SESSION.request(stack, method, url, **options)


def pickling_refused() -> ConfigError:
    """Return the refusal of a stack with handlers to be pickled."""
    message = "a stack with handlers is not pickled: it would carry tokens and live locks"
    hint = "send a StackSpec to the process that uses the stack, and build() it there"
    return ConfigError(message, hint=hint)
