"""Later texts of the same computation: a version of the code -> the version that its rows carry.

A faster text has another version, although nothing that a reader would call a result has changed. Where that was
measured, rows of the earlier text stay as they are; the commit in a cell's record says which text ran.

Here: losses and the probe summed in another order. Untrained encoders, and methods that share no such loss, train to
the same bits. The others were run anew and compared by `python -m benchmarks.unchanged`, on the page "Speed".
"""

EQUAL = {
    "f256eaa771d45bae": "8e540a86763f861e",  # scores of frames
    "956f9a7e4db29428": "6a332cedf4a43d25",  # scores of series
    "c69ef1a584842d9c": "1c0ef00cad58ab1a",  # cosine-margin
    "aa3eb2d99abe4476": "05485d4102147c5d",  # cost
    "ec99b490d852f8cc": "3a7b19ce236f6df0",  # cpc
    "15c40cfbac0cc5c4": "7774eced2c99d1c7",  # distance-margin
    "c356bf6e0132de7e": "9f970ac1ba8205ac",  # emargin
    "b853435a91c6e23f": "23599c0931c32b3c",  # emargin-labels, infonce-labels, supervised
    "6e6e24c7a401335e": "2e64e2dd58b8e91d",  # emargin-vicreg
    "b7084d1e0b224f64": "95c606b8666b6e24",  # infonce
    "34d23854ada31296": "d8a9021de0c20e5b",  # infots
    "813a8749e0374c54": "fca620b33bff7d92",  # mfclr
    "a8d1b6c83b59a446": "778a66e0aa23ee8d",  # random, random-calibrated
    "d2595a8fb845e665": "0b642ec4d44038fe",  # simmtm
    "1f6022c06e6f33cd": "40df93c3dc25379e",  # softclt
    "784cef0d3a07e351": "64676083e44af078",  # timedrl
    "ebbe1ff43a08b6ca": "c24ccbd47e40e8fc",  # tnc
    "e4c00ce3541e643d": "63c3a379ee8c31ef",  # ts2vec
}
