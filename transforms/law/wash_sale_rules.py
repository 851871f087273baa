"""Which losses a wash sale rule reaches, from when, and whether it is the law. How losses are matched is in `wash_sales`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib import resources
from typing import Any

import polars as pl

from schemas.inputs import ASSET_CLASSES

STATUSES = ("law", "pending", "shadow")
"""law: it governs. pending: a bill before Congress. shadow: laid over the books for comparison only."""
DATES = ("dispositions_after", "tax_years_beginning_after")
DEFAULT_CLASS = "token"
"""An asset that nobody describes is a token, as an empty cell of assets.csv is."""


@dataclass(frozen=True)
class Rule:
    """A wash sale rule: IRC 1091, or a bill that would extend it.

    It reaches losses on assets of `classes` (as in assets.csv) disposed of after `dispositions_after`, in tax years
    that begin after `tax_years_beginning_after`; None: always. `by_firm`: firm.toml changed it.
    """

    rule_id: str
    classes: tuple[str, ...]
    status: str
    source: str
    dispositions_after: date | None = None
    tax_years_beginning_after: date | None = None
    by_firm: bool = False

    @property
    def first_day(self) -> date:
        """The first day on which a disposal may fall under the rule."""
        after, years = self.dispositions_after, self.tax_years_beginning_after
        days = [date.min]
        if after is not None:
            days.append(after + timedelta(days=1))
        if years is not None:
            days.append(date(years.year + 1, 1, 1))
        return max(days)

    def reaches(self) -> pl.Expr:
        """Whether the rule reaches a disposal: of `class`, `date_sold` (Date) and `tax_year`."""
        within = pl.col("class").is_in(self.classes)
        if self.dispositions_after is not None:
            within &= pl.col("date_sold") > self.dispositions_after
        if self.tax_years_beginning_after is not None:
            within &= pl.date("tax_year", 1, 1) > self.tax_years_beginning_after
        return within


def parse(rows: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rows of `wash_sale_rules.json` as rules.

    Raises:
        ValueError: a row lacks a key or has another, an id stands twice, a class or a status is unknown, a date is
            none, or a rule names no source.
    """
    rules = []
    for row in rows:
        wanted = {"rule_id", "classes", "status", "source", *DATES}
        if set(row) != wanted:
            raise ValueError(f"a wash sale rule has {sorted(row)}, expected {sorted(wanted)}")
        strange = [name for name in row["classes"] if name not in ASSET_CLASSES]
        if strange or not row["classes"]:
            raise ValueError(f"rule {row['rule_id']}: classes {row['classes']}, expected some of {ASSET_CLASSES}")
        if row["status"] not in STATUSES:
            raise ValueError(f"rule {row['rule_id']}: status {row['status']!r}, expected one of {STATUSES}")
        if not row["source"]:
            raise ValueError(f"rule {row['rule_id']}: no source")
        after, years = (row[name] and date.fromisoformat(row[name]) for name in DATES)
        rules.append(Rule(row["rule_id"], tuple(row["classes"]), row["status"], row["source"], after, years))
    if len({rule.rule_id for rule in rules}) < len(rules):
        raise ValueError("two wash sale rules bear one id")
    return tuple(rules)


def in_force(changes: Mapping[str, Mapping[str, Any]]) -> tuple[Rule, ...]:
    """The shipped rules with what the firm says became of the bills.

    Args:
        changes: rule_id to `status` and, where it is law, its effective date (one of `DATES`, which then stands alone):
            section `law.wash_sales` of firm.toml, checked.
    """
    return tuple(_changed(rule, changes.get(rule.rule_id)) for rule in RULES)


def _changed(rule: Rule, change: Mapping[str, Any] | None) -> Rule:
    if change is None:
        return rule
    after, years = (change.get(name) for name in DATES)
    if after is None and years is None:  # a status alone leaves the dates as they are
        after, years = rule.dispositions_after, rule.tax_years_beginning_after
    return replace(
        rule, status=change["status"], by_firm=True, dispositions_after=after, tax_years_beginning_after=years
    )


def lawful_classes(rules: Iterable[Rule], day: date) -> tuple[str, ...]:
    """The asset classes of which the law disallows a loss on a sale of `day`."""
    return tuple(
        sorted({name for rule in rules if rule.status == "law" and rule.first_day <= day for name in rule.classes})
    )


def reachable_classes(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The asset classes that the law or a pending bill would reach, whatever its effective date."""
    return tuple(sorted({name for rule in rules if rule.status in ("law", "pending") for name in rule.classes}))


def open_to_change() -> tuple[str, ...]:
    """The rules whose fate a firm may record: whatever is not yet law."""
    return tuple(rule.rule_id for rule in RULES if rule.status != "law")


RULES: tuple[Rule, ...] = parse(
    json.loads(resources.files(__package__).joinpath("wash_sale_rules.json").read_text(encoding="utf-8"))
)
