"""Schedule D and the Capital Loss Carryover Worksheet on worked examples; dollars in, dollars out."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.transforms.law.scalar_worksheet import carryover_statute
from transforms.law.worksheets import capital_loss_carryover, schedule_d


def array(dollars):
    return np.array([dollars * 100])


def netted(short=0, long=0, short_in=0, long_in=0, collectibles=0, section_1250=0, limit=3000):
    amounts = (short, long, short_in, long_in, collectibles, section_1250, limit)
    return {name: line.item() / 100 for name, line in schedule_d(*map(array, amounts))._asdict().items()}


def carried(line_1, short, long, limit=3000):
    lines = schedule_d(*map(array, (short, long, 0, 0, 0, 0, limit)))
    worksheet = capital_loss_carryover(array(line_1), lines.line_7, lines.line_15, lines.line_21)
    return tuple(getattr(worksheet, f"line_{number}").item() / 100 for number in (4, 8, 13))


def test_carryovers_enter_lines_6_and_14_as_losses():
    lines = netted(short=1_000, long=8_000, short_in=2_500, long_in=500)
    assert (lines["line_6"], lines["line_7"]) == (-2_500, -1_500)
    assert (lines["line_14"], lines["line_15"]) == (-500, 7_500)
    assert (lines["line_16"], lines["line_21"]) == (6_000, 6_000)


@pytest.mark.parametrize(("limit", "allowed"), [(3_000, -3_000), (1_500, -1_500)])
def test_line_21_is_limited(limit, allowed):
    """IRC 1211(b): 3,000, or 1,500 on a separate return."""
    assert netted(short=-20_000, limit=limit)["line_21"] == allowed


def test_a_loss_below_the_limit_is_allowed_whole():
    assert netted(long=-2_000)["line_21"] == -2_000


def test_long_carryover_and_net_short_loss_reduce_the_28_percent_group_first():
    """28% Rate Gain Worksheet: 10,000 - 2,000 - 3,000 = 5,000."""
    lines = netted(short=-3_000, long=20_000, long_in=2_000, collectibles=10_000)
    assert lines["line_18"] == 5_000


def test_what_the_28_percent_group_cannot_take_reduces_the_25_percent_group():
    """Unrecaptured Section 1250 Gain Worksheet, lines 14-18: 6,000 - (5,000 - 1,000) = 2,000."""
    lines = netted(short=-5_000, long=20_000, collectibles=1_000, section_1250=6_000)
    assert (lines["line_18"], lines["line_19"]) == (0, 2_000)


def test_lines_18_and_19_need_gains_on_lines_15_and_16():
    lines = netted(short=-50_000, long=20_000, collectibles=60_000, section_1250=1_000)  # other long-term losses
    assert (lines["line_18"], lines["line_19"]) == (0, 0)


@pytest.mark.parametrize(
    ("line_1", "short", "long", "expected"),
    [
        (127_800, -5_000, -7_000, (3_000, 2_000, 7_000)),  # 2024 joint, wages 160,000: 160,000 - 3,000 - 29,200
        (127_800, -1_000, -7_000, (3_000, 0, 5_000)),  # what short-term leaves of the 3,000 uses long-term
        (-2_000, -10_000, 0, (1_000, 9_000, 0)),  # 2024 single, 15,600: line 15 would be -2,000
        (-12_600, -10_000, 0, (0, 10_000, 0)),  # 2024 single, 5,000: 5,000 - 3,000 - 14,600
        (-6_600, 0, -2_000, (0, 0, 2_000)),  # 2024 single, 10,000: 10,000 - 2,000 - 14,600; all 2,000 carries
        (1_650, -8_000, 0, (3_000, 5_000, 0)),  # 2017 single, 11,000: line 41 = 11,000 - 3,000 - 6,350
    ],
)
def test_carryover_worksheet(line_1, short, long, expected):
    """Lines 4, 8 and 13 (Instructions Schedule D; IRC 1212(b)(2): what income cannot use is not used up)."""
    assert carried(line_1, short, long) == expected


def test_no_net_loss_carries_nothing():
    assert carried(50_000, -4_000, 10_000) == (0, 0, 0)
    assert carried(50_000, 10_000, -4_000) == (0, 0, 0)


def test_a_loss_of_one_character_against_a_gain_of_the_other():
    """Short -20,000, long +6,000: 14,000 net, 3,000 used, 11,000 short-term goes on; and the mirror image."""
    assert carried(50_000, -20_000, 6_000) == (3_000, 11_000, 0)
    assert carried(50_000, 6_000, -20_000) == (3_000, 0, 11_000)


def test_worksheet_and_statute_agree_on_every_corner():
    """Instructions Schedule D against the words of IRC 1212(b), around every kink."""
    corners = (-9_000, -3_500, -3_000, -2_999, -1_500, -1, 0, 1, 1_500, 3_000, 3_001, 9_000)
    for line_1 in corners:
        for short in corners:
            for long in corners:
                for limit in (1_500, 3_000):
                    statute = carryover_statute(Fraction(line_1), Fraction(short), Fraction(long), limit)
                    assert carried(line_1, short, long, limit)[1:] == statute


def test_losses_are_used_or_carried_never_lost():
    """Line 16 = used + carried, for every corner with a net loss (to the cent)."""
    for line_1 in (-5_000, -1_000, 0, 2_000):
        for short, long in ((-10_000, 0), (-4_000, -4_000), (5_000, -9_000), (-9_000, 5_000)):
            assert sum(carried(line_1, short, long)) == -(short + long)
