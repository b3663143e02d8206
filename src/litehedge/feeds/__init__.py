"""Bytes into events: archive files, and replay of what the lake holds."""
