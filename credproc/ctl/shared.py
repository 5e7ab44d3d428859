"""The two shared files of the AWS SDKs, and what a profile in them means for credproc."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from credproc import headers, options, shellsyntax, variables
from credproc.ctl import commandline, rewriting
from credproc.ctl.configfile import ConfigFile
from credproc.errors import RequestError, TextRequested, UsageError
from credproc.headers import config_profile, credentials_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Self

    from credproc.request import Request

KEY = "credential_process"

#: The origins of a profile's name: the command line; none, so that it is `default`.
GIVEN, DEFAULT = "as given", "the default"

#: Keys of the same profile that override credential_process, or make SDKs reject the profile.
RIVALS = {
    "aws_access_key_id": "keys, which take precedence",
    "aws_secret_access_key": "keys, which take precedence",
    "aws_session_token": "keys, which take precedence",
    "role_arn": "a role, which a profile cannot have as well",
    "source_profile": "a role's source, which a profile cannot have as well",
    "credential_source": "a role's source, which a profile cannot have as well",
    "web_identity_token_file": "a web identity, which takes precedence",
    "sso_session": "SSO, which takes precedence",
    "sso_start_url": "SSO, which takes precedence",
    "sso_account_id": "SSO, which takes precedence",
    "sso_role_name": "SSO, which takes precedence",
    "login_session": "`aws login`, which takes precedence",
}


class Shared(NamedTuple):
    """The config file and the credentials file; a missing file is empty."""

    config: ConfigFile
    credentials: ConfigFile

    def check(self) -> Self:
        """Return the files; RequestError if botocore cannot read one that configparser can."""
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
        """Return a profile's keys as the SDKs see them: the credentials file takes precedence."""
        return {**self.config.keys(profile), **self.credentials.keys(profile)}

    def commands(self) -> dict[str, list[str]]:
        """Return the arguments of credproc in each profile that runs it, by the profile's name."""
        lines = {name: self.keys(name).get(KEY, "") for name in self.profiles()}
        found = {name: commandline.credproc_line(line) for name, line in lines.items()}
        return {name: argv for name, argv in found.items() if argv is not None}

    def near(self, profile: str) -> headers.Near | None:
        """Return the header that comes nearest to a profile that neither file has."""
        return headers.near(self.config.path, self.credentials.path, profile)

    def unknown(self, profile: str) -> RequestError:
        """Return the error for a profile that neither file has, with the nearest header or name."""
        near = self.near(profile)
        if near is not None:
            return RequestError(f"there is no profile {profile}: {near}")
        known = self.profiles()
        similar = headers.similar(profile, known)
        hint = f"the profiles are: {', '.join([*known[:8], *['...'] * (len(known) > 8)])}"
        if similar:
            hint = f"did you mean {similar}?"
        elif not known:
            hint = "there are no profiles yet"
        return RequestError(f"there is no profile {profile} in {self.config.path}; {hint}")

    def place(self, profile: str, key: str = "") -> tuple[str, int | None]:
        """Return the file and line (from 1) of the header whose section sets a profile's key.

        Without a key, or if the profile does not have it, those of the header that is read first.
        """
        own, section = self.credentials.section(profile), self.config.section(profile)
        if own is not None and (section is None or key in self.credentials.keys(profile)):
            return self.credentials.path, own.line + 1
        return self.config.path, section.line + 1 if section else None

    def rivals(self, profile: str) -> list[str]:
        """Say which keys of the profile override or break its credential_process, and where."""
        found = rivals(self, profile)
        # The line itself may be in the credentials file, as some tools need it.
        alone = KEY not in self.config.keys(profile)
        return [each for each in found if not (alone and each.startswith(f"{KEY} "))]


def rivals(files: Shared, profile: str) -> list[str]:
    """Say which keys of a profile override or break its credential_process, and in which file."""
    both = {
        files.credentials: {**RIVALS, KEY: "a line that takes precedence"},
        files.config: RIVALS,
    }
    return [
        f"{name} in {file.path} ({why})"
        for file, known in both.items()
        for name, why in known.items()
        if name in file.keys(profile)
    ]


def load(environ: Mapping[str, str]) -> Shared:
    """Return the shared files as they are now; RequestError if one cannot be read."""
    config = read(variables.path(environ, variables.CONFIG))
    path = variables.path(environ, variables.CREDENTIALS)
    return Shared(config, read(path, credentials_profile))


def read(path: str, naming: Callable[[str], str | None] = config_profile) -> ConfigFile:
    """Return the file, which is empty if it does not exist; for ``naming`` see ConfigFile."""
    try:
        data = rewriting.read(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        data = b""
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from None
    return ConfigFile(data, path, naming)


def in_use(given: str | None, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the profile that tools would use, and where its name comes from."""
    if given:
        return given, GIVEN
    for variable in variables.PROFILES:
        if environ.get(variable):
            return environ[variable], f"from {variable}"
    return "default", DEFAULT


class Target:
    """A command line of credproc: as words, as a request, and the profile that it is from."""

    def __init__(self, argv: Sequence[str], profile: str = "", line: str = "") -> None:
        self.argv = list(argv)
        self.request: Request = parsed(argv)
        #: The profile that it is from, and the line there; empty for options after ``--``.
        self.profile = profile
        self.line = line
        #: Why tools do not run the line as its author probably intended, "" if they do.
        self.slip = shellsyntax.slip(line)

    @property
    def words(self) -> str:
        """The command line as one would type it, without private values."""
        return commandline.shown(["credproc", *self.argv])

    def command(self) -> list[str]:
        """Return the words of the profile's line, or else those that run the installed credproc."""
        if self.line:
            return commandline.split(self.line)
        return [commandline.executable(None, os.environ), *self.argv]


def parsed(argv: Sequence[str]) -> Request:
    """Return the parsed command line; UsageError says what is wrong."""
    try:
        return options.parse(argv)
    except TextRequested:
        raise UsageError("--help and --version print no credentials") from None
    except UsageError as error:
        raise UsageError(f"{error} (see credproc --help)") from None


def of_profile(shared: Shared, name: str) -> Target:
    """Return the command line of credproc for a profile.

    For a profile that does not run credproc, it is ``credproc --profile NAME``.
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
        why = shellsyntax.slip(line) or str(error)
        raise UsageError(f"the credential_process of profile {name}: {why}") from None


def own_arguments(line: str) -> list[str] | None:
    """Return credproc's arguments in a credential_process line, None for another program's."""
    words = commandline.split(line) if line else []
    if len(words) == 1 and " " in words[0]:  # quotes around all of it
        words = commandline.split(words[0])
    return commandline.credproc_arguments(words)
