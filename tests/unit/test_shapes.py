"""Shapes of real config files: what botocore makes of each, and that credproc makes the same of it.

Where botocore finds keys that cannot be right, or nothing, credproc says why.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import botocore.session
import pytest

from tests.chains import Machine
from tests.servers.sts import StsServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY, OTHER = "AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEYS = f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
ROLE = "role_arn = arn:aws:iam::123456789012:role/r\n"
DOCUMENT = json.dumps({"Version": 1, "AccessKeyId": KEY, "SecretAccessKey": SECRET})
PROCESS = f"sh -c 'echo \"$0\"' '{DOCUMENT}'"
P, K = "[profile p]\n", f"[profile k]\n{KEYS}"
CHAIN = f"{P}{ROLE}source_profile = k\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without keys in its environment."""
    made = Machine(monkeypatch, tmp_path)
    made.set(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    return made


@pytest.fixture
def server(machine: Machine) -> Iterator[StsServer]:
    """The STS that the machine knows."""
    with StsServer() as made:
        machine.knows(made)
        machine.set(AWS_REGION=None)
        yield made


def theirs() -> Any:
    """Return the credentials that botocore finds for the profile, None for none."""
    found = botocore.session.Session(profile="p").get_credentials()
    return found and found.get_frozen_credentials()


@pytest.mark.parametrize(
    ("config", "credentials", "key"),
    [
        (f"[profile p ]\n{KEYS}", "", KEY),
        (f"[profile\tp]\n{KEYS}", "", KEY),
        (f"[profiles 'p']\n{KEYS}", "", KEY),
        (f"[profile p] # mine\n{KEYS}", "", KEY),
        (f"  [profile p]\n  {KEYS.replace('aws_s', '  aws_s').replace('  aws', 'aws')}", "", KEY),
        (f"{P}{KEYS}".replace("\n", "\r\n"), "", KEY),
        (f"{P}region = x\n[profile 'p']\n{KEYS}", "", KEY),
        (f"[DEFAULT]\n{KEYS}{P}region = x\n", "", KEY),
        (f"{P}{KEYS.replace(' = ', ': ')}", "", KEY),
        (f"{P}{KEYS.replace('aws_', 'AWS_')}", "", KEY),
        ("", f"[p]\n{KEYS}aws_session_token =\n", KEY),
        (f"{P}{KEYS}", f"[p]\n{KEYS.replace(KEY, OTHER)}", OTHER),
        (f"{P}credential_process = /bin/false\n", f"[p]\n{KEYS}", KEY),
        (f"{P}region = us-east-1 # N. Virginia\n{KEYS}", "", KEY),
        (f"{P}{KEYS}region = eu-west-1\n  output = json\n", "", KEY),
        (f"{P}{KEYS}sso_session = gone\n", "", KEY),
        (f"{P}region = eu-west-1 # x\ncredential_process = {PROCESS}\n", "", KEY),
        (f"{P}{KEYS}source_profile = k\nmfa_serial = x\n", "", KEY),
    ],
)  # fmt: skip
def test_keys_are_those_that_botocore_finds(
    config: str, credentials: str, key: str, machine: Machine
) -> None:
    machine.config(config)
    machine.credentials(credentials)
    outcome = machine.profile("p")

    assert theirs().access_key == key
    assert outcome.found, outcome.said
    assert outcome.found.access_key == key


@pytest.mark.parametrize(
    "config",
    [
        f"{CHAIN}role_session_name =\n{K}",
        f"{CHAIN}duration_seconds =\n{K}",
        f"{CHAIN}{K}region = us-east-1 # N. Virginia\n",
        f"{CHAIN}endpoint_url =\n{K}",
        f"{CHAIN}cli_pager =\n{K}",
        f"{P}{ROLE}source_profile = p\n{KEYS}",
        f"{P}{ROLE}source_profile = default\n[default]\n{KEYS}",
        f"{P}{ROLE}source_profile = q\n[profile q]\n{ROLE}source_profile = k\nregion = x\n{K}",
    ],
)
def test_roles_are_those_that_botocore_assumes(
    config: str, machine: Machine, server: StsServer
) -> None:
    machine.config(config.replace(P, f"{P}region = eu-west-1\n", 1))
    theirs()
    assumed = [call.parameters["RoleArn"] for call in server.calls]

    outcome = machine.profile("p")

    assert outcome.found, outcome.said
    assert [call.parameters["RoleArn"] for call in server.calls[len(assumed) :]] == assumed


SSO = "sso_account_id = 123456789012\nsso_role_name = r\n"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("[p]\n", "config, line 1: [p] must be written [profile p]"),
        (f"{P}aws_access_key_id =\naws_secret_access_key =\n", "_key are blank (in the config"),
        (f"{P}aws_access_key_id = '{KEY}'\naws_secret_access_key = '{SECRET}'\n",
         "aws_access_key_id is not valid: remove the quotes"),
        (f"{P}aws_access_key_id = {KEY}\n  aws_secret_access_key = {SECRET}\n",
         "the lines below it (aws_secret_access_key) are indented more"),
        (f"{P}region = x\n  {KEYS.replace('aws_s', '  aws_s')}",
         "(aws_access_key_id, aws_secret_access_key) are indented more"),
        (f"{P}source_profile = k\nmfa_serial = x\n{K}",
         "role_arn is missing beside source_profile and mfa_serial"),
        (f"{P}{ROLE}source_profile = 'k'\n{K}", "did you mean k?"),
        (f"{P}{ROLE}source_profile = profile k\n{K}", "did you mean k?"),
        (f"{P}{ROLE}web_identity_token_file =\n", "web_identity_token_file is blank; role_arn"),
        (f"{P}sso_session = s\n{SSO}[sso_session s]\n", "[sso_session s] must be written [sso-"),
        (f"{P}sso_session = s\n{SSO}[sso-session s]\nsso_start_url = u\n",
         "sso_region is missing in [sso-session s]"),
        (f"{P}sso_start_url = u\nsso_region = r\n{SSO.replace('12345', '')}",
         "sso_account_id must be 12 digits, not '6789012'"),
        (f"{P}s3 =\n  max_concurrent_requests: 20\n{KEYS}", "config, line 3: cannot be parsed"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_said(config: str, words: str, machine: Machine) -> None:
    machine.config(config)
    outcome = machine.profile("p")

    try:
        found = theirs()
    except (botocore.exceptions.BotoCoreError, EOFError):
        found = None
    assert found is None or found.access_key in ("", f"'{KEY}'"), "or credproc is too strict"
    assert outcome.found is None
    assert words in str(outcome.error)
    assert SECRET[:8] not in str(outcome.error)
