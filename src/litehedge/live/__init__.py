"""The running system: sockets on one thread, the engine on another; paper and live."""
