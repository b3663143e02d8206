"""The skill ladder: how much of what can be known of the next squeeze a forecaster knows."""
