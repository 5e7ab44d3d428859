"""AWS for the commands: clients, one-line errors, and waiting for resources that are new."""

from __future__ import annotations

import functools
import os
import re
import time
from typing import TYPE_CHECKING, Any

from credproc import regions, windows
from credproc.ctl import shared
from credproc.ctl.steps import Failed
from credproc.errors import CredprocError, RequestError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeVar

    from credproc.ctl.output import Console

    Answer = TypeVar("Answer")

#: Seconds to wait until a new resource is visible everywhere; the first and the longest pause.
PATIENCE, PAUSE, LONGEST_PAUSE = 60.0, 0.5, 5.0

#: Error codes of IAM and EC2 for a new resource that is not visible everywhere yet, and text that
#: the message must contain: EC2 uses the same code for other mistakes.
NOT_YET = (
    ("NoSuchEntity", ""),
    ("InvalidParameterValue", "Invalid IAM Instance Profile"),
)

HINTS = {
    "ExpiredToken": "sign in again, or use a profile that runs credproc",
    "InvalidClientTokenId": "AWS does not know this access key",
}

#: Error codes of IAM, STS and EC2 for a caller that lacks a permission.
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_ACTION = re.compile(r"not authorized to perform: (\w[\w-]*:\w+)")
_ENCODED = re.compile(r"\s*Encoded authorization failure message: \S+")
#: Operations that give an instance a role.
PASSING = ("AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation")


NO_CREDENTIALS = "no AWS credentials found: give --profile NAME, or run `aws configure`"


class Refused(CredprocError):
    """AWS refused a request; ``code`` is its error code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.is_denied = code in DENIED
        self.is_new = any(code == known and words in text for known, words in NOT_YET)


class Aws:
    """Clients for the account that ``--profile`` or the environment selects.

    The secrets of the credentials are added to ``secrets``, so that they are never shown.
    """

    def __init__(
        self,
        profile: str | None,
        region: str | None,
        environ: Mapping[str, str],
        secrets: list[str],
    ) -> None:
        import boto3
        from botocore.config import Config

        # boto3 ignores AWS_REGION, which every other SDK and credproc honor.
        chosen = region or environ.get("AWS_REGION") or None
        self.config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"})
        self.session = call(boto3.Session, profile_name=profile, region_name=chosen)
        self.region: str = self.session.region_name or ""
        self._secrets = secrets

    @functools.cached_property
    def iam(self) -> Any:
        """IAM, which is one service for all regions of a partition."""
        return self._client("iam")

    @functools.cached_property
    def ec2(self) -> Any:
        """EC2 in the region."""
        if not self.region:
            raise RequestError(
                "no region: give --region, set AWS_REGION, or add a region to the profile"
            )
        return self._client("ec2")

    @functools.cached_property
    def partition(self) -> str:
        """The partition of the account (aws, aws-cn, ...)."""
        arn = str(call(self._client("sts").get_caller_identity)["Arn"])
        if arn.count(":") < 5:
            raise Refused("", f"GetCallerIdentity returned {arn}, which is not an ARN")
        return arn.split(":")[1]

    def _client(self, service: str) -> Any:
        found = call(self.session.get_credentials)
        if found is None:
            raise RequestError(NO_CREDENTIALS)
        keys = call(found.get_frozen_credentials)
        self._secrets += [text for text in (keys.secret_key, keys.token) if text]
        # IAM and GetCallerIdentity do not depend on the region, but a client requires one.
        region = self.region or "us-east-1"
        return call(self.session.client, service, region_name=region, config=self.config)


def account(given: argparse.Namespace, region: str | None = None) -> Aws:
    """Return the clients for the command's --profile and --region."""
    return Aws(given.profile, region or given.region, os.environ, given.log.secrets)


class Reply(dict[str, Any]):
    """An object in a response of AWS; a missing key is an error of the response."""

    def __missing__(self, key: str) -> Any:
        raise Refused("", f"the response has no {key} (is the endpoint really AWS?)")


def _reply(value: Any) -> Any:
    """Return a response with all objects in it as Reply."""
    if isinstance(value, dict):
        return Reply({key: _reply(each) for key, each in value.items()})
    return [_reply(each) for each in value] if isinstance(value, list) else value


