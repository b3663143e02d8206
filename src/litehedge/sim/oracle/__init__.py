"""What no forecaster can beat: the true hazard of a squeeze, known from many futures."""
