"""A fake exchange on loopback that speaks like Binance and Bybit, and misbehaves on demand."""
