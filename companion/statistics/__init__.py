"""What is computed from rows: intervals, correlations, tables, counts of the book's claims."""
