"""The ledger of what people did: each manual act beside what would have been without it."""
