"""Keys of clients that sign, made once for each run."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa


class Pair(NamedTuple):
    """A private key as PEM, and what a server that knows the client has of it."""

    private: str
    public: rsa.RSAPublicKey


@cache
def rsa_pair() -> Pair:
    """Return a pair of RSA keys."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Pair(pem(key), key.public_key())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    """Return a private key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
