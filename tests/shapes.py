"""Shapes of real config files, and a machine where every profile in them has credentials."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.cloud import KEYS
from tests.servers import sso
from tests.servers.container import ContainerServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

#: Says for each line on stdin what all profiles are now.
BOTOCORE = """
import json, sys, botocore.exceptions, botocore.session

def key(session):
    resolver = session.get_component("credential_provider")
    resolver.get_provider("assume-role")._prompter = lambda _: "123456"
    try:
        found = session.get_credentials()
        return found.get_frozen_credentials().access_key if found else ""
    except botocore.exceptions.BotoCoreError as error:
        return f"{type(error).__name__}: {error}"

for _ in sys.stdin:
    found = {}
    for name, values in botocore.session.Session().full_config["profiles"].items():
        names = ("region", "output", "s3", "services", "max_attempts")
        session = botocore.session.Session(profile=name)
        found[name] = [key(session), *map(values.get, names)]
    print(json.dumps(found), flush=True)
"""

DEVICE = "arn:aws:iam::111122223333:mfa/ann"
BASE = """\
[base]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
"""
HELPER = (
    'sh -c "printf \'{\\"Version\\":1,\\"AccessKeyId\\":\\"AKIAHELPERHELPERHELP\\",'
    '\\"SecretAccessKey\\":\\"s\\",\\"Expiration\\":\\"2099-01-01T00:00:00Z\\"}\'"'
)


def arn(name: str) -> str:
    """Return the ARN of a role."""
    return f"arn:aws:iam::111122223333:role/{name}"


class Shape(NamedTuple):
    """The text of both files, and the profiles that can be wrapped."""

    config: str
    wrapped: Sequence[str]
    credentials: str = BASE


SHAPES = {
    "a role and its keys": Shape(
        f"[profile dev]\nrole_arn = {arn('dev')}\nsource_profile = base\nregion = eu-west-1\n",
        ["dev"],
    ),
    "a role with MFA": Shape(
        f"[profile dev]\nrole_arn = {arn('dev')}\nsource_profile = base\nmfa_serial = {DEVICE}\n"
        "output = json\n",
        ["dev"],
    ),
    "all parameters": Shape(
        f"[profile dev]\nregion = eu-west-1\nrole_arn = {arn('dev')}\nexternal_id = 42-x\n"
        "duration_seconds = 1800\nrole_session_name = ann\nsource_profile = base\n",
        ["dev"],
    ),
    "keys and roles in one file": Shape(
        BASE.replace("[base]", "[profile base]")
        + f"\n[profile dev]\nrole_arn={arn('dev')}\nsource_profile=base\n",
        ["dev"],
        "",
    ),
    "everything in the credentials file": Shape(
        "",
        ["dev"],
        f"{BASE}\n[dev]\nrole_arn = {arn('dev')}\nsource_profile = base\nregion = eu-west-2\n",
    ),
    "a role in the credentials file below others": Shape(
        "[default]\nregion = eu-central-1",
        ["dev"],
        f"[dev]\nrole_arn = {arn('dev')}\nsource_profile = base\n\n{BASE}",
    ),
    "the region in the credentials file": Shape(
        f"[profile dev]\nrole_arn = {arn('dev')}\nsource_profile = base\noutput = text\n",
        ["dev"],
        f"[dev]\nregion = ap-south-1\n{BASE}",
    ),
    "a role as the default": Shape(
        f"[default]\nrole_arn = {arn('dev')}\nsource_profile = base\nregion = eu-west-1\n",
        ["default"],
    ),
    "the default with the word profile": Shape(
        f"[profile default]\nrole_arn = {arn('dev')}\nsource_profile = base\n", ["default"]
    ),
    "the default as the source": Shape(
        f"[default]\nregion = eu-west-1\n[profile dev]\nrole_arn = {arn('dev')}\n"
        "source_profile = default\n",
        ["dev"],
        BASE.replace("[base]", "[default]"),
    ),
    "a name with a blank": Shape(
        f'[profile "my dev"]\nrole_arn = {arn("dev")}\nsource_profile = base\n', ["my dev"]
    ),
    "a name in single quotes": Shape(
        f"[profile 'dev']\nrole_arn = {arn('dev')}\nsource_profile = base\n", ["dev"]
    ),
    "a name that is no ASCII": Shape(
        f"# \u00fcber \u2601\n[profile d\u00ebv]\nrole_arn = {arn('dev')}\nsource_profile = base\n",
        ["d\u00ebv"],
    ),
    "names with special characters": Shape(
        f"[profile 1234/Admin@corp.dev:x+y]\nrole_arn = {arn('dev')}\nsource_profile = base\n",
        ["1234/Admin@corp.dev:x+y"],
    ),
    "a chain of two roles": Shape(
        f"[profile hub]\nrole_arn = {arn('hub')}\nsource_profile = base\n\n"
        f"[profile dev]\nrole_arn = {arn('dev')}\nsource_profile = hub\n",
        ["hub", "dev"],
    ),
    "a chain in the wrong order": Shape(
        f"[profile c]\nrole_arn = {arn('c')}\nsource_profile = b\n[profile b]\n"
        f"role_arn = {arn('b')}\nsource_profile = a\n[profile a]\nrole_arn = {arn('a')}\n"
        "source_profile = base\n",
        ["c", "b", "a"],
    ),
    "a role from its own keys": Shape(
        f"[profile dev]\nrole_arn = {arn('dev')}\nsource_profile = dev  \n"
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x/y\n"
        "region = eu-west-1\n",
        ["dev"],
        "",
    ),
    "a role from keys that have a role themselves": Shape(
        f"[profile x]\nrole_arn = {arn('x')}\nsource_profile = dev\n"
        f"[profile dev]\nrole_arn = {arn('dev')}\nsource_profile = dev\n"
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x/y\n",
        ["x", "dev"],
        "",
    ),
    "Windows line ends": Shape(
        f"[default]\r\nregion = x\r\n\r\n[profile dev]\r\nrole_arn = {arn('dev')}\r\n"
        "source_profile = base\r\nregion = eu-west-1\r\n",
        ["dev"],
        BASE.replace("\n", "\r\n"),
    ),
    "no line end at the end": Shape(
        f"[profile dev]\nrole_arn = {arn('dev')}\nsource_profile = base\nregion = eu-west-1",
        ["dev"],
    ),
    "indented keys": Shape(
        f"[profile dev]\n\tregion = eu-west-1\n    role_arn = {arn('dev')}\n", [], ""
    ),
    "keys indented by as much": Shape(
        f"[profile dev]\n  region = eu-west-1\n  role_arn = {arn('dev')}\n  source_profile = base\n"
        "\n[profile other]\n  region = x\n",
        ["dev"],
    ),
    "colons, capitals and no blanks": Shape(
        f"[profile dev]\nRole_Arn: {arn('dev')}\nSOURCE_PROFILE:base\nRegion:eu-west-1\n", ["dev"]
    ),
    "nested settings": Shape(
        "[profile dev]\ns3 =\n    max_concurrent_requests = 20\n    # inside\n"
        f"    addressing_style = path\nrole_arn = {arn('dev')}\nsource_profile = base\n"
        "cli_pager =\nretry_mode = standard\n",
        ["dev"],
    ),
    "comments everywhere": Shape(
        f"; mine\n\n# the account\n[profile dev]   # odd\n; why\nrole_arn = {arn('dev')}\n"
        "# from\nsource_profile = base\n\n# the end\n\n\n[profile next]\nregion = x\n# really\n",
        ["dev"],
    ),
    "a helper": Shape(
        f"[profile dev]\ncredential_process = {HELPER}\nregion = eu-west-1\n", ["dev"]
    ),
    "a helper with settings of its own": Shape(
        "[profile dev]\ngranted_sso_start_url = https://corp.awsapps.com/start\n"
        f"granted_sso_region = eu-west-1\nmfa_serial = {DEVICE}\ncredential_process = {HELPER}\n",
        ["dev"],
    ),
    "a helper in the credentials file": Shape(
        "[profile dev]\nregion = eu-west-1\n", ["dev"], f"[dev]\ncredential_process = {HELPER}\n"
    ),
    "a role from a helper": Shape(
        f"[profile base]\ncredential_process = {HELPER}\n[profile dev]\nrole_arn = {arn('dev')}\n"
        "source_profile = base\n",
        ["base", "dev"],
        "",
    ),
    "an SSO session": Shape(
        "[sso-session corp]\nsso_start_url = https://portal.example/start\n"
        "sso_region = eu-central-1\nsso_registration_scopes = sso:account:access\n"
        "[profile dev]\nsso_session = corp\n"
        "sso_account_id = 123456789012\nsso_role_name = Developer\nregion = eu-west-1\n"
        "output = json\n",
        ["dev"],
        "",
    ),
    "SSO without a session": Shape(
        "[profile dev]\nsso_start_url = https://portal.example/start\nsso_region = eu-central-1\n"
        "sso_account_id = 123456789012\nsso_role_name = Developer\nregion = eu-west-1\n",
        ["dev"],
        "",
    ),
    "a role from SSO": Shape(
        "[profile corp]\nsso_start_url = https://portal.example/start\nsso_region = eu-central-1\n"
        "sso_account_id = 123456789012\nsso_role_name = Developer\n"
        f"[profile dev]\nrole_arn = {arn('dev')}\nsource_profile = corp\n",
        ["corp", "dev"],
        "",
    ),
    "the instance's role as the source": Shape(
        f"[profile dev]\nrole_arn = {arn('dev')}\ncredential_source = Ec2InstanceMetadata\n",
        ["dev"],
        "",
    ),
    "the environment as the source": Shape(
        f"[profile dev]\nrole_arn = {arn('dev')}\ncredential_source = Environment\n", ["dev"], ""
    ),
    "the container as the source": Shape(
        f"[profile dev]\nrole_arn = {arn('dev')}\ncredential_source = EcsContainer\n", ["dev"], ""
    ),
    "a web identity": Shape(
        f"[profile dev]\nrole_arn = {arn('dev')}\nweb_identity_token_file = HOME/token\n"
        "role_session_name = ann\nregion = eu-west-1\n",
        ["dev"],
        "",
    ),
    "services and other settings": Shape(
        "[services local]\ns3 =\n  endpoint_url = http://127.0.0.1:9000\n\n[profile dev]\n"
        f"services = local\nsts_regional_endpoints = regional\nrole_arn = {arn('dev')}\n"
        "source_profile = base\nmax_attempts = 5\ndefaults_mode = standard\n[plugins]\nx = y\n",
        ["dev"],
    ),
    "wide and odd headers": Shape(
        f"[profile   dev]\nrole_arn = {arn('dev')}\nsource_profile = base\n"
        f"[profiles old]\nrole_arn = {arn('old')}\nsource_profile = base\n",
        ["dev", "old"],
    ),
    "twelve roles with one device": Shape(
        "[default]\nregion = eu-west-1\n"
        + "".join(
            f"\n[profile p{number}]\nrole_arn = {arn(f'p{number}')}\nsource_profile = base\n"
            f"mfa_serial = {DEVICE}\nregion = eu-west-{number % 3 + 1}\n"
            for number in range(3)
        ),
        [f"p{number}" for number in range(3)],
    ),
    "nothing to wrap": Shape("[default]\nregion = x\n[profile gone]\nsource_profile = base\n", []),
    "blank lines at the end, and an empty section": Shape(
        f"[profile empty]\n\n[profile dev]\nrole_arn = {arn('dev')}\nsource_profile = base\n\n\n\n",
        ["dev"],
    ),
}


class Machine:
    """A host where every source of credentials answers."""

    def __init__(self, host: Host, imds: ImdsServer, sts: StsServer) -> None:
        self.host = host
        self.sts = sts
        self.portal = sso.SsoPortal()
        self.container = ContainerServer()
        self._botocore: subprocess.Popen[bytes] | None = None
        host.environ.update(
            **KEYS,
            AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url,
            AWS_ENDPOINT_URL_STS=sts.url,
            AWS_ENDPOINT_URL_SSO=self.portal.url,
            AWS_REGION="eu-central-1",
            AWS_DEFAULT_REGION="eu-central-1",
        )
        for name in ("corp", "https://portal.example/start"):
            sso.write_token(host.home, name, "eu-central-1", time.time() + 7200)
        (host.home / "token").write_text("canaryWebIdentityToken")
        #: A program that prints a code, another one each time, and notes that it was run.
        self.code = str(host.folder / "code")
        with open(self.code, "w", encoding="utf-8") as file:
            log = f"{self.code}.log"
            file.write(f"#!/bin/sh\necho run >>{log}\nprintf %06d $(wc -l <{log})\n")
        os.chmod(self.code, 0o700)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._botocore is not None:
            self._botocore.communicate()
        self.portal.__exit__()
        self.container.__exit__()

    def write(self, shape: Shape) -> None:
        """Write both files."""
        if "EcsContainer" in shape.config:
            self.host.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = self.container.full_uri
        config = shape.config.replace("HOME", str(self.host.home))
        self.host.config("").write_bytes(config.encode())
        self.host.credentials("").write_bytes(shape.credentials.encode())

    def files(self) -> tuple[bytes, bytes]:
        """Return what both files are now."""
        folder = self.host.home / ".aws"
        return (folder / "config").read_bytes(), (folder / "credentials").read_bytes()

    def profiles(self) -> dict[str, Any]:
        """Return what botocore makes of each profile: whose credentials, and other settings."""
        if self._botocore is None:
            self._botocore = subprocess.Popen(
                [sys.executable, "-c", BOTOCORE],
                env=self.host.env(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        stdin, stdout = self._botocore.stdin, self._botocore.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(b"\n")
        stdin.flush()
        found: dict[str, Any] = json.loads(stdout.readline())
        arns = {each.access_key: each.arn.rsplit("/", 1)[0] for each in self.sts.issued}
        return {name: [arns.get(key, key), *rest] for name, (key, *rest) in found.items()}
