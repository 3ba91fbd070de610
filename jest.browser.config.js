/** The website in a real Chromium: `make test-browser`. Its pictures lie in `screenshots` afterwards. */
module.exports = {
  ...require("./jest.config.js"),
  testMatch: ["<rootDir>/__tests__/browser/**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/"],
  globalSetup: "<rootDir>/__tests__/browser/clear-screenshots.ts",
  globalTeardown: "<rootDir>/__tests__/browser/gallery.ts",
  maxWorkers: 2,
  testTimeout: 120_000,
};
