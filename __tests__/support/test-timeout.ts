/** Gives every test of a project the time that `jest.config.js` sets for it. */
jest.setTimeout((globalThis as typeof globalThis & { readonly testTimeout: number }).testTimeout);
