"""The autumn report of a client as a static page: words and tables around what is computed. No figure is made here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from html import escape
from typing import Any

import polars as pl

from transforms.advice_texts import dollars, units
from transforms.ids import digest
from transforms.text import sanitised

INDEX = "index.html"
_LONGEST = 120
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}th,td{border:1px solid #bbb;padding:.3em .6em;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere}td.n{text-align:right;white-space:nowrap}.note{color:#666}"
)


def file_name(return_id: str) -> str:
    """The name of a return's report: readable, and never anything but a plain name whatever the return is called."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", return_id)[:40].strip("_") or "return"
    return f"{plain}-{digest('', return_id)}.html"


def pages(
    call_list: pl.DataFrame,
    summary: pl.DataFrame,
    recommendations: pl.DataFrame,
    moves: pl.DataFrame,
    review_items: pl.DataFrame,
    members: pl.DataFrame,
    firm: str,
    as_of: date,
) -> dict[str, str]:
    """File name to page: a report for each return of the list, and the list itself (`INDEX`).

    Args:
        call_list: the table `call_list`.
        summary: the table `harvest_summary`.
        recommendations: the table `harvest_recommendations`.
        moves: the table `price_moves`.
        review_items: the table `review_items`.
        members: return_id, tax_year, taxpayer_id, role.
        firm: the firm's name.
        as_of: tonight.
    """
    people = members.filter(tax_year=as_of.year).select("return_id", "taxpayer_id").unique()
    asked = people.join(
        review_items.filter((pl.col("state") == "open") & (pl.col("severity") == "blocking")), on="taxpayer_id"
    )
    best = recommendations.filter(scenario="best").sort("return_id", "rank")
    parts = {name: _by_return(frame) for name, frame in (("lots", best), ("moves", moves), ("asked", asked))}
    sums = {row["return_id"]: row for row in summary.filter(scenario="best").iter_rows(named=True)}
    rows = call_list.to_dicts()
    made = {
        file_name(row["return_id"]): _report(row, sums[row["return_id"]], *(part.get(row["return_id"], []) for part in parts.values()), firm=firm)
        for row in rows
        if row["return_id"] in sums
    }  # fmt: skip
    return {**made, INDEX: _index(rows, firm, as_of)}


