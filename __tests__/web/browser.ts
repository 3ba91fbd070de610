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
 * Opens a browser.
 * @throws Error that says how to get one when there is none
 */
export function openBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? usualPlaces.find((place) => existsSync(place));
  if (executablePath === undefined) {
    throw new Error(
      `No Chromium found in ${usualPlaces.join(", ")}: install it (Debian: apt-get install chromium) or set CHROMIUM to its path.`,
    );
  }
  return chromium.launch({ executablePath, args: flags });
}
