"""One key of one section is changed; every other line of a config file stays as it is."""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING

import botocore.configloader
import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from credproc.ctl.configfile import ConfigFile
from credproc.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "credential_process"
LINE = '"/my tools/credproc" --imds app'

FULL = """\
# mine
[default]
region=eu-central-1
output = json   ; not a comment to botocore

; a note above a profile
[profile app]
s3 =
    max_concurrent_requests = 20
    # a note inside
    addressing_style = path
region = us-east-1
# a note below

[sso-session corp]
sso_region = eu-west-1
[profile 'my app']
    region = eu-west-3
    output = text
[services x]
"""


def changed(text: str, profile: str, value: str = LINE) -> str:
    """Return the file's text with the key set."""
    return ConfigFile(text.encode(), "config").with_value(profile, KEY, value).encode().decode()


def removed(text: str, profile: str) -> str:
    """Return the file's text without the key."""
    return ConfigFile(text.encode(), "config").without(profile, KEY).encode().decode()


def test_missing_profile_is_appended() -> None:
    assert changed(FULL, "new") == f"{FULL}\n[profile new]\n{KEY} = {LINE}\n"


def test_first_profile_of_an_empty_file() -> None:
    assert changed("", "new") == f"[profile new]\n{KEY} = {LINE}\n"
    assert changed("", "default") == f"[default]\n{KEY} = {LINE}\n"


def test_file_without_a_last_line_end_stays_one() -> None:
    text = changed("[default]\nregion = x", "new")

    assert text == f"[default]\nregion = x\n\n[profile new]\n{KEY} = {LINE}"


def test_key_goes_below_the_last_key_of_its_section() -> None:
    text = changed(FULL, "app")

    assert text == FULL.replace("region = us-east-1\n", f"region = us-east-1\n{KEY} = {LINE}\n")


def test_key_below_a_nested_block_does_not_become_part_of_it() -> None:
    text = changed("[profile app]\ns3 =\n    a = 1\n", "app")

    assert text == f"[profile app]\ns3 =\n    a = 1\n{KEY} = {LINE}\n"


@pytest.mark.parametrize("rest", ["", "\n# note\n", "[default]\nregion = x\n"])
def test_key_of_an_empty_section_goes_below_its_header(rest: str) -> None:
    assert changed(f"[profile app]\n{rest}", "app") == f"[profile app]\n{KEY} = {LINE}\n{rest}"


def test_header_at_the_end_of_such_a_file_gets_a_line_below_it() -> None:
    assert changed("[profile app]", "app") == f"[profile app]\n{KEY} = {LINE}"


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "\n\n", "[default]\nregion = x", "[default]\nregion = x\n\n\n", "# only a note",
        "[default]\r\nregion = x\r\n\r\n", "[profile a]\n[profile b]\n  \n", FULL, FULL.rstrip(),
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", ["xy", "yx"])
def test_profiles_that_were_added_are_removed_to_the_byte(text: str, order: str) -> None:
    more = changed(changed(text, "x"), "y")

    assert removed(removed(more, order[0]), order[1]) == text


@pytest.mark.parametrize("value", ["two\nlines", "end\n[profile b]\n", " blanks "])
def test_value_that_would_be_read_otherwise_is_refused(value: str) -> None:
    with pytest.raises(RequestError, match="by hand"):
        changed("[profile app]\nregion = x\n", "app", value)


def test_unreadable_header_is_not_a_profile() -> None:
    file = ConfigFile(b"[profile 'open]\nx = 1\n[profiles]\n[profile a b]\n[profile]\n", "config")

    assert file.profiles() == []


