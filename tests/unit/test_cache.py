"""Entries: what is written is what is read, anything else is nothing; and how they are judged."""

from __future__ import annotations

import os
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credproc import cache, windows
from credproc.cache import (
    ABSENT,
    AHEAD,
    EXPIRED,
    FRESH,
    NOW,
    Cache,
    Entry,
    decode,
    encode,
    fingerprint,
)
from credproc.store import Store

SLOTS = Entry.__slots__
NUMBERS = st.one_of(st.integers(0, 2**40), st.integers(0, 10**40))
#: UTF-8 carries no surrogates; what cleans the failures has replaced them.
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Draw an entry of any contents."""
    entry = Entry(draw(st.binary(max_size=60)))
    entry.document, entry.witnesses, entry.about = (draw(st.binary(max_size=60)) for _ in range(3))
    entry.provider = draw(st.text(string.ascii_letters + "-:.", min_size=1, max_size=20))
    entry.kind = draw(st.sampled_from([cache.CREDENTIALS, cache.FAILED, cache.LATE]))
    entry.person = draw(st.booleans())
    entry.failure = draw(TEXT)
    for name in ("allowed", "issued", "ahead", "now", "look", "expiration"):
        setattr(entry, name, draw(NUMBERS))
    return entry


def ordinary() -> Entry:
    """Return an entry as IMDS's credentials have it."""
    entry = Entry(b"1\0imds\0\0/home/u/.aws/config -")
    entry.document = b'{"Version": 1, "AccessKeyId": "ASIA"}\n'
    entry.provider = "imds"
    entry.issued, entry.ahead, entry.now = 1_000_000, 1_019_800, 1_020_640
    entry.expiration = 1_021_600
    entry.failure = "IMDS answered 500 \N{EM DASH} nothing newer"
    return entry


def sealed(body: bytes, magic: bytes = cache.MAGIC, version: bytes = cache.VERSION) -> bytes:
    """Return a file with this body whose checksum and length are right."""
    return b"%s %s %s %d\n" % (magic, version, fingerprint(body).encode(), len(body)) + body


# What is written and read.


@given(entries())
def test_entry_is_read_as_it_was_written(entry: Entry) -> None:
    found = decode(encode(entry))

    assert found is not None
    assert {name: getattr(found, name) for name in SLOTS} == {
        name: getattr(entry, name) for name in SLOTS
    }
    assert found == entry


@pytest.mark.parametrize("size", [0, 1, 4096, 200_000])
def test_document_is_stored_byte_for_byte(size: int) -> None:
    entry = ordinary()
    entry.document = bytes(number % 256 for number in range(size))
    found = decode(encode(entry))

    assert found is not None
    assert found.document == entry.document


def test_failure_that_utf_8_cannot_encode_is_stored_approximately() -> None:
    entry = ordinary()
    entry.failure = "a \udce9 b"
    found = decode(encode(entry))

    assert found is not None
    assert found.failure == "a ? b"


def test_truncated_entry_is_not_an_entry() -> None:
    data = encode(ordinary())

    assert decode(data) is not None
    assert [length for length in range(len(data)) if decode(data[:length])] == []


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
def test_entry_with_a_flipped_byte_is_ignored(mask: int) -> None:
    data = encode(ordinary())
    flipped = bytearray(data)
    for place in range(len(data)):
        flipped[place] ^= mask
        assert decode(bytes(flipped)) is None, place
        flipped[place] ^= mask
    assert decode(bytes(flipped)) is not None


def test_entry_with_two_bytes_swapped_or_one_lost_is_ignored() -> None:
    data = encode(ordinary())
    for place in range(len(data) - 1):
        one, two = data[place : place + 1], data[place + 1 : place + 2]
        exchanged = data[:place] + two + one + data[place + 2 :]
        assert one == two or decode(exchanged) is None, place
        assert decode(data[:place] + data[place + 1 :]) is None, place
        assert decode(data[:place] + one + data[place:]) is None, place


@pytest.mark.parametrize("more", [b"\0", b"\n", b" ", b"x", b"\0" * 4096])
def test_entry_with_more_bytes_after_or_before_it_is_ignored(more: bytes) -> None:
    data = encode(ordinary())

    assert decode(data + more) is None
    assert decode(more + data) is None
    assert decode(data + data) is None


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_anything_else_is_not_an_entry(data: bytes) -> None:
    assert decode(data) is None
    found = decode(sealed(data))
    assert found is None or encode(found) == sealed(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{}",
        b"credproc-entry",
        b"credproc-entry 2 0 0\n",
        sealed(b""),
        sealed(b"\n"),
        b'{"Credentials": {"AccessKeyId": "ASIA"}}\n',
    ],
)
def test_file_of_something_else_is_not_an_entry(data: bytes) -> None:
    assert decode(data) is None


