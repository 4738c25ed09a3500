"""Feather files: one table, with its ledger in the metadata of the schema."""
