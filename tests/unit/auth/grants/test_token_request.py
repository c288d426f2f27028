"""How a client proves that it is the one."""

from __future__ import annotations

import pytest

from sessionkit.auth import ClientCredentials, RefreshToken
from sessionkit.errors import ConfigError
from tests.unit.auth.walking import asked, credentials


@pytest.mark.parametrize(("client_id", "secret"), [("", "word"), ("app", "")])
def test_an_empty_id_or_secret_is_refused(client_id: str, secret: str) -> None:
    """An environment variable that is not set is found when the grant is built."""
    with pytest.raises(ConfigError, match="must not be empty") as caught:
        ClientCredentials("http://id.example", client_id, client_secret=secret)

    assert "environment variable" in caught.value.hint


def test_an_unknown_way_to_authenticate_is_refused() -> None:
    """The two that there are, are named."""
    with pytest.raises(ConfigError, match="'basic', 'post' or a proof"):
        credentials("http://id.example", auth="jwt")


class Signed:
    """A proof of its own, made anew for each request."""

    def __init__(self) -> None:
        self.made = 0

    def fields(self, client_id: str, token_url: str) -> dict[str, str]:
        """Sign."""
        self.made += 1
        return {"client_assertion": f"{client_id} for {token_url} #{self.made}"}


def test_a_proof_other_than_a_secret_goes_into_the_form() -> None:
    """A bank that wants signed assertions gets them, and no secret beside them."""
    proof = Signed()
    seen, _ = asked(lambda url: ClientCredentials(url, "app", auth=proof))

    assert seen.form["client_assertion"].startswith("app for http://127.0.0.1")
    assert seen.form["client_id"] == "app"
    assert "authorization" not in seen.headers
    assert proof.made == 1


def test_a_secret_beside_another_proof_is_refused() -> None:
    """It would be sent for nothing, or silently not."""
    with pytest.raises(ConfigError, match="not by both"):
        RefreshToken("http://id.example", client_id="app", client_secret="word", auth=Signed())
