"""A role chain: the STS region, the duration, and the cache key of every hop."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from botocore import configprovider

from credproc import limits, session
from credproc.errors import ProviderFailed, RequestError
from credproc.hop import OPTIONS
from credproc.providers.refusals import SessionTooLong
from credproc.providers.sts import default_name
from credproc.variables import ENDPOINT_KEYS
from tests.chains import KEY, A, B, C, Machine, hop
from tests.servers import faults
from tests.servers.sts import StsServer, error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from credproc.credentials import Credentials
    from credproc.hop import Hop
    from credproc.run import Resolver, Run
    from tests.servers.imds import ImdsServer

ROLE_KEYS = {
    "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
    "AWS_SESSION_TOKEN": "canaryTokenOfTheEnvironment0123456789",
}


@pytest.fixture
def machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sts: StsServer, imds: ImdsServer
) -> Machine:
    made = Machine(monkeypatch, tmp_path)
    made.set(AWS_ENDPOINT_URL_STS=sts.url, AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url)
    return made


CHINESE = "arn:aws-cn:iam::111111111111:role/a"
FEDERAL = "arn:aws-us-gov:iam::111111111111:role/a"
SOVEREIGN = "arn:aws-eusc:iam::111111111111:role/a"
CONFIG = f"""\
[profile scoped]
region = eu-west-3
[profile bare]
[profile laptop]
region = eu-south-1
[profile top]
role_arn = {B}
source_profile = middle
region = eu-north-1
[profile middle]
role_arn = {A}
source_profile = laptop
"""


@pytest.mark.parametrize(
    ("arn", "option", "variables", "source", "region"),
    [
        (A, "us-west-2", {"AWS_REGION": "eu-west-1"}, "imds", "us-west-2"),
        (A, "", {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "env", "eu-west-1"),
        (A, "", {"AWS_DEFAULT_REGION": "eu-west-2", "AWS_PROFILE": "scoped"}, "env", "eu-west-2"),
        (A, "", {"AWS_REGION": "", "AWS_PROFILE": "scoped"}, "env", "eu-west-3"),
        (A, "", {"AWS_PROFILE": "scoped"}, "imds", "eu-west-3"),
        (A, "", {"AWS_PROFILE": "scoped"}, "profile:laptop", "eu-south-1"),
        (A, "", {"AWS_PROFILE": "bare"}, "imds", "ap-southeast-2"),
        (A, "", {}, "imds", "ap-southeast-2"),
        (A, "", {}, "imds:app", "ap-southeast-2"),
        (A, "", {}, "env", "us-east-1"),
        (CHINESE, "", {}, "env", "cn-north-1"),
        (FEDERAL, "", {}, "env", "us-gov-west-1"),
        (SOVEREIGN, "", {}, "env", "eusc-de-east-1"),
    ],
)
def test_region_comes_from_the_most_explicit_place(
    arn: str, option: str, variables: dict[str, str], source: str, region: str,
    machine: Machine, sts: StsServer, imds: ImdsServer,
) -> None:  # fmt: skip
    imds.region = "ap-southeast-2"
    machine.config(CONFIG)
    machine.credentials(f"[laptop]\naws_access_key_id = {KEY}\naws_secret_access_key = secret\n")
    machine.set(**variables)
    outcome = machine.assume(hop(arn, sts_region=option), source=source)
    assert outcome.error is None
    assert [call.region for call in sts.calls] == [region]
    assert f"calling STS in {region}" in outcome.log


def test_role_of_a_profile_is_assumed_in_the_region_of_that_profile(
    machine: Machine, sts: StsServer
) -> None:
    machine.config(CONFIG + "region = eu-west-1\n")
    machine.credentials(f"[laptop]\naws_access_key_id = {KEY}\naws_secret_access_key = secret\n")
    assert machine.profile("top").error is None
    machine.config(CONFIG)
    assert machine.profile("top").error is None
    machine.set(AWS_REGION="ap-south-1")
    assert machine.profile("top").error is None
    regions = [call.region for call in sts.calls]
    assert regions == ["eu-west-1", "eu-north-1", "eu-north-1", "eu-north-1", *["ap-south-1"] * 2]


def test_imds_is_called_for_the_region_only_if_none_is_configured(
    machine: Machine, imds: ImdsServer
) -> None:
    machine.set(AWS_REGION="eu-west-1")
    machine.assume(hop(A), hop(B), source="imds")
    assert imds.count("region") == 0
    machine.set(AWS_REGION=None)
    machine.assume(hop(A), hop(B), source="imds")
    assert imds.count("region") == 1


def test_chain_works_without_the_region_of_the_instance(
    machine: Machine, sts: StsServer, imds: ImdsServer
) -> None:
    imds.break_("region", faults.status(404))
    outcome = machine.assume(hop(A), source="imds")
    assert outcome.error is None
    assert [call.region for call in sts.calls] == ["us-east-1"]
    assert "sts: no region is configured: us-east-1" in outcome.log


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_region_that_cannot_be_one_is_refused_before_any_call(
    variable: str, machine: Machine, sts: StsServer
) -> None:
    machine.set(**{variable: "eu.evil.example/"})
    outcome = machine.assume(hop(A))
    assert isinstance(outcome.error, RequestError)
    assert "must be a region, like eu-central-1, not 'eu.evil.example/'" in outcome.said
    machine.set(**{variable: "EU-WEST-1"})
    assert "not 'EU-WEST-1' (write it in lower case)" in machine.assume(hop(A)).said
    assert sts.count() == 0


CAPPED = "role {number}: 7200 s requested, but AWS allows 3600 s"


@pytest.mark.parametrize(
    ("source", "variables", "sent"),
    [
        ("imds", {}, ["3600"]),
        ("env", {}, ["7200"]),
        ("env", ROLE_KEYS, ["7200", "3600"]),
        ("profile:laptop", {}, ["7200"]),
        ("profile:session", {}, ["7200", "3600"]),
        ("profile:helper", {}, ["7200", "3600"]),
    ],
)
def test_chained_role_lasts_an_hour_and_verbose_says_so(
    source: str, variables: dict[str, str], sent: list[str], machine: Machine, sts: StsServer
) -> None:
    helper = (
        'printf \'{"Version":1,"AccessKeyId":"ASIAHELPERHELPERHELP","SecretAccessKey":"s",'
        '"SessionToken":"t","Expiration":"2099-01-01T00:00:00Z"}\''
    )
    machine.config(f'[profile helper]\ncredential_process = sh -c "{_escaped(helper)}"\n')
    machine.credentials(
        f"[laptop]\naws_access_key_id = {KEY}\naws_secret_access_key = s\n"
        "[session]\naws_access_key_id = ASIASESSIONSESSIONSE\naws_secret_access_key = s\n"
        "aws_session_token = t\n"
    )
    machine.set(**variables)
    outcome = machine.assume(hop(A, duration_seconds=7200), source=source)
    assert outcome.error is None, outcome.said
    assert [call.parameters["DurationSeconds"] for call in sts.calls] == sent
    assert (CAPPED.format(number=1) in outcome.log) == ("3600" in sent)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def test_later_role_is_capped_without_asking(machine: Machine, sts: StsServer) -> None:
    outcome = machine.assume(hop(A, duration_seconds=7200), hop(B, duration_seconds=7200))
    assert [call.parameters["DurationSeconds"] for call in sts.calls] == ["7200", "3600"]
    assert CAPPED.format(number=2) in outcome.log
    assert CAPPED.format(number=1) not in outcome.log


def test_user_with_a_session_token_gets_the_requested_duration(
    machine: Machine, sts: StsServer
) -> None:
    sts.enforce_chained_cap = False  # keys of GetSessionToken look like a role's
    machine.set(**ROLE_KEYS)
    machine.assume(hop(A, duration_seconds=7200))
    assert [call.parameters["DurationSeconds"] for call in sts.calls] == ["7200"]


def test_cap_is_lowered_once_and_for_that_reason_only(machine: Machine, sts: StsServer) -> None:
    chaining = "The requested DurationSeconds exceeds the 1 hour session limit (role chaining)"
    sts.fail(error("ValidationError", chaining))
    outcome = machine.assume(hop(A, duration_seconds=7200))
    assert isinstance(outcome.error, SessionTooLong)
    assert sts.count() == 2
    for fields in ({}, {"duration_seconds": 3600}):
        sts.forget()
        assert isinstance(machine.assume(hop(A, **fields)).error, SessionTooLong)
        assert sts.count() == 1
    sts.heal()
    sts.forget()
    sts.fail(error("ValidationError"))
    outcome = machine.assume(hop(A, duration_seconds=7200))
    assert type(outcome.error) is ProviderFailed
    assert "raise the role's maximum session duration" in outcome.said
    assert sts.count() == 1


def test_rejected_source_is_fetched_again_once(
    machine: Machine, sts: StsServer, imds: ImdsServer
) -> None:
    sts.revoke(imds.current["AccessKeyId"])
    kept: list[Credentials] = []

    def resolver(
        run: Run, key: bytes, fetch: Callable[[Run], Credentials], force: bool, person: bool
    ) -> Credentials:
        if "imds" in session.parts(key):
            if force:
                imds.turn()
            elif kept:
                return kept[-1]
            kept.append(fetch(run))
            return kept[-1]
        return fetch(run)

    run = machine.run()
    run.resolver = resolver
    outcome = machine.assume(hop(A), hop(B), source="imds", run=run)
    assert outcome.error is None
    assert [found.access_key for found in kept] == [call.access_key for call in sts.calls[:2]]
    assert len(sts.calls) == 3


def test_source_that_stays_rejected_is_named(
    machine: Machine, sts: StsServer, imds: ImdsServer
) -> None:
    sts.revoke(imds.current["AccessKeyId"])
    outcome = machine.assume(hop(A), hop(B), source="imds")
    assert isinstance(outcome.error, ProviderFailed)
    assert outcome.said.startswith(f"role 1 of 2, {A}: ExpiredToken: ")
    assert outcome.said.endswith("have expired (credentials from imds)")
    assert sts.count() == 1
    assert imds.count("creds") == 2


def recorder(seen: list[bytes]) -> Resolver:
    """Return a resolver that only records the keys of sessions."""

    def keep(
        run: Run, key: bytes, fetch: Callable[[Run], Credentials], force: bool, person: bool
    ) -> Credentials:
        assert not force
        seen.append(key)
        return fetch(run)

    return keep


def identities(
    machine: Machine, *hops: Hop, source: str = "env", mfa_command: str = ""
) -> list[bytes]:
    """Return the keys of all sessions, in the order in which locks are taken."""
    seen: list[bytes] = []
    run = machine.run(mfa_command=mfa_command)
    run.resolver = recorder(seen)
    outcome = machine.assume(*hops, source=source, run=run)
    assert outcome.error is None, outcome.said
    return seen


def test_locks_are_taken_from_the_last_role_towards_the_source(machine: Machine) -> None:
    seen = identities(machine, hop(A), hop(B), hop(C), source="imds")
    assert [key.count(b'"role_arn"') for key in seen] == [3, 2, 1, 0]
    shorter = identities(machine, hop(A), hop(B), source="imds")
    assert shorter == seen[1:]


CHANGES: dict[str, dict[str, Any]] = {
    "role_arn": {"role_arn": B},
    "role_session_name": {"role_session_name": "me"},
    "external_id": {"external_id": "42"},
    "duration_seconds": {"duration_seconds": 900},
    "policy": {"policy": "{}"},
    "policy_arn": {"policy_arn": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]},
    "tag": {"tag": ["a=b"]},
    "transitive_tag_key": {"tag": ["a=b"], "transitive_tag_key": ["a"]},
    "source_identity": {"source_identity": "jane"},
    "serial_number": {"serial_number": "GAHT12345678"},
    "sts_region": {"sts_region": "eu-west-1"},
}


def test_every_option_has_its_change() -> None:
    options = {option.attribute for option in OPTIONS}
    assert set(CHANGES) == options | {"role_arn"}


@pytest.mark.parametrize("name", sorted(set(CHANGES) - {"sts_region"}))
def test_every_parameter_makes_another_entry(name: str, machine: Machine) -> None:
    changed = hop(CHANGES[name].get("role_arn", A), **_without_arn(CHANGES[name]))
    first = identities(machine, hop(A), hop(C))
    second = identities(machine, changed, hop(C), mfa_command="sh -c 'echo 123456'")
    assert len(first) == len(second) == 2
    assert set(first).isdisjoint(second)


def _without_arn(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "role_arn"}


SHARED, APART = True, False
DOCUMENT = '{"Version": 1, "AccessKeyId": "AKIAHELPER", "SecretAccessKey": "s"}'
PROFILES = f"""\
[profile one]
output = json
[profile two]
output = text
[profile elsewhere]
endpoint_url = {{sts}}
[profile near]
ec2_metadata_service_endpoint = {{imds}}
[profile keys]
aws_access_key_id = {KEY}
aws_secret_access_key = s
[profile helper]
credential_process = sh -c 'echo "$0"' '{{document}}'
"""


@pytest.mark.parametrize(
    ("source", "before", "after", "shared"),
    [
        ("env", {"AWS_PROFILE": "one"}, {"AWS_PROFILE": "two"}, SHARED),
        ("env", {"AWS_PROFILE": None}, {"AWS_DEFAULT_PROFILE": "two"}, SHARED),
        ("env", {"AWS_PROFILE": "one"}, {"AWS_PROFILE": "elsewhere"}, APART),
        ("env", {}, {"AWS_SECRET_ACCESS_KEY": "other"}, SHARED),
        ("env", {}, {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLF"}, APART),
        ("env", {}, {"AWS_REGION": "eu-west-1"}, SHARED),
        ("env", {}, {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}, APART),
        ("imds", {"AWS_PROFILE": "one"}, {"AWS_PROFILE": "two"}, SHARED),
        ("profile:keys", {"AWS_PROFILE": "one"}, {"AWS_PROFILE": "two"}, SHARED),
        ("profile:keys", {"AWS_PROFILE": "one"}, {"AWS_PROFILE": "elsewhere"}, SHARED),
        ("profile:helper", {"AWS_PROFILE": "one"}, {"AWS_PROFILE": "two"}, APART),
    ],
)
def test_cache_key_of_a_hop_has_all_that_it_depends_on(
    source: str, before: dict[str, str | None], after: dict[str, str | None], shared: bool,
    machine: Machine, sts: StsServer, imds: ImdsServer,
) -> None:  # fmt: skip
    machine.config(PROFILES.format(sts=sts.url, imds=imds.url, document=DOCUMENT))
    machine.set(**before)
    first = identities(machine, hop(A, sts_region="eu-central-1"), source=source)
    machine.set(**after)
    second = identities(machine, hop(A, sts_region="eu-central-1"), source=source)
    assert (first == second) is shared


def test_instances_hops_are_shared_where_no_profile_speaks_of_imds(machine: Machine) -> None:
    machine.config("[profile one]\n[profile two]\n")
    machine.set(AWS_PROFILE="one")
    first = identities(machine, hop(A), source="imds")
    machine.set(AWS_PROFILE="two")
    assert identities(machine, hop(A), source="imds") == first


@pytest.mark.parametrize(
    ("config", "credentials", "shared"),
    [
        ("[default]\noutput = json\n", "[laptop]\n{keys}", SHARED),
        ("[profile other]\nregion = eu-west-1\n", "[laptop]\n{keys}[other]\n{other}", SHARED),
        ("[default]\n", "[laptop]\n{other}", APART),
    ],
)
def test_session_depends_on_what_the_files_say_and_not_on_the_files(
    config: str, credentials: str, shared: bool, machine: Machine
) -> None:
    keys = f"aws_access_key_id = {KEY}\naws_secret_access_key = s\n"
    machine.credentials("[laptop]\n" + keys)
    machine.config("[default]\n")
    first = identities(machine, hop(A), source="profile:laptop")
    machine.config(config)
    machine.credentials(credentials.format(keys=keys, other=keys.replace(KEY, f"{KEY[:-1]}X")))
    second = identities(machine, hop(A), source="profile:laptop")
    assert (first == second) is shared


def test_profiles_share_the_hops_of_the_same_roles_with_explicit_chains(machine: Machine) -> None:
    machine.credentials(f"[laptop]\naws_access_key_id = {KEY}\naws_secret_access_key = s\n")
    machine.config(
        f"[profile jump]\nrole_arn = {A}\nsource_profile = laptop\n"
        f"[profile dev]\nrole_arn = {B}\nsource_profile = jump\n"
        f"[profile prod]\nrole_arn = {C}\nsource_profile = jump\n"
    )
    seen: dict[str, list[bytes]] = {"dev": [], "prod": []}
    for name, found in seen.items():
        run = machine.run()
        run.resolver = recorder(found)
        assert machine.profile(name, run).error is None
    assert seen["dev"][1:] == seen["prod"][1:]
    assert seen["dev"][0] != seen["prod"][0]
    assert identities(machine, hop(A), hop(B), source="profile:laptop") == seen["dev"]
    assert identities(machine, hop(C), source="profile:jump") == seen["prod"]


@pytest.mark.parametrize("user", ["jane", "jäne doe", "x" * 100, ""])
def test_session_name_is_one_that_sts_takes(user: str, machine: Machine) -> None:
    machine.set(LOGNAME=user, USER=user)
    name = default_name()
    assert re.fullmatch(r"credproc-[\w+=,.@-]+", name, re.ASCII)
    assert limits.role_session_name(name) == ""
    assert name == default_name()


def test_settings_of_endpoints_are_keys_that_botocore_reads() -> None:
    # A key misspelled here would let two endpoints share a session.
    known = configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES
    read = {name for name, *_ in known.values() if isinstance(name, str)}
    assert set(ENDPOINT_KEYS.values()) - read == {"endpoint_url"}
