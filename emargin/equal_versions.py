"""Later texts of the same computation: a version of the code -> the version that its rows carry.

A faster text has another version, although nothing that a reader would call a result has changed. Where that was
measured, rows of the earlier text stay as they are; the commit in a cell's record says which text ran.

Here: losses and the probe summed in another order, and powers of 2 for those of e. Untrained encoders, and methods
that share no such loss, train to the same bits. The others were run anew and compared by `python -m
benchmarks.unchanged`, on the page "Speed".
"""

EQUAL = {
    "6bc6c1989c049c21": "8e540a86763f861e",  # scores of frames
    "716cb1ece1246f84": "6a332cedf4a43d25",  # scores of series
    "2b94555769ff575f": "1c0ef00cad58ab1a",  # cosine-margin
    "aaa8523f24a9dacb": "05485d4102147c5d",  # cost
    "d4a9af986ff838af": "3a7b19ce236f6df0",  # cpc
    "d478a1d749738b13": "7774eced2c99d1c7",  # distance-margin
    "1cc1304bd0b4ac00": "9f970ac1ba8205ac",  # emargin
    "53d0f782d5d381b5": "23599c0931c32b3c",  # emargin-labels, infonce-labels, supervised
    "0af437cd67200af6": "2e64e2dd58b8e91d",  # emargin-vicreg
    "d7e995ae5e805a1a": "95c606b8666b6e24",  # infonce
    "f65490dc51bd40db": "d8a9021de0c20e5b",  # infots
    "864d12b8a48f6657": "fca620b33bff7d92",  # mfclr
    "a4f64f8632f59c41": "778a66e0aa23ee8d",  # random, random-calibrated
    "1ed36984d9c04f6d": "0b642ec4d44038fe",  # simmtm
    "1c19e69d90d98ee6": "40df93c3dc25379e",  # softclt
    "3ed6de403930d58c": "64676083e44af078",  # timedrl
    "bec763215d09178f": "c24ccbd47e40e8fc",  # tnc
    "eba34bd6f0887e80": "63c3a379ee8c31ef",  # ts2vec
}
