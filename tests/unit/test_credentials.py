"""Credentials: what is read from an answer, and the documents that are printed."""

from __future__ import annotations

import json
import shlex
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credproc import credentials
from credproc.credentials import Credentials
from credproc.errors import ProviderFailed, RequestError

NAMES = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
ANSWER = {
    "Code": "Success",
    "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzzKEY",
    "Token": "IQoJb3JpZ2luX2VjEEXAMPLE//////////wEaCXVzLWVhc3Qt==",
    "Expiration": "2026-11-24T02:42:51Z",
}
MOMENT = 1795488171
ASCII = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)


def read(**changes: Any) -> Credentials:
    """Read the answer with some of its fields changed; None takes one away."""
    answer = {name: value for name, value in {**ANSWER, **changes}.items() if value is not None}
    return credentials.from_response(answer, NAMES, "imds", "IMDS")


def made(**changes: Any) -> Credentials:
    """Return credentials with some of their fields changed."""
    fields: dict[str, Any] = {
        "access_key": ANSWER["AccessKeyId"],
        "secret_key": ANSWER["SecretAccessKey"],
        "token": ANSWER["Token"],
        "expiration": MOMENT,
        "account_id": "123456789012",
    }
    return Credentials(**fields | changes)


# Times.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-24T02:42:51Z", 0),
        ("2026-11-24T02:42:51z", 0),
        ("2026-11-24t02:42:51Z", 0),
        ("2026-11-24 02:42:51Z", 0),
        ("2026-11-24T02:42:51UTC", 0),
        ("2026-11-24T02:42:51.5Z", 0),
        ("2026-11-24T02:42:51,999999999Z", 0),
        ("2026-11-24T02:42:51.513956+00:00", 0),
        ("2026-11-24T02:42:51-00:00", 0),
        ("2026-11-24T04:42:51+02:00", 0),
        ("2026-11-24T04:42:51+0200", 0),
        ("2026-11-23T21:12:51-05:30", 0),
        ("2026-11-24T16:42:51+14:00", 0),
        ("2026-11-24T02:42:52Z", 1),
        # 0 is for keys that never expire.
        ("1970-01-01T00:00:00Z", 1 - MOMENT),
        ("1969-12-31T23:59:59Z", -MOMENT - 1),
        ("2038-01-19T03:14:08Z", 2**31 - MOMENT),
        ("2028-02-29T00:00:00Z", 1835395200 - MOMENT),
        ("9999-12-31T23:59:59Z", 253402300799 - MOMENT),
    ],
)
def test_time_is_read_in_every_zone(text: str, seconds: int) -> None:
    assert credentials.read_time(text, "IMDS") == MOMENT + seconds


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "now",
            "1795488171",
            "2026-11-24",
            "2026-11-24T02:42:51",
            "2026-11-24T02:42Z",
            "null",
        ),
        *("2026-11-24T02:42:51 Z", " 2026-11-24T02:42:51Z", "2026-11-24T02:42:51Z\n", "02:42:51Z"),
        *(
            "2026-13-24T02:42:51Z",
            "2026-02-29T02:42:51Z",
            "2026-11-24T24:00:00Z",
            "0000-01-01T00:00:00Z",
        ),
        *(
            "2026-11-24T02:60:51Z",
            "2026-11-24T02:42:60Z",
            "2026-11-24T02:42:51.Z",
            "26-11-24T02:42:51Z",
        ),
        *("2026-11-24T02:42:51+24:00", "2026-11-24T02:42:51+01:60", "2026-11-24T02:42:51+1"),
        *(
            "2026-11-24T02:42:51CET",
            "2026-11-24T02:42:51ZZ",
            "2026-11-24T02:42:51+02",
            "+2026-11-24T02:42:51Z",
        ),
        *(
            "9999-12-31T23:59:59-23:00",
            "0001-01-01T00:00:00+23:00",
            "Tue, 24 Nov 2026 02:42:51 GMT",
        ),
        "\N{ARABIC-INDIC DIGIT TWO}026-11-24T02:42:51Z",
    ],
)
def test_time_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(
        ProviderFailed, match=r"^IMDS answered with an unreadable Expiration \(it must be "
    ):
        credentials.read_time(text, "IMDS")


