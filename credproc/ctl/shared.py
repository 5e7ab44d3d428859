"""The two shared files of the AWS SDKs, and what a profile in them means for credproc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import options
from credproc.ctl import commandline, rewriting
from credproc.ctl.configfile import ConfigFile, config_profile, credentials_profile
from credproc.errors import RequestError, UsageError
from credproc.identity import config_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
        self.config_path = config_path(environ, "AWS_CONFIG_FILE", "~/.aws/config")
        self.credentials_path = config_path(
            environ, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"
        )
        self.config = read(self.config_path)
        self.credentials = read(self.credentials_path, credentials_profile)

    def profiles(self) -> list[str]:
        """Return the names of all profiles of both files."""
        names = [name for name in self.credentials.values if name != "DEFAULT"]
        return list(dict.fromkeys([*self.config.profiles(), *names]))

    def keys(self, profile: str) -> dict[str, str]:
        """Return a profile's keys as the SDKs see them: the credentials file's come on top."""
        return {**self.config.keys(profile), **self.credentials.values.get(profile, {})}

    def rivals(self, profile: str) -> list[str]:
        """Say which keys of the profile beat or break its credential_process, and where."""
        return rivals(self.config, self.credentials, profile)


def rivals(config: ConfigFile, credentials: ConfigFile, profile: str) -> list[str]:
    """Say which keys of a profile beat or break its credential_process, and in which file."""
    found = []
    own = credentials.values.get(profile, {})
    for name, why in {**RIVALS, KEY: "a line that comes first"}.items():
        if name in own:
            found.append(f"{name} in {credentials.path} ({why})")
    for name, why in RIVALS.items():
        if name in config.keys(profile):
            found.append(f"{name} in {config.path} ({why})")
    return found


def read(path: str, naming: Callable[[str], str | None] = config_profile) -> ConfigFile:
    """Return the file, or an empty one where there is none."""
    try:
        return ConfigFile(rewriting.read(path)[0], path, naming)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return ConfigFile(b"", path, naming)
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from None


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

    @property
    def words(self) -> str:
        """The command line as one would type it, without what is nobody else's business."""
        return commandline.shown(["credproc", *self.argv])


def parsed(argv: Sequence[str]) -> Request:
    """Return how credproc reads its command line; UsageError says what is wrong."""
    try:
        return options.parse(argv)
    except options.TextAsked:
        raise UsageError("--help and --version print no credentials") from None
    except UsageError as error:
        raise UsageError(f"{error} (see credproc --help)") from None


def of_profile(shared: Shared, name: str) -> Target:
    """Return the command line that stands behind a profile.

    A profile that does not run credproc is what ``credproc --profile NAME`` would be asked for.
    """
    if name not in shared.profiles():
        raise RequestError(
            f"there is no profile {name} in {shared.config_path}: `credprocctl profile add {name}` "
            "makes one"
        )
    line = shared.keys(name).get(KEY, "")
    argv = commandline.credproc_arguments(commandline.split(line)) if line else None
    if argv is None:
        return Target(["--profile", name], name)
    return Target(argv, name, line)
