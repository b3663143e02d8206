"""The steps of journals, by number."""
