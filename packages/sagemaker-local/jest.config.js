/** TypeScript is only transpiled here. */
module.exports = {
  displayName: "sagemaker-local",
  testEnvironment: "node",
  testMatch: ["<rootDir>/__tests__/**/*.test.ts"],
  // Many suites start processes: on a busy machine Jest's five seconds are not a sign of a fault.
  testTimeout: 60_000,
  transform: {
    "^.+\\.ts$": [
      "ts-jest",
      {
        tsconfig: { module: "CommonJS", moduleResolution: "node10", ignoreDeprecations: "6.0", isolatedModules: true },
        diagnostics: false,
      },
    ],
  },
};
