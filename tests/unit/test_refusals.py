"""What STS refuses is explained by what it says: no advice that cannot be the reason."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from credproc.credentials import Credentials
from credproc.errors import CodeNotGiven, ProviderFailed, SourceRejected
from credproc.providers import faults
from credproc.providers.reply import Call, Fault, Reply
from credproc.regions import partition

if TYPE_CHECKING:
    from collections.abc import Iterable

ROLE = "arn:aws:iam::444455556666:role/deploy"
ANN = "arn:aws:iam::111122223333:user/ann"
WHO = f"User: {ANN} is not authorized to perform: "
KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", "secret", "", 0)


def refused(
    code: str,
    message: str,
    given: Iterable[str] = (),
    caller: Credentials | None = KEYS,
    role: str = ROLE,
    region: str = "eu-central-1",
    token: str = "",
) -> Fault:
    """Return what a refusal of AssumeRole means; it is never worth another try."""
    reply = Reply(403, {}, code, message)
    fault = faults.explain(reply, Call(region, role, caller, token, tuple(given)))
    assert fault.pause == 0
    return fault


# Which policy.

POLICIES = {
    "with an explicit deny in a service control policy": (
        "is explicitly denied by a service control policy (SCP) of the organization: only an "
        "administrator of the organization can change it"
    ),
    "with an explicit deny in a service control policy: arn:aws:organizations::1:policy/p-1": (
        "is explicitly denied by a service control policy (SCP)"
    ),
    "because no service control policy allows the sts:AssumeRole action": (
        "must be allowed by a service control policy (SCP) of the organization (only an admin"
    ),
    "with an explicit deny in a resource control policy": "resource control policy (RCP)",
    "with an explicit deny in a permissions boundary": (
        f"is explicitly denied by the permissions boundary of {ANN}: an administrator of account "
        "111122223333 can change it"
    ),
    "because no permissions boundary allows the sts:AssumeRole action": (
        f"must be allowed by the permissions boundary of {ANN} (an administrator of account 1111"
    ),
    "with an explicit deny in a session policy": "the session policy that arn:aws:iam::111122",
    "because no session policy allows the sts:AssumeRole action": "must be allowed by the session",
    "with an explicit deny in an identity-based policy": (
        f"is explicitly denied by the policies attached to {ANN}: an administrator of account "
        "111122223333 can change them"
    ),
    "because no identity-based policy allows the sts:AssumeRole action": (
        f"must be allowed by the policies attached to {ANN} (an administrator of account 111122"
    ),
    "because no resource-based policy allows the sts:AssumeRole action": (
        "must be allowed by the role's own trust policy (an administrator of account 444455556666"
    ),
    "with an explicit deny in a resource-based policy": (
        "is explicitly denied by the role's own trust policy: an administrator of account 4444"
    ),
    "because no role trust policy allows the sts:AssumeRole action": "the role's own trust policy",
    "with an explicit deny in the role trust policy": "denied by the role's own trust policy",
    "because no VPC endpoint policy allows the sts:AssumeRole action": "VPC endpoint for STS",
    "with an explicit deny in a data perimeter policy": "denied by a data perimeter policy",
}


@pytest.mark.parametrize("end", POLICIES)
def test_policy_that_denied_is_the_one_that_is_named(end: str) -> None:
    said = refused("AccessDenied", f"{WHO}sts:AssumeRole on resource: {ROLE} {end}").words()
    assert POLICIES[end] in said
    assert ("trust policy" in said) == ("resource-based" in end or "trust" in end)
    for other in ("external", "MFA", "--tag", "does not say"):
        assert other not in said


@pytest.mark.parametrize("action", ["sts:TagSession", "sts:SetSourceIdentity"])
def test_policy_is_named_for_the_action_that_it_denied(action: str) -> None:
    end = f"because no identity-based policy allows the {action} action"
    said = refused("AccessDenied", f"{WHO}{action} on resource: {ROLE} {end}").words()
    assert f"{action} must be allowed by the policies attached to {ANN}" in said


def test_deny_without_a_policy_is_not_taken_for_a_missing_permission() -> None:
    message = f"{WHO}sts:AssumeRole on resource: {ROLE} with an explicit deny"
    said = refused("AccessDenied", message).words()
    assert "a Deny statement applies, and STS does not say in which policy" in said
    for other in ("check that the role exists", "must allow", "--external-id"):
        assert other not in said


@pytest.mark.parametrize(
    ("caller", "is_itself"),
    [("deploy/job", True), ("deployer/job", False), ("ci/deploy", False)],
)
def test_role_that_assumes_itself_is_told_so(caller: str, is_itself: bool) -> None:
    role = "arn:aws:iam::444455556666:role/teams/deploy"
    message = (
        f"User: arn:aws:sts::444455556666:assumed-role/{caller} is not authorized to perform: "
        f"sts:AssumeRole on resource: {role}"
    )
    said = refused("AccessDenied", message, role=role).words()
    assert ("is a session of this role itself" in said) == is_itself


def test_role_that_may_not_exist_is_one_of_the_reasons_where_sts_names_none() -> None:
    said = refused("AccessDenied", f"{WHO}sts:AssumeRole on resource: {ROLE}").words()
    assert "check that the role exists (STS does not say), that its trust policy allows" in said
    assert "--external-id, --serial-number (MFA), --tag, --source-identity)" in said
    assert "the caller's policies in its own account allow" in said


def test_condition_that_was_met_is_not_suggested() -> None:
    given = ("RoleArn", "ExternalId", "SerialNumber", "Tags")
    said = refused("AccessDenied", f"{WHO}sts:AssumeRole on resource: {ROLE}", given).words()
    assert "(a condition may require a different --external-id, --source-identity)" in said


@pytest.mark.parametrize(
    ("action", "given", "words"),
    [
        ("TagSession", ("Tags",), "must allow sts:TagSession too, or leave out --tag"),
        ("TagSession", (), "no --tag was given, but the calling session passes on its"),
        ("SetSourceIdentity", ("SourceIdentity",), "must allow sts:SetSourceIdentity too (a ses"),
        ("SetSourceIdentity", (), "the calling session has a source identity, which is passed on"),
    ],
)
def test_missing_permission_to_tag_or_to_name_the_source_has_its_words(
    action: str, given: tuple[str, ...], words: str
) -> None:
    said = refused("AccessDenied", f"{WHO}sts:{action} on resource: {ROLE}", given).words()
    assert words in said
    assert "check that the role exists" not in said


# What is too large, too long, or not allowed together.


@pytest.mark.parametrize(
    ("code", "message", "given", "words"),
    [
        ("PackedPolicyTooLarge", ("Packed policy consumes 112% of allotted space, please use "
         "smaller policy."), ("Policy", "PolicyArns", "Tags"),
         "shorten --policy, --policy-arn, --tag"),
        ("PackedPolicyTooLarge", "Packed policy consumes 112% of allotted space.", ("PolicyArns",),
         "shorten --policy-arn"),
        ("PackedPolicyTooLarge", "Packed size of session tags consumes 112% of allotted space.",
         ("Tags",), "use fewer or shorter --tag; the transitive tags that the calling session"),
        ("PackedPolicyTooLargeException", ("Packed size of session tags consumes 112% of allotted "
         "space."), (), ": the transitive tags that the calling session passes on count too (EKS"),
        ("InvalidParameterValue", ("One of the specified transitive tag keys can't be set because "
         "it conflicts with a transitive tag key from the calling session."), ("Tags",),
         "the calling session's transitive tags cannot be changed: leave out that --tag"),
        ("ValidationError", "Policy arn:aws:iam::1:policy/x does not exist or is not attachable.",
         ("PolicyArns",), "check --policy-arn"),
        ("ValidationError", ("The requested DurationSeconds exceeds the MaxSessionDuration set for "
         "this role."), ("DurationSeconds",), "lower --duration-seconds"),
        ("MalformedPolicyDocument", "The policy is not in the valid JSON format.", ("Policy",),
         "check --policy"),
        ("RegionDisabledException", "STS is not activated in this region for account:1.", (),
         "activate STS for eu-central-1"),
        ("ValidationError", "Request ARN is invalid", (), "check the role's ARN"),
        ("ValidationError", "The specified policy ARN x is invalid.", ("PolicyArns",),
         "check --policy-arn"),
        ("MalformedPolicyDocument", "Syntax errors in policy.", ("PolicyArns",),
         "policy: check --policy-arn"),
        ("SignatureDoesNotMatch", "Credential should be scoped to a valid region. ", (),
         "the endpoint is not STS in eu-central-1: check AWS_ENDPOINT_URL_STS"),
        ("AccessDenied", "Roles may not be assumed by root accounts.", (),
         "use the keys of a user or a role, not of the root user"),
    ],
)  # fmt: skip
def test_refusal_with_one_meaning_has_its_own_words(
    code: str, message: str, given: tuple[str, ...], words: str
) -> None:
    fault = refused(code, message, given)
    assert fault.kind is ProviderFailed
    assert words in fault.words()
    assert "trust policy" not in fault.words()


@pytest.mark.parametrize(
    ("message", "words", "kind"),
    [
        ("MultiFactorAuthentication failed, must provide MFA information. ",
         "name the MFA device with --serial-number", ProviderFailed),
        ("MultiFactorAuthentication failed with invalid MFA one time pass code. ",
         "each code works once", CodeNotGiven),
        (("MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA "
         "serial number is valid and associated with this user."),
         "or --serial-number (mfa_serial) is not the caller's own device", CodeNotGiven),
    ],
)  # fmt: skip
def test_mfa_errors_are_distinguished(message: str, words: str, kind: type[ProviderFailed]) -> None:
    fault = refused("AccessDenied", message)
    assert words in fault.words()
    assert issubclass(fault.kind, kind)


# Keys.


@pytest.mark.parametrize(
    ("key", "token", "region", "words"),
    [
        ("AKIAIOSFODNN7EXAMPLE", "", "eu-central-1", "AWS does not know the calling credentials"),
        ("AKIAIOSFODNN7EXAMPLE", "t", "eu-central-1", "long-term keys with a session token that"),
        ("ASIAIOSFODNN7EXAMPLE", "", "eu-central-1", "are temporary, but their session token is"),
        ("ASIAIOSFODNN7EXAMPLE", "t", "af-south-1", "or the account has not enabled the region af"),
        ("ASIAIOSFODNN7EXAMPLE", "t", "eu-south-2", "has not enabled the region eu-south-2"),
        ("AKIAIOSFODNN7EXAMPLE", "", "aws-global", "or from another partition than aws"),
    ],
)
def test_keys_that_aws_does_not_know_are_explained_by_what_they_are(
    key: str, token: str, region: str, words: str
) -> None:
    message = "The security token included in the request is invalid."
    caller = Credentials(key, "secret", token, 0)
    fault = refused("InvalidClientTokenId", message, caller=caller, region=region)
    assert fault.kind is SourceRejected
    assert words in fault.words()
    assert ("enabled" in fault.words()) == (region not in ("eu-central-1", "aws-global"))
    assert key not in fault.words()


@pytest.mark.parametrize(
    ("role", "region", "named"),
    [
        ("arn:aws-us-gov:iam::111122223333:role/r", "us-east-1", "such as us-gov-west-1"),
        ("arn:aws-cn:iam::111122223333:role/r", "eu-west-1", "such as cn-north-1"),
        ("arn:aws:iam::111122223333:role/r", "us-gov-east-1", "such as us-east-1"),
        ("arn:aws:iam::111122223333:role/r", "eusc-de-east-1", "such as us-east-1"),
    ],
)
@pytest.mark.parametrize("code", ["InvalidClientTokenId", "AccessDenied", "ValidationError"])
@pytest.mark.parametrize("caller", [KEYS, None])
def test_role_of_another_partition_is_the_reason(
    role: str, region: str, named: str, code: str, caller: Credentials | None
) -> None:
    fault = refused(code, "no", role=role, region=region, caller=caller)
    assert f"but STS in {region} (partition " in fault.words()
    assert named in fault.words()
    assert fault.kind is ProviderFailed, "other credentials would not help"


def test_partition_is_known_for_every_name_of_a_region() -> None:
    for region in (
        "us-gov-east-1",
        "aws-us-gov-global",
        "fips-us-gov-west-1",
        "us-gov-east-1-fips",
    ):
        assert partition(region) == "aws-us-gov"
    for region in ("eu-west-1", "aws-global", "us-east-1-fips"):
        assert partition(region) == "aws"


def test_session_credentials_get_no_mfa_session() -> None:
    said = refused("AccessDenied", "Cannot call GetSessionToken with session credentials", role="")
    assert "--mfa-session needs a user's long-term keys" in said.words()


@pytest.mark.parametrize(
    ("region", "host", "words"),
    [
        ("eu-west-1a", "sts.eu-west-1a.amazonaws.com", "eu-west-1a does not look like a region"),
        ("us-east", "sts-fips.us-east.amazonaws.com", "us-east does not look like a region"),
        ("eu-west-1", "sts-fips.eu-west-1.amazonaws.com", "not every region has a FIPS endpoint"),
        ("eu-centrl-1", "sts.eu-centrl-1.amazonaws.com", "did you mean eu-central-1?"),
        ("us-east-l", "sts.us-east-l.amazonaws.com", "us-east-l does not look like a region"),
        ("eu-west-1", "sts.eu-west-1.amazonaws.com", "check the network, and HTTPS_PROXY"),
        ("aws-global", "sts.amazonaws.com", "check the network, and HTTPS_PROXY"),
        ("eu-west-1", "x.sts.eu-west-1.vpce.amazonaws.com", "check the network, and HTTPS_PROXY"),
        ("zone-a", "ceph.example", "check the address, and that the service runs"),
    ],
)
def test_what_to_do_about_no_answer_depends_on_the_endpoint(
    region: str, host: str, words: str
) -> None:
    text = f'Could not connect to the endpoint URL: "https://{host}/" (name not known)'
    assert words in faults.unreachable(Call(region, ROLE, KEYS), text).hint


# Web identities.


def jwt(**claims: Any) -> str:
    """Return a token with these claims, without a valid signature."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


