"""Form 8949 lines from pieces, and the nets that Schedule D takes from them. The worksheets lie in law."""

from __future__ import annotations

import polars as pl

from schemas.fields import CENTS, FIAT, MONEY, UNTAXED
from schemas.gate import conform
from schemas.tax import DigitalAssetQuestion, Form8949, Gains
from transforms.exact import to_cents, units_text


def complete_gains(
    pieces: pl.DataFrame, facts: pl.DataFrame, members: pl.DataFrame, assets: pl.DataFrame
) -> pl.DataFrame:
    """The lot book's pieces with what the return needs to know of them.

    Args:
        pieces: Gains without return_id, collectible, on_return and the disallowed part of a loss (none here).
        facts: account_id, taxable.
        members: return_id, tax_year, taxpayer_id.
        assets: asset, collectible.
    """
    joined = (
        pieces.drop("return_id", "collectible", "on_return", strict=False)
        .join(members.select("taxpayer_id", "tax_year", "return_id"), on=["taxpayer_id", "tax_year"], how="left")
        .join(facts.select("account_id", "taxable"), on="account_id", how="left")
        .join(assets.select("asset", "collectible"), on="asset", how="left")
    )
    taxed = ~pl.col("disposal_kind").is_in(UNTAXED) & pl.col("taxable").fill_null(value=False)
    return conform(
        joined.with_columns(
            return_id=pl.coalesce("return_id", "taxpayer_id"),
            collectible=pl.col("collectible").fill_null(value=False),
            on_return=taxed & pl.col("gain").is_not_null() & pl.col("proceeds").is_not_null(),
            disallowed=pl.lit(0, MONEY),
            disallowed_code=pl.lit(None, pl.String),
        ),
        Gains,
    )


def form_8949(gains: pl.DataFrame, reported: pl.DataFrame) -> pl.DataFrame:
    """One line a piece, in cents: the lines of one sale sum to the sale's amounts in cents.

    Proceeds and basis are rounded cumulatively over the pieces of a disposal, so that no cent of a sale out of many
    lots is lost (a Form 1099-DA shows the sale as a whole).

    Boxes by tax rules 3.1: to 2024 C and F; from 2025 G-L: I and L without a Form 1099-DA, H and K where the broker
    reported proceeds, G and J where it reported basis too. A gift in the zone of no gain and no loss shows its
    proceeds as basis. A worthless-looking basis of zero is a basis. A loss that the law does not allow comes back in
    column (g), with its code in (f), codes in the order of the alphabet (Instructions Form 8949).

    Args:
        gains: Gains.
        reported: taxpayer_id, tax_year, account_id, asset, basis_reported (a 1099-DA names that asset).
    """
    rows = (
        gains.filter("on_return")
        .sort("disposal_id", "lot_id")
        .join(reported, on=["taxpayer_id", "tax_year", "account_id", "asset"], how="left")
        .with_columns(
            part=pl.when(pl.col("term") == "short").then(pl.lit("I")).otherwise(pl.lit("II")),
            box=_box(),
            **_in_cents(),
            date_acquired=pl.when(pl.col("origin") == "inheritance")
            .then(pl.lit("INHERITED"))
            .otherwise(pl.col("date_acquired").dt.to_string("%Y-%m-%d")),
            description=pl.concat_str(units_text(pl.col("quantity")), pl.lit(" "), pl.col("asset").str.slice(0, 64)),
            code=_codes(),
        )
        .with_columns(gain=(pl.col("proceeds") - pl.col("basis") + pl.col("adjustment")).cast(CENTS))
    )
    return conform(rows, Form8949).sort("return_id", "tax_year", "part", "date_sold", "disposal_id", "lot_id")


