"""How much the losses hold at a time. These numbers change time and memory; results change by rounding alone.

Two facts decide them. Data that is used again and again should fit a core's caches. And fresh memory is slow: to map a
page takes the system longer than an operation on what the page holds. So slices and blocks reuse the same memory, and a
loss allocates all that it needs as a single piece: glibc, the allocator under torch on Linux, gives memory back to the
system the sooner, the smaller the largest piece that it has freed. Other allocators lose nothing by this.
"""

SLICE = 2**17  # entries of rows taken at a time: 512 KB in float32, half of a core's second-level cache
BLOCK, LEAF = 800, 256  # rows of a square (2.6 MB in float32, about two cores' second-level caches), of a leaf
KEPT = 2**21  # cosines that stay for the backward pass: all of them up to N = 1,900, and 8 MB at any N
# An operation on a CUDA device takes a time to start whatever its size: squares of 256 MB, whole on the diagonal.
CUDA_BLOCK, CUDA_KEPT = 8192, 2**26
