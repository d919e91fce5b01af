"""Execute the notebooks, and check the built book."""
