"""Operations: a typed stub method and a verb are a whole call.

The signature says all: arguments named in the template go into the path, the others into the query
or the JSON body, and the return annotation is what the response becomes.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from sessionkit.errors import ConfigError, tools
from sessionkit.mapping._engine import dump
from sessionkit.resources._codec import PlainJson
from sessionkit.resources._collection import Collection, send_checked
from sessionkit.resources._returns import Returns
from sessionkit.resources._urls import Template, query

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.paging import Paginator
    from sessionkit.paging._detect import Items
    from sessionkit.paging._paths import JsonPath
    from sessionkit.resources._collection import Expect, Owner

P = ParamSpec("P")
R = TypeVar("R")

#: An argument of this name is the whole JSON body; the others then go into the query.
_BODY = "body"
#: Verbs whose other arguments are members of a JSON object; those of GET and DELETE are a query.
_WITH_MEMBERS = frozenset(("POST", "PUT", "PATCH"))
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def get(
    template: str,
    *,
    expect: Expect = None,
    items: Items = None,
    item: JsonPath | None = None,
    paginator: Paginator | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a stub method a GET: ``@get("orders/{id}") def order(self, id: int) -> Order: ...``.

    Arguments that the template names go into the path, each quoted as one segment. The others go
    into the query: None and ``UNSET`` are left out, a list is repeated, booleans are ``true`` and
    ``false``; one underscore at the end of a name is dropped (``from_``).

    The return annotation decides what comes back: a type that the mapper knows is one object,
    ``X | None`` also stands for an empty response, ``list[X]`` is all objects of this one,
    ``Pages[X]`` a lazy walk over all pages, ``None`` nothing, ``requests.Response`` the response
    itself, whose status is then only checked against an ``expect`` that was given.

    The body of the stub runs before anything is sent, and what it raises leaves the call: the
    place for checks. What it returns is ignored; it ends in ``...`` or, for a checker that misses
    a return, in ``raise NotImplementedError``.

    Args:
        template: Path below the client's ``base_url``, or below the collection's path.
        expect: Statuses that are a success; by default all from 200 to 299.
        items: For lists, where the items are; see :class:`PlainJson`. By default the owner's codec
            decides.
        item: For one object, where it is; by default the owner's codec decides.
        paginator: For ``Pages``, the way to the next page.

    Raises:
        ConfigError: The signature does not fit the template, or an annotation is missing; at the
            first call, the return annotation cannot be resolved.
    """
    return _decorator("GET", template, _Settings(expect, items, item, paginator=paginator))


