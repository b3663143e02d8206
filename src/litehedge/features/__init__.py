"""Streaming statistics and the feature vector of a frame."""
