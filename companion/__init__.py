"""What makes the book: runs the grid, reads its rows, draws the figures. It imports `emargin`, never the reverse."""
