"""How large a module, a function and a signature may be."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from tests.house.source import faces, listed, package, shown_names

if TYPE_CHECKING:
    from tests.house.source import Definition, Function

MODULE_LINES = 400
FEWEST_LINES = 40
# Smaller modules, and why each is one: a piece of another noun would stand in that one's file.
SMALL = {
    "_checks": "the one wording for settings that are numbers",
    "_clock": "the only place that asks the machine for the time",
    "_lazy": "how every face loads its names",
    "_optional": "the one line that says how to install an extra",
    "auth/oauth": "the face of the extra",
    "errors/_traceback": "the only place that knows function names of other libraries",
    "handlers/_idempotency": "a noun that users search for, with tests of its own",
    "handlers/_retry_budget": "shared by several handlers of a user's",
    "handlers/_timing": "a handler, and the one to copy",
    "headers/_cache_control": "a header",
    "headers/_challenge": "a header",
    "headers/_deprecation": "a header",
    "headers/_set_cookie": "a header",
    "stores/_open": "the table of URL schemes",
    "testing/_clock": "a public stand-in",
    "transport/_timeouts": "used by the wire and by the hops of a redirect",
}
FUNCTION_LINES = 40
SHORT_LINES = 20
SHORT_SHARE = 0.9
PARAMETERS = 6
POSITIONAL = 2

# Signatures that are not ours to choose, and whose they are.
FOREIGN = {
    "__exit__": "the language's",
    "__init_subclass__": "the language's",
    "log_message": "http.server's",
    "SessionStack.patch": "requests.Session's",
    "SessionStack.post": "requests.Session's",
    "SessionStack.put": "requests.Session's",
    "SessionStack.request": "requests.Session's",
}
# More than six all the same, and why.
EXCUSED = {
    "SessionStack.paginate": "one call describes the walk: where, how, what, into what, how far",
    "recommended": "the settings of AuthHandler, passed on, and what the chain has beside it",
    "AuthorizationCode.__init__": "what OAuth 2.0 has a client say, and a gateway's headers",
    "ClientCredentials.__init__": "likewise",
    "DeviceCode.__init__": "likewise",
    "JwtBearer.__init__": "likewise",
    "Password.__init__": "likewise",
    "RefreshToken.__init__": "likewise",
    "TokenExchange.__init__": "likewise",
}
# Made by the library alone; its users read what is in them.
NOT_CALLED = {
    "CallRecord.__init__": "by the stack, once for each call",
}
# `**` without Unpack: what passes through is somebody else's signature, or options that are
# named by the handlers of the stack at hand, which no type can list.
PASS_THROUGH = {
    "delete",
    "get",
    "head",
    "options",
    "patch",
    "post",
    "put",
    "replace",
    "request",
    "send",
    "with_options",
}


def test_a_module_fits_into_one_reading() -> None:
    """Nobody has to scroll through a thousand lines to find the one that matters."""
    too_long = [
        f"{source}: {len(source.code_lines)} code lines, {MODULE_LINES} at most"
        for source in package()
        if len(source.code_lines) > MODULE_LINES
    ]

    assert not too_long, listed(too_long)


def test_a_small_module_has_its_reason() -> None:
    """A subject is found in one file, not in five that each hold a piece of it."""
    small = {
        source.module.removeprefix("sessionkit.").replace(".", "/")
        for source in package()
        if not source.is_face
        and source.path.name != "__main__.py"
        and len(source.code_lines) < FEWEST_LINES
    }

    assert small == SMALL.keys(), listed(sorted(small ^ SMALL.keys()))


def test_a_function_fits_on_one_screen() -> None:
    """Each function can be read without scrolling."""
    too_long = [
        f"{definition}: {lines} code lines, {FUNCTION_LINES} at most"
        for definition, lines in _function_lines()
        if lines > FUNCTION_LINES
    ]

    assert not too_long, listed(too_long)


def test_nine_of_ten_functions_are_short() -> None:
    """A long function is the exception that its subject excuses, not the habit."""
    measured = sorted(_function_lines(), key=lambda item: -item[1])
    longer = [f"{definition}: {lines}" for definition, lines in measured if lines >= SHORT_LINES]
    share = 1 - len(longer) / max(len(measured), 1)

    assert share >= SHORT_SHARE, f"only {share:.0%} are under {SHORT_LINES} lines" + listed(longer)


def test_a_signature_has_six_parameters_at_most() -> None:
    """Whoever calls a function can keep its arguments in mind."""
    too_many = [
        f"{definition}: {count} parameters, {PARAMETERS} at most"
        for definition, node in _own_signatures()
        if definition.name not in EXCUSED
        and (count := len(_positional(definition, node)) + len(node.args.kwonlyargs)) > PARAMETERS
    ]

    assert not too_many, listed(too_many)


def test_the_third_argument_is_named_where_it_is_given() -> None:
    """A user's call reads by itself: after the second argument each has its name at it."""
    too_many = [
        f"{definition}: {count} positional parameters, keyword-only after the second"
        for definition, node in _own_signatures()
        if _is_shown(definition) and (count := len(_positional(definition, node))) > POSITIONAL
    ]

    assert not too_many, listed(too_many)


def test_no_signature_swallows_any_keyword() -> None:
    """A misspelt argument is an error at the call, and an editor can list the names there are."""
    swallowing = [
        f"{definition}: **{extra.arg} needs Unpack[...]"
        for definition, node in _own_signatures()
        if (extra := node.args.kwarg) is not None
        and node.name not in PASS_THROUGH
        and definition.is_public
        and not (extra.annotation and ast.unparse(extra.annotation).startswith("Unpack["))
    ]

    assert not swallowing, listed(swallowing)


def _function_lines() -> list[tuple[Definition, int]]:
    return [
        (definition, source.body_lines(node))
        for source in package()
        for definition, node in source.functions
    ]


def _own_signatures() -> list[tuple[Definition, Function]]:
    return [
        (definition, node)
        for source in package()
        for definition, node in source.functions
        if not {node.name, definition.name} & FOREIGN.keys() and not _is_record(node)
    ]


def _is_record(node: Function) -> bool:
    """Tell whether a constructor only keeps what it is given, as a dataclass's would."""
    return node.name == "__init__" and all(
        (
            isinstance(statement, ast.Assign | ast.AnnAssign)
            and isinstance(statement.value, ast.Name)
        )
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in node.body
    )


def _is_shown(definition: Definition) -> bool:
    """Tell whether users reach it: a name of a face, or a public method of one."""
    outer, *inner = definition.name.split(".")
    return (
        definition.name not in NOT_CALLED
        and outer in _shown_names()
        and not any(part.startswith("_") and part != "__init__" for part in inner)
    )


@cache
def _shown_names() -> frozenset[str]:
    return frozenset(name for face in faces() for name in shown_names(face))


def _positional(definition: Definition, node: Function) -> list[str]:
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return names[1:] if definition.is_method and names[:1] in (["self"], ["cls"]) else names
