"""From forecast and margin state to a band for the hedge ratio, and to a recommendation."""
