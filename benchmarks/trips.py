"""How much of the library a reader meets on four ways, and how large it is.

``python -m benchmarks.trips`` prints one JSON object. For each way, when it is warm: how many files
and functions of the package run, and how often the running code changes from one file to another.
Then modules and code lines (without blanks, comments and docstrings) of the package and of the
tests. Counts, not times: they are the same on any machine.
"""

from __future__ import annotations

import ast
import io
import json
import sys
import tokenize
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from benchmarks.side_by_side import report, told
from sessionkit import ApiClient, SessionStack, recommended
from sessionkit.auth import ClientCredentials
from sessionkit.resources import Collection

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = str(ROOT / "sessionkit")
SILENT = (
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
)


@dataclass
class Product:
    """What the server sells."""

    id: int
    name: str


class Shop(ApiClient):
    """The server, as a vendor would have it."""

    products = Collection(Product, "products")


class Api(BaseHTTPRequestHandler):
    """An API and its token endpoint; the newest token alone is good."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    issued = 0

    def do_POST(self) -> None:
        """Issue a token."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Api.issued += 1
        self._respond({"access_token": f"t{Api.issued}", "expires_in": 3600})

    def do_GET(self) -> None:
        """Serve two pages of products, and each by its number."""
        if self.headers.get("Authorization") != f"Bearer t{Api.issued}":
            self._respond({"error": "invalid_token"}, 401)
        elif self.path.startswith("/products?") or self.path == "/products":
            last = self.path.endswith("page=2")
            link = {} if last else {"Link": '</products?page=2>; rel="next"'}
            self._respond([{"id": 2 if last else 1, "name": "one"}], 200, link)
        else:
            self._respond({"id": 7, "name": "seven"})

    def _respond(
        self, body: object, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Print nothing."""


class Watched:
    """Counts what of the package runs in this thread."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.functions: set[Any] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Take a call; returns go back to where a call came from."""
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            self.functions.add(code)
            if not self.files or self.files[-1] != code.co_filename:
                self.files.append(code.co_filename)


def trip(go: Callable[[], object], before: Callable[[], object]) -> dict[str, int]:
    """Return the counts of *go*, gone twice before, each time after *before*."""
    for _ in range(2):
        before()
        go()
    before()
    watched = Watched()
    sys.setprofile(watched)
    try:
        go()
    finally:
        sys.setprofile(None)
    return {
        "files": len(set(watched.files)),
        "functions": len(watched.functions),
        "changes": len(watched.files) - 1,
    }


def trips() -> dict[str, dict[str, int]]:
    """Return the counts of the four ways."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    login = ClientCredentials(f"{url}token", client_id="app", client_secret="planted")
    with SessionStack(handlers=recommended(login), base_url=url) as stack:
        shop = Shop(stack)

        def refuse() -> None:
            Api.issued += 1  # the token in use is no longer the newest

        def nothing() -> None:
            return None

        found = {
            "get": trip(lambda: stack.get("orders/7"), nothing),
            "renewal": trip(lambda: stack.get("orders/7"), refuse),
            "walk": trip(lambda: list(stack.paginate("products", into=Product)), nothing),
            "collection": trip(lambda: shop.products.get(7), nothing),
        }
    server.shutdown()
    server.server_close()
    return found


def code_lines(path: Path) -> int:
    """Return the lines of a Python file that hold code: no blanks, comments, docstrings."""
    text = path.read_text("utf-8")
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            first = node.body[0]
            lines.difference_update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(lines)


def sizes(folder: str) -> dict[str, int]:
    """Return modules and code lines below a folder."""
    counts = [code_lines(path) for path in sorted((ROOT / folder).rglob("*.py"))]
    return {"modules": len(counts), "code_lines": sum(counts), "longest": max(counts)}


def main() -> None:
    """Count and print."""
    told(__doc__)
    report({**trips(), "package": sizes("sessionkit"), "tests": sizes("tests")})


if __name__ == "__main__":
    main()
