"""Check which token stores work on this machine, also between processes."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sessionkit._optional import require
from sessionkit._tokens import Token
from sessionkit.cli._findings import Finding
from sessionkit.errors import SessionKitError
from sessionkit.stores import MemoryTokenStore, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionkit.stores import TokenStore

#: Under which a token is saved for a moment. One name for all, because a lock may leave a file.
PROBE = "sessionkit-doctor"
#: Seconds for which anything is waited for.
_LOCK_TIMEOUT = 10.0
_WORKER_CODE = (
    "import sys\n"
    "from sessionkit.stores import open_store\n"
    "from sessionkit.testing._store_worker import serve\n"
    # On its input, because everybody on the machine can read its arguments.
    "serve(open_store(sys.stdin.readline().strip()))\n"
)


def check_local_stores() -> Iterator[Finding]:
    """Check the stores that need no server, in a temporary folder."""
    yield _check("memory", lambda: exercise(MemoryTokenStore()))
    with TemporaryDirectory(prefix="sessionkit-doctor-") as folder:
        for kind in ("sqlite", "file"):
            path = Path(folder) / kind
            path.mkdir(0o700)
            yield _check(kind, lambda: _check_files(f"{kind}://{path}/tokens", path))  # noqa: B023  # called before the next
        yield _check("encrypted", _check_encrypted)
        yield _check("keyring", lambda: _check_keyring(Path(folder)))


def check_store(url: str) -> Finding:
    """Check the store of *url* from this process and another one.

    Args:
        url: Which store; it is never shown.
    """
    return _check(
        url.partition(":")[0], lambda: _check_across_processes(url), part="the store given"
    )


def exercise(store: TokenStore) -> str:
    """Lock, save, load and delete.

    Returns:
        What was done.

    Raises:
        SessionKitError: The store does not work.
    """
    token = Token("probe", expires_in=60.0, refresh_token="probe")  # noqa: S106  # no secret
    with store.lock(PROBE, _LOCK_TIMEOUT):
        store.save(PROBE, token)
        try:
            if store.load(PROBE) != token:
                raise SessionKitError("another token came back than was saved")
        finally:
            store.delete(PROBE)
        if store.load(PROBE) is not None:
            raise SessionKitError("a token that was deleted is still there")
    return "locks, saves, loads, deletes"


def _check_across_processes(url: str) -> str:
    store = open_store(url)
    try:
        done = exercise(store)
        if isinstance(store, MemoryTokenStore):
            return f"{done}; of this process alone"
        with _other_process(url) as other:
            with store.lock(PROBE, _LOCK_TIMEOUT):
                if other("hold", PROBE, 0.0):
                    raise SessionKitError("another process got the lock that was held here")
            if not other("hold", PROBE, _LOCK_TIMEOUT):
                raise SessionKitError("another process cannot lock what is free")
            other("free", PROBE)
    finally:
        getattr(store, "close", lambda: None)()
    return f"{done}; another process waits for the lock"


def _check_files(url: str, folder: Path) -> str:
    done = _check_across_processes(url)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    if sys.platform != "win32" and modes != {0o600}:
        raise SessionKitError(f"files others may read: {', '.join(map(oct, sorted(modes)))}")
    return f"{done}; files 0600"


def _check_encrypted() -> str:
    kind: Any = import_module("sessionkit.stores.encrypted").EncryptedTokenStore
    return exercise(kind(MemoryTokenStore(), [kind.new_key()]))


def _check_keyring(folder: Path) -> str:
    """Look, and ask for nothing: a keyring that is locked would want its password."""
    kind: Any = import_module("sessionkit.stores.keyring").KeyringTokenStore
    # Not the user's own folder for its locks, which would be made if it is not there.
    kind(PROBE, folder=folder)
    return f"{require('keyring', 'keyring').get_keyring().name}; was not asked for anything"


def _check(what: str, work: Callable[[], str], *, part: str = "stores") -> Finding:
    try:
        return Finding(part, what, "works", work())
    except ImportError as error:
        # The message is the line that installs it.
        missing, _, cure = str(error).partition(": ")
        state = Finding(part, what, "absent" if part == "stores" else "fails", missing, cure)
    except (SessionKitError, OSError) as error:
        # No keyring is the rule on servers.
        absent = what == "keyring" and part == "stores"
        message = getattr(error, "message", "") or str(error)
        hint = getattr(error, "hint", "")
        state = Finding(part, what, "absent" if absent else "fails", message, hint)
    return state


@contextmanager
def _other_process(url: str) -> Iterator[Callable[..., Any]]:
    """Open the store in another process; yield what makes it do a step and returns what came."""
    with subprocess.Popen(  # noqa: S603  # our own code, by the interpreter that runs
        [sys.executable, "-c", _WORKER_CODE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None  # noqa: S101  # for the type checker
        assert process.stdout is not None  # noqa: S101  # for the type checker
        sending, coming = process.stdin, process.stdout

        def do(*step: object) -> Any:
            sending.write(f"{json.dumps(step)}\n")
            sending.flush()
            line = coming.readline()
            if not line:
                raise SessionKitError("another process cannot open the store")
            return json.loads(line)

        try:
            sending.write(f"{url}\n")
            yield do
        except BrokenPipeError as error:
            raise SessionKitError("another process cannot open the store") from error
        finally:
            process.terminate()
