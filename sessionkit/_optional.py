"""Modules of extras: the one line that says how to install what is missing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def require(module: str, extra: str) -> ModuleType:
    """Import *module*, which the extra called *extra* brings.

    Args:
        module: Dotted name, such as ``redis.client``.
        extra: Name in the distribution's optional dependencies, such as ``redis``.

    Raises:
        ImportError: It is not installed; the message is the line that installs it. A module that
            is there but fails to import is reported as what it is.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        if missing.partition(".")[0] != module.partition(".")[0]:
            raise
        message = f'{missing} is not installed: pip install "requests-sessionkit[{extra}]"'
        raise ImportError(message, name=module) from error
