"""Views of a batch: crops, masks, noise and warps of time, which leave the meaning of a sequence alone."""
