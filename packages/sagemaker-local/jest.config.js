/** TypeScript is only transpiled here. */
module.exports = {
  displayName: "sagemaker-local",
  testEnvironment: "node",
  testMatch: ["<rootDir>/__tests__/**/*.test.ts"],
  setupFilesAfterEnv: ["<rootDir>/__tests__/support/test-timeout.ts"],
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
