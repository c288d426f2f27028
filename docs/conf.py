"""Settings of the documentation: Sphinx, MyST, Furo."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from docutils.nodes import field
from sphinx.addnodes import desc_signature
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

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

# Each page says where its names are imported from.
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
# An attribute of a class is described, not linked: one place for each name.
napoleon_use_ivar = True

# Every reference in prose must lead somewhere, but these lead out of this documentation.
nitpick_ignore_regex = [
    (r"py:.*", r"(requests|urllib3|msgspec|cachetools)(\..*)?"),
    (
        r"py:.*",
        r"(collections|contextlib|datetime|enum|http|os|pathlib|types|typing|threading)(\..*)?",
    ),
]

html_theme = "furo"
html_title = "sessionkit"


def link_bare_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: Element
) -> Element | None:
    """Link a name that stands without its module to the one object of ours that is called so."""
    bare = node["reftarget"].rpartition(".")[2]
    if node.get("refdomain") != "py" or not bare:
        return None
    objects = env.domains.python_domain.objects
    found = [
        name
        for name, entry in objects.items()
        if name.rpartition(".")[2] == bare and not entry.aliased
    ]
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(
        app.builder, node["refdoc"], entry.docname, entry.node_id, shown, title=found[0]
    )


def plain_in_signature(
    _app: Sphinx, _env: BuildEnvironment, node: pending_xref, shown: Element
) -> Element | None:
    """Leave a type unlinked where a signature or a list of fields names one of another house."""
    parent = node.parent
    while parent is not None and not isinstance(parent, desc_signature | field):
        parent = parent.parent
    return None if parent is None else shown


def setup(app: Sphinx) -> None:
    """Let only what is written in prose fail the build."""
    app.connect("missing-reference", link_bare_name, priority=400)
    app.connect("missing-reference", plain_in_signature)
