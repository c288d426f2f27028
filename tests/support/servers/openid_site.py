"""The OpenID provider of oauth_site.py; to be imported once Django has its settings."""

from __future__ import annotations

import threading
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from oauth2_provider.models import get_device_grant_model
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.views import DeviceAuthorizationView, OAuthServerMetadataView

#: Set where there is no description by RFC 8414, so that OpenID's is left.
hidden = threading.Event()

_describe = OAuthServerMetadataView.as_view()


def description(request: HttpRequest, issuer_path: str) -> HttpResponse:
    """Describe the server (RFC 8414)."""
    answer: HttpResponse = _describe(request, issuer_path=issuer_path)
    return HttpResponseNotFound() if hidden.is_set() else answer


# What oauthlib 4 says and asks in a device flow, and django-oauth-toolkit 3.4 does not know


class Device(DeviceAuthorizationView):  # type: ignore[misc]  # it ships no types
    """Gives out codes for devices."""

    def create_device_authorization_response(self, request: HttpRequest) -> Any:
        """Leave out the scope, which the view has from the request."""
        headers, body, status = super().create_device_authorization_response(request)
        if isinstance(body, dict):
            body.pop("scope", None)
        return headers, body, status


class Validator(OAuth2Validator):  # type: ignore[misc]  # as above
    """The toolkit's own; its view has looked at the state of a code before this is asked."""

    def validate_device_code(
        self, client_id: str, code: str, request: Any, *_: object, **__: object
    ) -> str | None:
        """Tell that a code is good, and whose it is."""
        grants = get_device_grant_model().objects.filter(client_id=client_id, device_code=code)
        found = grants.first()
        if found is None:
            return None
        request.user, request.scopes = found.user, found.scope.split()
        return "authorized"
