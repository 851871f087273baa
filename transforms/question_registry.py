"""Every question that Lotbook asks: who can answer it, in which words, and which row settles it. Nothing is found here."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import NamedTuple


class Question(NamedTuple):
    """What is known of a question before it is asked.

    `severities` it may have. `client`: the words for the client, null for what the firm alone can answer; `{what}`
    (units and asset), `{asset}`, `{account}`, `{on}` (" on 2025-03-01") and `{year}` are filled in, and read well where
    nothing is known. `settled_by`: the file and the row that settles it, or what to do where no row can;
    `{name}` is the item's own cell of that name, blanks for a person are in angle brackets. `figures`: the published
    tables that are not final while it is open.
    """

    severities: tuple[str, ...]
    client: str | None
    settled_by: str
    figures: tuple[str, ...] = ()


def row(file: str, cells: Mapping[str, str]) -> str:
    """The text of a row to paste: the file, its header, the cells (blanks in angle brackets)."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows([cells.keys(), cells.values()])
    return f"{file}\n{lines.getvalue().rstrip()}"


def override(field: str, value: str) -> str:
    """A correction of the item's event."""
    return row(
        "overrides.csv",
        {"event_id": "{event_id}", "field": field, "value": value, "by": "<who>", "at": _NOW, "why": "<why>"},
    )


def stand(topic: str, choices: str) -> str:
    """A stand on unsettled law for the item's client."""
    cells = {"taxpayer_id": "{taxpayer_id}", "from_year": "{tax_year}", "topic": topic, "choice": choices}
    return row("positions.csv", cells | {"by": "<who>", "why": "<why>"})


_NOW = "<date and time with offset: 2026-02-01T09:00:00-05:00>"
_BLOCKING, _WARNING, _INFO = ("blocking",), ("warning",), ("info",)
_BLOCK_WARN, _WARN_INFO = ("blocking", "warning"), ("warning", "info")
_RETURN = ("form_8949", "schedule_d", "return_lines", "carryforwards")
_ALL = ("lots", "gains", "income", *_RETURN, "open_lots", "harvest_summary")
_SOLD = ("gains", *_RETURN, "harvest_summary")
_HELD = ("lots", "open_lots", *_SOLD)
_EARNED = ("income", "lots", "open_lots", *_SOLD)
_TAX = ("schedule_d", "return_lines", "carryforwards", "harvest_summary")
_ADVICE = ("harvest_recommendations", "harvest_summary")
_FORM = ("form_8949", "reconciliation_1099da")
_COMPARED = ("reconciliation_1099da", *_SOLD)
_FILED = ("amendments", "schedule_d", "carryforwards")

_OPENING = row(
    "opening_lots.csv",
    {
        "taxpayer_id": "{taxpayer_id}", "account_id": "{account_id}", "asset": "{asset}",
        "acquired_at": "<acquired: 2020-05-01T12:00:00Z>", "quantity": "<units>", "basis": "<cost with fees in dollars>",
        "origin": "buy", "evidence": "<what proves it>",
    },
)  # fmt: skip
_FORM_1099 = row(
    "forms_1099da.csv",
    {
        "taxpayer_id": "{taxpayer_id}", "tax_year": "{tax_year}", "account_id": "{account_id}", "box_1a": "<code>",
        "box_1b": "<name>", "box_1c": "<units>", "box_1d": "<acquired>", "box_1e": "<sold>", "box_1f": "<proceeds>",
        "box_1g": "<basis>",
    },
)  # fmt: skip
_CUSTODY = "accounts.csv\nin the row of {account_id}: custody = <us_broker, foreign_custodian or self>"
_PROFILE = "profiles.csv\nin the row of the return and {tax_year}: <the cells that the message names>"
_FILE_AGAIN = "intake/{account_id}/\nthe file as downloaded again; take {file_id} out if it is replaced"
_EXPORT = "intake/{account_id}/\n<the export with the whole history of the account>"
_PRICE = row("prices/<any name>.csv", {"date": "{date}", "asset": "{asset}", "usd": "<dollars a unit>"})
_PICK = "lot_picks.csv\nin the row that the message names: <the corrected event_id, lot_id or quantity>"
_INSTRUCTION = "instructions.csv\nin the row that the message names: <the corrected cell>"
_FILED_YEAR = row(
    "filed_years.csv",
    {"return_id": "<return_id>", "tax_year": "{tax_year}", "version": "<1, or the next one>", "filed_at": _NOW},
)
_FILED_LINE = "filed_lines.csv\nin the row that the message names: <the corrected cell>"

