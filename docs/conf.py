"""Settings of the documentation: Sphinx, MyST, Furo."""

from __future__ import annotations

import tomllib
from pathlib import Path

project = "sessionkit"
author = "the sessionkit contributors"
project_copyright = author
release = version = tomllib.loads(
    Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8")
)["project"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
# An attribute of a class is described, not linked: one place for each name.
napoleon_use_ivar = True

# Every reference must lead somewhere, but these lead out of this documentation.
nitpick_ignore_regex = [
    (r"py:.*", r"(requests|urllib3|msgspec|cachetools)(\..*)?"),
    (r"py:.*", r"(collections|contextlib|datetime|http|os|pathlib|types|typing|threading)(\..*)?"),
    # Type variables, and names of the standard library as signatures show them.
    (r"py:.*", r"(Any|Callable|Iterable|Iterator|Mapping|Sequence|Self|Unpack|[A-Z]|.*\.[A-Z])"),
]

html_theme = "furo"
html_title = "sessionkit"
