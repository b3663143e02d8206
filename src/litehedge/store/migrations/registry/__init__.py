"""The steps of registries, by number."""
