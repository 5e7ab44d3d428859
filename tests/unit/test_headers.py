"""Headers that nearly name a profile: found with their line, and told what they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.configloader import load_config

from credproc import headers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("[p]", "[p] must be written [profile p]"),
        ("[Profile p]", "[Profile p] must be written [profile p]"),
        ("[profle p]", "[profle p] must be written [profile p]"),
        ("[profile-p]", "[profile-p] must be written [profile p]"),
        ("[profilep]", "[profilep] must be written [profile p]"),
        ("[ profile p ]", "[ profile p ] must be written [profile p]"),
        ('[profile "p]', '[profile "p] must be written [profile p]'),
        ('["profile p"]', '["profile p"] must be written [profile p]'),
        ("[profile\xa0p]", "[profile<U+00A0>p] must be written [profile p]: it contains U+00A0"),
        (
            "[profile\u200bp]",
            "[profile<U+200B>p] must be written [profile p]: it contains U+200B",
        ),
        (
            "[profile p\u200b]",
            "[profile p<U+200B>] must be written [profile p]: it contains U+200B",
        ),
        ("[profile P]", "[profile P] names another profile: upper and lower case differ"),
        ("[sso-session p]", "[sso-session p] describes an SSO session, not a profile"),
        ("#[profile p]", "[profile p] is commented out"),
        ("  [profile p]", "[profile p] is indented, which makes it part of the value above it"),
    ],
)
def test_header_of_the_config_file_is_corrected(header: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(f"[profile q]\nregion = r\n{header}\n", encoding="utf-8")
    assert "p" not in load_config(str(path))["profiles"], "or it is right"

    found = headers.near(str(path), str(tmp_path / "none"), "p")

    assert str(found).startswith(f"{path}, line 3: {message}")


@pytest.mark.parametrize("header", ["[profile p]", "[ p ]", '["p"]', "[p\u200b]"])
def test_header_of_the_credentials_file_has_no_word_profile(header: str, tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text(f"{header}\n", encoding="utf-8")

    assert "must be written [p]" in str(headers.near(str(tmp_path / "none"), str(path), "p"))


@pytest.mark.parametrize("header", ["[Default]", "[DEFAULT]", "[ default]"])
def test_default_has_one_spelling(header: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(f"{header}\n", encoding="utf-8")

    assert "must be written [default]" in str(headers.near(str(path), "", "default"))


def test_nearest_header_of_both_files_is_reported(tmp_path: Path) -> None:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text("# [profile p]\n[profile P]\n", encoding="utf-8")
    assert "names another" in str(headers.near(str(config), str(credentials), "p"))
    credentials.write_text("\n[profile p]\n", encoding="utf-8")

    found = headers.near(str(config), str(credentials), "p")

    assert found
    assert (found.path, found.line, found.same) == (str(credentials), 2, True)


@pytest.mark.parametrize("header", ["[profile q]", "[pp]", "[services p]", "[profile p q]", "p"])
def test_other_headers_are_not_taken_for_the_profile(header: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(f"{header}\n", encoding="utf-8")

    assert headers.near(str(path), "", "p") is None


def test_name_with_blanks_is_quoted_as_it_must_be() -> None:
    assert headers.right("the role", is_config=True) == "[profile 'the role']"
    assert headers.right("the role", is_config=False) == "[the role]"
    assert headers.right("default", is_config=True) == "[default]"


def test_similar_name_is_offered() -> None:
    assert headers.similar("prodd", ["dev", "prod"]) == "prod"
    assert headers.similar("prodd", ["dev", "test"]) == ""