def test_entry_of_another_version_or_program_is_ignored() -> None:
    body = encode(ordinary()).partition(b"\n")[2]

    assert decode(sealed(body)) == ordinary()
    assert decode(sealed(body, version=b"1")) is None
    assert decode(sealed(body, version=b"")) is None
    assert decode(sealed(body, magic=b"otherproc-entry")) is None


LINE = "credentials imds 0 0 {} 0 0 0 9 3 1 2 1 0\nkeywdof"


def test_line_that_the_next_test_changes_is_a_good_one() -> None:
    found = decode(sealed(LINE.format("5").encode()))

    assert found is not None
    assert (found.provider, found.issued, found.expiration) == ("imds", 5, 9)
    assert (found.key, found.witnesses, found.document) == (b"key", b"w", b"do")
    assert (found.failure, found.about) == ("f", b"")


@pytest.mark.parametrize(
    "number",
    [
        *(
            "",
            "x",
            "-5",
            "+5",
            "5.0",
            "5e3",
            "0x5",
            "5_0",
            "\t5",
            "5\r",
            "None",
            "nan",
        ),
        *("\N{ARABIC-INDIC DIGIT FIVE}", "\N{SUPERSCRIPT FIVE}", "9" * 5000),
    ],
)
def test_invalid_number_makes_no_entry(number: str) -> None:
    assert decode(sealed(LINE.format(number).encode())) is None


@pytest.mark.parametrize(
    "lengths",
    [
        "3 2 0",
        "3 2 2",
        "0 0 0",
        "6 0 1",
        "9 -4 1",
        "-3 8 1",
        "3 2 1 0",
        "3 2",
        "3 2 99999999999999999",
    ],
)
def test_lengths_that_do_not_add_up_make_no_entry(lengths: str) -> None:
    assert decode(sealed(f"imds 5 0 0 0 9 {lengths}\nreqdof".encode())) is None


@pytest.mark.parametrize(
    "body", [b"\xff 5 0 0 0 9 3 2 1\nreqdof", b"imds 5 0 0 0 9 3 2 1\nreqdo\xff"]
)
def test_text_that_is_not_utf_8_makes_no_entry(body: bytes) -> None:
    assert decode(sealed(body)) is None


def test_huge_time_is_a_time() -> None:
    entry = ordinary()
    entry.expiration = entry.ahead = entry.now = 10**400
    found = decode(encode(entry))

    assert found is not None
    assert found.judge(1_500_000.5) == FRESH


def test_entry_shows_no_secret() -> None:
    assert repr(ordinary()) == "<Entry imds, expiration 1021600>"


def test_entries_are_equal_when_all_of_them_is() -> None:
    for name in SLOTS:
        other = ordinary()
        value = getattr(other, name)
        changed = {int: 7, str: "x", bytes: b"x", bool: True}[type(value)]
        setattr(other, name, changed)
        assert other != ordinary(), name
    assert ordinary() == ordinary()
    assert ordinary() != "an entry"


# Fingerprints.


def test_fingerprint_distinguishes_byte_strings() -> None:
    base = encode(ordinary())
    seen = {fingerprint(base)}
    for place in range(len(base)):
        for bit in range(8):
            flipped = bytearray(base)
            flipped[place] ^= 1 << bit
            seen.add(fingerprint(bytes(flipped)))

    assert len(seen) == 8 * len(base) + 1
    assert {len(each) for each in seen} == {32}
    assert all(set(each) <= set(string.hexdigits.lower()) for each in seen)


def test_fingerprint_is_taken_modulo_a_prime() -> None:
    # Fermat's test with the first primes, which no composite of this size is likely to pass.
    prime = cache._PRIME

    assert all(pow(base, prime - 1, prime) == 1 for base in (2, 3, 5, 7, 11, 13, 17, 19, 23))
    assert fingerprint((prime + 5).to_bytes(17, "big")) == f"{5:032x}"


# What may be done with an entry.

T0 = 1_000_000


