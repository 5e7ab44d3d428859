"""The formats of `aws configure export-credentials`, evaluated by their shells."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from credproc import credentials
from credproc.errors import RequestError

if TYPE_CHECKING:
    from tests.harness import Host

VARIABLES = {
    "AccessKeyId": "AWS_ACCESS_KEY_ID",
    "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "SessionToken": "AWS_SESSION_TOKEN",
    "Expiration": "AWS_CREDENTIAL_EXPIRATION",
    "AccountId": "AWS_ACCOUNT_ID",
}
PLAIN = {
    "Version": 1,
    "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "SessionToken": "IQoJb3JpZ2luX2VjEEXAMPLE//////////wEaCXVzLWVhc3Qt==",
    "Expiration": "2038-01-19T03:14:07Z",
    "AccountId": "123456789012",
}
#: Whatever means something to some shell, at both ends and in the middle; a key has no blanks.
AWKWARD = {
    "quotes": "'a''b\"c\"\"d'",
    "dollars": "$HOME ${HOME} $(id) `id` $'x' $",
    "backslashes": "\\a\\\\b\\'c\\\"d\\$e\\",
    "blanks": "  a  b ",
    "glob": "* ? [a-z] {a,b} ~ ~root",
    "operators": "; & | < > ( ) # ! !! ^ % %% = == @",
    "options": "-n -e --help",
    "one": "'",
    "all": "".join(map(chr, range(32, 127))),
}
#: Characters that no credentials contain and no provider accepts; they are still quoted correctly.
ODD = {
    "lines": "\n a\tb \n\n c\r\n d\\\n",
    "letters": "\xfc \u20ac \U0001f511 \u2018x\u2019",
    "control": "".join(map(chr, range(1, 128))),
}
SHELLS = {
    "sh": ("sh", 'eval "$({})"'),
    "dash": ("dash", 'eval "$({})"'),
    "bash": ("bash", 'eval "$({})"'),
    "bash by file": ("bash", ". <({})"),
    "bash -u": ("bash", 'set -euf; eval "$({})"'),
    "zsh": ("zsh", 'eval "$({})"'),
    "fish": ("fish", "{} | source"),
    "fish eval": ("fish", "eval ({} | string collect)"),
}
PRINT = "; ".join(f"printf '%s\\0' \"${name}\"" for name in VARIABLES.values())


def helper(host: Host, document: dict[str, object]) -> None:
    """Make the profile ``odd`` answer with this document."""
    path = host.folder / "document.json"
    path.write_text(json.dumps(document), encoding="ascii")
    host.config(f"[profile odd]\ncredential_process = /bin/cat {path}\n")


def values(document: dict[str, object]) -> list[object]:
    """Return the values of the variables."""
    return [document[name] for name in VARIABLES]


def check(shell: str, host: Host, document: dict[str, object], script_of: dict[str, str]) -> None:
    """Have the shell evaluate what a command of its own prints, and print the variables."""
    command, script = SHELLS[shell]
    flags = ["--no-config"] if command == "fish" else ["-f"] if command == "zsh" else []
    source = script_of["fish" if command == "fish" else "env"]
    code = f"{script.format(source)}; {PRINT}"
    result = host.run(*flags, "-c", code, command=command)

    assert (result.status, result.stderr) == (0, "")
    assert result.stdout.decode().split("\0")[:-1] == values(document)


TRIPLES = [
    ("quotes", "dollars", "backslashes"),
    ("blanks", "glob", "operators"),
    ("options", "all", "one"),
]


each_shell = pytest.mark.parametrize(
    "shell",
    [pytest.param(each, marks=pytest.mark.needs(SHELLS[each][0])) for each in SHELLS],
)


@each_shell
@pytest.mark.parametrize("names", TRIPLES)
def test_shell_reads_back_what_was_written(
    host: Host, names: tuple[str, str, str], shell: str
) -> None:
    held = (AWKWARD[name].replace(" ", "") for name in names)
    document = PLAIN | dict(zip(VARIABLES, held, strict=False))
    helper(host, document)
    run = "credproc --profile odd --format "

    check(shell, host, document, {"env": run + "env", "fish": run + "fish"})


@each_shell
@pytest.mark.parametrize("names", [*TRIPLES, tuple(ODD)])
def test_shell_reads_back_what_no_provider_lets_through(
    host: Host, names: tuple[str, str, str], shell: str
) -> None:
    held = ({**AWKWARD, **ODD}[name] for name in names)
    document = PLAIN | dict(zip(VARIABLES, held, strict=False))
    for style in ("env", "fish"):
        written = credentials.formatted(json.dumps(document).encode(), style)
        (host.home / style).write_bytes(written)

    check(shell, host, document, {"env": "cat env", "fish": "cat fish"})


@pytest.mark.parametrize("style", ["env", "env-no-export"])
def test_variables_are_exported_as_the_format_says(host: Host, style: str) -> None:
    helper(host, PLAIN)
    script = f'eval "$(credproc --profile odd --format {style})"; env; echo "$AWS_SESSION_TOKEN"'
    lines = host.run("-c", script, command="/bin/sh").stdout.decode().splitlines()

    assert lines[-1] == PLAIN["SessionToken"]
    exported = {line.partition("=")[0] for line in lines} & set(VARIABLES.values())
    assert exported == (set(VARIABLES.values()) if style == "env" else set())


SHAPES = {
    "env": "export {0}={1}\n",
    "env-no-export": "{0}={1}\n",
    "powershell": '$Env:{0}="{1}"\n',
    "windows-cmd": "set {0}={1}\n",
    "fish": 'set -gx {0} "{1}"\n',
}
UNSET = {
    "env": "unset {}\n",
    "env-no-export": "{}=\n",
    "powershell": "$Env:{}=$null\n",
    "windows-cmd": "set {}=\n",
    "fish": "set -e {}; or true\n",
}


@pytest.mark.parametrize("style", SHAPES)
def test_shape_is_that_of_the_aws_cli(host: Host, style: str) -> None:
    helper(host, PLAIN)
    result = host.run("--profile", "odd", "--format", style)
    cached = host.run("--profile", "odd", "--format", style)

    lines = [SHAPES[style].format(name, PLAIN[key]) for key, name in VARIABLES.items()]
    lines += [UNSET[style].format(name) for name in ("AWS_CREDENTIAL_SCOPE", "AWS_SECURITY_TOKEN")]
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout.decode() == cached.stdout.decode() == "".join(lines)


def test_process_is_the_document_of_every_sdk(host: Host) -> None:
    helper(host, PLAIN)

    assert host.document("--profile", "odd", "--format", "process") == PLAIN
    assert host.document("--profile", "odd") == PLAIN


def test_document_is_always_ascii(host: Host) -> None:
    document = PLAIN | {"SecretAccessKey": AWKWARD["all"].strip()}
    helper(host, document)

    assert host.document("--profile", "odd") == document


@pytest.mark.parametrize("field", [name for name in PLAIN if name != "Version"])
def test_field_is_the_value_alone(host: Host, field: str) -> None:
    helper(host, PLAIN)
    first = host.run("--profile", "odd", "--field", field)
    cached = host.run("--profile", "odd", "--field", field)

    assert (first.status, first.stderr) == (0, "")
    assert first.stdout.decode() == cached.stdout.decode() == f"{PLAIN[field]}\n"


@pytest.mark.parametrize("value", [AWKWARD["quotes"], AWKWARD["all"].strip()])
def test_field_is_not_quoted(host: Host, value: str) -> None:
    helper(host, PLAIN | {"SecretAccessKey": value})
    result = host.run("--profile", "odd", "--field", "SecretAccessKey")

    assert result.stdout.decode() == f"{value}\n"


KEYS_ALONE = "[profile keys]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = "


@pytest.mark.parametrize("value", ["0/1+2=", 'it\'s"$5";`a`\\%d#~'])
def test_long_term_keys_of_a_profile_go_through_a_shell(host: Host, value: str) -> None:
    host.config(KEYS_ALONE + value + "\n")
    script = 'eval "$(credproc --profile keys --format env)"; printf %s "$AWS_SECRET_ACCESS_KEY"'
    result = host.run("-c", script, command="/bin/sh")

    assert (result.stdout.decode(), result.stderr) == (value, "")
    lines = host.run("--profile", "keys", "--format", "env").stdout.decode()
    assert "unset AWS_SESSION_TOKEN\nunset AWS_CREDENTIAL_EXPIRATION\n" in lines


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--field", "SessionToken"], "have no SessionToken: these are long-term keys"),
        (["--field", "AccountId"], "have no AccountId: their issuer did not return it"),
    ],
)
def test_missing_field_is_an_error(host: Host, argv: list[str], reason: str) -> None:
    host.config(KEYS_ALONE + "0123\n")
    result = host.run("--profile", "keys", *argv)

    assert (result.status, result.stdout) == (2, b"")
    assert result.stderr.startswith("credproc: --field: these credentials ")
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("value", ["a\0b", "a\ud800b"])
@pytest.mark.parametrize("style", ["env", "env-no-export", "fish", "powershell"])
def test_value_that_no_variable_can_contain_is_an_error(style: str, value: str) -> None:
    data = json.dumps(PLAIN | {"SecretAccessKey": value}).encode()

    with pytest.raises(RequestError, match=f"--format {style}: .*cannot express"):
        credentials.formatted(data, style)
    with pytest.raises(RequestError, match=r"--field: .*cannot express"):
        credentials.field(data, "SecretAccessKey")


#: Prints whose host a request of DynamoDB's goes to, and the keys that it is signed with.
DYNAMODB = """
import boto3
def told(request, **_):
    print(request.url, request.headers["Authorization"].decode().split("/")[0])
    print((request.headers.get("X-Amz-Security-Token") or b"").decode())
    raise SystemExit
