"""One word for one thing: names and docstrings speak the field's language, not one of our own."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.house.source import ROOT, listed, package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.house.source import Source

# Words that stood for something which the field has a word for, and that word.
RETIRED = {
    "answer": "response",
    "answers": "responses",
    "brief": "say which",
    "crew": "threads",
    "errand": "request",
    "errands": "requests",
    "era": "generation",
    "flight": "single_flight, pending renewal",
    "flights": "pending renewals",
    "forward": "call_next",
    "hurried": "say why",
    "keeping": "saving",
    "land": "finish",
    "landed": "finished",
    "lane": "window",
    "lanes": "windows",
    "longest": "max",
    "most": "max",
    "news": "limits of a response",
    "nowhere": "no origins",
    "owed": "unsaved",
    "patience": "timeout",
    "pen": "output",
    "pens": "outputs",
    "purse": "bucket",
    "reach": "allowed origins",
    "reply": "response",
    "replies": "responses",
    "shelf": "storage",
    "shelves": "storages",
    "strangers": "rejected requests",
    "tally": "statistics",
    "tape": "cassette",
    "tapes": "cassettes",
    "told": "say what",
    "trail": "guard, history",
    "young": "renewed recently",
}
# A `seconds` that is a unit is fine; as a name for what something took it is `duration`.
PROSE = re.compile(r"\b(Tell whether|time-outs?|[Aa]nswers?|whoever|nobody)\b")


def test_no_name_is_of_a_private_dialect() -> None:
    """A reader from the field understands each name at first sight."""
    dialect = [
        f"{source.at(node)}: {name} ({', '.join(f'{word}: {RETIRED[word]}' for word in words)})"
        for source in package()
        for node, name in _names(source)
        if (words := sorted(RETIRED.keys() & _words(name)))
    ]

    assert not dialect, listed(dialect)


def test_docstrings_use_the_words_of_the_glossary() -> None:
    """What an editor and the reference show says response, timeout and "Return whether"."""
    wrong = [
        f"{source.at(node)}: {found[0]}"
        for source in package()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and (found := PROSE.search(ast.get_docstring(node) or ""))
    ]

    assert not wrong, listed(wrong)


def test_the_glossary_explains_the_terms_that_names_are_made_of() -> None:
    """Whoever meets a term of the code for the first time can look it up."""
    glossary = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## Glossary")[2]
    terms = re.findall(r"^\| ([^|]+) \|", glossary.partition("## Where")[0], re.MULTILINE)

    assert len(terms) >= 25
    assert not {word for term in terms for word in _words(term.replace(" ", "_"))} & RETIRED.keys()


def _names(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Yield every name that a module defines: modules, classes, functions, arguments, variables."""
    yield source.tree, source.module
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if not node.name.startswith("test_"):
                yield node, node.name
        elif isinstance(node, ast.arg):
            yield node, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node, node.attr


def _words(name: str) -> set[str]:
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    words = set(re.split(r"[^a-z0-9]+", parts.lower()))
    # The one place where the old word is the field's.
    return words - {"flight"} if "single_flight" in parts.lower() else words
