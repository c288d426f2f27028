"""ApiClient: the base of a vendor's SDK, a class of typed collections and operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sessionkit._origins import is_absolute, origin_of
from sessionkit._recommended import recommended
from sessionkit._redact import redact_url
from sessionkit._stack import SessionStack
from sessionkit.errors import ConfigError
from sessionkit.resources._codec import PlainJson
from sessionkit.resources._urls import check_names

if TYPE_CHECKING:
    from types import TracebackType

    import requests

    from sessionkit.resources._codec import Codec


class ApiClient:
    """Base class of an SDK: its body declares collections and operations, a stack sends.

    ::

        class Shop(ApiClient):
            base_url = "https://api.example/v1/"
            products = Collection(Product, "products")

        shop = Shop(SessionStack(session, recommended(login)))

    Immutable after it is made, so one serves all threads as far as its session does.

    Args:
        session: A :class:`SessionStack`, used as it is; or a session of yours, wrapped without any
            handlers, so nothing is retried or raised but what this library's own checks raise; or
            None for a new session with the :func:`recommended` handlers, closed by :meth:`close`.
        base_url: What all paths are appended to. By default the stack's or session's own, and
            where that has none, the class attribute ``base_url``.

    Raises:
        ConfigError: Not a session; no base URL, or one that is not absolute; or the stack was made
            for another origin than *base_url*, and so were its credentials.

    Attributes:
        base_url: What all paths are appended to.
        codec: How documents hold objects, where a collection or operation says nothing of it.
        stack: What sends; for calls that the class does not declare.
    """

    base_url: str | None = None
    codec: Codec = PlainJson()

    def __init__(
        self,
        session: requests.Session | None = None,
        base_url: str | None = None,
    ) -> None:
        self._owned: SessionStack | None = None
        if isinstance(session, SessionStack):
            stack = session
        else:
            stack = SessionStack(session, recommended() if session is None else ())
            self._owned = stack
        self.base_url = _base(type(self), base_url, stack)
        self._stack = _rooted(stack, self.base_url)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check what the body of the class says.

        Raises:
            ConfigError: ``base_url`` is no absolute URL, or a name that the base needs is taken.
        """
        super().__init_subclass__(**kwargs)
        if cls.base_url is not None:
            _check_base(cls.base_url, cls.__name__)
        check_names(cls, ("stack", "close"))

    @property
    def stack(self) -> SessionStack:
        """What sends; for calls that the class does not declare."""
        return self._stack

    def close(self) -> None:
        """Close the session if the client made it; yours stays open."""
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {redact_url(self.base_url or '')}>"


def _base(cls: type[ApiClient], given: str | None, stack: SessionStack) -> str:
    own = stack.base_url
    url = given or own or cls.base_url
    if not url:
        raise ConfigError(
            f"{cls.__name__} has no base_url",
            hint="give base_url= here or to the stack, or set it in the body of the class",
        )
    _check_base(url, cls.__name__)
    if given and own and origin_of(given) != origin_of(own):
        raise ConfigError(
            f"{cls.__name__}: the stack was made for {origin_of(own)}, not {origin_of(given)}",
            hint="its credentials belong there; make a stack for this base_url",
        )
    return url


def _check_base(url: object, name: str) -> None:
    if not isinstance(url, str) or not is_absolute(url) or "?" in url or "#" in url:
        raise ConfigError(
            f"{name}: base_url must be an absolute URL without a query, such as "
            "https://api.example/v1/"
        )
    try:
        origin_of(url)
    except ValueError as error:
        raise ConfigError(f"{name}: base_url cannot be used: {error}") from error


def _rooted(stack: SessionStack, base_url: str) -> SessionStack:
    """Return a light stack beside *stack* that stands at *base_url*; *stack* stays as it is."""
    light = stack.with_options()
    light.base_url = base_url
    return light
