"""Pure functions, frames in and frames out: the law, the lots, the advice. No Dagster, no DuckDB, no files here."""
