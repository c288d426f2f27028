"""Reading ``WWW-Authenticate`` (RFC 9110, section 11.6.1; RFC 6750, section 3). Pure."""

from __future__ import annotations

import re

from sessionkit.headers._fields import unescape

# name = token | "quoted string"; begun only where a name begins and never gone back on (++), so
# that its time is linear in the header's length.
_PARAMETER = re.compile(
    r"(?<![\w!#$%&'*+.^`|~-])([\w!#$%&'*+.^`|~-]++)\s*+=\s*+"
    r'(?:"((?:[^"\\]|\\.)*+)"|([^\s,"]++))',
    re.ASCII,
)
_MAX_CHARACTERS = 8192


def challenge_parameters(text: str | None) -> dict[str, str]:
    """Return the parameters of the challenges of a refusal, names in lower case.

    Where several challenges name the same parameter, the first one holds. Never raises: an
    unreadable header is no parameters.
    """
    found: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall((text or "")[:_MAX_CHARACTERS]):
        value = unescape(quoted) if quoted else bare
        found.setdefault(name.lower(), value)
    return found


def wanted_scope(text: str | None) -> str:
    """Return the scope that an ``insufficient_scope`` challenge asks for, or "".

    Only that error says that another token would do (RFC 6750, section 3.1); servers name scopes
    in other challenges too.
    """
    parameters = challenge_parameters(text)
    if parameters.get("error") == "insufficient_scope":
        return " ".join(sorted(parameters.get("scope", "").split()))
    return ""
