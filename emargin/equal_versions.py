"""Later texts of the same computation: a version of the code -> the version that its rows carry.

A faster text has another version, although nothing that a reader would call a result has changed. Where that was
measured, rows of the earlier text stay as they are; the commit in a cell's record says which text ran.

Here: losses and the probe summed in another order, and powers of 2 for those of e. Untrained encoders, and methods
that share no such loss, train to the same bits. The others were run anew and compared by `python -m
benchmarks.unchanged`, on the page "Speed".
"""

EQUAL = {
    "fd9b997333033d3e": "8e540a86763f861e",  # scores of frames
    "47b811cb04afacf2": "6a332cedf4a43d25",  # scores of series
    "450f42b72aa8a01b": "1c0ef00cad58ab1a",  # cosine-margin
    "e7545a09cead0f9d": "05485d4102147c5d",  # cost
    "db17e674855fccef": "3a7b19ce236f6df0",  # cpc
    "ab8a59b5ec0b4d01": "7774eced2c99d1c7",  # distance-margin
    "3be6d3fbff2ff425": "9f970ac1ba8205ac",  # emargin
    "3ebf0660c549363c": "23599c0931c32b3c",  # emargin-labels, infonce-labels, supervised
    "95e0065f8db337ce": "2e64e2dd58b8e91d",  # emargin-vicreg
    "c76da278da69d1d4": "95c606b8666b6e24",  # infonce
    "96586422687aed2e": "d8a9021de0c20e5b",  # infots
    "d12a4deb9c424c10": "fca620b33bff7d92",  # mfclr
    "91b6c26511770921": "778a66e0aa23ee8d",  # random, random-calibrated
    "ad727ed033a00d18": "0b642ec4d44038fe",  # simmtm
    "1b12b98629b106c3": "40df93c3dc25379e",  # softclt
    "87f1dc11199fbb1c": "64676083e44af078",  # timedrl
    "91676e1f6720fc5b": "c24ccbd47e40e8fc",  # tnc
    "83a8b98d1442db00": "63c3a379ee8c31ef",  # ts2vec
}