_HISTORY = (
    "We have sales or moves of {asset} from {account} but not where all of it came from (first{on}). Please send the "
    "full history of the account from its first day, and of any other account or wallet from which {asset} came into it. "
    "If it was a gift, an inheritance, a payment or a purchase in cash, tell us when, and what it cost or was worth."
)
_WHERE_TO = (
    "{what} left {account}{on}. Where did it go: to another account or wallet of your own (which one? please send its "
    "history), to somebody as a gift or payment, or was it sold?"
)
_WHERE_FROM = (
    "{what} came into {account}{on}. Where did it come from: another account or wallet of your own (which one? please "
    "send its history), a purchase, a payment or reward, a gift or an inheritance?"
)

INTAKE: Mapping[str, Question] = {
    "firm_folder_error": Question(
        _BLOCKING, None, "the file that the message names\nthe row as it should be", _ALL
    ),
    "client_stopped": Question(_BLOCKING, None, "no row: settle the client's other questions first", _ALL),
    "settings_assumed": Question(_INFO, None, 'firm.toml\nname = "<the firm>"\ntime_zone = "<America/New_York>"'),
    "file_without_account": Question(_BLOCKING, None, "no row: move {file_id} into intake/<account_id>/", _ALL),
    "file_not_read": Question(_WARNING, None, "no row: put the file itself into intake/{account_id}/", _ALL),
    "account_without_files": Question(
        _WARN_INFO,
        "We have no records of {account}. Please download its full history, from the first day, and send it to us as it is.",
        _EXPORT,
        _ALL,
    ),
    "duplicate_file": Question(_BLOCKING, None, "no row: take {file_id} out of the folder it does not belong to", _ALL),
    "file_unknown_format": Question(
        _WARNING,
        "We cannot read one of the files you sent for {account}. Please download the full transaction history again (as "
        "CSV, all assets, all years) and send it unopened, or tell us with which program the file was made.",
        _FILE_AGAIN,
        _ALL,
    ),
    "file_unreadable": Question(
        _WARNING,
        "A file you sent for {account} is damaged or empty. Please download it again and send it unopened.",
        _FILE_AGAIN,
        _ALL,
    ),
    "row_rejected": Question(
        _WARNING, None, "intake/{account_id}/<any name>.csv in the universal format\nthe facts of the rows", _ALL
    ),
    "several_platforms_in_one_account": Question(
        _BLOCKING, None, "accounts.csv\na row for each place, and the file divided into their folders", _ALL
    ),
    "chain_unclear": Question(
        _BLOCKING,
        "On which blockchain is {account} (Ethereum, Polygon, Base ...)?",
        "accounts.csv\nin the row of {account_id}: address = <eip155:137:0x...>",
        _ALL,
    ),
    "transaction_in_two_sources": Question(
        _BLOCKING, None, "no row: take one of the two files out of intake/{account_id}/", _ALL
    ),
    "second_report_missing": Question(
        _BLOCKING,
        "One report of {account} has transactions that the other one lacks (first{on}). Please download the full history of "
        "the account once more, without a filter and with all years.",
        _EXPORT,
        _ALL,
    ),
    "second_report_differs": Question(_WARNING, None, override("usd_value", "<value, or another row for the field that differs>"), _ALL),
    "second_report_booked": Question(
        _INFO,
        "Please send the full history of {account} too (the account statement or ledger, all years).",
        _EXPORT,
    ),
    "second_report_lacks": Question(_INFO, None, "no row: nothing is to be done"),
    "token_quarantined": Question(
        _INFO,
        None,
        row("assets.csv", {"asset": "<name>", "chain": "<eip155:1>", "contract": "<0x...>", "symbol": "<ticker>", "class": "token"}),
    ),
    "asset_unknown": Question(
        _WARNING,
        "Which coin or token is {asset} in {account}? Please send its full name, and its contract address if it is a token.",
        row("assets.csv", {"asset": "{asset}", "chain": "<eip155:1>", "contract": "<0x...>", "symbol": "{asset}", "class": "<coin>"}),
        _HELD,
    ),
    "advice_record_unreadable": Question(
        _WARNING, None, "advice_history/\nthe file {file_id} from a backup, or nothing: the next whole record heals it"
    ),
    "digits_rounded": Question(_INFO, None, "no row: nothing is to be done"),
    "balance_break": Question(
        _WARNING,
        "In the records of {account} rows of {asset} are missing, or stand there twice. Please download the whole history of "
        "the account once more, without a filter and with all years.",
        _EXPORT,
        _ALL,
    ),
    "price_row_rejected": Question(_WARNING, None, "prices/{file_id}\nthe row as it should be", ("events", *_ALL)),
    "price_file_unreadable": Question(_WARNING, None, "prices/{file_id}\nthe file in CSV or Parquet", ("events", *_ALL)),
    "copies_differ": Question(_WARNING, None, override("usd_value", "<dollars>"), _ALL),
    "override_without_event": Question(
        _BLOCKING, None, "overrides.csv\nthe row of {event_id}: <corrected, or taken out>", _ALL
    ),
}  # fmt: skip
"""Files, rows, the firm's own tables."""

