"""The launcher in C prints what Python prints of the same entry, or nothing."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from credproc.ctl import native
from credproc.errors import RequestError
from tests import native as worlds
from tests import needs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.needs("cc")

#: Any access beyond a buffer, any number that does not fit, ends the program with words on stderr.
CHECKED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs.demand("cc")
    return worlds.program(tmp_path_factory.mktemp("program"))


@pytest.fixture
def world(tmp_path: Path, program: Path) -> Iterator[worlds.World]:
    folder = os.getcwd()
    try:
        yield worlds.World(tmp_path, program)
    finally:
        os.chdir(folder)


def test_launcher_prints_in_the_same_worlds_as_python(world: worlds.World) -> None:
    """Each world says whether an answer is printed, so none is declined by mistake."""
    for name, wanted in worlds.changes(world):
        printed = world.compare()
        assert wanted is None or printed == wanted, name
        assert wanted is None or bool(world.by_python()) == wanted, name


def test_launcher_takes_no_broken_entry(
    world: worlds.World, request: pytest.FixtureRequest
) -> None:
    step = 1 if request.config.getoption("--all") else 13
    for name in worlds.truncations(world, step):
        assert not world.compare(), name


def test_launcher_never_disagrees_about_changed_entries(
    world: worlds.World, request: pytest.FixtureRequest
) -> None:
    count = 2_000 if request.config.getoption("--all") else 300
    draw = random.Random(20261128)
    printed = 0
    for _ in range(count):
        worlds.random_entry(world, draw)
        printed += world.compare()
    assert printed > count / 10


@pytest.mark.slow
def test_launcher_stays_within_its_buffers(tmp_path: Path) -> None:
    folder = os.getcwd()
    draw = random.Random(1)
    world = worlds.World(tmp_path, worlds.program(tmp_path, CHECKED))
    try:
        for _ in worlds.changes(world):
            world.compare()
        world.reset()
        for _ in worlds.truncations(world, 7):
            world.compare()
        for _ in range(1000):
            worlds.random_entry(world, draw)
            world.compare()
    finally:
        os.chdir(folder)


def test_launcher_compiles_without_a_warning(tmp_path: Path) -> None:
    text = native.source("/bin/python", "-IS", "import sys\n")
    strict = ("-Werror", "-pedantic", "-Wconversion", "-Wshadow", "-Wvla")
    assert native.compiled(text, native.compiler(os.environ), strict)
    with pytest.raises(RequestError, match="cannot compile the launcher"):
        native.compiled("int main(void) { return x; }", native.compiler(os.environ))


def test_string_of_c_holds_any_bytes() -> None:
    assert native.quoted('a"b\\c?\n\udce9') == '"a\\042b\\134c\\077\\012\\351"'
