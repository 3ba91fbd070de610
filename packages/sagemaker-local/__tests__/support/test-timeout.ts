// Jest leaves out testTimeout in the settings of a project. Many suites start processes, for which five seconds are
// few.
jest.setTimeout(60_000);
