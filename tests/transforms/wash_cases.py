"""Histories of buying and selling one asset for the tests of wash sales: lots and pieces as the lot book gives them. No expectation belongs here."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from schemas.clients import AssetFacts, ReturnMembers
from schemas.inputs import Profiles
from schemas.tax import LotConversions, Lots, Pieces
from tests.transforms.frames import frame
from transforms import wash_sales
from transforms.holding import long_term_from, term
from transforms.law.wash_sale_rules import RULES, Rule

SECURITY = "TSLAx"
LAW = tuple(rule for rule in RULES if rule.status == "law")
ASSETS = frame(
    AssetFacts,
    {"asset": SECURITY, "class": "tokenized_security"}, {"asset": "IBIT", "class": "trust_share"},
    {"asset": "BTC", "class": "coin"}, {"asset": "USDC", "class": "stablecoin"}, {"asset": "PUNK-1", "class": "nft"},
    collectible=False, indivisible=False,
)  # fmt: skip
NO_STANDS = pl.DataFrame(
    schema={"taxpayer_id": pl.String, "from_year": pl.Int64, "topic": pl.String, "choice": pl.String}
)


class History:
    """What happened, written as a client would tell it."""

    def __init__(self, asset: str = SECURITY) -> None:
        self.asset = asset
        self.lots: dict[str, dict[str, Any]] = {}
        self.pieces: list[dict[str, Any]] = []
        self.accounts: dict[str, str] = {}
        self.couples: list[tuple[str, str, int]] = []
        self.conversions: list[dict[str, Any]] = []

    def buy(
        self, lot: str, day: str, units: Any, cost: Any, *, who: str = "t", account: str = "", origin: str = "buy",
        treatment: str = "taxable",
    ) -> History:  # fmt: skip
        """A lot; `day` may carry a time."""
        account = account or f"{who}-{treatment}"
        self.accounts[account] = treatment
        at = day if "T" in day else f"{day}T15:00:00"
        self.lots[lot] = {
            "lot_id": lot, "taxpayer_id": who, "account_id": account, "asset": self.asset, "quantity": str(units),
            "basis": None if cost is None else str(cost), "loss_basis": None if cost is None else str(cost),
            "acquired_at": at, "date_acquired": at[:10], "loss_acquired_at": at, "loss_date_acquired": at[:10],
            "origin": origin, "acquisition_event_id": lot, "basis_status": "known", "tax_year": int(at[:4]),
        }  # fmt: skip
        return self

    def sell(
        self, disposal: str, day: str, of: Mapping[str, Any], proceeds: Any, *, kind: str = "sell", account: str = ""
    ) -> History:
        """A disposal of units of lots; proceeds and basis are shared by units (whole cents in these cases)."""
        at = day if "T" in day else f"{day}T15:00:00"
        total = sum(Decimal(str(units)) for units in of.values())
        for lot_id, given in of.items():
            lot, units = self.lots[lot_id], Decimal(str(given))
            got = None if proceeds is None else Decimal(str(proceeds)) * units / total
            basis = None if lot["basis"] is None else Decimal(lot["basis"]) * units / Decimal(lot["quantity"])
            treatment = self.accounts[lot["account_id"]]
            self.pieces.append({
                "taxpayer_id": lot["taxpayer_id"], "return_id": lot["taxpayer_id"], "tax_year": int(at[:4]),
                "account_id": account or lot["account_id"], "asset": self.asset, "disposal_id": disposal,
                "event_id": disposal, "lot_id": lot_id, "quantity": units, "acquired_at": lot["acquired_at"],
                "disposed_at": at, "date_acquired": lot["date_acquired"], "date_sold": at[:10], "proceeds": got,
                "basis": basis, "gain": 0 if got is None else None if basis is None else got - basis,
                "disposal_kind": kind, "basis_status": "known", "lot_method": "fifo", "origin": lot["origin"],
                "collectible": False, "on_return": treatment == "taxable" and got is not None and basis is not None,
            })  # fmt: skip
        return self

    def married(self, one: str, other: str, *years: int) -> History:
        """They file jointly in these years."""
        self.couples += [(one, other, year) for year in years]
        return self

    def books(self) -> wash_sales.Books:
        """What the matching is given beside the pieces."""
        members = [(f"{a}-{b}", year, who) for a, b, year in self.couples for who in (a, b)]
        given = frame(ReturnMembers, *({"return_id": r, "tax_year": y, "taxpayer_id": t} for r, y, t in members))
        lots = frame(Lots, *self.lots.values()).with_columns(
            long_term_from=long_term_from(pl.col("date_acquired")),
            loss_long_term_from=long_term_from(pl.col("date_acquired")),
        )
        return wash_sales.Books(
            lots=lots,
            conversions=frame(LotConversions, *self.conversions),
            couples=wash_sales.couples(given, frame(Profiles)),
            accounts=pl.DataFrame(
                list(self.accounts.items()), schema=["account_id", "treatment"], orient="row",
                schema_overrides={"account_id": pl.String, "treatment": pl.String},
            ),
        )  # fmt: skip

    def frame(self) -> pl.DataFrame:
        """The pieces, with terms by their dates."""
        return frame(Pieces, *self.pieces).with_columns(
            term=term(pl.col("date_sold"), long_term_from(pl.col("date_acquired")))
        )

    def subject(self, rules: tuple[Rule, ...] = LAW, stands: pl.DataFrame = NO_STANDS) -> pl.DataFrame:
        """The pieces with what the rules reach."""
        return wash_sales.reached(self.frame(), ASSETS, stands, rules)

    def washed(self, rules: tuple[Rule, ...] = LAW, stands: pl.DataFrame = NO_STANDS) -> wash_sales.Washed:
        """The overlay of the rules in force."""
        return wash_sales.wash(self.subject(rules, stands), self.books())

    def at_risk(self, rules: tuple[Rule, ...] = RULES) -> list[tuple[Any, ...]]:
        """rule, disposal, loss, what the rule would take of it."""
        found = wash_sales.loss_at_risk(self.frame(), self.books(), ASSETS, NO_STANDS, rules)
        return found.select("rule", "disposal_id", "loss", "disallowed").rows()
