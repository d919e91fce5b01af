"""Charts of the book that a reader operates, without a kernel and without a network.

`python -m companion.charts FOLDER` writes them (`companion.charts.build`); the directive `chart` puts one on a page
(`companion.charts.directive`); `book/_static/charts.js` draws it.
"""
