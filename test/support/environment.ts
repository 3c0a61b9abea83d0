import { TestEnvironment } from 'jest-environment-node';

/**
 * Node's environment, in a worker that exits at once when it has nothing left to do. Jest kills a worker that takes more than half
 * a second, and warns of a leak; Node needs longer than that to free the modules of some twenty integration suites, several
 * hundred MB. A worker with an open handle still gets the warning: `exit` is emitted only after the last one is closed. With one
 * worker tests run in jest's own process, which sets its exit code in a later handler of `exit`: that one is left alone.
 */
if (process.send) {
  process.once('exit', (code) =>
    (process as unknown as { reallyExit(code: number): never }).reallyExit(code),
  );
}

export default class extends TestEnvironment {}
