"""The HTML of pages: heads of tables say what they stand for, labels what is shown; nothing loads that is not used."""

from types import SimpleNamespace

import pandas as pd

from companion.book.page_html import mend, mended


def test_an_empty_head_of_a_frame_becomes_a_cell_and_the_others_say_what_they_head():
    columns = pd.MultiIndex.from_product([["score"], ["mean", "spread"]])
    html = mended(pd.DataFrame([[1, 2]], columns=columns, index=pd.Index(["InfoNCE"], name="method")).to_html())
    assert html.count("<td></td>") == 1 + 1 + 2 and "<th></th>" not in html
    assert '<th scope="colgroup" colspan="2" halign="left">score</th>' in html
    assert html.count('scope="col">') == 3  # method, mean, spread
    assert '<th scope="row">InfoNCE</th>' in html


def test_a_head_that_spans_lines_stands_for_them_all():
    index = pd.MultiIndex.from_product([["ECG"], ["released", "original"]])
    html = mended(pd.DataFrame({"rank": [1, 2]}, index=index).to_html())
    assert '<th scope="rowgroup" rowspan="2" valign="top">ECG</th>' in html


def test_heads_that_have_a_scope_and_text_about_tables_stay():
    for html in ('<thead><tr><th scope="colgroup" colspan="3">a</th></tr></thead>', "<pre>&lt;th&gt;&lt;/th&gt;</pre>"):
        assert mended(html) == html


def test_labels_are_what_is_shown_and_a_list_holds_its_entries():
    assert (
        mended('<summary aria-label="Toggle hidden content"><p>Show</p></summary>') == "<summary><p>Show</p></summary>"
    )
    html = mended('<div role="list" class="citation-list"><div class="citation" role="doc-biblioentry">x</div></div>')
    assert html == '<div role="list" class="citation-list"><div class="citation" role="listitem">x</div></div>'


def test_a_figure_has_a_link_to_its_own_file_and_one_without_a_name_has_none():
    end = '<a class="headerlink" href="#fig-a">#</a></p></figcaption></figure>'
    start = '<figure class="align-default" id="fig-a"><img alt="x" src="../_images/12.svg" /><figcaption><p>Words.'
    link = (
        '<a class="save" download="fig-a.svg" href="../_images/12.svg" '
        'aria-label="Save this figure as SVG" data-kind="SVG"></a>'
    )
    unnamed = '<figure><img src="b.svg" /></figure>'
    assert mended(unnamed + start + end + unnamed) == f"{unnamed}{start} {link}{end}{unnamed}"


def test_nothing_of_thebe_is_loaded_and_all_else_is():
    def script(filename=None, **attributes):
        return SimpleNamespace(filename=filename, attributes=attributes)

    ours, inline = script("tables.js"), script(body="let a = 1")
    context = {
        "script_files": [script("sphinx-thebe.js"), ours, script(body="const THEBE_JS_URL = 1"), inline],
        "css_files": [script("custom.css"), script("sphinx-thebe.css")],
        "body": "a<script type=\"text/x-thebe-config\">{}</script>\n<script>kernelName = 'python3'</script>b",
    }
    mend(None, "page", "page.html", context, None)
    assert context["script_files"] == [ours, inline]
    assert [file.filename for file in context["css_files"]] == ["custom.css"]
    assert context["body"] == "ab"
