"""What the response of an operation becomes, read from its return annotation."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from requests import Response

from sessionkit.errors import ConfigError
from sessionkit.mapping._engine import Loader
from sessionkit.paging._pages import Pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.resources._codec import Codec

Kind = Literal["nothing", "response", "pages", "many", "maybe", "one"]


class Result:
    """A kind of result, and the type of the objects in it. Immutable.

    Attributes:
        kind: ``nothing``; ``response``; ``pages`` of objects; ``many`` in a list; ``one``;
            ``maybe`` one, or None.
        model: Type of the objects.
    """

    __slots__ = ("_loader", "kind", "model")

    def __init__(self, annotation: Any) -> None:
        self.kind: Kind = _kind(annotation)
        self.model = _model(annotation, self.kind)
        # A list is loaded as one, so that one error names the problems of all its items.
        self._loader: Loader[Any] = Loader(annotation)

    def read(self, response: Response, codec: Codec) -> Any:
        """Return the result that *response* stands for."""
        match self.kind:
            case "nothing":
                return None
            case "response":
                return response
            case "many":
                return codec.many(response, self._loader)
            case "maybe" if not (response.ok and response.content):
                return None
            case _:
                return codec.one(response, self._loader)


class Returns:
    """The return annotation of a stub; resolved at the first call, when its names are known."""

    __slots__ = ("_name", "_result", "_stub")

    def __init__(self, stub: Callable[..., Any], name: str) -> None:
        self._stub = stub
        self._name = name
        self._result: Result | None = None

    def resolve(self) -> Result:
        """Return what the annotation means. Two threads may resolve it at once; both get the same.

        Raises:
            ConfigError: A name in it is not known in the stub's module.
        """
        if self._result is None:
            self._result = Result(self._annotation())
        return self._result

    def _annotation(self) -> Any:
        probe = _Probe(self._stub.__annotations__["return"])
        try:
            return get_type_hints(probe, self._stub.__globals__, include_extras=True)["return"]
        except Exception as error:
            raise ConfigError(
                f"{self._name}: the return annotation cannot be resolved: {error}",
                hint="import it at run time, at the top of the module, not for type checkers only",
            ) from error


class _Probe:
    """Carries one annotation: those of the arguments are never resolved, and may stay text."""

    def __init__(self, annotation: Any) -> None:
        self.__annotations__ = {"return": annotation}


def _kind(annotation: Any) -> Kind:
    origin = get_origin(annotation)
    if annotation is NoneType:
        return "nothing"
    if origin is None and isinstance(annotation, type) and issubclass(annotation, Response):
        return "response"
    if origin is Pages or annotation is Pages:
        return "pages"
    if origin is list:
        return "many"
    if origin in (Union, UnionType) and NoneType in get_args(annotation):
        return "maybe"
    return "one"


def _model(annotation: Any, kind: Kind) -> Any:
    if kind in ("pages", "many"):
        model, *_ = get_args(annotation) or [None]
        return model
    return annotation
