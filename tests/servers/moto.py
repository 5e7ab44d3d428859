"""moto's server as a process of its own: IAM, STS and S3 that authenticate the caller.

It checks nothing until ``authenticate()``; from then on a call needs a key that it issued, the
right signature, the right session token and a policy. Standard library only on this side; the
interpreter that runs the server needs ``moto[s3]``, flask and flask-cors.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from tests.servers import sts
from tests.servers.minting import AUTHORIZATION
from tests.servers.wire import Recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "123456789012"
#: What pip has to install for the interpreter that runs the server.
REQUIREMENTS = ("moto[s3] >= 5.1", "flask", "flask-cors")

ANYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
#: ``AWS``, because moto looks for such a principal without asking whether there is one.
ANYBODY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}],
}
KEY = ("AccessKeyId", "SecretAccessKey")


class Moto:
    """A running server; it records its requests in ``folder``."""

    def __init__(
        self,
        folder: Path,
        python: str | Path = sys.executable,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._record = folder / "moto-record"
        self._record.touch()
        self._process = subprocess.Popen(
            [python, "-m", "tests.servers.moto", "--record", str(self._record)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=env,
            start_new_session=True,  # Ctrl-C is for the program that started it
        )
        try:
            assert self._process.stdout
            self.url = self._process.stdout.readline().strip()
            if not self.url:
                status = self._process.wait(10)
                raise RuntimeError(f"moto's server did not start (status {status})")
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        if self._process.stdout:
            self._process.stdout.close()

    # The resources. All of them are created before authenticate().

    def user(self, name: str, account: str = ACCOUNT) -> tuple[str, str]:
        """Make a user who may do anything; return the access key id and the secret."""
        self._iam(account, Action="CreateUser", UserName=name)
        self._iam(
            account,
            Action="PutUserPolicy",
            UserName=name,
            PolicyName="anything",
            PolicyDocument=json.dumps(ANYTHING),
        )
        answer = self._iam(account, Action="CreateAccessKey", UserName=name)
        key, secret = (answer.findtext(f".//{{*}}{tag}", "") for tag in KEY)
        return key, secret

    def role(self, name: str, account: str = ACCOUNT) -> str:
        """Make a role that any caller may assume and that may do anything; return its ARN."""
        trust = json.dumps(ANYBODY)
        self._iam(account, Action="CreateRole", RoleName=name, AssumeRolePolicyDocument=trust)
        self._iam(
            account,
            Action="PutRolePolicy",
            RoleName=name,
            PolicyName="anything",
            PolicyDocument=json.dumps(ANYTHING),
        )
        return f"arn:aws:iam::{account}:role/{name}"

    def bucket(self, name: str, account: str = ACCOUNT) -> None:
        """Make a bucket in the account."""
        self._send("s3", f"/{name}", account, "PUT", b"")

    def authenticate(self) -> None:
        """Check every caller from now on."""
        self._send("sts", "/moto-api/reset-auth", ACCOUNT, "POST", b"0")

    # The requests.

    @property
    def calls(self) -> list[sts.Call]:
        """Every request that STS has got so far, in the order of arrival."""
        lines = self._record.read_text(encoding="utf-8").splitlines()
        calls = [sts.parse(_recorded(**json.loads(line))) for line in lines]
        return [call for call in calls if call.access_key]

    def forget(self) -> None:
        """Forget the requests so far."""
        self._record.write_text("", encoding="utf-8")

    def _iam(self, account: str, **parameters: str) -> ElementTree.Element:
        form = urllib.parse.urlencode({"Version": "2010-05-08", **parameters}).encode()
        return ElementTree.fromstring(self._send("iam", "/", account, "POST", form))

    def _send(self, service: str, path: str, account: str, method: str, body: bytes) -> bytes:
        headers = {
            "Authorization": AUTHORIZATION.replace("/sts/", f"/{service}/"),
            "Content-Type": "application/x-www-form-urlencoded",
            "x-moto-account-id": account,
        }
        if path.startswith("/moto-api/"):
            headers["Content-Type"] = "text/plain"  # else moto has no body to read
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=50) as response:
            return bytes(response.read())


def _recorded(
    method: str, url: str, headers: dict[str, str], body: str, body_encoded: bool
) -> Recorded:
    """Return what moto wrote down as our own servers have it."""
    return Recorded(
        method,
        url,
        {name.lower(): value for name, value in headers.items()},
        base64.b64decode(body) if body_encoded else body.encode(),
        connection=0,
        at=0.0,
    )


def main() -> None:
    """Run the server until stdin closes; the first line on stdout is its URL."""
    import argparse
    import os

    parser = argparse.ArgumentParser(prog="python -m tests.servers.moto")
    parser.add_argument("--record", required=True, help="the file for recorded requests")
    os.environ["MOTO_RECORDER_FILEPATH"] = parser.parse_args().record
    os.environ["MOTO_ENABLE_RECORDING"] = "1"

    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    while sys.stdin.buffer.read(65536):
        pass
    server.stop()


if __name__ == "__main__":
    main()