GITHUB = jwt(
    iss="https://token.actions.githubusercontent.com",
    aud="sts.amazonaws.com",
    sub="repo:corp/app:ref:refs/heads/main",
    exp=time.time() + 10 * 365 * 86400,
)
NAMED = (
    "a token with issuer https://token.actions.githubusercontent.com, audience sts.amazonaws.com, "
    "subject repo:corp/app:ref:refs/heads/main"
)


def exchange(code: str, message: str, token: str = GITHUB) -> Fault:
    """Return what a refusal of AssumeRoleWithWebIdentity means."""
    fault = refused(code, message, caller=None, token=token)
    for other in ("external", "MFA", "the caller", token):
        assert other not in fault.words()
    return fault


def test_token_that_no_trust_policy_allows_is_described() -> None:
    fault = exchange("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    assert NAMED in fault.words()
    assert (
        "token.actions.githubusercontent.com:aud and token.actions.githubusercontent.com:sub"
        in (fault.words())
    )
    assert fault.kind is ProviderFailed


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        ("InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://x",
         "add the issuer as an identity provider to IAM in account 444455556666"),
        ("InvalidIdentityToken", "Incorrect token audience", "add the audience to the identity"),
        ("InvalidIdentityToken", ("OpenIDConnect provider's HTTPS certificate doesn't match "
         "configured thumbprint"), "update the thumbprints of the identity provider"),
        ("InvalidIdentityToken", "The ID Token provided is not a valid JWT.", "not an access tok"),
        ("IDPRejectedClaim", "The identity provider reported that authentication failed.",
         "check the token (a token with issuer"),
        ("InvalidIdentityToken", "Missing a required claim: aud", "issuer must include that claim"),
        ("InvalidIdentityToken", "Token is not signed with RS256", "must be signed with one of"),
        ("InvalidIdentityToken", "Verification key not found", "must be signed with one of"),
    ],
)  # fmt: skip
def test_token_that_is_refused_has_the_reason(code: str, message: str, words: str) -> None:
    fault = exchange(code, message)
    assert words in fault.words()
    assert fault.kind is SourceRejected


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("with an explicit deny in a resource control policy", "denied by a resource control poli"),
        ("because no VPC endpoint policy allows it", "allowed by the policy of the VPC endpoint"),
        ("because no resource-based policy allows it", "its trust policy does not allow a token"),
    ],
)
def test_policy_that_denied_a_token_is_named(end: str, words: str) -> None:
    message = f"User: x is not authorized to perform: sts:AssumeRoleWithWebIdentity on {ROLE} {end}"
    fault = exchange("AccessDenied", message)
    assert words in fault.words()
    assert ("trust policy" in fault.words()) == ("resource-based" in end)


