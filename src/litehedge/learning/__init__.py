"""What a session learns from what came of its own recommendations, and whether that helps."""
