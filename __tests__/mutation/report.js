/**
 * Tells `run.ts` when a test file begins, and writes what each test said into the file `TEST_REPORT`. Jest's own
 * `--json` writes nothing when `--bail` ends a run.
 */
const { writeFileSync } = require("node:fs");

module.exports = class {
  onTestFileStart({ path }) {
    process.stdout.write(`BEGIN ${path}\n`);
  }

  onRunComplete(_, { testResults }) {
    const files = testResults.map(({ testFilePath, failureMessage, perfStats, testResults: tests }) => ({
      file: testFilePath,
      failed: Boolean(failureMessage),
      seconds: (perfStats.end - perfStats.start) / 1000,
      tests: tests.map(({ fullName, status }) => ({ name: fullName, failed: status === "failed" })),
    }));
    writeFileSync(process.env.TEST_REPORT, JSON.stringify(files));
  }
};
