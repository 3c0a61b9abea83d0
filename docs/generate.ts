import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { imagePackages } from './image-packages.ts';

/** Writes the list of third-party software in the image; `--check` fails if it is out of date. */

const PAGE = join(import.meta.dirname, 'third-party-licenses.md');

const rows = imagePackages().map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`);
const text = `# Third-party licenses

The npm packages in the operator's image, beside Node and what its base image has. \`npm run generate\` writes this page from the lockfile; a test checks that each license is one that we accept. The license texts are in the image with their packages.

| package | version | license |
| --- | --- | --- |
${rows.join('\n')}
`;

if (!process.argv.includes('--check')) {
  writeFileSync(PAGE, text);
} else if (readFileSync(PAGE, 'utf8') !== text) {
  process.stderr.write('docs/third-party-licenses.md is out of date: npm run generate\n');
  process.exitCode = 1;
}
