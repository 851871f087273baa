"""Ids from content: the same fact gets the same id whatever its file, row or parse order. No random or counted id."""

from __future__ import annotations

import hashlib

import polars as pl

_SEPARATOR = "\x1f"
_NULL = "\x00"


def content_id(prefix: str, *columns: str) -> pl.Expr:
    """`prefix` and 16 hex digits of the SHA-256 of the named text columns (nulls kept apart from empty text)."""
    joined = pl.concat_str([pl.col(name).cast(pl.String).fill_null(_NULL) for name in columns], separator=_SEPARATOR)
    return joined.map_elements(lambda text: digest(prefix, text), return_dtype=pl.String)


def digest(prefix: str, text: str) -> str:
    """The id of one text."""
    return prefix + hashlib.sha256(text.encode()).hexdigest()[:16]
