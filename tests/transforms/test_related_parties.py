"""Sales that a spouse mirrors on the market: McWilliams v. Commissioner, 331 U.S. 694 (1947); IRC 267."""

from __future__ import annotations

from typing import Any

import polars as pl

from tests.transforms.wash_cases import History
from transforms import questions, related_parties
from transforms.related_parties import Crossed
from transforms.review import gathered


def crossed(history: History, *stands: tuple[str | None, int, str]) -> Crossed:
    rows = [(who, year, "market_crossing", choice) for who, year, choice in stands]
    types = {"taxpayer_id": pl.String, "from_year": pl.Int64, "topic": pl.String, "choice": pl.String}
    books = history.books()
    washed = history.washed().gains
    taken = pl.DataFrame(rows, schema=types, orient="row")
    return related_parties.crossings(washed, books.lots, books.conversions, books.couples, taken)


def mirrored(
    *, asset: str = "BTC", bought: Any = 6, day: str = "2026-05-01T20:00:00", years: tuple[int, ...] = (2026,)
) -> History:
    """Ann sells 10 at a loss of 400; Bob buys."""
    history = History(asset).buy("old", "2026-01-01", 10, 1_000, who="ann").sell("s", "2026-05-01", {"old": 10}, 600)
    return history.buy("new", day, bought, 400, who="bob").married("ann", "bob", *years)


def losses(found: Crossed) -> list[tuple[Any, ...]]:
    return found.gains.select("disposal_id", "gain", "disallowed", "disallowed_code").rows()


def test_by_default_the_loss_stays_and_is_asked_with_its_dollars() -> None:
    """Whether it was arranged is a matter of fact: 6 of 10 were mirrored, 240 of 400 hang on the answer."""
    found = crossed(mirrored())
    assert losses(found) == [("s", -400, 0, None)]
    item = gathered(questions.crossings(found.found)).row(0, named=True)
    assert (item["question"], item["severity"], item["dollars_at_stake"]) == ("related_party_sale", "blocking", 240)
    assert "bob bought them; the loss is on the return" in item["message"]


def test_the_stand_disallow_takes_it_with_code_l() -> None:
    """IRC 267(a)(1): no loss; code L (Instructions Form 8949)."""
    found = crossed(mirrored(), (None, 2009, "allow"), ("ann", 2026, "disallow"))
    assert losses(found) == [("s", -400, 240, "L")]
    assert gathered(questions.crossings(found.found))["severity"].to_list() == ["info"]


def test_only_on_the_same_day_in_the_marriage_and_at_a_loss() -> None:
    """The next day is 24 hours of market risk away; own account to own account is no sale at all."""
    for history in (
        mirrored(day="2026-05-02T00:01:00"),
        mirrored(years=(2025,)),
        History("BTC").buy("old", "2026-01-01", 10, 500, who="ann").sell("s", "2026-05-01", {"old": 10}, 600)
        .buy("new", "2026-05-01T20:00:00", 6, 400, who="bob").married("ann", "bob", 2026),
        History("BTC").buy("old", "2026-01-01", 10, 1_000, who="ann").sell("s", "2026-05-01", {"old": 10}, 600)
        .buy("new", "2026-05-01T20:00:00", 6, 400, who="ann", account="other").married("ann", "bob", 2026),
    ):  # fmt: skip
        assert crossed(history, (None, 2009, "disallow")).found.is_empty()


def test_a_purchase_mirrors_once_whatever_its_lots_are_called() -> None:
    """A filed twin, and a lot that came of the bought one by wrapping, are the same six units: 240 of 400."""
    history = mirrored()
    for lot in ("filed-new", "u<w<new"):
        history.buy(lot, "2026-05-01T20:00:00", 6, 400, who="bob")
    history.conversions.append({"from_lot_id": "w<new", "to_lot_id": "u<w<new", "tax_year": 2026})
    assert losses(crossed(history, (None, 2009, "disallow"))) == [("s", -400, 240, "L")]


def test_a_unit_bought_mirrors_one_unit_sold() -> None:
    """Two sales of 5 and a purchase of 6: the first whole, of the second one unit."""
    history = History("BTC").buy("old", "2026-01-01", 10, 1_000, who="ann").married("ann", "bob", 2026)
    history.sell("one", "2026-05-01T10:00:00", {"old": 5}, 300).sell("two", "2026-05-01T11:00:00", {"old": 5}, 300)
    found = crossed(history.buy("new", "2026-05-01T20:00:00", 6, 400, who="bob"), (None, 2009, "disallow"))
    assert losses(found) == [("one", -200, 200, "L"), ("two", -200, 40, "L")]


def test_where_the_wash_sale_rule_took_the_loss_267_has_nothing_to_take() -> None:
    """A tokenized security: the spouse's purchase is a wash sale, code W, and its basis carries the loss."""
    found = crossed(mirrored(asset="TSLAx"), (None, 2009, "disallow"))
    assert losses(found) == [("s", -400, 240, "W")]
    assert found.found.is_empty()
