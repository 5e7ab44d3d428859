"""Each step is said; a failure says what was done before it, and how to go on."""

from __future__ import annotations

import io

import pytest

from credproc.ctl.aws import NO_CREDENTIALS, Refused, call, settled, waited
from credproc.ctl.output import Console
from credproc.ctl.steps import Failed, Interrupted, Steps, confirm
from credproc.errors import ProviderFailed, RequestError


@pytest.fixture
def console() -> Console:
    """A console whose streams are kept."""
    return Console({}, stdout=io.StringIO(), stderr=io.StringIO())


def out(console: Console) -> str:
    """Return what was shown."""
    assert isinstance(console.stdout, io.StringIO)
    return console.stdout.getvalue()


def err(console: Console) -> str:
    """Return what went to stderr."""
    assert isinstance(console.stderr, io.StringIO)
    return console.stderr.getvalue()


def refuse() -> None:
    """Fail as a provider would."""
    raise ProviderFailed("AccessDenied: no")


def test_steps_are_said_when_they_are_done(console: Console) -> None:
    with Steps(console) as steps:
        assert steps.change("role a", "created", lambda: 7) == 7
        steps.same("policy b", "is attached already")

    assert out(console) == "role a: created\npolicy b: is attached already\n"
    assert steps.data() == [
        {"subject": "role a", "state": "created", "changed": True},
        {"subject": "policy b", "state": "is attached already", "changed": False},
    ]


def test_dry_run_prints_the_steps_and_takes_none(console: Console) -> None:
    with Steps(console, dry_run=True) as steps:
        assert steps.change("role a", "created", refuse) is None

    assert out(console) == "role a: would be created\n"
    assert not steps.data()[0]["changed"]


def test_failed_step_is_named(console: Console) -> None:
    with pytest.raises(Failed) as caught, Steps(console) as steps:
        steps.change("role a", "created", refuse)

    assert str(caught.value) == "role a could not be created: AccessDenied: no"
    assert out(console) == ""


@pytest.mark.parametrize("inside", [True, False], ids=["in a step", "between steps"])
def test_failure_says_what_was_done_before(console: Console, inside: bool) -> None:
    def work() -> None:
        with Steps(console) as steps:
            steps.change("role a", "created", lambda: 1)
            steps.same("policy b", "is attached already")
            if inside:
                steps.change("profile a", "created", refuse)
            refuse()

    with pytest.raises(Failed) as caught:
        work()

    lead = "profile a could not be created: " if inside else ""
    assert str(caught.value) == (
        f"{lead}AccessDenied: no; done before that: role a created; re-run the command to continue"
    )


def test_interruption_says_what_was_done(console: Console) -> None:
    def work() -> None:
        with Steps(console) as steps:
            steps.change("role a", "created", lambda: 1)
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        work()

    assert "interrupted; done before that: role a created" in str(caught.value)
    assert (caught.value.status, len(caught.value.steps)) == (130, 1)


def test_yes_suppresses_the_prompt(console: Console) -> None:
    confirm(console, "Delete it?", yes=True)

    assert err(console) == ""


def test_nothing_is_done_without_a_terminal_for_the_prompt(console: Console) -> None:
    with pytest.raises(RequestError, match="add --yes"):
        confirm(console, "Delete it?", yes=False)


def test_waiting_ends_and_says_what_is_missing(console: Console) -> None:
    with pytest.raises(Failed, match=r"timed out after 0\.1 s: EC2 says associating"):
        waited(console, "i-1", lambda: (None, "EC2 says associating"), patience=0.1)


def test_waiting_is_reported_once(console: Console) -> None:
    answers = [(None, "not yet"), (None, "not yet"), ("there", "")]

    assert waited(console, "i-1", lambda: answers.pop(0), patience=30) == "there"
    assert err(console) == "credprocctl: i-1: waiting for up to 30 s\n"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("NoSuchEntity", "NoSuchEntity: the role app"),
        (
            "InvalidParameterValue",
            "InvalidParameterValue: Value (app) is invalid. Invalid IAM Instance Profile name",
        ),
    ],
)
def test_call_is_retried_until_aws_knows_the_new_role(
    console: Console, code: str, text: str
) -> None:
    answers: list[Refused | str] = [Refused(code, text), "there"]

    def work() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Refused):
            raise answer
        return answer

    assert settled(console, "profile app", work) == "there"
    assert "not visible everywhere in AWS yet" in err(console)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("AccessDenied", "AccessDenied: no"),
        ("InvalidParameterValue", "InvalidParameterValue: Value (x) for parameter instanceId"),
        ("IncorrectState", "IncorrectState: There is an existing association"),
    ],
)
def test_other_refusals_are_final(console: Console, code: str, text: str) -> None:
    calls = []

    def work() -> str:
        calls.append(1)
        raise Refused(code, text)

    with pytest.raises(Refused, match=code):
        settled(console, "profile app", work)
    assert len(calls) == 1


def test_invalid_keys_are_a_configuration_error() -> None:
    from botocore import exceptions

    def work() -> None:
        raise exceptions.NoCredentialsError

    with pytest.raises(RequestError) as caught:
        call(work)

    assert str(caught.value) == NO_CREDENTIALS
