import type { Config } from 'jest';

const transform: Config['transform'] = {
  '^.+\\.ts$': [
    '@swc/jest',
    { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
  ],
};

const project = (name: string) => ({
  displayName: name,
  testEnvironment: '<rootDir>/test/support/environment.ts',
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  extensionsToTreatAsEsm: ['.ts'],
  transform,
});

const config: Config = {
  // Ends a test that hangs. It measures nothing: tests share the machine with each other and with whatever else runs there.
  testTimeout: 120_000,
  testSequencer: '<rootDir>/test/support/sequencer.ts',
  reporters: ['default', '<rootDir>/test/support/skip-reporter.ts'],
  projects: [
    project('unit'),
    {
      ...project('integration'),
      globalSetup: '<rootDir>/test/support/global-setup.ts',
      globalTeardown: '<rootDir>/test/support/global-teardown.ts',
    },
    // Each of its suites has a control plane of its own: it kills parts of it.
    project('faults'),
  ],
};

export default config;
