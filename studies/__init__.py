"""Studies that chose a default: each can be run again, and prints what it chose from."""
