"""Each line that credproc-errors(7) explains is one that credproc prints."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests import artefacts, readme
from tests.harness import CREDPROC, NOWHERE
from tests.servers import tls
from tests.servers.base import closed_port
from tests.servers.sts import StsServer, error, skewed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness import Host, Result
    from tests.servers.imds import ImdsServer

JUMP = "arn:aws:iam::123456789012:role/jump"
DEPLOY = "arn:aws:iam::444455556666:role/deploy"
CHAIN = ("--role-arn", JUMP, "--role-arn", DEPLOY, "--source", "profile:laptop")

OLD = (
    '{"Version": 1, "AccessKeyId": "ASIAOLD", "SecretAccessKey": "s", "SessionToken": "t", '
    '"Expiration": "2020-01-01T00:00:00Z"}'
)
CONFIG = f"""\
[profile laptop]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY
region = eu-central-1

[profile ann]
role_arn = {JUMP}
source_profile = laptop
mfa_serial = arn:aws:iam::123456789012:mfa/ann

[profile empty]
region = eu-central-1

[profile loop]
credential_process = {CREDPROC} --profile loop

[profile vault]
credential_process = aws-vault export --format=json ann

[profile odd]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY
metadata_service_timeout = soon

[profile old]
credential_process = /bin/echo '{OLD}'

[profile portal]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Admin

[sso-session corp]
sso_region = eu-central-1
sso_start_url = https://corp.awsapps.com/start
"""


@dataclass
class Machine:
    """An instance with a chain in its config, and everything about it that may be wrong."""

    host: Host
    imds: ImdsServer
    sts: StsServer
    folder: Path

    def run(self, *args: str) -> Result:
        """Run credproc."""
        return self.host.run(*args)

    def shown(self, line: str) -> str:
        """Return a line as the user ann would see it on a host called laptop."""
        for address in (self.imds.url, NOWHERE):
            line = line.replace(address, "http://169.254.169.254")
        line = line.replace(str(self.host.home), "/home/ann").replace(str(CREDPROC), "credproc")
        line = re.sub(r"https?://127\.0\.0\.1:\d+", "https://sts.eu-central-1.amazonaws.com", line)
        return re.sub(r"credproc-[\w.-]+-[\w.-]+(?= is not)", "credproc-ann-laptop", line)

    def refused(self) -> Result:
        self.host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = NOWHERE
        return self.run()

    def turned_off(self) -> Result:
        self.host.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        return self.run()

    def hop_limit(self) -> Result:
        self.imds.hops = 2
        return self.run()

    def no_role(self) -> Result:
        self.imds.role = None
        return self.run()

    def other_role(self) -> Result:
        return self.run("--imds", "web")

    def container(self) -> Result:
        self.host.environ["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/var/run/secrets/token"
        return self.run()

    def both(self) -> Result:
        self.host.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        return self.run("--imds", "--role-arn", JUMP, "--source", "env")

    def denied(self) -> Result:
        self.sts.fail(error("AccessDenied"), role=DEPLOY)
        return self.run(*CHAIN)

    def remembered(self) -> Result:
        self.sts.fail(error("AccessDenied"), role=DEPLOY)
        self.run(*CHAIN)
        return self.run(*CHAIN)

    def expired(self) -> Result:
        self.sts.fail(error("ExpiredToken"))
        return self.run(*CHAIN)

    def secret(self) -> Result:
        self.sts.fail(error("SignatureDoesNotMatch"))
        return self.run(*CHAIN)

    def clock(self) -> Result:
        self.sts.fail(skewed(-1000))
        return self.run(*CHAIN)

    def ceph(self) -> Result:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"):
            self.host.environ[name] = None
        return self.run("--role-arn", "arn:aws:iam:::role/S3Access", "--source", "env")

    def no_sts(self) -> Result:
        self.host.environ["AWS_ENDPOINT_URL_STS"] = closed_port()
        return self.run(*CHAIN)

    def untrusted(self) -> Result:
        with StsServer(tls=tls.make(self.folder).server) as sts:
            self.host.environ["AWS_ENDPOINT_URL_STS"] = sts.url
            return self.run(*CHAIN)

    def no_terminal(self) -> Result:
        return self.run("--profile", "ann")

    def mfa_command(self) -> Result:
        return self.run("--profile", "ann", "--mfa-command", "sh -c 'exit 1'")

    def no_profile(self) -> Result:
        return self.run("--profile", "reports")

    def empty_profile(self) -> Result:
        return self.run("--profile", "empty")

    def loop(self) -> Result:
        return self.run("--profile", "loop")

    def no_helper(self) -> Result:
        return self.run("--profile", "vault")

    def setting(self) -> Result:
        return self.run("--profile", "odd")

    def arrived(self) -> Result:
        return self.run("--profile", "old")

    def sso(self) -> Result:
        return self.run("--profile", "portal")

    def late(self) -> Result:
        with self.sts.hold():
            return self.run(*CHAIN, "--timeout", "2")

    def no_source(self) -> Result:
        return self.run("--role-arn", JUMP)

    def order(self) -> Result:
        return self.run("--external-id", "42", "--role-arn", JUMP, "--source", "env")

    def quotes(self) -> Result:
        return self.run("--mfa-command", "ykman", "oath", "accounts", "code")


@pytest.fixture
def machine(host: Host, imds: ImdsServer, sts: StsServer, tmp_path: Path) -> Machine:
    host.config(CONFIG)
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.environ["AWS_ENDPOINT_URL_STS"] = sts.url
    return Machine(host, imds, sts, tmp_path)


LINES = [
    block
    for section in readme.sections()
    for block in section.blocks
    if block.kind.startswith("line:")
]
CASES = {name for name in vars(Machine) if not name.startswith("_")} - {"run", "shown"}


@pytest.mark.parametrize("block", LINES, ids=lambda block: block.kind)
def test_line_is_what_credproc_prints(block: readme.Block, machine: Machine) -> None:
    case: Callable[[], Result] = getattr(machine, block.kind.partition(":")[2])

    result = case()

    assert result.status in (1, 2)
    assert result.stdout == b""
    pattern = ".*".join(map(re.escape, block.text.split("...")))
    assert re.fullmatch(pattern, machine.shown(result.stderr)), machine.shown(result.stderr)


def test_words_that_are_explained_are_the_codes() -> None:
    modules = (artefacts.source() / "credproc").rglob("*.py")
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in modules]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    texts = [node.value for node in nodes if isinstance(node.value, str)]
    sections = readme.sections()
    blocks = [block for each in sections for block in each.blocks if block.kind == "words"]

    assert len(blocks) > 3
    for block in blocks:
        for part in block.text.strip().split("..."):
            assert any(part.strip(" ()") in text for text in texts), part


def test_every_line_that_is_tried_is_explained() -> None:
    assert {f"line:{name}" for name in CASES} == {block.kind for block in LINES}
