"""The token files of sign-ins: read, renewed by one process at a time, and replaced."""

from __future__ import annotations

import contextlib
import json
import os
import time
from datetime import datetime
from typing import TYPE_CHECKING

from credproc import credentials, files, system
from credproc.errors import CodeNotGiven, ProviderFailed, StillWaiting
from credproc.providers import keyparts

if TYPE_CHECKING:
    from typing import Any

    from credproc.run import Run

#: Seconds before the end of an access token at which botocore exchanges it.
WINDOW = 15 * 60


class Tokens:
    """The tokens of sign-ins in a directory, with the interface of a botocore cache.

    A refresh token may work only once. So a process that reads an access token that is about to be
    exchanged has a lock until close(), and the next process reads the new one. If the directory is
    not writable, a new token is still used, and the next run exchanges again.
    """

    def __init__(self, folder: str, login: str, run: Run) -> None:
        self._folder = folder
        self._login = login
        self._run = run
        self._read: dict[str, Any] = {}
        self._new: dict[str, Any] = {}
        self._lock = contextlib.ExitStack()

    def close(self) -> None:
        """Let other processes exchange these tokens."""
        self._lock.close()

    def is_outdated(self) -> bool:
        """Whether a token that was read has been replaced, for instance by the AWS CLI."""
        with contextlib.suppress(ProviderFailed):
            return any(self._load(key) != token for key, token in self._read.items())
        return False

    def __contains__(self, key: str) -> bool:
        try:
            return key in self._new or bool(os.stat(self._path(key)))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # reading the file raises the error

    def __getitem__(self, key: str) -> Any:
        if key in self._new:
            return self._new[key]
        token = self._load(key)
        if key not in self._read and _is_due(token):
            self._wait(key)
            token = self._load(key)
        self._read[key] = token
        if not _is_due(token):
            self.close()
        path = self._path(key)
        if keyparts.person(token) != keyparts.person(keyparts.sign_in(self._run, path)):
            self._run.witnesses.changed = path
        return token

    def __setitem__(self, key: str, token: Any) -> None:
        text = json.dumps(token, default=_moment)
        self._new[key] = self._read[key] = json.loads(text)
        self._run.secrets += [each for each in self._new[key].values() if isinstance(each, str)]
        try:
            self._write(self._path(key), text)
        except OSError as error:
            self._run.log(
                f"sign-in: {self._folder} is not writable ({error.strerror}): only this run uses "
                "the new token"
            )

    def _path(self, key: str) -> str:
        return os.path.join(self._folder, f"{key}.json")

    def _load(self, key: str) -> dict[str, Any]:
        """Return the token in a file; ProviderFailed if there is none."""
        path = self._path(key)
        try:
            token = json.loads(system.read(path))
        except OSError as error:
            raise ProviderFailed(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError):
            token = None
        if not isinstance(token, dict):
            raise ProviderFailed(f"{path} does not contain a token (damaged?): {self._login}")
        return token

    def _wait(self, key: str) -> None:
        """Take the lock for an exchange; StillWaiting if another process takes too long."""
        self._run.log("sign-in: the access token is about to expire: waiting for its lock")
        name = f"the sign-in {self._path(key)}"
        lock = self._run.mfa.locks.lock(name, "", self._run.deadline, lambda *_: None)
        try:
            self._lock.enter_context(lock)
        except CodeNotGiven as error:
            raise StillWaiting(str(error)) from None

    @staticmethod
    def _write(path: str, text: str) -> None:
        """Replace a token file; it keeps its owner, who may have run this with sudo."""
        path = os.path.realpath(path)
        status = os.stat(path)
        files.write(path, text.encode(), owner=(status.st_uid, status.st_gid))


def _is_due(token: dict[str, Any]) -> bool:
    """Whether the access token is about to be exchanged; if in doubt, it is."""
    issued = token.get("accessToken")
    end = (issued if isinstance(issued, dict) else token).get("expiresAt")
    try:
        return credentials.read_time(str(end), "") < time.time() + WINDOW
    except ProviderFailed:
        return True


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    raise TypeError(f"a token with a {type(value).__name__}")
