"""What a profile describes: its roles, its source credentials, and its mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credproc.errors import RequestError
from credproc.providers.profile import roles
from credproc.providers.sts import load_config
from tests.chains import KEY, A, B, C, Machine

if TYPE_CHECKING:
    from pathlib import Path

    from credproc.providers.roles import Roles

KEYS = f"aws_access_key_id = {KEY}\naws_secret_access_key = s\n"
SOME = 'sh -c "exit 1"'


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def read(machine: Machine, name: str) -> Roles:
    return roles(load_config(machine.run(), name), name)


def test_roles_are_in_the_order_in_which_they_are_assumed(machine: Machine) -> None:
    machine.credentials(f"[laptop]\n{KEYS}")
    machine.config(
        f"[profile c]\nrole_arn = {C}\nsource_profile = b\nregion = eu-west-3\n"
        f"[profile b]\nrole_arn = {B}\nsource_profile = a\n"
        f"[profile a]\nrole_arn = {A}\nsource_profile = laptop\nregion = eu-west-1\n"
    )
    found = read(machine, "c")
    assert [hop.role_arn for hop in found.hops] == [A, B, C]
    assert found.regions == ["eu-west-1", "", "eu-west-3"]
    assert found.profiles == ["c", "b", "a", "laptop"]
    assert found.source.text == "profile:laptop"


def test_every_key_of_a_role_is_taken(machine: Machine) -> None:
    machine.config(
        f"[profile full]\nrole_arn = {A}\nsource_profile = keys\nrole_session_name = me\n"
        "external_id = 42\nduration_seconds = 1800\nmfa_serial = GAHT12345678\n"
        f"[profile keys]\n{KEYS}"
    )
    (hop,) = read(machine, "full").hops
    found = {name: value for name, value in vars(hop).items() if value}
    assert found == {
        "role_arn": A,
        "role_session_name": "me",
        "external_id": "42",
        "duration_seconds": 1800,
        "serial_number": "GAHT12345678",
    }


@pytest.mark.parametrize(
    ("config", "name", "roles", "source"),
    [
        (f"[profile p]\n{KEYS}", "p", [], "profile:p"),
        (f"[profile p]\ncredential_process = {SOME}\n", "p", [], "profile:p"),
        (f"[default]\nrole_arn = {A}\ncredential_source = Environment\n", "default", [A], "env"),
        (f"[profile p]\nrole_arn = {A}\ncredential_source = Ec2InstanceMetadata\n", "p", [A],
         "imds"),
        (f"[profile p]\nrole_arn = {A}\ncredential_source = EcsContainer\n", "p", [A],
         "container"),
        (f'[profile "two words"]\nrole_arn = {A}\ncredential_source = Environment\n', "two words",
         [A], "env"),
        # Keys beside a role_arn are its source if it names itself, ...
        (f"[profile p]\nrole_arn = {A}\nsource_profile = p\n{KEYS}", "p", [A], "profile:p"),
        # ... and beat it where another profile builds upon it.
        ((f"[profile p]\nrole_arn = {A}\nsource_profile = q\n"
         f"[profile q]\nrole_arn = {B}\nsource_profile = p\n{KEYS}"), "p", [A], "profile:q"),
        # A role_arn comes before credential_process, as in botocore, ...
        ((f"[profile p]\nrole_arn = {A}\nsource_profile = q\ncredential_process = {SOME}\n"
         f"[profile q]\n{KEYS}"), "p", [A], "profile:q"),
        # ... but belongs to the token where there is one.
        (f"[profile p]\nrole_arn = {A}\nweb_identity_token_file = /t\n", "p", [], "profile:p"),
        ((f"[profile p]\nrole_arn = {B}\nsource_profile = q\n"
         f"[profile q]\nrole_arn = {A}\nweb_identity_token_file = /t\n"), "p", [B], "profile:q"),
    ],
)  # fmt: skip
def test_rules_are_those_of_botocore(
    config: str, name: str, roles: list[str], source: str, machine: Machine
) -> None:
    machine.config(config)
    found = read(machine, name)
    assert [hop.role_arn for hop in found.hops] == roles
    assert found.source.text == source


def test_keys_in_the_credentials_file_belong_to_the_profile_too(machine: Machine) -> None:
    machine.config(f"[profile p]\nrole_arn = {A}\nsource_profile = p\n")
    with pytest.raises(RequestError, match="leads back to itself"):
        read(machine, "p")
    machine.credentials(f"[p]\n{KEYS}")
    assert read(machine, "p").source.text == "profile:p"


BOTH = "source_profile = q\ncredential_source = Environment\n"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (f"[profile p]\nrole_arn = {A}\n",
         "profile p: role_arn needs one of source_profile and credential_source"),
        (f"[profile p]\nrole_arn = {A}\ncredential_process = {SOME}\n",
         ("profile p: role_arn needs one of source_profile and credential_source; move "
          "credential_process to another profile, and name that one in source_profile")),
        (f"[profile p]\nrole_arn = {A}\n{KEYS}",
         ("profile p: role_arn needs one of source_profile and credential_source; to assume the "
          "role with these keys, add source_profile = p")),
        (f"[profile p]\nrole_arn = {A}\nsource_profile = k # base\n",
         ("profile k # base, the source_profile of p, is not in the shared config (a comment needs "
          "a line of its own)")),
        (f"[profile p]\nrole_arn = {A}\n{BOTH}",
         "profile p: role_arn has both source_profile and credential_source"),
        (f"[profile p]\nrole_arn = {A}\nsource_profile =\n",
         "profile p: source_profile is blank"),
        (f"[profile p]\nrole_arn = {A}\nsource-profile = k\n",
         ("profile p: role_arn needs one of source_profile and credential_source; source-profile "
          "is not a key that AWS tools know; did you mean source_profile?")),
        (f"[profile p]\nrole_arn = {A} # prod\nsource_profile = p\n",
         "profile p: role_arn must be a role's ARN, like "),
        (f"[profile p]\nrole_arn = {A}\nsource_profile = q\n",
         "profile q, the source_profile of p, is not in the shared config"),
        (f"[profile p]\nrole_arn = {A}\nsource_profile = bsae\n[profile base]\n{KEYS}",
         "profile bsae, the source_profile of p, is not in the shared config; did you mean base?"),
        ((f"[profile p]\nrole_arn = {A}\nsource_profile = q\n"
         f"[profile q]\nrole_arn = {B}\n{BOTH.replace('q', 'r')}"),
         "profile q: role_arn has both source_profile and credential_source"),
        (f"[profile p]\nrole_arn = {A}\nsource_profile = p\n",
         "profile p: its source_profile p leads back to itself (p -> p)"),
        ((f"[profile p]\nrole_arn = {A}\nsource_profile = q\n"
         f"[profile q]\nrole_arn = {B}\nsource_profile = p\n"),
         "profile q: its source_profile p leads back to itself (p -> q -> p)"),
        ((f"[profile p]\nrole_arn = {A}\nsource_profile = q\n"
         f"[profile q]\nrole_arn = {B}\nsource_profile = r\n"
         f"[profile r]\nrole_arn = {C}\nsource_profile = q\n"),
         "profile r: its source_profile q leads back to itself (q -> r -> q)"),
        (f"[profile p]\nrole_arn = {A}\ncredential_source = ec2\n",
         ("profile p: credential_source must be one of Environment, Ec2InstanceMetadata, "
         "EcsContainer")),
        ("[profile p]\nrole_arn = app\ncredential_source = Environment\n",
         "profile p: role_arn must be a role's ARN, like "),
        (f"[profile p]\nrole_arn = {A}\ncredential_source = Environment\nduration_seconds = 1h\n",
         "profile p: duration_seconds must be a whole number of seconds from 900 to 43200"),
        (f"[profile p]\nrole_arn = {A}\ncredential_source = Environment\nrole_session_name = a b\n",
         "profile p: role_session_name must be 2 to 64 characters of "),
        (f"[profile p]\nrole_arn = {A}\ncredential_source = Environment\nexternal_id = x\n",
         "profile p: external_id must be 2 to 1224 characters of "),
        (f"[profile p]\nrole_arn = {A}\ncredential_source = Environment\nmfa_serial = x\n",
         "profile p: mfa_serial must be 9 to 256 characters of "),
        ((f"[profile p]\nrole_arn = {A}\ncredential_source = Environment\n"
         "external_id =\n  a = b\n  c = d\n"), "profile p: external_id must be one line"),
        (f"[profile p]\nrole_arn = {A}\nsource_profile =\n  a = b\n",
         "profile p: source_profile must be one line"),
        ("[profile p]\nrole_arn =\n  a = b\ncredential_source = Environment\n",
         "profile p: role_arn must be one line, not an indented block"),
    ],
)  # fmt: skip
def test_mistake_is_named_with_profile_and_key(config: str, words: str, machine: Machine) -> None:
    machine.config(config)
    outcome = machine.profile("p")
    assert isinstance(outcome.error, RequestError)
    assert outcome.error.status == 2
    assert outcome.said.startswith(words)
    assert "\n" not in outcome.said


def test_profile_that_is_not_there_is_named_with_the_files(machine: Machine) -> None:
    outcome = machine.profile("nowhere")
    folder = machine.folder
    assert outcome.said == (
        f"profile nowhere is in neither {folder}/config (which does not exist) nor "
        f"{folder}/credentials (which does not exist)"
    )


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("[profile p]\nregion = eu-west-1\n", "profile p: it does not say where"),
        (f"[profile p]\naws_access_key_id = {KEY}\n",
         "aws_secret_access_key is missing beside aws_access_key_id (in the config file)"),
        (f"[profile p]\naws_access_key_id = {KEY}\naws_secret_access_key = s # my key\n",
         "aws_secret_access_key is not valid: a comment needs a line of its own"),
        ("[profile p]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n",
         'profile p: there is no [sso-session s] for sso_session'),
        (("[profile p]\nsso_session = crop\nsso_account_id = 123456789012\nsso_role_name = r\n"
          "[sso-session corp]\nsso_start_url = u\nsso_region = eu-west-1\n"),
         'profile p: there is no [sso-session crop] for sso_session; did you mean corp?'),
        (("[profile p]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n"
          "[profile s]\nsso_start_url = u\n"), "[profile s] must be written [sso-session s]"),
        ("[profile p]\nsso_sesion = s\nsso_account_id = 123456789012\nsso_role_name = r\n",
         "did you mean sso_session?"),
        (f"[profile p]\nexport aws_access_key_id = {KEY}\n",
         "remove the word export before aws_access_key_id"),
        ("[profile p]\nsso_account_id = 123456789012\nsso_role_name = r\n",
         "sso_start_url and sso_region are missing beside sso_account_id and sso_role_name"),
        ("[profile p]\nweb_identity_token_file = /t\n",
         "profile p: role_arn is missing beside web_identity_token_file"),
        ("[profile p]\ncredential_process =\n", "credential_process is blank"),
        ("[profile p]\ncredential_process = sh 'x\n", "credential_process: no closing quotation"),
    ],
)  # fmt: skip
def test_profile_without_usable_credentials_says_what_is_missing(
    config: str, words: str, machine: Machine
) -> None:
    machine.config(config)
    outcome = machine.profile("p")
    assert isinstance(outcome.error, RequestError)
    assert words in outcome.said
