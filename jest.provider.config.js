/** Tests with Terraform's real providers; `make test-provider` finds these first. Four files at once: most of their time they wait for AWS. */
module.exports = {
  ...require("./jest.config.js"),
  testMatch: ["<rootDir>/__tests__/provider/**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/"],
  maxWorkers: 4,
  testTimeout: 600_000,
};
