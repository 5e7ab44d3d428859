"""Sessions and what answers depend on, in words; and which sessions a command line needs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credproc import answer, session, system
from credproc.ctl import sessions, witnesses
from credproc.deadline import Deadline
from credproc.log import Log
from credproc.mfa import Mfa
from credproc.run import Run

if TYPE_CHECKING:
    from pathlib import Path

    from credproc.session import Parts

ROLE, SHORT = "arn:aws:iam::123456789012:role/team/reports", "reports@123456789012"
HERE = os.uname().nodename
NAMES = st.text('aé€"\\\0 =', max_size=8)
PARTS = st.dictionaries(NAMES, st.one_of(NAMES, st.integers(), st.lists(NAMES)), max_size=3)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"role_arn": ROLE, "user": "ann"}, "reports@123456789012"),
        ({"role_arn": ROLE, "external_id": "geheim", "tag": ["a=geheim"], "duration_seconds": 900,
          "name": "ci"},
         f"{SHORT} --external-id ... --duration-seconds 900 --tag ... --role-session-name ci"),
        ({"role_arn": "nonsense"}, "nonsense"),
        ({"web_identity": ROLE, "token": "1"}, "reports@123456789012 by web identity"),
        ({"sso_role_name": "Admin", "sso_account_id": "123456789012"},
         "Admin@123456789012 by SSO"),
        ({"login_session": "arn:aws:iam::123456789012:user/ann"},
         "arn:aws:iam::123456789012:user/ann by aws login"),
        ({"helper": "saml2aws", "command": "1"}, "credential_process saml2aws"),
        ({"imds": "", "instance": "1 a"}, "instance role"),
        ({"imds": "app", "instance": "1 a"}, "instance role app"),
        ({"container": "1", "token": "2"}, "container role"),
        ({"keys": "AKIAIOSFODNN7EXAMPLE"}, "long-term key ...MPLE"),
        ({}, "an unknown source"),
    ],
)  # fmt: skip
def test_session_is_described_without_private_parts(parts: Parts, words: str) -> None:
    assert sessions.described(parts) == words


@given(st.lists(PARTS, min_size=1, max_size=4))
@settings(max_examples=30)
def test_keys_of_the_sessions_that_a_role_is_made_from_are_in_its_own(chain: list[Parts]) -> None:
    keys: list[bytes] = []
    whole: Parts = {}
    for parts in chain:
        parts.pop("caller", None)
        whole = {**parts, "caller": whole} if keys else parts
        keys.append(session.key(whole))

    found = [session.key(parts) for parts in sessions.chain(session.parts(keys[-1]))]

    assert found == keys[::-1]


def test_session_of_this_machine_is_not_elsewhere() -> None:
    here = f"{system.boot_id()} {system.host_name()}"
    role = {"role_arn": ROLE, "machine": system.machine_id(), "caller": {"instance": here}}

    assert not sessions.is_elsewhere(role)
    assert sessions.is_elsewhere({**role, "caller": {"instance": "1 elsewhere"}})
    assert sessions.is_elsewhere({**role, "machine": "another"})


def run(**environ: str) -> Run:
    """Return a run in this environment."""
    return Run(environ, Deadline(10), Log("", time.time), Mfa("", environ))


@pytest.mark.parametrize(
    "argv",
    [
        ["--nonsense"],
        ["--help"],
        ["--profile", "missing"],
        ["--role-arn", "arn:aws:iam::123456789012:role/a", "--source", "profile:missing"],
    ],
)
def test_command_line_that_would_fail_needs_no_session(argv: list[str]) -> None:
    assert sessions.reachable(run(HOME="/nowhere"), argv) == set()


def test_provider_that_does_not_apply_does_not_hide_the_next_one() -> None:
    argv = ["--imds", "--imds", "app"]
    environ = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token"}

    assert len(sessions.reachable(run(**environ), argv)) == 1
    assert len(sessions.reachable(run(), argv)) == 2


def test_all_that_has_changed_is_named(tmp_path: Path) -> None:
    present, removed, new = (tmp_path / name for name in ("present", "removed", "new"))
    for path in (present, removed):
        path.write_text("1")
    seen = answer.Witnesses({"PATH": "/bin"})
    for path in (present, removed, new):
        seen.file(str(path))
    seen.instance()
    seen.machine()
    seen.variable("PATH")
    assert witnesses.changes(seen.encoded(), {"PATH": "/bin"}) == []

    present.write_text("2")
    removed.unlink()
    new.write_text("1")

    assert witnesses.changes(seen.encoded(), {"PATH": "/sbin"}) == [
        f"{present} has changed",
        f"{removed} no longer exists",
        f"{new} now exists",
        "the variable PATH has changed",
    ]
    assert len(witnesses.changes(seen.encoded(), {"PATH": "/sbin"}, anywhere=True)) == 3


@pytest.mark.parametrize(
    ("record", "described", "change"),
    [
        (f"instance 1 {HERE} ", f"this machine ({HERE}) since it was started",
         "this machine was restarted, or it is another one with the same name"),
        ("instance 1 elsewhere ", "this machine (elsewhere) since it was started",
         "it was cached on another machine (elsewhere)"),
        ("host elsewhere ", "the host name elsewhere",
         f"the host name is {HERE}, not elsewhere"),
        ("directory 1 2 ", "the working directory", "the working directory is different"),
        ("absent 2 /bin/sh", "/bin/sh (does not exist)", "/bin/sh now exists"),
        ("variable 00000001 PATH", "the variable PATH", "the variable PATH has changed"),
    ],
)  # fmt: skip
def test_witness_is_put_into_words(record: str, described: str, change: str) -> None:
    encoded = f"{record}\0".encode()

    assert witnesses.dependences(encoded) == [described]
    assert witnesses.changes(encoded, {}) == [change]


def test_variables_of_a_key_are_shown_without_secrets() -> None:
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "geheim",
        "AWS_ENDPOINT_URL": "http://ann:geheim@proxy",
        "AWS_REGION": "eu-west-1",
        "UNRELATED": "geheim",
    }

    assert witnesses.variables(answer.key(["--imds", "x"], environ)) == [
        "AWS_ACCESS_KEY_ID=...MPLE",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN=...",
        "AWS_ENDPOINT_URL=...",
        "AWS_REGION=eu-west-1",
    ]
