"""One MFA code for many roles: --mfa-session."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from credproc.store import Store
from tests import cachedir, ctl
from tests.servers.sts import error as sts_error
from tests.terminal import Terminal, result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Host
    from tests.servers.sts import Call, StsServer

KEYS = ("AKIAIOSFODNN7EXAMPLE", "0123456789abcdef" * 2)
A = "arn:aws:iam::111122223333:role/a"
B = "arn:aws:iam::444455556666:role/b"
DEVICE, OTHER = "arn:aws:iam::111122223333:mfa/me", "arn:aws:iam::111122223333:mfa/other"
CODES = ("314159", "265358", "979323")
ARGV = ["--role-arn", A, "--serial-number", DEVICE, "--source", "env", "--mfa-session"]


@pytest.fixture
def person(host: Host, sts: StsServer) -> Host:
    """The machine of a person with keys, and a device that shows three codes."""
    host.environ |= {
        "AWS_ENDPOINT_URL_STS": sts.url,
        "AWS_ACCESS_KEY_ID": KEYS[0],
        "AWS_SECRET_ACCESS_KEY": KEYS[1],
    }
    sts.mfa_codes[DEVICE] = list(CODES)
    sts.mfa_ages = {A: 43200, B: 43200}
    return host


@pytest.fixture
def terminal(person: Host) -> Iterator[Terminal]:
    """The person's terminal."""
    with Terminal(person) as opened:
        yield opened


def code(host: Host, codes: tuple[str, ...] = CODES) -> str:
    """Return an --mfa-command that prints one code after the other."""
    path, runs = host.folder / "code", host.folder / "runs"
    shown = " ".join(codes)
    script = f'echo run >>{runs}\nset -- {shown}\nshift $(($(wc -l <{runs}) - 1))\necho "$1"\n'
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o700)
    return f"--mfa-command={path}"


def kinds(sts: StsServer) -> list[str]:
    """Return the actions that were called; with a + those with a code."""
    return [f"{call.action}{'+' * ('TokenCode' in call.parameters)}" for call in sts.calls]


def first(sts: StsServer, action: str) -> Call:
    """Return the first call of an action."""
    return next(call for call in sts.calls if call.action == action)


def test_twelve_profiles_need_one_code(person: Host, sts: StsServer) -> None:
    names = [f"p{number}" for number in range(12)]
    person.config(
        f"[profile keys]\naws_access_key_id = {KEYS[0]}\naws_secret_access_key = {KEYS[1]}\n"
        + "".join(
            f"[profile {name}]\nrole_arn = {A}{name}\nsource_profile = keys\n"
            f"mfa_serial = {DEVICE}\n"
            for name in names
        )
    )
    sts.mfa_ages = {f"{A}{name}": 43200 for name in names}
    command = code(person)  # once: a program that is being rewritten cannot be run
    started = [person.start("--profile", name, "--mfa-session", command) for name in names]

    documents = [process.wait().document for process in started]
    assert len({document["AccessKeyId"] for document in documents}) == 12
    assert sorted(kinds(sts)) == ["AssumeRole"] * 12 + ["GetSessionToken+"]
    session = first(sts, "GetSessionToken")
    assert session.access_key == KEYS[0]
    assert session.parameters == {
        "DurationSeconds": "43200", "SerialNumber": DEVICE, "TokenCode": CODES[0],
    }  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in person.cache.iterdir()} == {0o600}
    assert len(cachedir.entries(person.cache)) == 1 + 12 + 12  # session, roles, answers


def test_prompt_says_that_one_code_is_enough(terminal: Terminal, sts: StsServer) -> None:
    process = terminal.start(*ARGV)
    terminal.wait_for(f"MFA code for {DEVICE} (role {A}, then none for 12 h): ")
    terminal.type(f"{CODES[0]}\n")
    assert result(process).document["Version"] == 1

    other = ["--role-arn", B, *ARGV[2:]]
    assert terminal.host.document(*other)["AccessKeyId"].startswith("ASIA")
    assert kinds(sts) == ["GetSessionToken+", "AssumeRole", "AssumeRole"]


def test_roles_are_refreshed_in_the_background_without_a_person(
    terminal: Terminal, sts: StsServer
) -> None:
    process = terminal.start(*ARGV)
    terminal.wait_for("then none for")
    terminal.type(f"{CODES[0]}\n")
    before = result(process).document
    leave_roles(terminal.host, 1500)

    assert terminal.host.document(*ARGV) == before
    terminal.host.settle()
    assert terminal.host.document(*ARGV) != before
    assert kinds(sts) == ["GetSessionToken+", "AssumeRole", "AssumeRole"]


