"""The lot book: which lots a disposal takes, exactly, for every taxpayer. `run` is the way in; no price, no form."""

from transforms.lots.book import NO_PICKS, NO_ZONES, conservation, no_opening, opening_slots, run, tied, warm_up
from transforms.lots.pools import SPLIT_ID, UNIVERSAL
from transforms.lots.tables import CONVERSIONS, FAULTS, LotBook

__all__ = [
    "CONVERSIONS", "FAULTS", "NO_PICKS", "NO_ZONES", "SPLIT_ID", "UNIVERSAL", "LotBook", "conservation", "no_opening",
    "opening_slots", "run", "tied", "warm_up",
]  # fmt: skip