def test_key_is_indented_like_its_neighbours() -> None:
    assert f"    output = text\n    {KEY} = {LINE}\n" in changed(FULL, "my app")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{KEY} = old\n", f"{KEY} = {LINE}\n"),
        (f"{KEY}=old\n", f"{KEY}={LINE}\n"),
        (f"  {KEY} :  old\n", f"  {KEY} :  {LINE}\n"),
        (f"{KEY} = old\n  of several\n  lines\n", f"{KEY} = {LINE}\n"),
        (f"{KEY} =\n  old\n", f"{KEY} = {LINE}\n"),
        ("Credential_Process = old\n", f"Credential_Process = {LINE}\n"),
        (f"{KEY} = old", f"{KEY} = {LINE}"),
    ],
)
def test_value_is_replaced_in_the_style_of_its_line(before: str, after: str) -> None:
    head = "[default]\nregion = x\n[profile app]\n"

    assert changed(head + before, "app") == head + after


def test_windows_line_ends_stay() -> None:
    text = "[default]\r\nregion = x\r\n"

    assert changed(text, "new") == f"{text}\r\n[profile new]\r\n{KEY} = {LINE}\r\n"
    assert changed(text, "default") == f"{text}{KEY} = {LINE}\r\n"


@pytest.mark.parametrize("name", ["my app", "it's", 'a "b"', "tab\tbed", "x\\y"])
def test_name_that_needs_quotes_is_found_again_by_botocore(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(changed(FULL, name))

    assert botocore.configloader.load_config(str(path))["profiles"][name][KEY] == LINE
    assert removed(path.read_text(), name) == FULL


@pytest.mark.parametrize("profile", ["new", "app", "my app", "default"])
def test_what_was_added_can_be_taken_away(profile: str) -> None:
    assert removed(changed(FULL, profile), profile) == FULL


def test_removal_leaves_the_rest_of_the_section() -> None:
    text = f"[profile app]\n{KEY} = x\n# why\n[default]\nregion = x\n"

    assert removed(text, "app") == "[profile app]\n# why\n[default]\nregion = x\n"


def test_removal_takes_an_empty_section_with_it() -> None:
    text = f"[a]\nb = c\n\n[profile app]\n{KEY} = x\n\n[default]\nregion = x\n"

    assert removed(text, "app") == "[a]\nb = c\n\n[default]\nregion = x\n"


def test_removal_of_a_missing_key_changes_nothing() -> None:
    assert removed(FULL, "app") == FULL
    assert removed(FULL, "missing") == FULL


@pytest.mark.parametrize(
    "text",
    [
        "[profile a]\nx = 1\n[profile 'a']\ny = 2\n",
        "[default]\nx = 1\n[profile default]\ny = 2\n",
    ],
)
def test_profile_with_two_sections_is_read_as_botocore_does_and_not_changed(text: str) -> None:
    name = "a" if "profile a" in text else "default"

    assert ConfigFile(text.encode(), "config").keys(name) == {"y": "2"}
    with pytest.raises(RequestError, match=r"has two sections, .* on line 1 and .* on line 3"):
        changed(text, name)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[a]\nx = 1\n[a]\n", "line 3: .*duplicate section"),
        (b"[a]\nx = 1\nx = 2\n", "line 3: .*duplicate key"),
        (b"[a]\nnonsense\n", "line 2: .*neither a complete .section. header"),
        (b"x = 1\n", "line 1: .*there is none above"),
        (b"[a]\nx = \xff\n", "not valid UTF-8"),
        (b"\xef\xbb\xbf[a]\nx = 1\n", "byte order mark"),
    ],
)
def test_file_that_no_sdk_reads_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        ConfigFile(data, "config")


def test_layout_in_which_a_new_line_would_change_another_is_refused() -> None:
    # Below a line of the section the indented header would be read as its continuation.
    with pytest.raises(RequestError, match="by hand"):
        changed("[profile a]\n  [profile b]\n  x = 1\n", "a")


