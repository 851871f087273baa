"""Which state taxes a return, and the estimate of its tax. The rules and the arithmetic stay in `law.states`."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from schemas.fields import CENTS
from transforms.exact import from_ints
from transforms.law.states import BOOK, NOWHERE, state_tax
from transforms.law.tax import Returns, assess

RETURN = ["return_id", "tax_year"]
QUESTIONS = ("state_unknown", "state_not_covered", "state_part_year", "state_provisional")


class Estimates(NamedTuple):
    """What is estimated, and what about it is asked.

    `taxes`: return_id, tax_year, state (null: unknown), state_tax_estimate (null: not covered). `asked`: return_id,
    tax_year, taxpayer_id (the primary), question (of `QUESTIONS`), state.
    """

    taxes: pl.DataFrame
    asked: pl.DataFrame


def estimates(returns: pl.DataFrame, members: pl.DataFrame, residency: pl.DataFrame) -> Estimates:
    """The estimate of the state's tax for each taxed return, by where the primary lives on 31 December of its year.

    Of the current year that is where the primary lives tonight: rows of a later day are not in `residency`. Who moved
    within the year, or whose spouse lives elsewhere, is estimated as a resident of that state for the whole year and
    asked.

    Args:
        returns: return_id and the tax kernel's inputs in int64 cents (`returns.ReturnResults.returns`).
        members: return_id, tax_year, taxpayer_id, role.
        residency: taxpayer_id, from, state.
    """
    rows = returns.join(homes(members, residency), on=RETURN, how="left", maintain_order="left")
    index = rows["state_index"].fill_null(NOWHERE)
    kernel = Returns(**{name: rows[name].cast(pl.Int64).to_numpy() for name in Returns._fields})
    tax = state_tax(kernel, assess(kernel), index.to_numpy())
    estimated = rows.select(*RETURN, "state", "primary", "moved").with_columns(
        covered=pl.Series(tax.covered),
        provisional=pl.Series(tax.provisional),
        amount=from_ints("amount", tax.tax.tolist(), CENTS),
    )
    taxes = estimated.select(*RETURN, "state", state_tax_estimate=pl.when("covered").then("amount"))
    return Estimates(taxes, _asked(estimated))


def homes(members: pl.DataFrame, residency: pl.DataFrame) -> pl.DataFrame:
    """Where each return lives at its year's end.

    Args:
        members: return_id, tax_year, taxpayer_id, role.
        residency: taxpayer_id, from, state.

    Returns:
        return_id, tax_year, primary, state (null: unknown), moved (within the year, or the spouse lives elsewhere) and
        state_index, which `law.states.state_tax` takes (`NOWHERE` where the state has no rules in any year).
    """
    number = {state: index for index, state in enumerate(BOOK.states)}
    people = members.with_columns(
        pl.col("tax_year").cast(pl.Int64), last=pl.date("tax_year", 12, 31), first=pl.date("tax_year", 1, 1)
    )
    moves = residency.select("taxpayer_id", since="from", state="state").sort("since")
    at = {"by": "taxpayer_id", "right_on": "since", "strategy": "backward", "check_sortedness": False}
    ended = people.sort("last").join_asof(moves, left_on="last", **at)  # type: ignore[arg-type]
    began = ended.sort("first").join_asof(moves, left_on="first", suffix="_first", **at)  # type: ignore[arg-type]
    return (
        began.sort(*RETURN, pl.col("role") != "primary", "taxpayer_id")
        .group_by(RETURN, maintain_order=True)
        .agg(
            primary=pl.col("taxpayer_id").first(),
            state=pl.col("state").first(),
            moved=(pl.col("state_first").ne_missing(pl.col("state")) | (pl.col("state") != pl.col("state").first()))
            .fill_null(value=False)
            .any(),
        )
        .with_columns(
            state_index=pl.col("state")
            .replace_strict(number, default=NOWHERE, return_dtype=pl.Int64)
            .fill_null(NOWHERE)
        )
    )


def _asked(estimated: pl.DataFrame) -> pl.DataFrame:
    cases = {
        "state_unknown": pl.col("state").is_null(),
        "state_not_covered": pl.col("state").is_not_null() & ~pl.col("covered"),
        "state_part_year": pl.col("covered") & pl.col("moved"),
        "state_provisional": pl.col("covered") & pl.col("provisional"),
    }
    return pl.concat(
        estimated.filter(which).select(*RETURN, "state", taxpayer_id="primary", question=pl.lit(question))
        for question, which in cases.items()
    )
