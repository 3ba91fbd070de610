/**
 * How the website's files are sent: the headers of every answer, the type of each file, and how long it is kept.
 * CloudFront gets its settings from here (modules/static-site.ts); the tests' own web server sends the same.
 */
import { extname } from "node:path";

const contentTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
  ".xml": "application/xml",
};

/**
 * The content type of a file of the website.
 * @throws Error when it is of a kind that nobody has given a type: a browser would have to guess
 */
export function contentTypeOf(path: string): string {
  const contentType = contentTypes[extname(path)];
  if (contentType === undefined) {
    throw new Error(
      `The site's file ${path} is of a kind without a content type: add ${extname(path) || "it"} to modules/site-delivery.ts.`,
    );
  }
  return contentType;
}

/**
 * How long a file is kept. A file with a hash of its content in its name never changes. Any other is kept for a minute
 * at CloudFront's edges (`s-maxage`), and browsers ask again each time, which costs them a short answer without content
 * (304) as long as nothing has changed: a change is everywhere after a minute, and after an invalidation of the
 * distribution at once, which would never reach what browsers keep by themselves.
 */
export function cacheControlOf(path: string): string {
  return /\.[0-9a-f]{8,}\.[a-z0-9]+$/.test(path)
    ? "public, max-age=31536000, immutable"
    : "public, max-age=0, s-maxage=60, must-revalidate";
}

/** What a browser may load, and from where: everything of the site itself, nothing else, nothing inline. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * What the pages do without, for themselves and for whatever they might come to hold: every feature of the W3C's list
 * of policy-controlled features that browsers know today. Not denied are what shares an animal (the clipboard's
 * writing, the system's own share dialogue) and what tells screen readers of news.
 */
const deniedFeatures = [
  "accelerometer",
  "autoplay",
  "browsing-topics",
  "camera",
  "captured-surface-control",
  "clipboard-read",
  "compute-pressure",
  "cross-origin-isolated",
  "deferred-fetch",
  "deferred-fetch-minimal",
  "digital-credentials-create",
  "digital-credentials-get",
  "display-capture",
  "encrypted-media",
  "fullscreen",
  "gamepad",
  "geolocation",
  "gyroscope",
  "hid",
  "identity-credentials-get",
  "idle-detection",
  "interest-cohort",
  "keyboard-map",
  "language-detector",
  "language-model",
  "local-fonts",
  "local-network-access",
  "magnetometer",
  "media-playback-while-not-visible",
  "microphone",
  "midi",
  "on-device-speech-recognition",
  "otp-credentials",
  "payment",
  "picture-in-picture",
  "private-state-token-issuance",
  "private-state-token-redemption",
  "publickey-credentials-create",
  "publickey-credentials-get",
  "screen-wake-lock",
  "serial",
  "speaker-selection",
  "storage-access",
  "summarizer",
  "sync-xhr",
  "translator",
  "unload",
  "usb",
  "window-management",
  "xr-spatial-tracking",
] as const;

/** Two years, as hstspreload.org asks for. */
const strictTransportSeconds = 63_072_000;

/** The parts of the headers that CloudFront has settings of its own for. */
export const delivery = {
  contentSecurityPolicy,
  strictTransportSeconds,
  referrerPolicy: "no-referrer",
  frameOption: "DENY",
  /** Headers that CloudFront knows nothing of. */
  customHeaders: {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": deniedFeatures.map((feature) => `${feature}=()`).join(", "),
  },
} as const;

/** The headers that protect a visitor, as every answer of the website bears them; names in lower case. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": contentSecurityPolicy,
  "strict-transport-security": `max-age=${strictTransportSeconds}; includeSubDomains`,
  "x-content-type-options": "nosniff",
  "x-frame-options": delivery.frameOption,
  "referrer-policy": delivery.referrerPolicy,
  ...Object.fromEntries(Object.entries(delivery.customHeaders).map(([name, value]) => [name.toLowerCase(), value])),
};