def _in_cents() -> dict[str, pl.Expr]:
    """Proceeds, basis and what is not allowed of each piece by cumulative rounding over its disposal.

    No gain stays exactly none, and so does a loss of which nothing is allowed.
    """

    def rounded(column: str) -> pl.Expr:
        running = to_cents(pl.col(column).cum_sum().over("disposal_id"))
        return (running - running.shift(1, fill_value=0).over("disposal_id")).cast(CENTS)

    proceeds = rounded("proceeds")
    basis = pl.when(pl.col("gain") == 0).then(proceeds).otherwise(rounded("basis"))
    none_allowed = (pl.col("disallowed") > 0) & (pl.col("disallowed") == -pl.col("gain"))
    adjustment = pl.when(none_allowed).then(basis - proceeds).otherwise(rounded("disallowed")).cast(CENTS)
    return {"proceeds": proceeds, "basis": basis, "adjustment": adjustment}


def _codes() -> pl.Expr:
    """C a collectible, L a loss that is none, W a wash sale."""
    collectible = pl.when("collectible").then(pl.lit("C"))
    letters = pl.concat_str(collectible, "disallowed_code", ignore_nulls=True)
    return pl.when(letters != "").then(letters)


def _box() -> pl.Expr:
    digital = pl.col("tax_year") >= 2025
    short = pl.col("term") == "short"
    none = pl.col("basis_reported").is_null()
    with_basis = pl.col("basis_reported").fill_null(value=False)

    def pick(short_box: str, long_box: str) -> pl.Expr:
        return pl.when(short).then(pl.lit(short_box)).otherwise(pl.lit(long_box))

    return (
        pl.when(~digital).then(pick("C", "F"))
        .when(none).then(pick("I", "L"))
        .when(with_basis).then(pick("G", "J"))
        .otherwise(pick("H", "K"))
    )  # fmt: skip


def nets(form: pl.DataFrame) -> pl.DataFrame:
    """What a taxpayer's lines come to: taxpayer_id, tax_year, short_term_net, long_term_net, collectibles_net (cents).

    `collectibles_net` is the part of `long_term_net` that belongs to the 28 % group (IRC 1(h)(5)).
    """
    short = pl.col("part") == "I"
    collectible = pl.col("code").fill_null("").str.contains("C")
    return (
        form.group_by("taxpayer_id", "tax_year")
        .agg(
            short_term_net=pl.col("gain").filter(short).sum().cast(CENTS),
            long_term_net=pl.col("gain").filter(~short).sum().cast(CENTS),
            collectibles_net=pl.col("gain").filter(~short & collectible).sum().cast(CENTS),
        )
        .sort("taxpayer_id", "tax_year")
    )


def digital_asset_question(
    gains: pl.DataFrame, income: pl.DataFrame, returns: pl.DataFrame, facts: pl.DataFrame
) -> pl.DataFrame:
    """The Form 1040 question by return and year: yes for any receipt of income or any disposal (tax rules 8).

    A gift given and a network fee paid in a coin count as disposals; holding, buying with dollars, moving between one's
    own wallets, cash interest and whatever a retirement account does, do not.

    Args:
        gains: Gains.
        income: Income.
        returns: return_id, tax_year: the return-years to answer for.
        facts: account_id, taxable.
    """
    own = facts.filter("taxable").select("account_id")
    gains = gains.join(own, on="account_id", how="semi")
    income = income.join(own, on="account_id", how="semi").filter(~pl.col("asset").is_in(FIAT))
    disposals = gains.group_by("return_id", "tax_year").agg(disposals=pl.col("disposal_id").n_unique())
    receipts = income.group_by("return_id", "tax_year").agg(receipts=pl.col("event_id").n_unique())
    counted = (
        returns.select("return_id", "tax_year")
        .unique()
        .join(disposals, on=["return_id", "tax_year"], how="left")
        .join(receipts, on=["return_id", "tax_year"], how="left")
        .with_columns(pl.col("disposals", "receipts").fill_null(0))
    )
    yes = (pl.col("disposals") + pl.col("receipts")) > 0
    return conform(
        counted.with_columns(
            answer=pl.when(yes).then(pl.lit("yes")).otherwise(pl.lit("no")),
            because=pl.format("{} disposals, {} receipts of income", "disposals", "receipts"),
        ),
        DigitalAssetQuestion,
    ).sort("return_id", "tax_year")