LEDGER: Mapping[str, Question] = {
    "price_missing": Question(_BLOCKING, None, override("usd_value", "<dollars that it was worth>"), ("events", *_EARNED)),
    "fee_price_missing": Question(_WARNING, None, override("fee_usd_value", "<dollars>"), ("events", *_HELD)),
    "holding_price_missing": Question(_WARNING, None, _PRICE, _ADVICE),
    "kept_apart": Question(
        _BLOCKING,
        "Your records of {account} show a loan, margin or derivatives entry{on} ({what}). Please send the lender's or "
        "exchange's statement of it, and tell us what it was.",
        override("kind", "<the kind, if it is none of these>"),
        ("gains", *_RETURN),
    ),
    "second_fee": Question(_WARNING, None, override("fee_usd_value", "<dollars of both fees>"), _HELD),
    "year_boundary": Question(_INFO, None, "no row: compare with the Form 1099-DA"),
    "ambiguous_transfer": Question(
        _BLOCKING, _WHERE_TO, override("transfer", "<event_id of the other end, or none>"), _HELD
    ),
    "treatment_crossing": Question(
        _BLOCKING,
        "{what} seems to have moved between an ordinary account and a retirement account{on} ({account}). Was this a "
        "distribution, a contribution or a rollover? Please send the custodian's letter.",
        _OPENING,
        _HELD,
    ),
    "transfer_doubtful": Question(_WARNING, _WHERE_TO, override("transfer", "<event_id of the other end, or none>"), _HELD),
    "between_clients": Question(
        _WARNING,
        "{what} passed between you and another person{on}. What was it: a gift, a sale, or a transfer in a divorce?",
        override("kind", "<gift_out, gift_in, sell or buy>"),
        _HELD,
    ),
    "unmatched_deposit": Question(
        _BLOCKING, _WHERE_FROM, override("transfer", "<event_id of the other end>"), ("income", *_HELD)
    ),
    "unmatched_withdrawal": Question(
        _WARNING, _WHERE_TO, override("kind", "<sell, spend, gift_out or donation>"), ("open_lots", *_SOLD)
    ),
    "basis_missing_gift": Question(
        _BLOCKING,
        "You received {what} as a gift or an inheritance{on}. For a gift: when did the donor buy it, at what cost, and what "
        "was it worth on the day of the gift? For an inheritance: on what day did the person die?",
        row(
            "acquisitions.csv",
            {
                "event_id": "{event_id}", "origin": "<gift or inheritance>", "donor_basis": "<dollars>",
                "donor_acquired_at": _NOW, "value_at_transfer": "<dollars>",
            },
        ),
        _HELD,
    ),
    "wrapping_taxable": Question(_INFO, None, stand("wrapping", "<taxable or carry>"), _SOLD),
    "bridging_taxable": Question(_INFO, None, stand("bridging", "<taxable or carry>"), _SOLD),
    "liquid_staking_taxable": Question(_INFO, None, stand("liquid_staking", "<taxable or carry>"), _SOLD),
    "liquidity_pool_taxable": Question(_INFO, None, stand("liquidity_pool", "<taxable or carry>"), _SOLD),
    "stand_not_applied": Question(_BLOCKING, None, override("kind", "<the kind>"), _HELD),
    "collateral_pledged": Question(
        _INFO,
        "{what} of {account} is pledged for a loan and has not come back. Please send the lender's statement: is the loan "
        "still open, was it repaid, or was the collateral sold?",
        override("kind", "<sell, if it was liquidated>"),
    ),
    "collateral_unknown": Question(
        _BLOCKING,
        "{what} came back to {account} as collateral{on}. When and from which account was it pledged? Please send that file.",
        _OPENING,
        _HELD,
    ),
    "record_doubtful": Question(_BLOCKING, None, "acquisitions.csv\na row for each receipt, with its event_id", _HELD),
    "record_without_receipt": Question(
        _WARNING, None, "acquisitions.csv\nthe row of {event_id}: <corrected event_id or tx_id>", _HELD
    ),
    "own_transfer_order": Question(_INFO, None, stand("own_transfer", "<order or fifo>"), _SOLD),
    "transfer_fee_doubtful": Question(_WARNING, None, override("fee_quantity", "<units>"), _HELD),
}  # fmt: skip
"""Prices, kinds, transfers, receipts."""

