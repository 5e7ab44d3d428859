"""The full command line: its options, their help, and their checks against what AWS accepts."""

from __future__ import annotations

import argparse
import functools
import json
import os
from typing import TYPE_CHECKING

from credproc import __version__, limits
from credproc.errors import UsageError
from credproc.request import DEFAULT_TIMEOUT, Hop, Imds, Profile, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

DESCRIPTION = """\
Print temporary AWS credentials for credential_process, from a cache that all
processes share.

The command line is the list of providers. They are asked in the order written,
and the next one only if the one before does not apply here; without any, the
instance's role is meant (--imds).
"""

EPILOG = """\
examples (in ~/.aws/config; the path must be absolute: `command -v credproc`):
  The role of the EC2 instance:
    [profile app]
    credential_process = /usr/local/bin/credproc

  The instance's role; on machines without one, two roles that start at a
  profile's own keys (on one line):
    credential_process = /usr/local/bin/credproc --imds
        --role-arn arn:aws:iam::111122223333:role/jump
        --role-arn arn:aws:iam::444455556666:role/app --external-id 42
        --source profile:laptop

  A cache in front of whatever another profile describes (roles, SSO, MFA):
    credential_process = /usr/local/bin/credproc --profile app-dev

by hand and in scripts:
  credproc --field AccessKeyId
  eval "$(credproc --format env)"
  credproc --profile app-dev --refresh --verbose

exit status:
  0 printed, 1 no credentials, 2 usage or configuration, 130 interrupted,
  143 terminated

environment:
  CREDPROC_CACHE_DIR  where to keep credentials (an absolute path)
  CREDPROC_LOG        a file that is told what happens (an absolute path)
  and the variables of the SDKs: AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE,
  AWS_REGION, AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT,
  AWS_ENDPOINT_URL_STS, AWS_CA_BUNDLE, HTTPS_PROXY, ...
"""

HOP_HELP = {
    "--role-session-name": ("NAME", "who it is, in the role's logs (default: credproc-USER-HOST)"),
    "--external-id": ("ID", "what the role's owner asks callers to give"),
    "--duration-seconds": ("SECONDS", "900 to 43200; AWS caps chained roles at 3600"),
    "--policy": ("JSON", "a session policy: JSON, or file://PATH"),
    "--policy-arn": ("ARN", "a managed session policy; repeat it for more"),
    "--tag": ("KEY=VALUE", "a session tag; repeat it for more"),
    "--transitive-tag-key": ("KEY", "a tag that later roles inherit; repeat it for more"),
    "--source-identity": ("NAME", "who is behind it; inherited, so for the first role only"),
    "--serial-number": ("DEVICE", "the MFA device whose code the role asks for"),
    "--sts-region": ("REGION", "whose STS to ask (default: as configured, or the instance's)"),
}  # fmt: skip

#: Options whose value may be nobody else's business.
DISCREET = ("--external-id", "--policy", "--tag")


def parse(argv: Sequence[str]) -> Request:
    """Read the command line; UsageError says which option is wrong and what is allowed.

    --help and --version print, and raise SystemExit.
    """
    request = Request()
    _, unknown = parser().parse_known_args(list(argv), argparse.Namespace(request=request))
    if unknown:
        name = unknown[0].partition("=")[0]
        # A stray value may be a secret that lost its option.
        raise UsageError(
            f"there is no option {name}" if name.startswith("-") else
            "a value stands without an option before it (a blank too many, or quotes missing?)"
        )  # fmt: skip
    request.finish()
    problem = limits.whole(request)
    if problem:
        raise UsageError(problem)
    if request.refresh and request.no_cache:
        raise UsageError("--refresh and --no-cache: give one of them")
    if request.field and request.format != "process":
        raise UsageError("--field and --format: give one of them")
    return request


