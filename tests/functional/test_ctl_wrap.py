"""credprocctl profile wrap and unwrap: profiles get the cache under their names, and lose it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ctl import CREDPROCCTL, ctl, data, failed, one_line
from tests.harness import CREDPROC
from tests.shapes import BASE, DEVICE, SHAPES, Machine, arn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

DEV = f"[profile dev]\nrole_arn = {arn('dev')}\nsource_profile = base\nregion = eu-west-1\n"
#: Roles in a row, from keys; one of them has keys as well, which the next one starts from.
CHAINS = (
    f"[profile a]\nrole_arn = {arn('a')}\nsource_profile = a\naws_access_key_id = AKIAX\n"
    "aws_secret_access_key = y\n"
    f"[profile b]\nrole_arn = {arn('b')}\nsource_profile = a\n"
    f"[profile c]\nrole_arn = {arn('c')}\nsource_profile = b\n"
)

#: One shape of each kind; the others run under --all.
KINDS = {
    "a role with MFA", "everything in the credentials file", "a role as the default",
    "a name in single quotes", "a chain of two roles", "a role from its own keys",
    "Windows line ends", "nested settings", "a helper", "an SSO session", "a role from SSO",
    "the environment as the source", "a web identity", "wide and odd headers",
}  # fmt: skip
assert set(SHAPES) > KINDS


@pytest.fixture
def machine(host: Host, imds: ImdsServer, sts: StsServer) -> Iterator[Machine]:
    with Machine(host, imds, sts) as made:
        yield made


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name not in KINDS)) for name in SHAPES],
)
def test_wrapped_profiles_keep_their_identity_and_unwrapping_restores_every_byte(
    machine: Machine, name: str
) -> None:
    shape = SHAPES[name]
    machine.write(shape)
    files, before = machine.files(), machine.profiles()

    ctl(machine.host, "profile", "wrap", "--all", "--", "--mfa-command", machine.code)
    after = machine.profiles()
    lines = [each["profile"] for each in data(machine.host, "profile", "show")]

    assert lines == [each for each in after if each in shape.wrapped]
    assert sorted(lines) == sorted(shape.wrapped)
    assert {each: after[each] for each in before} == before
    assert sorted(set(after) - set(before)) == sorted(f"{each}-source" for each in shape.wrapped)
    ctl(machine.host, "profile", "unwrap", "--all")
    assert machine.files() == files


@pytest.mark.parametrize("name", ["an SSO session", "a chain of two roles", "a helper"])
def test_second_run_of_a_wrapped_profile_makes_no_call(machine: Machine, name: str) -> None:
    machine.write(SHAPES[name])
    ctl(machine.host, "profile", "wrap", "--all")
    machine.profiles()
    calls = len(machine.sts.requests) + len(machine.portal.requests)

    for profile in SHAPES[name].wrapped:
        line = data(machine.host, "profile", "show", profile)["credential_process"]
        assert machine.host.run("-c", line, command="/bin/sh").document

    assert len(machine.sts.requests) + len(machine.portal.requests) == calls


@pytest.mark.parametrize("order", list(itertools.permutations("abc")), ids="".join)
def test_order_of_wrapping_and_unwrapping_does_not_matter(
    host: Host, order: tuple[str, ...]
) -> None:
    path = host.config(CHAINS)
    ctl(host, "profile", "wrap", "--all")
    wrapped = path.read_text()
    ctl(host, "profile", "unwrap", "--all")

    for name in order:
        ctl(host, "profile", "wrap", name)
    assert path.read_text() == wrapped
    for name in order:
        ctl(host, "profile", "unwrap", name)
    assert path.read_text() == CHAINS


def test_dry_run_shows_the_difference_without_secrets_and_changes_nothing(host: Host) -> None:
    text = (
        f"[profile h]\ncredential_process = helper --password geheim\nexternal_id = geheim\n{DEV}"
    )
    path = host.config(text)
    host.credentials(BASE)

    said = ctl(host, "profile", "wrap", "--all", "--dry-run")
    found = data(host, "profile", "wrap", "dev", "h", "--dry-run")

    assert f"\n+credential_process = {CREDPROC} --profile dev-source\n" in said
    assert "\n+[profile dev-source]\n" in said
    assert "geheim" not in said + json.dumps(found)
    assert found["diff"] in said
    assert found["profiles"] == [
        {"profile": "dev", "source": "dev-source"}, {"profile": "h", "source": "h-source"},
    ]  # fmt: skip
    assert path.read_text() == text
    assert sorted(each.name for each in path.parent.iterdir()) == ["config", "credentials"]


def test_settings_that_were_changed_meanwhile_are_kept(host: Host) -> None:
    path = host.config(DEV)
    host.credentials(BASE)
    ctl(host, "profile", "wrap", "dev")
    text = path.read_text().replace("region = eu-west-1", "region = eu-north-1\noutput = text", 1)
    path.write_text(f"{text}\n[profile new]\nregion = x\n")

    ctl(host, "profile", "unwrap", "dev")

    assert path.read_text() == (
        f"{DEV.replace('eu-west-1', 'eu-north-1')}output = text\n\n[profile new]\nregion = x\n"
    )
    assert path.with_name("config.credproc.bak").read_text() == DEV


@pytest.mark.parametrize(
    ("config", "credentials", "reason"),
    [
        ("", BASE, "there is no profile dev in "),
        ("[profile dev]\nregion = x\n", "", "profile dev does not say where credentials come from"),
        ("", BASE.replace("base", "dev"), "profile dev has long-term keys, which need no cache"),
        (
            "",
            f"{BASE.replace('base', 'dev')}aws_session_token = t\n",
            "has temporary keys, written",
        ),
        (f"{DEV}[profile dev-source]\nregion = x\n", "", "choose another --suffix"),
        (DEV, BASE.replace("base", "dev"), "credentials and also other credentials"),
        (DEV, "", "profile dev does not work: base, the source_profile of dev, does not"),
        (f"{DEV}[profile 'dev']\nregion = x\n", BASE, "has two sections, [profile dev] on line 1"),
        (f"[profile dev]\ncredential_process = {CREDPROC}\n", "", "already runs credproc"),
        (f"[DEFAULT]\nrole_arn = {arn('x')}\n{DEV}", BASE, "edit it by hand"),
    ],
)
def test_profile_that_cannot_be_wrapped_is_refused_with_the_reason(
    host: Host, config: str, credentials: str, reason: str
) -> None:
    path = host.config(config)
    host.credentials(credentials)

    assert reason in failed(host, "profile", "wrap", "dev", status=2)
    assert path.read_text() == config


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["wrap"], "give the names of profiles, or --all"),
        (["wrap", "dev", "--all"], "give the names of profiles, or --all"),
        (["unwrap"], "give the names of profiles, or --all"),
        (["wrap", "dev", "--suffix", ""], "--suffix: empty value"),
        (["wrap", "dev", "--suffix", "a b"], "--suffix: must be letters"),
        (["wrap", "dev", "--", "--imds"], "wrap: options after -- must not name"),
        (["wrap", "dev", "--", "--profile", "x"], "wrap: options after -- must not name"),
        (["unwrap", "dev"], "profile dev was not wrapped"),
        (["unwrap", "app"], "it caches app-dev: give --suffix, or use profile remove"),
    ],
)
def test_invalid_arguments_are_refused(host: Host, words: list[str], reason: str) -> None:
    text = f"{DEV}[profile app]\ncredential_process = {CREDPROC} --profile app-dev\n"
    path = host.config(text)
    host.credentials(BASE)

    assert reason in failed(host, "profile", *words, status=2)
    assert path.read_text() == text


def test_all_reports_what_it_did_not_wrap_and_why(host: Host) -> None:
    host.config(f"{DEV}[profile bare]\nregion = x\n")
    host.credentials(BASE)

    found = data(host, "profile", "wrap", "--all")
    again = data(host, "profile", "wrap", "--all")

    assert [each["profile"] for each in found["profiles"]] == ["dev"]
    assert [each["profile"] for each in found["left"]] == ["bare", "base"]
    assert again["profiles"] == again["steps"] == []


def test_profile_that_another_profile_caches_is_not_unwrapped(host: Host) -> None:
    path = host.config(DEV)
    host.credentials(BASE)
    ctl(host, "profile", "wrap", "dev")
    ctl(host, "profile", "add", "mine", "--", "--profile", "dev-source")
    text = path.read_text()

    error = failed(host, "profile", "unwrap", "dev", status=2)

    assert error == "profile mine runs credproc for dev-source: change that first"
    assert path.read_text() == text


def test_profile_remove_refuses_a_wrapped_profile(host: Host) -> None:
    path = host.config(DEV)
    host.credentials(BASE)
    ctl(host, "profile", "wrap", "dev")
    text = path.read_text()

    error = failed(host, "profile", "remove", "dev", status=2)

    assert error == "profile dev was wrapped: `credprocctl profile unwrap dev` restores it"
    assert path.read_text() == text


def test_link_stays_a_link_and_the_mode_stays(host: Host) -> None:
    path = host.config("")
    target = host.folder / "dotfiles"
    target.write_text(DEV)
    target.chmod(0o640)
    host.credentials(BASE)
    path.unlink()
    path.symlink_to(target)

    ctl(host, "profile", "wrap", "dev")

    assert path.is_symlink()
    assert "dev-source" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o640
    ctl(host, "profile", "unwrap", "dev")
    assert target.read_text() == DEV


def test_read_only_config_is_named_with_what_to_change(host: Host) -> None:
    path = host.config(DEV)
    host.credentials(BASE)
    path.chmod(0o444)

    result = host.run("profile", "wrap", "dev", command=CREDPROCCTL)

    assert result.status == 1
    assert one_line(result) == (f"{path} is read-only (see chmod); change it by hand")
    assert b"+[profile dev-source]\n" in result.stdout
    assert sorted(each.name for each in path.parent.iterdir()) == ["config", "credentials"]


@pytest.mark.parametrize("stop", range(4))
def test_change_that_was_interrupted_between_the_files_works_and_is_completed(
    machine: Machine, stop: int
) -> None:
    """As if the run had been killed with one of the two files written."""
    machine.write(SHAPES["everything in the credentials file"])
    folder = machine.host.home / ".aws"
    before, profiles = machine.files(), machine.profiles()
    ctl(machine.host, "profile", "wrap", "dev")
    after = machine.files()
    command = "wrap" if stop < 2 else "unwrap"
    # wrap writes the config first; unwrap last.
    written = (after[0], before[1])
    (folder / "config").write_bytes(written[0])
    (folder / "credentials").write_bytes(written[1])

    assert machine.profiles()["dev"] == profiles["dev"]
    ctl(machine.host, "profile", command, "--all" if stop % 2 else "dev")
    assert machine.files() == (after if command == "wrap" else before)


def test_codes_are_needed_no_more_often_than_before(machine: Machine) -> None:
    """Check that the first use of each profile needs a code, and the second does not."""
    shape = SHAPES["twelve roles with one device"]
    machine.write(shape)
    ctl(machine.host, "profile", "wrap", "--all", "--", "--mfa-command", machine.code)

    for _ in range(2):
        machine.profiles()

    assert Path(f"{machine.code}.log").read_text() == "run\n" * len(shape.wrapped)
    assert {call.parameters.get("SerialNumber") for call in machine.sts.calls} == {DEVICE}


@pytest.mark.parametrize(
    ("words", "given"),
    [(["--mfa-session"], "--mfa-session"), (["--", "--mfa-session", "3600"], "--mfa-session 3600")],
)
def test_mfa_session_is_given_only_to_profiles_with_a_device(
    words: list[str], given: str, host: Host
) -> None:
    path = host.config(f"{DEV}[profile ann]\nrole_arn = {arn('ann')}\nsource_profile = base\n"
                       f"mfa_serial = {DEVICE}\n")  # fmt: skip
    host.credentials(BASE)

    ctl(host, "profile", "wrap", "--all", *words)

    lines = [line for line in path.read_text().splitlines() if line.startswith("credential_")]
    assert sorted(line.partition("--profile ")[2] for line in lines) == [
        f"ann-source {given}",
        "dev-source",
    ]
