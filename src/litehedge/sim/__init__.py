"""Markets and venues in a box."""
