/** What all pages share: the head, the masthead with the navigation, the footer. */
import { nacre, ornament } from "./drawings";
import { attributes, type Html, html, inline } from "./html";
import type { PageMessages } from "./messages/en";

/** What the pages are built from. */
export interface Site {
  readonly messages: PageMessages;
  /** The files whose names contain a hash of their content. */
  readonly stylesheet: string;
  readonly scripts: Readonly<Record<"calculator" | "figures", string>>;
  /** The site's address, `https://…` without a slash at its end; without it, a page does not name its own address. */
  readonly address: string | undefined;
  /** Days after which a contact message is deleted. */
  readonly contactRetentionDays: number;
  /** Days after which the server's records, which hold visitors' addresses, are deleted. */
  readonly recordRetentionDays: number;
  /** Whether contact messages are also mailed. */
  readonly contactMailed: boolean;
}

/** A page. */
export interface Page {
  /** Its file, which is also its address; `index.html` is at `/`. */
  readonly file: string;
  readonly title: string;
  /** For search engines; a page without one is not indexed. */
  readonly description?: string;
  readonly script?: string;
  /** A class of the page's body. */
  readonly kind: "tool" | "text" | "lost";
  /** Growth lines of the shell behind the page's heading. */
  readonly rings: number;
  readonly main: Html;
}

/** The path of a page. */
export function pathOf({ file }: Pick<Page, "file">): string {
  return file === "index.html" ? "/" : `/${file}`;
}

/** The pages of the masthead and of the footer, in their order. */
function links({ navigation }: PageMessages): readonly (readonly [string, string])[] {
  return [
    ["/", navigation.calculator],
    ["/how-to-measure.html", navigation.measuring],
    ["/about-the-model.html", navigation.model],
    ["/#contact", navigation.contact],
  ];
}

function shared(page: Page, { messages, address }: Site): Html {
  if (page.description === undefined) {
    return html`<meta name="robots" content="noindex" />`;
  }
  const url = address === undefined ? undefined : `${address}${pathOf(page)}`;
  return html`<meta name="description" content="${page.description}" />
    ${url === undefined ? undefined : html`<link rel="canonical" href="${url}" /><meta property="og:url" content="${url}" />`}
    <meta property="og:type" content="website" />
    <meta property="og:site_name" content="${messages.site}" />
    <meta property="og:locale" content="${messages.locale}" />
    <meta property="og:title" content="${page.title}" />
    <meta property="og:description" content="${page.description}" />
    <meta property="og:image" content="${address ?? ""}/open-graph.png" />
    <meta property="og:image:width" content="1200" />
    <meta property="og:image:height" content="630" />
    <meta name="twitter:card" content="summary_large_image" />`;
}

/** The whole document of a page. References start at the root, because error pages are shown under any address. */
export function documentOf(page: Page, site: Site): string {
  const { messages } = site;
  const here = pathOf(page);
  const link = ([address, text]: readonly [string, string]): Html =>
    html`<li><a${attributes({ href: address, "aria-current": address === here ? "page" : undefined })}>${text}</a></li>`;
  return html`<!doctype html>
    <html lang="${messages.language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${page.title} – ${messages.site}</title>
        ${shared(page, site)}
        <meta name="color-scheme" content="light dark" />
        <meta name="theme-color" content="#f4efe4" media="(prefers-color-scheme: light)" />
        <meta name="theme-color" content="#07171d" media="(prefers-color-scheme: dark)" />
        <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
        <link rel="apple-touch-icon" href="/icon-180.png" />
        <link rel="manifest" href="/site.webmanifest" />
        <link rel="stylesheet" href="/${site.stylesheet}" />
        ${page.script === undefined ? undefined : html`<script src="/${page.script}" defer></script>`}
      </head>
      <body class="${page.kind}">
        <a class="skip" href="#content">${messages.skip}</a>
        ${nacre}
        <div class="backdrop">${ornament(page.rings, "backdrop-shell")}</div>
        <header class="masthead">
          <a class="brand" href="/">${ornament(4, "brand-mark")} <span>${messages.site}</span></a>
          <nav aria-label="${messages.navigation.label}">
            <ul>
              ${links(messages).map(link)}
            </ul>
          </nav>
        </header>
        <main id="content" tabindex="-1">${page.main}</main>
        <footer>
          <p class="owner">${messages.owner}</p>
          <p>${inline(messages.footer.data)}</p>
          <nav aria-label="${messages.footer.label}">
            <ul>
              ${[...links(messages), ["/privacy.html", messages.navigation.privacy] as const].map(link)}
            </ul>
          </nav>
        </footer>
      </body>
    </html> `.source;
}
