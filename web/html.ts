/** Markup with automatic escaping: a value in `html` is text, unless it is markup already. */

/** Markup that a page may contain unchanged. */
export class Html {
  /** @param source well-formed HTML or SVG */
  constructor(readonly source: string) {}

  toString(): string {
    return this.source;
  }
}

/** What can be put into markup; a missing value adds nothing. */
export type Content = Html | string | number | undefined | readonly Content[];

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function render(content: Content): string {
  if (content === undefined) {
    return "";
  }
  if (content instanceof Html) {
    return content.source;
  }
  if (typeof content === "string" || typeof content === "number") {
    return escape(String(content));
  }
  return content.map(render).join("");
}

/** Builds markup from a template; values are escaped, lists are joined. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(parts.map((part, index) => part + render(values[index])).join(""));
}

/**
 * The attributes of an element, each with a space before it: true makes an attribute without a value, false and
 * undefined make none.
 */
export function attributes(values: Readonly<Record<string, string | number | boolean | undefined>>): Html {
  const written = Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => (value === true ? ` ${name}` : ` ${name}="${escape(String(value))}"`));
  return new Html(written.join(""));
}

/**
 * A line of a message with the little markup that translators may use: `**strong**` and `[text](address)`. Everything
 * else is text.
 * @throws Error when a link leads neither within the site (`/…`, `#…`) nor to `https://…`
 */
export function inline(line: string): Html {
  const marked = escape(line)
    .replace(/\*\*(.+?)\*\*/g, "<strong>$1</strong>")
    .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, (_, text: string, address: string) => {
      if (!/^(\/(?!\/)|#|https:\/\/)/.test(address)) {
        throw new Error(`A message links to ${address}: expected an address that begins with /, # or https://.`);
      }
      return `<a href="${address}"${address.startsWith("https:") ? ' rel="noreferrer"' : ""}>${text}</a>`;
    });
  return new Html(marked);
}

/** Paragraphs of a message. */
export function paragraphs(lines: readonly string[]): Html {
  return html`${lines.map((line) => html`<p>${inline(line)}</p> `)}`;
}
