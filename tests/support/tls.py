"""Certificates for loopback servers: an authority of our own, and what can be wrong with one."""

from __future__ import annotations

import datetime as dt
import ssl
from functools import cache
from pathlib import Path

import trustme

OURS = "ours"
THEIRS = "theirs"
_LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


@cache
def _authority(name: str) -> trustme.CA:
    """Return the certificate authority of this *name*; made once, because keys take time."""
    return trustme.CA(organization_name=name)


@cache
def _certificate(hosts: tuple[str, ...], expired: bool) -> trustme.LeafCert:
    if expired:
        return _authority(OURS).issue_cert(*hosts, not_before=_LONG_AGO, not_after=_LONG_AGO)
    return _authority(OURS).issue_cert(*hosts)


def server_context(*hosts: str, expired: bool = False, clients: bool = False) -> ssl.SSLContext:
    """Return what makes a server speak TLS.

    Args:
        hosts: Whom its certificate is for; by default this machine, by number and by name.
        expired: Whether the certificate has ended.
        clients: Whether clients must show a certificate of our authority.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    names = hosts or ("127.0.0.1", "::1", "localhost")
    _certificate(names, expired).configure_cert(context)
    if clients:
        _authority(OURS).configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        # In TLS 1.3 a client is refused after the handshake, when it may be writing already.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def authority_file(folder: Path, name: str = OURS) -> str:
    """Write the certificate of the authority of this *name* into *folder*; return its path."""
    path = folder / f"{name}.pem"
    _authority(name).cert_pem.write_to_path(path)
    return str(path)


def client_files(folder: Path) -> tuple[str, str]:
    """Write a client's certificate and key into *folder*; return their paths."""
    leaf = _certificate(("client.example",), False)
    chain, key = folder / "client.pem", folder / "client.key"
    chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(key)
    return str(chain), str(key)
