"""The stage that makes gains of pieces: years that a later purchase changes, and the questions it leaves."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines import stages
from pipelines.errors import NightError
from pipelines.quarantine import Quarantine
from pipelines.resources import Night
from schemas.clients import AccountFacts, ReturnMembers, Stands
from schemas.inputs import Assets, InstructionsGiven, Profiles
from schemas.ledger import InstructionMatches, Picks
from schemas.tax import WashedLots, WashSales
from tests.transforms.frames import frame
from tests.transforms.wash_cases import ASSETS, History
from transforms import questions, wash_sales
from transforms.law.wash_sale_rules import RULES, in_force


def december() -> History:
    """Ten sold at a loss of 400 on 20 December 2025."""
    return History().buy("old", "2025-03-01", 10, 1_000).sell("sale", "2025-12-20", {"old": 10}, 600)


def realized(
    folder: Path,
    history: History,
    *,
    first: int = 2009,
    before: pl.DataFrame | None = None,
    stopped: str = "",
    as_of: date = date(2026, 1, 20),
) -> dict[str, pl.DataFrame]:
    """The stage on a history, as of 20 January 2026."""
    (folder / "firm.toml").write_text('name = "x"\ntime_zone = "UTC"\n')
    books = history.books()
    rows = [{"taxpayer_id": stopped, "table_name": "x", "reason": "x", "rows": 1}] if stopped else []
    return stages.realized(
        Night(folder, as_of, tuple(range(first, 2027)), "run"), history.frame(), books.lots, books.conversions,
        books.accounts, frame(ReturnMembers), ASSETS, frame(Stands), frame(Profiles),
        frame(WashSales) if before is None else before, frame(Quarantine, *rows),
    )  # fmt: skip


def asked(tables: dict[str, pl.DataFrame]) -> list[tuple[Any, ...]]:
    return tables["wash_questions"].select("question", "severity", "dollars_at_stake", "tax_year").rows()


@pytest.mark.parametrize(("tonight", "open_still"), [(date(2026, 1, 19), True), (date(2026, 1, 20), False)])
def test_a_december_loss_is_provisional_until_30_days_have_passed(
    tmp_path: Path, tonight: date, open_still: bool
) -> None:
    """Sold on 20 December: a purchase on 19 January would still take the 400, one on 20 January would not."""
    tables = realized(tmp_path, december(), as_of=tonight)
    assert asked(tables) == ([("wash_sale_window_open", "info", 400, 2025)] if open_still else [])
    assert all("a purchase up to 2026-01-19" in text for text in tables["wash_questions"]["message"])


def test_a_january_purchase_changes_december_and_a_backfill_of_the_new_year_is_refused(tmp_path: Path) -> None:
    """What the year before was made of is no longer so: its form would show a loss that is none."""
    whole = realized(tmp_path, december())
    bought = december().buy("new", "2026-01-05", 6, 372)
    with pytest.raises(NightError, match=r"wash sales of 2025 .* `make backfill FROM=2025`"):
        realized(tmp_path, bought, first=2026, before=whole["wash_sales"])
    assert realized(tmp_path, bought, first=2026, before=whole["wash_sales"], stopped="t")["gains"].is_empty()
    again = realized(tmp_path, bought, first=2025, before=whole["wash_sales"])
    assert again["gains"].select("tax_year", "disallowed").rows() == [(2025, 240)]
    assert again["washed_lots"].select("tax_year", "lot_id", "basis_added").rows() == [(2026, "new", 240)]
    # known to the last whole night, the same run of 2026 alone goes through and leaves 2025 as it is
    rest = realized(tmp_path, bought, first=2026, before=again["wash_sales"])
    assert (rest["gains"].height, rest["wash_sales"].height, rest["washed_lots"].height) == (0, 0, 1)


def test_a_loss_lost_in_an_ira_is_a_warning(tmp_path: Path) -> None:
    tables = realized(tmp_path, december().buy("new", "2026-01-05", 6, 372, treatment="ira"))
    assert [row for row in asked(tables) if row[1] == "warning"] == [("wash_sale_lost", "warning", 240, 2025)]


def test_basis_on_units_that_became_another_asset_is_asked_with_its_dollars(tmp_path: Path) -> None:
    history = december().buy("new", "2026-01-05", 6, 372)
    history.conversions.append({"from_lot_id": "new", "to_lot_id": "x<new", "tax_year": 2026})
    blocking = [row for row in asked(realized(tmp_path, history)) if row[1] == "blocking"]
    assert blocking == [("wash_sale_basis_converted", "blocking", 240, 2026)]
    none = frame(WashedLots, {"lot_id": "new", "part_id": "p", "basis_added": Decimal(1)}).clear()
    assert all(
        part.is_empty() for part in questions.wash_sales(frame(WashSales), tables_of(history), none, date(2027, 1, 1))
    )


def tables_of(history: History) -> pl.DataFrame:
    return history.subject().with_columns(disallowed=pl.lit(Decimal(0)))


def test_an_instruction_for_units_that_replaced_washed_ones_counts_as_executed(tmp_path: Path) -> None:
    """The overlay renames the units sold; the instruction named the lot, and the book sold ten of it."""
    history = december().buy("new", "2026-01-05", 10, 620).sell("s2", "2026-06-01", {"new": 10}, 900)
    said = {"instruction_id": "i", "account_id": "t-taxable", "asset": "TSLAx", "lot_id": "new", "quantity": Decimal(10),
            "status": "open", "recorded_at": "2026-05-01"}  # fmt: skip
    sale = {"instruction_id": "i", "movement_id": "s2", "event_id": "s2", "taxpayer_id": "t", "lot_id": "new",
            "quantity": Decimal(10), "adequate": True}  # fmt: skip
    done = stages.instruction_rows(
        Night(tmp_path, date(2026, 7, 1), (2026,), "run"), frame(InstructionsGiven, said), frame(Assets),
        frame(InstructionMatches, sale), frame(Picks, sale | {"place": 0, "lot_method": "specific"}),
        lots_=history.books().lots, account_facts=frame(AccountFacts, {"account_id": "t-taxable", "taxpayer_id": "t"}),
        pieces=history.frame(),
    )  # fmt: skip
    assert done["instructions"]["executed_quantity"].to_list() == [10]
    assert history.washed().gains.filter(disposal_id="s2")["lot_id"].to_list() == ["new~washed-1"]
    assert done["instruction_questions"].is_empty()


def test_bills_are_told_once_each_with_what_they_would_take() -> None:
    """Which is law nobody here knows: a person has to look."""
    history = History("BTC").buy("old", "2026-01-01", 10, 1_000).sell("s", "2026-07-01", {"old": 10}, 600)
    history.buy("new", "2026-07-10", 6, 372)

    found = wash_sales.loss_at_risk(history.frame(), history.books(), ASSETS, frame(Stands), RULES)
    told = pl.concat(questions.wash_sale_bills(found, RULES))
    assert told.select("question", "dollars_at_stake").rows() == [("wash_sale_bill", 240)]
    assert told["message"][0].startswith("hr-9172 is taken as pending, with effect from 2026-06-09")
    passed = in_force({"hr-9172": {"status": "law", "dispositions_after": date(2026, 6, 8)}})
    assert pl.concat(questions.wash_sale_bills(found.clear(), passed))["question"].to_list() == [
        "wash_sale_law_by_firm"
    ]
