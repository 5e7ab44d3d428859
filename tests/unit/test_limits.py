"""What AWS accepts: every limit at, below and above its bound, and what is said of it."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from credproc import limits, mfacommand, options
from credproc.hop import OPTIONS, Hop
from credproc.request import Chain, Imds, Profile, Request

if TYPE_CHECKING:
    from collections.abc import Callable

ROLE = "arn:aws:iam::123456789012:role/"
POLICY = "arn:aws:iam::123456789012:policy/"
ALNUM = "ABCXYZabcxyz0189"


def takes(check: Callable[[str], str], value: str) -> bool:
    """Whether a value is accepted."""
    return not check(value)


# Lengths.

#: Check, the least and the greatest length, a letter to fill with, what the message says.
LENGTHS: dict[str, tuple[Callable[[str], str], int, int, str]] = {
    "role name": (limits.role_name, 1, 64, "1 to 64 characters"),
    "role session name": (limits.role_session_name, 2, 64, "2 to 64 characters"),
    "source identity": (limits.source_identity, 2, 256, "2 to 256 characters"),
    "external id": (limits.external_id, 2, 1224, "2 to 1224 characters"),
    "serial number": (limits.serial_number, 9, 256, "9 to 256 characters"),
    "sts region": (limits.sts_region, 1, 63, "must be a region"),
    "transitive tag key": (limits.transitive_tag_key, 1, 128, "1 to 128 letters"),
    "tag key": (lambda value: limits.tag(f"{value}=x"), 1, 128, "1 to 128 letters"),
    "tag value": (lambda value: limits.tag(f"k={value}"), 0, 256, "at most 256 letters"),
    "policy": (limits.policy, 1, 2048, "at most 2048 characters"),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_length(name: str) -> None:
    check, least, most, words = LENGTHS[name]

    for length in (least, least + 1, most - 1, most):
        assert check("a" * length) == "", length
    for length in (least - 1, most + 1, 2 * most, 100_000):
        if length >= 0:
            assert words in check("a" * length), length


# Characters.

#: Check, and what it takes besides letters and digits.
CHARACTERS: dict[str, tuple[Callable[[str], str], str]] = {
    "role name": (limits.role_name, "_+=,.@-"),
    "role session name": (limits.role_session_name, "_+=,.@-"),
    "source identity": (limits.source_identity, "_+=,.@-"),
    "external id": (limits.external_id, "_+=,.@-:/"),
    "serial number": (limits.serial_number, "_+=,.@-:/"),
}


@pytest.mark.parametrize("name", CHARACTERS)
def test_characters(name: str) -> None:
    check, punctuation = CHARACTERS[name]

    for code in [*range(0x180), 0x660, 0x2028, 0xFF21, 0x1D7CE, 0xDCE9]:
        letter = chr(code)
        allowed = letter in punctuation or (letter.isascii() and letter.isalnum())
        for value in (f"{letter}bcdefghij", f"abcd{letter}fghij", f"abcdefghi{letter}"):
            assert takes(check, value) == allowed, repr(letter)
    message = check("no blanks here")
    assert all(letter in message for letter in punctuation)
    assert "A-Z a-z 0-9" in message


def test_characters_of_a_tag_are_letters_separators_and_numbers_of_any_script() -> None:
    wrong = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if takes(limits.transitive_tag_key, chr(code))
        != (unicodedata.category(chr(code))[0] in "LZN" or chr(code) in "_.:/=+-@")
    ]

    assert wrong == []


def test_characters_of_a_policy() -> None:
    wrong = [
        chr(code)
        for code in range(0x300)
        if takes(limits.policy, chr(code)) != (code in (9, 10, 13) or 0x20 <= code <= 0xFF)
    ]

    assert wrong == []
    assert "U+0020 to U+00FF" in limits.policy("\u2022")


@pytest.mark.parametrize("value", ["eu-central-1", "us-gov-west-1", "aws-global", "x", "moon-1"])
def test_region(value: str) -> None:
    assert limits.sts_region(value) == ""


@pytest.mark.parametrize(
    "value",
    [
        "",
        "EU-CENTRAL-1",
        "eu_central_1",
        "-eu",
        "eu-",
        "eu central",
        "eu.central",
        "a/b",
        "a@b",
        "\u0665",
    ],
)
def test_region_that_could_be_another_host_is_refused(value: str) -> None:
    assert limits.sts_region(value) == "must be a region, like eu-central-1"


# ARNs.


@pytest.mark.parametrize(
    "value",
    [
        ROLE + "a",
        ROLE + "a" * 64,
        ROLE + "_+=,.@-",
        ROLE + "path/to/a",
        ROLE + "p" * 512 + "/a",
        ROLE + "!\"#$%&'()*+,-.:;<=>?@[]^_`{|}~/a",
        *(
            ROLE.replace("aws", partition) + "a"
            for partition in ("aws-cn", "aws-us-gov", "aws-iso-b")
        ),
        ROLE.replace("aws", "aws-eusc") + "a",
        ROLE.replace("123456789012", "000000000000") + "a",
    ],
)
def test_role_arn(value: str) -> None:
    assert limits.role_arn(value) == ""


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        "role",
        ROLE,
        ROLE + "a" * 65,
        ROLE + "a b",
        ROLE + "p" * 513 + "/a",
        ROLE + "a/",
        ROLE + "\u00e9/a",
        ROLE + "a\n",
        ROLE + "x" * 2048,
        " " + ROLE + "a",
        ROLE.upper() + "a",
        ROLE.replace("role/", "role") + "a",
        ROLE.replace("role", "user") + "a",
        ROLE.replace("role", "assumed-role") + "a/b",
        ROLE.replace("iam", "sts") + "a",
        ROLE.replace("iam::", "iam:us-east-1:") + "a",
        ROLE.replace("123456789012", "12345678901") + "a",
        ROLE.replace("123456789012", "1234567890123") + "a",
        ROLE.replace("123456789012", "12345678901\u0662") + "a",
        ROLE.replace("123456789012", "aws") + "a",
        ROLE.replace("arn", "urn") + "a",
        ROLE.replace("aws", "gcp") + "a",
        ROLE.replace("aws", "aws_x") + "a",
        ROLE.replace("aws", "aws" + "x" * 62) + "a",
    ],
)
def test_invalid_role_arn(value: str) -> None:
    assert limits.role_arn(value) == (
        "must be a role's ARN, like arn:aws:iam::123456789012:role/NAME"
    )


@pytest.mark.parametrize(
    "value",
    [
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM",
        "arn:aws-cn:iam::aws:policy/job-function/Billing",
        POLICY + "a",
        POLICY + "path/a",
        POLICY + "p" * 512,
    ],
)
def test_policy_arn(value: str) -> None:
    assert limits.policy_arn(value) == ""


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ReadOnlyAccess",
        POLICY,
        POLICY + "a/",
        POLICY + "a b",
        POLICY + "p" * 513,
        POLICY + "x" * 2048,
        POLICY.replace("policy", "role") + "a",
        POLICY.replace("123456789012", "") + "a",
        POLICY.replace("123456789012", "amazon") + "a",
        POLICY.replace("iam::", "iam:eu-central-1:") + "a",
        POLICY.replace("iam", "s3") + "a",
        POLICY.replace("aws", "x") + "a",
    ],
)
def test_invalid_policy_arn(value: str) -> None:
    assert limits.policy_arn(value) == (
        "must be a policy's ARN, like arn:aws:iam::aws:policy/ReadOnlyAccess"
    )


# Numbers.


@pytest.mark.parametrize("value", ["900", "901", "3600", "43199", "43200", "00900"])
def test_duration(value: str) -> None:
    assert limits.duration_seconds(value) == ""


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "899",
        "43201",
        "99999",
        "000900",
        "9" * 5000,
        "-900",
        "+900",
        " 900",
        "900 ",
        "900.0",
        *("9e2", "1h", "0x384", "9_00", "\u0669\u0660\u0660", "\u00b2\u00b2\u00b2\u00b2", "nan"),
    ],
)
def test_invalid_duration(value: str) -> None:
    assert limits.duration_seconds(value) == "must be a whole number of seconds from 900 to 43200"


@pytest.mark.parametrize("value", ["1", "1.0", "1.", "45", "0045", "3600", "3600.0", "59.999"])
def test_timeout(value: str) -> None:
    assert limits.timeout(value) == ""


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            ".",
            "0",
            "0.999",
            "3600.1",
            "3601",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1e2",
            "1.2.3",
            "nan",
            "inf",
        ),
        *("1_0", "\u0661", "9" * 5000, "0x1"),
    ],
)
def test_invalid_timeout(value: str) -> None:
    assert limits.timeout(value) == "must be a number of seconds from 1 to 3600"


# Choices and the rest.


@pytest.mark.parametrize("value", ["a=b", "a=", "a==b", "a b=c d", "\u0436=\u00e9", "aws:x=y"])
def test_tag(value: str) -> None:
    assert limits.tag(value) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "must be KEY=VALUE"),
        ("a", "must be KEY=VALUE"),
        ("=b", "the key must be 1 to 128 letters"),
        ("a;=b", "the key must be"),
        ("a=b;", "the value must be at most 256 letters"),
        ("a=b\n", "the value must be"),
        ("a=\x85", "the value must be"),
        ("e\u0301=x", "the key must be"),
    ],
)
def test_invalid_tag(value: str, words: str) -> None:
    assert limits.tag(value).startswith(words)


@pytest.mark.parametrize(
    "value",
    [
        "env",
        "imds",
        "container",
        "web-identity",
        "imds:app",
        "profile:a",
        "profile:a b",
        "profile:a:b",
    ],
)
def test_source(value: str) -> None:
    assert limits.source(value) == ""


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "ENV",
            "env:",
            "env:x",
            "imds:",
            "imds:a/b",
            "imds:" + "a" * 65,
            "profile",
            "profile:",
        ),
        *("profile:a]", "profile:a\n", "container:x", "web-identity:", "ec2", ":env", " env"),
    ],
)
def test_invalid_source(value: str) -> None:
    assert limits.source(value) == (
        "must be one of env, profile:NAME, imds, imds:ROLE, container or web-identity"
    )


@pytest.mark.parametrize("value", ["a", "with blank", "\u00e9", "a/b", "a[", "default", "x" * 500])
def test_profile_name(value: str) -> None:
    assert limits.profile_name(value) == ""


@pytest.mark.parametrize("value", ["", "a]", "a\nb", "\x00", "\x1b[m", "\udce9", "\u202e"])
def test_invalid_profile_name(value: str) -> None:
    assert limits.profile_name(value).startswith("must be a profile name")


@pytest.mark.parametrize("value", ["", "x", "./x", "~/x", "$HOME/x", "/x\0y"])
def test_invalid_cache_directory(value: str) -> None:
    assert limits.cache_dir(value) == "must be an absolute path"
    assert limits.cache_dir("/x") == ""


def test_choices_are_listed_where_none_of_them_is_given() -> None:
    assert all(takes(limits.output_format, each) for each in limits.FORMATS)
    assert all(takes(limits.output_field, each) for each in limits.FIELDS)
    assert limits.output_format("json").split(", ")[1:] == list(limits.FORMATS[1:])
    assert limits.output_field("Version").split(", ")[1:] == list(limits.FIELDS[1:])


# What is allowed together.


def request(*providers: Imds | Chain | Profile) -> Request:
    """Return a request for the providers."""
    made = Request()
    made.providers = list(providers)
    return made


def chain(*hops: Hop, source: str = "env") -> Request:
    """Return a request for one chain."""
    made = Chain()
    made.source, made.hops = source, list(hops)
    return request(made)


def hop(**fields: Any) -> Hop:
    """Return a hop with some of its fields set."""
    made = Hop(ROLE + "a")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("field", "most", "option"),
    [
        ("tag", 50, "--tag"),
        ("transitive_tag_key", 50, "--transitive-tag-key"),
        ("policy_arn", 10, "--policy-arn"),
    ],
)
def test_number_of_values(field: str, most: int, option: str) -> None:
    values = [f"k{number}=x" for number in range(most + 1)]

    assert chain(hop(**{field: values[:-1]})).problem() == ""
    # Each hop has a limit of its own.
    assert chain(hop(), hop(**{field: values[:-1]})).problem() == ""
    for hops in ([hop(**{field: values})], [hop(), hop(**{field: values})]):
        assert chain(*hops).problem() == f"{option}: at most {most} for one --role-arn"


@pytest.mark.parametrize(
    ("hops", "words"),
    [
        ([hop(tag=["k=1", "l=2"])], ""),
        ([hop(tag=["k=1", "k=1"])], "--tag: duplicate key"),
        ([hop(tag=["Key=1", "kEY=2"])], "--tag: duplicate key"),
        ([hop(tag=["k=1"]), hop(tag=["k=2"])], ""),
        ([hop(tag=["k=1"], transitive_tag_key=["k"]), hop()], ""),
        ([hop(tag=["k=1"], transitive_tag_key=["k"]), hop(tag=["l=1"])], ""),
        ([hop(tag=["k=1"], transitive_tag_key=["k"]), hop(tag=["K=1"])], "--tag: K was made trans"),
        (
            [hop(transitive_tag_key=["k"]), hop(), hop(tag=["k=1"])],
            "--tag: k was made transitive by role 1",
        ),
        (
            [hop(), hop(transitive_tag_key=["k"]), hop(tag=["k=1"])],
            "--tag: k was made transitive by role 2",
        ),
        ([hop(source_identity="me"), hop()], ""),
        ([hop(source_identity="me"), hop(source_identity="me")], ""),
        (
            [hop(source_identity="me"), hop(source_identity="you")],
            "--source-identity: must follow the first",
        ),
        ([hop(), hop(source_identity="me")], "--source-identity: must follow the first"),
    ],
)
def test_what_the_hops_of_one_chain_may_do(hops: list[Hop], words: str) -> None:
    said = chain(*hops).problem()

    assert said.startswith(words)
    assert bool(said) == bool(words)


@pytest.mark.parametrize(
    ("requested", "words"),
    [
        (request(Imds()), ""),
        (request(Imds(), Imds("app"), Profile("a"), Profile("b")), ""),
        (request(Imds(), Imds()), "--imds: the same provider is given twice"),
        (
            request(Profile("a"), Imds(), Profile("a")),
            "--profile: the same provider is given twice",
        ),
        (chain(), "--source: needs at least one --role-arn"),
        (chain(hop(), source=""), "--role-arn: needs --source, one of env, profile:NAME"),
        (chain(hop(), hop()), ""),
    ],
)
def test_what_the_providers_may_be(requested: Request, words: str) -> None:
    said = requested.problem()

    assert said.startswith(words)
    assert bool(said) == bool(words)


# botocore's service model says what STS takes.

MODEL: dict[str, tuple[str, Callable[[str], str]]] = {
    "RoleSessionName": ("roleSessionNameType", limits.role_session_name),
    "ExternalId": ("externalIdType", limits.external_id),
    "SerialNumber": ("serialNumberType", limits.serial_number),
    "SourceIdentity": ("sourceIdentityType", limits.source_identity),
    "TransitiveTagKeys": ("tagKeyType", limits.transitive_tag_key),
}


@pytest.fixture(scope="module")
def model() -> Any:
    """What botocore knows of STS."""
    return botocore.session.Session().get_service_model("sts")


@pytest.mark.parametrize("name", MODEL)
def test_no_limit_is_narrower_than_that_of_the_service_model(name: str, model: Any) -> None:
    shape, check = MODEL[name]
    bounds = model.shape_for(shape).metadata

    assert check("a" * bounds["min"]) == check("a" * bounds["max"]) == ""


def test_limits_of_numbers_and_lists_are_those_of_the_service_model(model: Any) -> None:
    members = model.operation_model("AssumeRole").input_shape.members
    seconds = members["DurationSeconds"].metadata

    assert (seconds["min"], seconds["max"]) == (900, 43200)
    assert members["Tags"].metadata["max"] == members["TransitiveTagKeys"].metadata["max"] == 50
    assert model.shape_for("tagValueType").metadata["max"] == 256


def test_every_option_of_a_hop_is_a_parameter_of_the_service_model(model: Any) -> None:
    members = model.operation_model("AssumeRole").input_shape.members

    assert {each.parameter for each in OPTIONS} - set(members) == {""}
    assert [each.name for each in OPTIONS if not each.parameter] == ["--sts-region"]


#: Parameters of AssumeRole that no option has, and why.
NOT_OFFERED = {
    "RoleArn": "it is --role-arn, which begins a role",
    "TokenCode": "the MFA code is requested when it is needed",
    "ProvidedContexts": "a context assertion is a signed secret of some minutes, from the program "
    "that has just signed its user in: it belongs neither into a command line nor into a config",
    "MinimumSessionTokenSize": "it only makes tokens longer, to try software that stores them; "
    "botocore before 1.44 does not know it, and the SDKs for Go read no more than 8 KiB",
}


@pytest.mark.slow
def test_every_parameter_of_the_service_model_is_an_option_or_left_out_for_a_reason(
    model: Any,
) -> None:
    """A newer botocore may know more of them: offer each, or say here why not."""
    members = model.operation_model("AssumeRole").input_shape.members

    assert set(members) - {each.parameter for each in OPTIONS} <= set(NOT_OFFERED)


def test_limits_in_messages_are_the_real_limits() -> None:
    most = limits.MAX_TIMEOUT
    assert limits.timeout(f"{most}") == ""
    assert limits.timeout(f"{most + 1}") == f"must be a number of seconds from 1 to {most}"
    help_text = " ".join(options.parser().format_help().split())
    assert f"within {mfacommand.SECONDS} s" in help_text
