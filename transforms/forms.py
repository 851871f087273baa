"""Form 8949 lines from pieces, and the nets that Schedule D takes from them. The worksheets lie in law."""

from __future__ import annotations

import polars as pl

from schemas.fields import CENTS, FIAT, LOST, MONEY, UNTAXED
from schemas.gate import conform
from schemas.tax import DigitalAssetQuestion, Form8949, Gains
from transforms.exact import part_of, to_cents, units_text

QUESTION_SINCE = 2019
"""The first year whose return asks the digital-asset question."""
RETURN_FORMS = {
    "individual": "1040", "trust": "1041", "estate": "1041", "partnership": "1065", "s_corp": "1120-S",
    "c_corp": "1120",
}  # fmt: skip
"""The form on which each kind of taxpayer answers it."""


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


def form_8949(gains: pl.DataFrame, brokers: pl.DataFrame, terms: pl.DataFrame, assets: pl.DataFrame) -> pl.DataFrame:
    """One line a piece, in cents: the lines of one sale sum to the sale's amounts in cents.

    Proceeds and basis are rounded cumulatively over the pieces of a disposal, so that no cent of a sale out of many
    lots is lost (a Form 1099-DA shows the sale as a whole). A gift in the zone of no gain and no loss shows its
    proceeds as basis. A worthless-looking basis of zero is a basis.

    Columns by tax rules 3.2: (d) and (e) are ours, unless a broker's form shows higher proceeds (code E: its costs are
    not in them) or told the IRS another basis (code B, boxes G and J); then they are the form's and (g) corrects them,
    so that (h) = (d) - (e) + (g) is our gain. Lower proceeds on the form give way to ours. A disallowed part of a loss
    stands in (g) under L or W; T says that the form has the wrong term, C that the asset is a collectible.

    Args:
        gains: Gains.
        brokers: `Matched.pieces` of `reconciliation.match`.
        terms: event_id, tx_id.
        assets: asset, class.
    """
    rows = (
        gains.filter("on_return")
        .sort("disposal_id", "lot_id")
        .join(brokers, on=["disposal_id", "lot_id"], how="left", maintain_order="left")
        .join(terms.select("event_id", "tx_id"), on="event_id", how="left", maintain_order="left")
        .join(assets.select("asset", "class"), on="asset", how="left", maintain_order="left")
        .with_columns(pl.col("code_b", "code_e", "code_t", "reported").fill_null(value=False))
        .pipe(_in_cents)
    )
    differs = pl.col("code_b") | pl.col("code_e")
    shown = pl.concat([rows.filter(~differs), _as_the_form_shows(rows.filter(differs))])
    lines = shown.with_columns(
        part=pl.when(pl.col("term") == "short").then(pl.lit("I")).otherwise(pl.lit("II")),
        box=_box(),
        date_acquired=pl.when(pl.col("origin") == "inheritance")
        .then(pl.lit("INHERITED"))
        .otherwise(pl.col("date_acquired").dt.to_string("%Y-%m-%d")),
        description=_description(),
        code=_codes(),
    )
    return conform(lines, Form8949).sort("return_id", "tax_year", "part", "date_sold", "disposal_id", "lot_id")


def _in_cents(pieces: pl.DataFrame) -> pl.DataFrame:
    """Proceeds, basis and what is disallowed of each piece by cumulative rounding over its disposal.

    No gain stays exactly none, and so does a loss that is disallowed whole.
    """
    of_sale = ["disposal_id"]
    amounts = ("proceeds", "basis", "disallowed")
    rounded = _steps(
        pieces.with_columns(exact="gain", disallowed_exactly="disallowed"),
        of_sale,
        {name: to_cents(pl.col(name).cum_sum().over(of_sale)) for name in amounts},
    )
    whole = (pl.col("disallowed_exactly") > 0) & (pl.col("exact") + pl.col("disallowed_exactly") == 0)
    even = pl.when(pl.col("exact") == 0).then("proceeds").otherwise("basis")
    return (
        rounded.with_columns(basis=even)
        .with_columns(
            adjustment=pl.when(whole).then(pl.col("basis") - pl.col("proceeds")).otherwise("disallowed").cast(CENTS)
        )
        .with_columns(gain=(pl.col("proceeds") - pl.col("basis") + pl.col("adjustment")).cast(CENTS))
        .with_columns(disallowed="disallowed_exactly")
        .drop("exact", "disallowed_exactly")
    )


def _steps(rows: pl.DataFrame, over: list[str], running: dict[str, pl.Expr]) -> pl.DataFrame:
    """`rows` with what each adds to the running totals, in cents (a total is made first: a window in a window is slow)."""
    steps = [(pl.col(name) - pl.col(name).shift(1, fill_value=0).over(over)).cast(CENTS) for name in running]
    return rows.with_columns(**running).with_columns(steps)


