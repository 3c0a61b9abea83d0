import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** The blocks of a language in a page of documentation that follow `<!-- mark: … -->`, in their order. */
export const codeBlocks = (markdown: string, mark: string, language: string): string[] =>
  [
    ...markdown.matchAll(
      new RegExp(`<!-- ${mark}:[^\\n]*-->\\n\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'gu'),
    ),
  ].map((match) => match[1] ?? '');

/** {@link codeBlocks} for a shell. */
export const shellBlocks = (markdown: string, mark: string): string[] => codeBlocks(markdown, mark, 'sh');

/** The one block of a language that follows the mark. @throws Error where there is none, or another one */
export const codeBlock = (markdown: string, mark: string, language: string): string => {
  const [block, ...others] = codeBlocks(markdown, mark, language);
  if (block === undefined || others.length > 0)
    throw new Error(`there is no one block ${mark} in ${language}`);
  return block;
};

/** One shell for many blocks: what a reader has set in one is there in the next. */
export interface Shell {
  /** Everything that a block printed. @throws Error with it, where a command fails; the shell has ended then */
  run(block: string): Promise<string>;
  end(): Promise<void>;
}

const END_OF_BLOCK = '-- end of block --';

/** Starts bash as careful people do. */
export const startShell = (cwd: string, env: NodeJS.ProcessEnv): Shell => {
  const bash = spawn('bash', ['-euo', 'pipefail'], { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(bash, 'close');
  bash.stdin.on('error', () => undefined);
  const lines = createInterface({ input: bash.stdout })[Symbol.asyncIterator]();
  return {
    run: async (block) => {
      // Commands read nothing by themselves: what comes next on the shell's own input is the next block.
      bash.stdin.write(`{\n${block}\n} </dev/null 2>&1\nprintf '\\n%s\\n' '${END_OF_BLOCK}'\n`);
      const printed: string[] = [];
      for (;;) {
        const { value, done } = await lines.next();
        if (value === END_OF_BLOCK) return printed.join('\n');
        if (done) throw new Error(`a command failed:\n${block}\n${printed.join('\n')}`);
        printed.push(value);
      }
    },
    end: async () => {
      bash.stdin.end();
      await exited;
    },
  };
};
