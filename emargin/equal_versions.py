"""Later texts of the same computation: a version of the code -> the version that its rows carry.

A faster text has another version, although nothing that a reader would call a result has changed. Where that was
measured, rows of the earlier text stay as they are; the commit in a cell's record says which text ran.

Here: losses and the probe summed in another order. Untrained encoders, and methods that share no such loss, train to
the same bits. The others were run anew and compared by `python -m benchmarks.unchanged`, on the page "Speed".
"""

EQUAL = {
    "e73e0987e3c7268d": "8e540a86763f861e",  # scores of frames
    "958aa4ac307d4ef3": "6a332cedf4a43d25",  # scores of series
    "743a0f956563943b": "1c0ef00cad58ab1a",  # cosine-margin
    "f3f6d48eaa8ac72c": "05485d4102147c5d",  # cost
    "dc1aa44fe722f009": "3a7b19ce236f6df0",  # cpc
    "4355adadc759b89b": "7774eced2c99d1c7",  # distance-margin
    "a9b437836890877c": "9f970ac1ba8205ac",  # emargin
    "85a6adc8ffa15b70": "23599c0931c32b3c",  # emargin-labels, infonce-labels, supervised
    "764d1524f62a9bed": "2e64e2dd58b8e91d",  # emargin-vicreg
    "c4fbb73008bd0903": "95c606b8666b6e24",  # infonce
    "20be4f45aa51953b": "d8a9021de0c20e5b",  # infots
    "f2bf6e65e8b73ca9": "fca620b33bff7d92",  # mfclr
    "2900417ae211d043": "778a66e0aa23ee8d",  # random, random-calibrated
    "e7100e6c016d1008": "0b642ec4d44038fe",  # simmtm
    "e87b997c1e57d3e1": "40df93c3dc25379e",  # softclt
    "02ae0d7664a16549": "64676083e44af078",  # timedrl
    "c7c28567c66d386b": "c24ccbd47e40e8fc",  # tnc
    "7208b9ef4aa5334b": "63c3a379ee8c31ef",  # ts2vec
}
