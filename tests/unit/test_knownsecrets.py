"""The secrets at hand: those of logins and of token files, whatever else lies there."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from credproc import knownsecrets

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_secrets_of_logins_are_found_beside_files_that_are_half_written(home: Path) -> None:
    logins = home / ".aws" / "sso" / "cache"
    logins.mkdir(parents=True)
    (logins / "a.json").write_text('{"accessToken": "cut o')
    (logins / "b.json").write_text("[" * 100_000)
    login = {"accessToken": "one", "region": "eu-central-1", "deep": {"clientSecret": "two"}}
    (logins / "c.json").write_text(json.dumps(login))

    assert knownsecrets.of_files({}) == ["one", "two"]


@pytest.mark.parametrize("folder", [None, "~/logins", "$LOGINS", "/absolute"])
def test_logins_are_looked_for_where_the_given_environment_has_them(
    folder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {None: ".aws/login/cache", "/absolute": "absolute"}
    environ = {"HOME": str(tmp_path)}
    if folder:
        environ["AWS_LOGIN_CACHE_DIRECTORY"] = folder.replace("/absolute", f"{tmp_path}/absolute")
    monkeypatch.setenv("HOME", "/proc/nowhere")
    monkeypatch.setenv("LOGINS", f"{tmp_path}/logins")
    place = tmp_path / places.get(folder, "logins")
    place.mkdir(parents=True)
    (place / "a.json").write_text('{"refreshToken": "one"}')

    assert knownsecrets.of_files(environ) == ["one"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "nothing"])
def test_anything_but_a_regular_file_has_no_secrets_and_is_not_read(kind: str, home: Path) -> None:
    path = home / "token"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()

    assert knownsecrets.of_files({"AWS_WEB_IDENTITY_TOKEN_FILE": str(path)}) == []
