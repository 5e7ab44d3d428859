"""The full command line: its options, and their checks against what AWS accepts."""

from __future__ import annotations

import argparse
import functools

from credproc import __version__, helptext, limits, mfacommand, policy, shellsyntax
from credproc.errors import TextRequested, UsageError
from credproc.hop import OPTIONS, Hop, Option
from credproc.request import DEFAULT_TIMEOUT, MFA_SESSION, Imds, Profile, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

#: Options whose value may be confidential and is never shown.
CONFIDENTIAL = ("--external-id", "--mfa-command", "--policy", "--tag")
#: The --source for what AWS calls the same: the values of credential_source, and EC2 itself.
SOURCES_OF_AWS = {
    "ec2": "imds",
    "ec2instancemetadata": "imds",
    "ecscontainer": "container",
    "environment": "env",
}


def parse(argv: Sequence[str]) -> Request:
    """Parse the command line; UsageError says which option is wrong and what is allowed.

    --help and --version raise TextRequested instead.
    """
    request = Request()
    try:
        _, unknown = parser().parse_known_args(list(argv), argparse.Namespace(request=request))
    except UsageError as error:
        raise UsageError(shellsyntax.in_words(argv) or str(error)) from None
    if unknown:
        raise UsageError(shellsyntax.in_words(argv) or _unknown(unknown[0]))
    request.finish()
    problem = request.problem()
    if problem:
        raise UsageError(problem)
    if request.refresh and request.no_cache:
        raise UsageError("--refresh and --no-cache cannot be combined")
    if request.field and request.format != "process":
        raise UsageError("--field and --format cannot be combined")
    return request


def _unknown(word: str) -> str:
    """Return what is wrong with an unexpected word, which may be a misplaced secret."""
    name = word.partition("=")[0]
    if len(name) == 2 and name.startswith("-"):
        return f"unknown option {name}"
    if not name.startswith("--"):
        return (
            "unexpected argument: put a value with spaces in quotes; to use a profile, write "
            "--profile NAME"
        )
    if name.strip("abcdefghijklmnopqrstuvwxyz-") or len(name) > limits.LONGEST_SHOWN:
        return "unknown option (not shown, because it may be a secret)"
    return f"unknown option {name}{suggestion(name, parser().options)}"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the known word that the user probably meant, as the end of a message, or ""."""
    import difflib  # 3 ms, only after a typing error

    near = [each for each in known if each.startswith(word)]
    near += difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def parser() -> _Parser:
    """Return the parser, which fills in the namespace's ``request``."""
    made = _Parser(
        prog="credproc",
        usage="%(prog)s [PROVIDER ...] [OPTION ...]",
        description=helptext.DESCRIPTION,
        epilog=helptext.EPILOG,
        # A fixed width, so that the text is the same on every terminal.
        formatter_class=functools.partial(
            argparse.RawDescriptionHelpFormatter, width=79, max_help_position=30
        ),
        allow_abbrev=False,
        add_help=False,
    )
    _add_providers(made.add_argument_group("providers"))
    group = made.add_argument_group(
        "role options, after their --role-arn (named as in `aws sts assume-role`)"
    )
    for option in OPTIONS:
        take = functools.partial(_hop_option, option)
        _add(group, option.name, take, option.text, option.metavar)
    _add_output(made.add_argument_group("output options"))
    _add_run(made.add_argument_group("other options"))
    return made


def _add_providers(group: Any) -> None:
    _add(group, "--imds", _imds, "the role of this EC2 instance; with ROLE, only if it has that "
         "name", "ROLE", nargs="?")  # fmt: skip
    _add(group, "--profile", _profile, "a profile in ~/.aws/config or ~/.aws/credentials: a role "
         "(with or without MFA), SSO, aws login, keys, or another credential_process",
         "NAME")  # fmt: skip
    _add(group, "--role-arn", _role_arn, "a role to assume; repeat it for a role chain, in which "
         "each role assumes the next", "ARN")  # fmt: skip
    _add(group, "--source", _source, f"source credentials: {limits.SOURCES}", "SOURCE")


def _add_output(group: Any) -> None:
    _add(group, "--format", _field("format", limits.output_format),
         f"process (default), {', '.join(limits.FORMATS[1:])}", "FORMAT")  # fmt: skip
    _add(group, "--field", _field("field", limits.output_field),
         f"print one value: {', '.join(limits.FIELDS)}", "NAME")  # fmt: skip


def _add_run(group: Any) -> None:
    _add(group, "--mfa-command", _mfa_command, "a command that prints the MFA code within "
         f"{mfacommand.SECONDS} s; it is run without a shell (default: prompt on the terminal)",
         "CMD")  # fmt: skip
    _add(group, "--mfa-session", _number("mfa_session", limits.mfa_session, int), "use one "
         "MFA code for all roles that a user's long-term keys assume; it is valid for SECONDS "
         f"(default: {MFA_SESSION}, 12 hours)", "SECONDS", nargs="?",
         const=str(MFA_SESSION))  # fmt: skip
    _add_flag(group, "refresh", "fetch new credentials now, and cache them")
    _add_flag(group, "no_cache", "neither read nor write the cache")
    _add(group, "--cache-dir", _field("cache_dir", limits.cache_dir), "cache directory "
         "(default: CREDPROC_CACHE_DIR, else the user's cache directory)", "DIR")  # fmt: skip
    _add(group, "--timeout", _number("timeout", limits.timeout, float),
         f"time limit of the whole run (default: {DEFAULT_TIMEOUT:g})", "SECONDS")  # fmt: skip
    _add_flag(group, "verbose", "log to stderr (secrets are never logged)", "-v")
    _add_text(group, lambda _: f"credproc {__version__}\n", "--version", help="print the version")
    _add_text(group, lambda parser: parser.format_help(), "-h", "--help", help="print this text")


