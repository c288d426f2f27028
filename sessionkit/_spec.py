"""StackSpec: what a worker needs to build a stack of its own, and no secret with it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypedDict, Unpack, final

from sessionkit._recommended import recommended
from sessionkit._redact import is_secret_name, scrub
from sessionkit._stack import SessionStack
from sessionkit.auth.grants._oauth2 import ClientCredentials
from sessionkit.errors import ConfigError
from sessionkit.stores._open import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sessionkit.stores._base import TokenStore

#: What the usual stack needs, and what it may be given.
_NEEDED: Final = ("base_url", "token_url", "client_id", "client_secret")
_CLIENT: Final = ("scope", "client_auth", "extra_params")
_CHAIN: Final = ("origins", "errors")
#: In place of values that only the worker knows, while the settings are tried out.
_STAND_INS: Final = {"base_url": "https://api.invalid/", "token_url": "https://id.invalid/token"}
#: By custom; another name passes if there is such a variable. A long one has words in it: without,
#: it may be a key itself (base32, as of one-time passwords, looks like that).
_VARIABLE: Final = re.compile(r"(?=.*_|.{1,15}$)[A-Z_][A-Z0-9_]*")
#: Every process has another module of this name.
_MAIN: Final = ("__main__", "__mp_main__")
#: Stores that are files, whose relative paths would lead elsewhere in a worker's own folder.
_FILES: Final = ("sqlite", "file")


@final
class StackSpec:
    """How to build a stack, as a value that can be sent to a worker.

    A stack with handlers refuses to be pickled, because tokens and locks would be in the pickle.
    Its description is small and holds no secret, only the names of environment variables that the
    worker reads. Immutable, comparable, hashable, safe to share between threads; any pickle takes
    it.

    Args:
        factory: A function that returns a :class:`SessionStack`, or where it is, as
            ``"package.module:name"``. It must be importable by name, since only the name travels.
            Without one, the usual stack is built: a new session, the :func:`recommended` handlers,
            :class:`~sessionkit.auth.ClientCredentials`.
        settings: Arguments of the factory, as plain as JSON (a tuple arrives as a list). Those of
            the usual stack are ``base_url``, ``token_url``, ``client_id``, and, if wanted,
            ``scope``, ``auth``, ``extra``, ``origins``, ``errors``.
        store: URL of a token store, given to the factory as ``store``, opened. Tokens that all
            workers share are renewed once for all of them.
        secrets: For further arguments of the factory, the environment variables that hold them.
            The usual stack needs ``client_secret``. A URL of a store that holds a password is given
            here, as ``store``.

    Raises:
        ConfigError: A worker could not build from this, or a secret would travel with it. The
            message never shows a value.
    """

    __slots__ = ("_factory", "_secrets", "_settings", "_store")

    _factory: str | None
    _settings: str
    _store: str | None
    _secrets: tuple[tuple[str, str], ...]

    def __init__(
        self,
        factory: Callable[..., SessionStack] | str | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        store: str | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        given, named = dict(settings or {}), dict(secrets or {})
        _check_names(given, named, store)
        keep = object.__setattr__
        keep(self, "_factory", None if factory is None else _place_of(factory))
        keep(self, "_settings", _frozen(given, _CLIENT if factory is None else ()))
        keep(self, "_store", None if store is None else _checked_store(store))
        keep(self, "_secrets", tuple(sorted((k, _variable(k, v)) for k, v in named.items())))
        if factory is None:
            _try_usual(given, named)
        elif callable(factory):
            _try_call(factory, {*given, *named, *(() if store is None else ("store",))})

    def build(self) -> SessionStack:
        """Build the stack, in the process that uses it; each call builds another one.

        ``close`` of the stack also closes the store that was opened here.

        Raises:
            ConfigError: An environment variable is missing, the factory cannot be imported or
                returned no stack, or what they were given cannot be used.
            StoreError: The store cannot be opened.
        """
        given = {**json.loads(self._settings), **_values(self._secrets)}
        url = given.pop("store", self._store)
        factory: Any = _usual if self._factory is None else _imported(self._factory)
        with ExitStack() as undone:
            if url is not None:
                given["store"] = open_store(url)
                close = getattr(given["store"], "close", None)
                if close is not None:
                    undone.callback(close)
            stack: Any = factory(**given)
            if not isinstance(stack, SessionStack):
                message = f"the factory {self._factory} returned {type(stack).__name__}"
                raise ConfigError(f"{message}, not a SessionStack")
            stack._owned += (undone.pop_all(),)  # noqa: SLF001  # it was opened for this stack
        return stack

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a StackSpec never changes; make a new one to change {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a StackSpec never changes; {name} stays")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, self._parts()

    def __eq__(self, other: object) -> bool:
        return self._parts() == other._parts() if isinstance(other, StackSpec) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        shown = [] if self._factory is None else [repr(self._factory)]
        given = (("settings", json.loads(self._settings)), ("store", self._store))
        named = (*given, ("secrets", dict(self._secrets)))
        shown += [f"{name}={value!r}" for name, value in named if value]
        return f"StackSpec({', '.join(shown)})"

    def _parts(self) -> tuple[str | None, str, str | None, tuple[tuple[str, str], ...]]:
        return self._factory, self._settings, self._store, self._secrets


def _restored(factory: str | None, settings: str, *others: Any) -> StackSpec:
    """Return the description of which these are the parts; they were checked when it was made."""
    spec = object.__new__(StackSpec)
    for name, part in zip(
        ("_factory", "_settings", "_store", "_secrets"), (factory, settings, *others), strict=True
    ):
        object.__setattr__(spec, name, part)
    return spec


# -- The usual stack


class _More(TypedDict, total=False):
    scope: str
    auth: str
    extra: dict[str, str]
    origins: list[str]
    errors: bool


def _usual(
    *,
    base_url: str,
    token_url: str,
    client_id: str,
    client_secret: str,
    store: TokenStore | None = None,
    **more: Unpack[_More],
) -> SessionStack:
    client: Any = {name: value for name, value in more.items() if name in _CLIENT}
    chain: Any = {name: value for name, value in more.items() if name in _CHAIN}
    login = ClientCredentials(token_url, client_id, client_secret=client_secret, **client)
    return SessionStack(None, recommended(login, store=store, **chain), base_url=base_url)


def _try_usual(settings: dict[str, Any], secrets: dict[str, str]) -> None:
    """Find now what would be wrong in the worker."""
    names = {*settings, *secrets} - {"store"}
    unknown = sorted(names - {*_NEEDED, *_CLIENT, *_CHAIN})
    missing = [name for name in _NEEDED if name not in names]
    if unknown or missing:
        wrong = [f"does not know {name}" for name in unknown] + [f"needs {n}" for n in missing]
        known = f"{', '.join(_NEEDED)}; if wanted {', '.join((*_CLIENT, *_CHAIN))}"
        message = f"without a factory, the usual stack {', '.join(wrong)}"
        raise ConfigError(message, hint=f"it takes {known}; for anything else give a factory")
    placeholders = {name: _STAND_INS.get(name, "x") for name in secrets if name != "store"}
    try:
        _usual(**{**settings, **placeholders}).close()
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the usual stack cannot be made of these settings: {error}") from error


# -- Factories


def _place_of(factory: Callable[..., SessionStack] | str) -> str:
    """Return where a factory is found, as ``module:name``."""
    hint = "give a function of a module that workers can import; its arguments go into settings="
    place = factory
    if not isinstance(factory, str):
        unnamed = f"{type(factory).__name__} object"
        names = (getattr(factory, part, unnamed) for part in ("__module__", "__qualname__"))
        place = ":".join(map(str, names))
    module, _, path = str(place).partition(":")
    parts = [*module.split("."), *path.split(".")]
    if not all(part.isidentifier() for part in parts) or module in _MAIN:
        message = f"a worker cannot import the factory {place}"
        raise ConfigError(message, hint=f"{hint}, as text: 'package.module:name'")
    if not isinstance(factory, str) and _imported(str(place)) != factory:
        raise ConfigError(f"{place} is by now something else than the factory given", hint=hint)
    return str(place)


def _imported(place: str) -> Any:
    module, _, path = place.partition(":")
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        message = f"the factory {place} cannot be imported in this process: {error}"
        raise ConfigError(message, hint="the worker needs the same code on its path") from error
    return found


def _try_call(factory: Callable[..., SessionStack], names: Iterable[str]) -> None:
    """Find now an argument that the factory does not take, or one that it lacks."""
    import inspect

    try:
        inspect.signature(factory).bind(**dict.fromkeys(names))
    except TypeError as error:
        message = f"the factory {_place_of(factory)} cannot be called with these settings: {error}"
        raise ConfigError(message) from error


# -- What travels, and what does not


def _check_names(settings: dict[str, Any], secrets: dict[str, str], store: str | None) -> None:
    twice = sorted(settings.keys() & secrets.keys())
    if "store" in settings or (store is not None and "store" in secrets):
        twice.append("store")
    if twice:
        message = f"{', '.join(twice)}: given twice, or not in its place"
        hint = "an argument is either in settings= or in secrets=; a store is store= or in secrets="
        raise ConfigError(message, hint=hint)


def _frozen(settings: dict[str, Any], harmless: tuple[str, ...]) -> str:
    """Return settings as JSON, which nobody can change in place."""
    _refuse_secrets({name: value for name, value in settings.items() if name not in harmless})
    _refuse_secrets([settings[name] for name in harmless if name in settings])
    try:
        return json.dumps(settings, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        message = f"settings must be as plain as JSON, for they travel as such: {error}"
        raise ConfigError(message, hint="live objects are made by the factory") from error


def _refuse_secrets(value: Any, place: str = "settings") -> None:
    hint = "give it in secrets=, as the name of an environment variable that the worker has"
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise ConfigError(f"{place} has a name that is no text, but {type(name).__name__}")
            if is_secret_name(name) and inner is not None and not isinstance(inner, bool):
                raise ConfigError(f"{name} in {place} is a secret by its name", hint=hint)
            _refuse_secrets(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_secrets(inner, place)
    elif isinstance(value, str) and scrub(value) != value:
        raise ConfigError(f"the value of {place} holds a secret", hint=hint)


def _checked_store(url: str) -> str:
    scheme, _, path = url.partition(":")
    if scrub(url) != url:
        message = "the URL of the store holds a password"
        hint = 'put all of it into an environment variable: secrets={"store": "TOKEN_STORE"}'
        raise ConfigError(message, hint=hint)
    kind = scheme.lower().partition("+")[0]
    if kind in _FILES and not path.removeprefix("//").startswith(("/", "~")):
        message = f"the path of a {kind}: store must be absolute here"
        raise ConfigError(message, hint="a worker may run in another folder, and share nothing")
    return url


def _variable(argument: str, name: object) -> str:
    known = isinstance(name, str) and (_VARIABLE.fullmatch(name) or name in os.environ)
    if not isinstance(name, str) or not known:
        # Not shown: it may be the secret itself.
        message = f"what secrets= gives for {argument} is not the name of an environment variable"
        raise ConfigError(message, hint="such as APP_SECRET; the value itself does not travel")
    return name


def _values(secrets: tuple[tuple[str, str], ...]) -> dict[str, str]:
    missing = [f"{name} (for {argument})" for argument, name in secrets if not os.environ.get(name)]
    if missing:
        message = f"environment variables are missing or empty: {', '.join(missing)}"
        raise ConfigError(message, hint="set them where the worker is started")
    return {argument: os.environ[name] for argument, name in secrets}
