"""Every question code that the code can emit is registered, and what is registered holds: words, rows, severities."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from pipelines.publish import PUBLISHED
from schemas.inputs import INPUTS
from schemas.review import SEVERITIES
from transforms.question_registry import REGISTRY, Question, row
from transforms.review_texts import CELLS, WORDS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for package in ("transforms", "pipelines") for path in (ROOT / package).rglob("*.py"))
EMITTERS = {"items": (1, 2)}
"""Function that makes review items: the places of its question and its severity."""


class Emitted:
    """The codes that a module can emit, with the severities where they can be read; `unclear`: calls that hide theirs."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        self.codes: dict[str, set[str]] = {}
        self.unclear: list[str] = []
        self.tables = {
            target.id: node.value
            for node in ast.walk(self.tree)
            for target in _targets(node)
            if isinstance(node.value, ast.Dict)
        }
        self.functions = [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]
        for call in _calls(self.tree, "items"):
            self._of_call(call, *EMITTERS["items"])
        for node in ast.walk(self.tree):  # frames that are items without `items`
            if isinstance(node, ast.keyword) and node.arg == "question" and _called(node.value) == "lit":
                given = node.value.args[0] if isinstance(node.value, ast.Call) else None
                if isinstance(given, ast.Constant):
                    self._add(given.value, None)

    def _of_call(self, call: ast.Call, code_at: int, severity_at: int) -> None:
        if len(call.args) <= code_at:
            return
        code = call.args[code_at]
        severity = call.args[severity_at] if len(call.args) > severity_at else None
        if isinstance(code, ast.Constant):
            self._add(code.value, severity)
            return
        name = next((part.id for part in ast.walk(code) if isinstance(part, ast.Name)), "")
        prefix = code.values[0].value if isinstance(code, ast.JoinedStr) and len(code.values) == 2 else ""
        known = [*self._looped(name), *self._handed_on(name)]
        for found, given in known:
            self._add(prefix + found, given or severity)
        if not known:
            self.unclear.append(f"line {call.lineno}: items(..., {ast.unparse(code)}, ...)")

    def _looped(self, name: str) -> Iterator[tuple[str, ast.expr | None]]:
        """The keys of the dict over whose items the name runs."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.For | ast.comprehension) and name in _names(node.target):
                over = next((part.id for part in ast.walk(node.iter) if isinstance(part, ast.Name)), "")
                table = self.tables.get(over)
                for key, value in zip(table.keys, table.values, strict=True) if table else ():
                    first = value.elts[0] if isinstance(value, ast.Tuple) and value.elts else None
                    yield ast.literal_eval(key), first if isinstance(first, ast.Constant) else None

    def _handed_on(self, name: str) -> Iterator[tuple[str, ast.expr | None]]:
        """The literals that callers of a function of this module give for the parameter."""
        for function in self.functions:
            places = [argument.arg for argument in function.args.args]
            if name in places:
                for call in _calls(self.tree, function.name):
                    given = call.args[places.index(name)] if len(call.args) > places.index(name) else None
                    if isinstance(given, ast.Constant):
                        yield given.value, None

    def _add(self, code: str, severity: ast.expr | None) -> None:
        said = self.codes.setdefault(code, set())
        if isinstance(severity, ast.Constant):
            said.add(severity.value)


def _targets(node: ast.AST) -> list[ast.Name]:
    if isinstance(node, ast.Assign):
        return [target for target in node.targets if isinstance(target, ast.Name)]
    return [node.target] if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else []


def _names(target: ast.expr) -> set[str]:
    return {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _calls(tree: ast.AST, name: str) -> list[ast.Call]:
    """Calls of a function by its bare name or as `module.name`; `x.items()` of a dict has no arguments."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == name and node.args]


EMITTED = {path: Emitted(path.read_text("utf-8")) for path in SOURCES}
NOT_ASKED = {"transforms/movements.py", "transforms/identification.py", "transforms/methods.py"}
"""Modules whose `question` column names cases for `transforms.questions`, which makes the items of them."""


