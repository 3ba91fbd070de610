/** Tests with Terraform's real providers; `make test-provider` finds these first. Two files at once: one plans while the other waits for AWS. */
module.exports = {
  ...require("./jest.config.js"),
  testMatch: ["<rootDir>/__tests__/provider/**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/"],
  maxWorkers: 2,
  testTimeout: 600_000,
};