BOOKS: Mapping[str, Question] = {
    "shortfall": Question(_BLOCKING, _HISTORY, _OPENING, _HELD),
    "basis_unknown": Question(_BLOCKING, _HISTORY, _OPENING, _SOLD),
    "move_without_lots": Question(_BLOCKING, _HISTORY, _OPENING, _HELD),
    "account_overdrawn": Question(_BLOCKING, _HISTORY, _OPENING, _HELD),
    "arrival_without_lots": Question(_BLOCKING, None, "no row: settle what stopped the other owner", _HELD),
    "moves_not_listed": Question(_INFO, None, "no row: nothing is to be done"),
    "universal_unallocated": Question(
        _BLOCKING,
        "On 1 January 2025 every wallet got its own records. Did you, or somebody for you, put down before your first sale "
        "of 2025 (or 1 January 2025) which purchases of {asset} belong to which wallet? Please send that paper.",
        row(
            "allocations_2025.csv",
            {
                "taxpayer_id": "{taxpayer_id}", "asset": "{asset}", "account_id": "<account>",
                "acquired_at": "<acquired: 2020-05-01T12:00:00Z>", "quantity": "<units>", "basis": "<dollars>",
                "kind": "<specific or global>", "rule_recorded_at": _NOW, "completed_at": _NOW,
            },
        ),
        _HELD,
    ),
    "loss_not_booked": Question(
        _WARNING,
        "{what} was lost or stolen{on} ({account}). What happened, on which day did you find out, was it reported to the "
        "police, and can any of it be recovered?",
        override("kind", "<theft, loss, or withdrawal while the units can come back>"),
        _SOLD,
    ),
    "donation": Question(
        _INFO,
        "You donated {what}{on}. Please send the charity's receipt and, above $5,000, the appraisal.",
        _PROFILE,
    ),
    "reported_gain_differs": Question(_WARNING, None, "no row: compare the pieces in gains with the report", _SOLD),
    "reported_sale_not_in_books": Question(
        _WARNING,
        "The gain and loss report of {account} has a sale of {asset}{on} that the transaction history lacks. Please send "
        "the full history of the account, from its first day.",
        _EXPORT,
        _SOLD,
    ),
    "sale_not_in_report": Question(_WARNING, None, "no row: ask whether the report is of the whole account", _SOLD),
    "near_long_term": Question(_INFO, None, "no row: compare with the Form 1099-DA"),
    "broker_and_books_differ": Question(
        _WARNING, None, "lot_orders.csv\nthe order of the account: <as the broker was told>", _SOLD
    ),
    "custody_unknown": Question(
        _WARNING,
        "Who holds the coins of {account}: a company in the United States, a company abroad, or you yourself (you have the "
        "keys)?",
        _CUSTODY,
        _SOLD,
    ),
    "filed_method_missing": Question(
        _WARNING,
        "Please send your tax return of {year} with Form 8949, or tell us which method your earlier preparer or program "
        "used to choose the coins that were sold (for example FIFO or HIFO).",
        row(
            "filed_methods.csv",
            {"taxpayer_id": "{taxpayer_id}", "tax_year": "{tax_year}", "method": "<fifo, lifo, hifo, lofo or taxmin>"},
        ),
        _SOLD,
    ),
    "basis_pool_unknown": Question(
        _WARNING,
        "Before 2025, were your gains worked out over all your wallets together, or wallet by wallet? Your earlier "
        "preparer's worksheets, or the program that you used, will tell.",
        row("basis_pools.csv", {"taxpayer_id": "{taxpayer_id}", "until_2025": "<universal or wallet>"}),
        _HELD,
    ),
    "pick_without_sale": Question(_BLOCKING, None, _PICK, _SOLD),
    "pick_since_2025": Question(_BLOCKING, None, _PICK, _SOLD),
    "pick_exceeds_sale": Question(_BLOCKING, None, _PICK, _SOLD),
    "pick_without_lot": Question(_BLOCKING, None, _PICK, _SOLD),
    "pick_without_units": Question(_BLOCKING, None, _PICK, _SOLD),
    "instruction_without_lot": Question(_WARNING, None, _INSTRUCTION, _SOLD),
    "instruction_without_units": Question(_WARNING, None, _INSTRUCTION, _SOLD),
    "instruction_without_sale": Question(_WARNING, None, _INSTRUCTION, _SOLD),
    "instruction_not_told": Question(
        _WARNING,
        "Before the sale from {account}{on}: did you tell the exchange which coins to sell, and when? Please send its "
        "confirmation.",
        _INSTRUCTION,
        _SOLD,
    ),
    "instruction_before_2025": Question(_WARNING, None, _INSTRUCTION, _SOLD),
    "instruction_and_broker_differ": Question(_WARNING, None, _INSTRUCTION, _SOLD),
    "wash_sale": Question(_INFO, None, "no row: the law takes it"),
    "wash_sale_lost": Question(_WARNING, None, "no row: the law takes it"),
    "wash_sale_window_open": Question(_INFO, None, "no row: no purchase until the day that the message names"),
    "wash_sale_basis_converted": Question(
        _BLOCKING, None, "no row: keep the amount with the client's papers until the new lot is sold", _HELD
    ),
    "wash_sale_bill": Question(_INFO, None, "firm.toml\n[law.wash_sales]\n<the bill and its fate>"),
    "wash_sale_law_by_firm": Question(_INFO, None, "firm.toml\n[law.wash_sales]\n<the bill and its fate>"),
    "related_party_sale": Question(
        ("blocking", "info"),
        "You sold {asset} at a loss{on}, and your spouse bought it on the same day. Was that arranged between you?",
        stand("market_crossing", "<allow or disallow>"),
        _SOLD,
    ),
}  # fmt: skip
"""Lots, basis, methods, losses that are none."""

