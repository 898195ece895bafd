"""The text part of an e-mail has the text of its HTML."""

import pytest

from providers.email_text.text_part import scanned, text_part


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<h1>Hello</h1><p>Your <b>membership</b> renews.</p><script>x()</script>",
            "Hello\n\nYour membership renews.",
        ),
        # links
        (
            '<a href="https://gym-a.example/reset?t=abc">Reset</a>',
            "Reset <https://gym-a.example/reset?t=abc>",
        ),
        (
            '<a href="https://x.example/?a=1&amp;b=2">Go</a>.',
            "Go <https://x.example/?a=1&b=2>.",
        ),
        ("<a href=https://x.example>https://x.example</a>", "https://x.example"),
        ('<a href="https://x.example/">x.example</a>', "x.example"),
        (
            "<a href=https://evil.example>https://bank.example</a>",
            "https://bank.example <https://evil.example>",
        ),
        ("<a href=http://x.example>https://x.example</a>", "https://x.example <http://x.example>"),
        ("<a href=mailto:a@x.example>Write</a>", "Write <mailto:a@x.example>"),
        ("<a href=mailto:a@x.example>a@x.example</a>", "a@x.example"),
        ("<a href=tel:+18135551234>Call</a>", "Call <tel:+18135551234>"),
        ("<a href=tel:+18135551234>+1 (813) 555-1234</a>", "+1 (813) 555-1234"),
        ('<a href="javascript:x()">a</a> <a href=" java\nscript:y()">b</a>', "a b"),
        ("<a href=#top>top</a><a name=here>!</a><a href>?</a>", "top!?"),
        ('<a href="//x.example/a">a</a>', "a <https://x.example/a>"),
        (
            "<base href=https://x.example/m/><a href=reset>r</a> <a href=/q>q</a>",
            "r <https://x.example/m/reset> q <https://x.example/q>",
        ),
        ("<base href=javascript:x><a href=/q>q</a>", "q </q>"),
        (
            "<base href=http://[bad><a href=q>z</a> <a href=http://[bad>x</a>",
            "z <q> x <http://[bad>",
        ),
        ('<a href="https://x.example/a b<c>">q</a>', "q <https://x.example/a%20b%3Cc%3E>"),
        ('<a href="https://x.example/\n  long">q</a>', "q <https://x.example/%20%20long>"),
        (
            "<a href=https://x.example><div>Reset</div></a><p>Bye",
            "Reset <https://x.example>\n\nBye",
        ),
        (
            "<a href=https://a.example>one <a href=https://b.example>two",
            "one <https://a.example> two <https://b.example>",
        ),
        # images and buttons
        (
            "<a href=https://x.example/pay><img alt='Pay  now' src=b.png></a>",
            "Pay now <https://x.example/pay>",
        ),
        ("<a href=https://x.example/pay><img src=b.png></a>", "https://x.example/pay"),
        ("a<img alt=Logo>b<img alt=''>c", "a Logo bc"),
        ("<map><area alt=Shop href=https://x.example></map>", "Shop <https://x.example>"),
        (
            "<input type=submit value=Go><input type=image alt=Buy><input value=n><button>Ok",
            "Go Buy Ok",
        ),
        # blocks, lists, tables
        ("a<br>b<br><br><br><br>c<hr>d", "a\nb\n\nc\n\nd"),
        ("<p>a</p>\n  <p>b</p><div>c</div><div><div>d</div></div>", "a\n\nb\n\nc\nd"),
        (
            "<ul><li>one<li><p>two</p><ul><li>in</ul><li></ul>after",
            "- one\n\n- two\n\n- in\n\nafter",
        ),
        ("<ol start=9><li>x<li>y</ol><ol start=-1><li>z</ol>", "9. x\n10. y\n\n1. z"),
        (
            "<table><tr><th>Item<th>Price<tr><td>Tea</td><td> 3 </td></tr></table>",
            "Item\tPrice\nTea\t3",
        ),
        (
            "<table><tr><td><p>Tea</p></td> <td><p>3</p></td><td><div><b>x</b></div><tr><td>y",
            "Tea\t3\tx\ny",
        ),
        ("<table><tr><td><p>a<p>b</td><td><p>c<p>d</td></table>e", "a\n\nb\n\nc\n\nd\n\ne"),
        ("<table><tr><td>a<td><table><tr><td>b<td>c</table><td>d<tr><td>e", "a\nb\tc\nd\ne"),
        ("<table><tr><td>a<td><br>b<td><ul><li>c</table></td>d", "a\nb\n\n- c\n\nd"),
        ("<table><tr><td><table><tr><td>a<td>b</table></table>c", "a\tb\nc"),
        ("<dl><dt>Tea<dd>hot</dl><select><option>a<option>b</select>", "Tea\nhot\n\na\nb"),
        ("<pre>\nif x:\n    y\r\n\n  z</pre>&lt;", "if x:\n    y\n\n  z\n\n<"),
        ('<div style="padding-left:99999em">x<br>y</div>', "x\ny"),
        ("<td width=9999 style='padding:999em'>x", "x"),
        # what is not shown
        ("<head><title>t</title><style>p{}</style></head><!-- c --><p>Hi<noscript>!", "Hi!"),
        ("<div style='DISPLAY : none !important'>pre<b>view</b></div><p hidden>h</p>Hi", "Hi"),
        ("<div style='max-height:0;overflow:hidden'>preview</div>Hi", "Hi"),
        ("<div style='font-size:0'><p style='font-size:12px'>Hi", "Hi"),
        ("Hi\u200b\ufeff\u00ad&#847;&zwnj; there\u00a0 you", "Hi\u200c there you"),
        ("<!--[if mso]><p>mso</p><![endif]--><!--[if !mso]><!-->b<!--<![endif]-->", "b"),
        ("<![if !mso]>a<![endif]><![CDATA[x]]>b<?php x ?>c", "abc"),
        ("<template>a</template><iframe>b</iframe><textarea>c<b></textarea>", "c<b>"),
        # characters
        (
            "&lt;p&gt; &amp;amp; &eacute;&#8364;&#x20ac;&nbsp;&copy &bogus;",
            "<p> &amp; é€€ © &bogus;",
        ),
        ("<meta charset=iso-8859-1><p>Привет 😀", "Привет 😀"),
        ("<?xml version='1.0' encoding='utf-16'?><html xmlns=x>Привет", "Привет"),
        ("<meta http-equiv=Content-Type content='text/html; charset=utf-7'>é", "é"),
        ("a\0b\x01c\ud800", "abc?"),
        # malformed
        ("<b><i>x</b>y</i> </table></li><p>a<div>b</div></td>c</span>", "xy\n\na\n\nb\nc"),
        (
            "<P CLASS=x>UP</P CLASS=y><A HREF=HTTPS://X.example>l</A >",
            "UP\n\nl <HTTPS://X.example>",
        ),
        ("x<script>alert(1)", "x"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("x<a href='https://x.example", "x"),
        ("plain", "plain"),
        # nothing
        ("", ""),
        (" \n&nbsp;<p></p><img src=x>", ""),
        ("<p", ""),
        ("<style>p{}", ""),
    ],
)
def test_a_text_part_says_what_the_html_says(html: str, text: str) -> None:
    assert text_part(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Your <b>code</b></p><br>is&nbsp;&#8364;<script>x()</script>", "Your code\n\nis €"),
        (
            '<A HREF="https://x.example/?a=1&amp;b">Go</A> <a href=/q>q',
            "Go <https://x.example/?a=1&b> q </q>",
        ),
        (
            "<a href=https://x.example><img alt='Pay'></a><style>p{}</style>",
            "Pay <https://x.example>",
        ),
        ("<!-- <p>no</p> --><ul><li>a<li>b</ul><title>t</title>", "- a\n- b"),
        ("<table><tr><td>a<td>b</table>1 < 2", "a\tb\n1 < 2"),
        ("a<!-- never ends", "a"),
        ("a<script>never ends", "a"),
        ("a<b c", "a"),
        ("</a></ul></pre>a&#" + "9" * 5000 + ";", "a\ufffd"),
    ],
)
def test_a_scan_keeps_text_links_and_images(html: str, text: str) -> None:
    assert scanned(html) == text
