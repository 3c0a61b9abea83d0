import type { KubeObject, TestApi } from '../../support/api.ts';

/** Objects that the chart has rendered. */

const THIRD_PARTY = /^(monitoring\.coreos\.com|cert-manager\.io|gateway\.networking\.k8s\.io)\//u;

/** Whether it is of a kind of others, which a bare API server does not know. */
export const isThirdParty = ({ apiVersion }: KubeObject): boolean => THIRD_PARTY.test(apiVersion);

/** Sends an object to the API server as a dry run. @throws Error with its message where it rejects */
export const tryToApply = async (api: TestApi, object: KubeObject): Promise<void> => {
  const query = { dryRun: 'All', fieldManager: 'helm', fieldValidation: 'Strict', force: true };
  const { status, body } = await api.apply(object, { query });
  if (status >= 300) throw new Error(`${object.kind} ${object.metadata.name}: ${body.message}`);
};
