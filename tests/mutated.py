#!/usr/bin/env python3
"""Mutation testing of the code that makes decisions: the cache, the request, the time rules.

    python3 tests/mutated.py [--venv FOLDER] [--sample N] [--seed N] [--module MODULE]...

cosmic-ray changes one thing in a module, and the tests of that module should then fail. The script
prints how many changes of a sample the tests detected in each module, and the others as differences
to judge by hand: many have no effect that can be seen from outside.
Needs Python and pip; everything else goes to a throw-away environment.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import random
import shlex
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from tests import artefacts, venvs  # noqa: E402  # found by the line above

#: For each module, the tests that should detect a change in it, the quickest first.
TESTS = {
    "windows": ["unit/test_windows.py", "unit/test_refresh.py"],
    "result": ["unit/test_result.py", "unit/test_refresh.py", "functional/test_serve_stale.py"],
    "answer": ["unit/test_contracts.py", "functional/test_hit.py", "functional/test_identity.py"],
    "request": ["unit/test_options.py", "unit/test_limits.py", "functional/test_hit.py"],
    "cache": [
        "unit/test_cache.py",
        "unit/test_contracts.py",
        "unit/test_store.py",
        "functional/test_hit.py",
        "functional/test_hostile_files.py",
    ],
    "refresh": [
        "unit/test_refresh.py",
        "unit/test_refresh_lock.py",
        "unit/test_refresh_providers.py",
        "functional/test_serve_stale.py",
        "functional/test_shared_failures.py",
        "functional/test_refresh_ahead.py",
    ],
}

#: Line and column.
Position = tuple[int, int]

CONFIG = """\
[cosmic-ray]
module-path = "credproc/{module}.py"
timeout = 300.0
excluded-modules = []
test-command = {command!r}

[cosmic-ray.distributor]
name = "local"
"""


def main() -> int:
    """Test the modules that were given, or all; return an exit status."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="credproc-mutated-") as name:
        folder = Path(name)
        venv = venvs.Venv(options.venv or folder / "venv")
        venv.make()
        tree = folder / "tree"
        artefacts.copy(venvs.ROOT, tree)
        venv.install(*venvs.PINNED, *venvs.requirements("test", "measure"))
        venv.install("--no-deps", "--editable", str(tree))
        for module in options.module or TESTS:
            _try(venv, tree, module, options)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check that the tests detect changes in the code.")
    parser.add_argument("--venv", type=Path, help="keep the environment in this folder")
    parser.add_argument("--sample", type=int, default=40, help="changes to a module (default: 40)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default: 1)")
    parser.add_argument(
        "--module", action="append", choices=list(TESTS), help="repeat it (default: all)"
    )
    return parser.parse_args()


def _try(venv: venvs.Venv, tree: Path, module: str, options: argparse.Namespace) -> None:
    """Make one change in the module after the other, and print those that no test detected."""
    config, session = tree / f"{module}.toml", tree / f"{module}.sqlite"
    tests = [f"tests/{name}" for name in TESTS[module]]
    words = [str(venv.python), "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    config.write_text(CONFIG.format(module=module, command=shlex.join(words)))

    def cosmic_ray(*words: str) -> None:
        environment = {**venvs.environment(), "PATH": f"{venv.scripts}:{os.environ['PATH']}"}
        subprocess.run([venv.scripts / words[0], *words[1:]], cwd=tree, env=environment, check=True)

    cosmic_ray("cosmic-ray", "baseline", str(config))
    cosmic_ray("cosmic-ray", "init", str(config), str(session))
    unread = _unread((tree / "credproc" / f"{module}.py").read_text(encoding="utf-8"))
    taken, of_all = _sample(session, unread, options.sample, options.seed)
    cosmic_ray("cosmic-ray", "exec", str(config), str(session))
    cosmic_ray("cr-report", "--surviving-only", "--show-diff", str(session))
    print(
        f"{module}: {_noticed(session)} of {taken} noticed ({of_all} changes there are)", flush=True
    )


def _unread(source: str) -> list[tuple[Position, Position]]:
    """Return the parts that Python never evaluates: annotations, and what they import."""
    found: list[ast.AST | None] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AnnAssign | ast.arg):
            found.append(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            found.append(node.returns)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            found.append(node)
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in found
        if isinstance(node, ast.expr | ast.stmt)
    ]


def _sample(
    session: Path, unread: list[tuple[Position, Position]], size: int, seed: int
) -> tuple[int, int]:
    """Leave as many changes as that, by chance; return how many are left, and of how many."""
    with contextlib.closing(sqlite3.connect(session)) as database, database:
        rows = database.execute(
            "select job_id, start_pos_row, start_pos_col from mutation_specs"
            " order by operator_name, occurrence"
        ).fetchall()
        real = [
            (job,)
            for job, row, column in rows
            if not any(start <= (row, column) < end for start, end in unread)
        ]
        left = set(random.Random(seed).sample(real, min(size, len(real))))
        dropped = [(job,) for job, _, _ in rows if (job,) not in left]
        database.executemany("delete from mutation_specs where job_id = ?", dropped)
        database.executemany("delete from work_items where job_id = ?", dropped)
    return len(left), len(real)


def _noticed(session: Path) -> int:
    with contextlib.closing(sqlite3.connect(session)) as database:
        (count,) = database.execute(
            "select count(*) from work_results where test_outcome in ('KILLED', 'INCOMPETENT')"
        ).fetchone()
    return int(count)


if __name__ == "__main__":
    sys.exit(main())
