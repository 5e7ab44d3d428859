"""Where a chain starts: what each source reads, and what it says if that is not to be had."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.credentials import EnvProvider, RefreshableCredentials
from botocore.utils import ContainerMetadataFetcher

from credproc import processes
from credproc.errors import (
    DeadlineExceeded,
    ProviderFailed,
    ProviderUnavailable,
    RequestError,
    SourceRejected,
    clean,
)
from credproc.providers import patience, resolved
from credproc.providers.source import Source
from credproc.providers.sts import load_config
from credproc.regions import home_region
from tests.chains import KEY, SECRET, A, B, Machine, hop
from tests.servers import faults
from tests.servers.container import ContainerServer
from tests.servers.rotation import iso
from tests.servers.sts import StsServer, error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from credproc.credentials import Credentials
    from credproc.run import Run

FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
RELATIVE = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
TOKEN = "canaryContainerToken0123456789"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sts: StsServer) -> Machine:
    made = Machine(monkeypatch, tmp_path)
    made.knows(sts)
    return made


@pytest.fixture
def task() -> Iterator[ContainerServer]:
    with ContainerServer(token=TOKEN) as server:
        yield server


def source(text: str, run: Run) -> Source:
    return Source(text, load_config(run, text.partition("profile:")[2]))


def retrieve(machine: Machine, text: str, seconds: float = 20) -> Credentials:
    run = machine.run(seconds)
    return source(text, run).retrieve(run)


# The environment.


@pytest.mark.parametrize("token", ["", "canaryTokenOfTheEnvironment0123456789"])
def test_keys_of_the_environment_are_taken_as_they_are(token: str, machine: Machine) -> None:
    machine.set(AWS_SESSION_TOKEN=token or None)
    found = retrieve(machine, "env")
    assert (found.access_key, found.secret_key, found.token) == (KEY, SECRET, token)
    assert found.expiration == 0


@pytest.mark.parametrize("old", [None, "", "tokenByTheOldName"])
@pytest.mark.parametrize("new", [None, "", "tokenByTheNewName"])
def test_token_of_the_environment_is_the_one_that_botocore_takes(
    old: str | None, new: str | None, machine: Machine
) -> None:
    machine.set(AWS_SECURITY_TOKEN=old, AWS_SESSION_TOKEN=new)
    expected: Any = EnvProvider().load()
    assert retrieve(machine, "env").token == (expected.token or "")


@pytest.mark.parametrize(
    ("variables", "kind", "words"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, ProviderUnavailable,
         "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"),
        ({"AWS_SECRET_ACCESS_KEY": None}, RequestError,
         "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not$"),
        ({"AWS_ACCESS_KEY_ID": ""}, RequestError, "KEY is set, but AWS_ACCESS_KEY_ID is not$"),
        ({"AWS_SECRET_ACCESS_KEY": f'"{SECRET}" '}, RequestError,
         "AWS_SECRET_ACCESS_KEY contains characters that are not valid"),
        ({"AWS_SESSION_TOKEN": "token\r"}, RequestError, "AWS_SESSION_TOKEN contains characters"),
        ({"AWS_SECURITY_TOKEN": "to ken"}, RequestError, "AWS_SECURITY_TOKEN contains characters"),
    ],
)  # fmt: skip
def test_keys_that_are_not_whole_are_named(
    variables: dict[str, str | None], kind: type[Exception], words: str, machine: Machine
) -> None:
    machine.set(**variables)
    with pytest.raises(kind, match=words) as caught:
        retrieve(machine, "env")
    assert SECRET not in str(caught.value)


# Containers.


def test_container_has_the_credentials_of_its_role(machine: Machine, task: ContainerServer) -> None:
    machine.set(**{FULL: task.full_uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN})
    found = retrieve(machine, "container")
    expected = task.current
    assert (found.access_key, found.secret_key, found.token, iso(found.expiration)) == tuple(
        expected[name] for name in ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
    )
    assert found.account_id == "123456789012"
    assert task.count() == 1
    assert source("container", machine.run()).is_role(found)


def test_short_lived_credentials_are_fetched_once(machine: Machine) -> None:
    with ContainerServer(lifetime=300, rotate=100) as task:
        machine.set(**{FULL: task.full_uri})
        assert retrieve(machine, "container").access_key == task.current["AccessKeyId"]
        assert task.count() == 1


def test_relative_uri_is_the_one_of_ecs_and_comes_first(
    machine: Machine, task: ContainerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ContainerMetadataFetcher.IP_ADDRESS == "169.254.170.2"
    monkeypatch.setattr(ContainerMetadataFetcher, "IP_ADDRESS", f"127.0.0.1:{task.port}")
    task.token = ""
    machine.set(**{RELATIVE: task.path, FULL: "http://127.0.0.1:1/"})
    assert retrieve(machine, "container").access_key == task.current["AccessKeyId"]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_token_file_of_a_pod_comes_first_and_may_end_with_a_line_end(
    end: str, machine: Machine, task: ContainerServer
) -> None:
    path = machine.folder / "token"
    path.write_bytes((TOKEN + end).encode())
    machine.set(
        **{FULL: task.full_uri},
        AWS_CONTAINER_AUTHORIZATION_TOKEN="another",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(path),
    )
    assert retrieve(machine, "container").access_key == task.current["AccessKeyId"]
    assert task.requests[0].headers["authorization"] == TOKEN


@pytest.mark.parametrize("variables", [{}, {FULL: ""}, {RELATIVE: "", FULL: ""}])
def test_source_is_unavailable_outside_of_a_container(
    variables: dict[str, str], machine: Machine
) -> None:
    machine.set(**variables)
    with pytest.raises(ProviderUnavailable, match="this is not an ECS task or an EKS pod"):
        retrieve(machine, "container")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("http://192.0.2.1/creds", "unsupported host '192.0.2.1'"),
        ("http://localhost.evil.example/", "unsupported host 'localhost.evil.example'"),
        ("http://127.0.0.1@192.0.2.1/", "unsupported host '192.0.2.1'"),
        ("nonsense", f"{FULL}: "),
    ],
)
def test_container_endpoint_must_be_near(uri: str, words: str, machine: Machine) -> None:
    machine.set(**{FULL: uri})
    with pytest.raises(RequestError) as caught:
        retrieve(machine, "container")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "words", "requests"),
    [
        (faults.status(500, b"out of order"), "answered 500 (out of order): try again", 4),
        (faults.status(429), "answered 429: too many requests: ", 4),
        (faults.status(502, b"<html>no</html>"), "answered 502 (a web page)", 4),
        (
            faults.status(400, b'{"code": "No", "message": "not so"}'),
            "answered 400 (No: not so)",
            1,
        ),
        (faults.status(403, b'["canary"]'), "endpoint answered 403", 1),
        (faults.body(b"<html>"), "answered with a web page", 4),
        (faults.close(), "the container's endpoint cannot be reached: Connection was closed", 4),
        (faults.without("Token"), "the container's endpoint answered without Token", 1),
        (faults.without("Expiration"), "answered without Expiration", 1),
        (faults.fields(Expiration="soon"), "an unreadable Expiration", 1),
        (faults.body(b"[]"), "answered with something that is not a JSON object", 4),
        (faults.body(b"null"), "answered with something that is not a JSON object", 4),
    ],
)
def test_container_response_without_credentials_is_described(
    fault: Any, words: str, requests: int, machine: Machine, task: ContainerServer
) -> None:
    machine.set(**{FULL: task.full_uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN})
    task.fail(fault)
    run = machine.run(patient=False)
    with pytest.raises(ProviderFailed) as caught:
        source("container", run).retrieve(run)
    assert words in str(caught.value)
    assert "<" not in str(caught.value)
    assert "canary" not in str(caught.value)
    assert task.count() == requests


@pytest.mark.parametrize(
    "fault",
    [
        *map(faults.status, (429, 500, 503)),
        faults.html(),
        faults.truncated(right_length=True),
        faults.close(),
    ],
    ids=["429", "500", "503", "a page", "half a response", "no response"],
)
def test_container_endpoint_that_is_starting_or_busy_is_waited_for(
    fault: Any, machine: Machine, task: ContainerServer
) -> None:
    machine.set(**{FULL: task.full_uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN})
    task.fail(fault, times=patience.ATTEMPTS + 1)
    assert retrieve(machine, "container").access_key == task.current["AccessKeyId"]
    assert task.count() == patience.ATTEMPTS + 2


def test_container_endpoint_is_left_alone_as_long_as_it_says(
    machine: Machine, task: ContainerServer
) -> None:
    machine.set(**{FULL: task.full_uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN})
    task.fail(faults.status(429, b"", {"Retry-After": "3600"}))
    with pytest.raises(DeadlineExceeded, match=r"no time is left .* after the pause of 3600 s"):
        retrieve(machine, "container")
    assert task.count() == 1


@pytest.mark.slow
def test_late_answer_of_a_container_endpoint_is_waited_for(
    machine: Machine, task: ContainerServer
) -> None:
    machine.set(**{FULL: task.full_uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN})
    task.fail(faults.delay(4))
    assert retrieve(machine, "container").access_key == task.current["AccessKeyId"]
    assert task.count() == 1


def test_wrong_container_token_is_not_shown(machine: Machine, task: ContainerServer) -> None:
    machine.set(**{FULL: task.full_uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "canaryWrong0123"})
    with pytest.raises(ProviderFailed, match="answered 401 ") as caught:
        retrieve(machine, "container")
    assert "canaryWrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (None, ProviderFailed, "No such file"),
        (b" \n", ProviderFailed, "is empty"),
        (b"\xff\xfe", ProviderFailed, "not text"),
        (b"one\ntwo", RequestError, "the token is not one line of text"),
    ],
)
def test_container_token_file_without_a_token_is_named(
    content: bytes | None, kind: type[Exception], words: str, machine: Machine,
    task: ContainerServer,
) -> None:  # fmt: skip
    path = machine.folder / "token"
    if content is not None:
        path.write_bytes(content)
    machine.set(**{FULL: task.full_uri}, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(path))
    with pytest.raises(kind, match=words) as caught:
        retrieve(machine, "container")
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" in str(caught.value)
    assert task.count() == 0


# Web identities.


@pytest.fixture
def pod(machine: Machine) -> Machine:
    (machine.folder / "token").write_text("canaryStale0123456789\n")
    machine.set(
        AWS_WEB_IDENTITY_TOKEN_FILE=str(machine.folder / "token"),
        AWS_ROLE_ARN=A,
        AWS_ACCESS_KEY_ID=None,
        AWS_SECRET_ACCESS_KEY=None,
    )
    return machine


@pytest.mark.parametrize("name", ["", "me@pod"])
def test_web_identity_is_exchanged_without_a_signature(
    name: str, pod: Machine, sts: StsServer
) -> None:
    pod.set(AWS_ROLE_SESSION_NAME=name)
    found = retrieve(pod, "web-identity")
    (call,) = sts.calls
    assert found.access_key == sts.issued[0].access_key
    assert found.account_id == "111111111111"
    assert source("web-identity", pod.run()).is_role(found)
    assert call.action == "AssumeRoleWithWebIdentity"
    assert call.parameters["WebIdentityToken"] == "canaryStale0123456789"
    assert call.parameters["RoleArn"] == A
    assert call.parameters["RoleSessionName"].startswith(name or "credproc-")
    assert "authorization" not in sts.requests[0].headers


@pytest.mark.parametrize(
    "code", ["InvalidIdentityToken", "IDPRejectedClaim", "ExpiredTokenException"]
)
def test_rejected_token_is_read_again_once(code: str, pod: Machine, sts: StsServer) -> None:
    path = pod.folder / "token"
    fresh = "canaryFresh0123456789"
    rotate = faults.then(lambda: path.write_text(fresh) and None, error(code, "not this one"))
    sts.fail(rotate, times=1)
    assert retrieve(pod, "web-identity").access_key == sts.issued[-1].access_key
    assert [call.parameters["WebIdentityToken"] == fresh for call in sts.calls] == [False, True]

    sts.fail(error(code, f"not this one: {fresh}"))
    run = pod.run()
    with pytest.raises(SourceRejected) as caught:
        source("web-identity", run).retrieve(run)
    said = clean(str(caught.value), run.secrets)
    assert said.startswith(f"{A} (with the token in {path}): {code}: not this one: [secret]: ")
    assert "(it is not a JSON Web Token)" in said
    assert sts.count() == 4


def test_call_is_retried_while_the_identity_provider_is_unreachable(
    pod: Machine, sts: StsServer
) -> None:
    sts.fail(error("IDPCommunicationError"), times=2)
    assert retrieve(pod, "web-identity")
    assert sts.count() == 3


@pytest.mark.parametrize(
    ("variables", "kind", "words"),
    [
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": None}, ProviderUnavailable, "are not set"),
        ({"AWS_ROLE_ARN": None}, RequestError, "AWS_ROLE_ARN must be a role's ARN"),
        ({"AWS_ROLE_SESSION_NAME": "a b"}, RequestError, "AWS_ROLE_SESSION_NAME must be 2 to 64"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/proc/nowhere"}, ProviderFailed,
         f"^{A}: the web identity's token file: /proc/nowhere: No such file or directory$"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/null"}, ProviderFailed,
             "/dev/null: is not a regular file"),
    ],
)  # fmt: skip
def test_web_identity_that_is_not_whole_is_named(
    variables: dict[str, str | None], kind: type[Exception], words: str, pod: Machine,
    sts: StsServer,
) -> None:  # fmt: skip
    pod.set(**variables)
    with pytest.raises(kind, match=words):
        retrieve(pod, "web-identity")
    assert sts.count() == 0


def test_default_profile_is_not_taken_for_a_web_identity_of_the_environment(
    machine: Machine,
) -> None:
    machine.config(f"[default]\nrole_arn = {A}\nweb_identity_token_file = /dev/null\n")
    with pytest.raises(ProviderUnavailable, match="are not set"):
        retrieve(machine, "web-identity")


@pytest.mark.parametrize(
    ("arn", "region"), [(A, "us-east-1"), (A.replace("aws:", "aws-cn:", 1), "cn-north-1")]
)
def test_web_identity_without_a_region_uses_the_default_region(
    arn: str, region: str, pod: Machine, sts: StsServer
) -> None:
    pod.set(AWS_REGION=None, AWS_ROLE_ARN=arn)
    outcome = pod.assume(hop(B, sts_region=region), source="web-identity")
    assert outcome.error is None, outcome.said
    assert [call.action for call in sts.calls] == ["AssumeRoleWithWebIdentity", "AssumeRole"]
    assert home_region(arn) == region


# Another credential_process.


def helper(machine: Machine, script: str, name: str = "helper", account: str = "") -> None:
    path = machine.folder / "a helper"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    line = f'credential_process = "{path}" \'one arg\' "$HOME"'
    machine.config(f"[profile {name}]\n{line}\naws_account_id = {account}\n")


def document(**changes: Any) -> str:
    known = {
        "Version": 1,
        "AccessKeyId": "ASIAHELPERHELPERHELP",
        "SecretAccessKey": "canarySecretOfTheHelper",
        "SessionToken": "canaryTokenOfTheHelper",
        "Expiration": iso(time.time() + 3600),
        "AccountId": "123456789012",
        **changes,
    }
    return json.dumps({name: value for name, value in known.items() if value is not None})


@pytest.mark.parametrize(
    ("printed", "configured", "expected"),
    [
        ("123456789012", "210987654321", "123456789012"),
        (None, "210987654321", "210987654321"),
        (None, "no account", ""),
        (None, "", ""),
    ],
)
def test_account_that_a_helper_does_not_print_is_the_profiles(
    machine: Machine, printed: str | None, configured: str, expected: str
) -> None:
    helper(machine, f"echo '{document(AccountId=printed)}'", account=configured)

    assert retrieve(machine, "profile:helper").account_id == expected


def test_helper_is_run_once_without_a_shell_and_without_stdin(machine: Machine) -> None:
    note = machine.folder / "note"
    soon = iso(time.time() + 300)  # botocore itself would run it twice
    helper(
        machine,
        f'echo "$#|$1|$2|$CREDPROC_PROFILE_CHAIN" >>"{note}"; cat >>"{note}"; '
        f"echo hush >&2; echo '{document(Expiration=soon)}'",
    )
    found = retrieve(machine, "profile:helper")
    assert note.read_text() == "2|one arg|$HOME|helper\n"
    assert (found.access_key, iso(found.expiration)) == ("ASIAHELPERHELPERHELP", soon)
    assert (found.token, found.account_id) == ("canaryTokenOfTheHelper", "123456789012")
    assert not source("profile:helper", machine.run()).is_role(found)


@pytest.mark.parametrize(
    "text",
    [
        "2099-11-28T21:32Z",
        "20991128T213200Z",
        "2099-11-28T21:32:00+00",
        "2099-11-29T03:02:00+0530",
        "2099-11-28T13:32:00.123456-08:00",
        "2099-11-28 21:32:00 UTC",
        "Sat, 28 Nov 2099 21:32:00 GMT",
    ],
)
def test_expiration_of_a_helper_is_read_in_every_form_that_botocore_reads(
    text: str, machine: Machine
) -> None:
    helper(machine, f"echo '{document(Expiration=text)}'")
    theirs: Any = botocore.session.Session(profile="helper").get_credentials()
    moment = theirs._expiry_time.timestamp()

    found = retrieve(machine, "profile:helper")

    assert iso(found.expiration) == iso(int(moment)) == "2099-11-28T21:32:00Z"


def test_long_term_keys_of_a_helper_have_no_end(machine: Machine) -> None:
    helper(machine, f"echo '{document(SessionToken=None, Expiration=None, AccountId=None)}'")
    found = retrieve(machine, "profile:helper")
    assert (found.token, found.expiration, found.account_id) == ("", 0, "")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "echo no, sorry >&2; exit 3",
            "credential_process a helper exited with status 3: no, sorry",
        ),
        ("exit 4", "credential_process a helper exited with status 4"),
        ("printf 'one\\ntwo\\n' >&2; exit 1", "status 1: two"),
        (
            "printf 'Error: sign in\\n    at main (x.js:1:1)\\n\\nNode.js v20.11.1\\n' >&2; exit 1",
            "status 1: Error: sign in",
        ),
        (
            "printf 'Exception in x: no\\n\\tat a.b(C.java:1)\\n\\t... 3 more\\n' >&2; exit 1",
            "status 1: Exception in x: no",
        ),
        (
            "printf 'panic: no\\n\\ngoroutine 1 [a]:\\nmain.main()\\n\\t/x.go:1\\n' >&2; exit 2",
            "status 2: panic: no",
        ),
        ("kill -9 $$", "was killed by signal 9"),
        ("printf '\\377\\n' >&2; exit 1", "status 1: \ufffd"),
        ("true", "did not print a JSON object"),
        ("echo '[1]'", "did not print a JSON object"),
        ("echo not JSON", "did not print a JSON object"),
        (f"echo '{document(Version=2)}'", "printed a document whose Version is not the number 1"),
        (f"echo '{document(Version='1')}'", "printed a document whose Version is not the number 1"),
        (f"echo '{document(Version=None)}'", "printed a document without a Version"),
        ("echo '{\"Credentials\": {}}'", "printed a document of another form (its credentials"),
        ("true", "JSON object (it printed nothing)"),
        ("echo x; echo 'Error: sign in' >&2", "did not print a JSON object: Error: sign in"),
        ("echo export AWS_SECRET_ACCESS_KEY=canary", "(it printed variables for a shell)"),
        (f"echo Hello; echo '{document()}'", "JSON object alone (it printed more than the object"),
        ("echo 'Error: sign in'; exit 1", "status 1: Error: sign in"),
        ("echo canary; exit 1", "exited with status 1"),
        ('echo \'{"Version": 1, "error": "sign in"}\'', "printed no AccessKeyId: sign in"),
        ('echo \'{"message": "sign in"}\'; exit 1', "exited with status 1: sign in"),
        (f"echo '{document()}'; echo 'Error: no disk' >&2; exit 1", "status 1: Error: no disk"),
        (
            "echo gpg: Inappropriate ioctl for device >&2; echo gpg: No secret key >&2; exit 2",
            "No secret key (gpg has no terminal for its passphrase prompt: run export GPG_TTY=",
        ),
        ("read x || { echo 'tool: error: EOF' >&2; exit 1; }", "(it has no stdin here; it can pr"),
        (f"echo '{document(AccessKeyId=None)}'", "printed no AccessKeyId"),
        (f"echo '{document(SecretAccessKey='')}'", "printed no SecretAccessKey"),
        (f"echo '{document(SecretAccessKey=1)}'", "printed an unreadable SecretAccessKey"),
        (f"echo '{document(SessionToken='aä')}'", "printed an unreadable SessionToken"),
        (f"echo '{document(SecretAccessKey='two parts')}'", "printed an unreadable Secret"),
        (f"echo '{document(Expiration=0)}'", "an unreadable Expiration"),
        (f"echo '{document(Expiration='soon')}'", "an unreadable Expiration"),
        (f"echo '{document(Expiration='2099-11-28T21:32:38')}'", "an unreadable Expiration"),
        (f"echo '{document(Expiration='2099-11-28T21:32:38EST')}'", "an unreadable Expiration"),
        (f"echo '{document(Expiration='4099584758')}'", "an unreadable Expiration"),
    ],
)
def test_helper_that_fails_is_quoted_in_one_line(script: str, words: str, machine: Machine) -> None:
    helper(machine, script)
    with pytest.raises(ProviderFailed) as caught:
        retrieve(machine, "profile:helper")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_helper_that_needs_a_terminal_itself_gets_no_advice_about_gpg(machine: Machine) -> None:
    helper(machine, "echo \"stty: 'standard input': Inappropriate ioctl for device\" >&2; exit 1")
    with pytest.raises(ProviderFailed, match=r"Inappropriate ioctl for device$"):
        retrieve(machine, "profile:helper")


def test_helper_that_is_not_there_is_named(machine: Machine) -> None:
    machine.config("[profile helper]\ncredential_process = /proc/nowhere/helper x\n")
    with pytest.raises(ProviderFailed, match=r"/proc/nowhere/helper cannot be run: .* directory$"):
        retrieve(machine, "profile:helper")


def test_helper_that_is_not_on_the_path_needs_an_absolute_path(machine: Machine) -> None:
    machine.config("[profile helper]\ncredential_process = no-such-helper x\n")
    with pytest.raises(
        ProviderFailed, match=r"No such file .*not on PATH: write its absolute path"
    ):
        retrieve(machine, "profile:helper")


def test_helper_that_never_ends_is_ended_with_all_that_it_started(machine: Machine) -> None:
    fifo = machine.folder / "fifo"
    os.mkfifo(fifo)
    helper(machine, f"sh -c \"exec cat <'{fifo}'\"; echo never")
    run = machine.run(seconds=0.5)
    with pytest.raises(DeadlineExceeded, match="credential_process a helper took longer than"):
        source("profile:helper", run).retrieve(run)
    (child,) = run.children.started
    assert child.poll() is not None


@pytest.mark.parametrize(
    ("stream", "reason"), [("", "printed more than 1 MiB"), (">&2", "took longer than 1 s")]
)
def test_helper_that_prints_without_end_does_not_fill_the_memory(
    stream: str, reason: str, machine: Machine
) -> None:
    helper(machine, f"exec cat /dev/zero {stream}")
    run = machine.run(seconds=1)
    before = processes.peak_memory()
    with pytest.raises(ProviderFailed, match=f"credential_process a helper {reason}"):
        source("profile:helper", run).retrieve(run)
    (child,) = run.children.started
    assert child.poll() is not None
    assert processes.peak_memory() < before + 32 * 2**20


def test_helper_that_leaves_something_running_is_done(machine: Machine) -> None:
    fifo = machine.folder / "fifo"
    os.mkfifo(fifo)
    helper(machine, f"echo '{document()}'; cat '{fifo}' & cat '{fifo}' >&2 &")
    found = retrieve(machine, "profile:helper")
    assert found.access_key == "ASIAHELPERHELPERHELP"
    fifo.open("w").close()  # which ends what was left


# What botocore resolves.


@pytest.mark.parametrize("place", ["config", "credentials"])
def test_keys_of_a_profile_are_taken_from_either_file(place: str, machine: Machine) -> None:
    keys = f"aws_access_key_id = {KEY}\naws_secret_access_key = s\naws_session_token = t\n"
    if place == "config":
        machine.config(f"[profile laptop]\n{keys}")
    else:
        machine.credentials(f"[laptop]\n{keys}")
    found = retrieve(machine, "profile:laptop")
    assert (found.access_key, found.secret_key, found.token) == (KEY, "s", "t")
    assert found.expiration == 0


def test_precedence_is_credentials_file_then_process_then_config(
    machine: Machine,
) -> None:
    helper(machine, f"echo '{document()}'")
    with (machine.folder / "config").open("a") as file:
        file.write("aws_access_key_id = AKIAOFTHECONFIGFILE\naws_secret_access_key = s\n")
    assert retrieve(machine, "profile:helper").access_key == "ASIAHELPERHELPERHELP"
    machine.credentials(f"[helper]\naws_access_key_id = {KEY}\naws_secret_access_key = s\n")
    assert retrieve(machine, "profile:helper").access_key == KEY


def test_keys_of_the_environment_are_not_taken_for_a_profiles(machine: Machine) -> None:
    machine.config("[profile empty]\nregion = eu-west-1\n")
    with pytest.raises(RequestError, match="profile empty: it does not say"):
        retrieve(machine, "profile:empty")


def test_botocore_still_has_the_expiration_where_we_read_it() -> None:
    # If this fails, botocore has renamed what resolved._expiration() reads: SSO, login would break.
    moment = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    metadata = {
        "access_key": "a",
        "secret_key": "s",
        "token": "t",
        "expiry_time": moment.isoformat(),
    }
    found = RefreshableCredentials.create_from_metadata(metadata, lambda: metadata, "test")
    assert resolved._expiration(found) == moment.timestamp()

    metadata["expiry_time"] = (moment + timedelta(seconds=1)).isoformat()
    late = RefreshableCredentials("a", "s", "t", datetime.now(timezone.utc), lambda: metadata, "x")
    late.get_frozen_credentials()
    assert resolved._expiration(late) == moment.timestamp() + 1, "also after a refresh"


def test_unknown_expiration_does_not_count_as_long_term_keys() -> None:
    found = RefreshableCredentials("a", "s", "t", datetime.now(timezone.utc), dict, "test")
    del found._expiry_time  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        resolved._expiration(found)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (PermissionError(13, "Permission denied", "/x/token"), "/x/token: Permission denied"),
        (TimeoutError(), "TimeoutError"),
        (ZeroDivisionError("geheim"), "the response could not be parsed (ZeroDivisionError)"),
    ],
)
def test_any_profile_error_becomes_a_clear_failure(wrong: Exception, words: str) -> None:
    assert str(resolved._explained(wrong)) == words
