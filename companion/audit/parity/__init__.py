"""Our functions beside those of the methods' own repositories, on a reader's disk.

A method has two files here. `NAME.yml` says which repository and commit, and why what differs differs; it can be read
alone. `NAME.py` says what is compared: `comparisons()`.
"""
