import { stringify } from 'yaml';
import { isReservedClaim } from '../api/reserved-claims.ts';
import { migrateClient } from './migrate-client.ts';
import { readServerConfiguration, type ServerConfiguration } from './server-clients.ts';

const comment = (text: string): string => `# ${text.replaceAll(/[\r\n]+/gu, ' ')}\n`;

const settingsNote = ({ ownerClaim, deviceIDClaim, domain }: ServerConfiguration): string => {
  const url = domain
    ? `https://${domain}/m2m-oauth-server`
    : 'keep the current one, since verifiers compare `iss`';
  const device = deviceIDClaim ? `, deviceIDClaim: ${deviceIDClaim}` : '';
  return comment(`The operator's configuration: issuer: {url: ${url}, ownerClaim: ${ownerClaim}${device}}`);
};

/**
 * Says the clients of a configuration of plgd's m2m-oauth-server as manifests of OAuthClients, one YAML document each,
 * below comments that say what a person has to do. No secret is read or written.
 * @throws Error with every field that is not as that server has it
 */
export const migrate = (text: string, namespace: string): string => {
  const configuration = readServerConfiguration(text);
  const taken = new Set<string>();
  const documents = configuration.clients.map((client) => {
    // The owner and device-ID claims are the issuer's as well, whatever they are called.
    const claims = [configuration.ownerClaim, configuration.deviceIDClaim];
    const { manifest, notes } = migrateClient(client, {
      namespace,
      taken,
      isReservedClaim: (name) => isReservedClaim(name) || claims.includes(name),
    });
    taken.add((manifest as { metadata: { name: string } }).metadata.name);
    return `${notes.map(comment).join('')}${stringify(manifest, { version: '1.1', lineWidth: 0 })}`;
  });
  return `${settingsNote(configuration)}---\n${documents.join('---\n')}`;
};