def test_token_that_has_expired_is_said_to_be_so() -> None:
    token = jwt(iss="https://x.example", aud=["a", "b"], sub="s", exp=time.time() - 1_000_000)
    fault = exchange("ExpiredTokenException", "Token expired: current date/time 1 must be", token)
    assert (
        "get a new token: a token with issuer https://x.example, audience a, b, " in fault.words()
    )
    assert "subject s expired 10000" in fault.words()


@pytest.mark.parametrize(
    "token",
    ["", "opaque", "a.b.c", "e30.bm8.c", "e30.W10.c", "e30.e30.c", jwt(iss=5, aud={}, sub=[])],
)
def test_token_without_claims_is_never_quoted(token: str) -> None:
    fault = refused("AccessDenied", "Not authorized", caller=None, token=token)
    assert "issuer" in fault.words()
    assert "audience" in fault.words()
    assert "subject" in fault.words()
    assert token not in fault.words().split() or not token


# Pauses.


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"x-amz-retry-after": "soon", "retry-after": "7"}, 7),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "Sat, 28 Nov 2026 20:00:30 GMT",
          "date": "Sat, 28 Nov 2026 20:00:00 GMT"}, 30),
        ({"retry-after": "Sat, 28 Nov 2020 20:00:30 GMT",
          "date": "Sat, 28 Nov 2026 20:00:00 GMT"}, 0),
    ],
)  # fmt: skip
def test_service_is_left_alone_at_least_as_long_as_it_says(
    headers: dict[str, str], seconds: float
) -> None:
    for reply in (
        Reply(503, headers, "ServiceUnavailable", "no"),
        Reply(400, headers, "Throttling", "Rate exceeded"),
        Reply(429, headers),
        Reply(400, headers, "IDPCommunicationError", "no"),
        Reply(400, headers, "InvalidIdentityToken", "Couldn't retrieve verification key from your"),
    ):
        fault = faults.explain(reply, Call("eu-central-1", ROLE, None))
        assert fault.least == pytest.approx(seconds, abs=1.5)
        assert fault.pause
        assert fault.busy


def test_web_page_is_recognised_and_not_quoted() -> None:
    reply = Reply(403, {}, "AccessDenied", "\n <!DOCTYPE html><html><body>log in</body></html>")
    assert reply.text() == "AccessDenied: a web page (from a proxy or a portal?)"
