"""Real venues: pure wire formats, thin sockets, one client per venue behind `ports`."""
