import { describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { buildKubeconfig, parseKubeconfig } from '../../cluster/kubeconfig.ts';

const connection = {
  server: 'https://127.0.0.1:16443',
  ca: '-----BEGIN CERTIFICATE-----\nca\n',
  client: { certificate: '-----BEGIN CERTIFICATE-----\nclient\n', key: '-----BEGIN PRIVATE KEY-----\nkey\n' },
};

describe('kubeconfig', () => {
  test('embeds certificates and key in base64', () => {
    const { clusters, users } = parse(buildKubeconfig(connection, 'admin'));

    expect(clusters[0].cluster).toEqual({
      server: connection.server,
      'certificate-authority-data': Buffer.from(connection.ca).toString('base64'),
    });
    expect(users[0]).toEqual({
      name: 'admin',
      user: {
        'client-certificate-data': Buffer.from(connection.client.certificate).toString('base64'),
        'client-key-data': Buffer.from(connection.client.key).toString('base64'),
      },
    });
  });

  test('is read back as it was built', () => {
    expect(parseKubeconfig(buildKubeconfig(connection, 'admin'))).toEqual(connection);
  });

  test('names what a foreign kubeconfig lacks', () => {
    const config = parse(buildKubeconfig(connection, 'admin'));
    config.users[0].user = { token: 'secret' };

    expect(() => parseKubeconfig(stringify(config))).toThrow('client-certificate-data is missing');
  });

  test('names the context that is missing', () => {
    const config = parse(buildKubeconfig(connection, 'admin'));
    config['current-context'] = 'elsewhere';

    expect(() => parseKubeconfig(stringify(config))).toThrow('nothing is named "elsewhere"');
  });
});
