"""What connectors to databases have in common: the keys of their ends, the ledger, merging."""
