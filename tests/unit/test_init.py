"""The root of the package: the names that a first program needs, and what they cost."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import sessionkit

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sessionkit.__all__)
def test_every_name_of_the_root_is_where_it_says(name: str) -> None:
    """An import, an attribute and a star import give the same object, each time."""
    found = getattr(sessionkit, name)

    assert found is getattr(sessionkit, name)
    assert name in dir(sessionkit)
    assert getattr(found, "__name__", name) in {name, "Callable"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt import says what is missing."""
    with pytest.raises(AttributeError, match="SesionStack"):
        sessionkit.SesionStack  # noqa: B018  # looked up
    with pytest.raises(ImportError, match="SesionStack"):
        from sessionkit import SesionStack  # noqa: F401  # the import is the test


def test_the_package_tells_its_version() -> None:
    """A bug report can name it, and the distribution agrees where it is installed."""
    assert sessionkit.__version__.count(".") == 2
    try:
        installed = importlib.metadata.version("requests-sessionkit")
    except importlib.metadata.PackageNotFoundError:
        return
    assert installed == sessionkit.__version__


def test_the_root_loads_nothing_before_it_is_asked() -> None:
    """Importing the package costs next to nothing; each name brings what it needs."""
    program = (
        "import sys, sessionkit\n"
        "loaded = [n for n in sys.modules if n.startswith('sessionkit.')]\n"
        "assert loaded == ['sessionkit._lazy'], loaded\n"
        "assert 'requests' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, b"")