def test_another_terminal_shows_which_prompt_it_waits_for(
    terminal: Terminal, sts: StsServer
) -> None:
    first = terminal.start(*ARGV)
    terminal.wait_for("then none for 12 h): ")
    with Terminal(terminal.host) as other:
        second = other.start("--role-arn", B, *ARGV[2:])
        unseen = terminal.host.start(*ARGV)
        other.wait_for(
            "credproc: this run is waiting for the MFA prompt on another terminal: MFA code for "
        )
        other.wait_for(f"(role {A}, then none for 12 h) (process {first.pid}, lock taken ")
        terminal.type(f"{CODES[0]}\n")
        documents = [result(first).document, result(second).document]

    assert unseen.wait().document == documents[0] != documents[1]
    assert kinds(sts) == ["GetSessionToken+", "AssumeRole", "AssumeRole"]


def leave_roles(host: Host, seconds: float) -> None:
    """Leave roles and answers so many seconds; the MFA session is as it was."""
    kept = [entry for entry in cachedir.entries(host.cache) if entry.provider == "mfa-session"]
    cachedir.leave(host.cache, seconds)
    for entry in kept:
        Store(str(host.cache)).write(entry)


def test_a_duration_of_twelve_hours_is_requested(person: Host, sts: StsServer) -> None:
    document = person.document(*ARGV, code(person), "--duration-seconds", "43200")

    assert first(sts, "AssumeRole").parameters["DurationSeconds"] == "43200"
    assert len(sts.calls) == 2
    (answer,) = {entry.expiration for entry in cachedir.entries(person.cache)
                 if entry.provider == "chain"}  # fmt: skip
    assert answer - time.time() > 43100
    assert document["SessionToken"]


def test_a_role_that_requires_a_newer_code_gets_one(person: Host, sts: StsServer) -> None:
    sts.mfa_ages[A] = 0
    document = person.document(*ARGV, code(person))

    assert kinds(sts) == ["GetSessionToken+", "AssumeRole", "AssumeRole+"]
    assert sts.calls[-1].access_key == KEYS[0]
    assert sts.calls[-1].parameters["TokenCode"] == CODES[1]
    assert person.document(*ARGV, code(person)) == document


def test_refusal_is_not_hidden_by_a_missing_code(person: Host, sts: StsServer) -> None:
    person.document("--role-arn", B, *ARGV[2:], code(person))
    sts.mfa_ages[A] = 0
    failed = person.run(*ARGV)

    assert failed.status == 1
    assert "AccessDenied" in failed.stderr
    assert "to try with a new MFA code: an MFA code for" in failed.stderr
    assert "there is no terminal for a prompt" in failed.stderr


def test_an_expired_session_needs_a_new_code(person: Host, sts: StsServer) -> None:
    argv = [*ARGV, code(person)]
    person.document(*argv)
    cachedir.leave(person.cache, -5)
    person.document(*argv)

    assert kinds(sts) == ["GetSessionToken+", "AssumeRole"] * 2
    assert [call.parameters.get("TokenCode") for call in sts.calls][::2] == [*CODES[:2]]


def test_a_session_that_sts_rejects_needs_a_new_code(person: Host, sts: StsServer) -> None:
    person.document(*ARGV, code(person))
    sts.revoke(sts.issued[0].access_key)
    person.document("--role-arn", B, *ARGV[2:], code(person))

    assert kinds(sts)[2:] == ["AssumeRole", "GetSessionToken+", "AssumeRole"]


def test_refresh_needs_a_new_code(person: Host, sts: StsServer) -> None:
    argv = [*ARGV, code(person)]
    assert person.document(*argv) != person.document(*argv, "--refresh")
    assert kinds(sts) == ["GetSessionToken+", "AssumeRole"] * 2


def test_a_role_with_another_device_needs_its_code(person: Host, sts: StsServer) -> None:
    sts.mfa_codes[OTHER] = [CODES[1]]
    argv = [*ARGV, "--role-arn", B, "--serial-number", OTHER]
    person.document(*argv, code(person))

    assert kinds(sts) == ["GetSessionToken+", "AssumeRole", "AssumeRole+"]
    assert sts.calls[-1].parameters["SerialNumber"] == OTHER


def test_other_devices_and_durations_have_other_sessions(person: Host, sts: StsServer) -> None:
    sts.mfa_codes[OTHER] = [CODES[1]]
    person.document(*ARGV, code(person))
    person.document(*[OTHER if word == DEVICE else word for word in ARGV], code(person))
    person.document(*ARGV, "900", code(person))

    assert kinds(sts) == ["GetSessionToken+", "AssumeRole"] * 3
    durations = [call.parameters["DurationSeconds"] for call in sts.calls[::2]]
    assert durations == ["43200", "43200", "900"]


# An old setting leaves the call to botocore.
WAYS: dict[str, dict[str, Any]] = {
    "lean": {},
    "botocore": {"AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_REGION": "eu-west-1"},
}


@pytest.mark.parametrize("way", WAYS)
def test_both_clients_of_sts_get_a_session(person: Host, sts: StsServer, way: str) -> None:
    person.document(*ARGV, code(person), **WAYS[way])
    agent = sts.requests[0].headers["user-agent"]

    assert kinds(sts) == ["GetSessionToken+", "AssumeRole"]
    assert agent.lower().startswith("botocore" if way == "botocore" else "credproc")


