/**
 * How the website's files are sent: the headers of every answer, each file's type, and its caching. CloudFront gets its
 * settings from here (modules/static-site.ts), and so does the tests' web server.
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
 * @throws Error when its kind has no content type: a browser would have to guess
 */
export function contentTypeOf(path: string): string {
  const contentType = contentTypes[extname(path)];
  if (contentType === undefined) {
    throw new Error(
      `The site's file ${path} has no known content type: add ${extname(path) || "it"} to modules/site-delivery.ts.`,
    );
  }
  return contentType;
}

/**
 * How long a file is cached. A file with a content hash in its name never changes. All others are cached for a minute
 * at CloudFront's edges (`s-maxage`), and browsers revalidate each time, which costs a short 304 answer if nothing
 * changed. So a change is visible after a minute, or at once after an invalidation, which does not reach browser
 * caches.
 */
export function cacheControlOf(path: string): string {
  return /\.[0-9a-f]{8,}\.[a-z0-9]+$/.test(path)
    ? "public, max-age=31536000, immutable"
    : "public, max-age=0, s-maxage=60, must-revalidate";
}

/** What a browser may load: only files of the site itself, nothing inline. */
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
 * Browser features that the pages deny themselves and embedded content: every feature in the W3C's list of
 * policy-controlled features, except those for sharing an animal (clipboard write, share dialogue) and for screen
 * readers.
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

/** Two years, as hstspreload.org requires. */
const strictTransportSeconds = 63_072_000;

/** Headers with their own CloudFront setting. */
export const delivery = {
  contentSecurityPolicy,
  strictTransportSeconds,
  referrerPolicy: "no-referrer",
  frameOption: "DENY",
  /** Other headers. */
  customHeaders: {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": deniedFeatures.map((feature) => `${feature}=()`).join(", "),
  },
} as const;

/** The security headers of every answer; names in lower case. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": contentSecurityPolicy,
  "strict-transport-security": `max-age=${strictTransportSeconds}; includeSubDomains`,
  "x-content-type-options": "nosniff",
  "x-frame-options": delivery.frameOption,
  "referrer-policy": delivery.referrerPolicy,
  ...Object.fromEntries(Object.entries(delivery.customHeaders).map(([name, value]) => [name.toLowerCase(), value])),
};
