"""Exact numbers: mantissas, rounding, decimal text, and a pin on every silent trap of the libraries we stand on."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fields import CENTS, MONEY, QUANTITY, QUANTITY_LIMIT
from transforms.exact import (
    decimal_text,
    digits_past_18,
    divide_half_up,
    from_ints,
    share,
    to_cents,
    to_ints,
    to_money,
)

D = Decimal


def one(expr: pl.Expr, value: object, dtype: pl.DataType) -> object:
    return pl.DataFrame({"x": [value]}, schema={"x": dtype}).select(expr).item()


# --- mantissas


@given(st.lists(st.one_of(st.none(), st.integers(-(10**33), 10**33)), max_size=5))
def test_quantities_go_to_integers_and_back(units):
    series = from_ints("q", units, QUANTITY)
    assert series.dtype == QUANTITY
    assert to_ints(series) == units


def test_one_wei_and_one_cent():
    assert from_ints("q", [1], QUANTITY).item() == D("0.000000000000000001")
    assert from_ints("m", [-1], MONEY).item() == D("-0.000001")
    assert from_ints("c", [199], CENTS).item() == D("1.99")


def test_a_mantissa_that_does_not_fit_is_an_error_not_a_wrapped_number():
    with pytest.raises((pl.exceptions.PolarsError, OverflowError)):
        from_ints("m", [10**18], MONEY)  # DECIMAL(18, 6) ends at 10^12 dollars
    with pytest.raises((pl.exceptions.PolarsError, OverflowError)):
        from_ints("q", [2**256 - 1], QUANTITY)  # "max uint" of an approval


# --- rounding


@pytest.mark.parametrize(
    ("n", "d", "q"), [(5, 10, 1), (-5, 10, -1), (15, 10, 2), (25, 10, 3), (4, 10, 0), (-14, 10, -1), (7, 7, 1)]
)
def test_halves_go_away_from_zero(n, d, q):
    assert divide_half_up(n, d) == q


def test_a_hundred_dollars_over_three_thirds_lose_no_cent():
    # 10,000 cents by thirds: 3,333 then 6,667 then 10,000, so pieces of 3,333, 3,334, 3,333
    marks = [share(10_000, part, 3) for part in range(4)]
    assert marks == [0, 3333, 6667, 10_000]


@given(st.integers(-(10**15), 10**15), st.lists(st.integers(1, 10**24), min_size=1, max_size=8))
def test_pieces_sum_to_the_whole(total, parts):
    whole, done, pieces = sum(parts), 0, []
    for part in parts:
        pieces.append(share(total, done + part, whole) - share(total, done, whole))
        done += part
    assert sum(pieces) == total
    assert all(abs(piece * whole - total * part) <= whole for piece, part in zip(pieces, parts, strict=True))


@pytest.mark.parametrize(
    ("money", "cents"),
    [
        ("0.125", "0.13"),
        ("-0.125", "-0.13"),
        ("0.115", "0.12"),
        ("0.124999", "0.12"),
        ("0.005", "0.01"),
        ("2.50", "2.50"),
    ],
)
def test_fifty_cents_and_over_round_up(money, cents):
    # Instructions Form 8949, rounding; polars alone would make 0.12 of 0.125
    assert one(to_cents(pl.col("x")), D(money), MONEY) == D(cents)


def test_money_rounds_at_the_sixth_place():
    assert one(to_money(pl.col("x")), D("0.0000005"), QUANTITY) == D("0.000001")
    assert one(to_money(pl.col("x")), D("-0.0000015"), QUANTITY) == D("-0.000002")
    assert one(to_money(pl.col("x")), D("0.000000499999999999"), QUANTITY) == D("0")


# --- decimal text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"), (" -5 ", "-5"), ("+3", "3"), (".5", "0.5"), ("5.", "5"), ("1e-18", "0.000000000000000001"),
        ("1E3", "1000"), ("6.0E-7", "0.0000006"), ("0E-18", "0"), ("0.1000000000000000000000", "0.1"),
        ("0.0000000000000000005", "0.000000000000000001"), ("-0.0000000000000000005", "-0.000000000000000001"),
        ("0.0000000000000000004", "0"), ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),
    ],
)  # fmt: skip
def test_text_that_is_a_number(text, value):
    assert one(decimal_text(pl.col("x")), text, pl.String) == D(value)


@pytest.mark.parametrize(
    "text", ["", "abc", "1,000", "$5", "NaN", "inf", "1e", "--1", "1 2", "0x10", "1e999999999", "٣", None]
)
def test_text_that_is_no_number_is_null(text):
    assert one(decimal_text(pl.col("x")), text, pl.String) is None


@pytest.mark.parametrize(
    ("text", "past"),
    [("0.0000000000000000001", True), ("0.1234567890123456780", False), ("1e-19", True), ("10e-19", False),
     ("1.5e-18", True), ("5", False), ("0.000000000000000001", False)],
)  # fmt: skip
def test_digits_past_the_eighteenth_are_told(text, past):
    assert one(digits_past_18(pl.col("x")), text, pl.String) is past


# --- the silent traps of polars: each line is why a helper above exists, or a guard elsewhere


def test_trap_polars_rounds_halves_to_even_by_default():
    assert one(pl.col("x").round(2), D("0.125"), MONEY) == D("0.12")
    assert one(pl.col("x").cast(CENTS), D("0.125"), MONEY) == D("0.12")


def test_trap_a_product_of_decimals_rounds_half_to_even_at_the_eighteenth_place():
    assert one(pl.col("x") * D("0.5"), D("0.000000000000000003"), QUANTITY) == D("0.000000000000000002")
    assert one(pl.col("x") * D("0.5"), D("0.000000000000000005"), QUANTITY) == D("0.000000000000000002")


def test_trap_a_float_literal_turns_a_decimal_into_a_float_and_an_exact_one_does_not():
    frame = pl.DataFrame({"x": [D("0.1")]}, schema={"x": QUANTITY})
    assert frame.select(pl.col("x") * 0.5).schema["x"] == pl.Float64
    assert frame.select(pl.col("x") * D("0.5")).schema["x"] == QUANTITY
    assert frame.select(pl.col("x") * 2).schema["x"] == QUANTITY


def test_trap_the_mean_of_decimals_is_no_decimal_sum_over_count():
    thirds = pl.DataFrame({"x": [D("0.1"), D("0.1"), D("0.1")]}, schema={"x": QUANTITY})
    assert thirds.select(pl.col("x").mean()).schema["x"] == pl.Float64


def test_trap_a_grouped_sum_past_the_limit_wraps_in_silence():
    # 2 x 10^20 units at 18 decimals pass 2^127; a plain sum raises, a sum by group turns negative
    frame = pl.DataFrame({"g": [1, 1], "x": [D(10) ** 20 - 1] * 2}, schema={"g": pl.Int64, "x": QUANTITY})
    assert frame.group_by("g").agg(pl.col("x").sum())["x"].item() < 0
    with pytest.raises(pl.exceptions.PolarsError):
        frame.select(pl.col("x").cum_sum())


def test_within_the_limit_a_hundred_thousand_rows_cannot_wrap():
    largest = D(QUANTITY_LIMIT) - D("0.000000000000000001")
    frame = pl.DataFrame({"g": 1, "x": pl.Series([largest] * 100_000, dtype=QUANTITY)})
    assert frame.group_by("g").agg(pl.col("x").sum())["x"].item() == largest * 100_000


def test_trap_integers_wrap_in_silence():
    assert one(pl.col("x") + 1, 2**63 - 1, pl.Int64) == -(2**63)


def test_trap_inferring_types_of_csv_goes_through_floats_and_naming_the_type_does_not():
    text = b"x\n0.100000000000000001\n"
    assert pl.read_csv(text)["x"].dtype == pl.Float64
    assert pl.read_csv(text, schema={"x": QUANTITY})["x"].item() == D("0.100000000000000001")


def test_trap_multiply_before_dividing():
    hundred, three = D(100), D(3)
    frame = pl.DataFrame({"c": [hundred], "q": [D(3)], "t": [three]}, schema=dict.fromkeys("cqt", QUANTITY))
    first, second = frame.select(
        a=pl.col("c") * (pl.col("q") / pl.col("t")), b=pl.col("c") * pl.col("q") / pl.col("t")
    ).row(0)
    assert (first, second) == (hundred, hundred)
    third = pl.DataFrame({"c": [hundred], "q": [D(1)], "t": [three]}, schema=dict.fromkeys("cqt", QUANTITY))
    divided, multiplied = third.select(
        a=pl.col("c") * (pl.col("q") / pl.col("t")), b=pl.col("c") * pl.col("q") / pl.col("t")
    ).row(0)
    assert divided == D("33.3333333333333333")  # the rounding of 1/3 a hundredfold
    assert multiplied == D("33.333333333333333333")
