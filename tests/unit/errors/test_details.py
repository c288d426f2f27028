"""The small values that errors carry."""

from __future__ import annotations

import pickle

import pytest

from sessionkit.errors import ErrorDetail, FieldError, Problem


def test_values_with_the_same_content_are_equal() -> None:
    """Tests and sets can compare them."""
    one, two = FieldError("a", "b", code="c"), FieldError("a", "b", code="c")

    assert one == two
    assert len({one, two}) == 1
    assert one != FieldError("a", "b")
    assert Problem("a", "b") != FieldError("a", "b")


def test_a_value_shows_what_is_known() -> None:
    """A debugger's line is not filled with None."""
    assert repr(FieldError("a", "b")) == "FieldError(message='b', name='a')"
    assert repr(ErrorDetail(title="t")) == "ErrorDetail(title='t')"


def test_values_survive_a_pickle() -> None:
    """Errors travel between processes with all they carry."""
    detail = ErrorDetail(code="c", fields=(FieldError("a", "b", pointer="/a"),), raw={"x": [1]})

    assert pickle.loads(pickle.dumps(detail)) == detail
    assert pickle.loads(pickle.dumps(Problem("/a", "b"))) == Problem("/a", "b")


def test_a_value_reads_as_a_sentence() -> None:
    """It can be printed as it is."""
    assert str(FieldError("email", "taken")) == "email: taken"
    assert str(FieldError("", "taken")) == "taken"
    assert str(Problem("/a/0", "not a number")) == "/a/0: not a number"
    assert str(Problem("", "no object")) == "no object"


@pytest.mark.parametrize(
    ("detail", "summary"),
    [
        (ErrorDetail(), ""),
        (ErrorDetail(code="c"), "c"),
        (ErrorDetail(code="c", title="t"), "t"),
        (ErrorDetail(title="t", detail="d"), "d"),
        (ErrorDetail(detail="d", fields=(FieldError("a", "b"),)), "a: b"),
        (ErrorDetail(fields=(FieldError("a", "b"), FieldError("c", "d"))), "a: b (+1)"),
    ],
)
def test_the_summary_is_the_most_precise_thing_known(detail: ErrorDetail, summary: str) -> None:
    """One line says what to correct first, and how much more there is."""
    assert detail.summary == summary
