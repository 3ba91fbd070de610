/**
 * Draws the pictures that must be PNG for browsers and other sites: the icons and the Open Graph picture. They are
 * committed, because drawing them needs a browser. After a change to the shell, the name or the heading, run
 * `CHROMIUM=/usr/bin/chromium npx tsx web/pictures/draw.ts`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { shell } from "../drawings";
import { html } from "../html";
import { pages } from "../messages/en";

/** The deep of the sea, behind all of them. */
const ground = "#0b2630";

async function shoot(browser: Browser, name: string, width: number, height: number, body: string): Promise<void> {
  const page = await browser.newPage({ viewport: { width, height } });
  await page.setContent(`<!doctype html><style>body{margin:0;background:${ground}}</style>${body}`);
  writeFileSync(join(__dirname, name), await page.screenshot({ type: "png", omitBackground: true }));
  await page.close();
}

/**
 * The favicon's drawing as large as the icon; a maskable one keeps its drawing within the inner 80 % (W3C manifest,
 * "Icon masks").
 */
function icon(size: number, maskable: boolean): string {
  const drawing = readFileSync(join(__dirname, "favicon.svg"), "utf8").replace(' rx="14"', "");
  const drawn = Math.round(size * (maskable ? 0.8 : 1));
  const edge = (size - drawn) / 2;
  return `<style>svg{position:absolute;left:${edge}px;top:${edge}px;width:${drawn}px;height:${drawn}px}</style>${drawing}`;
}

function openGraph(): string {
  return html`<style>
      * {
        box-sizing: border-box;
      }
      main {
        position: relative;
        width: 1200px;
        height: 630px;
        overflow: hidden;
        padding: 72px 80px;
        color: #f0f4ee;
        font-family: "Liberation Serif", serif;
      }
      p {
        margin: 0;
        font-size: 34px;
        color: #b9c8c7;
      }
      h1 {
        position: absolute;
        bottom: 64px;
        left: 80px;
        margin: 0;
        width: 560px;
        font-weight: 400;
        font-size: 98px;
        line-height: 1;
        letter-spacing: -0.025em;
      }
      svg {
        position: absolute;
        left: 640px;
        top: -70px;
        width: 920px;
      }
      path,
      ellipse {
        fill: none;
        stroke: url(#n);
        stroke-width: 0.85;
      }
      ellipse {
        fill: ${ground};
      }
      path:first-child {
        stroke-width: 1.4;
      }
    </style>
    <main>
      <svg viewBox="0 0 240 190">
        <defs>
          <linearGradient id="n" x1="0" y1="0" x2="240" y2="190" gradientUnits="userSpaceOnUse">
            <stop offset="0" stop-color="#d795b1" />
            <stop offset=".3" stop-color="#6cc4b1" />
            <stop offset=".55" stop-color="#6aaedb" />
            <stop offset=".8" stop-color="#a79be0" />
            <stop offset="1" stop-color="#d795b1" />
          </linearGradient>
        </defs>
        <g>${shell(14)}</g>
      </svg>
      <p>${pages.site}</p>
      <h1>${pages.index.heading}</h1>
    </main>`.source;
}

async function draw(): Promise<void> {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
  });
  try {
    for (const size of [180, 192, 512]) {
      await shoot(browser, `icon-${size}.png`, size, size, icon(size, false));
    }
    await shoot(browser, "icon-maskable-512.png", 512, 512, icon(512, true));
    await shoot(browser, "open-graph.png", 1200, 630, openGraph());
  } finally {
    await browser.close();
  }
}

void draw();
