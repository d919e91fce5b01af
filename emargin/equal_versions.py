"""Later texts of the same computation: a version of the code -> the version that its rows carry.

A faster text has another version, although nothing that a reader would call a result has changed. Where that was
measured, rows of the earlier text stay as they are; the commit in a cell's record says which text ran.

Here: losses and the probe summed in another order, and powers of 2 for those of e. Untrained encoders, and methods
that share no such loss, train to the same bits. The others were run anew and compared by `python -m
benchmarks.unchanged`, on the page "Speed".
"""

EQUAL = {
    "c7f8edd10967e321": "8e540a86763f861e",  # scores of frames
    "c3fd2dd228cfe19c": "6a332cedf4a43d25",  # scores of series
    "019446451c1adf1a": "1c0ef00cad58ab1a",  # cosine-margin
    "2c9d585ca320ea52": "05485d4102147c5d",  # cost
    "ae29bc0fb05d0e6b": "3a7b19ce236f6df0",  # cpc
    "2cc374efa25adbcd": "7774eced2c99d1c7",  # distance-margin
    "94f9b50d3b62d5f7": "9f970ac1ba8205ac",  # emargin
    "7bd8398cc399d897": "23599c0931c32b3c",  # emargin-labels, infonce-labels, supervised
    "204e64147c2b03f6": "2e64e2dd58b8e91d",  # emargin-vicreg
    "bf098a292d5ae892": "95c606b8666b6e24",  # infonce
    "01d291e82976f716": "d8a9021de0c20e5b",  # infots
    "748494e127361dfc": "fca620b33bff7d92",  # mfclr
    "e760443fb9bcb0ed": "778a66e0aa23ee8d",  # random, random-calibrated
    "185dab700d72b453": "0b642ec4d44038fe",  # simmtm
    "1a7fcbf5a25320f4": "40df93c3dc25379e",  # softclt
    "d2f9fa6e50f353b6": "64676083e44af078",  # timedrl
    "7d0e4d0474cdd4b9": "c24ccbd47e40e8fc",  # tnc
    "58df94ad87abc8fc": "63c3a379ee8c31ef",  # ts2vec
}
