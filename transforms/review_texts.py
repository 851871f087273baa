"""The words of review items: what to ask the client, and the row that settles it. The texts are in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter

import polars as pl

from transforms.exact import units_text
from transforms.question_registry import REGISTRY, UNREGISTERED

CELLS = ("item_id", "taxpayer_id", "account_id", "asset", "tax_year", "event_id", "file_id", "date")
"""What a row that settles a question may name: the item's own cells, and the day of its event."""
WORDS = ("what", "asset", "account", "on", "year")
"""What the words for a client may name."""


def with_texts(asked: pl.DataFrame, events: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """`asked` with `audience`, `client_question` and `settled_by`.

    Args:
        asked: schemas.review.ReviewItems.
        events: event_id, tax_date, and asset and quantity of what was sent, received and paid as a fee.
        accounts: account_id, platform.
    """
    facts = events.select("event_id", "tax_date", *_SIDES)
    filled = (
        asked.join(facts, on="event_id", how="left", maintain_order="left")
        .join(accounts.select("account_id", "platform"), on="account_id", how="left", maintain_order="left")
        .with_columns(date=pl.col("tax_date"))
        .with_columns(
            *(word.alias(f"word_{name}") for name, word in _words().items()),
            *(_cell(name).alias(f"cell_{name}") for name in CELLS),
        )
        .with_row_index("place")
    )
    parts = [_texts(rows, str(question)) for (question,), rows in filled.partition_by("question", as_dict=True).items()]
    told = pl.concat([filled.clear().select("place", *asked.columns), *parts]).sort("place")
    return told.select(asked.columns)


def _texts(rows: pl.DataFrame, question: str) -> pl.DataFrame:
    known = REGISTRY.get(question, UNREGISTERED)
    columns = [name for name in rows.columns if not name.startswith(("word_", "cell_"))]
    client = pl.lit(None, pl.String) if known.client is None else _filled(known.client, "word_")
    told = rows.with_columns(
        audience=pl.lit("staff" if known.client is None else "client"),
        client_question=client,
        settled_by=_filled(known.settled_by, "cell_"),
    )
    wanted = [name for name in columns if name not in _HELPERS]
    return told.select(wanted)


_SIDES = tuple(f"{side}_{part}" for side in ("sent", "received", "fee") for part in ("quantity", "asset"))
_HELPERS = ("tax_date", "date", "platform", *_SIDES)


def _filled(template: str, prefix: str) -> pl.Expr:
    """The template with its names filled from columns; what a file says is never read as a template."""
    pieces = []
    for text, name, _, _ in Formatter().parse(template):
        pieces += [pl.lit(text)] if text else []
        pieces += [pl.col(f"{prefix}{name}")] if name else []
    return pl.concat_str(pieces)


def _words() -> Mapping[str, pl.Expr]:
    asset = _plain(pl.col("asset"))
    units = (
        pl.when(pl.col("asset") == pl.col("received_asset"))
        .then("received_quantity")
        .when(pl.col("asset") == pl.col("sent_asset"))
        .then("sent_quantity")
        .when(pl.col("asset") == pl.col("fee_asset"))
        .then("fee_quantity")
    )
    platform = pl.when(pl.col("platform").is_not_null()).then(pl.format(" ({})", _plain(pl.col("platform"))))
    return {
        "what": pl.coalesce(pl.format("{} {}", units_text(units), asset), asset, pl.lit("a coin or token")),
        "asset": asset.fill_null("the coins"),
        "account": pl.coalesce(
            pl.concat_str(pl.lit("your account "), _plain(pl.col("account_id")), platform.fill_null("")),
            pl.lit("one of your accounts"),
        ),
        "on": pl.coalesce(pl.format(" on {}", "tax_date"), pl.lit("")),
        "year": pl.col("tax_year").cast(pl.String).fill_null("the year"),
    }


def _plain(text: pl.Expr) -> pl.Expr:
    """A name as it may stand in a letter: no control characters, no markup, no more than a line."""
    return text.str.replace_all(r"[\p{C}<>]", "").str.slice(0, 64)


def _cell(name: str) -> pl.Expr:
    """A cell of a CSV row, quoted where it must be; a marked blank where the item does not name it."""
    text = pl.col(name).cast(pl.String)
    quoted = pl.concat_str(pl.lit('"'), text.str.replace_all('"', '""', literal=True), pl.lit('"'))
    return pl.when(text.str.contains(r'[",\r\n]')).then(quoted).otherwise(text).fill_null(f"<{name}>")
