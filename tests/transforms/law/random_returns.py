"""Random returns over every kink of the tax, and the comparison of the kernel with the scalar worksheet on them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from schemas.fields import STATUSES
from tests.transforms.law.scalar_worksheet import Case, compute
from transforms.law.lines import return_ready
from transforms.law.tax import STANDARD, Returns, assess

COUNTS = ("aged", "exemptions")


def random_rows(year, count):
    """Returns spread over every kink: mostly ordinary sizes, some near zero, some rich."""
    rng = np.random.default_rng(year)

    def amount(scale, low=0.0, often=0.6):
        sizes = rng.choice([0.03, 0.3, 1, 4], count) * scale
        drawn = (rng.uniform(low, 1, count) * sizes * 100).astype(np.int64)
        return np.where(rng.random(count) < often, drawn, 0)

    ordinary = amount(250_000, often=0.9)
    long_term = amount(300_000, -0.6, 0.8)
    gain_28 = np.where(rng.random(count) < 0.3, (long_term * rng.uniform(-0.5, 2, count)).astype(np.int64), 0)
    section_1250 = np.where(rng.random(count) < 0.2, np.abs(long_term) // rng.integers(1, 5, count), 0)
    return Returns(
        tax_year=np.full(count, year),
        status=rng.integers(0, 5, count),
        ordinary=ordinary,
        nii=np.minimum(ordinary, amount(60_000)),
        qualified_dividends=amount(40_000, often=0.4),
        short_term=amount(150_000, -0.8, 0.8),
        long_term=long_term,
        gain_28=gain_28,
        unrecaptured_1250=section_1250,
        short_term_carry_in=amount(30_000, often=0.3),
        long_term_carry_in=amount(30_000, often=0.3),
        adjustments=amount(8_000, often=0.3),
        deduction=np.where(rng.random(count) < 0.3, amount(40_000, often=0.9), STANDARD),
        aged=rng.integers(0, 3, count),
        exemptions=rng.integers(1, 6, count),
        social_security=amount(40_000, often=0.4),
    )


NAMES = list(Returns._fields)
COMPARED = (
    "line_7", "line_15", "line_16", "line_21", "exemption_deduction", "taxable_income_signed", "regular_tax", "amt",
    "niit", "deduction_used", "short_term_out", "long_term_out",
)  # fmt: skip


BY_TABLE = ("regular_tax_table", "amt_table")


def scalar_case(given, row):
    cell = {name: int(getattr(given, name)[row]) for name in NAMES}
    dollars = {name: Fraction(cell[name], 100) for name in NAMES if name not in ("tax_year", "status", *COUNTS)}
    dollars["deduction"] = None if cell["deduction"] == STANDARD else dollars["deduction"]
    counts = {name: cell[name] for name in ("tax_year", *COUNTS)}
    return Case(**(dollars | counts | {"status": STATUSES[cell["status"]]}))


def differing(given):
    """The cases on which kernel and scalar worksheet differ by a cent or more."""
    assessment = assess(given)
    ready = return_ready(given, assessment)
    lines = [getattr(assessment, name).tolist() for name in COMPARED]
    lines += [getattr(ready, name).tolist() for name in BY_TABLE]
    wrong = []
    for row, found in enumerate(zip(*lines, strict=True)):
        case = scalar_case(given, row)
        expected = compute(case)
        if found != tuple(getattr(expected, name) * 100 for name in (*COMPARED, *BY_TABLE)):
            wrong.append(case)
    return wrong
