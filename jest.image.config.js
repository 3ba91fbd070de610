/** The model image, built, pushed, pulled and run: `make test-image`, which starts it through local/setup/with-image-tools. */
module.exports = {
  ...require("./jest.config.js"),
  testMatch: ["<rootDir>/__tests__/image/**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/"],
  maxWorkers: 1,
  testTimeout: 300_000,
  verbose: true,
  // What a failed test leaves running ends with the namespaces around it.
  forceExit: true,
};