def test_profiles_are_those_that_botocore_sees(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(FULL)

    seen = botocore.configloader.load_config(str(path))["profiles"]
    assert sorted(ConfigFile(FULL.encode(), "config").profiles()) == sorted(seen)


NAMES = st.sampled_from(
    ["default", "profile a", "profile b", "profile 'c d'", "services s", "DEFAULT", "plain", "a]b"]
)
INDENT = st.sampled_from(["", "", "", " ", "    ", "\t"])
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])
WORD = st.text("ab=:#; []'\"é%$", max_size=8)
LINES = st.one_of(
    st.builds("{}[{}]{}".format, INDENT, NAMES, ENDS),
    st.builds("{}{}{}{}{}".format, INDENT, st.sampled_from(["k", "s3", KEY, "Region", "x y"]),
              st.sampled_from(["=", " = ", ":", " : ", " ="]), WORD, ENDS),
    st.builds("{}#{}{}".format, INDENT, WORD, ENDS),
    st.builds("{};{}{}".format, INDENT, WORD, ENDS),
    st.builds("{}{}".format, INDENT, ENDS),
    st.builds("    {}{}".format, WORD, ENDS),
)  # fmt: skip
FILES = st.lists(LINES, max_size=14).map("".join)


def meaning(text: str) -> dict[str, dict[str, str]]:
    """Return what configparser reads, which botocore reads with."""
    parser = configparser.RawConfigParser()
    parser.read_string(text.replace("\r\n", "\n").replace("\r", "\n"))
    return {name: dict(parser.items(name)) for name in parser.sections()}


def contents(file: ConfigFile) -> list[str]:
    """Return the lines without their ends: a lone CR may end up before an LF."""
    return [line.rstrip("\r\n") for line in file.lines]


@given(FILES, st.sampled_from(["default", "a", "c d", "new"]))
@example("[default]\ncredential_process=\r", "a")
@settings(max_examples=150)
def test_only_one_value_changes_and_all_other_lines_stay(text: str, profile: str) -> None:
    try:
        before = ConfigFile(text.encode(), "config")
        after = before.with_value(profile, KEY, LINE)
    except RequestError:
        reject()  # what is refused is not changed

    section = after.section(profile)
    assert section is not None
    wanted = meaning(text)
    defaults = before.values["DEFAULT"]
    wanted.setdefault(section.header, dict(defaults))[KEY] = LINE
    assert meaning(after.encode().decode()) == wanted
    old, new = contents(before), contents(after)
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    # What lies between is the key's own lines, or a line that lacked its end.
    ours = "\n".join(new[start : len(new) - end])
    assert ours.count(KEY) == 1 or KEY.title() in ours
    theirs = old[start : len(old) - end]
    held = before.section(profile)
    if held is None or not any(item.name == KEY for item in held.items):
        assert all(line in ours for line in theirs)


@given(FILES, st.sampled_from(["default", "a", "c d"]))
@example("[default]\n#\rcredential_process=\n\n", "default")
@example("[profile 'c d']\ncredential_process=\n[DEFAULT]\nk=\n", "c d")
@settings(max_examples=150)
def test_removal_takes_one_value_and_no_other_line(text: str, profile: str) -> None:
    try:
        before = ConfigFile(text.encode(), "config")
        after = before.without(profile, KEY)
    except RequestError:
        reject()

    section = before.section(profile)
    if section is None or KEY not in [item.name for item in section.items]:
        assert after.encode() == text.encode()
        return
    wanted = meaning(text)
    del wanted[section.header][KEY]
    has_gone = section.header not in meaning(after.encode().decode())
    if has_gone and wanted[section.header] == before.values["DEFAULT"]:
        del wanted[section.header]  # which had nothing else of its own
    assert meaning(after.encode().decode()) == wanted
    left = iter(contents(before))
    assert all(line in left for line in contents(after))  # in their order, none of them touched


@given(FILES)
@settings(max_examples=150)
def test_keys_are_those_that_configparser_reads(text: str) -> None:
    try:
        file = ConfigFile(text.encode(), "config")
    except RequestError:
        reject()

    read = meaning(text)
    named = {section.header: section for section in file.sections if section.header != "DEFAULT"}
    assert list(named) == list(read)
    for name, section in named.items():
        own = {item.name for item in section.items}
        assert own | set(file.values["DEFAULT"]) == set(read[name])


def test_line_before_the_first_section_is_left_to_who_reads_it() -> None:
    with pytest.raises(RequestError):
        ConfigFile(b"region = eu-central-1\n[default]\n", "config")
