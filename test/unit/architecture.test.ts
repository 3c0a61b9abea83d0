import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../../operator');

/** Which part may import which: data walks one way, and the core knows nothing of the edge. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  async: ['ports'],
  api: [],
  domain: ['api'],
  ports: ['api'],
  issuer: ['domain', 'ports', 'api', 'async'],
  runtime: ['ports', 'api', 'async'],
  reconcilers: ['issuer', 'domain', 'runtime', 'ports', 'api', 'async'],
  kube: ['ports', 'domain', 'api', 'async'],
  crypto: ['ports', 'domain', 'api', 'async'],
  outbound: ['ports', 'domain', 'api', 'async'],
  ops: ['ports', 'domain', 'api', 'async'],
  'servers/listener': ['domain', 'ports', 'async'],
  'servers/grpc': ['servers/listener', 'issuer', 'domain', 'ports', 'api', 'async'],
  'servers/http': ['servers/listener', 'issuer', 'domain', 'ports', 'api', 'async'],
  config: ['domain', 'api'],
  migrate: ['api'],
  compose: [
    'config',
    'reconcilers',
    'issuer',
    'domain',
    'runtime',
    'kube',
    'crypto',
    'outbound',
    'ops',
    'servers/grpc',
    'servers/http',
    'servers/listener',
    'ports',
    'api',
    'async',
  ],
};

/** The roots that wire everything; no module imports them. */
const ROOTS = new Set(['main.ts', 'compose.ts', 'arguments.ts']);

/** Packages by the part that may use them; `node:` modules are free but for the edge's. */
const EDGE_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  undici: ['kube', 'outbound'],
  '@kubernetes/client-node': ['kube'],
  jose: ['crypto', 'issuer'],
  zod: ['api', 'config', 'migrate'],
  yaml: ['config', 'migrate'],
  pino: ['ops'],
  'prom-client': ['ops'],
  fastify: ['servers/http'],
  '@grpc/grpc-js': ['servers/grpc'],
  '@grpc/reflection': ['servers/grpc'],
  'grpc-health-check': ['servers/grpc'],
  '@bufbuild/protobuf': ['servers/grpc'],
};

const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
/** A folder of operator/; of servers/, each folder is a part. */
const partOf = (file: string): string => {
  const [first = '', second] = file.split('/');
  return first === 'servers' ? `${first}/${second}` : first;
};
const importsOf = (file: string): string[] =>
  [
    ...readFileSync(join(ROOT, file), 'utf8').matchAll(
      /^(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]/gmu,
    ),
  ].map((match) => match[1] ?? '');

const trespasses = files.flatMap((file) => {
  const part = partOf(file);
  if (ROOTS.has(file)) return [];
  return importsOf(file).flatMap((target) => {
    if (target.startsWith('.')) {
      const other = partOf(relative(ROOT, join(ROOT, dirname(file), target)));
      return other === part || ARROWS[part]?.includes(other) ? [] : [`${file} → ${target}`];
    }
    const name = target.startsWith('@')
      ? target.split('/').slice(0, 2).join('/')
      : (target.split('/')[0] ?? '');
    if (name.startsWith('node:')) return [];
    return EDGE_PACKAGES[name]?.includes(part) ? [] : [`${file} → ${target}`];
  });
});

test('there are files to check', () => {
  expect(files.length).toBeGreaterThan(10);
});

test('no file imports against the arrows, or a package that belongs to another part', () => {
  expect(trespasses).toEqual([]);
});

/** A cycle of imports, types too, from a file back to itself; empty if there is none. */
const cycleFrom = (start: string): string[] => {
  const seen = new Set([start]);
  const walk = (file: string, path: readonly string[]): string[] => {
    for (const target of importsOf(file).filter((name) => name.startsWith('.'))) {
      const next = relative(ROOT, join(ROOT, dirname(file), target));
      if (next === start) return [...path, next];
      if (seen.has(next) || !files.includes(next)) continue;
      seen.add(next);
      const found = walk(next, [...path, next]);
      if (found.length > 0) return found;
    }
    return [];
  };
  return walk(start, [start]);
};

