"""Later texts of the same computation: a version of the code -> the version that its rows carry.

A faster text has another version, although nothing that a reader would call a result has changed. Where that was
measured, rows of the earlier text stay as they are; the commit in a cell's record says which text ran.

Here: losses and the probe summed in another order, and powers of 2 for those of e. Untrained encoders, and methods
that share no such loss, train to the same bits. The others were run anew and compared by `python -m
benchmarks.unchanged`, on the page "Speed".
"""

EQUAL = {
    "064e6be5a7a9df8e": "8e540a86763f861e",  # scores of frames
    "66594c7d7189303e": "6a332cedf4a43d25",  # scores of series
    "194bb37f4afb02e5": "1c0ef00cad58ab1a",  # cosine-margin
    "fd629558679acc21": "05485d4102147c5d",  # cost
    "e1fbaed0b1360277": "3a7b19ce236f6df0",  # cpc
    "e66bbf174d60329a": "7774eced2c99d1c7",  # distance-margin
    "b21077a73efc8976": "9f970ac1ba8205ac",  # emargin
    "08499d7ec5faa770": "23599c0931c32b3c",  # emargin-labels, infonce-labels, supervised
    "73681eb48302224a": "2e64e2dd58b8e91d",  # emargin-vicreg
    "ba5e318635b2f828": "95c606b8666b6e24",  # infonce
    "68f14e01c7f0c6ea": "d8a9021de0c20e5b",  # infots
    "2ae2d79be864ae65": "fca620b33bff7d92",  # mfclr
    "835c218dfbf4fdfc": "778a66e0aa23ee8d",  # random, random-calibrated
    "b4c1ae14f3c33c0b": "0b642ec4d44038fe",  # simmtm
    "5dcbce7b0065b7fe": "40df93c3dc25379e",  # softclt
    "60b2a937e99d933f": "64676083e44af078",  # timedrl
    "39b18f6be55e6dfc": "c24ccbd47e40e8fc",  # tnc
    "e99c7557599a9ecb": "63c3a379ee8c31ef",  # ts2vec
}
