/**
 * Every kind of test is a project: `jest --selectProjects unit`, or `jest <part of a path>` for a file of any of them. So is every
 * package, by its own configuration, with which its tests also run alone. TypeScript is only transpiled; `npm run check:types` checks it.
 */

/**
 * How long a test may take, in milliseconds: Jest leaves out `testTimeout` in a project's own settings. Many suites
 * start processes: on a busy machine Jest's five seconds are not a sign of a fault.
 */
const timeout = (testTimeout) => ({
  globals: { testTimeout },
  setupFilesAfterEnv: ["<rootDir>/__tests__/support/test-timeout.ts"],
});

const common = {
  rootDir: __dirname,
  testEnvironment: "node",
  ...timeout(60_000),
  modulePathIgnorePatterns: ["<rootDir>/dist", "<rootDir>/cdktf.out", "<rootDir>/.local", "<rootDir>/.venv"],
  testPathIgnorePatterns: ["/node_modules/"],
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

/** A kind of test that has a folder of its own under `__tests__`. */
const project = (displayName, settings) => ({
  ...common,
  displayName,
  testMatch: [`<rootDir>/__tests__/${displayName}/**/*.test.ts`],
  ...settings,
});

const projects = [
  // The website in a real Chromium; its pictures lie in `screenshots` afterwards.
  project("browser", {
    globalSetup: "<rootDir>/__tests__/browser/clear-screenshots.ts",
    globalTeardown: "<rootDir>/__tests__/browser/gallery.ts",
    ...timeout(120_000),
  }),
  // The whole loop on platforms of its own.
  project("end-to-end", {
    globalSetup: "<rootDir>/__tests__/end-to-end/access.ts",
    globalTeardown: "<rootDir>/__tests__/end-to-end/check-access.ts",
    ...timeout(600_000),
  }),
  // The model image, built, pushed, pulled and run: started through local/setup/with-image-tools.
  project("image", timeout(300_000)),
  // Terraform's real providers: started through __tests__/provider/run.ts, which finds them first.
  project("provider", timeout(600_000)),
  // A deployed stage: WEBSITE=https://… API=https://…/api jest --selectProjects system
  project("system", {}),
];

const unit = project("unit", {
  testMatch: ["<rootDir>/__tests__/**/*.test.ts"],
  testPathIgnorePatterns: [
    ...common.testPathIgnorePatterns,
    ...projects.map(({ displayName }) => `<rootDir>/__tests__/${displayName}/`),
  ],
});

module.exports = { projects: [unit, "<rootDir>/packages/*", ...projects] };