@pytest.mark.parametrize("way", WAYS)
def test_both_clients_report_a_wrong_code_and_a_denial_alike(
    person: Host, sts: StsServer, way: str
) -> None:
    wrong = person.run(*ARGV, "--mfa-command", "sh -c 'echo 111111'", **WAYS[way])
    sts.fail(sts_error("AccessDenied"), action="GetSessionToken")
    denied = person.run(*ARGV, "--mfa-command", "sh -c 'echo 222222'", **WAYS[way])

    begin = f"credproc: chain: MFA session of {DEVICE}: AccessDenied: "
    assert wrong.stderr.startswith(f"{begin}MultiFactorAuthentication failed with invalid MFA")
    assert wrong.stderr.endswith("each code works once, so wait for the next one\n")
    assert denied.stderr.startswith(begin)
    assert denied.stderr.endswith("with long-term keys, unless a policy denies it\n")


# Where it is of no use.


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--imds"], "--mfa-session: needs --profile, or --role-arn with --serial-number"),
        (["--role-arn", A, "--source", "imds"], "long-term keys of a user, but --source imds"),
        (["--role-arn", A, "--source", "env"], "needs --serial-number with one of the roles"),
        (["--profile", "p", "--mfa-session=899"], "must be a whole number of seconds from 900"),
        (["--profile", "p", "--mfa-session=129601"], "seconds from 900 to 129600, not '129601'"),
        (["--profile", "plain"], "profile plain: --mfa-session is for roles that require an MFA"),
        (["--profile", "sso"], "needs the long-term keys of a user, but the credentials of source"),
        (["--profile", "helped"], "source profile:helper are temporary: omit --mfa-session"),
    ],
)
def test_profile_that_cannot_have_a_session_says_why(
    person: Host, sts: StsServer, argv: list[str], words: str
) -> None:
    helper = person.folder / "helper"
    helper.write_text(
        '#!/bin/sh\necho \'{"Version": 1, "AccessKeyId": "ASIAIOSFODNN7EXAMPLE", '
        f'"SecretAccessKey": "{KEYS[1]}", "SessionToken": "token"}}\'\n'
    )
    helper.chmod(0o700)
    role = f"role_arn = {A}\nmfa_serial = {DEVICE}\n"
    person.config(
        f"[profile p]\n{role}credential_source = Environment\n"
        "[profile plain]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
        f"aws_secret_access_key = {KEYS[1]}\n"
        f"[profile sso]\n{role}source_profile = portal\n"
        "[profile portal]\nsso_start_url = https://example.awsapps.com/start\n"
        "sso_region = us-east-1\nsso_account_id = 111122223333\nsso_role_name = Admin\n"
        f"[profile helped]\n{role}source_profile = helper\n"
        f"[profile helper]\ncredential_process = {helper}\n"
    )
    failed = person.run(*argv, "--mfa-session", code(person))

    assert (failed.status, failed.stdout) == (2, b"")
    assert words in failed.stderr
    assert sts.calls == []


def test_temporary_keys_of_the_environment_are_not_a_user(person: Host, sts: StsServer) -> None:
    failed = person.run(*ARGV, code(person), AWS_SESSION_TOKEN="token")

    assert failed.status == 2
    assert "the credentials of source env are temporary: omit --mfa-session" in failed.stderr
    assert sts.calls == []


# What credprocctl says.


def test_explain_shows_the_session(person: Host) -> None:
    before = ctl.ctl(person, "explain", "--", *ARGV)
    person.document(*ARGV, code(person))
    after = ctl.ctl(person, "explain", "--", *ARGV)

    assert f"MFA session  {DEVICE} for 43200 s; needs an MFA code; not cached" in before
    assert "fetch MFA session, role 1" in before
    assert "needs an MFA code; cached (" in after
    assert "print the cached session; nothing is fetched" in after


@pytest.mark.parametrize(
    ("below", "where"),
    [
        ("", "a role_arn"),
        (f"[profile p]\nrole_arn = {A}\nsource_profile = keys\n", "its role_arn, in profile p"),
    ],
)
def test_device_without_effect_is_reported(person: Host, below: str, where: str) -> None:
    person.config(
        f"[profile keys]\naws_access_key_id = {KEYS[0]}\naws_secret_access_key = {KEYS[1]}\n"
        f"mfa_serial = {DEVICE}\n{below}"
    )
    options = ["--", "--profile", "p" if below else "keys"]
    note = (
        "mfa_serial of profile keys has no effect, and no MFA code is requested: it applies only "
        f"beside {where}"
    )

    assert note in " ".join(ctl.ctl(person, "explain", *options).split())
    doctor = ctl.ctl(person, "doctor", *options, status=int(bool(below)))
    assert f"mfa {note}" in " ".join(doctor.split())
