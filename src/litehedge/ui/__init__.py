"""The screen: its own process, which reads journals and writes inboxes, and reaches no venue."""