def test_the_reader_of_the_source_finds_every_manner_of_asking() -> None:
    source = """
CASES = {"one": ("blocking", "a", "b"), "two": ("info", "c", "d")}
def f(rows):
    items(rows, "plain", "warning", m, a)
    review.items(rows, "dotted", "info", m, a)
    [items(rows, q, s, m, a) for q, (s, m, a) in CASES.items()]
    for case in CASES.items():
        items(rows, f"form_{case}", severity, m, a)
    g(rows, "handed")
    rows.with_columns(question=pl.lit("by_hand"))
def g(rows, question):
    return items(rows, question, "blocking", m, a)
def h(rows):
    items(rows, secret(), "blocking", m, a)
"""
    found = Emitted(source)
    assert found.codes == {
        "plain": {"warning"}, "dotted": {"info"}, "one": {"blocking"}, "two": {"info"},
        "form_one": {"blocking"}, "form_two": {"info"}, "handed": {"blocking"}, "by_hand": set(),
    }  # fmt: skip
    assert found.unclear == ["line 14: items(..., secret(), ...)"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_code_that_can_be_emitted_is_registered(path: Path) -> None:
    module = str(path.relative_to(ROOT))
    found = EMITTED[path]
    assert not found.unclear, (
        f"{module}: nobody can tell which questions these calls ask: {found.unclear}. Give items() a literal code, the key "
        "of a dict literal that the loop runs over, or a parameter whose callers in the module give literals."
    )
    strangers = {code for code in found.codes if code not in REGISTRY} if module not in NOT_ASKED else set()
    assert not strangers, (
        f"{module} asks {sorted(strangers)}, which transforms/question_registry.py does not know. Add an entry to the group "
        "of its stage: Question(severities, the client's words or None, what settles it, which published tables wait)."
    )
    for code, severities in found.codes.items():
        if code in REGISTRY:
            assert severities <= set(REGISTRY[code].severities), f"{module}: {code} is asked as {sorted(severities)}"


def test_nothing_is_registered_that_nobody_asks() -> None:
    emitted = {code for found in EMITTED.values() for code in found.codes}
    assert set(REGISTRY) - emitted == set()
    assert len(emitted & set(REGISTRY)) > 100


def names(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@pytest.mark.parametrize(("code", "known"), REGISTRY.items(), ids=REGISTRY.keys())
def test_a_question_can_be_filled_in(code: str, known: Question) -> None:
    assert known.severities
    assert set(known.severities) <= set(SEVERITIES)
    assert names(known.settled_by) <= set(CELLS)
    assert set(known.figures) <= set(PUBLISHED), "figures are published tables"
    assert len(set(known.figures)) == len(known.figures)
    if known.client is not None:
        assert names(known.client) <= set(WORDS)
        assert known.client.rstrip().endswith((".", "?", "!"))
        assert not {"basis", "lot", "CSV row", "event", "overrides"} & set(known.client.replace(",", " ").split()), (
            "the client's words know no terms of the trade"
        )


@pytest.mark.parametrize(("code", "known"), REGISTRY.items(), ids=REGISTRY.keys())
def test_the_row_that_settles_a_question_is_one_of_its_file(code: str, known: Question) -> None:
    """The header names columns of the file, all that it requires, and the row has a cell for each."""
    file, *rest = known.settled_by.split("\n")
    table = INPUTS.get(file.removesuffix(".csv"))
    if table is None or not file.endswith(".csv") or len(rest) != 2:
        assert file.startswith(("no row:", "intake/", "prices/", "firm.toml", "the file")) or len(rest) == 1
        return
    header, cells = csv.reader(rest, strict=True)
    columns = table.model.to_schema().columns
    assert set(header) <= set(columns)
    required = {name for name, column in columns.items() if not column.nullable and name not in table.defaults}
    assert required <= set(header), f"{file} requires {sorted(required - set(header))}"
    assert len(cells) == len(header)


def test_a_blank_with_a_comma_is_one_cell() -> None:
    assert row("f.csv", {"a": "{item_id}", "b": "<this, or that>"}) == 'f.csv\na,b\n{item_id},"<this, or that>"'
