"""The roles of a profile are assumed hop by hop and shared, and errors are explained."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests import cachedir, needs
from tests.cloud import KEYS, ONE, OTHER, TWO
from tests.harness import NOWHERE
from tests.servers.sts import StsServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cloud import Cloud

#: The environment's keys must not be taken for a profile's.
NO_KEYS: dict[str, Any] = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
LAPTOP = (
    f"[laptop]\naws_access_key_id = AKIALAPTOPLAPTOPLAPT\n"
    f"aws_secret_access_key = {KEYS['AWS_SECRET_ACCESS_KEY']}\n"
)
DEVICE = "arn:aws:iam::111122223333:mfa/jane"
CONFIG = f"""\
[profile jump]
role_arn = {ONE}
source_profile = laptop
mfa_serial = {DEVICE}
role_session_name = jane
duration_seconds = 1800
[profile "app dev"]
role_arn = {TWO}
source_profile = jump
external_id = partner/42
region = eu-west-1
[profile "app prod"]
role_arn = {OTHER}
source_profile = jump
region = eu-west-1
"""


@pytest.fixture
def laptop(cloud: Cloud) -> Cloud:
    """A machine with long-term keys in one profile, and roles that they may assume."""
    cloud.host.environ.update(NO_KEYS, AWS_REGION="eu-central-1")
    cloud.host.credentials(LAPTOP)
    cloud.host.config(CONFIG)
    return cloud


def test_roles_are_assumed_as_their_profiles_say(laptop: Cloud) -> None:
    document = laptop.host.document("--profile", "app dev", "--mfa-command", "sh -c 'echo 123456'")
    first, second = laptop.sts.calls
    assert document["AccessKeyId"] == laptop.sts.issued[1].access_key
    assert first.access_key == "AKIALAPTOPLAPTOPLAPT"
    assert first.parameters == {
        "RoleArn": ONE,
        "RoleSessionName": "jane",
        "DurationSeconds": "1800",
        "SerialNumber": DEVICE,
        "TokenCode": "123456",
    }
    assert second.access_key == laptop.sts.issued[0].access_key
    assert set(second.parameters) == {"RoleArn", "RoleSessionName", "ExternalId"}
    assert second.parameters["ExternalId"] == "partner/42"


def test_intermediate_role_is_shared_by_profiles_and_explicit_chains(laptop: Cloud) -> None:
    laptop.host.document("--profile", "app dev", "--mfa-command", "sh -c 'echo 123456'")
    # No other code is needed, and none could be typed.
    laptop.host.document("--profile", "app prod")
    laptop.host.document("--profile", "jump")
    laptop.host.document("--role-arn", OTHER, "--source", "profile:jump")
    laptop.host.document(
        *("--role-arn", ONE, "--role-session-name", "jane", "--duration-seconds", "1800"),
        *("--serial-number", DEVICE, "--source", "profile:laptop"),
    )
    assert (*laptop.roles, laptop.sts.count(OTHER)) == (1, 1, 1)


def test_files_are_where_the_environment_says(cloud: Cloud, tmp_path: Path) -> None:
    cloud.host.config(f"[profile p]\nrole_arn = {TWO}\nsource_profile = laptop\n")
    (tmp_path / "my config").write_text(f"[profile p]\nrole_arn = {ONE}\nsource_profile = laptop\n")
    (tmp_path / "my credentials").write_text(LAPTOP)
    paths: dict[str, Any] = {
        "AWS_CONFIG_FILE": str(tmp_path / "my config"),
        "AWS_SHARED_CREDENTIALS_FILE": "$FOLDER/my credentials",
        "FOLDER": str(tmp_path),
    }
    cloud.host.document("--profile", "p", **paths)
    assert cloud.roles == (1, 0)
    missing = cloud.host.run("--profile", "nowhere", **paths)
    assert missing.status == 2
    assert missing.stderr == (
        f"credproc: profile nowhere is in neither {tmp_path}/my config nor "
        f"{tmp_path}/my credentials\n"
    )


def test_file_below_a_path_that_is_not_a_directory_is_named(cloud: Cloud) -> None:
    config = cloud.host.config("")
    result = cloud.host.run("--profile", "p", AWS_CONFIG_FILE=f"{config}/config")
    assert result.status == 2
    assert f"profile p is in neither {config}/config nor " in result.stderr


def test_config_that_is_not_a_regular_file_is_named(cloud: Cloud) -> None:
    folder = cloud.host.home
    result = cloud.host.run("--profile", "p", AWS_CONFIG_FILE=str(folder))
    assert result.status == 2
    assert f"p is in neither {folder} (which is not a regular file) nor " in result.stderr


def test_error_for_a_header_without_profile_shows_the_right_one(
    cloud: Cloud,
) -> None:
    config = cloud.host.config(
        f"[deploy]\n[the role]\n[profile p]\nrole_arn = {ONE}\nsource_profile = deploy\n"
    )
    where = f"in neither {config} nor {config.parent}/credentials (which does not exist)"
    words = {
        "deploy": f"deploy is {where}: {config}, line 1: [deploy] must be written [profile deploy]",
        "the role": f"the role is {where}: {config}, line 2: [the role] must be written "
        "[profile 'the role']",
        "p": "deploy, the source_profile of p, is not in the shared config: "
        f"{config}, line 1: [deploy] must be written [profile deploy]",
        "services": f"services is {where}",
    }

    for name, said in words.items():
        result = cloud.host.run("--profile", name)
        assert (result.status, result.stdout) == (2, b"")
        assert result.stderr == f"credproc: profile {said}\n"


@pytest.mark.parametrize("style", ["services", "endpoint_url"])
def test_endpoint_of_a_profile_is_called(style: str, laptop: Cloud) -> None:
    with StsServer() as other:
        text = f"endpoint_url = {other.url}\n"
        if style == "services":
            text = f"services = local\n[services local]\nsts =\n  {text}"
        laptop.host.config(f"[profile p]\nrole_arn = {ONE}\nsource_profile = laptop\n{text}")
        bare: dict[str, Any] = {"AWS_ENDPOINT_URL": None, "AWS_ENDPOINT_URL_STS": None}
        laptop.host.document("--profile", "p", **bare)
        assert (other.count(), laptop.sts.count()) == (1, 0)

        laptop.host.document("--profile", "p", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="false")
        laptop.host.document("--profile", "p")
        assert other.count() == 1, "the variable beats the config"
        assert laptop.sts.count() == 1, "false is the default, so both use one session"


@pytest.mark.parametrize(
    ("origin", "variables"),
    [("Environment", KEYS), ("Ec2InstanceMetadata", NO_KEYS)],
)
def test_credential_source_is_the_source_of_that_kind(
    origin: str, variables: dict[str, Any], cloud: Cloud
) -> None:
    cloud.host.config(f"[profile p]\nrole_arn = {ONE}\ncredential_source = {origin}\n")
    cloud.host.document("--profile", "p", **variables)
    wanted = {
        "Environment": KEYS["AWS_ACCESS_KEY_ID"],
        "Ec2InstanceMetadata": cloud.imds.current["AccessKeyId"],
    }
    assert cloud.sts.calls[0].access_key == wanted[origin]
    # The explicit chain from there is the same hop.
    kind = {"Environment": "env", "Ec2InstanceMetadata": "imds"}[origin]
    cloud.host.document("--role-arn", ONE, "--source", kind, **variables)
    assert cloud.sts.count() == 1


def test_profile_that_names_itself_uses_its_own_keys(laptop: Cloud) -> None:
    keys = LAPTOP.removeprefix("[laptop]\n")
    laptop.host.config(f"[profile self]\nrole_arn = {ONE}\nsource_profile = self\n{keys}")
    laptop.host.document("--profile", "self")
    assert [call.access_key for call in laptop.sts.calls] == ["AKIALAPTOPLAPTOPLAPT"]


def test_role_arn_takes_precedence_over_credential_process(laptop: Cloud) -> None:
    laptop.host.config(
        f"[profile p]\nrole_arn = {ONE}\nsource_profile = laptop\ncredential_process = /bin/false\n"
    )
    laptop.host.document("--profile", "p")
    assert laptop.roles == (1, 0)


LOOP = f"role_arn = {ONE}\nsource_profile = q\n[profile q]\nrole_arn = {TWO}\nsource_profile = p\n"
BROKEN = "{{config}}, line {}: cannot be parsed as a config file: "
NEITHER = "it is neither a complete [section] header nor KEY = VALUE"
NOTHING = (
    "profile p: it does not say where credentials come from (keys, credential_process, "
    "sso_session, login_session, or role_arn with source_profile)"
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LOOP,
         "profile q: its source_profile p leads back to itself (p -> q -> p)"),
        (f"role_arn = {ONE}\n",
         "profile p: role_arn needs one of source_profile and credential_source"),
        (f"role_arn = {ONE}\nsource_profile = gone\n",
         "profile gone, the source_profile of p, is not in the shared config"),
        (f"role_arn = {ONE}\ncredential_source = Environment\nduration_seconds = 1h\n",
         ("profile p: duration_seconds must be a whole number of seconds from 900 to 43200, not "
          "'1h'")),
        ("region = eu-west-1\n", NOTHING),
        ("region = nowhere at all\nrole_arn = x\n",
         ("profile p: role_arn must be a role's ARN, like arn:aws:iam::123456789012:role/NAME, not "
          "'x'")),
        ("[profile p]\n",
         BROKEN.format(2) + "duplicate section: merge the two"),
        ("region = eu-west-1\nregion = eu-west-1\n",
         BROKEN.format(3) + "duplicate key in this section: remove one of them"),
        ("[profile broken\n", BROKEN.format(2) + NEITHER),
        ("region = eu-west-1\nfoo bar\n", BROKEN.format(3) + NEITHER),
    ],
)  # fmt: skip
def test_config_mistake_is_one_line_with_status_2_and_without_a_call(
    text: str, words: str, cloud: Cloud
) -> None:
    path = cloud.host.config(f"[profile p]\n{text}")
    result = cloud.host.run("--profile", "p", AWS_ENDPOINT_URL_STS=NOWHERE)
    assert (result.status, result.stdout) == (2, b"")
    assert result.stderr == f"credproc: {words.format(config=path)}\n"
    assert cloud.sts.count() == cloud.imds.count() == 0
    assert cachedir.entries(cloud.host.cache) == []


@pytest.mark.parametrize(
    ("text", "words"),
    needs.thinned([
        ("metadata_service_timeout = abc",
         "metadata_service_timeout = 'abc' of profile p: invalid literal for int() with base 10"),
        ("api_versions = foo", "api_versions = 'foo' of profile p: AttributeError"),
        ("defaults_mode =\n  a = b", "defaults_mode (an indented block) of profile p: Attribute"),
        ("defaults_mode = foo", "defaults_mode = 'foo' of profile p: Client configured with"),
        ("sts_regional_endpoints = foo", "sts_regional_endpoints = 'foo' of profile p: "),
        ("sso_session = gone", "sso_session = 'gone' of profile p: "),
        # credproc has its own.
        ("output = json\nretry_mode = never\nmax_attempts = many", ""),
        ("account_id_endpoint_mode = maybe", "account_id_endpoint_mode = 'maybe' of profile p: "),
        ("request_checksum_calculation = x", "request_checksum_calculation = 'x' of profile p: "),
        ("user_agent_appid = " + 60 * "a", ""),
    ]),
)  # fmt: skip
def test_setting_that_botocore_cannot_use_is_named_by_its_own_key(
    text: str, words: str, laptop: Cloud
) -> None:
    laptop.host.credentials(LAPTOP.replace("laptop", "p"))
    laptop.host.config(f"[profile p]\n{text}\n")
    result = laptop.host.run("--role-arn", ONE, "--source", "profile:p")
    if not words:
        assert result.document
        return
    assert (result.status, result.stdout) == (2, b"")
    assert f"botocore cannot use {words}" in result.stderr
    assert result.stderr.count("\n") == 1


def test_variable_that_botocore_cannot_use_is_named(laptop: Cloud) -> None:
    result = laptop.host.run(
        "--role-arn", ONE, "--source", "profile:laptop", AWS_DEFAULTS_MODE="foo"
    )
    assert (result.status, result.stdout) == (2, b"")
    assert "botocore cannot use AWS_DEFAULTS_MODE=foo: Client configured with" in result.stderr


def test_unreadable_file_is_reported(laptop: Cloud) -> None:
    path = laptop.host.home / ".aws" / "config"
    path.chmod(0)
    # root may read everything, unless it gives up that privilege.
    rights = "-dac_override,-dac_read_search"
    dropped = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]
    somebody = [] if os.geteuid() else dropped
    needs.demand(*somebody[:1])
    words = [*somebody, "credproc", "--profile", "p"]
    result = laptop.host.run(*words[1:], command=words[0])
    assert result.status == 2, result
    assert "(which this user may not read)" in result.stderr
