/** System tests against a deployed stage: `WEBSITE=https://… API=https://…/api npx jest --config jest.system.config.js`. */
const { transform } = require("./jest.config.js");

module.exports = {
  testEnvironment: "node",
  testMatch: ["<rootDir>/__tests__/system/**/*.test.ts"],
  modulePathIgnorePatterns: ["<rootDir>/dist", "<rootDir>/cdktf.out", "<rootDir>/.local", "<rootDir>/.venv"],
  transform,
  testTimeout: 60_000,
  verbose: true,
};
