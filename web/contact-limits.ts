/**
 * The maximum length of each field of a contact message, in characters, for the form and the API.
 */
export const contactLimits = {
  name: 100,
  /** Longest address that mail can be sent to (RFC 5321, errata 1690). */
  email: 254,
  message: 4_000,
} as const;