def aged(**times: int) -> Entry:
    """Return an entry of an hour from T0, with some of its times changed."""
    entry = Entry(b"request")
    entry.document = b"{}\n"
    entry.issued, entry.expiration = T0, T0 + 3600
    entry.ahead, entry.now = windows.windows(T0, T0 + 3600, 0)
    for name, value in times.items():
        setattr(entry, name, value)
    return entry


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (-1, EXPIRED),
        (-0.001, EXPIRED),
        (0, FRESH),
        (1799.999, FRESH),
        (1800, AHEAD),
        (2699.999, AHEAD),
        (2700, NOW),
        (3599.999, NOW),
        (3600, EXPIRED),
        (10**9, EXPIRED),
        (-(10**9), EXPIRED),
    ],
)
def test_entry_is_judged_by_the_clock(after: float, verdict: str) -> None:
    entry = aged()

    assert entry.judge(T0 + after) == verdict
    assert entry.is_valid(T0 + after) == (verdict != EXPIRED)


@pytest.mark.parametrize("after", [1800, 2699, 2700, 3500])
def test_entry_is_fresh_until_the_next_look(after: int) -> None:
    now = T0 + after

    assert aged(look=now + 1).judge(now) == FRESH
    assert aged(look=now + cache.MAX_PAUSE).judge(now) == FRESH
    assert aged(look=now).judge(now) != FRESH
    # A clock that was ahead has put it off for too long.
    assert aged(look=now + cache.MAX_PAUSE + 1).judge(now) != FRESH


@pytest.mark.parametrize("look", [0, T0 + 3610, T0 + 10**9])
def test_next_look_does_not_extend_an_entry(look: int) -> None:
    assert aged(look=look).judge(T0 + 3600) == EXPIRED


@pytest.mark.parametrize("after", [0, 1800, 2700, 3600])
def test_entry_without_a_document_is_not_there(after: int) -> None:
    entry = aged(look=T0 + after + 5)
    entry.document, entry.failure = b"", "AccessDenied"

    assert entry.judge(T0 + after) == ABSENT
    assert not entry.is_valid(T0 + after)


def test_new_entry_is_not_there() -> None:
    assert Entry(b"request").judge(T0) == ABSENT


def test_entry_of_a_person_goes_from_fresh_to_now() -> None:
    # Its two windows are one: a background refresh cannot prompt for a code.
    entry = aged(ahead=T0 + 2700)

    assert entry.judge(T0 + 2699) == FRESH
    assert entry.judge(T0 + 2700) == NOW


def test_entry_as_long_as_policies_can_make_it_is_read(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "credproc"))
    store.make()
    long = Entry(b"x" * 200_000)
    long.document = b"{}\n"
    store.write(long)

    found = Cache(store.path).read(long.key)
    assert found is not None
    assert found.document == long.document


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Cache, Entry, Path]:
    """A cache that holds an entry, and the entry's file."""
    store = Store(str(tmp_path / "credproc"))
    store.make()
    entry = ordinary()
    store.write(entry)
    return Cache(store.path), entry, Path(store.path) / f"{fingerprint(entry.key)}.entry"


def test_entry_that_is_replaced_while_it_is_read_is_read_whole(
    kept: tuple[Cache, Entry, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, entry, path = kept
    real = os.open

    def opened(name: str, *more: int, **where: int) -> int:
        descriptor = real(name, *more, **where)
        if name == path.name:
            path.unlink()  # as os.replace by another run does to what was there
        return descriptor

    monkeypatch.setattr(os, "open", opened)

    read = found.read(entry.key)
    assert read is not None
    assert read.document == entry.document


@pytest.mark.needs("root")
def test_entry_of_another_user_is_not_read(kept: tuple[Cache, Entry, Path]) -> None:
    found, entry, path = kept
    os.chown(path, 54321, 54321)

    assert found.read(entry.key) is None


#: For the group and for others: to read, to write, to enter.
SHARED = [0o040, 0o020, 0o010, 0o004, 0o002, 0o001]


@pytest.mark.parametrize("bit", SHARED, ids=oct)
def test_other_users_have_no_access_to_the_folder_or_the_entry(
    bit: int, kept: tuple[Cache, Entry, Path]
) -> None:
    found, entry, path = kept

    path.chmod(0o600 | bit)
    assert found.read(entry.key) is None
    path.chmod(0o600)
    assert found.read(entry.key) is not None
    path.parent.chmod(0o700 | bit)
    assert found.read(entry.key) is None
    assert "must be private" in str(found.trouble)
