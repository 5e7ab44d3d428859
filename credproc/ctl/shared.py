"""The two shared files of the AWS SDKs, and what a profile in them means for credproc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import headers, noshell, options, variables
from credproc.ctl import commandline, rewriting
from credproc.ctl.configfile import ConfigFile
from credproc.errors import RequestError, TextAsked, UsageError
from credproc.headers import config_profile, credentials_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Self

    from credproc.request import Request

KEY = "credential_process"

#: Who says that the profile `default` is used: nobody.
DEFAULT = "the default"

#: Keys of the same profile that come before credential_process, or make SDKs refuse both.
RIVALS = {
    "aws_access_key_id": "keys that come first",
    "aws_secret_access_key": "keys that come first",
    "aws_session_token": "keys that come first",
    "role_arn": "a role, which no profile may have besides",
    "source_profile": "a role's source, which no profile may have besides",
    "credential_source": "a role's source, which no profile may have besides",
    "web_identity_token_file": "a web identity, which comes first",
    "sso_session": "SSO, which comes first",
    "sso_start_url": "SSO, which comes first",
    "sso_account_id": "SSO, which comes first",
    "sso_role_name": "SSO, which comes first",
    "login_session": "`aws login`, which comes first",
}


class Shared:
    """The config file and the credentials file; one that is not there is empty."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.config_path = variables.path(environ, variables.CONFIG)
        self.credentials_path = variables.path(environ, variables.CREDENTIALS)
        self.config = read(self.config_path)
        self.credentials = read(self.credentials_path, credentials_profile)

    def check(self) -> Self:
        """Return the files; RequestError for what botocore cannot read, though we can."""
        self.config.check()
        self.credentials.check()
        return self

    def profiles(self) -> list[str]:
        """Return the names of all profiles of both files."""
        return list(dict.fromkeys([*self.config.profiles(), *self.credentials.profiles()]))

    def has(self, profile: str) -> bool:
        """Whether either file has the profile."""
        return self.config.has(profile) or self.credentials.has(profile)

    def keys(self, profile: str) -> dict[str, str]:
        """Return a profile's keys as the SDKs see them: the credentials file's come on top."""
        return {**self.config.keys(profile), **self.credentials.keys(profile)}

    def near(self, profile: str) -> headers.Near | None:
        """Return the header that nearly names a profile which neither file has."""
        return headers.near(self.config_path, self.credentials_path, profile)

    def unknown(self, profile: str) -> RequestError:
        """Return the error for a profile that neither file has; it names what comes nearest."""
        near = self.near(profile)
        if near is not None:
            return RequestError(f"there is no profile {profile}: {near}")
        similar = headers.similar(profile, self.profiles())
        known = self.profiles()
        listed = ", ".join([*known[:8], *["..."] * (len(known) > 8)]) or "none"
        hint = f"did you mean {similar}?" if similar else f"the profiles are: {listed}"
        return RequestError(f"there is no profile {profile} in {self.config_path}; {hint}")

    def place(self, profile: str, key: str = "") -> tuple[str, int | None]:
        """Return the file, and the line from 1, of the header under which a key of it counts.

        Without a key, or where it has none such, of the header that is looked at first.
        """
        own, section = self.credentials.section(profile), self.config.section(profile)
        if own is not None and (section is None or key in self.credentials.keys(profile)):
            return self.credentials_path, own.line + 1
        return self.config_path, section.line + 1 if section else None

    def rivals(self, profile: str) -> list[str]:
        """Say which keys of the profile override or break its credential_process, and where."""
        found = rivals(self.config, self.credentials, profile)
        # The line itself may be in the credentials file, as some tools need it.
        alone = KEY not in self.config.keys(profile)
        return [each for each in found if not (alone and each.startswith(f"{KEY} "))]


def rivals(config: ConfigFile, credentials: ConfigFile, profile: str) -> list[str]:
    """Say which keys of a profile beat or break its credential_process, and in which file."""
    found = []
    own = credentials.keys(profile)
    for name, why in {**RIVALS, KEY: "a line that comes first"}.items():
        if name in own:
            found.append(f"{name} in {credentials.path} ({why})")
    for name, why in RIVALS.items():
        if name in config.keys(profile):
            found.append(f"{name} in {config.path} ({why})")
    return found


def read(path: str, naming: Callable[[str], str | None] = config_profile) -> ConfigFile:
    """Return the file, or an empty one where there is none; for ``naming`` see ConfigFile."""
    try:
        data = rewriting.read(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        data = b""
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from None
    return ConfigFile(data, path, naming)


def in_use(given: str | None, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the profile that tools would use, and who says so."""
    if given:
        return given, "as asked"
    for variable in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"):  # botocore's order
        if environ.get(variable):
            return environ[variable], f"from {variable}"
    return "default", DEFAULT


class Target:
    """A command line of credproc that is looked at: as words, as it is read, and whose it is."""

    def __init__(self, argv: Sequence[str], profile: str = "", line: str = "") -> None:
        self.argv = list(argv)
        self.request: Request = parsed(argv)
        #: The profile whose it is, and the line there; empty if it was given by hand.
        self.profile = profile
        self.line = line
        #: Why tools do not run the line as it was probably meant, "" if they do.
        self.slip = noshell.slip(line)

    @property
    def words(self) -> str:
        """The command line as one would type it, without what is nobody else's business."""
        return commandline.shown(["credproc", *self.argv])


def parsed(argv: Sequence[str]) -> Request:
    """Return how credproc reads its command line; UsageError says what is wrong."""
    try:
        return options.parse(argv)
    except TextAsked:
        raise UsageError("--help and --version print no credentials") from None
    except UsageError as error:
        raise UsageError(f"{error} (see credproc --help)") from None


def of_profile(shared: Shared, name: str) -> Target:
    """Return the command line that stands behind a profile.

    A profile that does not run credproc is what ``credproc --profile NAME`` would be asked for.
    """
    if not shared.has(name):
        raise shared.unknown(name)
    line = shared.keys(name).get(KEY, "")
    argv = own_arguments(line)
    if argv is None:
        return Target(["--profile", name], name)
    try:
        return Target(argv, name, line)
    except UsageError as error:
        why = noshell.slip(line) or str(error)
        raise UsageError(f"the credential_process of profile {name}: {why}") from None


def own_arguments(line: str) -> list[str] | None:
    """Return credproc's own arguments in a credential_process line, None if it runs another."""
    words = commandline.split(line) if line else []
    if len(words) == 1 and " " in words[0]:  # quotes around all of it
        words = commandline.split(words[0])
    return commandline.credproc_arguments(words)
