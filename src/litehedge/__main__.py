"""Lets ``python -m litehedge`` do what the command ``litehedge`` does."""

from litehedge.cli import main

if __name__ == "__main__":
    main()
