"""What a squeeze is, when the next one comes, and how sure we are."""