def _by_return(frame: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    parts = frame.partition_by("return_id", as_dict=True, maintain_order=True)
    return {str(key[0]): part.to_dicts() for key, part in parts.items()}


def _report(
    call: Mapping[str, Any],
    plan: Mapping[str, Any],
    lots: Sequence[Mapping[str, Any]],
    moves: Sequence[Mapping[str, Any]],
    asked: Sequence[Mapping[str, Any]],
    *,
    firm: str,
) -> str:
    year = call["tax_year"]
    body = [
        f"<h1>{_text(call['return_id'])}: what can still be saved in {year}</h1>",
        (
            f'<p class="note">{_text(firm)}, as of {call["as_of"]}. Preliminary: a computation for a preparer to check, not '
            "legal or tax advice.</p>"
        ),
        f"<p><strong>{_text(call['why'])}</strong></p><p>{_text(plan['explanation'], 4000)}</p>",
        _figures(plan, call),
        *_lots(lots),
        (
            f"<h2>By when</h2><p>Orders must be filled by {_moment(call['deadline'])} UTC, the end of 31 December in the "
            "taxpayer's time zone; finish by 30 December, so that every clock agrees.</p>"
        ),
        *_asked(asked),
        *_moves(moves),
        (
            "<h2>What would change it</h2><p>Prices; sales and purchases of this year that are not on file yet; other "
            "income, gains and deductions than the profile states; the answers to open questions; units bought back within "
            "the waiting time; a change of the law. The night computes it anew and tells what changed.</p>"
        ),
    ]
    return _page(f"{call['return_id']} {year}", body)


def _figures(plan: Mapping[str, Any], call: Mapping[str, Any]) -> str:
    names = {
        "tax_before": "Federal tax without a sale",
        "tax_after": "Federal tax with the plan",
        "state_saved": "State tax saved this year (estimate)",
        "tax_saved_now": "Tax saved this year",
        "carryforward_value": "Worth of the loss carried forward",
        "later_tax_cost": "Later tax on the lower basis",
        "restarted_clock_cost": "Cost of the new holding period",
        "trading_cost": "Cost of trading",
        "net_benefit": "Net benefit",
    }
    cells = [(label, _money(plan.get(name))) for name, label in names.items()]
    cells += [
        ("Covered by recorded instructions", _money(call["covered"])),
        ("Still to be saved", _money(call["to_save"])),
    ]
    return _table(("", "dollars"), cells, numbers=(1,))


def _lots(lots: Sequence[Mapping[str, Any]]) -> list[str]:
    if not lots:
        return []
    head = ("rank", "sell", "account", "lot", "gain or loss", "net benefit", "confidence")
    rows = [
        (
            str(lot["rank"]), f"{units(lot['quantity'])} {_name(lot['asset'])}", _name(lot["account_id"]),
            f"{_name(lot['lot_id'])} ({lot['term']}-term)", _money(lot["unrealized_gain"]), _money(lot["net_benefit"]),
            lot["confidence"],
        )
        for lot in lots
    ]  # fmt: skip
    steps = [
        f"<li>{_text(lot['reason'], 1000)}<br>{_text(lot['lot_identification'], 1000)}<br>"
        f"{_text(lot['record_before'], 1000)}<br>Buying back: {_text(lot['rebuy_not_before'], 1000)}</li>"
        for lot in lots
    ]
    how = "<p>Record each sale in instructions.csv before the order is placed (instructions_to_record.csv has the rows).</p>"
    return ["<h2>The lots</h2>", _table(head, rows, numbers=(4, 5)), "<h2>How</h2>", how, "<ol>", *steps, "</ol>"]


def _asked(asked: Sequence[Mapping[str, Any]]) -> list[str]:
    if not asked:
        return ["<h2>Open questions</h2><p>None that blocks.</p>"]
    rows = [
        (_text(item["message"], 600), _text(item["suggested_action"], 600), _money(item["dollars_at_stake"]))
        for item in asked
    ]
    return [
        "<h2>Open questions that block</h2>",
        _table(("question", "what to do", "at stake"), rows, numbers=(2,), raw=True),
    ]


def _moves(moves: Sequence[Mapping[str, Any]]) -> list[str]:
    if not moves:
        return []
    rows = [
        (f"{move['move_percent']:+d} %", _money(move["net_benefit"]), _money(move["cost_of_waiting"]))
        for move in sorted(moves, key=lambda move: move["move_percent"])
    ]
    head = ("prices by then", "net benefit then", "cost of waiting")
    return ["<h2>Waiting to the end of the year</h2>", _table(head, rows, numbers=(1, 2))]


def _index(rows: Sequence[Mapping[str, Any]], firm: str, as_of: date) -> str:
    cells = [
        (
            str(row["rank"]), f'<a href="{file_name(row["return_id"])}">{_text(row["return_id"])}</a>',
            _money(row["to_save"]), _money(row["blocked"]), _text(row["why"], 400),
        )
        for row in rows
    ]  # fmt: skip
    table = _table(("", "return", "to be saved", "blocked", "why"), cells, numbers=(2, 3), raw=True)
    return _page(f"Whom to call, {as_of}", [f"<h1>{_text(firm)}: whom to call, as of {as_of}</h1>", table])


def _page(title: str, body: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int], *, raw: bool = False) -> str:
    """A table; cells are texts, or (raw) already marked up."""
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = [
        "<tr>" + "".join(
            f"<td{' class=n' if n in numbers else ''}>{cell if raw else escape(cell)}</td>" for n, cell in enumerate(row)
        ) + "</tr>"
        for row in rows
    ]  # fmt: skip
    return f"<table><tr>{titles}</tr>\n" + "\n".join(lines) + "</table>"


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else dollars(Decimal(amount))


def _moment(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _name(text: str) -> str:
    """A name from a file: no control or direction marks, cut."""
    return sanitised(text, _LONGEST)


def _text(text: str, length: int = _LONGEST) -> str:
    return escape(sanitised(text, length))
