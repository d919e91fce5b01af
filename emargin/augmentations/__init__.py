"""Views of a batch: crops, warps and other changes that leave the meaning of a sequence alone."""