def call(operation: Callable[..., Any], *args: Any, **parameters: Any) -> Any:
    """Call a function of boto3; its errors become errors of one line."""
    from botocore import exceptions, parsers

    try:
        return _reply(operation(*args, **parameters))
    except exceptions.ClientError as error:
        raise refused(error) from error
    except exceptions.NoCredentialsError:
        raise RequestError(NO_CREDENTIALS) from None
    except exceptions.ProfileNotFound as error:
        raise shared.load(os.environ).unknown(str(error.kwargs["profile"])) from None
    except parsers.ResponseParserError as error:
        # The error contains the whole response.
        raise Refused("", "the response cannot be parsed (is the endpoint really AWS?)") from error
    except exceptions.SSLError as error:
        advice = "set AWS_CA_BUNDLE to the certificate authority of your proxy"
        raise Refused("", f"no trusted connection to AWS: {error}: {advice}") from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        named = re.search(r"//ec2\.([\w-]+)\.", str(error))
        advice = regions.unknown(named[1]) if named else ""
        if isinstance(error, exceptions.ProxyConnectionError):
            advice = "check HTTPS_PROXY"
        advice = advice or "check the network, and HTTPS_PROXY if you need a proxy"
        raise Refused("", f"no answer from AWS: {error}: {advice}") from error
    except (exceptions.BotoCoreError, ValueError) as error:
        raise Refused("", f"{type(error).__name__}: {error}") from error


def refused(error: Any) -> Refused:
    """Return an error response of AWS as Refused, with a hint where there is one."""
    fields = error.response.get("Error", {})
    code, text = str(fields.get("Code", "")), str(fields.get("Message", ""))
    text = _ENCODED.sub("", f"{code}: {text}" if text else code)
    hint = _permission(code, text, error.operation_name) if code in DENIED else HINTS.get(code, "")
    return Refused(code, f"{text.rstrip('.')}: {hint}" if hint else text)


def _permission(code: str, text: str, operation: str) -> str:
    """Return which action is missing or denied, and which policy must change."""
    named = _ACTION.search(text)
    service = "ec2" if code == "UnauthorizedOperation" else "iam"
    action = named[1] if named else f"{service}:{operation}"
    if "explicit deny" in text:
        return f"a policy explicitly denies {action} and must be changed"
    if not named and operation in PASSING:
        return f"a policy of the caller must allow {action}, and iam:PassRole for the role"
    return f"a policy of the caller must allow {action}"


def allowed(work: Callable[[], Answer], denials: list[str]) -> Answer | None:
    """Return the result of ``work``; if access is denied, None, and the error goes to denials."""
    try:
        return work()
    except Refused as error:
        if not error.is_denied:
            raise
        denials.append(str(error))
        return None


class Unchecked:
    """Look-ups before a change: if access is denied, the command ends; in a dry run, the denial is
    noted and the result is unknown."""

    def __init__(self, dry_run: bool) -> None:
        self.dry_run = dry_run
        #: The errors of denied look-ups, which name the missing action.
        self.denials: list[str] = []

    def look(self, call: Callable[[], Answer]) -> Answer | None:
        """Return the result of the call; in a dry run, None if access is denied."""
        return allowed(call, self.denials) if self.dry_run else call()


def pages(client: Any, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
    """Yield all items of a list that AWS returns in pages."""
    answers = iter(client.get_paginator(operation).paginate(**parameters))
    while True:
        answer = call(next, answers, None)
        if answer is None:
            return
        yield from answer[key]


def settled(console: Console, subject: str, work: Callable[[], Answer]) -> Answer:
    """Return the result of ``work``, retried until a new resource is visible everywhere."""

    def attempt() -> tuple[Answer | None, str]:
        try:
            return work(), ""
        except Refused as error:
            if not error.is_new:
                raise
            return None, str(error)

    return waited(console, f"{subject}: not visible everywhere in AWS yet", attempt)


def waited(
    console: Console,
    progress: str,
    attempt: Callable[[], tuple[Answer | None, str]],
    patience: float = PATIENCE,
) -> Answer:
    """Repeat ``attempt`` until it has a result; Failed, with what it says is missing, if not."""
    begin = time.monotonic()
    pause = PAUSE
    is_noted = False
    while True:
        answer, missing = attempt()
        if answer is not None:
            return answer
        passed = time.monotonic() - begin
        if passed + pause > patience:
            raise Failed(f"timed out after {patience:g} s: {missing}")
        if not is_noted:
            console.note(f"{progress}: waiting for up to {patience:g} s")
            is_noted = True
        time.sleep(pause * (0.5 + windows.jitter() / 2))
        pause = min(pause * 1.5, LONGEST_PAUSE)
