"""Values that cannot be right: the slip is told, and no part of a secret."""

from __future__ import annotations

import pytest

from credproc import options, shellsyntax, slips
from credproc.errors import UsageError
from credproc.providers import incomplete

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY = "AKIAIOSFODNN7EXAMPLE"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("eu-west-1 # Ireland", "'eu-west-1 # Ireland' (a comment needs a line of its own)"),
        ("eu-west-1 ; Ireland", "(a comment needs a line of its own)"),
        ('"eu-west-1"', "'\"eu-west-1\"' (remove the quotes)"),
        ("\u201ceu-west-1\u201d", "(remove the quotes)"),
        ("<region>", "'<region>' (it looks like a placeholder)"),
        ("YOUR_ROLE", "(it looks like a placeholder)"),
        ("${REGION}", "(variables are not expanded here)"),
        ("eu\u2011west-1", "(it contains U+2011)"),
        ("eu-west-1,", "(remove the comma or semicolon)"),
        ("EU-WEST-1", "not 'EU-WEST-1'"),
        (f"eu-west-1\noutput = json\naws_secret_access_key = {SECRET}",
         ("not 'eu-west-1' (the lines below it (output, aws_secret_access_key) are indented "
          "more, and so became part of its value)")),
        (f"eu-west-1\n{SECRET}", "not 'eu-west-1' (the lines below it are indented more"),
        (SECRET, "not '...'"),
        (f"eu-west-1 {SECRET}", "not 'eu-west-1 ...'"),
    ],
)  # fmt: skip
def test_first_line_and_the_likely_mistake_are_reported(value: str, message: str) -> None:
    found = slips.wrong("region", value, "must be a region")
    assert found.startswith("region must be a region, not ")
    assert message in found
    assert not any(SECRET[at : at + 8] in found for at in range(len(SECRET) - 7))


def test_blank_value_and_block_are_named_so() -> None:
    assert slips.wrong("role_arn", "", "must be an ARN") == "role_arn is blank"
    assert slips.wrong("role_arn", {}, "must be an ARN").endswith("not an indented block")


def test_external_id_is_not_shown() -> None:
    found = slips.wrong("external_id", "a b # c", "must be 2 to 1224 characters")
    assert found == ("external_id must be 2 to 1224 characters (a comment needs a line of its own)")


@pytest.mark.parametrize(
    ("access", "secret", "token", "message"),
    [
        (KEY, SECRET, "", ""),
        (KEY, SECRET, None, ""),
        ("minio", "minio-secret", None, ""),
        ("", "", None, "aws_access_key_id and aws_secret_access_key are blank"),
        (KEY, "", None, "aws_secret_access_key is blank"),
        (f'"{KEY}"', f'"{SECRET}"', None, "aws_access_key_id is not valid: remove the quotes"),
        (KEY, f"{SECRET} # mine", None,
         "aws_secret_access_key is not valid: a comment needs a line of its own"),
        (KEY, f"{SECRET}\nregion = x", None,
         "aws_secret_access_key is not valid: the lines below it (region) are indented more"),
        (KEY, "<secret>", None, "aws_secret_access_key is not valid: it looks like a placeholder"),
        ("YOUR_ACCESS_KEY", SECRET, None,
         "aws_access_key_id is not valid: it looks like a placeholder"),
        (KEY, SECRET, "${TOKEN}", "aws_session_token is not valid: it looks like a placeholder"),
        (KEY, f"{SECRET[:9]}\u00a0{SECRET[9:]}", None, "aws_secret_access_key is not valid: it "),
        (SECRET[:40], KEY, None, "aws_access_key_id and aws_secret_access_key are swapped"),
    ],
)  # fmt: skip
def test_invalid_key_is_reported_without_its_value(
    access: str, secret: str, token: str | None, message: str
) -> None:
    found = slips.keys(dict(zip(slips.KEYS, (access, secret, token), strict=True)))
    assert found.startswith(message)
    assert bool(found) == bool(message)
    assert SECRET[:9] not in found
    assert KEY not in found


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/bin/credproc --imds", ""),
        ("/bin/credproc --external-id 'a #b'", ""),
        ("/bin/sh -c 'a | b' 2>/dev/null", ""),
        ("/bin/credproc --imds # app", "everything after # is part of the command"),
        ('"/bin/credproc --imds"', "the quotes make the whole line the name of one program"),
        ("~/bin/credproc --imds", "~ is not expanded"),
        ("$HOME/bin/credproc --imds", "variables are not expanded"),
        ("/bin/credproc --imds 2>/dev/null", "no shell reads the line, so 2>/dev/null is passed"),
        ("/bin/helper | jq .", "no shell reads the line, so | is passed as"),
        ("/bin/credproc 'x", "its quotes do not match"),
        ("/bin/credproc\nregion = x", "the lines below it (region) are indented more"),
    ],
)
def test_shell_syntax_in_a_command_is_reported(line: str, message: str) -> None:
    found = shellsyntax.slip(line)
    assert found.startswith(message)
    assert bool(found) == bool(message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--imds", "#", "the", "app"], "everything after # is part of the command"),
        (["--imds", "app", "#the", "app"], "everything after # is part of the command"),
        (["--imds", "app", "2>/dev/null"], "no shell reads the line, so 2>/dev/null is passed as"),
        (["--imds", "app", "|", "jq"], "no shell reads the line, so | is passed as an argument"),
        (["--imds", "app", "other"], "unexpected argument: put a value with spaces in quotes"),
    ],
)
def test_shell_syntax_in_arguments_is_reported(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        options.parse(words)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sso_session": "s"}, "sso_account_id and sso_role_name are missing beside sso_session"),
        ({"sso_start_url": "u", "sso_account_id": "1"},
         "sso_region and sso_role_name are missing beside sso_start_url and sso_account_id"),
        ({"source_profile": "k", "mfa_serial": "m"},
         "role_arn is missing beside source_profile and mfa_serial"),
        ({"credentials_process": "x"},
         "credentials_process is not a key that AWS tools know; did you mean credential_process?"),
        ({"aws_secret_key": "x", "aws_access_key_id": KEY},
         "aws_secret_key is not a key that AWS tools know; did you mean aws_secret_access_key?"),
        ({"aws_secret_access_key": "x"}, "aws_access_key_id is missing beside aws_secret_access"),
        ({"web_identity_token_file": "", "role_arn": "r"},
         "web_identity_token_file is blank; role_arn is ignored beside it"),
        ({"credential_process": ""}, "credential_process is blank"),
        ({"region": "r"}, "it does not say where credentials come from (keys, "),
        ({}, "it is empty and does not say where credentials come from (keys, "),
    ],
)  # fmt: skip
def test_missing_key_is_named(keys: dict[str, str], message: str) -> None:
    assert incomplete.why(keys).startswith(message)
