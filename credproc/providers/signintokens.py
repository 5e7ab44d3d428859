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
#: Seconds that an access token must still be valid to be used without an exchange.
MOMENT = 60
#: Seconds to wait for the exchange of another process if the access token is still valid; seconds
#: that a run must have left to exchange such a token.
PATIENCE, ENOUGH = 7.0, 5.0


class Tokens:
    """The tokens of sign-ins in a directory, with the interface of a botocore cache.

    A refresh token may work only once. So a process that reads an access token that is about to be
    exchanged has a lock until close(), and the next process reads the new one. If the directory is
    not writable, a new token is still used, and the next run exchanges again. An access token that
    is still valid is used as it is with ``keep``, if little time is left, and if another process
    takes too long.
    """

    def __init__(self, folder: str, login: str, run: Run, keep: bool = False) -> None:
        self._folder = folder
        self._keep = keep
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

    def can_be_kept(self) -> bool:
        """Whether the access token that was read was to be exchanged but is still valid."""
        read = self._read.values()
        return not self._new and any(
            _is_due(token) and not _is_due(token, MOMENT) for token in read
        )

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
            self._keep = not self._may_exchange(key, token)
            token = self._load(key)
        self._read[key] = token
        if not _is_due(token):
            self.close()
        path = self._path(key)
        if keyparts.person(token) != keyparts.person(keyparts.sign_in(self._run, path)):
            self._run.witnesses.changed = path
        if self._keep:  # without a refresh token, botocore uses the access token
            return {name: value for name, value in token.items() if name != "refreshToken"}
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

    def _may_exchange(self, key: str, token: dict[str, Any]) -> bool:
        """Take the lock for an exchange; False if the token is used as it is.

        StillWaiting if another process takes too long and the access token has expired.
        """
        is_valid = not _is_due(token, MOMENT) and isinstance(token.get("accessToken"), str)
        if is_valid and (self._keep or self._run.whole.left() < ENOUGH):
            return False
        self._run.log("sign-in: the access token is about to expire: waiting for its lock")
        name = f"the sign-in {self._path(key)}"
        deadline = self._run.deadline
        if is_valid:
            deadline = deadline.within(min(PATIENCE, deadline.left() / 2))
        lock = self._run.mfa.locks.lock(name, "", deadline, lambda *_: None)
        try:
            self._lock.enter_context(lock)
        except CodeNotGiven as error:
            if not is_valid:
                raise StillWaiting(str(error)) from None
            self._run.log(f"sign-in: {error}: using the access token, which is still valid")
            return False
        return True

    @staticmethod
    def _write(path: str, text: str) -> None:
        """Replace a token file; it keeps its owner, who may have run this with sudo."""
        path = os.path.realpath(path)
        status = os.stat(path)
        files.write(path, text.encode(), owner=(status.st_uid, status.st_gid))


def _is_due(token: dict[str, Any], window: int = WINDOW) -> bool:
    """Whether the access token expires within the window, in seconds; if in doubt, it does."""
    issued = token.get("accessToken")
    end = (issued if isinstance(issued, dict) else token).get("expiresAt")
    try:
        return credentials.read_time(str(end), "") < time.time() + window
    except ProviderFailed:
        return True


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    raise TypeError(f"a token with a {type(value).__name__}")
