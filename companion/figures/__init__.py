"""Every figure of the book: one file a page, one look for all."""
