"""A certificate authority of the test's own, and a certificate for loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import trustme

if TYPE_CHECKING:
    from pathlib import Path


class Certificates(NamedTuple):
    """Files: what a client must trust, and what a server shows."""

    ca: str
    certificate: str
    key: str

    @property
    def server(self) -> tuple[str, str]:
        """What servers take as ``tls``."""
        return self.certificate, self.key


def make(folder: Path) -> Certificates:
    """Make an authority and a certificate for localhost, 127.0.0.1 and ::1."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1", "::1")
    files = [str(folder / name) for name in ("ca.pem", "loopback.pem", "loopback.key")]
    parts = (authority.cert_pem, *issued.cert_chain_pems, issued.private_key_pem)
    for file, part in zip(files, parts, strict=True):
        part.write_to_path(file)
    return Certificates(*files)
