"""Later texts of the same computation: a version of the code -> the version that its rows carry.

A faster text has another version, although nothing that a reader would call a result has changed. Where that was
measured, rows of the earlier text stay as they are; the commit in a cell's record says which text ran.

Here: losses and the probe summed in another order, and powers of 2 for those of e. Untrained encoders, and methods
that share no such loss, train to the same bits. The others were run anew and compared by `python -m
benchmarks.unchanged`, on the page "Speed".
"""

EQUAL = {
    "15af590595cfabb9": "8e540a86763f861e",  # scores of frames
    "a9e393c70def1781": "6a332cedf4a43d25",  # scores of series
    "90bfb44080e2cabc": "1c0ef00cad58ab1a",  # cosine-margin
    "014eb436043f748f": "05485d4102147c5d",  # cost
    "37f75da5877ac9ba": "3a7b19ce236f6df0",  # cpc
    "911e910d92ca5149": "7774eced2c99d1c7",  # distance-margin
    "003d2d36ab7917fd": "9f970ac1ba8205ac",  # emargin
    "220e1d79dfc7f3d2": "23599c0931c32b3c",  # emargin-labels, infonce-labels, supervised
    "2f8b2c6f63408f6e": "2e64e2dd58b8e91d",  # emargin-vicreg
    "dc6ee8bde867c31b": "95c606b8666b6e24",  # infonce
    "0fac9ff4fa309f5a": "d8a9021de0c20e5b",  # infots
    "978388166405e762": "fca620b33bff7d92",  # mfclr
    "14dffd893e324747": "778a66e0aa23ee8d",  # random, random-calibrated
    "f3678f1d09c1c921": "0b642ec4d44038fe",  # simmtm
    "1a9ee533160adc39": "40df93c3dc25379e",  # softclt
    "1c8df15f7c0c38a2": "64676083e44af078",  # timedrl
    "4fbb9f83cf2599b0": "c24ccbd47e40e8fc",  # tnc
    "9d7e582786758a82": "63c3a379ee8c31ef",  # ts2vec
}