def _as_the_form_shows(rows: pl.DataFrame) -> pl.DataFrame:
    """Lines with the form's amounts in (d) and (e), shared out by units, and what sets them right in (g)."""
    of_form, of_basis = ["match"], ["match", "reported"]
    surplus = pl.col("broker_proceeds") - pl.col("proceeds").sum().over(of_form)
    with_extra = _steps(rows, of_form, {"extra": to_cents(_shared(surplus, of_form))})
    shared = _steps(with_extra, of_basis, {"told": to_cents(_shared(pl.col("broker_basis"), of_basis))})
    extra, told = pl.col("extra").fill_null(0), pl.coalesce("told", "basis")
    return shared.with_columns(
        proceeds=(pl.col("proceeds") + extra).cast(CENTS),
        basis=told.cast(CENTS),
        adjustment=(pl.col("adjustment") - extra + told - pl.col("basis")).cast(CENTS),
    ).select(rows.columns)


def _shared(total: pl.Expr, over: list[str]) -> pl.Expr:
    """The part of a total that falls on the units up to each row."""
    units = pl.col("quantity")
    return part_of(total.cast(MONEY), units.cum_sum().over(over), units.sum().over(over))


def _description() -> pl.Expr:
    """Column (a): exact units, the asset, and the sale's transaction id where there is one (Instructions Form 8949)."""
    tx = pl.col("tx_id").str.replace_all(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]", " ").str.slice(0, 80)
    what = [units_text(pl.col("quantity")), pl.lit(" "), pl.col("asset").str.slice(0, 64)]
    return pl.concat_str([*what, pl.format(" (tx {})", tx).fill_null("")])


def _box() -> pl.Expr:
    """Tax rules 3.1: A-F of a Form 1099-B or none, G-L of a Form 1099-DA or, for digital assets from 2025, none.

    Shares of a trust are no digital assets; tokenized securities are.
    """
    digital = (pl.col("tax_year") >= 2025) & (pl.col("class").fill_null("coin") != "trust_share")
    form = pl.col("form").fill_null("none")

    def pick(letters: str) -> pl.Expr:
        return pl.when(pl.col("term") == "short").then(pl.lit(letters[0])).otherwise(pl.lit(letters[1]))

    return (
        pl.when((form == "1099-DA") & pl.col("reported")).then(pick("GJ"))
        .when(form == "1099-DA").then(pick("HK"))
        .when((form == "1099-B") & pl.col("reported")).then(pick("AD"))
        .when(form == "1099-B").then(pick("BE"))
        .when(digital).then(pick("IL"))
        .otherwise(pick("CF"))
    )  # fmt: skip


def _codes() -> pl.Expr:
    """Column (f): the letters in the order of the alphabet, nothing between them."""
    lost = pl.when(pl.col("disallowed") > 0).then("disallowed_code").fill_null("")
    tests: dict[str, str | pl.Expr] = {
        "B": "code_b",
        "C": "collectible",
        "E": "code_e",
        "L": lost == "L",
        "T": "code_t",
        "W": lost == "W",
    }
    letters = [pl.when(test).then(pl.lit(letter)).otherwise(pl.lit("")) for letter, test in tests.items()]
    return pl.concat_str(letters).replace("", None)


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
    """The digital-asset question by return and year: yes for any receipt of income or any disposal (tax rules 8).

    Holding, buying with dollars, moving between one's own wallets, gifts received, cash interest and whatever a
    retirement account does are a no. A gift given is a disposal. That a network fee paid in a coin is one too, or units
    stolen or lost, is unsettled: the answer is then yes, and `because` says so.

    Args:
        gains: Gains.
        income: Income.
        returns: return_id, tax_year, form: the return-years to answer for.
        facts: account_id, taxable.
    """
    own = facts.filter("taxable").select("account_id")
    gains = gains.join(own, on="account_id", how="semi")
    income = income.join(own, on="account_id", how="semi").filter(~pl.col("asset").is_in(FIAT))
    kind, key = pl.col("disposal_kind"), ["return_id", "tax_year"]
    counts = {"fees": kind == "fee", "losses": kind.is_in(LOST), "disposals": ~kind.is_in(["fee", *LOST])}
    given = gains.group_by(key).agg(
        pl.col("disposal_id").filter(which).n_unique().alias(name) for name, which in counts.items()
    )
    receipts = income.group_by(key).agg(receipts=pl.col("event_id").n_unique())
    counted = (
        returns.select(*key, "form")
        .unique()
        .join(given, on=key, how="left")
        .join(receipts, on=key, how="left")
        .with_columns(pl.col("disposals", "fees", "losses", "receipts").fill_null(0))
    )
    sure = (pl.col("disposals") + pl.col("receipts")) > 0
    doubtful = (pl.col("fees") + pl.col("losses")) > 0
    because = pl.format(
        "{} disposals, {} receipts of income, {} fees paid in a coin, {} thefts or losses{}",
        "disposals", "receipts", "fees", "losses",
        pl.when(~sure & doubtful).then(pl.lit(" [unsettled whether these count: yes to be safe]")).otherwise(pl.lit("")),
    )  # fmt: skip
    return conform(
        counted.with_columns(
            answer=pl.when(sure | doubtful).then(pl.lit("yes")).otherwise(pl.lit("no")), because=because
        ),
        DigitalAssetQuestion,
    ).sort("return_id", "tax_year")
