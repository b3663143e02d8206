"""The ledger: what people and their plans did, each beside what would have been without it."""