RETURNS: Mapping[str, Question] = {
    "profile_missing": Question(
        _BLOCKING,
        "Please send what we need for your return of {year}: wages, other income, deductions, and your return of the year "
        "before.",
        row(
            "profiles.csv",
            {"return_id": "<return_id>", "tax_year": "{tax_year}", "filing_status": "<single, mfj, mfs, hoh or qss>",
             "wages": "<dollars>", "deduction": "<standard, or dollars>"},
        ),
        _TAX,
    ),
    "law_year_missing": Question(
        _BLOCKING,
        None,
        row(
            "carry_ins.csv",
            {"taxpayer_id": "{taxpayer_id}", "tax_year": "<the year after {tax_year}>",
             "short_term_carry_in": "<dollars>", "long_term_carry_in": "<dollars>"},
        ),
        _TAX,
    ),
    "amount_out_of_range": Question(_BLOCKING, None, _PROFILE, _TAX),
    "carry_chain_broken": Question(
        _BLOCKING,
        "Please send your tax return of the year before {year}, with Schedule D: we need the capital losses that it carries "
        "forward.",
        row(
            "carry_ins.csv",
            {"taxpayer_id": "{taxpayer_id}", "tax_year": "{tax_year}", "short_term_carry_in": "<dollars>",
             "long_term_carry_in": "<dollars>"},
        ),
        _TAX,
    ),
    "profile_cell_empty": Question(_WARNING, None, _PROFILE, _TAX),
    "carry_in_conflict": Question(
        _WARNING, "Please send your tax return of the year before {year}, with Schedule D.", _PROFILE, _TAX
    ),
    "income_stand_assumed": Question(_INFO, None, stand("<kind>_nii, or <kind>_business", "<yes or no>"), _TAX),
    "business_receipts": Question(_WARNING, None, _PROFILE, _TAX),
    "wages_not_in_profile": Question(
        _BLOCKING, "Please send your Form W-2 of {year}: you were paid in coins, and we need to see them in box 1.",
        _PROFILE, _TAX,
    ),
    "state_unknown": Question(
        _INFO, "In which state did you live in {year}, and from which day?",
        row("residency.csv", {"taxpayer_id": "{taxpayer_id}", "from": "<2020-01-01>", "state": "<NY>",
                              "time_zone": "<America/New_York>"}),
        ("schedule_d",),
    ),
    "state_not_covered": Question(_INFO, None, "no row: estimate it by hand"),
    "state_part_year": Question(_WARNING, None, "no row: work out the state returns by hand", ("schedule_d",)),
    "state_provisional": Question(_INFO, None, "no row: compare with the state's tables"),
}  # fmt: skip
"""Profiles, carryovers, income, states."""

