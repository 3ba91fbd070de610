import { attributes, html, inline, paragraphs } from "../../web/html";

const hostile = `<img src=x onerror="alert(1)">&'`;
const escaped = "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;'";

describe("markup", () => {
  test("takes every value as text, within lists too, unless it is markup", () => {
    expect(html`<p>${hostile}</p>`.source).toBe(`<p>${escaped}</p>`);
    expect(html`<p>${[hostile, html`<b>${1}</b>`]}</p>`.source).toBe(`<p>${escaped}<b>1</b></p>`);
    expect(html`<p>${undefined}</p>`.source).toBe("<p></p>");
  });

  test("escapes the values of attributes, and leaves those out that are not set", () => {
    expect(attributes({ title: hostile, required: true, hidden: false, id: undefined, rows: 0 }).source).toBe(
      ` title="${escaped}" required rows="0"`,
    );
  });
});

describe("a line of a message", () => {
  test("may be strong and may link; all else is text", () => {
    expect(inline("**Old** [page](/a.html), [there](https://example.com/) & <b>").source).toBe(
      '<strong>Old</strong> <a href="/a.html">page</a>, <a href="https://example.com/" rel="noreferrer">there</a> &amp; &lt;b&gt;',
    );
  });

  test.each(["javascript:void", "//example.com/", "http://example.com/", "data:text/html,x", "page.html"])(
    "can't link to %s",
    (address) => {
      expect(() => inline(`[here](${address})`)).toThrow(`A message links to ${address}`);
    },
  );

  test("can't end an attribute", () => {
    expect(inline('[x](/a"onclick="b)').source).toBe('<a href="/a&quot;onclick=&quot;b">x</a>');
  });

  test("becomes a paragraph", () => {
    expect(paragraphs(["a", "<b>"]).source.replace(/\s/g, "")).toBe("<p>a</p><p>&lt;b&gt;</p>");
  });
});
