"""Texts of the advice: what to record, when to buy back, why, in words. No amount is computed here.

Names in clients' files are hostile (HTML, formulas, control characters, 10 kB): a text takes none but by `safe_name`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

NAME_LENGTH = 32


def safe_name(name: str, instead: str) -> str:
    """`name` if it can stand in a cell, a page and a sentence without harm, else `instead`."""
    hostile = (
        not name
        or len(name) > NAME_LENGTH
        or name[0] in "=+-@"
        or any(character in "<>" or not character.isprintable() for character in name)
    )
    return instead if hostile else name


def dollars(cents: int | Decimal) -> str:
    """An amount with its sign: cents as an integer, or dollars as a decimal, to the cent."""
    amount = Decimal(cents) / 100 if isinstance(cents, int) else cents
    return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"


def units(quantity: Decimal) -> str:
    """A quantity without trailing zeros."""
    return f"{quantity.normalize():f}"


def deadline(tax_year: int, zone: str) -> datetime:
    """The last instant of 31 December in the taxpayer's zone, in UTC."""
    new_year = datetime.combine(date(tax_year + 1, 1, 1), time(), ZoneInfo(zone))
    return new_year.astimezone(UTC) - timedelta(microseconds=1)


def lot_identification(lot: Mapping[str, Any], year: int) -> str:
    """How to make the sale one of this lot and of no other, for a sale in `year` (Reg. 1.1012-1(j)).

    Args:
        lot: asset, quantity, lot_id, date_acquired, custody (null: unknown).
        year: the year of the sale.
    """
    asset = safe_name(lot["asset"], "the asset of this row")
    which = f"{units(lot['quantity'])} {asset} of lot {safe_name(lot['lot_id'], 'named in this row')}"
    what = f"{which}, acquired {lot['date_acquired']}"
    books = f"Before the sale, record in the taxpayer's books that it sells {what}"
    tell = f"Before the sale, tell the broker, by an identifier that it accepts, to sell {what}"
    if year < 2025:
        return f"{books}; keep the record with its date and time (IRS digital asset FAQs 39-41; otherwise FIFO)."
    if lot["custody"] in ("self", "foreign_custodian"):
        return f"{books} (Reg. 1.1012-1(j)(2); otherwise FIFO in the wallet)."
    if year < 2027:
        return (
            f"{books}; for a US broker that suffices through 2026-12-31 (Notices 2025-7 and 2026-20; otherwise FIFO)."
        )
    if lot["custody"] == "us_broker":
        return f"{tell} (Reg. 1.1012-1(j)(3)(ii); a record in the books alone no longer counts; otherwise FIFO)."
    return f"{tell}, and record it in the books (whether the account is at a US broker is not known; otherwise FIFO)."


def record_before(lot: Mapping[str, Any], year: int) -> str:
    """By when the identification must exist."""
    if year >= 2027 and lot["custody"] not in ("self", "foreign_custodian"):
        return "Before the order is placed; the broker must have it no later than the date and time of the sale."
    return "Before the order is placed; the record must be dated no later than the date and time of the sale."


def rebuy(lot: Mapping[str, Any], hours: int, *, wash_sale_law: bool = False, wash_safe: bool = False) -> str:
    """When the units of a lot may be bought back; of one sold at a gain at once, unless that takes a loss in the asset.

    Args:
        lot: a recommendation with `loss_beside`: the same plan sells the same asset at a loss.
        hours: the firm's `min_rebuy_hours`.
        wash_sale_law: the law reaches coins.
        wash_safe: the plan is the one that is safe under pending bills.
    """
    if lot["action"] == "sell_gain" and not lot["loss_beside"]:
        return (
            "At once: no wash sale rule reaches a gain; the new holding period begins the day after the purchase. Where the "
            "taxpayer or the spouse sold the same asset at a loss in the last 30 days, wait as for that loss."
        )
    if wash_safe and not wash_sale_law:
        return (
            "31 days after the sale at the earliest, by the taxpayer, the spouse, an IRA or an entity that they control: "
            "this plan is safe under every pending bill."
        )
    return rebuy_not_before(hours, wash_sale_law=wash_sale_law)


def rebuy_not_before(hours: int, *, wash_sale_law: bool = False) -> str:
    """When the units may be bought back; under a wash sale law that reaches coins not within 30 days (IRC 1091)."""
    if wash_sale_law:
        return (
            "31 days after the sale at the earliest, by the taxpayer, the spouse, an IRA or an entity that they control: a "
            "purchase within 30 days takes the loss (the wash sale rule as firm.toml says it is in force)."
        )
    wait = f"{hours} hours after the sale" if hours else "any time after the sale"
    short = "Less than 24 hours invites a challenge to the loss. " if hours < 24 else ""
    return (
        f"{wait[0].upper()}{wait[1:]} at the earliest, at the market's risk and not by arrangement, by the taxpayer, the "
        f"spouse or an entity that they control. {short}No rule says 24 hours (the wash sale rule does not reach coins "
        "today); 31 days is safe under every pending bill."
    )


