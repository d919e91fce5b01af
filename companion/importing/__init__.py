"""From CSV files to a data set: read tables, settle times, resample to one rate, cut at gaps, write npz recordings."""