@given(
    st.datetimes().filter(lambda moment: 1 < moment.year < 9999),
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_time_is_that_of_python(moment: datetime, zone: timezone) -> None:
    aware = moment.replace(tzinfo=zone)

    expected = int(aware.replace(microsecond=0).timestamp()) or 1
    assert credentials.read_time(aware.isoformat(), "x") == expected


@given(st.integers(-(2**31), 250_000_000_000).filter(bool))
def test_time_is_written_in_the_one_form_and_read_back(seconds: int) -> None:
    text = credentials.write_time(seconds)

    assert len(text) == 20
    assert text[10] == "T"
    assert text[19] == "Z"
    assert credentials.read_time(text, "x") == seconds


def test_time_is_utc_in_any_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Pacific/Kiritimati")
        time.tzset()
        assert credentials.write_time(MOMENT) == ANSWER["Expiration"]
        assert credentials.read_time(ANSWER["Expiration"], "x") == MOMENT
    time.tzset()


# Answers.


def test_answer_is_read() -> None:
    found = read(AccountId="123456789012")

    assert (found.access_key, found.secret_key, found.token) == tuple(
        ANSWER[name] for name in NAMES[:3]
    )
    assert (found.expiration, found.account_id, found.provider) == (MOMENT, "123456789012", "imds")
    assert not found.person


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [None, ""])
def test_missing_field_is_named(name: str, value: object) -> None:
    with pytest.raises(ProviderFailed, match=f"^IMDS answered without {name}$"):
        read(**{name: value})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, 1, True, ["x"], {"x": "y"}, "a b", "a\n", "\u00e9", "\x1b[m"])
def test_odd_field_is_named_and_not_shown(name: str, value: object) -> None:
    with pytest.raises(ProviderFailed, match=f"^IMDS answered with an unreadable {name}$"):
        read(**{name: value})


@pytest.mark.parametrize("answer", [None, [], "x", 0, True, [ANSWER]])
def test_response_that_is_not_an_object_is_refused(answer: object) -> None:
    with pytest.raises(ProviderFailed, match="something other than credentials"):
        credentials.from_response(answer, NAMES, "imds", "IMDS")


@pytest.mark.parametrize(
    "account", [None, "", "12345678901", "1234567890123", "12345678901x", 1, []]
)
def test_invalid_account_is_left_out(account: object) -> None:
    assert read(AccountId=account).account_id == ""


def test_credentials_show_nothing_but_the_end_of_the_key() -> None:
    assert repr(read()) == "<Credentials ...MPLE from imds>"
    assert set(made().secrets()) >= {ANSWER["SecretAccessKey"], ANSWER["Token"]}
    assert "" not in made(token="").secrets()


def test_draw_belongs_to_the_access_key_alone() -> None:
    draws = {made(access_key=f"ASIAIOSFODNN7EXAM{number:03}").draw() for number in range(200)}

    assert len(draws) > 190
    assert all(0 <= draw < 1 for draw in draws)
    assert made(secret_key="other").draw() == made().draw()
    assert 0 <= made(access_key="\ud800").draw() < 1


# The document.


def test_document_is_one_line_with_its_fields_in_order() -> None:
    assert credentials.document(made()) == (
        b'{"Version": 1, "AccessKeyId": "ASIAIOSFODNN7EXAMPLE", '
        b'"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzzKEY", '
        b'"SessionToken": "IQoJb3JpZ2luX2VjEEXAMPLE//////////wEaCXVzLWVhc3Qt==", '
        b'"Expiration": "2026-11-24T02:42:51Z", "AccountId": "123456789012"}\n'
    )


def test_document_without_token_and_account_has_neither() -> None:
    document = json.loads(credentials.document(made(token="", account_id="")))

    assert list(document) == ["Version", "AccessKeyId", "SecretAccessKey", "Expiration"]
    assert document["Version"] == 1


def test_expiration_of_the_document_may_be_another_than_the_true_one() -> None:
    document = json.loads(credentials.document(made(), MOMENT + 900))

    assert document["Expiration"] == "2026-11-24T02:57:51Z"


@given(st.text(min_size=1), st.text(min_size=1), st.text(), st.integers(1, 4_000_000_000))
def test_document_of_any_keys_is_ascii_and_can_be_read_back(
    access_key: str, secret_key: str, token: str, expiration: int
) -> None:
    given = Credentials(access_key, secret_key, token, expiration, "123456789012", "chain")
    document = credentials.document(given)
    found = credentials.from_document(document, "chain")

    assert document.isascii()
    assert document.index(b"\n") == len(document) - 1
    assert {name: getattr(found, name) for name in Credentials.__slots__} == {
        name: getattr(given, name) for name in Credentials.__slots__
    }


# Formats.

