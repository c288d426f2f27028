"""The public module: what is there, and what is said where its extra is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sessionkit.auth import oauth
from sessionkit.auth.oauth import Endpoints, PrivateKeyJwt, SignedJwt

PLACE = Endpoints("https://id.example/token", authorization_url="https://id.example/authorize")


def test_every_name_that_it_promises_is_there() -> None:
    """And in alphabetical order, for those who look one up."""
    assert oauth.__all__ == sorted(oauth.__all__)
    assert all(getattr(oauth, name).__doc__ for name in oauth.__all__)


@pytest.mark.parametrize(
    ("module", "make"),
    [
        ("jwt", lambda: PrivateKeyJwt("key")),
        ("cryptography", lambda: SignedJwt("key", {})),
    ],
)
def test_a_missing_extra_is_told_with_its_line(
    module: str, make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the grant is built, and not when the user has logged in."""
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ImportError, match=r'pip install "requests-sessionkit\[oauth\]"'):
        make()


def test_what_needs_no_extra_works_without_it() -> None:
    """Browsers, devices and exchanged tokens sign nothing."""
    program = (
        "import sys\n"
        "for name in ('jwt', 'cryptography'): sys.modules[name] = None\n"
        "from sessionkit.auth.oauth import *\n"
        "place = Endpoints('https://id.example/token', device_authorization_url='https://id.example/device')\n"
        "DeviceCode(place, 'app', prompt_callback=print)\n"
        "TokenExchange(place, 'subject')\n"
        "place = place._replace(authorization_url='https://id.example/authorize')\n"
        "AuthorizationCode(place, 'app')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode()


def test_nothing_of_it_is_loaded_by_a_stack_with_the_usual_grants() -> None:
    """A service that refreshes tokens pays for no browser, server or key."""
    program = (
        "import sys\n"
        "from sessionkit import SessionStack, recommended\n"
        "from sessionkit.auth import ClientCredentials, RefreshToken\n"
        "grant = RefreshToken('https://id.example/token', 'x', client_id='app')\n"
        "SessionStack(handlers=recommended(grant), base_url='https://api.example')\n"
        "slow = {'sessionkit.auth.grants._browser', 'http.server', 'html.parser', 'jwt'}\n"
        "wrong = slow & set(sys.modules)\n"
        "assert not wrong, wrong\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode()
