"""Where an exception was raised, by its traceback, where its class and text do not tell.

Functions are known by their names in requests, urllib3, niquests and the standard library, and one
local variable by its own (``resp`` of ``resolve_redirects``). Checked with Python 3.11: with
requests 2.34.2 and urllib3 2.8.0 all of them; with requests 2.32.5 and urllib3 2.2.3 all but
`rejected_by_stdlib` on a URL that urllib3 2.2.3 refuses itself. The tests run through each of these
functions, so that a version which renames one fails there.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

#: Forks whose classes have the same names but no common parents.
FORKS: Mapping[str, str] = MappingProxyType({"requests": "niquests", "urllib3": "urllib3_future"})
_LIBRARIES = (*FORKS, *FORKS.values())
_PARSERS = ("http.client", "urllib.parse")


def redirect_of(error: BaseException) -> Any:
    """Return the redirect that requests was following itself, or None."""
    for frame in _frames(error):
        if frame.f_code.co_name == "resolve_redirects" and _is_http_library(_module(frame)):
            return frame.f_locals.get("resp")
    return None


def raised_while_redirecting(error: BaseException) -> bool:
    """Return whether *error* is of a redirect, and not of a hook that is called for one."""
    if redirect_of(error) is None:
        return False
    module = _module(_frames(error)[-1])
    return module in _PARSERS or module.startswith("idna.") or _is_http_library(module)


def raised_while_connecting(cause: object) -> bool:
    """Return whether *cause* is of a socket that could not be connected."""
    return isinstance(cause, OSError) and _was_raised_in("connect", cause)


def missing_ca_file(error: BaseException) -> bool:
    """Return whether requests found no file at the path that ``verify`` or ``cert`` gives."""
    return _was_raised_in("cert_verify", error)


def rejected_by_stdlib(error: BaseException) -> bool:
    """Return whether Python's own parsers refused what requests or urllib3 gave them."""
    modules = [_module(frame) for frame in _frames(error)]
    callers = [module for module in modules if module not in _PARSERS]
    return modules[-1:] != callers[-1:] != [] and _is_http_library(callers[-1])


def _frames(error: BaseException) -> list[FrameType]:
    """Return the frames that *error* came through, the one that raised it last."""
    frames, traceback = [], error.__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame)
        traceback = traceback.tb_next
    return frames


def _was_raised_in(function: str, error: BaseException) -> bool:
    return [frame.f_code.co_name for frame in _frames(error)[-1:]] == [function]


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _is_http_library(module: str) -> bool:
    return module.partition(".")[0] in _LIBRARIES
