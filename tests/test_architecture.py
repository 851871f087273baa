"""The plan of the house, held by reading the source: who imports whom, what each module says of itself, how long a function is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "schemas": {"schemas"},
    "transforms": {"schemas", "transforms"},
    "pipelines": {"schemas", "transforms", "pipelines"},
}
# transforms are pure: no orchestration, no database, no file, no chance (io.StringIO is memory)
FORBIDDEN = {"dagster", "duckdb", "os", "pathlib", "shutil", "tempfile", "glob", "subprocess", "socket", "random"}
LONGEST = 60

MODULES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def imported(source: str) -> set[str]:
    """Top-level names of the packages that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names.add((node.module or "").partition(".")[0])
    return names


def opens_files(source: str) -> bool:
    """Whether a module calls `open` or one of polars' readers and writers of files."""
    files = ("scan_", "read_csv", "read_parquet", "read_database", "sink_", "write_csv", "write_parquet")
    called = [
        node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    ]
    return "open" in called or any(name.startswith(files) for name in called)


def long_functions(source: str) -> list[str]:
    """Functions of more lines than fit one screen, the docstring not counted."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    lengths = {f: (f.end_lineno or 0) - f.lineno + 1 - _docstring_lines(f) for f in functions}
    return [f"{f.name}: {length}" for f, length in lengths.items() if length > LONGEST]


def _docstring_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(function) is None:
        return 0
    return (function.body[0].end_lineno or 0) - function.body[0].lineno + 1


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_rules_see_what_they_forbid():
    assert imported("def f():\n    import duckdb.typing\n    from pathlib import Path") == {"duckdb", "pathlib"}
    assert opens_files("x = pl.scan_csv(y)")
    assert opens_files("open('a')")
    assert not opens_files("open_lots(frame.filter(x))")
    assert long_functions("def f():\n" + "    a = 1\n" * LONGEST) == [f"f: {LONGEST + 1}"]
    assert long_functions("def f():\n" + "    a = 1\n" * (LONGEST - 1)) == []
    assert long_functions('def f():\n    """One\n\n    two."""\n' + "    a = 1\n" * (LONGEST - 1)) == []


def test_there_is_something_to_hold():
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_imports_go_down_only(path):
    package = path.relative_to(ROOT).parts[0]
    ours = imported(path.read_text()) & {*MAY_IMPORT, "tests", "benchmarks"}
    assert ours <= MAY_IMPORT[package]


@pytest.mark.parametrize("path", [p for p in MODULES if p.is_relative_to(ROOT / "transforms")], ids=ids)
def test_transforms_know_frames_only(path):
    source = path.read_text()
    assert imported(source) & FORBIDDEN == set()
    assert not opens_files(source)


@pytest.mark.parametrize("path", [p for p in MODULES if p.is_relative_to(ROOT / "schemas")], ids=ids)
def test_schemas_know_neither_dagster_nor_files(path):
    assert imported(path.read_text()) & FORBIDDEN == set()


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_a_module_opens_with_one_line_on_what_belongs_in_it(path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, "no docstring"
    assert docstring.splitlines()[0].endswith("."), "the first line is a sentence or two"


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_a_function_fits_a_screen(path):
    assert long_functions(path.read_text()) == []
