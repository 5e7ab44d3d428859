"""A short, seeded fuzz run; ``python -m tests.fuzz`` makes a long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fuzz.__main__ import fuzz
from tests.fuzz.targets import MAKERS, Chance

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20261124
#: Inputs of each target; those that botocore has to read are slower.
COUNTS = {"config": 100}


@pytest.mark.parametrize("name", MAKERS)
def test_nothing_surprises(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / name
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    outcome = fuzz(MAKERS[name](folder), SEED, 60, COUNTS.get(name, 800))

    assert outcome.count == COUNTS.get(name, 800)
    assert 0 < outcome.good < outcome.count


def test_input_is_known_by_its_number() -> None:
    made = [Chance(7).mutated(b"some input") for _ in range(2)]
    assert made[0] == made[1]
    with pytest.raises(AssertionError, match="input 3 of seed 1"):
        fuzz(lambda chance: bool(1 / 0), 1, 1, 5, first=3)
