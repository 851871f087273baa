"""Ids from content: what they depend on and what they do not."""

from __future__ import annotations

import hashlib

import polars as pl

from transforms.ids import content_id, digest


def ids(**columns: list[str | int | None]) -> list[str]:
    return pl.DataFrame(columns).select(content_id("x-", *columns)).to_series().to_list()


def test_an_id_is_its_prefix_and_sixteen_hex_digits_of_the_sha256_of_the_text():
    # SHA-256("abc") begins ba7816bf 8f01cfea (FIPS 180-4, the standard's own example)
    assert digest("ev-", "abc") == "ev-ba7816bf8f01cfea"
    assert ids(a=["abc"]) == ["x-ba7816bf8f01cfea"]


def test_the_same_content_gives_the_same_id_in_any_row_and_order():
    forward = ids(a=["1", "2", "3"], b=["x", "y", "z"])
    backward = ids(a=["3", "2", "1"], b=["z", "y", "x"])
    assert forward == backward[::-1]
    assert len(set(forward)) == 3


def test_columns_do_not_run_into_each_other():
    assert ids(a=["ab"], b=["c"]) != ids(a=["a"], b=["bc"])


def test_an_empty_cell_differs_from_a_missing_one():
    first, second = ids(a=["k", "k"], b=["", None])
    assert first != second


def test_numbers_count_by_their_text():
    assert ids(a=["7"], b=["1"]) == ids(a=["7"], b=[1])


def test_the_separator_is_the_unit_separator():
    assert ids(a=["p"], b=["q"]) == ["x-" + hashlib.sha256(b"p\x1fq").hexdigest()[:16]]
