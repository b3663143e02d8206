"""Where state lives: the Parquet lake, the journal, packaged files."""
