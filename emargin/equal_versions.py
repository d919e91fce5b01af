"""Later texts of the same computation: a version of the code -> the version that its rows carry.

A faster text has another version, although nothing that a reader would call a result has changed. Where that was
measured, rows of the earlier text stay as they are; the commit in a cell's record says which text ran.

Here: losses and the probe summed in another order, and powers of 2 for those of e. Untrained encoders, and methods
that share no such loss, train to the same bits. The others were run anew and compared by `python -m
benchmarks.unchanged`, on the page "Speed".
"""

EQUAL = {
    "52c3f0afc68a9c6e": "8e540a86763f861e",  # scores of frames
    "855cb4a31a5e2c9b": "6a332cedf4a43d25",  # scores of series
    "67473b71851779e8": "1c0ef00cad58ab1a",  # cosine-margin
    "649edd84fea041f6": "05485d4102147c5d",  # cost
    "4ed733d3197447a0": "3a7b19ce236f6df0",  # cpc
    "fa3133dea7c1c21b": "7774eced2c99d1c7",  # distance-margin
    "cecab05686ba22f0": "9f970ac1ba8205ac",  # emargin
    "01861997e104e139": "23599c0931c32b3c",  # emargin-labels, infonce-labels, supervised
    "cd828d4a5ae1d6c9": "2e64e2dd58b8e91d",  # emargin-vicreg
    "c8449fd77d00b69c": "95c606b8666b6e24",  # infonce
    "532c5d5ec122f00a": "d8a9021de0c20e5b",  # infots
    "0c0a0b5a265c5d75": "fca620b33bff7d92",  # mfclr
    "8a3f4115e9a7df65": "778a66e0aa23ee8d",  # random, random-calibrated
    "875fadec6c890833": "0b642ec4d44038fe",  # simmtm
    "6ad3c82d1955e543": "40df93c3dc25379e",  # softclt
    "225345f1c7ef92db": "64676083e44af078",  # timedrl
    "1511cc07c2d13d04": "c24ccbd47e40e8fc",  # tnc
    "224492d5fa35eb35": "63c3a379ee8c31ef",  # ts2vec
}
