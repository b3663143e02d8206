"""A model that learns on: replay, challengers, the shadow run, the gate, and the way back."""