client = boto3.client("dynamodb", region_name="eu-central-1")
client.meta.events.register("before-send", told)
client.list_tables()
"""
#: What the role before has left in the shell.
STALE = {
    "AWS_ACCOUNT_ID": "999999999999",
    "AWS_SESSION_TOKEN": "stale",
    "AWS_SECURITY_TOKEN": "stale",
    "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
}


@pytest.mark.parametrize("account", ["123456789012", ""])
@pytest.mark.parametrize("style", ["env", "env-no-export"])
def test_dynamodb_is_called_at_the_account_of_the_credentials(
    host: Host, style: str, account: str
) -> None:
    helper(host, PLAIN | {"AccountId": account} if account else without_account())
    names = {**STALE, **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "x")}
    script = f'eval "$(credproc --profile odd --format {style})"; exec {sys.executable} -c "$1"'
    host.environ |= {**names, "AWS_ENDPOINT_URL": None}

    result = host.run("-c", script, "sh", DYNAMODB, command="/bin/sh")

    where = f"{account}.ddb" if account else "dynamodb"
    assert result.stdout.decode() == (
        f"https://{where}.eu-central-1.amazonaws.com/ AWS4-HMAC-SHA256 "
        f"Credential={PLAIN['AccessKeyId']}\n{PLAIN['SessionToken']}\n"
    ), result


def without_account() -> dict[str, object]:
    """Return the document of a helper that does not know the account."""
    return {name: value for name, value in PLAIN.items() if name != "AccountId"}


def test_scope_of_a_helper_is_passed_on(host: Host) -> None:
    document = PLAIN | {"CredentialScope": "us-east-1"}
    helper(host, document)

    assert host.document("--profile", "odd") == document
    assert host.document("--profile", "odd") == document
    printed = host.run("--profile", "odd", "--format", "env").stdout.decode()
    assert "export AWS_CREDENTIAL_SCOPE=us-east-1\n" in printed


# Neither PowerShell nor cmd.exe is available here; the rules are those of Microsoft's manual.


def powershell(text: str) -> str:
    """Return the value of a PowerShell string: any single quote may be doubled, any closes."""
    quotes = "'\u2018\u2019\u201a\u201b"
    if text[0] == '"':
        assert not re.search(r'["$`\u201c-\u201e]', text[1:-1])
        assert text[-1] == '"'
        return text[1:-1]
    assert text[0] in quotes
    assert text[-1] in quotes
    return re.sub(f"([{quotes}])([{quotes}])", r"\1", text[1:-1])


@pytest.mark.parametrize("value", [*AWKWARD.values(), *ODD.values(), PLAIN["SessionToken"]])
def test_powershell_reads_back_what_was_written(value: str) -> None:
    data = json.dumps(PLAIN | {"SecretAccessKey": value}).encode()
    written = credentials.formatted(data, "powershell").decode()
    match = re.search(r"^\$Env:AWS_SECRET_ACCESS_KEY=(.*?)\n\$Env:", written, re.M | re.S)

    assert match
    assert powershell(match[1]) == value
    inner = re.sub("['\u2018-\u201b]{2}", "", match[1][1:-1])
    assert match[1][0] == '"' or not re.search("['\u2018-\u201b]", inner)


@pytest.mark.parametrize("value", [*AWKWARD.values(), *ODD.values()])
def test_windows_cmd_is_refused_what_it_cannot_quote(value: str) -> None:
    data = json.dumps(PLAIN | {"SecretAccessKey": value}).encode()

    with pytest.raises(RequestError, match=r"cmd\.exe cannot quote"):
        credentials.formatted(data, "windows-cmd")