def parser() -> argparse.ArgumentParser:
    """Return the parser; what it reads goes into the namespace's ``request``."""
    made = _Parser(
        prog="credproc",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    _add_providers(made.add_argument_group("where credentials come from"))
    _add_hops(made.add_argument_group("of the --role-arn before them, named as in sts assume-role"))
    _add_output(made.add_argument_group("what is printed"))
    _add_run(made.add_argument_group("how it runs"))
    return made


def _add_providers(group: Any) -> None:
    _add(group, "--imds", _imds, "the EC2 instance's role; with ROLE, only if it has that name",
         "ROLE", nargs="?", const="")  # fmt: skip
    _add(group, "--role-arn", _role_arn, "a role to assume; repeat it for the next role", "ARN")
    _add(group, "--source", _source, f"where the first role starts: {limits.SOURCES}", "SOURCE")
    _add(group, "--profile", _profile, "what a profile in the shared config describes", "NAME")
    _add(group, "--mfa-command", _field("mfa_command", _no_check),
         "prints the MFA code within 30 s; without it the terminal asks", "CMD")  # fmt: skip


def _add_hops(group: Any) -> None:
    for option, (metavar, text) in HOP_HELP.items():
        _add(group, option, functools.partial(_hop_option, option), text, metavar)


def _add_output(group: Any) -> None:
    _add(group, "--format", _field("format", limits.output_format),
         f"{', '.join(limits.FORMATS)} (default: process)", "FORMAT")  # fmt: skip
    _add(group, "--field", _field("field", limits.output_field),
         f"one value alone: {', '.join(limits.FIELDS)}", "NAME")  # fmt: skip


def _add_run(group: Any) -> None:
    _add_flag(group, "refresh", "get new credentials now, and keep them")
    _add_flag(group, "no_cache", "neither read nor write the cache")
    _add(group, "--cache-dir", _field("cache_dir", limits.cache_dir),
         "where to keep credentials (default: CREDPROC_CACHE_DIR, else the user's cache directory)",
         "DIR")  # fmt: skip
    _add(group, "--timeout", _timeout,
         f"seconds for the whole run (default: {DEFAULT_TIMEOUT:g})", "SECONDS")  # fmt: skip
    _add_flag(group, "verbose", "tell what happens, on stderr; never a secret", "-v")
    group.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    group.add_argument("-h", "--help", action="help", help="show this help")


def _add(
    group: Any,
    option: str,
    take: Callable[[Request, str], str],
    text: str,
    metavar: str,
    **more: Any,
) -> None:
    """Add an option whose value ``take`` puts into the request, or returns what is wrong with."""

    class Take(argparse.Action):
        def __call__(self, _parser: Any, space: Any, value: Any, _name: Any = None) -> None:
            problem = take(space.request, value)
            if problem:
                shown = "" if option in DISCREET or "given twice" in problem else f", not {value!r}"
                raise UsageError(f"{option}: {problem}{shown}")

    group.add_argument(
        option, action=Take, help=text, metavar=metavar, default=argparse.SUPPRESS, **more
    )


def _add_flag(group: Any, name: str, text: str, *short: str) -> None:
    class Set(argparse.Action):
        def __call__(self, _parser: Any, space: Any, _value: Any, _name: Any = None) -> None:
            setattr(space.request, name, True)

    option = "--" + name.replace("_", "-")
    group.add_argument(*short, option, action=Set, nargs=0, help=text, default=argparse.SUPPRESS)


def _imds(request: Request, value: str) -> str:
    request.providers.append(Imds(value))
    return limits.role_name(value) if value else ""


def _role_arn(request: Request, value: str) -> str:
    request.chain().hops.append(Hop(value))
    return limits.role_arn(value)


def _source(request: Request, value: str) -> str:
    chain = request.chain()
    if chain.source:
        return "is given twice"
    chain.source = value
    return limits.source(value)


def _profile(request: Request, value: str) -> str:
    request.providers.append(Profile(value))
    return limits.profile_name(value)


def _hop_option(option: str, request: Request, value: str) -> str:
    hops = request.chain().hops
    if not hops:
        raise UsageError(f"{option}: belongs to the --role-arn before it, and there is none")
    if option == "--policy":
        value = _policy(value)
    return limits.HOP_CHECKS[option](value) or hops[-1].set(option, value)


def _policy(value: str) -> str:
    """Return the policy without blanks, which would count towards the API's limit."""
    if value.startswith("file://"):
        path = os.path.expanduser(value[7:])
        try:
            with open(path, encoding="utf-8") as file:
                value = file.read(1 << 20)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise UsageError(f"--policy: {path} cannot be read: {reason}") from None
    try:
        policy = json.loads(value)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "nested too deep")
        raise UsageError(f"--policy: must be JSON or file://PATH ({reason})") from None
    if not isinstance(policy, dict):
        raise UsageError("--policy: must be a JSON object")
    return json.dumps(policy, separators=(",", ":"), ensure_ascii=False)


def _timeout(request: Request, value: str) -> str:
    problem = limits.timeout(value)
    if not problem:
        request.timeout = float(value)
    return problem


def _field(name: str, check: Callable[[str], str]) -> Callable[[Request, str], str]:
    def take(request: Request, value: str) -> str:
        setattr(request, name, value)
        return check(value)

    return take


def _no_check(value: str) -> str:
    return "" if value.strip() else "must be a command"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        """Raise instead of printing a usage and leaving."""
        raise UsageError(message.removeprefix("argument "))