test('no files import each other in a cycle', () => {
  const cycles = files.filter((file) => !file.includes('/generated/')).map(cycleFrom);
  expect(cycles.filter((cycle) => cycle.length > 0)).toEqual([]);
});

/** What only adapters may use; everything else gets a clock, randomness or settings as arguments. */
const AMBIENT =
  /\b(?:Date\.now|new Date\(\)|setTimeout|setInterval|setImmediate|randomUUID|Math\.random|process\.(?:env|exit|argv))\b/u;
const PURE = new Set(['api', 'domain', 'ports', 'issuer', 'reconcilers', 'runtime', 'config', 'async']);

test('time, randomness and environment stay at the edge', () => {
  const offenders = files
    .filter((file) => PURE.has(partOf(file)))
    .flatMap((file) =>
      readFileSync(join(ROOT, file), 'utf8')
        .split('\n')
        .flatMap((line, at) =>
          AMBIENT.test(line.replace(/\/\/.*|^\s*\/?\*.*/u, '')) ? [`${file}:${at + 1} ${line.trim()}`] : [],
        ),
    );
  expect(offenders).toEqual([]);
});

/** Modules that a file loads at run time, itself included; `import type` loads nothing. */
const loadedBy = (file: string, loaded = new Set<string>()): ReadonlySet<string> => {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  const source = readFileSync(join(ROOT, file), 'utf8');
  for (const [, target = ''] of source.matchAll(
    /^(?:import|export)\s(?!type\b)[^'"]*?from\s+'(\.[^']+)'/gmu,
  )) {
    loadedBy(join(dirname(file), target), loaded);
  }
  return loaded;
};

test('what validates a JWT loads no planner', () => {
  const loaded = [...loadedBy('issuer/registry/validate-jwt.ts')];
  expect(loaded.length).toBeGreaterThan(10);
  expect(loaded.filter((file) => /(?:-plan|-cause|-policies|-adoption|-delivery)\.ts$/u.test(file))).toEqual(
    [],
  );
  expect(loaded.filter((file) => file.includes('domain/token/'))).toEqual([
    expect.stringContaining('domain/token/declared-token.ts'),
  ]);
});

/** `a[label] & b --> c`: the pairs of a line of a Mermaid flowchart, by label where a node has one. */
const drawnArrows = (diagram: string): [string, string][] => {
  const labels = new Map(
    [...diagram.matchAll(/(\w+)\[([^\]]+)\]/gu)].map(([, id = '', label = '']) => [id, label]),
  );
  const names = (list = ''): string[] =>
    list.split('&').map((node) => {
      const id = node.trim().replace(/\[.*/u, '');
      return labels.get(id) ?? id;
    });
  return diagram.split('\n').flatMap((line) => {
    const [from, to] = line.split('-->');
    return to === undefined
      ? []
      : names(from).flatMap((one) => names(to).map((other): [string, string] => [one, other]));
  });
};

describe('the picture in docs/architecture.md', () => {
  const page = readFileSync(join(ROOT, '../docs/architecture.md'), 'utf8');
  const [, diagram = ''] = /<!-- imports: [^\n]*-->\n```mermaid\n([\s\S]*?)```/u.exec(page) ?? [];
  const drawn = drawnArrows(diagram);
  const reachable = (from: string): Set<string> => {
    const found = new Set<string>();
    const visit = (part: string): void =>
      drawn.forEach(([one, other]) => {
        if (one !== part || found.has(other)) return;
        found.add(other);
        visit(other);
      });
    visit(from);
    return found;
  };

  test('every arrow in it is allowed', () => {
    expect(drawn.length).toBeGreaterThan(10);
    expect(drawn.filter(([from, to]) => !ARROWS[from]?.includes(to))).toEqual([]);
  });

  test.each(Object.entries(ARROWS))('what %s may import follows from its arrows', (from, allowed) => {
    expect(allowed.filter((to) => !reachable(from).has(to))).toEqual([]);
  });
});
