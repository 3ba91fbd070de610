/** The whole loop on instances of its own: two files at once, for each waits half of its time for one process. */
module.exports = {
  ...require("./jest.config.js"),
  testMatch: ["<rootDir>/__tests__/end-to-end/**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/"],
  maxWorkers: 2,
  testTimeout: 600_000,
};
