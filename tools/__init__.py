"""Programs for those who work on goodparts; none of them is installed."""
