"""The shape of the package: imports go one way, modules and functions are short."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter

from tests import artefacts

PACKAGE = artefacts.source() / "credproc"


def modules() -> dict[str, ast.Module]:
    """Return the modules by their names below the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def imports(name: str) -> set[str]:
    """Return the modules that a module imports: at its top, in functions and for type checkers."""
    found: set[str] = set()
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: a relative import"
            if (node.module or "").split(".")[0] != "credproc":
                continue
            for alias in node.names:
                inner = f"{node.module}.{alias.name}".partition(".")[2]
                outer = (node.module or "").partition(".")[2]
                found.add(inner if inner in MODULES else outer or "__init__")
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("credproc") for alias in node.names), name
    return found


def test_every_module_says_what_it_is() -> None:
    assert [
        name for name, tree in MODULES.items() if tree.body and not ast.get_docstring(tree)
    ] == []


def test_no_two_modules_import_each_other() -> None:
    graph = {name: imports(name) - {name} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_only_credprocctl_imports_credprocctl() -> None:
    assert not [
        (name, each)
        for name in MODULES
        for each in imports(name)
        if each.split(".")[0] == "ctl" and name.split(".")[0] != "ctl"
    ]


def test_modules_and_functions_are_short() -> None:
    long = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 300:
            long.append(path.name)
        long += [
            f"{path.name}: {node.name}"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 50
        ]

    assert long == []


def test_what_is_not_measured_has_its_reason() -> None:
    lines = [
        line for path in PACKAGE.rglob("*.py") for line in path.read_text("utf-8").splitlines()
    ]
    pragmas = [line for line in lines if "pragma" in line]

    assert [line for line in pragmas if not re.search(r"# pragma: no \w+ - \w+ \w+", line)] == []
    assert [line for line in pragmas if re.search(r" - as (above|below|said)", line)] == []
    assert len(pragmas) < 20
