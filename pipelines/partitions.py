"""The tax years as Dagster partitions. What happens in a year belongs to the transforms."""

from __future__ import annotations

import dagster as dg

FIRST_YEAR = 2009
"""The first block of the first chain; nothing that a client owns is older."""
PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
"""The tags by which Dagster knows a run's years."""

# The offset opens the present year and the next one: a night over New Year finds its partition in place.
tax_years = dg.TimeWindowPartitionsDefinition(cron_schedule="0 0 1 1 *", start=str(FIRST_YEAR), fmt="%Y", end_offset=2)