def post(
    template: str, *, expect: Expect = None, items: Items = None, item: JsonPath | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a stub method a POST; see :func:`get` for path, results and checks.

    Arguments that the template does not name are the members of a JSON object; None is null,
    ``UNSET`` is left out, and without any such argument there is no body. An argument called
    ``body`` is the whole JSON body instead, and the others go into the query.

    Args:
        template: Path below the client's ``base_url``, or below the collection's path.
        expect: Statuses that are a success; by default all from 200 to 299.
        items: For lists, where the items are.
        item: For one object, where it is.
    """
    return _decorator("POST", template, _Settings(expect, items, item))


def put(
    template: str, *, expect: Expect = None, items: Items = None, item: JsonPath | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a stub method a PUT; arguments as for :func:`post`."""
    return _decorator("PUT", template, _Settings(expect, items, item))


def patch(
    template: str, *, expect: Expect = None, items: Items = None, item: JsonPath | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a stub method a PATCH; arguments as for :func:`post`."""
    return _decorator("PATCH", template, _Settings(expect, items, item))


def delete(
    template: str, *, expect: Expect = None, items: Items = None, item: JsonPath | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a stub method a DELETE; other arguments go into the query, but for ``body``."""
    return _decorator("DELETE", template, _Settings(expect, items, item))


class _Settings:
    """What a decorator was given beside the template."""

    __slots__ = ("codec", "expect", "paginator")

    def __init__(
        self,
        expect: Expect,
        items: Items,
        item: JsonPath | None,
        *,
        paginator: Paginator | None = None,
    ) -> None:
        self.expect = expect
        self.codec = None if items is None and item is None else PlainJson(items, item)
        self.paginator = paginator


class _Operation:
    """One declared operation. Immutable but for what the first call finds out."""

    __slots__ = ("_expect", "_method", "_returns", "_settings", "_signature", "_stub", "_template")

    def __init__(
        self, method: str, template: str, settings: _Settings, stub: Callable[..., Any]
    ) -> None:
        name = getattr(stub, "__qualname__", repr(stub))
        if not inspect.isfunction(stub) or inspect.iscoroutinefunction(stub):
            raise ConfigError(f"{name}: an operation is declared on a plain method")
        self._method = method
        self._settings = settings
        self._stub = stub
        self._template = Template(template, name)
        self._signature = inspect.signature(stub)
        self._expect = tools.read_statuses(f"{name}: expect", settings.expect)
        self._returns = Returns(stub, name)
        _check_signature(self._signature, self._template, name)

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        _run_checks(self._stub, bound)
        owner, *_ = bound.args
        values = dict(list(bound.arguments.items())[1:])
        path = self._template.fill(values).lstrip("/")
        if isinstance(owner, Collection):
            path = f"{owner.path}/{path}" if path else owner.path
        return self._send(owner, path, self._options(values))

    def _options(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return what the request carries beside its path."""
        rest = {n.removesuffix("_"): v for n, v in values.items() if n not in self._template.names}
        options: dict[str, Any] = {}
        if self._method != "GET" and _BODY in rest:
            options["json"] = dump({_BODY: rest.pop(_BODY)}).get(_BODY)
        elif rest and self._method in _WITH_MEMBERS:
            options["json"] = dump(rest)
            rest = {}
        if rest:
            options["params"] = query(rest)
        return options

    def _send(self, owner: Owner, path: str, options: dict[str, Any]) -> Any:
        returns = self._returns.resolve()
        settings = self._settings
        codec = settings.codec or owner.codec
        if returns.kind == "pages":
            return owner.stack.paginate(
                path,
                paginator=settings.paginator,
                items=codec.items,
                into=returns.model,
                params=options.get("params"),
            )
        expect = self._expect
        if returns.kind == "response" and expect is None:
            return owner.stack.request(self._method, path, **options)
        response = send_checked(owner.stack, self._method, path, options=options, expect=expect)
        return returns.read(response, codec)


def _decorator(
    method: str, template: str, settings: _Settings
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    given: object = template
    if not isinstance(given, str):
        verb = f"@{method.lower()}"
        raise ConfigError(f"{verb} needs a path: {verb}('tasks/{{id}}/')")

    def declare(stub: Callable[P, R]) -> Callable[P, R]:
        operation = _Operation(method, template, settings, stub)

        @wraps(stub)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            result: R = operation(args, kwargs)
            return result

        return call

    return declare


def _run_checks(stub: Callable[..., Any], bound: inspect.BoundArguments) -> None:
    """Run the body of a stub for what it raises."""
    try:
        stub(*bound.args, **bound.kwargs)
    except NotImplementedError as error:
        # The stub's own last line; one that comes from deeper is a check that is not there.
        line = error.__traceback__ and error.__traceback__.tb_next
        if line is None or line.tb_next is not None:
            raise


def _check_signature(signature: inspect.Signature, template: Template, name: str) -> None:
    """Refuse at declaration what could only fail at the call.

    Raises:
        ConfigError: As its text says.
    """
    parameters = list(signature.parameters.values())
    others = parameters[1:]
    if not parameters:
        raise ConfigError(f"{name}: an operation is a method, and so needs self")
    for parameter in others:
        if parameter.kind in _VARIADIC:
            raise ConfigError(f"{name}: *{parameter.name} hides what is sent; name each argument")
        if parameter.annotation is parameter.empty:
            raise ConfigError(f"{name}: the argument {parameter.name} has no annotation")
    if signature.return_annotation is signature.empty:
        raise ConfigError(f"{name}: a return annotation says what the response becomes; write one")
    unknown = sorted(template.names - {parameter.name for parameter in others})
    if unknown:
        raise ConfigError(
            f"{name}: the template {template.text!r} names {', '.join(unknown)}, "
            "which no argument brings"
        )
