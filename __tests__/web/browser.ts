/** Starts the Chromium of this machine, with everything switched off that would look for a network. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const usualPlaces = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * The program of the browser: the one that `CHROMIUM` names, or Debian's.
 * @throws Error that says how to get one when there is none
 */
export function chromiumPath(): string {
  const path = process.env.CHROMIUM ?? usualPlaces.find((place) => existsSync(place));
  if (path === undefined) {
    throw new Error(
      `No Chromium found in ${usualPlaces.join(", ")}: install it (Debian: apt-get install chromium) or set CHROMIUM to its path.`,
    );
  }
  return path;
}

/**
 * Opens a browser.
 * @throws Error that says how to get one when there is none
 */
export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: flags });
}
