"""Checks of the numbers that users give as settings, all in one wording.

Each returns the number, or raises a :class:`~sessionkit.errors.ConfigError` that names the setting.
A bool is no number here, and NaN lies within no bounds.
"""

from __future__ import annotations

import math
import sys
from typing import TypeGuard

from sessionkit.errors import ConfigError

#: The largest number that is not infinite.
_FINITE = sys.float_info.max


def seconds(
    name: str,
    value: object,
    *,
    positive: bool = False,
    minimum: float = 0.0,
    maximum: float = _FINITE,
    hint: str = "a number such as 2.5",
) -> float:
    """Return *value* if it is a number of seconds within the bounds.

    Args:
        name: Of the setting, for the message.
        value: What the user gave.
        positive: Whether 0 is refused as well.
        minimum: The smallest number that is allowed.
        maximum: The largest that is allowed; by default any that is not infinite.
        hint: What to give instead.

    Raises:
        ConfigError: It is none, or out of bounds.
    """
    if _is_number(value) and minimum <= value <= maximum and (value > 0 or not positive):
        return value
    start = " above 0" if positive else f" from {minimum:g}" if minimum > -math.inf else ""
    end = f" up to {maximum:g}" if maximum < _FINITE else ""
    raise _wrong(name, value, f"a number of seconds{start}{end}", hint)


def number(name: str, value: object, *, minimum: float = 0.0, hint: str = "") -> float:
    """Return *value* if it is a finite number from *minimum* on.

    Raises:
        ConfigError: It is none, or too small.
    """
    if _is_number(value) and minimum <= value <= _FINITE:
        return value
    raise _wrong(name, value, f"a number from {minimum:g}", hint)


def count(name: str, value: object, *, minimum: int = 1, hint: str = "") -> int:
    """Return *value* if it is a whole number from *minimum* on.

    Raises:
        ConfigError: It is none, or too small.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= minimum:
        return value
    raise _wrong(name, value, f"a whole number from {minimum}", hint)


def size(name: str, value: object, *, hint: str = "a whole number such as 10_000_000") -> int:
    """Return *value* if it is a number of bytes above 0.

    Raises:
        ConfigError: It is no whole number, or not above 0.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise _wrong(name, value, "a number of bytes above 0", hint)


def _wrong(name: str, value: object, wanted: str, hint: str) -> ConfigError:
    return ConfigError(f"{name} must be {wanted}, not {value!r:.80}", hint=hint)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
