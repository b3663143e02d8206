"""What a backtest says to people: figures, charts and the self-contained tear-sheet."""