FORMATS = {
    "env": "export {0}={1}\n",
    "env-no-export": "{0}={1}\n",
    "fish": 'set -gx {0} "{1}"\n',
    "powershell": '$Env:{0}="{1}"\n',
    "windows-cmd": "set {0}={1}\n",
}
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "AccessKeyId",
    "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
    "AWS_SESSION_TOKEN": "Token",
    "AWS_CREDENTIAL_EXPIRATION": "Expiration",
}


@pytest.mark.parametrize("style", FORMATS)
def test_format(style: str) -> None:
    lines = [FORMATS[style].format(name, ANSWER[key]) for name, key in VARIABLES.items()]
    printed = credentials.formatted(credentials.document(made()), style)

    assert printed.startswith("".join(lines).encode())


@pytest.mark.parametrize("style", FORMATS)
def test_format_unsets_the_token_that_long_term_keys_do_not_have(style: str) -> None:
    printed = credentials.formatted(credentials.document(made(token="")), style).decode()

    (line,) = [line for line in printed.splitlines() if "AWS_SESSION_TOKEN" in line]
    assert (
        line
        == {
            "env": "unset AWS_SESSION_TOKEN",
            "env-no-export": "AWS_SESSION_TOKEN=",
            "fish": "set -e AWS_SESSION_TOKEN; or true",
            "powershell": "$Env:AWS_SESSION_TOKEN=$null",
            "windows-cmd": "set AWS_SESSION_TOKEN=",
        }[style]
    )


def test_format_process_is_the_document_itself() -> None:
    document = credentials.document(made())

    assert credentials.formatted(document, "process") is document


@given(ASCII, ASCII)
def test_posix_format_is_read_back_by_a_shell(secret_key: str, token: str) -> None:
    document = credentials.document(made(secret_key=secret_key, token=token))
    words = shlex.split(credentials.formatted(document, "env").decode())

    assert f"AWS_SECRET_ACCESS_KEY={secret_key}" in words
    assert f"AWS_SESSION_TOKEN={token}" in words


@given(ASCII)
def test_powershell_format_is_one_string(secret_key: str) -> None:
    document = credentials.document(made(secret_key=secret_key))
    line = credentials.formatted(document, "powershell").decode().split("\n")[1]
    value = line.removeprefix("$Env:AWS_SECRET_ACCESS_KEY=")

    if value[0] == '"':
        assert not set(value[1:-1]) & set('$`"')
        assert value[1:-1] == secret_key
    else:
        assert value[0] == value[-1] == "'"
        assert value[1:-1].replace("''", "'") == secret_key


@pytest.mark.parametrize("letter", ["%", "&", "|", "^", '"', "<", ">", "!", "(", " ", "'"])
def test_cmd_format_refuses_what_it_cannot_quote(letter: str) -> None:
    document = credentials.document(made(secret_key=f"x{letter}y"))

    with pytest.raises(RequestError, match=r"^--format windows-cmd: ") as caught:
        credentials.formatted(document, "windows-cmd")
    assert f"x{letter}y" not in str(caught.value)


# Fields.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AccessKeyId", ANSWER["AccessKeyId"]),
        ("SecretAccessKey", ANSWER["SecretAccessKey"]),
        ("SessionToken", ANSWER["Token"]),
        ("Expiration", ANSWER["Expiration"]),
        ("AccountId", "123456789012"),
    ],
)
def test_field_is_one_line(name: str, value: str) -> None:
    assert credentials.field(credentials.document(made()), name) == f"{value}\n".encode()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("AccountId", "aws sts get-caller-identity"), ("SessionToken", "long-term keys")],
)
def test_missing_field_says_why(name: str, reason: str) -> None:
    document = credentials.document(made(token="", account_id=""))

    with pytest.raises(
        RequestError, match=f"^--field: these credentials have no {name}: .*{reason}"
    ):
        credentials.field(document, name)


def test_time_long_ago_is_read_back() -> None:
    seconds = credentials.read_time("0206-11-24T06:00:00Z", "x")
    assert credentials.write_time(seconds) == "0206-11-24T06:00:00Z"


@pytest.mark.parametrize(
    ("value", "is_key"),
    [("A/+=!~", True), ("a b", False), ("a\n", False), ("ä", False), ("\x7f", False)],
)
def test_keys_are_visible_ascii(value: str, is_key: bool) -> None:
    assert credentials.is_key_text(value) == is_key


@pytest.mark.parametrize(
    "value", ["", "1" * 11, "1" * 13, "12345678901a", "\uff11" * 12, "1" * 11 + "\n"]
)
def test_account_is_twelve_digits(value: str) -> None:
    assert credentials.is_account("123456789012")
    assert not credentials.is_account(value)
