"""Tables in files: CSV, lines of JSON, Parquet."""
