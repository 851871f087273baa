"""Dagster: what runs when, on which tables. No tax rule and no computation on rows belongs here."""

VERSION = "0.1.0"
"""The version of the code, as in pyproject.toml: the project is not installed, so it has no metadata to ask."""