_BROKER_FORM = "Please send Form 1099-DA of {year} for {account}, all pages."

FORMS: Mapping[str, Question] = {
    "form_1099_missing_ours": Question(
        _BLOCKING,
        "The form of {account} for {year} shows a sale of {asset} that your records do not have. Please send the full "
        "history of the account, or tell us what it was.",
        _EXPORT,
        _COMPARED,
    ),
    "form_1099_units_differ": Question(_BLOCKING, None, _EXPORT, _COMPARED),
    "form_1099_missing_broker": Question(_WARNING, _BROKER_FORM, _FORM_1099, _FORM),
    "form_1099_other_year": Question(_WARNING, None, "no row: explain it on the return of the form's year", _FORM),
    "form_1099_basis_unknown": Question(_WARNING, None, _OPENING, _COMPARED),
    "form_1099_basis_differs": Question(_WARNING, None, "no row: keep the record of the lots identified", _FORM),
    "form_1099_term_differs": Question(_WARNING, None, "no row: keep the record of the date acquired", _FORM),
    "form_1099_higher": Question(_BLOCKING, None, override("fee_usd_value", "<dollars of selling costs>"), _COMPARED),
    "form_1099_costs": Question(_INFO, None, "no row: nothing is to be done"),
    "form_1099_lower": Question(_WARNING, None, override("usd_value", "<dollars>"), _COMPARED),
    "form_1099_not_there": Question(_INFO, _BROKER_FORM, _FORM_1099, _FORM),
}  # fmt: skip
"""Brokers' forms."""

FILINGS: Mapping[str, Question] = {
    "filed_before_year_end": Question(_BLOCKING, None, _FILED_YEAR, _FILED),
    "filed_lines_without_year": Question(_BLOCKING, None, _FILED_YEAR, _FILED),
    "filed_lots_without_year": Question(_BLOCKING, None, _FILED_YEAR, _FILED),
    "filed_gap": Question(_WARNING, "Please send your tax return of {year} as it was filed.", _FILED_YEAR, _FILED),
    "filed_line_unknown": Question(_WARNING, None, _FILED_LINE, ("amendments",)),
    "filed_line_twice": Question(_WARNING, None, _FILED_LINE, ("amendments",)),
    "filed_line_sign": Question(_BLOCKING, None, _FILED_LINE, _FILED),
    "filed_carryover_not_stated": Question(
        _WARNING,
        "Please send the Capital Loss Carryover Worksheet of your return of {year}, or its Schedule D.",
        row(
            "filed_lines.csv",
            {"return_id": "<return_id>", "tax_year": "{tax_year}", "version": "<1>",
             "form": "Capital Loss Carryover Worksheet", "line": "<8 (short-term) or 13 (long-term)>",
             "amount": "<dollars>"},
        ),
        _FILED,
    ),
    "filed_not_recomputed": Question(_WARNING, None, _PROFILE, ("amendments",)),
    "filed_year_differs": Question(_WARNING, None, _FILED_YEAR, ("amendments",)),
    "filed_units_differ": Question(_BLOCKING, None, "filed_lots.csv\nthe lots of {account_id} and {asset} as filed", _FILED),
    "filed_record_unreadable": Question(_BLOCKING, None, "no row: put {file_id} back from a backup", _FILED),
    "filed_record_not_written": Question(_BLOCKING, None, "no row: let the night write into filed/", _FILED),
}  # fmt: skip
"""What was filed."""

ANSWERS: Mapping[str, Question] = {
    "answer_not_applied": Question(_WARNING, None, "review_answers.csv\nthe row that the message names: <corrected>"),
    "answer_without_item": Question(
        _INFO, None, "review_answers.csv\nthe row of {file_id}: <corrected item_id, or out>"
    ),
}
"""The firm's own answers."""

REGISTRY: Mapping[str, Question] = {**INTAKE, **LEDGER, **BOOKS, **RETURNS, **FORMS, **FILINGS, **ANSWERS}
"""Question code -> what is known of it. A new question takes one entry, in the group of its stage."""

UNREGISTERED = Question(("blocking", "warning", "info"), None, "no row: see the suggested action", _ALL)
"""What a code without an entry is taken as: a night does not die of it, a test does."""
