/**
 * The most that each field of a contact message takes, in characters: what the form lets people type and what the API
 * stores.
 */
export const contactLimits = {
  name: 100,
  /** Longest address that mail can be sent to (RFC 5321, errata 1690). */
  email: 254,
  message: 4_000,
} as const;
