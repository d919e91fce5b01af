"""Code for GPUs, experimental: equal to the CPU's code in tests, and not yet measured on a device."""
