"""Download public data sets, convert them, and verify them against published checksums."""
