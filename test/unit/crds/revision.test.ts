import { expect, test } from '@jest/globals';
import { customResourceDefinitions } from '../../../crds/generator/definitions.ts';
import { CRD_REVISION } from '../../../operator/api/crd-revision.ts';
import { canonicalDigest } from '../../../operator/domain/canonical-json.ts';
import { withoutTexts } from '../../surface/plain.ts';

/** What the CRDs of each revision are, without texts for people, from revision 3 on. Add a line for a new one; never change an older one. */
const DIGESTS: Readonly<Record<number, string>> = {
  3: 'FQzPuKbBZRW3mPA9G2TRTVvlIsF8IYQofYbbF-FXzHQ',
  4: 'dGdi8t64ineljjahcvpou37WX21m06PIra8lN9ohDEA',
};

test('the CRDs are those of CRD_REVISION', () => {
  const digest = canonicalDigest(withoutTexts(customResourceDefinitions()));
  const latest = Math.max(...Object.keys(DIGESTS).map(Number));
  const next = latest + 1;
  const todo =
    digest === DIGESTS[latest]
      ? `set CRD_REVISION to ${latest} in operator/api/crd-revision.ts: the CRDs did not change`
      : `the CRDs changed: set CRD_REVISION to ${next} in operator/api/crd-revision.ts, add { ${next}: '${digest}' } to DIGESTS here, run npm run generate`;
  const isRight = CRD_REVISION === latest && digest === DIGESTS[latest];
  expect(isRight ? 'nothing to do' : todo).toBe('nothing to do');
});
