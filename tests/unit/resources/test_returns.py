"""What a return annotation means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Optional

import pytest
import requests

from sessionkit.errors import ConfigError
from sessionkit.paging import Pages
from sessionkit.resources._returns import Result, Returns

if TYPE_CHECKING:
    from decimal import Decimal


class OwnResponse(requests.Response):
    """What a session of somebody's own returns."""


@pytest.mark.parametrize(
    ("annotation", "kind", "model"),
    [
        (type(None), "nothing", type(None)),
        (requests.Response, "response", requests.Response),
        (OwnResponse, "response", OwnResponse),
        (Pages[int], "pages", int),
        (Pages, "pages", None),
        (list[int], "many", int),
        (list, "one", list),
        (int | None, "maybe", int | None),
        (Optional[int], "maybe", int | None),  # noqa: UP045  # both ways to write it
        (int | str, "one", int | str),
        (dict[str, int], "one", dict[str, int]),
        (Annotated[int, "unit"], "one", Annotated[int, "unit"]),
        (Any, "one", Any),
    ],
)
def test_an_annotation_is_read_as_people_mean_it(annotation: Any, kind: str, model: Any) -> None:
    """Nothing but the annotation says what an operation returns."""
    result = Result(annotation)

    assert result.kind == kind
    assert result.model == model


def test_an_annotation_is_resolved_when_it_is_needed() -> None:
    """A class that is defined further down in the module can be named, arguments are left alone."""

    def stub(self: Any, amount: Decimal) -> list[Later]:
        raise NotImplementedError

    returns = Returns(stub, "Api.later")

    assert returns.resolve().model is Later
    assert returns.resolve() is returns.resolve()


def test_a_name_for_checkers_only_is_an_error_with_the_cure() -> None:
    """The commonest slip with postponed annotations is explained where it happens."""

    def stub(self: Any) -> Decimal:
        raise NotImplementedError

    with pytest.raises(ConfigError, match=r"^Api\.price: .*'Decimal'") as caught:
        Returns(stub, "Api.price").resolve()

    assert "import it at run time" in caught.value.hint


def test_any_error_of_an_annotation_is_one_of_the_setup() -> None:
    """An annotation that is no type at all fails as clearly."""

    def stub(self: Any) -> Iterator[0](1):  # type: ignore[valid-type]  # on purpose
        raise NotImplementedError

    with pytest.raises(ConfigError, match=r"^Api\.odd: "):
        Returns(stub, "Api.odd").resolve()


class Later:
    """Defined after the stub that returns it."""
