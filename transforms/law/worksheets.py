"""Schedule D and the Capital Loss Carryover Worksheet, line by line as the forms number them. No tax belongs here."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from transforms.law.parameters import Ints
from transforms.law.readings import either, where


class ScheduleDLines(NamedTuple):
    """Lines of Schedule D in cents.

    Lines 6 and 14 are the carryovers, negative as on the form. `line_21` is the amount that goes on to Form 1040: the
    allowed loss (negative), or line 16 where that is a gain. Lines 18 and 19 are zero unless 15 and 16 are both gains.
    """

    line_6: Ints
    line_7: Ints
    line_14: Ints
    line_15: Ints
    line_16: Ints
    line_18: Ints
    line_19: Ints
    line_21: Ints


class CarryoverLines(NamedTuple):
    """Lines of the Capital Loss Carryover Worksheet in cents: 4 is used up, 8 and 13 are carried over."""

    line_1: Ints
    line_2: Ints
    line_3: Ints
    line_4: Ints
    line_5: Ints
    line_6: Ints
    line_7: Ints
    line_8: Ints
    line_9: Ints
    line_10: Ints
    line_11: Ints
    line_12: Ints
    line_13: Ints


@either
def schedule_d(
    short_term: Ints,
    long_term: Ints,
    short_term_carry_in: Ints,
    long_term_carry_in: Ints,
    gain_28: Ints,
    unrecaptured_1250: Ints,
    capital_loss_limit: Ints,
) -> ScheduleDLines:
    """Schedule D of the year's net results; all in cents.

    `short_term` and `long_term` are before carryovers, which come as positive losses; `gain_28` (net collectibles, a
    loss negative) and `unrecaptured_1250` are parts of `long_term`. The long-term carryover and a net short-term loss
    reduce the 28 percent group first (28% Rate Gain Worksheet, lines 5 and 6; Notice 97-59), then the 25 percent group
    (Unrecaptured Section 1250 Gain Worksheet, lines 14-18). Line 21: IRC 1211(b).
    """
    line_6, line_14 = -short_term_carry_in, -long_term_carry_in
    line_7, line_15 = short_term + line_6, long_term + line_14
    line_16 = line_7 + line_15
    losses = line_14 + np.minimum(line_7, 0)
    line_18 = np.maximum(0, gain_28 + losses)
    line_19 = np.maximum(0, unrecaptured_1250 + np.minimum(0, gain_28 + losses))
    both_gains = (line_15 > 0) & (line_16 > 0)
    return ScheduleDLines(
        line_6=line_6,
        line_7=line_7,
        line_14=line_14,
        line_15=line_15,
        line_16=line_16,
        line_18=where(both_gains, line_18, 0),
        line_19=where(both_gains, line_19, 0),
        line_21=np.maximum(line_16, -capital_loss_limit),
    )


@either
def capital_loss_carryover(adjusted_line_15: Ints, line_7: Ints, line_15: Ints, line_21: Ints) -> CarryoverLines:
    """The worksheet for lines 6 and 14 of next year's Schedule D (Instructions Schedule D; IRC 1212(b)); in cents.

    `adjusted_line_15` is Form 1040 line 15 of the loss year, negative where the deductions exceed the income, with what
    section 151 allows added back (1212(b)(2)(B)(ii); before 2018 that is Form 1040 line 41). Lines 7, 15 and 21 are of
    Schedule D. A year without a net loss gives zero on lines 4, 8 and 13.
    """
    line_2 = np.maximum(0, -line_21)
    line_3 = np.maximum(0, adjusted_line_15 + line_2)
    line_4 = np.minimum(line_2, line_3)
    line_5 = np.maximum(0, -line_7)
    line_6 = where(line_5 > 0, np.maximum(0, line_15), 0)
    short_used = where(line_5 > 0, line_4 + line_6, 0)
    line_9 = np.maximum(0, -line_15)
    line_10 = where(line_9 > 0, np.maximum(0, line_7), 0)
    line_11 = where(line_9 > 0, np.maximum(0, line_4 - line_5), 0)
    line_12 = line_10 + line_11
    return CarryoverLines(
        line_1=adjusted_line_15,
        line_2=line_2,
        line_3=line_3,
        line_4=line_4,
        line_5=line_5,
        line_6=line_6,
        line_7=short_used,
        line_8=np.maximum(0, line_5 - short_used),
        line_9=line_9,
        line_10=line_10,
        line_11=line_11,
        line_12=line_12,
        line_13=np.maximum(0, line_9 - line_12),
    )
