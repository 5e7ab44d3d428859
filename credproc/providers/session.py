"""The shared config as botocore reads it, without botocore, whose loading takes longer than a call.

botocore has the last word: what a file says that is not plainly right is read by botocore itself.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from credproc import inifile, system

if TYPE_CHECKING:
    from typing import Any

    import botocore.session

#: The profile in use if none is named, in botocore's order. An empty variable names none.
PROFILE_VARIABLES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
#: The variables that name the two files, and where they are without.
CONFIG = ("AWS_CONFIG_FILE", "~/.aws/config")
CREDENTIALS = ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")


class Session:
    """Config and credentials file from the view of one profile, "" for the one that is in use.

    ``full_config`` is botocore's: profiles (with what the credentials file has of them),
    sso_sessions, services, and the other sections by their names. ``known`` is a session that has
    read the files before.
    """

    # The process's own environment: botocore takes all else of a session from there, and no other.
    def __init__(self, profile: str = "", known: Session | None = None) -> None:
        named = [name for name in PROFILE_VARIABLES if os.environ.get(name)]
        self._profile = profile
        self._variables = named
        #: The profile, "" if none is named.
        self.profile = profile or next((os.environ[name] for name in named), "")
        #: The sections of each file alone; None where botocore read them.
        self.config: dict[str, Any] | None = known.config if known else None
        self.credentials: dict[str, Any] | None = known.credentials if known else None
        self._full_config: dict[str, Any] | None = known.full_config if known else None
        self._botocore: botocore.session.Session | None = None

    @property
    def full_config(self) -> dict[str, Any]:
        """Both files as one; botocore's ConfigParseError if one cannot be read."""
        if self._full_config is None:
            try:
                self._full_config = self._read()
            except (inifile.Declined, ValueError):  # ValueError: not text
                self._full_config = self.botocore().full_config
        return self._full_config

    def get_scoped_config(self) -> dict[str, Any]:
        """Return the keys of the profile; botocore's ProfileNotFound if a named one is missing."""
        profiles = self.full_config["profiles"]
        if not self.profile:
            found = profiles.get("default", {})
        elif self.profile in profiles:
            found = profiles[self.profile]
        else:
            found = self.botocore().get_scoped_config()
        return dict(found)

    def is_readable(self) -> bool:
        """Whether the files were read, and have the profile, without asking botocore."""
        profiles = self.full_config["profiles"]
        return self._botocore is None and (not self.profile or self.profile in profiles)

    @property
    def named(self) -> tuple[str, str]:
        """The profile, and the variable that names it, "" if it was given."""
        return self.profile, "" if self._profile else next(iter(self._variables), "")

    def get_config_variable(self, name: str) -> Any:
        """Return one of botocore's settings."""
        return self.botocore().get_config_variable(name)

    def botocore(self) -> botocore.session.Session:
        """Return botocore's own session for the same profile."""
        if self._botocore is None:
            import botocore.session  # 150 ms

            self._botocore = botocore.session.Session(
                profile=self._profile or None,
                session_vars={"profile": (None, self._variables, None, None)},
            )
        return self._botocore

    def _read(self) -> dict[str, Any]:
        config = inifile.profile_map(_sections(*CONFIG))
        self.config = {name: dict(keys) for name, keys in config["profiles"].items()}
        self.credentials = dict(_sections(*CREDENTIALS))
        profiles = config["profiles"]
        for name, keys in self.credentials.items():
            profiles[name] = {**profiles.get(name, {}), **keys}
        return dict(config)


def _sections(variable: str, usual: str) -> inifile.Sections:
    """Return the sections of a file; one that does not exist, or may not be read, has none."""
    path = os.path.expanduser(os.path.expandvars(os.environ.get(variable, usual)))
    if not os.path.isfile(path):
        return {}
    try:
        data = system.read(path)
    except OSError:
        return {}
    with io.TextIOWrapper(io.BytesIO(data)) as file:  # in the locale's encoding, as configparser
        return inifile.read(file.read())