def reason(lot: Mapping[str, Any]) -> str:
    """One sentence for the client: the loss or gain, and its marginal worth after what is ranked above it.

    Args:
        lot: a row of the recommendations with `is_indivisible` (an nft) and `proceeds`.
    """
    asset = safe_name(lot["asset"], "this asset")
    gain = lot["unrealized_gain"]
    result = f"gain of {dollars(gain)}" if gain > 0 else f"loss of {dollars(-gain)}"
    what = f"Selling {units(lot['quantity'])} {asset} realizes a {lot['term']}-term {result}"
    worth = [f"{dollars(lot['tax_saved_now'])} less tax this year"]
    if lot["tax_saved_now"] < 0:
        worth = [f"{dollars(-lot['tax_saved_now'])} more tax this year"]
    for name, text in _TERMS:
        if lot[name]:
            worth.append(text.format(dollars(abs(lot[name])), "less" if lot[name] > 0 else "plus"))
    sentences = [f"{what}, worth {dollars(lot['net_benefit'])}: {', '.join(worth)}."]
    if lot["is_indivisible"]:
        sentences.append("Sell it to an unrelated buyer only, at a price that the market sets (IRC 267, 707).")
    if lot["proceeds"] == 0:
        sentences.append(
            "It is worth nothing: sell it for what can be had; worthless alone it is no loss (CCA 202302011)."
        )
    if gain <= 0:
        sentences.append("Never to a person or an entity that the client controls.")
    return " ".join(sentences)


_TERMS = (
    ("carryforward_value", "{} from the loss carried forward"),
    ("later_tax_cost", "{1} {0} of tax when the units bought back are sold"),
    ("restarted_clock_cost", "{1} {0} for the holding period that starts again"),
    ("trading_cost", "less {} of trading cost"),
)


def explanation(row: Mapping[str, Any]) -> str:
    """The verdict in words: tax and carryovers before and after, and what must happen by when.

    Args:
        row: a summary row with loss_available, the columns `all_*` of selling every loss lot, and `held_back` (text).
    """
    parts = [_VERDICTS[row["verdict"]].format(year=row["tax_year"]), _before_and_after(row), _if_all_were_sold(row)]
    if row["verdict"] in ("harvest", "harvest_gains"):
        parts.append(
            f"To count for {row['tax_year']} an order must be filled, and a swap on a chain be in a block, by the end "
            "of 31 December in the taxpayer's time zone; when the money settles does not matter. Finish by 30 "
            "December, so that every clock agrees."
        )
    if row["held_back"]:
        parts.append(f"Not up for sale: {row['held_back']}.")
    return " ".join(part for part in parts if part)


_VERDICTS = {
    "harvest": "Sell the lots listed, in their order.",
    "harvest_gains": (
        "Sell the lots listed at their gain, and buy them back: the gain costs less now than it would later, for it falls "
        "into the 0 % bracket or uses losses that would otherwise expire unused."
    ),
    "nothing_to_harvest": "No lot that may be sold stands at a loss.",
    "worth_nothing": (
        "Sell nothing: these losses would save no tax in {year} and none in the years looked ahead (gains and income "
        "are in the 0 % bracket, or losses already cover the gains and the yearly limit), while the lower basis and "
        "the trades cost money."
    ),
    "harmful": (
        "Sell nothing: the tax saved is less than the tax that the lower basis brings later and the cost of trading."
    ),
    "no_profile": "No advice: the profile for {year} is missing.",
    "law_year_missing": "No advice: the tax figures of {year} are not in this version's tables.",
    "entity_or_excluded": "No advice: the lots belong to an entity or lie in retirement, health or excluded accounts.",
    "blocked_unknown_basis": "No advice yet: no lot stands at a known loss, and the basis of others is not known.",
    "out_of_range": "No advice: the amounts are beyond what can be right; a person must look.",
}


def _before_and_after(row: Mapping[str, Any]) -> str:
    if row["tax_before"] is None:
        return ""
    carry = [
        f"{term}-term carryover {dollars(row[f'{term}_term_out_before'])} before, {dollars(row[f'{term}_term_out_after'])} after"
        for term in ("short", "long")
    ]
    return (
        f"Federal tax {dollars(row['tax_before'])} before, {dollars(row['tax_after'])} after "
        f"(saved {dollars(row['tax_before'] - row['tax_after'])}){_of_the_state(row)}; {'; '.join(carry)}."
    )


def _of_the_state(row: Mapping[str, Any]) -> str:
    saved = row.get("state_saved")
    return f", and an estimated {dollars(saved)} of the state's tax saved" if saved else ""


def _if_all_were_sold(row: Mapping[str, Any]) -> str:
    if row["all_net_benefit"] is None or row["verdict"] not in ("worth_nothing", "harmful"):
        return ""
    return (
        f"Selling all {dollars(row['loss_available'])} of losses would save {dollars(row['all_tax_saved_now'])} now and "
        f"{dollars(row['all_carryforward_value'])} later, and cost {dollars(row['all_later_tax_cost'])} of later tax"
        f"{_of_the_clock(row)} and {dollars(row['all_trading_cost'])} of trading: {dollars(row['all_net_benefit'])} in all."
    )


def _of_the_clock(row: Mapping[str, Any]) -> str:
    cost = row["all_restarted_clock_cost"]
    return f", {dollars(cost)} for the holding period that starts again" if cost else ""


def dangerous(cell: str) -> bool:
    """Whether a spreadsheet could take a cell for a formula, or a cell hides what it says (control and direction marks)."""
    return cell[:1] in ("=", "+", "-", "@") or not all(character.isprintable() for character in cell)