def _add(
    group: Any,
    option: str,
    take: Callable[[Request, str], str],
    text: str,
    metavar: str,
    **more: Any,
) -> None:
    """Add an option; ``take`` stores its value in the request and returns what is wrong, or ""."""

    class Take(argparse.Action):
        def __call__(self, _parser: Any, space: Any, value: Any, _name: Any = None) -> None:
            problem = take(space.request, value)
            if problem:
                raise UsageError(f"{option}: {problem}{_shown(option, problem, value)}")

    group.add_argument(
        option, action=Take, help=text, metavar=metavar, default=argparse.SUPPRESS, **more
    )


def _add_flag(group: Any, name: str, text: str, *short: str) -> None:
    class Set(argparse.Action):
        def __call__(self, _parser: Any, space: Any, _value: Any, _name: Any = None) -> None:
            setattr(space.request, name, True)

    option = "--" + name.replace("_", "-")
    group.add_argument(*short, option, action=Set, nargs=0, help=text, default=argparse.SUPPRESS)


def _add_text(
    group: Any, text: Callable[[argparse.ArgumentParser], str], *names: str, **more: Any
) -> None:
    class Show(argparse.Action):
        def __call__(self, parser: Any, *_: Any, **__: Any) -> None:
            raise TextRequested(text(parser))

    group.add_argument(*names, action=Show, nargs=0, default=argparse.SUPPRESS, **more)


def _shown(option: str, problem: str, value: str) -> str:
    """Return the end of a message that quotes the value, unless it is or may be a secret."""
    if not problem.startswith(("must be", "has a")) or option in CONFIDENTIAL:
        return ""
    most = 4 * limits.LONGEST_SHOWN if value.startswith(("arn:", "/")) else limits.LONGEST_SHOWN
    if len(value) > most:
        return f", not a value of {len(value)} characters"
    return f", not {value!r}{_intended(value) if option == '--source' else ''}"


def _intended(value: str) -> str:
    """Return the --source that the user probably meant, as the end of a message, or ""."""
    kind = value.lower().replace("_", "-")
    kind = SOURCES_OF_AWS.get(kind, kind)
    if kind not in limits.KINDS:
        kind = "" if ":" in value or limits.profile_name(value) else f"profile:{value}"
    return f"; did you mean {kind}?" if kind else ""


def _imds(request: Request, value: str | None) -> str:
    request.providers.append(Imds(value or ""))
    if value == "":
        # Taking this for "any role" would allow more than the user intended.
        return "ROLE is empty (an unset variable?); omit it to accept any role"
    return limits.role_name(value) if value else ""


def _role_arn(request: Request, value: str) -> str:
    request.chain().hops.append(Hop(value))
    return limits.any_role_arn(value)  # AWS's own rules depend on the config: providers.chain


def _source(request: Request, value: str) -> str:
    chain = request.chain()
    if chain.source:
        return "given twice"
    chain.source = value
    return limits.source(value)


def _profile(request: Request, value: str) -> str:
    request.providers.append(Profile(value))
    return limits.profile_name(value)


def _hop_option(option: Option, request: Request, value: str) -> str:
    hops = request.chain().hops
    if not hops:
        raise UsageError(f"{option.name}: must come after the --role-arn that it applies to")
    if option.name == "--policy":
        value = policy.read(request, value)
    return hops[-1].set(option, value)


def _number(
    name: str, check: Callable[[str], str], kind: Callable[[str], float]
) -> Callable[[Request, str], str]:
    def take(request: Request, value: str) -> str:
        problem = check(value)
        if not problem:
            setattr(request, name, kind(value))
        return problem

    return take


def _field(name: str, check: Callable[[str], str]) -> Callable[[Request, str], str]:
    def take(request: Request, value: str) -> str:
        setattr(request, name, value)
        return check(value)

    return take


def _mfa_command(request: Request, value: str) -> str:
    mfacommand.split(value)
    request.mfa_command = value
    return ""


class _Parser(argparse.ArgumentParser):
    @property
    def options(self) -> list[str]:
        """The names of all options."""
        return [name for action in self._actions for name in action.option_strings]

    def error(self, message: str) -> Any:
        """Raise UsageError instead of printing the usage and exiting."""
        option, _, problem = message.removeprefix("argument ").partition(": ")
        raise UsageError(f"{option}: {plain(problem)}" if problem else option)


def plain(problem: str) -> str:
    """Return argparse's words for what is wrong with an option in plain ones."""
    if problem.startswith("ignored explicit argument"):
        return "takes no value"  # argparse's message would show the value
    if problem.startswith("expected"):
        return "the value is missing; one that begins with - needs the form OPTION=VALUE"
    return problem
