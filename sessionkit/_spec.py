"""StackSpec: what a worker needs to build a stack of its own, and no secret with it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from sessionkit._redact import is_secret_name, scrub
from sessionkit._stack import SessionStack
from sessionkit.errors import ConfigError
from sessionkit.stores._open import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: By custom; another name passes if there is such a variable. A long one has words in it: without,
#: it may be a key itself (base32, as of one-time passwords, looks like that).
_VARIABLE: Final = re.compile(r"(?=.*_|.{1,15}$)[A-Z_][A-Z0-9_]*")
#: Every process has another module of this name.
_MAIN: Final = ("__main__", "__mp_main__")
#: Stores that are files, whose relative paths would lead elsewhere in a worker's own folder.
_FILES: Final = ("sqlite", "file")


@dataclass(frozen=True, init=False, repr=False)
class StackSpec:
    """How to build a stack, as a value that can be sent to a worker.

    A stack with handlers refuses to be pickled, because tokens and locks would be in the pickle.
    Its description is small and holds no secret, only the names of environment variables that the
    worker reads. Immutable, comparable, hashable, safe to share between threads; any pickle takes
    it.

    Args:
        factory: A function that returns a :class:`SessionStack`, or where it is, as
            ``"package.module:name"``. It must be importable by name, since only the name travels.
        kwargs: Arguments of the factory, as plain as JSON (a tuple arrives as a list).
        env: For further arguments of the factory, the environment variables that hold them. A URL
            of a store that holds a password is given here, as ``store``.
        store: URL of a token store, given to the factory as ``store``, opened. Tokens that all
            workers share are renewed once for all of them.

    Raises:
        ConfigError: A worker could not build from this, or a secret would travel with it. The
            message never shows a value.
    """

    _factory: str
    _kwargs: str
    _env: tuple[tuple[str, str], ...]
    _store: str | None

    def __init__(
        self,
        factory: Callable[..., SessionStack] | str,
        *,
        kwargs: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        store: str | None = None,
    ) -> None:
        given, named = dict(kwargs or {}), dict(env or {})
        _check_names(given, named, store)
        vars(self).update(
            _factory=_location_of(factory),
            _kwargs=_as_json(given),
            _env=tuple(sorted((k, _variable(k, v)) for k, v in named.items())),
            _store=None if store is None else _checked_store(store),
        )
        if callable(factory):
            _check_signature(factory, {*given, *named, *(() if store is None else ("store",))})

    def build(self) -> SessionStack:
        """Build the stack, in the process that uses it; each call builds another one.

        ``close`` of the stack also closes the store that was opened here.

        Raises:
            ConfigError: An environment variable is missing, the factory cannot be imported or
                returned no stack, or what they were given cannot be used.
            StoreError: The store cannot be opened.
        """
        given = {**json.loads(self._kwargs), **_values(self._env)}
        url = given.pop("store", self._store)
        factory = _imported(self._factory)
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

    def __repr__(self) -> str:
        given = {"kwargs": json.loads(self._kwargs), "env": dict(self._env), "store": self._store}
        shown = [f"{name}={value!r}" for name, value in given.items() if value]
        return f"StackSpec({', '.join([repr(self._factory), *shown])})"


# -- Factories


def _location_of(factory: Callable[..., SessionStack] | str) -> str:
    """Return where a factory is found, as ``module:name``."""
    hint = "give a function of a module that workers can import; its arguments go into kwargs="
    location = factory
    if not isinstance(factory, str):
        unnamed = f"{type(factory).__name__} object"
        names = (getattr(factory, part, unnamed) for part in ("__module__", "__qualname__"))
        location = ":".join(map(str, names))
    module, _, path = str(location).partition(":")
    parts = [*module.split("."), *path.split(".")]
    if not all(part.isidentifier() for part in parts) or module in _MAIN:
        message = f"a worker cannot import the factory {location}"
        raise ConfigError(message, hint=f"{hint}, as text: 'package.module:name'")
    if not isinstance(factory, str) and _imported(str(location)) != factory:
        raise ConfigError(f"{location} is by now something else than the factory given", hint=hint)
    return str(location)


def _imported(location: str) -> Any:
    module, _, path = location.partition(":")
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        message = f"the factory {location} cannot be imported in this process: {error}"
        raise ConfigError(message, hint="the worker needs the same code on its path") from error
    return found


def _check_signature(factory: Callable[..., SessionStack], names: Iterable[str]) -> None:
    """Find now an argument that the factory does not take, or one that it lacks."""
    import inspect

    try:
        inspect.signature(factory).bind(**dict.fromkeys(names))
    except TypeError as error:
        message = (
            f"the factory {_location_of(factory)} cannot be called with these arguments: {error}"
        )
        raise ConfigError(message) from error


# -- What travels, and what does not


def _check_names(kwargs: dict[str, Any], env: dict[str, str], store: str | None) -> None:
    twice = sorted(kwargs.keys() & env.keys())
    if "store" in kwargs or (store is not None and "store" in env):
        twice.append("store")
    if twice:
        message = f"{', '.join(twice)}: given twice, or by the wrong argument"
        hint = "an argument is either in kwargs= or in env=; a store is store= or in env="
        raise ConfigError(message, hint=hint)


def _as_json(kwargs: dict[str, Any]) -> str:
    _refuse_secrets(kwargs)
    try:
        return json.dumps(kwargs, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        message = f"kwargs must be as plain as JSON, for they travel as such: {error}"
        raise ConfigError(message, hint="live objects are made by the factory") from error


def _refuse_secrets(value: Any, where: str = "kwargs") -> None:
    hint = "give it in env=, as the name of an environment variable that the worker has"
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise ConfigError(f"{where} has a name that is no text, but {type(name).__name__}")
            if is_secret_name(name) and inner is not None and not isinstance(inner, bool):
                raise ConfigError(f"{name} in {where} is a secret by its name", hint=hint)
            _refuse_secrets(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_secrets(inner, where)
    elif isinstance(value, str) and scrub(value) != value:
        raise ConfigError(f"the value of {where} holds a secret", hint=hint)


def _checked_store(url: str) -> str:
    scheme, _, path = url.partition(":")
    if scrub(url) != url:
        message = "the URL of the store holds a password"
        hint = 'put all of it into an environment variable: env={"store": "TOKEN_STORE"}'
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
        message = f"what env= gives for {argument} is not the name of an environment variable"
        raise ConfigError(message, hint="such as APP_SECRET; the value itself does not travel")
    return name


def _values(env: tuple[tuple[str, str], ...]) -> dict[str, str]:
    missing = [f"{name} (for {argument})" for argument, name in env if not os.environ.get(name)]
    if missing:
        message = f"environment variables are missing or empty: {', '.join(missing)}"
        raise ConfigError(message, hint="set them where the worker is started")
    return {argument: os.environ[name] for argument, name in env}
