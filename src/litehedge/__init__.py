"""litehedge guards a leveraged Litecoin position.

It forecasts when a liquidation squeeze will start and peak, sizes a hedge under real costs,
and places it behind hard risk limits: in backtest, on paper, and live.

Read the package in the order in which data flows: ``units``, ``errors``, ``config``, ``market``,
``features``, ``squeeze``, ``margin``, ``hedge``, ``risk``, ``orders``, ``engine``; then the shell
around it: ``model``, ``ports``, ``sim``, ``feeds``, ``store``, ``runner``, ``backtest``,
``report``, ``cli``.
"""

__version__ = "0.1.0"
