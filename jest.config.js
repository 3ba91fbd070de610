/** Unit and integration tests: TypeScript is only transpiled here, `npm run check:types` checks it. */
module.exports = {
  testEnvironment: "node",
  // Many suites start processes: on a busy machine Jest's five seconds are no sign of a fault.
  testTimeout: 60_000,
  testMatch: ["<rootDir>/__tests__/**/*.test.ts"],
  testPathIgnorePatterns: [
    "/node_modules/",
    "<rootDir>/__tests__/system/",
    "<rootDir>/__tests__/browser/",
    "<rootDir>/__tests__/end-to-end/",
    "<rootDir>/__tests__/provider/",
    "<rootDir>/__tests__/image/",
  ],
  modulePathIgnorePatterns: ["<rootDir>/dist", "<rootDir>/cdktf.out", "<rootDir>/.local", "<rootDir>/.venv"],
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
