"""The login form of a page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sessionkit.auth.grants._html_form import find_form

PAGE = """
<form action="/search"><input name="q"></form>
<FORM method=post action='/session?a=1&amp;b=2'>
  <input type="hidden" name="authenticity_token" value="abc&quot;def">
  <input name="username"><input type="password" name="password" value="">
  <select name="region"></select>
  <input type="submit" name="commit" value="Sign in"><input type="hidden">
</FORM>
<input name="loose">
"""


def test_the_form_that_asks_for_the_names_is_found() -> None:
    """A search box on the same page is not what one logs in by."""
    form = find_form(PAGE, {"username", "password"})

    assert form is not None
    assert form.action == "/session?a=1&b=2"
    assert form.fields == {"authenticity_token": 'abc"def'}
    assert form.asks == {"username", "password", "region"}


def test_a_form_without_an_action_is_sent_to_its_own_page() -> None:
    """As a browser does it."""
    form = find_form("<form action=''><input name=user></form>", {"user"})

    assert form is not None
    assert form.action is None


def test_a_page_without_such_a_form_holds_none() -> None:
    """Inputs outside of a form, and hidden ones, are none that a user fills in."""
    assert find_form(PAGE, {"loose"}) is None
    assert find_form(PAGE, {"authenticity_token"}) is None
    assert find_form("", {"user"}) is None


def test_a_form_far_behind_on_an_endless_page_is_not_looked_for() -> None:
    """A hostile page costs a bounded amount of work."""
    assert find_form(" " * 300_000 + PAGE, {"username"}) is None


@given(st.text())
def test_no_page_makes_the_reader_stumble(page: str) -> None:
    """Whatever a server calls HTML."""
    find_form(f"<form><input name=user {page}", {"user"})
