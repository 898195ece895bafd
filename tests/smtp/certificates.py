"""A certificate authority of the tests' own."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """The CA's certificate as a file, and the context of a server that it vouches for."""

    ca_file: Path
    server: ssl.SSLContext
    stranger: ssl.SSLContext
    """A server with a valid certificate for another name."""


def make_certificates(folder: Path) -> Certificates:
    """Make a CA and two certificates."""
    ca = trustme.CA()
    path = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    contexts = []
    for name in ("127.0.0.1", "relay.example.com"):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert(name).configure_cert(context)
        contexts.append(context)
    return Certificates(path, *contexts)
