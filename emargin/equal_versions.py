"""Later texts of the same computation: a version of the code -> the version that its rows carry.

A faster text has another version, although nothing that a reader would call a result has changed. Where that was
measured, rows of the earlier text stay as they are; the commit in a cell's record says which text ran.

Here: losses and the probe summed in another order, and powers of 2 for those of e. Untrained encoders, and methods
that share no such loss, train to the same bits. The others were run anew and compared by `python -m
benchmarks.unchanged`, on the page "Speed".
"""

EQUAL = {
    "9c426ac8db62257f": "8e540a86763f861e",  # scores of frames
    "656f02f2d99d7cc0": "6a332cedf4a43d25",  # scores of series
    "0855d9c931adb6b5": "1c0ef00cad58ab1a",  # cosine-margin
    "89368b7c81f05a4f": "05485d4102147c5d",  # cost
    "4c9e20e1bbe5f02c": "3a7b19ce236f6df0",  # cpc
    "1521e6d1b456eb25": "7774eced2c99d1c7",  # distance-margin
    "50874fd360cb9ec0": "9f970ac1ba8205ac",  # emargin
    "b92afa546642a80f": "23599c0931c32b3c",  # emargin-labels, infonce-labels, supervised
    "d956b5504c4fbea8": "2e64e2dd58b8e91d",  # emargin-vicreg
    "7767f9665bca0bae": "95c606b8666b6e24",  # infonce
    "ca2ad248fdc95f9a": "d8a9021de0c20e5b",  # infots
    "9ed7128264d03099": "fca620b33bff7d92",  # mfclr
    "0dfa7f6bc772f7fc": "778a66e0aa23ee8d",  # random, random-calibrated
    "88ba48448754e08e": "0b642ec4d44038fe",  # simmtm
    "32b9bf2d00a6bd46": "40df93c3dc25379e",  # softclt
    "1a0405c14b47892f": "64676083e44af078",  # timedrl
    "9f6fd1f671bb5fe7": "c24ccbd47e40e8fc",  # tnc
    "79045b6c6108696c": "63c3a379ee8c31ef",  # ts2vec
}
