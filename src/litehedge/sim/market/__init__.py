"""A simulated LTC perpetual market: squeezes emerge where leverage meets a thin book."""
