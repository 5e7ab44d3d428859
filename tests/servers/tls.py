"""A certificate authority of the test's own, and a certificate for loopback, by openssl."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, NamedTuple

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


CONSTRAINTS = {
    "ca": "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
    "subjectKeyIdentifier=hash\n",
    "loopback": "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
    "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
}


def make(folder: Path) -> Certificates:
    """Make an authority and a certificate for localhost, 127.0.0.1 and ::1, good for a day."""
    for name, constraints in CONSTRAINTS.items():
        lines = f"[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN={name}\n[ext]\n{constraints}"
        (folder / f"{name}.cnf").write_text(lines)
    curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    _openssl(
        folder,
        f"req -x509 -days 1 -config ca.cnf -extensions ext {curve} -keyout ca.key -out ca.pem",
    )
    _openssl(folder, f"req -config loopback.cnf {curve} -keyout loopback.key -out loopback.csr")
    _openssl(
        folder,
        "x509 -req -in loopback.csr -CA ca.pem -CAkey ca.key -set_serial 2 -days 1 "
        "-extfile loopback.cnf -extensions ext -out loopback.pem",
    )
    names = ("ca.pem", "loopback.pem", "loopback.key")
    return Certificates(*(str(folder / name) for name in names))


def _openssl(folder: Path, arguments: str) -> None:
    command = ["openssl", *arguments.split()]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=30)
