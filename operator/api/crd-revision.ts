import { GROUP } from './meta.ts';

/**
 * Grows by one with every change of the CRDs that is more than a change of texts: a replica is not ready while an installed
 * CRD has a lower one (spec §2). test/unit/crds/revision.test.ts fails when it is forgotten.
 */
export const CRD_REVISION = 4;
/** The annotation of every CRD that has its {@link CRD_REVISION}. */
export const CRD_REVISION_ANNOTATION = `${GROUP}/crd-revision`;
