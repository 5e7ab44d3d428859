"""The shared config as botocore reads it, without loading botocore, which takes longer than a call.

botocore has the last word: it reads any file whose meaning is not perfectly clear.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from credproc import inifile, system
from credproc.variables import CONFIG, CREDENTIALS, PROFILES, path

if TYPE_CHECKING:
    from typing import Any

    import botocore.session


class SharedConfig:
    """The config file and the credentials file for one profile, "" for the profile in use.

    ``full_config`` has the form of botocore's: profiles (merged with the credentials file),
    sso_sessions, services, and the other sections by name. ``known`` is a shared config that has
    already read the files.
    """

    # Reads the process's own environment, as botocore does for everything else.
    def __init__(self, profile: str = "", known: SharedConfig | None = None) -> None:
        named = [name for name in PROFILES if os.environ.get(name)]
        self._profile = profile
        self._variables = named
        #: The profile, "" if there is no name.
        self.profile = profile or next((os.environ[name] for name in named), "")
        #: The sections of each file alone; None if botocore read them.
        self.config: dict[str, Any] | None = known.config if known else None
        self.credentials: dict[str, Any] | None = known.credentials if known else None
        self._full_config: dict[str, Any] | None = known.full_config if known else None
        self._botocore: botocore.session.Session | None = None

    @property
    def full_config(self) -> dict[str, Any]:
        """Both files merged; botocore's ConfigParseError if one cannot be parsed."""
        if self._full_config is None:
            try:
                self._full_config = self._read()
            except (inifile.Declined, ValueError):  # ValueError: not text
                self._full_config = self.botocore().full_config
        return self._full_config

    def get_scoped_config(self) -> dict[str, Any]:
        """Return the keys of the profile; botocore's ProfileNotFound if it does not exist."""
        profiles = self.full_config["profiles"]
        if not self.profile:
            found = profiles.get("default", {})
        elif self.profile in profiles:
            found = profiles[self.profile]
        else:
            found = self.botocore().get_scoped_config()
        return dict(found)

    def is_readable(self) -> bool:
        """Whether the files could be read without botocore, and have the profile."""
        profiles = self.full_config["profiles"]
        return self._botocore is None and (not self.profile or self.profile in profiles)

    @property
    def named(self) -> tuple[str, str]:
        """The profile, and the variable that names it, "" if the caller named it."""
        return self.profile, "" if self._profile else next(iter(self._variables), "")

    def get_config_variable(self, name: str) -> Any:
        """Return one of botocore's settings."""
        return self.botocore().get_config_variable(name)

    def botocore(self) -> botocore.session.Session:
        """Return botocore's session for the same profile."""
        if self._botocore is None:
            import botocore.session  # 150 ms

            self._botocore = botocore.session.Session(
                profile=self._profile or None,
                session_vars={"profile": (None, self._variables, None, None)},
            )
        return self._botocore

    def _read(self) -> dict[str, Any]:
        config = inifile.profile_map(_sections(CONFIG))
        self.config = {name: dict(keys) for name, keys in config["profiles"].items()}
        self.credentials = dict(_sections(CREDENTIALS))
        profiles = config["profiles"]
        for name, keys in self.credentials.items():
            profiles[name] = {**profiles.get(name, {}), **keys}
        return dict(config)


def _sections(variable: str) -> inifile.Sections:
    """Return the sections of a file; {} if it does not exist or is not readable."""
    file_path = path(os.environ, variable)
    if not os.path.isfile(file_path):
        return {}
    try:
        data = system.read(file_path)
    except OSError:
        return {}
    with io.TextIOWrapper(io.BytesIO(data)) as file:  # in the locale's encoding, as configparser
        return inifile.read(file.read())
